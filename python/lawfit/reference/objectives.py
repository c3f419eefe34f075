"""The objective of a fit with its gradient and Gauss-Newton matrix, row by row and by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lawfit.errors import InputError
from lawfit.reference.dual import LONG, Array, smooth
from lawfit.reference.formulas import Columns, Params, Walker
from lawfit.reference.losses import LossSpec, log_normaliser, loss_functions, tail


class Expansion(NamedTuple):
    """The objective around a point: value (), gradient (p,), Gauss-Newton matrix (p, p)."""

    value: np.longdouble
    gradient: Array
    matrix: Array


def expand_objective(
    formula: str,
    params: Params,
    columns: Columns,
    target: npt.ArrayLike,
    names: Sequence[str] = (),
    log_names: Collection[str] = (),
    *,
    residual: str = "log",
    loss: LossSpec = ("huber", 1e-3),
    weights: npt.ArrayLike | None = None,
    sigma: npt.ArrayLike | None = None,
    scale: float | None = None,
    censored: npt.ArrayLike | None = None,
    penalties: Mapping[str, tuple[float | str, float]] | None = None,
) -> Expansion:
    """Return the objective around a point; arguments and errors are those of `objective`."""
    if residual not in ("linear", "log", "logit"):
        raise InputError(f"residual must be 'linear', 'log' or 'logit', not {residual!r}")
    rho, psi, curvature, _ = loss_functions(loss)
    with np.errstate(all="ignore"):
        walker = Walker(formula, params, columns, names)
        predicted, observed = walker.run(), walker.constant(target)
        if residual != "linear":
            predicted, observed = smooth(residual, predicted), smooth(residual, observed)
        error = predicted - observed
        w = walker.constant(1.0 if weights is None else weights).value
        unit = walker.constant(1.0 if sigma is None else sigma).value
        unit = unit if scale is None else unit * LONG(scale)

        u, jacobian = error.value / unit, error.tangent / unit[:, None]
        jacobian *= np.array([params[k] if k in log_names else 1 for k in names], LONG)
        if scale is not None:
            jacobian = np.column_stack([jacobian, -u])  # along log scale
        side = walker.constant(0.0 if censored is None else censored).value
        terms, slopes = rho(u), psi(u)
        h = np.where(terms == 0, curvature, slopes**2 / (2 * terms))
        if scale is not None:
            terms = terms + np.log(LONG(scale)) + log_normaliser(loss)
        if side.any():
            if scale is None:
                right = side * u >= 0
                share, share_slope = np.where(right, 0, terms), np.where(right, 0, slopes)
                bend = np.where(right, 0, h)
            else:
                share, share_slope = tail(loss, u, side)
                bend = share_slope**2 / (2 * share)
            terms = np.where(side == 0, terms, share)
            slopes = np.where(side == 0, slopes, share_slope)
            h = np.where(side == 0, h, bend)
        value, gradient = np.sum(w * terms), (w * slopes) @ jacobian
        if scale is not None:
            gradient[-1] += np.sum(w * (side == 0))
        matrix = jacobian.T @ ((w * h)[:, None] * jacobian)
        for name, (centre, sd) in (penalties or {}).items():
            towards = params[centre] if isinstance(centre, str) else centre
            pair = np.array([params[name], towards], LONG)
            drawn = np.log(pair) if name in log_names else pair
            distance = (drawn[0] - drawn[1]) / LONG(sd)
            along = np.zeros(len(gradient), LONG)
            for parameter, sign in ((name, 1), (centre, -1)):
                if parameter in names:
                    along[list[Any](names).index(parameter)] += sign / LONG(sd)
            value += distance**2 / 2
            gradient += distance * along
            matrix += np.outer(along, along)
        return Expansion(value, gradient, matrix)


def objective(
    formula: str, params: Params, columns: Columns, target: npt.ArrayLike, **options: Any
) -> float:
    """Return the sum over rows of w * rho(u), where u = residual / (sigma * scale).

    Parameters
    ----------
    formula, params, columns
        As in `evaluate`.
    target : array, shape (n,)
        Observed values. The residual is prediction minus target.
    residual : {"log", "linear", "logit"}, default "log"
        The function both prediction and target go through before they are subtracted.
    loss : tuple, default ("huber", 1e-3)
        As in `loss_functions`.
    weights, sigma : array, shape (n,), default 1
        Weight of each row, and the unit of its residual.
    scale : float, optional
        Fitted scale, above 0. If given, w * (log(scale) + log_normaliser(loss)) is added on
        every row, which makes the objective a negative log likelihood up to log(sigma).
    censored : array, shape (n,), optional
        1 where the target is at least what is given, -1 where it is at most that, else 0. Such a
        row counts where u has the other sign; with a scale its term is -w log of the share of
        exp(-rho) on the allowed side of u.
    penalties : mapping of str to (float or str, float), optional
        Centre (or the parameter that is one) and sd: ((x - centre) / sd)**2 / 2 is added, in
        logarithms for parameters in `log_names`, which is then an option too.

    Raises
    ------
    FormulaError, InputError
        As in `evaluate`, `loss_functions` and `log_normaliser`, or an unknown residual.
    """
    return float(expand_objective(formula, params, columns, target, **options).value)


def objective_gradient(*data: Any, **options: Any) -> Array:
    """Return the gradient of `objective` along the internal coordinates.

    Parameters
    ----------
    formula, params, columns, target
        As in `objective`.
    names : sequence of str
        The parameters to differentiate along.
    log_names : collection of str, default ()
        Those of `names` whose internal coordinate is log(parameter).
    residual, loss, weights, sigma, scale, censored, penalties
        As in `objective`.

    Returns
    -------
    ndarray, shape (len(names),), or one longer with the slope along log(scale) last if a
    scale is given.
    """
    return expand_objective(*data, **options).gradient.astype(float)


def gauss_newton_matrix(*data: Any, **options: Any) -> Array:
    """Return the sum over rows of w * h * J J', where J = du / d(internal coordinates).

    Here h = psi(u)**2 / (2 rho(u)), the Gauss-Newton weight of the residual
    sign(u) * sqrt(2 rho(u)). Where u is 0, h is its limit from below: 1, or inf for the
    absolute and quantile losses, whose matrix is then not finite.

    Arguments are those of `objective_gradient`.

    Returns
    -------
    ndarray, shape (p, p), in the order of `objective_gradient`.
    """
    return expand_objective(*data, **options).matrix.astype(float)
