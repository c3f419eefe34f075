"""The fit under the names and in the manners of other libraries: SciPy's and scikit-learn's."""

from __future__ import annotations

from .curve_fit import OptimizeWarning, curve_fit
from .least_squares import OptimizeResult, least_squares
from .trace import NotTracedWarning

__all__ = ["NotTracedWarning", "OptimizeResult", "OptimizeWarning", "curve_fit", "least_squares"]
