"""Plots with matplotlib: each a function that returns axes, for screens, papers and reports."""

from .fits import against_runs, loss_contours, residuals, starts
from .plans import choices, frontier
from .reductions import envelope, isoflop
from .selections import backtest, multiverse
from .uncertainties import contours, draws, profiles

__all__ = [
    "against_runs",
    "backtest",
    "choices",
    "contours",
    "draws",
    "envelope",
    "frontier",
    "isoflop",
    "loss_contours",
    "multiverse",
    "profiles",
    "residuals",
    "starts",
]
