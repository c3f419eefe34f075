"""The bootstrap: published intervals, bits that depend on the seed alone, derived quantities."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit import _core
from lawfit.execution import TOLERANCE
from lawfit.uncertainty.resampling import resample

from .waves import WAVE


@pytest.fixture(scope="module")
def published_fit(chinchilla_csv: Path) -> lf.Fit:
    return lf.fit("chinchilla", chinchilla_csv)


PUBLISHED_INTERVALS = {"alpha": (0.317, 0.373), "beta": (0.331, 0.415), "E": (1.769, 1.871)}


def check_intervals(boot: Any, tolerance: Mapping[str, float]) -> None:
    intervals = boot.intervals(0.95)
    for name, expected in PUBLISHED_INTERVALS.items():
        assert intervals[name] == pytest.approx(expected, abs=tolerance[name])
    assert boot.converged == 1.0
    assert boot.disagreement == 0.0


def test_bootstrap_intervals(published_fit: lf.Fit) -> None:
    boot = published_fit.bootstrap(500)
    check_intervals(boot, {"alpha": 0.008, "beta": 0.012, "E": 0.01})


@pytest.mark.slow
def test_bootstrap_intervals_of_the_published_size(published_fit: lf.Fit) -> None:
    boot = published_fit.bootstrap(4000)
    check_intervals(boot, {"alpha": 0.003, "beta": 0.005, "E": 0.004})


def test_bootstrap_bits_do_not_depend_on_threads(free_fit: lf.Fit) -> None:
    one, two = (free_fit.bootstrap(60, rng=5, threads=threads) for threads in (1, 2))
    for name, draws in one.draws.items():
        np.testing.assert_array_equal(draws, two.draws[name])
    np.testing.assert_array_equal(one.objective, two.objective)
    other = free_fit.bootstrap(60, rng=6)
    assert not np.array_equal(one.objective, other.objective)


def test_a_bootstrap_starts_with_the_draws_of_a_shorter_one(free_fit: lf.Fit) -> None:
    short, long = free_fit.bootstrap(20, rng=5), free_fit.bootstrap(40, rng=5)
    np.testing.assert_array_equal(short.objective, long.objective[:20])


def test_bootstrap_covers_fixed_tied_and_scale(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, fixed={"E": 1.8172}, tied=[("alpha", "beta")], scale="fitted")
    boot = fit.bootstrap(30)
    assert set(boot.draws) == {"E", "A", "alpha", "B", "beta", "scale"}
    assert (boot.draws["E"] == 1.8172).all()
    np.testing.assert_array_equal(boot.draws["alpha"], boot.draws["beta"])
    assert (boot.draws["scale"] > 0).all()


def test_derived_quantities_of_a_bootstrap(free_fit: lf.Fit) -> None:
    boot = free_fit.bootstrap(50)
    assert len(boot) == 50
    text = boot.of("beta / (alpha + beta)")
    function = boot.of(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    np.testing.assert_allclose(text, function, rtol=1e-14)
    assert boot.interval("beta / (alpha + beta)", 0.9) == boot.interval(text, 0.9)
    assert boot.intervals(0.5)["alpha"] == tuple(np.quantile(boot.draws["alpha"], [0.25, 0.75]))
    assert boot.standard_errors()["alpha"] == pytest.approx(np.std(boot.draws["alpha"], ddof=1))
    for call, text in [
        (lambda: boot.of("gamma + 1"), "'gamma' is not a parameter"),
        (lambda: boot.of(lambda p: 1.0), "has shape"),
        (lambda: boot.intervals(95), "between 0 and 1"),
        (lambda: boot.intervals(0.95, method="exact"), "method 'exact'"),
    ]:
        with pytest.raises(lf.InputError, match=text):
            call()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"draws": 1}, "draws = 1"),
        ({"draws": 2.5}, "draws = 2.5"),
        ({"kind": "residuals"}, "kind 'residuals'"),
        ({"rng": -1}, "rng = -1"),
        ({"spread": -1}, "spread = -1"),
        ({"threads": 0}, "threads = 0"),
    ],
)
def test_bootstrap_errors(free_fit: lf.Fit, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(lf.InputError, match=text):
        free_fit.bootstrap(**settings)


@pytest.mark.parametrize("residual", ["linear", "log"])
@pytest.mark.parametrize("loss", ["squared", "huber:0.05"])
def test_starts_that_stop_early_change_no_answer(residual: str, loss: str) -> None:
    """Even where there are many minima, and a draw's best is often not the fit's."""
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(0.0, 6.0, 24))
    table = {"x": x, "y": np.exp(0.3 * np.sin(2.0 * x) + rng.normal(0.0, 0.25, 24))}
    fit = lf.fit(WAVE, table, "y", residual=residual, loss=loss, starts=200)  # type: ignore[arg-type]
    assert fit.starts.basins > 3
    early, full = (fit.bootstrap(150, spread=20, early_stop=early) for early in (True, False))
    assert full.followed == 150
    assert early.followed == 32 + 15  # no claim was wrong
    assert full.disagreement > 0.02
    np.testing.assert_allclose(early.objective, full.objective, rtol=1e-6)
    alone = fit.bootstrap(150, spread=0)
    beaten = full.objective < alone.objective * (1.0 - 1e-6)
    assert full.disagreement == early.disagreement == np.mean(beaten)


@pytest.mark.parametrize("seed", [13, 182, 387])
def test_draws_are_followed_once_a_claim_has_failed(seed: int) -> None:
    """Few rows: minima move so far that a start's way tells little of where it ends in a draw."""
    rng = np.random.default_rng(seed)
    rows = 6 + seed % 4 * 2
    x = np.sort(rng.uniform(0.0, 6.0, rows))
    table = {"x": x, "y": np.exp(0.3 * np.sin(2.0 * x) + rng.normal(0.0, 0.25, rows))}
    fit = lf.fit(WAVE, table, "y", loss="squared", starts=30, rng=seed)
    early, full = (fit.bootstrap(64, spread=1, early_stop=early) for early in (True, False))
    assert early.followed == 64
    again = np.array([k >= 32 and k % 8 > 0 for k in range(64)])
    np.testing.assert_array_equal(early.objective[again], full.objective[again])
    # The others have been followed, and looked for the minima that were claimed besides.
    gained = early.objective < full.objective * (1.0 - 1e-6)
    np.testing.assert_array_equal(early.objective[~gained], full.objective[~gained])
    assert gained.any() == (seed != 13)
    # What the first attempt took counts: at least the warm starts of the draws made again.
    alone, some = (fit.bootstrap(draws, spread=0).evaluations for draws in (64, 32))
    assert early.evaluations - full.evaluations > (alone - some) * 28 / 32


