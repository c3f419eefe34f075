"""`curve_fit` with the signature, the values and the errors of `scipy.optimize.curve_fit`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, InputError
from .robust import robust_from
from .search import End, Residuals, minimise

__all__ = ["OptimizeWarning", "bounds_from", "curve_fit"]

Floats = NDArray[np.float64]

METHODS = ("lm", "trf", "dogbox")
# Settings of SciPy's solvers that ask for less precision than the solver here always gives, or that
# have no counterpart in it.
IGNORED = frozenset(
    "ftol xtol gtol epsfcn factor diag x_scale diff_step tr_solver tr_options jac_sparsity verbose "
    "col_deriv".split()
)


class OptimizeWarning(UserWarning):
    """The covariance of the parameters could not be estimated."""


def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    n_starts: int | None = None,
    loss: Any = "linear",
    f_scale: float = 1.0,
    rng: int | np.random.Generator | None = 0,
    **kwargs: Any,
) -> Any:
    """Fit a function to data by least squares, as `scipy.optimize.curve_fit` does.

    The function is called once with objects that record what NumPy does to the parameters. The
    expression so found is compiled, compared with the function itself at three points, and fitted
    with exact first and second derivatives. A function that cannot be recorded (decisions on fitted
    values, loops over rows, code outside NumPy) is called from Python with numerical derivatives,
    and a `NotTracedWarning` says so and why.

    Parameters
    ----------
    f : callable
        ``f(xdata, *params)``, returning shape (m,).
    xdata : array of shape (m,) or (k, m), list, tuple, DataFrame or any object
        Handed to `f`; lists, tuples and arrays become float arrays first.
    ydata : array-like of shape (m,)
    p0 : array-like of shape (n,), optional
        Start. Without it ones, or values inside the bounds; then n is read off `f`.
    sigma : array-like of shape (m,) or (m, m), or number, optional
        Standard deviations of the data, or their covariance matrix.
    absolute_sigma : bool
        Whether `pcov` takes `sigma` as it is. False: `sigma` is scaled so that the reduced
        chi-square is one.
    check_finite : bool, optional
        Whether values that are not finite are refused. Default: True unless `nan_policy` is given.
    bounds : pair of numbers or array-likes, or object with `lb` and `ub`
    method : {"lm", "trf", "dogbox"}, optional
        Accepted, with SciPy's conditions ("lm" has no bounds and needs m >= n). The solver is the
        same for all.
    jac : callable, str, optional
        ``jac(xdata, *params)``, shape (m, n). Used where `f` cannot be traced; otherwise the
        derivatives are exact already and it is not called. Texts are accepted and not needed.
    full_output : bool
    nan_policy : {"raise", "omit"}, optional
    n_starts : int, optional
        Number of starts, `p0` the first of them; the others keep its signs and lie between a tenth
        and ten times its values. The lowest end counts, and `p0`'s own where they agree to 1e-6.
        Default: 16 where `f` is traced; 1 where it is not, where it is a sine or cosine of fitted
        values (which has a minimum for every period), and with a matrix as `sigma`. With 1 the
        minimum is the one that `p0` leads to.
    loss : str or Loss
        "linear", "huber", "soft_l1", "cauchy" or "arctan" with threshold `f_scale`, as in
        `scipy.optimize.least_squares`; or a loss of lawfit's.
    f_scale : float
    rng : int, Generator or None
        Seed of the spread starts.
    **kwargs
        ``maxfev`` or ``max_nfev``: evaluations per start. Tolerances and other settings of SciPy's
        solvers are accepted and not needed.

    Returns
    -------
    popt : ndarray of shape (n,)
    pcov : ndarray of shape (n, n)
        Estimated covariance: ``inv(J.T @ J)``, times the reduced chi-square unless
        `absolute_sigma`; infinite, with an `OptimizeWarning`, where it cannot be estimated. Under a
        robust loss J is the Jacobian of the Gauss-Newton model, as in SciPy.
    infodict : dict
        With `full_output`: ``nfev`` of all starts, ``fvec`` the weighted residuals, and ``fjac``,
        ``ipvt``, ``qtf``, a QR factorisation of the Jacobian without pivoting.
    mesg : str
        With `full_output`.
    ier : int
        With `full_output`: 1 to 4.

    Raises
    ------
    ValueError
        If arguments contradict each other or the data, or values are not finite (`InputError`).
    TypeError
        If there are more parameters than data and `method` is "lm", or a keyword is unknown.
    RuntimeError
        If no start converged within the evaluations allowed (`FitError`).
    """
    _check_keywords(kwargs, method)
    if p0 is None:
        n = _count_parameters(f)
    else:
        p0 = np.atleast_1d(np.asarray(p0, dtype=float))
        if p0.ndim != 1:
            raise InputError(f"p0 has shape {p0.shape}; expected (parameters,)")
        if not np.all(np.isfinite(p0)):
            raise InputError(f"p0 = {p0.tolist()} is not finite")
        n = p0.size
    low, high = bounds_from(bounds, n)
    bounded = bool(np.any((low > -np.inf) | (high < np.inf)))
    x0 = _feasible(low, high) if p0 is None else p0
    method = method or ("trf" if bounded else "lm")
    if method not in METHODS:
        raise InputError(f"method = {method!r} must be one of {', '.join(map(repr, METHODS))}")
    if method == "lm" and bounded:
        raise InputError('method "lm" is for problems without bounds; use "trf" or leave it out')
    if np.any((x0 < low) | (x0 > high)):
        raise InputError("x0 is infeasible: p0 lies outside the bounds")
    robust = robust_from(loss, f_scale)

    if check_finite is None:
        check_finite = nan_policy is None
    x, y = _data(xdata, ydata, check_finite)
    if not check_finite and nan_policy is not None:
        x, y, sigma = _without_nan(x, y, sigma, nan_policy)
    m = y.size
    if n > m and method == "lm":
        raise TypeError(
            f"Improper input: the number of parameters N={n} must not exceed the number of data "
            f"M={m}"
        )
    weights, whitener = _weights(sigma, m)
    problem = Residuals(
        lambda parameters: f(x, *parameters),
        y.ravel(),
        weights,
        whitener,
        (lambda parameters: jac(x, *parameters)) if callable(jac) else None,
    )
    values = problem.values(x0)  # a user's error is the user's to see
    if check_finite and method != "lm" and not np.all(np.isfinite(values)):
        raise InputError("Residuals are not finite in the initial point.")
    problem.try_to_trace(x0, low, _name(f), stacklevel=2)
    end = minimise(
        problem,
        x0,
        low,
        high,
        robust,
        n_starts=_starts(n_starts),
        rng=rng,
        max_evaluations=int(kwargs.get("max_nfev") or kwargs.get("maxfev") or 0),
    )
    if end.status < 1:
        raise FitError(f"Optimal parameters not found: {end.message}")
    fitted, jacobian = robust.scaled(end.f, end.jacobian) if robust.in_python else (end.f, None)
    cost = 2.0 * robust.cost(end.f) if robust.in_python else np.nan
    pcov = _covariance(jacobian, cost, m, n, absolute_sigma)
    if not full_output:
        return end.x, pcov
    return end.x, pcov, _infodict(end, fitted), end.message, end.status


def bounds_from(bounds: Any, n: int) -> tuple[Floats, Floats]:
    """Return lower and upper bounds, shape (n,) each, of a pair or of an object with lb and ub."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        given = (bounds.lb, bounds.ub)
    else:
        try:
            lower, upper = bounds
        except (TypeError, ValueError):
            raise InputError("`bounds` must contain 2 elements: lower and upper") from None
        given = (lower, upper)
    low, high = (np.asarray(b, dtype=float) for b in given)
    if low.ndim > 1 or high.ndim > 1:
        raise InputError("`bounds` must be numbers or have one dimension")
    try:
        low, high = np.broadcast_to(low, (n,)).copy(), np.broadcast_to(high, (n,)).copy()
    except ValueError:
        raise InputError(
            f"Inconsistent shapes between bounds, {low.shape} and {high.shape}, and the "
            f"{n} parameters"
        ) from None
    if not np.all(low < high):
        raise InputError("each lower bound must be strictly less than each upper bound")
    return low, high


