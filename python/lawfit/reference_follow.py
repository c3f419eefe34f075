"""Optima that moved a little: Newton's method with the limits that held before, then a check."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .refine import FEASIBLE, SHIFT, Derivatives, Refined, refine

__all__ = ["follow"]

Floats = NDArray[np.float64]

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
) -> Refined:
    """Minimise as `refine` does, from points that were optimal for slightly other functions.

    The constraints that held with equality there are taken to hold again, and variables at a bound
    to stay: then the optimum solves equations, by Newton's method with a Hessian that is made once
    and updated by every step. Rows in which the result breaks a constraint, needs a force of the
    wrong sign, or did not converge are refined from the start.

    Parameters
    ----------
    functions, start, low, high
        As `refine`.
    binding : ndarray of shape (m,)
    inside : ndarray of shape (n,)

    Returns
    -------
    Refined
    """
    n, rows = start.shape
    m = len(binding)
    free, held = np.flatnonzero(inside), np.flatnonzero(binding)
    if not len(free) or len(held) > len(free):
        return refine(functions, start, low, high)
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
        evaluations = (1 + len(free)) * rows
        for _ in range(MOST_STEPS):
            step, lam = _step(hessian, values, gradients, free, held)
            step = np.clip(step, -LONGEST, LONGEST)
            size = np.abs(step).max(axis=0)
            before = _pull(gradients, lam, free, held)
            x[free] += step
            values, gradients = functions(x, everything, none)
            evaluations += rows
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
        every = np.zeros((m, rows))
        every[held] = lam
        rest = _pull(gradients, lam, np.arange(n), held)
        bound = np.where(
            x <= low, np.minimum(rest, 0.0), np.where(x >= high, np.maximum(rest, 0.0), rest)
        )
        steep = np.maximum(np.abs(gradients[1:]).max(axis=1, initial=0.0), 1e-300)
        violation = np.maximum(values[1:] / steep, 0.0).max(axis=0, initial=0.0)
        tolerance = np.maximum(FEASIBLE, 1e-15 / steep.min(axis=0, initial=1.0))
        residual = np.abs(bound).max(axis=0) / (np.abs(gradients[0]).max(axis=0) + 1e-300)
        residual += np.maximum(np.abs(values[1:][held] / steep[held]) - tolerance, 0.0).max(
            axis=0, initial=0.0
        )
        fine = done & (violation <= tolerance) & (residual <= SMALL) & (every >= 0.0).all(axis=0)
        fine &= ((x >= low) & (x <= high)).all(axis=0) & (
            _curvature(hessian, gradients, free, held)
        )
    if fine.all():
        return Refined(x, values[0], every, violation, residual, fine, evaluations)
    return _with_refined(functions, start, low, high, fine, x, values, every, violation, residual,
                         evaluations)  # fmt: skip


def _with_refined(
    functions: Derivatives,
    start: Floats,
    low: Floats,
    high: Floats,
    fine: NDArray[np.bool_],
    x: Floats,
    values: Floats,
    every: Floats,
    violation: Floats,
    residual: Floats,
    evaluations: int,
) -> Refined:
    """Refine the rows that Newton's method did not settle."""
    bad = np.flatnonzero(~fine)

    def some(point: Floats, at: NDArray[np.intp], shift: Floats) -> tuple[Floats, Floats]:
        return functions(point, bad[at], shift)

    got = refine(some, start[:, bad], low[:, bad], high[:, bad])
    objective = values[0].copy()
    x[:, bad], objective[bad], every[:, bad] = got.x, got.objective, got.multipliers
    violation[bad], residual[bad] = got.violation, got.residual
    converged = fine.copy()
    converged[bad] = got.converged
    return Refined(
        x, objective, every, violation, residual, converged, evaluations + got.iterations
    )


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
