"""Upper tails of the chi-squared and the F distribution, for tests between nested laws."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..uncertainty.quantiles import incomplete_beta

__all__ = ["chi2_tail", "f_tail"]

TINY = 1e-300
CLOSE = 1e-15
MOST = 10_000


def chi2_tail(value: float, freedom: float) -> float:
    """Return the probability of more than `value` with `freedom` degrees."""
    if not value > 0:
        return 1.0 if value <= 0 else math.nan
    return _gamma_tail(freedom / 2.0, value / 2.0)


def f_tail(value: float, above: float, below: float) -> float:
    """Return the probability of more than `value` with `above` and `below` degrees of freedom."""
    if not value > 0:
        return 1.0 if value <= 0 else math.nan
    return incomplete_beta(below / 2.0, above / 2.0, below / (below + above * value))


def _gamma_tail(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function."""
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:  # the series of the lower one
        term = total = 1.0 / a
        k = a
        while term > total * CLOSE:
            k += 1.0
            term *= x / k
            total += term
        return 1.0 - total * front

    def pair(k: int) -> tuple[float, float]:
        return (1.0, x + 1.0 - a) if k == 0 else (-k * (k - a), x + 2.0 * k + 1.0 - a)

    return front * _fraction(pair)


def _fraction(pair: Callable[[int], tuple[float, float]]) -> float:
    """Return a0 / (b0 + a1 / (b1 + ...)) by the modified Lentz method."""
    first, b = pair(0)
    value = c = b or TINY
    d = 0.0
    for k in range(1, MOST):
        a, b = pair(k)
        d = 1.0 / (b + a * d or TINY)
        c = b + a / c or TINY
        value *= c * d
        if abs(c * d - 1.0) < CLOSE:
            break
    return first / value
