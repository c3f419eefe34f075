"""Grid search against the plain formula in every cell: best cells, tables, counts, errors."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lawfit as lf
from lawfit import _core, reference

from .strategies import INSTRUCTION_SETS, Law, deterministic, instruction_set, laws, table
from .test_engine import harmless_rows

PUBLISHED = lf.law("precision-shifted").published[0].params


def product_of(axes: dict[str, Any]) -> dict[str, np.ndarray]:
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    return {name: m.ravel() for name, m in zip(axes, mesh)}


def cells_of(columns: dict[str, np.ndarray], axes: dict[str, np.ndarray]) -> np.ndarray:
    """Return the flat number of each row of a table, for axes of distinct values; -1 for nan."""
    flat = np.zeros(len(columns["value"]), int)
    for name, values in axes.items():
        order = np.argsort(values)
        at = np.searchsorted(values[order], columns[name])
        flat = flat * len(values) + order[np.minimum(at, len(values) - 1)]
    return np.where(np.isnan(columns["value"]), -1, flat)


def same_bits(a: lf.GridResult, b: lf.GridResult) -> None:
    for one, two in [(a.top, b.top), *((a.along[k], b.along[k]) for k in a.along)]:
        assert list(one) == list(two)
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])
    assert (a.cells, a.feasible, a.undefined) == (b.cells, b.feasible, b.undefined)


# ---- Random formulas ---------------------------------------------------------------------

SIZES = (1, 1, 2, 3, 7, 66, 70)
CONSTRAINTS = (
    "6*N*D <= {q:.17g}e19",
    "D <= {q:.17g}e11",
    "P < {q:.17g} or N > 3.3e9",
    "x**2 + P*k >= {q:.17g} - 7",
    "not x > {q:.17g} / 9",
    "N*P/k > {q:.17g}e9 and D != 3",
    "k == k",
)


@st.composite
def grids(draw: st.DrawFn) -> dict[str, Any]:
    law = draw(laws())
    constraints = [
        text.format(q=draw(st.floats(0.5, 60)))
        for text in draw(st.lists(st.sampled_from(CONSTRAINTS), max_size=2, unique=True))
    ]
    used = set(law.columns) | {n for c in constraints for n in lf.formula.names(c)}
    every = table(law.seed, 100)
    axes: dict[str, np.ndarray] = {}
    cells = 1
    for name in draw(st.permutations(sorted(used or {"x"}))):
        size = draw(st.sampled_from([n for n in SIZES if n * cells <= 10_000]))
        axes[name] = np.unique(every[name])[:size]
        if draw(st.booleans()):
            axes[name] = axes[name][::-1].copy()
        cells *= len(axes[name])
    if not used:
        constraints.append("x == x")
    names = st.sampled_from(list(axes))
    along = draw(st.lists(st.lists(names, min_size=1, max_size=2, unique=True), max_size=2))
    return {
        "law": law,
        "axes": axes,
        "constraints": constraints,
        "along": [tuple(a) for a in {tuple(a): None for a in along}],
        "top": draw(st.sampled_from([1, 3, 10, 100_000])),
        "maximize": draw(st.booleans()),
    }


def bounds(law: Law, axes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the value in every cell by the twin and how far rounding may move it."""
    columns = product_of(axes)
    rows = len(next(iter(columns.values())))
    every = Law(law.tree, law.values, law.logs, law.positive, law.seed, rows)
    every.__dict__["columns"] = {n: columns[n] for n in law.columns}  # in place of random rows
    value, _ = every.twin()
    noisy = [every.twin(noise_seed=seed)[0] for seed in (1, -1, 2, -2)]
    with np.errstate(invalid="ignore"):
        spread = np.max([np.abs(v - value) for v in noisy], axis=0)
    same_nan = np.all([np.isnan(v) == np.isnan(value) for v in noisy], axis=0)
    defined = ~np.isnan(value)
    # Near the ends of the range of doubles, and at kinks, no bound is known.
    known = harmless_rows(every) & np.isfinite(value) & (spread <= 1e-3 * (1 + np.abs(value)))
    assume((same_nan & (known | ~defined)).all())
    return value, 8 * spread + 1e-13 * np.abs(value)