def _check_keywords(kwargs: dict[str, Any], method: str | None) -> None:
    if "args" in kwargs:
        raise InputError("'args' is not a supported keyword argument.")
    unknown = sorted(set(kwargs) - IGNORED - {"maxfev", "max_nfev"})
    if unknown:
        raise TypeError(f"curve_fit() got an unexpected keyword argument {unknown[0]!r}")


def _count_parameters(f: Callable[..., Any]) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        given = [p for p in inspect.signature(f).parameters.values() if p.kind in positional]
    except (TypeError, ValueError):
        given = []
    if len(given) < 2:
        raise InputError("Unable to determine number of fit parameters: give p0")
    return len(given) - 1


def _feasible(low: Floats, high: Floats) -> Floats:
    """Return ones, or where there are bounds the middle or one beside the bound, shape (n,)."""
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    x0 = np.ones_like(low)
    both = has_low & has_high
    x0[both] = 0.5 * (low[both] + high[both])
    x0[has_low & ~has_high] = low[has_low & ~has_high] + 1.0
    x0[~has_low & has_high] = high[~has_low & has_high] - 1.0
    return x0


def _data(xdata: Any, ydata: Any, check_finite: bool) -> tuple[Any, Floats]:
    as_array = np.asarray_chkfinite if check_finite else np.asarray
    y = as_array(ydata, float)
    x = xdata
    if isinstance(xdata, (list, tuple, np.ndarray)):
        x = as_array(xdata, float)
    if y.size == 0:
        raise InputError("`ydata` must not be empty!")
    return x, y


