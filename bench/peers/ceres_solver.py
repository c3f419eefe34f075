"""Ceres in C++: builds the program in bench/ceres once and feeds it starts."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np

from models import PowerSum
from outcome import Outcome, UnavailableError
from problem import Problem

SOURCE = Path(__file__).resolve().parents[1] / "ceres"
TERMINATION = ("CONVERGENCE", "NO_CONVERGENCE", "FAILURE", "USER_SUCCESS", "USER_FAILURE")


@functools.cache
def _program() -> Path:
    if shutil.which("cmake") is None:
        raise UnavailableError("cmake is not installed")
    # CMake refuses a folder that was made for another checkout.
    name = f"lawfit-bench-ceres-{zlib.crc32(str(SOURCE).encode()):08x}"
    build = Path(tempfile.gettempdir()) / name
    for command in (
        ["cmake", "-S", str(SOURCE), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release"],
        ["cmake", "--build", str(build)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnavailableError(
                f"Ceres is not installed or does not build (libceres-dev): {build}"
            )
    return build / "power_sum"


def _run(problem: Problem, starts: np.ndarray, threads: int, mode: int, iterations: int) -> Outcome:
    objective = problem.objective
    if not isinstance(objective.model, PowerSum):
        raise UnavailableError("the Ceres program knows sums of power terms only")
    log_x = objective.model.log_x
    head = [
        mode,
        iterations,
        threads,
        objective.delta or 0.0,
        problem.rows,
        len(log_x),
        len(starts),
    ]
    numbers = np.concatenate([np.column_stack([objective.target, log_x.T]).ravel(), starts.ravel()])
    text = " ".join(map(repr, [*head, *numbers.tolist()]))
    done = subprocess.run([_program()], input=text, capture_output=True, text=True, check=True)
    first, *lines = done.stdout.splitlines()
    seconds, cpu = map(float, first.split())
    table = np.array([line.split() for line in lines], dtype=float)
    return Outcome(
        x=table[:, 3:],
        status=[TERMINATION[int(t)] for t in table[:, 0]],
        evaluations=int(table[:, 2].sum()),
        seconds=seconds,
        cpu_seconds=cpu,
    )


def huber_default(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """HuberLoss, Levenberg-Marquardt, options as shipped (50 iterations)."""
    return _run(problem, starts, threads, 0, 0)


def huber(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """HuberLoss, Levenberg-Marquardt, 200 iterations, tight tolerances."""
    return _run(problem, starts, threads, 0, 200)


def signed_root(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
    """Levenberg-Marquardt on one block of signed-root residuals, 1,000 iterations, tight."""
    return _run(problem, starts, threads, 1, 1000)
