"""The best learning rate or batch size of each group, from a parabola in its logarithm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .common import Dropped, Floats, Group, groups_of, point, prepare, table
from .curves import parabola

__all__ = ["Optima", "best_hyperparameter"]


@dataclass(frozen=True)
class Optima:
    """The best value of a hyper-parameter in each group.

    Attributes
    ----------
    points : Runs or DataFrame
        The columns of `by`; the hyper-parameter and the loss at the minimum, under their own names;
        with "_se" the standard error of the log of the hyper-parameter, from the residuals (nan for
        three values); "curvature", d2 loss / d(log x)2; "values", how many the parabola saw.
    dropped : tuple of Dropped
        Groups without a minimum inside their range, and rows that could not be used.
    """

    points: Any
    dropped: tuple[Dropped, ...]


def best_hyperparameter(
    runs: Any,
    x: str,
    *,
    by: Sequence[str] | str = (),
    target: str = "loss",
    margin: float | None = None,
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> Optima:
    """Find the minimum of a parabola of loss in log x for each group of runs.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
    x : str
        The hyper-parameter, above 0. Of rows with the same value the one of least loss counts, so
        that other hyper-parameters that vary are taken at their best.
    by : str or sequence of str
        The columns that make a group: N and D, for example.
    target : str
        The column of losses.
    margin : float, optional
        Leave out rows whose loss exceeds the least of their group by more than this share. Far from
        the minimum the loss is no parabola; 0.02 is a usual choice.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in a column that is used.

    Returns
    -------
    Optima
        Groups whose parabola opens downwards, has its vertex outside the values tried, or whose
        best value is the first or last one tried, are dropped and listed with the reason.

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used, `margin` is not above 0, or no
        group is left.

    References
    ----------
    Bjorck et al. 2024, Scaling Optimal LR Across Token Horizons, arXiv 2409.19913: parabola in log
    learning rate for each model and horizon, then a power law of the minima.
    """
    if margin is not None and not margin > 0.0:
        raise InputError(f"margin = {margin!r} must be above 0")
    by = [by] if isinstance(by, str) else list(by)
    used, dropped = prepare(
        runs, [x, target], [x], columns=columns, derive=derive, where=where, missing=missing
    )
    points, left_out = [], list(dropped)
    for group in groups_of(used, by):
        log_x, loss = _best_of_each(
            used.numbers(x)[group.rows], used.numbers(target)[group.rows], margin
        )
        found = _optimum(group, log_x, loss, x, target)
        if isinstance(found, str):
            left_out.append(Dropped(str(group), found))
        else:
            points.append(found)
    if not points:
        reasons = "; ".join(map(str, left_out[-3:]))
        raise InputError(f"{used.source}: no group has a minimum inside its range ({reasons})")
    return Optima(table(points, f"best {x} of {used.source}", used, by), tuple(left_out))


def _best_of_each(x: Floats, loss: Floats, margin: float | None) -> tuple[Floats, Floats]:
    """Return log x, ascending, and the least loss of each."""
    values, which = np.unique(x, return_inverse=True)
    least = np.full(len(values), np.inf)
    np.minimum.at(least, which.reshape(-1), loss)
    near = np.ones(len(values), dtype=bool)
    if margin is not None:
        near = least <= least.min() + margin * abs(least.min())
    return np.log(values[near]), least[near]


def _optimum(
    group: Group, log_x: Floats, loss: Floats, x: str, target: str
) -> dict[str, Any] | str:
    """Return the point of a group, or why there is none."""
    n = len(log_x)
    if n < 3:
        return f"{n} values of {x}; expected at least 3"
    best = int(np.argmin(loss))
    if best in (0, n - 1):
        end = "largest" if best else "smallest"
        return f"the loss is least at the edge, the {end} value {x} = {np.exp(log_x[best]):g}"
    at, value, (_, c1, c2) = parabola(log_x, loss)
    if np.isnan(at):
        return "the parabola opens downwards" if c2 <= 0.0 else "the vertex is outside the range"
    half = (log_x[-1] - log_x[0]) / 2.0
    t = (log_x - log_x.mean()) / half
    design = np.vander(t, 3, increasing=True)
    left = loss - design @ np.linalg.lstsq(design, loss, rcond=None)[0]
    variance = float(left @ left) / (n - 3) if n > 3 else np.nan
    gradient = np.array([0.0, -0.5 / c2, 0.5 * c1 / c2**2]) * half  # of the vertex, delta method
    se = np.sqrt(variance * gradient @ np.linalg.inv(design.T @ design) @ gradient)
    cells = {x: float(np.exp(at)), f"{x}_se": float(se), target: float(value)}
    return point(group, **cells, curvature=float(2.0 * c2 / half**2), values=float(n))
