"""How every plot looks: colours that the colour-blind can tell apart, scales, labels, figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..law import Law
from ..typeset import latex_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLORS", "axes_for", "color_scale", "label", "log_axis", "styled", "symbol"]

Floats = NDArray[np.float64]

# Okabe and Ito's palette: told apart with any colour vision, and in grey by their order here.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#F0E442")
ORDERED = "cividis"  # a scale that reads the same with any colour vision
LIGHTEST = 0.88  # of that scale: its end is too pale for a line on white
FAINT = "#8a8a8a"

_SETTINGS: Any = {
    "figure.constrained_layout.use": True,
    "figure.dpi": 120,
    "savefig.dpi": 200,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "svg.hashsalt": "lawfit",
}


@contextmanager
def styled() -> Iterator[Any]:
    """Give matplotlib.pyplot with the settings of these plots, and put the user's own back.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise InputError("plots need matplotlib: pip install 'lawfit[plot]'") from None
    from cycler import cycler

    settings: Any = {**_SETTINGS, "axes.prop_cycle": cycler(color=COLORS)}
    with plt.rc_context(settings):
        yield plt


def axes_for(ax: Axes | None, plt: Any, size: tuple[float, float] = (5.6, 3.8)) -> Axes:
    """Return the axes given, or those of a new figure of `size` inches."""
    if ax is not None:
        return ax
    _, new = plt.subplots(figsize=size)
    return new  # type: ignore[no-any-return]


def layout_of(count: int, most: int = 4) -> tuple[int, int]:
    """Return rows and columns for so many panels, with few places left empty."""
    rows, columns = 1, max(count, 1)
    if count > most:
        columns = min((most, most - 1), key=lambda c: (-count % c, -c))
        rows = -(-count // columns)
    return rows, columns


def panels(
    plt: Any,
    count: int,
    size: tuple[float, float],
    *,
    most: int = 4,
    least_width: float = 0.0,
    **shared: bool,
) -> Any:
    """Return the axes of a new figure of so many panels of `size` inches, shape (rows, columns)."""
    rows, columns = layout_of(count, most)
    figsize = max(size[0] * columns, least_width), size[1] * rows
    _, axes = plt.subplots(rows, columns, figsize=figsize, squeeze=False, **shared)
    for ax in axes.ravel()[count:]:
        ax.axis("off")
    return axes


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes are on."""
    figure = ax.get_figure()
    assert figure is not None
    return figure  # type: ignore[return-value]


def save(figure: Figure, path: str) -> None:
    """Write a figure to a file, without dates: the same picture gives the same file.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with styled():
        try:
            figure.savefig(path, metadata=dates.get(path[-4:].lower()))
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None


def is_wide(values: Floats) -> bool:
    """Tell whether values are read better on a logarithmic scale."""
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() / values.min() > 8.0)


def log_axis(ax: Axes, which: str, values: Floats) -> bool:
    """Make an axis logarithmic if the values call for it; ticks that people read either way."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    if not is_wide(values):
        _short_ticks(axis, values)
        return False
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    log_ticks(axis, float(np.nanmin(values)), float(np.nanmax(values)))
    return True


def log_ticks(axis: Any, low: float, high: float) -> None:
    """Label at least three ticks of a logarithmic axis, and not so many that they touch."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    decades = math.log10(high / low)
    if decades < 2.2:  # less than three powers of ten would be labelled
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 1.5 else (1.0, 3.0)))
    elif decades > 6.0:  # labels as wide as 1e-12 side by side
        axis.set_major_locator(LogLocator(numticks=7))
    axis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
    if decades > 4.0:  # nine ticks in each of many decades are a grey line, and slow
        axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _short_ticks(axis: Any, values: Floats) -> None:
    """Write 1M and 2M on a linear axis, in place of 1 and 2 with a factor at its end."""
    from matplotlib.ticker import FuncFormatter

    values = values[np.isfinite(values)]
    size = np.abs(values).max(initial=0.0)
    apart = np.ptp(values) > 0.03 * size if values.size else False  # three digits tell them apart
    if apart and not 1e-3 <= size < 1e4:
        axis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))


def short(value: float) -> str:
    """Return a number as people write it on an axis: 70M, 1.4T, 3e20, 0.25."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e3 <= abs(value) < 1e15:
        for power, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= power * 0.9995:
                return f"{value / power:.3g}{letter}"
    return f"{value:.3g}".replace("e+", "e").replace("e0", "e").replace("e-0", "e-")


def symbol(name: str) -> str:
    """Return a name set as mathematics, for matplotlib."""
    return f"${latex_name(name)}$"


def label(name: str, law: Law | None = None) -> str:
    """Return the label of an axis: the name, and its unit where the law declares one."""
    unit = ""
    for variable in (law.declared_variables if law else None) or ():
        if variable.name == name:
            unit = variable.unit
    shown = symbol(name) if len(name) <= 8 else name.replace("_", " ")
    return f"{shown}  ({unit})" if unit else shown


def color_scale(values: Sequence[float] | Floats) -> tuple[Any, Any]:
    """Return a matplotlib norm and colour map for an ordered quantity."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    array = np.asarray(values, dtype=float)
    low, high = float(np.min(array)), float(np.max(array))
    if low == high:
        low, high = (low / 2, high * 2) if low > 0 else (low - 1, high + 1)
    norm = LogNorm(low, high) if is_wide(array) else Normalize(low, high)
    seen = mpl.colormaps[ORDERED](np.linspace(0.0, LIGHTEST, 256))
    return norm, ListedColormap(seen)


def color_bar(ax: Axes, norm: Any, colors: Any, text: str) -> None:
    """Put a colour bar with short numbers beside the axes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter

    bar = figure_of(ax).colorbar(ScalarMappable(norm, colors), ax=ax, label=text, aspect=30)
    bar.outline.set_visible(False)
    if isinstance(norm, LogNorm):
        assert norm.vmin is not None and norm.vmax is not None  # noqa: PT018
        log_ticks(bar.ax.yaxis, norm.vmin, norm.vmax)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
