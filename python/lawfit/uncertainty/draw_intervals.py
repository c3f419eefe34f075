"""Confidence intervals read off the draws of a bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import evaluate_columns
from ..errors import InputError
from ..formula import names
from ..tables import named
from .quantiles import check_level

__all__ = [
    "METHODS",
    "Interval",
    "Quantity",
    "basic",
    "bca",
    "percentile",
    "studentized",
    "values_of",
]

Floats = NDArray[np.float64]
Quantity = str | Callable[[Mapping[str, Floats]], Any]
Interval = tuple[float, float]

METHODS = ("percentile", "basic", "bca", "studentized")


def values_of(quantity: Quantity, params: Mapping[str, Floats], count: int) -> Floats:
    """Evaluate a formula over parameters, or a function of them, for `count` sets of parameters.

    Raises
    ------
    InputError
        If the formula names something else, or the function does not return shape (count,).
    """
    if callable(quantity):
        values = np.asarray(quantity(params), dtype=float)
    else:
        unknown = [n for n in names(quantity) if n not in params] if quantity not in params else []
        if unknown:
            raise InputError(f"{unknown[0]!r} is not a parameter; parameters: {named(params)}")
        values = params[quantity] if quantity in params else evaluate_columns(quantity, params)
    if values.shape != (count,):
        raise InputError(f"the quantity has shape {values.shape}; expected ({count},)")
    return values


def percentile(draws: Floats, level: float) -> Interval:
    """Return the quantiles of the draws, of those that are not nan; nan without any.

    Raises
    ------
    InputError
        If the level does not lie between 0 and 1.
    """
    tail = 0.5 * (1.0 - check_level(level))
    known = draws[~np.isnan(draws)]
    if not known.size:
        return math.nan, math.nan
    # Between infinite draws nothing can be interpolated.
    if np.isfinite(known).all():
        low, high = np.quantile(known, [tail, 1.0 - tail])
    else:
        low, high = np.quantile(known, [tail, 1.0 - tail], method="nearest")
    return float(low), float(high)


def basic(draws: Floats, point: float, level: float) -> Interval:
    """Return the quantiles of the draws mirrored at the estimate."""
    low, high = percentile(draws, level)
    return 2.0 * point - high, 2.0 * point - low


def bca(draws: Floats, point: float, jackknife: Floats, level: float) -> Interval:
    """Return quantiles at levels corrected for bias and acceleration.

    Efron, "Better bootstrap confidence intervals", JASA 82 (1987). nan where all draws lie on one
    side of the estimate.
    """
    from statistics import NormalDist

    normal = NormalDist()
    share = float(np.mean(draws < point) + np.mean(draws <= point)) / 2.0
    if not 0.0 < share < 1.0:
        return math.nan, math.nan
    bias = normal.inv_cdf(share)
    pull = jackknife.mean() - jackknife
    square = float(np.sum(pull**2))
    acceleration = float(np.sum(pull**3)) / (6.0 * square**1.5) if square > 0.0 else 0.0

    def end(p: float) -> float:
        z = bias + normal.inv_cdf(p)
        corrected = normal.cdf(bias + z / (1.0 - acceleration * z))
        return float(np.percentile(draws, 100.0 * corrected))

    tail = 0.5 * (1.0 - level)
    return end(tail), end(1.0 - tail)


def studentized(
    draws: Floats, errors: Floats, point: float, error: float, level: float
) -> Interval:
    """Return the estimate less quantiles of (draw - estimate) / its standard error.

    Draws without a finite standard error are left out.
    """
    good = np.isfinite(errors) & (errors > 0.0)
    if not good.any() or not math.isfinite(error):
        return (point, point) if error == 0.0 else (math.nan, math.nan)
    low, high = percentile((draws[good] - point) / errors[good], level)
    return point - high * error, point - low * error
