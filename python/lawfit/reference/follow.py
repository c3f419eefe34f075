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
SURE_STEP = 1e-11
FAST_STEP = 1e-7
SUPERLINEAR = 1e-3
SMALL = 1e-8  # residual that counts as solved


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
    and updated by every step. A row is settled if the result keeps all constraints, needs no force
    of the wrong sign, is no saddle and has converged.

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
        last = np.full(rows, np.inf)
        done = np.zeros(rows, dtype=bool)
        for _ in range(MOST_STEPS):
            step, lam = _step(hessian, values, gradients, free, held)
            step = np.where(done, 0.0, np.clip(step, -LONGEST, LONGEST))
            size = np.abs(step).max(axis=0)
            before = _pull(gradients, lam, free, held)
            x[free] += step
            values, gradients = functions(x, everything, none)
            done |= (size <= SURE_STEP) | ((size <= FAST_STEP) & (size <= SUPERLINEAR * last))
            if done.all():
                break
            last = size
            rest = _pull(gradients, lam, free, held) - before
            for k in range(len(free)):
                rest -= hessian[k] * step[k]
            # Powell's symmetric update of Broyden: the rank-one update divides by what may vanish.
            # Steps as small as rounding say nothing of the Hessian.
            square = (step * step).sum(axis=0)
            unit = np.where(size > FAST_STEP, step / square, 0.0)
            along = (rest * unit).sum(axis=0)
            for k in range(len(free)):
                hessian[k] += rest[k] * unit + unit[k] * rest - along * unit[k] * step
        rest = _pull(gradients, lam, np.arange(n), held)
        bound = np.where(
            x <= low, np.minimum(rest, 0.0), np.where(x >= high, np.maximum(rest, 0.0), rest)
        )
        steep = np.maximum(np.abs(gradients[1:]).max(axis=1, initial=0.0), 1e-300)
        tolerance = np.maximum(FEASIBLE, 1e-15 / steep.min(axis=0, initial=1.0))
        over = values[1:] / steep
        residual = np.abs(bound).max(axis=0, initial=0.0)
        residual = residual / (np.abs(gradients[0]).max(axis=0, initial=0.0) + 1e-300)
        residual += np.maximum(np.abs(over[held]) - tolerance, 0.0).max(axis=0, initial=0.0)
        fine = done & (over <= tolerance).all(axis=0) & (residual <= SMALL)
        fine &= (lam >= 0.0).all(axis=0) & np.isfinite(values[0])
        fine &= ((x >= low) & (x <= high)).all(axis=0)
        fine &= _curvature(hessian, gradients, free, held)
    return x, values[0], fine


def _pull(gradients: Floats, lam: Floats, free: NDArray[np.intp], held: NDArray[np.intp]) -> Floats:
    """Return the Lagrangian's gradient by the free variables."""
    out: Floats = gradients[0][free].copy()
    for j, h in enumerate(held):
        out += lam[j] * gradients[1 + h][free]
    return out


def _step(
    hessian: Floats,
    values: Floats,
    gradients: Floats,
    free: NDArray[np.intp],
    held: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """Solve for the step and the multipliers, all held constraints being equalities.

    A multiple of the constraints' normals is added to the Hessian, which changes neither, so that
    elimination needs no exchange of rows.
    """
    n, m = len(free), len(held)
    size = n + m
    g = gradients[0][free]
    k: list[list[Floats]] = [[hessian[i, j] for j in range(n)] for i in range(n)]
    right = [-g[i] for i in range(n)]
    weight = np.abs(hessian).max(axis=(0, 1))
    for h in held:
        a, c = gradients[1 + h][free], values[1 + h]
        by = weight / np.maximum((a * a).max(axis=0), 1e-300)
        for i in range(n):
            scaled = by * a[i]
            for j in range(n):
                k[i][j] = k[i][j] + scaled * a[j]
            right[i] = right[i] - scaled * c
    for h in held:
        a = gradients[1 + h][free]
        for i in range(n):
            k[i].append(a[i])
        right.append(-values[1 + h])
        k.append([a[i] for i in range(n)])
    for row in k[n:]:
        row.extend([np.zeros_like(g[0])] * m)
    for i in range(size):
        for j in range(i + 1, size):
            factor = k[j][i] / k[i][i]
            for q in range(i + 1, size):
                k[j][q] = k[j][q] - factor * k[i][q]
            right[j] = right[j] - factor * right[i]
    solution: list[Floats] = [np.empty(0)] * size
    for i in range(size - 1, -1, -1):
        rest = right[i]
        for q in range(i + 1, size):
            rest = rest - k[i][q] * solution[q]
        solution[i] = rest / k[i][i]
    rows = values.shape[1]
    return (
        np.array(solution[:n]).reshape(n, rows),
        np.array(solution[n:]).reshape(m, rows),
    )


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
        by = weight / np.maximum((a * a).max(axis=0), 1e-300)
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
