"""Profiles and contours: agreement with MINOS, open ends, bounds, other minima, threads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit import _core
from lawfit.uncertainty import contour
from lawfit.uncertainty.elimination import invert

LINE = lf.Law("a + b * x", parameters=["a", "b"], variables=["x"])


def line_fit(noise: float = 0.1, **settings: Any) -> lf.Fit:
    g = np.random.default_rng(0)
    x = np.linspace(-1, 1, 30)
    y = 1 + 0.5 * x + noise * g.normal(size=30)
    defaults = {"residual": "linear", "loss": lf.Squared()}
    return lf.fit(LINE, {"x": x, "y": y}, target="y", **(defaults | settings))


def test_of_a_linear_law_is_the_t_interval() -> None:
    fit = line_fit()
    expected = fit.covariance("gauss-newton").intervals(0.9)
    for name, found in fit.profiles().items():
        assert found.interval(0.9) == pytest.approx(expected[name], rel=1e-7)
        assert found.ends == ("reached", "reached")
        assert found.better is None
        assert found.warnings == ()
    # A quantity that is linear too, by replacing a parameter and by lines.
    expected_derived = fit.derived("a + 2 * b", 0.9, kind="gauss-newton").interval
    for what in ("a + 2 * b", lambda p: p["a"] + 2 * p["b"]):
        found = fit.profile(what)
        assert found.interval(0.9) == pytest.approx(expected_derived, rel=1e-5)


def test_the_sandwich_dispersion_gives_the_interval_of_the_sandwich() -> None:
    fit = line_fit()
    expected = fit.covariance("sandwich").intervals(0.9)
    for name, found in fit.profiles(dispersion="sandwich").items():
        assert found.interval(0.9) == pytest.approx(expected[name], rel=1e-7)
    derived = fit.derived("a + 2 * b", 0.9, kind="sandwich").interval
    for what in ("a + 2 * b", lambda p: p["a"] + 2 * p["b"]):
        found = fit.profile(what, dispersion="sandwich")
        assert found.interval(0.9) == pytest.approx(derived, rel=1e-5)
    fitted = line_fit(scale="fitted")
    wide, narrow = (fitted.standard_errors(k)["scale"] for k in ("sandwich", "hessian"))
    found = fitted.profile("scale", dispersion="sandwich")
    assert found.dispersion == pytest.approx((wide / narrow) ** 2, rel=1e-9)


def test_agrees_with_minos(runs: lf.Runs) -> None:
    iminuit = pytest.importorskip("iminuit")
    fit = lf.fit("chinchilla", runs, loss=lf.Squared())
    n, d, y = np.log(runs["N"]), np.log(runs["D"]), np.log(runs["loss"])

    def objective(E: float, A: float, alpha: float, B: float, beta: float) -> float:
        terms = np.exp(E) + np.exp(A - alpha * n) + np.exp(B - beta * d)
        return float(np.sum((np.log(terms) - y) ** 2) / variance)

    variance = 2 * fit.objective / (fit.nobs - 5)
    start = {k: math.log(v) if k in "EAB" else v for k, v in fit.params.items()}
    minuit = iminuit.Minuit(objective, **start)
    minuit.errordef, minuit.strategy, minuit.tol = 1.0, 2, 1e-6
    minuit.migrad()
    minuit.minos(cl=0.95)
    for name, found in fit.profiles(dispersion=variance).items():
        low, high = found.interval(0.95)
        if name in "EAB":
            low, high = math.log(low), math.log(high)
        error = minuit.merrors[name]
        size = error.upper - error.lower
        assert low == pytest.approx(minuit.values[name] + error.lower, abs=2e-3 * size)
        assert high == pytest.approx(minuit.values[name] + error.upper, abs=2e-3 * size)


def test_points_are_constrained_minima(free_fit: lf.Fit) -> None:
    found = free_fit.profile("alpha")
    for k in (0, 5, -1):
        again = lf.fit(
            "chinchilla",
            lf.datasets.load("simulated_chinchilla"),
            fixed={"alpha": float(found.values[k])},
            starts=30,
        )
        assert found.objective[k] == pytest.approx(again.objective, rel=1e-8)
        assert found.params["A"][k] == pytest.approx(again.params["A"], rel=1e-4)
    assert (np.diff(found.values) > 0).all()
    assert (np.diff(found.root) > 0).all()
    assert found.values[np.flatnonzero(found.root == 0.0)] == found.estimate


@pytest.mark.parametrize("loss", [lf.Huber(1e-3), lf.Absolute(), lf.Cauchy(0.002)])
@pytest.mark.parametrize("scale", ["fixed", "fitted"])
def test_every_loss(runs: lf.Runs, loss: Any, scale: Any) -> None:
    if scale == "fitted" and isinstance(loss, lf.Cauchy):
        loss = lf.Cauchy(2.0)
    fit = lf.fit("chinchilla", runs, loss=loss, scale=scale)
    errors = fit.standard_errors("hessian")
    names = ["beta", "scale"] if scale == "fitted" else ["beta"]
    for name, found in fit.profiles(names).items():
        assert found.ends == ("reached", "reached")
        assert found.better is None
        low, high = found.interval()
        center = fit.scale if name == "scale" else fit.params[name]
        assert low < center < high
        assert 1.2 < (high - low) / (2 * errors[name]) < 3.0


def test_bits_do_not_depend_on_threads(free_fit: lf.Fit) -> None:
    one, two = (free_fit.profiles(threads=k) for k in (1, 2))
    for name, found in one.items():
        np.testing.assert_array_equal(found.values, two[name].values)
        np.testing.assert_array_equal(found.objective, two[name].objective)
    a, b = (free_fit.contour("alpha", "beta", threads=k, points=8) for k in (1, 2))
    np.testing.assert_array_equal(a.points, b.points)


def test_open_ends_and_bounds() -> None:
    # The curve never becomes flat: E may be anything from 0 on.
    g = np.random.default_rng(4)
    n = np.geomspace(1e6, 1e8, 25)
    loss = (0.05 + 300 * n**-0.3) * np.exp(g.normal(0, 0.02, 25))
    law = lf.Law("E + A / N**alpha", variables=["N"])
    fit = lf.fit(law, {"N": n, "loss": loss}, loss=lf.Squared())
    found = fit.profile("E")
    assert found.ends == ("open", "reached")
    assert found.open == (True, False)
    low, high = found.interval()
    assert low == 0.0
    assert high > 0.05
    assert "no limit on E below" in found.warnings[0]
    assert fit.intervals()["E"] == pytest.approx((low, high), rel=1e-3)

    bounded = lf.fit(
        law, {"N": n, "loss": loss}, loss=lf.Squared(), bounds={"alpha": (0.25, 0.301)}
    )
    found = bounded.profile("alpha")
    assert found.ends[1] == "bound"
    assert found.interval(0.99)[1] == 0.301
    assert found.params["alpha"].max() <= 0.301


def test_a_direction_without_influence_is_open() -> None:
    g = np.random.default_rng(5)
    x = np.linspace(1, 2, 20)
    law = lf.Law("a * b * x", parameters=["a", "b"], variables=["x"])
    fit = lf.fit(law, {"x": x, "y": 2 * x + 0.01 * g.normal(size=20)}, target="y",
                 residual="linear", loss=lf.Squared())  # fmt: skip
    found = fit.profile("a")
    assert "open" in found.ends
    product = fit.profile("a * b")
    assert product.ends == ("reached", "reached")
    low, high = product.interval()
    assert low < 2.0 < high
    assert high - low < 0.02


def test_a_quantity_is_followed_to_where_it_turns() -> None:
    fit = line_fit()
    turn = fit.params["a"] + fit.standard_errors()["a"]
    found = fit.profile(lambda p: -((p["a"] - turn) ** 2))
    assert found.ends == ("reached", "failed")
    assert "could not be followed above" in found.warnings[0]
    assert math.isnan(found.interval(0.95)[1])
    assert found.values[-1] <= 0.0
    assert 0.8 < found.root[-1] < 1.0


def test_a_lower_minimum_is_reported() -> None:
    """A fit from one start in the wrong valley; its profile crosses over into the right one."""
    g = np.random.default_rng(2)
    x = np.linspace(0, 6, 60)
    law = lf.Law("cos(w * x)", parameters=["w"], variables=["x"])
    table = {"x": x, "y": np.cos(2.0 * x) + 0.3 * g.normal(size=60)}
    settings: dict[str, Any] = {"target": "y", "residual": "linear", "loss": lf.Squared()}
    wrong = lf.fit(law, table, starts={"w": 3.2}, **settings)
    right = lf.fit(law, table, starts={"w": 2.0}, **settings)
    assert wrong.objective > 1.5 * right.objective
    # On this scale the hill between the two is low.
    found = wrong.profile("w", dispersion=20.0)
    assert found.better is not None
    assert "not at the minimum" in found.warnings[0]
    again = lf.fit(law, table, starts=[found.better], **settings)
    assert again.objective == pytest.approx(right.objective)
    with pytest.warns(UserWarning, match="not at the minimum") as seen:
        wrong.intervals(dispersion=20.0)
    assert seen[0].filename == __file__


def test_derived_quantities_three_ways(free_fit: lf.Fit) -> None:
    """Solved for a parameter, held by lines, and held by lines with differences."""
    exact = free_fit.profile("beta / (alpha + beta)")
    lines = free_fit.profile("beta / (alpha + beta) + 0 * alpha")
    function = free_fit.profile(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    size = exact.interval()[1] - exact.interval()[0]
    for other in (lines, function):
        assert other.interval() == pytest.approx(exact.interval(), abs=2e-3 * size)
    # Along the profile the quantity is what it says.
    for found in (exact, lines):
        share = found.params["beta"] / (found.params["alpha"] + found.params["beta"])
        np.testing.assert_allclose(share, found.values, rtol=1e-5)
    # A formula of one parameter is that parameter, seen through a function.
    low, high = free_fit.profile("alpha").interval()
    assert free_fit.profile("2 * alpha + 1").interval() == pytest.approx(
        (2 * low + 1, 2 * high + 1), rel=1e-5
    )
    low, high = free_fit.profile("A").interval()
    assert free_fit.profile("log(A)").interval() == pytest.approx(
        (math.log(low), math.log(high)), rel=1e-5
    )


@pytest.mark.parametrize(
    "formula",
    ["p + q", "q - p", "p / q", "q / p", "2 * p", "p ** 2", "q ** p", "-p", "exp(p) / 3",
     "log(p) + q", "sqrt(p)", "log10(p) * q", "log2(1 + p)", "expm1(p)", "log1p(p)"],
)  # fmt: skip
def test_inversion(formula: str) -> None:
    solution = invert(formula, "p")
    assert solution is not None
    names = {f: getattr(np, f) for f in ("exp", "log", "log2", "log10", "log1p", "expm1", "sqrt")}
    value = eval(formula, {**names, "p": 0.7, "q": 1.9})
    assert eval(solution, {**names, "q": 1.9, "derived_quantity": value}) == pytest.approx(0.7)
    assert invert("p + p", "p") is None
    assert invert("abs(p)", "p") is None


def test_contours(free_fit: lf.Fit) -> None:
    line = line_fit()
    found = line.contour("a", "b", 0.9)
    assert found.closed
    spread = line.covariance("gauss-newton")
    away = found.points - found.estimate
    distance = np.einsum("ij,jk,ik->i", away, np.linalg.inv(spread.matrix), away)
    dof = 28
    np.testing.assert_allclose(distance, dof * (0.1 ** (-2 / dof) - 1), rtol=1e-5)

    both = free_fit.contour("A", "alpha", 0.95, points=32)
    assert both.closed
    assert both.better is None
    low, high = free_fit.profile("alpha").interval(0.95)
    assert both.points[:, 1].min() < low
    assert both.points[:, 1].max() > high
    assert (both.points[:, 0] > 0).all()


def test_contours_together(free_fit: lf.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pairs and levels on shared rays are the regions of long walks one by one."""
    pairs, levels = [("A", "alpha"), ("beta", "E")], [0.68, 0.95]
    together = contour.contours(free_fit, pairs, levels, points=8)
    monkeypatch.setattr(contour, "STEPS", 40)
    for pair, regions in zip(pairs, together, strict=True):
        for level, found in zip(levels, regions, strict=True):
            alone = free_fit.contour(*pair, level, points=8)
            assert (found.names, found.confidence_level) == (pair, level)
            size = np.ptp(alone.points, axis=0)
            np.testing.assert_allclose(found.points / size, alone.points / size, atol=1e-3)
    assert contour.contours(free_fit, [], levels) == []


