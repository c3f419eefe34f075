"""The NumPy twin of `_core.follow`: optima that moved a little, by Newton's method, and a check."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["follow"]

Floats = NDArray[np.float64]

# (points of shape (n, r), rows of shape (r,), shift of shape (n,)) -> values of shape (1 + m, r)
# and gradients of shape (1 + m, n, r) at points + shift; row 0 is the objective.
Derivatives = Callable[[Floats, NDArray[np.intp], Floats], tuple[Floats, Floats]]

SHIFT = 1e-6  # of the differences that make the Hessian of exact gradients
FEASIBLE = 1e-10  # largest violation that counts as none, but for rounding

MOST_STEPS = 14
LONGEST = 1.0  # step, in units of the logarithm
ARRIVED = 1e-11  # a step, or a force over the scale of the equations: none
TELLING = 1e-7  # a step from which the Hessian learns
CERTAIN = 1e-4  # least pivot of the equations, over their scale


def follow(
    functions: Derivatives,
    start: Floats,
    low: Floats,
    high: Floats,
    binding: NDArray[np.bool_],
    inside: NDArray[np.bool_],
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Minimise f(x) subject to c(x) <= 0 and bounds, from optima of slightly other functions.

    The constraints that held with equality there are taken to hold again, and variables at a bound
    to stay: then the optimum solves equations, by Newton's method with a Hessian that is made once
    and updated by every step. A row is settled if the next step is none and well determined, and
    the point keeps all constraints, needs no force of the wrong sign and is no saddle.

    Parameters
    ----------
    functions : Derivatives
    start : ndarray of shape (n, r)
    low, high : ndarray of shape (n, 1)
    binding : ndarray of shape (m,)
    inside : ndarray of shape (n,)

    Returns
    -------
    x : ndarray of shape (n, r)
    objective : ndarray of shape (r,)
    settled : ndarray of shape (r,)
    """
    n, rows = start.shape
    free, held = np.flatnonzero(inside), np.flatnonzero(binding)
    everything = np.arange(rows)
    none = np.zeros(n)
    x = start.copy()
    with np.errstate(all="ignore"):
        values, gradients = functions(x, everything, none)
        lam = _step(np.broadcast_to(np.eye(len(free))[:, :, None], (len(free), len(free), rows)),
                    values, gradients, free, held)[1]  # fmt: skip
        pull = _pull(gradients, lam, free, held)
        hessian = np.empty((len(free), len(free), rows))
        for k, i in enumerate(free):
            shift = none.copy()
            shift[i] = SHIFT
            hessian[k] = (_pull(functions(x, everything, shift)[1], lam, free, held) - pull) / SHIFT
        hessian = 0.5 * (hessian + hessian.transpose(1, 0, 2))
        for _ in range(MOST_STEPS):
            step, lam, _, _ = _step(hessian, values, gradients, free, held)
            moves = (step * step).sum(axis=0) > ARRIVED**2
            if not moves.any():
                break
            step = np.where(moves, np.clip(step, -LONGEST, LONGEST), 0.0)
            before = _pull(gradients, lam, free, held)
            x[free] += step
            values, gradients = functions(x, everything, none)
            rest = _pull(gradients, lam, free, held) - before
            for k in range(len(free)):
                rest -= hessian[k] * step[k]
            # Powell's symmetric update of Broyden: the rank-one update divides by what may vanish.
            # Steps as small as rounding say nothing of the Hessian.
            square = (step * step).sum(axis=0)
            unit = np.where(square > TELLING**2, step / square, 0.0)
            along = (rest * unit).sum(axis=0)
            for k in range(len(free)):
                hessian[k] += rest[k] * unit + unit[k] * rest - along * unit[k] * step
        step, lam, per_force, pivots = _step(hessian, values, gradients, free, held)
        fine = ((step * step).sum(axis=0) <= ARRIVED**2) & np.isfinite(values[0])
        scale = _scale(hessian, gradients, free)
        fine &= (np.abs(pivots) > CERTAIN * scale).all(axis=0)
        fine &= (lam >= -ARRIVED * per_force).all(axis=0)
        fine &= ((x >= low) & (x <= high)).all(axis=0)
        pull = _pull(gradients, lam, np.arange(n), held)
        none = ARRIVED * scale
        kept = ((x <= low) | (pull <= none)) & ((x >= high) | (pull >= -none))
        fine &= (~np.isnan(pull) & (inside[:, None] | kept)).all(axis=0)
        steep = np.maximum(np.abs(gradients[1:]).max(axis=1, initial=0.0), 1e-300)
        tolerance = np.maximum(FEASIBLE, 1e-15 / steep.min(axis=0, initial=1.0))
        fine &= (values[1:] / steep <= tolerance).all(axis=0)
        fine &= _curvature(hessian, gradients, free, held)
    return x, values[0], fine


