"""Two fitted laws against each other: where one overtakes the other, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..execution import seed_from
from ..planning.plan import Plan, plan
from ..result import Fit
from ..tables import named
from ..uncertainty.bootstrap import Bootstrap
from ..uncertainty.draw_intervals import percentile

__all__ = ["Crossover", "Gain", "compute_equivalent_gain", "crossover"]

Floats = NDArray[np.float64]
Given = Mapping[str, float | str]
Losses = Callable[[Floats], Floats]
"""Loss at places along an axis, shape (n,) -> (n,)."""

GRID = 65  # places at which curves are compared first
FINE = 17  # places at which a bracket is cut again, until it is narrow
NARROW = 1e-3  # a curve is straight within; what is left is some 1e-7 of the place
BEYOND = 1e3  # how far over the largest run a crossover is looked for
GAIN_RANGE = 1e6
PER_DECADE = 10  # places at which B's curve is taken for the gain
LEAST_BUDGET = 10.0  # FLOP
AT_EDGE = 1e-6  # relative


# --- results -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crossover:
    """Where law A becomes better than law B.

    Attributes
    ----------
    along : str
        The axis: a variable, or C for compute-optimal training.
    at : float
        The place from which on A predicts less than B, up to the end of the range: 0 if A is better
        everywhere in it, infinity if it is not better at its end.
    crossings : tuple of (float, str)
        Every place where the better law changes, and which is better from there on: "a" or "b".
    between : (float, float)
        The range that was searched.
    draws : ndarray of shape (draws,)
        `at` for each pair of bootstrap draws, interpolated between the places; nan where a curve
        could not be computed.
    paired : bool
        Whether both bootstraps drew the same rows of the same table.
    seed : int
    places : ndarray of shape (k,)
        Places over the range.
    gaps : ndarray of shape (draws, k)
        What A predicts minus what B predicts there, per draw.
    """

    along: str
    at: float
    crossings: tuple[tuple[float, str], ...]
    between: tuple[float, float]
    draws: Floats
    paired: bool
    seed: int
    places: Floats
    gaps: Floats

    def probability(self, place: float | None = None) -> float:
        """Return the share of draws in which A predicts less than B; nan without draws.

        Parameters
        ----------
        place : float, optional
            Where along the axis. Without it: the share in which A overtakes B inside the range.

        Raises
        ------
        InputError
            If the place is outside the range that was searched.
        """
        if place is None:
            known = self.draws[~np.isnan(self.draws)]
            return float(np.mean((known > 0) & np.isfinite(known))) if known.size else math.nan
        low, high = self.between
        if not low <= place <= high:
            raise InputError(
                f"{self.along} = {place!r} is outside the range {low:.4g} to {high:.4g}"
            )
        at = math.log(place), np.log(self.places)
        gaps = np.array([np.interp(*at, row) for row in self.gaps])
        gaps = gaps[~np.isnan(gaps)]
        return float(np.mean(gaps < 0)) if gaps.size else math.nan

    def interval(self, confidence_level: float = 0.95) -> tuple[float, float]:
        """Return quantiles of `at` over draws; an end may be 0 or infinity, as `at`."""
        return percentile(self.draws, confidence_level)

    def __str__(self) -> str:
        """Return the crossover as a few lines of text."""
        low, high = self.between
        axis = f"{self.along} = {low:.3g} to {high:.3g}"
        if self.at == 0:
            text = [f"A is better than B everywhere in {axis}"]
        elif self.at == math.inf:
            text = [f"A does not overtake B in {axis}: B is better at its end"]
        else:
            text = [f"A is better than B from {self.along} = {self.at:.4g} on (searched: {axis})"]
        if len(self.crossings) > (0 if math.isinf(self.at) else 1):
            places = ", ".join(
                f"{x:.4g} ({w.upper()} better from there)" for x, w in self.crossings
            )
            text.append(f"crossings: {places}")
        if self.draws.size:
            a, b = self.interval()
            text.append(
                f"95 % interval {a:.4g} to {b:.4g} from {len(self.draws)} "
                f"{'paired' if self.paired else 'independent'} draws; overtakes inside the range "
                f"in {self.probability():.1%}"
            )
        return "\n".join(text)


@dataclass(frozen=True)
class Gain:
    """How much more compute law B needs to reach what law A reaches.

    Attributes
    ----------
    budget : ndarray of shape (budgets,)
    loss : ndarray of shape (budgets,)
        What A reaches.
    gain : ndarray of shape (budgets,)
        B's budget for that loss over A's: above 1, A is the more efficient. Infinity if B does not
        get there within 1e6 times the largest budget, 0 if 1e-6 of the smallest is enough.
    draws : ndarray of shape (budgets, draws)
    paired, seed
        As in `Crossover`.
    """

    budget: Floats
    loss: Floats
    gain: Floats
    draws: Floats
    paired: bool
    seed: int

    def interval(self, confidence_level: float = 0.95) -> tuple[Floats, Floats]:
        """Return lower and upper ends, shape (budgets,) each."""
        ends = [percentile(row, confidence_level) for row in self.draws]
        return np.array([e[0] for e in ends]), np.array([e[1] for e in ends])

    def probability(self, over: float = 1.0) -> Floats:
        """Return the share of draws with a gain above `over`, shape (budgets,)."""
        found = []
        for row in self.draws:
            known = row[~np.isnan(row)]
            found.append(float(np.mean(known > over)) if known.size else math.nan)
        return np.array(found)

    def __str__(self) -> str:
        """Return one line per budget."""
        text = ["compute that B needs to reach A's loss, over A's"]
        has_draws = self.draws.shape[1] > 0
        low, high = self.interval() if has_draws else (self.gain, self.gain)
        more = self.probability()
        for k, c in enumerate(self.budget):
            line = f"C = {c:.3g}: loss {self.loss[k]:.4g}, gain {self.gain[k]:.4g}"
            if has_draws:
                line += f" ({low[k]:.4g} to {high[k]:.4g}), above 1 in {more[k]:.1%} of draws"
            text.append(line)
        return "\n".join(text)


# --- what is asked -------------------------------------------------------------------------------


def crossover(
    fit_a: Fit,
    fit_b: Fit,
    along: str = "C",
    *,
    between: tuple[float, float] | None = None,
    given: Given | None = None,
    draws: int | tuple[Bootstrap, Bootstrap] = 200,
    rng: int | np.random.Generator | None = 0,
    threads: int | None = None,
) -> Crossover:
    """Find where the first of two fitted laws becomes better than the second.

    Parameters
    ----------
    fit_a, fit_b : Fit
        Of laws that predict the same thing; less is better.
    along : str
        A variable of both laws, or "C": a law without a variable C is then taken at its
        compute-optimal N and D, 6 N D = C.
    between : (float, float), optional
        Range to search. Default: from the smallest run of both tables to 1,000 times the largest.
    given : mapping of str to float or str, optional
        Values of the laws' other variables, and a level for each group.
    draws : int or pair of Bootstrap
        Case-bootstrap draws of both fits; 0 for none. Fits to the same table draw the same rows,
        so that what they share cancels; others draw independently.
    rng : int, Generator or None
    threads : int, optional

    Returns
    -------
    Crossover

    Raises
    ------
    InputError
        If a law cannot be followed along the axis.
    """
    given = dict(given or {})
    low, high = _range(fit_a, fit_b, along) if between is None else _checked(between)
    seed = seed_from(rng)
    curve_a, curve_b = (_curve(f, along, given) for f in (fit_a, fit_b))
    places = np.geomspace(low, high, GRID)
    gap = curve_a(places) - curve_b(places)  # a message for the user, if this cannot be done
    if np.isnan(gap).any():
        x = places[np.argmax(np.isnan(gap))]
        raise InputError(f"a law has no value at {along} = {x:.4g}")
    crossings = _crossings(curve_a, curve_b, places, gap)
    a, b, paired = _draws(fit_a, fit_b, draws, seed, threads)
    gaps = curve_a.draws(a, places) - curve_b.draws(b, places)
    found = np.array([_overtakes(places, row) for row in gaps])
    return Crossover(
        along, _place(crossings, gap), crossings, (low, high), found, paired, seed, places, gaps
    )


def compute_equivalent_gain(
    fit_a: Fit,
    fit_b: Fit,
    budget: float | Sequence[float],
    *,
    along: str = "C",
    given: Given | None = None,
    draws: int | tuple[Bootstrap, Bootstrap] = 200,
    rng: int | np.random.Generator | None = 0,
    threads: int | None = None,
) -> Gain:
    """Return the factor by which the second law needs more compute for the first one's loss.

    Parameters
    ----------
    fit_a, fit_b, given, draws, rng, threads
        As for `crossover`.
    budget : float or sequence of float
        Where A's loss is read, in FLOP (or in the unit of `along`).
    along : str
        What is spent, as for `crossover`.

    Returns
    -------
    Gain

    Raises
    ------
    InputError
        If a law cannot be followed along the axis.
    """
    given = dict(given or {})
    budgets = np.atleast_1d(np.asarray(budget, dtype=float))
    if budgets.ndim != 1 or not (budgets > 0).all() or not np.isfinite(budgets).all():
        raise InputError(f"budget {budget!r} must be numbers above 0")
    seed = seed_from(rng)
    curve_a, curve_b = (_curve(f, along, given) for f in (fit_a, fit_b))
    loss = curve_a(budgets)
    curve_b(budgets)
    low, high = budgets.min() / GAIN_RANGE, budgets.max() * GAIN_RANGE
    low = max(low, LEAST_BUDGET) if along == "C" else low
    places = np.geomspace(low, high, 1 + math.ceil(PER_DECADE * math.log10(high / low)))

    y = curve_b.softly(places)
    gain = np.array(
        [_needed(places, y, one, curve_b.softly) / c for one, c in zip(loss, budgets, strict=True)]
    )
    a, b, paired = _draws(fit_a, fit_b, draws, seed, threads)
    found = np.array(
        [
            [_needed(places, drawn, one, None) / c for one, c in zip(reached, budgets, strict=True)]
            for reached, drawn in zip(
                curve_a.draws(a, budgets), curve_b.draws(b, places), strict=True
            )
        ]
    )
    return Gain(budgets, loss, gain, found.reshape(-1, len(budgets)).T, paired, seed)


def _checked(between: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(x) for x in between)
    except (TypeError, ValueError):
        raise InputError(f"between {between!r} must be a pair of numbers") from None
    if not 0 < low < high < math.inf:
        raise InputError(f"between {between!r} must be two numbers above 0, the smaller first")
    return low, high


def _range(fit_a: Fit, fit_b: Fit, along: str) -> tuple[float, float]:
    found = []
    for fit in (fit_a, fit_b):
        table = None if fit._problem is None else fit._problem.runs
        if table is None:
            raise InputError(
                "a fit read from a file does not hold its table; give between=(low, high)"
            )
        if along in table:
            found.append(table.numbers(along))
        elif along == "C" and "N" in table and "D" in table:
            found.append(6.0 * table.numbers("N") * table.numbers("D"))
        else:
            raise InputError(
                f"{table.source} has no column {along!r} to take the range from; give "
                f"between=(low, high) (columns: {named(table)})"
            )
    values = np.concatenate(found)
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        raise InputError(f"no run has {along} above 0; give between=(low, high)")
    return float(values.min()), float(values.max()) * BEYOND


# --- curves --------------------------------------------------------------------------------------


class Curve:
    """The loss of a fit at places along an axis, shape (n,) -> (n,)."""

    def __init__(self, fit: Fit, given: Given) -> None:
        law = fit.law
        self.fit, self.law = fit, law
        names = (*law.variables, *law.groups.values())
        self.given = {n: v for n, v in given.items() if n in names}

    def require(self, *apart: str) -> None:
        """Raise InputError unless everything the law needs, apart from some, has a value."""
        needed = (*self.law.variables, *self.law.groups.values())
        missing = [v for v in dict.fromkeys(needed) if v not in {*apart, *self.given}]
        if missing:
            raise InputError(f"{self.law}: no value given for {named(missing)}")

    def softly(self, x: Floats) -> Floats:
        """Return the loss, nan where there is none."""
        raise NotImplementedError

    def __call__(self, x: Floats) -> Floats:
        """Return the loss; InputError where there is none."""
        raise NotImplementedError

    def draws(self, draws: Mapping[str, Floats], x: Floats) -> Floats:
        """Return the loss for draws of the parameters, shape (draws, n); nan where there is none.

        Parameters
        ----------
        draws : mapping of str to ndarray of shape (draws,)
        x : ndarray of shape (n,)
        """
        raise NotImplementedError


class AlongVariable(Curve):
    """Along a variable of the law."""

    def __init__(self, fit: Fit, along: str, given: Given) -> None:
        super().__init__(fit, given)
        self.along = along
        self.require(along)

    def __call__(self, x: Floats) -> Floats:
        return self._at(self.fit.params, x)

    def softly(self, x: Floats) -> Floats:
        return self(x)

    def draws(self, draws: Mapping[str, Floats], x: Floats) -> Floats:
        count = len(next(iter(draws.values())))
        each = [self._at({n: float(v[k]) for n, v in draws.items()}, x) for k in range(count)]
        return np.array(each).reshape(count, len(x))

    def _at(self, params: Mapping[str, float], x: Floats) -> Floats:
        columns: dict[str, Any] = {n: np.full(len(x), v) for n, v in self.given.items()}
        return self.law.predict(params, columns | {self.along: x})


class AlongBudgets(Curve):
    """Along compute budgets, at the best N and D with 6 N D = C."""

    def __init__(self, fit: Fit, given: Given) -> None:
        super().__init__(fit, given)
        for name in ("N", "D"):
            if name not in self.law.variables:
                raise InputError(
                    f"{self.law} has no variable {name}; variables: {named(self.law.variables)}"
                )
        self.require("N", "D")

    def _plan(self, x: Floats) -> Plan:
        if not (x > 6.0).all():
            raise InputError(f"budgets {x.min():g} to {x.max():g} must be above 6 (FLOP)")
        widest = (1.0, float(x.max()) / 6.0)
        return plan(
            self.law, float(np.exp(np.mean(np.log(x)))), params=self.fit.params,
            over={**self.given, "N": widest, "D": widest}, cells=1e4,
        )  # fmt: skip

    def softly(self, x: Floats) -> Floats:
        if not len(x):
            return np.empty(0)
        table = self._plan(x).frontier(x).table
        return np.where(_inside(table), table["loss"], np.nan)

    def __call__(self, x: Floats) -> Floats:
        loss = self.softly(x)
        if np.isnan(loss).any():
            raise InputError(
                f"{self.law}: at C = {x[np.argmax(np.isnan(loss))]:g} the loss has no minimum "
                "inside N = 1 to C / 6"
            )
        return loss

    def draws(self, draws: Mapping[str, Floats], x: Floats) -> Floats:
        count = len(next(iter(draws.values())))
        if not count:
            return np.empty((0, len(x)))
        values = self._plan(x).draws(draws, limits=x.tolist()).values
        return np.where(_inside(values), values["loss"], np.nan)


def _inside(values: Mapping[str, Floats]) -> NDArray[np.bool_]:
    return (values["N"] > 1.0 + AT_EDGE) & (values["D"] > 1.0 + AT_EDGE)


def _curve(fit: Fit, along: str, given: Given) -> Curve:
    if along in fit.law.variables:
        return AlongVariable(fit, along, given)
    if along == "C":
        return AlongBudgets(fit, given)
    raise InputError(
        f'{fit.law} has no variable {along!r}; variables: {named(fit.law.variables)}, or "C" for '
        "compute-optimal training"
    )


def _draws(
    fit_a: Fit,
    fit_b: Fit,
    draws: int | tuple[Bootstrap, Bootstrap],
    seed: int,
    threads: int | None,
) -> tuple[dict[str, Floats], dict[str, Floats], bool]:
    """Return as many draws of both, and whether they were fitted to the same rows."""
    if isinstance(draws, tuple):
        a, b = draws
        paired = a.seed == b.seed and _same_table(fit_a, fit_b)
    else:
        if not isinstance(draws, (int, np.integer)) or draws < 0 or draws == 1:
            raise InputError(f"draws = {draws!r} must be 0 or an integer of 2 or more")
        if draws == 0:
            none = np.empty(0)
            return dict.fromkeys(fit_a.params, none), dict.fromkeys(fit_b.params, none), False
        paired = _same_table(fit_a, fit_b)
        # Another seed: rows of different tables have nothing in common but their numbers.
        other = seed if paired else (seed + 1) % 2**64
        a = fit_a.bootstrap(int(draws), rng=seed, threads=threads)
        b = fit_b.bootstrap(int(draws), rng=other, threads=threads)
    count = min(len(a), len(b))
    return (
        {n: a.draws[n][:count] for n in fit_a.params},
        {n: b.draws[n][:count] for n in fit_b.params},
        paired,
    )


def _same_table(fit_a: Fit, fit_b: Fit) -> bool:
    a, b = fit_a._problem, fit_b._problem
    return a is not None and b is not None and np.array_equal(a.target, b.target)


# --- where curves meet ---------------------------------------------------------------------------


def _crossings(a: Losses, b: Losses, x: Floats, gap: Floats) -> tuple[tuple[float, str], ...]:
    """Return every place where the sign of the gap changes, and which law is better after it."""
    better = gap < 0
    return tuple(
        (_meet(a, b, x[k], x[k + 1]), "a" if better[k + 1] else "b")
        for k in np.flatnonzero(better[1:] != better[:-1])
    )


def _place(crossings: tuple[tuple[float, str], ...], gap: Floats) -> float:
    if not gap[-1] < 0:
        return math.inf
    return crossings[-1][0] if crossings else 0.0


def _overtakes(x: Floats, gap: Floats) -> float:
    """Return the last place where A becomes better, as `Crossover.at`; nan without a gap."""
    if np.isnan(gap).any():
        return math.nan
    if not gap[-1] < 0:
        return math.inf
    worse = np.flatnonzero(~(gap < 0))
    if not worse.size:
        return 0.0
    k = worse[-1]
    return _between(x[k], x[k + 1], gap[k], gap[k + 1])


def _between(low: float, high: float, at_low: float, at_high: float) -> float:
    """Return where the straight line over log x between two values is zero."""
    return float(low * (high / low) ** (at_low / (at_low - at_high)))


def _meet(a: Losses, b: Losses, low: float, high: float) -> float:
    """Return where the sign of a - b changes between two places."""
    while high / low > 1.0 + NARROW:
        x = np.geomspace(low, high, FINE)
        gap = a(x) - b(x)
        better = gap < 0
        change = np.flatnonzero(better[1:] != better[:-1])
        if not change.size:  # within rounding of each other
            break
        k = change[0]
        low, high = float(x[k]), float(x[k + 1])
        if high / low <= 1.0 + NARROW:
            return _between(low, high, gap[k], gap[k + 1])
    return math.sqrt(low * high)


def _needed(x: Floats, y: Floats, loss: float, curve: Losses | None) -> float:
    """Return the least place at which a curve is down to a loss; see `Gain.gain` for its ends.

    Parameters
    ----------
    x, y : ndarray of shape (k,)
        The curve; nan where it is not known.
    loss : float
    curve : callable, optional
        To find the place exactly instead of interpolating.
    """
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    if math.isnan(loss) or not len(x):
        return math.nan
    down = y < loss
    if not down.any():
        return math.inf
    k = int(np.argmax(down))
    if k == 0:
        return 0.0
    if curve is not None:
        return _meet(curve, lambda at: np.full(len(at), loss), x[k - 1], x[k])
    return _between(x[k - 1], x[k], y[k - 1] - loss, y[k] - loss)
