"""Draws the table of tiny runs: loss over tokens, over parameters, and what few bits cost."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import lawfit as lf

plt.rcParams["svg.hashsalt"] = "lawfit"  # the same file from the same table
SAVING = {"metadata": {"Date": None}, "bbox_inches": "tight"}


def smooth(runs: lf.Runs, path: Path) -> None:
    """Draw loss over D for every N, and over N for every D, at full precision and at 2 bits."""
    figure, panels = plt.subplots(2, 2, figsize=(9, 7), sharey="row", layout="constrained")
    for row, bits in zip(panels, (32, 2), strict=True):
        some = runs.where("kind == 'grid'").where(f"P_w == {bits}")
        for panel, along, each in zip(row, ("D", "N"), ("N", "D"), strict=True):
            levels = np.unique(some[each])
            colours = plt.cm.viridis(np.linspace(0, 0.9, len(levels)))
            for level, colour in zip(levels, colours, strict=True):
                here = some.where(f"{each} == {level}")
                order = np.argsort(here[along])
                label = f"{each} = {level:,.0f}"
                panel.loglog(
                    here[along][order], here["loss"][order], "o-", ms=3, color=colour, label=label
                )
            panel.set_xlabel({"D": "tokens D", "N": "parameters N"}[along])
            # The lines over N leave no corner free.
            outside = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
            panel.legend(fontsize=6, **(outside if along == "N" else {}))
            panel.yaxis.set_major_formatter("{x:.1f}")
            panel.yaxis.set_minor_formatter("{x:.1f}")
            panel.xaxis.set_minor_formatter("")
        row[0].set_ylabel("loss, nats per token")
        row[0].set_title("not quantised" if bits == 32 else f"weights of {bits} bits")
    figure.savefig(path, **SAVING)
    plt.close(figure)


def cost_of_bits(runs: lf.Runs, path: Path) -> None:
    """Draw the loss above full precision over tokens per parameter, one line per N and bits."""
    figure, panels = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True, layout="constrained")
    some = runs.where("kind == 'grid'")
    widths = np.unique(some["N"])
    for panel, bits in zip(panels, (2, 3, 4, 6), strict=True):
        for n, colour in zip(widths, plt.cm.viridis(np.linspace(0, 0.9, len(widths))), strict=True):
            full = some.where(f"N == {n}").where("P_w == 32")
            few = some.where(f"N == {n}").where(f"P_w == {bits}")
            order, other = np.argsort(full["D"]), np.argsort(few["D"])
            excess = few["loss"][other] - full["loss"][order]
            d = full["D"][order]
            panel.semilogx(d, excess, "o-", ms=3, color=colour, label=f"N = {n:,.0f}")
        panel.set_title(f"{bits} bits")
        panel.set_xlabel("tokens D")
        panel.xaxis.set_minor_formatter("")
        panel.axhline(0, color="grey", lw=0.5)
    panels[0].set_ylabel("loss above full precision, nats")
    panels[-1].legend(fontsize=6)
    figure.savefig(path, **SAVING)
    plt.close(figure)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    table = lf.read(sys.argv[2]) if len(sys.argv) > 2 else lf.datasets.load("tiny_runs")
    smooth(table, folder / "smooth.svg")
    cost_of_bits(table, folder / "bits.svg")
