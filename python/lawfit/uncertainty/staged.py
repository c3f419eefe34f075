"""Bootstrap of a fit in stages: one resampled table goes through all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import FitError, InputError
from ..execution import MAX_EVALUATIONS, TOLERANCE, seed_from
from ..progress import Progress, reporter
from ..result import Fit
from ..stages import StagedFit
from .bootstrap import Bootstrap

__all__ = ["bootstrap_stages"]

Floats = NDArray[np.float64]


def bootstrap_stages(
    staged: StagedFit,
    draws: int = 1000,
    *,
    rng: int | np.random.Generator | None = 0,
    spread: int = 2,
    progress: Progress = False,
) -> Bootstrap:
    """Refit all stages on resampled rows of the whole table.

    A row that several stages use is drawn for all of them together, and the parameters that a
    stage holds are those of its own draw, so that the draws carry the uncertainty of every stage.

    Parameters
    ----------
    staged : StagedFit
    draws : int
    rng : int, Generator or None
        The same seed gives the same bits.
    spread : int
        Starts besides the stage's own minimum.
    progress : bool or callable(done, total)

    Returns
    -------
    Bootstrap
        Its objective is that of the last stage. Draws in which a stage has no rows or no finite
        objective are left out.

    Raises
    ------
    InputError
        If the request cannot be met.
    FitError
        If no draw is left.
    """
    if not isinstance(draws, (int, np.integer)) or draws < 2:
        raise InputError(f"draws = {draws!r} must be an integer of 2 or more")
    if not isinstance(spread, (int, np.integer)) or spread < 0:
        raise InputError(f"spread = {spread!r} must be an integer of 0 or more")
    seed = seed_from(rng)
    report = reporter(progress, int(draws), "bootstrap draws")
    starts = [_starts(fit, spread, seed) for fit in staged.fits]
    kept: list[dict[str, float]] = []
    objectives: list[float] = []
    converged = beaten = evaluations = 0
    for draw in range(int(draws)):
        generator = np.random.Generator(np.random.Philox(key=[seed, draw]))
        chosen = generator.integers(staged.n, size=staged.n)
        counts = np.bincount(chosen, minlength=staged.n).astype(float)
        params: dict[str, float] = {}
        good, warm_beaten, value = True, False, np.inf
        for fit, rows, points in zip(staged.fits, staged.rows, starts, strict=True):
            raw, params, best = _refit(fit, counts[rows], points, params)
            evaluations += int(raw["evaluations"].sum())
            if best < 0:
                break
            value = float(raw["objective"][best])
            good &= bool(_core.statuses[raw["status"][best]][1])
            warm_beaten |= value < raw["objective"][0] - 1e-6 * abs(raw["objective"][0])
        else:
            kept.append(params)
            objectives.append(value)
            converged += good
            beaten += warm_beaten
        if report is not None:
            report(draw + 1)
    if not kept:
        raise FitError("no bootstrap draw has a finite objective in every stage")
    return Bootstrap(
        draws={n: np.array([p[n] for p in kept]) for n in kept[0]},
        objective=np.array(objectives),
        kind="cases",
        seed=seed,
        converged=converged / len(kept),
        disagreement=beaten / len(kept),
        evaluations=evaluations,
        by=None,
        estimate={n: staged.params[n] for n in kept[0]},
        followed=len(kept),
        warnings=(),
        _fit=None,
        _coordinates=np.empty((len(kept), 0)),
        _covariance=None,
    )


def _starts(fit: Fit, spread: int, seed: int) -> Floats:
    assert fit._problem is not None
    assert fit._coordinates is not None
    drawn = fit._problem.draw_starts(int(spread), seed, 1) if spread else np.empty((0, 0))
    return np.vstack([fit._coordinates[None, :], *([drawn] if spread else [])])


def _refit(
    fit: Fit, counts: Floats, points: Floats, before: dict[str, float]
) -> tuple[dict[str, Any], dict[str, float], int]:
    """Refit one stage; return the raw results, all parameters so far, and which start was best."""
    assert fit._problem is not None
    own = fit._problem.settings.weights
    problem = fit._problem.refitted(
        counts if own is None else counts * own,
        {n: before.get(n, v) for n, v in fit._problem.settings.fixed.items()},
    )
    objective = problem.objective(fit._start_points)
    raw: dict[str, Any] = dict(
        _core.multistart(objective, points, TOLERANCE, MAX_EVALUATIONS, False, 1, None)
    )
    finite = np.isfinite(raw["objective"])
    if not counts.any() or not finite.any():
        return raw, before, -1
    best = int(np.argmin(np.where(finite, raw["objective"], np.inf)))
    params = {n: float(v) for n, v in problem.to_params(raw["x"][best]).items()}
    return raw, params, best
