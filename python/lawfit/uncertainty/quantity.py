"""Quantities as functions of the coordinates of a fit, with derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import expression as ex
from ..compiler import compile_law
from ..errors import InputError
from ..formula import names, parse
from ..resolution import resolve
from ..tables import named

if TYPE_CHECKING:
    from ..problem import Problem

__all__ = ["Quantity", "What", "standard_error"]

Floats = NDArray[np.float64]
What = str | Callable[[Mapping[str, float]], Any]


class Quantity:
    """A formula over parameters, or a function of their mapping, as a function of coordinates.

    Parameters
    ----------
    problem : Problem
    what : str or callable

    Raises
    ------
    InputError
        If a formula has names that are not parameters.
    """

    def __init__(self, problem: Problem, what: What) -> None:
        self.problem, self.what = problem, what
        self.is_formula = not callable(what)
        if callable(what):
            self.name = getattr(what, "__name__", "quantity")
            return
        self.name = what
        self.used = names(what)
        unknown = [n for n in self.used if n not in problem.names]
        if unknown:
            raise InputError(
                f"{what!r}: {unknown[0]!r} is not a parameter; parameters: {named(problem.names)}"
            )
        # A level E[wiki] is a number of its own here, and its name is not one of the language.
        plain = {n: f"p{k}" for k, n in enumerate(self.used)}
        tree = resolve(
            _renamed(parse(what), plain),
            variables=(),
            log_parameters={plain[n] for n in self.used if problem._is_log(n)},
        )
        self.program = compile_law(tree, variables=[], parameters=list(plain.values()))

    def value(self, x: Floats) -> float:
        """Return the quantity at coordinates of shape (dimension,); nan where it is not defined."""
        if self.is_formula:
            with np.errstate(all="ignore"):
                return float(self.program.values([], 1, self._point(x))[0])
        params = {n: float(v) for n, v in self.problem.to_params(x).items()}
        assert callable(self.what)
        found: Floats = np.asarray(self.what(params), dtype=np.float64)
        if found.shape != ():
            raise InputError(f"{self.name} has shape {found.shape}; expected one number")
        return float(found)

    def gradient(self, x: Floats) -> Floats:
        """Return the derivative by coordinates, shape (dimension,): exact for a formula."""
        out = np.zeros(self.problem.dimension)
        if self.is_formula:
            place = {n: k for k, n in enumerate(self.problem.free)}
            _, jacobian = self.program.values_and_jacobian([], 1, self._point(x))
            for name, slope in zip(self.used, jacobian[0], strict=True):
                if name not in self.problem.settings.fixed:
                    out[place[self.problem.leader[name]]] += slope
            return out
        for k in range(len(self.problem.free)):
            h = (
                1e-3 * max(1.0, abs(x[k]))
                if self.problem._is_log(self.problem.free[k])
                else (1e-3 * max(abs(x[k]), 1e-3))
            )
            around = []
            for move in (-2.0, -1.0, 1.0, 2.0):
                moved = x.copy()
                moved[k] += move * h
                around.append(self.value(moved))
            out[k] = (around[0] - 8.0 * around[1] + 8.0 * around[2] - around[3]) / (12.0 * h)
        return out

    def _point(self, x: Floats) -> list[float]:
        problem = self.problem
        place = {n: k for k, n in enumerate(problem.free)}
        return [
            problem._fixed_coordinate(n)
            if n in problem.settings.fixed
            else float(x[place[problem.leader[n]]])
            for n in self.used
        ]


def standard_error(gradient: Floats, matrix: Floats) -> float:
    """Return sqrt(g' V g); directions that the quantity does not depend on do not count."""
    used = gradient != 0.0
    part = matrix[np.ix_(used, used)]
    if np.isinf(np.diag(part)).any():
        return math.inf
    # Parameters at a bound have no variance: they are where the bound is.
    part = np.where(np.isnan(part), 0.0, part)
    return math.sqrt(max(float(gradient[used] @ part @ gradient[used]), 0.0))


def _renamed(node: ex.Node, to: Mapping[str, str]) -> ex.Node:
    if isinstance(node, ex.Name):
        return ex.Name(to[node.text])
    if isinstance(node, ex.Apply):
        return ex.Apply(node.function, tuple(_renamed(a, to) for a in node.arguments))
    return node
