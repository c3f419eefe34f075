"""Several laws on the same runs: which predicts best, by how much, and what speaks for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, InputError
from ..law import Law
from ..laws import as_law
from ..progress import Progress, reporter
from ..result import Fit
from ..runs import Runs
from ..tables import named
from .backtest import Backtest, place_in_order, run_split
from .layout import lines
from .likelihood import Criteria, NestedTest, criteria, nested_test
from .refits import Errors, Refits, in_space, known_rows, prepare
from .splitters import Cut, LeaveOneGroupOut, LeaveOneOut, RandomFolds, Rolling, cuts_of
from .weights import akaike_weights, stacking_weights

__all__ = ["Comparison", "Entry", "compare"]

Floats = NDArray[np.float64]

HELD_OUT = ("holdout", "backtest", "group", "cv", "loo")
IN_SAMPLE = ("aic", "aicc", "bic")
OWN_OPTIONS = ("fixed", "tied", "bounds", "starts")


@dataclass(frozen=True)
class Entry:
    """One law in a comparison.

    Attributes
    ----------
    name : str
    law : Law
    fit : Fit or None
        To all rows.
    backtest : Backtest or None
        Its predictions of the held-out rows, on the same splits as all other laws.
    inside, outside : Errors
        On all rows, after a fit to them; on held-out rows. `outside` is nan unless every split was
        predicted: errors on different rows do not compare.
    criteria : Criteria or None
    akaike, stacking : float
        Weights: from AICc, and those of the mean of the laws that errs least on held-out rows.
    behind, behind_rows_se, behind_splits_se : float
        Mean difference of the size of held-out residuals to the first law's (positive: worse), with
        its standard error over rows, and over splits where there are several.
    reason : str
        Why something is missing.
    """

    name: str
    law: Law
    fit: Fit | None
    backtest: Backtest | None
    inside: Errors
    outside: Errors
    criteria: Criteria | None
    akaike: float = math.nan
    stacking: float = math.nan
    behind: float = math.nan
    behind_rows_se: float = math.nan
    behind_splits_se: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """Laws ranked on the same rows.

    Attributes
    ----------
    by, metric : str
        What they are ranked by, and the error where that is one.
    entries : tuple of Entry
        Best first.
    tests : tuple of NestedTest
    runs : Runs
        The rows that were used.
    splits : tuple of str
        Names of the splits; empty if nothing was held out.
    """

    by: str
    metric: str
    entries: tuple[Entry, ...]
    tests: tuple[NestedTest, ...]
    runs: Runs
    splits: tuple[str, ...]

    @property
    def best(self) -> Fit:
        """The fit to all rows of the law that is ranked first."""
        fit = self.entries[0].fit
        assert fit is not None
        return fit

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the laws, best first."""
        return tuple(e.name for e in self.entries)

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of a law."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise InputError(f"{name!r} is not in the comparison; laws: {named(self.ranking)}")

    def table(self) -> Any:
        """Return one row per law, best first.

        A mapping of columns, or a DataFrame where the runs were one.
        """
        return self.runs.answer(self._table())

    def _table(self) -> dict[str, list[Any]]:
        entries = self.entries
        columns: dict[str, list[Any]] = {"law": list(self.ranking)}
        for name in ("are", "rmse", "mae", "bias", "r2"):
            columns[f"{name}_outside"] = [getattr(e.outside, name) for e in entries]
            columns[f"{name}_inside"] = [getattr(e.inside, name) for e in entries]
        columns["parameters"] = [len(e.fit.free) if e.fit else None for e in entries]
        for name in ("loglik", "aic", "aicc", "bic"):
            columns[name] = [getattr(e.criteria, name) if e.criteria else math.nan for e in entries]
        for name in ("akaike", "stacking", "behind", "behind_rows_se", "behind_splits_se"):
            columns[name] = [getattr(e, name) for e in entries]
        columns["status"] = [e.fit.status if e.fit else "not fitted" for e in entries]
        columns["reason"] = [e.reason for e in entries]
        return columns

    def __str__(self) -> str:
        """Return ranking, tests and reasons as lines of text."""
        columns = self._table()
        known = {
            name: not all(isinstance(v, float) and math.isnan(v) for v in values)
            for name, values in columns.items()
        }
        shown: dict[str, list[Any]] = {"law": columns["law"], "p": columns["parameters"]}
        titles = {
            "are_outside": "are outside",
            "are_inside": "are inside",
            "aic": "AIC",
            "aicc": "AICc",
            "bic": "BIC",
            "akaike": "akaike",
            "stacking": "stacking",
            "behind": "behind",
            "behind_rows_se": "+-",
        }
        if self.metric != "are":
            titles = {f"{self.metric}_outside": f"{self.metric} outside", **titles}
        for other in {"aic", "bic"} - {self.by}:  # table() has all; AICc is the one to go by
            del titles[other]
        shown |= {title: columns[name] for name, title in titles.items() if known[name]}
        if any(status != "converged" for status in columns["status"]):
            shown["status"] = columns["status"]
        formats = {"are outside": ".2%", "are inside": ".2%", "akaike": ".3f", "stacking": ".3f"}
        formats |= {"AIC": ".2f", "AICc": ".2f", "BIC": ".2f", "behind": ".2g", "+-": ".2g"}
        what = f"{self.metric} on held-out rows ({self.by})" if self.by in HELD_OUT else self.by
        if self.by == "splitter":
            what = f"{self.metric} on held-out rows"
        text = [f"{self.runs.n} rows of {self.runs.source}, ranked by {what}"]
        text += lines(shown, formats)
        if "are outside" in shown:
            text.append("are: mean of |predicted - measured| / measured")
        for test in self.tests:
            line = (
                f"{test.big} against {test.small}: likelihood ratio {test.ratio:.4g}, "
                f"p = {test.p_ratio:.3g} ({test.parameters} more "
                f"parameter{'s' * (test.parameters > 1)})"
            )
            if math.isfinite(test.f):
                line += f"; F = {test.f:.4g}, p = {test.p_f:.3g}"
            text.append(line + (f"; {test.note}" if test.note else ""))
        text += [f"{e.name}: {e.reason}" for e in self.entries if e.reason]
        return "\n".join(text)


