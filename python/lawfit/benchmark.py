"""How fast lawfit is on this machine: one table of figures, from a data set that comes with it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import _core, datasets
from .fitting import fit
from .laws import law
from .problem import Problem, Settings
from .progress import Progress, reporter
from .protocols import protocol
from .runs import Runs
from .starts import starts_from_points

__all__ = ["benchmark", "format_report", "processor", "seconds_per_call"]

LAW, DATA, PROTOCOL = "chinchilla", "simulated_chinchilla", "hoffmann2022"


def benchmark(
    *, quick: bool = False, threads: int | None = None, progress: Progress = False
) -> dict[str, Any]:
    """Measure evaluations, starts, bootstrap draws and rows per second.

    The problem is the Chinchilla law on the 90 simulated runs that come with lawfit, sum of
    Huber(1e-3) on log loss, from the 4,500 starts of Hoffmann et al. (arXiv 2203.15556).

    Parameters
    ----------
    quick : bool
        Fewer starts, draws and repeats: under ten seconds.
    threads : int, optional
        The larger of the two numbers of threads that are compared. Default: all, at most 8.
    progress : bool or callable(done, total)
        Counts measurements.

    Returns
    -------
    dict
        Plain JSON types. "machine": where it ran. "evaluation": per instruction set, nanoseconds of
        one value, gradient and Gauss-Newton matrix. "starts", "draws": per number of threads,
        seconds and rate. "rows": evaluation of a long table. "scaling": how much faster more
        threads are.
    """
    facts = _core.info()
    most = max(1, threads or min(os.cpu_count() or 1, 8, facts["threads"]))
    counts = [1] if most == 1 else [1, most]
    repeats = 1 if quick else 3
    runs = datasets.load(DATA)
    report: dict[str, Any] = {
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "numpy": np.__version__,
            "version": facts["version"],
            "compiler": facts["compiler"],
            "instruction_set": facts["instruction_set"],
            "threads": most,
        },
        "quick": quick,
        "problem": f"{LAW} on {runs.n} rows, Huber(1e-3) on log residuals",
    }
    starts, draws = (1500, 300) if quick else (4500, 4000)
    budget = 0.05 if quick else 0.3
    measurements: list[tuple[str, Callable[[], Any]]] = [
        ("evaluation", lambda: _evaluations(runs, budget)),
        *(("starts", partial(_starts, runs, starts, n, repeats)) for n in counts),
        *(("draws", partial(_draws, runs, draws, n, repeats)) for n in counts),
        ("rows", lambda: _rows(100_000, 0.2 if quick else 1.0)),
    ]
    told = reporter(progress, len(measurements), "measurements")
    for number, (name, measure) in enumerate(measurements):
        found = measure()
        if name in ("starts", "draws"):
            report.setdefault(name, []).append(found)
        else:
            report[name] = found
        if told is not None:
            told(number + 1)
    report["scaling"] = {
        name: report[name][0]["seconds"] / report[name][-1]["seconds"]
        for name in ("starts", "draws")
    }
    return report


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            pairs = [line.partition(":") for line in lines]
    except OSError:
        return platform.processor() or platform.machine()
    facts = {name.strip(): value.strip() for name, colon, value in pairs if colon}
    name = facts.get("model name") or platform.processor() or platform.machine()
    if {"cpu family", "model"} <= set(facts):
        name += f" (family {facts['cpu family']}, model {facts['model']})"
    return name


def seconds_per_call(
    call: Callable[[], object], budget: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the shortest mean time of a call, over batches that together take about `budget` s."""
    call()
    begun = clock()
    call()
    once = max(clock() - begun, 1e-7)
    batch = max(1, int(budget / 30 / once))
    best = float("inf")
    for _ in range(30):
        begun = clock()
        for _ in range(batch):
            call()
        best = min(best, (clock() - begun) / batch)
    return best


def _bound(runs: Runs) -> Problem:
    recipe = protocol(PROTOCOL)
    settings = Settings(target="loss", residual=recipe.residual, loss=recipe.loss)
    return Problem(law(LAW).resolved(runs), runs, settings)


