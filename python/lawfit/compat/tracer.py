"""Numbers that remember what is done with them, as an expression tree.

An array of data that meets a tracer becomes a column of the table. What a tracer cannot be (a truth
value, a Python float, an element of an array of floats) ends the attempt with `TraceError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from .. import expression as ex
from ..expression import Apply, Constant, Node, Variable

__all__ = ["FUNCTIONS", "Recording", "TraceError", "Tracer", "by_element"]

Floats = NDArray[np.float64]

MOST_NODES = 2_000
MOST_DEPTH = 120


class TraceError(Exception):
    """A function does something with its parameters that an expression cannot say."""


@dataclass
class Recording:
    """The columns that one call of the function has met.

    Parameters
    ----------
    rows : int
        Length of a column.
    """

    rows: int
    columns: dict[str, Floats] = field(default_factory=dict)
    known: dict[tuple[int, bytes], Variable] = field(default_factory=dict)

    def column(self, array: Floats) -> Variable:
        """Return the node of an array of shape (rows,); equal arrays are one column."""
        data = array.tobytes()
        key = (hash(data), data[:64])
        node = self.known.get(key)
        if node is not None and self.columns[node.name].tobytes() == data:
            return node
        name = f"column{len(self.columns)}"
        node = Variable(name, bool(array.size and array.min() > 0))
        self.columns[name] = array.copy()
        self.known[key] = node
        return node


class Tracer(NDArrayOperatorsMixin):
    """A number, or one number per row, that is not known yet.

    Parameters
    ----------
    recording : Recording
    node : Node
        What it is.
    size, depth : int
        Of the tree.
    """

    __pandas_priority__ = 10_000  # a Series leaves operations with a tracer to the tracer
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recording: Recording, node: Node, size: int = 1, depth: int = 1) -> None:
        if size > MOST_NODES or depth > MOST_DEPTH:
            raise TraceError("the expression is too large")
        self._recording, self._node, self._size, self._depth = recording, node, size, depth

    # --- what NumPy calls -------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Record an operation on arrays."""
        if method != "__call__":
            raise TraceError(f"np.{ufunc.__name__}.{method} of fitted values")
        out = kwargs.get("out")
        if out is not None and not (len(out) == 1 and out[0] is self and inputs[0] is self):
            raise TraceError(f"np.{ufunc.__name__} writes into an array")
        if any(k not in ("out", "dtype", "casting", "order") for k in kwargs):
            raise TraceError(f"np.{ufunc.__name__} with {', '.join(kwargs)}")
        if any(isinstance(i, np.ndarray) and i.dtype == object for i in inputs):
            return by_element(ufunc, inputs)
        rule = _UFUNCS.get(ufunc.__name__)
        if rule is None:
            raise TraceError(f"{ufunc.__name__} has no place in an expression")
        made = self._make(rule, inputs)
        if out is None or not self.ndim:  # a number is never changed in place
            return made
        self._node, self._size, self._depth = made._node, made._size, made._depth
        return self

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Record a call of one of the few functions of NumPy that work row by row."""
        rule = FUNCTIONS.get(func.__name__)
        if rule is None:
            raise TraceError(f"np.{func.__name__} of fitted values")
        return rule(self, *args, **kwargs)

    def _make(self, rule: Callable[..., Node], inputs: Sequence[Any]) -> Tracer:
        tracers = [self.as_tracer(i) for i in inputs]
        return Tracer(
            self._recording,
            rule(*(t._node for t in tracers)),
            1 + sum(t._size for t in tracers),
            1 + max(t._depth for t in tracers),
        )

    def as_tracer(self, value: Any) -> Tracer:
        """Return a number or a column of the data as a tracer."""
        if isinstance(value, Tracer):
            if value._recording is not self._recording:
                raise TraceError("a value of another call")
            return value
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TraceError(f"{array.dtype} values")
        array = array.astype(np.float64)
        if array.size == 1 and array.ndim <= 1:
            return Tracer(self._recording, Constant(float(array.reshape(()))))
        if array.shape != (self._recording.rows,):
            raise TraceError(
                f"an array of shape {array.shape} beside {self._recording.rows} rows of data"
            )
        return Tracer(self._recording, self._recording.column(array))

    @property
    def rows(self) -> int:
        """How long a column is."""
        return self._recording.rows

    # --- what an array can do ---------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """0 for a number, 1 for one per row."""
        return int(ex.uses_variables(self._node))

    @property
    def shape(self) -> tuple[int, ...]:
        """As an array's."""
        return (self._recording.rows,) * self.ndim

    @property
    def size(self) -> int:
        """As an array's."""
        return self._recording.rows if self.ndim else 1

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """Always float64."""
        return np.dtype(np.float64)

    @property
    def T(self) -> Tracer:  # noqa: N802 - NumPy's name
        """The same."""
        return self

    real = T

    def copy(self, *_: Any, **__: Any) -> Tracer:
        """Return a copy, which changes in place do not reach."""
        return Tracer(self._recording, self._node, self._size, self._depth)

    astype = flatten = copy

    def ravel(self, *_: Any, **__: Any) -> Tracer:
        """Return the same."""
        return self

    squeeze = ravel

    def __bool__(self) -> bool:
        raise TraceError("a decision (if, while, and, or, not) on fitted values")

    def __iter__(self) -> Any:
        raise TraceError("a loop over rows")

    def __getitem__(self, key: Any) -> Any:
        raise TraceError("rows are picked out")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TraceError("rows are written to")

    def __getattr__(self, name: str) -> Any:
        # NumPy's loops over arrays of objects call np.exp(x) as x.exp().
        if name in _UFUNCS and not name.startswith("_"):
            return lambda *others: self._make(_UFUNCS[name], (self, *others))
        raise AttributeError(f"{name} of fitted values")


