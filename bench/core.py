"""lawfit's own cases: all starts, one evaluation and its limit, draws, growth curves."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import adapter
import lawfit as lf
import machine
from grids import gemstones_grid
from lawfit.benchmark import seconds_per_call
from problem import Problem
from problems import PROBLEMS, power_sum

ENOUGH = 20.0  # seconds: what has taken so long is not measured once more


def measure(call: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Time a call: all wall times, their median, and the shortest processor time."""
    wall, cpu = [], []
    for _ in range(repeats):
        before, begun = time.process_time(), time.perf_counter()
        call()
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - before)
        if sum(wall) > ENOUGH:
            break
    return {
        "seconds": statistics.median(wall),
        "seconds_all_runs": wall,
        "cpu_seconds": min(cpu),
        "load": machine.load(),
    }


def thread_counts() -> list[int]:
    most = os.cpu_count() or 1
    return sorted({1, 2, *(n for n in (4, 8, 16, 32, 64) if n <= most)} & set(range(1, most + 1)))


# --- the headline cases ---------------------------------------------------------------------------


def all_starts(quick: bool, full: bool) -> dict[str, Any]:
    """4,500 published starts on 240 points, through lawfit.fit and in the core."""
    problem = PROBLEMS["chinchilla-240"]()
    starts = problem.sample(0.1) if quick else problem.starts
    rows = []
    for threads in thread_counts():
        for layer, call in (("lawfit.fit", adapter.fit), ("core", adapter.solve)):
            taken = measure(
                lambda call=call, t=threads: call(problem, starts, t), 1 if quick else 5
            )
            solved = adapter.solve(problem, starts, threads)
            rows.append(
                {
                    "layer": layer,
                    "threads": threads,
                    "starts": len(starts),
                    "evaluations_per_start": float(solved.evaluations.mean()),
                    "evaluations_largest": int(solved.evaluations.max()),
                }
                | taken
            )
            print(f"all starts, {layer:10} {threads} threads: {taken['seconds']:.3f} s", flush=True)
    return {"machine": machine.describe(), "rows": rows}


def evaluation(quick: bool, full: bool) -> dict[str, Any]:
    """One evaluation per instruction set, against the time of the exp and log that it needs.

    The time of one is that of a thousand in one call. The limit is the slope between one and many
    log-sum-exp in one program: per row two exponentials, a logarithm and the division that makes
    shares of them. The elementwise exp and log are given besides; they also take every special
    value, which the ones inside log-sum-exp need not.
    """
    problem = PROBLEMS["chinchilla-240"]()
    budget = 0.1 if quick else 1.0
    n = problem.rows
    rows = []
    for name in adapter.info()["instruction_sets"]:
        with adapter.instruction_set(name):
            evaluate = adapter.evaluations(problem)
            per_row = _cost(lambda: evaluate(1000), budget) / (1000 * n)  # noqa: B023
            exp, log = (_per_element(lambda k, f=f: adapter.unary_program(f, k), 1, [], budget)
                        for f in ("exp", "log"))  # fmt: skip
            limit = _per_element(adapter.logsumexp_program, 2, [0.3], budget)
        rows.append(
            {
                "instruction_set": name,
                "nanoseconds": 1e9 * per_row * n,
                "nanoseconds_per_row": 1e9 * per_row,
                "nanoseconds_exp": 1e9 * exp,
                "nanoseconds_log": 1e9 * log,
                "nanoseconds_limit": 1e9 * limit * n,
                "share_of_limit": limit / per_row,
                "load": machine.load(),
            }
        )
        print(
            f"evaluation, {name:8} {1e9 * per_row * n:7.0f} ns, "
            f"its exp and log {1e9 * limit * n:7.0f} ns: {limit / per_row:.0%}",
            flush=True,
        )
    return {"machine": machine.describe(), "rows_of_data": n, "rows": rows}


def _cost(call: Callable[[], Any], budget: float) -> float:
    """Return the shortest processor time of a call."""
    return seconds_per_call(call, budget, time.process_time)


def _per_element(
    make: Callable[[int], Any], columns: int, parameters: list[float], budget: float
) -> float:
    """Return the time per row of one operation more in a program, all of it in the first cache."""
    n = 3840
    x = [np.linspace(0.5, 3.0, n)] * columns
    p = np.array(parameters)
    few, many = make(1), make(5)
    short = _cost(lambda: few.values(x, n, p), budget)
    long = _cost(lambda: many.values(x, n, p), budget)
    return (long - short) / (4 * n)


