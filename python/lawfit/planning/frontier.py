"""Lines of plans: over budgets, over a constant of the problem, along one loss; their exponents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..execution import workers_from
from ..progress import Progress, reporter
from . import solve

if TYPE_CHECKING:
    from .plan import Plan

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
    problem = plan.problem
    at = np.array(list(limits), dtype=float)
    from .plan import table_of

    by = "budget" if problem.budget is not None else "target"
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all():
        raise InputError(f"{by}s must be finite numbers, at least one")
    if by == "budget" and (at <= 0.0).any():
        raise InputError(f"budget = {at[at <= 0.0][0]:g} must be above zero")
    problems = [
        replace(problem, budget=float(v)) if by == "budget" else replace(problem, target=float(v))
        for v in at
    ]
    if not problem.ranges:
        return _along(by, at, problems, plan, threads, progress)
    # All limits at once: one grid with one more axis, one refinement.
    told = reporter(progress, len(at), "plans")
    starts = solve.find_starts(problem, at, cells=CELLS * len(at), threads=threads)
    columns = dict(starts.columns)
    limit = columns.pop("_limit")
    found = solve.refine_starts(
        problem, replace(starts, columns=columns), limit, threads=workers_from(threads)
    )
    limit_of = dict(zip(starts.combination.tolist(), limit.tolist(), strict=True))
    limits = np.array([limit_of[c] for c in found.combination.tolist()])
    tables = []
    for k, one in enumerate(problems):
        part = _picked(found, limits == one.limit)
        if len(part.objective) and part.converged[0]:
            tables.append(table_of(one, part))
        else:  # a thin set of plans, a kink, or nothing
            tables += _along(by, at[k : k + 1], [one], plan, threads, False).tables
        if told is not None:
            told(k + 1)
    return _line(by, at, tables, plan)


def _picked(found: solve.Found, rows: Any) -> solve.Found:
    return solve.Found(
        {n: v[rows] for n, v in found.columns.items()},
        found.objective[rows],
        found.force[rows],
        found.residual[rows],
        found.converged[rows],
        found.combination[rows],
        found.evaluations,
        found.cells,
    )


def _line(by: str, at: Floats, tables: list[dict[str, Floats]], plan: Plan) -> Frontier:
    table = {n: np.array([t[n][0] if len(t[n]) else math.nan for t in tables]) for n in plan.best}
    return Frontier(by, at, table, tables)


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
    at = np.array(list(values), dtype=float)
    problems = [replace(problem, fixed={**problem.fixed, name: float(v)}) for v in at]
    return _along(name, at, problems, plan, threads, progress)


def _along(
    by: str,
    at: Floats,
    problems: Sequence[Any],
    plan: Plan,
    threads: int | None,
    progress: Progress,
) -> Frontier:
    from .plan import table_of

    told = reporter(progress, len(at), "plans")
    workers = workers_from(threads)
    tables = []
    for k, problem in enumerate(problems):
        starts = solve.find_starts(problem, problem.limit, cells=CELLS, threads=threads)
        if not len(starts.combination):
            starts = solve.start_from_conflict(problem, problem.limit, CELLS)
        found = solve.refine_starts(problem, starts, problem.limit, threads=workers)
        if len(found.objective):
            found = solve.polish_kink(problem, found, problem.limit, threads)
        tables.append(table_of(problem, found))
        if told is not None:
            told(k + 1)
    return _line(by, at, tables, plan)


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
    at = np.array(list(values), dtype=float)
    ranges = {n: r for n, r in problem.ranges.items() if n != along}
    problems = [
        replace(
            problem, budget=None, target=float(loss), ranges=ranges,
            fixed={**problem.fixed, along: float(v)},
        )
        for v in at
    ]  # fmt: skip
    return _along(along, at, problems, plan, None, False).table
