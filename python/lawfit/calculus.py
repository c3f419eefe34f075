"""Derivatives of expression trees as trees: what solving an equation needs of its other side."""

from __future__ import annotations

import math
from collections.abc import Callable

from . import expression as ex
from .expression import ONE, ZERO, Apply, Constant, Node

__all__ = ["derivative", "log_derivative"]


def derivative(node: Node, along: Node) -> Node:
    """Return the derivative of a resolved tree along one of its leaves.

    At kinks it is that of the language: ``abs`` has slope 0 at 0, ``min`` and ``max`` follow their
    first argument on ties, a condition has none.
    """
    if node == along:
        return ONE
    if not isinstance(node, Apply) or along not in ex.walk(node):
        return ZERO
    f, args = node.function, node.arguments
    inner = [derivative(a, along) for a in args]
    if f == "add":
        return ex.total(inner)
    if f == "neg":
        return ex.negate(inner[0])
    if f == "mul":
        return ex.add(ex.multiply(inner[0], args[1]), ex.multiply(args[0], inner[1]))
    if f == "div":
        quotient = ex.multiply(node, inner[1])
        return ex.divide(ex.add(inner[0], ex.negate(quotient)), args[1])
    if f == "pow":
        return _of_power(node, inner)
    if f in ("logaddexp", "logsumexp"):
        parts = [
            ex.multiply(Apply("exp", (ex.add(a, ex.negate(node)),)), d)
            for a, d in zip(args, inner, strict=True)
        ]
        return Apply("add", tuple(parts))
    if f in ("min", "max"):
        value, slope = args[0], inner[0]
        for a, d in zip(args[1:], inner[1:], strict=True):
            keeps = Apply("le" if f == "min" else "ge", (value, a))
            value, slope = Apply(f, (value, a)), Apply("where", (keeps, slope, d))
        return slope
    if f == "where":
        return Apply("where", (args[0], inner[1], inner[2]))
    if f in (*ex.COMPARISONS, "and", "or", "not"):
        return ZERO
    return ex.multiply(_slope(f, args[0], node), inner[0])


def log_derivative(node: Node, along: Node) -> Node:
    """Return the derivative of the logarithm of a positive tree, in few operations.

    Of a product it is a sum; of a sum the terms' own, weighted by their shares of the sum.
    """
    if node == along:
        return ex.divide(ONE, node)
    if not isinstance(node, Apply) or along not in ex.walk(node):
        return ZERO
    f, args = node.function, node.arguments
    if f == "exp":
        return derivative(args[0], along)
    if f in ("mul", "div") and all(map(ex.is_positive, args)):
        left, right = (log_derivative(a, along) for a in args)
        return ex.add(left, right if f == "mul" else ex.negate(right))
    if f == "pow" and ex.is_positive(args[0]):
        steep = ex.multiply(args[1], log_derivative(args[0], along))
        bend = derivative(args[1], along)
        return ex.add(steep, ex.multiply(Apply("log", args[:1]), bend)) if bend != ZERO else steep
    if f == "add" and all(map(ex.is_positive, args)):
        total: Node = ZERO
        for a in args:
            slope = log_derivative(a, along)
            if slope != ZERO:
                total = ex.add(total, ex.multiply(ex.divide(a, node), slope))
        return total
    return ex.divide(derivative(node, along), node)


def _of_power(node: Apply, inner: list[Node]) -> Node:
    base, exponent = node.arguments
    total: Node = ZERO
    if inner[0] != ZERO:
        lower = ex.add(exponent, Constant(-1.0))
        slope = ex.multiply(exponent, Apply("pow", (base, lower)))
        total = ex.multiply(slope, inner[0])
    if inner[1] != ZERO:
        total = ex.add(total, ex.multiply(ex.multiply(node, Apply("log", (base,))), inner[1]))
    return total


def _slope(f: str, x: Node, y: Node) -> Node:
    """Return the derivative of a function of one argument; y is its value."""

    def scaled(factor: float, node: Node) -> Node:
        return ex.multiply(Constant(factor), node)

    def less(node: Node) -> Node:  # 1 - node
        return ex.add(ONE, ex.negate(node))

    square = ex.multiply(x, x)
    rules: dict[str, Callable[[], Node]] = {
        "exp": lambda: y,
        "log": lambda: ex.divide(ONE, x),
        "log2": lambda: ex.divide(Constant(1.0 / math.log(2.0)), x),
        "log10": lambda: ex.divide(Constant(1.0 / math.log(10.0)), x),
        "log1p": lambda: ex.divide(ONE, ex.add(ONE, x)),
        "expm1": lambda: Apply("exp", (x,)),
        "sqrt": lambda: ex.divide(Constant(0.5), y),
        "abs": lambda: ex.add(Apply("gt", (x, ZERO)), ex.negate(Apply("lt", (x, ZERO)))),
        "tanh": lambda: less(ex.multiply(y, y)),
        "sigmoid": lambda: ex.multiply(y, Apply("sigmoid", (ex.negate(x),))),
        "logit": lambda: ex.divide(ONE, ex.multiply(x, less(x))),
        "softplus": lambda: Apply("sigmoid", (x,)),
        "erf": lambda: scaled(2.0 / math.sqrt(math.pi), Apply("exp", (ex.negate(square),))),
        "normcdf": lambda: scaled(
            1.0 / math.sqrt(2.0 * math.pi), Apply("exp", (scaled(-0.5, square),))
        ),
        "sin": lambda: Apply("cos", (x,)),
        "cos": lambda: ex.negate(Apply("sin", (x,))),
        "arctan": lambda: ex.divide(ONE, ex.add(ONE, square)),
    }
    return rules[f]()
