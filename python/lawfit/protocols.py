"""Published fitting recipes by name: residual, loss, scale and starts as the authors used them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .errors import InputError
from .law import Source
from .losses import Huber, Loss
from .starts import Grid

__all__ = ["Protocol", "protocol", "protocols"]


@dataclass(frozen=True)
class Protocol:
    """How a paper fitted its law.

    Parameters
    ----------
    name : str
    residual, loss, scale
        As in `lawfit.fit`.
    starts : Grid or mapping of str to float
        The authors' starts, in natural units.
    source : Source
    note : str
        Where lawfit's own way differs.
    """

    name: str
    residual: Literal["log", "linear", "logit"]
    loss: Loss
    scale: Literal["fixed", "fitted"]
    starts: Grid | Mapping[str, float]
    source: Source
    note: str = ""


_EXPONENTS = (0.0, 0.5, 1.0, 1.5, 2.0)
_LOG_COEFFICIENTS = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)

_PROTOCOLS = {
    p.name: p
    for p in (
        Protocol(
            "hoffmann2022",
            "log",
            Huber(1e-3),
            "fixed",
            Grid(
                E=[math.exp(e) for e in (-1.0, -0.5, 0.0, 0.5, 1.0)],
                A=[math.exp(a) for a in _LOG_COEFFICIENTS],
                alpha=_EXPONENTS,
                B=[math.exp(b) for b in _LOG_COEFFICIENTS],
                beta=_EXPONENTS,
            ),
            Source(
                "Training Compute-Optimal Large Language Models", "2203.15556", "appendix D.2", 2022
            ),
            "4,500 starts, the sum of Huber(1e-3) on log loss. The authors ran L-BFGS and stopped "
            "early; lawfit runs its own solver to the optimum.",
        ),
        Protocol(
            "besiroglu2024",
            "log",
            Huber(1e-3),
            "fitted",
            {
                "E": math.exp(0.5267228),
                "A": math.exp(6.0073404),
                "B": math.exp(6.0179186),
                "alpha": 0.33917084,
                "beta": 0.2849083,
            },
            Source("Chinchilla Scaling: A replication attempt", "2404.10102", "section 3", 2024),
            "Likelihood of a Huber density with a fitted scale, from one start at the unrounded "
            "coefficients of Hoffmann et al. Its maximum is that of least absolute deviations. The "
            "authors' intervals come from a bootstrap of the plain Huber sum, hoffmann2022.",
        ),
    )
}


def protocols() -> tuple[str, ...]:
    """Return the names of the published recipes."""
    return tuple(_PROTOCOLS)


def protocol(name: str) -> Protocol:
    """Return a published recipe.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in _PROTOCOLS:
        close = difflib.get_close_matches(str(name), _PROTOCOLS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(_PROTOCOLS)}"
        raise InputError(f"there is no protocol {name!r}; {hint}")
    return _PROTOCOLS[name]