def compare(
    laws: Iterable[Law | str] | Mapping[str, Any],
    runs: Any,
    target: str | None = None,
    by: str = "holdout",
    *,
    order: Any = "C",
    share: float = 0.5,
    steps: int = 5,
    groups: str | None = None,
    folds: int = 5,
    splitter: Any = None,
    metric: str = "are",
    nested: Iterable[Sequence[str]] = (),
    progress: Progress = False,
    **fit_options: Any,
) -> Comparison:
    """Fit several laws to the same runs and rank them.

    Parameters
    ----------
    laws : sequence of Law or str, or mapping
        Laws, names or formulas. A mapping names them; its values are laws, or pairs of a law and
        its own options among ``fixed``, ``tied``, ``bounds`` and ``starts``.
    runs, target
        As for `lawfit.fit`. All laws see the same rows.
    by : str
        "holdout": fit the smaller `share` of the runs in `order`, predict the others. "backtest":
        the same in `steps` steps, each predicting up to the next. "group": leave out one of
        `groups` at a time. "cv": `folds` random folds. "loo": leave out one row at a time. "aic",
        "aicc", "bic": the criterion on all rows, with held-out errors as for "holdout" where
        the table has that order.
    order, steps
        As for `lawfit.backtest`.
    share : float
        Share of the rows that "holdout" fits.
    groups : str, optional
        Column of groups.
    splitter : optional
        As for `lawfit.backtest`; instead of the splits that `by` stands for.
    metric : {"are", "rmse", "mae"}
        Error that held-out predictions are ranked by.
    nested : sequence of (str, str)
        Pairs of names (smaller law, larger law) of which the larger contains the smaller: gives
        likelihood-ratio and F tests.
    progress : bool or callable(done, total)
        Counts fits.
    **fit_options
        As for `lawfit.fit`, for all laws. Rows that are `censored` are fitted as such, and their
        targets count in no error.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If the request or the table cannot be used. A law that does not fit has its row and the
        reason.
    FitError
        If no law fits.
    """
    candidates = _candidates(laws)
    if by not in (*HELD_OUT, *IN_SAMPLE):
        raise InputError(f"by = {by!r} must be one of {', '.join((*HELD_OUT, *IN_SAMPLE))}")
    if metric not in ("are", "rmse", "mae"):
        raise InputError(f"metric = {metric!r} must be 'are', 'rmse' or 'mae'")
    pairs = [_pair(p, candidates) for p in nested]
    table, target, options = prepare([c for c, _ in candidates.values()], runs, target, fit_options)
    if splitter is None:
        splitter = _splitter(by, order, share, steps, groups, folds, options["rng"])
    try:
        variables = dict.fromkeys(
            v for law, _ in candidates.values() for v in law.variables_in(table)
        )
        cuts = cuts_of(splitter, table, variables, target, groups)
    except InputError:
        if by not in IN_SAMPLE or order != "C":
            raise
        cuts = []  # nothing to hold out by: the criterion does not need it
    by_order = by in ("holdout", "backtest") and isinstance(splitter, Rolling)
    places = place_in_order(table, order, needed=by_order)
    report = reporter(progress, len(candidates) * (len(cuts) + 1), "fits")
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(done)

    entries = []
    for name, (law, own) in candidates.items():
        entries.append(_entry(name, law, table, target, options | own, cuts, places, step))
    if all(e.fit is None for e in entries):
        raise FitError(
            "none of the laws fits: " + "; ".join(f"{e.name}: {e.reason}" for e in entries)
        )
    entries = _weighted(entries, table, target)
    entries.sort(key=lambda e: _rank(e, by, metric))  # stable: ties in the order given
    entries = _behind(entries, table, target)
    fits = {e.name: e.fit for e in entries}
    tests = [
        nested_test((small, a), (big, b))
        for small, big in pairs
        if (a := fits[small]) is not None and (b := fits[big]) is not None
    ]
    return Comparison(by, metric, tuple(entries), tuple(tests), table, tuple(c.name for c in cuts))


