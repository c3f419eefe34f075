"""Published fitting recipes by name: objective, rows, starts and optimiser of the authors."""

from __future__ import annotations

import difflib
from functools import cache

from ..errors import InputError
from .recipe import Optimiser, Protocol

__all__ = ["Optimiser", "Protocol", "protocol", "protocols"]


@cache
def _by_name() -> dict[str, Protocol]:
    from . import dense, other  # only here: most programs use none of them

    return {p.name: p for p in (*dense.PROTOCOLS, *other.PROTOCOLS)}


def protocols() -> tuple[str, ...]:
    """Return the names of the published recipes."""
    return tuple(_by_name())


def protocol(name: str) -> Protocol:
    """Return a published recipe.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    known = _by_name()
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        raise InputError(f"there is no protocol {name!r}; {hint}")
    return known[name]
