"""Uncertain plans: draws planned again, regret, flat regions, lines of plans, next runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

import lawfit as lf
from lawfit.planning import design, frontier, refine
from lawfit.planning.problem import Limit
from lawfit.planning.rows import Rows

BASE = lf.law("chinchilla").coefficients("besiroglu2024")


def spread(params: dict[str, float], n: int, by: float = 0.03) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {k: v * np.exp(rng.normal(0, by, n)) for k, v in params.items()}


@pytest.fixture(scope="module")
def plan() -> lf.Plan:
    return lf.plan("chinchilla", 1e22, params=BASE)


def test_every_draw_has_the_closed_form(plan: lf.Plan) -> None:
    p = spread(BASE, 300)
    budgets = np.geomspace(1e18, 1e26, 5)
    again = plan.draws(p, limits=budgets)
    total = p["alpha"] + p["beta"]
    ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / total)
    n = ratio[:, None] * (budgets / 6) ** (p["beta"] / total)[:, None]
    np.testing.assert_allclose(again.values["N"], n, rtol=1e-9)
    assert again.failed == 0
    low, high = again.intervals(0.9, at=2)["N"]
    assert (low, high) == pytest.approx(tuple(np.percentile(n[:, 2], [5, 95])), rel=1e-9)
    one = plan.draws(p, limits=budgets, threads=1)
    np.testing.assert_array_equal(one.values["N"], again.values["N"])


def test_draws_equal_plans_made_one_by_one_with_lists_and_limits() -> None:
    base = lf.law("precision-weights").coefficients("kumar2024-integer")
    p = spread(base, 12, 0.08)
    request = {"cost": "6*N*D*(16 + P_w)/32", "over": {"P_w": [3, 4, 6, 8, 16]},
               "constraints": ["D <= 6e10", "N * P_w / 8 <= 4e9"]}  # fmt: skip
    plan = lf.plan("precision-weights", 1e22, params=base, **request)
    again = plan.draws(p, limits=[1e20, 1e22])
    assert again.failed == 0
    for k in range(12):
        one = {n: float(v[k]) for n, v in p.items()}
        for j, budget in enumerate((1e20, 1e22)):
            want = lf.plan("precision-weights", budget, params=one, **request).best
            got = {n: again.values[n][k, j] for n in want}
            assert got["loss"] == pytest.approx(want["loss"], rel=1e-11)
            assert got == pytest.approx(want, rel=1e-7)
    shares = np.array(list(again.share["P_w"].values()))
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)


def test_intervals_come_from_the_fit() -> None:
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20)
    plan = lf.plan(fit, 1e21)
    boot = fit.bootstrap(200)
    ends = plan.intervals(0.95, draws=boot)
    assert set(ends) == {"N", "D", "loss", "cost"}
    assert ends["N"][0] < plan["N"] < ends["N"][1]
    assert ends["cost"] == pytest.approx((1e21, 1e21), rel=1e-9)
    worse = {"N": 3 * plan["N"], "D": plan["D"] / 3}
    best = {n: plan[n] for n in ("N", "D")}
    assert plan.probability(best, worse, boot) > 0.99
    assert plan.probability(best, best, boot) == 0.5
    lost = plan.regret(**worse, draws=boot)
    assert lost.interval is not None
    assert 0 < lost.interval[0] < lost.regret < lost.interval[1]


def test_no_draws_are_said(plan: lf.Plan, tmp_path: pytest.TempPathFactory) -> None:
    with pytest.raises(lf.InputError, match="intervals need draws"):
        plan.intervals()
    with pytest.raises(lf.InputError, match="the draws have no 'E'"):
        plan.intervals(draws={"A": np.ones(3)})
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20)
    read = type(fit).from_dict(fit.to_dict())
    with pytest.raises(lf.InputError, match="read from a file"):
        lf.plan(read, 1e21).intervals()


def test_regret_is_against_the_same_cost(plan: lf.Plan) -> None:
    none = plan.regret(N=plan["N"], D=plan["D"])
    assert none.regret == pytest.approx(0.0, abs=1e-12)
    assert none.waste == pytest.approx(0.0, abs=1e-9)
    some = plan.regret(N=5 * plan["N"], D=plan["D"])
    alone = lf.plan("chinchilla", 5e22, params=BASE)
    assert some.best_loss == pytest.approx(alone["loss"], rel=1e-12)
    assert some.broken == ("cost <= 1e+22",)
    least = lf.plan("chinchilla", target_loss=some.loss, params=BASE)["cost"]
    assert some.waste == pytest.approx(5e22 / least - 1, rel=1e-6)
    with pytest.raises(lf.InputError, match="no variable of this plan"):
        plan.regret(Q=3)


def test_limits_that_are_just_kept_are_not_broken() -> None:
    inside = "2e+09 <= N <= 3e+09"
    for settings, low, high in (
        ({"constraints": ["-N <= -2e9", "N <= 3e9"]}, "-N <= -2e9", "N <= 3e9"),
        ({"over": {"N": (2e9, 3e9)}}, inside, inside),
    ):
        plan = lf.plan("chinchilla", 1e22, params=BASE, **settings)
        for n, broken in ((2e9, ()), (3e9, ()), (1.999e9, (low,)), (3.001e9, (high,))):
            assert plan.regret(N=n, D=1e10).broken == broken


def test_the_flat_region_ends_where_the_loss_is_so_much_higher(plan: lf.Plan) -> None:
    got = plan.flat(0.002)
    for n in got.ranges["N"]:
        d = 1e22 / 6 / n
        loss = BASE["E"] + BASE["A"] / n ** BASE["alpha"] + BASE["B"] / d ** BASE["beta"]
        assert loss == pytest.approx(1.002 * plan["loss"], rel=1e-9)
    assert got.ranges["N"][0] < plan["N"] < got.ranges["N"][1]
    bits = lf.plan("precision-weights", 1e22, params="kumar2024-integer", cost="6*N*D*P_w/16",
                   over={"P_w": [4, 6, 8, 16]})  # fmt: skip
    near = bits.flat(0.002).values["P_w"]
    want = bits.table["P_w"][bits.table["loss"] <= 1.002 * bits["loss"]]
    assert near == tuple(sorted(want))


def test_frontier_and_exponents(plan: lf.Plan) -> None:
    budgets = np.geomspace(1e18, 1e26, 9)
    line = plan.frontier(budgets)
    for k in (0, 4, 8):
        alone = lf.plan("chinchilla", budgets[k], params=BASE).best
        assert {n: line.table[n][k] for n in alone} == pytest.approx(alone, rel=1e-9)
    exponent = BASE["beta"] / (BASE["alpha"] + BASE["beta"])
    np.testing.assert_allclose(line.exponents()["N"], exponent, rtol=1e-9)
    with pytest.raises(lf.InputError, match="must be above zero"):
        plan.frontier([1e20, -1])
    cheapest = lf.plan("chinchilla", target_loss=2.5, params=BASE).frontier([1.5, 2.2])
    assert np.isnan(cheapest.table["N"]).tolist() == [True, False]


def test_lines_tell_how_far_they_are(plan: lf.Plan) -> None:
    seen: list[tuple[int, int]] = []
    plan.frontier([1e20, 1e22], progress=lambda *done: seen.append(done))
    served = lf.plan("chinchilla", 1e22, params=BASE, cost="6*N*D + 2*N*D_inf",
                     over={"D_inf": 1e11})  # fmt: skip
    frontier.over_values(
        served, "D_inf", [1e10, 1e12, 1e13], progress=lambda *done: seen.append(done)
    )
    assert seen == [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]


def test_more_serving_makes_smaller_models_and_contours_have_one_loss() -> None:
    plan = lf.plan("chinchilla", target_loss=2.1, params=BASE, cost="6*N*D + 2*N*D_inf",
                   over={"D_inf": 1e11})  # fmt: skip
    line = frontier.over_values(plan, "D_inf", np.geomspace(1e9, 1e14, 6))
    assert (np.diff(line.table["N"]) < 0).all()
    np.testing.assert_allclose(line.table["loss"], 2.1, rtol=1e-10)
    # First-order condition of Sardana et al. 2024.
    n, d = line.table["N"], line.table["D"]
    of_n = BASE["alpha"] * BASE["A"] / n ** BASE["alpha"]
    of_d = BASE["beta"] * BASE["B"] / d ** BASE["beta"]
    np.testing.assert_allclose(of_n / of_d, 1 + line.at / (3 * d), rtol=1e-8)
    for call in (
        lambda: frontier.over_values(plan, "D_inf", []),
        lambda: frontier.iso_loss(plan, 2.1, "N", [1e9, math.nan]),
    ):
        with pytest.raises(lf.InputError, match="must be finite numbers, at least one"):
            call()
    contour = frontier.iso_loss(plan, 2.1, "N", [1e9, plan["N"], 1e12])
    assert np.isnan(contour["D"][0])
    np.testing.assert_allclose(contour["loss"][1:], 2.1, rtol=1e-10)
    assert contour["cost"][1] == pytest.approx(plan["cost"], rel=1e-9)
    assert contour["cost"][2] > plan["cost"]


def test_following_equals_refining() -> None:
    """Draws in which other limits bind than under the central parameters are found too."""
    p = spread(BASE, 400, 0.05)
    plan = lf.plan("chinchilla", 1e23, params=BASE, constraints="D <= 2.1e11")
    got = plan.draws(p, limits=[1e22, 1e26])
    limits = [Limit("", "6*N*D", "_limit"), Limit("", "D", "2.1e11")]
    ranges = {"N": (1e6, 1e13), "D": (1e6, 1e14)}
    rows = Rows(lf.law("chinchilla").formula, limits, ranges, p | {"_limit": np.full(400, 1e22)})
    start = np.log(np.array([np.full(400, 3e10), np.full(400, 1e22 / 6 / 3e10)]))
    low, high = np.full((2, 400), math.log(1e6)), np.log(np.array([[1e13], [1e14]])) * np.ones(400)
    slow = refine.refine(rows, start, low, high)
    assert slow.converged.all()
    assert 0 < (slow.multipliers[1] > 0).sum() < 400
    np.testing.assert_allclose(np.log(got.values["N"][:, 0]), slow.x[0], atol=1e-9)
    np.testing.assert_allclose(got.values["D"][:, 1], 2.1e11, rtol=1e-9)
    assert (got.checked, got.missed, got.failed) == (32, 0, 0.0)


def test_programs_that_circle_exchange_one_thing_at_a_time() -> None:
    """One bound or constraint of each row, each of them in some turn."""
    state, on = np.array([[0, 1, 0], [0, 0, 0]], np.int8), np.array([[True, False, False]] * 2)
    new_state, new_on = (
        np.array([[1, 1, 0], [-1, 0, 0]], np.int8),
        np.array([[False, True, False]] * 2),
    )
    seen = set()
    for turn in range(4):
        s, c = refine._only_first(new_state, new_on, state, on, turn)
        changed = np.concatenate([s != state, c != on])
        np.testing.assert_array_equal(changed.sum(axis=0), [1, 1, 0])
        assert (np.where(changed[:2], s == new_state, True)).all()
        seen |= {(int(i), int(r)) for i, r in zip(*np.nonzero(changed), strict=True)}
    assert seen == {(0, 0), (1, 0), (2, 0), (3, 0), (2, 1), (3, 1)}


def test_a_basin_that_only_some_draws_have_is_found() -> None:
    law = "E + A / N**alpha + B / D**beta - h * exp(-log(N / 3e11)**2)"
    base = BASE | {"h": 0.0}
    p = spread(base, 60) | {"h": np.where(np.arange(60) % 3 == 0, 0.4, 0.0)}
    plan = lf.plan(law, 1e22, params=base)
    got = plan.draws(p, limits=[1e22, 3e22])
    assert got.missed > 0
    assert got.checked > got.missed
    for k in range(0, 60, 5):
        for j, budget in enumerate(got.limits):
            want = lf.plan(law, budget, params={n: float(v[k]) for n, v in p.items()}, cells=1e5)
            assert got.values["loss"][k, j] == pytest.approx(want["loss"], rel=1e-10)


def test_draws_choose_their_own_whole_numbers_and_combinations() -> None:
    """A list's value that reaches no target under the central parameters may do so in a draw."""
    p = spread(BASE, 8, 0.1)
    plan = lf.plan("chinchilla", 1e21, params=BASE, cost="6*N*D", constraints="N == 1e6 * k",
                   over={"k": range(1, 10**6)})  # fmt: skip
    got = plan.draws(p)
    for k in range(8):
        want = lf.plan("chinchilla", 1e21, params={n: float(v[k]) for n, v in p.items()},
                       cost="6*N*D", constraints="N == 1e6 * k",
                       over={"k": range(1, 10**6)}, cells=1e4)  # fmt: skip
        assert got.values["k"][k, 0] == want["k"]
    assert len(np.unique(got.values["k"])) == 8
    law = "E * (1 + 1 / b) + A / N**alpha + B / D**beta"
    cheap = lf.plan(law, target_loss=2.05, params=BASE, cost="6*N*D*b", over={"b": [4, 8, 16]})
    assert 4.0 not in cheap.table["b"]
    some = cheap.draws(p)
    assert some.failed > 0
    for k in range(8):
        one = {n: float(v[k]) for n, v in p.items()}
        try:
            want = lf.plan(law, target_loss=2.05, params=one, cost="6*N*D*b",
                           over={"b": [4, 8, 16]}, cells=1e4)  # fmt: skip
        except lf.InputError:
            assert np.isnan(some.values["b"][k, 0])
        else:
            assert some.values["b"][k, 0] == want["b"]


