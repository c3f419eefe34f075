"""Published recipes: all run, set what they say, and compare with lawfit's own fit."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

import lawfit as lf
from lawfit.cli import run
from lawfit.laws import as_law
from lawfit.losses import parse_loss
from lawfit.protocols.recipe import Optimiser
from lawfit.replication import objective_at

# Protocols whose law is a formula: columns and coefficients to simulate from.
FORMULAS = {
    "tao2024": (
        ("N_nv", "N_v", "D"),
        {
            "E": 5.5,
            "A_1": 1.8,
            "alpha_1": 0.44,
            "A_2": 0.2,
            "alpha_2": 0.67,
            "B": 2.1,
            "beta": 0.44,
        },
        (1.0, 300.0),
    ),
    "caballero2022": (
        ("x",),
        {"a": 0.4, "b": 2.3, "c0": 0.05, "d1": 600.0, "f1": 0.06, "c1": 5.0},
        (10.0, 4e3),
    ),
    "marin": (("D",), {"a": 10.0, "b": -1.2, "c": 0.06}, (1e8, 1e11)),
}


# Recipes of programs rather than papers.
PACKAGES = {"olmo-core", "marin"}


def simulated(recipe: lf.Protocol) -> tuple[lf.Law, lf.Runs]:
    """Return the protocol's law, and runs of it with a little noise."""
    law = as_law(recipe.law)
    rng = np.random.default_rng(5)
    if recipe.name not in FORMULAS:
        params = {**(law.coefficients()), **recipe.fixed}
        for group in recipe.tied:
            params |= dict.fromkeys(group, params[group[0]])
        return law, law.simulate(80, params=params, noise=1e-4, rng=5)
    names, params, (low, high) = FORMULAS[recipe.name]
    columns = {n: np.exp(rng.uniform(math.log(low), math.log(high), 80)) for n in names}
    value = law.predict(params, columns)
    return law, lf.Runs({**columns, "loss": value + rng.normal(0.0, 1e-4, 80)})


def cut(recipe: lf.Protocol) -> object:
    """Return the protocol's starts, at most a hundred of them."""
    if not isinstance(recipe.starts, lf.Grid) or len(recipe.starts) <= 100:
        return recipe.starts
    if len(recipe.starts) > 10_000:
        return 20
    points = recipe.starts.points()
    free = [n for n in points if not any(n in g[1:] for g in recipe.tied)]
    some = np.random.default_rng(0).choice(len(recipe.starts), 100, replace=False)
    return {n: points[n][some] for n in free}


@pytest.mark.parametrize("name", lf.protocols())
def test_every_protocol_fits_its_law(name: str) -> None:
    recipe = lf.protocol(name)
    law, runs = simulated(recipe)
    fit = lf.fit(law, runs, protocol=name, starts=cut(recipe), threads=1)
    assert (fit.residual, fit.loss, fit.scale_setting) == (
        recipe.residual, recipe.loss, recipe.scale,
    )  # fmt: skip
    assert fit.tied == tuple(tuple(g) for g in recipe.tied)
    assert fit.fixed == dict(recipe.fixed)
    error = np.abs(fit.predict(runs) - runs[law.target]) / np.std(runs[law.target])
    assert np.median(error) < 0.02


@pytest.mark.parametrize("name", lf.protocols())
def test_every_protocol_says_what_it_is(name: str) -> None:
    recipe = lf.protocol(name)
    assert recipe.name == name
    assert recipe.source.title
    assert recipe.source.arxiv or "version" in recipe.source.equation or name in PACKAGES
    assert recipe.rows or recipe.aggregation or recipe.note or recipe.flaws
    assert recipe.optimiser.text
    assert str(recipe).startswith(f"{name}: {recipe.source.title}")
    assert all(flaw in str(recipe) for flaw in recipe.flaws)
    lines = str(recipe).splitlines()
    assert (f", arXiv {recipe.source.arxiv}," in lines[0]) == bool(recipe.source.arxiv)
    assert lines[2].endswith(", scale fitted") == (recipe.scale == "fitted")
    assert (lines[3] == "starts: not recorded") == (recipe.starts == "auto")
    assert parse_loss(recipe.loss.to_dict()) == recipe.loss
    law = as_law(recipe.law)
    if law.declared_variables is not None and isinstance(recipe.starts, (lf.Grid, dict)):
        given = recipe.starts.values if isinstance(recipe.starts, lf.Grid) else recipe.starts
        assert set(given) | set(recipe.fixed) == {p.name for p in law.declared_parameters}


