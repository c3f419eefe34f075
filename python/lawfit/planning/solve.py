"""One problem at one or many limits: the grid finds where to begin, refinement the optimum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import evaluate_columns
from ..errors import InputError
from ..execution import workers_from
from ..formula import names
from ..law import Law
from ..progress import Progress, reporter
from .batches import BATCH, in_batches
from .grid import grid_search
from .problem import Limit, PlanProblem
from .refine import refine
from .rows import Rows

__all__ = ["Found", "Starts", "bounds", "constants", "find_starts", "minima", "refine_starts"]

Floats = NDArray[np.float64]
Columns = dict[str, Floats]

MOST_COMBINATIONS = 4096  # of listed values that are refined, the best of the grid first
MOST_TABLE = 2**22  # entries of the table of best cells
STARTS_EACH = 3  # local minima along the first range that are followed, per combination
NEAR_FEASIBLE = 1e-7
SAME_PLACE = 1e-5  # minima nearer than this, in logarithms, are one


@dataclass(frozen=True)
class Starts:
    """Where refinement begins: one row per start.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (r,)
        Every range and every listed name, in natural units.
    combination : ndarray of shape (r,)
        Number of the combination of listed values.
    cells : int
        That the grid decided.
    """

    columns: Columns
    combination: NDArray[np.intp]
    cells: int


@dataclass(frozen=True)
class Found:
    """Optima, best first: every minimum found, or the best of each combination of listed values.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (k,)
        Ranges, listed and fixed names.
    objective : ndarray of shape (k,)
        In natural units; what is minimised.
    force : ndarray of shape (k, m)
        Multipliers of the limits.
    residual : ndarray of shape (k,)
    converged : ndarray of shape (k,)
    combination : ndarray of shape (k,)
        As in `Starts`.
    evaluations : int
    cells : int
    """

    columns: Columns
    objective: Floats
    force: Floats
    residual: Floats
    converged: NDArray[np.bool_]
    combination: NDArray[np.intp]
    evaluations: int
    cells: int

    def picked(self, rows: Any) -> Found:
        """Return some of the rows."""
        return Found(
            {n: v[rows] for n, v in self.columns.items()},
            self.objective[rows],
            self.force[rows],
            self.residual[rows],
            self.converged[rows],
            self.combination[rows],
            self.evaluations,
            self.cells,
        )

    def best_of_each(self) -> Found:
        """Return the best of each combination of listed values."""
        return self.picked(np.sort(np.unique(self.combination, return_index=True)[1]))


def objective_of(problem: PlanProblem) -> str:
    """Return the formula that is minimised."""
    return problem.gain() if problem.budget is not None else problem.cost


def constants(problem: PlanProblem, limit: float) -> dict[str, float]:
    """Return every name that has one value: parameters, fixed variables and the limit."""
    return {**problem.params, **problem.fixed, "_limit": limit}


def bounds(problem: PlanProblem, rows: Rows) -> tuple[Floats, Floats]:
    """Return the ends of the ranges as points, each of shape (n, 1)."""
    low = rows.coordinates({n: np.array([problem.ranges[n][0]]) for n in rows.names})
    high = rows.coordinates({n: np.array([problem.ranges[n][1]]) for n in rows.names})
    return low, high


# --- grid -----------------------------------------------------------------------------------------


def _axis(low: float, high: float, points: int) -> Floats:
    if low > 0.0:
        inner = np.geomspace(low, high, points)
        inner[0], inner[-1] = low, high
        return inner
    return np.linspace(low, high, points)


def find_starts(
    problem: PlanProblem,
    limit: float | Floats,
    *,
    cells: float,
    threads: int | None = None,
    progress: Progress = False,
) -> Starts:
    """Search a grid and return where to begin; no rows if no cell is feasible.

    Several limits are one more axis; the columns then have "_limit", and each limit has
    combinations of its own.
    """
    several = np.ndim(limit) > 0
    tables = [c for c in problem.choices if len(c.names) > 1]
    lists = {"_limit": np.asarray(limit, dtype=float)} if several else {}
    lists |= {c.names[0]: c.values[:, 0] for c in problem.choices if len(c.names) == 1}
    whole_tables = math.prod(len(t.values) for t in tables)
    each = math.prod(len(v) for v in lists.values())
    combinations = each * whole_tables
    if not problem.ranges and combinations <= MOST_TABLE and not several:
        grids = np.meshgrid(*[np.arange(len(c.values)) for c in problem.choices], indexing="ij")
        columns = {
            n: c.values[g.ravel(), k]
            for c, g in zip(problem.choices, grids, strict=True)
            for k, n in enumerate(c.names)
        }
        return Starts(columns, np.arange(combinations), combinations)
    points = 0
    if problem.ranges:
        points = int((cells / combinations) ** (1.0 / len(problem.ranges)))
        points = min(max(points, 5), 100_000)
    axes = {n: _axis(*problem.ranges[n], points) for n in problem.ranges}
    total = points ** len(axes) * combinations
    report = reporter(progress, total, "cells")
    found: list[Columns] = []
    done = 0
    for picked in itertools.product(*(t.values for t in tables)):
        from_tables = {
            n: float(v) for t, row in zip(tables, picked, strict=True)
            for n, v in zip(t.names, row, strict=True)
        }  # fmt: skip
        told = None if report is None else lambda d, _, begun=done: report(begun + d)
        part, decided = _search(problem, limit, axes, lists, from_tables, threads, told)
        done += decided
        found.append(part)
    columns = {n: np.concatenate([f[n] for f in found]) for n in found[0]}
    order = np.argsort(columns["value"], kind="stable")
    columns = {n: v[order] for n, v in columns.items()}
    listed = [columns[n] for n in (*(["_limit"] if several else []), *problem.listed)]
    most = MOST_COMBINATIONS * np.size(limit)
    if listed:
        _, first, combination = np.unique(
            np.array(listed), axis=1, return_index=True, return_inverse=True
        )
        combination = combination.ravel()
        if len(first) > most:
            kept = np.sort(first)[:most]
            keep = np.isin(combination, combination[kept])
            columns = {n: v[keep] for n, v in columns.items()}
            combination = combination[keep]
    else:
        combination = np.zeros(len(columns["value"]), dtype=np.intp)
    del columns["value"]
    return Starts(columns, combination, done)


def _search(
    problem: PlanProblem,
    limit: float | Floats,
    axes: Columns,
    lists: Columns,
    from_tables: Mapping[str, float],
    threads: int | None,
    progress: Callable[[int, int], object] | None,
) -> tuple[Columns, int]:
    """Return the best cells: for every combination those at minima along the first range."""
    objective = objective_of(problem)
    limits = [f"{k.left} <= {k.right}" for k in problem.all_limits()]
    used = {n for text in (objective, *limits) for n in names(text)}
    values = {**constants(problem, 0.0 if "_limit" in lists else float(limit)), **from_tables}
    if "_limit" in lists:
        del values["_limit"]
    along = tuple(n for n in (*lists, *list(axes)[:1]) if n in used)
    every = {n: v for n, v in {**lists, **axes}.items() if n in used}
    size = math.prod(len(every[n]) for n in along)
    tabled = size <= MOST_TABLE
    result = grid_search(
        Law(problem.formula, target="_value"),
        every,
        params={n: v for n, v in values.items() if n in used},
        objective=objective,
        constraints=limits,
        along=[along] if tabled else (),
        top=1 if tabled else MOST_COMBINATIONS,
        threads=threads,
        progress=progress or False,
    )
    table = result.along[along] if tabled else result.top
    picked = {n: table[n] for n in (*every, "value")}
    if tabled and axes:
        value = np.where(np.isnan(table["value"]), np.inf, table["value"])
        value = value.reshape(-1, len(next(iter(axes.values()))))
        padded = np.pad(value, ((0, 0), (1, 1)), constant_values=np.inf)
        low = (value <= padded[:, :-2]) & (value < padded[:, 2:]) | (
            (value < padded[:, :-2]) & (value <= padded[:, 2:])
        )
        ranked = np.where(low & np.isfinite(value), value, np.inf)
        order = np.argsort(ranked, axis=1, kind="stable")[:, :STARTS_EACH]
        rows = np.arange(len(value))[:, None] * value.shape[1] + order
        keep = np.isfinite(np.take_along_axis(ranked, order, axis=1))
        picked = {n: v[rows[keep]] for n, v in picked.items()}
    else:
        keep = ~np.isnan(picked["value"])
        picked = {n: v[keep] for n, v in picked.items()}
    length = len(picked["value"])
    picked |= {n: np.full(length, v) for n, v in from_tables.items()}
    for n, v in (lists | axes).items():  # used by a definition alone
        picked.setdefault(n, np.full(length, v[0]))
    return picked, result.cells


# --- refinement -----------------------------------------------------------------------------------


def refine_starts(
    problem: PlanProblem, starts: Starts, limit: float | Floats, *, threads: int = 0
) -> Found:
    """Refine every start and return the minima, each once.

    `limit` may be one number, or one per start; starts of different limits then need different
    numbers in `starts.combination`. Columns of the starts that are named as parameters count
    instead of the problem's.
    """
    count = len(starts.combination)
    columns = _whole_numbers(problem, starts.columns, np.broadcast_to(limit, count), threads)
    length = len(next(iter(columns.values()))) if columns else count
    spread = length // max(count, 1)
    combination = np.repeat(starts.combination, spread)
    limits = np.repeat(np.broadcast_to(np.asarray(limit, dtype=float), count), spread)
    x, rows, raw = _refined(problem, columns, limits, problem.whole, threads)
    objective, force, residual, converged, violation, evaluations = raw
    inside = {n: np.clip(v, *problem.ranges[n]) for n, v in rows.natural(x).items()}  # exp rounds
    natural = {**columns, **inside}
    objective = np.exp(objective) if rows.log_objective else objective
    value = np.where(violation & np.isfinite(objective), objective, np.inf)
    order = np.argsort(value, kind="stable")
    order = order[np.isfinite(value[order])]
    whole = [np.asarray(natural[n]) for n in problem.whole]
    places = np.array([combination, *np.round(x / SAME_PLACE), *whole])[:, order]
    _, first = np.unique(places, axis=1, return_index=True)
    first = np.sort(first)
    # Where conditions do not settle a row, its place says nothing: the best such row counts.
    leading = np.isin(first, np.unique(combination[order], return_index=True)[1])
    best = order[first[leading | converged[order[first]]]]
    fixed = {n: np.full(len(best), v) for n, v in problem.fixed.items()}
    return Found(
        {**{n: v[best] for n, v in natural.items()}, **fixed},
        objective[best],
        force[:, best].T,
        residual[best],
        converged[best],
        combination[best],
        evaluations,
        starts.cells,
    )


def minima(
    problem: PlanProblem, *, cells: float, threads: int | None = None, progress: Progress = False
) -> Found:
    """Return the minima of a problem at its own limit that a grid and refinement find."""
    limit = problem.limit
    starts = find_starts(problem, limit, cells=cells, threads=threads, progress=progress)
    if not len(starts.combination):
        starts = start_from_conflict(problem, limit, cells)
    found = refine_starts(problem, starts, limit, threads=workers_from(threads))
    return polish_kink(problem, found, limit, threads) if len(found.objective) else found


def _refined(
    problem: PlanProblem,
    columns: Columns,
    limits: Floats,
    held: Sequence[str],
    threads: int,
) -> tuple[Floats, Rows, tuple]:  # type: ignore[type-arg]
    """Refine rows with the names in `held` kept at their values."""
    length = len(limits)
    ranges = {n: r for n, r in problem.ranges.items() if n not in held}
    given = {n: np.full(length, v) for n, v in constants(problem, 0.0).items()}
    given["_limit"] = limits
    given |= {n: v for n, v in columns.items() if n not in ranges}
    rows = Rows(
        objective_of(problem),
        problem.all_limits(),
        ranges,
        given,
        log_objective=problem.budget is None,
    )
    start = np.broadcast_to(
        rows.coordinates({n: columns[n] for n in ranges}), (len(ranges), length)
    )
    low, high = bounds(problem, rows)

    def run(k: int):  # type: ignore[no-untyped-def]
        part = slice(k * BATCH, min((k + 1) * BATCH, length))
        some = rows.over({n: v[part] for n, v in rows.given.items()})
        width = start[:, part].shape[1]
        shape = (len(ranges), width)
        return refine(
            some, start[:, part], np.broadcast_to(low, shape), np.broadcast_to(high, shape)
        )

    parts = list(in_batches(max(1, math.ceil(length / BATCH)), run, threads))
    x = np.concatenate([p.x for p in parts], axis=1)
    return (
        x,
        rows,
        (
            np.concatenate([p.objective for p in parts]),
            np.concatenate([p.multipliers for p in parts], axis=1),
            np.concatenate([p.residual for p in parts]),
            np.concatenate([p.converged for p in parts]),
            np.concatenate([p.violation for p in parts]) <= NEAR_FEASIBLE,
            sum(p.iterations for p in parts),
        ),
    )


def _whole_numbers(problem: PlanProblem, columns: Columns, limits: Floats, threads: int) -> Columns:
    """Return every start with each neighbouring integer of the variables that must be integers."""
    if not problem.whole:
        return columns
    x, rows, _ = _refined(problem, columns, np.asarray(limits, dtype=float), (), threads)
    natural = {**columns, **rows.natural(x)}
    steps = list(itertools.product((0, 1), repeat=len(problem.whole)))
    out = {n: np.repeat(v, len(steps)) for n, v in natural.items()}
    for k, n in enumerate(problem.whole):
        low, high = problem.ranges[n]
        near = np.floor(natural[n])[:, None] + np.array([s[k] for s in steps])
        out[n] = np.clip(near, low, high).ravel()
    return out


def conflicts(problem: PlanProblem, limit: float, cells: float) -> str:
    """Say which limits cannot hold, and by how much they are missed at best."""
    limits = problem.all_limits()
    alone = []
    for one in limits:
        found = _shortfall(problem, [one], limit, cells)
        if found is not None and found[0] > 1e-9:
            alone.append(f'"{_shown(problem, one, limit)}" cannot hold: '
                         f"{_sides(problem, [one], limit, found[1])}")  # fmt: skip
    if alone:
        return "; ".join(alone)
    together = _shortfall(problem, limits, limit, cells)
    if together is None or together[0] <= 1e-9:
        return ""
    excess, place = together
    tight = [k for k, v in zip(limits, place["_excess"], strict=True) if v > 0.5 * excess]
    shown = " and ".join(f'"{_shown(problem, k, limit)}"' for k in tight)
    return f"each limit can hold, but not {shown} together: {_sides(problem, tight, limit, place)}"


def _shown(problem: PlanProblem, limit: Limit, value: float) -> str:
    if "_limit" not in (limit.left, limit.right):
        return limit.text
    return limit.text.replace("budget", f"{value:g}").replace("target", f"{value:g}")


def _sides(
    problem: PlanProblem, limits: Sequence[Limit], value: float, place: Mapping[str, Any]
) -> str:
    """Say what both sides of limits are at a place."""
    point = {n: v for n, v in place.items() if n != "_excess"}
    columns = {n: np.array([v]) for n, v in {**constants(problem, value), **point}.items()}
    said = []
    for one in limits:
        left, right = (float(evaluate_columns(t, columns)[0]) for t in (one.left, one.right))
        by = (
            f"{left / right:.4g} times"
            if right > 0.0 and left > 1.1 * right
            else f"{left - right:.4g} above"
        )
        said.append(f"{left:.6g} is {by} {right:.6g}")
    where = ", ".join(f"{n} = {v:.4g}" for n, v in point.items())
    return "at best " + ", ".join(said) + (f" (at {where})" if where else "")


def _shortfall(
    problem: PlanProblem, limits: Sequence[Limit], limit: float, cells: float
) -> tuple[float, dict[str, Any]] | None:
    """Minimise the largest violation of some limits; log(left / right), or left - right."""
    length = 0
    combos: list[Columns] = []
    per_axis = max(5, int(min(cells, 2e5) ** (1.0 / max(1, len(problem.ranges)))))
    mesh = np.meshgrid(*[_axis(*r, per_axis) for r in problem.ranges.values()], indexing="ij")
    grid = {n: m.ravel() for n, m in zip(problem.ranges, mesh, strict=True)}
    size = len(next(iter(grid.values()))) if grid else 1
    for picked in itertools.islice(itertools.product(*(c.values for c in problem.choices)), 0, 256):
        listed = {
            n: np.full(size, v) for c, row in zip(problem.choices, picked, strict=True)
            for n, v in zip(c.names, row, strict=True)
        }  # fmt: skip
        combos.append({**grid, **listed})
        length += size
    columns = {n: np.concatenate([c[n] for c in combos]) for n in combos[0]} if combos[0] else {}
    length = max(length, 1)
    given = {n: np.full(length, v) for n, v in constants(problem, limit).items()}
    given |= {n: v for n, v in columns.items() if n not in problem.ranges}
    rows = Rows("0", limits, problem.ranges, given)
    x = rows.coordinates({n: columns[n] for n in problem.ranges}).reshape(
        len(problem.ranges), length
    )
    values, _ = rows(x, np.arange(length), np.zeros(len(problem.ranges)))
    worst = np.where(np.isfinite(values[1:]), values[1:], np.inf).max(axis=0)
    if not np.isfinite(worst).any():
        return None
    best = int(np.argmin(worst))
    n = len(problem.ranges)

    def with_slack(point: Floats, at: NDArray[np.intp], shift: Floats) -> tuple[Floats, Floats]:
        v, g = one(point[:n], at, shift[:n])
        slack = point[n] + shift[n]
        out = np.concatenate([slack[None], v[1:] - slack])
        gradients = np.zeros((len(out), n + 1, len(slack)))
        gradients[1:, :n] = g[1:]
        gradients[0, n], gradients[1:, n] = 1.0, -1.0
        return out, gradients

    one = rows.over({k: v[best : best + 1] for k, v in rows.given.items()})
    low, high = bounds(problem, rows)
    start = np.concatenate([x[:, best : best + 1], [[worst[best]]]])
    got = refine(
        with_slack,
        start,
        np.concatenate([low, [[-1e6]]]),
        np.concatenate([high, [[max(1.0, 2 * abs(worst[best]))]]]),
    )
    better = got.violation[0] < 1e-9 and got.objective[0] < worst[best]
    excess = float(got.objective[0]) if better else float(worst[best])
    point = got.x[:n] if better else x[:, best : best + 1]
    each, _ = one(point, np.arange(1), np.zeros(n))
    place: dict[str, Any] = {k: float(v[0]) for k, v in rows.natural(point).items()}
    place |= {k: float(columns[k][best]) for k in problem.listed}
    place["_excess"] = each[1:, 0]
    return excess, place


def require_found(problem: PlanProblem, found: Found, limit: float, cells: float) -> None:
    """Raise if no plan was found, saying why."""
    if len(found.objective):
        return
    why = conflicts(problem, limit, cells)
    raise InputError(
        f"no plan is possible: {why}"
        if why
        else "no plan was found: the law or the cost is not a number anywhere that the limits hold"
    )


def start_from_conflict(problem: PlanProblem, limit: float, cells: float) -> Starts:
    """Return a point at which all limits hold, where the grid is too coarse to have one."""
    found = _shortfall(problem, problem.all_limits(), limit, cells)
    columns = {n: np.empty(0) for n in (*problem.ranges, *problem.listed)}
    if found is not None and found[0] <= 1e-9:
        columns = {n: np.array([found[1][n]], dtype=float) for n in columns}
    rows = len(next(iter(columns.values()))) if columns else 0
    return Starts(columns, np.zeros(rows, dtype=np.intp), 0)


def rows_of(problem: PlanProblem, columns: Columns, limit: float) -> Rows:
    """Return the programs of a problem over rows with these listed values."""
    length = len(next(iter(columns.values()))) if columns else 1
    given = {n: np.full(length, v) for n, v in constants(problem, limit).items()}
    return Rows(
        objective_of(problem),
        problem.all_limits(),
        problem.ranges,
        given | columns,
        log_objective=problem.budget is None,
    )


def at_ends(low: float, high: float, value: float, tolerance: float) -> list[tuple[str, float]]:
    """Return the ends of a range that a value is at."""
    if low > 0.0:
        low_, high_, at = math.log(low), math.log(high), math.log(value)
    else:
        low_, high_, at = low, high, value
    near = tolerance * (high_ - low_)
    ends = [("lower", low)] if at <= low_ + near else []
    return ends + ([("upper", high)] if at >= high_ - near else [])


def polish_kink(problem: PlanProblem, found: Found, limit: float, threads: int | None) -> Found:
    """Close in on the best plan by grids where first-order conditions do not settle it."""
    if found.converged[0] or not problem.ranges:
        return found
    points = {1: 201, 2: 41, 3: 17}.get(len(problem.ranges), 7)
    centre = {n: float(found.columns[n][0]) for n in problem.ranges}
    listed = {n: float(found.columns[n][0]) for n in problem.listed}
    best, cells = float(found.objective[0]), found.cells
    width = 0.1
    while width > 1e-11:
        axes = {}
        for n, (low, high) in problem.ranges.items():
            reach = width * (abs(centre[n]) if low > 0.0 else high - low)
            axes[n] = np.clip(np.linspace(-reach, reach, points) + centre[n], low, high)
        picked, decided = _search(problem, limit, axes, {}, listed, threads, None)
        cells += decided
        k = int(np.argmin(picked["value"])) if len(picked["value"]) else -1
        if k >= 0 and picked["value"][k] < best:
            best = float(picked["value"][k])
            centre = {n: float(picked[n][k]) for n in centre}
        else:
            width *= 0.25
    columns = {n: v.copy() for n, v in found.columns.items()}
    for n, v in centre.items():
        columns[n][0] = v
    objective = found.objective.copy()
    objective[0] = best
    return replace(found, columns=columns, objective=objective, cells=cells)
