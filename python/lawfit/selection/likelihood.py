"""The likelihood of a fit, and what follows from it: criteria, tests between nested laws."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import InputError
from ..losses import Absolute, Cauchy, Huber, LogCosh, Loss, Quantile, Squared
from ..result import Fit
from .distributions import chi2_tail, f_tail

__all__ = ["Criteria", "NestedTest", "criteria", "nested_test"]

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True)
class Criteria:
    """How well a fit describes the rows it was fitted to, for its number of parameters.

    Attributes
    ----------
    loglik : float
        Maximum of the log-likelihood of the residuals in their own space.
    parameters : int
        Free parameters of the law, and one for the spread of the residuals.
    aic, aicc, bic : float
        -2 loglik + 2 k; the same + 2 k (k + 1) / (n - k - 1), infinite where n <= k + 1;
        -2 loglik + k log n.
    """

    loglik: float
    parameters: int
    aic: float
    aicc: float
    bic: float


@dataclass(frozen=True)
class NestedTest:
    """Whether a law's further parameters earn their place.

    Attributes
    ----------
    small, big : str
    parameters : int
        How many more the larger law has.
    ratio, p_ratio : float
        Twice the difference in log-likelihood and its chi-squared tail.
    f, p_f : float
        The F statistic and its tail; nan unless residuals are squared under a fixed scale.
    note : str
        What stands against the test.
    """

    small: str
    big: str
    parameters: int
    ratio: float
    p_ratio: float
    f: float
    p_f: float
    note: str = ""


def criteria(fit: Fit) -> Criteria:
    """Return the criteria of a fit.

    With ``scale="fitted"`` the likelihood is the one that was maximised. With ``scale="fixed"`` it
    is that of the density proportional to exp(-loss(r) / t), with t at its maximum: the normal
    density for squared residuals, Laplace's for absolute ones, one between for Huber's. Whatever
    t is, the parameters that maximise it are those of the fit.

    Penalties are no part of the likelihood. With a fixed scale, censored rows have none, and all
    criteria are nan.

    Raises
    ------
    InputError
        If the fit was read from a file and has weights that are not known.
    """
    loglik, n = _loglik(fit), fit.nobs
    k = len(fit.free) + 1
    aic = 2.0 * k - 2.0 * loglik
    aicc = aic + 2.0 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf
    return Criteria(loglik, k, aic, aicc, k * math.log(n) - 2.0 * loglik)


def _loglik(fit: Fit) -> float:
    problem = fit._problem
    if problem is None:
        raise InputError("this fit was read from a file, which does not hold the table; fit again")
    settings = problem.settings
    objective = fit.objective - _penalised(fit)
    if settings.censored is not None and settings.censored.any() and settings.scale != "fitted":
        return math.nan
    total = float(fit.nobs) if settings.weights is None else float(settings.weights.sum())
    # Dividing the residual by sigma changes the density's height.
    sigma = 0.0
    if settings.sigma is not None:
        sigma = sum(
            (1.0 if settings.weights is None else float(settings.weights[i])) * math.log(s)
            for i, s in enumerate(settings.sigma)
        )
    if settings.scale == "fitted":
        return -objective - sigma
    if objective <= 0:
        return math.inf
    return -_least_spread(fit.loss, objective, total) - sigma


def _penalised(fit: Fit) -> float:
    """Return what the penalties add to the objective."""
    problem, x = fit._problem, fit._coordinates
    if problem is None or x is None:
        return 0.0
    forms = problem.penalties
    return float(sum(0.5 * (x[at] @ by - offset) ** 2 for at, by, offset in forms))


def _least_spread(loss: Loss, objective: float, total: float) -> float:
    """Return the least over t of objective / t + total * log(normaliser of the loss over t)."""

    def value(log_t: float) -> float:
        t = math.exp(log_t)
        return objective / t + total * log_normaliser(loss, t)

    if isinstance(loss, Squared):
        return value(math.log(2.0 * objective / total))
    if isinstance(loss, (Absolute, Quantile)):
        return value(math.log(objective / total))
    # Convex in 1 / t; between a density narrower and one wider than both of the limits above.
    middle = math.log(objective / total)
    low, high = middle - 20.0, middle + 20.0
    if isinstance(loss, Cauchy):  # heavier tails have no finite integral
        high = min(high, 2.0 * math.log(loss.scale) - 1e-9)
        low = min(low, high - 40.0)
    a, b = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_a, at_b = value(a), value(b)
    while high - low > 1e-9:
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - GOLDEN * (high - low)
            at_a = value(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + GOLDEN * (high - low)
            at_b = value(b)
    return min(at_a, at_b)


def log_normaliser(loss: Loss, t: float) -> float:
    """Return log of the integral of exp(-loss(r) / t) over r."""
    if isinstance(loss, (Absolute, Quantile)):
        return math.log(t) + loss.log_normaliser()
    root = math.sqrt(t)  # loss(r) / t is the loss of r / root with its own length over root
    scaled = loss
    if isinstance(loss, Huber):
        scaled = replace(loss, delta=loss.delta / root)
    elif isinstance(loss, (Cauchy, LogCosh)):
        scaled = replace(loss, scale=loss.scale / root)
    return math.log(root) + scaled.log_normaliser()


def nested_test(small: tuple[str, Fit], big: tuple[str, Fit]) -> NestedTest:
    """Test a law against a larger one that contains it.

    The chi-squared tail holds for many rows and a small law that is not at the border of the large
    one (a coefficient of zero is).

    Raises
    ------
    InputError
        If the larger law does not have more free parameters.
    """
    (name, fit), (bigger, other) = small, big
    more = len(other.free) - len(fit.free)
    if more < 1:
        raise InputError(
            f"nested: {bigger!r} has {len(other.free)} free parameters, {name!r} has "
            f"{len(fit.free)}; give (smaller law, larger law)"
        )
    ratio = 2.0 * (_loglik(other) - _loglik(fit))
    note = ""
    if ratio < -1e-6 * max(1.0, abs(_loglik(fit))):
        note = f"{bigger} fits worse than {name}: it does not contain it, or needs more starts"
    f = p_f = math.nan
    below = other.nobs - len(other.free)
    if isinstance(fit.loss, Squared) and fit.scale is None and below > 0 and other.objective > 0:
        f = (fit.objective - other.objective) / more / (other.objective / below)
        p_f = f_tail(f, more, below)
    return NestedTest(name, bigger, more, ratio, chi2_tail(ratio, more), f, p_f, note)
