"""What models cost: counts of FLOP, parameters and bytes, as formulas and as functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .compiler import evaluate_columns
from .errors import InputError
from .tables import closest, listed

__all__ = ["COSTS", "Cost", "cost"]


@dataclass(frozen=True)
class Cost:
    """A count: a formula over columns, callable with arrays.

    Attributes
    ----------
    name : str
    formula : str
        For `derive=` of `lawfit.read`, for `cost=` and constraints of plans.
    unit : str
    variables : mapping of str to str
        Name -> what it is.
    source : str
        Whose convention it is, and where it is stated.
    notes : str
        What is counted and what is not.

    Examples
    --------
    >>> from lawfit.costs import cost
    >>> float(cost("training")(N=70e9, D=1.4e12))
    5.88e+23
    >>> cost("training").text(N="params", D="tokens")
    '6 * params * tokens'
    """

    name: str
    formula: str
    unit: str
    variables: Mapping[str, str]
    source: str
    notes: str = ""

    def __call__(self, **values: ArrayLike) -> NDArray[np.float64]:
        """Evaluate the formula.

        Parameters
        ----------
        **values : array-like
            Every variable, of shapes that broadcast.

        Returns
        -------
        ndarray
            Of the broadcast shape.

        Raises
        ------
        InputError
            If a variable is missing or unknown, or shapes do not match.
        """
        self._require_known(values)
        missing = [name for name in self.variables if name not in values]
        if missing:
            raise InputError(f"{self.name}: no value given for {listed(missing)}")
        try:
            arrays = np.broadcast_arrays(
                *(np.asarray(values[name], dtype=float) for name in self.variables)
            )
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.name}: {error}") from None
        columns = {name: a.ravel() for name, a in zip(self.variables, arrays, strict=True)}
        return np.asarray(evaluate_columns(self.formula, columns)).reshape(arrays[0].shape)

    def text(self, **names: str | float) -> str:
        """Return the formula with variables replaced by names of columns, numbers or formulas.

        Raises
        ------
        InputError
            If a variable is unknown.
        """
        self._require_known(names)

        def replaced(match: re.Match[str]) -> str:
            given = names.get(match[0])
            if given is None:
                return match[0]
            text = given if isinstance(given, str) else repr(float(given))
            return text if re.fullmatch(r"[\w.]+", text) else f"({text})"

        return re.sub(r"[A-Za-z_]\w*", replaced, self.formula)

    def _require_known(self, given: Mapping[str, object]) -> None:
        for name in given:
            if name not in self.variables:
                raise InputError(
                    f'{self.name} has no variable "{name}"; variables: {listed(self.variables)}'
                )


def cost(name: str) -> Cost:
    """Return a count by name; `COSTS` holds all.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in COSTS:
        near = closest(name, COSTS)
        guess = f"; did you mean {listed(near, ' or ')}?" if near else ""
        raise InputError(f'there is no cost "{name}"{guess} (costs: {listed(COSTS)})')
    return COSTS[name]


_VARIABLES = {
    "N": "parameters",
    "D": "training tokens",
    "D_inf": "tokens of prompts and answers served, over the model's life",
    "N_active": "parameters that a token passes through",
    "N_shared": "parameters outside the experts",
    "N_expert": "parameters of one expert, summed over the layers",
    "n_experts": "experts per layer",
    "n_active": "experts that a token is sent to",
    "n_layer": "layers",
    "d_model": "width of the residual stream",
    "d_attn": "heads times width of a head",
    "d_ff": "width of the feed-forward part",
    "d_head": "width of a head",
    "n_head": "query heads",
    "n_kv_head": "key and value heads",
    "n_ctx": "context length in tokens",
    "n_vocab": "size of the vocabulary",
    "n_tables": "vocabulary tables: 1 if input and output share theirs, otherwise 2",
    "P": "bits of weights, activations and KV cache",
    "P_w": "bits per weight",
    "P_kv": "bits of keys and values",
    "P_post": "bits while serving",
    "P_grad": "bits per gradient",
    "P_master": "bits of the optimiser's copy of a weight, 0 for none",
    "P_moment": "bits of each of Adam's two moments",
    "D_in": "tokens of prompts, over the model's life",
    "D_out": "tokens of answers, over the model's life",
    "U": "unique tokens there are",
    "price": "dollars per unique token",
}


