"""The methods: what people use to fit the law today, and lawfit, behind one signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

import lawfit as lf
from problems import Problem


@dataclass(frozen=True)
class Outcome:
    """One row per start that was run."""

    objective: np.ndarray
    evaluations: int
    success: float  # share of starts that the method calls converged


def _model(problem: Problem) -> tuple[Callable, Callable, Callable]:
    """Return objective, value with gradient, and signed-root-Huber residuals with Jacobian."""
    u, v, target = np.log(problem.x), np.log(problem.y), np.log(problem.loss)
    delta = problem.delta

    def terms(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = np.stack([np.full_like(u, p[0]), p[1] - p[3] * u, p[2] - p[4] * v])
        top = t.max(axis=0)
        e = np.exp(t - top)
        total = e.sum(axis=0)
        return top + np.log(total) - target, e / total

    def jacobian(share: np.ndarray) -> np.ndarray:
        return np.stack([share[0], share[1], share[2], -share[1] * u, -share[2] * v], axis=1)

    def objective(p: np.ndarray) -> float:
        r = np.abs(terms(p)[0])
        return float(np.where(r <= delta, 0.5 * r * r, delta * (r - 0.5 * delta)).sum())

    def with_gradient(p: np.ndarray) -> tuple[float, np.ndarray]:
        r, share = terms(p)
        a = np.abs(r)
        value = np.where(a <= delta, 0.5 * r * r, delta * (a - 0.5 * delta)).sum()
        return float(value), np.clip(r, -delta, delta) @ jacobian(share)

    def residuals(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, share = terms(p)
        a = np.abs(r)
        rho = np.where(a <= delta, 0.5 * r * r, delta * (a - 0.5 * delta))
        s = np.sign(r) * np.sqrt(2 * rho)
        slope = np.where(a <= delta, 1.0, delta / np.maximum(np.abs(s), 1e-300))
        return s, slope[:, None] * jacobian(share)

    return objective, with_gradient, residuals


def lbfgs_finite_differences(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """SciPy L-BFGS-B, finite differences, default tolerances: the protocol of most papers."""
    objective, _, _ = _model(problem)
    return _collect(optimize.minimize(objective, p, method="L-BFGS-B") for p in starts)


def lbfgs_gradient(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """SciPy L-BFGS-B, exact gradient, default tolerances."""
    _, with_gradient, _ = _model(problem)
    return _collect(
        optimize.minimize(with_gradient, p, jac=True, method="L-BFGS-B") for p in starts
    )


def lbfgs_tight(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """SciPy L-BFGS-B, exact gradient, ftol 1e-15, gtol 1e-12: its best settings here."""
    _, with_gradient, _ = _model(problem)
    options = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10_000, "maxfun": 50_000}
    return _collect(
        optimize.minimize(with_gradient, p, jac=True, method="L-BFGS-B", options=options)
        for p in starts
    )


def least_squares_trf(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """SciPy least_squares (TRF) on signed-root-Huber residuals, exact Jacobian, 500 evaluations."""
    _, _, residuals = _model(problem)

    def run(p: np.ndarray) -> optimize.OptimizeResult:
        found = optimize.least_squares(
            lambda q: residuals(q)[0], p, jac=lambda q: residuals(q)[1], max_nfev=500
        )
        found.fun = found.cost
        return found

    return _collect(run(p) for p in starts)


def _collect(results) -> Outcome:
    results = list(results)
    return Outcome(
        np.array([float(r.fun) for r in results]),
        int(sum(r.nfev for r in results)),
        float(np.mean([bool(r.success) for r in results])),
    )


def lawfit_fit(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """lawfit.fit as a user calls it, table and starts included."""
    points = dict(zip(("E", "A", "B"), np.exp(starts[:, :3]).T, strict=True))
    points |= {"alpha": starts[:, 3], "beta": starts[:, 4]}
    fit = lf.fit("chinchilla", problem.runs, starts=points, threads=threads)
    table = np.concatenate([np.full(n, value) for value, n in fit.starts.table])
    rest = np.full(fit.starts.n - len(table), np.inf)
    table[: fit.starts.hits] = np.minimum(table[: fit.starts.hits], fit.objective)
    return Outcome(np.concatenate([table, rest]), fit.evaluations, len(table) / fit.starts.n)


# name -> (method, share of the starts that is run: the slow ones are sampled and scaled up)
METHODS: dict[str, tuple[Callable[[Problem, np.ndarray, int], Outcome], float]] = {
    "SciPy L-BFGS-B, finite differences": (lbfgs_finite_differences, 0.02),
    "SciPy L-BFGS-B, gradient": (lbfgs_gradient, 0.05),
    "SciPy L-BFGS-B, gradient, tight": (lbfgs_tight, 0.05),
    "SciPy least_squares, TRF": (least_squares_trf, 0.02),
    "lawfit": (lawfit_fit, 1.0),
}
