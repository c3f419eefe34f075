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
from ..law import Law
from ..planning.allocation import compute_optimal
from ..result import Fit
from ..tables import named
from ..uncertainty.bootstrap import Bootstrap
from ..uncertainty.draw_intervals import percentile

__all__ = ["Crossover", "Gain", "compute_equivalent_gain", "crossover"]

Floats = NDArray[np.float64]
Given = Mapping[str, float | str]
Curve = Callable[[Floats], Floats]
"""Loss at places along an axis, shape (n,) -> (n,); nan where there is none."""

GRID = 65  # places at which curves are compared first
FINE = 17  # places at which a bracket is cut again, until it is narrow
NARROW = 1e-6
BEYOND = 1e3  # how far over the largest run a crossover is looked for
GAIN_RANGE = 1e6
PER_DECADE = 10  # places at which B's curve is taken for the gain
LEAST_BUDGET = 10.0  # FLOP


def _optimal_loss(law: Law, params: Mapping[str, float], budgets: Floats, given: Given) -> Floats:
    """Return the least loss at each compute budget, 6 N D = C."""
    return compute_optimal(law, params, budgets.tolist(), given).loss


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
        """Return the share of draws in which A predicts less than B.

        Parameters
        ----------
        place : float, optional
            Where along the axis. Without it: the share in which A overtakes B inside the range.

        Raises
        ------
        InputError
            If the place is outside the range that was searched.
        """
        if not self.draws.size:
            return math.nan
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
    curve_a, curve_b = (_curve(f.law, f.params, along, given) for f in (fit_a, fit_b))
    places = np.geomspace(low, high, GRID)
    gap = curve_a(places) - curve_b(places)  # a message for the user, if this cannot be done
    if np.isnan(gap).any():
        x = places[np.argmax(np.isnan(gap))]
        raise InputError(f"a law has no value at {along} = {x:.4g}")
    crossings = _crossings(curve_a, curve_b, places, gap)
    pairs, paired = _draws(fit_a, fit_b, draws, seed, threads)
    gaps = np.array(
        [
            _curve(fit_a.law, a, along, given, True)(places)
            - _curve(fit_b.law, b, along, given, True)(places)
            for a, b in pairs
        ]
    ).reshape(len(pairs), GRID)
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
    curve_a, curve_b = (_curve(f.law, f.params, along, given) for f in (fit_a, fit_b))
    loss = curve_a(budgets)
    curve_b(budgets)
    low, high = budgets.min() / GAIN_RANGE, budgets.max() * GAIN_RANGE
    low = max(low, LEAST_BUDGET) if along == "C" else low
    places = np.geomspace(low, high, 1 + math.ceil(PER_DECADE * math.log10(high / low)))

    def gains(a: Mapping[str, float], b: Mapping[str, float], *, exact: bool) -> list[float]:
        reached = _curve(fit_a.law, a, along, given, True)(budgets)
        other = _curve(fit_b.law, b, along, given, True)
        y = other(places)
        return [
            _needed(places, y, loss, other if exact else None) / c
            for c, loss in zip(budgets, reached, strict=True)
        ]

    gain = np.array(gains(fit_a.params, fit_b.params, exact=True))
    pairs, paired = _draws(fit_a, fit_b, draws, seed, threads)
    found = np.array([gains(a, b, exact=False) for a, b in pairs])
    return Gain(budgets, loss, gain, found.reshape(len(pairs), len(budgets)).T, paired, seed)


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


def _curve(
    law: Law, params: Mapping[str, float], along: str, given: Given, soft: bool = False
) -> Curve:
    """Return the loss along an axis; soft: nan instead of an error where there is none."""
    if along in law.variables:
        missing = [v for v in (*law.variables, *law.groups.values()) if v not in {along, *given}]
        if missing:
            raise InputError(f"{law}: no value given for {named(dict.fromkeys(missing))}")
        fixed = {n: v for n, v in given.items() if n in (*law.variables, *law.groups.values())}

        def evaluate(x: Floats) -> Floats:
            columns: dict[str, Any] = {n: np.full(len(x), v) for n, v in fixed.items()}
            return law.predict(params, columns | {along: x})

    elif along == "C":

        def evaluate(x: Floats) -> Floats:
            return _optimal_loss(law, params, x, given)

    else:
        raise InputError(
            f'{law} has no variable {along!r}; variables: {named(law.variables)}, or "C" for '
            "compute-optimal training"
        )
    if not soft:
        return evaluate

    def evaluate_softly(x: Floats) -> Floats:
        try:
            return evaluate(x)
        except InputError:
            return np.full(len(x), math.nan) if len(x) == 1 else _one_by_one(evaluate, x)

    return evaluate_softly


def _one_by_one(evaluate: Curve, x: Floats) -> Floats:
    found = np.full(len(x), math.nan)
    for k in range(len(x)):
        try:
            found[k] = evaluate(x[k : k + 1])[0]
        except InputError:
            continue
    return found


def _draws(
    fit_a: Fit,
    fit_b: Fit,
    draws: int | tuple[Bootstrap, Bootstrap],
    seed: int,
    threads: int | None,
) -> tuple[list[tuple[dict[str, float], dict[str, float]]], bool]:
    """Return pairs of parameters, and whether both were fitted to the same draws of rows."""
    if isinstance(draws, tuple):
        a, b = draws
        paired = a.seed == b.seed and _same_table(fit_a, fit_b)
    else:
        if not isinstance(draws, (int, np.integer)) or draws < 0 or draws == 1:
            raise InputError(f"draws = {draws!r} must be 0 or an integer of 2 or more")
        if draws == 0:
            return [], False
        paired = _same_table(fit_a, fit_b)
        # Another seed: rows of different tables have nothing in common but their numbers.
        other = seed if paired else (seed + 1) % 2**64
        a = fit_a.bootstrap(int(draws), rng=seed, threads=threads)
        b = fit_b.bootstrap(int(draws), rng=other, threads=threads)
    count = min(len(a), len(b))
    return [(_draw(fit_a, a, k), _draw(fit_b, b, k)) for k in range(count)], paired


def _same_table(fit_a: Fit, fit_b: Fit) -> bool:
    a, b = fit_a._problem, fit_b._problem
    return a is not None and b is not None and np.array_equal(a.target, b.target)


def _draw(fit: Fit, boot: Bootstrap, k: int) -> dict[str, float]:
    return {name: float(boot.draws[name][k]) for name in fit.params}


# --- where curves meet ---------------------------------------------------------------------------


def _crossings(a: Curve, b: Curve, x: Floats, gap: Floats) -> tuple[tuple[float, str], ...]:
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


def _meet(a: Curve, b: Curve, low: float, high: float) -> float:
    """Return where the sign of a - b changes between two places."""
    while high / low > 1.0 + NARROW:
        x = np.geomspace(low, high, FINE)
        gap = a(x) - b(x)
        better = gap < 0
        change = np.flatnonzero(better[1:] != better[:-1])
        if not change.size:  # within rounding of each other
            break
        low, high = float(x[change[0]]), float(x[change[0] + 1])
    return math.sqrt(low * high)


def _needed(x: Floats, y: Floats, loss: float, curve: Curve | None) -> float:
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
