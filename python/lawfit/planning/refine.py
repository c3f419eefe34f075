"""Many small constrained minimisations at once: sequential quadratic programming, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Derivatives", "Refined", "refine"]

Floats = NDArray[np.float64]

# (points of shape (n, r), rows of shape (r,), shift of shape (n,)) -> values of shape (1 + m, r)
# and gradients of shape (1 + m, n, r) at points + shift; row 0 is the objective.
Derivatives = Callable[[Floats, NDArray[np.intp], Floats], tuple[Floats, Floats]]

SHIFT = 1e-6  # of the forward differences that make the Hessian of exact gradients
FIRST_RADIUS = 1.0
MOST_RADIUS = 4.0
SMALLEST_RADIUS = 1e-13
MOST_EXCHANGES = 30  # of active sets per quadratic program
SURE_STEP = 1e-11  # a step below it ends a row
FAST_STEP = 1e-7  # and one below this, if it is SUPERLINEAR times the step before
SUPERLINEAR = 1e-3
SMALL_RESIDUAL = 1e-6
MOST_FORCE = 1e8  # of a multiplier, over the objective's gradient
REACH = 0.8  # share of what a step could gain that it is asked for, where it cannot gain all
FEASIBLE = 1e-10  # largest violation that counts as none, but for rounding


@dataclass(frozen=True)
class Refined:
    """Where each row ended.

    Attributes
    ----------
    x : ndarray of shape (n, r)
    objective : ndarray of shape (r,)
    multipliers : ndarray of shape (m, r)
        Of the constraints, 0 where one does not bind: minus the change of the objective per unit
        by which the constraint is relaxed.
    violation : ndarray of shape (r,)
        Largest value of a constraint over the size of its gradient at the start, 0 if all hold.
    residual : ndarray of shape (r,)
        Largest entry of the Lagrangian's gradient that no bound explains, relative to the
        objective's gradient.
    converged : ndarray of shape (r,)
    iterations : int
        Evaluations of all functions, summed over rows.
    """

    x: Floats
    objective: Floats
    multipliers: Floats
    violation: Floats
    residual: Floats
    converged: NDArray[np.bool_]
    iterations: int


def refine(
    functions: Derivatives,
    start: Floats,
    low: Floats,
    high: Floats,
    *,
    most_iterations: int = 200,
) -> Refined:
    """Minimise f(x) subject to c(x) <= 0 and low <= x <= high in every row.

    A trust region in the metric of the largest entry bounds each step, so that it joins the box of
    the bounds; the quadratic programs are solved by exchanging active sets. A step is kept if it
    lowers the exact penalty function or halves the distance from the optimality conditions: the
    second lets Newton's steps along curved constraints pass, and works where values no longer tell
    points apart.

    Parameters
    ----------
    functions : Derivatives
    start : ndarray of shape (n, r)
    low, high : ndarray of shape (n, r)
    most_iterations : int

    Returns
    -------
    Refined
    """
    n, rows = start.shape
    everything = np.arange(rows)
    x = np.clip(start, low, high)
    values, gradients = functions(x, everything, np.zeros(n))
    m = len(values) - 1
    # Constraints are measured by how far one must go to meet them.
    steep = np.abs(gradients[1:]).max(axis=1, initial=0.0)
    scale = np.ones((1 + m, rows))
    scale[1:] = np.where(np.isfinite(steep) & (steep > 0.0), 1.0 / np.maximum(steep, 1e-300), 1.0)
    tolerance = np.maximum(FEASIBLE, 1e-15 * scale[1:].max(axis=0, initial=0.0))

    def scaled(x: Floats, at: NDArray[np.intp], shift: Floats) -> tuple[Floats, Floats]:
        values, gradients = functions(x, at, shift)
        by = scale if len(at) == rows else scale[:, at]
        return values * by, gradients * by[:, None]

    values, gradients = values * scale, gradients * scale[:, None]
    final = {
        "x": x.copy(),
        "values": values.copy(),
        "multipliers": np.zeros((m, rows)),
        "residual": np.full(rows, np.inf),
    }
    converged = np.zeros(rows, dtype=bool)
    evaluations = rows

    at = everything  # rows still under way; everything below is about these alone
    lam = np.zeros((m, rows))
    penalty = np.broadcast_to(np.abs(gradients[0]).max(axis=0, initial=0.0), (m, rows)).copy()
    radius = np.full(rows, FIRST_RADIUS)
    last = np.full(rows, np.inf)
    free = np.zeros((n, rows), dtype=np.int8)  # 0: inside, -1, +1: at the lower, upper bound
    active = values[1:] > -1e-6
    lower, upper = low, high
    if n == 0:  # everything comes from lists
        held = (values[1:] <= tolerance).all(axis=0)
        return Refined(
            x, values[0], lam, np.maximum(values[1:], 0).max(axis=0, initial=0.0),
            np.zeros(rows), held, rows,
        )  # fmt: skip

    for _ in range(most_iterations):
        hessian = _hessian(scaled, x, at, gradients, lam)
        evaluations += n * len(at)
        hessian, changed = _made_convex(hessian, gradients, active)
        box = (np.maximum(lower - x, -radius), np.minimum(upper - x, radius))
        step, new_lam, free, active, solved = _quadratic_program(
            hessian, gradients[0], gradients[1:], _within_reach(gradients, values, box), box, free,
            active,
        )  # fmt: skip
        most = MOST_FORCE * np.abs(gradients[0]).max(axis=0)
        new_lam = np.where(solved, np.minimum(new_lam, most), lam)
        size = np.abs(step).max(axis=0)
        new_x = np.clip(x + step, lower, upper)
        new_values, new_gradients = scaled(new_x, at, np.zeros(n))
        evaluations += len(at)

        penalty = np.maximum(penalty, 1.5 * new_lam)
        over, new_over = np.maximum(values[1:], 0.0), np.maximum(new_values[1:], 0.0)
        slope = np.einsum("ir,ir->r", gradients[0], step)
        bend = 0.5 * np.einsum("ir,ijr,jr->r", step, hessian, step)
        promised = -(slope + bend) + (penalty * over).sum(axis=0)
        gained = values[0] - new_values[0] + (penalty * (over - new_over)).sum(axis=0)
        before = _residual(gradients, values, new_lam, x, lower, upper)
        after = _residual(new_gradients, new_values, new_lam, new_x, lower, upper)
        finite = np.isfinite(new_values).all(axis=0) & np.isfinite(new_gradients).all(axis=(0, 1))
        keep = (gained > 1e-4 * np.maximum(promised, 0.0)) & (size > 0.0)
        keep |= solved & ((after < 0.5 * before) | (size <= FAST_STEP))
        keep &= finite
        at_edge = size >= 0.99 * radius
        good = keep & ((gained > 0.75 * promised) | (after < 0.1 * before))
        radius = np.where(
            keep,
            np.where(good & at_edge, np.minimum(2.0 * radius, MOST_RADIUS), radius),
            0.25 * np.where(solved, np.minimum(size, radius), radius),
        )
        done = (
            keep
            & solved
            & (
                ((size <= SURE_STEP) & (after <= SMALL_RESIDUAL))
                | ((size <= FAST_STEP) & (size <= SUPERLINEAR * last) & ~changed & ~at_edge)
            )
        )
        last = np.where(keep, size, last)
        x = np.where(keep, new_x, x)
        values = np.where(keep, new_values, values)
        gradients = np.where(keep, new_gradients, gradients)
        lam = np.where(keep, new_lam, lam)
        stuck = radius < SMALLEST_RADIUS

        ended = done | stuck
        if ended.any():
            residual = np.where(keep, after, before)
            out = at[ended]
            final["x"][:, out] = x[:, ended]
            final["values"][:, out] = values[:, ended]
            final["multipliers"][:, out] = lam[:, ended]
            final["residual"][out] = residual[ended]
            converged[out] = done[ended]
            on = ~ended
            if not on.any():
                at = at[on]
                break
            at, radius, last = at[on], radius[on], last[on]
            x, values, gradients = x[:, on], values[:, on], gradients[:, :, on]
            lam, penalty = lam[:, on], penalty[:, on]
            free, active = free[:, on], active[:, on]
            lower, upper = lower[:, on], upper[:, on]

    if len(at):  # out of iterations
        final["x"][:, at], final["values"][:, at] = x, values
        final["multipliers"][:, at] = lam
        final["residual"][at] = _residual(gradients, values, lam, x, lower, upper)
    violation = np.maximum(final["values"][1:], 0.0).max(axis=0, initial=0.0)
    return Refined(
        final["x"],
        final["values"][0],
        final["multipliers"] * scale[1:],
        violation,
        final["residual"],
        converged & (violation <= tolerance),
        evaluations,
    )


def _hessian(
    functions: Derivatives, x: Floats, at: NDArray[np.intp], gradients: Floats, lam: Floats
) -> Floats:
    """Return the Hessian of the Lagrangian, shape (n, n, r)."""
    n = len(x)
    here = gradients[0] + np.einsum("jr,jir->ir", lam, gradients[1:])
    hessian = np.empty((n, n, x.shape[1]))
    for i in range(n):
        shift = np.zeros(n)
        shift[i] = SHIFT
        _, moved = functions(x, at, shift)
        hessian[i] = (moved[0] + np.einsum("jr,jir->ir", lam, moved[1:]) - here) / SHIFT
    for i in range(n):
        for k in range(i):
            hessian[i, k] = hessian[k, i] = 0.5 * (hessian[i, k] + hessian[k, i])
    return np.where(np.isfinite(hessian), hessian, 0.0)


def _made_convex(
    hessian: Floats, gradients: Floats, active: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a positive definite matrix, and in which rows it leads to other steps.

    Along the normals of active constraints curvature may be added freely: the step there is given.
    """
    n = len(hessian)
    size = np.abs(hessian).max(axis=(0, 1))
    pull = np.abs(gradients[0]).max(axis=0)
    floor = np.maximum(1e-7 * size, 1e-6 * pull) + 1e-300
    least = _least_eigenvalue(hessian)
    rows = np.flatnonzero(least < np.maximum(floor, 0.05 * size))
    changed = np.zeros(len(size), dtype=bool)
    if not len(rows):
        return hessian, changed
    hessian = hessian.copy()
    some = hessian[:, :, rows]
    for j in range(len(gradients) - 1):
        a = gradients[1 + j][:, rows]
        weight = (
            active[j, rows] * np.maximum(size, pull)[rows] / np.maximum((a**2).sum(axis=0), 1e-300)
        )
        some += weight * a[:, None] * a[None, :]
    short = np.maximum(floor[rows] - _least_eigenvalue(some), 0.0)
    changed[rows] = short > 1e-6 * size[rows]
    hessian[:, :, rows] = some + np.where(short > 0, 2.0 * short, 0.0) * np.eye(n)[:, :, None]
    return hessian, changed