def test_early_stops_save_evaluations(free_fit: lf.Fit) -> None:
    early, full = (free_fit.bootstrap(200, early_stop=early) for early in (True, False))
    assert early.followed == 32 + 21
    assert early.evaluations < 0.6 * full.evaluations
    for name, values in early.draws.items():
        np.testing.assert_array_equal(values, full.draws[name])


def test_all_evaluations_are_counted(free_fit: lf.Fit) -> None:
    """Where all starts come to one minimum, early stops cost the ways, once, in followed draws."""
    ways = [
        free_fit.bootstrap(n).evaluations - free_fit.bootstrap(n, early_stop=False).evaluations
        for n in (3, 12)
    ]
    assert ways[0] == ways[1] >= 4 * 2  # at least two each of the four spread starts
    assert free_fit.bootstrap(12, spread=0).evaluations >= 12 * 2


def test_bootstrap_without_spread_starts(free_fit: lf.Fit) -> None:
    alone, helped = free_fit.bootstrap(40, spread=0), free_fit.bootstrap(40)
    np.testing.assert_allclose(alone.objective, helped.objective, rtol=1e-9)


# --- every draw against its own solves -----------------------------------------------------------


def waves_by_group(seed: int, rows: tuple[int, ...], noise: float = 0.4) -> lf.Fit:
    """Return a fit with many minima; a group of few rows is missing in some draws."""
    rng = np.random.default_rng(seed)
    n = sum(rows)
    x = np.sort(rng.uniform(0.0, 6.0, n))
    group = rng.permutation(np.repeat(np.array(list("pqr"[: len(rows)])), rows))
    y = np.exp(0.3 * np.sin(2.0 * x) + 0.2 * (group == "q") + rng.normal(0.0, noise, n))
    law = lf.Law(WAVE.formula.replace("a +", "a[group] +"), parameters=WAVE.parameters[:3])
    weights = 1e-5 * np.where(np.arange(n) % 7 == 3, 0.0, 1.0 + np.arange(n) % 2)
    table = {"x": x, "y": y, "group": group, "weight": weights}
    return lf.fit(law, table, "y", weights="weight", loss="squared", starts=40)


