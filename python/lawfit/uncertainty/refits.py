"""Refits to draws of a resampling: the call of the core, and what may be wrong with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import InputError
from ..execution import MAX_EVALUATIONS, TOLERANCE
from ..problem import Problem
from ..result import Fit
from ..tables import named

__all__ = ["parameters_of", "refit", "shortages", "table_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def table_of(fit: Fit) -> Problem:
    """Return the problem of a fit that still has its table.

    Raises
    ------
    InputError
        If the fit was read from a file, its table has been written to, or too few rows have weight.
    """
    problem = fit._problem
    if problem is None or fit._coordinates is None or fit._start_points is None:
        raise InputError("this fit was read from a file, which does not hold the table; fit again")
    if problem.data_hash() != fit.data_hash:
        raise InputError("the table's arrays have been written to since the fit; fit again")
    weights = problem.settings.weights
    rows = problem.runs.n if weights is None else int(np.sum(weights > 0))
    if rows < len(problem.free):
        raise InputError(
            f"{rows} rows have a weight above 0, fewer than the {len(problem.free)} free parameters"
        )
    return problem


def refit(
    fit: Fit,
    resampling: _core.Resampling,
    draws: range,
    *,
    seed: int,
    spread: int,
    early_stop: bool,
    covariance: bool,
    workers: int,
    report: _core.Reporter | None,
) -> _core.BootstrapResult:
    """Refit all draws from the fit and from `spread` more starts, on all cores."""
    problem, x = fit._problem, fit._coordinates
    assert problem is not None
    assert x is not None
    return _core.bootstrap(
        problem.objective(fit._start_points),
        resampling,
        np.vstack([x[None, :], problem.draw_starts(spread, seed, workers)]),
        draws.start,
        len(draws),
        seed,
        early_stop,
        covariance,
        TOLERANCE,
        MAX_EVALUATIONS,
        workers,
        report,
    )


def parameters_of(problem: Problem, x: Floats) -> dict[str, Floats]:
    """Return every parameter, and the scale if it is fitted, of coordinates (n, dimension)."""
    values = problem.to_params(x)
    if problem.settings.scale == "fitted":
        values["scale"] = np.exp(x[:, -1])
    return values


def shortages(
    problem: Problem, raw: _core.BootstrapResult, done: Bools, what: str
) -> tuple[str, ...]:
    """Return sentences on refits that lack rows or have not converged."""
    count = int(done.sum())
    found = []
    lost = raw["undetermined"][done][:, : len(problem.free)]
    if lost.any():
        names = [problem.free[k] for k in np.flatnonzero(lost.any(axis=0))]
        found.append(
            f"in {int(lost.any(axis=1).sum())} of {count} {what} a level has no row left, and "
            f"keeps the value of the fit: {named(names)}"
        )
    determined = len(problem.free) - lost.sum(axis=1)
    few = int(np.sum(raw["rows_used"][done] < determined))
    if few:
        found.append(f"in {few} of {count} {what} fewer rows than free parameters are left")
    failed = int(np.sum([not _core.statuses[s][1] for s in raw["status"][done]]))
    if failed:
        found.append(f"{failed} of {count} {what} did not converge")
    if raw["claims_failed"]:
        found.append(
            "a start that could have been stopped early found a better minimum; every start of "
            f"all {what} was followed to its end"
        )
    return tuple(found)
