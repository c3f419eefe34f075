"""When a loss curve first falls to a target, with curves that never do marked as censored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..runs import read
from .common import Dropped, Floats, groups_of, point, prepare, table, whole_number

__all__ = ["StepsToTarget", "isotonic", "steps_to_target"]


@dataclass(frozen=True)
class StepsToTarget:
    """The first step at each target.

    Attributes
    ----------
    points : Runs or DataFrame
        The columns of `by`; "target"; the step, under its own name; "censored": 0 if the step was
        found, 1 if the curve never fell that low (the step is the last seen, a lower bound), -1 if
        it was there at the first row (an upper bound); "least", the least smoothed loss.
    dropped : tuple of Dropped
        Rows that could not be used.
    """

    points: Any
    dropped: tuple[Dropped, ...]

    @property
    def reached(self) -> Any:
        """The points whose step was found."""
        return read(self.points).where("censored == 0").native()


def isotonic(y: Floats) -> Floats:
    """Return the nearest sequence, in least squares, that never rises; shape (n,).

    References
    ----------
    Pooling of adjacent violators: Ayer et al. 1955, Ann. Math. Statist. 26(4).
    """
    means: list[float] = []
    sizes: list[int] = []
    for value in np.asarray(y, dtype=float).tolist():
        mean, size = value, 1
        while means and means[-1] < mean:
            before = sizes.pop()
            mean = (means.pop() * before + mean * size) / (before + size)
            size += before
        means.append(mean)
        sizes.append(size)
    return np.repeat(means, sizes)


def steps_to_target(
    runs: Any,
    targets: float | Sequence[float],
    *,
    step: str = "step",
    loss: str = "loss",
    by: Sequence[str] | str = (),
    smooth: str | int | None = "isotonic",
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
) -> StepsToTarget:
    """Find the first step (or token count) at which each run's loss is at or below a target.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
        A row is a checkpoint.
    targets : float or sequence of float
        Losses, above 0.
    step, loss : str
        Columns, above 0.
    by : str or sequence of str
        The columns that make a curve, such as the run's name, or size and batch size.
    smooth : {"isotonic", None} or int
        "isotonic": the nearest curve that never rises. A whole number: the running mean of so many
        rows, fewer at the ends (odd, so that it does not lag). None: the curve as it is, so that
        noise makes targets early.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in a column that is used.

    Returns
    -------
    StepsToTarget
        Steps are interpolated between rows, log step against log loss.

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used, a curve has two rows at one step,
        or an option is unknown.

    References
    ----------
    Shallue et al. 2019, Measuring the Effects of Data Parallelism on Neural Network Training,
    arXiv 1811.03600; McCandlish et al. 2018, An Empirical Model of Large-Batch Training,
    arXiv 1812.06162: steps to a target loss against batch size.
    """
    try:
        goals = np.atleast_1d(np.asarray(targets, dtype=float))
    except (TypeError, ValueError):
        raise InputError(f"targets = {targets!r} must be losses above 0") from None
    if goals.ndim != 1 or not len(goals) or not (np.isfinite(goals) & (goals > 0.0)).all():
        raise InputError(f"targets = {targets!r} must be losses above 0")
    if smooth is not None and smooth != "isotonic":
        smooth = whole_number(smooth, "smooth", 1)
        if smooth % 2 == 0:
            raise InputError(f"smooth = {smooth} must be odd, so that the mean does not lag")
    used, dropped = prepare(
        runs, [step, loss], [step, loss], columns=columns, derive=derive, where=where,
        missing=missing,
    )  # fmt: skip
    points = []
    for group in groups_of(used, by):
        rows = group.rows[np.argsort(used.numbers(step)[group.rows], kind="stable")]
        x = used.numbers(step)[rows]
        twice = np.flatnonzero(np.diff(x) == 0.0)
        if len(twice):
            raise InputError(
                f"{used.source}: {group} has two rows at {step} = {x[twice[0]]:g} "
                f"({used.row_label(int(rows[twice[0]]))} and "
                f"{used.row_label(int(rows[twice[0] + 1]))}); "
                "`by` must name what tells curves apart"
            )
        y = _smoothed(used.numbers(loss)[rows], smooth)
        for goal in goals.tolist():
            at, censored = _first(np.log(x), np.log(y), float(np.log(goal)))
            cells = {"target": goal, step: float(np.exp(at)), "censored": float(censored)}
            points.append(point(group, **cells, least=float(y.min())))
    return StepsToTarget(table(points, f"steps to target of {used.source}", used, by), dropped)


def _smoothed(y: Floats, smooth: str | int | None) -> Floats:
    if smooth is None:
        return y
    if isinstance(smooth, str):
        return isotonic(y)
    window = np.ones(smooth)
    pad = np.zeros(smooth // 2)
    sums = np.convolve(np.concatenate([pad, y, pad]), window, mode="valid")
    counts = np.convolve(np.concatenate([pad, np.ones(len(y)), pad]), window, mode="valid")
    return np.asarray(sums / counts)


def _first(x: Floats, y: Floats, goal: float) -> tuple[float, int]:
    """Return where y first is at or below a goal, and how it is censored."""
    below = np.flatnonzero(y <= goal)
    if not len(below):
        return float(x[-1]), 1
    i = int(below[0])
    if i == 0:
        return float(x[0]), 0 if y[0] == goal else -1
    share = (y[i - 1] - goal) / (y[i - 1] - y[i])
    return float(x[i - 1] + share * (x[i] - x[i - 1])), 0
