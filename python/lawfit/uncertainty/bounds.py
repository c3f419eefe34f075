"""Rows of which only a bound is known: slope and curvature of what they add to the objective."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..losses import Loss

__all__ = ["one_sided", "slopes_of_bounds"]

Floats = NDArray[np.float64]

FAR = 25.0  # beyond, the normal tail by its asymptotic series


def one_sided(u: Floats, side: Floats, slope: Floats, curvature: Floats) -> tuple[Floats, Floats]:
    """Keep slope and curvature of censored rows where the prediction is on the wrong side.

    That is what counts with a fixed scale: below a target that is at least what the table has
    (side 1), above one that is at most that (side -1). Rows of side 0 stay as they are.
    """
    counts = side * u <= 0.0
    return np.where(counts, slope, 0.0), np.where(counts, curvature, 0.0)


def slopes_of_bounds(loss: Loss, u: Floats, side: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """Return both derivatives of ``-log P(e <= u)`` (side 1) or ``-log P(e >= u)`` (side -1).

    The noise e has the density exp(-loss(e)) / Z. With h the density at u over the probability and
    psi the loss's slope, the first is ``-side h`` and the second ``h (h + side psi)``.

    Parameters
    ----------
    loss : Loss
        `Squared`, `Huber`, `Absolute` or `Quantile`.
    u, side, slope : ndarray of shape (n,)
        Residuals, 1 or -1, and psi(u).
    """
    h = np.array([_hazard(loss, float(-s * v), s < 0) for v, s in zip(u, side, strict=True)])
    return -side * h, h * (h + side * slope)


def _hazard(loss: Loss, z: float, above: bool) -> float:
    """Return the density at a distance z from 0 over the probability beyond it.

    `above` says which of the two sides of the loss z counts along.
    """
    kind, right, left, core = loss._core()
    if kind == "squared":
        if z > FAR:
            return z + 1.0 / z - 2.0 / z**3
        tail = math.sqrt(0.5 * math.pi) * math.erfc(z / math.sqrt(2.0))
        return math.exp(-0.5 * z * z) / tail
    here, there = (right, left) if above else (left, right)
    if z >= core:
        return here  # exponential
    if z >= 0.0:
        beyond = _beyond(z, here, core)
    else:
        whole = _beyond(0.0, here, core) + _beyond(0.0, there, core)
        beyond = whole - _beyond(-z, there, core)
    steep = here if z >= 0.0 else there
    size = abs(z)
    rho = 0.5 * steep * size * size / core if size < core else steep * (size - 0.5 * core)
    return math.exp(-rho) / beyond


def _beyond(z: float, steep: float, core: float) -> float:
    """Return the integral of exp(-loss) from z >= 0 on, the loss linear beyond its core."""
    if z >= core:
        return math.exp(-steep * (z - 0.5 * core)) / steep
    root = math.sqrt(0.5 * steep / core)
    inner = math.erf(root * core) - math.erf(root * z)
    return math.exp(-0.5 * steep * core) / steep + 0.5 * math.sqrt(math.pi) / root * inner
