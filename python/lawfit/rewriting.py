"""Trees rewritten as others of the same value, in the forms that the compiler looks for."""

from __future__ import annotations

import math

from . import expression as ex
from .expression import ONE, ZERO, Apply, Constant, Node

__all__ = ["fold", "is_power_product", "rewrite", "signed_terms", "uniform_log"]


def signed_terms(node: Node) -> list[tuple[Node, Node]]:
    """Split a sum into (coefficient without columns, term) with a positive term where possible."""
    result: list[tuple[Node, Node]] = []
    for term in ex.addends(node):
        coefficient: Node = ONE
        while isinstance(term, Apply) and not ex.is_positive(term):
            if term.function == "neg":
                coefficient, term = ex.negate(coefficient), term.arguments[0]
            elif term.function in ("mul", "div") and not all(map(ex.is_positive, term.arguments)):
                a, b = term.arguments
                if not ex.uses_variables(a) and not ex.is_positive(a):
                    rest = b if term.function == "mul" else Apply("div", (ONE, b))
                    coefficient, term = ex.multiply(coefficient, fold(a)), rest
                elif term.function == "mul" and not ex.uses_variables(b):
                    coefficient, term = ex.multiply(coefficient, fold(b)), a
                else:
                    break
            else:
                break
        result.append((coefficient, term))
    return result


def is_power_product(node: Node) -> bool:
    """Tell whether a product of positive factors holds a power with an exponent to be fitted."""
    if not (isinstance(node, Apply) and ex.is_positive(node)):
        return False
    if node.function in ("mul", "div"):
        return all(map(ex.is_positive, node.arguments)) and any(
            is_power_product(a)
            or (isinstance(a, Apply) and a.function == "exp" and ex.uses_variables(a))
            for a in node.arguments
        )
    return node.function == "pow" and ex.uses_coordinates(node.arguments[1])


def uniform_log(node: Node) -> Node:
    """Return the logarithm of a node without columns, taken apart as far as signs allow."""
    if isinstance(node, Constant) and node.value > 0.0:
        return Constant(math.log(node.value))
    if isinstance(node, Apply):
        f, args = node.function, node.arguments
        if f == "exp":
            return args[0]
        if f in ("mul", "div") and all(map(ex.is_positive, args)):
            right = uniform_log(args[1])
            return ex.add(uniform_log(args[0]), right if f == "mul" else ex.negate(right))
        if f == "pow" and ex.is_positive(args[0]):
            return ex.multiply(args[1], uniform_log(args[0]))
        if f == "add" and all(map(ex.is_positive, args)):
            return Apply("logsumexp", tuple(uniform_log(a) for a in args))
    return Apply("log", (node,))


def fold(node: Node) -> Node:
    """Fold the constants of a node without columns, so that equal slots are found equal."""
    if not isinstance(node, Apply):
        return node
    args = tuple(fold(a) for a in node.arguments)
    f = node.function
    if f == "add":
        return ex.total(args)
    if f == "neg":
        return ex.negate(args[0])
    if f == "mul":
        return ex.multiply(*args)
    if f == "div":
        return ex.divide(*args)
    if f == "log":
        return uniform_log(args[0])
    return Apply(f, args)


def rewrite(node: Apply) -> Node:
    """Express a function that has no operation of its own through others."""
    f, args = node.function, node.arguments
    if f == "log2":
        return ex.multiply(Constant(1.4426950408889634), Apply("log", args))
    if f == "log10":
        return ex.multiply(Constant(0.4342944819032518), Apply("log", args))
    if f == "and":
        return Apply("min", tuple(map(_truth, args)))
    if f == "or":
        return Apply("max", tuple(map(_truth, args)))
    if f == "not":
        return Apply("eq", (args[0], ZERO))
    raise AssertionError(f"no rule for {f}")


def _truth(node: Node) -> Node:
    """Return a condition as 0 or 1."""
    if isinstance(node, Apply) and node.function in (*ex.COMPARISONS, "and", "or", "not"):
        return node
    return Apply("ne", (node, ZERO))
