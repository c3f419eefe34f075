"""Walks along rays away from a fit, everything else refitted: settings, points, crossings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..distribution import Job, cut, share
from ..errors import InputError, Interrupted
from ..execution import MAX_EVALUATIONS, TOLERANCE, workers_from
from .contributions import Contributions, contributions, problem_of
from .covariance import active_coordinates, bread_inverse, covariance, degrees_of_freedom
from .covariance import dispersion as estimated_dispersion
from .quantiles import check_level, two_sided
from .quantity import Quantity, What, standard_error

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..problem import Problem
    from ..result import Fit

__all__ = ["Setting", "Side", "crossing", "lower_at", "roots", "setting_of"]

Floats = NDArray[np.float64]

ENDS = ("reached", "open", "bound", "failed")
LOWER = 1e-9  # by how much of the dispersion an objective must be lower to count as another minimum


@dataclass(frozen=True)
class Setting:
    """A fit, and how far and how finely to walk from it: to `height` in about `points` steps."""

    fit: Fit
    problem: Problem
    x: Floats
    rows: Contributions
    dof: float
    dispersion: float
    reach: float
    height: float
    threads: int
    points: int
    executor: Executor | None = None

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """The free parameters, and the scale where it was fitted."""
        scale = ("scale",) if self.problem.settings.scale == "fitted" else ()
        return (*self.problem.free, *scale)

    def is_log(self, k: int) -> bool:
        """Tell whether a coordinate is the logarithm of its parameter."""
        return k >= len(self.problem.free) or self.problem._is_log(self.problem.free[k])

    def steps(self) -> Floats:
        """Return the change of each coordinate that lifts the root by about 1."""
        active = active_coordinates(self.fit, self.problem)
        variance = np.full(self.problem.dimension, np.nan)
        variance[active] = self.dispersion * np.diag(bread_inverse(self.rows, active))
        step = np.sqrt(variance)
        usable = np.isfinite(step) & (step > 0.0)
        return np.where(usable, step, 0.1 * np.maximum(1.0, np.abs(self.x)))

    def walk(
        self, origin: Floats, directions: Floats, problem: Problem, starts: Floats | None
    ) -> _core.RayPoints:
        """Walk along rays of a problem; far ends of the fit's own coordinates are known."""
        far = np.abs(directions)
        reach = np.full(len(directions), 1e4)
        for k in range(len(self.coordinate_names) if problem is self.problem else 0):
            if self.is_log(k):  # a factor of 10^22 is as good as 0 or infinity
                with np.errstate(divide="ignore"):
                    reach = np.minimum(reach, 50.0 / far[:, k])
        arguments = problem.objective_arguments(starts)
        heights = (self.dispersion, self.height / self.points, self.height, 10 * self.points)
        if self.executor is not None:
            data = (arguments, origin, heights)
            return _walk_elsewhere(self.executor, data, directions, reach, max(self.threads, 1))
        found = _walk(
            (_core.Objective(*arguments), origin, heights), (directions, reach), self.threads
        )
        if found["interrupted"]:
            raise Interrupted("interrupted while walking along profiles")
        return found


def _walk_elsewhere(
    executor: Executor, data: Any, directions: Floats, reach: Floats, threads: int
) -> _core.RayPoints:
    """Walk along each ray in some process of an executor."""
    rays = cut(len(directions), 1, len(directions))
    parts = [(directions[r.start : r.stop], reach[r.start : r.stop]) for r in rays]
    outcome = share(executor, Job(_prepare, _walk, data, threads), parts)
    if outcome.interrupted:
        raise Interrupted("interrupted while walking along profiles")
    found: list[Any] = list(outcome.results)
    joined = {
        name: np.concatenate([one[name] for one in found])
        for name in ("t", "x", "objective", "slope", "status", "end")
    }
    ray = np.repeat(np.arange(len(found)), [len(one["t"]) for one in found])
    evaluations = sum(one["evaluations"] for one in found)
    return {**joined, "ray": ray, "evaluations": evaluations, "interrupted": False}  # type: ignore[typeddict-item]


def _prepare(data: tuple[Any, ...]) -> tuple[Any, ...]:
    return (_core.Objective(*data[0]), *data[1:])


def _walk(held: tuple[Any, ...], part: tuple[Floats, Floats], threads: int) -> _core.RayPoints:
    arguments: tuple[Any, ...] = (*held[:2], *part, *held[2])  # objective, origin, rays, heights
    arguments += (TOLERANCE, MAX_EVALUATIONS, threads, None)
    return _core.walk_rays(*arguments)


