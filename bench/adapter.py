"""The only file of the benchmarks that knows how lawfit is called."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

import lawfit as lf
from lawfit import _core
from lawfit.execution import MAX_EVALUATIONS, TOLERANCE
from lawfit.problem import Problem as Bound
from lawfit.problem import Settings, normalise_tied
from lawfit.runs import read
from problem import Problem


@dataclass(frozen=True)
class Solved:
    """Where every start ended, in the problem's coordinates."""

    x: np.ndarray
    objective: np.ndarray
    evaluations: np.ndarray
    status: list[str]
    joined: np.ndarray  # the start whose way was met or point repeated, whose end is given, or -1
    seconds: float


def info() -> dict[str, Any]:
    return dict(_core.info())


@contextmanager
def instruction_set(name: str) -> Iterator[None]:
    """Run with the named instruction set, then with the one before."""
    before = _core.info()["instruction_set"]
    if not _core.select_instruction_set(name):
        raise ValueError(f"this processor does not run {name}")
    try:
        yield
    finally:
        _core.select_instruction_set(before)


def bind(problem: Problem) -> Bound:
    runs = read(dict(problem.table))
    settings = Settings(
        target=problem.target,
        residual=problem.residual,
        loss=problem.loss,
        tied=normalise_tied(problem.tied),
    )
    return Bound(problem.law.resolved(runs), runs, settings)


def objective(
    problem: Problem, starts: np.ndarray | None = None
) -> tuple[_core.Objective, np.ndarray]:
    """Return the core's objective and the order in which it takes the problem's coordinates."""
    bound = bind(problem)
    order = np.array([problem.names.index(n) for n in bound.free])
    points = problem.starts if starts is None else starts
    return bound.objective(np.ascontiguousarray(points[:, order])), order


def fit(problem: Problem, starts: np.ndarray, threads: int, early_stop: bool = True) -> lf.Fit:
    """Call `lawfit.fit` as a user does."""
    return lf.fit(
        problem.law,
        dict(problem.table),
        problem.target,
        residual=problem.residual,
        loss=problem.loss,
        tied=problem.tied,
        starts=problem.natural(starts),
        early_stop=early_stop,
        threads=threads,
    )


def solve(
    problem: Problem,
    starts: np.ndarray,
    threads: int,
    early_stop: bool = True,
    choose_levels: bool = True,
) -> Solved:
    """Run the core's multi-start as `lawfit.fit` does; it tells what became of every start."""
    core, order = objective(problem, starts)
    points = np.ascontiguousarray(starts[:, order])
    begun = time.perf_counter()
    if choose_levels:
        points = core.choose_levels(points, threads)
    raw = _core.multistart(core, points, TOLERANCE, MAX_EVALUATIONS, early_stop, threads, None)
    seconds = time.perf_counter() - begun
    x = np.empty_like(raw["x"])
    x[:, order] = raw["x"]
    names = [name for name, _, _ in _core.statuses]
    status = [names[s] for s in raw["status"]]
    joined = np.maximum(raw["joined"], raw["repeats"])
    return Solved(x, raw["objective"], raw["evaluations"], status, joined, seconds)


def evaluations(problem: Problem) -> Any:
    """Return a function that finds value, gradient and Gauss-Newton matrix so many times."""
    core, order = objective(problem)
    x = np.ascontiguousarray(fit(problem, problem.starts[:1], 1)._coordinates)
    assert len(x) == len(order)
    return lambda times: core.gauss_newton(x, times)


def unary_program(name: str, count: int) -> _core.Program:
    """Return `count` times the elementwise operation `name` on one column, as a program."""
    return _core.Program(["x"], [], [], [], [], [(name, [0])] * count, count)


def logsumexp_program(count: int) -> _core.Program:
    """Return `count` times log(exp(p) + exp(x) + exp(y)), the heart of a sum of power terms.

    One more operation passes the last one on: where a log-sum is a program's value, only it is run.
    """
    operations = [("logsumexp", [1, -1, 0, -1, 0, -1, 1])] * count
    last = ("still", [count + 1])
    return _core.Program(["x", "y"], ["p"], [], [], [], [*operations, last], count + 2)
