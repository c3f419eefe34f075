"""One law fitted again on parts of a table: the same settings and starts each time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError, InputError
from ..execution import seed_from
from ..fitting import AUTO_STARTS, with_row_values, with_sides
from ..fitting import fit as fit_law
from ..law import Law
from ..result import Fit
from ..runs import Runs, read
from ..tables import checked

__all__ = ["Errors", "Refits", "in_space", "known_rows", "prepare"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Errors:
    """How far predictions lie from the target.

    Attributes
    ----------
    rows : int
    are : float
        Mean of |prediction - target| / |target|, the absolute relative error.
    rmse, mae, bias : float
        Root mean square, mean size and mean of the residuals, prediction minus target in the space
        of the residuals (logarithms by default).
    r2 : float
        1 - sum of squared residuals / sum of squares of the target about its mean on these rows, in
        the same space; nan where the target is constant.
    """

    rows: int
    are: float
    rmse: float
    mae: float
    bias: float
    r2: float

    @classmethod
    def of(cls, prediction: Floats, target: Floats, residual: str) -> Errors:
        """Compare predictions with the target; every error is nan if one has no residual."""
        y = in_space(target, residual)
        u = in_space(prediction, residual) - y
        n = len(u)
        if not n or not np.isfinite(u).all():
            return cls(n, *[math.nan] * 5)
        with np.errstate(divide="ignore", invalid="ignore"):
            are = float(np.mean(np.abs(prediction - target) / np.abs(target)))
        total = float(np.sum((y - y.mean()) ** 2))
        r2 = 1.0 - float(np.sum(u**2)) / total if total > 0 else math.nan
        return cls(
            n,
            are,
            float(np.sqrt(np.mean(u**2))),
            float(np.mean(np.abs(u))),
            float(np.mean(u)),
            r2,
        )

    @classmethod
    def none(cls, rows: int = 0) -> Errors:
        """Return errors that are not known."""
        return cls(rows, *[math.nan] * 5)


def in_space(values: Floats, residual: str) -> Floats:
    """Take values to the space of the residuals; nan where they have no place in it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if residual == "log":
            return np.where(values > 0, np.log(values), np.nan)
        if residual == "logit":
            inside = (values > 0) & (values < 1)
            return np.where(inside, np.log(values) - np.log1p(-values), np.nan)
    return np.asarray(values, dtype=float)


def known_rows(fit: Fit) -> NDArray[np.bool_]:
    """Return which rows of a fit's table have a known target; the others are censored."""
    problem = fit._problem
    assert problem is not None
    sides = problem.settings.censored
    return np.ones(problem.runs.n, dtype=bool) if sides is None else sides == 0.0


def prepare(
    laws: Sequence[Law], runs: Any, target: str | None, options: Mapping[str, Any]
) -> tuple[Runs, str, dict[str, Any]]:
    """Return the table on which every law can be fitted, the target, and options for `fit`.

    Renaming, derived columns and filters are applied here, once. With ``missing="omit"`` a row that
    one of the laws cannot use is left out for all. Weights, sigma and what is censored become
    columns, so that they go with their rows.

    Raises
    ------
    InputError
        If the table or a column cannot be used, or the laws predict different columns and no target
        is given.
    """
    rest = dict(checked(fit_law, options))
    table = read(
        runs,
        columns=rest.pop("columns", None),
        derive=rest.pop("derive", None),
        where=rest.pop("where", None),
    )
    targets = dict.fromkeys(law.target for law in laws)
    if target is None and len(targets) > 1:
        raise InputError(
            f"the laws predict different columns ({', '.join(targets)}); give the target"
        )
    target = target or next(iter(targets))
    used = {target: "the target"}
    table, row_values = with_row_values(table, **{k: rest.get(k) for k in ("weights", "sigma")})
    rest |= row_values
    used |= {name: kind for kind, name in row_values.items()}
    if rest.get("censored") is not None:
        table, rest["censored"] = with_sides(table, rest["censored"])
    groups: dict[str, str] = {}
    for law in laws:
        used |= {name: str(law) for name in law.variables_in(table)}
        groups |= dict.fromkeys(law.groups.values(), str(law))
    for name, needed_by in used.items():
        table.numbers(name, needed_by)
    missing = rest.pop("missing", "raise")
    if missing == "omit":
        table, _ = table.drop_non_finite(used, groups)
    elif missing == "raise":
        table.require_finite(used)
    else:
        raise InputError(f"missing = {missing!r} must be one of 'raise', 'omit'")
    rest["rng"] = seed_from(rest.get("rng", 0))
    return table, target, rest


