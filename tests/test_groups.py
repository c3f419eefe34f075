"""Parameters with one value per level of a column: sums, fits, names, settings, starts, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lawfit as lf
from lawfit import reference
from lawfit.groups import Groups
from lawfit.problem import Problem, Settings

from .strategies import INSTRUCTION_SETS, deterministic, instruction_set

Table = dict[str, Any]
CURVES = "A[curve] / x**alpha[curve] + E[curve]"


def curves(rows: list[int], seed: int = 0, noise: float = 0.003) -> Table:
    """Return a table of curves, rows[k] rows of the k-th, in no order."""
    rng = np.random.default_rng(seed)
    count = len(rows)
    A, alpha = np.exp(rng.normal(4, 0.5, count)), rng.uniform(0.2, 0.6, count)
    E = rng.uniform(1, 2, count)
    c = rng.permutation(np.repeat(np.arange(count), rows))
    x = 10 ** rng.uniform(1, 6, len(c))
    loss = (A[c] / x ** alpha[c] + E[c]) * np.exp(noise * rng.standard_t(3, len(c)))
    return {"x": x, "curve": np.array([f"c{k:03d}" for k in c], dtype=object), "loss": loss}


def rows_of(table: Table, level: str) -> Table:
    keep = table["curve"] == level
    return {name: column[keep] for name, column in table.items()}


# --- against the twin ------------------------------------------------------------------------

FORMULAS = [
    "E[g] + A / x**alpha",
    "E[g] + A[h] / x**alpha[g]",
    "(A[g] / x**alpha + E) * exp(b[h] * z)",
    "E[k] + A / x**alpha[k] + B[g] / x**(alpha[k] * beta[h])",
    "where(z > b[k], E[g], E[g] * exp(a[h] * z)) + A / x",
]
# of the twin, of the library
LOSSES = [
    (("squared",), lf.Squared()),
    (("huber", 1e-3), lf.Huber(1e-3)),
    (("huber", 0.3), lf.Huber(0.3)),
    (("absolute",), lf.Absolute()),
    (("quantile", 0.8), lf.Quantile(0.8)),
    (("cauchy", 1.5), lf.Cauchy(1.5)),
    (("logcosh", 0.2), lf.LogCosh(0.2)),
]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Problem, np.ndarray, tuple[Any, ...]]:
    """Return a problem, a point in coordinates, and the twin's loss."""
    text = draw(st.sampled_from(FORMULAS))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rows = draw(st.integers(60, 90))

    def uneven(levels: int) -> np.ndarray:
        share = rng.dirichlet(np.full(levels, 0.5))
        picked = rng.choice(levels, rows, p=share)
        picked[:levels] = np.arange(levels)  # every level at least once
        return rng.permutation(picked)

    table: Table = {
        "x": 10 ** rng.uniform(0, 4, rows),
        "z": rng.normal(size=rows),
        "g": np.array(["wiki", "c4", "a-b c", "E[x]"], dtype=object)[
            uneven(draw(st.integers(1, 4)))
        ],
        "h": np.array(["yes", "no", "perhaps"], dtype=object)[uneven(draw(st.integers(1, 3)))],
        "k": uneven(draw(st.integers(1, 3))) - 1.0,
        "loss": rng.uniform(1, 3, rows),
    }
    law = lf.Law(text)
    runs = lf.read(table)
    base = [p.name for p in law.parameters_in(runs)]
    twin_loss, loss = draw(st.sampled_from(LOSSES))
    start = {"fixed": {}, "tied": (), "residual": "log"}
    everything = Problem(law.resolved(runs), runs, Settings(target="loss", loss=loss, **start))
    names = [*everything.names, *(n for n in base if n in law.groups)]
    values = {n: rng.uniform(0.2, 1.5) for n in names}
    fixed = {n: values[n] for n in names if draw(st.integers(0, 6)) == 0}
    held = set(everything.groups.by_level(fixed))
    tied = []
    stems = ("E", "A") if {"E", "A"} <= set(base) else ()
    for group in [*[(n,) for n in law.groups], stems]:
        members = {m for n in group for m in everything.groups.members[n]}
        alike = len({everything._by_name[m].transform for m in members}) == 1
        if alike and len(members) > 1 and not members & held and draw(st.integers(0, 3)) == 0:
            tied.append(group)
            held |= members
    settings = Settings(
        target="loss",
        residual=draw(st.sampled_from(["log", "linear"])),
        loss=loss,
        scale=draw(st.sampled_from(["fixed", "fitted"])),
        fixed=fixed,
        tied=tuple(tied),
        weights=rng.integers(0, 3, rows) / 2 if draw(st.booleans()) else None,
        sigma=rng.uniform(0.5, 2, rows) if draw(st.booleans()) else None,
    )
    problem = Problem(law.resolved(runs), runs, settings)
    x = rng.uniform(-0.5, 0.5, problem.dimension)
    for k, name in enumerate(problem.free):
        x[k] = np.log(values[name]) if problem._is_log(name) else values[name]
    return problem, x, twin_loss


