"""Many small fits in one call: the same as one by one, for any threads; failures are rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lawfit as lf

from .waves import WAVE, waves

LAW = "E + A/N**alpha"
GROUPS, ROWS = 40, 8
RNG = np.random.default_rng(1)
GROUP = np.repeat(np.arange(GROUPS), ROWS)
N = np.tile(np.geomspace(1e7, 1e10, ROWS), GROUPS)
TRUTH = {
    "E": RNG.uniform(1, 3, GROUPS),
    "A": 10 ** RNG.uniform(2, 3, GROUPS),
    "alpha": RNG.uniform(0.3, 0.5, GROUPS),
}
EXACT = TRUTH["E"][GROUP] + TRUTH["A"][GROUP] * N ** -TRUTH["alpha"][GROUP]
NOISY = EXACT * np.exp(0.002 * RNG.normal(size=len(N)))
SHUFFLE = RNG.permutation(len(N))


def table(loss: Any) -> dict[str, Any]:
    return {"run": GROUP[SHUFFLE], "N": N[SHUFFLE], "loss": loss[SHUFFLE]}


def test_exact_data_give_the_truth() -> None:
    found = lf.fit_many(LAW, table(EXACT), by="run")
    assert list(found) == [
        "run", "E", "A", "alpha", "objective", "nobs", "starts", "hits", "success", "status",
    ]  # fmt: skip
    np.testing.assert_array_equal(found["run"], np.arange(GROUPS))
    np.testing.assert_array_equal(found["success"], 1)
    np.testing.assert_array_equal(found["nobs"], ROWS)
    for name, values in TRUTH.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "squared", "residual": "linear"},
        {"loss": lf.Cauchy(0.01)},
        {"fixed": {"E": 1.0}},
        {"bounds": {"alpha": (0.35, 0.4)}},
        {"tied": [("E", "A")]},
        {"weights": "w"},
        {"sigma": "w"},
    ],
)
def test_the_same_as_one_by_one(settings: Any) -> None:
    data = table(NOISY) | {"w": RNG.uniform(0.5, 2, len(N))}
    found = lf.fit_many(LAW, data, by="run", starts=12, **settings)
    for k in range(0, GROUPS, 8):
        rows = data["run"] == k
        own = {name: column[rows] for name, column in data.items()}
        one = lf.fit(LAW, own, starts=50, **settings)
        assert found["objective"][k] == pytest.approx(one.objective, rel=1e-6)
        if "tied" in settings:  # a poor fit with a flat valley
            assert found["E"][k] == found["A"][k]
            continue
        for name, value in one.params.items():
            assert found[name][k] == pytest.approx(value, rel=5e-3)
        assert found["hits"][k] >= 1
        assert found["starts"][k] == 12


def test_bits_do_not_depend_on_threads_or_company() -> None:
    one = lf.fit_many(LAW, table(NOISY), by="run", threads=1)
    two = lf.fit_many(LAW, table(NOISY), by="run", threads=2)
    assert one == two
    points = {"E": [1.0, 2.0], "A": [50.0, 500.0], "alpha": [0.2, 0.5]}
    all_of_them = lf.fit_many(LAW, table(NOISY), by="run", starts=points)
    few = lf.fit_many(LAW, table(NOISY), by="run", starts=points, where="run < 5")
    for name in ("E", "A", "alpha", "objective"):
        np.testing.assert_array_equal(few[name], all_of_them[name][:5])


@pytest.mark.parametrize("noise", [0.25, 0.0])
def test_starts_are_counted_as_when_all_are_followed(noise: float) -> None:
    """Also where a start that was counted to one end is found to go to another."""
    data, starts = waves(noise)
    starts = {n: np.roll(v, -2) for n, v in starts.items()}
    options: Any = {"target": "y", "loss": "squared", "starts": starts}
    found = lf.fit_many(WAVE, data, by="run", where="run > 15 and run < 30", **options)
    for k, run in enumerate(found["run"]):
        own = {n: c[data["run"] == run] for n, c in data.items()}
        one = lf.fit(WAVE, own, early_stop=False, **options)
        assert found["objective"][k] == pytest.approx(one.objective, rel=1e-6, abs=1e-20)
        assert (found["hits"][k], found["starts"][k]) == (one.starts.hits, 60)


def test_starts_that_a_wrong_claim_led_astray_are_counted_anew() -> None:
    data, starts = waves(0.1)
    starts = {n: np.roll(v, k - 28) for k, (n, v) in enumerate(starts.items())}
    options: Any = {"target": "y", "loss": "squared", "starts": starts}
    found = lf.fit_many(WAVE, data, by="run", where="run == 7", **options)
    own = {n: c[data["run"] == 7] for n, c in data.items()}
    assert found["hits"][0] == lf.fit(WAVE, own, early_stop=False, **options).starts.hits


def test_ends_that_differ_by_less_than_a_hundredth_are_told_apart() -> None:
    """In noise alone every frequency explains a little, and about as much as the next."""
    rng = np.random.default_rng(2)
    x = np.linspace(0.0, 6.0, 400)
    noise = {"run": np.repeat([0, 1], 400), "x": np.tile(x, 2)}
    noise["y"] = np.exp(rng.normal(0.0, 0.25, 800))
    starts = waves(0.0)[1]
    options: Any = {"target": "y", "loss": "squared", "starts": starts}
    found = lf.fit_many(WAVE, noise, by="run", **options)
    for k in range(2):
        own = {n: c[noise["run"] == k] for n, c in noise.items()}
        early, full = (lf.fit(WAVE, own, early_stop=e, **options).starts for e in (True, False))
        (least, hits), *others = full.table
        assert any(other < 1.01 * least for other, _ in others)
        assert found["hits"][k] == early.hits == hits < 30
        assert early.basins == full.basins


def test_starts_that_cannot_be_evaluated_are_no_hits() -> None:
    data, _ = waves(0.25)
    options: Any = {"by": "run", "target": "y", "residual": "linear", "where": "run < 3"}
    bad = {"a": [800.0, 800.0], "b": [0.1, 0.1], "w": [2.0, 2.0]}
    found = lf.fit_many(WAVE, data, starts=bad, **options)
    np.testing.assert_array_equal(found["hits"], 0)
    np.testing.assert_array_equal(found["success"], 0)
    one_good = {"a": [800.0, 0.0, 800.0], "b": [0.1, 0.3, 0.1], "w": [2.0, 2.0, 2.0]}
    found = lf.fit_many(WAVE, data, starts=one_good, **options)
    np.testing.assert_array_equal(found["hits"], 1)
    np.testing.assert_array_equal(found["success"], 1)


def test_a_table_is_done_when_four_starts_agree() -> None:
    found = lf.fit_many(LAW, table(NOISY), by="run")
    np.testing.assert_array_equal(found["hits"], 4)
    np.testing.assert_array_equal(found["starts"], 4)  # drawn ones all arrive


def test_drawn_starts_cover_their_ranges() -> None:
    data, _ = waves(0.1)
    data["y"] *= np.exp(0.3 * (np.sin(40 * data["x"]) - np.sin(2 * data["x"])))
    wide = lf.Parameter("w", transform="identity", start=(0.5, 60.0))
    law = lf.Law(WAVE.formula, parameters=[*WAVE.parameters[:2], wide])
    options: Any = {"target": "y", "loss": "squared", "starts": 100, "where": "run < 6"}
    found = lf.fit_many(law, data, by="run", **options)
    np.testing.assert_allclose(found["w"], 40.0, atol=0.1)


def test_a_fit_that_fails_is_a_row() -> None:
    data = table(NOISY)
    loss = data["loss"].copy()
    of = {k: np.flatnonzero(data["run"] == k) for k in range(GROUPS)}
    loss[of[3][2]] = np.nan
    loss[of[5][1]] = -1.0
    keep = np.ones(len(loss), dtype=bool)
    keep[of[7][2:]] = False
    data = {name: column[keep] for name, column in (data | {"loss": loss}).items()}
    found = lf.fit_many(LAW, data, by="run")
    status = dict(zip(found["run"], found["status"]))
    assert (status[3], status[5], status[7]) == ("missing_value", "bad_target", "too_few_rows")
    assert np.isnan(found["E"][[3, 5, 7]]).all()
    assert found["success"].sum() == GROUPS - 3
    omitting = lf.fit_many(LAW, data, by="run", missing="omit")
    assert omitting["nobs"][3] == ROWS - 1
    assert omitting["success"][3] == 1
    others = lf.fit_many(LAW, table(NOISY), by="run", starts=10)
    again = lf.fit_many(LAW, data, by="run", starts=10)
    np.testing.assert_allclose(again["E"][8:], others["E"][8:], rtol=1e-6)


def test_a_weight_may_be_zero_and_a_sigma_may_not() -> None:
    data = table(NOISY)
    data["one"] = np.ones(len(data["loss"]))
    data["one"][np.flatnonzero(data["run"] == 0)[0]] = 0.0
    for kind, status in (("weights", "converged"), ("sigma", "bad_weight")):
        found = lf.fit_many(LAW, data, by="run", **{kind: "one"})  # type: ignore[arg-type]
        assert found["status"].tolist() == [status] + ["converged"] * (GROUPS - 1)


def test_nothing_may_be_free() -> None:
    fixed = {"E": 1.5, "A": 100.0, "alpha": 0.3}
    found = lf.fit_many(LAW, table(NOISY), by="run", fixed=fixed)
    own = {n: c[GROUP[SHUFFLE] == 3] for n, c in table(NOISY).items()}
    one = lf.fit(LAW, own, fixed=fixed)
    assert found["objective"][3] == pytest.approx(one.objective, rel=1e-12)


def test_every_fit_may_fail() -> None:
    found = lf.fit_many(LAW, {"g": [1, 2], "N": [1e7, 1e8], "loss": [3.0, 2.0]}, by="g")
    np.testing.assert_array_equal(found["status"], "too_few_rows")


def test_several_keys() -> None:
    data = table(NOISY) | {"family": np.array(["b", "a"])[GROUP[SHUFFLE] % 2]}
    found = lf.fit_many(LAW, data, by=["family", "run"])
    single = lf.fit_many(LAW, data, by="run")
    assert found["family"][0] == "a"
    order = np.concatenate([np.arange(1, GROUPS, 2), np.arange(0, GROUPS, 2)])
    np.testing.assert_array_equal(found["run"], order)
    np.testing.assert_allclose(found["objective"], single["objective"][order], rtol=1e-6)


def test_tables_and_targets() -> None:
    data = table(NOISY)
    parts = {f"run {k}": {n: c[data["run"] == k] for n, c in data.items()} for k in (0, 4, 2)}
    found = lf.fit_many(LAW, tables=parts)
    assert list(found["table"]) == ["run 0", "run 4", "run 2"]
    whole = lf.fit_many(LAW, data, by="run")
    np.testing.assert_allclose(found["alpha"], whole["alpha"][[0, 4, 2]], rtol=1e-4)
    numbered = lf.fit_many(LAW, tables=list(parts.values()))
    assert list(numbered["table"]) == [1, 2, 3]
    both = data | {"other": 2 * data["loss"]}
    found = lf.fit_many(LAW, both, by="run", targets=["loss", "other"])
    assert list(found["target"]) == ["loss"] * GROUPS + ["other"] * GROUPS
    np.testing.assert_allclose(found["E"][GROUPS:], 2 * found["E"][:GROUPS], rtol=1e-4)
    alone = lf.fit_many(LAW, parts["run 4"], targets=["loss"])
    assert alone["alpha"][0] == pytest.approx(whole["alpha"][4], rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "by=, tables= or targets="),
        ({"by": "colour"}, "colour"),
        ({"by": "run", "targets": []}, "at least one column"),
        ({"by": "run", "starts": 0}, "at least one start"),
        ({"by": "run", "missing": "hide"}, "missing"),
        ({"by": "run", "residual": "square"}, "residual"),
        ({"by": "run", "fixed": {"gamma": 1.0}}, "gamma"),
        ({"by": "run", "weights": "N", "sigma": "N"}, "not both"),
        ({"by": "run", "law": "E[run] + A/N**alpha"}, "by group"),
        ({"by": "run", "target": "loss", "targets": ["loss"]}, "not both"),
        ({"tables": {}, "runs": None}, "at least one"),
        ({"runs": None}, "runs or tables|by="),
    ],
)
def test_refused_requests(settings: Any, message: str) -> None:
    with pytest.raises(lf.InputError, match=message):
        lf.fit_many(**({"law": LAW, "runs": table(NOISY)} | settings))
