"""Intervals of all parameters by one of the methods, behind one call."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .covariance import covariance, spread_over
from .profile import profiles
from .quantiles import check_level

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..result import Fit

__all__ = ["intervals"]

METHODS = ("profile", "t", "normal", "bootstrap")


def intervals(
    fit: Fit,
    confidence_level: float = 0.95,
    method: Any = "profile",
    *,
    kind: str = "sandwich",
    by: Any = None,
    dispersion: float | str | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
) -> dict[str, tuple[float, float]]:
    """Return lower and upper end for every parameter.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit`.
    confidence_level : float
    method : {"profile", "t", "normal", "bootstrap"} or Bootstrap
        "profile": where the objective, refitted over all else, has risen too far; follows curvature
        and bounds, and says 0 or infinity where the data set no limit. "t", "normal": standard
        errors from the covariance, on the logarithm of scale factors. "bootstrap": percentiles of a
        case bootstrap of the default size; or give the result of ``fit.bootstrap(...)``.
    kind, by
        Of the covariance; see `Fit.covariance`.
    dispersion, threads, executor
        Of the profile; see `Fit.profile`.

    Returns
    -------
    dict of str to (float, float)
        Natural units. A fixed parameter has two equal ends.

    Warns
    -----
    UserWarning
        If a profile meets an objective below the fit's.

    Raises
    ------
    InputError
    """
    check_level(confidence_level)
    if hasattr(method, "intervals") and hasattr(method, "draws"):
        return dict(method.intervals(confidence_level))
    if method not in METHODS:
        raise InputError(
            f"method = {method!r} must be one of {', '.join(repr(m) for m in METHODS)}, or the "
            "result of fit.bootstrap()"
        )
    if method == "bootstrap":
        return dict(fit.bootstrap(threads=threads, executor=executor).intervals(confidence_level))
    if not fit.free and fit.scale is None:
        return spread_over(fit, {})
    if method == "profile":
        found = profiles(
            fit, reach=max(confidence_level, 0.95), dispersion=dispersion, threads=threads,
            executor=executor,
        )  # fmt: skip
        lower = [p for p in found.values() if p.better is not None]
        if lower:
            warnings.warn(lower[0].warnings[0], stacklevel=3)
        return spread_over(fit, {n: p.interval(confidence_level) for n, p in found.items()})
    return spread_over(fit, covariance(fit, kind, by).intervals(confidence_level, method))
