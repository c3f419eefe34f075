"""What came out of a fit: parameters, how the starts agreed, and how to keep it."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from . import _core
from .errors import InputError
from .law import Law, bounds_from_json, bounds_to_json
from .losses import Loss, parse_loss
from .saving import Entries, from_number, read_json, to_number, write_json
from .tables import checked, named

if TYPE_CHECKING:
    from .problem import Problem
    from .uncertainty.bootstrap import Bootstrap
    from .uncertainty.contour import Contour
    from .uncertainty.covariance import Covariance
    from .uncertainty.derived import Derived
    from .uncertainty.diagnosis import Diagnosis
    from .uncertainty.jackknife import Jackknife
    from .uncertainty.prediction import Prediction
    from .uncertainty.profile import Profile

__all__ = ["Fit", "Starts", "load"]

Floats = NDArray[np.float64]

FORMAT = 2  # 1: non-finite numbers were null, laws without their source, no spans
SAME_BASIN = 1e-6
MAX_LEVELS = 20  # of a group that a summary shows


@dataclass(frozen=True)
class Starts:
    """How many starts were run and where they ended.

    Parameters
    ----------
    n : int
        Starts that were run, with those that repeat another.
    hits : int
        Starts that ended within 1e-6 (relative) of the best objective.
    basins : int
        Distinct minima among the starts that converged.
    missed : float
        Estimated chance that one more start would end in a minimum not seen so far (Good and
        Turing: minima seen once, per start, with one added for caution). Repeated starts tell
        nothing new and are not counted.
    joined : int
        Starts that were stopped where they met the way of an earlier one and share its end.
    checked : int
        Starts that could have been stopped so, were followed to their ends, and ended as predicted.
    refuted : int
        The same, but they ended elsewhere: what is wrong about `refuted / (checked + refuted)` of
        the `joined` starts, except those whose claims were withdrawn for it and that ran again.
    repeated : int
        Starts at the same point as an earlier one, whose end they have: given twice, or given with
        other coefficients where those are chosen by linear least squares (`lawfit.fit`, `starts`).
    hits_repeated : int
        How many of the `hits` are such.
    table : tuple of (float, int)
        Objective and number of starts of each minimum, best first, at most 20.
    """

    n: int
    hits: int
    basins: int
    missed: float
    joined: int = 0
    checked: int = 0
    refuted: int = 0
    repeated: int = 0
    hits_repeated: int = 0
    table: tuple[tuple[float, int], ...] = ()

    @property
    def counted(self) -> str:
        """The number of starts in words, and how many differ where some repeat others."""
        differ = f" ({self.n - self.repeated} different)" if self.repeated else ""
        return f"{self.n} starts{differ}"

    @classmethod
    def from_objectives(
        cls,
        objective: Floats,
        succeeded: NDArray[np.bool_],
        was_run: NDArray[np.bool_],
        reference: float,
        repeated: NDArray[np.bool_],
        joined: int = 0,
        checked: int = 0,
        refuted: int = 0,
    ) -> Starts:
        """Group final objectives; `reference` is added to their size when they may be near zero."""
        n, repeats = int(was_run.sum()), int((was_run & repeated).sum())
        finite = objective[np.isfinite(objective)]
        if not finite.size:
            return cls(n, 0, 0, 1.0, joined, checked, refuted, repeats)
        best = float(finite.min())
        is_hit = objective <= best + SAME_BASIN * max(abs(best), reference)
        hits, again = int(is_hit.sum()), int((is_hit & repeated).sum())
        groups: list[tuple[float, int]] = []
        order = np.flatnonzero(succeeded)[np.argsort(objective[succeeded], kind="stable")]
        ranked, own = objective[order], np.cumsum(~repeated[order])
        at = once = 0
        while at < len(ranked):
            value = float(ranked[at])
            limit = value + SAME_BASIN * max(abs(value), reference)
            after = int(np.searchsorted(ranked, limit, side="right"))
            groups.append((value, after - at))
            once += int(own[after - 1] - (own[at - 1] if at else 0)) == 1
            at = after
        missed = min(1.0, (once + 1) / (n - repeats + 1))
        table = tuple(groups[:20])
        return cls(n, hits, len(groups), missed, joined, checked, refuted, repeats, again, table)


@dataclass(frozen=True)
class Fit:
    """A fitted law.

    Attributes
    ----------
    law : Law
    params : dict of str to float
        Every parameter in natural units, fixed and tied ones included.
    scale : float or None
        The fitted scale of the residuals, None with ``scale="fixed"``.
    objective : float
        Weighted sum of the loss, or minus the log-likelihood with a fitted scale; with penalties.
    success, status, message : bool, str, str
        Whether the best start converged, the code, and the sentence.
    nobs : int
        Rows used.
    omitted : tuple of str
        Labels of the rows that ``missing="omit"`` left out.
    evaluations, seconds : int, float
        Of all starts.
    starts : Starts
    free : tuple of str
        Parameters that were fitted.
    at_bound : tuple of str
        Free parameters that ended at a bound.
    fixed, tied, bounds, penalties
        As given to `lawfit.fit`.
    censored : int
        Rows of which only a bound of the target is known.
    spans : dict of str to (float, float)
        Smallest and largest value of every variable in the rows used.
    """

    law: Law
    params: dict[str, float]
    scale: float | None
    objective: float
    success: bool
    status: str
    message: str
    nobs: int
    omitted: tuple[str, ...]
    evaluations: int
    seconds: float
    starts: Starts
    seed: int
    target: str
    residual: str
    loss: Loss
    scale_setting: str
    free: tuple[str, ...]
    at_bound: tuple[str, ...]
    fixed: dict[str, float]
    tied: tuple[tuple[str, ...], ...]
    bounds: dict[str, tuple[float, float]]
    source: str
    data_hash: str
    penalties: dict[str, tuple[float | str, float]] = field(default_factory=dict)
    censored: int = 0
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    _problem: Problem | None = field(default=None, repr=False, compare=False)
    _coordinates: Floats | None = field(default=None, repr=False, compare=False)
    _start_points: Floats | None = field(default=None, repr=False, compare=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what makes this fit doubtful; `diagnose` finds more and says what to do."""
        from .uncertainty.diagnosis import quick_warnings

        return quick_warnings(self)

    def diagnose(self) -> tuple[Diagnosis, ...]:
        """Look for what makes this fit doubtful; see `lawfit.uncertainty.diagnosis`."""
        from .uncertainty.diagnosis import diagnose

        return diagnose(self)

    @overload
    def predict(self, runs: Any, interval: None = None) -> Floats: ...
    @overload
    def predict(self, runs: Any, interval: float, **options: Any) -> Prediction: ...
    def predict(
        self, runs: Any, interval: float | None = None, **options: Any
    ) -> Floats | Prediction:
        """Evaluate the fitted law on a table with the law's variables, shape (n,).

        With an `interval`, a confidence level, return a `Prediction` with bounds for single runs;
        see `lawfit.uncertainty.prediction.predict` for the options.
        """
        if interval is None:
            if options:
                raise InputError(f"predict: {named(options)} need interval=0.95, say")
            return self.law.predict(self.params, runs)
        from .uncertainty.prediction import predict

        return predict(self, runs, interval, **checked(predict, options))

    def covariance(self, kind: str = "sandwich", by: Any = None) -> Covariance:
        """Estimate the covariance; see `lawfit.uncertainty.covariance.covariance`."""
        from .uncertainty.covariance import covariance

        return covariance(self, kind, by)

    def standard_errors(self, kind: str = "sandwich", by: Any = None) -> dict[str, float]:
        """Return standard errors by name, in natural units; see `covariance`."""
        return self.covariance(kind, by).standard_errors

    @property
    def bse(self) -> dict[str, float]:
        """`standard_errors` under the name that statsmodels has for them."""
        return self.standard_errors()

    def conf_int(self, alpha: float = 0.05, **options: Any) -> dict[str, tuple[float, float]]:
        """Return ``intervals(1 - alpha)``, as statsmodels calls them."""
        return self.intervals(1.0 - alpha, **options)

    def intervals(
        self, confidence_level: float = 0.95, method: Any = "profile", **options: Any
    ) -> dict[str, tuple[float, float]]:
        """Return (low, high) by name; see `lawfit.uncertainty.intervals.intervals`."""
        from .uncertainty.intervals import intervals

        return intervals(self, confidence_level, method, **checked(intervals, options))

    def profile(self, what: str | Callable[[Mapping[str, float]], Any], **options: Any) -> Profile:
        """Refit along one parameter or quantity; see `lawfit.uncertainty.profile.profile`."""
        from .uncertainty.profile import profile

        return profile(self, what, **checked(profile, options))

    def profiles(self, names: Sequence[str] | None = None, **options: Any) -> dict[str, Profile]:
        """Profile all fitted parameters, or those named, in parallel; see `profile`."""
        from .uncertainty.profile import profiles

        return profiles(self, names, **checked(profiles, options))

    def contour(
        self, first: str, second: str, confidence_level: float = 0.95, **options: Any
    ) -> Contour:
        """Return a joint region of two parameters; see `lawfit.uncertainty.contour.contour`."""
        from .uncertainty.contour import contour

        return contour(self, first, second, confidence_level, **checked(contour, options))

    def derived(
        self,
        what: str | Callable[[Mapping[str, float]], Any],
        confidence_level: float = 0.95,
        **options: Any,
    ) -> Derived:
        """Return a derived quantity with its interval; see `lawfit.uncertainty.derived.derived`."""
        from .uncertainty.derived import derived

        return derived(self, what, confidence_level, **checked(derived, options))

    def bootstrap(self, draws: int = 4000, kind: str = "cases", **options: Any) -> Bootstrap:
        """Refit on resampled tables; see `lawfit.uncertainty.bootstrap.bootstrap`."""
        from .uncertainty.bootstrap import bootstrap

        return bootstrap(self, draws, kind, **checked(bootstrap, options))

    def jackknife(self, by: str | None = None, **options: Any) -> Jackknife:
        """Refit without each row or level; see `lawfit.uncertainty.jackknife.jackknife`."""
        from .uncertainty.jackknife import jackknife

        return jackknife(self, by, **checked(jackknife, options))

    def plot(self, what: str = "against_runs", **options: Any) -> Any:
        """Plot the fit; see `lawfit.plots`.

        Parameters
        ----------
        what : {"against_runs", "residuals", "loss_contours", "starts"}
        **options
            Of that function.

        Returns
        -------
        matplotlib Axes, or an array of them

        Raises
        ------
        InputError
            If there is no such plot, or matplotlib is missing.
        """
        from . import plots

        known = ("against_runs", "residuals", "loss_contours", "starts")
        if what not in known:
            raise InputError(f"there is no plot {what!r} of a fit; plots: {', '.join(known)}")
        return getattr(plots, what)(self, **options)

    def report(self, path: str | os.PathLike[str] | None = None, **options: Any) -> str:
        """Write a report as HTML or Markdown, or return its text; see `lawfit.report.report`."""
        from .report import report

        return report(self, path, **options)

    def summary(self) -> str:
        """Return the fit as a few lines of text."""
        s = self.starts
        censored = f" ({self.censored} censored)" if self.censored else ""
        scale = "" if self.scale is None else f", scale {self.scale:.6g} fitted"
        lines = [
            f"{self.law}",
            f"{self.nobs} rows{censored} of {self.source}, target {self.target}, "
            f"{self.residual} residuals, {self.loss}{scale}",
        ]
        width = max(map(len, self.params))
        shown: Counter[str] = Counter()
        levels = Counter(name.partition("[")[0] for name in self.params)
        for name, value in self.params.items():
            stem = name.partition("[")[0]
            shown[stem] += 1
            if shown[stem] > MAX_LEVELS:
                if shown[stem] == levels[stem]:
                    lines.append(f"  {stem}[...]  {levels[stem] - MAX_LEVELS} more levels")
                continue
            kind = "" if name in self.free else "  (fixed or tied)"
            lines.append(f"  {name:<{width}}  {value:.8g}{kind}")
        lines.append(f"objective {self.objective:.12g}: {self.message}")
        lines.append(
            f"{s.hits} of {s.counted} reached it; {s.basins} distinct "
            f"minim{'um' if s.basins == 1 else 'a'}; chance that another start finds a new one: "
            f"{s.missed:.2g}"
        )
        lines.append(f"{self.evaluations:,} evaluations in {self.seconds:.3g} s")
        lines += [f"warning: {w}" for w in self.warnings]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain JSON types; `from_dict` makes it again, without the table."""
        return {
            "holds": "fit",
            "format": FORMAT,
            "version": _core.info()["version"],
            "law": self.law.name or self.law.formula,
            "formula": self.law.formula,
            "definition": self.law.to_dict(),
            "params": {n: from_number(v) for n, v in self.params.items()},
            "scale": None if self.scale is None else from_number(self.scale),
            "objective": from_number(self.objective),
            "success": self.success,
            "status": self.status,
            "message": self.message,
            "nobs": self.nobs,
            "omitted": list(self.omitted),
            "evaluations": self.evaluations,
            "seconds": from_number(self.seconds),
            "starts": {
                "n": self.starts.n,
                "hits": self.starts.hits,
                "basins": self.starts.basins,
                "missed": from_number(self.starts.missed),
                "joined": self.starts.joined,
                "checked": self.starts.checked,
                "refuted": self.starts.refuted,
                "repeated": self.starts.repeated,
                "hits_repeated": self.starts.hits_repeated,
                "table": [[from_number(value), count] for value, count in self.starts.table],
            },
            "seed": self.seed,
            "target": self.target,
            "residual": self.residual,
            "loss": self.loss.to_dict(),
            "scale_setting": self.scale_setting,
            "free": list(self.free),
            "at_bound": list(self.at_bound),
            "fixed": {n: from_number(v) for n, v in self.fixed.items()},
            "tied": [list(group) for group in self.tied],
            "bounds": {name: bounds_to_json(pair) for name, pair in self.bounds.items()},
            "penalties": {name: list(pair) for name, pair in self.penalties.items()},
            "censored": self.censored,
            "spans": {n: [from_number(v) for v in pair] for n, pair in self.spans.items()},
            "source": self.source,
            "data_sha256": self.data_hash,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Fit:
        """Make a fit from `to_dict`; the data may come from anybody.

        Raises
        ------
        InputError
            If an entry is missing, of another type, or of a later format.
        """
        try:
            return _read(Entries(data))
        except InputError as error:
            raise InputError(f"not a saved fit: {error}") from None
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InputError(f"not a saved fit: {error!r}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit as JSON; the old file stays if writing fails."""
        write_json(path, self.to_dict())


