"""Parameters drawn towards values, other parameters and the mean of their group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit import reference
from lawfit.penalties import read_penalties
from lawfit.problem import Problem, Settings

from .strategies import deterministic

TEXT = "E + A * N**-alpha + B * D**-beta"
VALUES = {"E": 1.7, "A": 300.0, "alpha": 0.3, "B": 900.0, "beta": 0.35}
RNG = np.random.default_rng(11)
COLUMNS = {"N": 10 ** RNG.uniform(7, 10, 40), "D": 10 ** RNG.uniform(9, 12, 40)}
LOSS = reference.evaluate(TEXT, VALUES, COLUMNS) * np.exp(RNG.normal(0, 0.01, 40))
RUNS = lf.Runs({**COLUMNS, "loss": LOSS, "family": ["a", "b", "c", "d"] * 10})

values = st.floats(0.01, 3.0)
pairs = st.tuples(values, values)


def problem_of(text: str = TEXT, runs: lf.Runs = RUNS, **change: Any) -> Problem:
    penalties = read_penalties(change.pop("penalties", None))
    options = {"loss": lf.Huber(0.01), "target": "loss", "residual": "log", **change}
    return Problem(lf.Law(text).resolved(runs), runs, Settings(penalties=penalties, **options))


@settings(deterministic, max_examples=60)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "E": pairs,
            "A": st.one_of(pairs, st.tuples(st.just("B"), values)),
            "alpha": st.one_of(pairs, st.tuples(st.just("beta"), values)),
            "beta": pairs,
        },
    ),
    st.booleans(),
    st.sampled_from([None, "alpha", "A"]),
)
def test_objective_against_the_twin(
    penalties: dict[str, Any], fitted: bool, fixed: str | None
) -> None:
    problem = problem_of(
        penalties=penalties,
        scale="fitted" if fitted else "fixed",
        fixed={fixed: VALUES[fixed]} if fixed else {},
    )
    x = problem.to_coordinates({n: np.array([VALUES[n] * 1.1]) for n in problem.free})[0]
    params = {n: float(v) for n, v in problem.to_params(x).items()}
    scale = 0.02 if fitted else None
    if fitted:
        x[-1] = np.log(0.02)
    data = (TEXT, params, COLUMNS, LOSS)
    options = {
        "loss": ("huber", 0.01),
        "penalties": penalties,
        "scale": scale,
        "log_names": {"E", "A", "B"},
    }
    engine = problem.objective(None)
    along = {"names": list(problem.free), **options}
    value, gradient, matrix, _ = engine.derivatives(x)
    assert value == pytest.approx(reference.objective(*data, **options), rel=1e-11)
    twin = reference.objective_gradient(*data, **along)
    np.testing.assert_allclose(gradient, twin, rtol=1e-9, atol=1e-9 * np.abs(twin).max())
    twin = reference.gauss_newton_matrix(*data, **along)
    np.testing.assert_allclose(matrix, twin, rtol=1e-9, atol=1e-9 * np.abs(twin).max())
    # The second derivatives of a penalty are all in the first-order part.
    plain = problem_of(scale=problem.settings.scale, fixed=problem.settings.fixed).objective(None)
    np.testing.assert_allclose(
        engine.hessian(x) - plain.hessian(x),
        matrix - plain.derivatives(x)[2],
        rtol=1e-7,
        atol=1e-9 * np.abs(matrix).max(),
    )


def test_a_tight_penalty_holds_and_a_loose_one_does_not() -> None:
    free = lf.fit(TEXT, RUNS)
    held = lf.fit(TEXT, RUNS, penalties={"alpha": (0.5, 1e-6), "A": ("B", 1e-6)})
    assert held.success
    assert held.params["alpha"] == pytest.approx(0.5, abs=1e-6)
    assert held.params["A"] == pytest.approx(held.params["B"], rel=1e-5)
    loose = lf.fit(TEXT, RUNS, penalties={"alpha": (0.5, 1e6)})
    assert loose.params == pytest.approx(free.params, rel=1e-4)


def test_a_normal_prior_under_squared_errors() -> None:
    """The closed form of a linear model with known sigma: precisions add up."""
    x, y = RNG.normal(size=30), RNG.normal(size=30)
    fit = lf.fit(
        "a * x", {"x": x, "loss": y}, residual="linear", loss="squared", sigma=np.full(30, 0.5),
        penalties={"a": (2.0, 0.3)},
    )  # fmt: skip
    precision = np.sum(x * x) / 0.25
    want = (np.sum(x * y) / 0.25 + 2.0 / 0.09) / (precision + 1 / 0.09)
    assert fit.params["a"] == pytest.approx(want, rel=1e-12)
    residual = (want * x - y) / 0.5
    objective = np.sum(residual**2) / 2 + ((want - 2.0) / 0.3) ** 2 / 2
    assert fit.objective == pytest.approx(objective, rel=1e-12)
    draws = fit.bootstrap(50).draws["a"]  # the prior is in every draw
    assert np.abs(draws - want).max() < 1.0
    assert lf.Fit.from_dict(fit.to_dict()).penalties == {"a": (2.0, 0.3)}


def test_levels_are_drawn_to_their_mean() -> None:
    text = "E[family] + A * N**-alpha"
    spread = {}
    for sd in (1e-5, 0.01, 1e4):
        fit = lf.fit(text, RUNS, scale="fitted", loss="squared", penalties={"E": ("E", sd)})
        assert fit.success
        spread[sd] = np.std([np.log(v) for n, v in fit.params.items() if n.startswith("E[")])
    free = lf.fit(text, RUNS, scale="fitted", loss="squared")
    apart = np.std([np.log(v) for n, v in free.params.items() if n.startswith("E[")])
    assert spread[1e-5] < 1e-6 < spread[0.01] < spread[1e4]
    assert spread[1e4] == pytest.approx(apart, rel=1e-4)
    # Each level less the mean of all four, in standard deviations.
    problem = problem_of(text, penalties={"E": ("E", 0.1)})
    levels = [problem.free.index(f"E[{f}]") for f in "abcd"]
    assert len(problem.penalties) == 4
    for k, (index, coefficients, offset) in zip(levels, problem.penalties, strict=True):
        assert dict(zip(index, coefficients, strict=True)) == pytest.approx(
            {i: 7.5 if i == k else -2.5 for i in levels}
        )
        assert offset == 0.0


def test_size_of_a_change_is_that_of_the_largest_start() -> None:
    """The solver's unit of each coordinate; half of it for a single start, which is a guess."""
    problem = problem_of("E + A * N**-alpha + slope * N / 1e9 + shift * D / 1e12")
    x = np.ones((3, problem.dimension))
    place = {n: k for k, n in enumerate(problem.free)}
    x[:, place["E"]] = 7.0  # a logarithm
    x[:, place["alpha"]] = 0.2, 0.6, 0.4
    x[:, place["slope"]] = 0.1, -8.0, 4.0
    x[:, place["shift"]] = 0.0
    scaled = {"E": 1.0, "A": 1.0, "alpha": 0.6, "slope": 8.0, "shift": 1.0}
    assert [problem._is_log(n) for n in ("E", "A", "slope")] == [True, True, False]
    assert dict(zip(problem.free, problem._typical(x), strict=True)) == scaled
    one = {"E": 1.0, "A": 1.0, "alpha": 0.3, "slope": 4.0, "shift": 1.0}
    assert dict(zip(problem.free, problem._typical(x[1:2]), strict=True)) == one
    for nothing in (None, x[:0]):
        np.testing.assert_array_equal(problem._typical(nothing), np.ones(problem.dimension))


