"""What a problem is: one law, table, objective and matrix of starts for every method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import lawfit as lf
from objective import Objective


@dataclass(frozen=True)
class Problem:
    """A fitting problem, for lawfit (`law`, `table`) and for its peers (`objective`).

    Parameters
    ----------
    name, title : str
    law : Law
    table : mapping of str to ndarray
        What lawfit reads; holds `target`.
    names : tuple of str
        The law's parameters in the order of the coordinates.
    log : frozenset of str
        Parameters whose coordinate is their logarithm.
    starts : ndarray of shape (k, len(names))
        In coordinates, the same for every method.
    objective : Objective
        The same function as lawfit's, in NumPy, over the same coordinates.
    protocol : str
        Where the starts come from and how the authors fitted this law.
    note : str
        What is known about its minima.
    """

    name: str
    title: str
    law: lf.Law
    table: Mapping[str, np.ndarray]
    names: tuple[str, ...]
    log: frozenset[str]
    starts: np.ndarray
    objective: Objective
    protocol: str
    target: str = "loss"
    residual: str = "log"
    tied: tuple[tuple[str, ...], ...] = ()
    note: str = ""

    @property
    def rows(self) -> int:
        return len(self.objective.target)

    @property
    def loss(self) -> lf.losses.Loss:
        delta = self.objective.delta
        return lf.Squared() if delta is None else lf.Huber(delta)

    def natural(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Turn coordinates into what `lawfit.fit` takes as starts."""
        return {
            n: np.exp(points[:, k]) if n in self.log else points[:, k].copy()
            for k, n in enumerate(self.names)
        }

    def coordinates(self, params: Mapping[str, float]) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.array([np.log(params[n]) if n in self.log else params[n] for n in self.names])

    def sample(self, share: float) -> np.ndarray:
        """Return a fixed random share of the starts, in random order; all of them as they are."""
        k = len(self.starts)
        if share >= 1.0:
            return self.starts
        return self.starts[np.random.default_rng(0).permutation(k)[: max(1, round(share * k))]]
