"""SciPy's robust losses of residuals, with what a Gauss-Newton step and a covariance need of them.

The cost is ``0.5 * sum(c**2 * rho((f / c)**2))`` with the soft threshold ``c`` = `f_scale`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import expression as ex
from ..errors import InputError
from ..expression import Apply, Constant, Node
from ..losses import Cauchy, Huber, Loss, Squared, parse_loss

__all__ = ["LOSSES", "Robust", "robust_from"]

Floats = NDArray[np.float64]

Rho = Callable[[Floats], tuple[Floats, Floats, Floats]]


def _linear(z: Floats) -> tuple[Floats, Floats, Floats]:
    return z, np.ones_like(z), np.zeros_like(z)


def _huber(z: Floats) -> tuple[Floats, Floats, Floats]:
    far = np.maximum(z, 1.0)
    inside = z <= 1.0
    return (
        np.where(inside, z, 2.0 * np.sqrt(far) - 1.0),
        np.where(inside, 1.0, far**-0.5),
        np.where(inside, 0.0, -0.5 * far**-1.5),
    )


def _soft_l1(z: Floats) -> tuple[Floats, Floats, Floats]:
    t = 1.0 + z
    return 2.0 * z / (1.0 + np.sqrt(t)), t**-0.5, -0.5 * t**-1.5


def _cauchy(z: Floats) -> tuple[Floats, Floats, Floats]:
    t = 1.0 + z
    return np.log1p(z), 1.0 / t, -1.0 / t**2


def _arctan(z: Floats) -> tuple[Floats, Floats, Floats]:
    t = 1.0 + z**2
    return np.arctan(z), 1.0 / t, -2.0 * z / t**2


LOSSES: dict[str, Rho] = {
    "linear": _linear,
    "huber": _huber,
    "soft_l1": _soft_l1,
    "cauchy": _cauchy,
    "arctan": _arctan,
}


class Robust:
    """A loss with its threshold.

    Parameters
    ----------
    loss : Loss or str
        One of lawfit's losses, or one of SciPy's names.
    f_scale : float
        Threshold of a loss given by SciPy's name.
    """

    def __init__(self, loss: Loss | str, f_scale: float) -> None:
        self.core: Loss | None = loss if isinstance(loss, Loss) else None
        self.scale, self.name = float(f_scale), ""
        self._rho: Rho | None = None
        if isinstance(loss, str):
            self.name, self._rho = loss, LOSSES[loss]
            if loss == "linear":
                self.core = Squared()
            elif loss == "huber":
                self.core = Huber(self.scale)
            elif loss == "cauchy":
                self.core = Cauchy(self.scale)
        elif isinstance(loss, Squared):
            self.name, self._rho = "linear", _linear
        elif isinstance(loss, Huber) and loss.overestimate == 1.0:
            self.name, self._rho, self.scale = "huber", _huber, loss.delta
        elif isinstance(loss, Cauchy):
            self.name, self._rho, self.scale = "cauchy", _cauchy, loss.scale

    @property
    def in_python(self) -> bool:
        """Whether the loss is known here too, and not to the compiled solver alone."""
        return self._rho is not None

    def rho(self, f: Floats) -> tuple[Floats, Floats, Floats]:
        """Return c^2 rho, rho' and rho'' / c^2 at the squares of residuals, each of shape (m,)."""
        if self._rho is None:
            raise InputError(f"the loss {self.core} needs a function that can be traced")
        value, first, second = self._rho((f / self.scale) ** 2)
        return self.scale**2 * value, first, second / self.scale**2

    def cost(self, f: Floats) -> float:
        """Return half the sum of c^2 rho."""
        if self.name == "linear":
            return 0.5 * float(f @ f)
        return 0.5 * float(np.sum(self.rho(f)[0]))

    def weighted(self, f: Floats, jacobian: Floats) -> tuple[Floats, Floats]:
        """Return residuals and Jacobian times the root of rho': the gradient, and a model without
        rho'', which is never indefinite.

        Parameters
        ----------
        f : ndarray of shape (m,)
        jacobian : ndarray of shape (m, n)
        """
        if self.name == "linear":
            return f, jacobian
        root = np.sqrt(self.rho(f)[1])
        return f * root, jacobian * root[:, None]

    def scaled(self, f: Floats, jacobian: Floats) -> tuple[Floats, Floats]:
        """Return residuals and Jacobian whose products are gradient and model Hessian of the cost.

        Parameters
        ----------
        f : ndarray of shape (m,)
        jacobian : ndarray of shape (m, n)
        """
        if self.name == "linear":
            return f, jacobian
        _, first, second = self.rho(f)
        scale = np.sqrt(np.maximum(first + 2.0 * second * f**2, np.finfo(float).eps))
        return f * (first / scale), jacobian * scale[:, None]

    def root_node(self, u: Node) -> Node:
        """Return the signed root of c^2 rho as an expression, for losses the core does not have."""
        z = Apply("pow", (ex.multiply(Constant(1.0 / self.scale), u), Constant(2.0)))
        if self.name == "soft_l1":
            root = Apply("sqrt", (ex.add(Constant(1.0), z),))
            share = ex.divide(Constant(2.0), ex.add(Constant(1.0), root))
        else:
            z = Apply("max", (z, Constant(1e-30)))
            share = ex.divide(Apply("arctan", (z,)), z)
        return ex.multiply(u, Apply("sqrt", (share,)))


def robust_from(loss: Any, f_scale: Any) -> Robust:
    """Return a loss from what a user gives.

    Parameters
    ----------
    loss : str or Loss
        A name of SciPy's, with `f_scale`; or a loss of lawfit's, or its text ("huber:1e-3").
    f_scale : float

    Raises
    ------
    InputError
        If there is no such loss, or the threshold is not a positive number.
    """
    try:
        scale = float(f_scale)
    except (TypeError, ValueError):
        scale = np.nan
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"f_scale = {f_scale!r} must be a positive number")
    if isinstance(loss, str) and loss in LOSSES:
        return Robust(loss, scale)
    if isinstance(loss, (str, Loss)):
        try:
            return Robust(parse_loss(loss), scale)
        except InputError as error:
            raise InputError(f"{error}; SciPy's names: {', '.join(LOSSES)}") from None
    raise InputError(
        f"loss = {loss!r} must be one of {', '.join(map(repr, LOSSES))} or a lawfit loss"
    )
