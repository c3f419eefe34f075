"""`lawfit plan`: what it prints and writes, and its exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lawfit as lf
from lawfit.cli import run


def test_plan_of_a_fit_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20)
    fit.save(tmp_path / "fit.json")
    out = tmp_path / "plan.json"
    words = ["plan", str(tmp_path / "fit.json"), "--budget", "1e24", "--json", str(out)]
    assert run([*words, "--constraint", "D <= 1e12", "--cost", "6*N*D"]) == 0
    data = json.loads(out.read_text())
    want = lf.plan(fit, 1e24, constraints=["D <= 1e12"]).best
    assert data["best"] == pytest.approx(want, rel=1e-12)
    assert set(data["best"]) == {"N", "D", "loss", "cost"}
    assert data["constraints"] == ["D <= 1e12"]
    assert "limited by: cost <= budget, D <= 1e12" in capsys.readouterr().out


def test_plan_of_a_published_law(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    words = ["plan", "precision-weights", "--params", "kumar2024-integer", "--quiet"]
    words += ["--target-loss", "3.0", "--cost", "6*N*D*P_w/16", "--over", "P_w=4,8,16"]
    assert run([*words, "--over", "N=1e6:1e13", "--json", str(out), "--cells", "1e4"]) == 0
    data = json.loads(out.read_text())
    assert data["best"]["loss"] == pytest.approx(3.0, rel=1e-9)
    assert data["over"]["P_w"] == [4.0, 8.0, 16.0]
    assert data["over"]["N"] == [1e6, 1e13]


def test_intervals_and_a_line_of_budgets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = lf.datasets.load("simulated_chinchilla")
    runs = tmp_path / "runs.csv"
    rows = zip(*(data[n].tolist() for n in data), strict=True)
    runs.write_text("\n".join([",".join(data), *(",".join(map(str, r)) for r in rows)]))
    fit = lf.fit("chinchilla", runs, starts=20)
    fit.save(tmp_path / "fit.json")
    words = ["plan", str(tmp_path / "fit.json"), "--budget", "1e24", "--along", "1e22:1e24:3"]
    words += ["--runs", str(runs), "--bootstrap", "40", "--json", str(tmp_path / "out.json")]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "each planned again (32 searched anew, 0 of them better elsewhere)" in said
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["intervals"]["N"][0] < out["best"]["N"] < out["intervals"]["N"][1]
    assert out["along"]["budget"] == pytest.approx([1e22, 1e23, 1e24])
    assert out["along"]["N"][2] == pytest.approx(out["best"]["N"], rel=1e-9)


def test_a_table_of_shapes(tmp_path: Path) -> None:
    shapes, out = tmp_path / "shapes.csv", tmp_path / "out.json"
    shapes.write_text("n_layer,d_model\n12,768\n24,1024\n32,2048\n")
    words = ["plan", "chinchilla", "--params", "besiroglu2024", "--budget", "1e20", "--quiet"]
    words += ["--shapes", str(shapes), "--constraint", "N == 12*n_layer*d_model**2"]
    assert run([*words, "--json", str(out)]) == 0
    best = json.loads(out.read_text())["best"]
    assert (best["n_layer"], best["d_model"]) == (32, 2048)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chinchilla", "--budget", "1e20"], "params are needed"),
        (["chinchilla", "--params", "besiroglu2024"], "give either budget"),
        (["chinchilla", "--params", "besiroglu2024", "--budget", "x"], "is not a number"),
        (["chinchilla", "--params", "besiroglu2024", "--budget", "-1"], "must be above zero"),
        (["chinchilla", "--params", "besiroglu2024", "--target-loss", "1"], "cannot hold"),
        (["nowhere.json", "--budget", "1e20"], "No such file"),
        (["chinchilla", "--params", "besiroglu2024", "--budget", "1", "--over", "N"], "must look"),
        (
            ["chinchilla", "--params", "besiroglu2024", "--budget", "1", "--over", "N=1:2:3"],
            "must look",
        ),
        (["chinchilla", "--budget", "1e20", "--bootstrap", "9"], "intervals need a FIT.json"),
        (["chinchilla", "--budget", "1e20", "--along", "1e20:1e22"], "must look like --along"),
        (["chinchilla", "--budget", "1e20", "--along", "1e22:1e20:3"], "the first below the last"),
    ],
)
def test_wrong_input_is_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
