"""Packages made for scaling laws. They take no start matrix: one call, one answer, judged alike."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from outcome import Outcome, UnavailableError
from problem import Problem

HERE = Path(__file__).parent

# Corners and middles of the published grid: the package wants a product, so it gets a smaller one.
GRID = {"e": [-1, 0, 1], "a": [5, 15], "b": [5, 15], "alpha": [0.5, 1.0], "beta": [0.5, 1.0]}


def _call(interpreter: str, script: str, problem: Problem, starts: int, **more: Any) -> Outcome:
    if problem.names != ("E", "A_N", "A_D", "alpha_N", "alpha_D"):
        raise UnavailableError("the package knows the Chinchilla form in N and D only")
    given = {k: np.asarray(problem.table[k]).tolist() for k in ("N", "D", "loss")} | more
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [interpreter, str(HERE / script)],
        input=json.dumps(given), capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise UnavailableError(f"failed: {done.stderr.strip().splitlines()[-1][:200]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    p = answer["params"]
    logs = np.log([max(p[k], 1e-300) for k in ("E", "A", "B")])
    return Outcome(
        x=np.array([[*logs, p["alpha"], p["beta"]]]),
        status=["one answer"],
        seconds=answer["seconds"],
        cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        facts={"own_starts": starts},
    )


def chinchilla(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """chinchilla.fit, log-Huber (its mean), BFGS with finite differences, 48 starts of its grid."""
    if importlib.util.find_spec("chinchilla") is None:
        raise UnavailableError("chinchilla is not installed")
    return _call(
        sys.executable, "package_chinchilla.py", problem, 48,
        delta=problem.objective.delta, grid=GRID,
    )  # fmt: skip


def simple_scaling_laws(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """simple_scaling_laws.fit with 20 draws; it minimises weighted squares of the raw loss."""
    interpreter = os.environ.get("SIMPLE_SCALING_LAWS_PYTHON", sys.executable)
    probe = [interpreter, "-c", "import simple_scaling_laws"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        raise UnavailableError(
            "simple-scaling-laws is not installed (it needs Python 3.12; point "
            "SIMPLE_SCALING_LAWS_PYTHON at an interpreter that has it)"
        )
    return _call(interpreter, "package_simple_scaling_laws.py", problem, 1)
