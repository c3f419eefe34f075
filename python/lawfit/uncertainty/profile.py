"""Profiles of the objective: along one quantity with everything else refitted, and what follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import InputError, Interrupted
from ..execution import MAX_EVALUATIONS, TOLERANCE
from ..tables import named
from .contributions import problem_of
from .covariance import active_coordinates, bread_inverse
from .elimination import QUANTITY, eliminate, linear_formula, solvable
from .quantiles import check_level, two_sided
from .quantity import Quantity, What, standard_error
from .rays import Setting, Side, crossing, lower_at, roots, setting_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..problem import Problem
    from ..result import Fit

__all__ = ["Profile", "profile", "profiles"]

Floats = NDArray[np.float64]

POINTS = 14  # to either side


@dataclass(frozen=True)
class Profile:
    """The lowest objective for every value of one quantity.

    Attributes
    ----------
    name : str
    values : ndarray of shape (n,)
        The quantity, ascending, in natural units; the estimate is one of them.
    objective : ndarray of shape (n,)
        Minimised over all other parameters.
    params : dict of str to ndarray of shape (n,)
        All parameters along the profile.
    estimate : float
    root : ndarray of shape (n,)
        Signed root of twice the rise of the objective over the dispersion: compared with Student's
        t with `dof` degrees of freedom.
    dispersion, dof : float
    ends : tuple of str
        How the profile ended below and above: "reached" the level asked for; "open": the
        objective stays below it as far as one can go; at a "bound"; or "failed", no finite
        objective.
    limits : tuple of float
        What an end that was not reached stands for: 0, an infinity, or the bound; nan where it
        failed.
    better : dict of str to float, or None
        Parameters with an objective below the fit's, if the profile met any: then the fit was not
        at the minimum.
    reach : float
        Confidence level up to which there are intervals.
    """

    name: str
    values: Floats
    objective: Floats
    params: dict[str, Floats]
    estimate: float
    root: Floats
    dispersion: float
    dof: float
    ends: tuple[str, str]
    limits: tuple[float, float]
    better: dict[str, float] | None
    reach: float
    _coordinate: Floats = field(repr=False)
    _slope: Floats = field(repr=False)
    _is_log: bool = field(default=False, repr=False)

    @property
    def open(self) -> tuple[bool, bool]:
        """Whether the data set no limit below and above."""
        return self.ends[0] == "open", self.ends[1] == "open"

    def interval(self, confidence_level: float = 0.95) -> tuple[float, float]:
        """Return lower and upper end; where the profile was not as high, what stands in `limits`.

        Raises
        ------
        InputError
            If the profile does not reach so far.
        """
        if check_level(confidence_level) > self.reach + 1e-12:
            raise InputError(
                f"this profile reaches to the confidence level {self.reach:g}; ask for "
                f"profile(..., reach={confidence_level:g})"
            )
        level = two_sided(confidence_level, self.dof)
        middle = int(np.argmin(np.abs(self._coordinate - self._center)))
        low = crossing(
            -self._coordinate[middle::-1], -self.root[middle::-1], self._slope[middle::-1], level
        )
        high = crossing(self._coordinate[middle:], self.root[middle:], self._slope[middle:], level)
        ends = []
        for side, found in ((0, None if low is None else -low), (1, high)):
            if found is None:
                ends.append(self.limits[side])
            else:
                ends.append(math.exp(found) if self._is_log else found)
        return float(ends[0]), float(ends[1])

    @property
    def _center(self) -> float:
        return math.log(self.estimate) if self._is_log else self.estimate

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what makes this profile doubtful."""
        found = []
        if self.better is not None:
            found.append(
                f"the profile of {self.name} met an objective of {self.objective.min():.10g}, "
                "below the fit's: the fit is not at the minimum; fit again with "
                "starts=[profile.better]"
            )
        for side, end in zip(("below", "above"), self.ends, strict=True):
            if end == "open":
                found.append(f"the data set no limit on {self.name} {side}")
            elif end == "failed":
                found.append(f"the profile of {self.name} could not be followed {side}")
        return tuple(found)


# --- profiles of parameters -----------------------------------------------------------------------


