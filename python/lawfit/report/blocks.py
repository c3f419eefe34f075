"""What a report is made of: sections of paragraphs, lists, tables, figures, formulas and code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "Block",
    "Code",
    "Document",
    "Figure",
    "Formula",
    "Items",
    "Note",
    "Paragraph",
    "Section",
    "Table",
]


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Note:
    """A sentence that stands out: a warning, or why something is missing."""

    text: str
    kind: str = "missing"  # or "warning", "note", "good"


@dataclass(frozen=True)
class Items:
    """A list; an item is a term and what is said of it (the term may be empty)."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of cells as text; the first column names the row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    text_columns: frozenset[int] = frozenset({0})  # set to the left; all others hold numbers


@dataclass(frozen=True)
class Figure:
    """A picture as SVG or PNG, and what it shows in words."""

    image: bytes
    media: str
    alt: str
    caption: str
    broad: bool = False  # many panels: on a narrow screen it is scrolled, not made smaller


@dataclass(frozen=True)
class Formula:
    """A formula as LaTeX and as plain text."""

    latex: str
    text: str


@dataclass(frozen=True)
class Code:
    """Text to be copied as it is."""

    text: str
    language: str
    label: str


Block = Paragraph | Note | Items | Table | Figure | Formula | Code


@dataclass
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The title as the name of a place in the page."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


@dataclass
class Document:
    """A title, a line below it, and sections."""

    title: str
    subtitle: str
    sections: list[Section]
