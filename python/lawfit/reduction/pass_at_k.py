"""The unbiased estimate of pass@k, and its mean over problems, coverage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .common import Dropped, Floats, groups_of, point, prepare, table, whole_number

__all__ = ["Coverage", "coverage", "pass_at_k"]


@dataclass(frozen=True)
class Coverage:
    """The mean of pass@k over problems.

    Attributes
    ----------
    points : Runs or DataFrame
        The columns of `by`, "k", "coverage", "coverage_se" (over problems; nan for one), and
        "problems".
    dropped : tuple of Dropped
        Rows that could not be used.
    """

    points: Any
    dropped: tuple[Dropped, ...]


def pass_at_k(samples: ArrayLike, successes: ArrayLike, k: ArrayLike) -> Floats:
    """Return 1 - C(n - c, k) / C(n, k), the chance that one of k samples of n is a success.

    Parameters
    ----------
    samples, successes, k : array-like of whole numbers
        n, c and k with 0 <= c <= n and 1 <= k <= n; broadcast against each other.

    Returns
    -------
    ndarray
        Of the broadcast shape. Unbiased for 1 - (1 - p)**k, which 1 - (1 - c/n)**k is not.

    Raises
    ------
    InputError
        If a number is not whole or out of its range.

    References
    ----------
    Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv 2107.03374, eq. 1.
    """
    try:
        given = [np.asarray(a, dtype=float) for a in (samples, successes, k)]
        n, c, k_ = np.broadcast_arrays(*given)
    except (TypeError, ValueError) as error:
        raise InputError(f"samples, successes and k must be numbers that match: {error}") from None
    for name, values in (("samples", n), ("successes", c), ("k", k_)):
        if not (np.isfinite(values) & (values == np.round(values)) & (values >= 0.0)).all():
            raise InputError(f"{name} must be whole numbers of 0 or more")
    for bad, expected in (
        (c > n, "successes must be no more than samples"),
        ((k_ < 1.0) | (k_ > n), "k must be from 1 to the number of samples"),
    ):
        if bad.any():
            i = np.unravel_index(int(np.argmax(bad)), bad.shape)
            raise InputError(f"{expected}: samples = {n[i]:g}, successes = {c[i]:g}, k = {k_[i]:g}")
    cases, which = np.unique(
        np.stack([n.ravel(), c.ravel(), k_.ravel()]).astype(np.int64), axis=1, return_inverse=True
    )
    values = np.array([_one(*case) for case in cases.T.tolist()])
    return np.asarray(values[which.reshape(-1)].reshape(n.shape))


def _one(n: int, c: int, k: int) -> float:
    if n - c < k:
        return 1.0
    many, few = max(c, k), min(c, k)  # the ratio is symmetric in c and k
    return float(-np.expm1(np.log1p(-many / (n - np.arange(few))).sum()))


def coverage(
    runs: Any,
    k: int | Sequence[int],
    *,
    samples: str = "samples",
    successes: str = "successes",
    by: Sequence[str] | str = (),
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> Coverage:
    """Average pass@k over problems.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
        A row is a problem.
    k : int or sequence of int
        No more than the least number of samples of a problem.
    samples, successes : str
        Columns of how often each problem was tried and solved.
    by : str or sequence of str
        The columns that make a group: model and benchmark, for example.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite.

    Returns
    -------
    Coverage

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used, or k exceeds a problem's samples:
        leaving such problems out would bias the mean.

    References
    ----------
    Brown et al. 2024, Large Language Monkeys, arXiv 2407.21787: coverage and its law in k.
    """
    used, dropped = prepare(
        runs, [samples, successes], columns=columns, derive=derive, where=where, missing=missing
    )
    wanted = [whole_number(one, "k", 1) for one in (k if isinstance(k, Iterable) else [k])]
    n, c = used.numbers(samples), used.numbers(successes)
    points = []
    for group in groups_of(used, by):
        rows = group.rows
        for one in wanted:
            short = np.flatnonzero(n[rows] < one)
            if len(short):
                raise InputError(
                    f"{used.source}: {used.row_label(int(rows[short[0]]))} has "
                    f"{n[rows[short[0]]]:g} samples, too few for k = {one}"
                )
            chance = pass_at_k(n[rows], c[rows], one)
            se = np.std(chance, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
            cells = {"k": float(one), "coverage": float(chance.mean()), "coverage_se": float(se)}
            points.append(point(group, **cells, problems=float(len(rows))))
    return Coverage(table(points, f"coverage of {used.source}", used, by), dropped)
