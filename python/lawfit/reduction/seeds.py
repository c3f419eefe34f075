"""Runs that differ in their seed only, as one row each with mean, standard error and count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .common import Dropped, groups_of, point, prepare, table

__all__ = ["Aggregated", "aggregate_seeds"]


@dataclass(frozen=True)
class Aggregated:
    """One row for each setting.

    Attributes
    ----------
    points : Runs or DataFrame
        The columns of `by`, the means under their own names, standard errors of the means with
        "_se" (nan for one run unless pooled), "count", and the other columns that are the same
        within every group.
    dropped : tuple of Dropped
        Rows that could not be used.
    left_out : tuple of str
        Columns that vary within a group and were not averaged, the seed for example.
    """

    points: Any
    dropped: tuple[Dropped, ...]
    left_out: tuple[str, ...]


def aggregate_seeds(
    runs: Any,
    *,
    by: Sequence[str] | str,
    values: Sequence[str] | str = "loss",
    pooled: bool = False,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> Aggregated:
    """Average runs that agree in the columns `by`.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
    by : str or sequence of str
        The columns that make a setting, like N and D.
    values : str or sequence of str
        The columns to average.
    pooled : bool
        Estimate one variance over all settings, instead of one each: with two or three seeds a
        setting's own is off by a factor, and such weights spoil a fit.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in `values`.

    Returns
    -------
    Aggregated
        ``lf.fit(law, found.points, residual="linear", sigma="loss_se")`` weighs with the standard
        errors.

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used, or variances are to be pooled and
        no setting has two runs.
    """
    by = [by] if isinstance(by, str) else list(by)
    values = [values] if isinstance(values, str) else list(values)
    if not by or not values:
        raise InputError("by and values must name one column at least")
    used, dropped = prepare(
        runs, values, columns=columns, derive=derive, where=where, missing=missing
    )
    groups = list(groups_of(used, by))
    own = {name: [used.numbers(name)[g.rows] for g in groups] for name in values}
    deviation = {name: [_deviation(y) for y in own[name]] for name in values}
    if pooled:
        freedom = used.n - len(groups)
        if not freedom:
            raise InputError(f"{used.source}: no setting of {', '.join(by)} has two runs to pool")
        for name in values:
            squares = sum(float(((y - y.mean()) ** 2).sum()) for y in own[name])
            deviation[name] = [float(np.sqrt(squares / freedom))] * len(groups)
    others = [name for name in used if name not in (*by, *values)]
    constant = [n for n in others if all(len(set(used.texts(n)[g.rows])) == 1 for g in groups)]
    points = []
    for k, group in enumerate(groups):
        cells: dict[str, Any] = {name: used[name][group.rows[0]].item() for name in constant}
        for name in values:
            cells[name] = float(own[name][k].mean())
            cells[f"{name}_se"] = deviation[name][k] / float(np.sqrt(len(group.rows)))
        points.append(point(group, **cells, count=float(len(group.rows))))
    left_out = tuple(name for name in others if name not in constant)
    found = table(points, f"means of {used.source}", used, by + constant)
    return Aggregated(found, dropped, left_out)


def _deviation(y: Any) -> float:
    return float(np.std(y, ddof=1)) if len(y) > 1 else float("nan")
