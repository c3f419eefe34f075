"""Runs problems x methods side by side in one process and writes one JSON file."""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import scipy

import lawfit as lf
from methods import METHODS
from problems import PROBLEMS, starts

SAME = 1e-6


def describe_machine() -> dict[str, object]:
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((s.split(":")[1].strip() for s in lines if s.startswith("model name")), model)
    return {
        "processor": model,
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "lawfit": lf._core.info(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", action="append", choices=PROBLEMS, help="default: all")
    parser.add_argument("--method", action="append", choices=METHODS, help="default: all")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each; medians are reported")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", default="bench/results/starts.json")
    given = parser.parse_args()

    grid = starts()
    order = np.random.default_rng(0).permutation(len(grid))
    rows = []
    for problem_name in given.problem or PROBLEMS:
        problem = PROBLEMS[problem_name]()
        outcomes = {}
        for method_name in given.method or METHODS:
            method, share = METHODS[method_name]
            sample = grid[np.sort(order[: max(1, round(share * len(grid)))])]
            seconds = []
            for _ in range(given.repeats if share == 1.0 else 1):
                begun = time.perf_counter()
                outcome = method(problem, sample, given.threads)
                seconds.append(time.perf_counter() - begun)
            outcomes[method_name] = (outcome, statistics.median(seconds), len(sample))
        best = min(float(np.min(o.objective)) for o, _, _ in outcomes.values())
        for method_name, (outcome, seconds, n) in outcomes.items():
            hit = float(np.mean(outcome.objective <= best * (1 + SAME)))
            per_start = seconds / n
            # Starts needed to have seen the best minimum with 99 % probability.
            needed = math.inf if hit == 0 else 1 if hit == 1 else math.log(0.01) / math.log(1 - hit)
            rows.append(
                {
                    "problem": problem_name,
                    "rows": len(problem.loss),
                    "method": method_name,
                    "starts_run": n,
                    "seconds": seconds,
                    "seconds_all_starts": per_start * len(grid),
                    "hit_share": hit,
                    "best_objective": float(np.min(outcome.objective)),
                    "best_known": best,
                    "evaluations_per_start": outcome.evaluations / n,
                    "converged_share": outcome.success,
                    "seconds_to_99_percent": per_start * max(1.0, needed),
                }
            )
            row = rows[-1]
            print(
                f"{problem_name:16} {method_name:36} {row['seconds_all_starts']:9.2f} s/4,500 "
                f"hit {hit:6.1%}  evaluations {row['evaluations_per_start']:7.1f}  "
                f"best {row['best_objective']:.12g}"
            )
    out = Path(given.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=1) + "\n")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