def test_segments_are_the_combinations_of_levels() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, 60), rng.integers(0, 2, 60)
    runs = lf.Runs({"a": a, "b": b, "x": np.arange(60.0), "loss": np.ones(60)})
    groups = Groups(lf.Law("E[a] + A[b] * x").resolved(runs), runs, ["E", "A"])
    kept = np.flatnonzero(np.arange(60) % 5 > 0)
    order, count, first = groups.segments(kept)
    assert sorted(order) == list(range(len(kept)))
    parts = [kept[part] for part in np.split(order, np.cumsum(count)[:-1])]
    levels = [{(a[row], b[row]) for row in part} for part in parts]
    assert all(len(one) == 1 for one in levels)
    assert len(levels) == len(set.union(*levels)) == 8
    assert all((np.diff(part) > 0).all() for part in parts)
    assert all(row in part for row, part in zip(first, parts, strict=True))
    values = {f"E[{k}]": 10.0 + k for k in range(4)} | {f"A[{k}]": 1.0 * k for k in range(2)}
    found = groups.in_segments(values, groups.segments(kept))
    np.testing.assert_array_equal(found, np.column_stack([10.0 + a[first], b[first]]))
    nothing = Groups(lf.Law("2 * x").resolved(runs), runs, [])
    assert nothing.in_segments({}, nothing.segments(kept)).shape == (1, 0)


@deterministic
@given(cases())
def test_random_groups(case: tuple[Problem, np.ndarray, tuple[Any, ...]]) -> None:
    problem, x, loss = case
    s = problem.settings
    params = {n: float(v) for n, v in problem.to_params(x).items()}
    columns: Table = {
        n: problem.runs.texts(n) if n in "ghk" else problem.runs.numbers(n) for n in "xzghk"
    }
    logs = [n for n in problem.names if problem._is_log(n)]
    data = (problem.law.formula, params, columns, problem.target)
    common = {
        "residual": s.residual,
        "loss": loss,
        "weights": s.weights,
        "sigma": s.sigma,
        "scale": None if s.scale == "fixed" else float(np.exp(x[-1])),
    }
    along = {**common, "names": problem.names, "log_names": logs}
    chain = np.zeros((len(problem.names) + (s.scale == "fitted"), problem.dimension))
    for k, name in enumerate(problem.names):
        if name not in s.fixed:
            chain[k, problem.free.index(problem.leader[name])] = 1
    if s.scale == "fitted":
        chain[-1, -1] = 1
    value = reference.objective(*data, **common)
    gradient = chain.T @ reference.objective_gradient(*data, **along)
    matrix = chain.T @ reference.gauss_newton_matrix(*data, **along) @ chain

    objective = problem.objective(None)
    weighed = [
        problem.runs.n if s.weights is None else np.sum(s.weights[problem.groups.index[c] == level])
        for n, c in problem.groups.column.items()
        for level in range(len(problem.groups.levels[c]))
    ]
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            got, got_gradient, got_matrix, _ = objective.derivatives(x)
            np.testing.assert_allclose(got, value, rtol=1e-9)
            size = 1e-9 * (1 + np.max(np.abs(gradient), initial=0))
            np.testing.assert_allclose(got_gradient, gradient, rtol=1e-8, atol=size)
            if min(weighed) > 0:  # otherwise the diagonal has a 1 for what nothing determines
                size = 1e-9 * (1 + np.max(np.abs(matrix), initial=0))
                np.testing.assert_allclose(got_matrix, matrix, rtol=1e-8, atol=size)
    # What the parameters predict, row by row, is what the objective compares.
    predicted = problem.law.predict(params, problem.runs)
    np.testing.assert_allclose(predicted, reference.evaluate(*data[:3]), rtol=1e-12)