def test_the_published_grid() -> None:
    points = lf.protocol("hoffmann2022").starts.points()
    assert {n: len(np.unique(v)) for n, v in points.items()} == {
        "E": 5, "A": 6, "alpha": 5, "B": 6, "beta": 5,
    }  # fmt: skip
    assert len(points["E"]) == 4500
    np.testing.assert_allclose(np.unique(np.log(points["A"])), np.arange(0, 26, 5), atol=1e-14)
    np.testing.assert_allclose(np.unique(np.log(points["E"])), np.arange(-1, 1.1, 0.5), atol=1e-15)
    np.testing.assert_array_equal(np.unique(points["alpha"]), np.arange(0, 2.1, 0.5))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("hoffmann2022", 4500),
        ("misfitting2025", 1600),
        ("mcleish2025-shape", 135_000),
        ("mcleish2025-shape-parameters", 4_050_000),
        ("gadre2024", 128),
        ("beck2025", 2000),
        ("brandfonbrener2024", 16),
        ("nezhurina2025", 5832),
        ("olmo-core", 1024),
        ("porian2024-loss", 120),
        ("ye2024-two-domains", 363),
    ],
)
def test_published_numbers_of_starts(name: str, count: int) -> None:
    starts = lf.protocol(name).starts
    assert isinstance(starts, lf.Grid)
    assert len(starts) == count


def test_tied_exponents_leave_fewer_starts() -> None:
    runs = lf.datasets.load("simulated_chinchilla")
    assert lf.fit("chinchilla", runs, protocol="muennighoff2023-base").starts.n == 400


def test_what_is_given_counts_before_the_protocol(runs: lf.Runs) -> None:
    fit = lf.fit(
        "chinchilla", runs, protocol="choshen2024", residual="log", bounds={"E": (0.0, 5.0)}
    )
    assert fit.residual == "log"
    assert fit.bounds == {"E": (0.0, 5.0)}
    assert fit.loss == lf.Squared()
    assert fit.nobs == int(np.sum(runs["D"] >= 1e10))
    assert lf.fit("chinchilla", runs, protocol="choshen2024", where="D > 0").nobs == runs.n


def test_a_law_that_a_protocol_is_not_made_for() -> None:
    runs = lf.law("kaplan").simulate(50)
    with pytest.raises(lf.InputError, match=r"protocol 'hoffmann2022', made for 'chinchilla'"):
        lf.fit("kaplan", runs, protocol="hoffmann2022")


