"""Dual numbers: the functions of the formula language with their derivatives, in long doubles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]  # of longdouble, but of float64 where the twin returns it

LONG = np.longdouble
_LN2, _LN10, _PI = np.log(LONG(2)), np.log(LONG(10)), 4 * np.arctan(LONG(1))


@dataclass(frozen=True, eq=False)
class Dual:
    """Values on n rows with their derivatives along p directions.

    Attributes
    ----------
    value : ndarray of longdouble, shape (n,)
    tangent : ndarray of longdouble, shape (n, p)
    """

    value: Array
    tangent: Array

    def times(self, slope: Array) -> Array:
        """Return slope * tangent, shape (n, p): the chain rule, without 0 * inf = nan.

        The product is 0 where the tangent is 0 (nothing moves) and where the slope is 0, as in a
        flat tail or where something else is chosen.
        """
        still = (self.tangent == 0) | (slope == 0)[:, None]
        return np.where(still, LONG(0), slope[:, None] * self.tangent)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent)

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.tangent + other.tangent)

    def __sub__(self, other: Dual) -> Dual:
        return Dual(self.value - other.value, self.tangent - other.tangent)

    def __mul__(self, other: Dual) -> Dual:
        product = self.value * other.value
        return Dual(product, self.times(other.value) + other.times(self.value))

    def __truediv__(self, other: Dual) -> Dual:
        quotient = self.value / other.value
        return Dual(quotient, self.times(1 / other.value) - other.times(quotient / other.value))

    def __pow__(self, other: Dual) -> Dual:
        x, b = self.value, other.value
        power = x**b
        along_x = np.where(b == 0, LONG(0), b * x ** (b - 1))
        flat = (power == 0) | ((x == 0) & (b == 0)) | ((x < 0) & ~np.isnan(power))
        along_b = np.where(flat, LONG(0), power * np.log(x))
        return Dual(power, self.times(along_x) + other.times(along_b))


def select(condition: Array, yes: Dual, no: Dual) -> Dual:
    """Take values and derivatives of `yes` where the condition holds, else of `no`."""
    return Dual(
        np.where(condition, yes.value, no.value),
        np.where(condition[:, None], yes.tangent, no.tangent),
    )


def _extreme(keeps: np.ufunc) -> Callable[..., Dual]:
    def choose(first: Dual, *others: Dual) -> Dual:
        for other in others:
            kept = keeps(first.value, other.value) | np.isnan(first.value)
            first = select(kept, first, other)
        return first

    return choose


def _logsumexp(*terms: Dual) -> Dual:
    values = np.stack([term.value for term in terms])
    top = values.max(axis=0)
    shift = np.where(np.isfinite(top), top, LONG(0))
    parts = np.exp(values - shift)
    total = parts.sum(axis=0)
    tangents = [term.times(part / total) for term, part in zip(terms, parts, strict=True)]
    return Dual(shift + np.log(total), np.sum(tangents, axis=0))


def _sigmoid(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


_erf = np.vectorize(math.erf, otypes=[LONG])
_erfc = np.vectorize(math.erfc, otypes=[LONG])

# name -> (y(x), slope(x, y))
_SMOOTH: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "exp": (np.exp, lambda x, y: y),
    "log": (np.log, lambda x, y: 1 / x),
    "log2": (np.log2, lambda x, y: 1 / (x * _LN2)),
    "log10": (np.log10, lambda x, y: 1 / (x * _LN10)),
    "log1p": (np.log1p, lambda x, y: 1 / (1 + x)),
    "expm1": (np.expm1, lambda x, y: np.exp(x)),
    "sqrt": (np.sqrt, lambda x, y: 1 / (2 * y)),
    "abs": (np.abs, lambda x, y: np.sign(x)),
    "tanh": (np.tanh, lambda x, y: np.cosh(x) ** LONG(-2)),
    "sigmoid": (_sigmoid, lambda x, y: y * _sigmoid(-x)),
    "logit": (lambda x: np.log(x) - np.log1p(-x), lambda x, y: 1 / (x * (1 - x))),
    "softplus": (lambda x: np.logaddexp(LONG(0), x), lambda x, y: _sigmoid(x)),
    "erf": (_erf, lambda x, y: np.exp(-(x**2)) * 2 / np.sqrt(_PI)),
    "normcdf": (
        lambda x: _erfc(-x / np.sqrt(LONG(2))) / 2,
        lambda x, y: np.exp(-(x**2) / 2) / np.sqrt(2 * _PI),
    ),
    "sin": (np.sin, lambda x, y: np.cos(x)),
    "cos": (np.cos, lambda x, y: -np.sin(x)),
    "arctan": (np.arctan, lambda x, y: 1 / (1 + x**2)),
}


def smooth(name: str, x: Dual) -> Dual:
    """Apply a function of one argument by its name."""
    function, slope = _SMOOTH[name]
    y = function(x.value)
    return Dual(y, x.times(slope(x.value, y)))


# name -> (function of duals, fewest arguments, most arguments)
FUNCTIONS: dict[str, tuple[Callable[..., Dual], int, float]] = {
    **{name: (partial(smooth, name), 1, 1) for name in _SMOOTH},
    "min": (_extreme(np.less_equal), 2, math.inf),
    "max": (_extreme(np.greater_equal), 2, math.inf),
    "pow": (Dual.__pow__, 2, 2),
    "logaddexp": (_logsumexp, 2, 2),
    "logsumexp": (_logsumexp, 1, math.inf),
    "where": (lambda condition, yes, no: select(condition.value != 0, yes, no), 3, 3),
}
