"""Formulas as JavaScript: expression trees written as arrow functions over one array of numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .. import expression as ex
from ..errors import FormulaError
from ..formula import SERIES, parse

__all__ = ["function", "literal"]

_MATH = frozenset("exp log log2 log10 log1p expm1 sqrt abs tanh sin cos min max pow".split())
_RENAMED = {"arctan": "atan"}
# Written in runtime.js.
_RUNTIME = frozenset("sigmoid logit softplus erf normcdf logaddexp logsumexp".split())
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "===", "ne": "!=="}
_JOINED = {"add": " + ", "mul": " * ", "div": " / "}


def function(text: str, places: Mapping[str, int]) -> str:
    """Return a formula as the text of an arrow function ``(v) => number``.

    No name of the formula goes into the text: names become places in `v`.

    Parameters
    ----------
    text : str
    places : mapping of str to int
        Where in `v` the value of each name is.

    Raises
    ------
    FormulaError
        If the formula is an equation to be solved, or has a function that is not known here.
    """
    return f"(v) => {_written(parse(text), places, {}, text)}"


def literal(value: Any) -> str:
    """Return numbers, texts, lists and mappings as JavaScript that may stand in a script element.

    Floats keep all digits; the characters that could end the element are escaped.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _written(
    node: ex.Node, places: Mapping[str, int], indices: Mapping[str, str], text: str
) -> str:
    if isinstance(node, ex.Constant):
        return _number(node.value)
    if isinstance(node, ex.Name):
        return f"v[{places[node.text]}]"
    if isinstance(node, ex.Bound):
        return indices[node.name]
    assert isinstance(node, ex.Apply)
    f = node.function
    if f in SERIES:
        first, end, index, body = node.arguments
        assert isinstance(index, ex.Bound)
        name = f"i{len(indices)}"
        ends = ", ".join(_written(e, places, indices, text) for e in (first, end))
        inside = _written(body, places, {**indices, index.name: name}, text)
        return f"runtime.{f}({ends}, ({name}) => {inside})"
    if f == "solve":
        raise FormulaError("an equation to be solved cannot be written as JavaScript", text, 0)
    arguments = [_written(a, places, indices, text) for a in node.arguments]
    if f in _JOINED:
        return f"({_JOINED[f].join(arguments)})"
    if f == "neg":
        return f"(-{arguments[0]})"
    if f in _COMPARISONS:
        return f"({arguments[0]} {_COMPARISONS[f]} {arguments[1]} ? 1 : 0)"
    if f in ("and", "or"):
        sign = " && " if f == "and" else " || "
        return f"({sign.join(f'{a} !== 0' for a in arguments)} ? 1 : 0)"
    if f == "not":
        return f"({arguments[0]} === 0 ? 1 : 0)"
    if f == "where":
        condition, yes, no = arguments
        return f"({condition} !== 0 ? {yes} : {no})"
    inside = ", ".join(arguments)
    if f in _RUNTIME:
        return f"runtime.{f}({inside})"
    if f in _MATH or f in _RENAMED:
        return f"Math.{_RENAMED.get(f, f)}({inside})"
    raise FormulaError(f"{f} is not known in JavaScript here", text, 0)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0.0 else "(-Infinity)"
    return repr(value) if value >= 0.0 else f"({value!r})"
