"""Which rows to fit and which to predict: splitters that speak scikit-learn's protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import evaluate_columns
from ..errors import InputError
from ..execution import seed_from
from ..formula import names
from ..runs import Runs, read

__all__ = [
    "Cut",
    "LeaveOneGroupOut",
    "LeaveOneOut",
    "RandomFolds",
    "Rolling",
    "Splitter",
    "TrainingGrid",
    "column_values",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

ROUNDING = 1e-9  # of a share of training


@dataclass(frozen=True)
class Cut:
    """One split: its name, the rows to fit, the rows to predict, and numbers that describe it."""

    name: str
    train: Rows
    test: Rows
    facts: Mapping[str, float] = field(default_factory=dict)


class Splitter:
    """Base of the splitters: `split` and `get_n_splits` as scikit-learn calls them.

    X may be a table with names (`Runs`, mapping, DataFrame) or an array of shape (n, columns).
    """

    def cuts(self, X: Any, groups: Any = None) -> list[Cut]:
        """Return every split of a table.

        Raises
        ------
        InputError
            If the table cannot be split in this way.
        """
        raise NotImplementedError

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield the rows to fit and the rows to predict, by number."""
        for cut in self.cuts(X, groups):
            yield cut.train, cut.test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many splits there are."""
        return len(self.cuts(X, groups))


class Rolling(Splitter):
    """Fit the smaller runs, predict larger ones, with a border that moves up.

    Rows of one value are never torn apart.

    Parameters
    ----------
    order : str, int, array of shape (n,) or callable
        What "small" means: a column or a formula of columns ("6*N*D"; "C" is 6*N*D where there is
        no such column), the number of a column of an array, the values themselves, or a function
        of X.
    steps : int
        Number of splits.
    first : float, optional
        Share of the rows in the first training set. Default 1 / (steps + 1).
    ahead : {"next", "all"}
        Predict the rows up to the next border, or all larger ones.
    """

    def __init__(
        self,
        order: Any = "C",
        steps: int = 5,
        *,
        first: float | None = None,
        ahead: str = "next",
    ) -> None:
        _require_count("steps", steps, 1)
        if first is not None and not 0.0 < first < 1.0:
            raise InputError(f"first = {first!r} must lie between 0 and 1: a share of the rows")
        if ahead not in ("next", "all"):
            raise InputError(f"ahead = {ahead!r} must be 'next' or 'all'")
        self.order, self.steps, self.first, self.ahead = order, steps, first, ahead

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of steps."""
        return self.steps

    def cuts(self, X: Any, groups: Any = None) -> list[Cut]:
        """Return the splits, the smallest training set first."""
        values = column_values(X, self.order, "order")
        ranked = np.argsort(values, kind="stable")
        inner = np.flatnonzero(np.diff(values[ranked])) + 1  # where a larger value begins
        if len(inner) < self.steps:
            raise InputError(
                f"order {_shown(self.order)} has {len(inner) + 1} different "
                f"value{'s' * bool(len(inner))} in {len(values)} rows; {self.steps} "
                f"step{'s' * (self.steps > 1)} need at least {self.steps + 1}"
            )
        first = 1.0 / (self.steps + 1) if self.first is None else self.first
        wanted = len(values) * (first + (1.0 - first) * np.arange(self.steps) / self.steps)
        borders: list[int] = []
        at = 0
        for k, place in enumerate(wanted):
            left = inner[at : len(inner) - (self.steps - 1 - k)]
            nearest = int(np.argmin(np.abs(left - place)))
            borders.append(int(left[nearest]))
            at += nearest + 1
        found = []
        for border, after in zip(borders, [*borders[1:], len(values)], strict=True):
            end = len(values) if self.ahead == "all" else after
            largest = values[ranked[border - 1]]
            found.append(
                Cut(
                    f"{_shown(self.order)} <= {largest:.4g}",
                    np.sort(ranked[:border]),
                    np.sort(ranked[border:end]),
                )
            )
        return found


class LeaveOneGroupOut(Splitter):
    """Fit all groups but one, predict that one.

    Parameters
    ----------
    by : str, int or array of shape (n,), optional
        Column of the groups, its number, or the groups. Default: the `groups` given to `split`.
    """

    def __init__(self, by: Any = None) -> None:
        self.by = by

    def cuts(self, X: Any, groups: Any = None) -> list[Cut]:
        """Return one split per group, in sorted order."""
        given = groups if self.by is None else self.by
        if given is None:
            raise InputError("leave-one-group-out needs groups: give `by` a column, or groups")
        levels, index = _levels(X, given, "by")
        if len(levels) < 2:
            raise InputError(
                f"by {_shown(given)} has one group only, {levels[0]!r}: nothing is left to fit "
                "when it is left out"
            )
        label = f"{given} = " if isinstance(given, str) else ""
        return [
            Cut(f"{label}{level}", np.flatnonzero(index != k), np.flatnonzero(index == k))
            for k, level in enumerate(levels)
        ]


