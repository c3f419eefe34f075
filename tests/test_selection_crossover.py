"""Crossovers and gains: closed forms of two power laws, pairing of draws, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.selection.crossover import Gain, _needed, _overtakes

BUDGETS = np.geomspace(1e17, 1e20, 40)
LAW = lf.Law("A / C**p", variables=["C"])


def power(a: float, p: float, noise: float = 0.0, seed: int = 0) -> lf.Fit:
    noisy = np.exp(noise * np.random.default_rng(seed).normal(size=40))
    return lf.fit(LAW, {"C": BUDGETS, "loss": a / BUDGETS**p * noisy}, starts=10)


@pytest.fixture(scope="module")
def exact() -> tuple[lf.Fit, lf.Fit]:
    """A is better from C = 2**(1 / 0.015) = 1.171e20 on."""
    return power(40, 0.06), power(20, 0.045)


@pytest.fixture(scope="module")
def noisy() -> tuple[lf.Fit, lf.Fit]:
    return power(40, 0.06, 0.003, 1), power(20, 0.045, 0.003, 2)


def where_equal(a: Any, b: Any) -> Any:
    return (a["A"] / b["A"]) ** (1 / (a["p"] - b["p"]))


def test_where_two_power_laws_cross(exact: tuple[lf.Fit, lf.Fit]) -> None:
    a, b = exact
    found = lf.crossover(a, b, draws=0)
    expected = 2 ** (1 / 0.015)
    assert found.at == pytest.approx(expected, rel=1e-5)
    assert found.crossings == ((found.at, "a"),)
    assert found.between == (BUDGETS[0], pytest.approx(1e3 * BUDGETS[-1]))
    assert f"from C = {found.at:.4g} on" in str(found)
    assert "crossings" not in str(found)
    assert math.isnan(found.probability())
    assert math.isnan(found.probability(1e20))
    with pytest.raises(lf.InputError, match="outside the range"):
        found.probability(1.0)
    other = lf.crossover(b, a, draws=0)
    assert other.at == math.inf  # b is not the better one at the end
    assert other.crossings == ((found.at, "b"),)
    assert "does not overtake" in str(other)
    assert f"crossings: {other.crossings[0][0]:.4g} (B better from there)" in str(other)
    above = lf.crossover(a, b, between=(1e21, 1e25), draws=0)
    assert above.at == 0.0
    assert "everywhere" in str(above)


def test_a_law_is_not_better_where_both_are_equal(exact: tuple[lf.Fit, lf.Fit]) -> None:
    found = lf.crossover(exact[0], exact[0], draws=3)
    assert (found.at, found.crossings, found.draws.tolist()) == (math.inf, (), [math.inf] * 3)
    x = np.array([1.0, 10.0, 100.0])
    for gap, at in (
        ([-1.0, -1.0, -1.0], 0.0),
        ([0.0, -1.0, -1.0], 1.0),
        ([-1.0, 0.0, -1.0], 10.0),
        ([-1.0, -1.0, 0.0], math.inf),
        ([2.0, 1.0, -1.0], math.sqrt(1000.0)),
    ):
        assert _overtakes(x, np.array(gap)) == pytest.approx(at)
    assert math.isnan(_overtakes(x, np.array([1.0, math.nan, -1.0])))
    nothing = np.empty(0)
    gain = Gain(x, x, x, np.array([[1.0, 2.0, math.nan, 0.5]]), False, 0)
    assert gain.probability().tolist() == pytest.approx([1 / 3])  # one of three above 1
    assert math.isnan(Gain(x, x, x, nothing[None], False, 0).probability()[0])


def test_draws_of_a_crossover_are_those_of_the_fits(noisy: tuple[lf.Fit, lf.Fit]) -> None:
    a, b = noisy
    found = lf.crossover(a, b, draws=50, rng=3)
    assert not found.paired
    expected = where_equal(a.bootstrap(50, rng=3).draws, b.bootstrap(50, rng=4).draws)
    # Where all cross within the range; places between those of the grid are interpolated.
    inside = (expected > found.between[0]) & (expected < found.between[1])
    assert inside.all()
    np.testing.assert_allclose(found.draws, expected, rtol=2e-2)
    low, high = found.interval()
    assert low < found.at < high
    assert found.probability() == 1.0
    for place in (1e19, found.at, 1e22):
        share = np.mean(expected < place)
        assert found.probability(place) == pytest.approx(share, abs=0.05)
    given = lf.crossover(a, b, draws=(a.bootstrap(50, rng=3), b.bootstrap(50, rng=4)))
    np.testing.assert_array_equal(given.draws, found.draws)
    assert "independent draws" in str(found)


def test_fits_to_one_table_draw_the_same_rows(free_fit: lf.Fit, runs: lf.Runs) -> None:
    along: dict[str, Any] = {"along": "N", "given": {"D": 1e10}, "between": (1e8, 1e11)}
    again = lf.crossover(free_fit, free_fit, draws=20, **along)
    assert again.paired
    np.testing.assert_array_equal(again.gaps, 0.0)  # the same rows, the same fits
    tied = lf.fit("chinchilla", runs, tied=[("alpha", "beta")])
    found = lf.crossover(free_fit, tied, draws=20, **along)
    assert found.paired
    boots = free_fit.bootstrap(20, rng=0), tied.bootstrap(20, rng=1)
    apart = lf.crossover(free_fit, tied, draws=boots, **along)
    assert not apart.paired
    middle = len(found.places) // 2
    assert np.std(found.gaps[:, middle]) < np.std(apart.gaps[:, middle])


def chinchilla_optimum(params: Mapping[str, float], c: Any) -> Any:
    """Hoffmann et al., equation 4: the least loss with 6 N D = C."""
    a, b, alpha, beta = (params[n] for n in ("A", "B", "alpha", "beta"))
    g = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    n = g * (c / 6) ** (beta / (alpha + beta))
    return params["E"] + a / n**alpha + b / (c / 6 / n) ** beta


def test_a_law_without_an_optimum_says_so(runs: lf.Runs) -> None:
    flat = lf.fit("E + A / N**alpha + 0 * D", runs, starts=10)
    with pytest.raises(lf.InputError, match="no minimum inside"):
        lf.crossover(flat, flat, draws=0, between=(1e20, 1e22))


def test_along_the_compute_optimal_frontier(free_fit: lf.Fit, runs: lf.Runs) -> None:
    """Against a law of C alone that is the frontier times a power, the crossing is known."""
    c = np.geomspace(1e19, 1e23, 30)
    frontier = chinchilla_optimum(free_fit.params, c)
    bent = frontier * (c / 1e21) ** 0.01
    other = lf.fit("E + A / C**p", {"C": c, "loss": bent}, starts=20)
    found = lf.crossover(free_fit, other, between=(1e20, 1e22), draws=5)
    assert np.isfinite(found.gaps).all()
    boots = [f.bootstrap(5, rng=found.seed + k).draws for k, f in enumerate((free_fit, other))]
    for k, gaps in enumerate(found.gaps):
        a, b = ({n: float(v[k]) for n, v in boot.items()} for boot in boots)
        expected = chinchilla_optimum(a, found.places) - other.law.predict(b, {"C": found.places})
        np.testing.assert_allclose(gaps, expected, atol=1e-12)
    assert found.at == pytest.approx(1e21, rel=0.1)
    at = chinchilla_optimum(free_fit.params, np.array([found.at]))
    np.testing.assert_allclose(other.predict({"C": [found.at]}), at, rtol=1e-7)


def test_budgets_are_searched_from_the_smallest_run_on(free_fit: lf.Fit, runs: lf.Runs) -> None:
    c = 6 * runs["N"] * runs["D"]
    other = lf.fit("E + A / C**p", {"C": c[:50], "loss": runs["loss"][:50]}, starts=10)
    for pair in ((free_fit, other), (other, free_fit)):
        between = lf.crossover(*pair, draws=0).between
        assert between == pytest.approx((c.min(), 1e3 * c.max()), rel=1e-12)


def test_along_a_variable_with_the_others_given(free_fit: lf.Fit, runs: lf.Runs) -> None:
    small = lf.fit("E + A / N**alpha", runs)
    found = lf.crossover(free_fit, small, "N", given={"D": 1e9}, draws=0, between=(1e7, 1e12))
    for place, better in found.crossings:
        for factor, expected in ((0.99, "a" if better == "b" else "b"), (1.01, better)):
            point = {"N": [place * factor], "D": [1e9]}
            gap = free_fit.predict(point) - small.predict({"N": point["N"]})
            assert (gap[0] < 0) == (expected == "a")
    assert found.crossings


def test_levels_of_groups_are_given() -> None:
    c = np.tile(BUDGETS, 2)
    family = np.repeat(["x", "y"], 40)
    loss = np.where(family == "x", 40, 35) / c**0.06
    fit = lf.fit("A[family] / C**p", {"C": c, "loss": loss, "family": family}, starts=10)
    other = power(20, 0.045)
    for level, a in (("x", 40), ("y", 35)):
        found = lf.crossover(fit, other, given={"family": level}, draws=10, between=(1e14, 1e23))
        assert found.at == pytest.approx((a / 20) ** (1 / 0.015), rel=1e-4)
        assert len(found.draws) == 10
    with pytest.raises(lf.InputError, match="no value given for family"):
        lf.crossover(fit, other, draws=0)


def test_the_gain_of_two_power_laws(
    exact: tuple[lf.Fit, lf.Fit], noisy: tuple[lf.Fit, lf.Fit]
) -> None:
    a, b = exact
    budgets = np.array([1e18, 1e20, 1e22])
    found = lf.compute_equivalent_gain(a, b, budgets, draws=0)
    loss = 40 / budgets**0.06
    expected = (20 / loss) ** (1 / 0.045) / budgets
    np.testing.assert_allclose(found.loss, loss, rtol=1e-8)
    np.testing.assert_allclose(found.gain, expected, rtol=1e-5)
    a, b = noisy
    found = lf.compute_equivalent_gain(a, b, 1e22, draws=40, rng=1)
    x, y = a.bootstrap(40, rng=1).draws, b.bootstrap(40, rng=2).draws
    loss = x["A"] / 1e22 ** x["p"]
    np.testing.assert_allclose(found.draws[0], (y["A"] / loss) ** (1 / y["p"]) / 1e22, rtol=1e-3)
    low, high = found.interval()
    assert low[0] < found.gain[0] < high[0]
    assert found.probability().tolist() == [1.0]
    assert found.probability(over=1e9).tolist() == [0.0]
    assert "above 1 in 100.0% of draws" in str(found)


def test_a_gain_that_is_out_of_reach(exact: tuple[lf.Fit, lf.Fit]) -> None:
    a, b = exact
    floor = lf.fit("E + A / C**p", {"C": BUDGETS, "loss": 2.5 + 9 / BUDGETS**0.05}, starts=20)
    assert lf.compute_equivalent_gain(a, floor, 1e22, draws=0).gain.tolist() == [math.inf]
    reached = lf.compute_equivalent_gain(floor, a, 1e10, draws=0)
    assert reached.gain == pytest.approx([(40 / reached.loss[0]) ** (1 / 0.06) / 1e10], rel=1e-5)
    weak = power(4000, 0.06)
    assert lf.compute_equivalent_gain(weak, b, 1e18, draws=0).gain.tolist() == [0.0]
    assert lf.compute_equivalent_gain(a, a, [1e19], draws=0).gain == pytest.approx([1.0], rel=1e-6)


@pytest.mark.parametrize(
    ("times", "found"), [(9e5, 9e5), (1.1e6, math.inf), (1.1e-6, 1.1e-6), (9e-7, 0.0)]
)
def test_a_gain_is_looked_for_within_a_million(times: float, found: float) -> None:
    a, b = power(20 * times**-0.045, 0.045), power(20, 0.045)
    assert lf.compute_equivalent_gain(a, b, 1e20, draws=0).gain == pytest.approx([found], rel=1e-4)


def test_a_curve_that_is_not_known_everywhere() -> None:
    x, y = np.array([1.0, 10.0, 100.0, 1000.0]), np.array([3.0, math.nan, 1.0, 0.5])
    assert _needed(x, y, 2.0, None) == pytest.approx(10.0)
    assert _needed(x[1:], y[1:], 2.0, None) == 0.0
    assert _needed(x, y, 0.5, None) == math.inf
    assert math.isnan(_needed(x[:0], y[:0], 2.0, None))
    assert math.isnan(_needed(x, y, math.nan, None))


def test_the_largest_seed_has_a_successor(exact: tuple[lf.Fit, lf.Fit]) -> None:
    """Tables that differ draw by different seeds."""
    found = lf.crossover(*exact, draws=2, rng=2**64 - 1)
    assert not found.paired
    np.testing.assert_allclose(found.draws, 2 ** (1 / 0.015), rtol=1e-2)


def test_the_same_seed_gives_the_same_bits(noisy: tuple[lf.Fit, lf.Fit]) -> None:
    one, two = (lf.crossover(*noisy, draws=20, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    assert one.interval() == two.interval()


Pair = tuple[lf.Fit, lf.Fit]
BAD: list[tuple[Callable[[Pair], Any], str]] = [
    (lambda p: lf.crossover(*p, "N"), "has no variable 'N'|no column 'N'"),
    (lambda p: lf.crossover(*p, "N", between=(1, 2)), "no variable 'N'"),
    (lambda p: lf.crossover(*p, between=(2, 1)), "smaller first"),
    (lambda p: lf.crossover(*p, between=3), "pair of numbers"),
    (lambda p: lf.crossover(*p, draws=1), "2 or more"),
    (lambda p: lf.crossover(*p, draws=0).interval(95), "between 0 and 1"),
    (lambda p: lf.crossover(*p, draws=9).probability(1.0), "outside the range"),
    (lambda p: lf.compute_equivalent_gain(*p, -1.0), "above 0"),
    (lambda p: lf.compute_equivalent_gain(*p, [[1e20]]), "above 0"),
]


@pytest.mark.parametrize(("call", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_requests_are_answered(exact: Pair, call: Callable[[Pair], Any], words: str) -> None:
    with pytest.raises(lf.InputError, match=words):
        call(exact)


def test_a_range_needs_runs_with_budgets() -> None:
    for name, other in (("N", "D"), ("D", "N")):
        law = lf.Law(f"A / {name}**p + 0 * x", variables=[name, "x"])
        table = {name: BUDGETS, "x": BUDGETS, "loss": 4 / BUDGETS**0.05}
        fit = lf.fit(law, table, starts=2)
        with pytest.raises(lf.InputError, match="no column 'C' to take the range from"):
            lf.crossover(fit, fit, "C", draws=0)
        assert other not in table


def test_fits_from_files_need_a_range(exact: Pair, tmp_path: Path) -> None:
    a, b = exact
    a.save(tmp_path / "a.json")
    loaded = lf.load(tmp_path / "a.json")
    with pytest.raises(lf.InputError, match="between"):
        lf.crossover(loaded, b, draws=0)
    found = lf.crossover(loaded, b, draws=0, between=(1e17, 1e23))
    assert found.at == pytest.approx(2 ** (1 / 0.015), rel=1e-4)
    with pytest.raises(lf.InputError, match="fit again"):
        lf.crossover(loaded, b, between=(1e17, 1e23))