def load(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that `Fit.save` or ``lawfit fit --json`` wrote.

    Raises
    ------
    InputError
        If the file is missing or is not a saved fit.
    """
    data = read_json(path, "fit")
    try:
        return Fit.from_dict(data)
    except InputError as error:
        raise InputError(f"{os.fspath(path)}: {error}") from None


def _read(data: Entries) -> Fit:
    first = data.format("fit", FORMAT) == 1
    params = data.any("params")
    if first and isinstance(params, dict):  # what was not finite was null
        params = {n: "nan" if v is None else v for n, v in params.items()}
    found = Entries({**data.data, "params": params})
    definition, starts = found.object("definition"), found.object("starts")
    fit = Fit(
        law=Law.from_dict(definition.data),
        params=found.numbers("params"),
        scale=None if found.any("scale") is None else found.number("scale"),
        objective=math.nan if found.any("objective") is None else found.number("objective"),
        success=found.flag("success"),
        status=found.text("status"),
        message=found.text("message"),
        nobs=found.count("nobs"),
        omitted=found.texts("omitted"),
        evaluations=found.count("evaluations"),
        seconds=found.number("seconds"),
        starts=Starts(
            starts.count("n"),
            starts.count("hits"),
            starts.count("basins"),
            starts.number("missed"),
            starts.count("joined"),
            starts.count("checked"),
            # Not in older files.
            starts.count("refuted") if "refuted" in starts else 0,
            starts.count("repeated") if "repeated" in starts else 0,
            starts.count("hits_repeated") if "hits_repeated" in starts else 0,
            tuple(
                (to_number(value, "starts.table"), starts._count(count, "table"))
                for value, count in starts.items("table")
            ),
        ),
        seed=found.count("seed"),
        target=found.text("target"),
        residual=found.text("residual"),
        loss=parse_loss(dict(found.object("loss").data)),
        scale_setting=found.text("scale_setting"),
        free=found.texts("free"),
        at_bound=found.texts("at_bound"),
        fixed=found.numbers("fixed"),
        tied=found.groups("tied"),
        bounds={n: bounds_from_json(pair) for n, pair in found.pairs("bounds").items()},
        source=found.text("source"),
        data_hash=found.text("data_sha256"),
        penalties={
            n: (
                target if isinstance(target, str) else to_number(target, f"penalties.{n}"),
                to_number(width, f"penalties.{n}"),
            )
            for n, (target, width) in (
                found.pairs("penalties") if "penalties" in found else {}
            ).items()
        },
        censored=found.count("censored") if "censored" in found else 0,
        spans={
            n: (to_number(low, f"spans.{n}"), to_number(high, f"spans.{n}"))
            for n, (low, high) in (found.pairs("spans") if "spans" in found else {}).items()
        },
    )
    if not fit.params:
        raise InputError("params: expected one parameter at least, found none")
    for what, names in (("free", fit.free), ("at_bound", fit.at_bound)):
        for name in names:
            if name not in fit.params:
                raise InputError(f"{what}: {name!r} has no value in params")
    for what, given, allowed in (
        ("residual", fit.residual, ("log", "linear", "logit")),
        ("scale_setting", fit.scale_setting, ("fixed", "fitted")),
    ):
        if given not in allowed:
            raise InputError(f"{what}: {given!r} must be one of {named(allowed)}")
    return fit
