"""Approach 2: the best model size at each budget, from the minimum of loss against log N."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..execution import seed_from
from ..runs import Runs, read
from ..tables import number_text
from .common import Dropped, Floats, groups_of, prepare, table, whole_number
from .curves import akima_minimum, parabola
from .power_law import PowerLaw, power_law

__all__ = ["IsoFlop", "isoflop"]


@dataclass(frozen=True)
class IsoFlop:
    """The minimum of loss over model size at each budget.

    Attributes
    ----------
    points : Runs or DataFrame
        By rising budget, with columns named after those of the input (here C, N and loss): C; N and
        loss at the minimum; N_se and loss_se, standard errors of log N and log loss; runs, the
        number of sizes; inside, the share of noisy draws with a minimum inside the range; for a
        parabola also cubic_shift, log of the minimum of a cubic over that of the parabola (nan if
        the cubic has none); the columns of `carry`.
    dropped : tuple of Dropped
        Budgets without a minimum inside the range of sizes or with too few of them, and rows that
        could not be used.
    method : str
    noise : float or None
        The standard deviation of loss that was estimated; None if `sigma` was given.
    draws : dict of str to ndarray of shape (points, draws)
        Log N and log loss at the minimum of each noisy draw; nan where it was at the edge.
    names : tuple of str
        The columns of budget, size and loss.
    """

    points: Any
    dropped: tuple[Dropped, ...]
    method: str
    noise: float | None
    draws: dict[str, Floats]
    names: tuple[str, str, str]

    def power_law(self, of: str | None = None, *, weighted: bool = True) -> PowerLaw:
        """Fit a power law of the budget, like N_opt = a * C**b, with weights 1 / se**2.

        Parameters
        ----------
        of : str, optional
            A column of `points`; by default that of the size. Carried columns have no standard
            error of their own and are weighted by that of the size.
        weighted : bool

        Returns
        -------
        PowerLaw
            With draws for size and loss. The loss has no irreducible part here: fit
            "E + A * C**-alpha" to `points` where that matters.

        Raises
        ------
        InputError
            If there are fewer than two points, or no such column.
        """
        budget, size, _ = self.names
        of = size if of is None else of
        points = read(self.points)
        errors = f"{of}_se" if f"{of}_se" in points else f"{size}_se"
        return power_law(
            points.numbers(budget),
            points.numbers(of),
            points.numbers(errors) if weighted else None,
            self.draws.get(of),
        )


def isoflop(
    runs: Any,
    *,
    budget: str = "C",
    size: str = "N",
    target: str = "loss",
    method: str = "akima",
    sigma: float | str | Mapping[float, float] | None = None,
    draws: int = 1000,
    floor: float | None = None,
    repeats: str = "min",
    tolerance: float = 1e-6,
    carry: Sequence[str] | str = (),
    columns: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | Iterable[str] | None = None,
    where: str | Iterable[str] | None = None,
    missing: str = "raise",
    rng: int | np.random.Generator | None = 0,
) -> IsoFlop:
    """Find the model size of least loss at each budget, with its standard error.

    Parameters
    ----------
    runs : Runs, mapping of arrays, DataFrame or path
        A row is a run of one size at one budget.
    budget, size, target : str
        Columns of C, N and loss; above 0.
    method : {"akima", "parabola"}
        "akima": the minimum of Akima's interpolant of log loss against log N [2].
        "parabola": the vertex of a least-squares parabola of loss against log N [1].
    sigma : float, str or mapping of float to float, optional
        Standard deviation of the loss from one run to its repetition: a number, a column, or levels
        of loss and the deviation there, between which it is interpolated in log-log and beyond
        which it is constant, like {3: 0.005, 6: 0.1}. By default one number is estimated from how
        far each loss is from a cubic in log N through its two neighbours on each side, the median
        over all budgets: too large if sizes are far apart.
    draws : int
        How many times noise is added to the losses and the minimum sought again. Estimates are
        medians over the draws.
    floor : float, optional
        Least standard error of log N, in mean distances of neighbouring log N: by default 0.33 for
        "akima" [2], whose minima know no more than the grid of sizes, and 0 for "parabola".
    repeats : {"min", "mean"}
        What to do with several runs of one size at one budget: take the best, or the mean, whose
        noise is smaller.
    tolerance : float
        Budgets that differ by no more than this share are one budget, their geometric mean.
    carry : str or sequence of str
        Columns to interpolate at the minimum, log against log N: tokens, for example.
    columns, derive, where
        As for `lawfit.runs.read`.
    missing : {"raise", "omit"}
        What to do with rows that are not finite in a column that is used.
    rng : int, Generator or None
        Seed of the noise. The same seed gives the same bits.

    Returns
    -------
    IsoFlop
        A budget is dropped, and listed with the reason, if it has fewer than three sizes, or if the
        minimum lies at the edge of its sizes, in the data or in half of the draws. Standard errors
        are divided by the share of draws that were inside, as in [2].

    Raises
    ------
    InputError
        If a column is missing or has cells that cannot be used, an option is unknown, no noise can
        be estimated, or no budget is left.

    Warns
    -----
    UserWarning
        With "parabola", if a cubic through the same points puts the minima elsewhere by more than
        the standard error.

    Notes
    -----
    A loss A / N**alpha + B / D**beta at constant N D is not symmetric in log N unless alpha = beta.
    A parabola over a wide or off-centre range of sizes is therefore biased without any noise [3],
    and so is the exponent of N_opt if the range moves against the minimum from budget to budget.
    Cures: sizes near the minimum, "akima", or a fit of the whole law.

    References
    ----------
    .. [1] Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, arXiv 2203.15556,
       section 3.2.
    .. [2] Porian et al. 2024, Resolving Discrepancies in Compute-Optimal Scaling of Language
       Models, arXiv 2406.19146, and the authors' code.
    .. [3] Czech et al. 2026, arXiv 2603.22339.
    """
    if method not in ("akima", "parabola"):
        raise InputError(f'method = {method!r} must be "akima" or "parabola"')
    if repeats not in ("min", "mean"):
        raise InputError(f'repeats = {repeats!r} must be "min" or "mean"')
    draws = whole_number(draws, "draws", 1)
    if floor is None:
        floor = 0.33 if method == "akima" else 0.0
    for name, value in (("floor", floor), ("tolerance", tolerance)):
        if not (isinstance(value, (int, float)) and 0.0 <= value < np.inf):
            raise InputError(f"{name} = {value!r} must be a number of 0 or more")
    carry = [carry] if isinstance(carry, str) else list(carry)
    named = [budget, size, target]
    of_sigma = [sigma] if isinstance(sigma, str) else []
    used, dropped = prepare(
        runs,
        [*named, *of_sigma, *carry],
        [*named, *carry],
        columns=columns,
        derive=derive,
        where=where,
        missing=missing,
    )
    profiles = [
        _Profile.of(used, group.rows, named, carry, repeats, _noise_of(used, target, sigma))
        for group in groups_of(_with_levels(used, budget, tolerance), _LEVEL)
    ]
    noise = None
    if sigma is None:
        noise = _estimated_noise(profiles)
        for profile in profiles:
            profile.sigma *= noise
    seed = seed_from(rng)
    points: list[dict[str, float]] = []
    kept: dict[str, list[Floats]] = {size: [], target: []}
    left_out = list(dropped)
    for k, profile in enumerate(profiles):
        what = f"{budget} = {number_text(profile.budget)}"
        if len(profile.x) < 3:
            left_out.append(Dropped(what, f"{len(profile.x)} sizes; expected at least 3"))
            continue
        at, _ = _minimum(method, profile.x, profile.y)
        if np.isnan(at):
            left_out.append(Dropped(what, _edge(method, profile, size)))
            continue
        random = np.random.default_rng([seed, k]).standard_normal((draws, len(profile.x)))
        noisy = np.maximum(profile.y + profile.sigma * random, profile.y.min() * 1e-3)
        many_at, many_value = _minimum(method, profile.x, noisy)
        inside = float(np.isfinite(many_at).mean())
        if inside <= 0.5:
            share = f"{100.0 * (1.0 - inside):.0f} %"
            left_out.append(Dropped(what, f"the minimum is at the edge in {share} of the draws"))
            continue
        spacing = (profile.x[-1] - profile.x[0]) / (len(profile.x) - 1)
        log_n = float(np.nanmedian(many_at))
        point = {
            budget: profile.budget,
            size: float(np.exp(log_n)),
            f"{size}_se": max(_spread(many_at, profile), floor * spacing) / inside,
            target: float(np.exp(np.nanmedian(many_value))),
            f"{target}_se": _spread(many_value, profile) / inside,
            "runs": float(len(profile.x)),
            "inside": inside,
        }
        if method == "parabola":
            point["cubic_shift"] = _cubic_minimum(profile.x, profile.y, float(at)) - float(at)
        for name in carry:
            point[name] = float(np.exp(np.interp(log_n, profile.x, profile.carried[name])))
        points.append(point)
        kept[size].append(many_at)
        kept[target].append(many_value)
    if not points:
        reasons = "; ".join(map(str, left_out[-3:]))
        raise InputError(f"{used.source}: no budget has a minimum inside its sizes ({reasons})")
    if method == "parabola":
        _warn_of_bias(points, size)
    return IsoFlop(
        table(points, f"minima of {used.source}", used),
        tuple(left_out),
        method,
        noise,
        {name: np.array(rows) for name, rows in kept.items()},
        (budget, size, target),
    )


_LEVEL = "budget level"  # not a name that formulas can use
_NO_BIAS = 1e-3  # of log N; less is not worth a warning, however small the noise


@dataclass
class _Profile:
    """Loss against log N at one budget: one point for each size, ascending."""

    budget: float
    x: Floats
    y: Floats
    sigma: Floats
    carried: dict[str, Floats]

    @classmethod
    def of(
        cls,
        runs: Runs,
        rows: NDArray[np.intp],
        names: Sequence[str],
        carry: Sequence[str],
        repeats: str,
        sigma: Floats,
    ) -> _Profile:
        c, n, loss = (runs.numbers(name)[rows] for name in names)
        sizes, which = np.unique(n, return_inverse=True)
        members = [np.flatnonzero(which.reshape(-1) == k) for k in range(len(sizes))]
        if repeats == "min":
            members = [m[[np.argmin(loss[m])]] for m in members]
        sd = sigma[rows]
        return cls(
            float(np.exp(np.log(c).mean())) if np.ptp(c) > 0.0 else float(c[0]),
            np.log(sizes),
            np.array([loss[m].mean() for m in members]),
            np.array([np.sqrt((sd[m] ** 2).sum()) / len(m) for m in members]),
            {
                name: np.array([np.log(runs.numbers(name)[rows][m]).mean() for m in members])
                for name in carry
            },
        )


def _with_levels(runs: Runs, budget: str, tolerance: float) -> Runs:
    """Number the budgets, in order; those within the tolerance of the one before share a number."""
    log_c = np.log(runs.numbers(budget))
    order = np.argsort(log_c, kind="stable")
    level = np.empty(runs.n)
    steps = np.diff(log_c[order]) > np.log1p(tolerance)
    level[order] = np.concatenate([[0], np.cumsum(steps)])
    return runs.with_column(_LEVEL, level)


def _noise_of(runs: Runs, target: str, sigma: float | str | Mapping[float, float] | None) -> Floats:
    """Return the standard deviation of each row's loss; 1 if it is to be estimated."""
    loss = runs.numbers(target)
    if sigma is None:
        return np.ones(runs.n)
    if isinstance(sigma, Mapping):
        levels = np.array(sorted(sigma), dtype=float)
        values = np.array([sigma[level] for level in sorted(sigma)], dtype=float)
        if not len(levels) or not (np.concatenate([levels, values]) > 0.0).all():
            raise InputError(f"sigma = {dict(sigma)!r} must map losses above 0 to values above 0")
        return np.asarray(np.exp(np.interp(np.log(loss), np.log(levels), np.log(values))))
    if isinstance(sigma, bool) or not isinstance(sigma, (str, int, float, np.number)):
        raise InputError(f"sigma = {sigma!r} must be a number, a column's name or a mapping")
    given = runs.numbers(sigma) if isinstance(sigma, str) else np.full(runs.n, float(sigma))
    if not (np.isfinite(given) & (given >= 0.0)).all():
        raise InputError(f"sigma = {sigma!r} must be finite and 0 or more")
    return given


