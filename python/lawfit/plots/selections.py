"""Plots of selection: backtests by distance, and a multiverse of choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import COLORS, FAINT, axes_for, log_axis, log_ticks, styled, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..selection.backtest import Backtest
    from ..selection.multiverse import Multiverse

__all__ = ["backtest", "multiverse"]


def backtest(result: Backtest, *, ax: Axes | None = None) -> Axes:
    """Plot the error of every held-out run against how far it lies beyond the fitted ones.

    Parameters
    ----------
    result : Backtest
        From `lawfit.backtest`.
    ax : Axes, optional
    """
    found = result.points()
    points = {name: np.asarray(found[name]) for name in ("split", "reach", "are")}
    with styled() as plt:
        ax = axes_for(ax, plt)
        factor, error = np.exp(points["reach"]), 100.0 * points["are"]
        known = np.isfinite(factor)
        factor = np.where(known, factor, 1.0)
        floor = max(float(np.min(error[error > 0], initial=1.0)) / 2, 1e-4)
        for k, split in enumerate(result.splits):
            rows = points["split"] == k
            if rows.any():
                ax.plot(factor[rows], np.maximum(error[rows], floor), "o", mec="none", alpha=0.6,
                        color=COLORS[k % len(COLORS)], label=split.name)  # fmt: skip
        inside = 100.0 * result.inside.are
        ax.axhline(inside, color="black", linewidth=0.9, linestyle="--")
        ax.annotate(" mean error on fitted runs", (1.0, inside), xycoords=("axes fraction", "data"),
                    va="bottom", ha="right", fontsize=8)  # fmt: skip
        ax.set_yscale("log")
        log_ticks(ax.yaxis, *ax.get_ylim())
        log_axis(ax, "x", factor)
        ax.set_xlabel("size over the largest fitted run")
        ax.set_ylabel("error of the prediction  (%)")
        if len(result.splits) <= 8:
            ax.legend(fontsize=7.5)
    return ax


def multiverse(result: Multiverse, *, ax: Axes | None = None) -> Axes:
    """Plot the quantity in every universe, by the options of every choice.

    Parameters
    ----------
    result : Multiverse
        From `lawfit.multiverse`.
    ax : Axes, optional

    Returns
    -------
    Axes
        One row per option; choices in the order of how far they move the quantity. The bar is the
        mean over all universes with the option.
    """
    effects = {e.choice: e for e in result.effects()}
    rows: list[tuple[str, str]] = []
    for choice in effects:
        if len(result.choices[choice]) > 1:
            rows += [(choice, option) for option in result.choices[choice]]
    with styled() as plt:
        ax = axes_for(ax, plt, (6.4, 0.6 + 0.27 * max(len(rows), 3) + 0.2 * len(effects)))
        place, texts, at = 0.0, [], []
        jitter = np.random.default_rng(0)
        before = None
        values = result.values
        size = 5 if len(values) <= 60 else 3
        for choice, option in rows:
            if before not in (None, choice):
                place += 0.7
                ax.axhline(place - 0.85, color=FAINT, linewidth=0.5)
            before = choice
            chosen = np.array([u.choices[choice] == option for u in result.universes])
            shown = values[chosen & np.isfinite(values)]
            spread = jitter.uniform(-0.18, 0.18, len(shown))
            ax.plot(shown, place + spread, "o", markersize=size, alpha=0.55, color=COLORS[0],
                    mec="none")  # fmt: skip
            if option in effects[choice].means:
                mean = effects[choice].means[option]
                ax.plot([mean, mean], [place - 0.3, place + 0.3], color=COLORS[1], linewidth=2.4)
            texts.append(f"{choice}: {option}")
            at.append(place)
            place += 1.0
        ax.set_yticks(at)
        ax.set_yticklabels(texts)
        ax.set_ylim(place - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        quantity = result.quantity
        ax.set_xlabel(symbol(quantity) if len(quantity) <= 8 else quantity)
    return ax
