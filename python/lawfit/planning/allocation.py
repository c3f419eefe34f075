"""The split of a compute budget between parameters and tokens that minimises a law's loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..law import Law

__all__ = ["Allocation", "compute_optimal"]


@dataclass(frozen=True)
class Allocation:
    """The best N and D at each budget; every field has shape (budgets,)."""

    C: NDArray[np.float64]
    N: NDArray[np.float64]
    D: NDArray[np.float64]
    loss: NDArray[np.float64]


def compute_optimal(
    law: Law,
    params: Mapping[str, float],
    budgets: Sequence[float],
    given: Mapping[str, float | str] | None = None,
) -> Allocation:
    """Minimise the loss over N and D with 6 N D = C.

    Parameters
    ----------
    law : Law
        With N (parameters) and D (tokens) among its variables.
    params : mapping of str to float
    budgets : sequence of float
        C in FLOP.
    given : mapping of str to float or str, optional
        Values of the law's other variables, and a level of each of its groups.

    Returns
    -------
    Allocation
        N within 1e-7 relative, found by repeatedly refining a grid.

    Raises
    ------
    InputError
        If the law lacks N or D, another variable has no value, or the best N lies at the end of the
        range searched (1 to C / 6).
    """
    given = dict(given or {})
    for name in ("N", "D"):
        if name not in law.variables:
            raise InputError(f"{law} has no variable {name}; variables: {', '.join(law.variables)}")
    needed = (*law.variables, *law.groups.values())
    missing = [v for v in dict.fromkeys(needed) if v not in ("N", "D", *given)]
    if missing:
        raise InputError(f"no value given for {', '.join(missing)}")
    c = np.asarray(budgets, dtype=float)
    if c.ndim != 1 or not (c > 6.0).all() or not np.isfinite(c).all():
        raise InputError(f"budgets {budgets!r} must be numbers above 6 (FLOP)")
    low, high = np.zeros(len(c)), np.log(c / 6.0)
    first, last = low, high
    points = 65
    best = low
    while True:
        log_n = low[:, None] + np.linspace(0.0, 1.0, points) * (high - low)[:, None]
        n = np.exp(log_n).ravel()
        columns = {"N": n, "D": np.repeat(c, points) / (6.0 * n)}
        columns |= {k: np.full(n.shape, v) for k, v in given.items()}
        loss = law.predict(params, columns).reshape(len(c), points)
        at = np.argmin(loss, axis=1)
        best = log_n[np.arange(len(c)), at]
        step = (high - low) / (points - 1)
        low, high = np.maximum(best - step, first), np.minimum(best + step, last)
        if (step < 1e-7).all():
            break
    edge = (best <= first + 1e-6) | (best >= last - 1e-6)
    if edge.any():
        raise InputError(
            f"at C = {c[np.argmax(edge)]:g} the loss has no minimum inside N = 1 to C / 6"
        )
    n = np.exp(best)
    return Allocation(c, n, c / (6.0 * n), np.min(loss, axis=1))
