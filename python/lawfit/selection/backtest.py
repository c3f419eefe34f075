"""Backtests: a law fitted on some runs and held against others, over and over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..law import Law
from ..laws import as_law
from ..progress import Progress, reporter
from ..result import Fit
from ..runs import Runs
from .layout import lines
from .refits import Errors, Refits, in_space, known_rows, prepare
from .splitters import Cut, LeaveOneGroupOut, Rolling, column_values, cuts_of, log_reach

__all__ = ["Backtest", "Split", "backtest"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """One fit and what it predicted.

    Attributes
    ----------
    name : str
    train, test : ndarray of int
        Rows of `Backtest.runs`.
    fit : Fit or None
    reason : str
        Why there is no fit or no prediction; empty if there is.
    inside, outside : Errors
        On the rows that were fitted and on those that were predicted.
    prediction : ndarray of shape (len(test),)
        nan if there is none.
    reach : ndarray of shape (len(test),)
        Natural logarithm of each tested row's place in the order over the largest fitted one: 0.7
        is twice as large. nan where no order is known.
    facts : mapping of str to float
        Numbers that describe the split: "models" and "share" of a `TrainingGrid`.
    """

    name: str
    train: Rows
    test: Rows
    fit: Fit | None
    reason: str
    inside: Errors
    outside: Errors
    prediction: Floats
    reach: Floats
    facts: Mapping[str, float]

    @property
    def status(self) -> str:
        """The status of the fit, "not fitted" or "no prediction"."""
        if self.fit is None:
            return "not fitted"
        return "no prediction" if self.reason else self.fit.status

    @property
    def distance(self) -> float:
        """Mean of `reach`."""
        return float(np.mean(self.reach)) if len(self.reach) else math.nan


@dataclass(frozen=True)
class Backtest:
    """A law's predictions of runs that it was not fitted to.

    Attributes
    ----------
    law : Law
    target, residual : str
    splits : tuple of Split
    whole : Fit
        The fit to all rows.
    runs : Runs
        The rows that splits refer to: after renaming, filters and ``missing="omit"``.
    """

    law: Law
    target: str
    residual: str
    splits: tuple[Split, ...]
    whole: Fit
    runs: Runs

    @property
    def failed(self) -> tuple[Split, ...]:
        """The splits without a prediction."""
        return tuple(s for s in self.splits if s.reason)

    @property
    def inside(self) -> Errors:
        """Errors over the fitted rows of all splits together."""
        known = known_rows(self.whole)
        found = [(s.fit, s.train[known[s.train]]) for s in self.splits if s.fit is not None]
        told = [fit.predict(self.runs.take(rows)) for fit, rows in found]
        return self._pooled(told, [rows for _, rows in found])

    @property
    def outside(self) -> Errors:
        """Errors over the predicted rows of all splits together; failed splits are left out."""
        found = [s for s in self.splits if not s.reason]
        return self._pooled([s.prediction for s in found], [s.test for s in found])

    def _pooled(self, predictions: list[Floats], rows: list[Rows]) -> Errors:
        if not rows:
            return Errors.none()
        y = self.runs.numbers(self.target)[np.concatenate(rows)]
        return Errors.of(np.concatenate(predictions), y, self.residual)

    @property
    def coefficients(self) -> dict[str, Floats]:
        """Every parameter by name, one value per split; nan where there is none."""
        found = dict.fromkeys(n for s in self.splits if s.fit for n in s.fit.params)
        return {
            name: np.array([s.fit.params.get(name, math.nan) if s.fit else math.nan
                            for s in self.splits])
            for name in found
        }  # fmt: skip

    def points(self) -> Any:
        """Return every prediction: split, row, reach, target, prediction, residual, are.

        One entry per tested row and split; row is the number in `runs`, reach as in `Split`. A
        mapping of columns, or a DataFrame where the runs were one.
        """
        return self.runs.answer(self._points())

    def _points(self) -> dict[str, NDArray[Any]]:
        splits = [(k, s) for k, s in enumerate(self.splits) if not s.reason]
        row = np.concatenate([np.empty(0, np.intp), *(s.test for _, s in splits)])
        prediction = np.concatenate([np.empty(0), *(s.prediction for _, s in splits)])
        target = self.runs.numbers(self.target)[row]
        with np.errstate(divide="ignore", invalid="ignore"):
            are = np.abs(prediction - target) / np.abs(target)
        return {
            "split": np.repeat([k for k, _ in splits], [len(s.test) for _, s in splits]),
            "row": row,
            "reach": np.concatenate([np.empty(0), *(s.reach for _, s in splits)]),
            "target": target,
            "prediction": prediction,
            "residual": in_space(prediction, self.residual) - in_space(target, self.residual),
            "are": are,
        }

    def by_distance(self, bins: int = 5) -> Any:
        """Return the error by how far a prediction reached.

        Parameters
        ----------
        bins : int
            Parts of about equal numbers of predictions.

        Returns
        -------
        dict of str to ndarray of shape (bins,), or DataFrame
            "from", "to" (factors over the largest fitted run), "rows", "are", "bias". Fewer bins if
            there are fewer predictions.
        """
        points = self._points()
        known = np.isfinite(points["reach"])
        order = np.argsort(points["reach"][known], kind="stable")
        parts = [p for p in np.array_split(order, bins) if p.size]
        at = {name: points[name][known] for name in ("reach", "are", "residual")}
        columns = {
            "from": np.array([np.exp(at["reach"][p].min()) for p in parts]),
            "to": np.array([np.exp(at["reach"][p].max()) for p in parts]),
            "rows": np.array([float(len(p)) for p in parts]),
            "are": np.array([at["are"][p].mean() for p in parts]),
            "bias": np.array([at["residual"][p].mean() for p in parts]),
        }
        return self.runs.answer(columns)

    @property
    def distance_correlation(self) -> float:
        """Spearman's rank correlation of reach and absolute relative error over predictions."""
        points = self._points()
        known = np.isfinite(points["reach"]) & np.isfinite(points["are"])
        a, b = (_ranks(points[name][known]) for name in ("reach", "are"))
        if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
            return math.nan
        return float(np.corrcoef(a, b)[0, 1])

    def grid(self, error: str = "are") -> dict[str, Floats]:
        """Return the errors of a `TrainingGrid`: models by share of training.

        Parameters
        ----------
        error : str
            A field of `Errors`.

        Returns
        -------
        dict of str to ndarray
            "models" of shape (m,), "share" of shape (s,), and the error of shape (m, s), nan where
            a split failed.

        Raises
        ------
        InputError
            If the splits are not those of a `TrainingGrid`.
        """
        if not all({"models", "share"} <= set(s.facts) for s in self.splits):
            raise InputError("only a backtest with splitter=TrainingGrid(...) has a grid")
        models = sorted({s.facts["models"] for s in self.splits})
        shares = sorted({s.facts["share"] for s in self.splits})
        table = np.full((len(models), len(shares)), math.nan)
        for s in self.splits:
            place = models.index(s.facts["models"]), shares.index(s.facts["share"])
            table[place] = getattr(s.outside, error)
        return {"models": np.array(models), "share": np.array(shares), error: table}

    def table(self) -> Any:
        """Return one row per split: a mapping of columns, or a DataFrame if the runs were one."""
        return self.runs.answer(self._table())

    def _table(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {
            "split": [s.name for s in self.splits],
            "train": [len(s.train) for s in self.splits],
            "test": [len(s.test) for s in self.splits],
            "distance": [s.distance for s in self.splits],
            "objective": [s.fit.objective if s.fit else math.nan for s in self.splits],
        }
        for name in ("are", "rmse", "bias", "r2"):
            columns[f"{name}_inside"] = [getattr(s.inside, name) for s in self.splits]
            columns[f"{name}_outside"] = [getattr(s.outside, name) for s in self.splits]
        columns |= {name: values.tolist() for name, values in self.coefficients.items()}
        columns["status"] = [s.status for s in self.splits]
        columns["reason"] = [s.reason for s in self.splits]
        return columns

    def __str__(self) -> str:
        """Return the splits as lines of text."""
        columns = self._table()
        shown: dict[str, list[Any]] = {"split": columns["split"]}
        shown |= {name: columns[name] for name in ("train", "test")}
        if np.isfinite(columns["distance"]).any():
            shown["reach"] = [float(np.exp(d)) for d in columns["distance"]]
        for name in ("are", "bias", "r2"):
            shown |= {f"{name} {w}": columns[f"{name}_{w}"] for w in ("inside", "outside")}
        del shown["bias inside"]
        if any(status != "converged" for status in columns["status"]):
            shown["status"] = columns["status"]
        percent = {f"are {w}": ".2%" for w in ("inside", "outside")}
        text = [
            f"{self.law}",
            f"{self.runs.n} rows of {self.runs.source}, target {self.target}, {self.residual} "
            "residuals",
            *lines(shown, percent | {"bias outside": "+.4f", "reach": ".3g"}),
        ]
        inside, outside = self.inside, self.outside
        told = f"{outside.are:.2%} outside" if outside.rows else "nothing predicted"
        text.append(
            f"mean absolute relative error {inside.are:.2%} inside, {told} "
            f"({outside.rows} predictions)"
        )
        correlation = self.distance_correlation
        if math.isfinite(correlation):
            text.append(f"rank correlation of reach and error {correlation:+.2f}")
        text += [f"{s.name}: {s.reason}" for s in self.failed]
        return "\n".join(text)


def backtest(
    law: Law | str,
    runs: Any,
    target: str | None = None,
    order: Any = "C",
    steps: int = 5,
    *,
    first: float | None = None,
    ahead: str = "next",
    by: str | None = None,
    splitter: Any = None,
    progress: Progress = False,
    **fit_options: Any,
) -> Backtest:
    """Fit a law on small runs and predict larger ones, again and again.

    Parameters
    ----------
    law, runs, target
        As for `lawfit.fit`.
    order : str, array of shape (n,) or callable
        What "small" means: a column or a formula of columns, such as "6*N*D". "C" is 6*N*D where
        the table has no such column. Also measures how far a prediction reaches.
    steps, first, ahead
        As in `lawfit.selection.splitters.Rolling`: number of splits, share of the rows in the first
        training set, and whether the rows up to the next border ("next") or all larger ones
        ("all") are predicted.
    by : str, optional
        Column of groups: each is left out once instead. With `splitter`, the groups it is given.
    splitter : optional
        Any splitter of `lawfit.selection.splitters` or scikit-learn, or pairs of row numbers.
        Those of scikit-learn see the law's variables as X, the target as y.
    progress : bool or callable(done, total)
    **fit_options
        As for `lawfit.fit`. Every split starts from the points that the whole table was fitted
        from. Rows that are `censored` are fitted as such, and are not predicted.

    Returns
    -------
    Backtest
        Splits that cannot be fitted or predicted say why.

    Raises
    ------
    InputError
        If the request or the table cannot be used.
    FitError
        If the law cannot be fitted to the whole table.
    """
    law = as_law(law)
    table, target, options = prepare([law], runs, target, fit_options)
    by_order = by is None and splitter is None
    if splitter is None:
        splitter = Rolling(order, steps, first=first, ahead=ahead)
        splitter = splitter if by_order else LeaveOneGroupOut(by)
    cuts = cuts_of(splitter, table, law.variables_in(table), target, by)
    places = place_in_order(table, order, needed=by_order)
    refits = Refits(law, table, target, options)
    report = reporter(progress, len(cuts), "splits")
    splits = []
    for done, cut in enumerate(cuts):
        splits.append(run_split(refits, cut, places))
        if report is not None:
            report(done + 1)
    return Backtest(law, target, refits.whole.residual, tuple(splits), refits.whole, table)


def place_in_order(table: Runs, order: Any, *, needed: bool) -> Floats | None:
    """Return each row's place in the order; None if it is not needed and there is none."""
    if needed or order != "C":
        return column_values(table, order, "order")
    try:
        return column_values(table, order, "order")
    except InputError:
        return None


def run_split(refits: Refits, cut: Cut, places: Floats | None) -> Split:
    """Fit the one part of a split and predict the other, but for censored rows."""
    y, known = refits.y, known_rows(refits.whole)
    cut = replace(cut, test=cut.test[known[cut.test]])
    found = refits.fit(cut.train)
    fit = None if isinstance(found, str) else found
    reason = found if isinstance(found, str) else ""
    prediction = np.full(len(cut.test), math.nan)
    inside, outside = Errors.none(len(cut.train)), Errors.none(len(cut.test))
    if fit is not None:
        told_in = cut.train[known[cut.train]]
        fitted = refits.predict(fit, told_in)
        if not isinstance(fitted, str):
            inside = Errors.of(fitted, y[told_in], fit.residual)
        told = (
            refits.predict(fit, cut.test) if len(cut.test) else "every row to predict is censored"
        )
        if isinstance(told, str):
            reason = told
        else:
            prediction = told
            outside = Errors.of(told, y[cut.test], fit.residual)
    reach = (
        np.full(len(cut.test), math.nan)
        if places is None
        else log_reach(places, cut.train, cut.test)
    )
    return Split(
        cut.name, cut.train, cut.test, fit, reason, inside, outside, prediction, reach, cut.facts
    )


def _ranks(values: Floats) -> Floats:
    """Return ranks, ties sharing the mean of theirs."""
    _, index, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2.0)[index])
