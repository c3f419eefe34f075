"""Joint confidence regions of two parameters: the objective at one height, all others refitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..tables import named
from .covariance import active_coordinates, bread_inverse
from .quantiles import check_level, joint_quantile
from .rays import Setting, Side, crossing, lower_at, roots, setting_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..result import Fit

__all__ = ["Contour", "contour", "contours"]

Floats = NDArray[np.float64]

STEPS = 5  # of a ray: with exact slopes a cubic through so few is right to 1e-3 of the region


@dataclass(frozen=True)
class Contour:
    """Where the objective, minimised over all other parameters, has one height.

    Attributes
    ----------
    names : tuple of str
    points : ndarray of shape (n, 2)
        Natural units, in order around the estimate; nan where the data set no limit in that
        direction.
    estimate : tuple of float
    confidence_level : float
        Of both parameters together.
    closed : bool
    better : dict of str to float, or None
        As of a `Profile`.
    """

    names: tuple[str, str]
    points: Floats
    estimate: tuple[float, float]
    confidence_level: float
    closed: bool
    better: dict[str, float] | None


def contour(
    fit: Fit,
    first: str,
    second: str,
    confidence_level: float = 0.95,
    *,
    points: int = 48,
    dispersion: float | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Contour:
    """Return the joint confidence region of two parameters, all others refitted.

    Rays go out from the estimate in evenly spaced directions of the ellipse that the Hessian
    predicts, and end where the statistic is twice the quantile of F(2, rows - parameters) (of
    chi-square with 2 degrees of freedom for a likelihood). The region is taken to be seen whole
    from the estimate.

    Raises
    ------
    InputError
        If the two are not different fitted parameters, or the level is not between 0 and 1.
    """
    found = contours(
        fit, [(first, second)], [confidence_level], points=points, dispersion=dispersion,
        threads=threads, executor=executor,
    )  # fmt: skip
    return found[0][0]


def contours(
    fit: Fit,
    pairs: Sequence[tuple[str, str]],
    confidence_levels: Sequence[float],
    *,
    points: int = 48,
    dispersion: float | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> list[list[Contour]]:
    """Return regions of several pairs at several levels: for each pair a list with each level.

    All rays are walked at once, each only once, to the highest level; see `contour`.
    """
    for level in confidence_levels:
        check_level(level)
    if not isinstance(points, (int, np.integer)) or points < 4:
        raise InputError(f"points = {points!r} must be an integer of 4 or more")
    if not pairs or not len(confidence_levels):
        return [[] for _ in pairs]
    s = setting_of(fit, 0.999, dispersion, threads, None, executor, STEPS)
    at = [_coordinates(s, *pair) for pair in pairs]
    heights = [math.sqrt(joint_quantile(level, s.dof)) for level in confidence_levels]
    s = replace(s, height=1.02 * max(heights))
    directions = np.vstack([_directions(s, pair, points) for pair in at])
    walked = s.walk(s.x, directions, s.problem, fit._start_points)
    sides = [Side.of(walked, ray) for ray in range(len(directions))]
    lowest = lower_at(s, walked["objective"])
    better = None
    if lowest is not None:
        better = {n: float(v) for n, v in s.problem.to_params(walked["x"][lowest]).items()}
    found = []
    for k, names in enumerate(pairs):
        mine = slice(k * points, (k + 1) * points)
        found.append(
            [
                _region(s, names, at[k], sides[mine], directions[mine], height, level, better)
                for height, level in zip(heights, confidence_levels, strict=True)
            ]
        )
    return found


def _coordinates(s: Setting, first: str, second: str) -> list[int]:
    """Return which coordinates two parameters are."""
    known = s.coordinate_names
    at = []
    for name in (first, second):
        leader = s.problem.leader.get(name, name)
        if leader not in known:
            raise InputError(f"{name!r} is not a fitted parameter; fitted: {named(known)}")
        at.append(known.index(leader))
    if at[0] == at[1]:
        raise InputError(f"{first} and {second} are one parameter")
    return at


def _directions(s: Setting, at: list[int], points: int) -> Floats:
    """Return directions (points, dimension), evenly spaced on the ellipse of the Hessian."""
    active = active_coordinates(s.fit, s.problem)
    full = np.zeros((s.problem.dimension, s.problem.dimension))
    full[np.ix_(active, active)] = s.dispersion * bread_inverse(s.rows, active)
    pair = full[np.ix_(at, at)]
    try:
        shape = np.linalg.cholesky(pair) if np.isfinite(pair).all() else None
    except np.linalg.LinAlgError:
        shape = None
    if shape is None:
        shape = np.diag(s.steps()[at])
    angle = 2.0 * np.pi * np.arange(points) / points
    directions = np.zeros((points, s.problem.dimension))
    directions[:, at] = np.column_stack([np.cos(angle), np.sin(angle)]) @ shape.T
    return directions


def _region(
    s: Setting,
    names: tuple[str, str],
    at: list[int],
    sides: list[Side],
    directions: Floats,
    height: float,
    level: float,
    better: dict[str, float] | None,
) -> Contour:
    out = np.full((len(sides), 2), np.nan)
    for ray, side in enumerate(sides):
        root, slope = roots(s, side, s.fit.objective)
        t = crossing(np.concatenate([[0.0], side.t]), root, slope, height)
        if t is not None:
            out[ray] = s.x[at] + t * directions[ray, at]
    for i in (0, 1):
        if s.is_log(at[i]):
            out[:, i] = np.exp(out[:, i])
    estimate = [float(np.exp(s.x[k]) if s.is_log(k) else s.x[k]) for k in at]
    closed = bool(np.isfinite(out).all())
    return Contour((names[0], names[1]), out, (estimate[0], estimate[1]), level, closed, better)