def test_draws_at_a_kink_are_planned_and_counted() -> None:
    """The best ratio of tokens to parameters is 20 in all draws, where the law has no slope."""
    law = "E + A / N**alpha + B / D**beta + 0.1 * abs(log(D / N / 20))"
    got = lf.plan(law, 1e22, params=BASE).draws(spread(BASE, 40))
    assert (got.failed, got.rough) == (0.0, 1.0)
    np.testing.assert_allclose(got.values["D"] / got.values["N"], 20.0, rtol=1e-5)
    smooth = lf.plan("chinchilla", 1e22, params=BASE, over={"N": [1e9, 1e10], "D": [1e11, 2e11]})
    listed = smooth.draws(spread(BASE, 40))
    assert (listed.failed, listed.rough) == (0.0, 0.0)
    assert set(listed.share["N"]) <= {1e9, 1e10}


def test_following_tells_how_far_it_is_and_can_be_stopped(plan: lf.Plan) -> None:
    told: list[tuple[int, int]] = []
    plan.draws(spread(BASE, 50), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (50, 50)

    def stop(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        plan.draws(spread(BASE, 50), progress=stop)


def test_the_next_runs_shrink_what_they_say(plan: lf.Plan) -> None:
    """The variance after a run is that of a Bayesian linear model with all runs at once."""
    draws = spread(BASE, 2000, 0.01)
    grid = design.isoflop_grid([1e19, 1e20], points=5)
    got = design.next_runs(plan, grid, draws, runs=3, noise=0.003)
    assert (np.diff(got.sd) < 0).all()
    again = plan.draws(draws)
    q = np.log(again.values["N"][:, 0])
    y = np.column_stack([
        np.log(draws["E"] + draws["A"] / n ** draws["alpha"] + draws["B"] / d ** draws["beta"])
        for n, d in zip(got.runs["N"], got.runs["D"], strict=True)
    ])  # fmt: skip
    joint = np.cov(np.column_stack([q, y]), rowvar=False)
    noisy = joint[1:, 1:] + 0.003**2 * np.eye(3)
    left = joint[0, 0] - joint[0, 1:] @ np.linalg.solve(noisy, joint[0, 1:])
    assert got.sd[-1] == pytest.approx(math.sqrt(left), rel=1e-6)
    # The first of the greedy choices is the best single run.
    single = [
        design.next_runs(plan, {k: [v[i]] for k, v in grid.items()}, draws, runs=1).sd[1]
        for i in range(10)
    ]
    best = design.next_runs(plan, grid, draws, runs=1, per_cost=False)
    assert best.sd[1] == pytest.approx(min(single), rel=1e-12)
    cheap = design.next_runs(plan, grid, draws, budget=2e19, runs=9)
    assert cheap.runs["cost"].sum() <= 2e19 * (1 + 1e-9)
    with pytest.raises(lf.InputError, match="no candidate can be paid"):
        design.next_runs(plan, grid, draws, budget=1.0)
