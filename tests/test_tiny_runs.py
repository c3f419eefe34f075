"""The table of trained runs that ships with lawfit: complete, plausible, and as its card says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import lawfit as lf
from lawfit.demo import BUDGETS, COST, demonstrate, format_demonstration

CARD = Path(__file__).parents[1] / "docs" / "tiny_runs.md"
BITS = (2, 3, 4, 6, 8, 32)


@pytest.fixture(scope="module")
def runs() -> lf.Runs:
    return lf.datasets.load("tiny_runs")


@pytest.fixture(scope="module")
def grid(runs: lf.Runs) -> lf.Runs:
    return runs.where("kind == 'grid'")


def test_size(runs: lf.Runs, grid: lf.Runs) -> None:
    assert runs.n >= 200
    assert len(np.unique(grid["N"])) == 6
    assert grid["N"].min() < 1.3e4
    assert grid["N"].max() > 9.9e5
    assert len(np.unique(grid["D"])) >= 6
    assert set(grid["P_w"]) == set(BITS)
    assert {str(kind) for kind in runs["kind"]} == {"grid", "seeds", "activations", "repeated"}


def test_columns_agree_with_each_other(runs: lf.Runs) -> None:
    assert (runs["D"] == runs["batch"] * runs["steps"]).all()
    assert (runs["N"] == 12 * runs["width"] ** 2).all()
    assert (runs["N_total"] > runs["N"]).all()
    assert (runs["U"] <= runs["D"]).all()
    kinds = runs["kind"].astype(str)
    assert ((runs["U"] < runs["D"]) == (kinds == "repeated")).all()
    assert ((runs["P_a"] < 32) == (kinds == "activations")).all()
    rate = 9.5e-3 * (runs["N"] / 1e5) ** -0.44
    np.testing.assert_allclose(runs["rate"], rate, rtol=1e-5)
    assert (runs["loss_se"] > 0).all()
    assert (runs["seconds"] > 0).all()


def test_no_run_is_there_twice(runs: lf.Runs) -> None:
    names = ("N", "D", "U", "P_w", "P_a", "seed")
    rows = np.stack([runs[name] for name in names], axis=1)
    assert len(np.unique(rows, axis=0)) == runs.n


def test_every_cell_of_the_grid_has_all_bits_and_no_smaller_cell_is_missing(grid: lf.Runs) -> None:
    for n in np.unique(grid["N"]):
        of_n = grid.where(f"N == {n}")
        ends = np.unique(of_n["D"])
        np.testing.assert_array_equal(ends, 2.0 ** (17 + np.arange(len(ends))))
        for d in ends:
            assert sorted(of_n.where(f"D == {d}")["P_w"]) == list(BITS)


def test_loss_falls_with_tokens_and_parameters(grid: lf.Runs) -> None:
    """A run with twice the tokens, or the next width, is better in every cell of every width."""
    worst = -np.inf
    for bits in BITS:
        some = grid.where(f"P_w == {bits}")
        for fixed, along in (("N", "D"), ("D", "N")):
            for level in np.unique(some[fixed]):
                line = some.where(f"{fixed} == {level}")
                steps = np.diff(np.log(line["loss"][np.argsort(line[along])]))
                worst = max(worst, *steps, -np.inf)
    assert worst < 0.01


def test_card_states_what_the_table_holds(runs: lf.Runs) -> None:
    text = CARD.read_text()
    assert f"{runs.n} runs" in text
    for kind in ("grid", "seeds", "activations", "repeated"):
        count = int(np.sum(runs["kind"].astype(str) == kind))
        assert re.search(rf"\b{count} `{kind}`", text), (kind, count)
    assert f"they took {runs['seconds'].sum() / 60:.0f} minutes" in " ".join(text.split())
    for commit in np.unique(runs["commit"].astype(str)):
        assert f"`{commit}`" in text
    (noise,) = re.findall(r"standard deviation between seeds is (\d\.\d+) %", text)
    assert float(noise) == pytest.approx(100 * seed_noise(runs), abs=0.01)


def test_card_states_how_far_each_size_goes(grid: lf.Runs) -> None:
    stated = re.findall(r"^\| ([\d,]+) \| 2\^17 to 2\^(\d+) \| (\d+) \|$", CARD.read_text(), re.M)
    held = []
    for n in np.unique(grid["N"]):
        ends = np.unique(grid.where(f"N == {n}")["D"])
        held.append((f"{n:,.0f}", f"{np.log2(ends[-1]):.0f}", str(len(ends))))
    assert stated == held


def seed_noise(runs: lf.Runs) -> float:
    """Pooled standard deviation of the logarithm of the loss between seeds of one cell."""
    cells: dict[tuple[float, ...], list[float]] = {}
    for i in range(runs.n):
        if str(runs["kind"][i]) in ("grid", "seeds"):
            cell = (runs["N"][i], runs["D"][i], runs["P_w"][i])
            cells.setdefault(cell, []).append(float(np.log(runs["loss"][i])))
    groups = [values for values in cells.values() if len(values) == 3]
    assert len(groups) >= 10
    return float(np.sqrt(np.mean([np.var(values, ddof=1) for values in groups])))


def test_demonstration(runs: lf.Runs) -> None:
    shown = demonstrate(threads=1)
    assert shown.fit.success
    held_out = shown.held_out
    taken = runs.where("U == D").where("P_a == 32").where("D > 131072")
    assert held_out.n + shown.fit.nobs == taken.n
    compute = held_out["N"] * held_out["D"]
    assert (np.diff(compute) >= 0).all()
    assert held_out.n >= 6
    # The demonstration says that the law was found before these were made.
    assert set(held_out["commit"].astype(str)) == {"8bcbfe3"}
    # Predictions come from a fit that has not seen the rows, and are near what was measured.
    np.testing.assert_allclose(shown.predicted, held_out["loss"], rtol=0.06)
    assert (shown.low < shown.predicted).all()
    assert (shown.predicted < shown.high).all()
    for budget, plan, best in zip(BUDGETS, shown.plans, shown.best):
        n, d, bits = (plan.best[name] for name in ("N", "D", "P_w"))
        assert 0.95 * budget < 6 * n * d * bits / 16 <= budget
        np.testing.assert_allclose(6 * best["N"] * best["D"] * best["P_w"] / 16, budget)
        low, high = shown.bootstrap.interval(best["N"], 0.9999)
        assert low / 1.05 < n < high * 1.05
    text = format_demonstration(shown)
    reach = float(plan.best["N"] * plan.best["D"] / compute[-1])
    assert 1 < reach < 20, "the largest budget is beyond the runs, but not far"
    inside = ((shown.low <= held_out["loss"]) & (held_out["loss"] <= shown.high)).sum()
    assert f"{inside} of {held_out.n} inside" in text
    by_cell = re.findall(r"^ +[\d,]+ +[\d,]+ +(\d+) of (\d+) +32 ", text, re.M)
    assert [sum(map(int, column)) for column in zip(*by_cell)] == [inside, held_out.n]
    assert COST in text


def test_demonstration_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lawfit.demo.DRAWS", 20)
    one, two = demonstrate(threads=1), demonstrate(threads=2)
    assert one.fit.params == two.fit.params
    np.testing.assert_array_equal(one.low, two.low)
