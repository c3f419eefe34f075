"""The refit of the Chinchilla law by Besiroglu et al. (arXiv 2404.10102): two objectives.

Usage: python besiroglu2024.py FOLDER, the folder that holds chinchilla_svg_240.csv
(default: the environment variable LAWFIT_DATA).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lawfit as lf


def main(folder: str) -> dict[str, lf.Fit]:
    """Fit by the plain Huber sum and by the likelihood with a fitted scale."""
    runs = Path(folder) / "chinchilla_svg_240.csv"
    # The sum of Huber(1e-3) on log loss from the 4,500 published starts: 0.0010182740.
    plain = lf.fit("chinchilla", runs, protocol="hoffmann2022")
    # The published table (A 482.01, B 2085.43, E 1.8172, alpha 0.3478, beta 0.3658).
    published = lf.fit("chinchilla", runs, protocol="besiroglu2024", starts="auto")
    return {"sum": plain, "likelihood": published}


if __name__ == "__main__":
    for name, fit in main(sys.argv[1] if sys.argv[1:] else os.environ["LAWFIT_DATA"]).items():
        print(f"--- {name}\n{fit.summary()}")
