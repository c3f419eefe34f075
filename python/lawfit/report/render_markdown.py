"""A report as Markdown, with formulas between dollar signs."""

from __future__ import annotations

import base64

from .blocks import Block, Code, Document, Figure, Formula, Items, Note, Paragraph, Table

__all__ = ["to_markdown"]


def to_markdown(document: Document) -> str:
    """Return the file's text; figures are embedded as data URIs."""
    parts = [f"# {document.title}", document.subtitle]
    for section in document.sections:
        parts.append(f"## {section.title}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return _escaped(block.text)
    if isinstance(block, Note):
        lead = "**Warning:** " if block.kind == "warning" else ""
        return f"> {lead}{_escaped(block.text)}"
    if isinstance(block, Items):
        return "\n".join(
            f"- **{_escaped(term)}** {_escaped(text)}" if term else f"- {_escaped(text)}"
            for term, text in block.items
        )
    if isinstance(block, Table):
        line = "|".join(" --- " if k in block.text_columns else " ---: "
                        for k in range(len(block.head)))  # fmt: skip
        rows = [_row(block.head), f"|{line}|", *map(_row, block.rows)]
        return "\n".join(rows) + (f"\n\n{_escaped(block.caption)}" if block.caption else "")
    if isinstance(block, Figure):
        data = base64.b64encode(block.image).decode("ascii")
        return f"![{_escaped(block.alt)}](data:{block.media};base64,{data})\n\n{block.caption}"
    if isinstance(block, Formula):
        return f"$$\n{block.latex}\n$$\n\n`{block.text}`"
    assert isinstance(block, Code)
    return f"{block.label}\n\n```{block.language}\n{block.text}\n```"


def _row(cells: object) -> str:
    assert isinstance(cells, (list, tuple))
    return "| " + " | ".join(_escaped(c).replace("|", r"\|") for c in cells) + " |"


def _escaped(text: str) -> str:
    """Keep what Markdown would take for marks: names hold _ and formulas *."""
    for mark in ("\\", "*", "_", "`", "<"):
        text = text.replace(mark, f"\\{mark}")
    return text
