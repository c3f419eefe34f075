"""The losses of the slow NumPy twin: their slopes, integrals and tails."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lawfit.errors import InputError

__all__ = ["Loss", "LossSpec", "log_normaliser", "loss_functions", "tail"]

Array = npt.NDArray[Any]  # of longdouble
LossSpec = tuple[str | float, ...]

_LONG = np.longdouble
_LN2 = np.log(_LONG(2))


class Loss(NamedTuple):
    """A loss of the standardised residual u.

    Attributes
    ----------
    rho, psi : callable
        The loss and its derivative, each from shape (n,) to shape (n,).
    curvature : float
        Limit of psi(u)**2 / (2 rho(u)) as u rises to 0.
    log_integral : float
        Log of the integral over the real line of exp(-rho(u)); inf where it diverges.
    """

    rho: Callable[[Array], Array]
    psi: Callable[[Array], Array]
    curvature: float
    log_integral: float


def loss_functions(spec: LossSpec) -> Loss:
    """Return the loss that a tuple names.

    Parameters
    ----------
    spec : tuple
        ``("squared",)``, ``("huber", delta)``, ``("huber", delta, over)``, ``("absolute",)``,
        ``("cauchy", s)``, ``("logcosh", s)`` or ``("quantile", q)``, where delta and s are in
        units of u. At a kink psi is the mean of both sides.

    Raises
    ------
    InputError
        An unknown kind, or a number that is not positive (for q: not inside (0, 1)).
    """
    kind, *numbers = spec
    given = [_LONG(number) for number in numbers]
    if all(0 < number < math.inf for number in given):
        match kind, given:
            case "squared", []:
                return Loss(lambda u: u**2 / 2, lambda u: u, 1.0, math.log(2 * math.pi) / 2)
            case "absolute", []:
                return Loss(np.abs, np.sign, math.inf, math.log(2))
            case "huber", [delta, *rest] if len(rest) <= 1:
                over = rest[0] if rest else _LONG(1)
                return Loss(
                    lambda u: np.where(u > 0, over, 1) * _huber(u, delta),
                    lambda u: np.where(u > 0, over, 1) * np.clip(u, -delta, delta),
                    1.0,
                    math.log(_huber_half(delta, 1.0) + _huber_half(delta, over)),
                )
            case "cauchy", [s]:
                return Loss(
                    lambda u: s**2 / 2 * np.log1p((u / s) ** 2),
                    lambda u: u / (1 + (u / s) ** 2),
                    1.0,
                    _log_beta(s, (s - 1) * (s + 1) / 2),
                )
            case "logcosh", [s]:
                return Loss(
                    lambda u: s**2 * _log_cosh(u / s),
                    lambda u: s * np.tanh(u / s),
                    1.0,
                    _log_beta(s, s**2 / 2),
                )
            case "quantile", [q] if q < 1:
                return Loss(
                    lambda u: np.where(u > 0, (1 - q) * u, -q * u),
                    lambda u: (1 - 2 * q + np.sign(u)) / 2,
                    math.inf,
                    -math.log(q * (1 - q)),
                )
    raise InputError(f"not a loss: {spec!r}")


def _huber(u: Array, delta: np.longdouble) -> Array:
    core = np.clip(u, -delta, delta)
    rho: Array = core * (u - core / 2)
    return rho


def _huber_half(delta: Any, k: Any) -> float:
    """Return the integral of exp(-k rho(u)) over u > 0."""
    core = math.sqrt(math.pi / (2 * k)) * math.erf(delta * math.sqrt(k / 2))
    return core + math.exp(-k * delta**2 / 2) / float(k * delta)


def _log_cosh(x: Array) -> Array:
    near = np.log1p(2 * np.sinh(np.clip(x, -1, 1) / 2) ** 2)
    y: Array = np.where(np.abs(x) < 1, near, np.logaddexp(x, -x) - _LN2)
    return y


def _log_beta(s: Any, z: Any) -> float:
    """Return log of s * Beta(1/2, z), by Stirling's series where lgamma would cancel."""
    if z <= 0:
        return math.inf
    rise = math.lgamma(z + 0.5) - math.lgamma(z)
    if z > 100:
        rise = math.log(z) / 2 - 1 / (8 * z) + 1 / (192 * z**3) - 1 / (640 * z**5)
    return float(math.log(s) + math.log(math.pi) / 2 - rise)


def log_normaliser(loss: LossSpec) -> float:
    """Return log of the integral over the real line of exp(-rho(u)).

    Raises
    ------
    InputError
        Not a loss (see `loss_functions`), or Cauchy with s <= 1, whose integral diverges.
    """
    result = loss_functions(loss).log_integral
    if result == math.inf:
        raise InputError(f"the integral of exp(-rho) diverges for {loss!r}; Cauchy needs s > 1")
    return result


def _upper_integral(rho: Callable[[Array], Array], a: Array, kinks: Sequence[Any]) -> Array:
    """Integrate exp(rho(a) - rho(t)) over t > a, shape (n,), by Gauss's rule on widening panels."""
    x, w = (np.asarray(part, _LONG) for part in np.polynomial.legendre.leggauss(24))
    widths = np.concatenate([[_LONG(0)], _LONG(2) ** np.arange(-20, 24)])
    between = np.maximum(a[:, None], np.asarray(kinks, _LONG))  # panels, not inside one
    edges = np.sort(np.concatenate([a[:, None] + widths, between], axis=1), axis=1)
    total = np.zeros_like(a)
    for low, high in zip(edges.T[:-1], edges.T[1:], strict=True):
        t = (high + low)[:, None] / 2 + (high - low)[:, None] / 2 * x
        total = total + (high - low) / 2 * (np.exp(rho(a[:, None]) - rho(t)) @ w)
    return total


def tail(spec: LossSpec, u: Array, side: Array) -> tuple[Array, Array]:
    """Return -log of the share of exp(-rho) on the side of u that a row allows, and its slope.

    Allowed are draws below u where the side is 1. What is integrated is the smaller part: the
    allowed one where u is on the wrong side of 0, otherwise the rest.
    """
    rho, _, _, log_integral = loss_functions(spec)
    wrong = side * u < 0
    away = np.where(wrong, -side, side)[:, None]
    kinks = [_LONG(0), *map(_LONG, spec[1:])]
    part = _upper_integral(lambda t: rho(away * t), np.abs(u), kinks)
    log_density = -rho(u) - log_integral
    small = np.exp(log_density) * part
    log_share = np.where(wrong, log_density + np.log(part), np.log1p(-small))
    return -log_share, -side * np.exp(log_density - log_share)
