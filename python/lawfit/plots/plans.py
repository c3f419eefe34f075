"""Plots of plans: the best run along a line of budgets, and what other choices cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .style import COLORS, axes_for, color_scale, label, log_axis, panels, short, styled, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..planning.frontier import Frontier
    from ..planning.uncertainty import PlanDraws

__all__ = ["choices", "frontier"]


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
    listed = {n for n in result.table if n not in ("loss", "cost") and _listed(result, n)}
    names = [n for n in result.table if n not in skipped and n != "loss"] + ["loss"]
    with styled() as plt:
        axes = panels(plt, len(names), (3.5, 2.8), most=3, sharex=True)
        for ax, name in zip(axes.ravel(), names, strict=False):
            values = result.table[name]
            shown = [values]
            if draws is not None and name in draws.values:
                tail = 50.0 * (1.0 - confidence_level)
                low, high = np.nanpercentile(draws.values[name], [tail, 100.0 - tail], axis=0)
                ax.fill_between(draws.limits, low, high, color=COLORS[0], alpha=0.2, linewidth=0)
                shown += [low, high]
            steps = name in listed
            ax.plot(result.at, values, "o-" if steps else "-", color=COLORS[0], markersize=3)
            ax.set_ylabel(label(name))
            if name in listed:  # only these values can be taken
                taken = np.unique(np.concatenate(shown))
                ax.set_yticks(taken, [short(v) for v in taken])
            else:
                log_axis(ax, "y", np.concatenate(shown))
            log_axis(ax, "x", result.at)
        for k, ax in enumerate(axes.ravel()[: len(names)]):
            if k + axes.shape[1] >= len(names):  # nothing below
                ax.set_xlabel(label(result.by))
                ax.tick_params(axis="x", labelbottom=True)
    return np.asarray(axes.ravel()[: len(names)])


def choices(result: Frontier, name: str, *, ax: Axes | None = None) -> Axes:
    """Plot what each listed value costs against the best one, over budgets: a precision frontier.

    Parameters
    ----------
    result : Frontier
        From `Plan.frontier` of a plan with a list: ``over={"P_w": [2, 3, 4, 8, 16]}``.
    name : str
        The listed variable.
    ax : Axes, optional

    Returns
    -------
    Axes
        For each value the loss of its best plan above the best of all, in percent; cost, where the
        line is over targets. The value whose curve is at zero is the one to take.

    Raises
    ------
    InputError
        If `name` is not a listed variable of the plan.
    """
    what = "loss" if result.by != "target" else "cost"
    values = _listed(result, name)
    if len(values) < 2:
        raise InputError(f"{name!r} is not a variable with listed values in this frontier")
    table = np.full((len(values), len(result.at)), np.nan)
    for k, rows in enumerate(result.tables):
        for v, value in zip(rows[name], rows[what], strict=True):
            i = values.index(float(v))
            table[i, k] = np.fmin(table[i, k], value)
    best = np.fmin.reduce(table, axis=0)
    with styled() as plt:
        ax = axes_for(ax, plt)
        norm, colors = color_scale(values)
        above = 100.0 * (table / best - 1.0)
        # Differences near the best decide; what is far off may leave the picture.
        high = float(np.nanquantile(above, 0.8))
        top = 1.15 * high if high > 0.0 else 1.0
        for k, (value, row) in enumerate(zip(values, above, strict=True)):
            few = len(values) <= len(COLORS)
            color = COLORS[k] if few else colors(norm(value))
            outside = " (above)" if np.nanmin(row) > top else ""
            ax.plot(result.at, row, color=color, label=short(value) + outside)
        log_axis(ax, "x", result.at)
        ax.set_ylim(-0.03 * high, top)
        ax.set_xlabel(label(result.by))
        ax.set_ylabel(f"{what} above the best  (%)")
        ax.legend(title=symbol(name) if len(name) <= 8 else name, ncols=2)
    return ax


def _listed(result: Frontier, name: str) -> list[float]:
    """Return the values of a variable that takes those of a list; none of one that moves freely."""
    values = sorted({float(v) for t in result.tables for v in t.get(name, ())})
    return values if len(values) <= max(len(t.get(name, ())) for t in result.tables) else []
