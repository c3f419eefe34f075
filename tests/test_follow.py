"""Following draws: the core against its twin, what settles, and what becomes of the rest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import lawfit as lf
from lawfit import _core
from lawfit.planning import follow as following
from lawfit.planning import refine
from lawfit.planning.problem import Limit
from lawfit.planning.rows import Rows
from lawfit.reference.follow import _step, follow

BASE = lf.law("chinchilla").coefficients("besiroglu2024")
RANGES = {"N": (1e6, 1e13), "D": (1e6, 1e14), "lr": (1e-6, 1.0)}


def spread(params: dict[str, float], n: int, by: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {k: v * np.exp(rng.normal(0, by, n)) for k, v in params.items()}


def test_the_step_solves_the_equations_of_the_optimum() -> None:
    rng = np.random.default_rng(0)
    rows, n = 5, 3
    root = rng.normal(size=(n, n, rows))
    hessian = np.einsum("ikr,jkr->ijr", root, root)
    values, gradients = rng.normal(size=(3, rows)), rng.normal(size=(3, n, rows))
    free, held = np.arange(n), np.array([0, 1])
    step, lam, _, _ = _step(hessian, values, gradients, free, held)
    for r in range(rows):
        normals = gradients[1:, :, r]
        matrix = np.block([[hessian[:, :, r], normals.T], [normals, np.zeros((2, 2))]])
        wanted = np.linalg.solve(matrix, -np.r_[gradients[0, :, r], values[1:, r]])
        np.testing.assert_allclose(np.r_[step[:, r], lam[:, r]], wanted, rtol=1e-8)


def test_a_near_optimum_settles() -> None:
    # min of sum exp(a_i x_i) with x_0 + x_1 >= c, whose c moves a little from row to row
    c = np.linspace(0.99, 1.01, 4)
    a = np.array([[1.0], [2.0]])

    def functions(x: Any, at: Any, shift: Any) -> Any:
        moved = x + shift[:, None]
        value = np.exp(a * moved).sum(axis=0)
        values = np.stack([value, c[at] - moved.sum(axis=0)])
        return values, np.stack([a * np.exp(a * moved), -np.ones_like(moved)])

    # a_0 exp(a_0 x_0) = a_1 exp(a_1 x_1) at the optimum
    exact = np.stack([(2.0 * c + np.log(2.0)) / 3.0, (c - np.log(2.0)) / 3.0])
    start = np.repeat(exact.mean(axis=1, keepdims=True), 4, axis=1)
    box = np.full((2, 4), 10.0)
    x, objective, settled = follow(
        functions, start, -box[:, :1], box[:, :1], np.array([True]), np.array([True, True])
    )
    np.testing.assert_allclose(x, exact, rtol=1e-9)
    np.testing.assert_allclose(objective, np.exp(a * exact).sum(axis=0), rtol=1e-9)
    assert settled.all()  # none is left to a search


@st.composite
def problems(draw: st.DrawFn) -> tuple[Rows, dict[str, np.ndarray], np.ndarray, list[list[bool]]]:
    """Return programs, columns of many rows, a start, and which limits bind and what is inside."""
    n = draw(st.integers(2, 300))
    spread_by = draw(st.sampled_from([1e-3, 0.05, 0.3]))
    budget = 10.0 ** draw(st.floats(18, 26))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    p = {k: v * np.exp(rng.normal(0, spread_by, n)) for k, v in BASE.items()}
    p |= {"_limit": np.full(n, budget), "S": np.full(n, 1e9)}
    caps = [
        Limit("", "6*N*D + 2*N*S", "_limit"),
        Limit("", "D", "6e11"),
        Limit("", "N*S**0.5", "1e14"),
    ]
    caps = caps[: draw(st.integers(1, 3))]
    log = draw(st.booleans())
    ranges = {n: RANGES[n] for n in ("N", "D")}
    rows = Rows(lf.law("chinchilla").formula, caps, ranges, p, log_objective=log)
    binding = [True, *(draw(st.booleans()) for _ in caps[1:])]
    inside = draw(st.sampled_from([[True, True], [True, False], [False, True]]))
    start = np.log([draw(st.floats(1e8, 1e12)), draw(st.floats(1e9, 1e13))])
    if draw(st.booleans()):  # near the optimum without serving and caps
        total = BASE["alpha"] + BASE["beta"]
        ratio = (BASE["alpha"] * BASE["A"] / (BASE["beta"] * BASE["B"])) ** (1 / total)
        best = ratio * (budget / 6) ** (BASE["beta"] / total)
        start = np.log([best, budget / 6 / best])
    start = np.where(inside, start, math.log(1e6))
    return rows, p, start, [binding, inside]


def followed(rows: Rows, p: dict[str, np.ndarray], start: np.ndarray, states: list[list[bool]],
             threads: int = 1) -> dict[str, Any]:  # fmt: skip
    binding, inside = states
    derived = [(n, q, np.nan if n in rows.positive else None) for n, (_, q) in rows.hoisted.items()]
    derived += [(n, q, 1e-300) for n, q in rows.rooms]
    ends = np.log([RANGES[n] for n in rows.names]).T.tolist()
    return _core.follow(
        list(rows.names), rows.programs, derived, list(p.items()), rows.rows, [],
        np.ascontiguousarray(start[:, None]), *ends, inside, binding, [0], 1, threads, None,
    )  # fmt: skip


def followed_slowly(rows: Rows, start: np.ndarray, states: list[list[bool]]) -> Any:
    low, high = np.log([RANGES[n] for n in rows.names]).T[:, :, None]
    many = np.repeat(start[:, None], rows.rows, axis=1)
    return follow(rows, many, low, high, *map(np.array, states))


@given(problems())
@settings(max_examples=50)
def test_the_core_follows_as_its_twin(problem: Any) -> None:
    rows, p, start, states = problem
    got = followed(rows, p, start, states)
    x, objective, settled = followed_slowly(rows, start, states)
    np.testing.assert_array_equal(got["best"] >= 0, settled)
    np.testing.assert_array_equal(np.flatnonzero(~settled), got["unsettled"])
    # One of them may take a step more than the other, of 1e-11.
    np.testing.assert_allclose(got["x"][settled, 0], x.T[settled], rtol=0, atol=1e-10)
    np.testing.assert_allclose(got["objective"][settled], objective[settled], rtol=1e-12)
    again = followed(rows, p, start, states, threads=2)
    for name in ("best", "objective", "x", "unsettled"):
        np.testing.assert_array_equal(again[name], got[name])
    # A row depends on its neighbours through rounding alone: sums of exponentials share a scale.
    one = followed(rows.over({n: v[-1:] for n, v in p.items()}), {n: v[-1:] for n, v in p.items()},
                   start, states)  # fmt: skip
    np.testing.assert_allclose(one["x"][0], got["x"][-1], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("law", "caps", "binding", "inside", "start", "settles"),
    [
        # The limit alone makes the point, and the objective bends down along it.
        ("E - 1e-3*N**0.3", ["1e3*N*D"], [True], [True, False], [1e10, 1e6], True),
        # Equations that determine nothing: the same limit twice, no slope along the limit.
        ("E + A/N**alpha + B/D**beta", ["N*D", "2*N*D"], [True, True], [True, True],
         [1e10, 1e10], False),
        ("E + A/(N*D)**alpha", ["N*D"], [True], [True, True], [1e10, 1e10], False),
        # A limit that binds and has no force.
        ("E + A/(N*D)**alpha", ["N*D", "1e10*D"], [True, True], [True, True],
         [1e10, 1e10], True),
        # The slope vanishes at the minimum, in all directions.
        ("E + (log(N) - 60*alpha)**2 + (log(D) - log(N) - beta)**2", ["N*D"], [False],
         [True, True], [1e9, 1e9], True),
        # A saddle between two minima.
        ("E + (log(N) - 21)**4 - (log(N) - 21)**2 + (log(D) - 21)**2", ["N*D"], [False],
         [True, True], [1.4e9, 1.3e9], False),
    ],
)  # fmt: skip
def test_rounding_decides_no_verdict(
    law: str, caps: list[str], binding: list[bool], inside: list[bool], start: list[float],
    settles: bool,
) -> None:  # fmt: skip
    p = spread(BASE, 300, 0.01) | {"_limit": np.full(300, 1e20), "_double": np.full(300, 2e20)}
    limits = [Limit("", c, "_double" if c[0] == "2" else "_limit") for c in caps]
    rows = Rows(law, limits, {"N": RANGES["N"], "D": RANGES["D"]}, p)
    at = np.log(start)
    got = followed(rows, p, at, [binding, inside])
    _, _, settled = followed_slowly(rows, at, [binding, inside])
    assert (settled == settles).all()
    assert ((got["best"] >= 0) == settles).all()


# Of several variables; the last two have one minimum along the limit or many, as h and c are.
LAWS = {
    "E + A/N**alpha + B/D**beta": ("N", "D"),
    "E + A/N**alpha + B/D**beta + h*(log(lr) + 5 + c)**2": ("N", "D", "lr"),
    "E + A/N**alpha + B/D**beta + h*cos(2*log(N) + c)": ("N", "D"),
    "E + A/N**alpha + B/D**beta + h*cos(log(lr*N) + c) + 0.3*h*(log(lr) + 5)**2": ("N", "D", "lr"),
}


@pytest.mark.parametrize("seed", range(24))
def test_what_is_settled_is_a_minimum(seed: int) -> None:
    """An independent search from points near it finds nothing better that is near."""
    rng = np.random.default_rng(seed)
    law, names = list(LAWS.items())[seed % len(LAWS)]
    base = BASE | {"h": 10 ** rng.uniform(-3, -0.5), "c": rng.uniform(-3, 3)}
    p = {n: v for n, v in spread(base, 40, 0.05).items() if n in law}
    budget = 10 ** rng.uniform(18, 26)
    p["_limit"] = np.full(40, budget)
    caps = {"_limit": "6*N*D", "6e11": "D", "1e11": "N"}
    rows = Rows(law, [Limit("", left, right) for right, left in caps.items()],
                {n: RANGES[n] for n in names}, p)  # fmt: skip
    size = 0.1 * math.sqrt(budget) * 10 ** rng.uniform(-0.5, 0.5)
    start = np.log([size, budget / 6 / size, 10 ** rng.uniform(-4, -1)][: len(names)])
    ends = np.log([RANGES[n] for n in names])

    def value(text: str, x: Any, k: int) -> float:
        env: dict[str, Any] = {"exp": np.exp, "log": np.log, "cos": np.cos}
        env |= {n: float(v[k]) for n, v in p.items()} | dict(zip(names, np.exp(x), strict=True))
        return float(eval(text, {}, env))

    def room(x: Any, k: int) -> Any:
        return np.log([value(right, x, k) / value(left, x, k) for right, left in caps.items()])

    for cap in ([False, False], [True, False], [False, True]):
        got = followed(rows, p, start, [[True, *cap], [True] * len(names)])
        for k in rng.permutation(np.flatnonzero(got["best"] >= 0))[:2]:
            at = got["x"][k, 0]
            assert got["objective"][k] == pytest.approx(value(law, at, k), rel=1e-13)
            assert room(at, k).min() > -1e-9
            for _ in range(3):
                other = optimize.minimize(
                    lambda x, k=k: value(law, x, k),
                    np.clip(at + 1e-3 * rng.normal(size=len(at)), *ends.T),
                    method="SLSQP",
                    bounds=ends,
                    constraints={"type": "ineq", "fun": lambda x, k=k: room(x, k)},
                    options={"ftol": 1e-14},
                )
                if np.abs(other.x - at).max() < 0.05 and room(other.x, k).min() > -1e-10:
                    assert other.fun > got["objective"][k] - 1e-9


def test_what_is_not_settled_is_refined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each such row once, and what comes out is what a plan of its own finds."""
    refined: list[int] = []
    unsettled: list[int] = []

    def counting(rows: Rows, start: Any, low: Any, high: Any) -> refine.Refined:
        refined.append(start.shape[1])
        return refine.refine(rows, start, low, high)

    class Core:
        def follow(self, *arguments: Any) -> dict[str, Any]:
            raw = _core.follow(*arguments)
            unsettled.append(len(raw["unsettled"]))
            return raw

    monkeypatch.setattr(following, "refine", counting)
    monkeypatch.setattr(following, "_core", Core())
    request: dict[str, Any] = {"constraints": ["D <= 2.1e11", "N <= 2e10"]}
    plan = lf.plan("chinchilla", 2e22, params=BASE, **request)
    p = spread(BASE, 200, 0.1)
    got = plan.draws(p, limits=[1e22, 2e22])
    assert sum(refined) == sum(unsettled) > 50
    assert got.missed == 0
    for k in range(0, 200, 20):
        one = {n: float(v[k]) for n, v in p.items()}
        for j, budget in enumerate(got.limits):
            want = lf.plan("chinchilla", budget, params=one, cells=1e4, **request)
            assert got.values["loss"][k, j] == pytest.approx(want["loss"], rel=1e-11)
