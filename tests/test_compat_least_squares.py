"""`lf.least_squares` against `scipy.optimize.least_squares`: values, entries and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import lawfit as lf

T = np.linspace(0.0, 3.0, 40)
Y = 2.0 * np.exp(-0.8 * T) + 0.3 + 0.02 * np.random.default_rng(5).normal(size=40)
TIGHT = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}


def residuals(x, t, y, offset=0.0):
    return x[0] * np.exp(-x[1] * t) + x[2] - y + offset


def decided(x, t, y):
    return residuals(x, t, y) if x[0] > -1e9 else t


def compare(ours: Any, theirs: Any) -> None:
    assert set(ours) == set(theirs)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-5)
    np.testing.assert_allclose(ours.cost, theirs.cost, rtol=1e-8)
    np.testing.assert_allclose(ours.fun, theirs.fun, atol=1e-5)
    np.testing.assert_allclose(ours.jac, theirs.jac, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(ours.active_mask, theirs.active_mask)
    np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-4)
    assert ours.success
    assert ours.status > 0
    assert ours["message"]
    assert ours.optimality < 1e-6


@pytest.mark.parametrize("loss", ["linear", "huber", "soft_l1", "cauchy", "arctan"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0, 0, 0.35], [5, 5, 1])])
def test_the_same_as_scipy(loss: str, bounds: Any) -> None:
    y = Y + 0.5 * (np.arange(40) % 13 == 0)
    settings = {"loss": loss, "f_scale": 0.05, "bounds": bounds, "args": (T, y)}
    ours = lf.least_squares(residuals, [1.5, 1.0, 0.4], **settings)
    compare(ours, scipy.optimize.least_squares(residuals, [1.5, 1.0, 0.4], **settings, **TIGHT))
    with pytest.warns(lf.NotTracedWarning):
        fallback = lf.least_squares(decided, [1.5, 1.0, 0.4], **settings)
    np.testing.assert_allclose(fallback.x, ours.x, rtol=1e-5)


def test_keywords_of_the_function() -> None:
    found = lf.least_squares(residuals, [1, 1, 1], args=(T, Y), kwargs={"offset": 1.0})
    plain = lf.least_squares(residuals, [1, 1, 1], args=(T, Y))
    np.testing.assert_allclose(found.x + np.array([0, 0, 1]), plain.x, rtol=1e-7)


def test_whole_vectors_of_parameters() -> None:
    f = lambda x, t: np.sum([np.exp(x)[k] * t**k for k in range(3)], axis=0) - (1 + t) ** 2  # noqa: E731
    found = lf.least_squares(f, [0.1, 0.1, 0.1], args=(T,))
    np.testing.assert_allclose(np.exp(found.x), [1, 2, 1], rtol=1e-7)


def test_residuals_of_different_formulas() -> None:
    def rosenbrock(x):
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    with pytest.warns(lf.NotTracedWarning):
        found = lf.least_squares(rosenbrock, [-1.2, 1.0])
    np.testing.assert_allclose(found.x, [1, 1], rtol=1e-7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x0": [[1, 1, 1]]}, "one dimension"),
        ({"bounds": (2, 3)}, "infeasible"),
        ({"method": "newton"}, "method"),
        ({"method": "lm", "bounds": (0, 3)}, "lm"),
        ({"loss": "squares"}, "loss"),
        ({"max_nfev": 0}, "max_nfev"),
        ({"callback": print}, "callback"),
        ({"n_starts": 0}, "n_starts"),
        ({"args": (T, np.full(40, np.nan))}, "not finite"),
    ],
)
def test_refused_arguments(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lf.least_squares(residuals, **({"x0": [1, 1, 1], "args": (T, Y)} | settings))


def test_too_few_evaluations_are_reported() -> None:
    found = lf.least_squares(residuals, [9, 9, 9], args=(T, Y), max_nfev=2)
    assert not found.success
    assert found.status == 0
