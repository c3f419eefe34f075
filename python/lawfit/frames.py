"""DataFrames that were given, so that answers which are tables come in the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame"]


@dataclass(frozen=True, eq=False)
class Frame:
    """A DataFrame of any library, and what a table that was read from it still has of it.

    Parameters
    ----------
    data : narwhals.DataFrame
    names : mapping of str to str
        Columns of the table whose cells are as they were given -> their names in `data`.
    rows : ndarray of int, optional
        The rows of `data` that are left, in order; None for all.
    """

    data: Any
    names: Mapping[str, str]
    rows: NDArray[np.intp] | None = None

    def __reduce__(self) -> Any:
        """A pickle of a table holds the table alone, and can be read without the library."""
        return type(None), ()

    def take(self, rows: NDArray[np.intp]) -> Frame:
        """Return it with some of its rows, counted from 0."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def rename(self, new_names: Mapping[str, str]) -> Frame:
        """Return it with columns renamed; old name -> new name."""
        return replace(self, names={new_names.get(n, n): old for n, old in self.names.items()})

    def without(self, name: str) -> Frame:
        """Return it without a column, whose cells are no longer those given."""
        return replace(self, names={n: old for n, old in self.names.items() if n != name})

    def kind(self) -> Frame:
        """Return it without any of its cells."""
        return replace(self, names={})

    def table(
        self, columns: Mapping[str, Any], cells: Mapping[str, NDArray[np.intp]] | None = None
    ) -> Any:
        """Make a new table in the kind of this one.

        Parameters
        ----------
        columns : mapping of str to array-like of one length
        cells : mapping of str to ndarray of int
            Columns whose cells are those of the given rows named here, in the type they have there.
        """
        made = self._new(columns)
        for name, rows in (cells or {}).items():
            if name in self.names:
                at = rows if self.rows is None else self.rows[rows]
                given = self.data.get_column(self.names[name])[at.tolist()]
                made = made.with_columns(given.alias(name))
        return made.to_native()

    def rows_with(self, columns: Mapping[str, Any], names: Sequence[str]) -> Any:
        """Return the given rows, with their index if the library has that.

        Parameters
        ----------
        columns : mapping of str to array-like
            One cell per row that is left.
        names : sequence of str
            The columns of the result, in order, among `columns` and those given.
        """
        part = self.data if self.rows is None else self.data[self.rows.tolist()]
        kept = {n: old for n, old in self.names.items() if n in names and n not in columns}
        if kept:
            part = part.select(list(kept.values()))
            part = part.rename({old: n for n, old in kept.items() if old != n})
        if columns:
            new = self._new(columns)
            part = part.with_columns(*(new.get_column(name) for name in columns))
        return part.select(list(names)).to_native()

    def _new(self, columns: Mapping[str, Any]) -> Any:
        """Return a table of the same library, unrelated rows."""
        import narwhals

        library: Any = narwhals.get_native_namespace(self.data)
        cells = {name: _plain(column) for name, column in columns.items()}
        make = library.table if hasattr(library, "table") else library.DataFrame
        return narwhals.from_native(make(cells), eager_only=True)


def _plain(column: Any) -> Any:
    """Return numbers as an array that may be written to, and anything else as a list."""
    array = np.asarray(column)
    return np.array(array) if array.dtype.kind in "biuf" else array.tolist()