def test_better_is_not_seen_without_reason(free_fit: lf.Fit) -> None:
    for seed in range(3):
        fit = lf.fit("chinchilla", lf.law("chinchilla").simulate(60, noise=0.01, rng=seed))
        assert all(p.better is None for p in fit.profiles().values())


def test_chinchilla_intervals(chinchilla_csv: Path) -> None:
    """Of the order that Besiroglu et al. report, not of the 0.454 to 0.455 once printed."""
    found = lf.fit("chinchilla", chinchilla_csv).intervals()
    assert found["alpha"] == pytest.approx((0.323, 0.369), abs=0.003)
    assert found["beta"] == pytest.approx((0.346, 0.389), abs=0.003)


def test_bad_input(free_fit: lf.Fit) -> None:
    fixed = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), fixed={"E": 1.8})
    for call, text in [
        (lambda: free_fit.profile("gamma"), "'gamma' is not a parameter"),
        (lambda: free_fit.profiles(["gamma"]), "'gamma' is not a parameter"),
        (lambda: fixed.profile("E"), "E was fixed"),
        (lambda: fixed.profile("2 * E"), "does not depend on any fitted"),
        (lambda: free_fit.profile("alpha", reach=1.0), "between 0 and 1"),
        (lambda: free_fit.profile("alpha", reach=0.9).interval(0.95), "reaches to the confidence"),
        (lambda: free_fit.profile("alpha", dispersion=-1), "dispersion = -1"),
        (lambda: free_fit.profile("alpha", dispersion="robust"), "dispersion = 'robust'"),
        (lambda: free_fit.profile("alpha").interval(95), "between 0 and 1"),
        (lambda: free_fit.profile("log(E - 9)"), "is nan at the fitted"),
        (lambda: free_fit.contour("alpha", "alpha"), "one parameter"),
        (lambda: free_fit.contour("alpha", "gamma"), "'gamma' is not a fitted parameter"),
        (lambda: free_fit.contour("alpha", "beta", 1.5), "between 0 and 1"),
        (lambda: free_fit.contour("alpha", "beta", points=2), "points = 2"),
        (lambda: line_fit(noise=0.0).profile("a"), "dispersion"),
    ]:
        with pytest.raises(lf.InputError, match=text):
            call()


def test_core_checks_sizes(free_fit: lf.Fit) -> None:
    assert free_fit._problem is not None
    objective = free_fit._problem.objective(None)
    x = free_fit._coordinates
    assert x is not None
    limits = (1.0, 0.25, 3.0, 50, 1e-20, 5000, 1, None)
    for call, text in [
        (lambda: _core.walk_rays(objective, x[:3], np.eye(5), np.ones(5), *limits), "x must have"),
        (lambda: _core.walk_rays(objective, x, np.eye(4), np.ones(4), *limits), "directions must"),
        (lambda: _core.walk_rays(objective, x, np.eye(5), np.ones(4), *limits), "one reach"),
        (
            lambda: _core.walk_rays(objective, x, np.eye(5), np.ones(5), 0.0, *limits[1:]),
            "unit must be positive",
        ),
        (lambda: _core.solve_held(objective, x[None], [9], 1e-20, 5000, 1, None), "coordinate"),
        (lambda: _core.solve_held(objective, x, [0], 1e-20, 5000, 1, None), "starts must"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