def _evaluations(runs: Runs, budget: float) -> list[dict[str, Any]]:
    """Time one evaluation with every instruction set that this processor runs."""
    facts = _core.info()
    params = law(LAW).coefficients("besiroglu2024")
    found = []
    try:
        for name in facts["instruction_sets"]:
            _core.select_instruction_set(name)
            problem = _bound(runs)
            x = problem.to_coordinates({n: np.array([params[n]]) for n in problem.free})[0]
            core = problem.objective(None)
            seconds = seconds_per_call(partial(core.gauss_newton, x, 1000), budget) / 1000
            found.append(
                {
                    "instruction_set": name,
                    "nanoseconds": 1e9 * seconds,
                    "nanoseconds_per_row": 1e9 * seconds / runs.n,
                }
            )
    finally:
        _core.select_instruction_set(facts["instruction_set"])
    return found


def _starts(runs: Runs, count: int, threads: int, repeats: int) -> dict[str, Any]:
    grid = starts_from_points(protocol(PROTOCOL).starts, _bound(runs).free)
    total = len(next(iter(grid.values())))
    chosen = np.linspace(0, total - 1, count).astype(int)
    points = {name: values[chosen] for name, values in grid.items()}
    best, result = float("inf"), None
    for _ in range(repeats):
        begun = time.perf_counter()
        # Every one followed: most stand where another one stands once their levels are chosen.
        result = fit(LAW, runs, starts=points, threads=threads, early_stop=False)
        best = min(best, time.perf_counter() - begun)
    assert result is not None
    return {
        "threads": threads,
        "starts": count,
        "seconds": best,
        "per_second": count / best,
        "evaluations": result.evaluations,
        "hit_share": result.starts.hits / result.starts.n,
        "objective": result.objective,
    }


def _draws(runs: Runs, count: int, threads: int, repeats: int) -> dict[str, Any]:
    result = fit(LAW, runs, threads=threads)
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        result.bootstrap(count, spread=8, threads=threads)
        best = min(best, time.perf_counter() - begun)
    return {
        "threads": threads,
        "draws": count,
        "starts_per_draw": 9,
        "seconds": best,
        "per_second": count / best,
    }


def _rows(count: int, budget: float) -> dict[str, Any]:
    """Time an evaluation over a long table: what one row costs when nothing else counts."""
    n = np.geomspace(5e7, 1e10, count)
    d = np.geomspace(1e9, 1e12, count)[::-1]
    params = law(LAW).coefficients("besiroglu2024")
    loss = law(LAW).predict(params, {"N": n, "D": d})
    loss = loss * np.exp(np.random.default_rng(0).normal(0.0, 0.003, count))
    problem = _bound(Runs({"N": n, "D": d, "loss": loss}, source="simulated runs"))
    x = problem.to_coordinates({name: np.array([params[name]]) for name in problem.free})[0]
    core = problem.objective(None)
    seconds = seconds_per_call(partial(core.derivatives, x), budget)
    return {"rows": count, "seconds": seconds, "per_second": count / seconds}


def format_report(report: dict[str, Any]) -> str:
    """Return what `benchmark` measured as a table for the terminal."""
    m = report["machine"]
    lines = [
        f"{m['processor']}, {m['cores']} cores, load {m['load']}, {m['system']}",
        f"lawfit {m['version']}, {m['compiler']}, instruction set {m['instruction_set']}, "
        f"Python {m['python']}, NumPy {m['numpy']}",
        report["problem"],
        "",
    ]
    for e in report["evaluation"]:
        what = f"one evaluation, {e['instruction_set']}"
        lines.append(f"{what:<34}{e['nanoseconds']:>12,.0f} ns")
    for kind in ("starts", "draws"):
        for row in report[kind]:
            threads = f"{row['threads']} thread{'s' * (row['threads'] > 1)}"
            lines.append(
                f"{f'{row[kind]:,} {kind}, {threads}':<34}{row['per_second']:>12,.0f} per second"
                f"{row['seconds']:>10.3f} s"
            )
    lines.append(
        f"{'rows of a long table, 1 thread':<34}{report['rows']['per_second']:>12,.0f} per second"
    )
    if report["starts"][-1]["threads"] > 1:
        n = report["starts"][-1]["threads"]
        gain = report["scaling"]
        lines.append(
            f"{f'1 -> {n} threads':<34}{gain['starts']:>11.2f}x starts, {gain['draws']:.2f}x draws"
        )
    hit = report["starts"][0]
    lines.append(f"{'starts that reach the best':<34}{hit['hit_share']:>12.1%}")
    lines.append("An evaluation is the value, the gradient and the Gauss-Newton matrix; every")
    lines.append("start is followed to its end, none helps another.")
    return "\n".join(lines)
