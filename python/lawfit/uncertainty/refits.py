"""Refits to draws of a resampling: the call of the core, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..distribution import Job, cut, join, share
from ..errors import InputError
from ..execution import MAX_EVALUATIONS, TOLERANCE
from ..problem import Problem
from ..result import Fit
from ..tables import named

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["parameters_of", "refit", "shortages", "table_of", "with_followed"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NOT_RUN = [name for name, _, _ in _core.statuses].index("not_run")


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
    executor: Executor | None = None,
) -> _core.BootstrapResult:
    """Refit all draws from the fit and from `spread` more starts, on all cores or an executor."""
    problem, x = fit._problem, fit._coordinates
    assert problem is not None
    assert x is not None
    starts = np.vstack([x[None, :], problem.draw_starts(spread, seed, workers)])
    if executor is None:
        return _core.bootstrap(
            problem.objective(fit._start_points),
            resampling,
            starts,
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
    data = (
        problem.objective_arguments(fit._start_points), resampling, starts, seed, covariance
    )  # fmt: skip
    return _refit_elsewhere(executor, data, draws, early_stop, max(workers, 1), report)


def _refit_elsewhere(
    executor: Executor,
    data: tuple[Any, ...],
    draws: range,
    early_stop: bool,
    threads: int,
    report: _core.Reporter | None,
) -> _core.BootstrapResult:
    """Refit draws in the processes of an executor, to the bits of one process."""
    job = Job(_prepare, _work, data, threads)
    parts = cut(len(draws), 32, 256)

    def run(early: bool, wanted: Sequence[int], report: Any) -> tuple[list[Any], bool]:
        asked = [(draws[parts[k].start], len(parts[k]), early) for k in wanted]
        outcome = share(executor, job, asked, sizes=[len(parts[k]) for k in wanted], report=report)
        return list(outcome.results), outcome.interrupted

    results, interrupted = run(early_stop, range(len(parts)), report)
    failed = any(r is not None and r["claims_failed"] for r in results)
    if failed and not interrupted:
        # As in one process: no claim is trusted once one was wrong, in whatever part.
        again = [k for k, r in enumerate(results) if not r["claims_failed"]]
        followed, interrupted = run(False, again, None)
        for k, new in zip(again, followed, strict=True):
            if new is not None:
                results[k] = with_followed(results[k], new)
    dimension = data[2].shape[1]
    empty = {
        "x": np.full(dimension, np.nan), "objective": np.nan, "status": _NOT_RUN,
        "evaluations": 0, "warm_start_was_beaten": False, "followed": False, "rows_used": 0,
        "undetermined": np.zeros(dimension, dtype=bool),
    }  # fmt: skip
    covariance = data[4]
    if covariance:
        empty["covariance"] = np.full((dimension, dimension), np.nan)
    first: Any = next((r for r in results if r is not None), None)
    joined: Any = {"covariance": None} | join(results, parts, empty)
    return joined | {  # type: ignore[no-any-return]
        "own_covariance": None if first is None else first["own_covariance"],
        "other_evaluations": 0 if first is None else first["other_evaluations"],
        "claims_failed": failed,
        "interrupted": interrupted,
    }


def with_followed(trusting: dict[str, Any], followed: dict[str, Any]) -> dict[str, Any]:
    """Replace the draws of which not all starts were followed."""
    replaced = ~trusting["followed"]
    merged = dict(trusting)
    for name, old in trusting.items():
        if isinstance(old, np.ndarray) and name != "own_covariance":
            new = followed[name] + (old if name == "evaluations" else 0)
            shape = (-1, *[1] * (old.ndim - 1))
            merged[name] = np.where(replaced.reshape(shape), new, old)
    return merged


def _prepare(data: tuple[Any, ...]) -> tuple[Any, ...]:
    return (_core.Objective(*data[0]), *data[1:])


def _work(
    held: tuple[Any, ...], part: tuple[int, int, bool], threads: int
) -> _core.BootstrapResult:
    objective, resampling, starts, seed, covariance = held
    first, count, early_stop = part
    return _core.bootstrap(
        objective, resampling, starts, first, count, seed, early_stop, covariance, TOLERANCE,
        MAX_EVALUATIONS, threads, None,
    )  # fmt: skip


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
