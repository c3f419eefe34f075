"""Plots of plans: what the best run looks like along a line of budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .style import COLORS, label, log_axis, styled

if TYPE_CHECKING:
    from ..planning.frontier import Frontier
    from ..planning.uncertainty import PlanDraws

__all__ = ["frontier"]


def frontier(
    result: Frontier, draws: PlanDraws | None = None, *, confidence_level: float = 0.95
) -> NDArray[Any]:
    """Plot every variable of the best plan, and its loss, over budgets.

    Parameters
    ----------
    result : Frontier
        From `Plan.frontier`.
    draws : PlanDraws, optional
        From `Plan.draws` with the same limits: bands of this level.
    confidence_level : float

    Returns
    -------
    ndarray of Axes, shape (variables + 1,)
    """
    along = result.by if result.by in result.table else "cost"
    skipped = {along, "cost"}
    names = [n for n in result.table if n not in skipped and n != "loss"] + ["loss"]
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    with styled() as plt:
        _, axes = plt.subplots(
            rows, columns, figsize=(3.5 * columns, 2.8 * rows), squeeze=False, sharex=True
        )
        for ax in axes.ravel()[len(names) :]:
            ax.axis("off")
        for ax, name in zip(axes.ravel(), names, strict=False):
            values = result.table[name]
            shown = [values]
            if draws is not None and name in draws.values:
                tail = 50.0 * (1.0 - confidence_level)
                low, high = np.nanpercentile(draws.values[name], [tail, 100.0 - tail], axis=0)
                ax.fill_between(draws.limits, low, high, color=COLORS[0], alpha=0.2, linewidth=0)
                shown += [low, high]
            steps = len(np.unique(values[np.isfinite(values)])) <= 6
            ax.plot(result.at, values, "o-" if steps else "-", color=COLORS[0], markersize=3)
            ax.set_ylabel(label(name))
            log_axis(ax, "y", np.concatenate(shown))
            log_axis(ax, "x", result.at)
        for ax in axes[-1]:
            ax.set_xlabel(label(result.by))
    return np.asarray(axes.ravel()[: len(names)])
