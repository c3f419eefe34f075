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
            FigureCanvasAgg(figure)
            broad = bool(figure.get_figwidth() > BROAD)
            out = io.BytesIO()
            with rc_context({"svg.hashsalt": "lawfit", "svg.fonttype": "path"}):
                figure.savefig(out, format="svg", dpi=144, metadata={"Date": None, "Creator": None})
            if out.tell() <= LARGEST:
                return Figure(out.getvalue(), "image/svg+xml", sketch.alt, sketch.caption, broad)
            out = io.BytesIO()
            figure.savefig(out, format="png", dpi=160, metadata={"Software": None})
            return Figure(out.getvalue(), "image/png", sketch.alt, sketch.caption, broad)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