def setting_of(
    fit: Fit,
    reach: float,
    dispersion: float | str | None,
    threads: int | None,
    name: str | None,
    executor: Executor | None,
    points: int,
) -> Setting:
    """Return the setting for profiles of a fit as far as a confidence level.

    Raises
    ------
    InputError
        If the level or the dispersion cannot be used, or rows are not more than parameters.
    """
    problem, x = problem_of(fit)
    rows = contributions(fit)
    dof = degrees_of_freedom(fit, rows)
    if dispersion is None:
        unit = estimated_dispersion(fit, rows)
        # The scale is a parameter of a likelihood: what it costs is in there already.
        dof = math.inf if fit.scale_setting == "fitted" else dof
    elif dispersion == "sandwich":
        if name is None:
            raise InputError('dispersion="sandwich" is that of one parameter or quantity')
        unit = _sandwich_dispersion(fit, problem, x, rows, name)
    else:
        try:
            unit = float(dispersion)
        except (TypeError, ValueError):
            unit = math.nan
        if not (unit > 0.0 and math.isfinite(unit)):
            raise InputError(
                f"dispersion = {dispersion!r} must be a positive number, 'sandwich' or None"
            )
        dof = math.inf
    check_level(reach)
    return Setting(
        fit, problem, x, rows, dof, unit, reach, 1.02 * two_sided(reach, dof),
        workers_from(threads), points, executor,
    )  # fmt: skip


def _sandwich_dispersion(
    fit: Fit, problem: Problem, x: Floats, rows: Contributions, what: What
) -> float:
    """Return the ratio of a quantity's variance by sandwich and by the inverse Hessian."""
    active = active_coordinates(fit, problem)
    plain = np.zeros((problem.dimension, problem.dimension))
    plain[np.ix_(active, active)] = bread_inverse(rows, active)
    if what == "scale":
        gradient = np.zeros(problem.dimension)
        gradient[-1] = 1.0
    else:
        gradient = Quantity(problem, what).gradient(x)
    wide = standard_error(gradient, covariance(fit, "sandwich").coordinate_matrix)
    narrow = standard_error(gradient, plain)
    if not (0.0 < narrow < math.inf and 0.0 < wide < math.inf):
        raise InputError(f"the sandwich dispersion of {what!r} is not defined: it has no variance")
    return (wide / narrow) ** 2


@dataclass(frozen=True)
class Side:
    """One half of a profile, from the estimate outwards."""

    t: Floats
    x: Floats
    objective: Floats
    slope: Floats
    end: str

    @classmethod
    def of(cls, found: Mapping[str, Any], ray: int) -> Side:
        """Take one ray out of what the core found."""
        mine = found["ray"] == ray
        return cls(
            found["t"][mine],
            found["x"][mine],
            found["objective"][mine],
            found["slope"][mine],
            ENDS[found["end"][ray]],
        )


def roots(s: Setting, side: Side, base: float) -> tuple[Floats, Floats]:
    """Return the root at every point and its slope along t, the estimate included."""
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(2.0 * np.maximum(side.objective - base, 0.0) / s.dispersion)
        slope = side.slope / (s.dispersion * root)
    t, root = np.concatenate([[0.0], side.t]), np.concatenate([[0.0], root])
    slope = np.concatenate([[np.nan], slope])
    kinked = s.problem.settings.loss._core()[3] == 0.0
    if len(t) == 1:
        return root, np.zeros(1)
    secant = np.diff(root) / np.diff(t)
    if kinked or not np.isfinite(slope[1:]).all():
        slope[1:-1] = 0.5 * (secant[1:] + secant[:-1])
        slope[-1] = secant[-1]
    slope[0] = 2.0 * secant[0] - slope[1]
    # Never steeper than keeps the cubic between two points monotone (Fritsch and Carlson 1980).
    around = np.minimum(np.concatenate([secant, secant[-1:]]), np.concatenate([secant[:1], secant]))
    return root, np.clip(slope, 0.0, 3.0 * np.maximum(around, 0.0))


def crossing(t: Floats, root: Floats, slope: Floats, level: float) -> float | None:
    """Return the outermost t at which the cubic through the points reaches the level."""
    below = np.flatnonzero(root < level)
    k = int(below[-1])
    if k + 1 >= len(root):
        return None
    h = t[k + 1] - t[k]

    def cubic(u: float) -> float:
        a, b = root[k], root[k + 1]
        return float(
            (1 + 2 * u) * (1 - u) ** 2 * a
            + u**2 * (3 - 2 * u) * b
            + h * u * (1 - u) * ((1 - u) * slope[k] - u * slope[k + 1])
        )

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cubic(middle) < level else (low, middle)
    return float(t[k] + 0.5 * (low + high) * h)


def lower_at(s: Setting, objective: Floats) -> int | None:
    """Return which of the points (n,) has the lowest objective if that is below the fit's."""
    if not len(objective):
        return None
    lowest, base = int(np.argmin(objective)), s.fit.objective
    by = LOWER * s.dispersion + 1e-12 * abs(base)
    return lowest if objective[lowest] < base - by else None
