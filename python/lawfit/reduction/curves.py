"""Minima of curves through points: parabolas and Akima's interpolant, many curves at once."""

from __future__ import annotations

import numpy as np

from .common import Floats

__all__ = ["akima_minimum", "akima_slopes", "parabola"]


def parabola(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the minima of least-squares parabolas.

    Parameters
    ----------
    x : ndarray of shape (n,)
    y : ndarray of shape (..., n)

    Returns
    -------
    at : ndarray of shape (...)
        The vertex; nan where there is no minimum or it is not inside the range of x.
    value : ndarray of shape (...)
        There.
    coefficients : ndarray of shape (..., 3)
        Of 1, t, t**2 with t = (x - mean) / half range.
    """
    middle, half = x.mean(), (x.max() - x.min()) / 2.0
    t = (x - middle) / half
    design = np.vander(t, 3, increasing=True)
    coefficients = y @ np.linalg.pinv(design).T
    c0, c1, c2 = np.moveaxis(coefficients, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(c2 > 0.0, -c1 / (2.0 * c2), np.nan)
        vertex = np.where((vertex > t.min()) & (vertex < t.max()), vertex, np.nan)
        value = c0 + vertex * (c1 + vertex * c2)
    return middle + half * vertex, value, coefficients


def akima_slopes(x: Floats, y: Floats) -> Floats:
    """Return the slopes of Akima's interpolant at its nodes.

    Parameters
    ----------
    x : ndarray of shape (n,), n >= 2
        Ascending.
    y : ndarray of shape (..., n)

    Returns
    -------
    ndarray of shape (..., n)

    References
    ----------
    Akima 1970, A New Method of Interpolation and Smooth Curve Fitting Based on Local Procedures,
    J. ACM 17(4), eq. 1; two slopes are added at each end by his parabola rule.
    """
    n = len(x)
    m = np.empty((*y.shape[:-1], n + 3))
    m[..., 2:-2] = np.diff(y) / np.diff(x)
    m[..., 1] = 2.0 * m[..., 2] - m[..., min(3, n)]
    m[..., 0] = 2.0 * m[..., 1] - m[..., 2]
    m[..., -2] = 2.0 * m[..., -3] - m[..., max(-4, -n - 1)]
    m[..., -1] = 2.0 * m[..., -2] - m[..., -3]
    change = np.abs(np.diff(m))
    left, right = change[..., 2:], change[..., :-2]
    total = left + right
    flat = total <= 1e-9 * total.max(axis=-1, keepdims=True)
    before, after = m[..., 1:-2], m[..., 2:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted = (left * before + right * after) / total
    return np.asarray(np.where(flat, (before + after) / 2.0, weighted))


def akima_minimum(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the least values of Akima's interpolants.

    Parameters
    ----------
    x : ndarray of shape (n,), n >= 3
        Ascending.
    y : ndarray of shape (..., n)

    Returns
    -------
    at : ndarray of shape (...)
        Where; nan if at the first or last node.
    value : ndarray of shape (...)
        There; nan likewise.
    """
    slope = akima_slopes(x, y)
    h = np.diff(x)
    secant = np.diff(y) / h
    # y + s (c1 + s (c2 + s c3)) on each piece, s from 0 to h
    c1 = slope[..., :-1]
    c2 = (3.0 * secant - 2.0 * c1 - slope[..., 1:]) / h
    c3 = (c1 + slope[..., 1:] - 2.0 * secant) / h**2
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(c2**2 - 3.0 * c1 * c3)
        s = np.where(c2 + root > 0.0, -c1 / (c2 + root), (root - c2) / (3.0 * c3))
    inside = np.isfinite(s) & (s > 0.0) & (s < h)
    s = np.where(inside, s, 0.0)
    low = np.where(inside, y[..., :-1] + s * (c1 + s * (c2 + s * c3)), np.inf)
    values = np.concatenate([low, y], axis=-1)
    places = np.concatenate([x[:-1] + s, np.broadcast_to(x, y.shape)], axis=-1)
    best = np.argmin(values, axis=-1)[..., None]
    at = np.take_along_axis(places, best, axis=-1)[..., 0]
    value = np.take_along_axis(values, best, axis=-1)[..., 0]
    inner = (at > x[0]) & (at < x[-1])
    return np.where(inner, at, np.nan), np.where(inner, value, np.nan)
