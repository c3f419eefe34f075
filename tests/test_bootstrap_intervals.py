"""Intervals and the jackknife: against SciPy, against textbooks, and what cannot be asked."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import lawfit as lf
from lawfit.uncertainty.bootstrap import Bootstrap


@pytest.fixture(scope="module")
def sample() -> lf.Runs:
    """Thirty skewed numbers in five clusters, with a column of ones."""
    rng = np.random.default_rng(8)
    cluster = np.arange(30) % 5
    y = 3.0 + rng.exponential(1.0, 30) + 0.3 * cluster
    return lf.read({"one": np.ones(30), "y": y, "cluster": cluster, "part": ["x"] * 30})


@pytest.fixture(scope="module")
def mean(sample: lf.Runs) -> lf.Fit:
    """A fit whose only parameter is the mean of the numbers."""
    law = lf.Law("m * one", parameters=[lf.Parameter("m", transform="identity")])
    return lf.fit(law, sample, "y", residual="linear", loss=lf.Squared(), starts=4)


def scipys(sample: lf.Runs, draws: np.ndarray, method: str, statistic: Any) -> tuple[float, float]:
    found = stats.bootstrap(
        (sample["y"],), statistic, n_resamples=0, method=method, confidence_level=0.9,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=draws),
    )  # fmt: skip
    return tuple(found.confidence_interval)


@pytest.mark.parametrize("method", ["percentile", "basic", "bca"])
def test_intervals_are_scipys(sample: lf.Runs, mean: lf.Fit, method: str) -> None:
    boot = mean.bootstrap(999)
    draws = boot.draws["m"]
    np.testing.assert_allclose(draws, boot.of("m"))
    assert boot.estimate["m"] == pytest.approx(np.mean(sample["y"]), rel=1e-12)
    name = {"bca": "BCa"}.get(method, method)
    expected = scipys(sample, draws, name, np.mean)
    assert boot.intervals(0.9, method)["m"] == pytest.approx(expected, rel=1e-8)
    expected = scipys(sample, np.exp(draws), name, lambda y, axis=-1: np.exp(np.mean(y, axis)))
    assert boot.interval("exp(m)", 0.9, method) == pytest.approx(expected, rel=1e-8)
    same = boot.interval(lambda p: np.exp(p["m"]), 0.9, method)
    assert same == pytest.approx(boot.interval("exp(m)", 0.9, method), rel=1e-14)


def test_intervals_of_other_draws_agree_with_scipys(sample: lf.Runs, mean: lf.Fit) -> None:
    """Not the same draws, but as many of the same distribution."""
    found = stats.bootstrap((sample["y"],), np.mean, n_resamples=20_000, rng=1, method="BCa")
    ours = mean.bootstrap(20_000, spread=0).intervals(method="bca")["m"]
    assert ours == pytest.approx(tuple(found.confidence_interval), abs=0.03)


def test_a_studentized_interval_is_the_textbooks(sample: lf.Runs, mean: lf.Fit) -> None:
    boot = mean.bootstrap(400, studentize=True, rng=3)
    draws = boot.draws["m"]
    core, *_ = lf.uncertainty.resampling.resample(mean, "cases")
    errors = []
    for weight, m in zip(core.draws(3, 0, 400), draws, strict=True):
        errors.append(np.sqrt(np.sum(weight * (sample["y"] - m) ** 2)) / 30)
    point = float(np.mean(sample["y"]))
    error = np.sqrt(np.sum((sample["y"] - point) ** 2)) / 30
    low, high = np.quantile((draws - point) / errors, [0.05, 0.95])
    expected = (point - high * error, point - low * error)
    assert boot.interval("m", 0.9, "studentized") == pytest.approx(expected, rel=1e-7)
    expected = (point**3 - high * error * 3 * point**2, point**3 - low * error * 3 * point**2)
    cubed = boot.interval("m**3", 0.9, "studentized")
    cubes = np.quantile((draws**3 - point**3) / (3 * draws**2 * errors), [0.05, 0.95])
    expected = tuple(point**3 - q * 3 * point**2 * error for q in cubes[::-1])
    assert cubed == pytest.approx(expected, rel=1e-6)


def test_clusters_of_a_studentized_interval(sample: lf.Runs, mean: lf.Fit) -> None:
    boot = mean.bootstrap(50, "cluster", by="cluster", studentize=True)
    assert boot._covariance is not None
    score = np.bincount(sample["cluster"].astype(int), sample["y"] - np.mean(sample["y"]))
    assert boot._covariance[1][0, 0] == pytest.approx(np.sum(score**2) / 30**2, rel=1e-9)


def sandwich(fit: lf.Fit, step: float = 1e-5) -> np.ndarray:
    """Bread and meat by differences of the core's own objective, one row at a time."""
    problem, x = fit._problem, fit._coordinates
    assert problem is not None
    assert x is not None
    objective = problem.objective(fit._start_points)
    bread = np.linalg.inv(objective.hessian(x))
    n, p = problem.runs.n, len(x)
    scores = np.empty((n, p))
    for i in range(n):
        one = np.zeros(n)
        one[i] = 1.0
        weights = one if problem.settings.weights is None else one * problem.settings.weights
        alone = lf.problem.Problem(
            fit.law, problem.runs, lf.problem.replace(problem.settings, weights=weights)
        ).objective(fit._start_points)
        scores[i] = alone.derivatives(x)[1]
    return bread @ scores.T @ scores @ bread


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": "fitted"},
        {"weights": "w"},
        {"sigma": "s"},
        {"tied": [("alpha", "beta")], "fixed": {"E": 1.8}},
        {"law": "exp(e) + A / N**alpha + B / D**beta + 0 * log(alpha * beta)"},
    ],
)
def test_the_covariance_of_a_refit_is_a_sandwich(runs: lf.Runs, settings: dict[str, Any]) -> None:
    table = dict(runs) | {
        "w": 1.0 + np.arange(runs.n) % 2,
        "s": 0.5 + 0.1 * (np.arange(runs.n) % 3),
    }
    law = settings.pop("law", "chinchilla") if "law" in settings else "chinchilla"
    fit = lf.fit(law, table, loss=lf.LogCosh(0.01), starts=20, **settings)
    boot = fit.bootstrap(2, studentize=True)
    assert boot._covariance is not None
    own = boot._covariance[1]
    np.testing.assert_allclose(own, sandwich(fit), rtol=1e-6, atol=1e-12 * np.abs(own).max())
    later = fit.bootstrap(2, first_draw=1, studentize=True)
    assert later._covariance is not None
    np.testing.assert_array_equal(later._covariance[0][0], boot._covariance[0][1])
    assert np.isfinite(boot._covariance[0]).all()
    for low, high in boot.intervals(0.5, "studentized").values():
        assert low <= high


