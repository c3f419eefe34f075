"""Jackknife: refits without each run, and how much each of them matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import InputError, Interrupted
from ..execution import workers_from
from ..progress import Progress, reporter
from ..result import Fit
from .draw_intervals import Quantity, values_of
from .refits import parameters_of, refit, shortages, table_of
from .resampling import jackknife_units

__all__ = ["Jackknife", "jackknife"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Jackknife:
    """Parameters refitted without each row, or without each level of a column.

    Attributes
    ----------
    values : dict of str to ndarray of shape (n,)
        Every parameter, and "scale" if it was fitted, without row (level) i.
    estimate : dict of str to float
        With all of them.
    labels : tuple of str
        What was left out, as the user knows it.
    by : str or None
    converged : float
        Share of refits that converged.
    evaluations : int
    warnings : tuple of str
    """

    values: dict[str, Floats]
    estimate: dict[str, float]
    labels: tuple[str, ...]
    by: str | None
    converged: float
    evaluations: int
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, quantity: Quantity) -> Floats:
        """Return a derived quantity without each row, shape (n,); see `Bootstrap.of`."""
        return values_of(quantity, self.values, len(self))

    @property
    def influence(self) -> dict[str, Floats]:
        """What leaving a row out changes: the refit without it less the estimate, shape (n,)."""
        return {n: v - self.estimate[n] for n, v in self.values.items()}

    def standard_errors(self) -> dict[str, float]:
        """Return sqrt((n - 1) / n sum (value - mean)^2) for every parameter (Tukey, 1958)."""
        share = (len(self) - 1) / len(self)
        return {
            n: float(np.sqrt(share * np.sum((v - v.mean()) ** 2))) for n, v in self.values.items()
        }

    def most_influential(self, quantity: Quantity, count: int = 5) -> dict[str, float]:
        """Return what changes a quantity most, and by how much, the largest change first.

        Parameters
        ----------
        quantity : str or callable
            A parameter, a formula over parameters, or a function of them.
        count : int

        Returns
        -------
        dict of str to float
            By label: the quantity without it, less the estimate.
        """
        point = values_of(quantity, {n: np.array([v]) for n, v in self.estimate.items()}, 1)
        change = self.of(quantity) - point
        order = np.argsort(-np.abs(change), kind="stable")[:count]
        return {self.labels[i]: float(change[i]) for i in order}


def jackknife(
    fit: Fit,
    by: str | None = None,
    *,
    most: int | None = None,
    spread: int = 4,
    threads: int | None = None,
    progress: Progress = False,
) -> Jackknife:
    """Refit a law without each row of its table.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit` (a fit read from a file has no table).
    by : str, optional
        A column of texts or whole numbers: leave out each of its levels with all its rows instead.
    most : int, optional
        Where there are more rows or levels than this, leave out groups of them, half as many.
    spread : int
        Starts besides the warm one; see `lawfit.uncertainty.bootstrap.bootstrap`.
    threads : int, optional
    progress : bool or callable(done, total)

    Raises
    ------
    InputError
        If the request cannot be met.
    Interrupted
        On Ctrl-C.
    """
    if not isinstance(spread, (int, np.integer)) or spread < 0:
        raise InputError(f"spread = {spread!r} must be an integer of 0 or more")
    problem = table_of(fit)
    units, labels = jackknife_units(problem, by, most)
    raw = refit(
        fit,
        _core.Resampling("deletion", units.unit, units.strata),
        range(len(units)),
        seed=fit.seed,
        spread=int(spread),
        early_stop=True,
        covariance=False,
        workers=workers_from(threads),
        report=reporter(progress, len(units), "jackknife refits"),
    )
    if raw["interrupted"]:
        raise Interrupted("interrupted: a jackknife needs all of its refits")
    everything = np.ones(len(units), dtype=bool)
    return Jackknife(
        values=parameters_of(problem, raw["x"]),
        estimate=fit.params | ({} if fit.scale is None else {"scale": fit.scale}),
        labels=labels,
        by=by,
        converged=float(np.mean([_core.statuses[s][1] for s in raw["status"]])),
        evaluations=int(raw["evaluations"].sum()) + raw["other_evaluations"],
        warnings=shortages(problem, raw, everything, "refits"),
    )
