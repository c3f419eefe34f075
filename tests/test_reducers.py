"""The smaller reducers: optima of hyper-parameters, steps, records, seeds, pass@k, schedules."""

from __future__ import annotations

import itertools
import re
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lawfit as lf
from lawfit.reduction import (
    aggregate_seeds,
    annealing_areas,
    best_hyperparameter,
    constant,
    cosine,
    coverage,
    isotonic,
    pass_at_k,
    records,
    steps_to_target,
    with_areas,
    wsd,
)

# --- hyper-parameters ------------------------------------------------------------------------


def sweep(noise: float = 0.0) -> dict[str, np.ndarray]:
    """Simulate losses quadratic in log lr with the minimum at 0.3 N**-0.25, for three N."""
    n = np.repeat([1e7, 1e8, 1e9], 9)
    lr = 0.3 * n**-0.25 * np.tile(2.0 ** np.arange(-4, 5), 3)
    bowl = 0.02 * np.log(lr / (0.3 * n**-0.25)) ** 2
    return {"N": n, "lr": lr, "loss": 3 + bowl + np.random.default_rng(1).normal(0, noise, 27)}


def test_best_learning_rate_of_an_exact_parabola() -> None:
    found = best_hyperparameter(sweep(), "lr", by="N").points
    np.testing.assert_array_equal(found["N"], [1e7, 1e8, 1e9])
    np.testing.assert_allclose(found["lr"], 0.3 * found["N"] ** -0.25, rtol=1e-9)
    np.testing.assert_allclose(found["loss"], 3.0)
    np.testing.assert_allclose(found["curvature"], 0.04)
    np.testing.assert_allclose(found["lr_se"], 0.0, atol=1e-6)


def test_standard_error_is_that_of_repetitions() -> None:
    runs = sweep()
    off, stated = [], []
    for seed in range(300):
        noise = np.random.default_rng(seed).normal(0.0, 0.002, 27)
        found = best_hyperparameter({**runs, "loss": runs["loss"] + noise}, "lr", by=["N"]).points
        off.append(np.log(found["lr"] / (0.3 * found["N"] ** -0.25)))
        stated.append(found["lr_se"] ** 2)
    assert np.sqrt(np.mean(stated)) == pytest.approx(np.std(off), rel=0.1)


def test_edges_of_sweeps_are_dropped() -> None:
    runs = lf.read(sweep(), where="N > 1e7 or lr < 0.3 * N**-0.25 * 1.5")
    found = best_hyperparameter(runs, "lr", by="N", margin=0.02)
    assert found.points.n == 2
    assert str(found.dropped[0]).startswith("N = 10000000: the loss is least at the edge")
    np.testing.assert_array_equal(found.points["values"], [5, 5])
    with pytest.raises(lf.InputError, match="no group has a minimum inside its range"):
        best_hyperparameter(lf.read(runs, where="N == 1e7"), "lr", by="N")
    with pytest.raises(lf.InputError, match="margin = 0 must be above 0"):
        best_hyperparameter(runs, "lr", margin=0)
    named = {"lr": [1, 2, 4], "loss": [2.1, 2.0, 2.2], "values": [1, 1, 1]}
    with pytest.raises(lf.InputError, match='by names the column "values"'):
        best_hyperparameter(named, "lr", by="values")


def test_other_settings_are_taken_at_their_best() -> None:
    runs = sweep()
    worse = {**runs, "loss": runs["loss"] + 1.0}
    both = {k: np.concatenate([worse[k], runs[k]]) for k in runs}
    assert (
        best_hyperparameter(both, "lr", by="N").points
        == best_hyperparameter(runs, "lr", by="N").points
    )


# --- steps to target -------------------------------------------------------------------------