def _estimated_noise(profiles: Sequence[_Profile]) -> float:
    """Return the noise from how far losses are from cubics through two neighbours on each side.

    The median, because far from the minimum the loss itself bends more than a cubic.
    """
    left: list[float] = []
    for profile in profiles:
        for i in range(2, len(profile.x) - 2):
            near = [i - 2, i - 1, i + 1, i + 2]
            others = profile.x[near] - profile.x[i]
            rest = [np.delete(others, j) for j in range(4)]
            lagrange = [np.prod(r / (r - x)) for r, x in zip(rest, others, strict=True)]
            weights = np.array([*lagrange, -1.0])
            y, sigma = profile.y[[*near, i]], profile.sigma[[*near, i]]
            left.append(float(abs(weights @ y) / np.linalg.norm(weights * sigma)))
    if not left:
        raise InputError(
            "sigma: the noise cannot be estimated because no budget has 5 sizes or more; "
            "give the standard deviation of the loss"
        )
    return float(np.median(left)) / 0.6745  # the median of |z| for normal z


def _minimum(method: str, x: Floats, loss: Floats) -> tuple[Floats, Floats]:
    """Return log N and log loss at the minimum; nan at the edge."""
    if method == "akima":
        return akima_minimum(x, np.log(loss))
    at, value, _ = parabola(x, loss)
    with np.errstate(invalid="ignore"):
        return at, np.log(np.where(value > 0.0, value, np.nan))


