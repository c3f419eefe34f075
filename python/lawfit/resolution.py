"""What each name of a tree is, and sums and products over an index written out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from . import expression as ex
from .errors import InputError
from .expression import ONE, ZERO, Apply, Constant, Coordinate, Node, Variable
from .formula import SERIES

__all__ = ["MOST_TERMS", "column_spans", "resolve"]

MOST_TERMS = 64  # of a sum or product over an index


def resolve(
    node: Node,
    *,
    variables: Collection[str],
    log_parameters: Collection[str] = (),
    positive: Collection[str] = (),
    spans: Mapping[str, tuple[float, float]] | None = None,
) -> Node:
    """Decide what each name is, and write out sums and products over an index.

    Parameters
    ----------
    node : Node
        A tree with names.
    variables : collection of str
        Names that are columns; all others are parameters. ``E[family]`` is a column if that whole
        text is here, and otherwise the parameter E.
    log_parameters : collection of str
        Parameters whose coordinate is their logarithm.
    positive : collection of str
        Columns and parameters known to be above zero.
    spans : mapping of str to (float, float), optional
        Smallest and largest value of the columns that an index may run to.

    Returns
    -------
    Node
        The same tree over `Variable` and `Coordinate`.

    Raises
    ------
    InputError
        If an index runs to something else than a number, a column or a column and a number, or
        too far.
    """
    if isinstance(node, Apply) and node.function in SERIES:
        node = _written_out(node, spans or {})
    if isinstance(node, ex.Name):
        if node.text in variables:
            return Variable(node.text, node.text in positive)
        if node.name in log_parameters:
            return Apply("exp", (Coordinate(node.name),))
        return Coordinate(node.name, node.name in positive)
    if isinstance(node, Apply):
        arguments = tuple(
            resolve(
                a,
                variables=variables,
                log_parameters=log_parameters,
                positive=positive,
                spans=spans,
            )
            for a in node.arguments
        )
        return Apply(node.function, arguments)
    return node


def column_spans(columns: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Return smallest and largest value of every column, for `resolve`."""
    return {
        name: (float(c.min()), float(c.max())) if len(c) else (0.0, 0.0)
        for name, c in columns.items()
    }


def _written_out(node: Apply, spans: Mapping[str, tuple[float, float]]) -> Node:
    """Write a sum or product over an index as its terms, each where the row has it."""
    first, end, index, body = node.arguments
    assert isinstance(index, ex.Bound)
    least, _ = _span(first, index, spans)
    _, most = _span(end, index, spans)
    low, beyond = float(np.ceil(least)), float(np.ceil(most))  # doubles: a column may hold 1e300
    if not beyond - low <= MOST_TERMS:
        raise InputError(
            f"{node.function} over {index.name}: {beyond - low:.15g} terms, from {low:.15g} to "
            f"{beyond - 1:.15g}; at most {MOST_TERMS} are written out"
        )
    numbers = range(int(low), int(beyond))
    neutral = ZERO if node.function == "sum" else ONE
    terms: list[Node] = []
    for i in map(Constant, map(float, numbers)):
        term = ex.substitute(body, index, i)
        if not isinstance(first, Constant) and i.value < _span(first, index, spans)[1]:
            term = Apply("where", (Apply("le", (first, i)), term, neutral))
        if not isinstance(end, Constant) and i.value >= _span(end, index, spans)[0]:
            term = Apply("where", (Apply("lt", (i, end)), term, neutral))
        terms.append(term)
    if not terms:
        return neutral
    if node.function == "sum":
        return Apply("add", tuple(terms)) if len(terms) > 1 else terms[0]
    while len(terms) > 1:  # in pairs, so that the tree stays flat
        odd = terms[len(terms) // 2 * 2 :]
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [Apply("mul", pair) for pair in pairs] + odd
    return terms[0]


def _span(
    node: Node, index: ex.Bound, spans: Mapping[str, tuple[float, float]]
) -> tuple[float, float]:
    """Return the smallest and largest value that one end of a range takes in the table."""
    if isinstance(node, Constant):
        return node.value, node.value
    if isinstance(node, ex.Name) and node.name in spans and not node.group:
        low, high = spans[node.name]
        if math.isfinite(low) and math.isfinite(high):
            return low, high
    if isinstance(node, Apply) and node.function in ("add", "neg"):
        parts = [_span(a, index, spans) for a in node.arguments]
        if node.function == "neg":
            return -parts[0][1], -parts[0][0]
        return sum(low for low, _ in parts), sum(high for _, high in parts)
    name = f": {node.name!r} is none here" if isinstance(node, ex.Name) else ""
    raise InputError(
        f"range of the index {index.name}: an end must be a whole number, a column of the table, "
        f"or a sum of these{name}"
    )