def by_element(ufunc: np.ufunc, inputs: Sequence[Any]) -> Any:
    """Apply a function to the elements of arrays of tracers."""
    arrays = [_boxed(i) if isinstance(i, Tracer) else i for i in inputs]
    broadcast = np.broadcast(*arrays)
    result = np.empty(broadcast.shape, dtype=object)
    for at, values in zip(np.ndindex(broadcast.shape), broadcast, strict=True):
        result[at] = ufunc(*values)
    return result


def _boxed(value: Any) -> NDArray[Any]:
    box = np.empty((), dtype=object)
    box[()] = value
    return box


# --- rules: from the nodes of the arguments to a node ---------------------------------------------


def _apply(name: str) -> Callable[..., Node]:
    return lambda *nodes: Apply(name, nodes)


def _constant(value: float) -> Constant:
    return Constant(value)


def _power(a: Node, b: Node) -> Node:
    exponent = ex.constant_value(b)
    if exponent == 1.0:
        return a
    if exponent == 0.0:
        return Constant(1.0)
    return Apply("pow", (a, b))


def _sinh(a: Node) -> Node:
    up, down = Apply("expm1", (a,)), Apply("expm1", (ex.negate(a),))
    return ex.multiply(Constant(0.5), ex.add(up, ex.negate(down)))


def _cosh(a: Node) -> Node:
    up, down = Apply("exp", (a,)), Apply("exp", (ex.negate(a),))
    return ex.multiply(Constant(0.5), ex.add(up, down))


def _where(condition: Node, a: Node, b: Node) -> Node:
    return Apply("where", (condition, a, b))


def _sign(a: Node) -> Node:
    zero = Constant(0.0)
    negative = _where(Apply("lt", (a, zero)), Constant(-1.0), zero)
    return _where(Apply("gt", (a, zero)), Constant(1.0), negative)


def _xlogy(x: Node, y: Node) -> Node:
    product = ex.multiply(x, Apply("log", (y,)))
    return _where(Apply("eq", (x, Constant(0.0))), Constant(0.0), product)


def _erfc(a: Node) -> Node:
    return ex.multiply(
        Constant(2.0), Apply("normcdf", (ex.multiply(Constant(-math.sqrt(2.0)), a),))
    )


def _subtract(a: Node, b: Node) -> Node:
    return ex.add(a, ex.negate(b))


