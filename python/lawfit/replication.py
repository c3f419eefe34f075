"""A published recipe beside lawfit's own fit, each also under the other's objective."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .fitting import fit, given_points
from .law import Law
from .problem import Problem
from .protocols import Protocol
from .protocols import protocol as find_protocol
from .result import Fit
from .runs import read
from .tables import named

__all__ = ["ProtocolComparison", "Replication", "compare_protocol"]

Floats = NDArray[np.float64]

# A start counts as at the optimum if its objective is within this share of it.
AT_OPTIMUM = 1e-4


@dataclass(frozen=True)
class Replication:
    """One set of coefficients in a comparison.

    Attributes
    ----------
    name : str
        Whose: "authors' optimiser", "their objective", "lawfit", or a published set's name.
    params : dict of str to float
    theirs, ours : float
        The protocol's objective there, and that of `lawfit.fit` without a protocol. A fitted scale
        is put where it is best for these coefficients.
    starts, hits : int
        Starts run, and those that ended within 1e-4 of the least objective known under the
        objective they minimised; 0 for published sets.
    """

    name: str
    params: dict[str, float]
    theirs: float
    ours: float
    starts: int = 0
    hits: int = 0


@dataclass(frozen=True)
class ProtocolComparison:
    """What `compare_protocol` found.

    Attributes
    ----------
    protocol : Protocol
    nobs : int
    rows : tuple of Replication
        "lawfit": its own fit. "their objective": the protocol's objective, minimised by lawfit from
        the authors' starts. "authors' optimiser": the same as the authors ran it, if SciPy is
        there and has their method. Then the published sets that were asked for.
    own, optimum : Fit
        The first two in full.
    """

    protocol: Protocol
    nobs: int
    rows: tuple[Replication, ...]
    own: Fit
    optimum: Fit

    def __getitem__(self, name: str) -> Replication:
        for row in self.rows:
            if row.name == name:
                return row
        raise InputError(
            f"there is no {name!r} in this comparison; there are: "
            f"{named([r.name for r in self.rows])}"
        )

    def __str__(self) -> str:
        names = list(self.rows[0].params)
        shown = [
            ["", *names, "their objective", "ours", "starts at it"],
            *(
                [
                    row.name,
                    *(f"{row.params[n]:.6g}" for n in names),
                    f"{row.theirs:.9g}",
                    f"{row.ours:.9g}",
                    f"{row.hits} of {row.starts}" if row.starts else "",
                ]
                for row in self.rows
            ),
        ]
        widths = [max(len(line[k]) for line in shown) for k in range(len(shown[0]))]
        lines = [
            "  ".join(cell.rjust(w) if k else cell.ljust(w) for k, (cell, w) in enumerate(cells))
            for cells in (zip(line, widths, strict=True) for line in shown)
        ]
        flaws = [f"known flaw: {flaw}" for flaw in self.protocol.flaws]
        return "\n".join([f"{self.protocol.name}, {self.nobs} rows", *lines, *flaws])


def compare_protocol(
    name: str | Protocol,
    runs: Any,
    target: str | None = None,
    *,
    law: Law | str | None = None,
    published: Mapping[str, Mapping[str, float]] | None = None,
    starts: int | None = 20,
    threads: int | None = None,
    rng: int = 0,
    **reading: Any,
) -> ProtocolComparison:
    """Run a published recipe as its authors did, and beside it lawfit's own fit.

    Parameters
    ----------
    name : str or Protocol
    runs : mapping of arrays, DataFrame, or path
    target : str, optional
        Default: the law's own.
    law : Law or str, optional
        Default: the protocol's.
    published : mapping of str to mapping of str to float, optional
        More sets of coefficients to evaluate, by name.
    starts : int or None
        How many of the authors' starts SciPy runs, drawn evenly from their grid: its optimisers
        need 0.01 to 0.5 s each. None: all. 0: SciPy is not used.
    threads, rng
        As in `lawfit.fit`.
    **reading
        columns, derive, where, missing, fixed: as in `lawfit.fit`.

    Returns
    -------
    ProtocolComparison

    Raises
    ------
    InputError
        As `lawfit.fit`; or if a published set lacks a coefficient.

    Notes
    -----
    Coordinates are lawfit's: the logarithm of a positive scale factor. An optimiser that stops by
    absolute tests, or that has its gradient by differences, ends elsewhere in other coordinates.
    """
    recipe = name if isinstance(name, Protocol) else find_protocol(name)
    law = recipe.law if law is None else law
    where = reading.pop("where", None) or recipe.where
    columns, derive = reading.pop("columns", None), reading.pop("derive", None)
    unknown = set(reading) - {"missing", "fixed"}
    if unknown:
        raise InputError(
            f"compare_protocol takes no {named(unknown)}: the recipe says how the law is fitted"
        )
    table = read(runs, columns=columns, derive=derive, where=where)
    fixed = dict(reading.pop("fixed", None) or recipe.fixed)
    common: dict[str, Any] = {"fixed": fixed, "tied": recipe.tied, "threads": threads, "rng": rng}
    common |= reading
    own = fit(law, table, target, **common)
    optimum = fit(
        law, table, target, **common,
        residual=recipe.residual, loss=recipe.loss, scale=recipe.scale,
        starts=recipe.starts, bounds=recipe.bounds,
    )  # fmt: skip

    def replication(
        label: str, params: Mapping[str, float], count: int = 0, hits: int = 0
    ) -> Replication:
        values = {n: float(params[n]) for n in own.params}
        return Replication(
            label, values, objective_at(optimum, values), objective_at(own, values), count, hits
        )

    rows = [
        replication("lawfit", own.params, own.starts.n, own.starts.hits),
        replication("their objective", optimum.params, optimum.starts.n, optimum.starts.hits),
    ]
    if starts != 0 and recipe.optimiser.method:
        run = _as_the_authors(recipe, optimum, starts, rng)
        if run is not None:
            rows.append(replication("authors' optimiser", *run))
    for label, params in (published or {}).items():
        missing = [n for n in own.params if n not in params and n not in fixed]
        if missing:
            raise InputError(f"published: {label!r} has no {named(missing)}")
        rows.append(replication(label, {**fixed, **params}))
    return ProtocolComparison(recipe, own.nobs, tuple(rows), own, optimum)


def objective_at(result: Fit, params: Mapping[str, float]) -> float:
    """Return the objective of a fit at other coefficients.

    Parameters
    ----------
    result : Fit
        Made in this session: it needs its table.
    params : mapping of str to float
        Natural units. A fitted scale takes its best value for them. Bounds do not count.

    Raises
    ------
    InputError
        If the fit was loaded from a file.
    """
    problem = _problem(result)
    x = np.full(problem.dimension, np.nan)
    logs = {p.name for p in problem.parameters if p.transform == "log"}
    with np.errstate(divide="ignore"):  # a scale factor of 0 is one of log -infinity
        for k, name in enumerate(problem.free):
            x[k] = np.log(params[name]) if name in logs else params[name]
    objective = problem.objective(None)
    if problem.settings.scale == "fixed":
        return float(objective.value(x))
    return _best_scale(objective, x)


def _best_scale(objective: Any, x: Floats) -> float:
    """Return the least value over the last coordinate, by golden section from a coarse scan."""

    def value(log_scale: float) -> float:
        return float(objective.value(np.append(x[:-1], log_scale)))

    scan = np.linspace(-40.0, 10.0, 201)
    values = np.array([value(s) for s in scan])
    best = int(np.nanargmin(values))
    low, high = scan[max(best - 1, 0)], scan[min(best + 1, len(scan) - 1)]
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(80):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if value(left) < value(right):
            high = right
        else:
            low = left
    return value(0.5 * (low + high))


def _problem(result: Fit) -> Problem:
    if result._problem is None:
        raise InputError("this fit was loaded from a file and has no table; fit again")
    return result._problem


def _as_the_authors(
    recipe: Protocol, optimum: Fit, count: int | None, seed: int
) -> tuple[dict[str, float], int, int] | None:
    """Run the authors' optimiser from their starts: coefficients, starts run, starts that hit."""
    try:
        scipy_optimize: Any = importlib.import_module("scipy.optimize")
    except ImportError:
        return None
    problem = _problem(optimum)
    points = optimum._start_points
    if recipe.starts != "auto":  # as they are: lawfit itself begins with other coefficients
        points = given_points(problem, recipe.starts)
    assert points is not None
    if count is not None and count < len(points):
        # One of each equal stretch, at random in it: even steps would fall in with the grid's axes.
        edges = np.linspace(0.0, len(points), count + 1)
        inside = np.random.default_rng(seed).random(count)
        points = points[(edges[:-1] + inside * np.diff(edges)).astype(int)]
    if problem.settings.scale == "fitted":
        points = points.copy()
        points[:, -1] = np.where(np.isfinite(points[:, -1]), points[:, -1], 0.0)
    objective = problem.objective(points)
    how = recipe.optimiser
    bounds = np.array([problem.coordinate_bounds(n) for n in problem.free])
    if problem.settings.scale == "fitted":
        bounds = np.vstack([bounds, (-np.inf, np.inf)])
    bounds = bounds.reshape(problem.dimension, 2)
    divisor = float(problem.runs.n) if how.reduction == "mean" else 1.0

    def value(x: Floats) -> float:
        found = float(objective.value(x)) / divisor
        return found if np.isfinite(found) else 1e300

    def gradient(x: Floats) -> Floats:
        return np.nan_to_num(np.asarray(objective.derivatives(x)[1]) / divisor)

    def residuals(x: Floats) -> Floats:
        values = {n: float(v) for n, v in problem.to_params(x).items()}
        predicted = problem.law.predict(values, problem.runs)
        with np.errstate(all="ignore"):
            r = _in_space(predicted, recipe.residual) - _in_space(problem.target, recipe.residual)
        return how.residual_scale * np.nan_to_num(r, nan=1e6, posinf=1e6, neginf=-1e6)

    def minimise(start: Floats) -> Floats:
        if how.method in ("trf", "lm"):
            options = dict(how.options)
            if how.huber is not None:
                options |= {"loss": "huber", "f_scale": how.huber}
            if how.method == "trf":
                options["bounds"] = (bounds[:, 0], bounds[:, 1])
            done = scipy_optimize.least_squares(residuals, start, method=how.method, **options)
        else:
            limits = bounds if how.method == "L-BFGS-B" else None
            done = scipy_optimize.minimize(
                value,
                start,
                method=how.method,
                jac=gradient if how.gradient == "analytic" else None,
                bounds=limits,
                options=dict(how.options),
            )
        return np.asarray(done.x, dtype=float)

    ends = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for point in points:
            try:
                ends.append(minimise(np.clip(point, bounds[:, 0], bounds[:, 1])))
            except ValueError:  # a start with no finite residual
                ends.append(np.asarray(point, dtype=float))
    values = np.array([objective.value(x) for x in ends])
    values = np.where(np.isfinite(values), values, np.inf)
    chosen = len(ends) - 1 if how.keep == "last" else int(np.argmin(values))
    size = abs(optimum.objective)
    if problem.settings.scale == "fitted":
        size = max(size, float(problem.runs.n))
    hits = int(np.sum(values <= optimum.objective + AT_OPTIMUM * size))
    params = {n: float(v) for n, v in problem.to_params(ends[chosen]).items()}
    return params, len(ends), hits


def _in_space(values: Floats, space: str) -> Floats:
    if space == "log":
        return np.log(values)
    if space == "logit":
        return np.log(values) - np.log1p(-values)
    return values