class RandomFolds(Splitter):
    """Predict each of several random parts from the others.

    Parameters
    ----------
    folds : int
    rng : int, Generator or None
        The same seed gives the same parts.
    """

    def __init__(self, folds: int = 5, rng: int | np.random.Generator | None = 0) -> None:
        _require_count("folds", folds, 2)
        self.folds, self.rng = folds, seed_from(rng)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.folds

    def cuts(self, X: Any, groups: Any = None) -> list[Cut]:
        """Return one split per part."""
        n = _row_count(X)
        if n < self.folds:
            raise InputError(f"{n} row{'s' * (n != 1)} cannot be parted into {self.folds} folds")
        place = np.random.default_rng(self.rng).permutation(n) % self.folds
        return [
            Cut(f"fold {k + 1}", np.flatnonzero(place != k), np.flatnonzero(place == k))
            for k in range(self.folds)
        ]


class LeaveOneOut(Splitter):
    """Predict every row from all others."""

    def cuts(self, X: Any, groups: Any = None) -> list[Cut]:
        """Return one split per row."""
        n = _row_count(X)
        if n < 2:
            raise InputError("leave-one-out needs at least two rows")
        rows = np.arange(n)
        return [Cut(f"row {k + 1}", np.delete(rows, k), rows[k : k + 1]) for k in rows]


class TrainingGrid(Splitter):
    """Predict the end of the largest model's training from smaller models, seen in part.

    The design of Choshen et al., "A Hitchhiker's Guide to Scaling Law Estimation" (arXiv
    2410.11840): how many smaller models, and what share of their training, are enough?

    Parameters
    ----------
    model : str, int or array of shape (n,)
        Column that names the model of a checkpoint.
    size, progress : str, int, array of shape (n,) or callable
        Its size, and how far in training the checkpoint is, as `order` of `Rolling`.
    shares : sequence of float
        Shares of each smaller model's training to be fitted, counted from its start.
    counts : sequence of int, optional
        Numbers of smaller models. Default: from 1 to all.
    pick : {"smallest", "largest"}
        Which of the smaller models are taken first.
    test : float
        Share of the largest model's training, counted from its end, that is predicted.
    """

    def __init__(
        self,
        model: Any = "model",
        size: Any = "N",
        progress: Any = "D",
        *,
        shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
        counts: Sequence[int] | None = None,
        pick: str = "smallest",
        test: float = 0.3,
    ) -> None:
        if not len(shares) or not all(0.0 < s <= 1.0 for s in shares):
            raise InputError(f"shares {shares!r} must be numbers above 0, at most 1")
        if pick not in ("smallest", "largest"):
            raise InputError(f"pick = {pick!r} must be 'smallest' or 'largest'")
        if not 0.0 < test <= 1.0:
            raise InputError(f"test = {test!r} must be above 0, at most 1")
        for count in counts or ():
            _require_count("counts", count, 1)
        self.model, self.size, self.progress = model, size, progress
        self.shares, self.counts, self.pick, self.test = shares, counts, pick, test

    def cuts(self, X: Any, groups: Any = None) -> list[Cut]:
        """Return one split per number of models and share."""
        levels, index = _levels(X, self.model, "model")
        size = column_values(X, self.size, "size")
        progress = column_values(X, self.progress, "progress")
        of = [np.flatnonzero(index == k) for k in range(len(levels))]
        sizes = np.array([size[rows].max() for rows in of])
        done = np.empty(len(size))
        for rows in of:
            done[rows] = progress[rows] / progress[rows].max()
        largest = int(np.argmax(sizes))
        smaller = np.flatnonzero(sizes < sizes[largest])
        if not smaller.size:
            raise InputError(
                f"model {_shown(self.model)}: no model is smaller than {levels[largest]!r}"
            )
        smaller = smaller[np.argsort(sizes[smaller], kind="stable")]
        if self.pick == "largest":
            smaller = smaller[::-1]
        counts = range(1, len(smaller) + 1) if self.counts is None else self.counts
        if max(counts) > len(smaller):
            raise InputError(
                f"counts {list(counts)}: only {len(smaller)} models are smaller than "
                f"{levels[largest]!r}"
            )
        test = of[largest][done[of[largest]] > 1.0 - self.test + ROUNDING]
        return [
            Cut(
                f"{count} model{'s' * (count > 1)}, {share:.3g} of training",
                np.flatnonzero(np.isin(index, smaller[:count]) & (done <= share + ROUNDING)),
                test,
                {"models": float(count), "share": float(share)},
            )
            for count in counts
            for share in self.shares
        ]


# --- what a table says ---------------------------------------------------------------------------


def column_values(X: Any, given: Any, what: str) -> Floats:
    """Return finite numbers per row, shape (n,), from a column, a formula, values or a function.

    Raises
    ------
    InputError
        If there is no such column, lengths differ, or a number is not finite.
    """
    values: Any
    if isinstance(given, str):
        values = _by_name(_named(X, given, what), given, what)
    elif isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        values = _by_number(X, int(given), what)
    else:
        values = given(X) if callable(given) else given
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} {_shown(given)}: {error}") from None
    n = _row_count(X)
    if array.shape != (n,):
        raise InputError(f"{what} {_shown(given)} has shape {array.shape}; expected ({n},)")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise InputError(f"{what} {_shown(given)}: row {bad[0] + 1} is {array[bad[0]]}")
    return array


