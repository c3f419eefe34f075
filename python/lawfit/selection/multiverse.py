"""One quantity under all combinations of defensible choices: filters, losses, conventions, laws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiler import evaluate_columns
from ..errors import FitError, InputError
from ..execution import seed_from
from ..fitting import fit as fit_law
from ..formula import names
from ..law import Law
from ..laws import as_law
from ..losses import Huber, Loss, parse_loss
from ..progress import Progress, reporter
from ..protocols import protocol as find_protocol
from ..result import Fit
from ..runs import Runs, read
from ..tables import checked, named
from .layout import lines
from .refits import Errors, in_space, known_rows

__all__ = ["Effect", "Multiverse", "Universe", "multiverse"]

Floats = NDArray[np.float64]
Quantity = str | Callable[[Fit], float]

MOST = 10_000  # universes
NORMAL_SPREAD = 1.482602218505602  # of a normal distribution over its median absolute deviation


@dataclass(frozen=True)
class Universe:
    """One combination of choices.

    Attributes
    ----------
    choices : mapping of str to str
        The option of every choice, by name.
    value : float
        The quantity; nan if there is none.
    fit : Fit or None
    inside : Errors
        On the rows that were fitted.
    dropped : int
        Rows that the outlier rule left out.
    reason : str
        Why there is no value, or what is doubtful about it.
    """

    choices: Mapping[str, str]
    value: float
    fit: Fit | None
    inside: Errors
    dropped: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Effect:
    """How much one choice moves the quantity.

    Attributes
    ----------
    choice : str
    means : mapping of str to float
        Mean of the quantity over all universes with each option; one at a time: its value.
    spread : float
        Largest of these minus the smallest.
    share : float
        Share of the variance over universes that this choice alone explains. What is missing to 1
        over all choices is due to combinations.
    """

    choice: str
    means: Mapping[str, float]
    spread: float
    share: float


@dataclass(frozen=True)
class Multiverse:
    """A quantity over choices.

    Attributes
    ----------
    quantity : str
    choices : mapping of str to tuple of str
        The options of every choice, by name.
    universes : tuple of Universe
    product : bool
        Whether all combinations were taken, or one choice at a time was changed from the first
        options.
    runs : Runs
        The table before filters and derived columns, which are choices.
    """

    quantity: str
    choices: Mapping[str, tuple[str, ...]]
    universes: tuple[Universe, ...]
    product: bool
    runs: Runs = field(repr=False)

    @property
    def values(self) -> Floats:
        """The quantity in every universe, shape (universes,); nan where there is none."""
        return np.array([u.value for u in self.universes])

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value."""
        known = self.values[np.isfinite(self.values)]
        return float(known.min()), float(known.max())

    def effects(self) -> tuple[Effect, ...]:
        """Return how much each choice moves the quantity, most first.

        From the universes that have a value. Shares are those of an analysis of variance, exact
        where all combinations have one.
        """
        known = [u for u in self.universes if math.isfinite(u.value)]
        values = np.array([u.value for u in known])
        total = float(np.sum((values - values.mean()) ** 2))
        found = []
        squares = {}
        for choice, options in self.choices.items():
            means, square = {}, 0.0
            for option in options:
                at = np.array([u.choices[choice] == option for u in known])
                if not self.product and option == options[0]:
                    at = np.array([self._is_first(u) for u in known])
                if not at.any():
                    continue
                means[option] = float(values[at].mean())
                square += int(at.sum()) * (means[option] - float(values.mean())) ** 2
            if not self.product:
                first = means.get(options[0], math.nan)
                square = sum((m - first) ** 2 for m in means.values())
            squares[choice] = square
            spread = max(means.values()) - min(means.values()) if means else math.nan
            found.append(Effect(choice, means, spread, math.nan))
        whole = total if self.product else sum(squares.values())
        shared = [
            Effect(e.choice, e.means, e.spread, squares[e.choice] / whole if whole > 0 else 0.0)
            for e in found
        ]
        return tuple(sorted(shared, key=lambda e: -e.spread))

    def _is_first(self, universe: Universe) -> bool:
        return all(universe.choices[c] == options[0] for c, options in self.choices.items())

    @property
    def most(self) -> str:
        """The choice that moves the quantity most."""
        return self.effects()[0].choice

    def table(self) -> Any:
        """Return one row per universe.

        A mapping of columns, or a DataFrame where the runs were one.
        """
        return self.runs.answer(self._table())

    def _table(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {
            choice: [u.choices[choice] for u in self.universes] for choice in self.choices
        }
        columns[self.quantity] = [u.value for u in self.universes]
        columns["rows"] = [u.fit.nobs if u.fit else None for u in self.universes]
        columns["dropped"] = [u.dropped for u in self.universes]
        columns["objective"] = [u.fit.objective if u.fit else math.nan for u in self.universes]
        columns["are"] = [u.inside.are for u in self.universes]
        columns["status"] = [u.fit.status if u.fit else "not fitted" for u in self.universes]
        columns["reason"] = [u.reason for u in self.universes]
        return columns

    def __str__(self) -> str:
        """Return range, effects and, where they are few, all universes as lines of text."""
        low, high = self.range
        known = int(np.isfinite(self.values).sum())
        doubtful = sum(1 for u in self.universes if u.fit is not None and not u.fit.success)
        text = [
            f"{self.quantity}: {low:.5g} to {high:.5g} in {known} of {len(self.universes)} "
            f"universes ({'all combinations' if self.product else 'one choice at a time'})"
        ]
        if doubtful:
            text.append(f"{doubtful} fits did not converge")
        for effect in self.effects():
            means = ", ".join(f"{option} {value:.5g}" for option, value in effect.means.items())
            text.append(
                f"  {effect.choice}: moves it by {effect.spread:.3g} ({effect.share:.0%} of the "
                f"variance): {means}"
            )
        if len(self.universes) <= 50:
            columns = self._table()
            del columns["reason"]
            text += lines(columns, {self.quantity: ".5g", "are": ".2%"})
        text += list(
            dict.fromkeys(
                f"{', '.join(f'{c} {o}' for c, o in u.choices.items())}: {u.reason}"
                for u in self.universes
                if u.reason
            )
        )[:20]
        return "\n".join(text)


def multiverse(
    law: Law | str | Sequence[Law | str] | Mapping[str, Law | str],
    runs: Any,
    target: str | None = None,
    quantity: Quantity = "beta / (alpha + beta)",
    *,
    delta: Sequence[float] = (),
    loss: Sequence[Loss | str] = (),
    residual: Sequence[str] = (),
    scale: Sequence[str] = (),
    where: Mapping[str, str | Sequence[str] | None] | Sequence[str] = (),
    derive: Mapping[str, Mapping[str, str] | None] | None = None,
    outliers: Sequence[str] = (),
    starts: Mapping[str, Any] | Sequence[Any] = (),
    protocol: Sequence[str] = (),
    product: bool = True,
    columns: Mapping[str, str] | None = None,
    progress: Progress = False,
    **fit_options: Any,
) -> Multiverse:
    """Refit under every combination of choices and say which choice moves the answer.

    Parameters
    ----------
    law : law, or several
        A list of several, or a mapping of names to laws, is a choice of its own.
    runs, target
        As for `lawfit.fit`.
    quantity : str or callable
        A formula over parameters, or a function of the `Fit`.
    delta : sequence of float
        Huber's losses with these; together with `loss` they are one choice.
    loss, residual, scale : sequence
        Losses, spaces of the residuals ("log", "linear", "logit"), and "fixed" or "fitted".
    where : mapping of str to filters, or sequence of str
        Rows to keep, by name; None keeps all.
    derive : mapping of str to mapping of str to str, optional
        Columns to compute, by name: conventions of counting, such as
        ``{"6ND": {"D": "C / (6*N)"}, "as given": None}``. They may replace columns.
    outliers : sequence of str
        "none"; "residual:3": after a first fit, leave out rows whose residual lies more than 3
        robust standard deviations (1.4826 median absolute deviations) off the median, and fit
        again; "trim:0.05": leave out the 5 % of the rows with the largest residuals.
    starts : mapping of str to starts, or sequence
        As `starts` of `lawfit.fit`.
    protocol : sequence of str
        Published recipes; "none" for no recipe.
    product : bool
        True: all combinations. False: one choice at a time is changed from the first options.
    columns : mapping of str to str, optional
        Renames columns, in all universes.
    progress : bool or callable(done, total)
    **fit_options
        For `lawfit.fit`, the same in all universes.

    Returns
    -------
    Multiverse
        A universe that cannot be fitted has the reason instead of a value.

    Raises
    ------
    InputError
        If the request cannot be used.
    FitError
        If no universe has a value.
    """
    axes = _axes(law, delta, loss, residual, scale, where, derive, outliers, starts, protocol)
    options = {"rng": 0, **checked(fit_law, fit_options)}
    options["rng"] = seed_from(options["rng"])
    table = read(runs, columns=columns)
    label = quantity if isinstance(quantity, str) else getattr(quantity, "__name__", "quantity")
    combinations = _combinations(axes, product)
    report = reporter(progress, len(combinations), "universes")
    universes = []
    for k, chosen in enumerate(combinations):
        universes.append(_universe(table, target, quantity, axes, chosen, options))
        if report is not None:
            report(k + 1)
    if not any(math.isfinite(u.value) for u in universes):
        kind = FitError if any(u.fit is None for u in universes) else InputError
        raise kind(f"no universe has a value; the first: {universes[0].reason}")
    shown = {a: tuple(options) for a, options in axes.items() if len(options) > 1}
    shown = shown or {a: tuple(options) for a, options in axes.items()}
    return Multiverse(label, shown, tuple(universes), product, table)


# --- choices -------------------------------------------------------------------------------------


def _axes(
    law: Any,
    delta: Sequence[float],
    loss: Sequence[Any],
    residual: Sequence[str],
    scale: Sequence[str],
    where: Any,
    derive: Any,
    outliers: Sequence[str],
    starts: Any,
    protocol: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Return the options of every choice: name of the choice, name of the option, value."""
    if isinstance(law, (Law, str)):
        law = [law]
    laws = law if isinstance(law, Mapping) else {_law_name(one): one for one in law}
    axes: dict[str, dict[str, Any]] = {"law": {str(k): as_law(v) for k, v in laws.items()}}
    deltas = [_number(d) for d in _listed("delta", delta)]
    given = [parse_loss(one) for one in _listed("loss", loss)]
    losses: dict[str, Loss] = {f"huber:{d:g}": Huber(d) for d in deltas}
    axes["loss" if given else "delta"] = losses | {str(one): one for one in given}
    axes["residual"] = _one_of("residual", residual, ("log", "linear", "logit"))
    axes["scale"] = _one_of("scale", scale, ("fixed", "fitted"))
    axes["where"] = _by_name("where", where)
    axes["derive"] = _by_name("derive", derive or {})
    axes["outliers"] = {one: _rule(one) for one in _listed("outliers", outliers)}
    axes["starts"] = _by_name("starts", starts)
    axes["protocol"] = {
        one: None if one == "none" else find_protocol(one).name
        for one in _listed("protocol", protocol)
    }
    for name in ("residual", "scale", "loss", "delta"):
        if axes.get(name) and axes["protocol"]:
            raise InputError(f"protocol and {name} both set the loss's form; give one of them")
    return {name: options for name, options in axes.items() if options}


def _law_name(law: Law | str) -> str:
    law = as_law(law)
    return law.name or law.formula


def _number(given: Any) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        raise InputError(f"delta = {given!r} is not a number") from None


def _listed(what: str, given: Any) -> Iterable[Any]:
    if isinstance(given, (str, bytes, Loss)) or not isinstance(given, Iterable):
        raise InputError(f"{what} = {given!r} must be a list of options")
    return given


def _one_of(what: str, given: Any, allowed: Sequence[str]) -> dict[str, Any]:
    for one in _listed(what, given):
        if one not in allowed:
            raise InputError(f"{what}: {one!r} must be one of {', '.join(map(repr, allowed))}")
    return {one: one for one in given}


def _by_name(what: str, given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    return {str(one): one for one in _listed(what, given)}


def _rule(text: Any) -> tuple[str, float]:
    kind, _, number = str(text).partition(":")
    try:
        limit = float(number) if number else math.nan
    except ValueError:
        limit = math.nan
    if kind == "none" and not number:
        return kind, math.nan
    if (kind == "residual" and limit > 0) or (kind == "trim" and 0 < limit < 1):
        return kind, limit
    raise InputError(f"outliers: {text!r} must be 'none', 'residual:3' or 'trim:0.05'")


def _combinations(axes: Mapping[str, Mapping[str, Any]], product: bool) -> list[dict[str, str]]:
    count = math.prod(len(options) for options in axes.values())
    if product and count > MOST:
        raise InputError(
            f"{count:,} combinations are more than {MOST:,}; give fewer options, or product=False"
        )
    if product:
        return [
            dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())
        ]
    first = {name: next(iter(options)) for name, options in axes.items()}
    changed = [
        first | {name: option} for name, options in axes.items() for option in list(options)[1:]
    ]
    return [first, *changed]


# --- one universe --------------------------------------------------------------------------------


def _universe(
    table: Runs,
    target: str | None,
    quantity: Quantity,
    axes: Mapping[str, Mapping[str, Any]],
    chosen: Mapping[str, str],
    fit_options: Mapping[str, Any],
) -> Universe:
    options = dict(fit_options)
    picked = {name: axes[name][option] for name, option in chosen.items()}
    shown = {name: option for name, option in chosen.items() if len(axes[name]) > 1} or dict(chosen)
    law: Law = picked.pop("law")
    rule = picked.pop("outliers", ("none", math.nan))
    if "delta" in picked:
        picked["loss"] = picked.pop("delta")
    dropped = 0
    try:
        part = read(table, derive=picked.pop("derive", None), where=picked.pop("where", None))
        options |= {name: value for name, value in picked.items() if value is not None}
        fit = fit_law(law, part, target, **options)
        if rule[0] != "none":
            fit, dropped = _without_outliers(fit, law, target, options, rule)
    except (InputError, FitError) as error:
        return Universe(shown, math.nan, None, Errors.none(), dropped, str(error))
    used = fit._problem
    assert used is not None
    known = known_rows(fit)
    inside = Errors.of(fit.predict(used.runs)[known], used.target[known], fit.residual)
    value, reason = _value(fit, quantity)
    if not reason and not fit.success:
        reason = fit.message
    return Universe(shown, value, fit, inside, dropped, reason)


def _without_outliers(
    fit: Fit, law: Law, target: str | None, options: Mapping[str, Any], rule: tuple[str, float]
) -> tuple[Fit, int]:
    """Fit again without the rows that a rule finds in the residuals of a first fit."""
    kind, limit = rule
    assert fit._problem is not None
    used = fit._problem.runs
    u = in_space(fit.predict(used), fit.residual) - in_space(fit._problem.target, fit.residual)
    if fit._problem.settings.sigma is not None:
        u = u / fit._problem.settings.sigma
    known = known_rows(fit)
    u = np.where(known, u, np.median(u[known]))  # a bound is no outlier
    if kind == "residual":
        off = np.abs(u - np.median(u))
        spread = NORMAL_SPREAD * float(np.median(off))
        keep = (off <= limit * spread) | (spread == 0)  # without a spread, nothing lies out
    else:
        keep = np.ones(len(u), dtype=bool)
        keep[np.argsort(-np.abs(u), kind="stable")[: round(limit * len(u))]] = False
    if keep.all():
        return fit, 0
    again = {name: value for name, value in options.items() if name != "missing"}
    for name in (
        "weights",
        "sigma",
        "censored",
    ):  # given as arrays, they are columns of the fit's table
        if again.get(name) is not None and not isinstance(again[name], str):
            again[name] = f"({name})"
    part = used.take(np.flatnonzero(keep))
    return fit_law(law, part, target, **again), int((~keep).sum())


def _value(fit: Fit, quantity: Quantity) -> tuple[float, str]:
    if not isinstance(quantity, str):
        return float(quantity(fit)), ""
    unknown = [n for n in names(quantity) if n not in fit.params]
    if unknown:
        return math.nan, f"{unknown[0]!r} is not a parameter; parameters: {named(fit.params)}"
    value = evaluate_columns(quantity, {n: np.array([v]) for n, v in fit.params.items()})
    return float(value[0]), ""
