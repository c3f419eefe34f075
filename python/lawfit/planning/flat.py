"""The flat region: how far each variable may be moved before a plan gets notably worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import solve
from .problem import Limit
from .refine import refine
from .rows import Rows

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["Flat", "flat"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Flat:
    """All plans within a share of the best, described by their extent along each variable.

    Attributes
    ----------
    tolerance : float
    threshold : float
        Largest loss (or cost) that counts as near the best.
    ranges : dict of str to (low, high)
        Smallest and largest value of each continuous variable over these plans, the others free.
    values : dict of str to tuple of float
        Listed values that occur in these plans.
    """

    tolerance: float
    threshold: float
    ranges: dict[str, tuple[float, float]]
    values: dict[str, tuple[float, ...]]


def flat(plan: Plan, tolerance: float = 0.01) -> Flat:
    """Find the extent of the plans whose loss is at most (1 + tolerance) times the best.

    The other variables follow: each end is itself the optimum of a constrained problem. Where a
    target is given, the plans whose cost is at most (1 + tolerance) times the least.

    Parameters
    ----------
    plan : Plan
    tolerance : float

    Raises
    ------
    InputError
        If the tolerance is not above zero.
    """
    if not (tolerance > 0.0 and math.isfinite(tolerance)):
        raise InputError(f"tolerance = {tolerance!r} must be above zero")
    problem = plan.problem
    by_budget = problem.budget is not None
    best = plan.best["loss" if by_budget else "cost"]
    sign = -1.0 if by_budget and problem.maximize else 1.0
    threshold = best + sign * tolerance * abs(best)
    text = problem.formula if by_budget else problem.cost
    near = Limit("near the best", *((text, "_near") if sign > 0.0 else ("_near", text)))
    value = plan.table["loss" if by_budget else "cost"]
    kept = np.flatnonzero(sign * value <= sign * threshold)
    given = {n: np.full(len(kept), v) for n, v in solve.constants(problem, problem.limit).items()}
    given |= {n: plan.table[n][kept] for n in problem.listed}
    given["_near"] = np.full(len(kept), threshold)
    limits = [*problem.all_limits(), near]

    def furthest(name: str, up: bool) -> float:
        positive = problem.ranges[name][0] > 0.0
        goal = name if not up else (f"1 / {name}" if positive else f"-{name}")
        rows = Rows(goal, limits, problem.ranges, given, log_objective=positive)
        start = rows.coordinates({n: plan.table[n][kept] for n in problem.ranges})
        low, high = (np.broadcast_to(e, start.shape) for e in solve.bounds(problem, rows))
        got = refine(rows, start, low, high)
        moved = np.concatenate([rows.natural(got.x)[name], plan.table[name][kept]])
        # The best plans themselves are among those compared.
        ok = np.concatenate([got.violation <= solve.NEAR_FEASIBLE, np.ones(len(kept), dtype=bool)])
        return float(moved[ok].max() if up else moved[ok].min())

    return Flat(
        tolerance,
        threshold,
        {
            n: (furthest(n, False), furthest(n, True))
            for n in problem.ranges
            if n not in problem.whole
        },
        {n: tuple(np.unique(plan.table[n][kept]).tolist()) for n in problem.listed},
    )
