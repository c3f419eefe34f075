"""Starts whose coefficients fit their exponents: the core against its twin, and their use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit.reference.levels import choose

LAW = "E + A / N**alpha + B / D**beta"


def table(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7, 10, rows), 10 ** rng.uniform(9, 11, rows)
    loss = (1.7 + 400 / N**0.34 + 400 / D**0.28) * np.exp(rng.normal(0, 0.02, rows))
    return {"N": N, "D": D, "loss": loss, "w": rng.uniform(0, 2, rows) * (rng.random(rows) < 0.8)}


def screened(fit: lf.Fit, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return fit._problem.objective(None).screen(points, 1)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(6, 40),
    weighting=st.sampled_from([{}, {"weights": "w"}, {"sigma": "s"}]),
    loss=st.sampled_from(["squared", "huber"]),
    fixed=st.sampled_from([{}, {"E": 1.2}, {"B": 300.0}, {"alpha": 0.4}]),
    scale=st.sampled_from(["fixed", "fitted"]),
)
def test_the_core_and_its_twin(seed, rows, weighting, loss, fixed, scale) -> None:
    runs = table(rows, seed)
    rng = np.random.default_rng(seed)
    runs["s"] = rng.uniform(0.5, 2.0, rows)
    runs["w"][:3] = 1.0
    start = {"E": 1.0, "A": 1e3, "B": 1e3, "alpha": 0.3, "beta": 0.3}
    start = {k: v for k, v in start.items() if k not in fixed}
    fit = lf.fit(LAW, runs, starts=start, loss=loss, scale=scale, fixed=fixed, **weighting)
    points = rng.uniform(-1.0, 12.0, (5, fit._problem.dimension))
    places = {name: k for k, name in enumerate(fit.free)}
    for name in ("alpha", "beta"):
        if name in places:
            points[:, places[name]] = rng.uniform(0.05, 0.9, 5)
    moved, found = screened(fit, points)
    w = runs["w"] if "weights" in weighting else np.ones(rows)
    w = w / runs["s"] ** 2 if "sigma" in weighting else w
    for point, there, value in zip(points, moved, found, strict=True):
        p = dict(fixed) | {
            n: point[k] if n in ("alpha", "beta") else np.exp(point[k]) for n, k in places.items()
        }
        parts = {
            "E": np.full(rows, p["E"]),
            "A": p["A"] / runs["N"] ** p["alpha"],
            "B": p["B"] / runs["D"] ** p["beta"],
        }
        free = [n for n in parts if n in places]
        rest = sum((parts[n] for n in parts if n not in places), np.zeros(rows))
        factors, least = choose(np.array([parts[n] for n in free]), rest, runs["loss"], w)
        assert value == pytest.approx(least, rel=1e-6, abs=1e-7 * w.sum())
        still = [k for n, k in places.items() if n not in free]
        np.testing.assert_array_equal(there[still], point[still])
        # Where columns are nearly parallel many factors are as good: compare what they give.
        got = np.exp([there[places[n]] - point[places[n]] for n in free])
        sums = [
            f @ np.array([parts[n] for n in free]) / runs["loss"] * (w > 0) for f in (got, factors)
        ]
        np.testing.assert_allclose(*sums, rtol=1e-3, atol=1e-3)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from(["squared", "huber:1e-3"]),
    scale=st.sampled_from(["fixed", "fitted"]),
)
def test_levels_are_chosen_where_they_lower_the_objective(seed, loss, scale) -> None:
    runs = table(25, seed)
    rng = np.random.default_rng(seed)
    start = {"E": 1.0, "A": 1e3, "B": 1e3, "alpha": 0.3, "beta": 0.3}
    fit = lf.fit(LAW, runs, starts=start, loss=loss, scale=scale)
    points = rng.uniform(-1.0, 8.0, (20, fit._problem.dimension))
    points[:, [fit.free.index(n) for n in ("alpha", "beta")]] = rng.uniform(0.05, 0.9, (20, 2))
    points[10:] = fit._coordinates
    points[15:] += rng.normal(0, 1e-3, (5, fit._problem.dimension))
    unscaled = points.copy()
    if scale == "fitted":
        points[::2, -1] = np.nan  # the solver's to choose; 1 in comparisons
        unscaled[::2, -1] = 0.0
    objective = fit._problem.objective(None)
    levels, _ = screened(fit, unscaled)
    levels = np.where(levels == unscaled, levels, np.round(levels * 1024) / 1024)
    lower = objective.values_at(levels) < objective.values_at(unscaled)
    assert lower[:10].sum() >= 8
    at_minimum = np.arange(10, 15)  # of that scale, so not where it is compared at 1
    assert not lower[at_minimum[~np.isnan(points[at_minimum, -1])]].any()
    expected = np.where(lower[:, None], levels, unscaled)
    expected[np.isnan(points)] = np.nan
    np.testing.assert_array_equal(objective.choose_levels(points, 1), expected)
    np.testing.assert_array_equal(objective.choose_levels(points, 2), expected)


def test_given_starts_that_differ_in_coefficients_alone_are_one_start() -> None:
    runs = table(60, 3)
    sizes = np.array(list(np.ndindex(5, 4, 4)), dtype=float)
    exponents = {"alpha": np.full(80, 0.5), "beta": np.full(80, 0.4)}
    starts = exponents | {
        "E": np.exp(sizes[:, 0] - 2.0),
        "A": np.exp(5.0 * sizes[:, 1]),
        "B": np.exp(5.0 * sizes[:, 2]),
    }
    fit = lf.fit(LAW, runs, starts=starts, loss="squared")
    begun = fit._start_points
    distinct = len(np.unique(begun, axis=0))
    assert distinct <= 2  # where a level is half a step from two of its values
    assert fit.starts.hits == fit.starts.n == 80
    assert fit.starts.repeated == 80 - distinct
    assert f"80 of 80 starts ({distinct} different) reached it" in fit.summary()
    seen_once = distinct == 1
    assert fit.starts.missed == pytest.approx((seen_once + 1) / (distinct + 1))
    followed = lf.fit(LAW, runs, starts=starts, loss="squared", early_stop=False)
    assert followed.starts.repeated == fit.starts.repeated  # they are followed all the same
    assert followed.starts.missed == fit.starts.missed
    assert followed.evaluations > 10 * fit.evaluations
    assert followed.params == pytest.approx(fit.params, rel=1e-9)
    assert fit.objective == pytest.approx(lf.fit(LAW, runs, loss="squared").objective, rel=1e-9)


def test_a_minimum_that_one_start_reached_is_lonely_however_often_that_one_is_given() -> None:
    fit = lf.fit(LAW, table(60, 3), starts=3)
    every = np.ones(41, dtype=bool)
    ends, repeated = np.r_[np.full(40, 1.0), 2.0], np.r_[False, every[:39], False]
    starts = lf.Starts.from_objectives(ends, every, every, 0.0, repeated)
    assert (starts.hits, starts.hits_repeated, starts.repeated) == (40, 39, 39)
    assert starts.missed == 1.0  # both ends have been seen once
    told = replace(fit, starts=starts).warnings
    assert "only one of 2 different starts reached the best objective; try more starts" in told
    one = lf.Starts.from_objectives(ends[:40], every[:40], every[:40], 0.0, repeated[:40])
    assert not any("only one of" in w for w in replace(fit, starts=one).warnings)


def test_rows_without_weight_choose_no_levels() -> None:
    """Of a long table few rows are looked at: those that count."""
    runs = table(6000, 5)
    weights = np.zeros(6000)
    weights[1::150] = 1.0
    found = lf.fit(LAW, runs, loss="squared", weights=weights)
    again = lf.fit(LAW, runs, loss="squared", weights=weights, starts=found.params)
    np.testing.assert_allclose(again._start_points[0], found._coordinates, rtol=1e-12)
    few = {name: column[1::150] for name, column in runs.items()}
    alone = lf.fit(LAW, few, loss="squared")
    assert alone._problem is not None
    for count in (3, 20):
        np.testing.assert_allclose(
            found._problem.draw_starts(count, 1), alone._problem.draw_starts(count, 1), rtol=1e-9
        )


def test_a_fit_without_free_parameters_misses_nothing() -> None:
    fixed = {"E": 1.0, "A": 1e3, "B": 1e3, "alpha": 0.5, "beta": 0.4}
    for scale in ("fixed", "fitted"):
        assert lf.fit(LAW, table(20, 1), fixed=fixed, scale=scale).starts.missed == 0.0


def test_a_start_at_the_minimum_of_another_loss_than_that_of_levels_stays() -> None:
    runs = table(60, 4)
    runs["loss"][:6] *= 1.5  # least squares and the Huber loss disagree on these
    found = lf.fit(LAW, runs)
    again = lf.fit(LAW, runs, starts=found.params)
    np.testing.assert_allclose(again._start_points[0], found._coordinates, rtol=1e-12)
    assert again.objective == pytest.approx(found.objective, rel=1e-12)


def test_laws_without_levels_are_only_ranked() -> None:
    runs = table(20, 1)
    points = np.array([[1.0, 3.0, 0.3], [0.5, 2.0, 0.4]])
    for law, setting in (
        ("E + A / N**alpha", {"residual": "linear"}),
        ("E * (A + log(N))**alpha", {}),
    ):
        fit = lf.fit(law, runs, starts=[{"E": 1.0, "A": 10.0, "alpha": 0.3}], **setting)
        moved, values = screened(fit, points)
        np.testing.assert_array_equal(moved, points)
        objective = fit._problem.objective(None)
        assert values.tolist() == objective.values_at(points).tolist()
        np.testing.assert_array_equal(objective.choose_levels(points), points)


def test_threads_do_not_matter() -> None:
    objective = lf.fit(LAW, table(50, 2), starts=1)._problem.objective(None)
    points = np.random.default_rng(0).uniform(0.1, 5.0, (64, 5))
    one, two = (objective.screen(points, threads) for threads in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_drawn_start_of_a_simple_law_finds_the_best_end() -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(50), 8)
    N = np.tile(np.geomspace(1e7, 1e10, 8), 50)
    runs = {"g": g, "N": N, "loss": (1.7 + 400 / N**0.34) * np.exp(rng.normal(0, 0.002, len(N)))}
    fits = lf.fit_many("E + A / N**alpha", runs, by="g", loss="squared", starts=16)
    assert np.mean(np.asarray(fits["hits"]) / 16) > 0.95
