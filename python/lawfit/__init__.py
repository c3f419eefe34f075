"""lawfit: fits scaling laws to the optimum, says how uncertain they are, and plans with them."""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from . import _core as _core
from .errors import FitError, FormulaError, InputError, Interrupted, LawfitError
from .fitting import fit
from .law import Law, Parameter, Published, Source, Variable
from .laws import law, laws
from .losses import Absolute, Cauchy, Huber, LogCosh, Quantile, Squared
from .protocols import Protocol, protocol, protocols
from .result import Fit, Starts, load
from .runs import Runs, read
from .starts import Grid

if _TYPE_CHECKING:
    from . import costs, datasets, plots, reduction, selection
    from .batch import fit_many
    from .compat import NotTracedWarning, OptimizeWarning, curve_fit, least_squares
    from .compat.regressor import ScalingLawRegressor
    from .export import export_model
    from .planning.grid import GridResult, grid_search
    from .planning.plan import Plan, plan
    from .reduction import envelope, isoflop
    from .replication import compare_protocol
    from .selection import (
        Backtest,
        Comparison,
        Crossover,
        Gain,
        Multiverse,
        backtest,
        compare,
        compute_equivalent_gain,
        crossover,
        multiverse,
    )
    from .stages import Stage, StagedFit, fit_stages

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
    "NotTracedWarning",
    "OptimizeWarning",
    "Parameter",
    "Plan",
    "Protocol",
    "Published",
    "Quantile",
    "Runs",
    "ScalingLawRegressor",
    "Source",
    "Squared",
    "Stage",
    "StagedFit",
    "Starts",
    "Variable",
    "__version__",
    "backtest",
    "compare",
    "compare_protocol",
    "compute_equivalent_gain",
    "costs",
    "crossover",
    "curve_fit",
    "datasets",
    "envelope",
    "export_model",
    "fit",
    "fit_many",
    "fit_stages",
    "grid_search",
    "isoflop",
    "law",
    "laws",
    "least_squares",
    "load",
    "multiverse",
    "plan",
    "plots",
    "protocol",
    "protocols",
    "read",
    "reduction",
    "selection",
]

if hasattr(_os, "register_at_fork"):
    # The threads of an OpenMP runtime do not survive a fork, and waiting for them would hang.
    _os.register_at_fork(after_in_child=_core.set_serial_only)


# Loaded when first used: most scripts need none of them.
_LATE = {
    "GridResult": "planning.grid",
    "NotTracedWarning": "compat",
    "OptimizeWarning": "compat",
    "Plan": "planning.plan",
    "Stage": "stages",
    "StagedFit": "stages",
    "compare_protocol": "replication",
    "costs": "",
    "curve_fit": "compat",
    "datasets": "",
    "envelope": "reduction",
    "export_model": "export",
    "fit_many": "batch",
    "fit_stages": "stages",
    "grid_search": "planning.grid",
    "isoflop": "reduction",
    "least_squares": "compat",
    "plan": "planning.plan",
    "reduction": "",
    "Backtest": "selection",
    "Comparison": "selection",
    "Crossover": "selection",
    "Gain": "selection",
    "Multiverse": "selection",
    "backtest": "selection",
    "compare": "selection",
    "compute_equivalent_gain": "selection",
    "crossover": "selection",
    "multiverse": "selection",
    "plots": "",
    "selection": "",
    "ScalingLawRegressor": "compat.regressor",  # needs scikit-learn
}


def __getattr__(name: str) -> _Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_LATE[name] or name}")
    value = getattr(module, name) if _LATE[name] else module
    globals()[name] = value
    return value
