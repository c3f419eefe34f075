"""The catalogue to read: laws found by word, as a table, one in full, and as plain data."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .law import Law, Variable, bounds_to_json
from .laws import law, laws, themes

__all__ = ["columns", "entry", "find", "page", "span", "table"]

WIDTH = 100


def find(text: str = "", theme: str | None = None) -> list[Law]:
    """Return the laws of a theme, or of all, that mention a text in any case.

    Looked at are name, title, arXiv number, formula, target and notes.

    Raises
    ------
    InputError
        If there is no such theme.
    """

    def mentions(one: Law) -> bool:
        source = one.source
        where = (one.name, source.title, source.arxiv, one.formula, one.target, one.notes)
        return text.casefold() in "\n".join(where).casefold()

    return [one for one in map(law, laws(theme)) if mentions(one)]


def theme_of(one: Law) -> str:
    """Return the theme of a law of the catalogue."""
    return next(theme for theme in themes() if one.name in laws(theme))


def entry(one: Law) -> dict[str, Any]:
    """Return all that the catalogue knows of a law, as plain JSON types."""
    return {
        "name": one.name,
        "theme": theme_of(one),
        "target": one.target,
        "formula": one.formula,
        "variables": columns(one),
        "groups": one.groups,
        "parameters": [p.name for p in one.parameters],
        "variable_details": {
            v.name: {
                "unit": v.unit,
                "description": v.description,
                "span": None if v.span is None else list(v.span),
                "levels": None if v.levels is None else list(v.levels),
            }
            for v in one.declared_variables or ()
        },
        "parameter_details": {
            p.name: {
                "description": p.description,
                "transform": p.transform,
                "bounds": bounds_to_json(p.bounds),
                "start": None if p.start is None else list(p.start),
            }
            for p in one.parameters
        },
        "title": one.source.title,
        "arxiv": one.source.arxiv,
        "equation": one.source.equation,
        "year": one.source.year,
        "published": [{**asdict(p), "params": dict(p.params)} for p in one.published],
        "example": None if one.example is None else dict(one.example),
        "protocol": one.protocol,
        "notes": one.notes,
        "verified": one.verified,
    }


def columns(one: Law) -> list[str]:
    """Return the columns that a law reads: its variables, and the columns of its groups."""
    return [v.name for v in one.declared_variables or ()]


def table(chosen: Sequence[Law]) -> str:
    """Return laws by theme, one a line: name, columns -> target, title."""
    lines: list[str] = []
    signatures = {one.name: f"{', '.join(columns(one))} -> {one.target}" for one in chosen}
    names = max((len(name) for name in signatures), default=0)
    middle = max((len(text) for text in signatures.values() if len(text) <= 40), default=0)
    for theme, about in themes().items():
        members = [one for one in chosen if one.name in laws(theme)]
        if members:
            lines += [*([""] if lines else []), f"{theme}: {about}"]
        for one in members:
            lines.append(
                f"  {one.name:<{names}}  {signatures[one.name]:<{middle}}  {one.source.title}"
            )
    return "\n".join(lines)


def span(variable: Variable) -> str:
    """Return where a variable ran in the source, in words."""
    if variable.levels is not None:
        return ", ".join(v if isinstance(v, str) else f"{v:g}" for v in variable.levels)
    return "" if variable.span is None else f"{variable.span[0]:g} to {variable.span[1]:g}"


def page(one: Law) -> str:
    """Return one law in full, as text."""
    source = one.source
    lines = [f"{one.name} ({theme_of(one)})", "", f"  {one.target} = {one.formula}"]
    lines += ["", *_wrapped(source.title), f"arXiv {source.arxiv} ({source.year})"]
    lines += _wrapped(source.equation)
    if not one.verified:
        lines += ["Form or coefficients are not checked against a second source."]
    lines += ["", "variables"]
    for v in one.declared_variables or ():
        unit = f" [{v.unit}]" if v.unit else ""
        lines += _item(v.name, f"{v.description}{unit}; {span(v)}")
    lines += ["", "parameters"]
    for p in one.parameters:
        low, high = p.bounds
        limits = [f"at least {low:g}"] if low > float("-inf") else []
        limits += [f"at most {high:g}"] if high < float("inf") else []
        limits += ["positive"] if p.transform == "log" and not limits else []
        starts = "" if p.start is None else f"starts {p.start[0]:g} to {p.start[1]:g}"
        each = [f"one per {one.groups[p.name]}"] if p.name in one.groups else []
        lines += _item(p.name, "; ".join([p.description, *each, *limits, starts]))
    for published in one.published:
        lines += ["", f"coefficients {published.name}"]
        lines += _wrapped(_values(published.params), "  ")
        for text in (published.where, published.units, published.note):
            lines += _wrapped(text, "  ")
    if one.example is not None:
        lines += ["", "example (plausible sizes for trials; not coefficients of the source)"]
        lines += _wrapped(_values(one.example), "  ")
    for title, text in (("how it was fitted", one.protocol), ("notes", one.notes)):
        if text:
            lines += ["", title, *_wrapped(text, "  ")]
    return "\n".join(lines)


def _values(params: Any) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in params.items())


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Return lines of text, broken at spaces only, so that names can be copied."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{name:<10} {text}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * 13,
        break_long_words=False,
        break_on_hyphens=False,
    )