def test_steps_to_target_on_a_power_law() -> None:
    step = np.tile(np.arange(10.0, 1001.0, 10.0), 2)
    scale = np.repeat([5.0, 8.0], 100)
    runs = {"run": ["a"] * 100 + ["b"] * 100, "step": step, "loss": scale * step**-0.25}
    for smooth in ("isotonic", None):
        found = steps_to_target(runs, [1.5, 1.0], by="run", smooth=smooth).points
        np.testing.assert_array_equal(found["run"], ["a", "a", "b", "b"])
        np.testing.assert_allclose(found["step"][:3], [(5 / 1.5) ** 4, 625.0, (8 / 1.5) ** 4])
        np.testing.assert_array_equal(found["censored"], [0, 0, 0, 1])
        assert found["step"][3] == pytest.approx(1000.0)
    assert steps_to_target(runs, [1.5, 1.0], by="run").reached.n == 3
    early = steps_to_target(runs, 4.9, by="run").points
    np.testing.assert_array_equal(early["censored"], [-1, -1])


def test_smoothing_takes_noise_out() -> None:
    step = np.arange(1.0, 2001.0)
    noise = np.random.default_rng(2).normal(0.0, 0.05, 2000)
    runs = {"step": step, "loss": 2.0 + 6.0 * step**-0.5 + noise}
    truth = (6.0 / 0.2) ** 2
    raw = steps_to_target(runs, 2.2, smooth=None).points["step"][0]
    assert raw < 0.6 * truth
    for smooth in ("isotonic", 101):
        found = steps_to_target(runs, 2.2, smooth=smooth).points["step"][0]
        assert found == pytest.approx(truth, rel=0.25)


@given(st.lists(st.floats(-10.0, 10.0), min_size=1, max_size=30))
def test_isotonic(values: list[float]) -> None:
    y = np.array(values)
    found = isotonic(y)
    assert (np.diff(found) <= 1e-12).all()
    # least squares over a cone: the residual is orthogonal to the fit, and no direction helps
    assert (y - found) @ found == pytest.approx(0.0, abs=1e-8)
    assert (np.cumsum(y - found) <= 1e-8).all()
    assert np.sum(y - found) == pytest.approx(0.0, abs=1e-8)


def test_steps_mistakes() -> None:
    runs = {"step": [1, 2, 2], "loss": [3, 2, 1]}
    with pytest.raises(lf.InputError, match=r"two rows at step = 2 \(row 2 and row 3\)"):
        steps_to_target(runs, 2)
    with pytest.raises(lf.InputError, match="smooth = 4 must be odd"):
        steps_to_target(runs, 2, smooth=4)
    for wrong in ([], -1.0, "low", np.nan):
        with pytest.raises(lf.InputError, match="targets"):
            steps_to_target(runs, wrong)  # type: ignore[arg-type]


# --- records and seeds -----------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5)), min_size=1, max_size=20))
def test_records(rows: list[tuple[int, int]]) -> None:
    when, score = (np.array(v, dtype=float) for v in zip(*rows))
    found = records({"t": when, "y": score}, time="t", target="y")
    assert (np.diff(found.points["t"]) > 0).all()
    assert (np.diff(found.points["y"]) > 0).all()
    for t, y in rows:
        at = found.points["y"][found.points["t"] <= t]
        assert at.max() >= y
    assert found.beaten == len(rows) - found.points.n
    low = records({"t": when, "y": -score}, time="t", target="y", higher=False).points
    np.testing.assert_array_equal(low["t"], found.points["t"])


def test_records_by_group_keep_their_columns() -> None:
    runs = {
        "t": [1, 2, 1, 2],
        "y": [1, 2, 5, 4],
        "name": ["a", "b", "c", "d"],
        "task": [0, 0, 1, 1],
    }
    found = records(runs, time="t", target="y", by="task").points
    np.testing.assert_array_equal(found["name"], ["a", "b", "c"])


