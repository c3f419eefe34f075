"""A law with one parameter replaced by what a derived quantity makes of it."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..law import Law, Parameter

if TYPE_CHECKING:
    from ..problem import Problem

__all__ = ["QUANTITY", "eliminate", "invert", "linear_formula", "solvable"]

Floats = NDArray[np.float64]

QUANTITY = "derived_quantity"  # the name of the new parameter


def invert(formula: str, name: str) -> str | None:
    """Solve ``formula = derived_quantity`` for a name that occurs once.

    Returns
    -------
    str or None
        The formula of the name; None if it does not occur exactly once or stands inside a function
        that has no inverse.
    """
    tree = ast.parse(formula.strip(), mode="eval").body
    if sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(tree)) != 1:
        return None

    def has(node: ast.expr) -> bool:
        return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))

    def text(node: ast.expr) -> str:
        return f"({ast.unparse(node)})"

    node, right = tree, QUANTITY
    while not isinstance(node, ast.Name):
        match node:
            case ast.BinOp(left=a, op=op, right=b):
                inside_left = has(a)
                other = text(b if inside_left else a)
                match op:
                    case ast.Add():
                        right = f"({right} - {other})"
                    case ast.Mult():
                        right = f"({right} / {other})"
                    case ast.Sub():
                        right = f"({right} + {other})" if inside_left else f"({other} - {right})"
                    case ast.Div():
                        right = f"({right} * {other})" if inside_left else f"({other} / {right})"
                    case ast.Pow():
                        right = (
                            f"{right} ** (1 / {other})"
                            if inside_left
                            else f"(log({right}) / log({other}))"
                        )
                        right = f"({right})"
                    case _:
                        return None
                node = a if inside_left else b
            case ast.UnaryOp(op=ast.USub(), operand=a):
                node, right = a, f"(-{right})"
            case ast.UnaryOp(op=ast.UAdd(), operand=a):
                node = a
            case ast.Call(func=ast.Name(id=function), args=[a]) if function in _INVERSE:
                node, right = a, _INVERSE[function].format(right)
            case _:
                return None
    return right


_INVERSE = {
    "log": "exp({})",
    "exp": "log({})",
    "log2": "(2 ** {})",
    "log10": "(10 ** {})",
    "log1p": "expm1({})",
    "expm1": "log1p({})",
    "sqrt": "({} ** 2)",
}


def candidates(problem: Problem) -> list[str]:
    """Return the parameters that may be replaced, those that lose no bounds by it first."""
    tied = {n for group in problem.settings.tied for n in group}
    able = [n for n in problem.free if n not in tied]

    def loses_bounds(name: str) -> bool:
        low, high = problem.coordinate_bounds(name)
        return math.isfinite(low) or math.isfinite(high)

    return sorted(able, key=lambda n: (loses_bounds(n), not problem._is_log(n)))


def solvable(problem: Problem, formula: str) -> tuple[str, str] | None:
    """Return a parameter and its formula in the quantity, None if there is none."""
    for name in candidates(problem):
        solution = invert(formula, name)
        if solution is not None:
            return name, solution
    return None


def linear_formula(problem: Problem, gradient: Floats, size: Floats) -> tuple[str, str] | None:
    """Solve ``gradient . x = derived_quantity`` for the parameter that it depends on the most.

    Parameters
    ----------
    gradient, size : ndarray of shape (dimension,)
        Slopes by coordinates and the coordinates' standard errors.
    """
    able = candidates(problem)
    weight = {n: abs(gradient[k]) * size[k] for k, n in enumerate(problem.free) if n in able}
    name = max(weight, key=lambda n: weight[n], default="")
    if not name or not weight[name] > 0.0:
        return None
    at = problem.free.index(name)
    others = "".join(
        f" - ({gradient[k]!r}) * {f'log({n})' if problem._is_log(n) else n}".replace(
            "np.float64", ""
        )
        for k, n in enumerate(problem.free)
        if k != at and gradient[k] != 0.0
    )
    inside = f"({QUANTITY}{others}) / ({float(gradient[at])!r})"
    return name, f"exp({inside})" if problem._is_log(name) else f"({inside})"


def eliminate(problem: Problem, name: str, solution: str) -> Problem:
    """Return the problem with a parameter replaced by its formula in the quantity."""
    from ..problem import Problem

    class Replace(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.parse(solution, mode="eval").body if node.id == name else node

    law = problem.law
    tree = Replace().visit(ast.parse(law.formula.strip(), mode="eval"))
    old: Mapping[str, Parameter] = {p.name: p for p in law.parameters_in(problem.runs)}
    parameters = [p for p in old.values() if p.name != name]
    made = Law(
        ast.unparse(tree),
        [*parameters, Parameter(QUANTITY)],
        problem.variables,
        target=problem.settings.target,
    )
    bounds = {n: b for n, b in problem.settings.bounds.items() if n != name}
    return Problem(made, problem.runs, replace(problem.settings, bounds=bounds))
