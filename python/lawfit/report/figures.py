"""Plots of a fit as pictures for a report."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import Figure

__all__ = ["draw", "require_matplotlib"]

LARGEST = 300_000  # bytes of an SVG; a picture of more is smaller as dots


def require_matplotlib() -> None:
    """Raise the InputError that plots raise without matplotlib."""
    from ..plots.style import styled

    with styled():
        pass


def draw(plot: Callable[[], Any], alt: str, caption: str) -> Figure:
    """Call a function of `lawfit.plots` and keep what it drew; no window opens.

    Parameters
    ----------
    plot : callable
        Returns axes, or an array of them.
    alt, caption : str
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from ..plots.style import figure_of, styled

    with styled() as plt, plt.ioff():
        before = set(plt.get_fignums())
        try:
            figure = figure_of(np.ravel(plot())[0])
            FigureCanvasAgg(figure)
            out = io.BytesIO()
            with rc_context({"svg.hashsalt": "lawfit", "svg.fonttype": "path"}):
                figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
            if out.tell() <= LARGEST:
                return Figure(out.getvalue(), "image/svg+xml", alt, caption)
            out = io.BytesIO()
            figure.savefig(out, format="png", dpi=160, metadata={"Software": None})
            return Figure(out.getvalue(), "image/png", alt, caption)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
