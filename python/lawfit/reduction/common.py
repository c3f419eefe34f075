"""What all reducers share: reading the table, groups of rows, and what was left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..runs import Runs, read
from ..tables import number_text

__all__ = ["Dropped", "Floats", "Group", "groups_of", "point", "prepare", "table", "whole_number"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Dropped:
    """A row or a group that gave no point.

    Attributes
    ----------
    what : str
        The row as messages call it, or the group, like "C = 1e+18".
    reason : str
    """

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True)
class Group:
    """Rows that agree in some columns: the cells they share, and the rows' numbers, in order."""

    key: dict[str, Any]
    rows: NDArray[np.intp]

    def __str__(self) -> str:
        cells = (
            f"{k} = {number_text(v) if isinstance(v, float) else v}" for k, v in self.key.items()
        )
        return ", ".join(cells) or "all rows"


def prepare(
    runs: Any,
    finite: Sequence[str],
    positive: Sequence[str] = (),
    *,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> tuple[Runs, tuple[Dropped, ...]]:
    """Read a table and check the columns of numbers that a reducer uses.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
    finite : sequence of str
        Columns in which no cell may be missing or infinite.
    positive : sequence of str
        Those of them whose logarithm is taken.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite.

    Returns
    -------
    runs : Runs
    dropped : tuple of Dropped
        The rows that were omitted.

    Raises
    ------
    InputError
        If a column is missing or text, a cell is not finite (unless omitted), or one whose
        logarithm is taken is not above 0.
    """
    if missing not in ("raise", "omit"):
        raise InputError(f'missing = {missing!r} must be "raise" or "omit"')
    runs = read(runs, columns=columns, derive=derive, where=where)
    omitted: tuple[str, ...] = ()
    if missing == "omit":
        runs, omitted = runs.drop_non_finite(finite)
    else:
        runs.require_finite(finite)
    for name in positive:
        bad = runs.numbers(name) <= 0.0
        if bad.any():
            i = int(bad.argmax())
            raise InputError(
                f'{runs.source}: column "{name}", {runs.row_label(i)}: '
                f"{runs.numbers(name)[i]:g} has no logarithm; expected numbers above 0"
            )
    return runs, tuple(Dropped(label, "a value is missing or infinite") for label in omitted)


def groups_of(runs: Runs, by: Sequence[str] | str) -> Iterator[Group]:
    """Yield the rows that agree in the columns `by`, in sorted order; all rows if there are none.

    Raises
    ------
    InputError
        If a column or one of its cells is missing.
    """
    by = [by] if isinstance(by, str) else list(by)
    if len(set(by)) < len(by):
        raise InputError(f"by = {by!r} names a column twice")
    number = np.zeros(runs.n, dtype=np.intp)
    cells: dict[str, NDArray[Any]] = {}
    for name in by:
        cells[name] = runs[name]
        is_number = cells[name].dtype.kind == "f"
        bad = ~np.isfinite(cells[name]) if is_number else cells[name] == ""
        if bad.any():
            raise InputError(
                f'{runs.source}: column "{name}", {runs.row_label(int(bad.argmax()))}: the group '
                "is missing or infinite"
            )
        levels, level = np.unique(cells[name], return_inverse=True)
        number = np.unique(number * len(levels) + level.reshape(-1), return_inverse=True)[1]
        number = number.reshape(-1)
    order = np.argsort(number, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        yield Group({name: cells[name][rows[0]].item() for name in by}, rows)


def point(group: Group, **cells: Any) -> dict[str, Any]:
    """Join the cells that a group shares and those that were computed.

    Raises
    ------
    InputError
        If a column of both has the same name.
    """
    for name in cells:
        if name in group.key:
            raise InputError(
                f'by names the column "{name}", which is also a column of the result; rename it '
                f'(columns={{"my_{name}": "{name}"}})'
            )
    return {**group.key, **cells}


def table(
    points: Sequence[Mapping[str, Any]], source: str, given: Runs, keys: Sequence[str] | str = ()
) -> Any:
    """Make a table of points, one mapping of cells each, in the kind that was given.

    Parameters
    ----------
    points : sequence of mappings
    source : str
        What messages call the table.
    given : Runs
        What the points were made from.
    keys : str or sequence of str
        The columns whose cells are those of `given`.

    Returns
    -------
    Runs or DataFrame

    Raises
    ------
    InputError
        If there is none.
    """
    if not points:
        raise InputError(f"{source}: no point is left")
    columns = {name: np.array([p[name] for p in points]) for name in points[0]}
    return given.answer(Runs(columns, source=source), [keys] if isinstance(keys, str) else keys)


def whole_number(value: Any, name: str, least: int) -> int:
    """Return a whole number of at least `least`, or raise InputError."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise InputError(f"{name} = {value!r} must be a whole number of at least {least}")
