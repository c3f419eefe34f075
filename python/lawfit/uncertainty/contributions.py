"""What every row adds to a fit: its residual, the derivatives of it, and the slopes of its loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..runs import Runs
from .bounds import one_sided, slopes_of_bounds
from .quantiles import normal_quantile

if TYPE_CHECKING:
    from ..losses import Loss
    from ..problem import Problem
    from ..result import Fit

__all__ = ["Contributions", "contributions", "derivatives_at", "problem_of", "to_residual_space"]

Floats = NDArray[np.float64]


def problem_of(fit: Fit) -> tuple[Problem, Floats]:
    """Return the problem that was solved and its solution in coordinates.

    Raises
    ------
    InputError
        If the fit has no table, or the table is no longer the one it was fitted to.
    """
    problem, x = fit._problem, fit._coordinates
    if problem is None or x is None:
        raise InputError("this fit was read from a file, which does not hold the table; fit again")
    if problem.data_hash() != fit.data_hash:
        raise InputError("the table's arrays have been written to since the fit; fit again")
    return problem, x


def to_residual_space(values: Floats, residual: str) -> Floats:
    """Return the logarithm, the log-odds, or the values themselves."""
    if residual == "log":
        return np.asarray(np.log(values))
    if residual == "logit":
        return np.asarray(np.log(values) - np.log1p(-values))
    return values


def derivatives_at(problem: Problem, x: Floats, runs: Runs | None = None) -> tuple[Floats, Floats]:
    """Evaluate the law and its derivatives in the space of the residuals.

    Parameters
    ----------
    problem : Problem
    x : ndarray of shape (dimension,)
    runs : Runs, optional
        Default: the table of the fit.

    Returns
    -------
    values : ndarray of shape (n,)
    jacobian : ndarray of shape (n, free parameters)
        By coordinates: of a scale factor, by its logarithm.
    """
    groups, fixed = problem.groups, problem.settings.fixed
    if runs is None:
        columns, index, n = problem.columns, groups.index, problem.runs.n
    else:
        columns = [runs.numbers(v, needed_by=str(problem.law)) for v in problem.variables]
        index, n = {}, runs.n
        for column, known in groups.levels.items():
            levels, at = runs.levels(column, str(problem.law))
            place = {level: k for k, level in enumerate(known)}
            index[column] = np.array([place[level] for level in levels])[at]
    if index:
        combined = np.column_stack(list(index.values()))
        _, first, segment = np.unique(combined, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(segment.ravel(), kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(segment.ravel()))[:-1])
    else:
        first, parts = np.zeros(1, dtype=int), [np.arange(n)]
    coordinate = {name: k for k, name in enumerate(problem.free)}
    values, jacobian = np.empty(n), np.zeros((n, len(problem.free)))
    for row, rows in zip(first, parts, strict=True):
        members = [
            names[index[groups.column[stem]][row]] if stem in groups.column else names[0]
            for stem, names in groups.members.items()
        ]
        source = [-1 if m in fixed else coordinate[problem.leader[m]] for m in members]
        point = [
            problem._fixed_coordinate(m) if s < 0 else x[s]
            for m, s in zip(members, source, strict=True)
        ]
        here = columns if len(parts) == 1 else [c[rows] for c in columns]
        values[rows], d = problem.program.values_and_jacobian(here, len(rows), point)
        for k, s in enumerate(source):
            if s >= 0:
                jacobian[rows, s] += d[:, k]
    return values, jacobian


@dataclass(frozen=True)
class Contributions:
    """What every row adds to the objective at a fit, to second order.

    Attributes
    ----------
    u : ndarray of shape (n,)
        The residual, prediction minus target, in the space of the residuals and in units of sigma
        and of a fitted scale.
    jacobian : ndarray of shape (n, dimension)
        du by coordinates; a fitted scale's logarithm is the last.
    weight, slope, curvature : ndarray of shape (n,)
        The weight; psi(u), the loss's first derivative; its second derivative, averaged over a
        window of half-width `window` where it is concentrated in a core narrower than that.
    score : ndarray of shape (n, dimension)
        Gradient of the row's term of the objective.
    second : ndarray of shape (dimension, dimension)
        Sum of weight * slope * second derivatives of u.
    window : float
    known : ndarray of bool, shape (n,)
        Rows whose target is known; of the others, which are censored, `u` is the residual of a
        bound, and slope and curvature are those of what they add to the objective.
    penalty : ndarray of shape (dimension, dimension)
        The penalties' part of the Hessian.
    """

    u: Floats
    jacobian: Floats
    weight: Floats
    slope: Floats
    curvature: Floats
    score: Floats
    second: Floats
    window: float
    known: NDArray[np.bool_]
    penalty: Floats
    has_scale: bool = False

    @property
    def rows(self) -> int:
        """Number of rows with weight."""
        return int(np.count_nonzero(self.weight))

    @property
    def expected_bread(self) -> Floats:
        """The first-order part of the Hessian, shape (dimension, dimension)."""
        j = self.jacobian
        data = j.T @ (j * (self.weight * self.curvature)[:, None])
        return np.asarray(data + self._scale_part() + self.penalty)

    @property
    def bread(self) -> Floats:
        """The Hessian of the objective, its loss smoothed over the window."""
        j = self.jacobian
        data = j.T @ (j * (self.weight * self.curvature)[:, None])
        return np.asarray(data + self.second + self.penalty)

    def _scale_part(self) -> Floats:
        """Return the second-order part of the scale alone, whose expectation is not zero."""
        out = np.zeros_like(self.second)
        if self.score.shape[1] > self.n_location:
            out[-1, -1] = self.second[-1, -1]
        return out

    @property
    def n_location(self) -> int:
        """Number of coordinates without the scale."""
        return int(self.jacobian.shape[1]) - self.has_scale

    def mean_square_slope(self, dof: float) -> float:
        """Return the weighted sum of psi^2 per degree of freedom."""
        return float(np.sum(self.weight * self.slope**2)) / dof

    def mean_curvature(self) -> float:
        """Return the weighted mean of psi'."""
        return float(np.sum(self.weight * self.curvature) / np.sum(self.weight))


