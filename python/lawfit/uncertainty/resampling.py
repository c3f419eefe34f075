"""The kinds of bootstrap: what is drawn as a whole, from what, and what a draw renews."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import InputError
from ..losses import Absolute, Cauchy, Huber, LogCosh, Loss, Quantile
from ..problem import Problem
from ..result import Fit
from ..tables import named

__all__ = ["KINDS", "Units", "density_of", "jackknife_units", "resample"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Kind: the core's name of it, and whether it needs a column.
KINDS = {
    "cases": ("counts", False),
    "stratified": ("counts", True),
    "cluster": ("counts", True),
    "bayesian": ("dirichlet", None),
    "block": ("blocks", None),
    "residual": ("residuals", False),
    "wild": ("multipliers", False),
    "wild-cluster": ("multipliers", True),
    "parametric": ("density", False),
}
NEW_TARGETS = ("residuals", "multipliers", "density")
MULTIPLIERS = ("rademacher", "webb")


@dataclass(frozen=True)
class Units:
    """What a draw takes or leaves as a whole.

    Attributes
    ----------
    unit : ndarray of shape (n,)
        The unit of every row.
    strata : ndarray of shape (strata + 1,)
        The first unit of each stratum, and the number of units at the end.
    """

    unit: Ints
    strata: Ints

    def __len__(self) -> int:
        return int(self.strata[-1])


def _rows(problem: Problem) -> Units:
    n = problem.runs.n
    return Units(np.arange(n), np.array([0, n]))


def _clusters(problem: Problem, by: str, needed_by: str) -> Units:
    levels, index = problem.runs.levels(by, needed_by=needed_by)
    if len(levels) < 2:
        raise InputError(
            f"{needed_by}: column {by!r} of {problem.runs.source} has one level, {levels[0]!r}; "
            "two or more clusters are needed"
        )
    return Units(index, np.array([0, len(levels)]))


def _strata(problem: Problem, by: str | None, needed_by: str) -> Units:
    """Make every row a unit; those of one level follow each other in the order of the table."""
    if by is None:
        return _rows(problem)
    _, index = problem.runs.levels(by, needed_by=needed_by)
    order = np.argsort(index, kind="stable")
    unit = np.empty_like(order)
    unit[order] = np.arange(len(order))
    strata = np.concatenate([[0], np.cumsum(np.bincount(index))])
    return Units(unit, strata)


def jackknife_units(
    problem: Problem, by: str | None, most: int | None = None
) -> tuple[Units, tuple[str, ...]]:
    """Return what a jackknife leaves out, each row or each level of a column, and its labels.

    More than `most` units are put together in half as many groups.
    """
    units = _rows(problem) if by is None else _clusters(problem, by, "jackknife")
    if most is not None and len(units) > most:
        groups = most // 2
        names = tuple(f"group {k}" for k in range(groups))
        return Units(units.unit % groups, np.array([0, groups])), names
    if by is None:
        return units, tuple(map(problem.runs.row_label, range(problem.runs.n)))
    levels, _ = problem.runs.levels(by)
    return units, tuple(f"{by} = {level}" for level in levels)


class _Resampling(_core.Resampling):
    """The core's, which other processes can have."""

    def __init__(self, kind: str, unit: Ints, strata: Ints, **options: Any) -> None:
        super().__init__(kind, unit, strata, **options)
        self._made_of = kind, unit, strata, options

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._made_of


def _again(kind: str, unit: Ints, strata: Ints, options: dict[str, Any]) -> _core.Resampling:
    return _core.Resampling(kind, unit, strata, **options)


