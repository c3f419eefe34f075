"""Parameters with one value per level of a column: their names, and the rows that share values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .law import Law
from .runs import Runs

__all__ = ["Groups", "Segments"]

T = TypeVar("T")
Ints = NDArray[np.int32]


class Segments(NamedTuple):
    """Rows put together that share the values of all parameters.

    Attributes
    ----------
    order : ndarray of shape (n,)
        Rows, segment after segment; empty if there are no groups.
    rows : ndarray of shape (segments,)
        How many rows each has; empty if there are no groups.
    first : ndarray of shape (segments,)
        A row of each.
    """

    order: Ints
    rows: Ints
    first: NDArray[np.intp]


class Groups:
    """What the levels in a table make of a law's parameters.

    Parameters
    ----------
    law : Law
    runs : Runs
    names : sequence of str
        The law's parameters.

    Attributes
    ----------
    members : dict of str to tuple of str
        For each parameter the names of its values: E: (E[c4], E[wiki]) or alpha: (alpha,).
    stem : dict of str to str
        The parameter that each of these names belongs to.

    Raises
    ------
    InputError
        If a column of groups is missing, or has cells that are missing or infinite.
    """

    def __init__(self, law: Law, runs: Runs, names: Sequence[str]) -> None:
        self.n = runs.n
        self.column = law.groups
        self.levels: dict[str, tuple[str, ...]] = {}
        self.index: dict[str, NDArray[np.intp]] = {}
        for name, column in self.column.items():
            if column not in self.levels:
                needed_by = f"{name}[{column}]"
                self.levels[column], self.index[column] = runs.levels(column, needed_by)
        self.members = {
            n: tuple(f"{n}[{level}]" for level in self.levels[self.column[n]])
            if n in self.column
            else (n,)
            for n in names
        }
        self.stem = {m: n for n, members in self.members.items() for m in members}

    def by_level(self, values: Mapping[str, T]) -> dict[str, T]:
        """Give every level the value of its parameter, except where the level has one itself."""
        general = {
            m: v for n, v in values.items() if n in self.column for m in self.members.get(n, (n,))
        }
        return general | {n: v for n, v in values.items() if n not in self.column}

    def tied(self, groups: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
        """Write out ties: level by level between parameters of the same groups, else all to one."""
        found: list[tuple[str, ...]] = []
        for group in groups:
            columns = {self.column.get(n) for n in group}
            if len(group) > 1 and len(columns) == 1 and None not in columns:
                found += zip(*(self.members[n] for n in group), strict=True)
            elif columns == {None}:
                found.append(group)
            else:
                found.append(tuple(m for n in group for m in self.members.get(n, (n,))))
        return tuple(found)

    def segments(self, rows: Any) -> Segments:
        """Put rows together, the selected ones of the table, by the combination of their levels."""
        if not self.column:
            none = np.empty(0, dtype=np.int32)
            return Segments(none, none, np.zeros(1, dtype=np.intp))
        segment = np.zeros(1, dtype=np.intp)
        for column, index in self.index.items():
            combined = segment * len(self.levels[column]) + index[rows]
            _, first, segment, count = np.unique(
                combined, return_index=True, return_inverse=True, return_counts=True
            )
        order = np.argsort(segment, kind="stable").astype(np.int32)
        return Segments(order, count.astype(np.int32), np.arange(self.n)[rows][first])

    def in_segments(self, values: Mapping[str, Any], segments: Segments) -> NDArray[Any]:
        """Return the value of every parameter in every segment, shape (segments, parameters)."""
        columns = []
        for name, members in self.members.items():
            column = self.column.get(name)
            level = 0 if column is None else self.index[column][segments.first]
            value = np.array([values[m] for m in members])[level]
            columns.append(np.broadcast_to(value, segments.first.shape))
        return np.stack(columns, axis=1) if columns else np.empty((len(segments.first), 0))
