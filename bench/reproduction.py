"""What a reproduction is: published figures beside ours, how close they must be, and the page."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lawfit as lf


class MissingDataError(Exception):
    """A table is not on this machine; the message says which."""


def table(file: str) -> Path:
    """Return the path of a table of real runs, in LAWFIT_DATA or beside the project."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("LAWFIT_DATA") or default) / file
    if not path.exists():
        raise MissingDataError(f"no {file} in {path.parent}; set LAWFIT_DATA to its folder")
    return path


@dataclass(frozen=True)
class Figure:
    """One number: as published, or as the page explains it, and as lawfit has it.

    Parameters
    ----------
    name : str
    expected : float or None
        None where nothing was published.
    ours : float
    within : float or None
        Largest relative difference that the page claims. None: nothing is claimed.
    explained : bool
        Whether `expected` is not published, but the number with which the page explains why
        others differ.
    """

    name: str
    expected: float | None
    ours: float
    within: float | None = None
    explained: bool = False

    @property
    def difference(self) -> float | None:
        """Relative; absolute where 0 is expected."""
        if self.expected is None:
            return None
        return abs(self.ours - self.expected) / (abs(self.expected) or 1.0)

    @property
    def holds(self) -> bool:
        if self.within is None or self.difference is None:
            return True
        return self.difference <= self.within


@dataclass(frozen=True)
class Reproduction:
    """A published fit and ours on the same rows.

    Parameters
    ----------
    name : str
        Of the section, and of the test.
    law, data, source : str
    rows : int
    figures : tuple of Figure
    why : str
        Why they differ, or why they agree.
    theirs, ours : float or None
        Objective at the published coefficients and at lawfit's, both under the same objective.
    starts : str
        Starts that reached the minimum, of how many.
    """

    name: str
    law: str
    data: str
    source: str
    rows: int
    figures: tuple[Figure, ...]
    why: str
    theirs: float | None = None
    ours: float | None = None
    starts: str = ""

    @property
    def agrees(self) -> str:
        """Say how far the published figures of which something is claimed are off, at worst."""
        worst = [
            f
            for f in self.figures
            if f.within is not None and not f.explained and f.difference is not None
        ]
        if not worst:
            return "nothing printed"
        most = max(worst, key=lambda f: f.difference or 0.0)
        return f"{percent(most.difference or 0.0)} ({most.name})"


def figures(
    published: Mapping[str, float | None],
    ours: Mapping[str, float],
    within: float | Mapping[str, float | None] | None,
) -> tuple[Figure, ...]:
    """Pair coefficients by name; `within` is for all or for each."""
    each = within if isinstance(within, Mapping) else dict.fromkeys(published, within)
    return tuple(Figure(n, v, float(ours[n]), each[n]) for n, v in published.items())


def hits(fit: lf.Fit) -> str:
    return f"{fit.starts.hits} of {fit.starts.n}"


def number(value: float | None) -> str:
    """Return five digits, powers of ten where that is shorter; what ran to 0 is called 0."""
    if value is None:
        return "-"
    if value == 0 or abs(value) < 1e-11:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.4e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    digits = max(0, 4 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def objective(value: float | None) -> str:
    return "-" if value is None else f"{value:.7g}"


def percent(share: float) -> str:
    if share < 5e-7:
        return "< 0.0001 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def rows_of_table(lines: Iterable[Iterable[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def section(found: Reproduction) -> str:
    """Return the section of one reproduction as Markdown."""
    head = ("coefficient", "published", "lawfit", "difference", "claimed within")
    body = [
        (
            f.name + (" (explains)" if f.explained else ""),
            number(f.expected),
            number(f.ours),
            "-" if f.difference is None else percent(f.difference),
            "-" if f.within is None else percent(f.within),
        )
        for f in found.figures
    ]
    parts = [
        f"## {found.name}",
        f"{found.law}; {found.data}, {found.rows} rows. {found.source}",
        rows_of_table([head, ["---", *["---:"] * 4], *body]),
    ]
    if found.ours is not None:
        at_theirs = "not comparable" if found.theirs is None else f"{found.theirs:.7g}"
        parts.append(
            f"Objective at the published coefficients {at_theirs}, at lawfit's {found.ours:.7g}."
            + (f" Starts that reached it: {found.starts}." if found.starts else "")
        )
    parts.append(found.why)
    return "\n\n".join(parts)


def summary_row(found: Reproduction) -> tuple[str, ...]:
    anchor = "".join(c for c in found.name.lower().replace(" ", "-") if c.isalnum() or c in "-_")
    return (
        f"[{found.name}](#{anchor})",
        str(found.rows),
        objective(found.theirs),
        objective(found.ours),
        found.starts or "-",
        found.agrees,
    )


def page(introduction: str, all_found: Iterable[Reproduction]) -> str:
    """Return the whole page."""
    all_found = list(all_found)
    head = (
        "law on data",
        "rows",
        "objective, published",
        "objective, lawfit",
        "starts at it",
        "largest difference",
    )
    lines = [head, ["---", *["---:"] * 5], *map(summary_row, all_found)]
    return (
        "\n\n".join([introduction, rows_of_table(lines), *(section(f) for f in all_found)]) + "\n"
    )


Maker = Callable[[], Reproduction]
Table = dict[str, Any]
