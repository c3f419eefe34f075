"""Draws the pictures of the README and of the gallery from the runs that come with lawfit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import lawfit as lf
from lawfit import plots
from lawfit.plots.style import styled

OUT = Path(__file__).parent / "images"


def main() -> None:
    """Write what is in ``docs/images``."""
    OUT.mkdir(exist_ok=True)
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"))
    with styled():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9))
        plots.against_runs(fit, ax=left)
        plots.loss_contours(fit, ax=right)
        write(figure, "fit", 110)
        write(plots.loss_contours(fit).figure, "gallery_chinchilla")
        write(plots.backtest(two_laws()).figure, "gallery_two_laws")
        write(plots.choices(bits(), "P_w").figure, "gallery_bits")


def write(figure: Any, name: str, dpi: int = 80) -> None:
    """Write a picture without dates: the same one gives the same file."""
    figure.savefig(OUT / f"{name}.png", metadata={"Software": None}, dpi=dpi)


def two_laws() -> Any:
    """Backtest the sum of two powers, as on the page gallery_two_laws."""
    runs = lf.datasets.load("tiny_runs").where("U == D").where("P_a == 32").where("P_w == 32")
    law = "E + A / N**alpha + B / D**beta"
    return lf.backtest(law, runs, order="6 * N * D", starts=20)


def bits() -> Any:
    """Return the best plans over budgets for each number of bits, as on the page gallery_bits."""
    runs = lf.datasets.load("tiny_runs").where("U == D").where("P_a == 32").where("steps >= 512")
    share = "(1 - exp(n_w - P_w / gamma_w))"
    law = f"E + ((A / (N * {share})**alpha)**2 + (B / D**beta)**2)**0.5"
    over = {"P_w": [2, 3, 4, 6, 8, 16], "N": (1e3, 1e8), "D": (1e4, 1e10)}
    plan = lf.plan(lf.fit(law, runs, starts=20), 1e12, cost="6 * N * D * P_w / 16", over=over)
    return plan.frontier(np.geomspace(1e11, 1e13, 9))


if __name__ == "__main__":
    main()
