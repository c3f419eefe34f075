"""A user's NumPy function turned into an expression: it is called once with numbers that remember.

Parameters are given as `Tracer` objects; the data are the user's own arrays, so that everything
that is computed from data alone is computed by NumPy, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .. import expression as ex
from ..compiler import compile_law
from ..expression import Apply, Coordinate, Node, Variable
from .rebind import rebound
from .tracer import Recording, TraceError, Tracer

__all__ = ["NotTracedWarning", "TraceError", "Traced", "trace"]

Floats = NDArray[np.float64]


class NotTracedWarning(UserWarning):
    """A function could not be turned into an expression and is called from Python instead."""


@dataclass(frozen=True)
class Traced:
    """What one call has recorded.

    Parameters
    ----------
    node : Node
        Over `Variable` and `Coordinate`.
    columns : dict of str to ndarray of shape (rows,)
    parameters : tuple of str
        Names of the coordinates, in order.
    rows : int
    """

    node: Node
    columns: dict[str, Floats]
    parameters: tuple[str, ...]
    rows: int

    def program(self) -> _core.Program:
        """Compile the expression."""
        return compile_law(self.node, variables=list(self.columns), parameters=self.parameters)

    def periodic(self) -> bool:
        """Tell whether some sine or cosine is fitted, so that there is a minimum per period."""
        return any(
            isinstance(n, Apply) and n.function in ("sin", "cos") and ex.uses_coordinates(n)
            for n in ex.walk(self.node)
        )


def trace(
    function: Callable[[Sequence[Any]], Any],
    count: int,
    rows: int,
    positive: Sequence[bool] | None = None,
) -> Traced:
    """Call a function with tracers and keep what it does.

    Parameters
    ----------
    function : callable
        Of a list of `count` parameters; its value is a number or one per row.
    count, rows : int
    positive : sequence of bool, optional
        Parameters that bounds keep above zero.

    Returns
    -------
    Traced

    Raises
    ------
    TraceError
        If neither the function nor a copy of it with stand-ins (`rebound`) can be told as an
        expression; the message says what stood against it.
    """
    try:
        return _record(function, count, rows, positive)
    except TraceError:
        return _record(rebound(function), count, rows, positive)


def _record(
    function: Callable[[Sequence[Any]], Any],
    count: int,
    rows: int,
    positive: Sequence[bool] | None,
) -> Traced:
    recording = Recording(rows)
    names = tuple(f"p{k}" for k in range(count))
    signs = positive if positive is not None else [False] * count
    tracers = [
        Tracer(recording, Coordinate(name, bool(sign)))
        for name, sign in zip(names, signs, strict=True)
    ]
    try:
        with np.errstate(all="ignore"):
            value = function(tracers)
        if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
            value = value.item()
        if not isinstance(value, Tracer):
            raise TraceError("the value does not depend on the parameters through NumPy")
        node = value._node
        used = {n.name for n in ex.walk(node) if isinstance(n, Variable)}
        columns = {name: c for name, c in recording.columns.items() if name in used}
        return Traced(node, columns, names, rows)
    except TraceError:
        raise
    except Exception as error:  # whatever a user's function may raise when given no numbers
        raise TraceError(f"{type(error).__name__}: {error}") from None
