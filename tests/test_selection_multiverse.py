"""The multiverse: universes are fits by hand, effects those of an analysis of variance."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf

POWER = "E + A / x**alpha"


def sample(outlier: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.geomspace(1e2, 1e6, 50)
    loss = (1.5 + 30 / x**0.4) * np.exp(0.005 * rng.normal(size=50))
    loss[10] *= outlier
    return {"x": x, "doubled": 2 * x, "loss": loss}


@pytest.fixture(scope="module")
def many() -> lf.Multiverse:
    return lf.multiverse(
        POWER, sample(1.3), quantity="alpha", loss=["squared", "absolute"],
        residual=["log", "linear"], where={"all": None, "large": "x > 1000"},
        outliers=["none", "residual:6"], starts=[20],
    )  # fmt: skip


def test_every_universe_is_a_fit_by_hand(many: lf.Multiverse) -> None:
    assert len(many.universes) == 16
    names = [tuple(u.choices.values()) for u in many.universes]
    assert names == list(itertools.product(*many.choices.values()))
    table = lf.Runs(sample(1.3))
    for u in many.universes:
        part = table if u.choices["where"] == "all" else table.where("x > 1000")
        options: dict[str, Any] = {
            "loss": u.choices["loss"], "residual": u.choices["residual"], "starts": 20,
        }  # fmt: skip
        fit = lf.fit(POWER, part, **options)
        if u.choices["outliers"] != "none":
            space = np.log if u.choices["residual"] == "log" else np.asarray
            r = space(fit.predict(part)) - space(part["loss"])
            off = np.abs(r - np.median(r))
            keep = off <= 6 * 1.482602218505602 * np.median(off)
            assert u.dropped == np.sum(~keep)
            fit = lf.fit(POWER, part.take(np.flatnonzero(keep)), **options)
        assert u.value == pytest.approx(fit.params["alpha"], rel=1e-6)
        assert u.fit is not None
        assert u.fit.nobs == fit.nobs
        used = fit._problem.runs  # type: ignore[union-attr]
        space = np.log if u.choices["residual"] == "log" else np.asarray
        r = space(fit.predict(used)) - space(used["loss"])
        assert u.inside.rows == fit.nobs
        assert u.inside.mae == pytest.approx(np.mean(np.abs(r)), rel=1e-5)
        assert u.inside.bias == pytest.approx(np.mean(r), abs=1e-7)
        are = np.mean(np.abs(fit.predict(used) / used["loss"] - 1))
        assert u.inside.are == pytest.approx(are, rel=1e-5)
    wanted = {"loss": "squared", "residual": "log", "where": "all", "outliers": "residual:6"}
    assert [u.dropped for u in many.universes if u.choices == wanted] == [1]


def test_effects_are_those_of_an_analysis_of_variance(many: lf.Multiverse) -> None:
    values = many.values.reshape(2, 2, 2, 2)
    total = np.sum((values - values.mean()) ** 2)
    effects = {e.choice: e for e in many.effects()}
    for axis, choice in enumerate(many.choices):
        means = values.mean(axis=tuple(k for k in range(4) if k != axis))
        assert list(effects[choice].means.values()) == pytest.approx(means)
        assert effects[choice].spread == pytest.approx(np.ptp(means))
        share = 8 * np.sum((means - values.mean()) ** 2) / total
        assert effects[choice].share == pytest.approx(share)
    assert sum(e.share for e in effects.values()) <= 1 + 1e-9
    spreads = [e.spread for e in many.effects()]
    assert spreads == sorted(spreads, reverse=True)
    assert many.most == many.effects()[0].choice
    assert many.range == (values.min(), values.max())


def test_table_and_text(many: lf.Multiverse) -> None:
    table = many.table()
    assert {len(column) for column in table.values()} == {16}
    assert list(table)[:5] == [*many.choices, "alpha"]
    assert table["alpha"] == many.values.tolist()
    text = str(many)
    assert text.startswith("alpha: ")
    assert "16 of 16 universes (all combinations)" in text
    assert all(f"  {choice}: moves it by" in text for choice in many.choices)


def test_few_universes_are_listed(many: lf.Multiverse) -> None:
    listed = many.universes * 3 + many.universes[:2]
    assert "status" in str(replace(many, universes=listed))  # 50
    assert "status" not in str(replace(many, universes=(*listed, many.universes[0])))


def test_the_number_of_combinations_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("lawfit.selection.multiverse"), "MOST", 2)
    options: dict[str, Any] = {"quantity": "alpha", "starts": [5], "loss": ["squared"]}
    found = lf.multiverse(POWER, sample(), residual=["log", "linear"], **options)
    assert len(found.universes) == 2
    with pytest.raises(lf.InputError, match="3 combinations are more than 2"):
        lf.multiverse(POWER, sample(), residual=["log", "linear", "logit"], **options)


def test_all_universes_have_one_seed() -> None:
    found = lf.multiverse(
        POWER, sample(), quantity="alpha", loss=["squared", "absolute"], starts=[5],
        rng=np.random.default_rng(2),
    )  # fmt: skip
    assert len({u.fit.seed for u in found.universes if u.fit}) == 1


def test_outliers_are_measured_in_robust_standard_deviations() -> None:
    """Of many normal residuals 4.55 % lie beyond two."""
    rng = np.random.default_rng(5)
    x = np.geomspace(1e2, 1e6, 4000)
    table = {"x": x, "loss": 3 / x**0.1 * np.exp(0.05 * rng.normal(size=4000))}
    options: dict[str, Any] = {"quantity": "p", "loss": ["squared"], "starts": [3]}
    found = lf.multiverse("A / x**p", table, outliers=["residual:2"], **options)
    assert found.universes[0].dropped / 4000 == pytest.approx(0.0455, abs=0.007)


def test_one_choice_at_a_time(many: lf.Multiverse) -> None:
    one = lf.multiverse(
        POWER, sample(1.3), quantity="alpha", loss=["squared", "absolute"],
        residual=["log", "linear"], where={"all": None, "large": "x > 1000"},
        outliers=["none", "residual:6"], starts=[20], product=False,
    )  # fmt: skip
    assert len(one.universes) == 5
    by_choices = {tuple(u.choices.values()): u.value for u in many.universes}
    for u in one.universes:
        assert u.value == by_choices[tuple(u.choices.values())]
    first = one.universes[0]
    for e in one.effects():
        changed = next(u for u in one.universes if u.choices[e.choice] != first.choices[e.choice])
        assert list(e.means.values()) == [first.value, changed.value]
        assert e.spread == pytest.approx(abs(first.value - changed.value))
    assert sum(e.share for e in one.effects()) == pytest.approx(1.0)


def test_conventions_laws_and_recipes_are_choices() -> None:
    found = lf.multiverse(
        {"floor": POWER, "none": "A / x**alpha"}, sample(), quantity=lambda fit: fit.params["A"],
        derive={"x": None, "2x": {"x": "doubled"}}, starts={"ten": 10, "five": 5},
    )  # fmt: skip
    assert list(found.choices) == ["law", "derive", "starts"]
    table = found.table()
    for law in ("floor", "none"):
        value = {
            d: v for n, d, v in zip(table["law"], table["derive"], table["<lambda>"]) if n == law
        }
        alpha = next(
            u.fit.params["alpha"] for u in found.universes if u.choices["law"] == law and u.fit
        )
        assert value["2x"] / value["x"] == pytest.approx(2**alpha, rel=1e-5)
    assert found.effects()[-1].choice == "starts"
    assert found.effects()[-1].spread == pytest.approx(0.0, abs=1e-5)
    runs = lf.datasets.load("simulated_chinchilla")
    recipes = lf.multiverse("chinchilla", runs, protocol=["none", "besiroglu2024"])
    scales = [u.fit.scale_setting for u in recipes.universes if u.fit]
    assert scales == ["fixed", "fitted"]
    assert recipes.quantity == "beta / (alpha + beta)"


def test_trimming_leaves_out_the_largest_residuals() -> None:
    found = lf.multiverse(
        POWER, sample(1.3), quantity="alpha", outliers=["none", "trim:0.1"], loss=["squared"],
        starts=[20],
    )  # fmt: skip
    assert [u.dropped for u in found.universes] == [0, 5]
    assert list(found.choices) == ["outliers"]
    exact = {"x": np.arange(1.0, 9.0), "loss": 1 + 2 * np.arange(1.0, 9.0)}
    found = lf.multiverse("a + b * x", exact, quantity="b", outliers=["residual:3"],
                          residual=["linear"], loss=["squared"])  # fmt: skip
    assert found.universes[0].value == pytest.approx(2.0)
    assert found.universes[0].fit is not None


def test_weights_go_with_the_rows_that_stay() -> None:
    weights = np.linspace(1, 2, 50)
    found = lf.multiverse(POWER, sample(1.3), quantity="alpha", outliers=["trim:0.1"],
                          loss=["squared"], weights=weights, starts=[20])  # fmt: skip
    first = lf.fit(POWER, sample(1.3), loss="squared", weights=weights, starts=20)
    off = np.abs(np.log(first.predict(sample(1.3))) - np.log(sample(1.3)["loss"]))
    keep = np.sort(np.argsort(-off, kind="stable")[5:])
    by_hand = lf.fit(POWER, lf.Runs(sample(1.3)).take(keep), loss="squared",
                     weights=weights[keep], starts=20)  # fmt: skip
    assert found.universes[0].value == pytest.approx(by_hand.params["alpha"], rel=1e-6)


def test_a_universe_without_a_value_says_why() -> None:
    found = lf.multiverse(
        {"power": POWER, "other": "E + A / x**b"}, sample(), quantity="alpha",
        where={"all": None, "two": "x > 8e5", "nothing": "x > 1e9"}, starts=[10],
    )  # fmt: skip
    reasons = {tuple(u.choices.values()): u.reason for u in found.universes}
    assert reasons["power", "all"] == ""
    assert "'alpha' is not a parameter" in reasons["other", "all"]
    assert "keeps none" in reasons["power", "nothing"]
    assert "3 free parameters" in reasons["power", "two"]
    assert np.isfinite(found.values).sum() == 1
    assert "1 of 6 universes" in str(found)
    assert [e.share for e in found.effects()] == [0.0, 0.0]
    assert math.isnan(found.universes[1].inside.are)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"outliers": ["far"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"outliers": ["trim:2"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"outliers": ["trim:0"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"outliers": ["trim:1"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"outliers": ["residual:0"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"outliers": ["none:1"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"outliers": ["residual:x"]}, "'none', 'residual:3' or 'trim:0.05'"),
    ({"delta": ["small"]}, "delta = 'small'"),
    ({"delta": 0.1}, "must be a list"),
    ({"loss": "squared"}, "must be a list"),
    ({"loss": ["cubic"]}, "no loss 'cubic'"),
    ({"residual": ["cubic"]}, "residual: 'cubic'"),
    ({"scale": ["free"]}, "scale: 'free'"),
    ({"protocol": ["mine"]}, "no protocol 'mine'"),
    ({"protocol": ["hoffmann2022"], "delta": [0.1]}, "give one of them"),
    ({"quantity": "gamma"}, "'gamma' is not a parameter"),
    ({"delta": np.geomspace(1e-4, 1, 200), "residual": ["log", "linear"],
      "starts": list(range(1, 101))}, "40,000 combinations"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "words"), BAD, ids=[words for _, words in BAD])
def test_bad_requests_are_answered(options: dict[str, Any], words: str) -> None:
    with pytest.raises(lf.InputError, match=words):
        lf.multiverse(POWER, sample(), **{"quantity": "alpha", **options})


def test_nothing_fits() -> None:
    with pytest.raises(lf.FitError, match="no universe has a value"):
        lf.multiverse(POWER, sample(), quantity="alpha", where=["x > 1e9"])


def test_real_runs_the_five_outliers_matter_most(chinchilla_csv: Path) -> None:
    found = lf.multiverse(
        "chinchilla", chinchilla_csv.with_name("chinchilla_svg_245.csv"), delta=[1e-3, 1e-2],
        residual=["log", "linear"], where={"245": None, "240": "outlier == 0"},
    )  # fmt: skip
    assert found.most == "where"
    published = next(u for u in found.universes if list(u.choices.values()) == [
        "huber:0.001", "log", "240"])  # fmt: skip
    assert published.value == pytest.approx(0.36717 / (0.36717 + 0.34731), abs=2e-4)
