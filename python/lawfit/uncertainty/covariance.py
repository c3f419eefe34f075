"""Covariance of the estimates from the curvature of the objective and the scatter of its rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..tables import named
from .contributions import Contributions, contributions, problem_of
from .quantiles import two_sided

if TYPE_CHECKING:
    from ..problem import Problem
    from ..result import Fit

__all__ = ["KINDS", "Covariance", "covariance", "degrees_of_freedom", "dispersion", "spread_over"]

Floats = NDArray[np.float64]

KINDS = ("sandwich", "gauss-newton", "hessian", "cluster")
SINGULAR = 1e-13  # smallest eigenvalue of a correlation matrix that still means something


@dataclass(frozen=True)
class Covariance:
    """How much the estimates vary, and together with which others.

    Attributes
    ----------
    names : tuple of str
        The parameters that were fitted, and "scale" if that was.
    estimate : ndarray of shape (p,)
        Natural units.
    matrix : ndarray of shape (p, p)
        Natural units. Rows and columns of parameters at a bound are nan: nothing linear describes
        them. Variances of parameters that the data do not determine are inf.
    kind : str
    dof : float
        Degrees of freedom of Student's t: rows less parameters, or clusters less 1.
    nobs : int
        Rows with weight.
    coordinates, coordinate_matrix : ndarray of shape (p,), (p, p)
        The same in the coordinates of the fit: of a scale factor, its logarithm.
    is_log : tuple of bool
        Which of them are logarithms.
    """

    names: tuple[str, ...]
    estimate: Floats
    matrix: Floats
    kind: str
    dof: float
    nobs: int
    coordinates: Floats = field(repr=False)
    coordinate_matrix: Floats = field(repr=False)
    is_log: tuple[bool, ...] = field(repr=False)

    @property
    def standard_errors(self) -> dict[str, float]:
        """Square roots of the variances by name, in natural units."""
        with np.errstate(invalid="ignore"):
            roots = np.sqrt(np.diag(self.matrix))
        return dict(zip(self.names, roots.tolist(), strict=True))

    @property
    def correlation(self) -> Floats:
        """Correlations of the coordinates of the fit, shape (p, p)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            roots = np.sqrt(np.diag(self.coordinate_matrix))
            return np.asarray(self.coordinate_matrix / np.outer(roots, roots))

    def intervals(
        self, confidence_level: float = 0.95, method: str = "t"
    ) -> dict[str, tuple[float, float]]:
        """Return lower and upper end for every fitted parameter.

        They are formed in the coordinates of the fit, so that those of a scale factor are positive.

        Parameters
        ----------
        confidence_level : float
        method : {"t", "normal"}
        """
        if method not in ("t", "normal"):
            raise InputError(f"method = {method!r} must be one of 't', 'normal'")
        reach = two_sided(confidence_level, self.dof if method == "t" else math.inf)
        half = reach * np.sqrt(np.diag(self.coordinate_matrix))
        out = {}
        for k, name in enumerate(self.names):
            low, high = self.coordinates[k] - half[k], self.coordinates[k] + half[k]
            if self.is_log[k]:
                with np.errstate(over="ignore"):
                    low, high = np.exp(low), np.exp(high)
            out[name] = (float(low), float(high))
        return out


