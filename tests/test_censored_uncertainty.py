"""Penalties and censored rows in everything that is made of a fit: covariances, refits, scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.uncertainty.contributions import contributions

RUNS = dict(lf.datasets.load("simulated_chinchilla"))
N = len(RUNS["loss"])
SIDES = np.where(np.arange(N) % 5 == 0, 1, 0)
PENALTIES = {"alpha": (0.3, 0.05), "A": ("B", 2.0)}


def fitted(**options: Any) -> lf.Fit:
    return lf.fit("chinchilla", RUNS, starts=10, threads=1, **options)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("scale", ["fixed", "fitted"])
@pytest.mark.parametrize(
    "loss", ["squared", "huber:0.5", "huber:0.002", "absolute", "quantile:0.3"]
)
def test_scores_are_the_gradient_of_the_objective(loss: str, scale: str, side: int) -> None:
    """The core differentiates its own objective: at any point the rows' scores must sum to that."""
    fit = fitted(loss=loss, scale=scale, censored=side * SIDES, penalties=PENALTIES)
    problem, x = fit._problem, fit._coordinates
    assert problem is not None
    assert x is not None
    objective, rows = problem.objective(None), contributions(fit)
    pull = np.zeros(problem.dimension)
    for at, by, offset in problem.penalties:
        pull[at] += np.array(by) * (np.dot(by, x[at]) - offset)
    gradient = rows.score.sum(axis=0) + pull
    size = np.abs(rows.score).sum(axis=0)
    np.testing.assert_allclose(gradient / size, objective.derivatives(x)[1] / size, atol=1e-9)
    assert (~rows.known).sum() == np.count_nonzero(SIDES)
    if loss == "squared":  # no window: the Hessian is exact
        np.testing.assert_allclose(rows.bread, objective.hessian(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["sandwich", "hessian", "gauss-newton"])
def test_a_tight_penalty_leaves_no_standard_error(kind: str) -> None:
    options: dict[str, Any] = {"loss": "squared", "sigma": np.full(N, 0.01)}
    free = fitted(**options).standard_errors(kind)
    held = fitted(**options, penalties={"alpha": (0.35, 1e-6)}).standard_errors(kind)
    fixed = fitted(**options, fixed={"alpha": 0.35}).standard_errors(kind)
    assert held["alpha"] < 1e-3 * free["alpha"]
    assert held["E"] == pytest.approx(fixed["E"], rel=0.02)  # they differ by a degree of freedom


@pytest.mark.slow
def test_coverage_of_a_censored_normal_sample() -> None:
    g = np.random.default_rng(4)
    law = lf.Law("a + b * x", parameters=["a", "b"], variables=["x"])
    x = np.linspace(-1, 1, 60)
    hits = dict.fromkeys(("sandwich", "hessian"), 0)
    for _ in range(200):
        y = 1.0 + 0.5 * x + 0.2 * g.normal(size=60)
        table = {"x": x, "y": np.minimum(y, 1.2), "over": (y > 1.2).astype(float)}
        fit = lf.fit(
            law, table, "y", residual="linear", loss="squared", scale="fitted", censored="over",
            starts={"a": 1.0, "b": 0.5}, threads=1,
        )  # fmt: skip
        for kind in hits:
            low, high = fit.covariance(kind).intervals()["b"]
            hits[kind] += low < 0.5 < high
    assert all(0.9 * 200 <= h <= 0.99 * 200 for h in hits.values()), hits


def test_bounds_of_single_runs_come_from_known_targets() -> None:
    """Bounds that are far from the truth say nothing of how large noise is."""
    runs = RUNS | {"loss": np.where(SIDES > 0, 0.1 * RUNS["loss"], RUNS["loss"])}
    known = {n: np.asarray(v)[SIDES == 0] for n, v in RUNS.items()}
    with_bounds = lf.fit("chinchilla", runs, loss="squared", censored=SIDES, starts=10)
    without = lf.fit("chinchilla", known, loss="squared", starts=10)
    for name, value in without.params.items():
        assert with_bounds.params[name] == pytest.approx(value, rel=1e-6)
    noise = [f.predict(known, interval=0.8).parts["noise"][0] for f in (with_bounds, without)]
    assert noise[0] == pytest.approx(noise[1], rel=0.02)


def test_backtests_and_comparisons_pass_them_on() -> None:
    runs = RUNS | {"side": SIDES.astype(float)}
    options: dict[str, Any] = {"starts": 10, "loss": "squared", "penalties": PENALTIES}
    test = lf.backtest("chinchilla", runs, steps=2, **options, censored=SIDES)
    by_name = lf.backtest("chinchilla", runs, steps=2, **options, censored="side")
    plain = lf.backtest("chinchilla", runs, steps=2, **options)
    for split, same, other in zip(test.splits, by_name.splits, plain.splits, strict=True):
        assert split.fit is not None
        assert same.fit is not None
        assert split.fit.censored == SIDES[split.train].sum()
        assert split.fit.penalties == PENALTIES
        assert split.fit.params == same.fit.params
        assert not SIDES[split.test].any()
        assert split.test.tolist() == [i for i in other.test if not SIDES[i]]
        alone = {n: np.asarray(v)[split.train] for n, v in runs.items()}
        again = lf.fit("chinchilla", alone, **options, censored="side")
        assert split.fit.params["alpha"] == pytest.approx(again.params["alpha"], rel=1e-5)
    assert test.inside.rows == sum(int((SIDES[s.train] == 0).sum()) for s in test.splits)
    found = lf.compare(["chinchilla", "E + A / N**alpha"], runs, **options, censored=SIDES)
    assert found.entries[0].inside.rows == N - SIDES.sum()
    assert all(np.isnan(e.criteria.aic) for e in found.entries if e.criteria)


def test_a_multiverse_passes_them_on() -> None:
    found = lf.multiverse(
        "chinchilla", RUNS, quantity="alpha", loss=["squared", "huber:0.01"],
        penalties={"alpha": (0.2, 1e-9)}, sigma=np.full(N, 0.01), censored=SIDES,
    )  # fmt: skip
    for universe in found.universes:
        assert universe.value == pytest.approx(0.2, abs=1e-5)
        assert universe.inside.rows == N - SIDES.sum()


def test_levels_that_a_part_lacks_have_no_penalty_there() -> None:
    """Of a group left out, neither the penalty nor the bound can be used."""
    runs = RUNS | {"family": np.repeat(list("ab"), N // 2)}
    test = lf.backtest(
        "E[family] + A / N**alpha + B / D**beta", runs, by="family", starts=10,
        penalties={"E[a]": (1.7, 0.1)}, bounds={"E[b]": (0.1, 3.0)},
    )  # fmt: skip
    assert all(s.fit is not None for s in test.splits), [s.reason for s in test.splits]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda f: f.bootstrap(10, "residual"), "draws new targets"),
        (lambda f: f.bootstrap(10, "wild"), "cases, stratified, cluster, bayesian, block"),
        (lambda f: f.bootstrap(10, "parametric"), "draws new targets"),
        (lambda f: f.bootstrap(10, studentize=True), "not available for censored rows"),
        (
            lambda f: lf.compare_protocol("hoffmann2022", RUNS, penalties={"alpha": (0.3, 0.1)}),
            "takes no penalties",
        ),
    ],
)
def test_what_is_not_available_says_so(call: Any, part: str) -> None:
    fit = fitted(loss="squared", censored=SIDES)
    with pytest.raises(lf.InputError, match=part):
        call(fit)


def test_jackknife_and_draws_of_rows_keep_them() -> None:
    fit = fitted(loss="squared", censored=SIDES, penalties=PENALTIES, sigma=np.full(N, 0.01))
    left_out = fit.jackknife(threads=1)
    rows = np.arange(N) != 7
    again = lf.fit(
        "chinchilla", {n: np.asarray(v)[rows] for n, v in RUNS.items()}, starts=10,
        loss="squared", censored=SIDES[rows], penalties=PENALTIES, sigma=np.full(N - 1, 0.01),
    )  # fmt: skip
    for name, value in again.params.items():
        assert left_out.values[name][7] == pytest.approx(value, rel=1e-5)
    assert fit.bootstrap(20, threads=1).converged == 1.0
