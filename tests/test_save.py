"""Results that last: what is saved comes back to the bit; hostile files are refused."""

from __future__ import annotations

import copy
import json
import math
import pickle
import struct
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit.saving import Entries, from_number, read_json, to_number
from lawfit.uncertainty.bootstrap import Bootstrap

NUMBERS = st.floats(width=64)  # with -0.0, infinities and nan
NAMES = st.sampled_from(["E", "A", "alpha", "E[wiki]", "inf", "nan", "é"])
COUNTS = st.integers(0, 2**70)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def bits(value: Any) -> Any:
    """Return what compares equal only where every bit and type of a number does."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, dict):
        return {k: bits(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [bits(v) for v in value]
    if isinstance(value, np.ndarray):
        return bits(value.tolist())
    return value


def contents(result: Any) -> dict[str, Any]:
    return {
        f.name: bits(vars(v) if isinstance(v := getattr(result, f.name), lf.Starts) else v)
        for f in fields(result)
        if f.compare
    }


STARTS = ("n", "hits", "basins", "joined", "checked", "refuted", "repeated", "hits_repeated")


@st.composite
def fits(draw: st.DrawFn, fit: lf.Fit) -> lf.Fit:
    numbers = st.dictionaries(NAMES, NUMBERS, min_size=1, max_size=4)
    params = draw(numbers)
    names = st.lists(st.sampled_from(sorted(params)), unique=True).map(tuple)
    ordered = st.tuples(NUMBERS, NUMBERS)
    return replace(
        fit,
        params=params,
        scale=draw(st.none() | NUMBERS),
        objective=draw(NUMBERS),
        success=draw(st.booleans()),
        message=draw(TEXTS),
        nobs=draw(COUNTS),
        omitted=tuple(draw(st.lists(TEXTS, max_size=3))),
        evaluations=draw(COUNTS),
        seconds=draw(NUMBERS),
        starts=lf.Starts(
            **{name: draw(COUNTS) for name in STARTS},
            missed=draw(NUMBERS),
            table=tuple(draw(st.lists(st.tuples(NUMBERS, COUNTS), max_size=3))),
        ),
        seed=draw(st.integers(0, 2**64 - 1)),
        target=draw(TEXTS),
        residual=draw(st.sampled_from(["log", "linear", "logit"])),
        loss=draw(st.sampled_from([
            lf.Squared(), lf.Huber(0.1 + 0.2, 2.0), lf.Absolute(), lf.Cauchy(3.0),
            lf.LogCosh(1e-90), lf.Quantile(0.1),
        ])),
        scale_setting=draw(st.sampled_from(["fixed", "fitted"])),
        free=draw(names),
        at_bound=draw(names),
        fixed=draw(numbers),
        tied=draw(st.sampled_from([(), (("A", "B"),), (("A", "B"), ("alpha", "beta"))])),
        bounds=draw(st.dictionaries(NAMES, ordered, max_size=3)),
        source=draw(TEXTS),
        penalties=draw(st.dictionaries(
            NAMES, st.tuples(NAMES | st.floats(-1e300, 1e300), st.floats(1e-300, 1e300)), max_size=3
        )),
        censored=draw(COUNTS),
        spans=draw(st.dictionaries(NAMES, ordered, max_size=3)),
    )  # fmt: skip


@settings(max_examples=20)
@given(data=st.data())
def test_a_fit_comes_back_to_the_bit(free_fit: lf.Fit, data: st.DataObject) -> None:
    fit = data.draw(fits(free_fit))
    text = json.dumps(fit.to_dict(), allow_nan=False)
    assert contents(lf.Fit.from_dict(json.loads(text))) == contents(fit)
    assert contents(pickle.loads(pickle.dumps(fit))) == contents(fit)


def test_a_file_holds_all_but_the_table(free_fit: lf.Fit, runs: lf.Runs, tmp_path: Path) -> None:
    free_fit.save(tmp_path / "fit.json")
    loaded = lf.load(tmp_path / "fit.json")
    assert loaded == free_fit
    assert loaded.law == free_fit.law
    assert loaded.law.source.arxiv
    assert loaded.law.published == free_fit.law.published
    assert loaded.spans == {n: (runs[n].min(), runs[n].max()) for n in ("N", "D")}
    over = {"N": (1e5, 1e14), "D": (1e6, 1e15)}
    warned = [lf.plan(fit, budget=1e27, cost="6*N*D", over=over) for fit in (free_fit, loaded)]
    assert warned[0].warnings == warned[1].warnings
    assert any("times the largest of the fitted runs" in w for w in warned[1].warnings)


@pytest.mark.parametrize("name", lf.laws())
def test_laws_come_back(name: str) -> None:
    law = lf.law(name)
    again = lf.Law.from_dict(json.loads(json.dumps(law.to_dict(), allow_nan=False)))
    assert again == law


def test_the_first_format_is_still_read(free_fit: lf.Fit, runs: lf.Runs) -> None:
    old = free_fit.to_dict() | {"format": 1}
    for later in ("holds", "spans", "penalties", "censored"):
        del old[later]
    old["params"] = {**old["params"], "A": None}
    definition = old["definition"]
    for later in ("source", "published", "notes", "verified", "protocol", "example"):
        del definition[later]
    for parameter in definition["parameters"]:
        del parameter["description"]
    definition["variables"] = [v["name"] for v in definition["variables"]]
    loaded = lf.Fit.from_dict(json.loads(json.dumps(old)))
    assert math.isnan(loaded.params["A"])
    assert loaded.spans == {}
    params = {**loaded.params, "A": free_fit.params["A"]}
    np.testing.assert_array_equal(
        replace(loaded, params=params).predict(runs), free_fit.predict(runs)
    )


def test_a_pickle_keeps_the_table(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, starts=8, weights=np.linspace(0.5, 1.0, runs.n))
    again = pickle.loads(pickle.dumps(fit))
    assert again == fit
    np.testing.assert_array_equal(again.bootstrap(5).objective, fit.bootstrap(5).objective)
    assert again.intervals() == fit.intervals()
    grouped = {"x": np.tile(np.geomspace(1, 100, 8), 2), "g": ["a"] * 8 + ["b"] * 8}
    grouped["loss"] = 2 + 3 / grouped["x"] ** 0.5 + np.repeat([0.0, 0.5], 8)
    fit = lf.fit("E[g] + A / x**alpha", grouped, starts=8, tied=[("E[a]", "E[b]")])
    again = copy.deepcopy(fit)
    assert again.standard_errors() == fit.standard_errors()


def test_statsmodels_names(free_fit: lf.Fit) -> None:
    assert free_fit.bse == free_fit.standard_errors()
    assert free_fit.conf_int(0.1) == free_fit.intervals(0.9)
    assert free_fit.conf_int(method="t") == free_fit.intervals(0.95, "t")


# --- draws -----------------------------------------------------------------------------------


def test_draws_come_back(free_fit: lf.Fit, tmp_path: Path) -> None:
    path = tmp_path / "draws.json"
    boot = free_fit.bootstrap(20, "residual")
    boot.intervals(method="bca")  # makes the jackknife
    boot.draws["A"][:3] = [math.nan, math.inf, -0.0]
    boot.save(path)
    loaded = Bootstrap.load(path)
    assert contents(loaded) == contents(boot)
    for method in ("percentile", "basic", "bca"):
        assert loaded.intervals(0.9, method)["alpha"] == boot.intervals(0.9, method)["alpha"]
    np.testing.assert_array_equal(loaded.of("beta / alpha"), boot.of("beta / alpha"))
    with pytest.raises(lf.InputError, match="a file of draws does not hold it"):
        replace(loaded, _jackknife={}).intervals(method="bca")
    with pytest.raises(lf.InputError, match="holds a 'bootstrap', not a fit"):
        lf.load(path)
    free_fit.save(path)
    with pytest.raises(lf.InputError, match="holds a 'fit', not a bootstrap"):
        Bootstrap.load(path)


# --- hostile files ---------------------------------------------------------------------------


def change(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(data: dict[str, Any]) -> None:
        *path, last = place.split(".")
        for name in path:
            data = data[name]
        data[last] = value

    return apply


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        ("params", [1], "params: expected an object, found [1]"),
        ("params.E", "1.8", "params.E: expected a number, found '1.8'"),
        ("params.E", True, "params.E: expected a number"),
        ("params.E", None, "params.E: expected a number"),
        ("params.E", 10**400, "params.E: expected a number"),
        ("format", "2", "format: expected an integer"),
        ("format", 3, "format 3; this lawfit reads up to 2"),
        ("format", 0, "format 0"),
        ("holds", "plan", "holds a 'plan', not a fit"),
        ("nobs", -1, "nobs: expected an integer of 0 or more"),
        ("nobs", 2.5, "nobs: expected an integer"),
        ("success", 1, "success: expected true or false"),
        ("message", ["x"], "message: expected a text"),
        ("omitted", "all", "omitted: expected a list"),
        ("free", ["nothing"], "free: 'nothing' has no value in params"),
        ("tied", [["A", 3]], "tied: expected a text"),
        ("bounds", {"A": [1]}, "bounds.A: expected a list of 2"),
        ("bounds", {"A": ["x", None]}, "lower bound: expected a number"),
        ("residual", "cubic", "residual: 'cubic' must be one of"),
        ("loss", {"kind": "eval"}, "there is no loss 'eval'"),
        ("loss", {"kind": ["huber"]}, "not a saved fit"),
        ("loss", {"kind": "huber", "delta": "big"}, "delta = 'big'"),
        ("loss", {"kind": "huber", "code": 1}, "not a saved fit"),
        ("starts", None, "starts: expected an object"),
        ("starts.table", [[1.0]], "not a saved fit"),
        ("definition.formula", "__import__('os').system('x')", "not a saved fit"),
        ("definition.formula", "E" + "+E" * 100_000, "not a saved fit"),
        ("definition.formula", "(" * 5000 + "E" + ")" * 5000, "not a saved fit"),
        ("definition.formula", 7, "law.formula: expected a text"),
        ("definition.parameters", [{"name": "zeta"}], "there is no entry 'transform'"),
        ("definition.variables", [["N"]], "variable: expected an object"),
        ("definition.source", "a paper", "law.source: expected an object"),
        ("definition.published", [{"name": "x"}], "law.published[0]: there is no entry 'params'"),
        ("penalties", {"A": [1.0, []]}, "penalties.A: expected a number"),
    ],
)  # fmt: skip
def test_files_of_the_wrong_types(
    free_fit: lf.Fit, tmp_path: Path, place: str, value: Any, text: str
) -> None:
    data = json.loads(json.dumps(free_fit.to_dict()))
    change(place, value)(data)
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(data))
    with pytest.raises(lf.InputError) as caught:
        lf.load(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000 or "formula" in place


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=80)
@given(data=st.data())
def test_any_entry_of_any_type_is_taken_or_refused(free_fit: lf.Fit, data: st.DataObject) -> None:
    saved = free_fit.to_dict()
    place = data.draw(
        st.sampled_from([*saved, *(f"{o}.{n}" for o in ("starts", "definition") for n in saved[o])])
    )
    changed = copy.deepcopy(saved)
    change(place, data.draw(JSON))(changed)
    try:
        fit = lf.Fit.from_dict(changed)
    except lf.InputError:
        return
    fit.summary()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        '{"format": ' + "9" * 10_000 + "}",
        '{"format": NaN}',
        '{"format": 1e999}',
        "\ufeff{}",
        "nul",
    ],
    ids=range(7),
)
def test_texts_that_are_not_a_fit(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fit.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(lf.InputError, match="not a saved fit"):
        lf.load(path)
    with pytest.raises(lf.InputError, match="not a saved bootstrap"):
        Bootstrap.load(path)


def test_files_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit.json"
    path.write_text("{}" + " " * 100)
    with pytest.raises(lf.InputError, match=r"Is a directory|Permission denied"):
        read_json(tmp_path, "fit")
    monkeypatch.setattr("lawfit.saving.MOST_BYTES", 100)
    with pytest.raises(lf.InputError, match="it has 102 bytes"):
        read_json(path, "fit")


@given(value=NUMBERS)
def test_numbers(value: float) -> None:
    again = to_number(json.loads(json.dumps(from_number(value), allow_nan=False)), "here")
    assert bits(again) == bits(value)


def test_entries_name_their_place() -> None:
    entries = Entries({"a": {"b": [1, "x"]}})
    with pytest.raises(lf.InputError, match=r"a\.b: expected a number, found 'x'"):
        entries.columns("a")
