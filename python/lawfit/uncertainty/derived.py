"""Quantities derived from parameters: values, derivatives, and their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .contributions import problem_of
from .covariance import covariance
from .profile import profile
from .quantiles import two_sided
from .quantity import Quantity, What, standard_error

if TYPE_CHECKING:
    from ..result import Fit

__all__ = ["Derived", "derived"]


@dataclass(frozen=True)
class Derived:
    """A quantity computed from the parameters, and how uncertain it is.

    Attributes
    ----------
    name : str
        Its formula, or the name of its function.
    value, standard_error, low, high : float
    gradient : dict of str to float
        Derivative by each fitted parameter; of a scale factor, by its logarithm.
    method : str
    confidence_level : float
    """

    name: str
    value: float
    standard_error: float
    low: float
    high: float
    gradient: dict[str, float]
    method: str
    confidence_level: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.low, self.high


def derived(
    fit: Fit,
    what: What,
    confidence_level: float = 0.95,
    *,
    method: Any = "delta",
    kind: str = "sandwich",
    by: Any = None,
    log: bool = False,
) -> Derived:
    """Return a derived quantity with its standard error and interval.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit`.
    what : str or callable
        A formula over parameters, like ``"beta / (alpha + beta)"``, or a function of the mapping
        of parameter names to numbers that returns one number. Derivatives of a formula are exact,
        those of a function are central differences of fourth order.
    confidence_level : float
    method : {"delta", "profile"} or Bootstrap
        "delta": the quantity is taken to be linear over the interval (Student's t). "profile": see
        `Fit.profile`. A bootstrap: percentiles of the quantity over its draws.
    kind, by
        Of the covariance, for the standard error; see `Fit.covariance`.
    log : bool
        Whether the delta method's interval is formed on the logarithm of the quantity, which must
        be positive. Right for what varies by factors.

    Raises
    ------
    InputError
        If the quantity cannot be evaluated at the fit, or the request cannot be met.
    """
    problem, x = problem_of(fit)
    reach = two_sided(confidence_level)
    quantity = Quantity(problem, what)
    value = quantity.value(x)
    if not math.isfinite(value):
        raise InputError(f"{quantity.name} is {value} at the fitted parameters")
    gradient = quantity.gradient(x)
    spread = covariance(fit, kind, by)
    error = standard_error(gradient, spread.coordinate_matrix)
    if method == "delta":
        reach = two_sided(confidence_level, spread.dof)
        if log:
            if value <= 0.0:
                raise InputError(f"{quantity.name} is {value:g}; log=True needs a positive value")
            factor = math.exp(min(reach * error / value, 700.0))
            low, high = value / factor, value * factor
        else:
            low, high = value - reach * error, value + reach * error
    elif method == "profile":
        low, high = profile(fit, what, reach=max(confidence_level, 0.95)).interval(confidence_level)
    elif hasattr(method, "interval") and hasattr(method, "draws"):
        low, high = method.interval(what, confidence_level)
        method = "bootstrap"
    else:
        raise InputError(
            f"method = {method!r} must be 'delta', 'profile' or the result of fit.bootstrap()"
        )
    return Derived(
        quantity.name,
        value,
        error,
        float(low),
        float(high),
        dict(zip(problem.free, gradient.tolist(), strict=False)),
        str(method),
        confidence_level,
    )
