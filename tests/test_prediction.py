"""Prediction intervals: simulated coverage in and out of range, their parts, recalibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lawfit as lf

LAW = lf.Law("E + A / N**alpha", variables=["N"])
TRUTH = {"E": 1.5, "A": 300.0, "alpha": 0.3}


def table(g: np.random.Generator, n: int, low: float, high: float, noise: Any) -> dict[str, Any]:
    size = np.exp(g.uniform(np.log(low), np.log(high), n))
    return {"N": size, "loss": LAW.predict(TRUTH, {"N": size}) * np.exp(noise(n))}


@pytest.mark.parametrize(
    ("loss", "heavy", "rounds"),
    [
        (lf.Huber(1e-3), True, 12),
        pytest.param(lf.Huber(1e-3), False, 60, marks=pytest.mark.slow),
        pytest.param(lf.Squared(), False, 60, marks=pytest.mark.slow),
        pytest.param(lf.Squared(), True, 60, marks=pytest.mark.slow),
    ],
)
def test_coverage(loss: Any, heavy: bool, rounds: int) -> None:
    g = np.random.default_rng(11)

    def noise(n: int) -> Any:
        return 0.01 * (g.standard_t(3, n) if heavy else g.normal(size=n))

    inside = outside = 0
    new = 50
    for _ in range(rounds):
        fit = lf.fit(LAW, table(g, 80, 1e6, 1e9, noise), loss=loss, starts=[TRUTH], threads=1)
        for low, high in ((1e6, 1e9), (1e9, 1e11)):
            runs = table(g, new, low, high, noise)
            found = fit.predict(runs, 0.9)
            hits = int(np.sum((found.low <= runs["loss"]) & (runs["loss"] <= found.high)))
            if high == 1e9:
                inside += hits
            else:
                outside += hits
    assert 0.86 < inside / (rounds * new) < 0.94
    assert outside / (rounds * new) > 0.86


def test_a_law_that_is_wrong_out_of_range_says_so() -> None:
    """A straight line in logarithms through a curve that flattens."""
    g = np.random.default_rng(12)
    runs = table(g, 80, 1e6, 1e8, lambda n: 0.002 * g.normal(size=n))
    fit = lf.fit(lf.Law("A / N**alpha", variables=["N"]), runs, loss=lf.Squared())
    far = {"N": np.geomspace(1e8, 1e10, 6)}
    found = fit.predict(far, 0.95)
    truth = LAW.predict(TRUTH, far)
    without = fit.predict(far, 0.95, model_form=False)
    assert (np.diff(found.parts["model_form"]) > 0).all()
    assert found.parts["model_form"][0] < 0.2 * found.parts["model_form"][-1]
    assert (without.high < truth)[2:].all()
    assert np.mean(truth <= found.high) > 0.5
    assert (found.high > without.high)[1:].all()


def test_parts_distance_and_leverage(runs: lf.Runs, free_fit: lf.Fit) -> None:
    n = np.array([1e9, 1e11, 1e6])
    new = {"N": n, "D": np.array([2e10, 2e10, 2e10])}
    found = free_fit.predict(new, interval=0.95)
    np.testing.assert_array_equal(found.value, free_fit.predict(new))
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()
    np.testing.assert_allclose(found.distance["N"], [0, np.log(10), np.log(50)], rtol=1e-9)
    np.testing.assert_array_equal(found.distance["D"], 0.0)
    assert found.parts["model_form"][0] == 0.0
    assert found.parts["parameter"][1] > found.parts["parameter"][0]
    squares = sum(v**2 for v in found.parts.values())
    np.testing.assert_allclose(found.standard_deviation, np.sqrt(squares))
    fitted = free_fit.predict(runs, interval=0.95)
    assert fitted.leverage.sum() == pytest.approx(5.0)
    wider = free_fit.predict(new, interval=0.99)
    assert (wider.high - wider.low > found.high - found.low).all()
    boot = free_fit.bootstrap(200)
    by_draws = free_fit.predict(new, 0.95, method=boot)
    ratio = by_draws.parts["parameter"] / found.parts["parameter"]
    assert (ratio > 0.5).all()
    assert (ratio < 2.0).all()


@pytest.mark.parametrize("residual", ["linear", "logit"])
def test_other_spaces_and_sigma(residual: Any) -> None:
    g = np.random.default_rng(13)
    x = np.linspace(-2, 2, 60)
    law = lf.Law("sigmoid(a + b * x)", parameters=["a", "b"], variables=["x"])
    value = 1 / (1 + np.exp(-(0.3 + x)))
    if residual == "logit":
        y = 1 / (1 + np.exp(-(0.3 + x + 0.1 * g.normal(size=60))))
    else:
        y = value + 0.02 * g.normal(size=60)
    sigma = np.full(60, 5.0)
    settings: dict[str, Any] = {"target": "y", "residual": residual, "loss": lf.Squared()}
    fit = lf.fit(law, {"x": x, "y": y}, **settings)
    found = fit.predict({"x": [0.0, 5.0]}, 0.95)
    assert (found.low < found.value).all()
    assert found.parts["noise"][0] == pytest.approx(0.1 if residual == "logit" else 0.02, rel=0.35)
    if residual == "logit":
        assert 0 < found.low[1] < found.high[1] < 1
    # One sigma for all rows changes nothing.
    same = lf.fit(law, {"x": x, "y": y}, sigma=sigma, **settings).predict({"x": [0.0, 5.0]}, 0.95)
    for part in ("parameter", "noise"):
        np.testing.assert_allclose(same.parts[part], found.parts[part], rtol=1e-6)
    np.testing.assert_allclose(same.leverage, found.leverage, rtol=1e-6)


def test_recalibration() -> None:
    g = np.random.default_rng(14)
    fit = lf.fit(LAW, table(g, 80, 1e6, 1e9, lambda n: 0.01 * g.normal(size=n)), loss=lf.Squared())
    noisier = table(g, 200, 1e6, 1e9, lambda n: 0.03 * g.normal(size=n))
    plain = fit.predict(noisier, 0.9)
    found = fit.predict(noisier, 0.9, recalibrate=noisier)
    assert plain.factor == 1.0
    assert found.factor == pytest.approx(3.0, rel=0.25)
    y = noisier["loss"]
    assert np.mean((plain.low <= y) & (y <= plain.high)) < 0.6
    assert np.mean((found.low <= y) & (y <= found.high)) == pytest.approx(0.9, abs=0.01)


def test_groups(runs: lf.Runs) -> None:
    g = np.random.default_rng(15)
    size = np.exp(g.uniform(14, 20, 60))
    family = np.array(["u", "v"])[np.arange(60) % 2]
    law = lf.Law("E[family] + A / N**alpha", variables=["N"])
    params = {"E[u]": 1.5, "E[v]": 2.0, "A": 300.0, "alpha": 0.3}
    data = {"N": size, "family": family}
    data["loss"] = law.predict(params, data) * np.exp(0.01 * g.normal(size=60))
    fit = lf.fit(law, data)
    found = fit.predict({"N": [1e7, 1e7], "family": ["v", "u"]}, 0.95)
    assert found.value[0] > found.value[1]
    assert (found.parts["parameter"] > 0).all()
    with pytest.raises(lf.InputError, match=r"E\[w\]"):
        fit.predict({"N": [1e7], "family": ["w"]}, 0.95)


def test_bad_input(free_fit: lf.Fit, runs: lf.Runs) -> None:
    new = {"N": [1e9], "D": [1e10]}
    for call, text in [
        (lambda: free_fit.predict(new, 95), "between 0 and 1"),
        (lambda: free_fit.predict(new, interval=0.0), "between 0 and 1"),
        (lambda: free_fit.predict(new, method="delta"), "need interval"),
        (lambda: free_fit.predict(new, 0.9, method="wald"), "method = 'wald'"),
        (lambda: free_fit.predict({"N": [1e9]}, 0.9), "D"),
        (lambda: free_fit.predict(new, 0.9, recalibrate=new), "9 or more held-out runs"),
        (
            lambda: free_fit.predict(new, 0.9, recalibrate={k: v[:9] for k, v in
                                     (("N", runs["N"]), ("D", runs["D"]))}),
            "loss",
        ),
    ]:  # fmt: skip
        with pytest.raises(lf.InputError, match=text):
            call()
