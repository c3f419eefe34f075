"""Quantities derived from parameters: values, derivatives, and intervals by the delta method."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import expression as ex
from ..compiler import compile_law
from ..errors import InputError
from ..formula import names, parse
from ..resolution import resolve
from ..tables import named
from .contributions import problem_of
from .covariance import covariance
from .quantiles import two_sided

if TYPE_CHECKING:
    from ..problem import Problem
    from ..result import Fit

__all__ = ["Derived", "Quantity", "derived"]

Floats = NDArray[np.float64]
What = str | Callable[[Mapping[str, float]], Any]


@dataclass(frozen=True)
class Derived:
    """A quantity computed from the parameters, and how uncertain it is.

    Attributes
    ----------
    name : str
        Its formula, or the name of its function.
    value, standard_error, low, high : float
    gradient : dict of str to float
        Derivative by each fitted parameter; of a scale factor, by its logarithm.
    method : str
    confidence_level : float
    """

    name: str
    value: float
    standard_error: float
    low: float
    high: float
    gradient: dict[str, float]
    method: str
    confidence_level: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.low, self.high


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


def derived(
    fit: Fit,
    what: What,
    confidence_level: float = 0.95,
    *,
    method: Any = "delta",
    kind: str = "sandwich",
    by: Any = None,
    log: bool = False,
) -> Derived:
    """Return a derived quantity with its standard error and interval.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit`.
    what : str or callable
        A formula over parameters, like ``"beta / (alpha + beta)"``, or a function of the mapping
        of parameter names to numbers that returns one number. Derivatives of a formula are exact,
        those of a function are central differences of fourth order.
    confidence_level : float
    method : {"delta", "profile"} or Bootstrap
        "delta": the quantity is taken to be linear over the interval (Student's t). "profile": see
        `Fit.profile`. A bootstrap: percentiles of the quantity over its draws.
    kind, by
        Of the covariance, for the standard error; see `Fit.covariance`.
    log : bool
        Whether the delta method's interval is formed on the logarithm of the quantity, which must
        be positive. Right for what varies by factors.

    Raises
    ------
    InputError
        If the quantity cannot be evaluated at the fit, or the request cannot be met.
    """
    problem, x = problem_of(fit)
    reach = two_sided(confidence_level)
    quantity = Quantity(problem, what)
    value = quantity.value(x)
    if not math.isfinite(value):
        raise InputError(f"{quantity.name} is {value} at the fitted parameters")
    gradient = quantity.gradient(x)
    spread = covariance(fit, kind, by)
    error = standard_error(gradient, spread.coordinate_matrix)
    if method == "delta":
        reach = two_sided(confidence_level, spread.dof)
        if log:
            if value <= 0.0:
                raise InputError(f"{quantity.name} is {value:g}; log=True needs a positive value")
            factor = math.exp(min(reach * error / value, 700.0))
            low, high = value / factor, value * factor
        else:
            low, high = value - reach * error, value + reach * error
    elif method == "profile":
        from .profile import profile

        low, high = profile(fit, what, reach=max(confidence_level, 0.95)).interval(confidence_level)
    elif hasattr(method, "interval") and hasattr(method, "draws"):
        low, high = method.interval(what, confidence_level)
        method = "bootstrap"
    else:
        raise InputError(
            f"method = {method!r} must be 'delta', 'profile' or the result of fit.bootstrap()"
        )
    return Derived(
        quantity.name,
        value,
        error,
        float(low),
        float(high),
        dict(zip(problem.free, gradient.tolist(), strict=False)),
        str(method),
        confidence_level,
    )


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