@pytest.mark.parametrize("count", [5, 40])
def test_hessian_is_the_slope_of_the_gradient(count: int) -> None:
    fit = lf.fit(f"({CURVES}) * exp(b * x / 1e6)", curves([12] * count), starts=2, scale="fitted")
    objective, x = fit._problem.objective(None), fit._coordinates + 0.01
    hessian = objective.hessian(x)
    np.testing.assert_array_equal(hessian, hessian.T)
    h = 1e-6
    for k in (0, 1, count, 2 * count + 3, len(x) - 2, len(x) - 1):
        step = np.zeros(len(x))
        step[k] = h
        slope = objective.derivatives(x + step)[1] - objective.derivatives(x - step)[1]
        want = slope / (2 * h)
        np.testing.assert_allclose(hessian[k], want, rtol=1e-5, atol=1e-6 * np.max(np.abs(want)))


# --- fits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared", "huber:1e-3", "absolute"])
def test_groups_that_share_nothing_are_fits_of_their_own(loss: str) -> None:
    table = curves([9, 14, 30, 300, 11] * 6)  # 90 parameters: the sparse way
    whole = lf.fit(CURVES, table, loss=loss, starts=3)
    assert whole.success
    total = 0.0
    for level in sorted(set(table["curve"])):
        single = lf.fit("A / x**alpha + E", rows_of(table, level), loss=loss, starts=20)
        total += single.objective
        for name, value in single.params.items():
            rel = 1e-3 if loss == "absolute" else 1e-6
            assert whole.params[f"{name}[{level}]"] == pytest.approx(value, rel=rel)
    assert whole.objective == pytest.approx(total, rel=1e-7)
    predicted = whole.predict(table)
    assert np.all(np.abs(np.log(predicted / table["loss"])) < 0.1)


def test_names_that_expand(tmp_path: Path) -> None:
    table = curves([10, 12, 9])
    table["batch"] = np.arange(31) % 2 + 7
    fit = lf.fit("A / x**alpha[curve] + E[batch]", table)
    assert list(fit.params) == [
        "A", "alpha[c000]", "alpha[c001]", "alpha[c002]", "E[7]", "E[8]"
    ]  # fmt: skip
    assert fit.free == tuple(fit.params)
    assert "E[7]" in fit.summary()
    assert fit.law.groups == {"alpha": "curve", "E": "batch"}
    assert [p.name for p in fit.law.parameters] == ["A", "alpha", "E"]
    assert fit.law.variables == ("x",)
    fit.save(tmp_path / "fit.json")
    again = lf.load(tmp_path / "fit.json")
    assert again.params == fit.params
    np.testing.assert_array_equal(again.predict(table), fit.predict(table))
    some = {name: column[5:8] for name, column in table.items()}
    np.testing.assert_array_equal(fit.predict(some), fit.predict(table)[5:8])


def test_a_summary_of_many_levels_is_short() -> None:
    fit = lf.fit("A / x**alpha + E[curve]", curves([3] * 40), starts=1)
    lines = fit.summary().splitlines()
    assert len(lines) < 32
    assert sum(line.startswith("  E[c0") for line in lines) == 20
    assert "  E[...]  20 more levels" in lines


def test_published_sets_name_levels() -> None:
    values = {"A": 100.0, "alpha": 0.5, "E[wiki]": 1.5, "E[7]": 2.0}
    published = lf.Published("made up", values) if hasattr(lf, "Published") else None
    law = lf.Law("A / x**alpha + E[g]", published=[published] if published else [])
    got = law.predict(values, {"x": [100.0, 100.0], "g": ["wiki", "7"]})
    np.testing.assert_allclose(got, [11.5, 12.0], rtol=1e-14)
    # A number of a group may also be a column of the formula.
    law = lf.Law("E[k] + k")
    got = law.predict({"E[1]": 0.5, "E[2]": 0.25}, {"k": np.array([2.0, 1.0, 2.0])})
    assert got.tolist() == [2.25, 1.5, 2.25]


# --- settings --------------------------------------------------------------------------------


