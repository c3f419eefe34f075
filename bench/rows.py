"""Grows the table from ten thousand to ten million rows and measures time and memory of one fit."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import lawfit as lf
import machine
from store import write

TRUTH = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}
START = {"E": 1.0, "A": 100.0, "alpha": 0.5, "B": 5000.0, "beta": 0.3}


def table(rows: int) -> dict[str, np.ndarray]:
    """Simulate runs of the Chinchilla form, piece by piece so that nothing else takes memory."""
    rng = np.random.default_rng(0)
    columns = {name: np.empty(rows) for name in ("N", "D", "loss")}
    piece = 10_000
    for at in range(0, rows, piece):
        n = min(piece, rows - at)
        N, D = 10 ** rng.uniform(7, 10, n), 10 ** rng.uniform(9, 12, n)
        loss = TRUTH["E"] + TRUTH["A"] / N ** TRUTH["alpha"] + TRUTH["B"] / D ** TRUTH["beta"]
        loss *= np.exp(0.01 * rng.standard_t(3, n))
        for name, values in (("N", N), ("D", D), ("loss", loss)):
            columns[name][at : at + n] = values
    return columns


def measure(rows: int, threads: int, repeats: int) -> dict[str, object]:
    """Fit once for the memory, and again for the time; run this in a process of its own."""

    def fit(runs: dict[str, np.ndarray]) -> lf.Fit:
        return lf.fit("chinchilla", runs, starts=[START], threads=threads)

    fit(table(100))  # loads what is loaded late
    base = machine.peak_bytes()
    runs = table(rows)
    with_table = machine.peak_bytes()
    result = fit(runs)
    peak = machine.peak_bytes()
    total = [result.seconds] + [fit(runs).seconds for _ in range(repeats - 1)]
    objective = result._problem.objective(None)
    point = result._coordinates[None, :]
    value = []
    for _ in range(max(3, min(200, 10**7 // rows)) * repeats):
        begun = time.perf_counter()
        objective.values_at(point, threads)
        value.append(time.perf_counter() - begun)
    size = 24 * rows
    return {
        "rows": rows,
        "threads": threads,
        "success": result.success,
        "params": result.params,
        "objective": result.objective,
        "evaluations": result.evaluations,
        "seconds": min(total),
        "seconds_per_value": min(value),
        "nanoseconds_per_row_and_value": 1e9 * min(value) / rows,
        "table_bytes": size,
        "base_bytes": base,
        "peak_over_table": (peak - base) / size,
        "table_as_measured": (with_table - base) / size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="default: 1e4, 1e5, 1e6, 1e7")
    parser.add_argument("--threads", type=int, action="append", help="default: 1 and 2")
    parser.add_argument("--repeats", type=int, default=3, help="fits of each; the fastest counts")
    parser.add_argument("--out", type=Path, default="bench/results/rows.json")
    parser.add_argument("--case", nargs=2, type=int, help="one case, printed as JSON")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(*given.case, given.repeats)))
        return

    cases = []
    for rows in given.rows or (10**4, 10**5, 10**6, 10**7):
        for threads in given.threads or (1, 2):
            command = [sys.executable, __file__, "--case", str(rows), str(threads)]
            command += ["--repeats", str(given.repeats)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            cases.append(json.loads(done.stdout))
            case = cases[-1]
            print(
                f"{rows:>10,} rows {threads} threads  {1e3 * case['seconds_per_value']:9.3f} ms a "
                f"value  {case['seconds']:8.3f} s a fit of {case['evaluations']} evaluations  "
                f"memory {case['peak_over_table']:.2f} x table"
            )
    write(given.out, {"machine": machine.describe(), "cases": cases})


if __name__ == "__main__":
    main()