def _spread(draws: Floats, profile: _Profile) -> float:
    """Return the standard deviation of draws; 0, not rounding errors, where there is no noise."""
    return float(np.nanstd(draws)) if profile.sigma.any() else 0.0


def _edge(method: str, profile: _Profile, size: str) -> str:
    x, y = profile.x, profile.y
    if method == "parabola" and parabola(x, y)[2][2] <= 0.0:
        return "the parabola opens downwards"
    falling = np.polyfit(x, y, 1)[0] < 0.0 if method == "parabola" else y[-1] < y[0]
    end = "largest" if falling else "smallest"
    n = float(np.exp(x[-1 if falling else 0]))
    return f"the loss is least at the edge, the {end} size {size} = {n:g}"


def _cubic_minimum(x: Floats, y: Floats, near: float) -> float:
    """Return the minimum of the least-squares cubic inside the range, nan if it has none."""
    if len(x) < 5:
        return float("nan")
    t = x - near
    slopes = np.polyder(np.polyfit(t, y, 3))
    roots = np.roots(slopes)
    real = roots[np.abs(roots.imag) == 0.0].real
    inside = real[(np.polyval(np.polyder(slopes), real) > 0.0) & (real > t[0]) & (real < t[-1])]
    return near + float(inside[0]) if len(inside) else float("nan")


def _warn_of_bias(points: Sequence[Mapping[str, float]], size: str) -> None:
    shift, se = (np.array([p[name] for p in points]) for name in ("cubic_shift", f"{size}_se"))
    known = np.isfinite(shift)
    if not known.any():
        return
    typical = np.median(np.abs(shift[known]))
    if typical > max(np.median(se[known]), _NO_BIAS):
        percent = 100.0 * np.expm1(typical)
        warnings.warn(
            f"parabolas are biased here: cubics through the same points put the best {size} "
            f"elsewhere by {percent:.1f} % (median), more than the standard error; narrow the "
            'range of sizes, use method="akima", or fit the whole law',
            UserWarning,
            stacklevel=3,
        )
