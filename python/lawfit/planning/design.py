"""Which runs to do next: candidates, and how much each would shrink the uncertainty of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import evaluate_columns
from ..errors import InputError
from ..formula import names
from .uncertainty import PlanDraws, parameter_draws, replan

if TYPE_CHECKING:
    from ..uncertainty.bootstrap import Bootstrap
    from .plan import Plan

__all__ = ["Design", "isoflop_grid", "next_runs"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Runs in the order in which to do them.

    Attributes
    ----------
    runs : dict of str to ndarray of shape (k,)
        Every variable of the candidates, and "cost".
    sd : ndarray of shape (k + 1,)
        Standard deviation of the quantity before the first run and after each.
    """

    runs: dict[str, Floats]
    sd: Floats


def isoflop_grid(
    budgets: Sequence[float],
    ratios: tuple[float, float] = (2.0, 200.0),
    points: int = 7,
    per_token: float = 6.0,
) -> dict[str, Floats]:
    """Return runs at fixed budgets over a range of tokens per parameter.

    Parameters
    ----------
    budgets : sequence of float
        FLOP of each curve.
    ratios : tuple of float
        Smallest and largest D / N.
    points : int
        Runs per budget.
    per_token : float
        FLOP per parameter and token.

    Returns
    -------
    dict of str to ndarray of shape (budgets * points,)
        "N" and "D".
    """
    c = np.repeat(np.asarray(budgets, dtype=float), points)
    low, high = ratios
    if not ((c > 0).all() and 0 < low < high and points >= 2):
        raise InputError("an IsoFLOP grid needs budgets above 0, 0 < ratios[0] < ratios[1], and "
                         "two or more points")  # fmt: skip
    ratio = np.tile(np.geomspace(low, high, points), len(budgets))
    n = np.sqrt(c / per_token / ratio)
    return {"N": n, "D": ratio * n}


def next_runs(
    plan: Plan,
    candidates: Mapping[str, Any],
    draws: Bootstrap | Mapping[str, Any] | None = None,
    *,
    runs: int = 5,
    noise: float = 0.003,
    quantity: str | Callable[[PlanDraws], Floats] = "log(N)",
    cost: str | None = None,
    per_cost: bool = True,
    budget: float | None = None,
    repeats: bool = True,
) -> Design:
    """Choose runs greedily by how much they shrink the variance of what is planned.

    The draws are taken as samples of a normal distribution of parameters, so that a run with result
    y and noise s lowers the variance of a quantity q by cov(q, y)**2 / (var(y) + s**2), and so on
    from there, the next run given the first.

    Parameters
    ----------
    plan : Plan
    candidates : mapping of str to array-like of shape (c,)
        The law's variables; those left out are as in the plan. See `isoflop_grid`.
    draws : Bootstrap or mapping, optional
    runs : int
        How many to choose at most.
    noise : float
        Standard deviation of log loss between runs that differ in nothing but the seed.
    quantity : str or callable
        Formula over the components of the plan, "log(N)" or "loss"; or a function of `PlanDraws`
        that gives an array of shape (draws,).
    cost : str, optional
        Of a candidate; default: that of the plan.
    per_cost : bool
        Choose by variance removed per cost, not by variance removed.
    budget : float, optional
        For all runs together.
    repeats : bool
        Whether a candidate may be chosen again.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        If there are no draws, or nothing can be chosen.
    """
    if noise <= 0:
        raise InputError(f"noise = {noise!r} must be above zero")
    problem = plan.problem
    parameters = parameter_draws(plan, draws)
    planned = replan(plan, parameters)
    if callable(quantity):
        q = np.asarray(quantity(planned), dtype=float)
    else:
        unknown = [n for n in names(quantity) if n not in planned.values]
        if unknown:
            raise InputError(f"{unknown[0]!r} is no component of the plan")
        q = evaluate_columns(quantity, {n: v[:, 0] for n, v in planned.values.items()})
    table = {n: np.atleast_1d(np.asarray(v, dtype=float)) for n, v in candidates.items()}
    lengths = {len(v) for v in table.values()}
    if len(lengths) != 1:
        raise InputError(f"the candidates' columns have lengths {sorted(lengths)}")
    (count,) = lengths
    plan.complete({n: v[0] for n, v in table.items()})  # known names
    rest = {n: plan.best[n] for n in problem.variables if n not in table}
    table |= {n: np.full(count, v) for n, v in rest.items() if n not in problem.defined}
    for name, text in problem.defined.items():
        if name not in table:
            table[name] = evaluate_columns(text, {**table, **_constant(problem.params, count)})
    price = evaluate_columns(cost or problem.cost, {**table, **_constant(problem.params, count)})
    kept = np.isfinite(q)
    q = q[kept]
    size = len(q)
    predicted = np.empty((size, count))
    for k in range(count):
        one = {n: np.full(size, v[k]) for n, v in table.items()}
        values = evaluate_columns(
            problem.formula, {**one, **{n: v[kept] for n, v in parameters.items()}}
        )
        predicted[:, k] = np.log(values)
    fine = np.isfinite(predicted).all(axis=0) & (price > 0)
    joint = np.column_stack([q, np.where(fine, predicted, 0.0)])
    covariance = np.cov(joint, rowvar=False)
    chosen: list[int] = []
    sd = [float(np.sqrt(covariance[0, 0]))]
    spent = 0.0
    allowed = fine.copy()
    while len(chosen) < runs:
        variance = np.diag(covariance)[1:] + noise**2
        removed = covariance[0, 1:] ** 2 / variance
        affordable = allowed & (spent + price <= (np.inf if budget is None else budget))
        if not affordable.any():
            break
        worth = np.where(affordable, removed / price if per_cost else removed, -1.0)
        k = int(np.argmax(worth))
        column = covariance[:, 1 + k]
        covariance = covariance - np.outer(column, column) / variance[k]
        chosen.append(k)
        spent += float(price[k])
        sd.append(float(np.sqrt(max(covariance[0, 0], 0.0))))
        allowed[k] = repeats
    if not chosen:
        raise InputError("no candidate can be paid for, or none has a loss that is a number")
    return Design({**{n: v[chosen] for n, v in table.items()}, "cost": price[chosen]}, np.array(sd))


def _constant(params: Mapping[str, float], count: int) -> dict[str, Floats]:
    return {n: np.full(count, v) for n, v in params.items()}
