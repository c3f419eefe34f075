"""Bootstrap: refits on resampled rows, and intervals read off them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..compiler import evaluate_columns
from ..errors import FitError, InputError, Interrupted
from ..execution import MAX_EVALUATIONS, TOLERANCE, seed_from, workers_from
from ..formula import names
from ..progress import Progress, reporter
from ..result import Fit
from ..tables import named

__all__ = ["Bootstrap", "bootstrap"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bootstrap:
    """Parameters refitted on resampled rows.

    Attributes
    ----------
    draws : dict of str to ndarray of shape (n,)
        Every parameter, and "scale" if it was fitted, in natural units. See `bootstrap` for levels
        that have no rows in a draw.
    objective : ndarray of shape (n,)
    kind : str
    seed : int
    converged : float
        Share of draws whose refit converged.
    disagreement : float
        Share of draws in which a spread start ended below the warm start: near zero, the draws do
        not depend on where they started.
    evaluations : int
    """

    draws: dict[str, Floats]
    objective: Floats
    kind: str
    seed: int
    converged: float
    disagreement: float
    evaluations: int

    def __len__(self) -> int:
        return len(self.objective)

    def of(self, quantity: str | Callable[[Mapping[str, Floats]], Any]) -> Floats:
        """Return a derived quantity for every draw.

        Parameters
        ----------
        quantity : str or callable
            A formula over parameters, like "beta / (alpha + beta)", or a function of the mapping of
            parameter names to arrays of shape (n,).

        Returns
        -------
        ndarray of shape (n,)
        """
        if callable(quantity):
            values = np.asarray(quantity(self.draws), dtype=float)
        else:
            unknown = [n for n in names(quantity) if n not in self.draws]
            if unknown:
                raise InputError(
                    f"{unknown[0]!r} is not a parameter; parameters: {named(self.draws)}"
                )
            values = evaluate_columns(quantity, self.draws)
        if values.shape != (len(self),):
            raise InputError(f"the quantity has shape {values.shape}; expected ({len(self)},)")
        return values

    def intervals(
        self, confidence_level: float = 0.95, method: str = "percentile"
    ) -> dict[str, tuple[float, float]]:
        """Return lower and upper end for every parameter.

        Parameters
        ----------
        confidence_level : float
        method : {"percentile"}
            Quantiles of the draws.
        """
        return {n: self.interval(v, confidence_level, method) for n, v in self.draws.items()}

    def interval(
        self,
        quantity: str | Callable[[Mapping[str, Floats]], Any] | Floats,
        confidence_level: float = 0.95,
        method: str = "percentile",
    ) -> tuple[float, float]:
        """Return lower and upper end for a derived quantity (or its values of shape (n,))."""
        if not 0.0 < confidence_level < 1.0:
            raise InputError(f"confidence_level = {confidence_level} must lie between 0 and 1")
        if method != "percentile":
            raise InputError(f"method {method!r} is not available; available: 'percentile'")
        values = quantity if isinstance(quantity, np.ndarray) else self.of(quantity)
        tail = 50.0 * (1.0 - confidence_level)
        low, high = np.percentile(values, [tail, 100.0 - tail])
        return float(low), float(high)

    def standard_errors(self) -> dict[str, float]:
        """Return the standard deviation of the draws of every parameter."""
        return {n: float(np.std(v, ddof=1)) for n, v in self.draws.items()}


def bootstrap(
    fit: Fit,
    draws: int = 4000,
    kind: str = "cases",
    *,
    rng: int | np.random.Generator | None = 0,
    spread: int = 4,
    threads: int | None = None,
    progress: Progress = False,
) -> Bootstrap:
    """Refit a law on resampled rows.

    A draw may leave a level of ``E[family]`` without rows. Nothing determines its parameters then,
    and they keep the values of the fit in that draw.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit` (a fit read from a file has no table).
    draws : int
    kind : {"cases"}
        Rows drawn with replacement.
    rng : int, Generator or None
        The same seed gives the same bits, for any number of threads.
    spread : int
        Starts besides the warm one, spread over those of the fit: each draw is refitted from all
        and the best counts.
    threads : int, optional
    progress : bool or callable(done, total)

    Raises
    ------
    InputError
        If the request cannot be met.
    Interrupted
        On Ctrl-C; its `result` is the bootstrap made of the draws that were finished.
    """
    problem, x = fit._problem, fit._coordinates
    if problem is None or x is None or fit._start_points is None:
        raise InputError("this fit was read from a file, which does not hold the table; fit again")
    if kind != "cases":
        raise InputError(f"bootstrap kind {kind!r} is not available; available: 'cases'")
    if not isinstance(draws, (int, np.integer)) or draws < 2:
        raise InputError(f"draws = {draws!r} must be an integer of 2 or more")
    if not isinstance(spread, (int, np.integer)) or spread < 0:
        raise InputError(f"spread = {spread!r} must be an integer of 0 or more")
    if problem.data_hash() != fit.data_hash:
        raise InputError("the table's arrays have been written to since the fit; fit again")
    seed = seed_from(rng)
    workers = workers_from(threads)
    starts = np.vstack([x[None, :], problem.draw_starts(int(spread), seed, workers)])
    raw = _core.bootstrap_cases(
        problem.objective(fit._start_points),
        starts,
        0,
        int(draws),
        seed,
        TOLERANCE,
        MAX_EVALUATIONS,
        workers,
        reporter(progress, int(draws), "bootstrap draws"),
    )
    done = np.isfinite(raw["objective"])
    if not done.any() and not raw["interrupted"]:
        raise FitError("no bootstrap draw has a finite objective")
    result = None
    if done.any():
        ok = np.array([_core.statuses[s][1] for s in raw["status"][done]])
        values = problem.to_params(raw["x"][done])
        if problem.settings.scale == "fitted":
            values["scale"] = np.exp(raw["x"][done][:, -1])
        result = Bootstrap(
            draws=values,
            objective=raw["objective"][done],
            kind=kind,
            seed=seed,
            converged=float(ok.mean()),
            disagreement=float(raw["warm_start_was_beaten"][done].mean()),
            evaluations=int(raw["evaluations"].sum()),
        )
    if raw["interrupted"]:
        raise Interrupted(f"interrupted after {int(done.sum())} of {draws} draws", result)
    assert result is not None
    return result