def covariance(fit: Fit, kind: str = "sandwich", by: Any = None) -> Covariance:
    """Estimate the covariance of the fitted parameters.

    With the rows' scores ``g_i = w_i psi(u_i) du_i`` and the Hessian H of the objective,

    - "sandwich": ``H^-1 (sum g g') H^-1 n / (n - p)`` (Huber 1967; White's HC1): right whatever the
      noise of each row, if rows are independent;
    - "cluster": the same with scores summed over the rows of one cluster, times
      ``G / (G - 1) (n - 1) / (n - p)`` (Liang and Zeger 1986): rows of one cluster may depend on
      each other;
    - "hessian": ``d H^-1`` with the dispersion d of the residuals (`dispersion`; 1 with a fitted
      scale, where the objective is a likelihood): right if the noise is the same in all rows;
    - "gauss-newton": ``m(psi^2) / m(psi')^2 (sum w du du')^-1``: the same to first order, in the
      case of `Squared` ``s^2 (J'WJ)^-1``.

    Where the loss has a kink or a core narrow against the residuals, psi' is estimated with a
    window (`lawfit.uncertainty.contributions.slopes`).

    Penalties are part of H; their terms are no rows, and do not vary. A censored row counts with
    the derivatives of what it adds to the objective.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit`.
    kind : {"sandwich", "gauss-newton", "hessian", "cluster"}
    by : str or array of shape (n,)
        The clusters, for "cluster" only: a column of the table, or one label per row.

    Raises
    ------
    InputError
        If the kind is unknown, clusters are missing or only one, rows are not more than parameters,
        or the fit has no table.
    """
    if kind not in KINDS:
        raise InputError(
            f"covariance kind {kind!r} must be one of {', '.join(repr(k) for k in KINDS)}"
        )
    if (by is not None) != (kind == "cluster"):
        raise InputError('covariance: kind="cluster" and by=... belong together')
    problem, x = problem_of(fit)
    clusters = None if by is None else _clusters(problem, by)
    rows = contributions(fit)
    active = active_coordinates(fit, problem)
    dof = degrees_of_freedom(fit, rows)
    part = np.ix_(active, active)
    full = np.full((problem.dimension, problem.dimension), np.nan)
    if kind == "gauss-newton":
        full[part] = _gauss_newton(rows, active, dof)
    elif kind == "hessian":
        unit = dispersion(fit, rows)
        full[part] = unit * bread_inverse(rows, active)
    else:
        inverse, lost = pseudo_inverse(_bread(rows, active))
        score = rows.score[:, active]
        factor = rows.rows / dof
        if clusters is not None:
            count = int(clusters.max()) + 1
            score = np.stack([np.bincount(clusters, s, count) for s in score.T], axis=1)
            factor = count / (count - 1) * (rows.rows - 1) / dof
            dof = count - 1.0
        full[part] = with_lost(factor * inverse @ (score.T @ score) @ inverse, lost)
    names = problem.free + (("scale",) if rows.has_scale else ())
    is_log = tuple(problem._is_log(n) for n in problem.free) + (True,) * rows.has_scale
    estimate = np.where(is_log, np.exp(np.where(is_log, x, 0.0)), x)
    unit_of = np.where(is_log, estimate, 1.0)
    with np.errstate(invalid="ignore"):
        matrix = full * np.outer(unit_of, unit_of)
    return Covariance(names, estimate, matrix, kind, float(dof), rows.rows, x.copy(), full, is_log)


def degrees_of_freedom(fit: Fit, rows: Contributions) -> float:
    """Return rows with weight less parameters that were fitted and are not at a bound.

    Raises
    ------
    InputError
        If none is left.
    """
    fitted = len(fit.free) - len(fit.at_bound)
    if rows.rows <= fitted:
        raise InputError(
            f"{fit.source}: {rows.rows} rows for {fitted} fitted parameters ({named(fit.free)}) "
            "leave nothing to estimate the noise from; more rows or fewer parameters are needed"
        )
    return float(rows.rows - fitted)


def dispersion(fit: Fit, rows: Contributions) -> float:
    """Return what twice a rise of the objective must be divided by to be chi-square.

    With a fitted scale the objective is a log-likelihood, and it is 1. Otherwise a sum of losses
    rises by a multiple of chi-square: the residual variance for `Squared`, and
    ``E psi^2 / E psi'`` for any loss (Schrader and Hettmansperger 1980; Ronchetti 1982).
    """
    if fit.scale_setting == "fitted":
        return 1.0
    curvature = rows.mean_curvature()
    square = rows.mean_square_slope(degrees_of_freedom(fit, rows))
    if not (curvature > 0.0 and square > 0.0):
        raise InputError(
            f"the dispersion under {fit.loss} cannot be estimated: mean psi^2 is {square:g} and "
            f"mean psi' is {curvature:g} (no residuals near zero, or no residuals at all)"
        )
    return square / curvature


def spread_over(fit: Fit, by_free: dict[str, Any]) -> dict[str, Any]:
    """Give every parameter what its leader has; a fixed one (v, v); "scale" stays last."""
    problem, _ = problem_of(fit)
    out = {}
    for name in problem.names:
        if name in problem.settings.fixed:
            out[name] = (fit.params[name], fit.params[name])
        else:
            out[name] = by_free[problem.leader[name]]
    if "scale" in by_free:
        out["scale"] = by_free["scale"]
    return out


def active_coordinates(fit: Fit, problem: Problem) -> NDArray[np.intp]:
    inside = [n not in fit.at_bound for n in problem.free]
    return np.flatnonzero(inside + [True] * (problem.dimension - len(problem.free)))


