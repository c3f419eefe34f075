"""The fit under the names and in the manners of other libraries: SciPy's and scikit-learn's."""

from __future__ import annotations

from .curve_fit import OptimizeWarning, curve_fit
from .trace import NotTracedWarning

__all__ = ["NotTracedWarning", "OptimizeWarning", "curve_fit"]