def _pull(gradients: Floats, lam: Floats, free: NDArray[np.intp], held: NDArray[np.intp]) -> Floats:
    """Return the Lagrangian's gradient by the free variables."""
    out: Floats = gradients[0][free].copy()
    for j, h in enumerate(held):
        out += lam[j] * gradients[1 + h][free]
    return out


def _scale(hessian: Floats, gradients: Floats, free: NDArray[np.intp]) -> Floats:
    """Return the largest slope or curvature of the objective, shape (r,)."""
    slope = np.abs(gradients[0][free]).max(axis=0, initial=0.0)
    curvature = np.abs(hessian).max(axis=(0, 1), initial=0.0)
    return np.asarray(np.maximum(np.maximum(slope, curvature), 1e-300))


def _step(
    hessian: Floats,
    values: Floats,
    gradients: Floats,
    free: NDArray[np.intp],
    held: NDArray[np.intp],
) -> tuple[Floats, Floats, Floats, Floats]:
    """Solve for the step and the multipliers, all held constraints being equalities.

    These are brought to the objective's scale, so that the larger of two entries is the better
    pivot, and come first, where they mostly are.

    Returns
    -------
    step : (n, r), multipliers : (m, r), multiplier per force at that scale : (m, r), pivots :
    (n + m, r)
    """
    n, m, rows = len(free), len(held), values.shape[1]
    size = n + m
    steep = np.abs(gradients[1 + held][:, free]).max(axis=1, initial=0.0)
    per_force = _scale(hessian, gradients, free) / np.maximum(steep, 1e-300)
    k = np.zeros((size, size + 1, rows))
    k[m:, :n] = hessian
    k[m:, size] = -gradients[0][free]
    for j, h in enumerate(held):
        k[j, :n] = k[m:, n + j] = gradients[1 + h][free] * per_force[j]
        k[j, size] = -values[1 + h] * per_force[j]
    for i in range(size):
        for j in range(i + 1, size):
            other = np.abs(k[j, i]) > np.abs(k[i, i])
            k[i], k[j] = np.where(other, k[j], k[i]), np.where(other, k[i], k[j])
            # Without a pivot so far, a later equation may have one.
            k[j] -= np.where(k[i, i] == 0.0, 0.0, k[j, i] / k[i, i]) * k[i]
    solution = np.empty((size, rows))
    for i in range(size - 1, -1, -1):
        rest = k[i, size]
        for q in range(i + 1, size):
            rest = rest - k[i, q] * solution[q]
        solution[i] = rest / k[i, i]
    pivots = k[np.arange(size), np.arange(size)]
    return solution[:n], solution[n:] * per_force, per_force, pivots


def _curvature(
    hessian: Floats, gradients: Floats, free: NDArray[np.intp], held: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Tell whether the point is a minimum along the held constraints, not a saddle."""
    n = len(free)
    if len(held) >= n:
        return np.ones(hessian.shape[2], dtype=bool)
    weight = 1e3 * np.abs(hessian).max(axis=(0, 1))
    k = [[hessian[i, j].copy() for j in range(n)] for i in range(n)]
    for h in held:
        a = gradients[1 + h][free]
        by = weight / np.maximum((a * a).sum(axis=0), 1e-300)
        for i in range(n):
            for j in range(n):
                k[i][j] += by * a[i] * a[j]
    good = np.ones(hessian.shape[2], dtype=bool)
    for i in range(n):
        good &= k[i][i] > 0.0
        for j in range(i + 1, n):
            factor = k[j][i] / k[i][i]
            for q in range(i + 1, n):
                k[j][q] = k[j][q] - factor * k[i][q]
    return good
