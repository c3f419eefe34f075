"""The straight line through points in log-log: y = a * x**b, weighted, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .common import Floats

__all__ = ["PowerLaw", "power_law"]


@dataclass(frozen=True)
class PowerLaw:
    """The law y = a * x**b.

    Attributes
    ----------
    a, b : float
    covariance : ndarray of shape (2, 2)
        Of (log a, b), from the scatter about the line.
    n : int
        Number of points.
    draws : ndarray of shape (k, 2)
        (log a, b) of lines through noisy draws of the points; k is 0 where there are none.
    """

    a: float
    b: float
    covariance: Floats
    n: int
    draws: Floats

    @property
    def b_se(self) -> float:
        """Standard error of the exponent, from the scatter about the line."""
        return float(np.sqrt(self.covariance[1, 1]))

    def predict(self, x: float | Floats) -> Floats:
        """Return a * x**b."""
        return np.asarray(self.a * np.asarray(x, dtype=float) ** self.b)

    def interval(self, confidence_level: float = 0.95) -> tuple[float, float]:
        """Return the percentile interval of the exponent over the draws.

        Raises
        ------
        InputError
            If there are no draws, or the level is not between 0 and 1.
        """
        if not 0.0 < confidence_level < 1.0:
            raise InputError(f"confidence_level = {confidence_level!r} must be between 0 and 1")
        if not len(self.draws):
            raise InputError("this power law has no draws; b_se is its standard error")
        tail = (1.0 - confidence_level) / 2.0
        low, high = np.quantile(self.draws[:, 1], [tail, 1.0 - tail])
        return float(low), float(high)


def power_law(
    x: Floats, y: Floats, sigma: Floats | None = None, draws: Floats | None = None
) -> PowerLaw:
    """Fit y = a * x**b by weighted least squares of log y on log x.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Above 0.
    sigma : ndarray of shape (n,), optional
        Standard errors of log y; weights are 1 / sigma**2. All 0 counts as all equal.
    draws : ndarray of shape (n, k), optional
        Noisy versions of log y; nan where a draw has no value. The line is fitted to each draw that
        has at least two.

    Returns
    -------
    PowerLaw

    Raises
    ------
    InputError
        If there are fewer than two different x, or some but not all sigma are 0.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    sigma = np.ones_like(x) if sigma is None else np.asarray(sigma, dtype=float)
    if not x.shape == y.shape == sigma.shape or x.ndim != 1:
        raise InputError(f"x, y and sigma have shapes {x.shape}, {y.shape} and {sigma.shape}")
    for name, values in (("x", x), ("y", y)):
        if not (np.isfinite(values) & (values > 0.0)).all():
            raise InputError(f"a power law needs {name} above 0 and finite, got {values}")
    if len(np.unique(x)) < 2:
        raise InputError(f"a power law needs points at two different x at least, got {x}")
    if (sigma == 0.0).all():
        sigma = np.ones_like(sigma)
    if not (np.isfinite(sigma) & (sigma > 0.0)).all():
        raise InputError(f"sigma must be above 0 and finite, got {sigma}")
    log_x, log_y = np.log(x), np.log(y)
    w = 1.0 / sigma**2
    a, b = _lines(log_x, log_y[:, None], w)[0]
    left = w * (log_y - a - b * log_x) ** 2
    variance = left.sum() / (len(x) - 2) if len(x) > 2 else np.nan
    design = np.stack([np.ones_like(x), log_x - log_x.mean()], axis=1)
    inner = np.linalg.inv(design.T @ (w[:, None] * design))
    shift = np.array([[1.0, -log_x.mean()], [0.0, 1.0]])  # from the mean of log x to 0
    covariance = variance * shift @ inner @ shift.T
    lines = np.empty((0, 2)) if draws is None else _lines(log_x, draws, w)
    lines = lines[np.isfinite(lines).all(axis=1)]
    return PowerLaw(float(np.exp(a)), float(b), covariance, len(x), lines)


def _lines(x: Floats, y: Floats, w: Floats) -> Floats:
    """Return intercept and slope of each column of y (n, k), over its finite cells: (k, 2)."""
    weight = np.where(np.isfinite(y), w[:, None], 0.0)
    y = np.where(np.isfinite(y), y, 0.0)
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (weight * x[:, None]).sum(axis=0) / total
        dx = x[:, None] - middle
        spread = (weight * dx**2).sum(axis=0)
        slope = np.where(spread > 0.0, (weight * dx * y).sum(axis=0) / spread, np.nan)
        intercept = (weight * y).sum(axis=0) / total - slope * middle
    return np.stack([intercept, slope], axis=1)
