"""Plots of a fit: against its runs, its residuals, its loss over N and D, and its starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..result import Fit
from ..runs import Runs, read
from .style import (
    COLORS,
    FAINT,
    axes_for,
    color_bar,
    color_scale,
    is_wide,
    label,
    log_axis,
    log_ticks,
    short,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["against_runs", "loss_contours", "residuals", "starts"]

Floats = NDArray[np.float64]

MOST_CURVES = 12  # of different colours: more cannot be told apart
MOST_BANDS = 4  # beyond which bands cover each other, and the first, middle and last have one
MOST_SHADES = 30  # curves along a colour scale
FIRST_CHOICE = ("D", "C", "N")  # for the horizontal axis, among variables with as many values


def against_runs(
    fit: Fit,
    runs: Any = None,
    *,
    x: str | None = None,
    interval: float | None = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Plot the law through its runs.

    One curve for each combination of the other variables, with a band where a new run is expected
    (the first, the middle and the last of them, where there are more than four).
    Where there are more than twelve combinations (thirty values of one other variable), measured
    values are plotted against predicted ones instead.

    Parameters
    ----------
    fit : Fit
    runs : mapping of arrays, DataFrame or path, optional
        Default: the fitted runs. A fit that was read from a file needs them.
    x : str, optional
        The variable on the horizontal axis. Default: that with the most values.
    interval : float or None
        Confidence level of the band, None for no band. Fits read from a file have none.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the runs or matplotlib are missing, or `x` is not a variable of the law.
    """
    table = runs_of(fit, runs)
    numbers, others, x = _axis(fit, table, x)
    with styled() as plt:
        ax = axes_for(ax, plt)
        combinations, index = _combinations(table, others)
        shades = len(others) == 1 and not isinstance(combinations[0][0], str)
        if len(combinations) > (MOST_SHADES if shades else MOST_CURVES):
            return _measured_against_predicted(fit, table, ax)
        along = numbers[x]
        low, high = along.min(), along.max()
        grid = np.geomspace(low, high, 120) if low > 0 else np.linspace(low, high, 120)
        norm, colors, by = None, None, None
        if others and len(combinations) > 1:
            by = max(others, key=lambda n: len({c[others.index(n)] for c in combinations}))
            values = [c[others.index(by)] for c in combinations]
            if not isinstance(values[0], str):
                norm, colors = color_scale([float(v) for v in values])
        count = len(combinations)
        banded = set(range(count)) if count <= MOST_BANDS else {0, count // 2, count - 1}
        for k, combination in enumerate(combinations):
            columns = {n: np.full(grid.shape, v) for n, v in zip(others, combination, strict=True)}
            color = COLORS[k % len(COLORS)]
            text = None
            if by is not None and norm is not None and colors is not None:
                color = colors(norm(float(combination[others.index(by)])))
            elif len(combinations) > 1:
                text = ", ".join(
                    f"{n} = {_text(v)}" for n, v in zip(others, combination, strict=True)
                )
            _curve(ax, fit, {**columns, x: grid}, grid, color, interval if k in banded else None)
            rows = index == k
            ax.plot(along[rows], table.numbers(fit.target)[rows], "o", color=color, mec="white",
                    mew=0.4, label=text, zorder=3)  # fmt: skip
        log_axis(ax, "x", along)
        log_axis(ax, "y", table.numbers(fit.target))
        ax.set_xlabel(label(x, fit.law))
        ax.set_ylabel(fit.target)
        if norm is not None and by is not None:
            color_bar(ax, norm, colors, label(by, fit.law))
        elif len(combinations) > 1:
            ax.legend(fontsize=8)
    return ax


def residuals(fit: Fit, runs: Any = None) -> NDArray[Any]:
    """Plot what the law leaves unexplained against each of its variables.

    Parameters
    ----------
    fit : Fit
    runs : mapping of arrays, DataFrame or path, optional
        Default: the fitted runs.

    Returns
    -------
    ndarray of Axes, shape (variables,)
        Target minus prediction, in percent of the prediction unless residuals are linear. The line
        is the median of a ninth of the runs at a time: it should stay near zero.
    """
    table = runs_of(fit, runs)
    y, predicted = table.numbers(fit.target), fit.predict(table)
    relative = fit.residual != "linear"
    left = 100.0 * (y / predicted - 1.0) if relative else y - predicted
    names = [v for v in fit.law.variables_in(table) if len(set(table.numbers(v))) > 1]
    with styled() as plt:
        figure, axes = plt.subplots(
            1, len(names), figsize=(max(3.4 * len(names), 4.0), 3.2), sharey=True, squeeze=False
        )
        for ax, name in zip(axes[0], names, strict=True):
            values = table.numbers(name)
            ax.axhline(0.0, color="black", linewidth=0.8)
            ax.plot(values, left, "o", color=COLORS[0], alpha=0.6, mec="none", markersize=4)
            at, middle = _running_median(values, left)
            if len(at) > 2:
                ax.plot(at, middle, color=COLORS[1], linewidth=2)
            log_axis(ax, "x", values)
            ax.set_xlabel(label(name, fit.law))
        axes[0, 0].set_ylabel(
            "measured over predicted  (%)" if relative else "measured - predicted"
        )
        figure.align_labels()
    return np.asarray(axes[0])


def loss_contours(
    fit: Fit, runs: Any = None, *, reach: float = 30.0, cost: str = "6*N*D", ax: Axes | None = None
) -> Axes:
    """Plot predicted loss over N and D, lines of equal cost, and the best N and D for each cost.

    Parameters
    ----------
    fit : Fit
        Of a law of N and D alone.
    runs : mapping of arrays, DataFrame or path, optional
        Default: the fitted runs.
    reach : float
        Factor by which the plot goes beyond the largest N and D.
    cost : str
        Formula of N and D.
    ax : Axes, optional

    Raises
    ------
    InputError
        If the law has other variables.
    """
    from ..compiler import evaluate_columns
    from ..planning.plan import plan

    table = runs_of(fit, runs)
    variables = fit.law.variables_in(table)
    if set(variables) != {"N", "D"} or fit.law.groups:
        raise InputError(f"loss_contours needs a law of N and D alone; {fit.law} has {variables}")
    n, d = table.numbers("N"), table.numbers("D")
    sides = [np.geomspace(v.min() / 1.5, v.max() * reach, 120) for v in (n, d)]
    grid_n, grid_d = np.meshgrid(*sides)
    flat = {"N": grid_n.ravel(), "D": grid_d.ravel()}
    loss = fit.predict(flat).reshape(grid_n.shape)
    spent = evaluate_columns(cost, flat).reshape(grid_n.shape)
    with styled() as plt:
        from matplotlib.patheffects import withStroke

        ax = axes_for(ax, plt, (5.8, 4.4))
        log_axis(ax, "x", sides[0])
        log_axis(ax, "y", sides[1])
        levels = np.quantile(loss, np.linspace(0.02, 0.9, 13))
        shades = ax.contourf(grid_n, grid_d, loss, levels=levels, cmap="cividis_r", extend="both")
        lines = ax.contour(
            grid_n, grid_d, loss, levels=levels[1:-1:2], colors="white", linewidths=0.7
        )
        texts = ax.clabel(lines, fmt=lambda v: f"{v:.3g}", fontsize=8, colors="black")
        for text in texts:  # readable on every shade
            text.set_path_effects([withStroke(linewidth=2.0, foreground="white")])
            at = ax.transAxes.inverted().transform(ax.transData.transform(text.get_position()))
            inside = at.min() > 0.07 and at.max() < 0.93  # not cut by the edge
            text.set_visible(bool(inside and (at[0] < 0.55 or at[1] > 0.18)))  # nor by the legend
        powers = 10.0 ** np.arange(np.ceil(np.log10(spent.min())), np.log10(spent.max()))
        ax.contour(grid_n, grid_d, np.log10(spent), levels=np.log10(powers[::2]), colors="black",
                   linewidths=0.5, linestyles=":")  # fmt: skip
        budgets = np.geomspace(spent.min() * 4, spent.max() / 4, 25)
        over = {"N": (sides[0][0], sides[0][-1]), "D": (sides[1][0], sides[1][-1])}
        best = plan(fit, budget=float(budgets[-1]), cost=cost, over=over).frontier(budgets).table
        inside = (best["N"] < over["N"][1] * 0.98) & (best["D"] < over["D"][1] * 0.98)
        inside &= (best["N"] > over["N"][0] * 1.02) & (best["D"] > over["D"][0] * 1.02)
        ax.plot(best["N"][inside], best["D"][inside], color=COLORS[1], linewidth=2.2,
                label="least loss for its cost")  # fmt: skip
        ax.plot(n, d, "o", color="white", mec="black", mew=0.6, markersize=3.5, label="runs")
        ax.grid(visible=False)
        ax.set_xlabel(label("N", fit.law))
        ax.set_ylabel(label("D", fit.law))
        legend = ax.legend(loc="lower right", frameon=True, framealpha=0.9)
        legend.get_frame().set_linewidth(0)
        ax.figure.colorbar(shades, ax=ax, label=f"predicted {fit.target}", aspect=30,
                           format="%.3g")  # fmt: skip
        ax.set_title(f"dotted: {cost.replace('*', ' ')} = powers of 100", fontsize=9, loc="left")
    return ax


def starts(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Plot the minima that starts ended in, by how far they lie above the best.

    Parameters
    ----------
    fit : Fit
    ax : Axes, optional
    """
    found = fit.starts.table
    with styled() as plt:
        ax = axes_for(ax, plt, (5.6, 3.2))
        best = found[0][0] if found else 0.0
        size = max(abs(best), 1e-300)
        above = np.array([(value - best) / size for value, _ in found])
        counts = np.array([count for _, count in found], dtype=float)
        place = np.arange(len(found))
        colors = [COLORS[0]] + [FAINT] * (len(found) - 1)
        ax.bar(place, counts, color=colors[: len(found)], width=0.7)
        ax.set_yscale("log")
        highest = max(counts.max(initial=1.0) * 2.5, 10)
        ax.set_ylim(0.7, highest)
        log_ticks(ax.yaxis, 0.7, highest)
        ax.set_ylabel("starts that ended here")
        ax.set_xticks(place)
        texts = ["best"] + [_excess(a) for a in above[1:]]
        ax.set_xticklabels(texts[: len(found)], rotation=45 if len(found) > 6 else 0, fontsize=8)
        ax.set_xlabel("objective above the best minimum")
        for at, count in zip(place, counts, strict=True):
            ax.annotate(f"{count:.0f}", (at, count), ha="center", va="bottom", fontsize=8)
        s = fit.starts
        ax.set_title(f"{s.hits} of {s.counted} reached the best minimum found", loc="left")
        ax.grid(visible=False, axis="x")
        if len(found) < 4:
            ax.set_xlim(-1.5, max(len(found), 1) + 0.5)
    return ax


# --- shared ---------------------------------------------------------------------------------------


def runs_of(fit: Fit, runs: Any) -> Runs:
    """Return the runs given, or those of the fit."""
    if runs is not None:
        return runs if isinstance(runs, Runs) else read(runs)
    if fit._problem is None:
        raise InputError("this fit was read from a file, which does not hold the runs; give runs=")
    return fit._problem.runs


def _axis(fit: Fit, table: Runs, x: str | None) -> tuple[dict[str, Floats], list[str], str]:
    """Return the numeric variables, the other columns that vary or are groups, and the axis."""
    numbers = {v: table.numbers(v) for v in fit.law.variables_in(table)}
    if x is None:
        most = {v: len(np.unique(c)) for v, c in numbers.items()}
        x = max(
            numbers,
            key=lambda v: (most[v], -FIRST_CHOICE.index(v) if v in FIRST_CHOICE else -9),
        )
    elif x not in numbers:
        raise InputError(f"x = {x!r} is not a variable of {fit.law}; variables: {list(numbers)}")
    others = [v for v in numbers if v != x] + list(dict.fromkeys(fit.law.groups.values()))
    return numbers, others, x


def _combinations(table: Runs, others: list[str]) -> tuple[list[tuple[Any, ...]], NDArray[Any]]:
    """Return the distinct values of other columns together, and which of them each row has."""
    if not others:
        return [()], np.zeros(table.n, dtype=int)
    rounded = []
    for name in others:
        column = table[name]
        if column.dtype.kind == "f":  # sizes that differ in the third digit are one size
            column = np.array([float(f"{v:.2g}") for v in column])
        rounded.append(column.tolist())
    keys = list(zip(*rounded, strict=True))
    order = {key: k for k, key in enumerate(sorted(set(keys)))}
    index = np.array([order[key] for key in keys])
    exact = []
    for k in range(len(order)):
        rows = np.flatnonzero(index == k)
        values = [table[n][rows] for n in others]
        exact.append(
            tuple(float(np.median(v)) if v.dtype.kind == "f" else v[0].item() for v in values)
        )
    return exact, index


def _curve(
    ax: Axes, fit: Fit, columns: Any, grid: Floats, color: Any, interval: float | None
) -> None:
    if interval is not None and fit._problem is not None:
        band = fit.predict(columns, interval=interval)
        ax.plot(grid, band.value, color=color)
        ax.fill_between(grid, band.low, band.high, color=color, alpha=0.15, linewidth=0)
    else:
        ax.plot(grid, fit.predict(columns), color=color)


def _measured_against_predicted(fit: Fit, table: Runs, ax: Axes) -> Axes:
    y, predicted = table.numbers(fit.target), fit.predict(table)
    both = np.concatenate([y, predicted])
    ends = [both.min(), both.max()]
    ax.plot(ends, ends, color="black", linewidth=0.8, zorder=1)
    variables = [v for v in fit.law.variables_in(table) if is_wide(table.numbers(v))]
    by = next((v for v in ("N", *variables) if v in variables), None)
    if by is None:
        ax.plot(predicted, y, "o", color=COLORS[0], alpha=0.7, mec="none")
    else:
        norm, colors = color_scale(table.numbers(by))
        ax.scatter(predicted, y, c=colors(norm(table.numbers(by))), s=16, linewidth=0, zorder=2)
        color_bar(ax, norm, colors, label(by, fit.law))
    log_axis(ax, "x", both)
    log_axis(ax, "y", both)
    ax.set_xlabel(f"predicted {fit.target}")
    ax.set_ylabel(f"measured {fit.target}")
    return ax


def _running_median(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    width = max(len(x) // 9, 3)
    middles = range(0, len(x) - width + 1, max(width // 2, 1))
    at = np.array([np.median(x[i : i + width]) for i in middles])
    middle = np.array([np.median(y[i : i + width]) for i in middles])
    at, first = np.unique(at, return_index=True)
    return at, middle[first]


def _excess(above: float) -> str:
    """Return how far an objective lies above the best: in percent, or how many times as high."""
    return f"+{100 * above:.2g} %" if above < 0.995 else f"×{short(1 + above)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else short(float(value))
