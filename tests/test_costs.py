"""Costs: known counts, agreement of formula and function, and how they enter tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lawfit as lf
from lawfit.costs import COSTS, cost
from lawfit.formula import names

# GPT-3 175B: Brown et al. 2020, table 2.1
GPT3 = {"n_layer": 96.0, "d_model": 12288.0, "d_attn": 12288.0, "d_ff": 4 * 12288.0}
sizes = st.floats(1.0, 1e12)


@pytest.mark.parametrize("name", COSTS)
def test_variables_are_those_of_the_formula(name: str) -> None:
    entry = COSTS[name]
    assert entry.name == name
    assert set(entry.variables) == set(names(entry.formula))
    assert all(entry.variables.values())
    assert entry.unit
    assert entry.source


def test_known_counts() -> None:
    # Hoffmann et al. 2022: Chinchilla, 70e9 parameters and 1.4e12 tokens, 5.88e23 FLOP
    assert cost("training")(N=70e9, D=1.4e12) == pytest.approx(5.88e23)
    blocks = cost("block-parameters")(**GPT3)
    assert blocks == 12 * 96 * 12288**2
    everything = blocks + cost("embedding-parameters")(n_vocab=50257, n_ctx=2048, d_model=12288)
    assert everything == pytest.approx(175e9, rel=0.005)
    # Llama 2 70B: 80 layers, 64 query and 8 key heads of 128, untied vocabulary of 32,000
    llama = cost("gated-block-parameters")(
        n_layer=80, d_model=8192, d_head=128, n_head=64, n_kv_head=8, d_ff=28672
    )
    total = cost("all-parameters")(N=llama, n_tables=2, n_vocab=32000, d_model=8192)
    assert total == pytest.approx(68.98e9, rel=1e-3)
    # Mixtral 8x7B: 46.7e9 stored, 12.9e9 active
    shared, expert = 1.605e9, 3 * 4096 * 14336 * 32
    assert cost("experts-total")(N_shared=shared, N_expert=expert, n_experts=8) == pytest.approx(
        46.7e9, rel=1e-3
    )
    assert cost("experts-active")(N_shared=shared, N_expert=expert, n_active=2) == pytest.approx(
        12.9e9, rel=2e-3
    )
    assert cost("weight-bytes")(N=7e9, P_w=4) == 3.5e9


def test_counts_of_attention_agree_where_they_should() -> None:
    shape = {"n_layer": 12.0, "d_attn": 768.0, "n_ctx": 1024.0, "D": 1e9}
    n = 12 * 12 * 768.0**2
    plain = cost("training")(N=n, D=1e9)
    kaplan = cost("training-context")(N=n, **shape) - plain
    palm = cost("training-attention")(N=n, **shape) - plain
    assert palm == pytest.approx(2.0 * kaplan)
    detailed = cost("training-detailed")(
        **shape, d_model=768, d_ff=4 * 768, n_head=12, n_vocab=0
    )  # without the softmax it is the count of PaLM
    assert detailed - 3e9 * 12 * 3 * 12 * 1024 == pytest.approx(plain + palm)
    head = cost("training-last-layer")(N=n, D=1e9, n_vocab=50257, d_model=768) - plain
    both = cost("training-last-layer-context")(
        N=n, D=1e9, n_vocab=50257, d_model=768, n_layer=12, n_ctx=1024
    )
    assert both == pytest.approx(plain + head + kaplan)


@given(n=sizes, d=sizes, bits=st.floats(1.0, 32.0))
def test_bits_scale_the_cost(n: float, d: float, bits: float) -> None:
    assert cost("training-bits")(N=n, D=d, P=bits) == pytest.approx(6 * n * d * bits / 16)
    assert cost("training")(N=n, D=d) == pytest.approx(3 * cost("forward")(N=n, D=d))
    assert cost("lifetime")(N=n, D=d, D_inf=0.0) == cost("training")(N=n, D=d)


def test_arrays_broadcast() -> None:
    found = cost("training")(N=np.array([[1.0], [2.0]]), D=np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(found, 6.0 * np.array([[1, 10, 100], [2, 20, 200]]))
    assert cost("training")(N=1.0, D=1.0).shape == ()


def test_text_enters_a_table() -> None:
    runs = lf.read(
        {"params": [1e6, 2e6], "tokens": [1e8, 1e8], "cut": [0.0, 1e6]},
        derive={"C": cost("training").text(N="params - cut", D="tokens")},
    )
    np.testing.assert_allclose(runs["C"], [6e14, 6e14])
    assert cost("training-bits").text(P=8) == "6 * N * D * 8.0 / 16"
    assert cost("training").text() == cost("training").formula


def test_mistakes_get_an_answer() -> None:
    with pytest.raises(lf.InputError, match='no cost "trainin"; did you mean "training'):
        cost("trainin")
    with pytest.raises(lf.InputError, match='no value given for "D"'):
        cost("training")(N=1.0)
    with pytest.raises(lf.InputError, match='no variable "M"; variables: "N", "D"'):
        cost("training")(N=1.0, D=1.0, M=2.0)
    with pytest.raises(lf.InputError, match='no variable "M"'):
        cost("training").text(M="x")
    with pytest.raises(lf.InputError, match="training: shape mismatch"):
        cost("training")(N=[1.0, 2.0], D=[1.0, 2.0, 3.0])