def check_ranks(found: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Check sorted values against ranges in which the values of all candidates lie."""
    assert (found >= np.sort(low)[: len(found)]).all()
    assert (found <= np.sort(high)[: len(found)]).all()


@deterministic
@given(grids())
def test_random_formulas(grid: dict[str, Any]) -> None:
    law, axes = grid["law"], grid["axes"]
    options = {k: grid[k] for k in ("constraints", "along", "top", "maximize")}
    value, tolerance = bounds(law, axes)
    twin = reference.grid_search(law.text, axes, law.values, **options)
    sign = -1 if grid["maximize"] else 1
    allowed = ~np.isnan(twin.values)
    low, high = sign * value - tolerance, sign * value + tolerance
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            wanted = lf.Law(law.text, variables=list(law.columns))
            got = lf.grid_search(wanted, axes, params=law.values, threads=1, **options)
            same_bits(got, lf.grid_search(wanted, axes, params=law.values, threads=2, **options))
        assert got.cells == len(value)
        assert (got.feasible, got.undefined) == (twin.feasible, twin.undefined)
        assert len(got.top["value"]) == min(grid["top"], allowed.sum())
        check_ranks(sign * got.top["value"], low[allowed], high[allowed])
        cells = cells_of(got.top, axes)
        assert len(set(cells)) == len(cells)
        assert allowed[cells].all()
        assert (np.abs(got.top["value"] - value[cells]) <= tolerance[cells]).all()
        np.testing.assert_array_equal(got.top["loss"], got.top["value"])
        for key, best in zip(grid["along"], twin.along):
            cells = cells_of(got.along[key], axes)
            np.testing.assert_array_equal(cells < 0, best < 0)
            for names_, column in product_of({n: axes[n] for n in key}).items():
                np.testing.assert_array_equal(got.along[key][names_], column)
            filled = best >= 0
            a, b = cells[filled], best[filled]
            assert (low[a] <= high[b]).all()
            assert (np.abs(got.along[key]["value"][filled] - value[a]) <= tolerance[a]).all()


# ---- Grids of some size ------------------------------------------------------------------

RNG = np.random.default_rng(3)
THREE = {
    "N": np.geomspace(1e7, 1e11, 66),
    "D": RNG.permutation(np.geomspace(1e9, 1e13, 71)),
    "P": np.linspace(2.5, 16, 67),
}
MANY = {
    "N": np.geomspace(1e7, 1e11, 40),
    "D": np.geomspace(1e9, 1e13, 35),
    "P": np.linspace(2.5, 16, 6),
    "q": np.linspace(-2, 3, 5),
    "r": np.linspace(0.5, 2, 4),
    "s": np.array([1.5]),
}
LONG = {"N": np.geomspace(1e7, 1e11, 5000), "D": np.geomspace(1e9, 1e13, 97)}
HUGE = {"N": RNG.permutation(np.geomspace(1e7, 1e11, 1_100_003))}

CASES = [
    ("1.7 + 400/N**0.34 + 2000/D**0.37", LONG, ["6*N*D <= 1e21", "D >= 20*N"]),
    ("1.7 + 400/N**0.34 + 5e-10*N", HUGE, ["N < 5e10"]),
    ("(N/1e9 - 4)**2 + sigmoid(N/1e9)", HUGE, ["loss > 3", "exp(N/1e9) > 2"]),
    ("1.7 + 400/N**0.34 + 2000/D**0.37 + N**0.2*D**-0.3*exp(-P/3)", THREE, ["N*D*P <= 1e21"]),
    ("(400*(N*(1 - exp(0.3 - P/2.7)))**-0.34 + 2000*D**-0.3)**1.1", THREE, ["P >= 3", "N <= D"]),
    ("tanh(N*D/1e19) + tanh(D/P/1e12) * sqrt(N*P)/1e6", THREE, ["N*P <= 1e11", "D*P <= 1e14"]),
    ("log(400/N**0.34 + 2000/D**0.37 + P/7) + log10(N*D) - 1/P", THREE, []),
    ("where(D > 50*N, P, 9) + max(N/1e9, D/1e11, P) + min(D/N, 3)", THREE, ["D/N != P"]),
    ("abs(log(6*N*D*P) - 50) + abs(P - 8)", THREE, ["not D*P == N"]),
    ("(N/1e9)**2*P - 3*(D/1e11)*P + exp(-N/1e9)", THREE, ["P > 4 or N > 1e10"]),
    ("N**-0.3*q + D**-0.3*r*s + exp(q*r - P/4) + P*r/9", MANY, ["q < 2.6", "r*P <= 18*s"]),
    ("q*q*r + q", MANY, ["N*D*P < 1e20 + r*s"]),
    ("5", MANY, ["N*D*P + s < 1e20 * q * r"]),
]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_cell_is_considered(case: int, maximize: bool) -> None:
    text, axes, constraints = CASES[case]
    law = lf.Law(text, variables=lf.formula.names(text))
    along: list[Any] = [*axes, tuple(axes)[::-1][:2]]
    options = {"constraints": constraints, "along": along, "top": 25, "maximize": maximize}
    got = lf.grid_search(law, axes, threads=1, **options)
    same_bits(got, lf.grid_search(law, axes, threads=2, **options))

    columns = product_of(axes)
    value = np.broadcast_to(law.predict({}, columns), columns["N"].shape)
    allowed = np.ones(len(value), bool)
    for c in constraints:
        values = {**columns, "loss": value}
        allowed &= lf.compiler.evaluate_columns(c, values) != 0
    sign = -1 if maximize else 1
    assert (got.cells, got.feasible, got.undefined) == (len(value), allowed.sum(), 0)
    best = np.sort(sign * value[allowed])[:25]
    np.testing.assert_allclose(sign * got.top["value"], best, rtol=2e-14)
    cells = cells_of(got.top, axes)
    assert allowed[cells].all()
    assert len(set(cells)) == 25
    np.testing.assert_allclose(got.top["value"], value[cells], rtol=1e-15)

    shape = [len(v) for v in axes.values()]
    cube = np.where(allowed, sign * value, np.inf).reshape(shape)
    for key in along:
        wanted = [list(axes).index(n) for n in ([key] if isinstance(key, str) else key)]
        rest = tuple(i for i in range(len(axes)) if i not in wanted)
        expected = cube.min(axis=rest)
        if list(wanted) != sorted(wanted):
            expected = expected.T
        found = sign * got.along[key]["value"]
        np.testing.assert_allclose(
            np.where(np.isnan(found), np.inf, found), expected.ravel(), rtol=2e-14
        )


def test_ties_go_to_the_first_cell() -> None:
    axes = {"a": np.arange(70.0), "b": np.arange(80.0), "c": np.arange(90.0)}
    for formula, constraints, first in [
        ("5", ["a + b + c >= 0"], np.arange(12)),
        ("floor5 * (a >= 3) + b * 0 + c * 0", [], np.arange(12)),
        ("5 - min(b, 3) + 0 * a * c", ["c > 2"], 3 * 90 + 3 + np.arange(12)),
    ]:
        law = lf.Law(formula, variables=[n for n in lf.formula.names(formula) if n != "floor5"])
        params = {"floor5": 5.0} if "floor5" in formula else None
        along = ["a", "b", "c", ("c", "a")]
        got = lf.grid_search(law, axes, params=params, constraints=constraints, along=along, top=12)
        np.testing.assert_array_equal(cells_of(got.top, axes), first)
        params = params or {}
        twin = reference.grid_search(
            formula,
            axes,
            params,
            constraints=constraints,
            along=[(k,) if isinstance(k, str) else k for k in along],
        )
        for key, best in zip(along, twin.along):
            np.testing.assert_array_equal(cells_of(got.along[key], axes), best)


def test_undefined_and_infeasible_cells() -> None:
    axes = {"x": np.linspace(-1, 1, 101), "y": np.linspace(1, 2, 70)}
    law = lf.Law("sqrt(x) + y", variables=["x", "y"])
    got = lf.grid_search(law, axes, along=["x"], constraints=["x < 0.55"])
    assert (got.cells, got.feasible, got.undefined) == (7070, 78 * 70, 50 * 70)
    assert got.best["value"] == 1.0
    empty = np.isnan(got.along["x"]["value"])
    np.testing.assert_array_equal(~empty, (axes["x"] >= 0) & (axes["x"] < 0.55))
    np.testing.assert_array_equal(got.along["x"]["x"], axes["x"])

    nowhere = lf.grid_search(law, axes, constraints=["x < 0"], along=["y"])
    assert len(nowhere.top["value"]) == 0
    assert np.isnan(nowhere.along["y"]["loss"]).all()
    with pytest.raises(lf.InputError, match=r"7,070 cells .* 3,500 satisfy .* 3,500 of these"):
        _ = nowhere.best
    assert lf.grid_search(law, axes, constraints=["1 > 2 or x < -7"]).feasible == 0
    infinite = lf.grid_search(lf.Law("1/x", variables=["x"]), {"x": [0.0, 1.0, 2.0]}, maximize=True)
    assert infinite.top["value"].tolist() == [np.inf, 1.0, 0.5]


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_huge_factors_do_not_overflow(name: str) -> None:
    """Products are taken apart only where every part is of ordinary size."""
    axes = {"a": np.linspace(600, 700, 80), "b": np.linspace(500, 800, 90)}
    with instruction_set(name):
        got = lf.grid_search(lf.Law("exp(a - b)", variables=["a", "b"]), axes, maximize=True)
        assert got.best["value"] == pytest.approx(np.exp(200.0), rel=1e-13)
        got = lf.grid_search(lf.Law("exp(a)*(exp(-b)*1e-200)", variables=["a", "b"]), axes)
        assert got.best["value"] == pytest.approx(np.exp(-200.0) * 1e-200, rel=1e-12)


# ---- The interface -----------------------------------------------------------------------

BITS = {"P_w": [3.5, 4.0, 8.0, 16.0], "P_a": 16, "P_kv": 16, "P_post": 16}


def test_a_law_of_the_catalogue_with_an_objective() -> None:
    axes = {"N": np.geomspace(1e8, 1e11, 50), "D": np.geomspace(1e9, 1e13, 60), **BITS}
    got = lf.grid_search(
        "precision-shifted",
        axes,
        params="kumar2024",
        objective="loss + 0.01 * log(6*N*D) + A * 0",
        constraints="6*N*D*P_w/16 <= 1e21",
        along="P_w",
    )
    columns = product_of({k: np.atleast_1d(v) for k, v in axes.items()})
    law = lf.law("precision-shifted")
    loss = law.predict(PUBLISHED, columns)
    value = loss + 0.01 * np.log(6 * columns["N"] * columns["D"])
    value[6 * columns["N"] * columns["D"] * columns["P_w"] / 16 > 1e21] = np.inf
    at = np.argmin(value)
    best = got.best
    assert list(best) == ["N", "D", "P_w", "P_a", "P_kv", "P_post", "value", "loss"]
    assert best == pytest.approx(
        {n: c[at] for n, c in columns.items()} | {"value": value[at], "loss": loss[at]}, rel=1e-14
    )
    assert got.along["P_w"]["value"].min() == best["value"]
    assert got.cells_per_second > 0


def test_a_fit_and_a_formula(free_fit: lf.Fit) -> None:
    axes = {"N": np.geomspace(1e8, 1e11, 50), "D": np.geomspace(1e9, 1e13, 60)}
    got = lf.grid_search(free_fit, axes, constraints=["6*N*D <= 1e21"], top=5)
    text = free_fit.law.formula
    again = lf.grid_search(text, axes, params=free_fit.params, constraints=["6*N*D <= 1e21"])
    assert again.best == got.best
    assert len(got.top["N"]) == 5
    np.testing.assert_allclose(got.top["loss"], free_fit.predict(got.top), rtol=1e-15)
    cost = lf.grid_search(free_fit, axes, objective="6*N*D", constraints=["loss <= 2.5"])
    assert cost.best["loss"] <= 2.5
    assert cost.best["value"] == 6 * cost.best["N"] * cost.best["D"]


GOOD = {"N": [1e9, 1e10], "D": [1e10, 1e11]}
P = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.37}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"axes": {}}, "must map at least one name"),
        ({"axes": {"N": [1e9]}}, "needs an axis 'D'"),
        ({"axes": {**GOOD, "Q": [1.0]}}, "axis 'Q' is used by neither"),
        ({"axes": {**GOOD, "N": []}}, "axis 'N' has no values"),
        ({"axes": {**GOOD, "N": [1e9, np.nan]}}, "axis 'N': value 1 is nan"),
        ({"axes": {**GOOD, "N": [[1e9]]}}, r"axis 'N' has shape \(1, 1\)"),
        ({"axes": {**GOOD, "N": ["many"]}}, "axis 'N': its values are not all numbers"),
        ({"axes": {**GOOD, "loss": [1.0]}}, "axis 'loss': this name is taken"),
        ({"axes": {**GOOD, "E": [1.0]}}, "'E' is both an axis and a parameter"),
        ({"axes": {**GOOD, 3: [1.0]}}, "name of an axis is a text, not 3"),
        ({"params": None}, "'E' is neither an axis nor in params; params may name"),
        ({"params": {**P, "gamma": 1.0}}, "parameter 'gamma' is used by neither"),
        ({"params": {**P, "E": np.nan}}, "parameter 'E' = nan is not finite"),
        ({"params": {**P, "E": "x"}}, "parameter 'E' = 'x' is not a number"),
        ({"params": "nobody2020"}, "no published set 'nobody2020'; published: "),
        ({"objective": "loss + M"}, "objective: 'M' is not known here; known: loss, N, D, E"),
        ({"objective": "loss +"}, "syntax error"),
        ({"constraints": ["6*N*D"]}, "this is no comparison"),
        ({"constraints": ["N <= 1e9 and D"]}, "this is no comparison"),
        ({"constraints": ["M <= 1e9"]}, "constraint: 'M' is not known"),
        ({"along": ["M"]}, "along: 'M' is not an axis; axes: N, D"),
        ({"along": [("N", "N")]}, "none of them twice"),
        ({"along": [()]}, "at least one axis"),
        ({"top": 0}, "top = 0 must be an integer of 1 or more"),
        ({"top": 1.5}, "top = 1.5 must be"),
        ({"threads": 0}, "threads = 0"),
        ({"law": "chinchila"}, "did you mean chinchilla"),
        ({"law": "E[corpus] + N / D"}, r"one level of corpus; write E for E\[corpus\]"),
    ],
)
def test_errors(change: dict[str, Any], text: str) -> None:
    call: dict[str, Any] = {"law": "chinchilla", "axes": GOOD, "params": P} | change
    with pytest.raises(lf.InputError, match=text):
        lf.grid_search(**call)


def test_too_many_cells_and_too_long_tables() -> None:
    text = "a + b + c + d"
    axes = {n: np.arange(60_000.0) for n in "abcd"}
    law = lf.Law(text, variables=list("abcd"))
    with pytest.raises(lf.InputError, match=r"1.3e\+19 cells; at most 2\*\*62"):
        lf.grid_search(law, axes)
    with pytest.raises(lf.InputError, match="a table of 3,600,000,000 rows"):
        lf.grid_search(law, axes, along=[("a", "b")])


def test_an_error_points_at_the_character() -> None:
    with pytest.raises(lf.FormulaError) as caught:
        lf.grid_search("chinchilla", GOOD, params=P, constraints=["N + Mass <= 3"])
    assert caught.value.position == 4


def test_progress_counts_cells() -> None:
    axes = {
        "N": np.geomspace(1e7, 1e12, 3000),
        "D": np.geomspace(1e9, 1e14, 3000),
        "P": np.arange(1, 300.0),
    }
    law = lf.Law("tanh(N*D/P)", variables=["N", "D", "P"])
    seen: list[tuple[int, int]] = []

    def watch(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        lf.grid_search(law, axes, progress=watch, threads=2)
    assert [total for _, total in seen] == [3000 * 3000 * 299] * 3
    assert 0 < seen[0][0] < seen[2][0] < seen[0][1]


def test_ctrl_c_keeps_what_was_found() -> None:
    axes = {n: np.linspace(1, 2, 3000) for n in "abc"}
    law = lf.Law("tanh(a*b*c) + erf(a*b - c)", variables=list("abc"))

    def interrupt() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(lf.Interrupted, match="of 27,000,000,000 cells") as caught:
        lf.grid_search(law, axes, along=["a"])
    thread.join()
    found = caught.value.result
    assert isinstance(found, lf.GridResult)
    assert 0 < found.cells < 27_000_000_000
    assert found.feasible == found.cells
    assert found.best["value"] == found.top["value"][0]


def test_the_core_refuses_what_python_would_not_ask() -> None:
    program = lf.compiler.compile_columns(lf.formula.parse("a + 1"), ["a"])
    good: dict[str, Any] = {
        "names": ["a"],
        "axes": [[1.0, 2.0]],
        "objective": (program, []),
        "constraints": [],
        "maximize": False,
        "top": 1,
        "along": [],
        "threads": 1,
        "progress": None,
    }
    assert _core.grid_search(**good)["top"][0].tolist() == [2.0]
    for change in (
        {"names": ["b"]},
        {"names": ["a", "b"]},
        {"axes": [[]]},
        {"axes": [[[1.0]]]},
        {"objective": (program, [1.0])},
        {"top": 0},
        {"along": [[1]]},
    ):
        with pytest.raises(ValueError, match=r"axis|axes|axis|parameters|top"):
            _core.grid_search(**(good | change))