def _candidates(laws: Any) -> dict[str, tuple[Law, dict[str, Any]]]:
    if isinstance(laws, (str, Law)):
        raise InputError(
            "compare takes several laws: a list of them, or a mapping of names to laws"
        )
    found: dict[str, tuple[Law, dict[str, Any]]] = {}
    items = laws.items() if isinstance(laws, Mapping) else [(None, law) for law in laws]
    for name, given in items:
        own: dict[str, Any] = {}
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
            given, own = given[0], dict(given[1])
        unknown = [o for o in own if o not in OWN_OPTIONS]
        if unknown:
            raise InputError(
                f"{name}: a law of its own can have {', '.join(OWN_OPTIONS)}, not {unknown[0]!r}: "
                "everything else must be the same for all"
            )
        law = as_law(given)
        name = name or law.name or law.formula
        if name in found:
            raise InputError(f"two laws are called {name!r}; give a mapping of names to laws")
        found[name] = (law, own)
    if not found:
        raise InputError("compare needs at least one law")
    return found


def _pair(given: Sequence[str], known: Iterable[str]) -> tuple[str, str]:
    if isinstance(given, str) or len(given) != 2:
        raise InputError(f"nested: {given!r} must be a pair (smaller law, larger law)")
    for name in given:
        if name not in known:
            raise InputError(f"nested: {name!r} is not one of the laws: {named(known)}")
    return given[0], given[1]


def _splitter(
    by: str, order: Any, share: float, steps: int, groups: str | None, folds: int, seed: int
) -> Any:
    if by == "backtest":
        return Rolling(order, steps)
    if by == "group":
        if groups is None:
            raise InputError('by = "group" needs groups: the name of a column')
        return LeaveOneGroupOut(groups)
    if by == "cv":
        return RandomFolds(folds, seed)
    if by == "loo":
        return LeaveOneOut()
    if not 0.0 < share < 1.0:
        raise InputError(f"share = {share!r} must lie between 0 and 1")
    return Rolling(order, 1, first=share)


