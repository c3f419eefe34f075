"""Plots of reductions: IsoFLOP curves with their minima, and the lower envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..reduction.envelope import Envelope
from ..reduction.isoflop import IsoFlop
from ..runs import Runs, read
from .style import COLORS, FAINT, axes_for, color_bar, color_scale, label, log_axis, short, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["envelope", "isoflop"]


def isoflop(result: IsoFlop, runs: Any, *, ax: Axes | None = None) -> Axes:
    """Plot loss against size at each budget, with the minima that were found.

    Parameters
    ----------
    result : IsoFlop
        From `lawfit.isoflop`.
    runs : mapping of arrays, DataFrame or path
        The runs it was made from.
    ax : Axes, optional
    """
    table = runs if isinstance(runs, Runs) else read(runs)
    budget, size, target = result.names
    c, n, loss = (table.numbers(name) for name in result.names)
    points = read(result.points)
    with styled() as plt:
        ax = axes_for(ax, plt)
        norm, colors = color_scale(c)
        for value in np.unique(c):
            rows = np.flatnonzero(c == value)
            rows = rows[np.argsort(n[rows])]
            ax.plot(
                n[rows], loss[rows], "o-", color=colors(norm(value)), markersize=3, linewidth=0.9
            )
        errors = points.numbers(size) * np.sinh(points.numbers(f"{size}_se"))
        ax.errorbar(points.numbers(size), points.numbers(target), xerr=errors, fmt="D",
                    color=COLORS[1], mec="white", mew=0.6, markersize=6, capsize=2, zorder=4,
                    label="minimum and its standard error")  # fmt: skip
        log_axis(ax, "x", n)
        log_axis(ax, "y", loss)
        color_bar(ax, norm, colors, label(budget))
        ax.set_xlabel(label(size))
        ax.set_ylabel(target)
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
    return ax


def envelope(result: Envelope, runs: Any, *, resource: str = "C", target: str = "loss",
             ax: Axes | None = None) -> Axes:  # fmt: skip
    """Plot all runs and those on the lower envelope.

    Parameters
    ----------
    result : Envelope
        From `lawfit.envelope`.
    runs : mapping of arrays, DataFrame or path
        The runs it was made from.
    resource, target : str
        As they were given to `lawfit.envelope`.
    ax : Axes, optional
    """
    table = runs if isinstance(runs, Runs) else read(runs)
    with styled() as plt:
        ax = axes_for(ax, plt)
        x, y = table.numbers(resource), table.numbers(target)
        ax.plot(x, y, "o", color=FAINT, markersize=2.5, alpha=0.5, mec="none", label="runs")
        points = read(result.points)
        ax.plot(points.numbers(resource), points.numbers(target), "o-", color=COLORS[1],
                markersize=4.5, label=f"envelope, {short(points.n)} points")  # fmt: skip
        log_axis(ax, "x", x)
        log_axis(ax, "y", y)
        ax.set_xlabel(label(resource))
        ax.set_ylabel(target)
        ax.legend()
    return ax
