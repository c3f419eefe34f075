"""A mapping of columns as lines of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["lines"]


def lines(
    columns: Mapping[str, Sequence[Any]], formats: Mapping[str, str] | None = None
) -> list[str]:
    """Return a header and one line per row; texts left, numbers right.

    Parameters
    ----------
    columns : mapping of str to sequence
    formats : mapping of str to str, optional
        Format of a column's numbers, default ".4g". A column not named as a key is shown, too.
    """
    formats = formats or {}
    cells = {
        name: [_cell(value, formats.get(name, ".4g")) for value in values]
        for name, values in columns.items()
    }
    width = {name: max(len(name), *map(len, shown), 0) for name, shown in cells.items()}
    left = {name for name, values in columns.items() if any(isinstance(v, str) for v in values)}

    def line(row: Mapping[str, str]) -> str:
        return "  ".join(
            f"{text:<{width[name]}}" if name in left else f"{text:>{width[name]}}"
            for name, text in row.items()
        ).rstrip()

    count = len(next(iter(columns.values())))
    rows = [{name: shown[k] for name, shown in cells.items()} for k in range(count)]
    return [line({name: name for name in columns}), *map(line, rows)]


def _cell(value: Any, form: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, (int, bool)):
        return str(value)
    return "-" if math.isnan(value) else format(value, form)