def test_fixed_parameters_have_intervals_of_no_width(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, fixed={"E": 1.8}, starts=10)
    boot = fit.bootstrap(20, studentize=True)
    for method in ("percentile", "basic", "bca", "studentized"):
        assert boot.interval("E", 0.9, method) == pytest.approx((1.8, 1.8), rel=1e-15)


# --- jackknife ---------------------------------------------------------------------------------


def test_a_jackknife_of_a_mean(sample: lf.Runs, mean: lf.Fit) -> None:
    jack = mean.jackknife()
    y = sample["y"]
    np.testing.assert_allclose(jack.values["m"], (y.sum() - y) / 29, rtol=1e-10)
    np.testing.assert_allclose(jack.influence["m"], (y.mean() - y) / 29, atol=1e-10)
    assert jack.standard_errors()["m"] == pytest.approx(np.std(y, ddof=1) / np.sqrt(30), rel=1e-8)
    order = np.argsort(-np.abs(y - y.mean()))[:3]
    most = jack.most_influential("m", 3)
    assert list(most) == [f"row {i + 1}" for i in order]
    assert list(most.values()) == pytest.approx((y.mean() - y)[order] / 29)
    np.testing.assert_allclose(jack.of("2 * m"), 2 * jack.values["m"])
    assert (len(jack), jack.converged, jack.warnings) == (30, 1.0, ())
    by = mean.jackknife("cluster")
    assert by.labels == tuple(f"cluster = {k}" for k in range(5))
    left = [y[sample["cluster"] != k].mean() for k in range(5)]
    np.testing.assert_allclose(by.values["m"], left, rtol=1e-10)


