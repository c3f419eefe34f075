"""Runs problems x methods from the same starts and measures time and hit share."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from typing import Any

import numpy as np

import adapter
import machine
from methods import FOLLOWED, METHODS
from outcome import UnavailableError
from problem import Problem

SAME = 1e-6  # relative: two objectives closer than this are one minimum
REPEAT_BELOW = 5.0  # seconds: only what is quicker is measured more than once


def compare(problem: Problem, names: list[str], limit: int, quick: bool) -> dict[str, Any]:
    """Return one problem's entry: facts and a row per method, peers on `limit` starts at most."""
    rows = []
    for name in names:
        row = _run(problem, name, limit, quick)
        rows.append(row)
        _print(problem, row)
    return {
        "problem": problem.name,
        "title": problem.title,
        "rows_of_data": problem.rows,
        "parameters": len(problem.names),
        "starts": len(problem.starts),
        "formula": problem.law.formula,
        "residual": problem.residual,
        "loss": str(problem.loss),
        "protocol": problem.protocol,
        "note": problem.note,
        "methods": rows,
    }


def _run(problem: Problem, name: str, most: int, quick: bool) -> dict[str, Any]:
    method = METHODS[name]
    if name.startswith("lawfit"):
        most = 100 if quick else method.starts
    starts = problem.sample(min(method.starts, most) / len(problem.starts))
    row: dict[str, Any] = {"method": name, "settings": method.settings, "about": method.about}
    row |= {"threads": method.threads, "load": machine.load()}
    seconds, cpu_seconds = [], []
    try:
        while True:
            cpu, begun = time.process_time(), time.perf_counter()
            outcome = method.solve(problem, starts, method.threads)
            wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
            seconds.append(outcome.seconds if outcome.seconds is not None else wall)
            cpu_seconds.append(outcome.cpu_seconds if outcome.cpu_seconds is not None else cpu)
            if quick or len(seconds) == 3 or max(wall, seconds[-1]) > REPEAT_BELOW:
                break
    except (UnavailableError, ValueError) as error:
        return row | {"unavailable": str(error)}
    if not name.startswith("lawfit"):
        starts = starts[: len(outcome.x)]
    own_starts = int(outcome.facts.get("own_starts", len(starts)))
    status = outcome.status
    if name.startswith("lawfit"):
        # lawfit.fit keeps a summary of its starts; the core tells how each ended.
        solved = _ends(problem, len(starts), early_stop=name != FOLLOWED)
        status, ends = solved.status, solved.x
    else:
        ends = outcome.x
    objective = _judge(problem, ends)
    x = ends[np.argmin(objective)]
    finite = objective[np.isfinite(objective)]
    best = float(finite.min()) if finite.size else None
    return row | {
        "starts_run": own_starts,
        "own_starts": "own_starts" in outcome.facts,
        "share_of_starts": len(starts) / len(problem.starts),
        "seconds": statistics.median(seconds),
        "seconds_all_runs": seconds,
        "cpu_seconds": statistics.median(cpu_seconds),
        "cpu_seconds_per_start": statistics.median(cpu_seconds) / own_starts,
        "setup_seconds": outcome.setup_seconds,
        "seconds_per_start": statistics.median(seconds) / own_starts,
        "seconds_all_starts": statistics.median(seconds) / len(starts) * len(problem.starts)
        if "own_starts" not in outcome.facts
        else None,
        "evaluations_per_start": None
        if outcome.evaluations is None
        else outcome.evaluations / own_starts,
        "best_objective": best,
        "best_point": dict(zip(problem.names, map(float, x), strict=True)),
        "status": dict(Counter(status).most_common()),
        "quantiles": [float(q) for q in np.quantile(finite, [0.1, 0.25, 0.5, 0.75, 0.9])]
        if finite.size
        else None,
        "_objective": objective,
    }


def _judge(problem: Problem, ends: np.ndarray) -> np.ndarray:
    """Return every end point's objective in extended precision, infinite where there is none.

    Where a direction is flat, some methods run out to 1e10, and there rounding in double precision
    makes the objective look lower than any minimum.
    """
    with np.errstate(all="ignore"):
        found = np.array([problem.objective.value(p) for p in ends.astype(np.longdouble)])
    return np.where(np.isfinite(found), found, np.inf)


_solved: dict[tuple[str, int, bool], adapter.Solved] = {}


def _ends(problem: Problem, count: int, early_stop: bool) -> adapter.Solved:
    """Return where the first `count` sampled starts end; the same for any number of threads."""
    key = (problem.name, count, early_stop)
    if key not in _solved:
        starts = problem.sample(count / len(problem.starts))
        _solved[key] = adapter.solve(problem, starts, 2, early_stop)
    return _solved[key]


def settle(entry: dict[str, Any], best_known: float | None) -> dict[str, Any]:
    """Judge every row by the best objective that any method has reached, now or before."""
    rows = [r for r in entry["methods"] if r.get("best_objective") is not None]
    found = [r["best_objective"] for r in rows]
    best = min([*found, *([best_known] if best_known is not None else [])], default=math.nan)
    entry["best_known"] = best
    for row in rows:
        objective = row.pop("_objective", None)
        if objective is None:
            continue
        hit = float(np.mean(objective <= best + SAME * abs(best)))
        row["hit_share"] = hit
        if row["own_starts"]:
            # A package with starts of its own gives one answer: no share can be told.
            row["hit_share"] = None
            row["reached_best"] = hit == 1.0
            continue
        row["seconds_to_99_percent"] = seconds_to_99_percent(row["seconds_per_start"], hit)
        row["cpu_seconds_to_99_percent"] = seconds_to_99_percent(row["cpu_seconds_per_start"], hit)
    return entry


def seconds_to_99_percent(per_start: float, hit: float) -> float | None:
    """Return the time in which random starts reach the best with 99 % probability, if ever."""
    if hit <= 0.0:
        return None
    return per_start * (1.0 if hit >= 0.99 else math.log(0.01) / math.log(1.0 - hit))


def _print(problem: Problem, row: dict[str, Any]) -> None:
    if "unavailable" in row:
        print(f"{problem.name:17} {row['method']:35} not run: {row['unavailable']}", flush=True)
        return
    best = row["best_objective"]
    own = row.get("_objective")
    hit = math.nan if best is None else float(np.mean(own <= best + SAME * abs(best)))
    evaluations = row["evaluations_per_start"]
    print(
        f"{problem.name:17} {row['method']:35} {row['starts_run']:5d} starts"
        f" {1e3 * row['seconds_per_start']:9.3f} ms/start  own best from {hit:6.1%}"
        f"  {evaluations or math.nan:8.0f} evaluations  best "
        + ("none" if best is None else f"{best:.12g}"),
        flush=True,
    )