def refits(
    fit: lf.Fit, starts: Any, first: int, draws: int, *, early: bool, limit: int = 400
) -> dict[str, Any]:
    """Refit draws of the rows of a fit from given starts, by the core."""
    assert fit._problem is not None
    return dict(
        _core.bootstrap(
            fit._problem.objective(fit._start_points), resample(fit, "cases")[0], starts, first,
            draws, 9, early, False, TOLERANCE, limit, 1, None,
        )
    )  # fmt: skip


def solves(fit: lf.Fit, weights: Any, starts: Any, limit: int) -> dict[str, Any]:
    """Minimise under other weights of the rows, every start by itself."""
    assert fit._problem is not None
    arguments = fit._problem.objective_arguments(fit._start_points)
    objective = _core.Objective(*arguments[:3], weights, *arguments[4:])
    return dict(_core.multistart(objective, starts, TOLERANCE, limit, False, 1, None))


def spread(fit: lf.Fit, count: int) -> Any:
    """Return the fit's own minimum and more starts."""
    assert fit._problem is not None
    assert fit._coordinates is not None
    return np.vstack([fit._coordinates, fit._problem.draw_starts(count, 3, 1)])


@pytest.mark.parametrize("limit", [6, 12, 400])
def test_a_draw_is_the_best_of_its_solves(limit: int) -> None:
    """Also where some of them or all end without convergence, and where parameters have no rows."""
    fit = waves_by_group(1, (13, 2))
    problem = fit._problem
    assert problem is not None
    own, group = np.asarray(problem.settings.weights), np.asarray(problem.runs["group"])
    starts = spread(fit, 6)
    found = refits(fit, starts, 5, 60, early=False, limit=limit)
    warm = refits(fit, starts[:1], 5, 60, early=False, limit=limit)
    for d, drawn in enumerate(resample(fit, "cases")[0].draws(9, 5, 60)):
        weights = drawn * own
        gone = [f"a[{g}]" for g in "pq" if not weights[group == g].any()]
        missing = np.isin(problem.free, gone)
        np.testing.assert_array_equal(found["undetermined"][d], missing)
        others = solves(fit, weights, np.where(missing, starts[0], starts[1:]), limit)
        alone = solves(fit, weights, starts[:1], limit)  # under squared loss there are no stages
        assert warm["evaluations"][d] == alone["evaluations"][0]
        best = tuple(warm[key][d] for key in ("objective", "status", "x"))
        for one in zip(*(others[key] for key in ("objective", "status", "x")), strict=True):
            converged, had = (_core.statuses[status][1] for status in (one[1], best[1]))
            lower = one[0] < best[0] - 1e-9 * abs(best[0])
            if (converged and not had) or (converged == had and lower):
                best = one
        assert (found["objective"][d], found["status"][d]) == best[:2]
        np.testing.assert_array_equal(found["x"][d], best[2])
        np.testing.assert_array_equal(found["x"][d][missing], starts[0][missing])
        assert found["warm_start_was_beaten"][d] == (best[0] < warm["objective"][d] * (1 - 1e-6))
        assert found["evaluations"][d] == warm["evaluations"][d] + others["evaluations"].sum()
        assert found["rows_used"][d] == np.sum(weights > 0)
    converged = np.mean([_core.statuses[status][1] for status in found["status"]])
    assert converged == 1.0 if limit > 6 else 0.1 < converged < 0.9
    assert found["undetermined"].any()
    assert found["warm_start_was_beaten"].any()
    assert found["followed"].all()
    assert found["other_evaluations"] == 0


@pytest.mark.parametrize("limit", [8, 400])
@pytest.mark.parametrize(("seed", "rows"), [(3, 24), (2, 100)])
def test_ways_may_end_anywhere(seed: int, rows: int, limit: int) -> None:
    """Below the fit that draws start from, or without convergence; with parameters without rows."""
    fit = waves_by_group(seed, (rows, 2), noise=0.1)
    assert fit._problem is not None
    starts = spread(fit, 60)[1:]
    ends = solves(fit, fit._problem.settings.weights, starts, 400)
    order = np.argsort(ends["objective"])
    starts = np.vstack([ends["x"][order[30]], starts[order[:3]]])
    ways = solves(fit, fit._problem.settings.weights, starts[1:], limit)
    early, full = (refits(fit, starts, 470, 100, early=e, limit=limit) for e in (True, False))
    assert not early["claims_failed"]
    assert early["other_evaluations"] == ways["evaluations"].sum()
    followed = early["followed"]
    assert np.flatnonzero(followed).tolist() == [2, 10, 18, 26, 34, 42, 58, 74, 90]
    assert (early["objective"] <= full["objective"] * (1 + 1e-6)).all()
    for name in ("undetermined", "rows_used"):
        np.testing.assert_array_equal(early[name], full[name])
    lost = full["undetermined"]
    np.testing.assert_array_equal(early["x"][lost], np.tile(starts[0], (100, 1))[lost])
    beaten = early["warm_start_was_beaten"]
    assert (beaten & ~followed & lost.any(axis=1)).any()
    if limit == 400:
        np.testing.assert_allclose(early["objective"], full["objective"], rtol=1e-6)
        assert early["evaluations"][~followed].sum() < 0.97 * full["evaluations"][~followed].sum()


