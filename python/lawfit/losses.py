r"""The losses rho(r) whose weighted sum a fit minimises, r being prediction minus target.

========================  ======================================================================
`Squared`                 r^2 / 2
`Huber`                   r^2 / 2 for \|r\| <= delta, delta (\|r\| - delta / 2) beyond
`Absolute`                \|r\|
`Cauchy`                  s^2 / 2 log(1 + (r / s)^2)
`LogCosh`                 s^2 log cosh(r / s)
`Quantile`                (1 - q) r for r > 0, q \|r\| for r < 0
========================  ======================================================================
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from .errors import InputError

__all__ = ["Absolute", "Cauchy", "Huber", "LogCosh", "Loss", "Quantile", "Squared", "parse_loss"]

CoreLoss = tuple[str, float, float, float]  # kind, slope above, slope below, core


@dataclass(frozen=True)
class Loss:
    """Base of the losses."""

    kind: ClassVar[str]
    # Whether rows of which a bound is known have a likelihood: the core knows the loss's tails.
    has_distribution: ClassVar[bool] = True

    def _core(self) -> CoreLoss:
        raise NotImplementedError

    def log_normaliser(self) -> float:
        """Return log of the integral of exp(-rho(r)) over r, for the likelihood with a scale."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return kind and settings, for JSON."""
        return {"kind": self.kind, **asdict(self)}

    def __str__(self) -> str:
        settings = ", ".join(f"{k} = {v:g}" for k, v in asdict(self).items())
        return f"{self.kind}({settings})" if settings else self.kind


def _require_positive(loss: Loss, name: str, value: float) -> None:
    if not (isinstance(value, (int, float)) and 1e-100 <= value <= 1e100):
        raise InputError(
            f"{type(loss).__name__}: {name} = {value!r} must be a positive number, whose square "
            "can be formed: from 1e-100 to 1e100"
        )


@dataclass(frozen=True)
class Squared(Loss):
    """r^2 / 2: least squares."""

    kind: ClassVar[str] = "squared"

    def _core(self) -> CoreLoss:
        return ("squared", 1.0, 1.0, 1.0)

    def log_normaliser(self) -> float:
        """Return log sqrt(2 pi)."""
        return 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Huber(Loss):
    """r^2 / 2 near zero, straight beyond `delta`: the loss of most published scaling laws.

    Parameters
    ----------
    delta : float
        Where it becomes straight, in units of the residual.
    overestimate : float
        Factor on the loss where the prediction lies above the target.
    """

    delta: float = 1e-3
    overestimate: float = 1.0
    kind: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        _require_positive(self, "delta", self.delta)
        _require_positive(self, "overestimate", self.overestimate)

    def _core(self) -> CoreLoss:
        return ("linear", self.delta * self.overestimate, self.delta, self.delta)

    def log_normaliser(self) -> float:
        """Return the logarithm of the two half-line integrals' sum."""

        def half(c: float) -> float:
            d = self.delta
            inner = math.sqrt(math.pi / (2 * c)) * math.erf(d * math.sqrt(c / 2))
            return inner + math.exp(-c * d * d / 2) / (c * d)

        return math.log(half(1.0) + half(self.overestimate))


@dataclass(frozen=True)
class Absolute(Loss):
    """Size of the residual, ``|r|``: least absolute deviations, the conditional median."""

    kind: ClassVar[str] = "absolute"

    def _core(self) -> CoreLoss:
        return ("linear", 1.0, 1.0, 0.0)

    def log_normaliser(self) -> float:
        """Return log 2."""
        return math.log(2.0)


@dataclass(frozen=True)
class Cauchy(Loss):
    """s^2 / 2 log(1 + (r / s)^2): residuals far beyond `scale` hardly count.

    Not convex: runs of two kinds give two minima, so look at how many starts agree.
    """

    scale: float = 1.0
    kind: ClassVar[str] = "cauchy"
    has_distribution: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require_positive(self, "scale", self.scale)

    def _core(self) -> CoreLoss:
        return ("cauchy", 1.0, 1.0, self.scale)

    def log_normaliser(self) -> float:
        """Return the logarithm of a Student-type constant; it exists for scale > 1."""
        s2 = self.scale**2
        if s2 <= 1.0:
            raise InputError(
                f'Cauchy({self.scale:g}) with scale="fitted": exp(-loss) has no finite integral '
                "unless the loss's own scale is above 1"
            )
        gammas = math.lgamma((s2 - 1) / 2) - math.lgamma(s2 / 2)
        return math.log(self.scale) + 0.5 * math.log(math.pi) + gammas


@dataclass(frozen=True)
class LogCosh(Loss):
    """s^2 log cosh(r / s): like Huber's, with all derivatives."""

    scale: float = 1.0
    kind: ClassVar[str] = "logcosh"
    has_distribution: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require_positive(self, "scale", self.scale)

    def _core(self) -> CoreLoss:
        return ("logcosh", 1.0, 1.0, self.scale)

    def log_normaliser(self) -> float:
        """Return the logarithm of s 2^(s^2 - 1) Beta(s^2 / 2, s^2 / 2)."""
        s2 = self.scale**2
        beta = 2 * math.lgamma(s2 / 2) - math.lgamma(s2)
        return math.log(self.scale) + (s2 - 1) * math.log(2.0) + beta


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss: the fit passes above a share `q` of the targets."""

    q: float = 0.5
    kind: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        if not (isinstance(self.q, (int, float)) and 0.0 < self.q < 1.0):
            raise InputError(f"Quantile: q = {self.q!r} must lie between 0 and 1")

    def _core(self) -> CoreLoss:
        return ("linear", 1.0 - self.q, self.q, 0.0)

    def log_normaliser(self) -> float:
        """Return log(1 / q + 1 / (1 - q))."""
        return math.log(1.0 / self.q + 1.0 / (1.0 - self.q))


_KINDS: dict[str, type[Loss]] = {
    cls.kind: cls for cls in (Squared, Huber, Absolute, Cauchy, LogCosh, Quantile)
}


def parse_loss(given: Loss | str | dict[str, Any]) -> Loss:
    """Turn "huber:1e-3", "huber:1e-3:10", "squared", ... or a `Loss.to_dict` into a loss.

    Raises
    ------
    InputError
        If there is no such loss or its settings cannot be read.
    """
    if isinstance(given, Loss):
        return given
    known = ", ".join(_KINDS)
    if isinstance(given, dict):
        settings = {k: v for k, v in given.items() if k != "kind"}
        if given.get("kind") not in _KINDS:
            raise InputError(f"there is no loss {given.get('kind')!r}; known: {known}")
        return _KINDS[given["kind"]](**settings)
    if not isinstance(given, str):
        raise InputError(
            f"a loss is a text like 'huber:1e-3' or an object like Huber(1e-3), not {given!r}"
        )
    kind, *settings_text = given.lower().split(":")
    if kind not in _KINDS:
        raise InputError(f"there is no loss {kind!r}; known: {known}")
    try:
        return _KINDS[kind](*[float(s) for s in settings_text])
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read the loss {given!r}; examples: huber:1e-3, squared") from None
