"""optimistix under vmap: all starts at once, compiled for the processor, in double precision."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx

from outcome import Outcome
from problem import Problem

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def _rho(r: Any, delta: float | None) -> Any:
    if delta is None:
        return 0.5 * r * r
    a = jnp.abs(r)
    return jnp.where(a <= delta, 0.5 * r * r, delta * (a - 0.5 * delta))


def _residual(problem: Problem) -> Any:
    model, target = problem.objective.model, jnp.asarray(problem.objective.target)
    return lambda p, _: model.predict(jnp, p) - target


def _objective(problem: Problem) -> Any:
    residual = _residual(problem)
    return lambda p, _: _rho(residual(p, None), problem.objective.delta).sum()


def _signed_root(problem: Problem) -> Any:
    residual, delta = _residual(problem), problem.objective.delta
    if delta is None:
        return residual

    def signed_root(p: Any, _: Any) -> Any:
        r = residual(p, None)
        outside = jnp.abs(r) > delta
        # The root of the inner branch would have no derivative at zero.
        far = jnp.where(outside, r, delta)
        return jnp.where(outside, jnp.sign(far) * jnp.sqrt(2.0 * _rho(far, delta)), r)

    return signed_root


def value(problem: Problem, p: np.ndarray) -> float:
    return float(_objective(problem)(jnp.asarray(p), None))


def _run(one: Any, starts: np.ndarray) -> Outcome:
    begun = time.perf_counter()
    compiled = jax.jit(jax.vmap(one)).lower(jnp.asarray(starts)).compile()
    setup = time.perf_counter() - begun
    cpu, begun = time.process_time(), time.perf_counter()
    x, code, steps = jax.block_until_ready(compiled(jnp.asarray(starts)))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    status = ["success" if c == 0 else f"result {c}" for c in np.asarray(code)]
    return Outcome(np.asarray(x), status, int(np.sum(steps)), setup, seconds, cpu)


def _ended(solution: Any) -> Any:
    return solution.value, solution.result._value, solution.stats["num_steps"]


def levenberg_marquardt(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """LevenbergMarquardt (identity damping) on signed-root residuals, 500 steps."""
    solver = optx.LevenbergMarquardt(rtol=1e-10, atol=1e-12)
    f = _signed_root(problem)
    return _run(
        lambda p: _ended(optx.least_squares(f, solver, p, max_steps=500, throw=False)), starts
    )


def bfgs(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """BFGS on the objective, 1,000 steps."""
    solver = optx.BFGS(rtol=1e-10, atol=1e-12)
    f = _objective(problem)
    return _run(lambda p: _ended(optx.minimise(f, solver, p, max_steps=1000, throw=False)), starts)