class Refits:
    """A law and its settings, to be fitted on any rows of a table.

    Every fit starts from where the fit of the whole table ended and from that one's starts (the
    first 100 of them with ``starts="auto"``).

    Parameters
    ----------
    law : Law
    table : Runs
        From `prepare`.
    target : str
    options : mapping
        For `lawfit.fit`, from `prepare`.

    Raises
    ------
    InputError, FitError
        If the law cannot be fitted to the whole table.
    """

    def __init__(self, law: Law, table: Runs, target: str, options: Mapping[str, Any]) -> None:
        self.law, self.table, self.target = law, table, target
        self.options = dict(options)
        self.whole = fit_law(law, table, target, **self.options)
        given = self.options.get("starts", "auto")
        automatic = isinstance(given, str) and given == "auto" and "protocol" not in self.options
        self.starts = _start_points(self.whole, AUTO_STARTS if automatic else None)
        self.y = table.numbers(target)

    def fit(self, rows: Rows) -> Fit | str:
        """Fit some rows; a text says why that is not possible."""
        if not len(rows):
            return "no rows to fit"
        part = self.table.take(rows)
        here = {"starts": self._levels_in(part, self.starts)}
        for name in ("fixed", "bounds", "penalties"):
            if self.options.get(name):
                here[name] = self._levels_in(part, self.options[name])
        try:
            return fit_law(self.law, part, self.target, **{**self.options, **here})
        except (InputError, FitError) as error:
            return str(error)

    def predict(self, fit: Fit, rows: Rows) -> Floats | str:
        """Predict some rows; a text says why that is not possible."""
        try:
            prediction = fit.predict(self.table.take(rows))
        except InputError as error:
            return str(error)
        bad = np.flatnonzero(~np.isfinite(in_space(prediction, fit.residual)))
        if bad.size:
            label = self.table.row_label(int(rows[bad[0]]))
            return (
                f"{bad.size} of {len(rows)} predictions have no residual: {label} is predicted "
                f"{prediction[bad[0]]:g}"
            )
        return prediction

    def _levels_in(self, part: Runs, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is given by parameter, without levels that a part of the table lacks."""
        known = {column: set(part.levels(column)[0]) for column in self.law.groups.values()}
        groups = self.law.groups
        found = {}
        for name, values in given.items():
            stem, bracket, level = name.partition("[")
            if not bracket or stem not in groups or level[:-1] in known[groups[stem]]:
                found[name] = values
        return found


def _start_points(fit: Fit, most: int | None) -> dict[str, Floats]:
    """Return the end and the starts of a fit in natural units, every parameter by name."""
    problem, end, points = fit._problem, fit._coordinates, fit._start_points
    assert problem is not None
    assert end is not None
    assert points is not None
    with np.errstate(over="ignore"):  # a parameter that ran off
        values = problem.to_params(np.vstack([end[None, :], points[:most]]))
    for name, column in values.items():
        # Back from its logarithm, a start at a bound may lie beyond it by a rounding error.
        low, high = problem._by_name[name].bounds
        if problem._by_name[name].transform == "log":
            low = max(low, 1e-300)
        values[name] = np.clip(column, max(low, -1e300), min(high, 1e300))
    return values
