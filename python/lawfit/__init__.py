"""lawfit: fits scaling laws to the optimum, says how uncertain they are, and plans with them."""

from __future__ import annotations

import os as _os

from . import _core as _core
from . import costs, datasets, reduction
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
from .stages import Stage, StagedFit, fit_stages
from .starts import Grid

__version__: str = _core.info()["version"]

__all__ = [
    "Absolute",
    "Cauchy",
    "Fit",
    "FitError",
    "FormulaError",
    "Grid",
    "GridResult",
    "Huber",
    "InputError",
    "Interrupted",
    "Law",
    "LawfitError",
    "LogCosh",
    "Parameter",
    "Protocol",
    "Published",
    "Quantile",
    "Runs",
    "Source",
    "Squared",
    "Stage",
    "StagedFit",
    "Starts",
    "Variable",
    "__version__",
    "costs",
    "datasets",
    "envelope",
    "fit",
    "fit_stages",
    "grid_search",
    "isoflop",
    "law",
    "laws",
    "load",
    "protocol",
    "protocols",
    "read",
    "reduction",
]

if hasattr(_os, "register_at_fork"):
    # The threads of an OpenMP runtime do not survive a fork, and waiting for them would hang.
    _os.register_at_fork(after_in_child=_core.set_serial_only)
