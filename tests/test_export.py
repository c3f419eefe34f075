"""Models for programs without Python: what is written, and that it means what the law means."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit import _core

EXAMPLE = Path(__file__).parents[1] / "examples" / "cpp" / "chinchilla.json"


def evaluate(model: dict[str, Any], runs: Any, params: dict[str, float]) -> np.ndarray:
    """Evaluate a model as its readers do."""
    program = _core.Program(**model["program"])
    columns = [runs[c["name"]] for c in model["columns"]]
    x = [
        math.log(params[p["name"]]) if p["log"] else params[p["name"]] for p in model["parameters"]
    ]
    z = program.values(columns, len(columns[0]), x)
    return {"log": np.exp, "linear": np.asarray, "logit": lambda v: 1 / (1 + np.exp(-v))}[
        model["residual"]
    ](z)


@pytest.mark.parametrize("residual", ["log", "linear"])
@pytest.mark.parametrize("name", ["chinchilla", "kaplan", "precision", "data-constrained"])
def test_models_predict_as_their_laws(name: str, residual: Any) -> None:
    law = lf.law(name)
    runs = law.simulate(50)
    model = json.loads(lf.export_model(law, residual=residual))
    params = law.coefficients()
    np.testing.assert_allclose(
        evaluate(model, runs, params), law.predict(params, runs), rtol=1e-11, atol=0
    )
    assert model["values"] is None
    assert [c["name"] for c in model["columns"]] == list(law.variables)


def test_a_fit_brings_its_settings(tmp_path: Path) -> None:
    runs = lf.datasets.load("simulated_chinchilla")
    fit = lf.fit(
        "E + A / N**alpha + B / D**beta",
        runs,
        loss=lf.Huber(1e-2),
        scale="fitted",
        fixed={"E": 1.8},
        bounds={"alpha": (0.0, 2.0)},
        starts=30,
    )
    text = lf.export_model(fit, tmp_path / "model.json")
    model = json.loads(text)
    assert json.loads((tmp_path / "model.json").read_text()) == model
    assert model["fit_scale"]
    assert model["loss"]["core"] == 1e-2
    assert model["loss"]["log_normaliser"] == fit.loss.log_normaliser()
    by_name = {p["name"]: p for p in model["parameters"]}
    assert by_name["E"]["bounds"] == by_name["E"]["start"] == [1.8, 1.8]
    assert by_name["alpha"]["bounds"] == [0.0, 2.0]
    assert by_name["A"]["log"]
    low, high = by_name["A"]["start"]
    assert low < fit.params["A"] < high
    assert model["values"] == [fit.params[p] for p in by_name]


def test_a_fit_from_a_file_can_be_exported(tmp_path: Path) -> None:
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20)
    fit.save(tmp_path / "fit.json")
    assert json.loads(lf.export_model(lf.load(tmp_path / "fit.json"))) == json.loads(
        lf.export_model(fit)
    )


def test_the_example_is_of_this_version() -> None:
    """The readers' example has the program that would be written today."""
    written = json.loads(EXAMPLE.read_text())
    today = json.loads(lf.export_model("chinchilla"))
    assert {**written, "values": None} == today


def test_columns_that_may_be_zero() -> None:
    law = lf.Law(
        "E + A * x",
        [lf.Parameter("E", start=(0, 1)), lf.Parameter("A", start=(0.1, 1))],
        [lf.Variable("x", span=(0, 5))],
    )
    model = json.loads(lf.export_model(law, residual="linear"))
    assert model["columns"] == [{"name": "x", "positive": False}]


def test_mistakes() -> None:
    with pytest.raises(lf.InputError, match="which names are columns"):
        lf.export_model("E + A / N**alpha")
    with pytest.raises(lf.InputError, match="parameter E has no range of starts"):
        lf.export_model("E + A / N**alpha", variables=["N"])
    with pytest.raises(lf.InputError, match="one E per family"):
        lf.export_model("E[family] + A / N**alpha", variables=["N"])
    fit = lf.fit(
        "chinchilla",
        lf.datasets.load("simulated_chinchilla"),
        tied=[("alpha", "beta")],
        starts=5,
    )
    with pytest.raises(lf.InputError, match="tied parameters cannot be exported"):
        lf.export_model(fit)