def test_fixed_by_level_and_for_all_levels() -> None:
    table = curves([10, 12, 9])
    names = ["c000", "c001", "c002"]
    every = lf.fit(CURVES, table, fixed={"E": 1.1, "E[c001]": 1.3}, starts=5)
    assert [every.params[f"E[{n}]"] for n in names] == [1.1, 1.3, 1.1]
    assert not any(n.startswith("E") for n in every.free)
    single = lf.fit(CURVES, table, fixed={"E[c001]": 1.3}, starts=5)
    assert single.params["E[c001]"] == 1.3
    assert "E[c000]" in single.free
    alone = lf.fit("A / x**alpha + E", rows_of(table, "c001"), fixed={"E": 1.3}, starts=5)
    for fit in (every, single):
        assert fit.params["A[c001]"] == pytest.approx(alone.params["A"], rel=1e-7)


def test_bounds_by_level_and_for_all_levels() -> None:
    table = curves([12] * 30)
    free = lf.fit(CURVES, table, starts=3)
    bounds = {"alpha": (0.3, 0.5), "alpha[c003]": (0.1, 0.25)}
    fit = lf.fit(CURVES, table, starts=3, bounds=bounds)
    assert fit.success
    for k in range(30):
        name = f"alpha[c{k:03d}]"
        low, high = bounds.get(name, bounds["alpha"])
        want = min(max(free.params[name], low), high)
        assert fit.params[name] == pytest.approx(want, rel=1e-6)
        assert (name in fit.at_bound) == (not low < free.params[name] < high)
    assert len(fit.at_bound) > 3


def test_ties_of_levels() -> None:
    table = curves([10, 12, 9])
    common = lf.fit(CURVES, table, tied=[("alpha",)], starts=5)
    plain = lf.fit("A[curve] / x**alpha + E[curve]", table, starts=5)
    assert len({common.params[f"alpha[c00{k}]"] for k in range(3)}) == 1
    assert common.objective == pytest.approx(plain.objective, rel=1e-9)
    pair = lf.fit(CURVES, table, tied=[("E[c000]", "E[c002]")], starts=5)
    assert pair.params["E[c000]"] == pair.params["E[c002]"] != pair.params["E[c001]"]
    by_level = lf.fit(CURVES + " + B[curve] / x**beta", table, tied=[("A", "B")], starts=5)
    written_out = lf.fit("A[curve] / x**alpha[curve] + E[curve] + A[curve] / x**beta", table)
    assert by_level.objective == pytest.approx(written_out.objective, rel=1e-9)
    for k in range(3):
        assert by_level.params[f"A[c00{k}]"] == by_level.params[f"B[c00{k}]"]
    assert by_level.params["A[c000]"] != by_level.params["A[c001]"]


def test_declared_parameters_hold_for_all_levels() -> None:
    table = curves([12] * 4)
    law = lf.Law(
        CURVES,
        [
            lf.Parameter("E", transform="identity", bounds=(1.2, 1.4)),
            lf.Parameter("alpha", start=(0.3, 0.4)),
        ],
        ["x"],
    )
    fit = lf.fit(law, table, starts=3)
    assert all(1.2 <= fit.params[f"E[c00{k}]"] <= 1.4 for k in range(4))
    points = fit._problem.draw_starts(20, 0)
    alpha = points[:, [n.startswith("alpha") for n in fit.free]]
    assert ((alpha >= 0.3) & (alpha <= 0.4)).all()


def test_starts_of_groups() -> None:
    table = curves([12] * 4)
    fit = lf.fit(CURVES, table, starts=7)
    assert fit.starts.n == 7
    for stem in ("A", "alpha", "E"):  # one draw per group
        columns = fit._start_points[:, [n.startswith(f"{stem}[") for n in fit.free]]
        assert columns.shape == (7, 4)
        assert (columns == columns[:, :1]).all()
        assert len(np.unique(columns)) == 7
    given: dict[str, Any] = {"A": [50.0, 60.0], "alpha": [0.3, 0.4], "E": [1.0, 1.5]}
    for starts in (given, [dict(zip(given, p, strict=True)) for p in zip(*given.values())]):
        points = lf.fit(CURVES, table, starts=starts)._start_points
        assert points[1].tolist() == [np.log(60.0)] * 4 + [0.4] * 4 + [np.log(1.5)] * 4
    points = lf.fit(CURVES, table, starts={**given, "E[c002]": [2.0, 3.0]})._start_points
    np.testing.assert_allclose(np.exp(points[0, 8:]), [1.0, 1.0, 2.0, 1.0], rtol=1e-15)
    grid = lf.fit(CURVES, table, starts=lf.Grid(A=[10, 100], alpha=[0.3, 0.5], E=[1.0]))
    assert grid.starts.n == 4
    fixed = lf.fit(CURVES, table, starts=lf.Grid(A=[9, 99], alpha=[0.5], E=[1]), fixed={"E": 1.1})
    assert fixed.starts.n == 2