def _by_name(table: Runs, text: str, what: str) -> Floats:
    if text in table:
        return table.numbers(text, what)
    if text == "C" and "N" in table and "D" in table:
        return 6.0 * table.numbers("N", what) * table.numbers("D", what)
    used = names(text)
    if not used:
        raise InputError(f"{what} {text!r} names no column; columns: {', '.join(table)}")
    if text == "C":
        raise InputError(
            f'{what} "C": {table.source} has neither a column C nor N and D to compute it from; '
            f"give {what} one of the columns: {', '.join(table)}"
        )
    return evaluate_columns(text, {name: table.numbers(name, f"{what} {text!r}") for name in used})


def _by_number(X: Any, number: int, what: str) -> Any:
    if isinstance(X, Mapping) or hasattr(X, "columns"):
        raise InputError(f"{what} = {number}: this table has names; give one of them")
    array = np.asarray(X)
    if array.ndim != 2 or not -array.shape[1] <= number < array.shape[1]:
        raise InputError(f"{what} = {number}: an array of shape {array.shape} has no such column")
    return array[:, number]


def _levels(X: Any, given: Any, what: str) -> tuple[tuple[str, ...], Rows]:
    if isinstance(given, str):
        return _named(X, given, what).levels(given, what)
    if isinstance(given, (int, np.integer)):
        given = _by_number(X, int(given), what)
    n = _row_count(X)
    array = np.asarray(given)
    if array.shape != (n,):
        raise InputError(f"{what} has shape {array.shape}; expected ({n},)")
    return Runs({"groups": array}).levels("groups", what)


def _named(X: Any, name: str, what: str) -> Runs:
    if isinstance(X, Runs):
        return X
    if isinstance(X, (np.ndarray, Sequence)):
        raise InputError(
            f"{what} {name!r}: this table is an array without names; give the number of a column"
        )
    return read(X)


def _row_count(X: Any) -> int:
    if X is None:
        raise InputError("the table is needed to say how it is split")
    if isinstance(X, Runs):
        return X.n
    if isinstance(X, Mapping):
        return read(X).n
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _require_count(what: str, given: Any, least: int) -> None:
    if not isinstance(given, (int, np.integer)) or isinstance(given, bool) or given < least:
        raise InputError(f"{what} = {given!r} must be an integer of {least} or more")


def _shown(given: Any) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, (int, np.integer)):
        return f"column {given}"
    if callable(given):
        return getattr(given, "__name__", "function")
    return "(values)"


def cuts_of(
    splitter: Any, table: Runs, columns: Iterable[str], target: str, groups: str | None
) -> list[Cut]:
    """Return the splits of a table by a splitter of this module, one like it, or pairs of rows.

    Parameters
    ----------
    splitter : Splitter, object with `split`, or iterable of pairs of row numbers
    table : Runs
    columns : iterable of str
        The columns of numbers that other splitters see, as an array.
    target : str
        The column that they see as y.
    groups : str, optional
        The column that they see as groups.

    Raises
    ------
    InputError
        If the splitter cannot be used on the table.
    """
    by = None if groups is None else table.texts(groups)
    if isinstance(splitter, Splitter):
        cuts = splitter.cuts(table, by)
    else:
        pairs = splitter
        split: Callable[..., Any] | None = getattr(splitter, "split", None)
        if split is not None:
            X = np.column_stack([table.numbers(name) for name in columns])
            pairs = split(X, table.numbers(target), by)
        try:
            cuts = [
                Cut(f"split {k + 1}", _row_numbers(train, table.n), _row_numbers(test, table.n))
                for k, (train, test) in enumerate(pairs)
            ]
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            raise InputError(
                f"splitter {splitter!r} does not split this table into pairs of row numbers: "
                f"{error}"
            ) from None
    if not cuts:
        raise InputError("the splitter gives no split")
    for cut in cuts:
        if np.intersect1d(cut.train, cut.test).size:
            raise InputError(f"{cut.name}: a row is both fitted and predicted")
        if not cut.test.size:
            raise InputError(f"{cut.name}: no row is predicted")
    return cuts


def _row_numbers(given: Any, n: int) -> Rows:
    rows = np.asarray(given)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise InputError("a splitter must give row numbers (integers) or masks of all rows")
    outside = rows[(rows < 0) | (rows >= n)]
    if outside.size:
        raise InputError(f"a splitter gives row {outside[0]}; rows go from 0 to {n - 1}")
    return rows.astype(np.intp)


def log_reach(order: Floats, train: Rows, test: Rows) -> Floats:
    """Return the log of each tested value over the largest fitted one; nan unless positive."""
    if not train.size or order[train].max() <= 0:
        return np.full(len(test), math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.log(order[test] / order[train].max())
    return np.where(order[test] > 0, reach, np.nan)
