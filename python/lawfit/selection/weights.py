"""Weights over laws: by information criteria, and by stacking held-out predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["akaike_weights", "stacking_weights"]

Floats = NDArray[np.float64]

CLOSE = 1e-10
MOST_SWEEPS = 100_000


def akaike_weights(criterion: Floats) -> Floats:
    """Return exp(-difference to the least / 2), normalised; nan counts as no weight.

    Parameters
    ----------
    criterion : ndarray of shape (laws,)

    Returns
    -------
    ndarray of shape (laws,)
        All nan if no criterion is finite.
    """
    usable = np.where(np.isnan(criterion), np.inf, criterion)
    least = usable.min()
    if least == -np.inf:  # exact fits
        weight = (usable == least).astype(float)
        return np.asarray(weight / weight.sum())
    if least == np.inf:
        return np.full(len(criterion), np.nan)
    weight = np.exp(-0.5 * (usable - least))
    return np.asarray(weight / weight.sum())


def stacking_weights(residuals: Floats) -> Floats:
    """Return the weights, at least 0 with sum 1, of the mean that errs least in squares.

    Wolpert, "Stacked generalization" (1992), with Breiman's constraint (1996).

    Parameters
    ----------
    residuals : ndarray of shape (rows, laws)
        Held-out residuals on common rows.

    Returns
    -------
    ndarray of shape (laws,)
    """
    gram = residuals.T @ residuals
    count = len(gram)
    best = int(np.argmin(np.diag(gram)))
    weight = np.zeros(count)
    weight[best] = 1.0
    scale = gram[best, best]
    slope = gram @ weight
    for _ in range(MOST_SWEEPS):
        # Move weight between the two laws that gain most: from the steepest that has some.
        up = int(np.argmin(slope))
        down = int(np.argmax(np.where(weight > 0, slope, -np.inf)))
        if slope[down] - slope[up] <= CLOSE * scale:
            break
        curvature = gram[up, up] + gram[down, down] - 2.0 * gram[up, down]
        step = weight[down]
        if curvature > 0:
            step = min(step, (slope[down] - slope[up]) / curvature)
        weight[up] += step
        weight[down] -= step
        slope = gram @ weight
    return weight