def test_the_command_line_takes_the_law_from_the_protocol(
    runs: lf.Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "runs.csv", tmp_path / "fit.json"
    rows = zip(runs["N"], runs["D"], runs["loss"], strict=True)
    table.write_text(
        "N,D,loss\n" + "\n".join(f"{float(n)!r},{float(d)!r},{float(y)!r}" for n, d, y in rows)
    )
    arguments = ["fit", str(table), "--protocol", "brandfonbrener2024", "--json", str(out)]
    assert run([*arguments, "--quiet"]) == 0
    written = json.loads(out.read_text())
    assert written["law"] == "chinchilla"
    assert written["starts"]["n"] == 16
    assert run(["fit", str(table)]) == 2
    assert "give --law NAME or FORMULA, or a --protocol" in capsys.readouterr().err


# --- comparison -----------------------------------------------------------------------------------


def test_a_stopped_optimiser_shows(runs: lf.Runs) -> None:
    pytest.importorskip("scipy")
    found = lf.compare_protocol("hoffmann2022", runs, starts=4)
    own, theirs = found["lawfit"], found["their objective"]
    stopped = found["authors' optimiser"]
    assert theirs.theirs == pytest.approx(own.theirs, rel=1e-9)  # the same objective as lawfit's
    assert stopped.starts == 4
    assert stopped.theirs > 1.01 * theirs.theirs
    assert stopped.hits == 0
    assert "averaged over rows" in str(found)
    with pytest.raises(lf.InputError, match="no 'nobody' in this comparison"):
        found["nobody"]


def test_the_authors_optimiser_begins_at_their_points(runs: lf.Runs) -> None:
    """Not where lawfit begins, which first gives them other coefficients."""
    pytest.importorskip("scipy")
    start = {"E": 1.0, "A": 1e9, "alpha": 0.5, "B": 1e9, "beta": 0.5}
    stays = Optimiser("stays where it is", "L-BFGS-B", options={"gtol": 1e300})
    recipe = dataclasses.replace(lf.protocol("besiroglu2024-sum"), starts=start, optimiser=stays)
    found = lf.compare_protocol(recipe, runs)["authors' optimiser"]
    assert found.params == pytest.approx(start)
    assert found.hits == 0


def test_a_protocol_that_ends_where_lawfit_does(runs: lf.Runs) -> None:
    pytest.importorskip("scipy")
    found = lf.compare_protocol("bhagia2024", runs, "loss")
    ours, theirs = found["their objective"], found["authors' optimiser"]
    assert theirs.hits == theirs.starts == 1
    assert theirs.theirs == pytest.approx(ours.theirs, rel=1e-4)


def test_least_squares_as_the_authors_ran_it(runs: lf.Runs) -> None:
    pytest.importorskip("scipy")
    found = lf.compare_protocol("choshen2024", runs)
    assert found["authors' optimiser"].theirs >= found["their objective"].theirs * (1 - 1e-9)
    assert found["authors' optimiser"].hits == 1
    # Each is best under its own objective.
    assert found["lawfit"].ours <= found["their objective"].ours
    assert found["their objective"].theirs <= found["lawfit"].theirs


def test_published_sets_are_evaluated(runs: lf.Runs) -> None:
    truth = lf.law("chinchilla").coefficients("besiroglu2024")
    found = lf.compare_protocol("besiroglu2024", runs, published={"paper": truth}, starts=0)
    assert [row.name for row in found.rows] == ["lawfit", "their objective", "paper"]
    assert found["paper"].params == truth
    assert found["paper"].ours > found["lawfit"].ours
    assert found["paper"].theirs > found["their objective"].theirs
    assert found["their objective"].theirs == pytest.approx(found.optimum.objective, rel=1e-9)
    with pytest.raises(lf.InputError, match="'half' has no"):
        lf.compare_protocol("besiroglu2024", runs, published={"half": {"E": 1.0}}, starts=0)


def test_objective_at_other_coefficients(runs: lf.Runs, free_fit: lf.Fit) -> None:
    assert objective_at(free_fit, free_fit.params) == pytest.approx(free_fit.objective, rel=1e-12)
    moved = free_fit.params | {"alpha": 0.3}
    residual = np.log(free_fit.law.predict(moved, runs)) - np.log(runs["loss"])
    small = np.abs(residual) <= 1e-3
    huber = np.where(small, 0.5 * residual**2, 1e-3 * (np.abs(residual) - 0.5e-3))
    assert objective_at(free_fit, moved) == pytest.approx(huber.sum(), rel=1e-9)
    with pytest.raises(lf.InputError, match="loaded from a file"):
        objective_at(dataclasses.replace(free_fit, _problem=None), moved)
