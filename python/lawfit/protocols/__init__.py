"""Published fitting recipes by name: objective, rows, starts and optimiser of the authors."""

from __future__ import annotations

import difflib

from ..errors import InputError
from . import dense, other
from .recipe import Optimiser, Protocol

__all__ = ["Optimiser", "Protocol", "protocol", "protocols"]

_PROTOCOLS = {p.name: p for p in (*dense.PROTOCOLS, *other.PROTOCOLS)}


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
