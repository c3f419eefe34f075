"""Approach 1: the runs that are best for their compute, as a table of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .common import Dropped, Floats, prepare, whole_number

__all__ = ["Envelope", "envelope"]


@dataclass(frozen=True)
class Envelope:
    """The frontier of loss against a resource.

    Attributes
    ----------
    points : Runs or DataFrame
        The winning rows with all their columns, by rising resource.
    dropped : tuple of Dropped
        Rows that could not be used. Rows that lost are not listed, `beaten` counts them.
    beaten : int
    method : str
    """

    points: Any
    dropped: tuple[Dropped, ...]
    beaten: int
    method: str


def envelope(
    runs: Any,
    *,
    resource: str = "C",
    target: str = "loss",
    method: str = "hull",
    bins: int = 50,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> Envelope:
    """Return the runs or checkpoints on the lower envelope of loss against a resource.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
        A row is a run or a checkpoint of one.
    resource : str
        The column of compute, time, or what else is spent; above 0.
    target : str
        The column of losses; above 0.
    method : {"hull", "running", "bins"}
        "hull": the vertices of the lower convex hull of (log resource, log loss), up to the least
        loss: few points, none of them there because its neighbours happen to be worse [2].
        "running": every row whose loss is below that of all rows with no more of the resource.
        "bins": the least loss in each of `bins` intervals of equal width in log resource [1].
    bins : int
        Number of intervals.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows whose resource or loss is not finite.

    Returns
    -------
    Envelope

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used, or an option is unknown.

    Notes
    -----
    Bins keep their best row even where it is far above the frontier, and a bin with few rows is
    worse than one with many. The winners are minima of noisy losses, so their losses lie low.

    References
    ----------
    .. [1] Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, arXiv 2203.15556,
       section 3.1.
    .. [2] McLeish et al. 2025, Gemstones, arXiv 2502.06857: the convex hull in place of bins.
    """
    if method not in ("hull", "running", "bins"):
        raise InputError(f'method = {method!r} must be "hull", "running" or "bins"')
    bins = whole_number(bins, "bins", 1)
    used, dropped = prepare(
        runs,
        [resource, target],
        [resource, target],
        columns=columns,
        derive=derive,
        where=where,
        missing=missing,
    )
    x, y = used.numbers(resource), used.numbers(target)
    order = np.lexsort((y, x))  # of equal resources, the least loss first
    if method == "bins":
        winners = order[_bin_minima(np.log(x[order]), y[order], bins)]
    else:
        winners = order[_running_minima(y[order])]
        if method == "hull":
            winners = winners[_hull(np.log(x[winners]), np.log(y[winners]))]
    return Envelope(used.take(winners).native(), dropped, used.n - len(winners), method)


def _bin_minima(x: Floats, y: Floats, bins: int) -> NDArray[np.intp]:
    """Return the index of the least y of each bin that is not empty; x ascends."""
    width = (x[-1] - x[0]) / bins
    at = np.minimum((x - x[0]) / width, bins - 1).astype(int) if width > 0 else np.zeros(len(x))
    parts = np.split(np.arange(len(x)), np.flatnonzero(np.diff(at)) + 1)
    return np.array([part[np.argmin(y[part])] for part in parts], dtype=np.intp)


def _running_minima(y: Floats) -> NDArray[np.intp]:
    """Return the indices at which y is below all before."""
    before = np.minimum.accumulate(np.concatenate([[np.inf], y[:-1]]))
    return np.flatnonzero(y < before)


def _hull(x: Floats, y: Floats) -> NDArray[np.intp]:
    """Return the vertices of the lower hull of points with x rising and y falling."""
    stack: list[int] = []
    for i in range(len(x)):
        while len(stack) > 1:
            j, k = stack[-2], stack[-1]
            if (y[k] - y[j]) * (x[i] - x[j]) < (y[i] - y[j]) * (x[k] - x[j]):
                break
            stack.pop()
        stack.append(i)
    return np.array(stack, dtype=np.intp)