def resample(
    fit: Fit,
    kind: str,
    *,
    by: str | None = None,
    length: int | None = None,
    multipliers: str = "rademacher",
) -> tuple[_core.Resampling, Units, tuple[str, ...]]:
    """Return a kind of bootstrap for the core, its units, and sentences on what is doubtful.

    Parameters
    ----------
    fit : Fit
        With its table.
    kind, by, length, multipliers
        See `lawfit.uncertainty.bootstrap.bootstrap`.

    Raises
    ------
    InputError
        If they do not fit together or to the table.
    """
    problem = fit._problem
    assert problem is not None
    if kind not in KINDS:
        raise InputError(f"bootstrap kind {kind!r} is not available; available: {named(KINDS)}")
    core, needs_column = KINDS[kind]
    what = f"bootstrap kind {kind!r}"
    if needs_column and by is None:
        raise InputError(f'{what} needs by="...", the column of its groups')
    if needs_column is False and by is not None:
        raise InputError(f"{what} takes no by = {by!r}")
    if length is not None and kind != "block":
        raise InputError(f"{what} takes no length = {length!r}")
    if multipliers not in MULTIPLIERS:
        raise InputError(
            f"multipliers = {multipliers!r} is not available; available: {named(MULTIPLIERS)}"
        )
    if core in NEW_TARGETS and problem.settings.censored is not None:
        raise InputError(
            f"{what} draws new targets, and those of censored rows are not known; draw rows: "
            f"{named(k for k, (c, _) in KINDS.items() if c not in NEW_TARGETS)}"
        )
    if multipliers != MULTIPLIERS[0] and core != "multipliers":
        raise InputError(f"{what} takes no multipliers = {multipliers!r}")
    if kind in ("stratified", "block"):
        units = _strata(problem, by, what)
    else:
        units = _rows(problem) if by is None else _clusters(problem, by, what)
    options: dict[str, Any] = {}
    warnings: list[str] = []
    if kind == "block":
        options["length"], warnings = _block_length(length, np.diff(units.strata), what)
    elif core == "multipliers":
        options["webb"] = multipliers == "webb"
        if by is not None and len(units) < 10 and multipliers == "rademacher":
            warnings.append(
                f"{len(units)} clusters give at most {2 ** len(units)} different draws; "
                'multipliers="webb" gives more'
            )
    elif core == "density":
        loss, spread = density_of(fit)
        options["density"], options["spread"] = loss._core(), spread
    return _Resampling(core, units.unit, units.strata, **options), units, tuple(warnings)


def _block_length(length: int | None, rows: Ints, what: str) -> tuple[int, list[str]]:
    if length is None:
        return max(1, round(float(np.mean(rows)) ** (1 / 3))), []
    if not isinstance(length, (int, np.integer)) or isinstance(length, bool) or length < 1:
        raise InputError(f"length = {length!r} must be an integer of 1 or more")
    if length >= rows.max():
        raise InputError(
            f"{what}: blocks of {length} rows are as long as the longest curve ({rows.max()} "
            "rows), so that all draws are alike"
        )
    whole = int(np.sum(rows <= length))
    if whole:
        return int(length), [
            f"{whole} of {len(rows)} curves have no more rows than a block ({length}): every draw "
            "takes them as they are"
        ]
    return int(length), []


def density_of(fit: Fit) -> tuple[Loss, float]:
    """Return a loss and a factor: residuals are the factor times draws from exp(-loss) / Z.

    A fit that minimises sum rho(u) is the maximum of the likelihood of exp(-rho(u) / phi) / Z(phi)
    whatever phi. With a fixed scale phi is the one of greatest likelihood for the residuals; with a
    fitted one, phi is 1 and the factor is the scale. The densities: `Squared` normal; `Absolute`
    and `Quantile` Laplace's, of two slopes for the latter; `Huber` normal with exponential tails;
    `Cauchy` Student's; `LogCosh` a power of the hyperbolic secant.
    """
    loss = fit.loss
    if fit.scale is not None:
        return loss, fit.scale
    assert fit._problem is not None
    weights = fit._problem.settings.weights
    rho = fit.objective / (fit.nobs if weights is None else float(np.sum(weights)))
    if rho <= 0:
        raise InputError("the law fits every row exactly: there is no noise to draw from")
    if isinstance(loss, (Absolute, Quantile)):  # Z(phi) = phi Z(1)
        return loss, rho

    def cost(log_phi: float) -> float:
        phi = math.exp(log_phi)
        return 0.5 * log_phi + _over(loss, phi).log_normaliser() + rho / phi

    high = math.log(loss.scale**2) - 1e-6 if isinstance(loss, Cauchy) else math.log(rho) + 8.0
    low = min(math.log(rho), high) - 8.0
    phi = math.exp(_minimum(cost, low, high))
    return _over(loss, phi), math.sqrt(phi)


def _over(loss: Loss, phi: float) -> Loss:
    """Return the loss of v = u / sqrt(phi) that is loss(u) / phi."""
    root = math.sqrt(phi)
    if isinstance(loss, Huber):
        return replace(loss, delta=loss.delta / root)
    if isinstance(loss, (Cauchy, LogCosh)):
        return replace(loss, scale=loss.scale / root)
    return loss


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function of one number with one minimum is smallest, by golden sections."""
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    fa, fb = function(a), function(b)
    while high - low > 1e-9:
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - ratio * (high - low)
            fa = function(a)
        else:
            low, a, fa = a, b, fb
            b = low + ratio * (high - low)
            fb = function(b)
    return 0.5 * (low + high)
