"""The best plan: against closed forms, brute force and SciPy; what it says where there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import lawfit as lf

BASE = lf.law("chinchilla").coefficients("besiroglu2024")


def message(**request: Any) -> str:
    law = request.pop("law", "chinchilla")
    if law == "chinchilla":
        request.setdefault("params", "besiroglu2024")
    with pytest.raises(lf.InputError) as caught:
        lf.plan(law, **request)
    return str(caught.value)


def closed_form(p: dict[str, float], budget: float) -> tuple[float, float]:
    """Hoffmann et al. 2022, eq. 4."""
    total = p["alpha"] + p["beta"]
    ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    n = ratio * (budget / 6) ** (p["beta"] / total)
    return n, budget / 6 / n


@pytest.mark.parametrize("budget", np.geomspace(1e14, 1e34, 11))
def test_chinchilla_has_its_closed_form_over_twenty_orders_of_magnitude(budget: float) -> None:
    over = {"N": (1.0, 1e22), "D": (1.0, 1e22)}
    got = lf.plan("chinchilla", budget, params=BASE, over=over, cells=1e4)
    n, d = closed_form(BASE, budget)
    assert got["N"] == pytest.approx(n, rel=1e-11)
    assert got["D"] == pytest.approx(d, rel=1e-11)
    assert got["cost"] == pytest.approx(budget, rel=1e-12)
    assert got.converged
    assert got.residual < 1e-9
    assert got.binding == ("cost <= budget",)
    back = lf.plan("chinchilla", target_loss=got["loss"], params=BASE, over=over, cells=1e4)
    # What the loss says of N fades with the reducible part of it.
    digits = 1e-13 * got["loss"] / (got["loss"] - BASE["E"])
    assert back["cost"] == pytest.approx(budget, rel=1e-10 + 10 * digits)
    assert back["N"] == pytest.approx(n, rel=1e-10 + 10 * digits)


@settings(max_examples=15)
@given(
    alpha=st.floats(0.1, 0.9), beta=st.floats(0.1, 0.9), a=st.floats(1, 1e4), b=st.floats(1, 1e4),
    budget=st.floats(17, 27),
)  # fmt: skip
def test_any_exponents_have_the_closed_form(
    alpha: float, beta: float, a: float, b: float, budget: float
) -> None:
    p = {"E": 1.5, "A": a, "B": b, "alpha": alpha, "beta": beta}
    got = lf.plan("chinchilla", 10**budget, params=p, cells=1e4,
                  over={"N": (1e-40, 1e60), "D": (1e-40, 1e60)})  # fmt: skip
    n, d = closed_form(p, 10**budget)
    assert (got["N"], got["D"]) == pytest.approx((n, d), rel=1e-9)


def test_a_bound_on_the_tokens_binds() -> None:
    got = lf.plan("chinchilla", 1e26, params=BASE, constraints=["D <= 1.5e13"])
    assert got["D"] == pytest.approx(1.5e13, rel=1e-12)
    assert got["N"] == pytest.approx(1e26 / 6 / 1.5e13, rel=1e-11)
    assert got.binding == ("cost <= budget", "D <= 1.5e13")
    loose = lf.plan("chinchilla", 1e26, params=BASE)
    assert got["loss"] > loose["loss"]
    text = got.summary()
    assert "limited by: cost <= budget, D <= 1.5e13" in text


def test_the_marginal_return_is_the_derivative_of_the_frontier() -> None:
    got = lf.plan("chinchilla", 1e22, params=BASE)
    losses = [lf.plan("chinchilla", 1e22 * f, params=BASE)["loss"] for f in (0.999, 1.001)]
    assert got.marginal == pytest.approx(
        (losses[1] - losses[0]) / math.log(1.001 / 0.999), rel=1e-5
    )
    back = lf.plan("chinchilla", target_loss=got["loss"], params=BASE)
    assert back.marginal == pytest.approx(1 / got.marginal, rel=1e-6)


def test_an_equality_defines_a_variable() -> None:
    got = lf.plan("chinchilla", 1e22, params=BASE, constraints="D == 20 * N")
    assert got["D"] == pytest.approx(20 * got["N"], rel=1e-12)
    assert got["N"] == pytest.approx(math.sqrt(1e22 / 120), rel=1e-11)


def test_integers_and_tables_of_shapes_equal_brute_force() -> None:
    shapes = [(4, 256), (8, 512), (12, 768), (24, 1024), (24, 2048), (40, 5120)]
    over = {("n_layer", "d_model"): shapes, "N": (1e5, 1e12)}
    got = lf.plan("chinchilla", 1e20, params=BASE, over=over,
                  constraints="N == 12 * n_layer * d_model**2")  # fmt: skip
    sizes = np.array([12.0 * n * d * d for n, d in shapes])
    loss = BASE["E"] + BASE["A"] / sizes ** BASE["alpha"]
    loss += BASE["B"] / (1e20 / 6 / sizes) ** BASE["beta"]
    best = int(np.argmin(loss))
    assert (got["n_layer"], got["d_model"]) == shapes[best]
    assert got["loss"] == pytest.approx(loss[best], rel=1e-12)
    np.testing.assert_allclose(got.table["loss"], np.sort(loss), rtol=1e-12)
    # k devices, each with 1e18 FLOP a day: as integers, from a list and from a long range
    for counts in (range(1, 200), range(1, 100_000)):
        got = lf.plan("chinchilla", 1e6, params=BASE, over={"k": counts}, cost="k**2 * 250",
                      constraints="6 * N * D <= k * 1e18")  # fmt: skip
        assert got["k"] == 63
        assert got["N"] == pytest.approx(closed_form(BASE, 63e18)[0], rel=1e-9)


def test_three_continuous_variables_equal_one_by_one() -> None:
    """Bits as a continuous variable against the best of many fixed ones."""
    request: dict[str, Any] = {"params": "kumar2024-integer", "cost": "6*N*D*(8 + P_w)/24"}
    got = lf.plan("precision-weights", 1e22, over={"P_w": (2.0, 16.0)}, **request)
    widths = np.linspace(2.0, 16.0, 57)
    each = lf.plan("precision-weights", 1e22, over={"P_w": widths}, **request)
    assert got["loss"] <= each["loss"]
    assert abs(got["P_w"] - each["P_w"]) < 0.25
    near = lf.plan("precision-weights", 1e22, over={"P_w": got["P_w"]}, **request)
    assert got["loss"] == pytest.approx(near["loss"], rel=1e-13)
    moved = [
        lf.plan("precision-weights", 1e22, over={"P_w": got["P_w"] * f}, **request)["loss"]
        for f in (0.999, 1.001)
    ]
    assert min(moved) > got["loss"]


def test_the_data_constrained_optimum_equals_brute_force() -> None:
    law = lf.law("data-constrained")
    p = law.coefficients("muennighoff2023")
    for budget, unique in ((1e20, 1e9), (1e22, 2e10), (1e24, 1e11), (1e22, 1e13)):
        got = lf.plan(law, budget, params=p, over={"U": unique})
        n = np.geomspace(got["N"] / 30, got["N"] * 30, 200_001)
        loss = law.predict(p, {"N": n, "D": budget / 6 / n, "U": np.full(len(n), unique)})
        best = int(np.argmin(loss))
        assert got["loss"] <= loss[best] * (1 + 1e-14)
        assert got["N"] == pytest.approx(n[best], rel=1e-4)
        assert got["cost"] == pytest.approx(budget, rel=1e-9)


def test_no_budget_is_spent_where_more_does_harm() -> None:
    over = {"N": 1e9, "D": (1e9, 1e14), "P_w": 16, "P_a": 16, "P_kv": 16, "P_post": 3}
    got = lf.plan("precision-shifted", 1e25, params="kumar2024", over=over)
    assert got["cost"] < 1e24
    assert got.binding == ()
    assert any("spending more would not lower the loss" in w for w in got.warnings)


def test_scipy_finds_nothing_better() -> None:
    law = lf.law("precision-shifted")
    p = law.coefficients("kumar2024")
    over = {"P_w": (3.0, 16.0), "P_a": (4.0, 16.0), "P_kv": 16, "P_post": 16}
    limits = ["N * P_w / 8 <= 2e9", "D <= 4e11"]
    cost = "6*N*D*(P_w + P_a)/32"
    got = lf.plan(law, 1e22, params=p, cost=cost, over=over, constraints=limits)
    assert got.converged

    def loss(z: np.ndarray) -> float:
        one = dict(zip(("N", "D", "P_w", "P_a"), np.exp(z)[:, None], strict=True))
        return float(law.predict(p, {**one, "P_kv": [16.0], "P_post": [16.0]})[0])

    def room(z: np.ndarray) -> list[float]:
        n, d, w, a = np.exp(z)
        return [math.log(1e22 / (6 * n * d * (w + a) / 32)), math.log(2e9 / (n * w / 8))]

    limited = [{"type": "ineq", "fun": room}]
    ends = [(math.log(1e6), math.log(1e13)), (math.log(1e6), math.log(4e11)),
            (math.log(3), math.log(16)), (math.log(4), math.log(16))]  # fmt: skip
    for start in ([20.0, 25.0, 2.0, 2.0], [21.0, 24.0, 1.5, 2.5]):
        theirs = optimize.minimize(
            loss, start, method="SLSQP", bounds=ends, constraints=limited,
            options={"ftol": 1e-15, "maxiter": 500},
        )  # fmt: skip
        if min(room(theirs.x)) > -1e-9:
            assert got["loss"] <= theirs.fun + 1e-10
    assert max(-r for r in room(np.log([got[k] for k in ("N", "D", "P_w", "P_a")]))) < 1e-9


def test_a_kink_is_found_by_search() -> None:
    law = lf.Law("E + abs(log(N / 3e9)) + 0.01 * abs(log(D / (20 * N)))")
    got = lf.plan(law, 1e24, params={"E": 1.0}, over={"N": (1e6, 1e12), "D": (1e6, 1e13)})
    assert got["N"] == pytest.approx(3e9, rel=1e-8)
    assert got["D"] == pytest.approx(6e10, rel=1e-8)
    assert not got.converged
    assert any("kink" in w for w in got.warnings)


def test_accuracies_are_maximized() -> None:
    law = lf.Law("1 - A / N**alpha - B / D**beta", target="accuracy")
    p = {k: BASE[k] for k in ("A", "B", "alpha", "beta")}
    got = lf.plan(law, 1e22, params=p, maximize=True)
    n, _ = closed_form(BASE, 1e22)
    assert got["N"] == pytest.approx(n, rel=1e-10)
    assert got.marginal > 0
    back = lf.plan(law, target_loss=got["loss"], params=p, maximize=True)
    assert back["cost"] == pytest.approx(1e22, rel=1e-9)


def test_the_threads_do_not_change_a_bit() -> None:
    request: dict[str, Any] = {"params": "kumar2024-integer", "cost": "6*N*D*P_w/16"}
    one, two = (
        lf.plan("precision-weights", 1e21, over={"P_w": [3, 4, 8, 16]}, threads=t, **request)
        for t in (1, 2)
    )
    for name, column in one.table.items():
        np.testing.assert_array_equal(column, two.table[name])


# --- what cannot be -------------------------------------------------------------------------------


def test_an_infeasible_limit_is_named_with_how_much_is_missing() -> None:
    text = message(target_loss=1.5)
    assert text.startswith('no plan is possible: "loss <= 1.5" cannot hold: at best 1.817')
    text = message(budget=1e10, over={"N": (1e8, 1e9), "D": (1e9, 1e10)})
    assert '"cost <= 1e+10" cannot hold: at best 6e+17 is 6e+07 times 1e+10' in text
    text = message(budget=1e24, constraints=["D <= 1e3", "D >= 1e9"])
    assert 'each limit can hold, but not "D <= 1e3" and "D >= 1e9" together' in text
    assert "1e+06 is 1000 times 1000" in text


def test_a_thin_set_of_plans_is_found_though_no_cell_lies_in_it() -> None:
    limits = ["N >= 1.0001e9", "N <= 1.0002e9", "D >= 20.001 * N", "D <= 20.002 * N"]
    got = lf.plan("chinchilla", 1e24, params=BASE, constraints=limits, cells=1e3)
    assert got["N"] == pytest.approx(1.0002e9, rel=1e-9)
    assert got["D"] == pytest.approx(20.002 * 1.0002e9, rel=1e-9)


def test_an_optimum_at_the_edge_is_said() -> None:
    got = lf.plan("chinchilla", 1e24, params=BASE, over={"N": (1e8, 1e10)})
    assert "N is at the upper end of its range (1e+10)" in got.warnings
    got = lf.plan("precision-weights", 1e22, params="kumar2024-integer", cost="6*N*D*P_w/16",
                  over={"P_w": [8, 12, 16]})  # fmt: skip
    assert "P_w = 8 is the smallest of its list" in got.warnings


@pytest.mark.parametrize(
    ("what", "goal"), [("loss", {"budget": 1e21}), ("cost", {"target_loss": 2.2})]
)
def test_no_interior_minimum_is_said(what: str, goal: dict[str, float]) -> None:
    params = {"E": 1.7, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}
    got = lf.plan("E + A/N**alpha + B/D**beta", params=params, cost="6*D + 1e-30*N", **goal)
    assert got.warnings == (
        f"no interior minimum: the {what} still falls where N leaves the range searched, 1000 to "
        "1e+20; give its range in over",
    )


def test_a_plan_says_what_any_point_gives() -> None:
    got = lf.plan("chinchilla", 1e21, params=BASE)
    assert got.warnings == ()  # also not that a part of the budget is left
    assert got.evaluate() == {"loss": got["loss"], "cost": got["cost"]}
    there = got.evaluate(N=1e9)
    assert there["cost"] == pytest.approx(6e9 * got["D"], rel=1e-15)
    assert there["loss"] > got["loss"]
    with pytest.raises(lf.InputError, match=r"'M' is no variable of this plan; variables: N, D"):
        got.evaluate(M=1e9)


def test_a_cost_below_zero_is_said() -> None:
    got = lf.plan("chinchilla", 1e20, params=BASE, cost="6*N*D - 1e30",
                  over={"N": (1e6, 1e9), "D": (1e9, 1e10)})  # fmt: skip
    assert any("the formula of the cost allows that" in w for w in got.warnings)


def test_a_set_is_a_list() -> None:
    got = lf.plan("precision-weights", 1e22, params="kumar2024-integer", cost="6*N*D*P_w/16",
                  over={"P_w": {16, 8, 12}})  # fmt: skip
    assert sorted(got.table["P_w"]) == [8, 12, 16]


def test_a_plan_beyond_the_runs_says_how_far() -> None:
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20)
    got = lf.plan(fit, 1e26)
    assert any("times the largest of the fitted runs" in w for w in got.warnings)
    assert not [w for w in lf.plan(fit, 1e20).warnings if "times" in w]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"budget": -1.0}, "budget = -1.0 must be above zero"),
        ({"budget": float("nan")}, "budget = nan is not finite"),
        ({"budget": "much"}, "is not a number"),
        ({}, "give either budget"),
        ({"budget": 1e20, "target_loss": 2.0}, "both were given"),
        ({"budget": 1e20, "cost": "6*N*Q"}, "cost: 'Q' is not known here"),
        ({"budget": 1e20, "cost": "6*N*"}, "syntax"),
        ({"budget": 1e20, "constraints": "D + 1"}, "write comparisons"),
        ({"budget": 1e20, "constraints": "D <= 3*X"}, "constraint: 'X' is not known here"),
        ({"budget": 1e20, "constraints": "D*N == 3"}, "an equality must have one variable"),
        ({"budget": 1e20, "over": {"Z": 3}}, "'Z' is used by neither"),
        ({"budget": 1e20, "over": {"N": (3, 1)}}, "3 is above 1"),
        ({"budget": 1e20, "over": {"N": []}}, "over: N: there is nothing to choose from"),
        ({"budget": 1e20, "over": {("N", "D"): [(1e9, 1e10), (1e9,)]}},
         "expected rows of 2 numbers, got (1000000000.0,)"),
        ({"budget": 1e20, "over": {"A": 3}}, "both a variable of the plan and a parameter"),
        ({"budget": 1e20, "over": [1]}, "must map names"),
        ({"budget": 1e20, "params": None}, "params are needed"),
        ({"budget": 1e20, "params": {"E": 1}}, "no value for"),
        ({"budget": 1e20, "params": "nobody"}, "has no set of coefficients"),
        ({"budget": 1e20, "cells": 0}, "cells = 0"),
        ({"budget": 1e20, "cells": 2.0**63}, "cells = 9.22337"),
        ({"law": "E + A / x**alpha", "budget": 1.0, "cost": "x",
          "params": {"E": 1, "A": 2, "alpha": 0.5}}, "'x' needs a range"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(request_: dict[str, Any], said: str) -> None:
    assert said in message(**request_)
