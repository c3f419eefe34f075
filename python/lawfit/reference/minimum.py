"""The minimum downhill from a start: Levenberg-Marquardt, then damped Newton, in a box."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lawfit.errors import FitError, InputError
from lawfit.reference.dual import LONG, Array
from lawfit.reference.formulas import Columns, Params
from lawfit.reference.losses import LossSpec
from lawfit.reference.objectives import Expansion, expand_objective, objective

_ROUNDING = np.finfo(LONG).eps
_LEAST_DAMPING, _MOST_DAMPING = 1e-20, 1e8


def _solve(matrix: Array, right: Array) -> Array | None:
    """Solve matrix @ x = right by Cholesky; None if the matrix is not positive definite."""
    lower: Array = np.zeros_like(matrix)
    x: Array = right.copy()
    for j in range(len(x)):
        pivot = matrix[j, j] - lower[j, :j] @ lower[j, :j]
        if not pivot > 0:
            return None
        lower[j:, j] = (matrix[j:, j] - lower[j:, :j] @ lower[j, :j]) / np.sqrt(pivot)
        x[j] = (x[j] - lower[j, :j] @ x[:j]) / lower[j, j]
    for j in reversed(range(len(x))):
        x[j] = (x[j] - lower[j + 1 :, j] @ x[j + 1 :]) / lower[j, j]
    return x


def _box_step(matrix: Array, gradient: Array, low: Array, high: Array) -> Array | None:
    """Minimise gradient'd + d'matrix d / 2 over low <= d <= high, shape (p,); None as `_solve`.

    The active-set method from d = 0: go to the minimum over the free coordinates or to the
    first bound on the way, which is then held; at the minimum let go of the held coordinate
    that is drawn inwards most.
    """
    step: Array = np.zeros_like(gradient)
    free = np.where(gradient > 0, low < 0, high > 0)
    for _ in range(100 * len(step)):  # a few times len(step), but for ties in rounding
        slope = gradient + matrix @ step
        inner = _solve(matrix[np.ix_(free, free)], -slope[free])
        if inner is None:
            return None
        move = np.zeros_like(step)
        move[free] = inner
        bound = np.where(move > 0, high, low)
        part = np.where(move == 0, LONG(1), (bound - step) / move)
        if part.min() < 1:
            hit = part.argmin()
            step = np.clip(step + part[hit] * move, low, high)
            step[hit], free[hit] = bound[hit], False
            continue
        step = np.clip(step + move, low, high)
        slope = gradient + matrix @ step
        inward = np.where(free, LONG(0), np.where(step == low, -slope, slope))
        if not inward.max() > 0:
            break
        free[inward.argmax()] = True
    return step


def _hessian(expand: Callable[[Array], Expansion], low: Array, high: Array, x: Array) -> Array:
    """Take central differences of the gradient, one-sided at the bounds."""
    diagonal = np.diag(expand(x).matrix)
    # The size of a coordinate, or what moves the residuals by about one if that is larger.
    sizes = np.clip(1 / np.sqrt(diagonal), np.abs(x), 1e3 * (1 + np.abs(x)))
    matrix: Array = np.zeros((len(x), len(x)), LONG)
    for j, shift in enumerate(np.diag(1e-7 * sizes)):
        up, down = np.minimum(x + shift, high), np.maximum(x - shift, low)
        matrix[j] = (expand(up).gradient - expand(down).gradient) / (up[j] - down[j])
    matrix = (matrix + matrix.T) / 2
    return matrix


def _damped_step(
    matrix: Array, gradient: Array, low: Array, high: Array, damping: float
) -> tuple[Array, Any, float]:
    """Return the step of least damping from `damping` on, the decrease it promises, its damping.

    Damping multiplies the identity and is relative to the largest diagonal entry.
    """
    while damping < _MOST_DAMPING:
        damped = matrix + damping * np.max(np.abs(np.diag(matrix))) * np.eye(len(gradient))
        step = _box_step(damped, gradient, low, high)
        if step is not None:
            return step, -(gradient @ step + step @ damped @ step / 2), damping
        damping = max(10 * damping, _LEAST_DAMPING)
    return np.zeros_like(gradient), 0.0, damping


def _descend(
    expand: Callable[[Array], Expansion],
    curvature: Callable[[Array], Array],
    x: Array,
    low: Array,
    high: Array,
    *,
    damping: float,
    tolerance: Any,
    max_iterations: int,
) -> Array:
    """Take damped steps inside the box, none of which raises the objective beyond rounding.

    The last step is the one whose least damped form promises a relative decrease below
    `tolerance`, or less than x loses when rounded to float64.
    """
    for _ in range(max_iterations):
        (value, gradient, _), matrix = expand(x), curvature(x)
        step, promise, _ = _damped_step(matrix, gradient, low - x, high - x, 0.0)
        rounding = 1e-34 * np.abs(x) @ np.abs(matrix) @ np.abs(x)  # of x as float64, or less
        last = promise <= tolerance * abs(value) + rounding
        while True:
            if not last:
                step, _, damping = _damped_step(matrix, gradient, low - x, high - x, damping)
            trial = np.clip(x + step, low, high)
            if expand(trial).value <= value + 4 * _ROUNDING * abs(value):
                x = trial
                break
            damping = max(10 * damping, _LEAST_DAMPING)
            if last or damping >= _MOST_DAMPING:
                return x
        if last:
            break
        damping = damping / 10 if damping > _LEAST_DAMPING else 0.0
    return x


def minimise(
    formula: str,
    start: Params,
    columns: Columns,
    target: npt.ArrayLike,
    *,
    log_names: Collection[str] = (),
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Collection[str] = (),
    residual: str = "log",
    loss: LossSpec = ("huber", 1e-3),
    weights: npt.ArrayLike | None = None,
    sigma: npt.ArrayLike | None = None,
    max_iterations: int = 500,
) -> tuple[dict[str, float], float]:
    """Find the local minimum of `objective` downhill from a start.

    Levenberg-Marquardt on the Gauss-Newton matrix, then damped Newton on the Hessian, both
    in internal coordinates. Reaches about 1e-8 relative on smooth losses and Huber; for the
    absolute and quantile losses, whose minima are kinks, it only descends.

    Parameters
    ----------
    formula, columns, target
        As in `objective`.
    start : mapping of str to float
        Every parameter of the formula, natural units. Values outside `bounds` are moved in.
    log_names : collection of str
        Parameters to move in log(parameter), which stay positive.
    bounds : mapping of str to (low, high), optional
        Natural units; None is no bound.
    fixed : collection of str
        Parameters that stay at their start.
    residual, loss, weights, sigma
        As in `objective`.
    max_iterations : int
        Most iterations of each of the two stages; the best point so far counts after that.

    Returns
    -------
    params : dict of str to float
        Natural units, in the order of `start`.
    objective : float

    Raises
    ------
    FormulaError, InputError
        As in `objective`, bounds without room, or a start <= 0 in `log_names`.
    FitError
        The objective is not finite at the start.
    """
    options: dict[str, Any] = {
        "residual": residual,
        "loss": loss,
        "weights": weights,
        "sigma": sigma,
    }
    names = [name for name in start if name not in fixed]
    logs = np.array([name in log_names for name in names], bool)
    limits = [(bounds or {}).get(name, (None, None)) for name in names]
    lowest = np.array([-math.inf if low is None else low for low, _ in limits], LONG)
    highest = np.array([math.inf if high is None else high for _, high in limits], LONG)
    lowest = np.where(logs, np.maximum(lowest, 0), lowest)
    first = np.array([start[name] for name in names], LONG)
    for j, name in enumerate(names):
        if not lowest[j] < highest[j] or (logs[j] and not first[j] > 0):
            raise InputError(f"no room for {name!r} from {first[j]} in {limits[j]}")

    def internal(values: Array) -> Array:
        return np.where(logs, np.log(np.where(logs, values, 1)), values)

    def natural(x: Array) -> dict[str, Any]:
        values = np.clip(np.where(logs, np.exp(x), x), lowest, highest)
        return {**start, **dict(zip(names, values, strict=True))}

    def expand(x: Array) -> Expansion:
        return expand_objective(formula, natural(x), columns, target, names, log_names, **options)

    with np.errstate(all="ignore"):
        x = internal(np.clip(first, lowest, highest))
        if not np.isfinite(expand(x).value):
            raise FitError("the objective is not finite at the start")
        if names:
            low, high = internal(lowest), internal(highest)
            search = partial(_descend, expand, low=low, high=high, max_iterations=max_iterations)
            x = search(lambda x: expand(x).matrix, x, damping=1e-3, tolerance=1e-10)
            x = search(partial(_hessian, expand, low, high), x, damping=0, tolerance=_ROUNDING)
        found = {name: float(value) for name, value in natural(x).items()}
    return found, objective(formula, found, columns, target, **options)