def test_bca_of_clusters_leaves_out_clusters(sample: lf.Runs, mean: lf.Fit) -> None:
    boot = mean.bootstrap(400, "cluster", by="cluster")
    left = np.array([sample["y"][sample["cluster"] != k].mean() for k in range(5)])
    expected = lf.uncertainty.draw_intervals.bca(boot.draws["m"], boot.estimate["m"], left, 0.9)
    assert boot.interval("m", 0.9, "bca") == pytest.approx(expected, rel=1e-9)


def test_groups_of_rows_give_nearly_the_acceleration_of_rows() -> None:
    rng = np.random.default_rng(0)
    y = rng.exponential(1.0, 3000)
    law = lf.Law("m * one", parameters=[lf.Parameter("m", transform="identity")])
    table = {"one": np.ones(3000), "y": y}
    fit = lf.fit(law, table, "y", residual="linear", loss=lf.Squared(), starts=2)
    boot = fit.bootstrap(400, spread=0)
    rows = lf.uncertainty.draw_intervals.bca(boot.draws["m"], y.mean(), (y.sum() - y) / 2999, 0.95)
    assert boot.interval("m", 0.95, "bca") == pytest.approx(rows, abs=2e-3)
    assert len(boot._jackknife["m"]) == 1000


def test_jackknife_bits_do_not_depend_on_threads(free_fit: lf.Fit) -> None:
    one, two = (free_fit.jackknife(threads=t) for t in (1, 2))
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, two.values[name])
    table = free_fit._problem.runs.take(np.arange(1, free_fit.nobs))  # type: ignore[union-attr]
    other = lf.fit("chinchilla", table)
    assert one.values["alpha"][0] == pytest.approx(other.params["alpha"], rel=1e-6)


# --- what cannot be asked ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kind": "clusters"}, "kind 'clusters' is not available"),
        ({"kind": "cluster"}, 'needs by="..."'),
        ({"kind": "stratified"}, 'needs by="..."'),
        ({"kind": "cluster", "by": "part"}, "one level, 'x'"),
        ({"kind": "cluster", "by": "paper"}, 'no column "paper"'),
        ({"kind": "cases", "by": "cluster"}, "takes no by = 'cluster'"),
        ({"kind": "cases", "length": 3}, "takes no length"),
        ({"kind": "cases", "multipliers": "webb"}, "takes no multipliers"),
        ({"kind": "wild", "multipliers": "mammen"}, "multipliers = 'mammen'"),
        ({"kind": "block", "length": 0}, "length = 0"),
        ({"kind": "block", "length": 2.0}, "length = 2.0"),
        ({"kind": "block", "length": 30}, "as long as the longest curve"),
        ({"kind": "block", "length": 6, "by": "cluster"}, "as long as the longest curve"),
        ({"kind": "bayesian", "studentize": True}, "studentize=True"),
        ({"first_draw": -1}, "first_draw = -1"),
    ],
)
def test_requests_that_make_no_sense(mean: lf.Fit, options: dict[str, Any], text: str) -> None:
    with pytest.raises(lf.InputError, match=text):
        mean.bootstrap(**{"draws": 10} | options)


def test_intervals_that_cannot_be_had(mean: lf.Fit) -> None:
    boot = mean.bootstrap(20)
    for call, text in [
        (lambda: boot.intervals(0.0), "between 0 and 1"),
        (lambda: boot.intervals(1.0), "between 0 and 1"),
        (lambda: boot.intervals(float("nan")), "between 0 and 1"),
        (lambda: boot.intervals(0.9, "studentized"), "studentize=True"),
        (lambda: boot.interval(boot.draws["m"], 0.9, "bca"), "a formula or a function"),
        (lambda: mean.jackknife("part"), "one level"),
        (lambda: mean.jackknife("paper"), "no column"),
        (lambda: mean.jackknife(spread=-1), "spread = -1"),
    ]:
        with pytest.raises(lf.InputError, match=text):
            call()


