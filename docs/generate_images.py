"""Draws the pictures of the README from the runs that come with lawfit."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import lawfit as lf
from lawfit import plots
from lawfit.plots.style import styled

OUT = Path(__file__).parent / "images"


def main() -> None:
    """Write ``docs/images/fit.png``."""
    OUT.mkdir(exist_ok=True)
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"))
    with styled():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9))
        plots.against_runs(fit, ax=left)
        plots.loss_contours(fit, ax=right)
        figure.savefig(OUT / "fit.png", metadata={"Software": None}, dpi=110)


if __name__ == "__main__":
    main()
