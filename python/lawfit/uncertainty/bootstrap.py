"""Bootstrap: refits on resampled tables, and what is read off them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import FitError, InputError, Interrupted
from ..execution import seed_from, workers_from
from ..progress import Progress, reporter
from ..result import Fit
from ..saving import Entries, from_number, read_json, to_number, write_json
from ..tables import named
from .checkpoints import refit_with_checkpoint
from .draw_intervals import (
    METHODS,
    Interval,
    Quantity,
    basic,
    bca,
    percentile,
    studentized,
    values_of,
)
from .jackknife import jackknife
from .quantiles import check_level
from .refits import parameters_of, refit, shortages, table_of
from .resampling import resample

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["Bootstrap", "bootstrap"]

Floats = NDArray[np.float64]

FORMAT = 1  # of saved draws
WITH_ERRORS = ("cases", "stratified", "cluster", "residual", "wild", "wild-cluster", "parametric")


@dataclass(frozen=True)
class Bootstrap:
    """Parameters refitted on resampled tables.

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
    by : str or None
        The column of the strata, clusters or curves.
    estimate : dict of str to float
        What the fit found, under the names of `draws`.
    followed : int
        Draws in which every spread start was followed to its end. In the others a start is stopped
        where it comes upon the way it took in the fit's own table; the followed draws show that
        this changes no answer, or else all draws are followed.
    warnings : tuple of str
        Sentences on what makes the draws doubtful.
    """

    draws: dict[str, Floats]
    objective: Floats
    kind: str
    seed: int
    converged: float
    disagreement: float
    evaluations: int
    by: str | None
    estimate: dict[str, float]
    followed: int
    warnings: tuple[str, ...]
    _fit: Fit | None = field(repr=False, compare=False)
    _coordinates: Floats = field(repr=False, compare=False)  # (n, dimension)
    _covariance: tuple[Floats, Floats] | None = field(repr=False, compare=False)
    _jackknife: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.objective)

    def _fit_for(self, method: str) -> Fit:
        if self._fit is None:
            raise InputError(
                f"method {method!r} needs one fit with its table: draws of a staged fit have none, "
                "and a file of draws does not hold it"
            )
        return self._fit

    def of(self, quantity: Quantity) -> Floats:
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
        return values_of(quantity, self.draws, len(self))

    def intervals(
        self, confidence_level: float = 0.95, method: str = "percentile"
    ) -> dict[str, Interval]:
        """Return lower and upper end for every parameter; see `interval`."""
        return {n: self.interval(n, confidence_level, method) for n in self.draws}

    def interval(
        self,
        quantity: Quantity | Floats,
        confidence_level: float = 0.95,
        method: str = "percentile",
    ) -> Interval:
        """Return lower and upper end for a derived quantity, or for its values of shape (n,).

        Parameters
        ----------
        quantity : str, callable or ndarray
            See `of`. An array has no estimate, so that it has percentiles only.
        confidence_level : float
        method : {"percentile", "basic", "bca", "studentized"}
            Quantiles of the draws; the same mirrored at the estimate; quantiles corrected for bias
            and acceleration (Efron, 1987), the latter from a jackknife that the first call makes
            (of clusters, where clusters were drawn; of groups of rows beyond 2,000); or the
            estimate less quantiles of (draw - estimate) / standard error, which needs draws made
            with ``studentize=True``. The last one takes a scale factor on its logarithm.

        Raises
        ------
        InputError
            If the level is not between 0 and 1 or the method is not available for it.
        """
        check_level(confidence_level)
        if method not in METHODS:
            raise InputError(f"method {method!r} is not available; available: {named(METHODS)}")
        if isinstance(quantity, np.ndarray):
            if method != "percentile":
                raise InputError(f"method {method!r} needs a formula or a function, not its values")
            return percentile(quantity, confidence_level)
        if method == "studentized":
            return self._studentized(quantity, confidence_level)
        draws = self.of(quantity)
        if method == "percentile":
            return percentile(draws, confidence_level)
        point = self._point(quantity)
        if method == "basic":
            return basic(draws, point, confidence_level)
        if not self._jackknife:
            by = self.by if self.kind in ("cluster", "wild-cluster", "bayesian") else None
            self._jackknife.update(jackknife(self._fit_for(method), by, most=2000).values)
        left_out = values_of(quantity, self._jackknife, len(next(iter(self._jackknife.values()))))
        return bca(draws, point, left_out, confidence_level)

    def _point(self, quantity: Quantity) -> float:
        params = {n: np.array([v]) for n, v in self.estimate.items()}
        return float(values_of(quantity, params, 1)[0])

    def _studentized(self, quantity: Quantity, level: float) -> Interval:
        if self._covariance is None:
            raise InputError('method "studentized" needs draws made with studentize=True')
        covariance, own = self._covariance
        fit = self._fit_for("studentized")
        problem, x = fit._problem, fit._coordinates
        assert problem is not None
        assert x is not None
        factors = {p.name for p in fit.law.parameters if p.transform == "log"} | {"scale"}
        positive = (
            isinstance(quantity, str)
            and quantity in self.draws
            and quantity.partition("[")[0] in factors
        )

        def values(at: Floats) -> Floats:
            found = values_of(quantity, parameters_of(problem, at), len(at))
            return np.log(found) if positive else found

        draws, point = values(self._coordinates), values(x[None, :])
        errors = _standard_errors(values, self._coordinates, covariance)
        error = _standard_errors(values, x[None, :], own[None, :, :])
        low, high = studentized(draws, errors, float(point[0]), float(error[0]), level)
        return (float(np.exp(low)), float(np.exp(high))) if positive else (low, high)

    def standard_errors(self) -> dict[str, float]:
        """Return the standard deviation of the draws of every parameter."""
        return {n: float(np.std(v, ddof=1)) for n, v in self.draws.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the draws as plain JSON types; `from_dict` makes them again, without the table."""
        return {
            "holds": "bootstrap",
            "format": FORMAT,
            "version": _core.info()["version"],
            "draws": _to_lists(self.draws),
            "objective": [from_number(v) for v in self.objective.tolist()],
            "kind": self.kind,
            "seed": self.seed,
            "converged": from_number(self.converged),
            "disagreement": from_number(self.disagreement),
            "evaluations": self.evaluations,
            "by": self.by,
            "estimate": {n: from_number(v) for n, v in self.estimate.items()},
            "followed": self.followed,
            "warnings": list(self.warnings),
            "coordinates": [[from_number(v) for v in row] for row in self._coordinates.tolist()],
            "jackknife": _to_lists(self._jackknife),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Bootstrap:
        """Make draws from `to_dict`; the data may come from anybody.

        Raises
        ------
        InputError
            If an entry is missing, of another type, or of a later format.
        """
        try:
            found = Entries(data)
            found.format("bootstrap", FORMAT)
            made = cls(
                draws={n: np.array(v) for n, v in found.columns("draws").items()},
                objective=np.array([to_number(v, "objective") for v in found.items("objective")]),
                kind=found.text("kind"),
                seed=found.count("seed"),
                converged=found.number("converged"),
                disagreement=found.number("disagreement"),
                evaluations=found.count("evaluations"),
                by=None if found.any("by") is None else found.text("by"),
                estimate=found.numbers("estimate"),
                followed=found.count("followed"),
                warnings=found.texts("warnings"),
                _fit=None,
                _coordinates=np.array(
                    [
                        [to_number(v, "coordinates") for v in found._list(row, "coordinates")]
                        for row in found.items("coordinates")
                    ]
                ),
                _covariance=None,
                _jackknife={n: np.array(v) for n, v in found.columns("jackknife").items()},
            )
            for name, values in made.draws.items():
                if len(values) != len(made):
                    raise InputError(
                        f"draws.{name}: expected {len(made)} numbers, found {len(values)}"
                    )
        except InputError as error:
            raise InputError(f"not a saved bootstrap: {error}") from None
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"not a saved bootstrap: {error!r}") from None
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the draws as JSON; the old file stays if writing fails.

        The table does not go with them: what `interval` computes from it (the first "bca" and
        "studentized") is not available from the file. A pickle holds everything.
        """
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Bootstrap:
        """Read draws that `save` wrote.

        Raises
        ------
        InputError
            If the file is missing or does not hold draws.
        """
        data = read_json(path, "bootstrap")
        try:
            return cls.from_dict(data)
        except InputError as error:
            raise InputError(f"{os.fspath(path)}: {error}") from None


def _to_lists(columns: dict[str, Floats]) -> dict[str, list[float | str]]:
    return {n: [from_number(v) for v in column.tolist()] for n, column in columns.items()}


def _standard_errors(values: Callable[[Floats], Floats], x: Floats, covariance: Floats) -> Floats:
    """Return standard errors of a function of coordinates by the delta method, shape (n,)."""
    gradient = np.empty_like(x)
    for k in range(x.shape[1]):
        h = 1e-5 * np.maximum(1.0, np.abs(x[:, k]))
        up, down = x.copy(), x.copy()
        up[:, k] += h
        down[:, k] -= h
        gradient[:, k] = (values(up) - values(down)) / (2.0 * h)
    variance = np.einsum("ni,nij,nj->n", gradient, covariance, gradient)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def bootstrap(
    fit: Fit,
    draws: int = 4000,
    kind: str = "cases",
    *,
    by: str | None = None,
    length: int | None = None,
    multipliers: str = "rademacher",
    studentize: bool = False,
    first_draw: int = 0,
    rng: int | np.random.Generator | None = 0,
    spread: int = 4,
    early_stop: bool = True,
    threads: int | None = None,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = False,
) -> Bootstrap:
    """Refit a law on resampled tables.

    ==================  ==========================================================================
    kind                a draw
    ==================  ==========================================================================
    ``"cases"``         n rows out of n, with replacement
    ``"stratified"``    the same within every level of the column `by`
    ``"cluster"``       K of the K levels of `by` with replacement, each with all of its rows
    ``"bayesian"``      weights of rows (levels, with `by`) from the flat Dirichlet distribution,
                        1 on average (Rubin, 1981)
    ``"block"``         blocks of `length` rows that follow each other, until each curve (level of
                        `by`; without it the table) has as many rows as it had (Kunsch, 1989)
    ``"residual"``      predictions of the fit plus residuals of rows drawn with replacement, as
                        they are: under a robust loss they are not centred, since the fit makes
                        their scores zero on average and not their mean
    ``"wild"``          predictions plus each row's residual times a random number (Wu, 1986)
    ``"wild-cluster"``  the same with one number per level of `by`
    ``"parametric"``    predictions plus residuals from the density that belongs to the loss
    ==================  ==========================================================================

    Residuals are taken in the space of the fit (``residual="log"``: of the logarithms), divided by
    `sigma` where it was given, and multiplied by that of the row which gets them. The density of a
    parametric draw is exp(-loss(u) / phi) / Z, u the residual and phi the value of greatest
    likelihood: normal for `Squared`, Laplace's for `Absolute`, with two slopes for `Quantile`,
    normal with exponential tails for `Huber`, Student's for `Cauchy` and a power of the hyperbolic
    secant for `LogCosh`. With a fitted scale it is exp(-loss(u / scale)) / Z.

    Weights given to the fit multiply those of a draw. The same seed, kind and table give every law
    the same rows. A draw may leave a level of ``E[family]`` without rows. Nothing determines its
    parameters then, they keep the values of the fit in that draw, and a warning counts the draws.

    Parameters
    ----------
    fit : Fit
        From `lawfit.fit` (a fit read from a file has no table).
    draws : int
    kind : str
        See above.
    by : str, optional
        A column of texts or whole numbers.
    length : int, optional
        Rows of a block; by default the cube root of the mean number of rows of a curve.
    multipliers : {"rademacher", "webb"}
        Of the wild kinds: -1 and 1, or six values for few clusters (Webb, 2023).
    studentize : bool
        Also estimate the covariance of every refit from its own rows (a sandwich estimate), which
        intervals with ``method="studentized"`` need. Takes 8 p^2 bytes per draw of p parameters.
        Not for kinds "bayesian" and "block".
    first_draw : int
        Number of the first draw: several processes can share the draws that one would make.
    rng : int, Generator or None
        The same seed gives the same bits, for any number of threads.
    spread : int
        Starts besides the warm one, spread over those of the fit: each draw is refitted from all
        and the best counts.
    early_stop : bool
        Stop a spread start where it comes upon the way that it took in the fit's own table, which
        leads to a minimum that is refitted anyway. The first 32 draws, every eighth up to 512 and
        every sixteenth later are followed to the ends; if one shows another answer, all are.
    threads : int, optional
    executor : concurrent.futures.Executor, optional
        Whose processes do the draws, each with `threads` threads (default then: 1). The same bits
        as without one. See the page on embedding, "Clusters".
    checkpoint : path, optional
        A file that keeps the finished draws, written every 128 of them. The same call with the same
        file goes on from there, whatever ended the process, to the bits of a call that was not
        stopped. It stays when all is done; with more `draws` the call goes on from it too.
    progress : bool or callable(done, total)

    Raises
    ------
    InputError
        If the request cannot be met, or the checkpoint is of another one.
    Interrupted
        On Ctrl-C; its `result` is the bootstrap made of the draws that were finished.
    """
    if not isinstance(draws, (int, np.integer)) or draws < 2:
        raise InputError(f"draws = {draws!r} must be an integer of 2 or more")
    if not isinstance(first_draw, (int, np.integer)) or first_draw < 0:
        raise InputError(f"first_draw = {first_draw!r} must be an integer of 0 or more")
    if not isinstance(spread, (int, np.integer)) or spread < 0:
        raise InputError(f"spread = {spread!r} must be an integer of 0 or more")
    problem = table_of(fit)
    resampling, _, doubts = resample(fit, kind, by=by, length=length, multipliers=multipliers)
    if studentize and kind not in WITH_ERRORS:
        raise InputError(f"studentize=True is not available for kind {kind!r}")
    if studentize and problem.settings.censored is not None:
        raise InputError("studentize=True is not available for censored rows")
    seed, workers = seed_from(rng), workers_from(threads)

    def refits(part: range, early: bool, report: _core.Reporter | None) -> _core.BootstrapResult:
        return refit(
            fit,
            resampling,
            part,
            seed=seed,
            spread=int(spread),
            early_stop=early,
            covariance=studentize,
            workers=workers,
            report=report,
            executor=executor,
        )

    numbers = range(int(first_draw), int(first_draw) + int(draws))
    report = reporter(progress, int(draws), "bootstrap draws")
    if checkpoint is None:
        raw = refits(numbers, early_stop, report)
    else:
        request = (kind, by, length, multipliers, studentize, seed, int(spread))
        raw = refit_with_checkpoint(checkpoint, fit, request, numbers, refits, early_stop, report)
    done = np.isfinite(raw["objective"])
    if not done.any() and not raw["interrupted"]:
        raise FitError("no bootstrap draw has a finite objective")
    result = None
    if done.any():
        ok = np.array([_core.statuses[s][1] for s in raw["status"][done]])
        covariance, own = raw["covariance"], raw["own_covariance"]
        result = Bootstrap(
            draws=parameters_of(problem, raw["x"][done]),
            objective=raw["objective"][done],
            kind=kind,
            seed=seed,
            converged=float(ok.mean()),
            disagreement=float(raw["warm_start_was_beaten"][done].mean()),
            evaluations=int(raw["evaluations"].sum()) + raw["other_evaluations"],
            by=by,
            estimate=fit.params | ({} if fit.scale is None else {"scale": fit.scale}),
            followed=int(raw["followed"][done].sum()),
            warnings=doubts + shortages(problem, raw, done, "draws"),
            _fit=fit,
            _coordinates=raw["x"][done],
            _covariance=None if covariance is None or own is None else (covariance[done], own),
        )
    if raw["interrupted"]:
        raise Interrupted(f"interrupted after {int(done.sum())} of {draws} draws", result)
    assert result is not None
    return result
