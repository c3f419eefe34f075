"""The fit of (Mis)Fitting: A Survey of Scaling Laws (Li et al., arXiv 2502.18969), free and tied.

Usage: python misfitting2025.py FOLDER, the folder that holds misfitting_runs.csv
(default: the environment variable LAWFIT_DATA).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lawfit as lf


def main(folder: str) -> dict[str, lf.Fit]:
    """Fit all 261 final checkpoints; published objectives: 0.0050217, and tied 0.0052437."""
    runs = Path(folder) / "misfitting_runs.csv"
    return {
        "free": lf.fit("chinchilla", runs),
        "alpha = beta": lf.fit("chinchilla", runs, tied=[("alpha", "beta")]),
    }


if __name__ == "__main__":
    for name, fit in main(sys.argv[1] if sys.argv[1:] else os.environ["LAWFIT_DATA"]).items():
        print(f"--- {name}\n{fit.summary()}")
