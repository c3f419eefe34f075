"""Small arrays of tracers: their sums, folds and products with columns."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tracer import FUNCTIONS, TraceError, Tracer, by_element

__all__ = ["Terms", "as_terms", "fold", "has_tracers", "log_sum_exp", "piecewise"]

MOST_ELEMENTS = 1_000
FOLDS = ("logaddexp", "maximum", "minimum", "fmax", "fmin")


class Terms(np.ndarray):
    """An array of tracers; the axis of rows, of those that have one, is behind its own axes."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply an operation, for those that NumPy has none of for objects by one of ours."""
        name = ufunc.__name__
        plain = [_plain(i) for i in inputs]
        if name == "matmul" and method == "__call__":
            return product(*plain)
        if method == "reduce" and name in FOLDS:
            return fold(ufunc, plain[0], **kwargs)
        if method == "__call__":
            plain = _aligned(plain)
            if not kwargs.get("out"):
                return as_terms(by_element(ufunc, plain))
        if "out" in kwargs:
            kwargs["out"] = tuple(_plain(o) for o in kwargs["out"])
        return as_terms(getattr(ufunc, method)(*plain, **kwargs))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply a function of NumPy; products are ours."""
        name = func.__name__
        if name in ("dot", "inner", "tensordot"):
            return product(*map(_plain, args[:2]))
        if name == "mean" and len(args) <= 2 and kwargs.keys() <= {"axis"}:
            axis = args[1] if len(args) == 2 else kwargs.get("axis")
            if axis not in (None, 0):
                raise TraceError(f"np.mean with axis = {axis}")
            return np.add.reduce(args[0], axis) / (args[0].size if axis is None else len(args[0]))
        if name == "einsum":
            return _einsum(*map(_plain, args))
        return super().__array_function__(func, (np.ndarray,), args, kwargs)


def has_tracers(value: Any) -> bool:
    """Tell whether a value is or holds a tracer."""
    if isinstance(value, (Tracer, Terms)):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype == object and any(isinstance(v, Tracer) for v in value.flat)
    return isinstance(value, (list, tuple)) and any(map(has_tracers, value))


def as_terms(value: Any) -> Any:
    """Return lists and arrays that hold tracers as `Terms`, anything else unchanged."""
    if isinstance(value, (Tracer, Terms)) or not has_tracers(value):
        return value
    if isinstance(value, np.ndarray):
        return value.view(Terms)
    like = _first_tracer(value)
    items = [as_terms(v) for v in value]
    shapes = {v.shape if isinstance(v, Terms) else () for v in items}
    if len(shapes) > 1:
        raise TraceError("a list of arrays of several shapes")
    (shape,) = shapes
    made = np.empty((len(items), *shape), dtype=object)
    for k, item in enumerate(items):
        made[k] = item if isinstance(item, Terms) else like.as_tracer(item)
    return made.view(Terms)


def fold(ufunc: np.ufunc, terms: Any, axis: Any = 0, **options: Any) -> Any:
    """Apply a function of two values along an axis, like `ufunc.reduce`."""
    if any(options.get(name) for name in ("dtype", "out", "keepdims")):
        raise TraceError(f"np.{ufunc.__name__}.reduce with {', '.join(options)}")
    if "initial" in options or options.get("where", True) is not True:
        raise TraceError(f"np.{ufunc.__name__}.reduce with initial or where")
    terms = _plain(as_terms(terms))
    if not isinstance(terms, np.ndarray):
        raise TraceError(f"np.{ufunc.__name__}.reduce over rows")
    rows = _has_rows(terms)
    if axis is None and not rows:
        terms, axis = terms.ravel(), 0
    if isinstance(axis, tuple) and len(axis) == 1:
        (axis,) = axis
    if not isinstance(axis, int):
        raise TraceError(f"np.{ufunc.__name__}.reduce with axis = {axis}")
    axis += (terms.ndim + rows) * (axis < 0)
    if not 0 <= axis < terms.ndim:
        raise TraceError(f"np.{ufunc.__name__}.reduce over rows")
    parts = [_boxed(part) for part in np.moveaxis(terms, axis, 0)]
    whole = functools.reduce(lambda a, b: by_element(ufunc, (a, b)), parts)
    return whole.item() if whole.ndim == 0 else whole.view(Terms)


def log_sum_exp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """Do what `scipy.special.logsumexp` does."""
    if keepdims or return_sign:
        raise TraceError("scipy.special.logsumexp with keepdims or return_sign")
    terms = as_terms(a)
    if b is not None:
        terms = as_terms(np.add(terms, np.log(as_terms(b))))
    return fold(np.logaddexp, terms, axis)


def piecewise(x: Any, conditions: Any, functions: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    """Do what `numpy.piecewise` does; every function is evaluated on all rows."""
    conditions = [conditions] if np.ndim(conditions) < 2 else conditions
    values = [f(x, *args, **kwargs) if callable(f) else f for f in functions]
    default = values.pop() if len(values) == len(conditions) + 1 else 0.0
    if len(values) != len(conditions):
        raise TraceError("np.piecewise with more functions than conditions")
    for condition, value in zip(conditions, values, strict=True):  # the last that holds counts
        default = np.where(condition, value, default) if has_tracers(value) else _choose(
            condition, value, default
        )  # fmt: skip
    return default


def product(a: Any, b: Any) -> Any:
    """Multiply parameters and columns, or arrays of tracers, like `numpy.matmul`."""
    a, b = (_plain(as_terms(v)) for v in (a, b))
    a, b = (v if isinstance(v, np.ndarray) else np.asarray(v) for v in (a, b))
    if a.dtype != object and a.ndim == 2 and b.ndim == 1 and len(b) == a.shape[1]:
        if len(a) == _rows(b):
            return sum(a[:, j] * b[j] for j in range(len(b)))
    elif b.dtype != object and b.ndim == 2 and a.ndim == 1 and len(a) == len(b):
        if b.shape[1] == _rows(a):
            return sum(a[j] * b[j] for j in range(len(a)))
    elif a.ndim == 1 and b.ndim == 1:
        return sum(x * y for x, y in zip(a, b, strict=True))
    raise TraceError(f"a product of shapes {a.shape} and {b.shape}")


def _einsum(subscripts: Any, *operands: Any) -> Any:
    """Multiply a vector of tracers and a matrix of columns."""
    given, _, out = str(subscripts).replace(" ", "").partition("->")
    letters = given.split(",")
    if len(operands) == 2 and len(letters) == 2:
        pairs = list(zip(letters, operands, strict=True))
        (vector, p), (matrix, x) = sorted(pairs, key=lambda pair: len(pair[0]))
        if len(vector) == 1 and len(matrix) == 2 and vector in matrix:
            rows = matrix.replace(vector, "")
            if out in (rows, ""):
                return product(x, p) if matrix == rows + vector else product(p, x)
    raise TraceError(f"np.einsum({subscripts!r}) of fitted values")


def _choose(condition: Any, value: Any, default: Any) -> Any:
    like = _first_tracer(default) if has_tracers(default) else None
    return np.where(condition, value if like is None else like.as_tracer(value), default)


def _rows(terms: NDArray[Any]) -> int:
    """Return the rows of the data if no element has them already, else -1."""
    first = next(t for t in terms.flat if isinstance(t, Tracer))
    return -1 if _has_rows(terms) else int(first.rows)


def _aligned(inputs: list[Any]) -> list[Any]:
    """Let arrays meet whose last axis may be that of the rows, which tracers have inside."""
    arrays = [i for i in inputs if isinstance(i, np.ndarray) and i.ndim]
    like = _first_tracer(next(i for i in inputs if has_tracers(i)))
    if not any(_has_rows(i) if i.dtype == object else i.shape[-1] == like.rows for i in arrays):
        return inputs
    made = []
    for value in inputs:
        if not isinstance(value, np.ndarray) or not value.ndim or _has_rows(value):
            made.append(value)
        elif value.shape[-1] == 1:
            made.append(value[..., 0])
        elif value.dtype != object and value.shape[-1] == like.rows:
            columns = np.empty(value.shape[:-1], dtype=object)
            if columns.size > MOST_ELEMENTS:
                raise TraceError("too many columns")
            for at in np.ndindex(columns.shape):
                columns[at] = like.as_tracer(value[at])
            made.append(columns)
        else:
            raise TraceError(f"an array of shape {value.shape} beside one with all rows")
    return made


def _has_rows(terms: NDArray[Any]) -> bool:
    return terms.dtype == object and any(np.ndim(t) for t in terms.flat)


def _first_tracer(value: Any) -> Any:
    if isinstance(value, Tracer):
        return value
    items = value.flat if isinstance(value, np.ndarray) else value
    return next(_first_tracer(v) for v in items if has_tracers(v))


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Terms) else value


def _boxed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value
    box = np.empty((), dtype=object)
    box[()] = value
    return box


def _call_stack(like: Tracer, arrays: Any, axis: int = 0, **_: Any) -> Terms:
    if axis != 0:
        raise TraceError(f"np.stack with axis = {axis}")
    return as_terms([like.as_tracer(a) for a in arrays])  # type: ignore[no-any-return]


FUNCTIONS |= dict.fromkeys(("stack", "vstack"), _call_stack)