def _without_nan(x: Any, y: Floats, sigma: Any, policy: str) -> tuple[Any, Floats, Any]:
    if policy == "propagate":
        raise InputError("`nan_policy='propagate'` is not supported by this function.")
    if policy not in ("raise", "omit"):
        raise InputError(f"nan_policy = {policy!r} must be one of None, 'raise', 'omit'")
    numeric = isinstance(x, np.ndarray)
    bad = np.isnan(y)
    if numeric:
        at = np.isnan(x)
        bad = bad | at.any(axis=tuple(range(at.ndim - 1)))
    if not bad.any():
        return x, y, sigma
    if policy == "raise":
        raise InputError("The input contains nan values")
    if not numeric:
        raise InputError("nan_policy='omit' needs xdata that is an array")
    if sigma is not None:
        sigma = np.asarray(sigma)
        if sigma.ndim == 1:
            sigma = sigma[~bad]
        elif sigma.ndim == 2:
            sigma = sigma[~bad][:, ~bad]
    return x[..., ~bad], y[~bad], sigma


def _weights(sigma: Any, m: int) -> tuple[Floats | None, Callable[[Floats], Floats] | None]:
    if sigma is None:
        return None, None
    sigma = np.asarray(sigma, dtype=float)
    if sigma.size == 1:
        sigma = np.broadcast_to(sigma.reshape(()), (m,))
    if sigma.shape == (m,):
        if not np.all(sigma > 0):
            # A negative deviation divides like a positive one; zero is a weight without end.
            if np.any(sigma == 0) or np.isnan(sigma).any():
                raise InputError("`sigma` must not be zero or nan")
            sigma = np.abs(sigma)
        return np.array(sigma), None
    if sigma.shape != (m, m):
        raise InputError(
            f"`sigma` has incorrect shape: {sigma.shape}; expected ({m},) or ({m}, {m})"
        )
    try:
        factor = np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        raise InputError("`sigma` must be positive definite.") from None
    inverse = np.linalg.solve(factor, np.eye(m))
    return None, lambda values: inverse @ values


def _starts(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given >= 1:
        return int(given)
    raise InputError(f"n_starts = {given!r} must be a whole number of 1 or more")


def _name(f: Any) -> str:
    return str(getattr(f, "__qualname__", None) or type(f).__qualname__)


def _covariance(
    jacobian: Floats | None, cost: float, m: int, n: int, absolute_sigma: bool
) -> Floats:
    """Return inv(J.T @ J), scaled unless sigma is absolute; infinities if it is singular."""
    pcov = None
    if jacobian is not None and np.all(np.isfinite(jacobian)):
        size = np.linalg.norm(jacobian, axis=0)
        if np.all(size > 0) and m >= n:  # columns of one size: the rank does not depend on units
            _, s, vt = np.linalg.svd(jacobian / size, full_matrices=False)
            if s[-1] > np.finfo(float).eps * max(m, n) * s[0]:
                half = (vt.T / s) / size[:, None]
                pcov = half @ half.T
    if pcov is not None and not absolute_sigma:
        pcov = pcov * (cost / (m - n)) if m > n else None
    if pcov is None or not np.all(np.isfinite(pcov)):
        warnings.warn(
            "Covariance of the parameters could not be estimated", OptimizeWarning, stacklevel=3
        )
        return np.full((n, n), np.inf)
    return np.asarray(pcov)


def _infodict(end: End, fitted: Floats) -> dict[str, Any]:
    n = len(end.x)
    info = {"nfev": end.nfev, "fvec": end.f}
    if np.all(np.isfinite(end.jacobian)):
        q, r = np.linalg.qr(end.jacobian)
        info |= {"fjac": r.T, "ipvt": np.arange(1, n + 1), "qtf": q.T @ fitted}
    return info
