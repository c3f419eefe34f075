"""Plots of a fit as pictures for a report."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .blocks import Figure

__all__ = ["Sketch", "draw"]

BROAD = 6.5  # inches
LARGEST = 300_000  # bytes of an SVG; a picture of more is smaller as dots


@dataclass(frozen=True)
class Sketch:
    """A figure that is yet to be drawn: a function of `lawfit.plots` to call, and its words."""

    plot: Callable[[], Any]
    alt: str
    caption: str


def draw(sketch: Sketch) -> Figure:
    """Call the function and keep what it drew; no window opens."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from ..plots.style import figure_of, styled

    with styled() as plt, plt.ioff():
        before = set(plt.get_fignums())
        try:
            figure = figure_of(np.ravel(sketch.plot())[0])
            broad = bool(figure.get_figwidth() > BROAD)
            out = io.BytesIO()
            with rc_context({"svg.hashsalt": "lawfit", "svg.fonttype": "path"}):
                _write_svg(figure, out)
            if out.tell() <= LARGEST:
                return Figure(out.getvalue(), "image/svg+xml", sketch.alt, sketch.caption, broad)
            out = io.BytesIO()
            FigureCanvasAgg(figure)
            figure.savefig(out, format="png", dpi=160, metadata={"Software": None})
            return Figure(out.getvalue(), "image/png", sketch.alt, sketch.caption, broad)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)


def _write_svg(figure: Any, out: io.BytesIO) -> None:
    """Write what `savefig` would; that draws twice, the first time for the layout alone."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas = FigureCanvasSVG(figure)
    figure.set_dpi(72)  # the unit of an SVG, in which it is laid out
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    figure.set_dpi(144)  # of parts that are dots
    canvas.print_svg(out, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
