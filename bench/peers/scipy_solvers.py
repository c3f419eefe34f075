"""SciPy's optimisers, as papers call them and at the settings that serve them best here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from outcome import Outcome
from problem import Problem

Run = Callable[[np.ndarray], Any]

BUDGET = 20.0  # seconds: starts come in random order, and those left over then are not run


def _collect(runs: list[Any]) -> Outcome:
    return Outcome(
        x=np.array([r.x for r in runs]),
        status=[f"{r.status}" if r.success else f"{r.status} (no success)" for r in runs],
        evaluations=int(sum(r.nfev for r in runs)),
    )


def _each(run: Run, starts: np.ndarray) -> Outcome:
    """Run every start; one that raises, for want of a finite value, counts as a failure."""

    def safe(p: np.ndarray) -> Any:
        try:
            return run(p)
        except ValueError as error:
            reason = str(error).split(".")[0][:40]
            return optimize.OptimizeResult(x=p * np.nan, status=reason, success=False, nfev=1)

    runs: list[Any] = []
    end = time.perf_counter() + BUDGET
    with np.errstate(all="ignore"):
        for p in starts:
            runs.append(safe(p))
            if time.perf_counter() > end:
                break
    return _collect(runs)


def lbfgs_published(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """L-BFGS-B, finite differences, default tolerances: the protocol of most papers."""
    return _each(lambda p: optimize.minimize(problem.objective.value, p, method="L-BFGS-B"), starts)


def lbfgs_gradient(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """L-BFGS-B, exact gradient, default tolerances."""
    f = problem.objective.with_gradient
    return _each(lambda p: optimize.minimize(f, p, jac=True, method="L-BFGS-B"), starts)


def lbfgs_tight(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """L-BFGS-B, exact gradient, ftol 1e-15, gtol 1e-12, 10,000 iterations."""
    f = problem.objective.with_gradient
    options = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10_000, "maxfun": 50_000}
    return _each(
        lambda p: optimize.minimize(f, p, jac=True, method="L-BFGS-B", options=options), starts
    )


class _Residuals:
    """Signed-root residuals and their Jacobian, computed once per point."""

    def __init__(self, problem: Problem, plain: bool = False) -> None:
        self.compute = problem.objective.raw if plain else problem.objective.signed_root
        self.point: np.ndarray | None = None

    def _at(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.point is None or not np.array_equal(p, self.point):
            self.point, self.kept = p.copy(), self.compute(p)
        return self.kept

    def values(self, p: np.ndarray) -> np.ndarray:
        return self._at(p)[0]

    def jacobian(self, p: np.ndarray) -> np.ndarray:
        return self._at(p)[1]


def _least_squares(problem: Problem, starts: np.ndarray, **options: Any) -> Outcome:
    def run(p: np.ndarray) -> Any:
        r = _Residuals(problem)
        return optimize.least_squares(r.values, p, jac=r.jacobian, **options)

    return _each(run, starts)


def trf_huber(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """least_squares, TRF, its own loss="huber" with f_scale = delta, default tolerances."""
    delta = problem.objective.delta

    def run(p: np.ndarray) -> Any:
        r = _Residuals(problem, plain=True)
        loss = {} if delta is None else {"loss": "huber", "f_scale": delta}
        return optimize.least_squares(r.values, p, jac=r.jacobian, method="trf", **loss)

    return _each(run, starts)


def trf(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """least_squares, TRF, on signed-root residuals, up to 500 evaluations."""
    return _least_squares(problem, starts, method="trf", max_nfev=500)


def lm(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """least_squares, MINPACK's LM, on signed-root residuals, default tolerances."""
    if problem.rows < len(problem.names):
        raise ValueError("fewer rows than parameters")
    return _least_squares(problem, starts, method="lm")
