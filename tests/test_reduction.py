"""Reducers: known answers on simulated runs, published numbers on real ones, and errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.interpolate
from hypothesis import given
from hypothesis import strategies as st

import lawfit as lf
from lawfit.reduction import envelope, isoflop, power_law
from lawfit.reduction.curves import akima_minimum, akima_slopes, parabola

from .real_runs import FOLDER, needs_real_runs

E, A, B, ALPHA, BETA = 1.8172, 482.01, 2085.43, 0.3478, 0.3658
EXPONENT = BETA / (ALPHA + BETA)
G = (ALPHA * A / (BETA * B)) ** (1.0 / (ALPHA + BETA))
BUDGETS = np.geomspace(1e18, 1e21, 7)


def loss(n: np.ndarray, c: np.ndarray, alpha: float = ALPHA, beta: float = BETA) -> np.ndarray:
    return np.asarray(E + A / n**alpha + B / (c / (6.0 * n)) ** beta)


def best(c: np.ndarray) -> np.ndarray:
    return np.asarray(G * (c / 6.0) ** EXPONENT)


def profiles(width: float = 4.0, sizes: int = 11, noise: float = 0.0) -> dict[str, np.ndarray]:
    """Simulate runs from N* / width to N* * width at each budget."""
    c = np.repeat(BUDGETS, sizes)
    n = best(c) * np.tile(np.geomspace(1.0 / width, width, sizes), len(BUDGETS))
    error = np.random.default_rng(7).normal(0.0, noise, len(c))
    return {"C": c, "N": n, "D": c / (6.0 * n), "loss": loss(n, c) + error}


# --- IsoFLOP ---------------------------------------------------------------------------------


def test_isoflop_finds_the_exponent_of_an_exact_law() -> None:
    found = isoflop(profiles(), sigma=0.0, carry=["D"])
    assert found.points.n == len(BUDGETS)
    assert found.dropped == ()
    np.testing.assert_allclose(found.points["N"], best(BUDGETS), rtol=0.02)
    np.testing.assert_allclose(found.points["loss"], loss(best(BUDGETS), BUDGETS), rtol=1e-4)
    law = found.power_law()
    assert law.b == pytest.approx(EXPONENT, abs=1e-4)
    assert law.a == pytest.approx(G / 6.0**EXPONENT, rel=0.05)
    assert found.power_law("D").b == pytest.approx(1.0 - EXPONENT, abs=1e-4)
    np.testing.assert_allclose(law.predict(1e20), law.a * 1e20**law.b)


def test_points_go_straight_into_a_fit() -> None:
    found = isoflop(profiles(noise=0.004), sigma=0.004)
    fit = lf.fit("a * C**b", found.points, target="N", loss=lf.Squared(), sigma="N_se", starts=10)
    law = found.power_law()
    assert fit.params["b"] == pytest.approx(law.b, rel=1e-6)
    assert fit.params["a"] == pytest.approx(law.a, rel=1e-5)


def test_isoflop_is_in_the_top_level() -> None:
    assert lf.isoflop is isoflop is lf.reduction.isoflop
    assert lf.envelope is envelope
    assert lf.costs.cost("training").formula == "6 * N * D"


def test_parabola_is_exact_on_a_symmetric_law() -> None:
    c = np.repeat(BUDGETS, 9)
    n = np.sqrt(c) * np.tile(np.geomspace(0.3, 3.0, 9), len(BUDGETS))
    runs = {"C": c, "N": n, "loss": 2.0 + 0.1 * np.log(n / np.sqrt(c)) ** 2}
    found = isoflop(runs, method="parabola", sigma=0.0)
    np.testing.assert_allclose(found.points["N"], np.sqrt(BUDGETS), rtol=1e-9)
    np.testing.assert_allclose(found.points["loss"], 2.0, rtol=1e-12)
    assert found.power_law().b == pytest.approx(0.5, abs=1e-12)


def test_parabola_bias_shrinks_with_the_width_and_is_announced() -> None:
    shifts = []
    for width in (8.0, 2.0):
        runs = profiles()
        truth = (0.6 * A / (0.2 * B)) ** (1 / 0.8) * (BUDGETS / 6.0) ** 0.25
        runs["N"] = np.repeat(truth, 11) * np.tile(np.geomspace(1 / width, width, 11), 7)
        runs["loss"] = loss(runs["N"], runs["C"], alpha=0.6, beta=0.2)
        with pytest.warns(UserWarning, match="parabolas are biased here"):
            found = isoflop(runs, method="parabola", sigma=0.0)
        shifts.append(np.abs(np.log(found.points["N"] / truth)).max())
        akima = isoflop(runs, sigma=0.0)
        assert np.abs(np.log(akima.points["N"] / truth)).max() < shifts[-1]
    assert shifts[0] > 0.1
    assert shifts[1] < shifts[0] / 8.0  # the third derivative: the square of the width


@pytest.mark.parametrize("method", ["akima", "parabola"])
def test_standard_errors_are_those_of_repetitions(method: str) -> None:
    """The errors stated for one data set are the scatter over many."""
    noise, exponents, stated = 0.003, [], []
    base = profiles(3.0, 9)
    random = np.random.default_rng(3)
    for _ in range(60):
        runs = {**base, "loss": base["loss"] + random.normal(0.0, noise, len(base["loss"]))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = isoflop(runs, method=method, sigma=noise, draws=100, floor=0.0)
        exponents.append(found.power_law(weighted=False).b)
        low, high = found.power_law(weighted=False).interval(0.6827)
        stated.append((high - low) / 2.0)
    assert np.mean(exponents) == pytest.approx(EXPONENT, abs=0.01)
    assert 0.6 < np.median(stated) / np.std(exponents) < 1.6


def test_noise_is_estimated() -> None:
    assert isoflop(profiles(noise=0.01), draws=20).noise == pytest.approx(0.01, rel=0.5)
    assert isoflop(profiles(), draws=20).noise == pytest.approx(0.0, abs=1e-4)
    assert isoflop(profiles(), sigma=0.01, draws=20).noise is None


def test_forms_of_sigma_agree() -> None:
    runs = profiles(noise=0.002)
    number = isoflop(runs, sigma=0.002, draws=50)
    column = isoflop({**runs, "sd": np.full(len(runs["C"]), 0.002)}, sigma="sd", draws=50)
    levels = isoflop(runs, sigma={3.0: 0.002, 6.0: 0.002}, draws=50)
    np.testing.assert_allclose(column.points["N_se"], number.points["N_se"])
    np.testing.assert_allclose(levels.points["N"], number.points["N"])


def test_edge_minima_are_reported() -> None:
    all_runs = lf.Runs(profiles(sizes=12))
    too_large = all_runs["N"] > 1.1 * best(all_runs["C"])
    runs = all_runs.take(np.flatnonzero((all_runs["C"] > 1e20) | too_large))
    found = isoflop(runs, sigma=0.0)
    assert len(found.dropped) == (BUDGETS <= 1e20).sum()
    assert found.dropped[0].what == "C = 1e+18"
    assert "the loss is least at the edge, the smallest size N" in found.dropped[0].reason
    assert found.points.n == len(BUDGETS) - len(found.dropped)


def test_few_sizes_and_noisy_edges_are_dropped() -> None:
    runs = lf.Runs({"C": [1, 1, 2, 2, 2], "N": [1, 2, 1, 2, 4], "loss": [3, 2, 3, 2, 3]})
    found = isoflop(runs, sigma=0.1)
    assert [str(d) for d in found.dropped] == ["C = 1: 2 sizes; expected at least 3"]
    with pytest.raises(lf.InputError, match="no budget has a minimum inside its sizes"):
        isoflop(runs, sigma=5.0)
    with pytest.raises(lf.InputError, match="cannot be estimated because no budget has 5 sizes"):
        isoflop(runs)


def test_repeats_and_tolerance() -> None:
    runs = {k: np.concatenate([v, v]) for k, v in profiles(noise=0.002).items()}
    half = len(runs["C"]) // 2
    runs["C"][half:] *= 1.001
    runs["loss"][half:] += 0.5
    least = isoflop(runs, sigma=0.002, tolerance=0.01)
    alone = isoflop({k: v[:half] for k, v in runs.items()}, sigma=0.002)
    np.testing.assert_array_equal(least.points["N"], alone.points["N"])
    np.testing.assert_allclose(least.points["C"], BUDGETS * np.sqrt(1.001))
    mean = isoflop(runs, sigma=0.002, tolerance=0.01, repeats="mean", floor=0.0)
    np.testing.assert_allclose(mean.points["loss"], alone.points["loss"] + 0.25, rtol=2e-3)
    assert isoflop(runs, sigma=0.002).points.n == 2 * len(BUDGETS)


def test_isoflop_is_reproducible_and_omits() -> None:
    runs = profiles(noise=0.004)
    one, two = (isoflop(runs, sigma=0.004, rng=5, draws=50) for _ in range(2))
    assert one.points == two.points
    assert one.points != isoflop(runs, sigma=0.004, rng=6, draws=50).points
    runs["loss"][3] = np.nan
    with pytest.raises(lf.InputError, match='column "loss", row 4: the value is missing'):
        isoflop(runs)
    assert isoflop(runs, missing="omit", draws=50).dropped[0].what == "row 4"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "cubic"}, 'method = \'cubic\' must be "akima" or "parabola"'),
        ({"repeats": "max"}, "repeats = 'max'"),
        ({"draws": 0}, "draws = 0 must be a whole number of at least 1"),
        ({"floor": -1.0}, "floor = -1.0"),
        ({"sigma": -1.0}, "sigma = -1.0 must be finite and 0 or more"),
        ({"sigma": {}}, "must map losses above 0"),
        ({"sigma": [0.1, 0.2]}, "must be a number, a column's name or a mapping"),
        ({"sigma": "sd"}, 'no column "sd"'),
        ({"carry": "D", "derive": "D = 0 * C"}, "0 has no logarithm"),
        ({"size": "params"}, 'no column "params"'),
        ({"missing": "drop"}, 'missing = \'drop\' must be "raise" or "omit"'),
        ({"derive": "loss = 0 * C"}, "0 has no logarithm"),
    ],
)
def test_isoflop_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(lf.InputError, match=message):
        isoflop(profiles(), **options)  # type: ignore[arg-type]


curve = st.lists(
    st.tuples(st.floats(0.05, 2.0), st.floats(-3.0, 3.0)), min_size=3, max_size=12
).map(lambda pairs: (np.cumsum([p[0] for p in pairs]), np.array([p[1] for p in pairs])))


@given(curve)
def test_akima_agrees_with_scipy(points: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = points
    smooth = scipy.interpolate.Akima1DInterpolator(x, y)
    np.testing.assert_allclose(akima_slopes(x, y), smooth(x, 1), rtol=1e-6, atol=1e-6)
    at, value = akima_minimum(x, y)
    dense = smooth(np.linspace(x[0], x[-1], 4001))
    if np.isnan(at):
        assert dense.min() >= min(y[0], y[-1]) - 1e-9
    else:
        assert value <= dense.min() + 1e-9
        assert smooth(at) == pytest.approx(float(value), abs=1e-9)


def test_parabola_without_a_minimum_inside() -> None:
    x = np.arange(5.0)
    at, _, _ = parabola(x, np.stack([(x - 1.5) ** 2, -((x - 1.5) ** 2), (x - 9.0) ** 2]))
    assert at[0] == pytest.approx(1.5)
    assert np.isnan(at[1:]).all()


def test_power_law() -> None:
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    law = power_law(x, 3.0 * x**0.4)
    assert (law.a, law.b) == (pytest.approx(3.0), pytest.approx(0.4))
    assert law.b_se == pytest.approx(0.0, abs=1e-9)
    y = np.array([1.0, 2.0, 5.0, 8.0])
    sigma = np.array([0.1, 0.2, 0.1, 0.4])
    slope, cov = np.polyfit(np.log(x), np.log(y), 1, w=1 / sigma, cov=True)
    law = power_law(x, y, sigma)
    assert law.b == pytest.approx(slope[0])
    np.testing.assert_allclose(law.covariance, cov[::-1, ::-1])
    with pytest.raises(lf.InputError, match="no draws"):
        law.interval()
    with pytest.raises(lf.InputError, match="two different x"):
        power_law(np.ones(3), np.ones(3))
    with pytest.raises(lf.InputError, match="needs y above 0"):
        power_law(x, -y)


# --- real runs -------------------------------------------------------------------------------

# Porian et al. 2024, figure 1: exponent of N_opt as each cause is corrected
PUBLISHED = {
    ("base", "long", "kaplan", "kaplan", "train"): 0.835,
    ("base", "long", "kaplan", "standard", "val"): 0.706,
    ("base", "short", "kaplan", "standard", "val"): 0.602,
    ("base", "short", "chinchilla", "standard", "val"): 0.571,
    ("tuned", "short", "const", "standard", "val"): 0.497,
}


@needs_real_runs
@pytest.mark.parametrize("setting", PUBLISHED, ids="-".join)
def test_published_exponents_of_porian(setting: tuple[str, ...]) -> None:
    names = ("hparams", "warmup", "decay", "param_count", "val")
    where = ["dataset == 'rw'", *(f"{k} == '{v}'" for k, v in zip(names, setting))]
    found = isoflop(FOLDER / "porian_isoflop_points.csv", budget="flops", where=where, sigma=0.002)
    assert found.power_law().b == pytest.approx(PUBLISHED[setting], abs=0.0015)
    pairs, _ = lf.read(FOLDER / "porian_optimal_pairs.csv", where=where).drop_non_finite(["n"])
    theirs = dict(zip(pairs["flops"].tolist(), zip(pairs["n"], pairs["n_star_std"])))
    ours = dict(zip(found.points["flops"].tolist(), zip(found.points["N"], found.points["N_se"])))
    assert ours.keys() == theirs.keys()
    for budget, (n, se) in ours.items():
        assert abs(np.log(n / theirs[budget][0])) < 0.015
        assert se == pytest.approx(theirs[budget][1], rel=0.05)


@needs_real_runs
def test_interval_of_porian() -> None:
    where = ["dataset == 'rw'", "decay == 'const'", "param_count == 'standard'", "val == 'val'"]
    found = isoflop(FOLDER / "porian_isoflop_points.csv", budget="flops", where=where, sigma=0.002)
    np.testing.assert_allclose(found.power_law().interval(0.95), (0.491, 0.505), atol=0.003)


# --- envelope --------------------------------------------------------------------------------


def checkpoints() -> lf.Runs:
    n = np.repeat(np.geomspace(1e7, 1e10, 40), 60)
    d = np.tile(np.geomspace(1e8, 1e12, 60), 40)
    runs = lf.Runs({"N": n, "D": d, "C": 6 * n * d, "loss": loss(n, 6 * n * d)})
    return runs.where("C > 1e18 and C < 1e21")


@pytest.mark.parametrize("method", ["hull", "running", "bins"])
def test_envelope_follows_the_optimum(method: str) -> None:
    runs = checkpoints()
    found = envelope(runs, method=method, bins=30)
    assert list(found.points) == list(runs)
    assert found.points.n + found.beaten == runs.n
    assert power_law(found.points["C"], found.points["N"]).b == pytest.approx(EXPONENT, abs=0.05)
    np.testing.assert_allclose(
        found.points["loss"], loss(best(found.points["C"]), found.points["C"]), rtol=0.05
    )


table_of_losses = st.lists(
    st.tuples(st.floats(1.0, 1e6), st.floats(0.1, 10.0)), min_size=1, max_size=30
)


@given(table_of_losses)
def test_envelopes_are_what_they_say(rows: list[tuple[float, float]]) -> None:
    c, y = (np.array(v) for v in zip(*rows))
    runs = lf.Runs({"C": c, "loss": y})
    running = envelope(runs, method="running").points
    for i in range(len(c)):
        beaten = (((c <= c[i]) & (y < y[i])) | ((c < c[i]) & (y == y[i]))).any()
        assert beaten == ((c[i], y[i]) not in set(zip(running["C"], running["loss"])))
    hull = envelope(runs, method="hull").points
    x, below = np.log(hull["C"]), np.log(hull["loss"])
    assert set(x) <= set(np.log(running["C"]))
    line = np.interp(np.log(c), x, below, left=np.inf)
    assert (np.log(y)[c >= hull["C"][0]] >= line[c >= hull["C"][0]] - 1e-9).all()
    bins = envelope(runs, method="bins", bins=5).points
    assert 1 <= bins.n <= 5
    assert bins["loss"].min() == y.min()


def test_envelope_mistakes() -> None:
    with pytest.raises(lf.InputError, match="method = 'best'"):
        envelope(checkpoints(), method="best")
    with pytest.raises(lf.InputError, match="bins = 0"):
        envelope(checkpoints(), method="bins", bins=0)
    with pytest.raises(lf.InputError, match='no column "flops"'):
        envelope(checkpoints(), resource="flops")
    found = envelope({"C": [1, 2, 3], "loss": [3, np.nan, 2]}, missing="omit")
    assert [str(d) for d in found.dropped] == ["row 2: a value is missing or infinite"]
