"""Fitting a law to a table: checks the request, runs the starts, and reports what came of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from .distribution import Job, cut, join, share
from .errors import FitError, InputError, Interrupted
from .execution import MAX_EVALUATIONS, TOLERANCE, seed_from, workers_from
from .law import Law
from .laws import as_law
from .losses import Huber, Loss, parse_loss
from .penalties import Penalty, read_penalties
from .problem import Problem, Residual, Scale, Settings, normalise_tied
from .progress import Progress, reporter
from .protocols import protocol as find_protocol
from .result import Fit, Starts
from .runs import Runs, read
from .starts import starts_from_points
from .tables import named

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["fit"]

Floats = NDArray[np.float64]

# starts="auto": this many, doubled until the estimated chance of a minimum not seen is low enough.
AUTO_STARTS = 100
AUTO_MOST = 1600
AUTO_MISSED = 0.01
ROUNDING = 1e-10  # objectives that differ by less of their size are one minimum found twice
MAX_STARTS = 1_000_000


def fit(
    law: Law | str,
    runs: Any,
    target: str | None = None,
    *,
    residual: Residual | None = None,
    loss: Loss | str | None = None,
    scale: Scale | None = None,
    fixed: Mapping[str, float] | None = None,
    tied: Iterable[Sequence[str]] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    weights: Any = None,
    sigma: Any = None,
    penalties: Mapping[str, Penalty] | None = None,
    censored: Any = None,
    starts: Any = "auto",
    protocol: str | None = None,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    missing: str = "raise",
    threads: int | None = None,
    rng: int | np.random.Generator | None = 0,
    early_stop: bool = True,
    executor: Executor | None = None,
    progress: Progress = False,
) -> Fit:
    """Fit a law to a table of runs by multi-start minimisation.

    Parameters
    ----------
    law : Law or str
        A law, the name of one of the catalogue, or a formula.
    runs : mapping of arrays, DataFrame, or path
        One row per run; see `lawfit.runs.read`. float64 arrays are not copied: leave them as they
        are for as long as the fit is used.
    target : str, optional
        Column to be predicted. Default: the law's own, "loss".
    residual : {"log", "linear", "logit"}
        Space in which prediction minus target is taken. Default "log".
    loss : Loss or str
        What is summed over residuals. Default ``Huber(1e-3)``.
    scale : {"fixed", "fitted"}
        "fitted" maximises the likelihood of a density proportional to exp(-loss(r / scale)) over
        the scale too.
    fixed : mapping of str to float
        Parameters held at a value.
    tied : sequence of sequences of str
        Groups of parameters that share one value.
    bounds : mapping of str to (float, float)
        In natural units.

        Of a parameter ``E[family]``, the name ``E[wiki]`` in these three means one level, and E
        all of them; where both are given, the level's own counts. Parameters of the same groups
        are tied level by level, everything else to one value: ``tied=[("A", "B")]`` is ``A[wiki] =
        B[wiki]``, ``A[c4] = B[c4]``, ..., while ``tied=[("A",)]`` gives all levels one A.
    weights, sigma : array of shape (n,) or str, optional
        Weights multiply the loss of each row; sigma, the standard deviation of the residual,
        divides the residual before the loss. An array or the name of a column; not both.
    penalties : mapping of str to (float or str, float), optional
        What parameters are drawn towards: a value or another parameter, and a standard deviation.
        ``{"alpha": (0.5, 0.1)}`` adds ((alpha - 0.5) / 0.1)^2 / 2 to the sum of the losses. Of a
        scale factor the logarithms are compared: with ``{"A": (400, 0.5)}``, log(A / 400) / 0.5.
        ``{"alpha": ("beta", 0.05)}`` draws two together, and ``{"E": ("E", 0.1)}`` the levels of
        ``E[family]`` towards their mean. With ``scale="fitted"`` that is a normal prior; with a
        fixed scale, `sigma` must say what the residuals are worth.
    censored : array of shape (n,) or str, optional
        Rows whose target is only known to be at least (1 or "right") or at most (-1 or "left") what
        the table has; 0 or empty: it is known. The loss of such a row counts where the prediction
        is on the wrong side; with ``scale="fitted"`` its term is minus the logarithm of the
        probability of the right side. An array or the name of a column.
    starts : "auto", int, array, mapping, Grid, or str
        "auto": 100 quasi-random starts, doubled up to 1,600 until the estimated chance that one
        more start would find a minimum not seen so far is at most 1 % (`Starts.missed`). An int:
        that many. A mapping of numbers or arrays, a list of mappings, a `Grid`, or an array of
        shape (k, free parameters) or (free parameters,): those points, in natural units; the
        columns of an array are the free parameters in the order in which the formula names them.
        The name of a protocol: its starts. All levels of ``E[family]`` start from one value: drawn
        once, or given as E; given as ``E[wiki]``, ``E[c4]``, ... they start from their own.

        Given points begin with other coefficients where that lowers the objective (on at most
        2,000 rows), whatever `early_stop` says: under log residuals those of a sum of powers follow
        from its exponents by linear least squares, so that points which differ in them alone are
        one start. Censored rows and parameters by group leave points as they are.
    protocol : str, optional
        A published recipe (`lawfit.protocols`): sets residual, loss, scale, fixed, tied, bounds,
        where and starts that are not given. `lawfit.protocol(name).law` is the law it is made for.
    columns, derive, where
        Passed to `lawfit.runs.read`: rename, compute and filter before the fit.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in a column that is used.
    threads : int, optional
        Default: all that OMP_NUM_THREADS allows. The result is the same for any number.
    rng : int, Generator or None
        Seed of the starts. The same seed gives the same bits.
    early_stop : bool
        Whether a start that meets the way of an earlier one is stopped there and counted to that
        one's minimum (`Starts.joined` says how many were), and one that is the same point as an
        earlier one is not run (`Starts.repeated`). Every eighth, later every 64th and of
        very many every 256th, that could be stopped is followed to its end as a check
        (`Starts.checked`, `Starts.refuted`). Where one ends elsewhere, or at a new minimum, the
        starts that were stopped near its way are run again; where a second one (or a thousandth of
        those checked) ends elsewhere, all are, and fewer are stopped then. False: every start is
        followed to its end.
        What is reported is the end of the first of the starts that reached the best minimum, so
        that it does not depend on which starts were stopped.
    executor : concurrent.futures.Executor, optional
        Whose processes do the starts, each with `threads` threads (default then: 1). Parameters and
        objective are the same bits as without one. See the page on embedding, "Clusters".
    progress : bool or callable(done, total)
        Counts starts; where they are given, first those whose coefficients have been chosen.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        If the request or the data cannot be used; the message says what, where and why.
    FitError
        If no start led to a finite objective.
    Interrupted
        On Ctrl-C; its `result` is the fit made of the starts that were finished.
    """
    begun = time.perf_counter()
    law = as_law(law)
    recipe = None if protocol is None else find_protocol(protocol)
    if isinstance(starts, str) and starts != "auto":
        starts = find_protocol(starts).starts
    elif isinstance(starts, str) and recipe is not None:
        starts = recipe.starts
    residual = residual or (recipe.residual if recipe else "log")
    loss = parse_loss(loss) if loss is not None else (recipe.loss if recipe else Huber(1e-3))
    scale = scale or (recipe.scale if recipe else "fixed")
    if recipe is not None:
        fixed, bounds = fixed or recipe.fixed, bounds or recipe.bounds
        tied, where = tied or recipe.tied, where or recipe.where
    _check_choice("residual", residual, ("log", "linear", "logit"))
    _check_choice("scale", scale, ("fixed", "fitted"))
    _check_choice("missing", missing, ("raise", "omit"))
    if weights is not None and sigma is not None:
        raise InputError(
            "give weights or sigma, not both: weights multiply the loss, sigma divides the residual"
        )

    table = read(runs, columns=columns, derive=derive, where=where, copy=False)
    target = target or law.target
    sides = None
    if censored is not None:
        table, sides = with_sides(table, censored)
    table, row_values = with_row_values(table, weights=weights, sigma=sigma)
    used = {name: str(law) for name in law.variables_in(table)}
    used |= {target: "the target"} | {name: kind for kind, name in row_values.items()}
    for name, needed_by in used.items():
        table.numbers(name, needed_by)
    omitted: tuple[str, ...] = ()
    if missing == "omit":
        table, omitted = table.drop_non_finite(used, law.groups.values())
    else:
        table.require_finite(used)
    seed = seed_from(rng)
    workers = workers_from(threads)
    settings = Settings(
        target=target,
        residual=residual,
        loss=loss,
        scale=scale,
        fixed=dict(fixed or {}),
        tied=normalise_tied(tied),
        bounds=dict(bounds or {}),
        penalties=read_penalties(penalties),
        censored=None if sides is None else _sides(table, sides),
        **{kind: _row_values(table, kind, name) for kind, name in row_values.items()},
    )
    problem = Problem(law.resolved(table), table, settings)
    automatic = isinstance(starts, str) and starts == "auto"
    try:
        points = _starts(problem, AUTO_STARTS if automatic else starts, seed, workers, progress)
    except KeyboardInterrupt:
        raise Interrupted("interrupted before the first start") from None
    except InputError as error:
        if recipe is None or starts is not recipe.starts:
            raise
        raise InputError(f"protocol {recipe.name!r}, made for {recipe.law!r}: {error}") from None
    metric = points
    objective = problem.objective(metric)

    def run(some: Floats) -> dict[str, Any]:
        report = reporter(progress, len(some), "starts")
        if executor is not None:
            data = (problem.objective_arguments(metric), early_stop)
            return _run_elsewhere(executor, data, some, max(workers, 1), report)
        raw = dict(
            _core.multistart(
                objective, some, TOLERANCE, MAX_EVALUATIONS, early_stop, workers, report
            )
        )
        return raw if early_stop else raw | {"repeats": _core.earlier_same(some)}

    raw = run(points)
    while automatic and _wants_more(problem, raw):
        try:
            more = problem.draw_starts(len(points), seed, workers, first=len(points))
        except KeyboardInterrupt:
            raw["interrupted"] = True
            break
        found = run(more)
        for name in ("joined", "repeats"):
            found[name] = np.where(found[name] >= 0, found[name] + len(points), -1)
        points = np.concatenate([points, more])
        once: dict[str, Any] = {"interrupted": found.pop("interrupted")}
        once |= {name: found.pop(name) + raw[name] for name in ("checked", "refuted")}
        raw = {k: np.concatenate([raw[k], v]) for k, v in found.items()} | once
    best = _best(problem, raw)
    if best is not None and raw["joined"][best] >= 0 and not raw["interrupted"]:
        _follow(problem, objective, raw, points, best)
    result = _assemble(problem, best, raw, points, seed, omitted, time.perf_counter() - begun)
    if raw["interrupted"]:
        done = int(np.sum(raw["status"] != _NOT_RUN))
        raise Interrupted(f"interrupted after {done} of {len(points)} starts", result)
    if result is None:
        raise FitError(
            f"none of the {len(points)} starts has a finite objective: {law} cannot be evaluated "
            f"on {table.source} there{_first_failure(problem, points[0])}; check the units of the "
            "columns or give starts"
        )
    return result


_STATUS = [name for name, _, _ in _core.statuses]
_EXACT, _NOT_RUN = _STATUS.index("exact"), _STATUS.index("not_run")


def _first_failure(problem: Problem, x: Floats) -> str:
    """Name the first row in which a start has no value that the residual can take."""
    params = {n: float(v) for n, v in problem.to_params(x).items()}
    with np.errstate(all="ignore"):
        values = problem.law.predict(params, problem.runs)
    bad = ~np.isfinite(values)
    if problem.settings.residual != "linear":
        bad |= values <= 0
    if not bad.any():
        return ""
    i = int(bad.argmax())
    cells = zip(problem.variables, problem.columns, strict=True)
    where = ", ".join(f"{name} = {column[i]:g}" for name, column in cells)
    return f" (first in {problem.runs.row_label(i)}: {where} gives {values[i]:g})"


def _check_choice(what: str, given: Any, allowed: Sequence[str]) -> None:
    if given not in allowed:
        choices = ", ".join(repr(a) for a in allowed)
        raise InputError(f"{what} = {given!r} must be one of {choices}")


def with_row_values(table: Runs, **given: Any) -> tuple[Runs, dict[str, str]]:
    """Add weights or sigma given as arrays to the table, so that filters keep them aligned."""
    names: dict[str, str] = {}
    for kind, values in given.items():
        if values is None:
            continue
        if isinstance(values, str):
            names[kind] = values
            continue
        try:
            array = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"{kind}: {error}") from None
        if array.shape != (table.n,):
            raise InputError(
                f"{kind} has shape {array.shape}; the table has {table.n} rows (after `where`)"
            )
        names[kind] = f"({kind})"
        table = table.with_column(names[kind], array)
    return table, names


_SIDES = {"right": 1.0, "1": 1.0, "left": -1.0, "-1": -1.0, "0": 0.0, "none": 0.0, "": 0.0}


def with_sides(table: Runs, censored: Any) -> tuple[Runs, str]:
    """Add what is known of targets, given as an array, to the table."""
    if isinstance(censored, str):
        table[censored]  # raises where there is none
        return table, censored
    cells = Runs({"censored": list(censored), "row": np.zeros(len(censored))}, source="censored")
    if cells.n != table.n:
        raise InputError(
            f"censored has {cells.n} cells; the table has {table.n} rows (after `where`)"
        )
    return table.with_column("(censored)", _sides(cells, "censored")), "(censored)"


def _sides(table: Runs, name: str) -> Floats:
    texts = table.texts(name).tolist()
    for i, text in enumerate(texts):
        if text.lower() not in _SIDES:
            raise InputError(
                f"{table.source}: column {name!r}, {table.row_label(i)}: {text!r} must be right or "
                "1 (the target is at least this), left or -1 (at most), or 0"
            )
    return np.array([_SIDES[text.lower()] for text in texts])


def _row_values(table: Runs, kind: str, name: str) -> Floats:
    values = table.numbers(name)
    allowed = values > 0 if kind == "sigma" else values >= 0
    bad = np.flatnonzero(~allowed)
    if bad.size:
        limit = "above 0" if kind == "sigma" else "0 or more"
        raise InputError(
            f"{kind}: {table.row_label(int(bad[0]))} is {values[bad[0]]:g}; it must be {limit}"
        )
    if not values.any():
        raise InputError(f"{kind} are all 0")
    return values


def _starts(problem: Problem, starts: Any, seed: int, threads: int, progress: Progress) -> Floats:
    if isinstance(starts, (int, np.integer)) and not isinstance(starts, bool):
        if starts < 1:
            raise InputError(f"starts = {starts}: at least one start is needed")
        if starts > MAX_STARTS:
            raise InputError(f"starts: at most {MAX_STARTS:,} can be held at once")
        return problem.draw_starts(int(starts), seed, threads)
    points = given_points(problem, starts)
    return problem.choose_levels(
        points, threads, reporter(progress, len(points), "coefficients of starts")
    )


def given_points(problem: Problem, starts: Any) -> Floats:
    """Turn points that a user or a recipe gives into coordinates, shape (k, dimension)."""
    if isinstance(starts, Mapping) or hasattr(starts, "points"):
        points = starts.points() if hasattr(starts, "points") else dict(starts)
        points = problem.groups.by_level(points)
        # A recipe's grid also covers parameters that this fit holds fixed or ties.
        dropped = set(problem.names) - set(problem.free)
        points = {n: v for n, v in points.items() if n not in dropped}
        columns = starts_from_points(points, problem.free)
        if dropped and problem.free:
            unique = np.unique(np.column_stack([columns[n] for n in problem.free]), axis=0)
            columns = dict(zip(problem.free, unique.T, strict=True))
    else:
        if isinstance(starts, Sequence) and all(isinstance(p, Mapping) for p in starts):
            starts = [problem.groups.by_level(p) for p in starts]
        columns = starts_from_points(starts, problem.free)
    return problem.to_coordinates(columns)


def _wants_more(problem: Problem, raw: Mapping[str, Any]) -> bool:
    count = len(raw["status"])
    if raw["interrupted"] or count >= AUTO_MOST or not problem.free:
        return False
    if not np.isfinite(raw["objective"]).any():
        return False
    return _report(problem, raw).missed > AUTO_MISSED


def _succeeded(raw: Mapping[str, Any]) -> NDArray[np.bool_]:
    succeeded = np.array([ok for _, ok, _ in _core.statuses])
    return np.asarray(succeeded[raw["status"]] & np.isfinite(raw["objective"]))


def _reference(problem: Problem) -> float:
    return float(problem.runs.n) if problem.settings.scale == "fitted" else 0.0


def _report(problem: Problem, raw: Mapping[str, Any]) -> Starts:
    objective, status = raw["objective"], raw["status"]
    # Fits through every target differ by rounding alone: they are one minimum.
    exact = status == _EXACT
    ranked = np.where(exact, np.min(objective[exact], initial=np.inf), objective)
    starts = Starts.from_objectives(
        ranked,
        _succeeded(raw),
        status != _NOT_RUN,
        _reference(problem),
        repeated=raw["repeats"] >= 0,
        joined=int(np.sum(raw["joined"] >= 0)),
        checked=int(raw["checked"]),
        refuted=int(raw["refuted"]),
    )
    return starts if problem.free else replace(starts, missed=0.0)


def _best(problem: Problem, raw: Mapping[str, Any]) -> int | None:
    """Return the first start that ended in the best minimum, None if no objective is finite."""
    objective = raw["objective"]
    finite = np.isfinite(objective)
    if not finite.any():
        return None
    succeeded, reference = _succeeded(raw), _reference(problem)
    best = int(np.nanargmin(np.where(finite, objective, np.nan)))
    if not succeeded.any():
        return best
    # A start that ran out of evaluations a hair below a converged one is not preferred to it.
    good = np.where(succeeded, objective, np.inf)
    lowest = float(good.min())
    if lowest > objective[best] + 1e-9 * max(abs(objective[best]), reference):
        return best
    return int(np.argmax(good <= lowest + ROUNDING * max(abs(lowest), reference)))


def _follow(
    problem: Problem, objective: _core.Objective, raw: dict[str, Any], points: Floats, start: int
) -> None:
    """Give a start that shares the end of another its own, if that is the same minimum."""
    own = _core.multistart(
        objective, points[start : start + 1], TOLERANCE, MAX_EVALUATIONS, False, 1, None
    )
    shared = float(raw["objective"][start])
    raw["evaluations"][start] += own["evaluations"][0]
    gap = abs(float(own["objective"][0]) - shared)
    if _succeeded(own)[0] and gap <= ROUNDING * max(abs(shared), _reference(problem)):
        for name in ("x", "objective", "decrement", "status"):
            raw[name][start] = own[name][0]


def _run_elsewhere(
    executor: Executor, data: Any, starts: Floats, threads: int, report: Any
) -> dict[str, Any]:
    """Run starts in the processes of an executor; paths are known within a part only."""
    repeats = _core.earlier_same(starts)
    run = np.flatnonzero(repeats < 0) if data[1] else np.arange(len(starts))
    parts = cut(len(run), 32, 32)
    sizes = [len(part) for part in parts]
    job = Job(_prepare, _work, data, threads)
    points = [starts[run[part.start : part.stop]] for part in parts]
    told = report and (lambda done: report(done + len(starts) - len(run)))
    outcome = share(executor, job, points, sizes=sizes, report=told)
    empty = {
        "x": np.full(starts.shape[1], np.nan), "objective": np.nan, "decrement": np.nan,
        "status": _NOT_RUN, "evaluations": 0, "joined": -1,
    }  # fmt: skip
    raw = join(outcome.results, parts, empty)
    first = np.repeat([part.start for part in parts], sizes)
    raw["joined"] = np.where(raw["joined"] >= 0, run[raw["joined"] + first], -1)
    if len(run) < len(starts):  # the others have the ends of those that they repeat
        place = np.searchsorted(run, np.where(repeats < 0, np.arange(len(starts)), repeats))
        raw = {name: values[place] for name, values in raw.items()}
        raw["evaluations"][repeats >= 0], raw["joined"][repeats >= 0] = 0, -1
    raw["repeats"] = repeats
    for name in ("checked", "refuted"):
        raw[name] = sum(int(r[name]) for r in outcome.results if r is not None)
    return raw | {"interrupted": outcome.interrupted}


def _prepare(data: tuple[tuple[Any, ...], bool]) -> tuple[_core.Objective, bool]:
    return _core.Objective(*data[0]), data[1]


def _work(held: tuple[_core.Objective, bool], starts: Floats, threads: int) -> Mapping[str, Any]:
    objective, early_stop = held
    return _core.multistart(
        objective, starts, TOLERANCE, MAX_EVALUATIONS, early_stop, threads, None
    )


def _assemble(
    problem: Problem,
    best: int | None,
    raw: Mapping[str, Any],
    points: Floats,
    seed: int,
    omitted: tuple[str, ...],
    seconds: float,
) -> Fit | None:
    if best is None:
        return None
    objective, status = raw["objective"], raw["status"]
    x = raw["x"][best]
    name, ok, sentence = _core.statuses[status[best]]
    params = {n: float(v) for n, v in problem.to_params(x).items()}
    lost = [n for n, v in params.items() if not np.isfinite(v)]
    if lost:
        name, ok = "ran_off", False
        sentence = f"{named(lost)} ran beyond the range of floating-point numbers; give bounds"
    return Fit(
        law=problem.law,
        params=params,
        scale=problem.to_scale(x),
        objective=float(objective[best]),
        success=bool(ok),
        status=name,
        message=sentence,
        nobs=problem.runs.n,
        omitted=omitted,
        evaluations=int(raw["evaluations"].sum()),
        seconds=seconds,
        starts=_report(problem, raw),
        seed=seed,
        target=problem.settings.target,
        residual=problem.settings.residual,
        loss=problem.settings.loss,
        scale_setting=problem.settings.scale,
        free=problem.free,
        at_bound=_at_bound(problem, x),
        fixed={k: float(v) for k, v in problem.settings.fixed.items()},
        tied=problem.settings.tied,
        bounds=dict(problem.settings.bounds),
        penalties=dict(problem.settings.penalties),
        censored=_count_censored(problem),
        spans={
            name: (float(column.min()), float(column.max()))
            for name, column in zip(problem.variables, problem.columns, strict=True)
        },
        source=problem.runs.source,
        data_hash=problem.data_hash(),
        _problem=problem,
        _coordinates=x,
        _start_points=points,
    )


def _count_censored(problem: Problem) -> int:
    sides = problem.settings.censored
    return 0 if sides is None else int(np.count_nonzero(sides))


def _at_bound(problem: Problem, x: Floats) -> tuple[str, ...]:
    close = []
    for k, name in enumerate(problem.free):
        low, high = problem.coordinate_bounds(name)
        if x[k] <= low or x[k] >= high:
            close.append(name)
    return tuple(close)
