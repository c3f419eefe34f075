"""How sure a plan is: every draw of the parameters planned again, regret, and which plan wins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import evaluate_columns
from ..errors import InputError
from ..execution import workers_from
from ..progress import Progress, reporter
from ..tables import named
from ..uncertainty.draw_intervals import percentile
from ..uncertainty.quantiles import check_level
from . import solve
from .batches import BATCH, in_batches
from .follow import follow
from .problem import PlanProblem
from .rows import Rows

if TYPE_CHECKING:
    from ..uncertainty.bootstrap import Bootstrap
    from .plan import Plan

__all__ = ["PlanDraws", "Regret", "parameter_draws", "probability", "regret", "replan"]

Floats = NDArray[np.float64]

WORST_RESIDUAL = 1e-3  # of a row that ended at a kink and still counts
WINDOWS = 20  # budgets that one batch plans together


@dataclass(frozen=True)
class PlanDraws:
    """The best plan of every draw, at every limit.

    Attributes
    ----------
    limits : ndarray of shape (l,)
        Budgets, or targets.
    values : dict of str to ndarray of shape (draws, l)
        Every variable, "loss" and "cost"; nan where a draw has no plan.
    failed : float
        Share of the draws times limits without a plan.
    share : dict of str to dict of float to ndarray of shape (l,)
        For each listed variable the share of draws in which each value is best.
    """

    limits: Floats
    values: dict[str, Floats]
    failed: float
    share: dict[str, dict[float, Floats]]

    def intervals(
        self, confidence_level: float = 0.95, at: int = 0
    ) -> dict[str, tuple[float, float]]:
        """Return lower and upper end of every component at one of the limits.

        Raises
        ------
        InputError
            If no draw has a plan there.
        """
        check_level(confidence_level)
        if all(np.isnan(v[:, at]).all() for v in self.values.values()):
            raise InputError(f"no draw has a plan at {self.limits[at]:g}")
        return {n: percentile(v[:, at], confidence_level) for n, v in self.values.items()}


@dataclass(frozen=True)
class Regret:
    """What another plan loses against the best one.

    Attributes
    ----------
    loss, cost : float
        Of the other plan.
    best_loss : float
        The least loss for what the other plan costs.
    regret : float
        `loss` minus `best_loss` (the other way round where more is better).
    least_cost : float
        The least cost of a plan with the other plan's loss; nan if none was found.
    waste : float
        cost / least_cost - 1: the share of money that the other plan wastes.
    broken : tuple of str
        Limits of the problem that the other plan does not keep.
    interval : tuple of float or None
        95 % interval of `regret` over the draws, if there were any.
    """

    loss: float
    cost: float
    best_loss: float
    regret: float
    least_cost: float
    waste: float
    broken: tuple[str, ...]
    interval: tuple[float, float] | None = None

    def __float__(self) -> float:
        return self.regret


def parameter_draws(plan: Plan, draws: Bootstrap | Mapping[str, Any] | None) -> dict[str, Floats]:
    """Return the parameters of a plan's law in every draw, each of shape (n,).

    Raises
    ------
    InputError
        If there are no draws and none can be made, or one lacks a parameter.
    """
    if draws is None:
        fit = plan._fit
        if fit is None:
            raise InputError(
                "intervals need draws of the parameters: plan with a Fit, or give draws= (a "
                "Bootstrap, or a mapping of parameter names to arrays)"
            )
        if fit._problem is None:
            raise InputError(
                "this fit was read from a file, which does not hold the table that a bootstrap "
                "needs: give draws= (a Bootstrap, or a mapping of names to arrays), or fit again"
            )
        draws = fit.bootstrap()
    columns: Mapping[str, Any] = draws if isinstance(draws, Mapping) else draws.draws
    found = {}
    for name in plan.problem.params:
        source = plan.problem.renamed.get(name, name)
        if source not in columns:
            raise InputError(f"the draws have no {source!r}; they have: {named(columns)}")
        found[name] = np.asarray(columns[source], dtype=float)
    lengths = {v.shape for v in found.values()}
    if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths) or lengths == {(0,)}:
        raise InputError(f"the draws must be arrays of one length, got {sorted(lengths)}")
    return found


def replan(
    plan: Plan,
    draws: Bootstrap | Mapping[str, Any] | None = None,
    *,
    limits: Sequence[float] | None = None,
    threads: int | None = None,
    progress: Progress = False,
) -> PlanDraws:
    """Find the best plan for every draw of the parameters, at every limit.

    Each draw is refined from the plan under the central parameters, for every combination of
    listed values, and the best combination counts.

    Parameters
    ----------
    plan : Plan
    draws : Bootstrap or mapping of str to ndarray of shape (n,), optional
        Default: 4,000 of `Fit.bootstrap`.
    limits : sequence of float, optional
        Budgets (or targets); default: that of the plan.
    threads : int, optional
    progress : bool or callable(done, total)
        Counts draws.

    Returns
    -------
    PlanDraws

    Raises
    ------
    InputError
        If there are no draws.
    """
    from .frontier import frontier

    problem = plan.problem
    parameters = parameter_draws(plan, draws)
    wanted = np.array([problem.limit] if limits is None else list(limits), dtype=float)
    whole = {n: np.unique(np.round(plan.table[n])) for n in problem.whole}
    columns, limit_of = _central(plan, wanted, None if limits is None else frontier(plan, wanted))
    count = len(next(iter(parameters.values()))) if parameters else 1
    each = len(limit_of)
    ranges = {n: r for n, r in problem.ranges.items() if n not in whole}
    at_once = max(1, BATCH // each)
    tasks = math.ceil(count / at_once)
    fixed = {**problem.fixed}
    positive = {n for n, v in parameters.items() if (v > 0.0).all()}
    positive |= {n for n, v in fixed.items() if v > 0.0}
    positive |= {n for n, v in columns.items() if n not in ranges and (v > 0.0).all()}
    positive |= {"_limit"} if (wanted > 0.0).all() else set()

    def given_of(first: int, last: int) -> dict[str, Floats]:
        size = last - first
        given = {n: np.repeat(v[first:last], each) for n, v in parameters.items()}
        given |= {n: np.full(size * each, v) for n, v in fixed.items()}
        given |= {n: np.tile(v, size) for n, v in columns.items() if n not in ranges}
        given["_limit"] = np.tile(wanted[limit_of], size)
        return given

    template = Rows(
        solve.objective_of(problem),
        problem.all_limits(),
        ranges,
        given_of(0, 1),
        log_objective=problem.budget is None,
        positive=frozenset(positive),
    )
    start = np.broadcast_to(
        template.coordinates({n: columns[n] for n in ranges}), (len(ranges), each)
    )
    low, high = solve.bounds(problem, template)
    names = [k.text for k in problem.all_limits()]
    binding = np.array([k in plan.binding for k in names])
    near = 1e-9 * (high - low)
    inside = np.asarray(((start > low + near) & (start < high - near)).any(axis=1))

    def run(task: int) -> tuple[Floats, Floats]:
        first, last = task * at_once, min((task + 1) * at_once, count)
        rows = template.over(given_of(first, last))
        shape = (len(ranges), (last - first) * each)
        got = follow(
            rows,
            np.tile(start, last - first),
            np.broadcast_to(low, shape),
            np.broadcast_to(high, shape),
            binding,
            inside,
        )
        fine = (got.violation <= solve.NEAR_FEASIBLE) & np.isfinite(got.objective)
        fine &= got.converged | (got.residual < WORST_RESIDUAL)
        objective = np.where(fine, got.objective, np.inf).reshape(last - first, each)
        return _best_of_each(objective, got.x, limit_of, len(wanted))

    told = reporter(progress, count, "draws planned")
    report = None if told is None else lambda done: told(min(done * at_once, count))
    parts = list(in_batches(tasks, run, workers_from(threads), report))
    best = np.concatenate([p[0] for p in parts]).astype(np.intp)  # (draws, limits): row of start
    x = np.concatenate([p[1] for p in parts])  # (draws, limits, n)
    return _assembled(problem, parameters, wanted, columns, template, best, x)


def _central(plan: Plan, wanted: Floats, line: Any) -> tuple[dict[str, Floats], NDArray[np.intp]]:
    """Return where the draws begin, one row per limit and combination, and the limit of each."""
    problem = plan.problem
    tables = [plan.table] if line is None else line.tables
    names = [*problem.ranges, *problem.listed]
    columns = {n: np.concatenate([t[n] for t in tables]) for n in names}
    lengths = [len(t["loss"]) for t in tables]
    return columns, np.repeat(np.arange(len(wanted)), lengths)


def _best_of_each(
    objective: Floats, x: Floats, limit_of: NDArray[np.intp], limits: int
) -> tuple[Floats, Floats]:
    """Return the row of the best combination, -1 for none, and its point, by draw and limit."""
    draws, each = objective.shape
    best = np.full((draws, limits), -1.0)
    points = np.full((draws, limits, len(x)), np.nan)
    by_draw = x.reshape(len(x), draws, each)
    for k in range(limits):
        rows = np.flatnonzero(limit_of == k)
        if not len(rows):
            continue
        at = rows[np.argmin(objective[:, rows], axis=1)]
        ok = np.isfinite(objective[np.arange(draws), at])
        best[:, k] = np.where(ok, at, -1)
        points[:, k] = np.where(ok[:, None], by_draw[:, np.arange(draws), at].T, np.nan)
    return best, points


def _assembled(
    problem: PlanProblem,
    parameters: Mapping[str, Floats],
    wanted: Floats,
    columns: Mapping[str, Floats],
    rows: Rows,
    best: NDArray[np.intp],
    x: Floats,
) -> PlanDraws:
    draws, limits = best.shape
    failed = best < 0
    flat = {n: np.repeat(v, limits) for n, v in parameters.items()}
    natural = rows.natural(x.reshape(draws * limits, -1).T)
    natural = {n: np.clip(v, *problem.ranges[n]) for n, v in natural.items()}  # exp rounds
    picked = {n: np.where(failed, np.nan, columns[n][best]).ravel() for n in columns}
    values = {**flat, **{n: np.full(draws * limits, v) for n, v in problem.fixed.items()},
              **picked, **natural}  # fmt: skip
    for name, text in problem.defined.items():
        values[name] = evaluate_columns(text, values)
    out = {n: values[n] for n in problem.variables}
    out["loss"] = evaluate_columns(problem.formula, values)
    out["cost"] = evaluate_columns(problem.cost, values)
    shaped = {n: np.where(failed, np.nan, v.reshape(draws, limits)) for n, v in out.items()}
    share = {
        n: {float(v): (shaped[n] == v).mean(axis=0) for v in np.unique(columns[n])}
        for n in problem.listed
    }
    return PlanDraws(wanted, shaped, float(failed.mean()), share)


# --- comparing plans ------------------------------------------------------------------------------


def _loss_of(plan: Plan, point: Mapping[str, float], parameters: Mapping[str, Floats]) -> Floats:
    """Return the law's value at a point in every draw."""
    rows = len(next(iter(parameters.values())))
    columns = {n: np.full(rows, v) for n, v in plan.complete(point).items()}
    return evaluate_columns(plan.problem.formula, {**parameters, **columns})


