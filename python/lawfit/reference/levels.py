"""The NumPy twin of the choice of levels: coefficients by non-negative least squares."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

__all__ = ["choose"]

Floats = NDArray[np.float64]

LEAST_SHARE = 0.01


def choose(terms: Floats, rest: Floats, target: Floats, weights: Floats) -> tuple[Floats, float]:
    """Return factors of terms that minimise the squares of their sum's relative errors.

    Every set of terms is tried, the others being left out.

    Parameters
    ----------
    terms : ndarray of shape (levels, rows)
        The terms as they are.
    rest : ndarray of shape (rows,)
        The part of the sum that stays.
    target : ndarray of shape (rows,)
        Above zero.
    weights : ndarray of shape (rows,)

    Returns
    -------
    factors : ndarray of shape (levels,)
        Of a term that is left out: what makes it one percent of the target in the weighted mean.
    least : float
        Half the least weighted sum of squares, before that.
    """
    root = np.sqrt(weights)
    basis = (terms / target * root).T
    right = (1.0 - rest / target) * root
    size = np.sqrt((basis**2).sum(axis=0))
    best, least = np.zeros(len(terms)), 0.5 * float(right @ right)
    for count in range(1, len(terms) + 1):
        for chosen in map(list, itertools.combinations(range(len(terms)), count)):
            part = np.linalg.lstsq(basis[:, chosen] / size[chosen], right, rcond=None)[0]
            factors = np.zeros(len(terms))
            factors[chosen] = part / size[chosen]
            error = 0.5 * float(((basis @ factors - right) ** 2).sum())
            if (factors >= 0.0).all() and error < least:
                best, least = factors, error
    sums = (terms / target * weights).sum(axis=1)
    return np.maximum(best, LEAST_SHARE * weights.sum() / sums), least