def _entry(
    name: str,
    law: Law,
    table: Runs,
    target: str,
    options: Mapping[str, Any],
    cuts: Sequence[Cut],
    places: Floats | None,
    step: Any,
) -> Entry:
    try:
        refits = Refits(law, table, target, options)
    except (InputError, FitError) as error:
        return Entry(name, law, None, None, Errors.none(), Errors.none(), None, reason=str(error))
    fit = refits.whole
    step()
    splits = []
    for cut in cuts:
        splits.append(run_split(refits, cut, places))
        step()
    test = Backtest(law, target, fit.residual, tuple(splits), fit, table) if cuts else None
    known = np.flatnonzero(known_rows(fit))
    told = refits.predict(fit, known)
    inside = Errors.none(table.n)
    reasons = []
    if isinstance(told, str):
        reasons.append(told)
    else:
        inside = Errors.of(told, refits.y[known], fit.residual)
    if not fit.success:
        reasons.append(fit.message)
    outside = Errors.none()
    if test is not None and test.failed:
        failed = test.failed[0]
        more = f" (and {len(test.failed) - 1} more splits)" if len(test.failed) > 1 else ""
        reasons.append(f"{failed.name}: {failed.reason}{more}")
    elif test is not None:
        outside = test.outside
    found = criteria(fit)
    return Entry(name, law, fit, test, inside, outside, found, reason="; ".join(reasons))


def _rank(entry: Entry, by: str, metric: str) -> float:
    if entry.fit is None:
        return math.inf
    if by in IN_SAMPLE:
        value = float(getattr(entry.criteria, by))
    else:
        value = float(getattr(entry.outside, metric))
    return 1e300 if math.isnan(value) else min(value, 1e300)  # before laws without any fit


def _held_out(entry: Entry, table: Runs, target: str) -> Floats | None:
    """Return the residuals of the held-out rows of all splits; None unless all are there."""
    test = entry.backtest
    if test is None or test.failed:
        return None
    rows = np.concatenate([s.test for s in test.splits])
    prediction = np.concatenate([s.prediction for s in test.splits])
    y = table.numbers(target)[rows]
    return np.asarray(in_space(prediction, test.residual) - in_space(y, test.residual))


def _weighted(entries: list[Entry], table: Runs, target: str) -> list[Entry]:
    known = np.array([e.criteria.aicc if e.criteria else math.nan for e in entries])
    akaike = akaike_weights(known)
    held = [_held_out(e, table, target) for e in entries]
    usable = [k for k, u in enumerate(held) if u is not None]
    stacking = np.full(len(entries), math.nan)
    if usable:
        stacking[:] = 0.0
        stacking[usable] = stacking_weights(np.column_stack([u for u in held if u is not None]))
    return [
        replace(e, akaike=float(a), stacking=float(s))
        for e, a, s in zip(entries, akaike, stacking, strict=True)
    ]


def _behind(entries: list[Entry], table: Runs, target: str) -> list[Entry]:
    """Compare each law's held-out residuals with the first one's, row by row."""
    first = _held_out(entries[0], table, target)
    if first is None:
        return entries
    test = entries[0].backtest
    assert test is not None
    split = np.repeat(np.arange(len(test.splits)), [len(s.test) for s in test.splits])
    found = [entries[0]]
    for entry in entries[1:]:
        u = _held_out(entry, table, target)
        if u is None:
            found.append(entry)
            continue
        d = np.abs(u) - np.abs(first)
        found.append(
            replace(
                entry,
                behind=float(d.mean()),
                behind_rows_se=_standard_error(d, np.arange(len(d))),
                behind_splits_se=_standard_error(d, split),
            )
        )
    return found


def _standard_error(d: Floats, cluster: NDArray[np.intp]) -> float:
    """Return the standard error of a mean of values that are alike within clusters."""
    sums = np.bincount(cluster, weights=d - d.mean())
    k = len(sums)
    if k < 2:
        return math.nan
    return float(np.sqrt(np.sum(sums**2) * k / (k - 1)) / len(d))