def profiles(
    fit: Fit,
    names: Sequence[str] | None = None,
    *,
    reach: float = 0.999,
    dispersion: float | str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> dict[str, Profile]:
    """Profile several parameters, in parallel; without names, all that were fitted."""
    if dispersion == "sandwich" and (names is None or len(names) != 1):
        wanted = (
            names if names is not None else setting_of(fit, reach, 1.0, threads, None, None, POINTS)
        )
        if isinstance(wanted, Setting):
            wanted = wanted.coordinate_names
        out: dict[str, Profile] = {}
        for name in wanted:
            out |= profiles(
                fit, [name], reach=reach, dispersion=dispersion, threads=threads, executor=executor
            )
        return out
    s = setting_of(fit, reach, dispersion, threads, names[0] if names else None, executor, POINTS)
    known = s.coordinate_names
    wanted = known if names is None else names
    at = []
    for name in wanted:
        leader = s.problem.leader.get(name, name)
        if leader in known:
            at.append(known.index(leader))
        elif name in s.problem.settings.fixed:
            raise InputError(f"{name} was fixed: it has no profile")
        else:
            raise InputError(f"{name!r} is not a parameter; parameters: {named(known)}")
    directions = np.zeros((2 * len(at), s.problem.dimension))
    step = s.steps()
    for i, k in enumerate(at):
        directions[2 * i, k], directions[2 * i + 1, k] = -step[k], step[k]
    found = s.walk(s.x, directions, s.problem, fit._start_points)
    out = {}
    for i, (name, k) in enumerate(zip(wanted, at, strict=True)):
        sides = [Side.of(found, 2 * i + side) for side in (0, 1)]
        if k < len(s.problem.free):
            bounds = s.problem._by_name[s.problem.free[k]].bounds
        else:
            bounds = (0.0, math.inf)
        out[name] = _assemble(s, name, k, sides, s.problem, s.x, s.is_log(k), bounds)
    return out


def profile(
    fit: Fit,
    what: What,
    *,
    reach: float = 0.999,
    dispersion: float | str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> Profile:
    """Profile the objective along a parameter or a derived quantity.

    At each value everything else is refitted, starting from the neighbouring value, outwards and
    back. The statistic is twice the rise of the objective over the dispersion: with
    ``scale="fitted"`` the likelihood ratio (dispersion 1, compared with chi-square); with
    ``scale="fixed"``, where the objective is a sum of losses, the dispersion is estimated from the
    residuals (``E psi^2 / E psi'``, for least squares the residual variance) and the statistic is
    compared with F(1, rows - parameters).

    A quantity that can be solved for a parameter replaces that parameter in the law, and is then
    profiled as a parameter. Any other, and a function, is replaced at each value by its linear
    approximation there, again and again until it has the value.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit`.
    what : str or callable
        A parameter's name, "scale", a formula over parameters, or a function of the mapping of
        parameter names to numbers.
    reach : float
        Largest confidence level that is wanted.
    dispersion : float or "sandwich", optional
        Overrides the estimate: 1 where sigma is known absolutely; "sandwich", the ratio of the
        robust variance to that of the Hessian, where the noise differs from row to row.
    threads : int, optional
        The result is the same for any number.
    executor : concurrent.futures.Executor, optional
        Whose processes walk along the profile, each side by itself and with `threads` threads
        (default then: 1); the same bits. A quantity that cannot be solved for is walked along here.

    Raises
    ------
    InputError
        If there is no such parameter, it was fixed, or rows are not more than parameters.
    """
    problem, x = problem_of(fit)
    if not callable(what) and (
        what in problem.names or (what == "scale" and problem.settings.scale == "fitted")
    ):
        return profiles(
            fit, [what], reach=reach, dispersion=dispersion, threads=threads, executor=executor
        )[what]
    quantity = Quantity(problem, what)
    value = quantity.value(x)
    if not math.isfinite(value):
        raise InputError(f"{quantity.name} is {value} at the fitted parameters")
    s = setting_of(fit, reach, dispersion, threads, what, executor, POINTS)  # type: ignore[arg-type]
    if problem.groups.column:
        raise InputError(
            "a derived quantity of a law with parameters by group cannot be profiled; "
            "fit.derived(...) and a bootstrap can"
        )
    gradient = quantity.gradient(x)
    active = active_coordinates(fit, problem)
    matrix = np.zeros((problem.dimension, problem.dimension))
    matrix[np.ix_(active, active)] = s.dispersion * bread_inverse(s.rows, active)
    error = standard_error(gradient, matrix)
    if error == 0.0:
        raise InputError(f"{quantity.name} does not depend on any fitted parameter")
    if not math.isfinite(error):
        error = 0.1 * max(1.0, abs(value))
    solved = solvable(problem, quantity.name) if quantity.is_formula else None
    if solved is not None:
        return _profile_exact(s, quantity, value, error, solved)
    return _profile_by_lines(s, quantity, value, error)


def _assemble(
    s: Setting,
    name: str,
    held: int,
    sides: list[Side],
    problem: Problem,
    origin: Floats,
    is_log: bool,
    bounds: tuple[float, float],
    map_params: Any = None,
) -> Profile:
    base = s.fit.objective
    parts = [roots(s, side, base) for side in sides]
    center = origin[held]
    coordinate = np.concatenate([sides[0].x[::-1, held], [center], sides[1].x[:, held]])
    x = np.vstack([sides[0].x[::-1], origin[None], sides[1].x])
    root = np.concatenate([-parts[0][0][:0:-1], [0.0], parts[1][0][1:]])
    # From slopes along t to slopes along the coordinate.
    scaled = []
    for side, (_, slope) in zip(sides, parts, strict=True):
        step = abs(side.x[-1, held] - center) / side.t[-1] if len(side.t) else 1.0
        scaled.append(slope / step if step > 0 else slope)
    at_center = np.array([max(scaled[0][0], scaled[1][0])])
    slope = np.concatenate([scaled[0][:0:-1], at_center, scaled[1][1:]])
    objective = np.concatenate([sides[0].objective[::-1], [base], sides[1].objective])
    params = problem.to_params(x) if map_params is None else map_params(x)
    lowest = lower_at(s, objective)
    better = None
    if lowest is not None:
        better = {n: float(v[lowest]) for n, v in params.items() if n in s.problem.names}
    limits = []
    for upper, end, infinite, bound in zip(
        (False, True), (sides[0].end, sides[1].end), (-math.inf, math.inf), bounds, strict=True
    ):
        if end == "bound":
            limits.append(max(bound, 0.0) if is_log else bound)
        elif end == "open":
            limits.append(0.0 if is_log and not upper else infinite)
        else:
            limits.append(math.nan)
    return Profile(
        name=name,
        values=np.exp(coordinate) if is_log else coordinate,
        objective=objective,
        params=params,
        estimate=float(np.exp(center) if is_log else center),
        root=root,
        dispersion=s.dispersion,
        dof=s.dof,
        ends=(sides[0].end, sides[1].end),
        limits=(limits[0], limits[1]),
        better=better,
        reach=s.reach,
        _coordinate=coordinate,
        _slope=slope,
        _is_log=is_log,
    )


# --- profiles of derived quantities ---------------------------------------------------------------


class _Replaced:
    """The problem with one parameter replaced by its formula in the quantity."""

    def __init__(self, s: Setting, solved: tuple[str, str]) -> None:
        self.s, self.name = s, solved[0]
        self.problem = eliminate(s.problem, *solved)
        self.at = self.problem.free.index(QUANTITY)
        self.solution = Quantity(self.problem, solved[1])

    def start(self, x: Floats, value: float) -> Floats:
        """Turn coordinates of the fit's problem into those of the new one."""
        place = {n: k for k, n in enumerate(self.s.problem.free)}
        own = [value if n == QUANTITY else x[place[n]] for n in self.problem.free]
        return np.array([*own, *x[len(place) :]])

    def back(self, x: Floats) -> Floats:
        """Turn coordinates of the new problem, shape (k, dimension), into those of the fit's."""
        place = {n: k for k, n in enumerate(self.problem.free)}
        old = self.s.problem
        columns = []
        for name in old.free:
            if name == self.name:
                values = np.array([self.solution.value(row) for row in x])
                with np.errstate(invalid="ignore", divide="ignore"):
                    columns.append(np.log(values) if old._is_log(name) else values)
            else:
                columns.append(x[:, place[name]])
        columns += list(x[:, len(place) :].T)
        return np.column_stack(columns) if len(x) else np.empty((0, old.dimension))

    def inside(self, x: Floats) -> NDArray[np.bool_]:
        """Tell at which points the parameter that was replaced keeps its bounds."""
        k = self.s.problem.free.index(self.name)
        low, high = self.s.problem.coordinate_bounds(self.name)
        return np.asarray((x[:, k] >= low) & (x[:, k] <= high))


def _profile_exact(
    s: Setting, quantity: Quantity, value: float, error: float, solved: tuple[str, str]
) -> Profile:
    new = _Replaced(s, solved)
    origin = new.start(s.x, value)
    directions = np.zeros((2, len(origin)))
    directions[0, new.at], directions[1, new.at] = -error, error
    found = s.walk(origin, directions, new.problem, origin[None])
    sides = []
    for ray in (0, 1):
        side = Side.of(found, ray)
        inside = new.inside(new.back(side.x))
        if not inside.all():
            keep = slice(0, int(np.argmin(inside)))
            side = Side(
                side.t[keep], side.x[keep], side.objective[keep], side.slope[keep], "failed"
            )
        sides.append(side)

    def params(x: Floats) -> dict[str, Floats]:
        return {**s.problem.to_params(new.back(x)), quantity.name: x[:, new.at]}

    bounds = (-math.inf, math.inf)
    return _assemble(s, quantity.name, new.at, sides, new.problem, origin, False, bounds, params)


def _profile_by_lines(s: Setting, quantity: Quantity, value: float, error: float) -> Profile:
    """Hold the quantity by holding its linear approximation, renewed until it has its value."""
    size = s.steps()
    sides = []
    for sign in (-1.0, 1.0):
        t, step, height = 0.0, 2.0 * s.height / POINTS, 0.0
        ts: list[float] = []
        xs: list[Floats] = []
        fs: list[float] = []
        x, before, end = s.x, s.x, "open"
        for _ in range(3 * POINTS):
            target = value + sign * (t + step) * error
            guess = (
                x if not ts else x + step / (t - (ts[-2] if len(ts) > 1 else 0.0)) * (x - before)
            )
            found = _hold(s, quantity, guess, target, size)
            if found is None:
                found = _hold(s, quantity, x, target, size)
            if found is None:
                if step > 0.05 * s.height / POINTS:
                    step *= 0.3
                    continue
                end = "failed"
                break
            t += step
            before, (x, f) = x, found
            ts.append(t)
            xs.append(x)
            fs.append(f)
            rise = math.sqrt(2.0 * max(f - s.fit.objective, 0.0) / s.dispersion)
            if rise >= s.height:
                end = "reached"
                break
            step *= min(max(2.0 * s.height / POINTS / max(rise - height, 1e-300), 0.3), 2.0)
            height = rise
        points = np.array(xs).reshape(len(xs), s.problem.dimension)
        held = np.array([value + sign * u * error for u in ts])
        sides.append(
            Side(
                np.array(ts),
                np.column_stack([points, held]),
                np.array(fs),
                np.full(len(ts), np.nan),
                end,
            )
        )

    def params(x: Floats) -> dict[str, Floats]:
        return {**s.problem.to_params(x[:, :-1]), quantity.name: x[:, -1]}

    origin = np.append(s.x, value)
    bounds = (-math.inf, math.inf)
    held_at = s.problem.dimension
    return _assemble(s, quantity.name, held_at, sides, s.problem, origin, False, bounds, params)


def _hold(
    s: Setting, quantity: Quantity, x: Floats, target: float, size: Floats
) -> tuple[Floats, float] | None:
    """Return the minimum with the quantity at a value, None if it cannot be brought there."""
    f = math.inf
    for _ in range(30):
        now, gradient = quantity.value(x), quantity.gradient(x)
        if not (math.isfinite(now) and np.isfinite(gradient).all()):
            return None
        held = target - now + float(gradient @ x)
        solved = linear_formula(s.problem, gradient, size)
        if solved is None:
            return None
        new = _Replaced(s, solved)
        start = new.start(x, held)
        raw = _core.solve_held(
            new.problem.objective(start[None]), start[None], [new.at], TOLERANCE, MAX_EVALUATIONS,
            1, None,
        )  # fmt: skip
        if raw["interrupted"]:
            raise Interrupted("interrupted while walking along a profile")
        if not np.isfinite(raw["objective"][0]):
            return None
        moved = new.back(raw["x"])
        if not (np.isfinite(moved).all() and new.inside(moved).all()):
            return None
        change = float(np.max(np.abs(moved[0] - x) / size))
        x, f = moved[0], float(raw["objective"][0])
        if change < 1e-4 and abs(quantity.value(x) - target) <= 1e-6 * float(
            np.linalg.norm(gradient * size)
        ):
            return x, f
    return None