def test_threads_and_order_of_rows() -> None:
    table = curves([20, 30, 25] * 9)
    fits = [lf.fit(CURVES, table, starts=3, threads=threads) for threads in (1, 2)]
    assert fits[0].params == fits[1].params
    assert fits[0].evaluations == fits[1].evaluations
    order = np.random.default_rng(1).permutation(len(table["x"]))
    mixed = lf.fit(CURVES, {n: c[order] for n, c in table.items()}, starts=3)
    assert mixed.params == pytest.approx(fits[0].params, rel=1e-6)


# --- bootstrap -------------------------------------------------------------------------------


def test_bootstrap_of_groups_without_rows() -> None:
    """A level of two rows is missing from about one draw in eight, and keeps its value there."""
    table = curves([40, 30, 2])
    fit = lf.fit("A / x**alpha + E[curve]", table, starts=10)
    boot, again = (fit.bootstrap(60, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(boot.objective, again.objective)
    assert boot.converged == 1.0
    assert np.isfinite(list(boot.draws.values())).all()
    kept = boot.draws["E[c002]"] == fit.params["E[c002]"]
    assert 2 <= kept.sum() <= 20
    assert not (boot.draws["E[c000]"] == fit.params["E[c000]"]).any()
    np.testing.assert_array_equal(
        boot.of("E[c001] - E[c000]"), boot.draws["E[c001]"] - boot.draws["E[c000]"]
    )
    with pytest.raises(lf.InputError, match=r"'E\[c009\]' is not a parameter"):
        boot.of("E[c009]")


def test_bootstrap_of_a_sparse_problem() -> None:
    table = curves([12] * 30)
    fit = lf.fit(CURVES, table, starts=2)
    boot = fit.bootstrap(4, spread=1)
    assert boot.converged == 1.0
    # Draws weigh the rows that they name: levels apart, a draw is a weighted fit.
    assert (boot.objective > 0).all()
    assert set(boot.draws) == set(fit.params)


# --- errors ----------------------------------------------------------------------------------


def message(call: Any) -> str:
    with pytest.raises(lf.InputError) as caught:
        call()
    return str(caught.value)


def test_levels_that_were_not_in_the_fit() -> None:
    fit = lf.fit("A / x**alpha + E[curve]", curves([10, 10]), starts=2)
    text = message(lambda: fit.predict({"x": [1.0, 2.0, 3.0], "curve": ["c000", "c7", "c001"]}))
    for part in ("row 2", "E[c7]", '"c7" was not in the fit', '"c000", "c001"'):
        assert part in text
    assert 'no column "curve"' in message(lambda: fit.predict({"x": [1.0]}))


@pytest.mark.parametrize(
    ("change", "settings", "parts"),
    [
        ({"curve": None}, {}, ['no column "curve"', "E[curve]"]),
        ({"curve": [np.inf, 2.0] * 5}, {}, ["row 1", "inf"]),
        ({"curve": ["a", ""] * 5}, {}, ["row 2", "group is missing in 5 of 10 rows", "omit"]),
        ({"curve": [1.0, np.nan] * 5}, {}, ["row 2", "group is missing"]),
        ({"curve": [1.0, 2.0] * 5}, {"target": "curve"}, ["target 'curve' also occurs"]),
        ({}, {"fixed": {"E[c]": 1.0}}, ["fixed: 'E[c]' is not a parameter", "E[a], E[b]"]),
        ({}, {"bounds": {"F": (0, 1)}}, ["bounds: 'F' is not a parameter"]),
        ({}, {"fixed": {"E": -1.0}}, ["fixed: E[a] = -1 is outside"]),
        ({}, {"tied": [("E", "alpha")]}, ["E[a], E[b], alpha cannot be tied"]),
        ({}, {"tied": [("A",)]}, ["fewer than two"]),
        ({}, {"tied": [("E",)], "fixed": {"E[b]": 1.0}}, ["'E[b]' is both tied and fixed"]),
        ({}, {"starts": {"A": 1.0, "alpha": 0.5}}, ["no value for E[a], E[b]"]),
        ({}, {"starts": {"A": 1.0, "alpha": 0.5, "E[a]": 1.0, "E[c]": 2.0}}, ["E[b]"]),
        ({"curve": list("abcdefghij")}, {}, ["10 rows; 12 free parameters"]),
    ],
)
def test_errors(change: dict[str, Any], settings: dict[str, Any], parts: list[str]) -> None:
    table: Table = {
        "x": np.geomspace(1, 100, 10),
        "curve": ["a", "b"] * 5,
        "loss": np.linspace(3, 2, 10),
    }
    table = {n: c for n, c in {**table, **change}.items() if c is not None}
    text = message(lambda: lf.fit("A / x**alpha + E[curve]", table, **settings))
    for part in parts:
        assert part in text


def test_groups_alone_are_means() -> None:
    table = curves([10, 20, 5])
    loss, levels = table["loss"], ["c000", "c001", "c002"]
    fit = lf.fit("E[curve]", table, loss="squared", residual="linear")
    want = [loss[table["curve"] == level].mean() for level in levels]
    assert [fit.params[f"E[{level}]"] for level in levels] == pytest.approx(want, rel=1e-12)
    assert fit.bootstrap(5).converged == 1.0


def test_best_size_of_one_group() -> None:
    law = lf.Law("E[corpus] + A / N**alpha + B[corpus] / D**beta")
    params = {"E[a]": 1.7, "B[a]": 2000.0, "E[b]": 1.5, "B[b]": 500.0}
    params |= {"A": 400.0, "alpha": 0.34, "beta": 0.37}
    plain = lf.Law("E + A / N**alpha + B / D**beta")
    for level in ("a", "b"):
        alone = {n.removesuffix(f"[{level}]"): v for n, v in params.items()}
        alone = {n: v for n, v in alone.items() if "[" not in n}
        for budget in (1e20, 1e21):
            want = lf.plan(plain, budget, params=alone).best
            got = lf.plan(law, budget, params=params, over={"corpus": level}).best
            assert got == pytest.approx(want, rel=1e-9)
    text = message(lambda: lf.plan(law, 1e21, params=params))
    assert 'give one level of "corpus"' in text
    assert "levels: a, b" in text


def test_rows_without_a_group_can_be_left_out() -> None:
    table = curves([10, 10])
    table["curve"][3] = None
    table["loss"][5] = np.nan
    fit = lf.fit("A / x**alpha + E[curve]", table, starts=2, missing="omit")
    assert fit.nobs == 18
    assert fit.omitted == ("row 4", "row 6")


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("E[g] + A*E", "E", "E[g] and E cannot stand in one law"),
        ("E[g] + E[h]", "E[h]", "E[g] and E[h] cannot"),
        ("E[1]", "E[1]", "NAME[COLUMN]"),
        ("E['wiki']", "E['wiki']", "NAME[COLUMN]"),
        ("E[g, h]", "E[g, h]", "square brackets"),
        ("E[g][h]", "E[g][h]", "square brackets"),
        ("exp(x)[g]", "exp(x)[g]", "square brackets"),
    ],
)
def test_formula_errors(text: str, place: str, reason: str) -> None:
    with pytest.raises(lf.FormulaError) as caught:
        lf.Law(text)
    assert text[caught.value.position :] == place
    assert reason in str(caught.value)


def test_groups_have_no_meaning_among_columns() -> None:
    table = {"x": [1.0, 2.0], "g": ["a", "b"]}
    with pytest.raises(lf.InputError, match=r'no column "x\[g\]"'):
        lf.read(table, derive=["y = x[g] + 1"])
    with pytest.raises(lf.InputError, match="declared but does not occur"):
        lf.Law("E[g] + x", [lf.Parameter("F")])
    law = lf.Law("E[g] + x", [lf.Parameter("E")], ["x", "g"])
    assert law.variables == ("x",)
    assert law.predict({"E[a]": 1.0, "E[b]": 2.0}, table).tolist() == [2.0, 4.0]


def test_the_names_of_levels_are_part_of_the_data() -> None:
    N = np.geomspace(1e7, 1e9, 8)
    hashes = set()
    for levels in (["web", "code"], ["web", "math"], ["code", "web"]):
        runs = {"N": N, "loss": 2 + 400 / N**0.34, "source": levels * 4}
        hashes.add(lf.fit("E[source] + A / N**alpha", runs, starts=1).data_hash)
    assert len(hashes) == 3
