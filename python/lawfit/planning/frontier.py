"""Lines of plans: over budgets, over a constant of the problem, along one loss; their exponents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..execution import workers_from
from ..progress import Progress, reporter
from . import solve

if TYPE_CHECKING:
    from .plan import Plan
    from .problem import PlanProblem

__all__ = ["Frontier", "frontier", "iso_loss", "over_values"]

Floats = NDArray[np.float64]

CELLS = 1e5  # of the grid of each point of a line


@dataclass(frozen=True)
class Frontier:
    """The best plans along a line.

    Attributes
    ----------
    by : str
        What changes along the line: "budget", "target", or the name of a constant.
    at : ndarray of shape (l,)
    table : dict of str to ndarray of shape (l,)
        Every variable, "loss" and "cost"; nan where no plan is possible.
    tables : list of dict
        For each point the best plan of every combination of listed values.
    """

    by: str
    at: Floats
    table: dict[str, Floats]
    tables: list[dict[str, Floats]]

    def exponents(self) -> dict[str, Floats]:
        """Return d log variable / d log `at` by central differences, shape (l,) each.

        Variables that are not positive are left out. A power of the budget has one exponent all
        along; where it drifts, no single exponent describes the optimum.
        """
        if len(self.at) < 2:
            raise InputError("exponents need at least two points")
        step = np.log(self.at)
        return {
            n: np.gradient(np.log(v), step)
            for n, v in self.table.items()
            if n != self.by and (v[~np.isnan(v)] > 0.0).all()
        }


def frontier(
    plan: Plan, limits: Iterable[float], *, threads: int | None = None, progress: Progress = False
) -> Frontier:
    """Find the best plan at every budget (or target), the rest of the problem as in `plan`.

    Parameters
    ----------
    plan : Plan
    limits : iterable of float
    threads : int, optional
    progress : bool or callable(done, total)
        Counts limits.

    Returns
    -------
    Frontier
        nan where no plan is possible.

    Raises
    ------
    InputError
        If a budget is not above zero.
    """
    at = checked_limits(plan.problem, limits)
    by = "budget" if plan.problem.budget is not None else "target"
    found = minima_along(plan.problem, at, threads=threads, progress=progress)
    return _line(by, at, plan.problem, found, plan)


def checked_limits(problem: PlanProblem, limits: Iterable[float]) -> Floats:
    """Return budgets or targets as an array.

    Raises
    ------
    InputError
        If one is not finite, or a budget is not above zero.
    """
    by = "budget" if problem.budget is not None else "target"
    at = _numbers(f"{by}s", limits)
    if by == "budget" and (at <= 0.0).any():
        raise InputError(f"budget = {at[at <= 0.0][0]:g} must be above zero")
    return at


def _numbers(what: str, given: Iterable[float]) -> Floats:
    try:
        at = np.array(list(given), dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{what} = {given!r} must be a sequence of numbers") from None
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all():
        raise InputError(f"{what} must be finite numbers, at least one")
    return at


def at_limit(problem: PlanProblem, limit: float) -> PlanProblem:
    """Return the problem with another budget, or another target."""
    if problem.budget is not None:
        return replace(problem, budget=float(limit))
    return replace(problem, target=float(limit))


def minima_along(
    problem: PlanProblem, at: Floats, *, threads: int | None = None, progress: Progress = False
) -> list[solve.Found]:
    """Return the minima of a problem at every budget (or target), best first."""
    told = reporter(progress, len(at), "plans")
    found = []
    if problem.ranges:  # all limits at once: one grid with one more axis, one refinement
        starts = solve.find_starts(problem, at, cells=CELLS * len(at), threads=threads)
        columns = dict(starts.columns)
        limit = columns.pop("_limit")
        every = solve.refine_starts(
            problem, replace(starts, columns=columns), limit, threads=workers_from(threads)
        )
        limit_of = dict(zip(starts.combination.tolist(), limit.tolist(), strict=True))
        limits = np.array([limit_of[c] for c in every.combination.tolist()])
    for k, value in enumerate(at):
        part = every.picked(limits == value) if problem.ranges else None
        if part is None or not len(part.objective) or not part.converged[0]:
            # A thin set of plans, a kink, or nothing.
            part = solve.minima(at_limit(problem, value), cells=CELLS, threads=threads)
        found.append(part)
        if told is not None:
            told(k + 1)
    return found


def _line(
    by: str, at: Floats, problem: PlanProblem, found: Sequence[solve.Found], plan: Plan
) -> Frontier:
    """Return minima along a line as tables; `problem` serves all points but for fixed names."""
    best = [f.best_of_each() for f in found]
    tables = problem.table_of(
        {n: np.concatenate([f.columns[n] for f in best]) for n in best[0].columns}
    )
    ends = np.cumsum([len(f.objective) for f in best])
    parts = [
        {n: v[end - len(f.objective) : end] for n, v in tables.items()}
        for f, end in zip(best, ends, strict=True)
    ]
    table = {n: np.array([t[n][0] if len(t[n]) else math.nan for t in parts]) for n in plan.best}
    return Frontier(by, at, table, parts)


def over_values(
    plan: Plan,
    name: str,
    values: Iterable[float],
    *,
    threads: int | None = None,
    progress: Progress = False,
) -> Frontier:
    """Find the best plan for every value of a fixed variable: tokens served, price, unique tokens.

    Parameters
    ----------
    plan : Plan
        With `name` among what is fixed: ``over={"D_inf": 1e12}``.
    name : str
    values : iterable of float

    Raises
    ------
    InputError
        If nothing of that name is fixed in the plan.
    """
    problem = plan.problem
    if name not in problem.fixed:
        raise InputError(
            f"{name!r} is not fixed in this plan; fixed: {', '.join(problem.fixed) or 'nothing'}"
        )
    at = _numbers(name, values)
    problems = [replace(problem, fixed={**problem.fixed, name: float(v)}) for v in at]
    return _along(name, at, problems, plan, threads, progress)


def _along(
    by: str,
    at: Floats,
    problems: Sequence[PlanProblem],
    plan: Plan,
    threads: int | None,
    progress: Progress,
) -> Frontier:
    told = reporter(progress, len(at), "plans")
    found = []
    for k, problem in enumerate(problems):
        found.append(solve.minima(problem, cells=CELLS, threads=threads))
        if told is not None:
            told(k + 1)
    return _line(by, at, problems[0], found, plan)


def iso_loss(plan: Plan, loss: float, along: str, values: Iterable[float]) -> dict[str, Floats]:
    """Return the contour of one loss: the cheapest plan that reaches it for each value of a name.

    Parameters
    ----------
    plan : Plan
    loss : float
    along : str
        A variable with a range, "N" say, which takes each of the values in turn.
    values : iterable of float

    Returns
    -------
    dict of str to ndarray of shape (k,)
        Every variable, "loss" and "cost"; nan where the loss cannot be reached.
    """
    problem = plan.problem
    if along not in problem.ranges:
        raise InputError(
            f"{along!r} has no range in this plan; with a range: {', '.join(problem.ranges)}"
        )
    at = _numbers(along, values)
    ranges = {n: r for n, r in problem.ranges.items() if n != along}
    problems = [
        replace(
            problem, budget=None, target=float(loss), ranges=ranges,
            fixed={**problem.fixed, along: float(v)},
        )
        for v in at
    ]  # fmt: skip
    return _along(along, at, problems, plan, None, False).table
