"""Comparisons: likelihoods against SciPy, weights and tests against their definitions."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit.cli import run
from lawfit.selection import akaike_weights, criteria, stacking_weights
from lawfit.selection.compare import _standard_error
from lawfit.selection.distributions import chi2_tail, f_tail
from lawfit.selection.layout import lines
from lawfit.selection.likelihood import log_normaliser
from lawfit.selection.refits import Errors, in_space

POWER = "E + A / x**alpha"


def sample(n: int = 60, noise: float = 0.01, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e2, 1e6, n)
    return {"x": x, "loss": (1.5 + 30 / x**0.4) * np.exp(noise * rng.normal(size=n))}


# --- tails, likelihoods, weights ------------------------------------------------------------------


@given(value=st.floats(1e-6, 1e3), freedom=st.integers(1, 200))
def test_the_tail_of_chi_squared(value: float, freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.chi2.sf(value, freedom)
    assert chi2_tail(value, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(value=st.floats(1e-6, 1e3), above=st.integers(1, 40), below=st.integers(1, 500))
def test_the_tail_of_f(value: float, above: int, below: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.f.sf(value, above, below)
    assert f_tail(value, above, below) == pytest.approx(expected, rel=1e-8, abs=1e-13)


def test_tails_at_their_ends() -> None:
    assert chi2_tail(0.0, 3) == chi2_tail(-1.0, 3) == f_tail(0.0, 2, 9) == 1.0
    assert math.isnan(chi2_tail(math.nan, 1))
    assert chi2_tail(1e6, 2) == 0.0


LOSSES = [
    lf.Squared(), lf.Absolute(), lf.Huber(0.02), lf.Huber(0.01, 3.0), lf.LogCosh(0.02),
    lf.Quantile(0.7), lf.Cauchy(0.02),
]  # fmt: skip


def rho(loss: Any, r: np.ndarray) -> np.ndarray:
    """The losses once more, as their docstrings have them."""
    if isinstance(loss, lf.Squared):
        return r**2 / 2
    if isinstance(loss, lf.Absolute):
        return np.abs(r)
    if isinstance(loss, lf.Quantile):
        return np.where(r > 0, (1 - loss.q) * r, -loss.q * r)
    if isinstance(loss, lf.LogCosh):
        z = np.abs(r / loss.scale)
        return loss.scale**2 * (z + np.log1p(np.exp(-2 * z)) - np.log(2))
    if isinstance(loss, lf.Cauchy):
        return loss.scale**2 / 2 * np.log1p((r / loss.scale) ** 2)
    d = loss.delta
    value = np.where(np.abs(r) <= d, r**2 / 2, d * (np.abs(r) - d / 2))
    return np.where(r > 0, loss.overestimate, 1.0) * value


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_normaliser_of_a_spread(loss: Any) -> None:
    integrate = pytest.importorskip("scipy.integrate")
    ends = [-np.inf, -1.0, -0.05, 0.0, 0.05, 1.0, np.inf]
    for t in (2e-5, 1e-4) if isinstance(loss, lf.Cauchy) else (1e-5, 1e-3, 0.3):

        def density(r: float, t: float = t) -> float:
            return float(np.exp(-rho(loss, np.array(r)) / t))

        value = sum(
            integrate.quad(density, a, b, limit=500)[0] for a, b in itertools.pairwise(ends)
        )
        assert log_normaliser(loss, t) == pytest.approx(math.log(value), abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_likelihood_is_the_largest_over_the_spread(loss: Any) -> None:
    fit = lf.fit(POWER, sample(), loss=loss, residual="linear", starts=20)
    found = criteria(fit)
    n, k = fit.nobs, 4
    u = fit.predict(sample()) - sample()["loss"]
    spreads = np.geomspace(1e-8, 10, 20_001)
    if isinstance(loss, lf.Cauchy):
        spreads = spreads[spreads < 0.999 * loss.scale**2]
    total = float(rho(loss, u).sum())
    best = max(-total / t - n * log_normaliser(loss, t) for t in spreads)
    assert found.loglik == pytest.approx(best, abs=2e-3)
    assert found.loglik >= best - 1e-9
    assert found.parameters == k
    assert found.aic == pytest.approx(2 * k - 2 * found.loglik)
    assert found.aicc == pytest.approx(found.aic + 2 * k * (k + 1) / (n - k - 1))
    assert found.bic == pytest.approx(k * math.log(n) - 2 * found.loglik)


def test_the_likelihoods_of_normal_and_laplace() -> None:
    stats = pytest.importorskip("scipy.stats")
    table = sample()
    for loss, density in ((lf.Squared(), stats.norm), (lf.Absolute(), stats.laplace)):
        fixed = lf.fit(POWER, table, loss=loss, residual="linear", starts=20)
        fitted = lf.fit(POWER, table, loss=loss, residual="linear", scale="fitted", starts=20)
        u = fixed.predict(table) - table["loss"]
        spread = np.sqrt(np.mean(u**2)) if density is stats.norm else np.mean(np.abs(u))
        expected = density.logpdf(u, scale=spread).sum()
        assert criteria(fixed).loglik == pytest.approx(expected, rel=1e-8)
        assert criteria(fitted).loglik == pytest.approx(expected, rel=1e-6)


def test_sigma_and_weights_in_the_likelihood() -> None:
    stats = pytest.importorskip("scipy.stats")
    table = sample()
    sigma = np.linspace(0.5, 2.0, 60)
    fit = lf.fit(POWER, table, loss="squared", residual="linear", sigma=sigma, starts=20)
    u = fit.predict(table) - table["loss"]
    scale = np.sqrt(np.mean((u / sigma) ** 2)) * sigma
    assert criteria(fit).loglik == pytest.approx(stats.norm.logpdf(u, scale=scale).sum())
    twice = {name: np.concatenate([v, v[:10]]) for name, v in table.items()}
    weights = np.where(np.arange(60) < 10, 2.0, 1.0)
    for scale in ("fixed", "fitted"):
        one = lf.fit(POWER, table, loss="squared", weights=weights, scale=scale, starts=20)
        two = lf.fit(POWER, twice, loss="squared", scale=scale, starts=20)
        assert criteria(one).loglik == pytest.approx(criteria(two).loglik, rel=1e-8)


@pytest.mark.parametrize("scale", ["fixed", "fitted"])
def test_penalties_are_no_part_of_the_likelihood(scale: Any) -> None:
    stats = pytest.importorskip("scipy.stats")
    table, prior = sample(), {"alpha": (0.5, 0.002), "A": (40.0, 0.1)}
    fit = lf.fit(POWER, table, loss="squared", scale=scale, starts=20, penalties=prior)
    assert fit.params["alpha"] > 0.41  # pulled off the truth
    u = np.log(fit.predict(table) / table["loss"])
    expected = stats.norm.logpdf(u, scale=np.sqrt(np.mean(u**2))).sum()
    assert criteria(fit).loglik == pytest.approx(expected, rel=1e-7)


def test_few_rows_exact_fits_and_files(tmp_path: Path) -> None:
    few = lf.fit(POWER, sample(4), loss="squared", starts=20)
    assert criteria(few).aicc == math.inf
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert criteria(lf.fit("a + b * x", {"x": x, "loss": 1 + x}, residual="linear")).loglik > 30
    few.save(tmp_path / "fit.json")
    with pytest.raises(lf.InputError, match="fit again"):
        criteria(lf.load(tmp_path / "fit.json"))


def test_akaike_weights() -> None:
    weight = akaike_weights(np.array([10.0, 12.0, np.nan, np.inf]))
    assert weight.sum() == pytest.approx(1.0)
    assert weight[1] / weight[0] == pytest.approx(math.exp(-1))
    assert weight[2:].tolist() == [0.0, 0.0]
    assert akaike_weights(np.array([-np.inf, 1.0])).tolist() == [1.0, 0.0]
    assert akaike_weights(np.array([-np.inf, 1.0, -np.inf])).tolist() == [0.5, 0.0, 0.5]
    assert np.isnan(akaike_weights(np.array([np.inf, np.nan]))).all()


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), rows=st.integers(3, 40), laws=st.integers(1, 5))
def test_stacking_weights_are_the_least_squares(seed: int, rows: int, laws: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    u = np.random.default_rng(seed).normal(size=(rows, laws))
    weight = stacking_weights(u)
    assert weight.sum() == pytest.approx(1.0)
    assert (weight >= 0).all()
    # Non-negative least squares with the sum as one heavy row.
    heavy = 1e5
    expected, _ = optimize.nnls(np.vstack([u, np.full(laws, heavy)]), np.r_[np.zeros(rows), heavy])
    assert np.sum((u @ weight) ** 2) <= np.sum((u @ expected) ** 2) * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e3])
def test_stacking_of_two_laws_that_err_alike(size: float) -> None:
    """What they have in common cannot be averaged away; of the rest, 1 and 2 in size, most can."""
    common, one, two = np.linalg.qr(np.random.default_rng(3).normal(size=(30, 3)))[0].T
    u, v = size * (100 * common + one), size * (100 * common + 2 * two)
    assert stacking_weights(np.column_stack([u, v])) == pytest.approx([0.8, 0.2], abs=1e-6)


def test_stacking_of_equal_and_of_exact_laws() -> None:
    u = np.random.default_rng(0).normal(size=(20, 1))
    assert stacking_weights(np.hstack([u, u, u])).tolist() == [1.0, 0.0, 0.0]
    assert stacking_weights(np.hstack([u, -u])) == pytest.approx([0.5, 0.5])
    assert stacking_weights(np.hstack([u, np.zeros((20, 1))])).tolist() == [0.0, 1.0]


def test_columns_as_lines() -> None:
    """Texts left, numbers right, the words of a heading above each other; a dash for none."""
    columns: dict[str, list[Any]] = {
        "law": ["power", "b"], "held out": [0.5, 12.0], "p": [3, None],
        "are outside": [0.125, math.nan], "ok": [True, False],
    }  # fmt: skip
    assert lines(columns, {"are outside": ".2%"}) == [
        "       held         are",
        "law     out  p  outside     ok",
        "power   0.5  3   12.50%   True",
        "b        12  -        -  False",
    ]
    assert lines({"x": [1 / 3, 123456]}) == ["     x", "0.3333", "123456"]


# --- compare --------------------------------------------------------------------------------------

LAWS = {
    "chinchilla": "chinchilla",
    "tied": ("chinchilla", {"tied": [("alpha", "beta")]}),
    "size only": "E + A / N**alpha",
    "wrong": "E + A / M**alpha",
}


@pytest.fixture(scope="module")
def compared(runs: lf.Runs) -> lf.Comparison:
    nested = [("tied", "chinchilla"), ("size only", "chinchilla")]
    return lf.compare(LAWS, runs, nested=nested, loss="squared")


def test_laws_are_ranked_by_what_they_predict(compared: lf.Comparison) -> None:
    assert compared.ranking[2:] == ("size only", "wrong")
    errors = [e.outside.are for e in compared.entries[:3]]
    assert errors == sorted(errors)
    assert compared.best is compared.entries[0].fit
    wrong = compared["wrong"]
    assert wrong.fit is None
    assert "uses no column" in wrong.reason
    table = compared.table()
    assert {len(column) for column in table.values()} == {4}
    assert table["parameters"] == [e.fit and len(e.fit.free) for e in compared.entries]
    assert table["status"][-1] == "not fitted"
    text = str(compared)
    assert "are: mean of |predicted - measured| / measured" in text
    assert all(name in text for name in LAWS)
    assert wrong.reason in text
    with pytest.raises(lf.InputError, match="not in the comparison"):
        compared["kaplan"]


def test_an_entry_is_the_laws_own_backtest(compared: lf.Comparison, runs: lf.Runs) -> None:
    alone = lf.backtest("chinchilla", runs, steps=1, first=0.5, loss="squared")
    entry = compared["chinchilla"]
    assert entry.outside == alone.outside
    assert entry.inside.rows == runs.n
    told = alone.whole.predict(runs)
    u = np.log(told / runs["loss"])
    assert entry.inside.are == pytest.approx(np.mean(np.abs(told / runs["loss"] - 1)))
    assert entry.inside.rmse == pytest.approx(np.sqrt(np.mean(u**2)))
    assert entry.inside.bias == pytest.approx(np.mean(u), abs=1e-12)
    assert entry.criteria == criteria(alone.whole)


def test_progress_counts_fits(runs: lf.Runs) -> None:
    seen: list[tuple[int, int]] = []
    lf.compare(
        ["chinchilla", "E + A / N**alpha"], runs, by="backtest", steps=2, starts=5,
        progress=lambda *done: seen.append(done),
    )  # fmt: skip
    assert seen == [(k, 6) for k in range(1, 7)]  # two laws: all rows, two splits


def test_errors_of_predictions() -> None:
    y = np.array([1.0, 2.0, 4.0])
    found = Errors.of(np.array([2.0, 2.0, 1.0]), y, "linear")
    assert found == Errors(
        3, (1 + 0.75) / 3, math.sqrt(10 / 3), 4 / 3, -2 / 3, pytest.approx(1 - 10 / (14 / 3))
    )
    for residual, told in (("log", [2.0, -2.0, 1.0]), ("linear", [2.0, math.inf, 1.0])):
        bad = Errors.of(np.array(told), y, residual)
        assert (bad.rows, np.isnan(astuple(bad)).sum()) == (3, 5)
    none = Errors.of(np.empty(0), np.empty(0), "log")
    assert (none.rows, np.isnan(astuple(none)).sum()) == (0, 5)
    flat = Errors.of(np.array([1.0, 3.0]), np.array([2.0, 2.0]), "linear")
    assert (flat.are, flat.bias, flat.rmse) == (0.5, 0.0, 1.0)
    assert math.isnan(flat.r2)
    # 0.25 and 0.5 lie one natural logarithm of three apart as odds; 1 has no odds.
    odds = Errors.of(np.array([0.5, 0.5]), np.array([0.25, 0.75]), "logit")
    assert (odds.mae, odds.bias) == (pytest.approx(math.log(3)), pytest.approx(0.0))
    assert math.isnan(Errors.of(np.array([1.0, 0.5]), np.array([0.25, 0.75]), "logit").are)
    at = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    none = np.nan
    np.testing.assert_allclose(in_space(at, "log")[:4], [none, none, -math.log(2), 0.0])
    np.testing.assert_allclose(in_space(at, "logit"), [none, none, 0.0, none, none])
    np.testing.assert_array_equal(in_space(at, "linear"), at)


def test_weights_and_paired_differences(compared: lf.Comparison) -> None:
    entries = compared.entries[:3]
    assert sum(e.akaike for e in compared.entries) == pytest.approx(1.0)
    assert sum(e.stacking for e in entries) == pytest.approx(1.0)
    assert compared["wrong"].stacking == 0.0
    residuals = []
    for e in entries:
        assert e.backtest is not None
        residuals.append(np.abs(e.backtest.points()["residual"]))
    for e, u in list(zip(entries, residuals))[1:]:
        d = u - residuals[0]
        assert e.behind == pytest.approx(d.mean())
        assert e.behind_rows_se == pytest.approx(np.std(d, ddof=1) / math.sqrt(len(d)))
        assert math.isnan(e.behind_splits_se)  # one split
    assert math.isnan(compared.entries[0].behind)


def test_nested_tests(compared: lf.Comparison, runs: lf.Runs) -> None:
    stats = pytest.importorskip("scipy.stats")
    for test in compared.tests:
        small, big = compared[test.small].fit, compared[test.big].fit
        assert small is not None
        assert big is not None
        n, more = runs.n, len(big.free) - len(small.free)
        assert test.parameters == more
        assert test.ratio == pytest.approx(n * math.log(small.objective / big.objective))
        assert test.p_ratio == pytest.approx(stats.chi2.sf(test.ratio, more), rel=1e-8, abs=1e-300)
        f = (small.objective - big.objective) / more / (big.objective / (n - len(big.free)))
        assert test.f == pytest.approx(f)
        assert test.p_f == pytest.approx(
            stats.f.sf(f, more, n - len(big.free)), rel=1e-8, abs=1e-300
        )
    far = next(t for t in compared.tests if t.small == "size only")
    assert far.p_ratio < 1e-20
    robust = lf.compare(["chinchilla", "E + A / N**alpha"], runs, by="aic",
                        nested=[("E + A / N**alpha", "chinchilla")])  # fmt: skip
    assert math.isnan(robust.tests[0].f)
    assert robust.tests[0].p_ratio < 1e-20


def test_a_true_restriction_is_rejected_as_often_as_it_should() -> None:
    """Under a true smaller law the p-values are even: few below 5 %, many above 50 %."""
    p = []
    for seed in range(30):
        table = sample(50, seed=seed)
        found = lf.compare(
            {"small": (POWER, {"fixed": {"alpha": 0.4}}), "big": POWER},
            table, by="aic", loss="squared", starts=5, nested=[("small", "big")],
        )  # fmt: skip
        p.append((found.tests[0].p_ratio, found.tests[0].p_f))
    for column in np.array(p).T:
        assert np.mean(column < 0.05) < 0.2
        assert np.mean(column > 0.5) > 0.3


def test_a_pair_that_is_not_nested_is_noted() -> None:
    found = lf.compare(
        {"line": "a + b * x", "waves": "a + b * sin(c * x)"}, sample(), by="bic",
        loss="squared", residual="linear", starts=30, nested=[("line", "waves")],
    )  # fmt: skip
    ratio = found.tests[0].ratio
    assert (ratio < 0) == bool(found.tests[0].note)


@pytest.mark.parametrize("by", ["backtest", "cv", "loo", "group", "aic", "aicc", "bic"])
def test_every_way_of_ranking(by: str) -> None:
    table = {**sample(30), "family": np.arange(30) % 3}
    found = lf.compare(
        [POWER, "A / x**alpha"], table, by=by, order="x", steps=3, groups="family", starts=5
    )
    assert found.ranking == (POWER, "A / x**alpha")
    splits = {"backtest": 3, "cv": 5, "loo": 30, "group": 3}.get(by, 1)
    assert len(found.splits) == splits
    second = found.entries[1]
    assert second.behind > 0
    assert math.isfinite(second.behind_splits_se) == (splits > 1)
    if by == "loo":  # every split is a row
        assert second.behind_splits_se == pytest.approx(second.behind_rows_se)
    assert f"ranked by {by if by in ('aic', 'aicc', 'bic') else 'are'}" in str(found)


def test_criteria_need_no_order() -> None:
    found = lf.compare([POWER, "A / x**alpha"], sample(), by="aic", starts=5)
    assert found.splits == ()
    assert found.ranking[0] == POWER
    assert "are outside" not in str(found)
    assert "are: mean of" not in str(found)
    with pytest.raises(lf.InputError, match="neither a column C nor N and D"):
        lf.compare([POWER], sample(), starts=5)


def test_a_fit_that_did_not_converge_has_a_reason() -> None:
    table = sample()
    table["loss"][0] = 1e-300
    found = lf.compare([POWER, "A / x**alpha"], table, by="aic", loss="squared", starts=5)
    entry = found[POWER]
    assert entry.fit is not None
    assert entry.fit.status == "ran_off"
    assert entry.reason.endswith(f"row 1 is predicted inf; {entry.fit.message}")
    assert found["A / x**alpha"].reason == ""
    many = lf.multiverse(POWER, table, quantity="alpha", loss=["squared"], starts=[5])
    assert many.universes[0].reason == entry.fit.message
    assert "1 fits did not converge" in str(many)


def test_the_standard_error_of_rows_that_are_alike() -> None:
    d = np.array([1.0, 1.0, 3.0, 3.0])
    assert _standard_error(d, np.array([0, 0, 1, 1])) == pytest.approx(1.0)
    assert _standard_error(d, np.arange(4)) == pytest.approx(np.std(d, ddof=1) / 2)
    assert math.isnan(_standard_error(d, np.zeros(4, dtype=int)))


def test_all_laws_see_the_same_rows(runs: lf.Runs) -> None:
    d = runs["D"].copy()
    d[[2, 5]] = np.nan
    table = {**runs, "D": d, "C": np.arange(1.0, runs.n + 1)}
    found = lf.compare(["chinchilla", "E + A / N**alpha"], table, missing="omit")
    assert {e.fit.nobs for e in found.entries if e.fit} == {runs.n - 2}
    with pytest.raises(lf.InputError, match="2 of 90 rows"):
        lf.compare(["chinchilla", "E + A / N**alpha"], table)


def test_a_law_that_fails_in_a_split_has_no_held_out_error() -> None:
    table = sample(12)
    found = lf.compare(
        {"many": "a + b*x + c*x**2 + d*x**3 + e*x**4 + f*x**5 + g*sin(h*x)", "power": POWER},
        table, order="x", share=0.4, starts=5, residual="linear",
    )  # fmt: skip
    assert found.ranking == ("power", "many")
    assert "rmse" not in str(found)
    assert str(replace(found, metric="rmse")).count("rmse") == 2  # in the first line, as a column
    assert math.isnan(found["many"].outside.are)
    assert "free parameters" in found["many"].reason
    assert found["many"].fit is not None


BAD: list[tuple[Any, dict[str, Any], str]] = [
    ("chinchilla", {}, "several laws"),
    ([], {}, "at least one law"),
    (["chinchilla", "chinchilla"], {}, "two laws are called"),
    (["chinchila"], {}, "did you mean"),
    (["chinchilla"], {"by": "luck"}, "by = 'luck'"),
    (["chinchilla"], {"metric": "r2"}, "metric"),
    (["chinchilla"], {"share": 1.5}, "share = 1.5"),
    (["chinchilla"], {"share": 1.0}, "share = 1.0"),
    (["chinchilla"], {"share": 0.0}, "share = 0.0"),
    (["chinchilla"], {"by": "group"}, "needs groups"),
    (["chinchilla"], {"order": "Q"}, 'no column "Q"'),
    (["chinchilla"], {"nested": [("kaplan", "chinchilla")]}, "'kaplan' is not one of the laws"),
    (["chinchilla"], {"nested": ["chinchilla"]}, "must be a pair"),
    (["chinchilla", "E + A / N**alpha"],
     {"nested": [("chinchilla", "E + A / N**alpha")], "by": "aic"}, "smaller law, larger law"),
    ({"a": ("chinchilla", {"loss": "squared"})}, {}, "must be the same for all"),
    (["chinchilla", "clip"], {}, "give the target"),
]  # fmt: skip


@pytest.mark.parametrize(("laws", "options", "words"), BAD, ids=[words for *_, words in BAD])
def test_bad_requests_are_answered(
    runs: lf.Runs, laws: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(lf.InputError, match=words):
        lf.compare(laws, runs, **options)


def test_no_law_fits(runs: lf.Runs) -> None:
    with pytest.raises(lf.FitError, match="none of the laws fits: E \\+ A / M"):
        lf.compare(["E + A / M**alpha"], runs, by="cv")


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def csv(runs: lf.Runs, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("selection") / "runs.csv"
    rows = zip(*(runs[name].tolist() for name in ("N", "D", "loss")))
    path.write_text("N,D,loss,set\n" + "".join(f"{a!r},{b!r},{c!r},s\n" for a, b, c in rows))
    return str(path)


def test_the_commands(capsys: pytest.CaptureFixture[str], csv: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ["--law", "chinchilla", "--law", "small = E + A / N**a", "--nested",
                 "small,chinchilla", "--starts", "20", "--loss", "squared"]  # fmt: skip
    assert run(["compare", csv, *arguments, "--json", str(out)]) == 0
    text, err = capsys.readouterr()
    assert err == ""
    found = lf.compare(
        {"chinchilla": "chinchilla", "small": "E + A / N**a"}, csv, loss="squared", starts=20,
        nested=[("small", "chinchilla")],
    )  # fmt: skip
    assert text == f"{found}\n"
    data = json.loads(out.read_text())
    assert data["laws"]["law"] == ["chinchilla", "small"]
    assert data["laws"]["are_outside"][0] == found.entries[0].outside.are
    assert data["tests"][0]["big"] == "chinchilla"
    assert data["best"]["params"] == found.best.params
    out.unlink()
    command = ["backtest", csv, "--law", "chinchilla", "--steps", "2", "--order", "6*N*D"]
    assert run([*command, "--starts", "20", "--json", str(out)]) == 0
    text, err = capsys.readouterr()
    tested = lf.backtest("chinchilla", csv, order="6*N*D", steps=2, starts=20)
    assert (text, err) == (f"{tested}\n", "")
    data = json.loads(out.read_text())
    assert data["outside"]["are"] == tested.outside.are
    assert data["splits"]["split"] == [s.name for s in tested.splits]
    assert run([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["backtest", "--law", "chinchilla", "--order", "Q"], 2, 'no column "Q"'),
        (["backtest", "--law", "chinchilla", "--by", "set"], 2, "one group only, 's'"),
        (["compare"], 2, "at least one law"),
        (["compare", "--law", "kaplan", "--law", "kaplan"], 2, "two laws have the same name"),
        (["compare", "--law", "E + A / M**a"], 1, "none of the laws fits"),
        (["backtest", "--law", "chinchilla", "--first", "0.02", "--steps", "1"], 1, "no split"),
    ],
)
def test_the_commands_say_what_is_wrong(
    capsys: pytest.CaptureFixture[str], csv: str, arguments: list[str], status: int, words: str
) -> None:
    command, *rest = arguments
    assert run([command, csv, *rest]) == status
    err = capsys.readouterr().err
    assert err.startswith("lawfit: ")
    assert words in err
    assert "Traceback" not in err
