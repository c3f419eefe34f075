"""Published grids of starts, decoded point by point so that the largest needs no memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0)
LOG_SCALES = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
LOG_IRREDUCIBLE = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Grid:
    """Every combination of the axes' values, the last axis fastest."""

    axes: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return math.prod(map(len, self.axes))

    def points(self, index: np.ndarray) -> np.ndarray:
        """Return the combinations of the given numbers, shape (len(index), len(axes))."""
        places = np.unravel_index(index, [len(a) for a in self.axes])
        return np.column_stack([np.array(a)[p] for a, p in zip(self.axes, places, strict=True)])

    def spread(self, count: int, seed: int) -> np.ndarray:
        """Return one random combination out of each of `count` equal stretches of the grid."""
        edges = np.linspace(0, len(self), count + 1)
        inside = np.random.default_rng(seed).random(count)
        return self.points((edges[:-1] + inside * np.diff(edges)).astype(np.int64))


def gemstones_grid(terms: int) -> Grid:
    """Return the grid of McLeish et al. (2502.06857), log E, log scales, exponents.

    Two terms: the 4,500 starts of Hoffmann et al. (2203.15556, appendix D.2); three: 135,000; four:
    4,050,000.
    """
    return Grid((LOG_IRREDUCIBLE, *([LOG_SCALES] * terms), *([EXPONENTS] * terms)))


def chinchilla_grid() -> np.ndarray:
    grid = gemstones_grid(2)
    return grid.points(np.arange(len(grid)))
