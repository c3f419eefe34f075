"""Plots of uncertainty: bootstrap draws in pairs, profiles, and contours of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..tables import named
from ..uncertainty.contour import contours as regions_of
from .style import COLORS, FAINT, is_wide, log_axis, panels, styled, symbol

if TYPE_CHECKING:
    from ..result import Fit
    from ..uncertainty.bootstrap import Bootstrap
    from ..uncertainty.profile import Profile

__all__ = ["contours", "draws", "profiles"]

Floats = NDArray[np.float64]

MOST_SHOWN = 1500  # draws in each panel: more only make it darker
MOST_PARAMETERS = 8


def draws(
    boot: Bootstrap,
    quantities: Sequence[str] | None = None,
    *,
    estimate: Mapping[str, float] | None = None,
    confidence_level: float = 0.95,
) -> NDArray[Any]:
    """Plot bootstrap draws in pairs, with the distribution of each on the diagonal.

    Parameters
    ----------
    boot : Bootstrap
    quantities : sequence of str, optional
        Parameters or formulas over them, at most eight. Default: the first eight that vary.
    estimate : mapping of str to float, optional
        Values to mark, by quantity.
    confidence_level : float
        Of the interval shaded on the diagonal.

    Returns
    -------
    ndarray of Axes, shape (k, k)
        None above the diagonal.

    Raises
    ------
    InputError
        If more than eight quantities are asked for, or none varies.
    """
    if quantities is None:
        quantities = [n for n, v in boot.draws.items() if np.ptp(v) > 0][:MOST_PARAMETERS]
    if not 1 <= len(quantities) <= MOST_PARAMETERS:
        raise InputError(f"draws shows 1 to {MOST_PARAMETERS} quantities, not {named(quantities)}")
    values = {name: boot.of(name) for name in quantities}
    step = max(1, len(boot) // MOST_SHOWN)
    alpha = float(np.clip(300.0 / len(boot), 0.25, 0.7))
    k = len(quantities)
    with styled() as plt:
        size = min(max(1.7 * k, 3.2), 11.0)
        figure = plt.figure(figsize=(size, size))
        grid = figure.add_gridspec(k, k)
        axes = np.full((k, k), None, dtype=object)
        for i, below in enumerate(quantities):
            for j, across in enumerate(quantities[: i + 1]):
                ax = axes[i, j] = figure.add_subplot(grid[i, j])
                ax.grid(visible=False)
                ax.tick_params(labelsize=7.5, length=2)
                ax.locator_params(nbins=3)
                if i == j:
                    _histogram(ax, boot, across, values[across], estimate, confidence_level)
                else:
                    ax.plot(values[across][::step], values[below][::step], "o", markersize=1.6,
                            alpha=alpha, color=COLORS[0], mec="none", rasterized=True)  # fmt: skip
                    if estimate and across in estimate and below in estimate:
                        ax.plot(estimate[across], estimate[below], "+", color=COLORS[1],
                                markersize=9, mew=1.8)  # fmt: skip
                log_axis(ax, "x", values[across])
                if i != j:
                    log_axis(ax, "y", values[below])
                _outer(ax, i, j, k, below, across)
        figure.align_xlabels(axes[-1])
        figure.align_ylabels(axes[1:, 0])
    return axes


def profiles(found: Mapping[str, Profile], *, confidence_level: float = 0.95) -> NDArray[Any]:
    """Plot profiles: how much worse the best fit gets as one parameter is held elsewhere.

    Parameters
    ----------
    found : mapping of str to Profile
        From `Fit.profiles`.
    confidence_level : float
        Of the line; where a profile crosses it, its interval ends.

    Returns
    -------
    ndarray of Axes, shape (parameters,)
    """
    names = list(found)
    with styled() as plt:
        axes = panels(plt, len(names), (2.9, 2.5), sharey=True)
        for ax, name in zip(axes.ravel(), names, strict=False):
            profile = found[name]
            low, high = profile.interval(confidence_level)
            ends = np.array([v for v in (low, high) if np.isfinite(v)])
            level = max(
                (float(np.interp(v, profile.values, profile.root**2)) for v in ends), default=4.0
            )
            ax.axhline(level, color=FAINT, linewidth=0.8, linestyle="--")
            ax.plot(profile.values, profile.root**2, color=COLORS[0])
            ax.plot(profile.estimate, 0.0, "o", color=COLORS[1], zorder=3)
            for end in ends:
                ax.axvline(end, color=COLORS[1], linewidth=0.9, linestyle=":")
            ax.set_ylim(-0.04 * level, 2.0 * level)
            inside = profile.root**2 <= 2.0 * level
            if inside.any():
                ax.set_xlim(profile.values[inside].min(), profile.values[inside].max())
            if not log_axis(ax, "x", profile.values[inside]):
                ax.locator_params(axis="x", nbins=4)
            side = {(True, False): "  (open below)", (False, True): "  (open above)",
                    (True, True): "  (open)"}.get(profile.open, "")  # fmt: skip
            ax.set_xlabel((symbol(name) if len(name) <= 12 else name) + side)
        for ax in axes[:, 0]:
            ax.set_ylabel("twice the rise / dispersion", fontsize=9)
    return np.asarray(axes.ravel()[: len(names)])


def contours(
    fit: Fit,
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    confidence_levels: Sequence[float] = (0.68, 0.95),
    points: int = 40,
) -> NDArray[Any]:
    """Plot joint confidence regions of pairs of parameters, all others refitted.

    Parameters
    ----------
    fit : Fit
    pairs : sequence of (str, str), optional
        Default: the up to four pairs with the strongest correlation.
    confidence_levels : sequence of float
        Of both parameters together.
    points : int
        Of each contour.

    Returns
    -------
    ndarray of Axes, shape (pairs,)
        A region that the data leave open is drawn as far as it goes.

    Raises
    ------
    InputError
        If a name is not a fitted parameter, or there are fewer than two.
    """
    if pairs is None:
        pairs = _strongest(fit)
    each = regions_of(fit, pairs, sorted(confidence_levels, reverse=True), points=points)
    with styled() as plt:
        axes = panels(plt, len(pairs), (3.0, 2.8), least_width=3.6)
        for ax, (first, second), regions in zip(axes.ravel(), pairs, each, strict=False):
            for k, found in enumerate(regions):
                line = found.points[np.isfinite(found.points).all(axis=1)]
                if found.closed:
                    line = np.vstack([line, line[:1]])
                    ax.fill(line[:, 0], line[:, 1], color=COLORS[0], alpha=0.15, linewidth=0)
                ax.plot(line[:, 0], line[:, 1], color=COLORS[0], linestyle="--" if k else "-",
                        label=f"{found.confidence_level:.0%}")  # fmt: skip
            ax.plot(fit.params[first], fit.params[second], "+", color=COLORS[1], markersize=9,
                    mew=1.8)  # fmt: skip
            for which in "xy":
                values = np.concatenate([text.get_data()[which == "y"] for text in ax.get_lines()])
                if not log_axis(ax, which, values):
                    ax.locator_params(axis=which, nbins=4)
            ax.set_xlabel(symbol(first) if len(first) <= 12 else first)
            ax.set_ylabel(symbol(second) if len(second) <= 12 else second)
        axes[0, 0].legend(fontsize=8)
    return np.asarray(axes.ravel()[: len(pairs)])


def _strongest(fit: Fit) -> list[tuple[str, str]]:
    """Return up to four pairs of fitted parameters, the most correlated first."""
    names = [n for n in fit.free if n not in fit.at_bound]
    if len(names) < 2:
        raise InputError(f"contours need two fitted parameters; fitted: {named(fit.free)}")
    found = fit.covariance()
    correlation = found.correlation
    at = {n: k for k, n in enumerate(found.names)}
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if a in at and b in at]
    return sorted(pairs, key=lambda p: -abs(float(correlation[at[p[0]], at[p[1]]])))[:4]


def _histogram(
    ax: Any,
    boot: Bootstrap,
    name: str,
    values: Floats,
    estimate: Mapping[str, float] | None,
    confidence_level: float,
) -> None:
    low, high = boot.interval(values, confidence_level)
    bins = np.geomspace(values.min(), values.max(), 31) if is_wide(values) else 30
    counts, edges, bars = ax.hist(values, bins=bins, color="#c9d6e4", linewidth=0)
    for left, right, bar in zip(edges, edges[1:], bars, strict=False):
        if left >= low and right <= high:
            bar.set_facecolor(COLORS[0])
    if estimate and name in estimate:
        ax.axvline(estimate[name], color=COLORS[1], linewidth=1.3)
    ax.set_ylim(0, counts.max() * 1.15)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _outer(ax: Any, i: int, j: int, k: int, below: str, across: str) -> None:
    shown = [symbol(n) if len(n) <= 10 and n.isidentifier() else n for n in (below, across)]
    if i == k - 1:
        ax.set_xlabel(shown[1], fontsize=9)
        ax.tick_params(axis="x", rotation=35)
    else:
        ax.tick_params(axis="x", labelbottom=False, which="both")
    if j == 0 and i > 0:
        ax.set_ylabel(shown[0], fontsize=9)
    elif i != j:
        ax.tick_params(axis="y", labelleft=False, which="both")
