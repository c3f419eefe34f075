"""Bits: the data beyond which training hurts a quantized model, and how to split a float's bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..law import Law
from ..laws import as_law
from ..result import Fit
from ..tables import named
from .plan import Plan, plan

__all__ = ["critical_tokens", "float_split"]

FAR = 1e40  # tokens: no minimum before this is none


def critical_tokens(
    law: Law | str | Fit,
    at: Mapping[str, float],
    *,
    params: Mapping[str, float] | str | None = None,
    tokens: str = "D",
) -> float:
    """Return the number of training tokens beyond which more of them raise the loss.

    Under laws in which quantization costs more the longer a model was trained (Kumar et al. 2024,
    arXiv 2411.04330; Sun et al. 2025, arXiv 2501.02423) the loss has a least value over D.

    Parameters
    ----------
    law : Law, str or Fit
    at : mapping of str to float
        Every other variable of the law.
    params : mapping of str to float, or str, optional
    tokens : str
        Name of the variable.

    Returns
    -------
    float
        inf if the loss falls up to 1e40 tokens.

    Raises
    ------
    InputError
        If `at` lacks a variable of the law.
    """
    given = law.law if isinstance(law, Fit) else as_law(law)
    wanted = [v.name for v in given.declared_variables or () if v.name not in (tokens, *at)]
    if wanted:
        raise InputError(f"{given}: at= needs a number for {named(wanted)}")
    made = plan(law, FAR, cost=tokens, over={**at, tokens: (1.0, FAR)}, params=params, cells=4000)
    return math.inf if made["cost"] > FAR * (1 - 1e-6) else made[tokens]


def float_split(
    law: Law | str | Fit,
    bits: int,
    at: Mapping[str, float],
    *,
    params: Mapping[str, float] | str | None = None,
    exponent: str = "E",
    mantissa: str = "M",
) -> Plan:
    """Find how to split a floating-point type's bits between exponent and mantissa.

    Parameters
    ----------
    law : Law, str or Fit
        With both numbers of bits among its variables.
    bits : int
        In all; one is the sign's.
    at : mapping of str to float
        Every other variable.

    Returns
    -------
    Plan
        Its table holds all splits, best first.

    Raises
    ------
    InputError
        If there are fewer than three bits.
    """
    if not isinstance(bits, int) or bits < 3:
        raise InputError(f"bits = {bits!r} must be an integer of 3 or more: sign, E and M")
    splits = [(e, bits - 1 - e) for e in range(1, bits - 1)]
    over: dict[Any, Any] = {**at, (exponent, mantissa): splits}
    if len(splits) == 1:
        over = {**at, exponent: splits[0][0], mantissa: splits[0][1]}
    total = f"1 + {exponent} + {mantissa}"
    return plan(law, float(bits), cost=total, over=over, params=params)
