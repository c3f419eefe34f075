"""Plans in the literature, made again from the published coefficients; hardware and bits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import lawfit as lf
from lawfit.compiler import evaluate_columns
from lawfit.planning import hardware, precision, repetition
from lawfit.planning.hardware import HARDWARE

SARDANA = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.336, "beta": 0.283}
SAME_BITS = ["P_w == P", "P_a == P", "P_kv == P"]


@pytest.mark.parametrize(
    ("size", "served", "smaller", "data", "saved"),
    [(13e9, 2e12, 7.0e9, None, 0.17), (30e9, 1e13, 13.6e9, 2.84, 0.28)],
)
def test_beyond_chinchilla_optimal(
    size: float, served: float, smaller: float, data: float | None, saved: float
) -> None:
    p = SARDANA
    ratio = p["beta"] * p["B"] / (p["alpha"] * p["A"])
    tokens = (ratio * size ** p["alpha"]) ** (1 / p["beta"])
    loss = p["E"] + p["A"] / size ** p["alpha"] + p["B"] / tokens ** p["beta"]
    got = lf.plan("chinchilla", target_loss=loss, params=p, over={"D_inf": served},
                  cost="6*N*D + 2*N*D_inf")  # fmt: skip
    before = 6 * size * tokens + 2 * size * served
    assert got["N"] == pytest.approx(smaller, rel=0.01)
    assert 1 - got["cost"] / before == pytest.approx(saved, abs=0.005)
    if data is not None:
        assert got["D"] / tokens == pytest.approx(data, abs=0.01)
    if size == 13e9:
        assert before - got["cost"] == pytest.approx(1.7e22, rel=0.01)


def test_optimal_bits_do_not_depend_on_the_budget_unless_the_size_is_fixed() -> None:
    """Kumar et al. 2024: 7 to 8 bits where N, D and P are free; more with C where N is fixed."""
    bits, by_size = [], []
    span = dict.fromkeys(("P", "P_w", "P_a", "P_kv"), (3.2, 64.0))
    for budget in (1e19, 1e21, 1e23, 1e25):
        request = {"params": "kumar2024", "cost": "6*N*D*P/16", "constraints": SAME_BITS,
                   "cells": 3e4}  # fmt: skip
        free = lf.plan("precision-shifted", budget, over={**span, "P_post": 1e6}, **request)
        held = lf.plan(
            "precision-shifted", budget, over={**span, "P_post": 1e6, "N": 1e9}, **request
        )
        bits.append(free["P"])
        by_size.append(held["P"])
    assert 7.0 < bits[0] < 8.0
    np.testing.assert_allclose(bits, bits[0], rtol=1e-9)
    steps = np.diff(by_size)
    assert (steps > 0).all()
    assert steps[-1] == pytest.approx(steps[-2], rel=0.05)  # in proportion to log C


def test_critical_data_of_floating_point_training() -> None:
    """Sun et al. 2025, section 4.3: 1730e12, 27e12 and 0.4e12 tokens for 1e9 parameters."""
    p = lf.law("floating-point").coefficients("sun2025")
    for e, m, printed in ((8, 7, 1730e12), (4, 3, 27e12), (2, 1, 0.4e12)):
        got = precision.critical_tokens(
            "floating-point", {"N": 1e9, "E": e, "M": m, "B": 128}, params=p
        )
        assert got == pytest.approx(printed, rel=0.03)
        layout = (e + 0.5) ** p["delta"] * (m + 0.5) ** p["nu"]
        want = (p["d"] * p["gamma"] * 1e9 ** p["alpha"] * layout / 7) ** (1 / (2 * p["beta"]))
        assert got == pytest.approx(want, rel=1e-8)


def test_critical_data_of_quantization_after_training() -> None:
    p = lf.law("precision-shifted").coefficients("kumar2024")
    at = {"N": 1e9, "P_w": 16, "P_a": 16, "P_kv": 16, "P_post": 4}
    got = precision.critical_tokens("precision-shifted", at, params=p)
    push = p["beta"] * p["B"] * 1e9 ** p["gamma_N"] * math.exp(4 / p["gamma_post"])
    want = (push / (p["gamma_D"] * p["C_T"])) ** (1 / (p["gamma_D"] + p["beta"]))
    assert got == pytest.approx(want, rel=1e-8)
    with pytest.raises(lf.InputError, match="at= needs a number for P_a, P_kv"):
        precision.critical_tokens("precision-shifted", {"N": 1e9, "P_w": 4, "P_post": 4}, params=p)
    at = {"N": 1e9}
    base = lf.law("chinchilla").coefficients("besiroglu2024")
    assert math.isinf(precision.critical_tokens("chinchilla", at, params=base))


@pytest.mark.parametrize(("bits", "split"), [(3, (1, 1)), (4, (2, 1)), (8, (4, 3)), (16, (8, 7))])
def test_split_of_a_float(bits: int, split: tuple[int, int]) -> None:
    at = {"N": 1e9, "D": 1e12, "B": 128}
    got = precision.float_split("floating-point", bits, at, params="sun2025")
    assert (got["E"], got["M"]) == split
    with pytest.raises(lf.InputError, match="3 or more"):
        precision.float_split("floating-point", 2, at, params="sun2025")


@pytest.mark.parametrize(("budget", "bits"), [(1e21, 4.19), (1e24, 5.01), (1e31, 7.58)])
def test_cost_performance_precision_lies_between_4_and_8_bits(budget: float, bits: float) -> None:
    """Sun et al. 2025, section 4.4: cost 6 N D P / 16, B = 128, 1e21 to 1e31 FLOP."""
    got = lf.plan("floating-point-width", budget, params="sun2025", cost="6*N*D*P/16",
                  over={"P": (2.0, 32.0), "B": 128}, cells=1e5)  # fmt: skip
    assert 4 < got["P"] < 8
    assert got["P"] == pytest.approx(bits, abs=0.01)


def test_epochs() -> None:
    with pytest.raises(lf.InputError, match="repeated tokens are as good as new ones"):
        repetition.with_epochs("chinchilla", 1e22, 2e10, params="besiroglu2024")
    got = repetition.with_epochs("data-constrained", 1e22, 2e10, params="muennighoff2023")
    plain = lf.plan("data-constrained", 1e22, params="muennighoff2023", over={"U": 2e10})
    assert got["epochs"] == pytest.approx(plain["D"] / 2e10, rel=1e-8)
    assert got["loss"] == pytest.approx(plain["loss"], rel=1e-12)
    some = repetition.epoch_returns("data-constrained", 2e8, 1e10, [0.5, 2, 4, 16, 60],
                                    params="muennighoff2023")  # fmt: skip
    assert (np.diff(some["loss"]) < 0).all()
    assert (np.diff(some["marginal"]) < 0).all()
    assert some["worth"][-1] < 0.2
    with pytest.raises(lf.InputError, match="increasing"):
        repetition.epoch_returns("data-constrained", 2e8, 1e10, [2, 1], params="muennighoff2023")


def test_hardware_turns_flop_into_hours_dollars_and_limits() -> None:
    h = replace(HARDWARE["H100"], price=2.0, utilisation=0.4)
    base = lf.law("chinchilla").coefficients("besiroglu2024")
    hours = 1e22 / (989.5e12 * 0.4 * 3600)
    got = lf.plan("chinchilla", 2.0 * hours, params=base, cost=h.dollars(h.hours()))
    assert 6 * got["N"] * got["D"] == pytest.approx(1e22, rel=1e-9)
    limits = [h.days("6*N*D", "k") + " <= 10", h.fits("N * 16"), h.seconds_per_token() + " <= 0.01"]
    got = lf.plan("chinchilla", 1e9, params=base, cost=h.dollars(h.hours()), over={"k": 64},
                  constraints=limits)  # fmt: skip
    assert got["N"] <= 80e9 / 16 * (1 + 1e-9)
    assert got["N"] * 2 / (3.35e12 * h.decode) <= 0.01 * (1 + 1e-9)
    assert 6 * got["N"] * got["D"] / (989.5e12 * 0.4) / 64 == pytest.approx(10 * 86400, rel=1e-9)
    assert h.rate("P") == "where(P <= 8.0, 1979000000000000.0, 989500000000000.0)"
    assert h.rate(12) == "989500000000000.0"
    kwh = evaluate_columns(h.energy("hours"), {"hours": np.array([10.0])})[0]
    assert kwh == pytest.approx(10 * 0.7 * 1.1)
    served = h.serving_hours(1e12, 1e11, bits=8, batch=16)
    value = float(evaluate_columns(served, {"N": np.array([1e10])})[0])
    step = max(1e10 / (3.35e12 * h.decode), 2 * 1e10 * 16 / (1979e12 * h.prefill))
    read = 2 * 1e10 * 1e12 / (1979e12 * h.prefill)
    assert value == pytest.approx((read + 1e11 * step / 16) / 3600)
    with pytest.raises(lf.InputError, match="has no price"):
        HARDWARE["H100"].dollars("1")
    with pytest.raises(lf.InputError, match="there is no hardware"):
        hardware.hardware("H1000")
    with pytest.raises(lf.InputError, match="shares between"):
        replace(h, utilisation=2.0)


def test_a_fitted_time_is_a_limit() -> None:
    truth = {"t_0": 300.0, "c": 2e-14, "gamma": 0.9}
    runs = hardware.TIME.simulate(80, params=truth, noise=1e-4)
    times = lf.fit(hardware.TIME, runs, target="seconds", starts=30)
    text = hardware.as_formula(times)
    base = lf.law("chinchilla").coefficients("besiroglu2024")
    got = lf.plan("chinchilla", 1e26, params=base, over={"k": 256}, constraints=f"{text} <= 864000")
    seconds = truth["t_0"] + truth["c"] * got["N"] * got["D"] / 256 ** truth["gamma"]
    assert seconds == pytest.approx(864000, rel=1e-2)


def test_bits_of_every_part_are_planned_together() -> None:
    """Weights, activations and cache with prices of their own, against all combinations."""
    request = {"params": "kumar2024", "cost": "6*N*D*(2*P_w + 2*P_a + P_kv)/80"}
    widths = [4, 6, 8, 12, 16]
    over = {"P_w": widths, "P_a": widths, "P_kv": widths, "P_post": 16}
    got = lf.plan("precision-shifted", 1e21, over=over, cells=1e5, **request)
    assert len(got.table["loss"]) == 125
    assert (np.diff(got.table["loss"]) >= 0).all()
    for k in (0, 60, 124):
        row = {n: got.table[n][k] for n in ("P_w", "P_a", "P_kv")}
        alone = lf.plan("precision-shifted", 1e21, over={**row, "P_post": 16}, **request)
        assert got.table["loss"][k] == pytest.approx(alone["loss"], rel=1e-12)
