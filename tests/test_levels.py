"""Starts whose coefficients fit their exponents: the core against its twin, and their use."""

from __future__ import annotations

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


@settings(max_examples=60, deadline=None)
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
        assert values.tolist() == fit._problem.objective(None).values_at(points).tolist()


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
