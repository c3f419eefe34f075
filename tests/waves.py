"""A law whose fits have many minima, and tables of it."""

from __future__ import annotations

import numpy as np

import lawfit as lf

WAVE = lf.Law(
    "exp(a + b * sin(w * x))",
    parameters=[
        lf.Parameter("a", transform="identity", start=(-1.0, 1.0)),
        lf.Parameter("b", transform="identity", start=(-1.0, 1.0)),
        lf.Parameter("w", transform="identity", start=(0.5, 8.0)),
    ],
)


def waves(noise: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return 60 tables of 64 rows, whose fits have many minima, and 60 starts."""
    rng = np.random.default_rng(1)
    x = np.tile(np.sort(rng.uniform(0, 6, 64)), 60)
    log_y = 0.3 * np.sin(2 * x) + rng.normal(0, 0.25, len(x)) * (noise / 0.25)
    starts = {n: rng.uniform(*ends, 60) for n, ends in
              (("a", (-1, 1)), ("b", (-1, 1)), ("w", (0.5, 8)))}  # fmt: skip
    return {"run": np.repeat(np.arange(60), 64), "x": x, "y": np.exp(log_y)}, starts
