"""Predictions with bounds: parameters, noise and the law's own error, each by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import InputError
from ..execution import MAX_EVALUATIONS, TOLERANCE
from ..frames import Frame
from ..runs import Runs, read
from .contributions import (
    Contributions,
    contributions,
    derivatives_at,
    problem_of,
    to_residual_space,
)
from .covariance import covariance, degrees_of_freedom, inverse_of
from .quantiles import two_sided

if TYPE_CHECKING:
    from ..problem import Problem
    from ..result import Fit

__all__ = ["Prediction", "predict"]

Floats = NDArray[np.float64]

CUTS = (0.5, 0.65, 0.8)  # shares of the rows, in order of size, that the law is fitted to again
STARTS = 3  # of each of these fits, besides the fit itself


@dataclass(frozen=True)
class Prediction:
    """What a law predicts for new runs, with bounds for single runs.

    Attributes
    ----------
    value, low, high : ndarray of shape (n,)
        In units of the target.
    confidence_level : float
    parts : dict of str to ndarray of shape (n,)
        Standard deviations in the space of the residuals: "parameter", "noise" and "model_form".
        "model_form" is nan where it could not be estimated, and then not part of the bounds.
    distance : dict of str to ndarray of shape (n,)
        How far each variable lies outside the fitted runs: the logarithm of the factor; of a
        variable that is not positive, the difference in units of its range. 0 inside.
    leverage : ndarray of shape (n,)
        Parameter variance in units of the noise of a fitted run; over those it sums to the number
        of parameters.
    factor : float
        Of the recalibration; 1 without.
    """

    value: Floats
    low: Floats
    high: Floats
    confidence_level: float
    parts: dict[str, Floats]
    distance: dict[str, Floats]
    leverage: Floats
    factor: float = 1.0
    _frame: Frame | None = field(default=None, repr=False, compare=False)

    def table(self) -> Any:
        """Return one row per run: value, low, high, and the standard deviations of all parts.

        A mapping of columns, or, where the runs were a DataFrame, one of its kind with its index.
        """
        columns = {"value": self.value, "low": self.low, "high": self.high}
        columns |= {f"sd_{part}": sd for part, sd in self.parts.items()}
        return columns if self._frame is None else self._frame.rows_with(columns, list(columns))

    @property
    def standard_deviation(self) -> Floats:
        """All parts together, shape (n,), in the space of the residuals."""
        squares = [np.nan_to_num(v) ** 2 for v in self.parts.values()]
        return np.asarray(self.factor * np.sqrt(np.sum(squares, axis=0)))


def predict(
    fit: Fit,
    runs: Any,
    interval: float = 0.95,
    *,
    method: Any = "delta",
    kind: str = "sandwich",
    by: Any = None,
    model_form: bool = True,
    recalibrate: Any = None,
) -> Prediction:
    """Predict new runs with bounds that a single run stays within.

    Three standard deviations add up in squares, in the space of the residuals:

    - parameter: by the delta method from the covariance, or from the draws of a bootstrap;
    - noise: such that an interval of noise alone is as wide as the central interval of the fit's
      residuals, whatever their distribution (by their mean square where there are too few rows to
      read off a quantile);
    - model form: `growth` times the distance outside the fitted runs.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit`.
    runs : mapping of arrays, DataFrame, or path
        As for `Fit.predict`.
    interval : float
        Confidence level.
    method : "delta" or Bootstrap
    kind, by
        Of the covariance; see `Fit.covariance`.
    model_form : bool
        Whether to estimate and add the model's own error.
    recalibrate : mapping of arrays, DataFrame, or path, optional
        Runs with targets that the fit has not seen. All bounds are widened or narrowed by one
        factor, such that these runs would have been covered with the level asked for (split
        conformal prediction on standardised errors; Lei et al. 2018).

    Raises
    ------
    InputError
        If a variable is missing, the level is not between 0 and 1, or recalibration has too few
        runs for the level.
    """
    reach = two_sided(interval)
    problem, x = problem_of(fit)
    table = runs if isinstance(runs, Runs) else read(runs)
    rows = contributions(fit)
    dof = degrees_of_freedom(fit, rows)
    reach = two_sided(interval, dof)
    value = fit.law.predict(fit.params, table)
    _, jacobian = derivatives_at(problem, x, table)
    if method == "delta":
        matrix = covariance(fit, kind, by).coordinate_matrix
        parameter = np.sqrt(_forms(jacobian, matrix[: len(problem.free), : len(problem.free)]))
    elif hasattr(method, "draws"):
        draws = method.draws
        count = len(next(iter(draws.values())))
        names = [n for n in draws if n != "scale"]
        spread = np.array(
            [
                to_residual_space(
                    fit.law.predict({n: draws[n][i] for n in names}, table), fit.residual
                )
                for i in range(count)
            ]
        )
        parameter = np.std(spread, axis=0, ddof=1)
    else:
        raise InputError(f"method = {method!r} must be 'delta' or the result of fit.bootstrap()")
    noise = _noise(problem, rows, x, interval, reach, dof)
    distances = distance(problem, table)
    total = np.sqrt(np.sum([d**2 for d in distances.values()], axis=0))
    if model_form:
        rate = growth(fit)
        own = np.where(total > 0.0, rate * total, 0.0)
    else:
        own = np.zeros(table.n)
    free = rows.jacobian[:, : rows.n_location]
    gram = inverse_of(free.T @ (free * rows.weight[:, None])) * float(np.mean(rows.weight))
    unit = math.exp(x[-1]) if rows.has_scale else 1.0
    made = Prediction(
        value=value,
        low=value,
        high=value,
        confidence_level=interval,
        parts={
            "parameter": parameter,
            "noise": np.full(table.n, noise),
            "model_form": own,
        },
        distance=distances,
        leverage=_forms(jacobian / (unit * _typical_sigma(problem)), gram),
        _frame=table.frame,
    )
    if recalibrate is not None:
        made = replace(
            made,
            factor=_factor(fit, recalibrate, interval, reach, method, kind, by, model_form),
        )
    half = reach * made.standard_deviation
    center = to_residual_space(value, fit.residual)
    return replace(
        made,
        low=_from_residual_space(center - half, fit.residual),
        high=_from_residual_space(center + half, fit.residual),
    )


def distance(problem: Problem, table: Runs) -> dict[str, Floats]:
    """Return how far every variable lies outside the fitted rows that have weight, shape (n,)."""
    counted = _counted(problem)
    out = {}
    for name, fitted in zip(problem.variables, problem.columns, strict=True):
        new = table.numbers(name)
        out[name] = _outside(fitted[counted], new)
    return out


def growth(fit: Fit) -> float:
    """Estimate the standard deviation of the law's own error per unit of distance.

    The rows are put in order of size (the sum of the logarithms of the variables). The law is
    fitted again to the smallest 50, 65 and 80 % of them and predicts the others. What their squared
    errors exceed noise and parameter variance by is regressed on the squared distance, through the
    origin. nan where fewer than twice as many rows as parameters would be left to fit to, or no
    held-out row lies outside the others.
    """
    problem, x = problem_of(fit)
    rows = contributions(fit)
    counted = _counted(problem)
    spread = [
        (c, np.log(c)) if c.min() > 0 else (c, c / max(float(np.ptp(c)), 1e-300))
        for c in problem.columns
    ]
    if not spread or not rows.mean_curvature() > 0.0:
        return math.nan
    size = np.sum([s for _, s in spread], axis=0)
    order = np.argsort(size[counted], kind="stable")
    order = np.flatnonzero(counted)[order]
    p = len(problem.free)
    y = to_residual_space(problem.target, problem.settings.residual)
    square = rows.mean_square_slope(degrees_of_freedom(fit, rows)) / rows.mean_curvature() ** 2
    unit = math.exp(x[-1]) if rows.has_scale else 1.0
    sigma = np.ones(len(y)) if problem.settings.sigma is None else problem.settings.sigma
    told = counted & rows.known
    if not told.any():
        return math.nan
    noise = np.median(np.abs(rows.u[told])) / 0.6745 * unit * sigma
    above = below = 0.0
    starts = np.vstack([x[None], problem.draw_starts(STARTS, 0)])
    for share in CUTS:
        kept = int(share * len(order))
        if kept < 2 * p + 2 or len(order) - kept < 2:
            continue
        inside, outside = order[:kept], order[kept:]
        mask = np.zeros(len(y))
        mask[inside] = rows.weight[inside]
        part = _reweighted(problem, mask)
        raw = _core.multistart(
            part.objective(starts), starts, TOLERANCE, MAX_EVALUATIONS, True, 0, None
        )
        if not np.isfinite(raw["objective"]).any():
            continue
        at = raw["x"][int(np.nanargmin(raw["objective"]))]
        z, jacobian = derivatives_at(problem, at)
        scaled = jacobian[inside] / (unit * sigma[inside])[:, None]
        gram = inverse_of(scaled.T @ (scaled * mask[inside][:, None]))
        variance = square * _forms(jacobian[outside], gram)
        d2 = np.sum([_outside(c[inside], c[outside]) ** 2 for c, _ in spread], axis=0)
        excess = (z - y)[outside] ** 2 - noise[outside] ** 2 - variance
        use = (d2 > 0.0) & np.isfinite(excess) & rows.known[outside]
        above += float(np.sum(d2[use] * excess[use]))
        below += float(np.sum(d2[use] ** 2))
    return math.sqrt(max(above / below, 0.0)) if below > 0.0 else math.nan


def _reweighted(problem: Problem, weights: Floats) -> Problem:
    """Return the same problem with other weights."""
    from ..problem import Problem

    return Problem(problem.law, problem.runs, replace(problem.settings, weights=weights))


def _counted(problem: Problem) -> NDArray[np.bool_]:
    weights = problem.settings.weights
    return np.ones(problem.runs.n, dtype=bool) if weights is None else weights > 0


def _outside(fitted: Floats, new: Floats) -> Floats:
    low, high = float(fitted.min()), float(fitted.max())
    if low > 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(new)
        return np.maximum(np.maximum(math.log(low) - log, log - math.log(high)), 0.0)
    unit = max(high - low, 1e-300)
    return np.maximum(np.maximum(low - new, new - high) / unit, 0.0)


def _forms(jacobian: Floats, matrix: Floats) -> Floats:
    """Return j' V j for every row; what is not determined counts where it is used."""
    lost = np.isinf(np.diag(matrix))
    known = np.where(np.isfinite(matrix), matrix, 0.0)
    out = np.einsum("ij,jk,ik->i", jacobian, known, jacobian)
    out = np.maximum(out, 0.0)
    if lost.any():
        out = np.where((jacobian[:, lost] != 0.0).any(axis=1), np.inf, out)
    return np.asarray(out)


def _typical_sigma(problem: Problem) -> float:
    sigma = problem.settings.sigma
    return 1.0 if sigma is None else float(np.median(sigma))


def _noise(
    problem: Problem, rows: Contributions, x: Floats, level: float, reach: float, dof: float
) -> float:
    """Return the standard deviation of noise for a row of typical sigma."""
    u = rows.u[_counted(problem) & rows.known]
    if not len(u):
        raise InputError("every row with weight is censored: nothing tells how large noise is")
    n = len(u)
    unit = _typical_sigma(problem)
    if problem.settings.scale == "fitted":
        unit *= math.exp(x[-1])
    # Fitted residuals are smaller than errors. A censored row adds no residual.
    shrunk = math.sqrt(n / max(n - (rows.rows - dof), 1.0))
    if n * (1.0 - level) < 2.0:
        return unit * shrunk * float(np.sqrt(np.mean(u**2)))
    share = min(1.0, level * (n + 1) / n)
    return unit * shrunk * float(np.quantile(np.abs(u), share)) / reach


def _from_residual_space(values: Floats, residual: str) -> Floats:
    with np.errstate(over="ignore"):
        if residual == "log":
            return np.asarray(np.exp(values))
        if residual == "logit":
            return np.asarray(1.0 / (1.0 + np.exp(-values)))
    return values


def _factor(
    fit: Fit,
    held_out: Any,
    level: float,
    reach: float,
    method: Any,
    kind: str,
    by: Any,
    model_form: bool,
) -> float:
    table = held_out if isinstance(held_out, Runs) else read(held_out)
    m = table.n
    rank = math.ceil((m + 1) * level - 1e-9)
    if rank > m:
        least = math.ceil(level / (1.0 - level) - 1e-9)
        raise InputError(
            f"recalibrate: {m} runs; an interval of {level:g} needs {least} or more held-out runs"
        )
    known = predict(fit, table, level, method=method, kind=kind, by=by, model_form=model_form)
    y = to_residual_space(table.numbers(fit.target, "recalibrate"), fit.residual)
    error = np.abs(to_residual_space(known.value, fit.residual) - y) / known.standard_deviation
    if not np.isfinite(error).all():
        raise InputError("recalibrate: an error of these runs is not finite; check the targets")
    return float(np.sort(error)[rank - 1] / reach)
