"""Times the grid search on 1e9 cells of a precision law, beside the same search in NumPy."""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import lawfit as lf
import machine
from store import write

LAW = lf.law("precision-shifted")
PARAMS = dict(LAW.published[0].params)
LIMITS: dict[str, list[str]] = {
    "none": [],
    "6*N*D": ["6*N*D <= 1e22"],  # decided once per N and D
    "6*N*D*P_w/16": ["6*N*D*P_w/16 <= 1e22"],  # decided in every cell
}


def axes(points: int) -> dict[str, np.ndarray | float]:
    """Return N x D x weight bits; activations, cache and weights after training are at 16 bits."""
    return {
        "N": np.geomspace(1e7, 1e12, points),
        "D": np.geomspace(1e9, 1e14, points),
        "P_w": np.linspace(3.5, 16.0, points),
        "P_a": 16.0,
        "P_kv": 16.0,
        "P_post": 16.0,
    }


def with_numpy(grid: dict[str, np.ndarray | float], limits: list[str]) -> dict[str, float]:
    """Return the best cell by whole arrays: one N at a time, D x P_w at once, powers of N and D."""
    p = PARAMS
    n_axis, d_axis, bits = (np.asarray(grid[k]) for k in ("N", "D", "P_w"))
    p_a, p_kv, p_post = (float(grid[k]) for k in ("P_a", "P_kv", "P_post"))
    share = 1 - np.exp(p["n_w"] - bits / p["gamma_w"])
    share *= 1 - math.exp(p["n_a"] - p_a / p["gamma_a"])
    share *= 1 - math.exp(p["n_kv"] - p_kv / p["gamma_kv"])
    of_d = p["B"] * d_axis ** -p["beta"] + p["E"]
    penalty = p["C_T"] * d_axis ** p["gamma_D"] * math.exp(-p_post / p["gamma_post"])
    best = {"value": math.inf}
    for n in n_axis:
        of_n = p["A"] * (n * share) ** -p["alpha"]
        loss = (of_d + penalty / n ** p["gamma_N"])[:, None] + of_n[None, :]
        for limit in limits:
            cost = 6 * n * d_axis[:, None]
            if "P_w" in limit:
                cost = cost * bits[None, :] / 16
            loss = np.where(cost <= 1e22, loss, np.inf)
        at = np.unravel_index(np.argmin(loss), loss.shape)
        if loss[at] < best["value"]:
            best = {"N": n, "D": d_axis[at[0]], "P_w": bits[at[1]], "value": float(loss[at])}
    return {k: float(v) for k, v in best.items()}


def timed(search: Callable[[], dict[str, float]], repeats: int) -> dict[str, object]:
    wall, cpu = [], []
    for _ in range(repeats):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        best = search()
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - begun_cpu)
    return {
        "seconds": statistics.median(wall),
        "least_seconds": min(wall),
        "processor_seconds": statistics.median(cpu),
        "best": best,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000, help="per axis")
    parser.add_argument("--numpy-points", type=int, default=200, help="per axis, for NumPy")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default="bench/results/grid.json")
    given = parser.parse_args()

    rows = []
    for limit, constraints in LIMITS.items():
        small = with_numpy(axes(given.numpy_points), constraints)
        again = lf.grid_search(
            LAW, axes(given.numpy_points), params=PARAMS, constraints=constraints, top=1
        ).best
        assert all(math.isclose(small[k], again[k], rel_tol=1e-13) for k in small), (small, again)
        jobs: list[tuple[str, int, int, Callable[[], dict[str, float]]]] = [
            (
                "numpy",
                1,
                given.numpy_points,
                lambda c=constraints: with_numpy(axes(given.numpy_points), c),
            )
        ]
        for build in lf._core.info()["instruction_sets"]:
            for threads in given.threads:

                def search(
                    c: list[str] = constraints, threads: int = threads, build: str = build
                ) -> dict[str, float]:
                    lf._core.select_instruction_set(build)
                    grid = axes(given.points)
                    found = lf.grid_search(LAW, grid, params=PARAMS, constraints=c, threads=threads)
                    return found.best

                jobs.append((f"lawfit {build}", threads, given.points, search))
        for method, threads, points, job in jobs:
            row = {"method": method, "threads": threads, "cells": points**3, "constraint": limit}
            row |= timed(job, given.repeats)
            row["cells_per_second"] = row["cells"] / row["seconds"]
            row["cells_per_processor_second"] = row["cells"] / row["processor_seconds"]
            rows.append(row)
            print(
                f"{limit:14} {method:16} {threads} thread(s) {row['cells']:.1e} cells "
                f"{row['seconds']:8.3f} s  {row['cells_per_second'] / 1e6:7.0f} M/s, "
                f"{row['cells_per_processor_second'] / 1e6:7.0f} M per processor second  "
                f"best {row['best']['value']:.12g}"
            )
    write(given.out, {"machine": machine.describe(), "rows": rows})


if __name__ == "__main__":
    main()
