"""Epochs: what each further pass over limited data brings, and how many are best for a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formula import names
from ..law import Law
from ..laws import as_law
from ..result import Fit
from .plan import Plan, plan

__all__ = ["epoch_returns", "with_epochs"]

Floats = NDArray[np.float64]


def with_epochs(law: Law | str | Fit, budget: float, unique: float, **request: Any) -> Plan:
    """Plan with limited data: the plan's best has "epochs", the passes over the unique tokens.

    Parameters
    ----------
    law : Law, str or Fit
        With N, D and U, like "data-constrained".
    budget : float
    unique : float
        U, unique tokens.
    **request
        As for `lawfit.plan`.

    Raises
    ------
    InputError
        If the law does not use U: to it, repeated tokens are as good as new ones.
    """
    _with_unique(law)
    over = {"epochs": (1e-9, 1e9), **request.pop("over", {}), "U": unique}
    limits = request.pop("constraints", ())
    limits = [limits] if isinstance(limits, str) else list(limits)
    return plan(law, budget, over=over, constraints=["D == epochs * U", *limits], **request)


def _with_unique(law: Law | str | Fit) -> Law:
    """Return a law that knows of unique tokens."""
    given = law.law if isinstance(law, Fit) else as_law(law)
    if "U" not in names(given.formula):
        raise InputError(
            f"{given} has no U, the unique tokens: to it, repeated tokens are as good as new ones; "
            'take a law like "data-constrained"'
        )
    return given


def epoch_returns(
    law: Law | str | Fit,
    N: float,
    unique: float,
    epochs: Iterable[float],
    *,
    params: Mapping[str, float] | str | None = None,
) -> dict[str, Floats]:
    """Return the loss after each number of epochs, and what the last of them brought.

    Parameters
    ----------
    law : Law, str or Fit
        With N, D and U among its variables.
    N, unique : float
    epochs : iterable of float
        Increasing.
    params : mapping of str to float, or str, optional

    Returns
    -------
    dict of str to ndarray of shape (k,)
        "epochs", "loss", "marginal" (the fall of the loss per further epoch) and "worth" (that fall
        over the one that fresh tokens would bring in their place: 0 for useless repetition).

    Raises
    ------
    InputError
        If the law has no U, or the epochs are not increasing numbers above 0.
    """
    given = _with_unique(law)
    if params is None and isinstance(law, Fit):
        params = law.params
    if isinstance(params, str) or params is None:
        params = given.coefficients(params)
    e = np.array(list(epochs), dtype=float)
    if e.ndim != 1 or not len(e) or (e <= 0).any() or (np.diff(e) <= 0).any():
        raise InputError("epochs must be increasing numbers above 0")
    values = dict(params)

    def loss(d: Floats, u: Floats) -> Floats:
        return given.predict(values, {"N": np.full(len(d), float(N)), "D": d, "U": u})

    def slope(d: Floats, u: Floats, grow: bool) -> Floats:
        step = 1e-5
        up, down = d * (1 + step), d * (1 - step)
        more, less = (up, down) if grow else (u, u)
        return -(loss(up, more) - loss(down, less)) / (2 * step * d)

    d, u = e * unique, np.full(len(e), float(unique))
    marginal = slope(d, u, False)
    fresh = slope(d, d, True)
    return {
        "epochs": e,
        "loss": loss(d, u),
        "marginal": marginal * unique,
        "worth": marginal / fresh,
    }