def probability(
    plan: Plan,
    first: Mapping[str, float],
    second: Mapping[str, float],
    draws: Bootstrap | Mapping[str, Any] | None = None,
) -> float:
    """Return the share of draws in which one plan is better than another; ties count half.

    Parameters
    ----------
    plan : Plan
    first, second : mapping of str to float
        Variables; those left out are as in the best plan.
    draws : Bootstrap or mapping, optional
    """
    parameters = parameter_draws(plan, draws)
    a, b = _loss_of(plan, first, parameters), _loss_of(plan, second, parameters)
    difference = b - a if plan.problem.maximize else a - b
    known = ~np.isnan(difference)
    return float(((difference < 0.0) + 0.5 * (difference == 0.0))[known].mean())


def regret(
    plan: Plan, point: Mapping[str, float], draws: Bootstrap | Mapping[str, Any] | PlanDraws | None
) -> Regret:
    """Compare another plan with the best ones of its own cost and of its own loss.

    Parameters
    ----------
    plan : Plan
    point : mapping of str to float
        Variables; those left out are as in the best plan.
    draws : Bootstrap or mapping, optional
        For an interval: in each draw the other plan against the best of that draw.

    Raises
    ------
    InputError
        If a name is unknown.
    """
    from .plan import replanned

    problem = plan.problem
    values = plan.complete(point)
    here = plan.evaluate(**point)
    columns = {n: np.array([v]) for n, v in {**problem.params, **values}.items()}
    broken = [
        k.text
        for k in problem.limits
        if not evaluate_columns(k.left, columns)[0]
        <= evaluate_columns(k.right, columns)[0] * (1 + 1e-9)
    ]
    for name, (low, high) in problem.ranges.items():
        if not low * (1 - 1e-9) <= values[name] <= high * (1 + 1e-9):
            broken.append(f"{low:g} <= {name} <= {high:g}")
    if problem.budget is not None and here["cost"] > problem.budget * (1 + 1e-9):
        broken.append(f"cost <= {problem.budget:g}")
    same_cost = replanned(plan, budget=here["cost"])
    try:
        least = replanned(plan, target=here["loss"]).best["cost"]
    except InputError:
        least = math.nan
    sign = -1.0 if problem.maximize else 1.0
    interval = None
    if draws is not None:
        if isinstance(draws, PlanDraws):
            raise InputError("regret needs the draws of the parameters, not plans made from them")
        parameters = parameter_draws(plan, draws)
        again = replan(same_cost, parameters)
        excess = sign * (_loss_of(plan, point, parameters) - again.values["loss"][:, 0])
        interval = percentile(excess, 0.95)
    return Regret(
        loss=here["loss"],
        cost=here["cost"],
        best_loss=same_cost.best["loss"],
        regret=sign * (here["loss"] - same_cost.best["loss"]),
        least_cost=least,
        waste=here["cost"] / least - 1.0,
        broken=tuple(broken),
        interval=interval,
    )
