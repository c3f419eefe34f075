"""Least squares in NumPy for functions that only Python can call: Levenberg-Marquardt in a box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .robust import Robust

__all__ = ["PlainResult", "minimise", "numerical_jacobian"]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

TINY_STEP = 1e-12  # of x: no further progress can be told from rounding
TINY_GAIN = 1e-15  # of the cost


@dataclass
class PlainResult:
    """Where a start ended.

    Attributes
    ----------
    x : ndarray of shape (n,)
    f : ndarray of shape (m,)
        Residuals at x.
    jacobian : ndarray of shape (m, n)
    cost : float
    status : int
        SciPy's: 0 out of evaluations, 1 gradient, 2 gain of the cost, 3 step.
    nfev, njev : int
        Calls for residuals, without those of numerical derivatives, and Jacobians.
    """

    x: Floats
    f: Floats
    jacobian: Floats
    cost: float
    status: int
    nfev: int
    njev: int


def numerical_jacobian(function: Function, x: Floats, low: Floats, high: Floats) -> Floats:
    """Return derivatives by central differences, one-sided of second order beside a bound.

    Parameters
    ----------
    function : callable
        From (n,) to (m,).
    x, low, high : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (m, n)
    """
    columns = []
    for k in range(len(x)):
        h = np.finfo(float).eps ** (1 / 3) * (abs(x[k]) if x[k] != 0 else 1.0)
        h = min(h, 0.5 * (high[k] - low[k]))  # both ends of the steps below lie in the box
        if h == 0.0:
            columns.append(np.zeros_like(function(x)))
            continue
        point = x.copy()

        def at(value: float, point: Floats = point, k: int = k) -> Floats:
            point[k] = value
            return np.array(function(point), dtype=float)

        if x[k] - h >= low[k] and x[k] + h <= high[k]:
            above, below = x[k] + h, x[k] - h
            columns.append((at(above) - at(below)) / (above - below))
        else:
            sign = 1.0 if x[k] - h < low[k] else -1.0
            one, two = x[k] + 0.5 * sign * h, x[k] + sign * h
            a, b = one - x[k], two - x[k]
            zeroth = at(x[k])
            columns.append(((at(one) - zeroth) * b / a - (at(two) - zeroth) * a / b) / (b - a))
    return np.stack(columns, axis=1)


def minimise(
    function: Function,
    x0: Floats,
    low: Floats,
    high: Floats,
    robust: Robust,
    *,
    jacobian: Function | None = None,
    max_evaluations: int = 0,
    tolerance: float = 1e-10,
) -> PlainResult:
    """Minimise half the sum of squares, or of a robust loss, of residuals over a box.

    Every step minimises the damped Gauss-Newton model over the parameters that the bounds leave
    free and is cut off at the box (Kanzow, Yamashita, Fukushima 2004, "Levenberg-Marquardt methods
    with strong local convergence properties for solving nonlinear equations with convex
    constraints").

    Parameters
    ----------
    function, jacobian : callable
        Residuals, (n,) to (m,), and their derivatives, to (m, n); without the latter, differences.
    x0, low, high : ndarray of shape (n,)
    robust : Robust
    max_evaluations : int
        0: 200 (n + 1).
    tolerance : float
        Largest cosine between residuals and a column of the Jacobian that counts as a minimum.

    Returns
    -------
    PlainResult
    """
    limit = max_evaluations if max_evaluations > 0 else 200 * (len(x0) + 1)
    derivatives = jacobian or (lambda p: numerical_jacobian(function, p, low, high))
    x = np.clip(x0, low, high)
    f = function(x)
    cost = robust.cost(f)
    J = derivatives(x)
    nfev, njev = 1, 1
    damping, size = 1e-3, np.zeros(len(x))
    status = 0
    if not np.isfinite(cost):
        return PlainResult(x, f, J, cost, -1, nfev, njev)
    while True:
        u, A = robust.weighted(f, J)
        g = A.T @ u
        length = np.linalg.norm(A, axis=0)
        size = np.maximum(size, length)
        pushed = ((x <= low) & (g > 0)) | ((x >= high) & (g < 0))
        free = ~pushed
        cosine = np.abs(g) / np.where(length > 0, length, 1.0) / max(np.linalg.norm(u), 1e-300)
        if not free.any() or cosine[free].max(initial=0.0) <= tolerance or cost == 0.0:
            status = 1
            break
        metric = np.where(size > 0, size, 1.0)[free]
        accepted = False
        while nfev < limit:
            stacked = np.vstack([A[:, free] / metric, np.sqrt(damping) * np.eye(len(metric))])
            right = np.concatenate([-u, np.zeros(len(metric))])
            step = np.zeros(len(x))
            step[free] = np.linalg.lstsq(stacked, right, rcond=None)[0] / metric
            trial = np.clip(x + step, low, high)
            step = trial - x
            promised = -(g @ step + 0.5 * float(np.sum((A @ step) ** 2)))
            if np.all(np.abs(step) <= TINY_STEP * np.abs(x)):
                status = 3
                break
            with np.errstate(all="ignore"):
                f_trial = function(trial)
                cost_trial = robust.cost(f_trial)
            nfev += 1
            gain = cost - cost_trial
            if np.isfinite(cost_trial) and gain > 1e-4 * max(promised, 0.0) and gain > 0:
                accepted = True
                break
            if abs(promised) <= TINY_GAIN * cost and (promised <= 0 or abs(gain) <= 1e-12 * cost):
                status = 2
                break
            damping = max(4.0 * damping, 1e-12)
            if damping > 1e30:
                status = 3
                break
        if not accepted:
            break
        if gain > 0.75 * promised:
            damping *= 0.2
        elif gain < 0.25 * promised:
            damping *= 2.0
        x, f, cost = trial, f_trial, cost_trial
        J = derivatives(x)
        njev += 1
    return PlainResult(x, f, J, cost, status, nfev, njev)
