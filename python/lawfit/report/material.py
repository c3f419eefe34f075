"""What a report is written from: the fit, and what is computed once for several sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..fitting import fit as fit_law
from ..law import Law
from ..laws import law as find_law
from ..laws import laws
from ..result import Fit
from ..runs import Runs, read
from ..selection.backtest import Backtest
from ..selection.backtest import backtest as backtest_law
from ..selection.multiverse import Multiverse
from ..selection.multiverse import multiverse as make_multiverse
from ..uncertainty.bootstrap import Bootstrap
from ..uncertainty.covariance import Covariance
from ..uncertainty.profile import Profile

if TYPE_CHECKING:
    from ..planning.frontier import Frontier
    from ..planning.plan import Plan
    from ..planning.uncertainty import PlanDraws

__all__ = ["NO_TABLE", "Material", "with_runs"]

Floats = NDArray[np.float64]

NO_TABLE = (
    "this fit was read from a file, which does not hold the runs: give runs=, or "
    "lawfit report FIT.json --runs RUNS"
)
SPLITS = 4
STARTS = 20  # of each fit of a backtest, beside where the whole table's fit started
DELTAS = (1e-4, 1e-3, 1e-2)
OUTLIERS = ("none", "residual:4")
BUDGETS = 7
MOST_LISTED = 12  # values of a variable beside N and D
FURTHEST = 1e4  # times the costliest run
MOST_PROFILES = 24  # parameters
MOST_ROWS = 20_000  # of a table that is backtested


@dataclass(frozen=True)
class Material:
    """A fit, what was asked for, and results made on first use.

    Parameters
    ----------
    fit : Fit
    boot : Bootstrap or None
    confidence_level : float
    cost : str
        Formula over N and D.
    order : str or None
        Of the backtest; None: chosen from the columns.
    answers : mapping of str to str
        To questions of the checklist, by key.
    threads : int or None
    choices : Multiverse, str or None
        A multiverse, or the quantity of one to be made.
    """

    fit: Fit
    boot: Bootstrap | None
    confidence_level: float
    cost: str
    order: str | None
    answers: Mapping[str, str]
    threads: int | None
    choices: Multiverse | str | None = None

    @property
    def runs(self) -> Runs:
        """The fitted table."""
        if self.fit._problem is None:
            raise InputError(NO_TABLE)
        return self.fit._problem.runs

    @cached_property
    def law(self) -> Law:
        """The law, with the source that the catalogue knows of a fit from a file."""
        law = self.fit.law
        if law.name in laws():
            known = find_law(law.name)
            if known.formula == law.formula:
                return known
        return law

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns of numbers that the law reads."""
        problem = self.fit._problem
        return problem.variables if problem is not None else self.fit.law.variables

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """These columns."""
        return {name: self.runs.numbers(name) for name in self.variables}

    @cached_property
    def covariance(self) -> Covariance:
        """The sandwich covariance."""
        if self.fit._problem is None:
            raise InputError(NO_TABLE)
        return self.fit.covariance()

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        """Profiles of all fitted parameters, as far as the confidence level."""
        if self.fit._problem is None:
            raise InputError(NO_TABLE)
        if len(self.fit.free) > MOST_PROFILES:
            raise InputError(
                f"{len(self.fit.free)} fitted parameters; profiles are made of up to "
                f"{MOST_PROFILES}: fit.profile(name)"
            )
        reach = max(self.confidence_level, 0.95)
        return self.fit.profiles(reach=reach, threads=self.threads)

    @cached_property
    def backtest(self) -> Backtest:
        """The law fitted on small runs and held against larger ones, under the same settings."""
        fit, runs = self.fit, self.runs
        assert fit._problem is not None
        settings = fit._problem.settings
        if settings.censored is not None:
            raise InputError("backtests of tables with censored targets are not made here")
        if runs.n > MOST_ROWS:
            raise InputError(f"{runs.n:,} rows; reports backtest up to {MOST_ROWS:,}: lf.backtest")
        return backtest_law(
            fit.law,
            runs,
            fit.target,
            order=self.order or self._usual_order(),
            steps=SPLITS,
            residual=fit.residual,
            loss=fit.loss,
            scale=fit.scale_setting,
            fixed=fit.fixed,
            tied=fit.tied,
            bounds=fit.bounds,
            penalties=fit.penalties or None,
            weights=settings.weights,
            sigma=settings.sigma,
            starts=STARTS,
            rng=fit.seed,
            threads=self.threads,
        )

    @cached_property
    def multiverse(self) -> Multiverse | None:
        """The given multiverse, or the quantity under usual choices; None if not asked for."""
        fit, asked = self.fit, self.choices
        if not isinstance(asked, str):
            return asked
        if fit._problem is None:
            raise InputError(NO_TABLE)
        settings = fit._problem.settings
        if settings.censored is not None or settings.sigma is not None:
            raise InputError("give a multiverse of your own for censored or weighted tables")
        other = "linear" if fit.residual == "log" else "log"
        return make_multiverse(
            fit.law, self.runs, fit.target, asked, delta=DELTAS, residual=(fit.residual, other),
            outliers=OUTLIERS, starts=(STARTS,), fixed=fit.fixed, tied=fit.tied, bounds=fit.bounds,
            penalties=fit.penalties or None, weights=settings.weights, rng=fit.seed,
            threads=self.threads,
        )  # fmt: skip

    def _usual_order(self) -> str:
        if "C" in self.runs or {"N", "D"} <= set(self.runs):
            return "C"
        wide = {
            n: float(np.log(c.max() / c.min())) for n, c in self.columns.items() if c.min() > 0.0
        }
        if not wide:
            raise InputError("no column says which runs are small; give order=")
        return max(wide, key=lambda n: wide[n])

    @cached_property
    def budgets(self) -> Floats:
        """Powers of ten from the costliest run on."""
        from ..compiler import evaluate_columns

        spent = evaluate_columns(self.cost, self.columns)
        first = np.ceil(np.log10(float(spent.max())) - 1.0)
        last = np.floor(np.log10(float(spent.max()) * FURTHEST))
        return np.asarray(10.0 ** np.arange(first, min(last, first + BUDGETS - 1) + 1))

    @cached_property
    def plan(self) -> Plan:
        """The compute-optimal plan at the largest of the budgets."""
        from ..planning.plan import plan

        self.require_sizes()
        budget = float(self.budgets[-1])
        over = {name: list(map(float, values)) for name, values in self.listed.items()}
        return plan(self.fit, budget=budget, cost=self.cost, over=over, threads=self.threads)

    @cached_property
    def listed(self) -> dict[str, Floats]:
        """The few values that variables beside N and D have in the table: a plan takes one."""
        found = {n: np.unique(c) for n, c in self.columns.items() if n not in ("N", "D")}
        for name, values in found.items():
            if len(values) > MOST_LISTED:
                raise InputError(
                    f"plans take N, D and variables with up to {MOST_LISTED} values; {name} has "
                    f"{len(values)}: lf.plan(fit, ..., over=...)"
                )
        return found

    @cached_property
    def frontier(self) -> Frontier:
        """The best plan at each of the budgets."""
        return self.plan.frontier(self.budgets, threads=self.threads)

    @cached_property
    def plan_draws(self) -> PlanDraws | None:
        """Each bootstrap draw planned again at each budget; None without a bootstrap."""
        if self.boot is None:
            return None
        return self.plan.draws(self.boot, limits=list(self.budgets), threads=self.threads)

    def require_sizes(self) -> None:
        """Raise InputError for a law without N and D, or with a value per group."""
        if not {"N", "D"} <= set(self.variables):
            raise InputError(
                f"plans are made for laws with N and D; this law reads {', '.join(self.variables)}"
            )
        if self.fit.law.groups:
            raise InputError(
                "the law has one value per group: plan for one of them, "
                'lf.plan(fit, ..., over={"family": "a level"})'
            )

    def explained(self) -> dict[str, float]:
        """Return how far predictions lie from targets: shares and R squared by their names."""
        y, told = self.runs.numbers(self.fit.target), self.fit.predict(self.runs)
        relative = np.abs(told - y) / np.abs(y)
        left = self._space(told) - self._space(y)
        about = self._space(y) - self._space(y).mean()
        return {
            "median": float(np.median(relative)),
            "mean": float(np.mean(relative)),
            "largest": float(np.max(relative)),
            "rmse": float(np.sqrt(np.mean(left**2))),
            "r2": float(1.0 - np.sum(left**2) / np.sum(about**2)) if np.ptp(about) > 0 else np.nan,
        }

    def _space(self, values: Floats) -> Floats:
        if self.fit.residual == "log":
            return np.log(values)
        if self.fit.residual == "logit":
            return np.log(values / (1.0 - values))
        return values


