"""The best plan under a fitted law: the least loss for a budget, or the least cost for a loss."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..compiler import evaluate_columns
from ..errors import InputError
from ..law import Law
from ..progress import Progress
from ..result import Fit
from ..tables import named
from . import solve
from .problem import PlanProblem, make_problem

if TYPE_CHECKING:
    from ..uncertainty.bootstrap import Bootstrap
    from .flat import Flat
    from .frontier import Frontier
    from .uncertainty import PlanDraws, Regret

__all__ = ["Plan", "plan"]

Floats = NDArray[np.float64]

CELLS = 1_000_000
AT_EDGE = 1e-7  # of the width of a range
NOTABLY = 1.5  # times beyond the fitted runs


@dataclass(frozen=True)
class Plan:
    """The best plan and how it was found.

    Attributes
    ----------
    best : dict of str to float
        Every variable, "loss" (the law's value) and "cost".
    table : dict of str to ndarray of shape (k,)
        The best plan of every combination of listed values, best first, with the same columns;
        one row without lists.
    marginal : float
        With a budget: the change of the loss per relative increase of the budget, d loss / d log
        budget. With a target: the relative change of the cost per increase of the target,
        d log cost / d loss.
    binding : tuple of str
        The limits that hold with equality and keep the plan from being better.
    residual : float
        How far from the first-order conditions, relative to the objective's gradient.
    converged : bool
        Whether the conditions hold to rounding; if not, the optimum is a kink of the law or of a
        limit, found by search.
    warnings : tuple of str
    cells, evaluations : int
        Of the grid and of the refinement.
    seconds : float
    problem : PlanProblem
    """

    best: dict[str, float]
    table: dict[str, Floats]
    marginal: float
    binding: tuple[str, ...]
    residual: float
    converged: bool
    warnings: tuple[str, ...]
    cells: int
    evaluations: int
    seconds: float
    problem: PlanProblem
    _fit: Fit | None = field(default=None, repr=False, compare=False)
    _minima: solve.Found | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> float:
        """Return one entry of `best`."""
        return self.best[name]

    def evaluate(self, **point: float) -> dict[str, float]:
        """Return "loss" and "cost" at any point; variables left out are as in `best`.

        Raises
        ------
        InputError
            If a name is no variable of the plan.
        """
        values = self.complete(point)
        return {"loss": self._value(self.problem.formula, values),
                "cost": self._value(self.problem.cost, values)}  # fmt: skip

    def complete(self, point: Mapping[str, float]) -> dict[str, float]:
        """Return a point with every variable: those left out as in `best`, or by their formula."""
        unknown = [n for n in point if n not in self.problem.variables]
        if unknown:
            raise InputError(
                f"{unknown[0]!r} is no variable of this plan; variables: "
                f"{named(self.problem.variables)}"
            )
        values = {n: self.best[n] for n in self.problem.variables} | {
            n: float(v) for n, v in point.items()
        }
        for name, text in self.problem.defined.items():
            if name not in point:
                values[name] = self._value(text, values)
        return values

    def _value(self, text: str, values: Mapping[str, float]) -> float:
        columns = {**self.problem.params, **values}
        return float(evaluate_columns(text, {n: np.array([v]) for n, v in columns.items()})[0])

    def draws(
        self,
        draws: Bootstrap | Mapping[str, Floats] | None = None,
        *,
        limits: Sequence[float] | None = None,
        threads: int | None = None,
        progress: Progress = False,
    ) -> PlanDraws:
        """Plan again for every bootstrap draw; see `lawfit.planning.uncertainty.replan`."""
        from .uncertainty import replan

        return replan(self, draws, limits=limits, threads=threads, progress=progress)

    def intervals(
        self,
        confidence_level: float = 0.95,
        *,
        draws: Bootstrap | Mapping[str, Floats] | PlanDraws | None = None,
        threads: int | None = None,
        progress: Progress = False,
    ) -> dict[str, tuple[float, float]]:
        """Return lower and upper end of every component of `best`, each draw planned again.

        Parameters
        ----------
        confidence_level : float
        draws : Bootstrap, mapping or PlanDraws, optional
            Default: `Fit.bootstrap()` of the fit that was planned with.

        Raises
        ------
        InputError
            Without draws for a law that is no fit, or for a fit read from a file.
        """
        from .uncertainty import PlanDraws

        done = draws if isinstance(draws, PlanDraws) else self.draws(
            draws, threads=threads, progress=progress
        )  # fmt: skip
        return done.intervals(confidence_level)

    def frontier(
        self, limits: Iterable[float], *, threads: int | None = None, progress: Progress = False
    ) -> Frontier:
        """Plan for other budgets (or targets); see `lawfit.planning.frontier.frontier`."""
        from .frontier import frontier

        return frontier(self, limits, threads=threads, progress=progress)

    def regret(
        self, *, draws: Bootstrap | Mapping[str, Floats] | PlanDraws | None = None, **point: float
    ) -> Regret:
        """Compare another plan with the best one; see `lawfit.planning.uncertainty.regret`."""
        from .uncertainty import regret

        return regret(self, point, draws)

    def flat(self, tolerance: float = 0.01) -> Flat:
        """Return how far the plans near the best extend; see `lawfit.planning.flat.flat`."""
        from .flat import flat

        return flat(self, tolerance)

    def page(self, path: str | os.PathLike[str] | None = None, **options: Any) -> str:
        """Write a page that plans again in the browser; see `lawfit.page.page.page`."""
        from ..page.page import page

        return page(self, path, **options)

    def probability(
        self,
        first: Mapping[str, float],
        second: Mapping[str, float],
        draws: Bootstrap | Mapping[str, Floats] | None = None,
    ) -> float:
        """Return the share of draws in which the first plan is better than the second."""
        from .uncertainty import probability

        return probability(self, first, second, draws)

    def summary(self) -> str:
        """Return the plan as a few lines of text."""
        p = self.problem
        goal = (
            f"least loss with {p.cost} <= {p.budget:g}"
            if p.budget is not None
            else f"least {p.cost} with loss {'>=' if p.maximize else '<='} {p.target:g}"
        )
        lines = [
            str(p.law),
            goal + "".join(f", {t}" for t in dict.fromkeys(k.text for k in p.limits)),
        ]
        width = max(map(len, self.best))
        lines += [f"  {n:<{width}}  {v:.6g}" for n, v in self.best.items()]
        if len(next(iter(self.table.values()))) > 1:
            shown = [*p.listed, "loss" if p.budget is not None else "cost"]
            lines.append(f"best by {', '.join(p.listed)}:")
            for row in list(zip(*(self.table[n] for n in shown), strict=True))[:13]:
                lines.append("  " + "  ".join(f"{v:.6g}" for v in row))
        if self.binding:
            lines.append(f"limited by: {', '.join(self.binding)}")
        if math.isfinite(self.marginal) and p.budget is not None:
            change = self.marginal * math.log(2)
            lines.append(f"doubling the budget changes the loss by {change:.3g} to first order")
        lines.append(
            f"{self.cells:,} cells, {self.evaluations:,} evaluations in {self.seconds:.3g} s; "
            f"first-order conditions hold to {self.residual:.1g}"
        )
        return "\n".join(lines + [f"warning: {w}" for w in self.warnings])

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON types."""
        p = self.problem
        return {
            "version": _core.info()["version"],
            "law": p.law.name or p.law.formula,
            "params": dict(p.params),
            "budget": p.budget,
            "target_loss": p.target,
            "cost": p.cost,
            "constraints": list(dict.fromkeys(k.text for k in p.limits)),
            "over": {n: list(r) for n, r in p.ranges.items()}
            | {
                n: sorted(set(c.values[:, k].tolist()))
                for c in p.choices
                for k, n in enumerate(c.names)
            },
            "best": dict(self.best),
            "table": {n: v.tolist() for n, v in self.table.items()},
            "marginal": self.marginal,
            "binding": list(self.binding),
            "residual": self.residual,
            "converged": self.converged,
            "warnings": list(self.warnings),
            "cells": self.cells,
            "evaluations": self.evaluations,
            "seconds": self.seconds,
        }


def plan(
    law: Law | str | Fit,
    budget: float | None = None,
    *,
    target_loss: float | None = None,
    cost: str = "6*N*D",
    over: Mapping[Any, Any] | None = None,
    constraints: str | Iterable[str] = (),
    params: Mapping[str, float] | str | None = None,
    maximize: bool = False,
    cells: float = CELLS,
    threads: int | None = None,
    progress: Progress = False,
) -> Plan:
    """Find the plan with the least loss for a budget, or the least cost for a loss.

    A grid over everything that may vary, searched in C++, finds where the optimum lies; sequential
    quadratic programming with exact derivatives then refines every combination of listed values to
    rounding.

    Parameters
    ----------
    law : Law, str or Fit
        A fitted law, or a law (or its name, or a formula) with `params`.
    budget : float, optional
        Minimise the law's value subject to cost <= budget, in the unit of `cost`.
    target_loss : float, optional
        Minimise the cost subject to the law's value <= target_loss. Exactly one of both is given.
    cost : str
        Formula over variables, parameters and "loss"; see `lawfit.costs`.
    over : mapping, optional
        What may vary, by name: a pair (low, high), a continuous range; a list or array of values to
        choose from; `range(a, b)`, integers; a number, fixed. A tuple of names with rows of values,
        ``("n_layer", "d_model"): [(12, 768), (24, 1024)]``, is a table of shapes. The name of a
        group with a level picks the parameters of that level. Without an entry, N and D range over
        all sizes, other variables over the levels or the span that the law states.
    constraints : str or iterable of str
        Comparisons over the same names, like "D <= 1.5e13" or "N * P_w / 8 <= 80e9". An equality
        with a variable alone on one side, "D == 20 * N", defines that variable.
    params : mapping of str to float, or str, optional
        Parameters, or the name of a published set of the law; default: those of the fit.
    maximize : bool
        More of the law's value is better: accuracies.
    cells : float
        Of the grid, about.
    threads : int, optional
    progress : bool or callable(done, total)
        Counts cells of the grid.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If the request cannot be met: a name is unknown, the budget is not above zero, or no plan
        satisfies all limits; the message says which cannot hold and by how much.
    Interrupted
        On Ctrl-C during the grid search.
    """
    problem = make_problem(
        law,
        budget=budget,
        target_loss=target_loss,
        cost=cost,
        over=over,
        constraints=constraints,
        params=params,
        maximize=maximize,
    )
    if not 1 <= float(cells) <= 2**62:
        raise InputError(f"cells = {cells!r} must be a number of 1 or more")

    return _solved(problem, law if isinstance(law, Fit) else None, float(cells), threads, progress)


def replanned(
    made: Plan, *, budget: float | None = None, target: float | None = None, cells: float = CELLS
) -> Plan:
    """Return the plan of the same problem for another budget, or for a target."""
    problem = replace(made.problem, budget=budget, target=target)
    return _solved(problem, made._fit, cells, None, False)


def _solved(
    problem: PlanProblem, fit: Fit | None, cells: float, threads: int | None, progress: Progress
) -> Plan:
    begun = time.perf_counter()
    minima = solve.minima(problem, cells=cells, threads=threads, progress=progress)
    solve.require_found(problem, minima, problem.limit, cells)
    found = minima.best_of_each()
    table = problem.table_of(found.columns)
    best = {n: float(v[0]) for n, v in table.items()}
    force = found.force[0]
    binding = [k.text for k, f in zip(problem.all_limits(), force, strict=True) if f > 0]
    return Plan(
        best=best,
        table=table,
        marginal=_marginal(problem, found, best),
        binding=tuple(dict.fromkeys(binding)),
        residual=float(found.residual[0]),
        converged=bool(found.converged[0]),
        warnings=tuple(_warnings(problem, best, table, found, fit)),
        cells=found.cells,
        evaluations=found.evaluations,
        seconds=time.perf_counter() - begun,
        problem=problem,
        _fit=fit,
        _minima=minima,
    )


def _marginal(problem: PlanProblem, found: solve.Found, best: Mapping[str, float]) -> float:
    """Return what the first limit's multiplier says of the limit as the user gave it."""
    force = float(found.force[0, 0])
    sign = -1.0 if problem.maximize else 1.0
    rows = solve.rows_of(problem, {n: np.array([best[n]]) for n in problem.listed}, problem.limit)
    per = problem.limit if problem.budget is not None else 1.0
    return -sign * force * rows.slope() * per


# --- warnings -------------------------------------------------------------------------------------


def _warnings(
    problem: PlanProblem,
    best: Mapping[str, float],
    table: Mapping[str, Floats],
    found: solve.Found,
    fit: Fit | None,
) -> list[str]:
    said = []
    what = "loss" if problem.budget is not None else "cost"
    for name, (low, high) in problem.ranges.items():
        ends = solve.at_ends(low, high, best[name], AT_EDGE)
        for end, at in ends:
            if name in problem.assumed:
                said.append(
                    f"no interior minimum: the {what} still falls where {name} leaves the range "
                    f"searched, {low:g} to {high:g}; give its range in over"
                )
            else:
                said.append(f"{name} is at the {end} end of its range ({at:g})")
    for choice in problem.choices:
        for k, name in enumerate(choice.names):
            values = np.unique(choice.values[:, k])
            if len(values) > 2 and best[name] in (values[0], values[-1]):
                end = "smallest" if best[name] == values[0] else "largest"
                said.append(f"{name} = {best[name]:g} is the {end} of its list")
    if best["cost"] <= 0.0:
        said.append(f"the best plan costs {best['cost']:.6g}: the formula of the cost allows that")
    elif problem.budget is not None and best["cost"] < problem.budget * (1 - 1e-6):
        said.append(
            f"the best plan costs {best['cost']:.6g}, {best['cost'] / problem.budget:.3%} of the "
            "budget: spending more would not lower the loss"
        )
    if not found.converged[0]:
        said.append(
            "the first-order conditions do not hold: the optimum is at a kink, or the law is not "
            "smooth there; it was found by searching ever finer grids"
        )
    said += _beyond_runs(problem, best, fit)
    if fit is not None and not fit.success:
        said.append(f"the fit itself did not converge: {fit.message}")
    return said


def spans_of_runs(
    problem: PlanProblem, fit: Fit | None
) -> tuple[dict[str, tuple[float, float]], str]:
    """Return the range of every variable in the runs that the law was fitted to, and whose."""
    if fit is not None:
        return fit.spans, "the fitted runs"
    known = {v.name: v.span for v in problem.law.declared_variables or () if v.span}
    return known, "the runs of the source"


def _beyond_runs(problem: PlanProblem, best: Mapping[str, float], fit: Fit | None) -> list[str]:
    """Say how far a plan is outside the runs that the law was fitted to."""
    spans, whose = spans_of_runs(problem, fit)
    said = []
    for name, (low, high) in spans.items():
        value = best.get(name)
        if value is None or not low > 0.0 or value <= 0.0:
            continue
        if value > NOTABLY * high:
            said.append(f"{name} = {value:.3g} is {value / high:.3g} times the largest of {whose} "
                        f"({high:.3g})")  # fmt: skip
        elif value < low / NOTABLY:
            said.append(f"{name} = {value:.3g} is {low / value:.3g} times below the smallest of "
                        f"{whose} ({low:.3g})")  # fmt: skip
    return said
