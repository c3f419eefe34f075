"""Quantiles of the normal, t, chi-square and F distributions that intervals need."""

from __future__ import annotations

import math
from statistics import NormalDist

from ..errors import InputError

__all__ = [
    "check_level",
    "incomplete_beta",
    "joint_quantile",
    "normal_quantile",
    "t_quantile",
    "two_sided",
]


def check_level(confidence_level: float) -> float:
    """Return the level, which must lie between 0 and 1.

    Raises
    ------
    InputError
    """
    try:
        inside = 0.0 < confidence_level < 1.0
    except TypeError:
        inside = False
    if not inside:
        raise InputError(f"confidence_level = {confidence_level!r} must lie between 0 and 1")
    return float(confidence_level)


def normal_quantile(p: float) -> float:
    """Return the p-quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(p)


def t_quantile(p: float, dof: float) -> float:
    """Return the p-quantile of Student's t distribution, by bisection of its upper tail."""
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -t_quantile(1.0 - p, dof)
    if dof > 1e6:
        return normal_quantile(p)
    tail = 1.0 - p
    low, high = 0.0, 2.0
    while _upper_tail(high, dof) > tail:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if _upper_tail(middle, dof) > tail else (low, middle)
    return 0.5 * (low + high)


def two_sided(confidence_level: float, dof: float = math.inf) -> float:
    """Return how many standard errors an interval reaches to either side."""
    return t_quantile(0.5 + 0.5 * check_level(confidence_level), dof)


def joint_quantile(confidence_level: float, dof: float = math.inf) -> float:
    """Return the bound on the squared distance of two parameters from their estimates.

    In units of the dispersion: twice the quantile of F(2, dof), in the limit that of chi-square
    with 2 degrees of freedom.
    """
    tail = 1.0 - check_level(confidence_level)
    if dof > 1e6:
        return -2.0 * math.log(tail)
    return dof * (math.exp(-2.0 / dof * math.log(tail)) - 1.0)


def _upper_tail(t: float, dof: float) -> float:
    """Return P(T > t) for t >= 0: half the incomplete beta function I_x(dof / 2, 1 / 2)."""
    x = dof / (dof + t * t)
    return 0.5 * incomplete_beta(0.5 * dof, 0.5, x)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return I_x(a, b), the regularised incomplete beta function.

    By the continued fraction, DLMF 8.17.22, in Lentz's form.
    """
    if x <= 0.0 or x >= 1.0:
        return float(x > 0.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or tiny)
    fraction = d
    for m in range(1, 1000):
        for k in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + k * d or tiny)
            c = 1.0 + k / c or tiny
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return math.exp(log_front) / a * fraction
