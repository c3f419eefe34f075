"""Learning-rate schedules as arrays, and the areas under them as columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..runs import read
from .common import Floats, whole_number

__all__ = ["annealing_areas", "constant", "cosine", "with_areas", "wsd"]


def constant(steps: int, peak: float, *, warmup: int = 0) -> Floats:
    """Return a schedule that rises linearly to the peak, then stays.

    Parameters
    ----------
    steps : int
    peak : float
        Above 0.
    warmup : int
        Steps of the rise: step i (from 1) has the rate peak * i / warmup, so that the last of them
        is the first at the peak.

    Returns
    -------
    ndarray of shape (steps,)
        The rate of step 1, 2, ...

    Raises
    ------
    InputError
        If a number is out of its range.
    """
    steps, warmup = whole_number(steps, "steps", 1), whole_number(warmup, "warmup", 0)
    _require_rate("peak", peak, above_zero=True)
    if warmup > steps:
        raise InputError(f"warmup = {warmup} must be no more than steps = {steps}")
    step = np.arange(1, steps + 1)
    return np.asarray(peak * np.minimum(step / max(warmup, 1), 1.0))


def cosine(steps: int, peak: float, *, final: float = 0.0, warmup: int = 0) -> Floats:
    """Return a schedule that falls from the peak to `final` along half a cosine, after warm-up.

    Parameters
    ----------
    steps, peak, warmup
        As for `constant`. The last step has the rate `final`.
    final : float
        0 or more.

    Returns
    -------
    ndarray of shape (steps,)

    Raises
    ------
    InputError
        If a number is out of its range.

    References
    ----------
    Loshchilov and Hutter 2017, SGDR, arXiv 1608.03983, eq. 5, without restarts.
    """
    rate = constant(steps, peak, warmup=warmup)
    _require_rate("final", final)
    share = _progress(steps, warmup, steps - warmup)
    return np.where(share > 0.0, final + 0.5 * (peak - final) * (1.0 + np.cos(np.pi * share)), rate)


def wsd(
    steps: int,
    peak: float,
    *,
    decay: int,
    final: float = 0.0,
    warmup: int = 0,
    shape: str = "linear",
) -> Floats:
    """Return a schedule of warm-up, a constant stretch and a decay over the last steps.

    Parameters
    ----------
    steps, peak, warmup
        As for `constant`. The last step has the rate `final`.
    decay : int
        Steps of the decay.
    final : float
        0 or more; above 0 for "exponential".
    shape : {"linear", "cosine", "1-sqrt", "exponential"}
        With s the share of the decay that is done: 1 - s; (1 + cos(pi s)) / 2; 1 - sqrt(s), each
        between peak and final; or peak * (final / peak)**s.

    Returns
    -------
    ndarray of shape (steps,)

    Raises
    ------
    InputError
        If a number is out of its range, or warm-up and decay together exceed the steps.

    References
    ----------
    Hu et al. 2024, MiniCPM, arXiv 2404.06395 (warm-up, stable, decay); Haegele et al. 2024,
    arXiv 2405.18392 (1-sqrt).
    """
    rate = constant(steps, peak, warmup=warmup)
    decay = whole_number(decay, "decay", 1)
    _require_rate("final", final, above_zero=shape == "exponential")
    if warmup + decay > steps:
        raise InputError(f"warmup + decay = {warmup + decay} must be no more than steps = {steps}")
    s = _progress(steps, steps - decay, decay)
    kept = {
        "linear": 1.0 - s,
        "cosine": 0.5 * (1.0 + np.cos(np.pi * s)),
        "1-sqrt": 1.0 - np.sqrt(s),
        "exponential": np.zeros_like(s),
    }
    if shape not in kept:
        raise InputError(f"shape = {shape!r} must be one of {', '.join(map(repr, kept))}")
    falling = final + (peak - final) * kept[shape]
    if shape == "exponential":
        falling = peak * (final / peak) ** s
    return np.where(s > 0.0, falling, rate)


def annealing_areas(
    rates: ArrayLike, *, momentum: float = 0.999, warmup: int = 0
) -> tuple[Floats, Floats]:
    """Return the forward area S_1 and the annealing area S_2 after each step of a schedule.

    Parameters
    ----------
    rates : array-like of shape (steps,)
        The rate of step 1, 2, ...
    momentum : float
        lambda, from 0 to below 1: how long the effect of a fall in the rate goes on.
    warmup : int
        The first so many steps count as steps at the rate that follows them, as in the authors'
        code; otherwise a rise in the rate counts as negative annealing.

    Returns
    -------
    S_1, S_2 : ndarray of shape (steps,)
        S_1 = sum of eta_i; S_2 = sum of m_i with m_i = lambda m_(i-1) + eta_(i-1) - eta_i, m_1 = 0.

    Raises
    ------
    InputError
        If the rates are not a line of numbers of 0 or more, or an option is out of its range.

    References
    ----------
    Tissue et al. 2024, Scaling Law with Learning Rate Annealing, arXiv 2408.11029, eq. 1: the laws
    `annealing` and `annealing-parameters`.
    """
    eta = np.array(rates, dtype=float)
    if eta.ndim != 1 or not len(eta) or not (np.isfinite(eta) & (eta >= 0.0)).all():
        raise InputError("rates must be a line of finite numbers of 0 or more")
    if not 0.0 <= momentum < 1.0:
        raise InputError(f"momentum = {momentum!r} must be from 0 to below 1")
    warmup = whole_number(warmup, "warmup", 0)
    if warmup >= len(eta):
        raise InputError(f"warmup = {warmup} must be less than the {len(eta)} steps")
    eta[:warmup] = eta[warmup]
    falls = -np.diff(eta, prepend=eta[0])
    moving = np.array(list(accumulate(falls.tolist(), lambda m, fall: momentum * m + fall)))
    return np.cumsum(eta), np.cumsum(moving)


def with_areas(
    runs: Any,
    rates: ArrayLike | Mapping[str, ArrayLike],
    *,
    step: str = "step",
    schedule: str = "schedule",
    momentum: float = 0.999,
    warmup: int = 0,
) -> Any:
    """Return the table with columns S_1 and S_2: the areas up to the step of each row.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
    rates : array-like of shape (steps,), or mapping of str to such
        One schedule for all rows, or one for each text in the column `schedule`.
    step : str
        The column of whole numbers, from 1 to the length of the schedule.
    schedule : str
        The column that says which schedule a row followed; not used for one schedule.
    momentum, warmup
        As for `annealing_areas`.

    Returns
    -------
    Runs or DataFrame
        A DataFrame comes back as one of its kind, with its own columns and index.

    Raises
    ------
    InputError
        If a step is not on its schedule, or a schedule is not given.
    """
    table = read(runs)
    steps = table.numbers(step)
    if isinstance(rates, Mapping):
        given, followed = dict(rates), table.texts(schedule)
    else:
        given, followed = {"": rates}, np.full(table.n, "")
    s_1, s_2 = np.empty(table.n), np.empty(table.n)
    for name in np.unique(followed).tolist():
        if name not in given:
            raise InputError(
                f'{table.source}: column "{schedule}" says "{name}", but rates are given for '
                f"{', '.join(map(repr, given))} only"
            )
        rows = np.flatnonzero(followed == name)
        areas = annealing_areas(given[name], momentum=momentum, warmup=warmup)
        n = len(areas[0])
        at = steps[rows]
        bad = ~((at >= 1) & (at <= n) & (at == np.round(at)))
        if bad.any():
            i = int(rows[bad.argmax()])
            raise InputError(
                f'{table.source}: column "{step}", {table.row_label(i)}: {steps[i]:g} is not a '
                f"step of its schedule; expected a whole number from 1 to {n}"
            )
        s_1[rows], s_2[rows] = (area[at.astype(int) - 1] for area in areas)
    return table.with_column("S_1", s_1).with_column("S_2", s_2).native()


def _progress(steps: int, start: int, length: int) -> Floats:
    """Return the share of a stretch that is done at each step; 0 before it begins."""
    return np.clip((np.arange(1, steps + 1) - start) / max(length, 1), 0.0, 1.0)


def _require_rate(name: str, value: float, above_zero: bool = False) -> None:
    if not (isinstance(value, (int, float)) and 0.0 <= value < np.inf) or (
        above_zero and value == 0.0
    ):
        least = "above 0" if above_zero else "of 0 or more"
        raise InputError(f"{name} = {value!r} must be a number {least}")