def test_seeds() -> None:
    runs = {
        "N": [1, 1, 1, 2, 2, 3],
        "data": ["x"] * 6,
        "seed": [0, 1, 2, 0, 1, 0],
        "loss": [3.0, 3.2, 3.4, 2.0, 2.2, 1.0],
    }
    found = aggregate_seeds(runs, by="N")
    assert list(found.points) == ["N", "data", "loss", "loss_se", "count"]
    assert found.left_out == ("seed",)
    np.testing.assert_allclose(found.points["loss"], [3.2, 2.1, 1.0])
    np.testing.assert_allclose(found.points["loss_se"], [0.2 / 3**0.5, 0.1, np.nan])
    np.testing.assert_array_equal(found.points["count"], [3, 2, 1])
    pooled = aggregate_seeds(runs, by="N", pooled=True).points["loss_se"]
    sd = np.sqrt((0.08 + 0.02) / 3)
    np.testing.assert_allclose(pooled, sd / np.sqrt([3, 2, 1]))
    with pytest.raises(lf.InputError, match="no setting of N, seed has two runs"):
        aggregate_seeds(runs, by=["N", "seed"], pooled=True)
    with pytest.raises(lf.InputError, match="the group is missing"):
        aggregate_seeds({**runs, "data": ["x", "", "x", "x", "x", "x"]}, by="data")


# --- pass@k ----------------------------------------------------------------------------------


@given(st.data())
def test_pass_at_k_is_the_ratio_of_binomials(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 300))
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = 1 - comb(n - c, k) / comb(n, k)
    assert pass_at_k(n, c, k) == pytest.approx(exact, rel=1e-10, abs=1e-15)


def test_pass_at_k_is_unbiased() -> None:
    """Over all outcomes of n trials its mean is 1 - (1 - p)**k."""
    n, k, p = 6, 3, 0.3
    outcomes = [sum(o) for o in itertools.product((0, 1), repeat=n)]
    chance = [p**c * (1 - p) ** (n - c) for c in outcomes]
    assert np.dot(chance, pass_at_k(n, outcomes, k)) == pytest.approx(1 - (1 - p) ** k)


def test_coverage() -> None:
    runs = {"model": ["a", "a", "b"], "samples": [10, 20, 10], "successes": [0, 5, 10]}
    found = coverage(runs, [1, 5], by="model").points
    np.testing.assert_allclose(
        found["coverage"], [0.125, (1 - comb(15, 5) / comb(20, 5)) / 2, 1.0, 1.0]
    )
    np.testing.assert_allclose(found["coverage_se"][:1], [0.125])
    np.testing.assert_array_equal(found["problems"], [2, 2, 1, 1])
    with pytest.raises(lf.InputError, match="row 1 has 10 samples, too few for k = 11"):
        coverage(runs, 11)
    with pytest.raises(lf.InputError, match="k = 'a' must be a whole number of at least 1"):
        coverage(runs, "all")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ((5, 6, 1), "successes must be no more than samples"),
        ((5, 1, 6), "k must be from 1"),
        ((5, 1.5, 1), "successes must be whole numbers"),
        (([1, 2], [1, 1, 1], 1), "must be numbers that match"),
    ],
)
def test_pass_at_k_mistakes(case: tuple[object, ...], message: str) -> None:
    with pytest.raises(lf.InputError, match=message):
        pass_at_k(*case)  # type: ignore[arg-type]


# --- schedules -------------------------------------------------------------------------------


