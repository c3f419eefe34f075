"""Covariance and derived quantities: agreement with others, simulated coverage, bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import lawfit as lf
from lawfit.uncertainty.contributions import bandwidth, contributions, derivatives_at
from lawfit.uncertainty.quantiles import incomplete_beta, joint_quantile, t_quantile

LINE = lf.Law("a + b * x + c * z", parameters=["a", "b", "c"], variables=["x", "z"])


def line_runs(n: int = 60, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=n), generator.uniform(size=n)
    group = np.arange(n) % 12
    noise = generator.normal(size=n) * (0.1 + 0.2 * z) + 0.2 * generator.normal(size=12)[group]
    return {"x": x, "z": z, "y": 1 + 0.5 * x - 2 * z + noise, "group": group, "w": 0.5 + z}


def fit_line(runs: dict[str, Any], **settings: Any) -> lf.Fit:
    defaults = {"residual": "linear", "loss": lf.Squared()}
    return lf.fit(LINE, runs, target="y", **(defaults | settings))


@given(st.floats(0.51, 0.9999), st.floats(1, 400))
def test_t_quantiles(p: float, dof: float) -> None:
    assert t_quantile(p, dof) == pytest.approx(scipy.stats.t.ppf(p, dof), rel=1e-9)
    assert t_quantile(1 - p, dof) == pytest.approx(scipy.stats.t.ppf(1 - p, dof), rel=1e-9)
    assert joint_quantile(p, dof) == pytest.approx(2 * scipy.stats.f.ppf(p, 2, dof), rel=1e-9)
    assert joint_quantile(p) == pytest.approx(scipy.stats.chi2.ppf(p, 2), rel=1e-9)


@given(st.floats(0.5, 200), st.floats(0.5, 200), st.floats(0, 1))
def test_incomplete_beta(a: float, b: float, x: float) -> None:
    assert incomplete_beta(a, b, x) == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-10)
    assert (incomplete_beta(a, b, 0.0), incomplete_beta(a, b, 1.0)) == (0, 1)


@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_statsmodels(weighted: bool) -> None:
    sm = pytest.importorskip("statsmodels.api")
    runs = line_runs()
    fit = fit_line(runs, weights="w" if weighted else None)
    design = np.column_stack([np.ones(60), runs["x"], runs["z"]])
    model = sm.WLS(runs["y"], design, weights=runs["w"] if weighted else 1.0)
    order = [fit.covariance().names.index(n) for n in "abc"]
    for kind, settings, theirs in [
        ("gauss-newton", {}, {}),
        ("hessian", {}, {}),
        ("sandwich", {}, {"cov_type": "HC1"}),
        (
            "cluster",
            {"by": "group"},
            {"cov_type": "cluster", "cov_kwds": {"groups": runs["group"]}},
        ),
    ]:
        ours = fit.covariance(kind, **settings)
        np.testing.assert_allclose(
            ours.matrix[np.ix_(order, order)], model.fit(**theirs).cov_params(), rtol=1e-8
        )
    by_array = fit.covariance("cluster", by=runs["group"])
    np.testing.assert_array_equal(by_array.matrix, fit.covariance("cluster", by="group").matrix)
    assert by_array.dof == 11
    assert fit.covariance("cluster", by=np.arange(60) % 2).dof == 1  # two clusters are enough


def test_agrees_with_curve_fit(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, residual="linear", loss=lf.Squared())
    found = fit.covariance("gauss-newton")

    def model(x: Any, *p: float) -> Any:
        v = dict(zip(found.names, p))
        return v["E"] + v["A"] / x[0] ** v["alpha"] + v["B"] / x[1] ** v["beta"]

    start = [fit.params[n] for n in found.names]
    _, theirs = scipy.optimize.curve_fit(model, (runs["N"], runs["D"]), runs["loss"], p0=start)
    np.testing.assert_allclose(found.matrix, theirs, rtol=1e-3)


def test_median_agrees_with_statsmodels() -> None:
    """Both estimate the density at zero with a window, of different shapes."""
    sm = pytest.importorskip("statsmodels.api")
    runs = line_runs(400)
    fit = fit_line(runs, loss=lf.Absolute())
    design = np.column_stack([np.ones(400), runs["x"], runs["z"]])
    theirs = sm.QuantReg(runs["y"], design).fit(0.5, vcov="robust")
    ours = fit.standard_errors()
    np.testing.assert_allclose([ours[n] for n in "abc"], theirs.bse, rtol=0.15)


@pytest.mark.parametrize("quantile", [0.3, 0.5])
def test_the_window_is_half_of_statsmodels(quantile: float) -> None:
    theirs = pytest.importorskip("statsmodels.regression.quantile_regression")
    g = np.random.default_rng(3)
    # The narrower measure is the quartiles, then the deviation, and the quartiles at one place.
    for u in (
        g.standard_t(2, 70), np.sign(g.normal(size=70)) + 0.1 * g.normal(size=70),
        np.repeat([0.0, 1.0, -1.0], [50, 10, 10]),
    ):  # fmt: skip
        between = np.subtract(*np.quantile(u, [0.75, 0.25])) / 1.34
        spread = min(np.std(u), between) if between > 0.0 else np.std(u)
        step = theirs.hall_sheather(len(u), quantile)
        ends = scipy.stats.norm.ppf([quantile - step, quantile + step])
        assert bandwidth(u, quantile) == pytest.approx(0.5 * spread * np.ptp(ends), rel=1e-9)


@pytest.mark.parametrize("loss", [lf.Huber(0.02), lf.LogCosh(0.01), lf.Cauchy(0.02), lf.Squared()])
@pytest.mark.parametrize("scale", ["fixed", "fitted"])
def test_scores_and_bread_are_derivatives(runs: lf.Runs, loss: Any, scale: Any) -> None:
    if scale == "fitted":
        loss = lf.Huber(2.0) if isinstance(loss, lf.Cauchy) else loss
    fit = lf.fit("chinchilla", runs, loss=loss, scale=scale)
    rows = contributions(fit)
    assert fit._problem is not None
    objective = fit._problem.objective(None)
    x = fit._coordinates
    _, gradient, _, _ = objective.derivatives(x)
    largest = np.abs(rows.score).sum(axis=0).max()
    np.testing.assert_allclose(rows.score.sum(axis=0), gradient, atol=1e-9 * largest)
    if rows.window == 0.0:
        np.testing.assert_allclose(rows.bread, objective.hessian(x), rtol=1e-6, atol=1e-6 * largest)


def test_derivatives_by_groups_tied_and_fixed() -> None:
    law = lf.Law("E[task] + A / N**alpha + B / D**beta")
    g = np.random.default_rng(1)
    n = 40
    table = {
        "N": np.exp(g.uniform(17, 23, n)),
        "D": np.exp(g.uniform(20, 26, n)),
        "task": np.array(["u", "v"])[np.arange(n) % 2],
    }
    params = {"E[u]": 1.5, "E[v]": 2.0, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.34}
    table["loss"] = law.predict(params, table) * np.exp(g.normal(0, 0.01, n))
    fit = lf.fit(law, table, tied=[("alpha", "beta")], fixed={"A": 400.0})
    assert fit._problem is not None
    assert fit._coordinates is not None
    x = fit._coordinates
    values, jacobian = derivatives_at(fit._problem, x)
    np.testing.assert_allclose(np.exp(values), fit.predict(table), rtol=1e-12)
    for k in range(len(x)):
        step = np.zeros_like(x)
        step[k] = 1e-5
        high, low = (derivatives_at(fit._problem, x + s)[0] for s in (step, -step))
        np.testing.assert_allclose(jacobian[:, k], (high - low) / 2e-5, rtol=1e-6, atol=1e-9)
    few = {k: v[:5] for k, v in table.items()}
    other, part = derivatives_at(fit._problem, x, lf.read(few))
    np.testing.assert_array_equal(other, values[:5])
    np.testing.assert_array_equal(part, jacobian[:5])
    found = fit.intervals(method="t")
    assert found["alpha"] == found["beta"]
    assert found["A"] == (400.0, 400.0)
    assert found["E[u]"][0] < fit.params["E[u]"] < found["E[u]"][1]


def test_the_variance_of_a_fitted_scale_is_the_same_to_first_order() -> None:
    """Residuals in pairs of opposite signs: nothing joins the scale to the other parameters."""
    runs = line_runs()
    line = 1 + 0.5 * runs["x"] - 2 * runs["z"]
    pairs = {k: np.concatenate([v, v]) for k, v in runs.items()}
    pairs["y"] = np.concatenate([runs["y"], 2 * line - runs["y"]])
    fit = fit_line(pairs, weights="w", scale="fitted", loss=lf.LogCosh(0.5))
    first, whole = (fit.covariance(kind) for kind in ("gauss-newton", "sandwich"))
    assert first.names[-1] == "scale"
    assert first.matrix[-1, -1] == pytest.approx(whole.matrix[-1, -1], rel=1e-6)


def test_penalties_count_beside_a_loss_that_bends_less() -> None:
    fit = fit_line(line_runs(), loss=lf.LogCosh(0.3), penalties={"c": (0.0, 0.2)})
    rows = contributions(fit)
    gram, bend = rows.jacobian.T @ rows.jacobian, rows.mean_curvature()
    assert bend < 0.9
    assert rows.penalty.any()
    inverse = np.linalg.inv(bend * gram + rows.penalty)
    expected = np.sum(rows.slope**2) / 57 * inverse @ gram @ inverse
    np.testing.assert_allclose(fit.covariance("gauss-newton").matrix, expected, rtol=1e-9)


def test_scale_factors_have_positive_intervals(free_fit: lf.Fit) -> None:
    spread = free_fit.covariance()
    for method in ("t", "normal"):
        for name, (low, high) in spread.intervals(0.999999, method).items():
            assert low < free_fit.params[name] < high
            assert low > 0
    assert spread.standard_errors == free_fit.standard_errors()
    np.testing.assert_allclose(np.diag(spread.correlation), 1.0)
    k = spread.names.index("A")
    assert math.sqrt(spread.matrix[k, k]) == pytest.approx(
        free_fit.params["A"] * math.sqrt(spread.coordinate_matrix[k, k])
    )


def test_parameters_at_a_bound_or_without_influence() -> None:
    runs = line_runs()
    fit = fit_line(runs, bounds={"b": (0.7, 2.0)})
    errors = fit.standard_errors()
    assert math.isnan(errors["b"])
    assert errors["a"] > 0
    surplus = lf.Law("a + b * x + c * d * z", parameters=list("abcd"), variables=["x", "z"])
    fit = lf.fit(surplus, runs, target="y", residual="linear", loss=lf.Squared())
    for kind in ("gauss-newton", "sandwich"):
        errors = fit.standard_errors(kind)
        assert errors["c"] == errors["d"] == math.inf
        # 60 rows less 4 parameters, not less 3.
        expected = fit_line(runs).standard_errors(kind)["b"] * math.sqrt(57 / 56)
        assert errors["b"] == pytest.approx(expected, rel=1e-5)


COVERAGE_CASES: list[Any] = [
    (lf.Huber(1e-3), "fixed", "t", 60),
    *[
        pytest.param(loss, scale, noise, 250, marks=pytest.mark.slow)
        for loss, scale, noise in [
            (lf.Squared(), "fixed", "normal"),
            (lf.Huber(1e-3), "fixed", "normal"),
            (lf.Huber(1e-3), "fixed", "t"),
            (lf.Absolute(), "fixed", "normal"),
            (lf.Squared(), "fitted", "normal"),
            (lf.Huber(1e-3), "fitted", "laplace"),
        ]
    ],
]


@pytest.mark.parametrize(("loss", "scale", "noise", "draws"), COVERAGE_CASES)
def test_coverage(loss: Any, scale: Any, noise: str, draws: int) -> None:
    """Of a slope, by every kind; 95 % of 250 is 237.5 +- 3.4, and small samples cost some."""
    g = np.random.default_rng(7)
    x = np.linspace(-1, 1, 80)
    law = lf.Law("a + b * x", parameters=["a", "b"], variables=["x"])
    hits = dict.fromkeys(("gauss-newton", "hessian", "sandwich", "profile"), 0)
    for _ in range(draws):
        e = {"normal": g.normal, "laplace": g.laplace}.get(
            noise, lambda size: g.standard_t(3, size)
        )(size=len(x))
        table = {"x": x, "y": 1.0 + 0.5 * x + 0.02 * e}
        fit = lf.fit(
            law, table, target="y", residual="linear", loss=loss, scale=scale,
            starts={"a": 1.0, "b": 0.5}, threads=1,
        )  # fmt: skip
        for kind in hits:
            if kind == "profile":
                low, high = fit.profile("b", reach=0.95, threads=1).interval()
            else:
                low, high = fit.covariance(kind).intervals()["b"]
            hits[kind] += low < 0.5 < high
    for kind, count in hits.items():
        assert 0.89 <= count / draws <= 0.995, (kind, hits)


@pytest.mark.slow
def test_sandwich_is_right_where_noise_differs() -> None:
    g = np.random.default_rng(3)
    x = np.linspace(-1, 1, 100)
    law = lf.Law("a + b * x", parameters=["a", "b"], variables=["x"])
    hits = {"gauss-newton": 0, "sandwich": 0, "profile": 0}
    for _ in range(200):
        y = 1.0 + 0.5 * x + 0.1 * x**2 * g.normal(size=len(x))
        fit = lf.fit(
            law, {"x": x, "y": y}, target="y", residual="linear", loss=lf.Squared(),
            starts={"a": 1.0, "b": 0.5}, threads=1,
        )  # fmt: skip
        for kind in hits:
            if kind == "profile":
                found = fit.profile("b", reach=0.95, dispersion="sandwich", threads=1)
                low, high = found.interval()
            else:
                low, high = fit.covariance(kind).intervals()["b"]
            hits[kind] += low < 0.5 < high
    assert hits["gauss-newton"] < 0.9 * 200
    assert hits["sandwich"] > 0.9 * 200
    assert hits["profile"] > 0.9 * 200


def test_derived_quantities(free_fit: lf.Fit) -> None:
    text = free_fit.derived("beta / (alpha + beta)")
    a, b = free_fit.params["alpha"], free_fit.params["beta"]
    assert text.value == pytest.approx(b / (a + b), rel=1e-14)
    assert text.gradient["alpha"] == pytest.approx(-b / (a + b) ** 2, rel=1e-12)
    assert text.gradient["E"] == 0.0
    function = free_fit.derived(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    assert function.standard_error == pytest.approx(text.standard_error, rel=1e-8)
    assert function.interval == pytest.approx(text.interval, rel=1e-8)
    # A parameter is its own derived quantity.
    assert free_fit.derived("alpha").interval == pytest.approx(
        free_fit.intervals(method="t")["alpha"], rel=1e-12
    )
    low, high = free_fit.derived("A", log=True).interval
    assert (low, high) == pytest.approx(free_fit.intervals(method="t")["A"], rel=1e-9)
    wide = free_fit.derived("A / B", method="profile")
    assert wide.low < wide.value < wide.high
    boot = free_fit.bootstrap(100)
    assert free_fit.derived("A / B", 0.9, method=boot).interval == boot.interval("A / B", 0.9)

    def optimal_size(p: Any) -> float:
        ratio = p["alpha"] * p["A"] / (p["beta"] * p["B"])
        share = p["beta"] / (p["alpha"] + p["beta"])
        return float(ratio ** (1 / (p["alpha"] + p["beta"])) * (1e24 / 6) ** share)

    size = free_fit.derived(optimal_size, log=True)
    assert size.name == "optimal_size"
    assert 0 < size.low < size.value < size.high


def test_nothing_fitted_has_intervals_of_no_width(runs: lf.Runs) -> None:
    params = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2085.0, "beta": 0.365}
    fit = lf.fit("chinchilla", runs, fixed=params)
    for method in ("profile", "t"):
        assert fit.intervals(method=method) == {n: (v, v) for n, v in params.items()}
    found = fit.predict(runs, 0.95)
    assert (found.parts["parameter"] == 0.0).all()
    assert (found.low < found.value).all()


def test_intervals_by_every_method(free_fit: lf.Fit) -> None:
    boot = free_fit.bootstrap(200)
    assert free_fit.intervals(0.9, boot) == boot.intervals(0.9)
    for method in ("profile", "t", "normal"):
        found = free_fit.intervals(0.9, method)
        assert set(found) == set(free_fit.params)
        for name, (low, high) in found.items():
            assert low < free_fit.params[name] < high
    fitted = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), scale="fitted")
    assert fitted.scale is not None
    for method in ("profile", "t"):
        low, high = fitted.intervals(method=method)["scale"]
        assert 0 < low < fitted.scale < high


def test_bad_input(free_fit: lf.Fit, tmp_path: Any) -> None:
    short = line_runs(3)
    exact = fit_line({k: v[:3] for k, v in short.items()})
    stored = tmp_path / "fit.json"
    free_fit.save(stored)
    for call, text in [
        (lambda: free_fit.covariance("hc3"), "kind 'hc3'"),
        (lambda: free_fit.covariance("cluster"), "belong together"),
        (lambda: free_fit.covariance(by="N"), "belong together"),
        (lambda: free_fit.covariance("cluster", by=np.ones(3)), "by has shape"),
        (lambda: free_fit.covariance("cluster", by=np.ones(90)), "one cluster"),
        (lambda: free_fit.covariance("cluster", by="family"), "family"),
        (lambda: exact.covariance(), "3 rows for 3 fitted parameters"),
        (lambda: exact.profile("a"), "3 rows for 3 fitted parameters"),
        (lambda: exact.predict(short, 0.95), "3 rows for 3 fitted parameters"),
        (lambda: free_fit.intervals(95), "between 0 and 1"),
        (lambda: free_fit.intervals("95%"), "between 0 and 1"),
        (lambda: free_fit.intervals(method="wald"), "method = 'wald'"),
        (lambda: free_fit.covariance().intervals(method="z"), "method = 'z'"),
        (lambda: free_fit.derived("gamma"), "'gamma' is not a parameter"),
        (lambda: free_fit.derived(lambda p: [1.0]), "expected one number"),
        (lambda: free_fit.derived("log(E - 10)"), "is nan at the fitted"),
        (lambda: free_fit.derived("-A", log=True), "needs a positive value"),
        (lambda: free_fit.derived("A", 0.0), "between 0 and 1"),
        (lambda: free_fit.derived("A", method="wald"), "method = 'wald'"),
        (lambda: lf.load(stored).covariance(), "read from a file"),
    ]:
        with pytest.raises(lf.InputError, match=text):
            call()


def test_an_interval_of_a_derived_quantity_is_centred(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs)
    found = fit.derived("alpha / beta", method="delta")
    low, high = found.interval
    assert low < found.value < high
    assert low + high == pytest.approx(2 * found.value, rel=1e-12)
