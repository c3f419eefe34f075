"""Grows a law with three parameters per curve and two shared ones from ten to a thousand curves."""

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

LAW = "(A[curve] / x**alpha[curve] + E[curve]) * exp(b * z + c * z**2)"
SHARED = {"b": 0.1, "c": 0.05}
ROWS = 20


def table(curves: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return ROWS rows of every curve, in no order, and the true parameters of the curves."""
    rng = np.random.default_rng(curves)
    truth = {
        "A": np.exp(rng.normal(4, 0.5, curves)),
        "alpha": rng.uniform(0.2, 0.6, curves),
        "E": rng.uniform(1, 2, curves),
    }
    k = rng.permutation(np.repeat(np.arange(curves), ROWS))
    x, z = 10 ** rng.uniform(1, 6, len(k)), rng.normal(size=len(k))
    loss = truth["A"][k] / x ** truth["alpha"][k] + truth["E"][k]
    loss *= np.exp(SHARED["b"] * z + SHARED["c"] * z**2 + 0.003 * rng.standard_t(3, len(k)))
    return {"curve": k, "x": x, "z": z, "loss": loss}, truth


def measure(curves: int, threads: int, repeats: int) -> dict[str, object]:
    """Fit from one start; run this in a process of its own."""
    lf.fit(LAW, table(3)[0], starts=1, threads=threads)  # loads what is loaded late
    runs, truth = table(curves)
    base = machine.peak_bytes()
    processor = time.process_time()
    fit = lf.fit(LAW, runs, starts=1, threads=threads)
    processor = time.process_time() - processor
    peak = machine.peak_bytes()
    seconds = [fit.seconds]
    for _ in range(repeats - 1):
        before = time.process_time()
        seconds.append(lf.fit(LAW, runs, starts=1, threads=threads).seconds)
        processor = min(processor, time.process_time() - before)
    return {
        "curves": curves,
        "rows": curves * ROWS,
        "free_parameters": len(fit.free),
        "threads": threads,
        "success": fit.success,
        "objective": fit.objective,
        "evaluations": fit.evaluations,
        "seconds": min(seconds),
        "processor_seconds": processor,
        "processor_microseconds_per_evaluation_and_curve": 1e6
        * processor
        / fit.evaluations
        / curves,
        "peak_bytes_of_the_fit": peak - base,
        "dense_matrix_bytes": 8 * len(fit.free) ** 2,
        "shared": {name: fit.params[name] for name in SHARED},
        "largest_error_of_alpha": max(
            abs(fit.params[f"alpha[{k}]"] - truth["alpha"][k]) for k in range(curves)
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, action="append", help="default: 10, 30, ..., 1000")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3, help="fits of each; the fastest counts")
    parser.add_argument("--out", type=Path, default="bench/results/groups.json")
    parser.add_argument("--case", type=int, help="one case, printed as JSON")
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(given.case, given.threads, given.repeats)))
        return

    cases = []
    for curves in given.curves or (10, 30, 100, 300, 1000):
        command = [sys.executable, __file__, "--case", str(curves)]
        command += ["--threads", str(given.threads), "--repeats", str(given.repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        cases.append(json.loads(done.stdout))
        case = cases[-1]
        print(
            f"{curves:>6} curves {case['free_parameters']:>6} parameters  {case['seconds']:8.3f} s "
            f"({case['processor_seconds']:.3f} s of processor)  {case['evaluations']:5} evaluations"
            f"  {case['processor_microseconds_per_evaluation_and_curve']:6.2f} us per evaluation "
            f"and curve  {case['peak_bytes_of_the_fit'] / 2**20:.1f} MiB"
        )
    write(given.out, {"machine": machine.describe(), "cases": cases})


if __name__ == "__main__":
    main()
