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

    The words of a heading stand above each other, so that a table fits a terminal.

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
    words = {name: name.split() for name in columns}
    width = {name: max(map(len, words[name] + shown)) for name, shown in cells.items()}
    left = {name for name, values in columns.items() if any(isinstance(v, str) for v in values)}

    def line(row: Mapping[str, str]) -> str:
        return "  ".join(
            f"{text:<{width[name]}}" if name in left else f"{text:>{width[name]}}"
            for name, text in row.items()
        ).rstrip()

    count = len(next(iter(columns.values())))
    rows = [{name: shown[k] for name, shown in cells.items()} for k in range(count)]
    height = max(map(len, words.values()))
    padded = {name: [""] * (height - len(these)) + these for name, these in words.items()}
    head = [{name: these[k] for name, these in padded.items()} for k in range(height)]
    return [*map(line, head), *map(line, rows)]


def _cell(value: Any, form: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, (int, bool)):
        return str(value)
    return "-" if math.isnan(value) else format(value, form)
