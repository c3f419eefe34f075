"""One law fitted to many tables, each by itself: thousands of small fits in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _core
from .distribution import Job, cut, join, share
from .errors import InputError, Interrupted
from .execution import TOLERANCE, seed_from, workers_from
from .law import Law
from .laws import as_law
from .losses import Huber, Loss, parse_loss
from .problem import Problem, Residual, Settings, normalise_tied
from .progress import Progress, reporter
from .runs import Runs, read
from .starts import quasi_random, starts_from_points

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["fit_many"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

AUTO_MOST, AUTO_HITS = 16, 4  # starts="auto": so many, fewer when so many agree
MAX_EVALUATIONS = 300  # of one start: a table of a few rows needs far fewer, or has no minimum
TOURNAMENT = 8  # points of which the best becomes a start
_NAMES = np.array([name for name, _, _ in _core.statuses])
_NOT_RUN = int(np.flatnonzero(_NAMES == "not_run")[0])
_ENDED = np.array([ok for _, ok, _ in _core.statuses])


class _Tables(NamedTuple):
    """Rows put together by table: those of table t are order[offsets[t] : offsets[t + 1]]."""

    order: Rows
    offsets: Rows


def fit_many(
    law: Law | str,
    runs: Any = None,
    target: str | None = None,
    *,
    by: str | Sequence[str] | None = None,
    tables: Mapping[Any, Any] | Sequence[Any] | None = None,
    targets: Sequence[str] | None = None,
    residual: Residual = "log",
    loss: Loss | str | None = None,
    fixed: Mapping[str, float] | None = None,
    tied: Iterable[Sequence[str]] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    weights: str | None = None,
    sigma: str | None = None,
    starts: Any = "auto",
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    missing: str = "raise",
    threads: int | None = None,
    rng: int | np.random.Generator | None = 0,
    executor: Executor | None = None,
    progress: Progress = False,
) -> Any:
    """Fit a law to each group of rows, each table, or each target, all by themselves.

    A fit that fails is a row with its status, not an exception.

    Parameters
    ----------
    law : Law or str
        Without parameters by group (``E[family]``), which would join the fits.
    runs : mapping of arrays, DataFrame, or path, optional
        One table; see `lawfit.runs.read`.
    target : str, optional
        Column to be predicted. Default: the law's own, "loss".
    by : str or sequence of str, optional
        Columns whose combinations are the groups.
    tables : mapping of name to table, or sequence of tables, optional
        Instead of `runs`: a fit for each table.
    targets : sequence of str, optional
        Instead of `target`: a fit for each of these columns.
    residual, loss, fixed, tied, bounds
        As in `lawfit.fit`, the same for all fits.
    weights, sigma : str, optional
        Names of columns, with the meaning they have in `lawfit.fit`.
    starts : "auto", int, array, mapping or Grid
        "auto": until four starts have come to the best objective of a fit, at most 16. An int: that
        many for each fit. Both are quasi-random, spread over ranges that follow the size of each
        fit's own target. Points: as in `lawfit.fit`, the same for all fits, and used as they are.
    columns, derive, where
        Passed to `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in a column that is used. "raise": a fit with such
        a row has the status "missing_value". "omit": it is made of its other rows.
    threads : int, optional
        Default: all that OMP_NUM_THREADS allows. The result is the same for any number.
    rng : int, Generator or None
        Seed of the starts. The same seed gives the same bits.
    executor : concurrent.futures.Executor, optional
        Whose processes make the fits, each with `threads` threads (default then: 1). The same bits
        as without one. See the page on embedding, "Clusters".
    progress : bool or callable(done, total)

    Returns
    -------
    Runs or DataFrame
        In the kind of `runs`, or of the first of `tables`: a DataFrame for DataFrames, else `Runs`.
        One row per fit, in the order of the groups (sorted), tables and targets, with the columns
        of `by`, ``table`` and ``target`` where there are several; one per parameter, in natural
        units, nan where the fit failed; ``objective``; ``nobs``, rows used; ``starts`` that were
        run; ``hits``, those that ended within 1e-6 of the best objective; ``success``; and
        ``status``: as of `lawfit.fit`, or "too_few_rows", "missing_value", "bad_target" (not above
        0 under log residuals, not in (0, 1) under logit ones), "bad_weight".

    Raises
    ------
    InputError
        If the request as a whole cannot be used.
    Interrupted
        On Ctrl-C; its `result` has the status "not_run" where a fit was not finished.
    """
    law = as_law(law)
    if law.groups:
        raise InputError(
            f"{law} has parameters by group, which join the fits of groups; use lawfit.fit for it"
        )
    if missing not in ("raise", "omit"):
        raise InputError(f"missing = {missing!r} must be one of 'raise', 'omit'")
    if residual not in ("log", "linear", "logit"):
        raise InputError(f"residual = {residual!r} must be one of 'log', 'linear', 'logit'")
    if weights is not None and sigma is not None:
        raise InputError("give weights or sigma, not both")
    if target is not None and targets is not None:
        raise InputError("give target or targets, not both")
    if by is None and tables is None and targets is None:
        raise InputError("say what the fits are for: by=, tables= or targets=")
    reading = {"columns": columns, "derive": derive, "where": where}
    table, of_table = _one_table(runs, tables, reading, law, by, targets or target, weights, sigma)
    seed, workers = seed_from(rng), workers_from(threads)
    keys = [by] if isinstance(by, str) else list(by or ())
    grouped, labels = _grouped(table, keys, of_table)
    settings = {
        "residual": residual,
        "loss": Huber(1e-3) if loss is None else parse_loss(loss),
        "fixed": dict(fixed or {}),
        "tied": normalise_tied(tied),
        "bounds": dict(bounds or {}),
    }
    parts = []
    interrupted = False
    wanted = [target or law.target] if targets is None else list(targets)
    if not wanted:
        raise InputError("targets: at least one column is needed")
    for one in wanted:
        report = reporter(progress, len(grouped.offsets) - 1, f"fits of {one}")
        part, stopped = _fit_target(
            law, table, one, grouped, settings, {"weights": weights, "sigma": sigma},
            starts, missing == "omit", seed, workers, report, executor,
        )  # fmt: skip
        parts.append({"target": np.full(len(part["nobs"]), one, dtype=object)} | part)
        interrupted = interrupted or stopped
        if stopped:
            break
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if targets is None:
        del found["target"]
    tiled = {name: np.concatenate([column] * len(parts)) for name, column in labels.items()}
    clash = sorted(set(tiled) & set(found))
    if clash:
        raise InputError(f'by: the column "{clash[0]}" has the name of a column of the result')
    made = {**tiled, **found}
    result = Runs(made, source="fits") if table.frame is None else table.answer(made, keys)
    if interrupted:
        raise Interrupted("interrupted", result)
    return result


def _one_table(
    runs: Any,
    tables: Any,
    reading: Mapping[str, Any],
    law: Law,
    by: Any,
    targets: Any,
    weights: str | None,
    sigma: str | None,
) -> tuple[Runs, NDArray[Any] | None]:
    """Return one table, and which of `tables` each of its rows comes from, as its number."""
    if (runs is None) == (tables is None):
        raise InputError("give runs or tables")
    if tables is None:
        return read(runs, **reading, copy=False), None
    given = tables if isinstance(tables, Mapping) else dict(enumerate(tables, start=1))
    if not given:
        raise InputError("tables: at least one is needed")
    parts = {name: read(one, **reading, copy=False) for name, one in given.items()}
    names = [law.target] if targets is None else [targets] if isinstance(targets, str) else targets
    wanted = dict.fromkeys([by] if isinstance(by, str) else by or ())
    wanted |= dict.fromkeys([*names, *(n for n in (weights, sigma) if n)])
    first = next(iter(parts.values()))
    wanted |= dict.fromkeys(law.variables_in(first))
    columns = {name: np.concatenate([one[name] for one in parts.values()]) for name in wanted}
    of_table = np.repeat(np.arange(len(parts)), [one.n for one in parts.values()])
    labels = np.empty(len(parts), dtype=object)
    labels[:] = [str(name) for name in parts]
    columns["table"] = labels[of_table]
    frame = None if first.frame is None else first.frame.kind()
    return Runs(columns, source="tables", copy=False, frame=frame), of_table


def _grouped(
    table: Runs, keys: Sequence[str], of_table: NDArray[Any] | None
) -> tuple[_Tables, dict[str, NDArray[Any]]]:
    """Put rows together by their keys; also return the keys of each group."""
    number = np.zeros(table.n, dtype=np.intp)
    if of_table is not None:
        keys = ["table", *keys]
    for key in keys:
        if key == "table" and of_table is not None:
            index = of_table
        else:
            _, index = np.unique(table[key], return_inverse=True)
        _, number = np.unique(number * (int(index.max()) + 1) + index, return_inverse=True)
    order = np.argsort(number, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(number))])
    first = order[offsets[:-1]]
    return _Tables(order, offsets), {key: table[key][first] for key in keys}


def _fit_target(
    law: Law,
    table: Runs,
    target: str,
    grouped: _Tables,
    settings: Mapping[str, Any],
    row_values: Mapping[str, str | None],
    starts: Any,
    omit: bool,
    seed: int,
    threads: int,
    report: Any,
    executor: Executor | None,
) -> tuple[dict[str, NDArray[Any]], bool]:
    """Fit the law to one target of every group; also tell whether Ctrl-C ended it."""
    count = len(grouped.offsets) - 1
    names = [p.name for p in law.parameters_in(table)]
    status = np.full(count, "not_run", dtype=object)
    found: dict[str, NDArray[Any]] = {n: np.full(count, np.nan) for n in names}
    found["objective"] = np.full(count, np.nan)
    found |= {name: np.zeros(count, dtype=int) for name in ("nobs", "starts", "hits")}
    usable, nobs = _usable(law, table, target, grouped, settings, row_values, omit, status)
    found["nobs"] = nobs
    free = _count_free(law, table, settings)
    few = (status == "not_run") & (nobs < free)
    status[few] = "too_few_rows"
    wanted = np.flatnonzero(status == "not_run")
    stopped = False
    if wanted.size:
        in_wanted = np.repeat(status == "not_run", np.diff(grouped.offsets)) & usable[grouped.order]
        rows = grouped.order[in_wanted]
        offsets = np.concatenate([[0], np.cumsum(nobs[wanted])]).astype(np.int32)
        part = table.take(rows)
        kinds: dict[str, Any] = {k: part.numbers(n) for k, n in row_values.items() if n is not None}
        problem = Problem(law.resolved(part), part, Settings(target=target, **settings, **kinds))
        raw = _run(problem, offsets, starts, seed, threads, report, executor)
        stopped = bool(raw["interrupted"])
        for name, values in problem.to_params(raw["x"]).items():
            found[name][wanted] = values
        found["objective"][wanted] = raw["objective"]
        found["hits"][wanted], found["starts"][wanted] = raw["hits"], raw["starts"]
        status[wanted] = _NAMES[raw["status"]]
    ended = np.isin(status.astype(str), _NAMES[_ENDED])
    return {**found, "success": ended, "status": status}, stopped


def _usable(
    law: Law,
    table: Runs,
    target: str,
    grouped: _Tables,
    settings: Mapping[str, Any],
    row_values: Mapping[str, str | None],
    omit: bool,
    status: NDArray[Any],
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Tell which rows can be used and how many each group has; note the groups that cannot be."""
    y = table.numbers(target, "the target")
    usable = np.isfinite(y)
    for name in law.variables_in(table):
        usable &= np.isfinite(table.numbers(name, str(law)))
    wrong = np.zeros(table.n, dtype=bool)
    for kind, column in row_values.items():
        if column is not None:
            values = table.numbers(column, kind)
            usable &= np.isfinite(values)
            wrong |= values <= 0 if kind == "sigma" else values < 0
    bad = np.zeros(table.n, dtype=bool)
    if settings["residual"] == "log":
        bad = y <= 0
    elif settings["residual"] == "logit":
        bad = (y <= 0) | (y >= 1)

    def in_group(rows: NDArray[np.bool_]) -> NDArray[np.intp]:
        return np.add.reduceat(rows[grouped.order].astype(np.intp), grouped.offsets[:-1])

    nobs = in_group(usable)
    if not omit:
        status[nobs < np.diff(grouped.offsets)] = "missing_value"
    for rows, name in ((bad, "bad_target"), (wrong, "bad_weight")):
        status[(in_group(rows & usable) > 0) & (status == "not_run")] = name
    return usable, nobs


def _count_free(law: Law, table: Runs, settings: Mapping[str, Any]) -> int:
    """Return the number of free parameters; the names in the settings are checked later."""
    names = {p.name for p in law.parameters_in(table)} - set(settings["fixed"])
    return len(names) - sum(len(group) - 1 for group in settings["tied"])


def _run(
    problem: Problem,
    offsets: NDArray[np.int32],
    starts: Any,
    seed: int,
    threads: int,
    report: Any,
    executor: Executor | None,
) -> Mapping[str, Any]:
    s = problem.settings
    count, p = len(offsets) - 1, len(problem.free)
    index = {n: k for k, n in enumerate(problem.free)}
    source = [-1 if n in s.fixed else index[problem.leader[n]] for n in problem.names]
    value = [problem._fixed_coordinate(n) if n in s.fixed else 0.0 for n in problem.names]
    bounds = np.array([problem.coordinate_bounds(n) for n in problem.free]).reshape(p, 2)
    is_log = np.array([problem._is_log(n) for n in problem.free], dtype=bool)
    enough = 0
    if isinstance(starts, str) and starts == "auto":
        starts, enough = AUTO_MOST, AUTO_HITS
    if isinstance(starts, (int, np.integer)) and not isinstance(starts, bool):
        if starts < 1:
            raise InputError(f"starts = {starts}: at least one start is needed")
        low, high = problem.start_ranges()
        shift = np.zeros((count, p))
        given = {q.name for q in problem.parameters if q.start is not None}
        pairs = zip(is_log, problem.free, strict=True)
        follows = np.array([log and n not in given for log, n in pairs], dtype=bool)
        size = _sizes(problem.target, offsets)
        shift[:, follows] = np.log(size / np.median(size))[:, None]
        ends = [np.clip(end + shift, bounds[:, 0], bounds[:, 1]) for end in (low, high)]
        origin, width = ends[0], ends[1] - ends[0]
        tournament = TOURNAMENT
        points = quasi_random(int(starts) * TOURNAMENT, np.zeros(p), np.ones(p), seed)
        typical = np.where(is_log, 1.0, np.maximum(np.abs(ends[0]), np.abs(ends[1])))
    else:
        points = problem.to_coordinates(starts_from_points(starts, problem.free))
        origin, width, tournament = np.zeros((count, p)), np.ones((count, p)), 1
        typical = np.broadcast_to(problem._typical(points), (count, p))
    law = (
        s.loss._core(),
        np.array([source], dtype=np.int32),
        np.array([value], dtype=float),
        p,
        bounds[:, 0],
        bounds[:, 1],
        s.residual,
    )
    data = (problem.program, law, points, tournament, enough)
    boxes = (origin, width, np.where(typical > 0, typical, 1.0))
    rows = (*problem.columns, problem.target, s.weights, s.sigma)

    def part(tables: range) -> _Part:
        first, last = offsets[tables.start], offsets[tables.stop]
        return (
            [None if r is None else r[first:last] for r in rows],
            offsets[tables.start : tables.stop + 1] - first,
            [box[tables.start : tables.stop] for box in boxes],
        )

    if executor is None:
        return _fit_part(data, part(range(count)), threads, report)
    parts = cut(count, 64, 256)
    job = Job(_prepare, _fit_part, data, max(threads, 1))
    outcome = share(
        executor, job, [part(tables) for tables in parts], sizes=[len(t) for t in parts],
        report=report,
    )  # fmt: skip
    empty = {
        "x": np.full(p, np.nan), "objective": np.nan, "status": _NOT_RUN, "evaluations": 0,
        "hits": 0, "starts": 0,
    }  # fmt: skip
    return join(outcome.results, parts, empty) | {"interrupted": outcome.interrupted}


# Columns, target, weights and sigma of the rows; offsets of the tables; their boxes of starts.
_Part = tuple[list[Floats | None], NDArray[np.int32], list[Floats]]


def _prepare(data: Any) -> Any:
    return data


def _fit_part(data: Any, part: _Part, threads: int, report: Any = None) -> Mapping[str, Any]:
    program, law, points, tournament, enough = data
    (*columns, target, weights, sigma), offsets, boxes = part
    arguments: tuple[Any, ...] = (program, columns, offsets, target, weights, sigma, *law, *boxes)
    arguments += (points, tournament, enough, TOLERANCE, MAX_EVALUATIONS, threads, report)
    return _core.fit_batch(*arguments)


def _sizes(target: Floats, offsets: NDArray[np.int32]) -> Floats:
    """Return the median size of the target in each table, above zero, shape (tables,)."""
    size = np.abs(target)
    table = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    ranked = size[np.lexsort((size, table))]
    middle = ranked[(offsets[:-1] + offsets[1:] - 1) // 2]
    return np.asarray(np.maximum(middle, 1e-300))