def with_runs(fit: Fit, runs: Any, *, threads: int | None = None, **options: Any) -> Fit:
    """Join a fit that was read from a file with the table it was made from.

    Parameters
    ----------
    fit : Fit
    runs : mapping of arrays, DataFrame or path
        As prepared for the fit: renamed, derived and filtered.
    **options
        columns, derive, where, missing, weights, sigma, censored: as they were given to
        `lawfit.fit`. A saved fit does not hold them.

    Returns
    -------
    Fit
        With the table, and what the file says of starts, seed and time.

    Raises
    ------
    InputError
        If the table is another one: the hash of the data differs.
    """
    reading = {n: options.pop(n) for n in ("columns", "derive", "where") if n in options}
    start = {n: np.array([fit.params[n]]) for n in fit.free}
    again = fit_law(
        fit.law, read(runs, **reading), fit.target, residual=fit.residual,  # type: ignore[arg-type]
        loss=fit.loss, scale=fit.scale_setting, fixed=fit.fixed,  # type: ignore[arg-type]
        tied=fit.tied, bounds=fit.bounds, penalties=fit.penalties or None, starts=start,
        rng=fit.seed, threads=threads, **options,
    )  # fmt: skip
    if again.data_hash != fit.data_hash:
        raise InputError(
            f"{again.source}: these are not the rows that {fit.source} had when the law was "
            f"fitted ({again.nobs} rows here, {fit.nobs} there): give the same columns, derived "
            "columns, filters and weights, or fit again"
        )
    return replace(
        again, starts=fit.starts, seed=fit.seed, seconds=fit.seconds, evaluations=fit.evaluations,
        source=fit.source, omitted=fit.omitted,
    )  # fmt: skip
