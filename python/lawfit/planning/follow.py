"""Every draw of the parameters planned again: followed from the central minima, checked anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import Interrupted
from ..progress import Progress, reporter
from . import solve
from .batches import BATCH, in_batches
from .frontier import at_limit
from .problem import PlanProblem
from .refine import refine
from .rows import Rows

__all__ = ["Draws", "Followed", "follow"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALL_RESIDUAL = 1e-3  # of a row that has not converged, but is where conditions about hold
AT_BOUND = 1e-9  # of the width of a range
CHECKS = 32  # draws, each at one limit, that are searched anew; and as many without a plan
CHECK_CELLS = 3e4  # of the grid of each
ROUNDS = 4  # of checks, each after the starts that the last one found were followed
BETTER = 1e-9  # relatively: what counts as another answer
CLEARLY_BETTER = 1e-5  # the same at a kink, where refinement ends somewhere near


@dataclass(frozen=True)
class Draws:
    """Many problems that differ in parameters and limit.

    Attributes
    ----------
    problem : PlanProblem
    parameters : dict of str to ndarray of shape (draws,)
        By the names of the problem.
    limits : ndarray of shape (l,)
        Budgets, or targets.
    """

    problem: PlanProblem
    parameters: dict[str, Floats]
    limits: Floats

    @property
    def count(self) -> int:
        """How many draws there are."""
        return len(next(iter(self.parameters.values()))) if self.parameters else 1


@dataclass(frozen=True)
class StartTable:
    """Minima of similar problems, from which draws are followed.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (k,)
        Ranges and lists.
    limit_of : ndarray of shape (k,)
        Number of the limit.
    binding : ndarray of shape (k, m)
        Which limits hold with equality.
    inside : ndarray of shape (k, n)
        Which variables are not at an end of their range.
    """

    columns: dict[str, Floats]
    limit_of: NDArray[np.intp]
    binding: NDArray[np.bool_]
    inside: NDArray[np.bool_]

    @staticmethod
    def of(problem: PlanProblem, found: solve.Found, limit_of: NDArray[np.intp]) -> StartTable:
        """Return minima as starts."""
        inside = np.ones((len(limit_of), len(problem.ranges)), dtype=bool)
        for i, (name, (low, high)) in enumerate(problem.ranges.items()):
            value = found.columns[name]
            if low > 0.0:
                low, high, value = np.log(low), np.log(high), np.log(value)
            near = AT_BOUND * (high - low)
            inside[:, i] = (value > low + near) & (value < high - near)
        columns = {n: found.columns[n] for n in (*problem.ranges, *problem.listed)}
        return StartTable(columns, limit_of, found.force > 0.0, inside)

    def joined(self, other: StartTable) -> StartTable:
        """Return both, these first."""
        return StartTable(
            {n: np.concatenate([v, other.columns[n]]) for n, v in self.columns.items()},
            np.concatenate([self.limit_of, other.limit_of]),
            np.concatenate([self.binding, other.binding]),
            np.concatenate([self.inside, other.inside]),
        )


@dataclass
class Followed:
    """The best plan of every draw at every limit.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (draws, l)
        Ranges and lists; nan where there is no plan.
    objective : ndarray of shape (draws, l)
        What is minimised; infinity where there is no plan.
    rough : ndarray of shape (draws, l)
        Whether first-order conditions do not hold there, as at a kink.
    checked : int
        Plans that were searched anew by a grid, of one draw at one limit each.
    missed : int
        How many of them were better than what following had found. Their minima were then
        followed in all draws.
    """

    columns: dict[str, Floats]
    objective: Floats
    rough: NDArray[np.bool_]
    checked: int = 0
    missed: int = 0

    def improve(
        self,
        draw: Ints,
        limit: Ints,
        objective: Floats,
        rough: NDArray[np.bool_],
        columns: Mapping[str, Floats],
    ) -> None:
        """Put in the rows that are better than what is there; of equal ones the first counts."""
        better = np.flatnonzero(objective < self.objective[draw, limit])
        place = draw[better] * self.objective.shape[1] + limit[better]
        least = np.full(self.objective.size, np.inf)
        np.minimum.at(least, place, objective[better])
        # Of rows for one place the last one stays.
        best = better[objective[better] == least[place]][::-1]
        at = draw[best], limit[best]
        self.objective[at] = objective[best]
        self.rough[at] = rough[best]
        for name, values in self.columns.items():
            values[at] = columns[name][best]


def follow(
    draws: Draws, central: Sequence[solve.Found], *, threads: int = 0, progress: Progress = False
) -> Followed:
    """Find the best plan of every draw at every limit.

    Every minimum under the central parameters is followed to where it is in each draw, by Newton's
    method in the core; rows in which other limits bind are refined anew. Some draws are then
    searched by a grid. If that finds a better plan in one, its minima are followed in all draws
    too, and others are searched; where misses do not end, every draw is searched.

    Parameters
    ----------
    draws : Draws
    central : sequence of Found, of length l
        The minima under the central parameters at each limit.
    threads : int
    progress : bool or callable(done, total)
        Counts draws.

    Returns
    -------
    Followed

    Raises
    ------
    Interrupted
        On Ctrl-C.
    """
    problem, shape = draws.problem, (draws.count, len(draws.limits))
    names = (*problem.ranges, *problem.listed)
    result = Followed(
        {n: np.full(shape, np.nan) for n in names},
        np.full(shape, np.inf),
        np.zeros(shape, dtype=bool),
    )
    lengths = [len(f.objective) for f in central]
    starts = StartTable.of(problem, _stacked(central), np.repeat(np.arange(len(central)), lengths))
    _follow_from(draws, starts, result, threads, progress)
    known = np.ones(shape[0], dtype=bool)
    for values in draws.parameters.values():
        known &= np.isfinite(values)
    pairs = _sample(known, np.isinf(result.objective))
    for turn in range(ROUNDS):
        more, limits = _search(draws, pairs[turn::ROUNDS], result, threads)
        if more is None:
            continue
        _follow_from(draws, more, result, threads, progress)
        if turn == ROUNDS - 1:
            for limit in limits:
                every = np.column_stack([np.flatnonzero(known), np.full(known.sum(), limit)])
                _search(draws, every, result, threads, progress)
    return result


def _stacked(found: Sequence[solve.Found]) -> solve.Found:
    first = found[0]
    return replace(
        first,
        columns={n: np.concatenate([f.columns[n] for f in found]) for n in first.columns},
        objective=np.concatenate([f.objective for f in found]),
        force=np.concatenate([f.force for f in found]),
    )


# --- following ------------------------------------------------------------------------------------


def _follow_from(
    draws: Draws, starts: StartTable, result: Followed, threads: int, progress: Progress
) -> None:
    """Follow starts in all draws; those in which the same limits bind go together."""
    if not len(starts.limit_of):
        return
    patterns, pattern_of = np.unique(
        np.concatenate([starts.binding, starts.inside], axis=1), axis=0, return_inverse=True
    )
    total = draws.count * len(patterns)
    told = reporter(progress, total, "draws planned")
    for k in range(len(patterns)):
        rows = np.flatnonzero(pattern_of.ravel() == k)
        report = None if told is None else lambda done, k=k: told(k * draws.count + done)
        _follow_alike(draws, starts, rows, result, threads, report)
        if told is not None:
            told((k + 1) * draws.count)


def _follow_alike(
    draws: Draws,
    starts: StartTable,
    at: NDArray[np.intp],
    result: Followed,
    threads: int,
    report: Callable[[int], object] | None,
) -> None:
    """Follow starts in which the same limits bind and the same variables are at an end."""
    problem, ranges, k = draws.problem, draws.problem.ranges, len(at)
    by_start = {n: v[at] for n, v in starts.columns.items() if n not in ranges}
    by_start |= {n: np.full(k, v) for n, v in problem.fixed.items()}
    limit_of = starts.limit_of[at]
    by_start["_limit"] = draws.limits[limit_of]
    positive = {n for n, v in {**draws.parameters, **by_start}.items() if (v > 0.0).all()}
    first = {n: np.full(k, v[0]) for n, v in draws.parameters.items()}
    rows = Rows(
        solve.objective_of(problem),
        problem.all_limits(),
        ranges,
        first | by_start,
        log_objective=problem.budget is None,
        positive=frozenset(positive),
    )
    start = np.ascontiguousarray(
        np.broadcast_to(
            rows.coordinates({n: starts.columns[n][at] for n in ranges}), (len(ranges), k)
        )
    )
    low, high = solve.bounds(problem, rows)
    derived = [
        *((n, p, np.nan if n in rows.positive else None) for n, (_, p) in rows.hoisted.items()),
        *((n, p, 1e-300) for n, p in rows.rooms),
    ]
    programs = [*rows.programs, *(p for _, p, _ in derived)]
    used = {c for p in programs for c in p.columns}
    binding = starts.binding[at[0]]
    raw = _core.follow(
        list(ranges),
        rows.programs,
        derived,
        [(n, v) for n, v in draws.parameters.items() if n in used],
        draws.count,
        [(n, v) for n, v in by_start.items() if n in used],
        start,
        low.ravel().tolist(),
        high.ravel().tolist(),
        starts.inside[at[0]].tolist(),
        binding.tolist(),
        limit_of.tolist(),
        len(draws.limits),
        threads,
        report,
    )
    if raw["interrupted"]:
        raise Interrupted("interrupted before all draws were planned")

    def put(
        draw: Ints, start_: Ints, objective: Floats, x: Floats, rough: NDArray[np.bool_]
    ) -> None:
        value = np.exp(objective) if rows.log_objective else objective
        natural = {n: np.clip(v, *ranges[n]) for n, v in rows.natural(x).items()}  # exp rounds
        listed = {n: by_start[n][start_] for n in problem.listed}
        result.improve(
            *_rounded(draws, draw, limit_of[start_], value, rough, natural | listed, threads)
        )

    best, objective = raw["best"], raw["objective"]  # (draws * limits,)
    at_best = np.flatnonzero(best >= 0)
    x = raw["x"].reshape(len(best), len(ranges))[at_best].T
    rough = np.zeros(len(at_best), dtype=bool)
    put(at_best // len(draws.limits), best[at_best], objective[at_best], x, rough)
    left = raw["unsettled"]
    if not len(left):
        return
    of_draw, of_start = np.divmod(left, k)

    def run(task: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        part = slice(task * BATCH, (task + 1) * BATCH)
        d, s = of_draw[part], of_start[part]
        given = {n: v[d] for n, v in draws.parameters.items()}
        given |= {n: v[s] for n, v in by_start.items()}
        ends = (np.broadcast_to(e, (len(ranges), len(d))) for e in (low, high))
        got = refine(rows.over(given), start[:, s], *ends)
        fine = (got.violation <= solve.NEAR_FEASIBLE) & np.isfinite(got.objective)
        rough = ~got.converged & (got.residual >= SMALL_RESIDUAL)
        return np.where(fine, got.objective, np.inf), got.x, rough

    parts = list(in_batches(-(-len(left) // BATCH), run, threads))
    objective = np.concatenate([p[0] for p in parts])
    keep = np.isfinite(objective)
    x = np.concatenate([p[1] for p in parts], axis=1)
    rough = np.concatenate([p[2] for p in parts])
    put(of_draw[keep], of_start[keep], objective[keep], x[:, keep], rough[keep])


def _rounded(
    draws: Draws,
    draw: Ints,
    limit: Ints,
    objective: Floats,
    rough: NDArray[np.bool_],
    columns: dict[str, Floats],
    threads: int,
) -> tuple[Ints, Ints, Floats, NDArray[np.bool_], dict[str, Floats]]:
    """Replace rows by their best neighbours in the variables that must be integers."""
    problem = draws.problem
    if not problem.whole or not len(draw):
        return draw, limit, objective, rough, columns
    given = {n: v[draw] for n, v in draws.parameters.items()}
    starts = solve.Starts(columns | given, np.arange(len(draw)), 0)
    found = solve.refine_starts(problem, starts, draws.limits[limit], threads=threads)
    found = found.best_of_each()
    names = (*problem.ranges, *problem.listed)
    at = found.combination
    columns = {n: found.columns[n] for n in names}
    return draw[at], limit[at], found.objective, rough[at] | ~found.converged, columns


# --- checks ---------------------------------------------------------------------------------------


def _sample(known: NDArray[np.bool_], failed: NDArray[np.bool_]) -> Ints:
    """Return draws and limits to be searched anew, of shape (k, 2).

    `known`: draws of finite parameters; `failed`, (draws, l): what has no plan.
    """
    draw = np.flatnonzero(known)
    if len(draw) > CHECKS:
        draw = draw[np.linspace(0, len(draw) - 1, CHECKS).astype(np.intp)]
    some = np.column_stack([draw, np.arange(len(draw)) % failed.shape[1]])
    none = np.argwhere(failed & known[:, None])
    if len(none) > CHECKS:
        none = none[np.linspace(0, len(none) - 1, CHECKS).astype(np.intp)]
    return np.concatenate([some, none])


def _search(
    draws: Draws, pairs: Ints, result: Followed, threads: int, progress: Progress = False
) -> tuple[StartTable | None, list[int]]:
    """Search some draws by a grid and put in what is better.

    Returns
    -------
    StartTable or None
        All minima of the draws in which a better one was found.
    list of int
        Numbers of their limits.
    """
    problem = draws.problem
    told = reporter(progress, len(pairs), "draws searched")
    more: StartTable | None = None
    limits: set[int] = set()
    for begin in range(0, len(pairs), CHECKS):
        some = pairs[begin : begin + CHECKS]
        result.checked += len(some)
        found = _minima_of(draws, some, threads)
        if told is not None:
            told(begin + len(some))
        if found is None:
            continue
        draw, limit = some[found.combination].T
        before = result.objective[draw, limit]
        by = np.where(found.converged, BETTER, CLEARLY_BETTER)
        better = found.objective < before - by * np.abs(found.objective)
        hit = np.unique(found.combination[better])
        result.missed += len(hit)
        rough = ~found.converged & (found.residual >= SMALL_RESIDUAL)
        result.improve(draw[better], limit[better], found.objective[better], rough[better],
                       {n: v[better] for n, v in found.columns.items()})  # fmt: skip
        if len(hit):
            rows = np.flatnonzero(np.isin(found.combination, hit))
            limits |= set(limit[rows].tolist())
            new = StartTable.of(problem, found.picked(rows), limit[rows])
            more = new if more is None else more.joined(new)
    return more, sorted(limits)


def _minima_of(draws: Draws, pairs: Ints, threads: int) -> solve.Found | None:
    """Return the minima of some draws, if any; `combination` is the number of the pair."""
    problem = draws.problem
    columns: list[dict[str, Floats]] = []
    numbers = itertools.count()
    pair_of, combination = [], []
    for k, (draw, limit) in enumerate(pairs.tolist()):
        params = {n: float(v[draw]) for n, v in draws.parameters.items()}
        one = at_limit(replace(problem, params=params), draws.limits[limit])
        try:
            starts = solve.find_starts(one, one.limit, cells=CHECK_CELLS, threads=threads or None)
        except Interrupted:
            raise Interrupted("interrupted while draws were checked") from None
        length = len(starts.combination)
        columns.append({n: starts.columns[n] for n in (*problem.ranges, *problem.listed)}
                       | {n: np.full(length, v) for n, v in params.items()})  # fmt: skip
        number = np.array([next(numbers) for _ in range(starts.combination.max(initial=-1) + 1)],
                          dtype=np.intp)  # fmt: skip
        combination.append(number[starts.combination])
        pair_of += [k] * len(number)
    joined = solve.Starts(
        {n: np.concatenate([c[n] for c in columns]) for n in columns[0]},
        np.concatenate(combination),
        0,
    )
    if not len(joined.combination):
        return None
    of_start = np.array(pair_of, dtype=np.intp)
    limits = draws.limits[pairs[of_start[joined.combination], 1]]
    found = solve.refine_starts(problem, joined, limits, threads=threads)
    return replace(found, combination=of_start[found.combination])
