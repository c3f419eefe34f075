"""The problems: a law, a table and starts, on which every method is run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import lawfit as lf


@dataclass(frozen=True)
class Problem:
    """Sum of Huber(delta) on log residuals of ``E + A / x**alpha + B / y**beta``."""

    name: str
    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    delta: float = 1e-3

    @property
    def runs(self) -> dict[str, np.ndarray]:
        return {"N": self.x, "D": self.y, "loss": self.loss}


def starts() -> np.ndarray:
    """Return the 4,500 published starts as (e, a, b, alpha, beta), E = exp(e) and so on."""
    grid = lf.protocol("hoffmann2022").starts.points()
    log = {n: np.log(grid[n]) for n in ("E", "A", "B")}
    return np.column_stack([log["E"], log["A"], log["B"], grid["alpha"], grid["beta"]])


def folder() -> Path:
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("LAWFIT_DATA", default))


def _from_csv(name: str, file: str, where: str | None = None, target: str = "loss") -> Problem:
    runs = lf.read(folder() / file, where=where)
    return Problem(name, runs.numbers("N"), runs.numbers("D"), runs.numbers(target))


def _simulated() -> Problem:
    runs = lf.datasets.load("simulated_chinchilla")
    return Problem("simulated", runs.numbers("N"), runs.numbers("D"), runs.numbers("loss"))


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "simulated": _simulated,
    "chinchilla-240": lambda: _from_csv("chinchilla-240", "chinchilla_svg_240.csv"),
    "gemstones-220": lambda: _from_csv("gemstones-220", "gemstones_hot.csv"),
    "misfitting-261": lambda: _from_csv("misfitting-261", "misfitting_runs.csv"),
    "overtraining-34": lambda: _from_csv(
        "overtraining-34", "overtraining_runs.csv", "dataset == 'c4_original'", "loss_c4_val"
    ),
}
