"""Where fits start: grids, quasi-random points in ranges, and points given by the user."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .tables import named

__all__ = ["Grid", "quasi_random", "starts_from_points"]

Floats = NDArray[np.float64]

MAX_GRID = 50_000_000


@dataclass(frozen=True)
class Grid:
    """Every combination of the given values, in natural units: ``Grid(A=[1, 10], alpha=[0.1, 1])``.

    Combinations run with the last name fastest.
    """

    values: Mapping[str, tuple[float, ...]]

    def __init__(self, **values: Sequence[float]) -> None:
        checked: dict[str, tuple[float, ...]] = {}
        for name, given in values.items():
            try:
                checked[name] = tuple(float(v) for v in given)
            except TypeError:
                raise InputError(f"Grid: {name} needs a list of values, not {given!r}") from None
            if not checked[name]:
                raise InputError(f"Grid: {name} has no values")
        object.__setattr__(self, "values", checked)

    def __len__(self) -> int:
        return math.prod(len(v) for v in self.values.values())

    def points(self) -> dict[str, Floats]:
        """Return the combinations by name, each of shape (len(self),)."""
        if len(self) > MAX_GRID:
            raise InputError(
                f"Grid: {len(self):,} starts; at most {MAX_GRID:,} can be held at once"
            )
        axes = np.meshgrid(*self.values.values(), indexing="ij", copy=False)
        return {n: a.reshape(-1).astype(float) for n, a in zip(self.values, axes, strict=True)}


def starts_from_points(given: Any, names: Sequence[str]) -> dict[str, Floats]:
    """Turn points in natural units into columns by parameter name.

    Parameters
    ----------
    given : mapping of str to array, sequence of mappings, or array of shape (k, len(names))
        Mappings name the parameters; the columns of an array are in the order of `names`. One start
        may be given as one mapping of numbers or as one row.
    names : sequence of str
        The free parameters.

    Returns
    -------
    dict of str to ndarray of shape (k,)

    Raises
    ------
    InputError
        If a parameter is missing or unknown, lengths differ, or a value is not a finite number.
    """
    if isinstance(given, Grid):
        given = given.points()
    if isinstance(given, Mapping):
        columns = {str(k): np.atleast_1d(_numbers(v, f"starts: {k}")) for k, v in given.items()}
    elif isinstance(given, Sequence) and given and all(isinstance(p, Mapping) for p in given):
        for i, point in enumerate(given):
            _check_names(point, names, f"start {i + 1}")
        columns = {n: _numbers([point[n] for point in given], f"starts: {n}") for n in names}
    else:
        array = np.atleast_2d(_numbers(given, "starts"))
        if given is None or np.ndim(given) == 0:
            raise InputError(
                f"starts = {given!r} must be a number of starts, points, the name of a protocol, "
                'or "auto"'
            )
        if not array.size:
            raise InputError("starts: at least one start is needed")
        if array.ndim != 2 or array.shape[1] != len(names):
            raise InputError(
                f"starts of shape {array.shape} do not fit {len(names)} free parameters "
                f"({named(names)}); expected (starts, {len(names)})"
            )
        columns = {n: array[:, k].copy() for k, n in enumerate(names)}
    _check_names(columns, names, "starts")
    count = max((len(c) for c in columns.values()), default=1)
    if not count:
        raise InputError("starts: at least one start is needed")
    for name, column in columns.items():
        if column.ndim != 1 or len(column) not in (1, count):
            raise InputError(f"starts: {name} has {column.shape} values, others have {count}")
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise InputError(f"start {bad[0] + 1}: {name} = {column[bad[0]]} is not finite")
    return {n: np.broadcast_to(columns[n], (count,)).astype(float) for n in names}


def _numbers(values: Any, what: str) -> Floats:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: {error}") from None


def _check_names(given: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    missing = [n for n in names if n not in given]
    unknown = [n for n in given if n not in names]
    if missing:
        raise InputError(f"{what}: no value for {named(missing)}")
    if unknown:
        raise InputError(f"{what}: {unknown[0]!r} is not a free parameter; free: {named(names)}")


def quasi_random(count: int, low: Floats, high: Floats, seed: int, first: int = 0) -> Floats:
    """Spread points evenly over a box.

    The additive recurrence with the generalised golden ratio (Roberts, "The unreasonable
    effectiveness of quasirandom sequences", 2018), shifted by a random offset.

    Parameters
    ----------
    count : int
    low, high : ndarray of shape (p,)
    seed : int
    first : int
        Points of the sequence to skip.

    Returns
    -------
    ndarray of shape (count, p)
    """
    p = len(low)
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (p + 1))
    steps = ratio ** -np.arange(1, p + 1)
    offset = np.random.default_rng(seed).random(p)
    unit = (offset + np.arange(first + 1, first + count + 1)[:, None] * steps) % 1.0
    return np.asarray(low + unit * (high - low))