def test_ways_without_an_end_are_no_ways(free_fit: lf.Fit) -> None:
    """Some starts end at the limit: the ways of the others stop as many starts as ever."""
    assert free_fit._problem is not None
    starts = spread(free_fit, 4)
    ways = solves(free_fit, None, starts[1:], 12)
    converged = [_core.statuses[status][1] for status in ways["status"]]
    assert any(converged)
    assert not all(converged)
    early, full = (refits(free_fit, starts, 33, 7, early=e, limit=12) for e in (True, False))
    assert not early["followed"].any()
    np.testing.assert_allclose(early["objective"], full["objective"], rtol=1e-9)
    assert early["evaluations"].sum() < 0.95 * full["evaluations"].sum()


def test_every_way_is_that_of_one_start() -> None:
    """So that their order does not matter."""
    fit = waves_by_group(1, (100, 2), noise=0.02)
    starts = spread(fit, 8)
    one, two = (
        refits(fit, np.vstack([starts[:1], rest]), 33, 7, early=True)
        for rest in (starts[1:], starts[:0:-1])
    )
    for name in ("objective", "evaluations"):
        np.testing.assert_array_equal(one[name], two[name])
    full = refits(fit, starts, 33, 7, early=False)
    assert one["evaluations"].sum() < full["evaluations"].sum()


def test_rows_without_weight_are_not_used() -> None:
    """Also where all draws use the same rows, and their targets are new."""
    fit = waves_by_group(1, (13, 2))
    assert fit._problem is not None
    raw = _core.bootstrap(
        fit._problem.objective(None), resample(fit, "residual")[0], spread(fit, 0), 0, 3, 9, True,
        False, TOLERANCE, 400, 1, None,
    )  # fmt: skip
    assert raw["rows_used"].tolist() == 3 * [np.sum(np.asarray(fit._problem.settings.weights) > 0)]


def test_every_unit_is_left_out_once_at_most() -> None:
    fit = waves_by_group(1, (13, 2))
    assert fit._problem is not None
    objective = fit._problem.objective(None)
    resampling = _core.Resampling("deletion", range(15), [0, 15])

    def run(first: int, draws: int) -> Any:
        return _core.bootstrap(
            objective, resampling, spread(fit, 0), first, draws, 0, False, False, TOLERANCE, 400,
            1, None,
        )  # fmt: skip

    whole, end = run(0, 15), run(12, 3)
    np.testing.assert_array_equal(whole["objective"][12:], end["objective"])
    for first, draws in ((0, 16), (13, 3), (-1, 1)):
        with pytest.raises(ValueError, match="fewer units to leave out than draws"):
            run(first, draws)


def test_half_a_draw_is_no_draw() -> None:
    """Ctrl-C between the starts of a draw, as most of them are."""
    fit = waves_by_group(1, (13, 2))
    starts = spread(fit, 80)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    found = refits(fit, starts, 0, 1_000_000, early=True)
    timer.join()
    assert found["interrupted"]
    assert not found["claims_failed"]
    done = np.isfinite(found["objective"])
    count = int(done.sum())
    assert done[:count].all()
    whole = refits(fit, starts, 0, count + 1, early=True)
    for name in ("x", "objective", "status", "evaluations", "warm_start_was_beaten", "followed"):
        np.testing.assert_array_equal(found[name][:count], whole[name][:count])
    assert {_core.statuses[status][0] for status in found["status"][count:]} == {"not_run"}
    for name in ("evaluations", "warm_start_was_beaten", "followed", "undetermined"):
        assert not found[name][count:].any()
    assert np.isnan(found["x"][count:]).all()
