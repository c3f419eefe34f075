"""Rows of which only a bound of the target is known, against the twin and closed forms."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit import reference
from lawfit.problem import Problem, Settings
from lawfit.reduction import steps_to_target

from .strategies import deterministic

LOSSES: list[tuple[lf.losses.Loss, tuple[Any, ...]]] = [
    (lf.Squared(), ("squared",)),
    (lf.Huber(1e-3), ("huber", 1e-3)),
    (lf.Huber(0.7, 3.0), ("huber", 0.7, 3.0)),
    (lf.Huber(40.0), ("huber", 40.0)),
    (lf.Absolute(), ("absolute",)),
    (lf.Quantile(0.9), ("quantile", 0.9)),
]
ids = [str(loss) for loss, _ in LOSSES]


def problem_of(y: Any, sides: Any, loss: Any, scale: str, x: Any, **options: Any) -> Problem:
    runs = lf.Runs({"x": x, "loss": y})
    censored = np.asarray(sides, dtype=float)
    chosen = Settings("loss", "linear", loss, scale=scale, censored=censored, **options)
    return Problem(lf.Law("a + b * x", ["a", "b"], ["x"]), runs, chosen)


@settings(deterministic, max_examples=40)
@given(
    st.sampled_from(LOSSES),
    st.booleans(),
    st.integers(0, 1000),
    st.sampled_from([3, 8, 30, 300]),
)
def test_objective_against_the_twin(
    pair: tuple[Any, Any], fitted: bool, seed: int, rows: int
) -> None:
    loss, spec = pair
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=rows), rng.normal(size=rows) * 2
    sides = rng.integers(-1, 2, rows)
    sides[0] = 0
    weights = rng.integers(0, 3, rows) + 1.0
    sigma = rng.uniform(0.5, 2.0, rows)
    problem = problem_of(
        y, sides, loss, "fitted" if fitted else "fixed", x, weights=weights, sigma=sigma
    )
    engine = problem.objective(None)
    point = np.array([0.3, -0.8])
    data = ("a + b * x", {"a": 0.3, "b": -0.8}, {"x": x}, y)
    options: dict[str, Any] = {
        "residual": "linear",
        "loss": spec,
        "weights": weights,
        "sigma": sigma,
        "censored": sides,
        "scale": 0.7 if fitted else None,
    }
    if fitted:
        point = np.append(point, math.log(0.7))
    value, gradient, bend, _ = engine.derivatives(point)
    assert value == pytest.approx(reference.objective(*data, **options), rel=1e-10)
    along = {"names": ["a", "b"], **options}
    twin = reference.objective_gradient(*data, **along)
    np.testing.assert_allclose(gradient, twin, rtol=1e-8, atol=1e-9 * np.abs(twin).max())
    twin = reference.gauss_newton_matrix(*data, **along)
    np.testing.assert_allclose(bend, twin, rtol=1e-8, atol=1e-8 * np.abs(twin).max())
    if isinstance(loss, lf.Squared):  # no kink to step over but the one-sided one
        h = 1e-6 * np.eye(len(point))
        slopes = [
            (engine.derivatives(point + e)[1] - engine.derivatives(point - e)[1]) / 2e-6 for e in h
        ]
        got = engine.hessian(point)
        np.testing.assert_allclose(got, slopes, rtol=1e-4, atol=1e-6 * np.abs(got).max())


@pytest.mark.parametrize("pair", LOSSES, ids=ids)
@pytest.mark.parametrize("side", [1, -1])
def test_single_rows_far_and_near(pair: tuple[Any, Any], side: int) -> None:
    """Where the probability is tiny, or one but for something tiny."""
    loss, spec = pair
    residuals = [-1e4, -60.0, -35.0, -3.0, -0.7, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.7, 3.0, 35.0]
    problem = problem_of([0.0, 0.0], [side, 0], loss, "fitted", [1.0, 0.0])
    engine = problem.objective(None)
    for u in residuals:
        value, gradient, _, curvature = engine.derivatives(np.array([0.0, u, 0.0]))
        want, slope = (
            float(v[0])
            for v in reference.tail(spec, np.array([u], np.longdouble), np.array([float(side)]))
        )
        at_zero = loss.log_normaliser()  # the row that is known
        assert value - at_zero == pytest.approx(want, rel=1e-11, abs=1e-11)
        assert gradient[1] == pytest.approx(slope, rel=1e-9, abs=1e-300)
        assert np.isfinite(curvature).all()


def test_the_normal_distribution() -> None:
    engine = problem_of([0.0, 0.0], [1, 0], lf.Squared(), "fitted", [1.0, 0.0]).objective(None)
    constant = 0.5 * math.log(2 * math.pi)
    for u in (-300.0, -36.0, -5.0, -0.1, 0.0, 2.0, 8.0):
        want = float(-mpmath.log(mpmath.ncdf(mpmath.mpf(u))))
        got = engine.value(np.array([0.0, u, 0.0])) - constant
        assert got == pytest.approx(want, rel=1e-12, abs=1e-15)


def test_censored_normal_sample() -> None:
    """A sample cut off above: the maximum of the likelihood, not the mean of what is seen."""
    rng = np.random.default_rng(5)
    full = rng.normal(1.0, 2.0, 4000)
    cut = np.minimum(full, 1.5)
    table = {"x": np.ones(4000), "loss": cut, "seen": np.where(full > 1.5, "right", "")}
    options: dict[str, Any] = {"residual": "linear", "scale": "fitted", "loss": "squared"}
    fit = lf.fit("a * x", table, censored="seen", **options)
    assert fit.success
    assert fit.params["a"] == pytest.approx(1.0, abs=0.12)
    assert fit.scale == pytest.approx(2.0, abs=0.12)
    assert fit.censored == np.sum(full > 1.5)
    assert "4000 rows (" in fit.summary()
    naive = lf.fit("a * x", table, **options)
    assert naive.params["a"] < 0.5
    mirrored = {**table, "loss": -cut, "seen": -(full > 1.5).astype(float)}
    other = lf.fit("a * x", mirrored, censored="seen", **options)
    assert other.params["a"] == pytest.approx(-fit.params["a"], rel=1e-8)
    assert other.data_hash != lf.fit("a * x", mirrored, **options).data_hash


def test_a_fixed_scale_counts_the_wrong_side_only() -> None:
    x = np.arange(1.0, 9.0)
    y = 2.0 * x
    y[-2:] = [11.0, 30.0]  # below the line: satisfied as "at least"; above it: not
    sides = [0] * 6 + [1, 1]
    fit = lf.fit("a * x", {"x": x, "loss": y}, residual="linear", loss="squared", censored=sides)
    seen = x[[*range(6), 7]]
    want = (np.sum(2.0 * x[:6] ** 2) + 8 * 30.0) / np.sum(seen**2)
    assert fit.params["a"] == pytest.approx(want, rel=1e-12)
    satisfied = lf.fit("a * x", {"x": x, "loss": y}, residual="linear", censored=[0] * 6 + [1, -1])
    assert satisfied.params["a"] == pytest.approx(2.0, rel=1e-9)


def test_steps_to_a_loss_that_some_runs_never_reach() -> None:
    """Small models stop above the target: leaving them out biases the exponent."""
    rng = np.random.default_rng(3)
    curves: dict[str, list[float]] = {"N": [], "step": [], "loss": []}
    for n in np.geomspace(1e6, 1e9, 150):
        goal = 2e4 * (n / 1e6) ** -0.35 * np.exp(rng.normal(0, 0.4))
        for step in np.geomspace(100, 6e3, 20):
            curves["N"].append(n)
            curves["step"].append(step)
            curves["loss"].append(2.0 * (step / goal) ** -0.1)
    points = steps_to_target(curves, 2.0, by="N").points
    assert 20 < np.sum(points["censored"] == 1) < 100
    law = "A * (N / 1e6)**-b"
    options: dict[str, Any] = {"target": "step", "scale": "fitted", "loss": "squared"}
    fit = lf.fit(law, points, censored="censored", **options)
    assert fit.params["b"] == pytest.approx(0.35, abs=0.06)
    reached = lf.fit(law, points, where="censored == 0", **options)
    assert abs(reached.params["b"] - 0.35) > 2 * abs(fit.params["b"] - 0.35)
    draws = fit.bootstrap(100)
    assert draws.converged == 1.0


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"censored": "nowhere"}, "nowhere"),
        ({"censored": ["up", 0, 0]}, "'up' must be right or 1"),
        ({"censored": [1, 0]}, "censored has 2 cells; the table has 3 rows"),
        ({"censored": [2, 0, 0]}, "'2' must be right or 1"),
        ({"censored": [1, 1, 1], "scale": "fitted"}, "every row is censored"),
        ({"censored": [1, 0, 0], "scale": "fitted", "loss": "cauchy:2"}, "distribution function"),
    ],
)
def test_errors(options: Any, part: str) -> None:
    with pytest.raises(lf.InputError, match=part):
        lf.fit("a * x", {"x": [1.0, 2.0, 3.0], "loss": [1.0, 2.0, 3.0]}, **options)


def test_every_word_for_a_side() -> None:
    words = ["right", "Right ", "1", "left", "-1", "none", "None", "0", "", "none"]
    numbers = [1, 1, 1, -1, -1, 0, 0, 0, 0, 0]
    table = {"x": np.arange(1.0, 11.0), "loss": 2.5 - np.arange(10) / 10}
    options = {"residual": "linear", "loss": "squared", "starts": 3}
    by_word, by_number = (
        lf.fit("a + b*x", table | {"side": side}, censored="side", **options)
        for side in (words, numbers)
    )
    assert by_word.params == by_number.params
    assert by_word.objective == by_number.objective
