"""A table of training runs: named columns of numbers or text, with filters and derived columns."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .compiler import evaluate_columns
from .errors import FormulaError, InputError
from .formula import names
from .frames import Frame
from .tables import closest, listed, load, not_a_number, number, number_text, to_arrays, to_column

__all__ = ["Runs", "parse_derivation", "read"]

Floats: TypeAlias = NDArray[np.float64]

_COMPARE_TEXTS = "compare a column with a text like dataset == 'c4' or dataset != 'c4'"


class _NoColumnError(InputError, KeyError):
    """A missing column; also a KeyError, as Mapping's `get` and `in` require."""

    __str__ = Exception.__str__  # KeyError would quote the message


def parse_derivation(text: str) -> tuple[str, str]:
    """Split "D = C/(6*N)" into the name "D" and the formula "C/(6*N)".

    Raises
    ------
    InputError
        If there is no "=" ("==" is a comparison), no formula, or the name cannot be used.
    """
    text = _stripped(text, "derivation")
    parts = re.split(r"(?<![=<>!])=(?!=)", text, maxsplit=1)
    if len(parts) < 2 or not parts[1].strip():
        missing = 'no "="' if len(parts) < 2 else 'nothing after the "="'
        note = ' ("==" compares)' if len(parts) < 2 and "==" in text else ""
        raise InputError(
            f'"{text}" has {missing}{note}; expected NAME = FORMULA, like "D = C / (6 * N)"'
        )
    name = parts[0].strip()
    _require_name(name, text)
    return name, parts[1].strip()


