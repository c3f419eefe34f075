"""Tables that come with lawfit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .errors import InputError
from .laws import law
from .runs import Runs, read

__all__ = ["available", "load"]


def available() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(_TABLES)


def load(name: str) -> Runs:
    """Return a table by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in _TABLES:
        raise InputError(f"there is no data set {name!r}; available: {', '.join(_TABLES)}")
    return _TABLES[name]()


def _simulated_chinchilla() -> Runs:
    """Simulate 90 runs, N from 50 million to 10 billion, D from 5 to 160 tokens per parameter.

    Losses are those of the published coefficients "besiroglu2024" times log-normal noise of 0.3 %.
    No model was trained.
    """
    chinchilla = law("chinchilla")
    truth = chinchilla.coefficients("besiroglu2024")
    n = np.repeat(np.geomspace(5e7, 1e10, 15), 6)
    d = n * np.tile(5.0 * 2.0 ** np.arange(6), 15)
    noise = np.random.default_rng(2024).normal(0.0, 0.003, len(n))
    loss = chinchilla.predict(truth, {"N": n, "D": d}) * np.exp(noise)
    return Runs({"N": n, "D": d, "loss": loss}, source="simulated runs")


def _tiny_runs() -> Runs:
    """Read the losses of small language models that were trained over N, D and bits.

    One row per run; `docs/tiny_runs.md` says what the columns mean and how they came about.
    """
    return read(Path(__file__).parent / "data" / "tiny_runs.csv")


_TABLES = {"simulated_chinchilla": _simulated_chinchilla, "tiny_runs": _tiny_runs}