_TWO = Constant(2.0)
_UFUNCS: dict[str, Callable[..., Node]] = {
    **{
        name: _apply(name)
        for name in "exp log log2 log10 log1p expm1 sqrt tanh sin cos arctan logit erf".split()
    },
    **dict.fromkeys(("absolute", "fabs"), _apply("abs")),
    "expit": _apply("sigmoid"),
    "ndtr": _apply("normcdf"),
    "softplus": _apply("softplus"),
    "log_expit": lambda a: ex.negate(Apply("softplus", (ex.negate(a),))),
    "erfc": _erfc,
    "negative": ex.negate,
    "positive": lambda a: a,
    "square": lambda a: Apply("pow", (a, _TWO)),
    "reciprocal": lambda a: ex.divide(Constant(1.0), a),
    "exp2": lambda a: Apply("exp", (ex.multiply(Constant(math.log(2.0)), a),)),
    "tan": lambda a: Apply("div", (Apply("sin", (a,)), Apply("cos", (a,)))),
    "sinh": _sinh,
    "cosh": _cosh,
    "sign": _sign,
    "add": ex.add,
    "subtract": _subtract,
    "multiply": ex.multiply,
    **dict.fromkeys(("divide", "true_divide"), ex.divide),
    **dict.fromkeys(("power", "float_power"), _power),
    **dict.fromkeys(("maximum", "fmax"), _apply("max")),
    **dict.fromkeys(("minimum", "fmin"), _apply("min")),
    "logaddexp": _apply("logaddexp"),
    "clip": lambda a, low, high: Apply("min", (Apply("max", (a, low)), high)),
    "hypot": lambda a, b: Apply("sqrt", (ex.add(_power(a, _TWO), _power(b, _TWO)),)),
    "xlogy": _xlogy,
    "less": _apply("lt"),
    "less_equal": _apply("le"),
    "greater": _apply("gt"),
    "greater_equal": _apply("ge"),
    "equal": _apply("eq"),
    "not_equal": _apply("ne"),
    **dict.fromkeys(("logical_and", "bitwise_and"), _apply("and")),
    **dict.fromkeys(("logical_or", "bitwise_or"), _apply("or")),
    **dict.fromkeys(("logical_not", "invert"), _apply("not")),
    "heaviside": lambda a, b: _where(
        Apply("eq", (a, Constant(0.0))), b, Apply("gt", (a, Constant(0.0)))
    ),
}


def _call_where(like: Tracer, condition: Any, a: Any, b: Any) -> Tracer:
    return like._make(_where, (condition, a, b))


def _call_clip(like: Tracer, a: Any, a_min: Any = None, a_max: Any = None, **limits: Any) -> Tracer:
    low, high = limits.pop("min", a_min), limits.pop("max", a_max)
    if any(v is not None for v in limits.values()):
        raise TraceError(f"np.clip with {', '.join(limits)}")
    value = like.as_tracer(a)
    if low is not None:
        value = like._make(_apply("max"), (value, low))
    return value if high is None else like._make(_apply("min"), (value, high))


def _call_select(like: Tracer, conditions: Any, choices: Any, default: Any = 0) -> Tracer:
    value = like.as_tracer(default)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        value = like._make(_where, (condition, choice, value))
    return value


def _call_like(value: float) -> Callable[..., Tracer]:
    return lambda like, *_, **__: like.as_tracer(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": _call_where,
    "clip": _call_clip,
    "select": _call_select,
    "zeros_like": _call_like(0.0),
    "ones_like": _call_like(1.0),
    "shape": lambda like, a: like.as_tracer(a).shape,
    "ndim": lambda like, a: like.as_tracer(a).ndim,
    "size": lambda like, a: like.as_tracer(a).size,
    **dict.fromkeys(
        ("ravel", "squeeze", "atleast_1d", "real"),
        lambda like, a, *_, **__: like.as_tracer(a),
    ),
    **dict.fromkeys(("copy", "broadcast_to"), lambda like, a, *_, **__: like.as_tracer(a).copy()),
}