def _cost(name: str, formula: str, unit: str, source: str, notes: str = "", **what: str) -> Cost:
    used = {n: what.get(n, _VARIABLES[n]) for n in _VARIABLES if re.search(rf"\b{n}\b", formula)}
    return Cost(name, formula, unit, used, source, notes)


_KAPLAN = "Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv 2001.08361"
_HOFFMANN = "Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, arXiv 2203.15556"
_PORIAN = (
    "Porian et al. 2024, Resolving Discrepancies in Compute-Optimal Scaling of Language Models, "
    "arXiv 2406.19146"
)
_BLOCKS = "parameters without embeddings and last layer"

COSTS: dict[str, Cost] = {
    c.name: c
    for c in (
        _cost(
            "training",
            "6 * N * D",
            "FLOP",
            f"{_KAPLAN}, section 2.1; {_HOFFMANN}, section 3.3",
            "2 per parameter and token forward, 4 backward; no attention over the context. Kaplan "
            "et al. put in N without embeddings and last layer, Hoffmann et al. all parameters; "
            "for small models the two differ severalfold.",
        ),
        _cost(
            "forward",
            "2 * N * D",
            "FLOP",
            f"{_KAPLAN}, section 2.1",
            "One pass over D tokens without attention over the context.",
            D="tokens",
        ),
        _cost(
            "training-context",
            "6 * (N + n_layer * n_ctx * d_attn) * D",
            "FLOP",
            f"{_KAPLAN}, eq. 2.2 and table 1, times 3 for the backward pass",
            "Products of queries and keys only, over the whole context: the same number as both "
            "products over half of it, which is what a causal mask leaves.",
            N=_BLOCKS,
        ),
        _cost(
            "training-attention",
            "(6 * N + 12 * n_layer * d_attn * n_ctx) * D",
            "FLOP",
            "Chowdhery et al. 2022, PaLM, arXiv 2204.02311, appendix B",
            "Both products of attention over the whole context, as if there were no causal mask. "
            "The usual count behind model FLOP utilisation.",
        ),
        _cost(
            "training-last-layer",
            "6 * (N + n_vocab * d_model) * D",
            "FLOP",
            f"{_PORIAN}, the count named standard in the authors' code",
            "With the product that gives the logits, without the look-up of embeddings.",
            N=_BLOCKS,
        ),
        _cost(
            "training-last-layer-context",
            "6 * (N + n_vocab * d_model + n_layer * n_ctx * d_model) * D",
            "FLOP",
            f"{_PORIAN}, the count named attention in the authors' code",
            "`training-context` and the last layer.",
            N=_BLOCKS,
        ),
        _cost(
            "training-detailed",
            "3 * D * (4 * n_vocab * d_model + n_layer * (8 * d_model * d_attn + 4 * n_ctx * d_attn"
            " + 3 * n_head * n_ctx + 4 * d_model * d_ff))",
            "FLOP",
            f"{_HOFFMANN}, appendix F",
            "Every product, embedding as a product with the vocabulary, softmax, backward twice "
            "the forward pass; no causal mask. n_vocab = 0 gives the blocks alone.",
        ),
        _cost(
            "training-experts",
            "6 * N_active * D",
            "FLOP",
            "Abnar et al. 2025, Parameters vs FLOPs, arXiv 2501.12370: 6 N D with the parameters "
            "that a token meets",
            "Of a mixture of experts; `experts-active` counts N_active. No communication, no "
            "padding of the experts' shares.",
        ),
        _cost(
            "training-bits",
            "6 * N * D * P / 16",
            "FLOP at 16 bits",
            "Kumar et al. 2024, Scaling Laws for Precision, arXiv 2411.04330: "
            "cost in proportion to N D P",
            "Assumes that speed is inversely proportional to bits, which hardware gives for "
            "some widths only.",
        ),
        _cost(
            "lifetime",
            "6 * N * D + 2 * N * D_inf",
            "FLOP",
            "Sardana et al. 2024, Beyond Chinchilla-Optimal, arXiv 2401.00448",
            "Training and inference, one FLOP counted like the other.",
        ),
        _cost(
            "lifetime-bits",
            "6 * N * D * P / 16 + 2 * N * D_inf * P_post / 16",
            "FLOP at 16 bits",
            "`training-bits` and `lifetime`, with speed in proportion to bits in both",
            "Training at P bits, serving at P_post bits.",
        ),
        _cost(
            "prefill-decode",
            "2 * N * (D_in + D_out)",
            "FLOP",
            "Sardana et al. 2024, Beyond Chinchilla-Optimal, arXiv 2401.00448, section 4",
            "One pass per token that is read or written, without attention over the context. They "
            "run at different shares of the peak: `lawfit.planning.hardware` has the hours.",
        ),
        _cost(
            "data",
            "price * min(D, U)",
            "dollars",
            "a price per unique token; repeated ones are free",
        ),
        _cost(
            "block-parameters",
            "2 * d_model * n_layer * (2 * d_attn + d_ff)",
            "parameters",
            f"{_KAPLAN}, eq. 2.1",
            "Without embeddings, biases and norms. With d_attn = d_model and d_ff = 4 d_model it "
            "is 12 n_layer d_model**2.",
        ),
        _cost(
            "gated-block-parameters",
            "n_layer * d_model * (2 * d_head * (n_head + n_kv_head) + 3 * d_ff)",
            "parameters",
            "Shazeer 2020, GLU Variants Improve Transformer, arXiv 2002.05202 (three matrices); "
            "Ainslie et al. 2023, GQA, arXiv 2305.13245 (fewer key and value heads)",
            "Without embeddings, biases and norms.",
        ),
        _cost(
            "embedding-parameters",
            "(n_vocab + n_ctx) * d_model",
            "parameters",
            f"{_KAPLAN}, table 1",
            "Tokens and learned positions, input and output sharing one table.",
        ),
        _cost(
            "all-parameters",
            "N + n_tables * n_vocab * d_model",
            "parameters",
            "the shapes of the tables",
            "No learned positions.",
            N=_BLOCKS,
        ),
        _cost(
            "experts-active",
            "N_shared + n_active * N_expert",
            "parameters",
            "the shapes of the experts; Fedus et al. 2021, Switch Transformers, arXiv 2101.03961",
            "What a token passes through. The routers, n_layer d_model n_experts, belong to "
            "N_shared.",
        ),
        _cost(
            "experts-total",
            "N_shared + n_experts * N_expert",
            "parameters",
            "the shapes of the experts; Fedus et al. 2021, Switch Transformers, arXiv 2101.03961",
            "What is stored.",
        ),
        _cost(
            "weight-bytes",
            "N * P_w / 8",
            "bytes",
            "eight bits to a byte",
            "Without scales and zero points of quantised groups.",
        ),
        _cost(
            "cache-bytes",
            "2 * n_layer * n_kv_head * d_head * n_ctx * P_kv / 8",
            "bytes",
            "the shapes of keys and values; Ainslie et al. 2023, GQA, arXiv 2305.13245",
            "Of one sequence of n_ctx tokens.",
        ),
        _cost(
            "training-bytes",
            "N * (P_w + P_grad + P_master + 2 * P_moment) / 8",
            "bytes",
            "Rajbhandari et al. 2019, ZeRO, arXiv 1910.02054, section 3.1: 16 bytes per parameter "
            "with 16, 16, 32 and twice 32 bits",
            "Weights, gradients, a copy of the weights for the optimiser and Adam's two moments, "
            "over all devices together; no activations.",
        ),
    )
}