def test_fewer_weighted_rows_than_parameters(runs: lf.Runs) -> None:
    weights = np.zeros(runs.n)
    weights[:4] = 1.0
    fit = lf.fit("chinchilla", runs, weights=weights, starts=4)
    with pytest.raises(lf.InputError, match="4 rows have a weight above 0, fewer than the 5 free"):
        fit.bootstrap(10)


def test_no_noise_to_draw_from() -> None:
    x = np.geomspace(1.0, 10.0, 8)
    fit = lf.fit("a + b * x", {"x": x, "y": 1 + 2 * x}, "y", residual="linear", starts=4)
    if fit.objective == 0:
        with pytest.raises(lf.InputError, match="fits every row exactly"):
            fit.bootstrap(10, "parametric")


def test_a_pickled_bootstrap_keeps_everything(mean: lf.Fit) -> None:
    boot = mean.bootstrap(20, studentize=True)
    again = pickle.loads(pickle.dumps(boot))
    for method in ("percentile", "basic", "bca", "studentized"):
        assert again.intervals(0.9, method) == boot.intervals(0.9, method)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("cases", "percentile"),
        ("cases", "basic"),
        ("cases", "bca"),
        ("cases", "studentized"),
        ("bayesian", "percentile"),
        ("wild", "percentile"),
        ("residual", "studentized"),
        ("parametric", "percentile"),
    ],
)
def test_intervals_cover_the_truth(kind: str, method: str) -> None:
    """Nominal 90 % on 200 simulated tables of 60 rows, two standard errors allowed below."""
    rng = np.random.default_rng(6)
    x = np.geomspace(1.0, 100.0, 60)
    hits = 0
    for _ in range(200):
        y = 2.0 + 3.0 * x**-0.5 + rng.normal(0.0, 0.05, 60)
        fit = lf.fit(
            "E + A / x**alpha", {"x": x, "y": y}, "y", residual="linear", loss="squared", starts=4
        )
        boot = fit.bootstrap(300, kind, spread=1, studentize=method == "studentized")
        low, high = boot.interval("alpha", 0.9, method)
        hits += low <= 0.5 <= high
    assert 0.83 <= hits / 200 <= 0.96


# --- what is said about the draws --------------------------------------------------------------


def warned(boot: Bootstrap, text: str) -> bool:
    return any(text in sentence for sentence in boot.warnings)


def test_warnings(sample: lf.Runs, mean: lf.Fit) -> None:
    assert mean.bootstrap(20).warnings == ()
    assert warned(
        mean.bootstrap(20, "wild-cluster", by="cluster"), "5 clusters give at most 32 different"
    )
    assert not mean.bootstrap(20, "wild-cluster", by="cluster", multipliers="webb").warnings
    rng = np.random.default_rng(2)
    x = np.geomspace(1.0, 50.0, 20)
    table = {
        "x": x,
        "y": 1 + 2 / x + rng.normal(0, 0.01, 20),
        "family": ["a"] * 18 + ["b"] * 2,
        "curve": ["long"] * 17 + ["short"] * 3,
    }
    fit = lf.fit("E[family] + A / x**alpha", table, "y", residual="linear", starts=10)
    boot = fit.bootstrap(60)
    lost = boot.draws["E[b]"] == fit.params["E[b]"]
    assert 0 < lost.sum() < 30
    assert warned(boot, f"in {lost.sum()} of 60 draws a level has no row left")
    assert warned(boot, "'E[b]'") or warned(boot, "E[b]")
    for length in (3, 4):  # as many rows as the short curve, and more
        block = fit.bootstrap(10, "block", by="curve", length=length)
        assert warned(block, f"1 of 2 curves have no more rows than a block ({length})")
    assert not warned(fit.bootstrap(10, "block", by="curve", length=2), "rows than a block")
    few = lf.fit(
        "E + A / x**alpha",
        {k: v[:8] for k, v in table.items()} | {"cluster": [1, 1, 2, 2, 3, 3, 3, 3]},
        "y",
        residual="linear",
        starts=10,
    )
    boot = few.bootstrap(40, "cluster", by="cluster", spread=0)
    assert warned(boot, "draws fewer rows than free parameters are left")