def test_schedules() -> None:
    np.testing.assert_allclose(constant(5, 2.0, warmup=4), [0.5, 1.0, 1.5, 2.0, 2.0])
    half = 0.6 + 0.4 * np.cos(np.pi * np.arange(1, 5) / 4)
    np.testing.assert_allclose(cosine(4, 1.0, final=0.2), half)
    np.testing.assert_allclose(cosine(6, 1.0, warmup=2)[:2], [0.5, 1.0])
    np.testing.assert_allclose(wsd(6, 1.0, decay=2, warmup=2), [0.5, 1, 1, 1, 0.5, 0])
    np.testing.assert_allclose(
        wsd(5, 1.0, decay=4, final=0.0, shape="1-sqrt"), 1 - np.sqrt([0, 0.25, 0.5, 0.75, 1])
    )
    np.testing.assert_allclose(
        wsd(4, 1.0, decay=3, final=1e-3, shape="exponential"), [1, 0.1, 0.01, 0.001]
    )
    assert wsd(9, 1.0, decay=3, final=0.1, shape="cosine")[-1] == pytest.approx(0.1)
    for mistake, message in (
        (lambda: constant(2, 1.0, warmup=3), "warmup = 3 must be no more than steps = 2"),
        (lambda: constant(0, 1.0), "steps = 0"),
        (lambda: cosine(3, 0.0), "peak = 0.0 must be a number above 0"),
        (lambda: wsd(3, 1.0, decay=2, warmup=2), "warmup [+] decay = 4"),
        (lambda: wsd(3, 1.0, decay=2, shape="square"), "shape = 'square'"),
        (lambda: wsd(3, 1.0, decay=2, shape="exponential"), "final = 0.0 must be a number above 0"),
    ):
        with pytest.raises(lf.InputError, match=message):
            mistake()


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=15), st.floats(0.0, 0.99))
def test_annealing_areas_are_the_double_sum(rates: list[float], momentum: float) -> None:
    s_1, s_2 = annealing_areas(rates, momentum=momentum)
    np.testing.assert_allclose(s_1, np.cumsum(rates))
    for s in range(len(rates)):
        expected = sum(
            (rates[k - 1] - rates[k]) * momentum ** (i - k)
            for i in range(s + 1)
            for k in range(1, i + 1)
        )
        assert s_2[s] == pytest.approx(expected, abs=1e-9)


def test_areas_enter_a_fit() -> None:
    """The law of Tissue et al. is recovered from two curves that follow it."""
    truth = {"L_0": 2.6, "A": 0.43, "alpha": 0.55, "C": 0.41}
    rates = {
        "cosine": cosine(4000, 2e-3, final=2e-4, warmup=100),
        "wsd": wsd(4000, 2e-3, decay=800, warmup=100),
    }
    step = np.tile(np.arange(200, 4001, 50), 2)
    runs = with_areas(
        {"step": step, "schedule": np.repeat(["cosine", "wsd"], len(step) // 2)},
        rates,
        warmup=100,
    )
    law = lf.law("annealing")
    runs = runs.with_column("loss", law.predict(truth, runs))
    fit = lf.fit(law, runs, starts=20)
    for name, value in truth.items():
        assert fit.params[name] == pytest.approx(value, rel=1e-5)


def test_areas_mistakes() -> None:
    runs = {"step": [1, 4], "schedule": ["a", "b"]}
    with pytest.raises(lf.InputError, match="row 2: 4 is not a step of its schedule"):
        with_areas(runs, [1.0, 1.0, 0.5])
    with pytest.raises(lf.InputError, match="says \"b\", but rates are given for 'a' only"):
        with_areas(runs, {"a": [1.0]})
    with pytest.raises(lf.InputError, match="warmup = 1 must be less than the 1 steps"):
        annealing_areas([1.0], warmup=1)
    with pytest.raises(lf.InputError, match=r"momentum = 1\.0"):
        annealing_areas([1.0], momentum=1.0)
    with pytest.raises(lf.InputError, match="rates must be a line"):
        annealing_areas([-1.0])


# --- documentation ---------------------------------------------------------------------------


def test_examples_of_the_documentation_run() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reduction.md").read_text()
    code = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(code) == 7
    names: dict[str, object] = {}
    exec("\n".join(code), names)  # each block uses what those before it made
    best = names["best"]
    assert isinstance(best, lf.reduction.PowerLaw)
    assert best.b == pytest.approx(0.51, abs=0.03)
    assert isinstance(names["fit"], lf.Fit)
