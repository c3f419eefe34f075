"""lawfit: fits scaling laws to the optimum, says how uncertain they are, and plans with them."""

from __future__ import annotations

import os as _os

from . import _core as _core
from . import costs, datasets, reduction, selection
from .errors import FitError, FormulaError, InputError, Interrupted, LawfitError
from .fitting import fit
from .law import Law, Parameter, Published, Source, Variable
from .laws import law, laws
from .losses import Absolute, Cauchy, Huber, LogCosh, Quantile, Squared
from .planning.grid import GridResult, grid_search
from .protocols import Protocol, protocol, protocols
from .reduction import envelope, isoflop
from .result import Fit, Starts, load
from .runs import Runs, read
from .selection.backtest import Backtest, backtest
from .selection.compare import Comparison, compare
from .selection.crossover import Crossover, Gain, compute_equivalent_gain, crossover
from .selection.multiverse import Multiverse, multiverse
from .starts import Grid

__version__: str = _core.info()["version"]

__all__ = [
    "Absolute",
    "Backtest",
    "Cauchy",
    "Comparison",
    "Crossover",
    "Fit",
    "FitError",
    "FormulaError",
    "Gain",
    "Grid",
    "GridResult",
    "Huber",
    "InputError",
    "Interrupted",
    "Law",
    "LawfitError",
    "LogCosh",
    "Multiverse",
    "Parameter",
    "Protocol",
    "Published",
    "Quantile",
    "Runs",
    "Source",
    "Squared",
    "Starts",
    "Variable",
    "__version__",
    "backtest",
    "compare",
    "compute_equivalent_gain",
    "costs",
    "crossover",
    "datasets",
    "envelope",
    "fit",
    "grid_search",
    "isoflop",
    "law",
    "laws",
    "load",
    "multiverse",
    "protocol",
    "protocols",
    "read",
    "reduction",
    "selection",
]

if hasattr(_os, "register_at_fork"):
    # The threads of an OpenMP runtime do not survive a fork, and waiting for them would hang.
    _os.register_at_fork(after_in_child=_core.set_serial_only)