def draws(quick: bool, full: bool) -> dict[str, Any]:
    """4,000 bootstrap draws of 240 points, eight spread starts besides the warm one."""
    problem = PROBLEMS["chinchilla-240"]()
    count = 200 if quick else 4000
    fit = adapter.fit(problem, problem.sample(0.02), 1)
    rows = []
    for threads in thread_counts():
        taken = measure(
            lambda t=threads: fit.bootstrap(count, spread=8, threads=t), 1 if quick else 3
        )
        done = fit.bootstrap(min(count, 400), spread=8, threads=threads)
        rows.append(
            {
                "threads": threads,
                "draws": count,
                "starts_per_draw": 9,
                "converged": done.converged,
                "disagreement": done.disagreement,
                "evaluations_per_start": done.evaluations / (9 * len(done)),
            }
            | taken
        )
        print(f"{count} draws, {threads} threads: {taken['seconds']:.3f} s", flush=True)
    return {"machine": machine.describe(), "rows": rows}


def small_fits(quick: bool, full: bool) -> dict[str, Any]:
    """Ten thousand tables of eight rows in one call, beside SciPy's curve_fit on some of them."""
    law, per_table = "E + A / N**alpha", 8
    count = 500 if quick else 10_000
    rng = np.random.default_rng(0)
    N = np.geomspace(1e7, 1e10, per_table)
    noise = np.exp(rng.normal(0.0, 0.002, (count, per_table)))
    loss = (1.7 + 400 * N**-0.34) * noise
    runs = {
        "table": np.repeat(np.arange(count), per_table),
        "N": np.tile(N, count),
        "loss": loss.ravel(),
    }
    rows, least = [], []
    for starts in ("auto", 16):
        for threads in thread_counts():

            def call(starts=starts, threads=threads):
                return lf.fit_many(
                    law, runs, by="table", loss="squared", starts=starts, threads=threads
                )

            found: list[Any] = []
            taken = measure(lambda: found.append(call()), 1 if quick else 5)  # noqa: B023
            least.append(np.asarray(found[-1]["objective"]))
            row = {"method": "lawfit.fit_many", "threads": threads, "starts": str(starts)}
            rows.append(row | {"fits": count} | taken)
            print(f"small fits, {starts} starts, {threads} threads: {taken['seconds']:.3f} s")
    some = np.arange(0, count, max(1, count // 500))
    least.append(np.full(count, np.inf))

    def fit_some() -> None:
        least[-1][some] = [_curve_fit(N, y) for y in loss[some]]

    taken = measure(fit_some, 1)
    row = {"method": "SciPy curve_fit, log residuals", "threads": 1, "starts": "1"}
    rows.append(row | {"fits": len(some)} | taken)
    best = np.min(least, axis=0)
    for row, found in zip(rows, least, strict=True):
        row["solved"] = float(np.sum(found <= best * (1 + 1e-6)) / row["fits"])
    described = {"fits": count, "rows_of_data": per_table, "formula": law}
    return {"machine": machine.describe()} | described | {"rows": rows}


def _curve_fit(N: np.ndarray, y: np.ndarray) -> float:
    """Return half the sum of squares that SciPy reaches from one plain start, log A for A."""
    from scipy import optimize

    def log_loss(n: np.ndarray, E: float, a: float, alpha: float) -> np.ndarray:
        return np.log(np.maximum(E + np.exp(a - alpha * np.log(n)), 1e-300))

    try:
        found, _ = optimize.curve_fit(log_loss, N, np.log(y), p0=(y.min(), 5.0, 0.3))
    except RuntimeError:  # after 800 evaluations
        return np.inf
    return 0.5 * float(np.sum((log_loss(N, *found) - np.log(y)) ** 2))


def gemstones(quick: bool, full: bool) -> dict[str, Any]:
    """The width-depth-N-D law from the 4,050,000 published starts, in one call.

    One of every hundred starts is measured and the time is scaled up, unless `full`: an upper
    bound, as the more starts there are the sooner each meets the way of another. The same is also
    measured with every start left as it was published, never in full.
    """
    problem = PROBLEMS["gemstones-4"]()
    grid = gemstones_grid(4)
    share = 4050 if quick else 40_500
    rows = []
    for choose_levels, count in ((False, share), (True, len(grid) if full else share)):
        peak = machine.peak_bytes() / 2**20
        inside = np.random.default_rng(2).random(count) if count < len(grid) else 0.0
        starts = grid.points(((np.arange(count) + inside) * len(grid) / count).astype(np.int64))
        before = time.process_time()
        solved = adapter.solve(problem, starts, 2, choose_levels=choose_levels)
        cpu = time.process_time() - before
        best = float(np.nanmin(solved.objective))
        row = {
            "levels": "chosen" if choose_levels else "as published",
            "starts_run": count,
            "starts": len(grid),
            "threads": 2,
            "seconds": solved.seconds,
            "cpu_seconds": cpu,
            "seconds_all_starts": solved.seconds * len(grid) / count,
            "evaluations_per_start": float(solved.evaluations.mean()),
            "hit_share": float(np.mean(solved.objective <= best * (1 + 1e-6))),
            "best_objective": best,
            "status": {s: solved.status.count(s) for s in sorted(set(solved.status))},
            "memory_before_mb": peak,
            "memory_peak_mb": machine.peak_bytes() / 2**20,
            "load": machine.load(),
        }
        rows.append(row)
        print(
            f"gemstones, levels {row['levels']}: {count:,} starts in {solved.seconds:.1f} s, all "
            f"{len(grid):,} in {row['seconds_all_starts']:.0f} s, hit {row['hit_share']:.1%}, "
            f"{row['memory_peak_mb']:.0f} MB"
        )
    return {"machine": machine.describe(), "rows": rows}


# --- growth curves --------------------------------------------------------------------------------


def growth(quick: bool, full: bool) -> dict[str, Any]:
    """Time against starts, rows, parameters, draws and threads, on simulated power sums."""
    repeats = 1 if quick else 3
    curves: dict[str, list[dict[str, Any]]] = {}

    def add(curve: str, value: int, call: Callable[[], Any], **facts: float) -> None:
        taken = measure(call, repeats)
        curves.setdefault(curve, []).append({"x": value} | facts | taken)
        print(f"growth, {curve:10} {value:8,}: {taken['seconds']:.4f} s", flush=True)

    base = simulated(240, 2)
    top = 500 if quick else 4500
    for count in (1, 5, 20, 100, 500, 4500):
        if count <= top:
            starts = base.starts[:count]
            add("starts", count, lambda s=starts: adapter.solve(base, s, 1))
    for rows in (30, 100, 300, 1000, 3000, 10_000, 100_000):
        if rows <= (1000 if quick else 100_000):
            long = simulated(rows, 2)
            n = 100 if rows <= 10_000 else 20
            evaluations = adapter.solve(long, long.starts[:n], 1).evaluations.mean()
            add(
                "rows", rows, lambda p=long, n=n: adapter.solve(p, p.starts[:n], 1),
                starts=n, evaluations_per_start=float(evaluations),
            )  # fmt: skip
    for terms in (1, 2, 3, 4, 6, 8):
        wide = simulated(240, terms)
        evaluations = adapter.solve(wide, wide.starts[:100], 1).evaluations.mean()
        add(
            "parameters", 2 * terms + 1, lambda p=wide: adapter.solve(p, p.starts[:100], 1),
            starts=100, evaluations_per_start=float(evaluations),
        )  # fmt: skip
    fit = adapter.fit(base, base.starts[:50], 1)
    for count in (10, 50, 200, 1000, 4000):
        if count <= (200 if quick else 4000):
            add("draws", count, lambda n=count: fit.bootstrap(n, spread=8, threads=1))
    for threads in thread_counts():
        starts = base.starts[:top]
        add("threads", threads, lambda t=threads, s=starts: adapter.solve(base, s, t))
    return {"machine": machine.describe(), "curves": curves}


def simulated(rows: int, terms: int) -> Problem:
    """Make E + sum_k A_k / x_k**alpha_k with 0.3 % noise, columns over three decades each."""
    rng = np.random.default_rng(11)
    names = [f"x{k}" for k in range(1, terms + 1)]
    table = {n: 10.0 ** rng.uniform(0.0, 3.0, rows) for n in names}
    loss = 1.8 + sum(table[n] ** -(0.3 + 0.1 * k) for k, n in enumerate(names))
    table["loss"] = loss * np.exp(rng.normal(0.0, 0.003, rows))
    low = [-1.0] + [-2.0] * terms + [0.0] * terms
    high = [1.0] + [5.0] * terms + [2.0] * terms
    starts = np.random.default_rng(12).uniform(low, high, (4500, 2 * terms + 1))
    return power_sum("growth", "simulated", table, names, 1e-3, starts, "seeded")


CASES: dict[str, Callable[[bool, bool], dict[str, Any]]] = {
    "all_starts": all_starts,
    "evaluation": evaluation,
    "draws": draws,
    "small_fits": small_fits,
    "gemstones": gemstones,
    "growth": growth,
}
