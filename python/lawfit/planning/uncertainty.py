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
from ..progress import Progress
from ..tables import named
from ..uncertainty.draw_intervals import percentile
from ..uncertainty.quantiles import check_level
from .follow import Draws, follow
from .frontier import checked_limits, minima_along
from .plan import Plan, replanned

if TYPE_CHECKING:
    from ..uncertainty.bootstrap import Bootstrap

__all__ = ["PlanDraws", "Regret", "parameter_draws", "probability", "regret", "replan"]

Floats = NDArray[np.float64]


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
    rough : float
        Share whose first-order conditions do not hold: at a kink of the law or of a limit, where
        the plan is found less exactly.
    checked : int
        Draws, each at one limit, that were searched anew by a grid, to see whether following the
        central minima had found their best plans.
    missed : int
        How many of them had a better plan elsewhere. These minima were then followed in all draws,
        and others checked.
    """

    limits: Floats
    values: dict[str, Floats]
    failed: float
    share: dict[str, dict[float, Floats]]
    rough: float = 0.0
    checked: int = 0
    missed: int = 0

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

    The minima under the central parameters are followed to where they are in each draw, for every
    combination of listed values, and the best counts. Some draws are searched anew by a grid as a
    check; see `lawfit.planning.follow.follow`.

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
        If there are no draws, or a budget is not above zero.
    Interrupted
        On Ctrl-C.
    """
    problem = plan.problem
    parameters = parameter_draws(plan, draws)
    if limits is None:
        wanted = np.array([problem.limit])
        central = [plan._minima] if plan._minima is not None else None
    else:
        wanted, central = checked_limits(problem, limits), None
    if central is None:
        central = minima_along(problem, wanted, threads=threads)
    if not any(len(f.objective) for f in central):
        raise InputError(
            "no plan is possible at any of the limits under the central parameters; plan at one "
            "of them to see why"
        )
    made = follow(Draws(problem, parameters, wanted), central, threads=workers_from(threads),
                  progress=progress)  # fmt: skip
    failed = np.isinf(made.objective)
    size = failed.size
    columns = {n: v.ravel() for n, v in made.columns.items()}
    columns |= {n: np.full(size, v) for n, v in problem.fixed.items()}
    columns |= {n: np.repeat(v, len(wanted)) for n, v in parameters.items()}
    table = problem.table_of(columns)
    values = {n: np.where(failed, np.nan, v.reshape(failed.shape)) for n, v in table.items()}
    share = {
        n: {float(v): (values[n] == v).mean(axis=0) for v in np.unique(values[n][~failed])}
        for n in problem.listed
    }
    return PlanDraws(
        limits=wanted,
        values=values,
        failed=float(failed.mean()),
        share=share,
        rough=float(made.rough.mean()),
        checked=made.checked,
        missed=made.missed,
    )


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
    problem = plan.problem
    values = plan.complete(point)
    here = plan.evaluate(**point)
    columns = {n: np.array([v]) for n, v in {**problem.params, **values}.items()}
    broken = []
    for limit in problem.limits:
        left, right = (evaluate_columns(side, columns)[0] for side in (limit.left, limit.right))
        if not left <= right + 1e-9 * abs(right):
            broken.append(limit.text)
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