def test_levels_of_two_parameters_and_a_level_of_its_own() -> None:
    text = "E[family] + A * N**-alpha[family] + B * D**-beta[family]"
    problem = problem_of(
        text, penalties={"alpha": ("beta", 0.1), "alpha[c]": (0.4, 0.2), "beta": ("alpha[a]", 0.5)}
    )
    place = {n: k for k, n in enumerate(problem.free)}
    a, b = (lambda f: place[f"alpha[{f}]"]), (lambda f: place[f"beta[{f}]"])
    forms = {tuple(index): (c, offset) for index, c, offset in problem.penalties}
    for f in "abd":
        assert forms[(a(f), b(f))] == ([10.0, -10.0], 0.0)
    assert forms[(a("c"),)] == ([5.0], 2.0)
    assert [forms[(b(f), a("a"))] for f in "abcd"] == [([2.0, -2.0], 0.0)] * 4


def test_many_levels() -> None:
    """A sparse problem: penalties have their places in the pattern."""
    count = 40
    table = {
        "x": np.tile(np.geomspace(1, 100, 8), count),
        "curve": np.repeat([f"c{k:02d}" for k in range(count)], 8),
    }
    level = np.repeat(np.random.default_rng(1).normal(1.5, 0.05, count), 8)
    table["loss"] = level + 3 * table["x"] ** -0.4
    runs = lf.Runs(table)
    text = "E[curve] + A[curve] * x**-alpha[curve]"
    problem = problem_of(text, runs, penalties={"alpha": (0.4, 0.1), "E[c00]": ("E[c39]", 0.2)})
    assert problem.dimension == 120
    objective = problem.objective(None)
    x = np.full(120, 0.5)
    h = 1e-6 * np.eye(120)
    slopes = [(objective.value(x + e) - objective.value(x - e)) / 2e-6 for e in h]
    np.testing.assert_allclose(objective.derivatives(x)[1], slopes, rtol=1e-6, atol=1e-6)
    slopes = [(objective.derivatives(x + e)[1] - objective.derivatives(x - e)[1]) / 2e-6 for e in h]
    np.testing.assert_allclose(objective.hessian(x), slopes, rtol=1e-5, atol=1e-6)
    fit = lf.fit(text, runs, starts=2, penalties={"alpha": (0.4, 1e-6)})
    np.testing.assert_allclose([fit.params[f"alpha[c{k:02d}]"] for k in range(40)], 0.4, rtol=1e-4)


