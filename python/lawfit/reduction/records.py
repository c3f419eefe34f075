"""The record frontier: rows that were better than all before them in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .common import Dropped, groups_of, prepare

__all__ = ["Records", "records"]


@dataclass(frozen=True)
class Records:
    """The rows that set a record.

    Attributes
    ----------
    points : Runs or DataFrame
        With all their columns, by group, then by time.
    dropped : tuple of Dropped
        Rows that could not be used.
    beaten : int
        How many rows set no record.
    """

    points: Any
    dropped: tuple[Dropped, ...]
    beaten: int


def records(
    runs: Any,
    *,
    time: str,
    target: str,
    higher: bool = True,
    by: Sequence[str] | str = (),
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> Records:
    """Return the rows whose target is better than that of every earlier row.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
        A row is a system or a publication.
    time, target : str
        Columns of numbers. Of rows at one time only the best can set a record; an equal value later
        is none.
    higher : bool
        Whether more is better.
    by : str or sequence of str
        The columns that make a group with records of its own: the benchmark, for example.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in time or target.

    Returns
    -------
    Records

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used.
    """
    used, dropped = prepare(
        runs, [time, target], columns=columns, derive=derive, where=where, missing=missing
    )
    when = used.numbers(time)
    cost = -used.numbers(target) if higher else used.numbers(target)
    winners = []
    for group in groups_of(used, by):
        rows = group.rows[np.lexsort((cost[group.rows], when[group.rows]))]
        before = np.minimum.accumulate(np.concatenate([[np.inf], cost[rows][:-1]]))
        winners.append(rows[cost[rows] < before])
    kept = np.concatenate(winners)
    return Records(used.take(kept).native(), dropped, used.n - len(kept))