class Runs(Mapping[str, NDArray[Any]]):
    """An immutable table: named 1-D columns of equal length (float64, or text).

    A column holds numbers if every cell is a number or missing (nan), and text otherwise.

    Parameters
    ----------
    columns : mapping of str to array-like
        Cells of each column, shape (n,). Scalars are repeated if at least one is an array.
    source : str
        What messages call the table.
    row_labels : ndarray, shape (n,), optional
        How messages name each row: row numbers, or texts used as they are. Default: 1 to n.
    copy : bool
        False saves the memory of a second table: float64 arrays are only looked at, and writing to
        them later changes this table.
    frame : Frame, optional
        The DataFrame that the columns come from.

    Raises
    ------
    InputError
        If there is no column or no row, lengths differ, or a column cannot be used.
    """

    __slots__ = ("_columns", "_frame", "_labels", "_source")

    parse_derivation = staticmethod(parse_derivation)

    def __init__(
        self,
        columns: Mapping[str, Any],
        *,
        source: str = "runs",
        row_labels: NDArray[Any] | None = None,
        copy: bool = True,
        frame: Frame | None = None,
    ) -> None:
        self._source, self._frame = source, frame
        self._labels = None if row_labels is None else np.array(row_labels)
        arrays = to_arrays(columns, source)
        n = len(next(iter(arrays.values())))
        if self._labels is not None and self._labels.shape != (n,):
            raise InputError(f"{source}: {self._labels.size} row labels for {n} rows")
        self._columns = {}
        for name, array in arrays.items():
            column = to_column(array, partial(self._place, name))
            shared = copy and np.may_share_memory(column, array)
            self._columns[name] = _frozen(column.copy() if shared else column)

    def _with(
        self,
        columns: Mapping[str, NDArray[Any]],
        labels: NDArray[Any] | None,
        frame: Frame | None,
    ) -> Runs:
        """Return a table of columns that are converted and frozen already."""
        made = object.__new__(Runs)
        made._source, made._labels, made._columns = self._source, labels, dict(columns)
        made._frame = frame
        return made

    def _with_one(self, name: str, column: Floats) -> Runs:
        frame = None if self._frame is None else self._frame.without(name)
        return self._with({**self._columns, name: _frozen(column)}, self._labels, frame)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column: float64 (read-only), or `str` for a text column; shape (n,)."""
        column = self._column(name, "")
        return column if column.dtype.kind == "f" else self.texts(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __eq__(self, other: object) -> bool:
        """Compare names and cells; a missing value equals a missing value."""
        if not isinstance(other, Runs):
            return NotImplemented
        return list(self) == list(other) and all(
            np.array_equal(self.texts(name), other.texts(name)) for name in self
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Runs {self._source}: {self.n} rows, columns {listed(self)}>"

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(next(iter(self._columns.values())))

    @property
    def source(self) -> str:
        """What messages call the table: the file's name, or "runs"."""
        return self._source

    @property
    def frame(self) -> Frame | None:
        """The DataFrame that the table was read from, if it was one."""
        return self._frame

    def native(self) -> Any:
        """Return the table in the kind that it was read from: a DataFrame, or else itself.

        Columns that were neither derived nor computed keep the cells, types and index they had.
        """
        if self._frame is None:
            return self
        new = {name: self[name] for name in self if name not in self._frame.names}
        return self._frame.rows_with(new, list(self))

    def answer(self, columns: Mapping[str, Any], keys: Iterable[str] = ()) -> Any:
        """Return the columns of an answer in the kind that this table was read from.

        Parameters
        ----------
        columns : mapping of str to array-like of one length
        keys : iterable of str
            Those of them whose cells are some of this table's, and keep the type they have there.

        Returns
        -------
        mapping or DataFrame
            `columns`, unless a DataFrame was read.
        """
        if self._frame is None:
            return columns
        cells = {}
        for name in keys:
            values, first = np.unique(self[name], return_index=True)
            cells[name] = first[np.searchsorted(values, np.asarray(columns[name]))]
        return self._frame.table(columns, cells)

    def without_frame(self) -> Runs:
        """Return the table without the DataFrame it was read from, which may then be freed."""
        return self if self._frame is None else self._with(self._columns, self._labels, None)

    def row_label(self, i: int) -> str:
        """Name row i (from 0) as the user knows it, e.g. "row 7 (line 8 of the file)"."""
        label = i + 1 if self._labels is None else self._labels[i]
        return label if isinstance(label, str) else f"row {label}"

    def numbers(self, name: str, needed_by: str = "") -> Floats:
        """Return a column of numbers, float64, shape (n,), read-only; missing values are nan.

        Parameters
        ----------
        name : str
            The column.
        needed_by : str
            What needs it, for messages.

        Raises
        ------
        InputError
            If there is no such column, or a cell is not a number: names the first such cell.
        """
        column = self._column(name, needed_by)
        if column.dtype.kind == "f":
            return column
        numbers = np.empty(self.n)
        for i, cell in enumerate(column):
            try:
                value = number(cell)
            except OverflowError:
                value = None
            if value is None:
                raise InputError(f"{self._place(name, i)}: {not_a_number(cell)}{_for(needed_by)}")
            numbers[i] = value
        return _frozen(numbers)

    def texts(self, name: str) -> NDArray[np.str_]:
        """Return a column as text, shape (n,): integers without ".0", missing values as ""."""
        column = self._column(name, "")
        if column.dtype.kind == "f":
            column = np.array([number_text(value) for value in column.tolist()], dtype=object)
        return _frozen(column.astype(np.str_))

    def levels(self, name: str, needed_by: str = "") -> tuple[tuple[str, ...], NDArray[np.intp]]:
        """Return the different cells of a column of groups, sorted, and which of them each row has.

        Parameters
        ----------
        name : str
            A column of texts or of numbers.
        needed_by : str
            What needs it, for messages.

        Returns
        -------
        levels : tuple of str
        index : ndarray, shape (n,)

        Raises
        ------
        InputError
            If there is no such column, a cell is missing, or a number is infinite.
        """
        column = self._column(name, needed_by)
        missing = self._missing(column)
        if missing.any():
            raise InputError(
                f"{self._place(name, int(missing.argmax()))}: the group is missing in "
                f'{missing.sum()} of {self.n} rows (missing="omit" leaves such rows out)'
            )
        if column.dtype.kind == "f":
            broken = ~np.isfinite(column)
            if broken.any():
                i = int(broken.argmax())
                raise InputError(
                    f"{self._place(name, i)}: {column[i]:g} cannot be a group{_for(needed_by)}; "
                    "groups are texts or finite numbers"
                )
            values, index = np.unique(column, return_inverse=True)
            return tuple(map(number_text, values.tolist())), index
        number_of = {level: k for k, level in enumerate(sorted(set(column.tolist())))}
        index = np.fromiter((number_of[level] for level in column), np.intp, self.n)
        return tuple(number_of), index

    def rename(self, names: Mapping[str, str]) -> Runs:
        """Return the table with columns renamed; the others are kept.

        Parameters
        ----------
        names : mapping of str to str
            New name -> existing name.

        Raises
        ------
        InputError
            If an existing name is missing, used twice, or a new name is already taken.
        """
        new_names: dict[str, str] = {}
        for new, old in names.items():
            self._column(old, f'the column "{new}"')
            if not _stripped(new, "column name"):
                raise InputError(f'{self._source}: the new name of column "{old}" is empty')
            if old in new_names:
                raise InputError(
                    f'{self._source}: column "{old}" cannot be renamed to both '
                    f'"{new_names[old]}" and "{new}"'
                )
            new_names[old] = new
        for old, new in new_names.items():
            if new in self._columns and new not in new_names:
                raise InputError(
                    f'{self._source}: cannot rename column "{old}" to "{new}": '
                    f'there already is a column "{new}"'
                )
        renamed = {new_names.get(name, name): column for name, column in self._columns.items()}
        frame = None if self._frame is None else self._frame.rename(new_names)
        return self._with(renamed, self._labels, frame)

    def derive(self, name: str, formula: str) -> Runs:
        """Return the table with a column computed from others (or replaced, if it exists).

        Parameters
        ----------
        name : str
            The new column, a name that formulas can use.
        formula : str
            For example "C / (6 * N)".

        Raises
        ------
        InputError
            If the name or the formula cannot be used, or a column in it is missing or text.
        """
        _require_name(name, f"{name} = {formula}")
        formula = _stripped(formula, "formula")
        column = self._evaluate(formula, f'"{name} = {formula}"', {})
        return self._with_one(name, column)

    def with_column(self, name: str, values: Floats) -> Runs:
        """Return the table with a column of numbers added, shape (n,)."""
        return self._with_one(name, np.array(values, dtype=float))

    def where(self, condition: str) -> Runs:
        """Return the rows where a formula is neither zero nor nan.

        Parameters
        ----------
        condition : str
            For example "N > 1e8 and dataset == 'c4'": text columns can be compared with a quoted
            text by == and !=.

        Raises
        ------
        InputError
            If the condition cannot be used or keeps no row.
        """
        condition = _stripped(condition, "condition")
        rewritten, tests = _replace_text_tests(condition, set(self))
        masks = {alias: self._compare(test, condition) for alias, test in tests.items()}
        try:
            value = self._evaluate(rewritten.rstrip(), f'the condition "{condition}"', masks)
        except FormulaError as error:  # positions are the same in both texts
            raise FormulaError(error.reason, condition, error.position) from None
        keep = (value != 0) & ~np.isnan(value)
        if not keep.any():
            raise InputError(
                f'{self._source}: the condition "{condition}" keeps none of the {self.n} rows'
                + "".join(self._unknown_text(test) for test in tests.values())
            )
        return self._keep(keep)

    def take(self, rows: NDArray[np.intp]) -> Runs:
        """Return rows by number (from 0), in the order given; they keep their labels."""
        labels = np.arange(1, self.n + 1) if self._labels is None else self._labels
        columns = {name: _frozen(column[rows]) for name, column in self._columns.items()}
        frame = None if self._frame is None else self._frame.take(np.arange(self.n)[rows])
        return self._with(columns, labels[rows], frame)

    def drop_non_finite(
        self, names: Iterable[str], groups: Iterable[str] = ()
    ) -> tuple[Runs, tuple[str, ...]]:
        """Leave out the rows where a column of numbers is missing or infinite.

        Parameters
        ----------
        names : iterable of str
            The columns of numbers that matter.
        groups : iterable of str
            Columns of texts or numbers of which no cell may be missing.

        Returns
        -------
        runs : Runs
            The rows that are left.
        dropped : tuple of str
            The labels of those that are not.

        Raises
        ------
        InputError
            If no row is left, or a column is missing or text.
        """
        names, groups = list(names), list(groups)
        bad: NDArray[np.bool_] = np.asarray(self._non_finite(names).any(axis=1))
        for group in groups:
            bad |= self._missing(self._column(group, "the groups"))
        if bad.all():
            raise InputError(
                f"{self._source}: each of the {self.n} rows has a missing or infinite value "
                f"in {listed([*names, *groups])}; none is left"
            )
        return self._keep(~bad), tuple(map(self.row_label, np.flatnonzero(bad).tolist()))

    def require_finite(self, names: Iterable[str]) -> None:
        """Raise InputError, naming the first bad cell, unless the columns are all finite."""
        names = list(names)
        # A sum needs no memory and shows every value that is not finite; it may overflow, though.
        with np.errstate(all="ignore"):
            if all(np.isfinite(self.numbers(name).sum()) for name in names):
                return
        bad = self._non_finite(names)
        if not bad.any():
            return
        i, j = np.argwhere(bad)[0]
        value = self.numbers(names[j])[i]
        what = "the value is missing (nan)" if np.isnan(value) else f"the value is {value}"
        raise InputError(
            f"{self._place(names[j], i)}: {what}; {bad.any(axis=1).sum()} of {self.n} rows have "
            'a missing or infinite value (missing="omit" leaves such rows out)'
        )

    def _column(self, name: str, needed_by: str) -> NDArray[Any]:
        if name in self._columns:
            return self._columns[name]
        near = closest(name, self) if isinstance(name, str) else []
        guess = f"; did you mean {listed(near, ' or ')}?" if near else ""
        raise _NoColumnError(
            f'{self._source}: there is no column "{name}"{_for(needed_by)}{guess} '
            f"(columns: {listed(self)})"
        )

    def _place(self, name: str, i: int | None = None) -> str:
        row = "" if i is None else f", {self.row_label(i)}"
        return f'{self._source}: column "{name}"{row}'

    def _keep(self, keep: NDArray[np.bool_]) -> Runs:
        return self.take(np.flatnonzero(keep))

    def _non_finite(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return where columns are nan or infinite, shape (n, len(names))."""
        bad = np.zeros((self.n, len(names)), dtype=bool)
        for j, name in enumerate(names):
            bad[:, j] = ~np.isfinite(self.numbers(name))
        return bad

    @staticmethod
    def _missing(column: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where a column of numbers or texts has no value, shape (n,)."""
        return np.asarray(np.isnan(column) if column.dtype.kind == "f" else column == "", bool)

    def _evaluate(self, formula: str, needed_by: str, known: Mapping[str, Floats]) -> Floats:
        """Evaluate a formula on the columns it names and on `known`, shape (n,)."""
        used = [name for name in names(formula) if name not in known]
        for name in used:  # a missing column is worse than a text in another
            self._column(name, needed_by)
        columns = {**known, **{name: self.numbers(name, needed_by) for name in used}}
        if not columns:  # a constant; any column tells how many rows there are
            columns[next(iter(self))] = np.zeros(self.n)
        return np.array(np.broadcast_to(evaluate_columns(formula, columns), (self.n,)), float)

    def _compare(self, test: _TextTest, condition: str) -> Floats:
        column = self._column(test.column, f'the condition "{condition}"')
        if column.dtype.kind == "f":
            raise InputError(
                f'{self._place(test.column)} holds numbers, but the condition "{condition}" '
                f'compares it with the text "{test.text}"; leave out the quotes'
            )
        return np.asarray((column == test.text) == test.equal, dtype=np.float64)

    def _unknown_text(self, test: _TextTest) -> str:
        """Say what a text column holds if the text it was compared with is not there."""
        known = dict.fromkeys(self._column(test.column, "").tolist())
        if test.text in known:
            return ""
        near = closest(test.text, known)
        return (
            f'; column "{test.column}" never is "{test.text}" but '
            f"{listed([*near, *(text for text in known if text not in near)], most=5)}"
        )


def read(
    source: object,
    *,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    copy: bool = True,
) -> Runs:
    """Read a table of runs, then rename, derive and filter, in this order.

    Parameters
    ----------
    source : Runs, mapping of arrays, DataFrame, str or PathLike
        The table, or the path of a .csv, .tsv, .csv.gz or .parquet file.
    columns : mapping of str to str, optional
        New name -> name in the table.
    derive : mapping of str to str, or iterable of str, optional
        Name -> formula, or texts like "D = C/(6*N)"; each can use those before it.
    where : str or iterable of str, optional
        Conditions that the rows to keep meet.
    copy : bool
        As for `Runs`.

    Raises
    ------
    InputError
        If the table cannot be read, or one of the steps cannot be done.
    """
    runs = source if isinstance(source, Runs) else _from_raw(source, copy)
    if columns:
        if not isinstance(columns, Mapping):
            raise InputError(f"columns: expected {{new name: existing name}}, got {columns!r}")
        runs = runs.rename(columns)
    if isinstance(derive, Mapping):
        steps = list(derive.items())
    else:
        steps = [parse_derivation(text) for text in _texts(derive)]
    for name, formula in steps:
        runs = runs.derive(name, formula)
    for condition in _texts(where):
        runs = runs.where(condition)
    return runs


class _TextTest(NamedTuple):
    """A comparison of a text column with a text: equal, or not equal."""

    column: str
    text: str
    equal: bool


def _replace_text_tests(condition: str, taken: set[str]) -> tuple[str, dict[str, _TextTest]]:
    """Replace comparisons with a quoted text by names, padded so that positions stay.

    Returns
    -------
    rewritten : str
        The condition, without texts.
    tests : dict of str to _TextTest
        What each of the new names stands for.
    """
    if not re.search("[\"']", condition):
        return condition, {}
    rewritten = condition.replace("\n", " ")
    try:
        tree = ast.parse(rewritten, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = max((getattr(error, "offset", 1) or 1) - 1, 0)
        reason = f"this condition cannot be read; {_COMPARE_TEXTS}"
        raise FormulaError(reason, condition, min(offset, len(condition))) from None
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    names = taken | {node.id for node in nodes if isinstance(node, ast.Name)}
    aliases = (f"t{k}" for k in count() if f"t{k}" not in names)
    utf8 = rewritten.encode()  # ast counts bytes
    tests: dict[str, _TextTest] = {}
    for node in nodes:  # from the outside in: a text that is left over is in no comparison
        start = len(utf8[: node.col_offset].decode())
        end = len(utf8[: node.end_col_offset].decode())
        test = _text_test(node)
        if test is not None:
            alias = next(aliases)
            tests[alias] = test
            rewritten = rewritten[:start] + alias.ljust(end - start) + rewritten[end:]
        elif _is_text(node) and rewritten[start:end] == condition[start:end]:
            raise FormulaError(f"a text cannot be used here; {_COMPARE_TEXTS}", condition, start)
    return rewritten, tests


def _text_test(node: ast.expr) -> _TextTest | None:
    """Return what `column == 'text'` (or !=, or the other way round) compares."""
    match node:
        case (
            ast.Compare(
                left=ast.Name(id=name),
                ops=[ast.Eq() | ast.NotEq() as sign],
                comparators=[ast.Constant(value=str(text))],
            )
            | ast.Compare(
                left=ast.Constant(value=str(text)),
                ops=[ast.Eq() | ast.NotEq() as sign],
                comparators=[ast.Name(id=name)],
            )
        ):
            return _TextTest(name, text.strip(), isinstance(sign, ast.Eq))
    return None


def _is_text(node: ast.expr) -> bool:
    """Tell whether this is a quoted text (plain, bytes or f-string)."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _from_raw(source: object, copy: bool) -> Runs:
    raw = load(source)
    return Runs(
        raw.columns,
        source=raw.source,
        row_labels=raw.row_labels,
        copy=copy,
        frame=raw.frame,
    )


def _require_name(name: str, text: str) -> None:
    if not _stripped(name, "column name").isidentifier() or keyword.iskeyword(name):
        raise InputError(
            f'"{name}" in "{text}" cannot be the name of a derived column; expected a word '
            "of letters, digits and _ that does not start with a digit"
        )


def _texts(given: str | Iterable[str] | None) -> list[str]:
    if given is None:
        return []
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _stripped(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"expected a {what} as text, got {text!r}")
    return text.strip()


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _for(needed_by: str) -> str:
    return f" (needed by {needed_by})" if needed_by else ""