def contributions(fit: Fit) -> Contributions:
    """Return what every row adds at the fit."""
    problem, x = problem_of(fit)
    s = problem.settings
    z, jacobian = derivatives_at(problem, x)
    unit = np.ones(len(z)) if s.sigma is None else s.sigma
    fitted = s.scale == "fitted"
    if fitted:
        unit = unit * math.exp(x[-1])
    u = (z - to_residual_space(problem.target, s.residual)) / unit
    jacobian = jacobian / unit[:, None]
    weight = np.ones(len(z)) if s.weights is None else s.weights
    side = np.zeros(len(z)) if s.censored is None else s.censored
    known = side == 0.0
    slope, curvature, window = slopes(s.loss, u[(weight > 0) & known], u)
    if fitted:
        at = np.flatnonzero(~known)
        slope[at], curvature[at] = slopes_of_bounds(s.loss, u[at], side[at], slope[at])
    else:
        slope, curvature = one_sided(u, side, slope, curvature)
    score = (weight * slope)[:, None] * jacobian
    if fitted:
        # The density of a known target falls as the scale grows; a probability has no such factor.
        score = np.column_stack([score, weight * (known - slope * u)])
        # A window says nothing of the scale: where psi' is a spike at 0, u is 0 too.
        along = np.where(known, 0.0, -u) if window > 0 else -u
        jacobian = np.column_stack([jacobian, along])
    objective = problem.objective(None)
    second = objective.hessian(x) - objective.derivatives(x)[3]
    if not np.isfinite(second).all():
        second = np.zeros_like(second)
    penalty = np.zeros_like(second)
    for places, by, _ in problem.penalties:
        penalty[np.ix_(places, places)] += np.outer(by, by)
    return Contributions(
        u, jacobian, weight, slope, curvature, score, second, window, known, penalty, fitted
    )


def slopes(loss: Loss, sample: Floats, u: Floats) -> tuple[Floats, Floats, float]:
    """Return psi(u), psi'(u) and the half-width of the window over which psi' was averaged.

    A loss with a kink, or a core narrow against the residuals, has no second derivative that a
    sum over rows could estimate: psi' is a spike at 0, and its expectation is the spike's area
    times the density of the residuals at 0. A window of half-width h around each residual
    estimates that density (Powell 1991), with h from the rule of Hall and Sheather (1988) on the
    scale of the residuals. A core wider than h needs no window.

    Parameters
    ----------
    loss : Loss
    sample : ndarray of shape (m,)
        Residuals that choose the window.
    u : ndarray of shape (n,)
    """
    kind, above, below, core = loss._core()
    if kind == "squared":
        return u.copy(), np.ones_like(u), 0.0
    if kind == "cauchy":
        square = (u / core) ** 2
        return u / (1.0 + square), (1.0 - square) / (1.0 + square) ** 2, 0.0
    if kind == "logcosh":
        bend = np.tanh(u / core)
        return core * bend, 1.0 - bend**2, 0.0
    steep = np.where(u > 0.0, above, below)
    slope = np.sign(u) * steep if core == 0.0 else steep * np.clip(u / core, -1.0, 1.0)
    half = max(bandwidth(sample, above / (above + below)) - core, 0.0)
    if half == 0.0:
        inside = (np.abs(u) < core) if core > 0.0 else np.zeros_like(u, dtype=bool)
        return slope, np.where(inside, steep / max(core, 1e-300), 0.0), 0.0
    if core == 0.0:
        return slope, np.where(np.abs(u) <= half, (above + below) / (2.0 * half), 0.0), half
    # The share of the window around u that lies in each half of the core.
    low, high = u - half, u + half
    right = np.clip(np.minimum(high, core) - np.maximum(low, 0.0), 0.0, None)
    left = np.clip(np.minimum(high, 0.0) - np.maximum(low, -core), 0.0, None)
    return slope, (above * right + below * left) / (2.0 * half * core), half


def bandwidth(u: Floats, quantile: float) -> float:
    """Return Hall and Sheather's half-width at a quantile, on the scale of the residuals."""
    n = len(u)
    q = min(max(quantile, 0.01), 0.99)
    z = normal_quantile(q)
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    step = (
        n ** (-1 / 3)
        * normal_quantile(0.975) ** (2 / 3)
        * (1.5 * density**2 / (2.0 * z * z + 1.0)) ** (1 / 3)
    )
    step = min(step, 0.95 * q, 0.95 * (1.0 - q))
    first, third = np.quantile(u, [0.25, 0.75])
    spreads = [s for s in (float(np.std(u)), float(third - first) / 1.34) if s > 0.0]
    if not spreads:
        return 0.0
    return 0.5 * min(spreads) * (normal_quantile(q + step) - normal_quantile(q - step))
