"""`least_squares` with the signature and the result of `scipy.optimize.least_squares`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .curve_fit import bounds_from
from .robust import robust_from
from .search import Residuals, minimise

__all__ = ["OptimizeResult", "least_squares"]

Floats = NDArray[np.float64]


class OptimizeResult(dict[str, Any]):
    """A dictionary whose entries are attributes too, as SciPy's of that name."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __dir__(self) -> list[str]:
        return list(self)


def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    jac: Any = "2-point",
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = None,
    loss: Any = "linear",
    f_scale: float = 1.0,
    diff_step: Any = None,
    tr_solver: str | None = None,
    tr_options: Mapping[str, Any] | None = None,
    jac_sparsity: Any = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callback: Any = None,
    workers: Any = None,
    *,
    n_starts: int = 1,
    rng: int | np.random.Generator | None = 0,
) -> OptimizeResult:
    """Minimise ``0.5 * sum(f_scale**2 * rho((fun(x) / f_scale)**2))`` within bounds.

    The residual function is traced and compiled as in `lawfit.curve_fit`; where that cannot be done
    it is called from Python, and a `NotTracedWarning` says so.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args, **kwargs)``, x of shape (n,), returning residuals, shape (m,).
    x0 : array-like of shape (n,), or number
    jac : callable or str
        ``jac(x, *args, **kwargs)``, shape (m, n); used where `fun` cannot be traced.
    bounds : pair of numbers or array-likes, or object with `lb` and `ub`
    method : {"trf", "dogbox", "lm"}
        Accepted, with SciPy's conditions. The solver is the same for all.
    ftol, xtol, gtol, x_scale, diff_step, tr_solver, tr_options, jac_sparsity, verbose, workers
        Accepted and not needed: a minimum is always found to working precision.
    loss : str or Loss
        As in `lawfit.curve_fit`.
    f_scale : float
    max_nfev : int, optional
        Evaluations per start.
    args, kwargs
        Passed to `fun` and `jac`.
    callback
        Not supported.
    n_starts : int
        Starts, x0 the first of them; the others keep its signs and lie between a tenth and ten
        times its values.
    rng : int, Generator or None

    Returns
    -------
    OptimizeResult
        With x, cost, fun, jac, grad, optimality, active_mask, nfev, njev, status (1 to 4
        converged, 0 out of evaluations, -1 failed), message and success, as in SciPy; `jac` is that
        of the Gauss-Newton model where the loss is robust.

    Raises
    ------
    ValueError
        If arguments contradict each other, or residuals at x0 are not finite (`InputError`).
    """
    if callback is not None:
        raise InputError("callback is not supported: the solver runs without Python")
    if method not in ("trf", "dogbox", "lm"):
        raise InputError(f"method = {method!r} must be one of 'trf', 'dogbox', 'lm'")
    start = np.atleast_1d(np.asarray(x0, dtype=float))
    if start.ndim > 1:
        raise InputError(f"x0 has shape {start.shape}; expected at most one dimension")
    if not np.all(np.isfinite(start)):
        raise InputError(f"x0 = {start.tolist()} is not finite")
    low, high = bounds_from(bounds, start.size)
    if np.any((start < low) | (start > high)):
        raise InputError("x0 is infeasible: it lies outside the bounds")
    bounded = bool(np.any((low > -np.inf) | (high < np.inf)))
    if method == "lm" and (bounded or loss != "linear"):
        raise InputError('method "lm" is for loss="linear" without bounds')
    robust = robust_from(loss, f_scale)
    if not robust.in_python:
        raise InputError(f"least_squares has no loss {loss!r}; use lawfit.fit for it")
    if max_nfev is not None and max_nfev < 1:
        raise InputError(f"max_nfev = {max_nfev!r} must be a positive number or None")
    if not isinstance(n_starts, (int, np.integer)) or n_starts < 1:
        raise InputError(f"n_starts = {n_starts!r} must be a whole number of 1 or more")
    extra = dict(kwargs or {})

    def model(x: Sequence[Any]) -> Any:
        return fun(_vector(x), *args, **extra)

    first = np.atleast_1d(np.asarray(model(list(start)), dtype=float))
    if first.ndim != 1:
        raise InputError(f"fun returns an array of shape {first.shape}; expected one dimension")
    if not np.all(np.isfinite(first)):
        raise InputError("Residuals are not finite in the initial point.")
    if method == "lm" and first.size < start.size:
        raise InputError('method "lm" needs at least as many residuals as parameters')
    problem = Residuals(
        model,
        np.zeros(first.size),
        jacobian=(lambda x: jac(x, *args, **extra)) if callable(jac) else None,
    )
    name = str(getattr(fun, "__qualname__", None) or type(fun).__qualname__)
    problem.try_to_trace(start, low, name, stacklevel=2)
    end = minimise(
        problem,
        start,
        low,
        high,
        robust,
        n_starts=int(n_starts),
        rng=rng,
        max_evaluations=max_nfev or 0,
    )
    f, jacobian = robust.scaled(end.f, end.jacobian)
    gradient = jacobian.T @ f
    mask = np.where(end.x <= low, -1, np.where(end.x >= high, 1, 0))
    room = np.where(gradient < 0, high - end.x, end.x - low)
    return OptimizeResult(
        x=end.x,
        cost=robust.cost(end.f),
        fun=end.f,
        jac=jacobian,
        grad=gradient,
        optimality=float(np.max(np.abs(gradient * np.minimum(room, 1.0)), initial=0.0)),
        active_mask=mask,
        nfev=end.nfev,
        njev=end.njev,
        status=end.status,
        message=end.message,
        success=end.status > 0,
    )


def _vector(values: Sequence[Any]) -> NDArray[Any]:
    """Return parameters as an array: of floats, or of tracers."""
    if all(isinstance(v, (float, np.floating)) for v in values):
        return np.array(values, dtype=float)
    vector = np.empty(len(values), dtype=object)
    vector[:] = values
    return vector