def test_more_parameters_than_rows() -> None:
    table = {"N": [1e7, 1e8], "D": [1e9, 1e10], "loss": [3.0, 2.5]}
    with pytest.raises(lf.InputError, match="2 rows; 5 free"):
        lf.fit(TEXT, table)
    fit = lf.fit(TEXT, table, penalties={n: (v, 0.1) for n, v in VALUES.items()})
    assert fit.success


@pytest.mark.parametrize(
    ("penalties", "part"),
    [
        ({"gamma": (0.5, 0.1)}, "'gamma' is not a parameter; parameters: E, A"),
        ({"alpha": 0.5}, "alpha: 0.5 must be \\(value or parameter, standard deviation\\)"),
        ({"alpha": (0.5, 0)}, "standard deviation 0 must be above 0"),
        ({"alpha": (np.inf, 1)}, "inf is not a finite number"),
        ({"alpha": ("gamma", 1)}, "alpha: there is no parameter 'gamma'"),
        ({"alpha": ("alpha", 1)}, "alpha is drawn towards itself"),
        ({"alpha": ("A", 1)}, "alpha cannot be drawn towards A: one is a scale factor"),
        ({"A": (-1, 1)}, "A is a positive scale factor; -1 is not above 0"),
    ],
)
def test_errors(penalties: Any, part: str) -> None:
    with pytest.raises(lf.InputError, match=part):
        lf.fit(TEXT, RUNS, penalties=penalties)
    if "alpha" in penalties:
        grouped = TEXT.replace("beta", "beta[family]")
        with pytest.raises(lf.InputError, match=r"one value per level of family; name a level"):
            lf.fit(grouped, RUNS, penalties={"alpha": ("beta", 1.0)})
