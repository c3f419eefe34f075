"""One fitting problem: law, table and settings turned into the core's objective, and back."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import _core
from . import expression as ex
from .compiler import compile_law
from .errors import InputError
from .groups import Groups
from .law import Law, Parameter, check_bounds
from .losses import Loss
from .penalties import LinearForm, Penalty, linear_forms
from .resolution import column_spans, resolve
from .runs import Runs
from .starts import quasi_random
from .tables import named

__all__ = ["Problem", "Settings"]

Floats = NDArray[np.float64]
Residual = Literal["log", "linear", "logit"]
Scale = Literal["fixed", "fitted"]

SCREENED = 2000  # rows by which starts are ranked
MOST = 1e60  # of weights, sigma and linear targets, so that no product of squares leaves float64


@dataclass(frozen=True)
class Settings:
    """How a law is compared with a table; see `lawfit.fit` for the meaning of each field."""

    target: str
    residual: Residual
    loss: Loss
    scale: Scale = "fixed"
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: tuple[tuple[str, ...], ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    weights: Floats | None = None
    sigma: Floats | None = None
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    censored: Floats | None = (
        None  # (n,) 1: the target is at least this, -1: at most, 0: it is this
    )


class Problem:
    """The map between named parameters in natural units and the core's coordinates.

    From here on every level of a group is a parameter of its own, also in the settings.

    Parameters
    ----------
    law : Law
    runs : Runs
        Finite in every column that is used.
    settings : Settings

    Raises
    ------
    InputError
        If settings contradict each other or the data, naming the parameter, row or column.
    """

    def __init__(self, law: Law, runs: Runs, settings: Settings) -> None:
        self.law, self.runs = law, runs.without_frame()
        self.variables = law.variables_in(runs)
        declared = law.parameters_in(runs)
        self.groups = Groups(law, runs, [p.name for p in declared])
        self.parameters = tuple(
            replace(p, name=member) for p in declared for member in self.groups.members[p.name]
        )
        self.names = tuple(p.name for p in self.parameters)
        self.settings = settings = replace(
            settings,
            fixed=self.groups.by_level(settings.fixed),
            bounds=self.groups.by_level(settings.bounds),
            tied=self.groups.tied(settings.tied),
        )
        self._by_name = {p.name: p for p in self.parameters}
        self._check_settings()
        leader = {name: group[0] for group in settings.tied for name in group}
        self.leader = {n: leader.get(n, n) for n in self.names}
        together = {group[0]: group for group in settings.tied}
        limits = {
            first: self._limits(together.get(first, (first,)))
            for first in dict.fromkeys(self.leader.values())
        }
        self._by_name = {
            p.name: self._bounded(p, limits[self.leader[p.name]]) for p in self.parameters
        }
        # One free parameter stands for each group of tied ones.
        self.free = tuple(n for n in self.names if self.leader[n] == n and n not in settings.fixed)
        self.penalties = self._penalties()
        self._check_rows()
        self._check_censored()

        self.columns = [runs.numbers(v, needed_by=str(law)) for v in self.variables]
        # As in the table: the core takes it to the space of the residuals.
        self.target = runs.numbers(settings.target, needed_by="target")
        self._check_target()
        self._check_sizes()
        positive = {v for v, c in zip(self.variables, self.columns, strict=True) if c.min() > 0}
        positive |= {
            name
            for name, members in self.groups.members.items()
            if all(self._by_name[m].positive for m in members)
        }
        tree = resolve(
            law.tree,
            variables=self.variables,
            log_parameters={p.name for p in declared if p.transform == "log"},
            positive=positive,
            spans=column_spans(dict(zip(self.variables, self.columns, strict=True))),
        )
        self.program = compile_law(
            tree,
            variables=self.variables,
            parameters=list(self.groups.members),
            space=settings.residual,
        )

    # --- checks -----------------------------------------------------------------------------------

    def _check_settings(self) -> None:
        s = self.settings
        known = f"parameters: {named(self.names)}"
        for what, names in (
            ("fixed", s.fixed),
            ("bounds", s.bounds),
            ("tied", [n for group in s.tied for n in group]),
        ):
            for name in names:
                if name not in self._by_name:
                    raise InputError(f"{what}: {name!r} is not a parameter of {self.law}; {known}")
        seen: set[str] = set()
        for group in s.tied:
            if len(group) < 2:
                raise InputError(f"tied: {group!r} names fewer than two parameters")
            for name in group:
                if name in seen:
                    raise InputError(f"tied: {name!r} occurs twice")
                if name in s.fixed:
                    raise InputError(f"{name!r} is both tied and fixed")
                seen.add(name)
            transforms = {self._by_name[name].transform for name in group}
            if len(transforms) > 1:
                raise InputError(
                    f"tied: {named(group)} cannot be tied: one is a scale factor fitted as its "
                    "logarithm, another is not"
                )
        columns = (*self.variables, *self.groups.column.values())
        if not columns:
            raise InputError(
                f"the formula {self.law.formula!r} uses no column of {self.runs.source}; columns: "
                f"{', '.join(self.runs)}"
            )
        if s.target in columns:
            raise InputError(
                f"the target {s.target!r} also occurs in the formula {self.law.formula!r}"
            )

    def _limits(self, tied: tuple[str, ...]) -> tuple[float, float]:
        """Return what the bounds of tied parameters have in common; perhaps nothing."""
        given = self.settings.bounds
        limits = [self._by_name[n].bounds for n in tied]
        limits += [check_bounds(n, given[n]) for n in tied if n in given]
        return max(low for low, _ in limits), min(high for _, high in limits)

    def _bounded(self, parameter: Parameter, limits: tuple[float, float]) -> Parameter:
        low, high = limits
        if low > high:
            raise InputError(
                f"parameter {parameter.name}: bounds leave no value: {low:g} > {high:g}"
            )
        if parameter.transform == "log" and high <= 0:
            raise InputError(
                f"parameter {parameter.name} is a positive scale factor; its upper bound {high:g} "
                "is not above 0"
            )
        if parameter.name in self.settings.fixed:
            given = self.settings.fixed[parameter.name]
            least = max(low, 0.0) if parameter.transform == "log" else low
            try:
                usable = math.isfinite(given) and least <= given <= high
            except TypeError:
                raise InputError(f"fixed: {parameter.name} = {given!r} is not a number") from None
            except OverflowError:
                raise InputError(
                    f"fixed: {parameter.name} is too large for a float64 (at most 1.8e308)"
                ) from None
            if not usable:
                raise InputError(
                    f"fixed: {parameter.name} = {given:g} is outside its bounds "
                    f"({least:g}, {high:g})"
                )
        return replace(parameter, bounds=(low, high))

    def _check_rows(self) -> None:
        n, p = self.runs.n, len(self.free)
        if n + len(self.penalties) < p:
            raise InputError(
                f"{self.runs.source} has {n} row{'s' * (n != 1)}; {p} free parameters "
                f"({named(self.free)}) need at least {p}"
            )

    def _check_censored(self) -> None:
        s = self.settings
        if s.censored is None or s.scale != "fitted":
            return
        if not s.loss.has_distribution:
            raise InputError(
                f'censored rows with scale="fitted" need the distribution function of the loss, '
                f"which {s.loss} does not have here; take squared, huber, absolute or quantile"
            )
        weight = 1.0 if s.weights is None else s.weights
        if not np.any(weight * (s.censored == 0.0)):
            raise InputError(
                'every row is censored: with scale="fitted" at least one target must be known'
            )

    def _check_sizes(self) -> None:
        """Refuse what cannot be squared and summed: nothing is scaled behind the user's back."""
        s = self.settings
        for what, values in (("weights", s.weights), ("sigma", s.sigma)):
            if values is None:
                continue
            bad = np.flatnonzero((values != 0) & ((values < 1 / MOST) | (values > MOST)))
            if bad.size:
                raise InputError(
                    f"{what}: {self.runs.row_label(int(bad[0]))} is {values[bad[0]]:g}; sizes from "
                    f"{1 / MOST:g} to {MOST:g} can be used"
                )
        if s.residual != "linear":
            return
        size = np.abs(self.target)
        i = int(size.argmax())
        if size[i] > MOST or 0 < size[i] < 1 / MOST:
            raise InputError(
                f"{self.runs.source}: column {s.target!r}, {self.runs.row_label(i)}: "
                f"{self.target[i]:g}, the largest size of the column, is not between {1 / MOST:g} "
                f'and {MOST:g}, as squares need; change its unit, or take residual="log"'
            )

    def _check_target(self) -> None:
        s = self.settings
        if s.residual == "linear":
            return
        y = self.target
        if s.residual == "log":
            wrong, space, allowed = y <= 0, "the logarithm", "above 0"
        else:
            wrong, space, allowed = (y <= 0) | (y >= 1), "the log-odds", "in (0, 1)"
        bad = np.flatnonzero(wrong)
        if bad.size:
            raise InputError(
                f"{self.runs.source}: column {s.target!r}, {self.runs.row_label(int(bad[0]))}: "
                f"{y[bad[0]]:g} is not {allowed}, as {space} needs"
                + (f" ({bad.size} such rows)" if bad.size > 1 else "")
                + '; residual="linear" takes any number'
            )

    def _largest_target(self) -> float:
        """Return the largest size of the target in the space of the residuals."""
        ends = np.array([np.min(self.target), np.max(self.target)])
        if self.settings.residual == "log":
            ends = np.log(ends)
        elif self.settings.residual == "logit":
            ends = np.log(ends) - np.log1p(-ends)
        return float(np.max(np.abs(ends)))

    # --- coordinates ------------------------------------------------------------------------------

    @property
    def dimension(self) -> int:
        """Number of coordinates: free parameters, and the log of the scale if it is fitted."""
        return len(self.free) + (self.settings.scale == "fitted")

    def _is_log(self, name: str) -> bool:
        return self._by_name[name].transform == "log"

    def to_coordinates(self, points: Mapping[str, Floats], what: str = "start") -> Floats:
        """Turn points in natural units into coordinates, shape (k, dimension).

        Raises
        ------
        InputError
            If a value lies outside its bounds.
        """
        count = len(next(iter(points.values()))) if points else 1
        x = np.full((count, self.dimension), np.nan)
        for k, name in enumerate(self.free):
            values = points[name]
            low, high = self._by_name[name].bounds
            bad = np.flatnonzero((values < low) | (values > high))
            if self._is_log(name):
                bad = np.union1d(bad, np.flatnonzero(values <= 0))
                low = max(low, 0.0)
            if bad.size:
                raise InputError(
                    f"{what} {bad[0] + 1}: {name} = {values[bad[0]]:g} is outside its bounds "
                    f"({low:g}, {high:g})"
                )
            x[:, k] = np.log(values) if self._is_log(name) else values
        return x

    def to_params(self, x: Floats) -> dict[str, Floats]:
        """Turn coordinates, shape (..., dimension), into every parameter in natural units."""
        with np.errstate(over="ignore"):  # a parameter that ran off is infinite, and reported so
            free = {
                name: np.exp(x[..., k]) if self._is_log(name) else x[..., k].copy()
                for k, name in enumerate(self.free)
            }
        fixed = self.settings.fixed
        return {
            n: np.full(x.shape[:-1], float(fixed[n])) if n in fixed else free[self.leader[n]].copy()
            for n in self.names
        }

    def to_scale(self, x: Floats) -> float | None:
        """Return the fitted scale, None if it is fixed."""
        return float(np.exp(x[-1])) if self.settings.scale == "fitted" else None

    def start_ranges(self) -> tuple[Floats, Floats]:
        """Return the lower and upper ends of the start box in coordinates, shape (free,) each."""
        low, high = np.empty(len(self.free)), np.empty(len(self.free))
        size = max(_typical_size(self.target), 1e-300)
        # A scale factor of unknown meaning: the target's size, times what columns may multiply in.
        reach = 2.0 + max(
            (abs(math.log(m)) for c in self.columns if (m := _typical_size(c)) > 0),
            default=0.0,
        )
        exponents = _names_in_exponents(self.law.tree)
        for k, name in enumerate(self.free):
            p = self._by_name[name]
            if p.start is not None:
                a, b = p.start
                a, b = (math.log(a), math.log(b)) if p.transform == "log" else (a, b)
            elif p.transform == "log":
                a, b = math.log(size) - reach, math.log(size) + reach
            elif self.groups.stem[name] in exponents:
                a, b = -1.5, 1.5
            else:
                a, b = -max(size, 1.0), max(size, 1.0)
            lower, upper = self.coordinate_bounds(name)
            a, b = max(a, lower), min(b, upper)
            if a > b:  # the usual range lies outside the bounds
                a, b = (lower, lower + 1.0) if math.isfinite(lower) else (upper - 1.0, upper)
                b = min(b, upper)
            low[k], high[k] = a, b
        return low, high

    def draw_starts(self, count: int, seed: int, threads: int = 0, first: int = 0) -> Floats:
        """Draw starts evenly in the start box, after the first `first` that the seed gives.

        Of each eight neighbours the best is kept. Where the law is a sum of powers and its
        residuals are logarithms, coefficients are those that fit the drawn exponents best in
        relative squares.

        All levels of a group take one place in their ranges, drawn once.

        Returns
        -------
        ndarray of shape (count, dimension)
        """
        tournament = 8
        low, high = self.start_ranges()
        stems = [self.groups.stem[name] for name in self.free]
        drawn = {stem: k for k, stem in enumerate(dict.fromkeys(stems))}
        unit = np.zeros(len(drawn)), np.ones(len(drawn))
        place = quasi_random(count * tournament, *unit, seed, first * tournament)
        points = low + place[:, [drawn[stem] for stem in stems]] * (high - low)
        if self.settings.scale == "fitted":
            points = np.column_stack([points, np.zeros(len(points))])
        points, values = self.objective(None, screening=True).screen(points, threads)
        values = np.where(np.isfinite(values), values, np.inf).reshape(count, tournament)
        points = points.reshape(count, tournament, self.dimension)
        chosen = points[np.arange(count), values.argmin(axis=1)]
        if self.settings.scale == "fitted":
            chosen[:, -1] = np.nan  # set from the residuals at the start
        return np.asarray(chosen)

    def choose_levels(
        self, points: Floats, threads: int = 0, progress: Callable[[int], object] | None = None
    ) -> Floats:
        """Return points with the coefficients that fit their exponents, where that is better.

        Under log residuals the relative errors of a sum of powers are linear in its coefficients:
        those of the least squares are taken where they lower the objective (on at most 2,000 rows).
        Other laws' points are returned as they are.

        Parameters
        ----------
        points : ndarray of shape (count, dimension)
        threads : int
        progress : callable, optional
            Gets the number of points that are done.

        Returns
        -------
        ndarray of shape (count, dimension)
        """
        return self.objective(None, screening=True).choose_levels(points, threads, progress)

    def coordinate_bounds(self, name: str) -> tuple[float, float]:
        """Return the bounds of a free parameter in coordinates."""
        p = self._by_name[name]
        low, high = p.bounds
        if p.transform == "log":
            low = math.log(low) if low > 0 else -math.inf
            high = math.log(high) if high < math.inf else math.inf
        return low, high

    def data_hash(self) -> str:
        """Return a SHA-256 of the target, the variables and the row weights that were used."""
        import hashlib  # only here: it takes as long to import as the rest of this module

        digest = hashlib.sha256()
        for name in (*self.variables, self.settings.target):
            digest.update(name.encode() + b"\0")
            digest.update(np.ascontiguousarray(self.runs.numbers(name)).data)
        for column, levels in self.groups.levels.items():
            digest.update("\0".join((column, *levels)).encode() + b"\0")
            digest.update(self.groups.index[column].astype(np.int64).data)
        s = self.settings
        for values in (s.weights, s.sigma, s.censored):
            if values is not None:
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    # --- the core's objective ---------------------------------------------------------------------

    def objective(self, starts: Floats | None, *, screening: bool = False) -> _core.Objective:
        """Build the core's objective.

        Parameters
        ----------
        starts : ndarray of shape (k, dimension), optional
            Their size sets the metric of the solver's steps.
        screening : bool
            Use at most 2,000 of the rows with weight: enough to rank starts.
        """
        return _core.Objective(*self.objective_arguments(starts, screening=screening))

    def objective_arguments(
        self, starts: Floats | None, *, screening: bool = False
    ) -> tuple[Any, ...]:
        """Return what `objective` makes the core's objective of; other processes can have it."""
        s = self.settings
        rows: Any = slice(None)
        if screening and self.runs.n > SCREENED:
            known = np.arange(self.runs.n) if s.weights is None else np.flatnonzero(s.weights)
            rows = known[np.linspace(0, len(known) - 1, min(SCREENED, len(known))).astype(int)]
        bounds = [self.coordinate_bounds(n) for n in self.free]
        typical = self._typical(starts)
        if s.scale == "fitted":
            # Far below any measurable residual; keeps an exact fit from running away.
            bounds.append((math.log(max(self._largest_target(), 1e-300)) - 40.0, math.inf))
        index = {n: k for k, n in enumerate(self.free)}
        source = {n: -1 if n in s.fixed else index[self.leader[n]] for n in self.names}
        value = {n: self._fixed_coordinate(n) if n in s.fixed else 0.0 for n in self.names}
        segments = self.groups.segments(rows)
        return (
            self.program,
            [c[rows] for c in self.columns],
            self.target[rows],
            None if s.weights is None else s.weights[rows],
            None if s.sigma is None else s.sigma[rows],
            s.loss._core(),
            s.scale == "fitted",
            s.loss.log_normaliser() if s.scale == "fitted" else 0.0,
            self.groups.in_segments(source, segments),
            self.groups.in_segments(value, segments),
            len(self.free),
            np.array([b[0] for b in bounds]),
            np.array([b[1] for b in bounds]),
            typical,
            s.residual,
            segments.order,
            segments.rows,
            None if s.censored is None else s.censored[rows],
            self.penalties,
        )

    def _typical(self, starts: Floats | None) -> Floats:
        """Return the size of a change in each coordinate, shape (dimension,)."""
        typical = np.ones(self.dimension)
        if starts is None or not len(starts):
            return typical
        # Many starts may be far from any minimum. One is a guess by somebody who knows the law: the
        # first step, which has this length at most, leaves every parameter its sign.
        share = 0.5 if len(starts) == 1 else 1.0
        for k, name in enumerate(self.free):
            largest = float(np.max(np.abs(starts[:, k])))
            if not self._is_log(name) and largest > 0:
                typical[k] = max(share * largest, 1e-300)
        return typical

    def refitted(self, weights: Floats, fixed: Mapping[str, float]) -> Problem:
        """Return the same problem with other weights and other values of what is fixed."""
        problem = copy.copy(self)
        problem.settings = replace(self.settings, weights=weights, fixed=fixed)
        problem.penalties = problem._penalties()
        return problem

    def _penalties(self) -> list[LinearForm]:
        return linear_forms(
            self.settings.penalties, self.groups, is_log=self._is_log, coordinate=self._coordinate
        )

    def _coordinate(self, name: str) -> tuple[int, float]:
        """Return the index of a parameter's coordinate, or -1 and the coordinate it is fixed at."""
        if name in self.settings.fixed:
            return -1, self._fixed_coordinate(name)
        return self.free.index(self.leader[name]), 0.0

    def _fixed_coordinate(self, name: str) -> float:
        value = float(self.settings.fixed[name])
        if not self._is_log(name):
            return value
        return math.log(value) if value > 0 else -math.inf


def _typical_size(column: Floats) -> float:
    """Return the median size; of a large table that of rows spread over it, for lack of memory."""
    step = max(1, len(column) // 100_000)
    return float(np.median(np.abs(column[::step])))


def _names_in_exponents(tree: ex.Node) -> set[str]:
    found: set[str] = set()
    for node in ex.walk(tree):
        if isinstance(node, ex.Apply) and node.function in ("pow", "exp"):
            inside = ex.walk(node.arguments[-1])
            found.update(n.name for n in inside if isinstance(n, ex.Name))
    return found


def normalise_tied(tied: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return groups of tied names as tuples; a bare pair of names is one group."""
    groups = list(tied)
    if groups and all(isinstance(g, str) for g in groups):
        return (tuple(str(g) for g in groups),)
    return tuple(tuple(g) for g in groups)