def _least_eigenvalue(hessian: Floats) -> Floats:
    if len(hessian) == 1:
        return np.asarray(hessian[0, 0])
    if len(hessian) == 2:
        (a, b), (_, d) = hessian
        half, off = 0.5 * (a + d), np.hypot(0.5 * (a - d), b)
        # The product of both over the larger one, where the difference would cancel.
        larger = half + off
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.where(larger > 0, (a * d - b * b) / larger, half - off)
        return np.asarray(least)
    return np.array(np.linalg.eigvalsh(np.moveaxis(hessian, 2, 0))[:, 0])


def _within_reach(gradients: Floats, values: Floats, box: tuple[Floats, Floats]) -> Floats:
    """Return the constraints' values, less where no step in the box meets the linear model."""
    a = gradients[1:]
    gain = -np.minimum(a * box[0], a * box[1]).sum(axis=1)
    return np.where(values[1:] > gain, REACH * gain, values[1:])


def _quadratic_program(
    hessian: Floats,
    gradient: Floats,
    normals: Floats,
    values: Floats,
    box: tuple[Floats, Floats],
    free: NDArray[np.int8],
    active: NDArray[np.bool_],
) -> tuple[Floats, Floats, NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Minimise p'Hp / 2 + g'p subject to Ap + c <= 0 and a box, exchanging active sets.

    Returns
    -------
    p : (n, r), multipliers : (m, r), free : (n, r), active : (m, r), solved : (r,)
    """
    n, rows = gradient.shape
    m = len(values)
    step, lam = np.zeros((n, rows)), np.zeros((m, rows))
    solved = np.zeros(rows, dtype=bool)
    free, active = free.copy(), active.copy()
    at: NDArray[np.intp] | slice = slice(None)
    for exchange in range(MOST_EXCHANGES):
        h, g, a, c = hessian[:, :, at], gradient[:, at], normals[:, :, at], values[:, at]
        low, high = box[0][:, at], box[1][:, at]
        state, on = free[:, at], active[:, at]
        p, multiplier = _solve_with(h, g, a, c, low, high, state, on)
        slack = np.einsum("jir,ir->jr", a, p) + c
        pull = np.einsum("ijr,jr->ir", h, p) + g + np.einsum("jr,jir->ir", multiplier, a)
        scale = np.abs(g).max(axis=0) + 1e-300
        wrong_state = np.where(
            state == 0,
            np.where(p < low - 1e-14, -1, np.where(p > high + 1e-14, 1, 0)),
            np.where(-state * pull < -1e-13 * scale, 0, state),
        ).astype(np.int8)
        wrong_on = np.where(on, multiplier >= 0.0, slack > 1e-13)
        for j in range(m):  # every variable is at a bound and the constraint fails: let some go
            lost = on[j] & (slack[j] > 1e-13) & ~((state == 0) & (a[j] != 0.0)).any(axis=0)
            wrong_state = np.where(lost & (state * a[j] > 0.0), np.int8(0), wrong_state)
        if exchange > 8:  # one exchange at a time, in turn, ends what might go round in circles
            wrong_state, wrong_on = _only_first(wrong_state, wrong_on, state, on, exchange)
        fine = (wrong_state == state).all(axis=0) & (wrong_on == on).all(axis=0)
        fine &= np.isfinite(p).all(axis=0)
        step[:, at] = np.where(np.isfinite(p), np.clip(p, low, high), 0.0)
        lam[:, at] = np.where(np.isfinite(multiplier), multiplier, 0.0)
        solved[at] = fine
        if fine.all():
            break
        free[:, at] = wrong_state
        active[:, at] = wrong_on
        at = np.flatnonzero(~solved)
    return step, np.maximum(lam, 0.0), free, active, solved


def _only_first(
    new_state: NDArray[np.int8],
    new_on: NDArray[np.bool_],
    state: NDArray[np.int8],
    on: NDArray[np.bool_],
    turn: int,
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Keep one of the exchanges of each row."""
    n = len(state)
    differs = np.concatenate([new_state != state, new_on != on])
    order = np.roll(np.arange(len(differs)), turn)
    first = order[np.argmax(differs[order], axis=0)]
    chosen = (np.arange(len(differs))[:, None] == first) & differs
    return np.where(chosen[:n], new_state, state), np.where(chosen[n:], new_on, on)


def _solve_with(
    h: Floats,
    g: Floats,
    a: Floats,
    c: Floats,
    low: Floats,
    high: Floats,
    state: NDArray[np.int8],
    on: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Solve the optimality conditions of given active sets, by elimination without exchanges."""
    n, rows = g.shape
    m = len(c)
    inside = state == 0
    fixed = np.where(state < 0, low, high)
    size = n + m
    k = np.zeros((size, size + 1, rows))
    for i in range(n):
        for j in range(n):
            k[i, j] = np.where(inside[i] & inside[j], h[i, j], 0.0)
        right = -g[i].copy()
        for j in range(n):
            right -= np.where(inside[j], 0.0, h[i, j] * fixed[j])
        k[i, i] = np.where(inside[i], k[i, i], 1.0)
        k[i, size] = np.where(inside[i], right, fixed[i])
    diagonal = np.maximum(np.abs(h).max(axis=(0, 1)), 1e-300)
    for j in range(m):
        right = -c[j].copy()
        holds = on[j] & (inside & (a[j] != 0.0)).any(axis=0)  # else nothing is left to hold it with
        for i in range(n):
            k[n + j, i] = np.where(inside[i] & holds, a[j, i], 0.0)
            k[i, n + j] = k[n + j, i]
            right -= np.where(inside[i], 0.0, a[j, i] * fixed[i])
        # Dependent normals share the multiplier instead of breaking the elimination.
        k[n + j, n + j] = np.where(holds, -1e-15 * (a[j] ** 2).sum(axis=0) / diagonal, 1.0)
        k[n + j, size] = np.where(holds, right, 0.0)
    with np.errstate(all="ignore"):
        for i in range(size):
            for j in range(i + 1, size):
                factor = k[j, i] / k[i, i]
                k[j, i + 1 :] -= factor * k[i, i + 1 :]
        solution = np.empty((size, rows))
        for i in range(size - 1, -1, -1):
            rest = k[i, size].copy()
            for j in range(i + 1, size):
                rest -= k[i, j] * solution[j]
            solution[i] = rest / k[i, i]
    return solution[:n], solution[n:]


def _residual(
    gradients: Floats, values: Floats, lam: Floats, x: Floats, low: Floats, high: Floats
) -> Floats:
    """Return how far each row is from the optimality conditions, relative to the gradient."""
    pull = gradients[0] + np.einsum("jr,jir->ir", lam, gradients[1:])
    pull = np.where(
        x <= low, np.minimum(pull, 0.0), np.where(x >= high, np.maximum(pull, 0.0), pull)
    )
    scale = np.abs(gradients[0]).max(axis=0) + 1e-300
    slack = np.where(lam > 0.0, np.abs(values[1:]), np.maximum(values[1:], 0.0))
    return np.asarray(np.abs(pull).max(axis=0) / scale + slack.max(axis=0, initial=0.0))