def _clusters(problem: Problem, by: Any) -> NDArray[np.intp]:
    if isinstance(by, str):
        _, index = problem.runs.levels(by, "by")
    else:
        labels = np.asarray(by)
        if labels.shape != (problem.runs.n,):
            raise InputError(f"by has shape {labels.shape}; the fit used {problem.runs.n} rows")
        _, index = np.unique(labels, return_inverse=True)
    if index.max() < 1:
        raise InputError("by: all rows are in one cluster; at least two are needed")
    return np.asarray(index, dtype=np.intp)


def _gauss_newton(
    rows: Contributions, active: Sequence[int] | NDArray[np.intp], dof: float
) -> Floats:
    location = [k for k in active if k < rows.n_location]
    j = rows.jacobian[:, location]
    gram = j.T @ (j * rows.weight[:, None])
    curvature = rows.mean_curvature()
    variance = rows.mean_square_slope(dof) / curvature**2 if curvature > 0.0 else math.inf
    out = np.zeros((len(active), len(active)))
    penalty = rows.penalty[np.ix_(location, location)]
    if curvature > 0.0 and penalty.any():
        bread, lost = pseudo_inverse(gram + penalty / curvature)
        inverse = bread @ gram @ bread
    else:
        inverse, lost = pseudo_inverse(gram)
    if not math.isfinite(variance):  # no residual near zero: nothing is known
        variance, lost = 0.0, np.ones_like(lost)
    out[: len(location), : len(location)] = with_lost(variance * inverse, lost)
    if rows.has_scale:
        along = rows.score[:, -1]
        u, w = rows.u, rows.weight
        bend = np.sum(w * (rows.curvature * rows.jacobian[:, -1] ** 2 + rows.slope * u))
        out[-1, -1] = np.sum(along**2) / bend**2 * rows.rows / dof
    return out


def _bread(rows: Contributions, active: NDArray[np.intp]) -> Floats:
    """Return the Hessian; its first-order part where it is not definite."""
    part = np.ix_(active, active)
    exact: Floats = rows.bread[part]
    expected: Floats = rows.expected_bread[part]
    return exact if is_definite(exact) else expected


def bread_inverse(rows: Contributions, active: NDArray[np.intp]) -> Floats:
    """Return the inverse of the Hessian over the active coordinates."""
    return inverse_of(_bread(rows, active))


def _scaled(matrix: Floats) -> tuple[Floats, Floats]:
    size = np.sqrt(np.clip(np.diag(matrix), 0.0, None))
    size = np.where(size > 0.0, size, 1.0)
    return np.asarray(matrix / np.outer(size, size)), size


def is_definite(matrix: Floats) -> bool:
    """Tell whether a symmetric matrix is positive definite, whatever the units of its rows."""
    if not len(matrix):
        return True
    scaled, _ = _scaled(matrix)
    return bool(np.isfinite(scaled).all() and np.linalg.eigvalsh(scaled)[0] > SINGULAR)


def pseudo_inverse(matrix: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Invert a positive semi-definite matrix off its directions without curvature.

    Returns
    -------
    inverse : ndarray of shape (p, p)
    lost : ndarray of bool, shape (p,)
        Coordinates that take part in such a direction.
    """
    none = np.zeros(len(matrix), dtype=bool)
    if not len(matrix):
        return matrix, none
    scaled, size = _scaled(matrix)
    if not np.isfinite(scaled).all():
        return np.zeros_like(matrix), ~none
    value, vector = np.linalg.eigh(scaled)
    flat = value <= SINGULAR
    inverse = (vector[:, ~flat] / value[~flat]) @ vector[:, ~flat].T
    lost = np.asarray((np.abs(vector[:, flat]) > 1e-3).any(axis=1))
    return np.asarray(inverse / np.outer(size, size)), lost


def with_lost(matrix: Floats, lost: NDArray[np.bool_]) -> Floats:
    """Return a covariance with infinite variances where nothing is determined."""
    out: Floats = matrix.copy()
    out[lost, :] = out[:, lost] = 0.0
    out[lost, lost] = np.inf
    return out


def inverse_of(matrix: Floats) -> Floats:
    """Invert a positive semi-definite matrix; what it does not determine has infinite variance."""
    return with_lost(*pseudo_inverse(matrix))
