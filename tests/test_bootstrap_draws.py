"""What a draw makes of a table: the core against its twin, densities against their losses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import lawfit as lf
from lawfit import _core, reference
from lawfit.uncertainty.resampling import KINDS, density_of, resample

from . import resampling_twin as twin

SEEDS = st.integers(0, 2**64 - 1)
LOSSES = {
    "squared": (lf.Squared(), ("squared",)),
    "huber": (lf.Huber(0.4), ("huber", 0.4)),
    "wide huber": (lf.Huber(2.5, overestimate=3.0), ("huber", 2.5, 3.0)),
    "absolute": (lf.Absolute(), ("absolute",)),
    "quantile": (lf.Quantile(0.8), ("quantile", 0.8)),
    "cauchy": (lf.Cauchy(2.0), ("cauchy", 2.0)),
    "logcosh": (lf.LogCosh(0.7), ("logcosh", 0.7)),
    "wide logcosh": (lf.LogCosh(3.0), ("logcosh", 3.0)),
}


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    kind=st.sampled_from(["counts", "blocks", "dirichlet", "deletion"]),
    length=st.integers(1, 6),
    seed=SEEDS,
    data=st.data(),
)
def test_weights_are_the_twins(
    sizes: list[int], kind: str, length: int, seed: int, data: st.DataObject
) -> None:
    strata = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    units = strata[-1]
    unit = data.draw(st.permutations([*range(units), *range(units)]))
    first = data.draw(st.integers(0, units - 1 if kind == "deletion" else 2**40))
    drawn = _core.Resampling(kind, unit, strata, length).draws(seed, first, 1)[0]
    expected = twin.weights(kind, strata, length, seed, first)[unit]
    np.testing.assert_allclose(drawn, expected, rtol=1e-14 if kind == "dirichlet" else 0)


def test_no_unit_beyond_the_last_is_left_out() -> None:
    resampling = _core.Resampling("deletion", [0, 1, 1], [0, 2])
    assert resampling.draws(1, 0, 2).tolist() == [[0, 1, 1], [1, 0, 0]]
    for first in (-1, 1):
        with pytest.raises(ValueError, match=r"no unit (-1|2) to leave out, of 2"):
            resampling.draws(1, first, 2)


@settings(max_examples=40)
@given(
    n=st.integers(1, 12),
    kind=st.sampled_from(["residuals", "multipliers"]),
    webb=st.booleans(),
    weighted=st.booleans(),
    seed=SEEDS,
    draw=st.integers(0, 2**40),
    data=st.data(),
)
def test_residuals_are_the_twins(
    n: int, kind: str, webb: bool, weighted: bool, seed: int, draw: int, data: st.DataObject
) -> None:
    unit = [*range(n), *data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))]
    given = np.random.default_rng(draw).normal(size=2 * n)
    weight = np.arange(2.0 * n) % 3 if weighted else None  # 0, 1, 2, 0, ...
    core = _core.Resampling(kind, unit, [0, n], webb=webb)
    drawn = core.draws(seed, draw, 1, given, weight)[0]
    np.testing.assert_array_equal(
        drawn, twin.residuals(kind, unit, given, weight, webb, seed, draw)
    )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"unit": []}, "no rows"),
        ({"strata": [0]}, "no strata"),
        ({"strata": [1, 3]}, "no strata"),
        ({"strata": [0, 2, 2, 3]}, "a stratum is empty"),
        ({"unit": [0, 1, -1]}, "unit does not exist"),
        ({"unit": [0, 1, 3]}, "unit does not exist"),
        ({"length": 0}, "one unit at least"),
    ],
)
def test_units_that_do_not_agree_are_refused(settings: dict[str, Any], text: str) -> None:
    given = {"kind": "blocks", "unit": [0, 1, 2], "strata": [0, 3]} | settings
    with pytest.raises(ValueError, match=text):
        _core.Resampling(**given)


@pytest.mark.parametrize("name", LOSSES)
def test_noise_is_the_twins(name: str) -> None:
    loss = LOSSES[name][0]._core()
    core = _core.Resampling("density", range(50), [0, 50], density=loss, spread=3.0)
    for draw in (0, 2**33):
        drawn = core.draws(12, draw, 1)[0]
        np.testing.assert_allclose(drawn, 3.0 * twin.noise(loss, 50, 12, draw), rtol=1e-11)


@pytest.mark.parametrize("name", LOSSES)
def test_noise_has_the_density_of_its_loss(name: str) -> None:
    loss, spec = LOSSES[name]
    n = 20_000
    drawn = _core.Resampling("density", range(n), [0, n], density=loss._core()).draws(3, 0, 1)[0]
    twin_loss = reference.loss_functions(spec)
    grid = np.concatenate([-np.geomspace(1e5, 1e-6, 4000), [0.0], np.geomspace(1e-6, 1e5, 4000)])
    density = np.exp(-twin_loss.rho(grid).astype(float) - twin_loss.log_integral)
    below = integrate.cumulative_trapezoid(density, grid, initial=0.0)
    assert below[-1] == pytest.approx(1.0, abs=2e-4)
    found = stats.kstest(drawn, lambda x: np.interp(x, grid, below))
    assert found.pvalue > 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_the_density_of_a_fit_is_the_likeliest(runs: lf.Runs, name: str) -> None:
    """No other phi gives exp(-rho(u) / phi) / Z(phi) a greater likelihood of the residuals."""
    loss, spec = LOSSES[name]
    loss = type(loss)(*[v * 0.01 for v in spec[1:2] if name != "quantile"] or spec[1:])
    fit = lf.fit("chinchilla", runs, loss=loss, starts=8)
    scaled, factor = density_of(fit)
    u = np.log(fit.predict(runs)) - np.log(runs["loss"])

    def likelihood(stretch: float) -> float:
        """Of phi times stretch**2, with the normaliser by quadrature."""

        def cost(v: float) -> float:
            return float(reference.loss_functions(spec_of(scaled)).rho(np.array([v]))[0])

        ends = [-np.inf, 0.0, np.inf]
        mass = sum(
            integrate.quad(lambda v: np.exp(-cost(v) / stretch**2), a, b)[0]
            for a, b in itertools.pairwise(ends)
        )
        rho = np.mean([cost(v) for v in u / factor])
        return -float(np.log(mass * factor) + rho / stretch**2)

    best = likelihood(1.0)
    assert best >= max(likelihood(0.98), likelihood(1.02))


def spec_of(loss: lf.losses.Loss) -> tuple[object, ...]:
    return tuple(loss.to_dict().values())


# --- the kinds ---------------------------------------------------------------------------------

BY = {"stratified": "group", "cluster": "group", "wild-cluster": "group", "block": "group"}
Y = "y"


@pytest.fixture(scope="module")
def table() -> lf.Runs:
    rng = np.random.default_rng(4)
    x = np.geomspace(1.0, 100.0, 36)
    y = 2.0 + 3.0 * x**-0.5 + rng.normal(0.0, 0.02, 36)
    groups = np.array(["a", "b", "c", "d"])[rng.permutation(np.arange(36) % 4)]
    return lf.read({"x": x, Y: y, "group": groups, "w": 1.0 + np.arange(36) % 3, "s": 0.01 * y})


LAW = "E + A / x**alpha"


SETTINGS = ({}, {"weights": "w"}, {"sigma": "s"}, {"scale": "fitted"})


@pytest.mark.parametrize(
    ("kind", "settings"),
    # A fit takes weights or sigma, not both, and only whole weights can be had by repeating rows.
    [(k, s) for k in KINDS for s in SETTINGS if not (k == "bayesian" and "sigma" in s)],
)
def test_a_draw_is_a_fit_to_other_weights_or_targets(
    table: lf.Runs, kind: str, settings: dict[str, str]
) -> None:
    fit = lf.fit(LAW, table, Y, residual="linear", loss="logcosh:0.02", starts=8, **settings)
    boot = fit.bootstrap(3, kind, by=BY.get(kind), rng=9)
    core, *_ = resample(fit, kind, by=BY.get(kind))
    weights = table.numbers("w") if "weights" in settings else None
    sigma = table.numbers("s") if "sigma" in settings else np.ones(36)
    prediction = fit.predict(table)
    given = (prediction - table[Y]) / sigma
    for d, drawn in enumerate(core.draws(9, 0, 3, given, weights)):
        again, own = dict(table), weights
        if KINDS[kind][0] in ("residuals", "multipliers", "density"):
            again[Y] = prediction - drawn * sigma
        elif "sigma" in settings:
            again = dict(table.take(np.repeat(np.arange(36), drawn.astype(int))))
        else:
            own = drawn if weights is None else drawn * weights
        options = {k: v for k, v in settings.items() if k != "weights"}
        other = lf.fit(
            LAW, again, Y, residual="linear", loss="logcosh:0.02", weights=own, starts=8, **options
        )
        assert boot.objective[d] == pytest.approx(other.objective, rel=1e-9, abs=1e-12)
        for name, value in other.params.items():
            assert boot.draws[name][d] == pytest.approx(value, rel=2e-5)


def test_residuals_of_log_fits_are_of_logarithms(runs: lf.Runs, free_fit: lf.Fit) -> None:
    core, *_ = resample(free_fit, "residual")
    given = np.log(free_fit.predict(runs) / runs["loss"])
    loss = free_fit.predict(runs) * np.exp(-core.draws(0, 1, 1, given)[0])
    other = lf.fit("chinchilla", dict(runs) | {"loss": loss})
    boot = free_fit.bootstrap(2, "residual")
    assert boot.objective[1] == pytest.approx(other.objective, rel=1e-9)


def test_rows_without_weight_lend_no_residual(table: lf.Runs) -> None:
    weights = np.ones(36)
    weights[7] = 0.0
    outlier = dict(table) | {Y: table[Y] + 50.0 * (weights == 0.0)}
    fits = [
        lf.fit(LAW, t, Y, residual="linear", weights=weights, starts=8) for t in (table, outlier)
    ]
    clean, found = (fit.bootstrap(20, "residual", rng=3).draws["E"] for fit in fits)
    np.testing.assert_allclose(found, clean, rtol=1e-9)


def test_what_kinds_take_as_a_whole(table: lf.Runs) -> None:
    fit = lf.fit(LAW, table, Y, residual="linear", starts=8)
    groups = table["group"]

    def drawn(kind: str, count: int = 40, **options: object) -> np.ndarray:
        core, *_ = resample(fit, kind, **{"by": BY.get(kind)} | options)
        return core.draws(1, 0, count, np.ones(36))

    for row in drawn("cases"):
        assert row.sum() == 36
    for row in drawn("stratified"):
        assert [row[groups == g].sum() for g in "abcd"] == [9, 9, 9, 9]
    for row in drawn("cluster"):
        counts = [set(row[groups == g]) for g in "abcd"]
        assert all(len(c) == 1 for c in counts)
        assert sum(c.pop() for c in counts) == 4
    for row in drawn("bayesian", by="group"):
        assert all(len(set(row[groups == g])) == 1 for g in "abcd")
    assert drawn("bayesian").mean() == pytest.approx(1.0, abs=1e-12)
    for row in drawn("block", length=4):
        for g in "abcd":
            blocks = row[groups == g]
            assert blocks.sum() == 9
            assert np.sum(np.diff(np.concatenate([[0], blocks, [0]])) != 0) <= 6
    assert set(drawn("wild").ravel()) == {-1.0, 1.0}
    six = {s * np.sqrt(k / 2) for k in (1, 2, 3) for s in (-1, 1)}
    assert set(drawn("wild", multipliers="webb").ravel()) == six
    for row in drawn("wild-cluster"):
        assert all(len(set(row[groups == g])) == 1 for g in "abcd")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "parametric"])
def test_laws_see_the_same_resamples(table: lf.Runs, kind: str) -> None:
    """The rows and the factors of a draw depend on seed, kind and table alone."""
    laws = LAW, "E + A * log(x)"
    fits = [lf.fit(law, table, Y, residual="linear", starts=4) for law in laws]
    one, two = (
        resample(fit, kind, by=BY.get(kind))[0].draws(5, 0, 4, np.arange(36.0)) for fit in fits
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", KINDS)
def test_bits_depend_on_seed_and_number_alone(table: lf.Runs, kind: str) -> None:
    fit = lf.fit(LAW, table, Y, residual="linear", starts=8)
    options = {"by": BY.get(kind), "rng": 2}
    whole, again = (fit.bootstrap(50, kind, threads=t, **options) for t in (1, 2))
    part = fit.bootstrap(10, kind, first_draw=35, **options)
    for name, values in whole.draws.items():
        np.testing.assert_array_equal(values, again.draws[name])
        np.testing.assert_array_equal(values[35:45], part.draws[name])
