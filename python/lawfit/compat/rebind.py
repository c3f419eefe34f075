"""A copy of a user's function in which what tracers cannot pass through has stand-ins.

The copy shares its code with the original; only the values of the global names and closures that
the code uses differ, so that neither the user's modules nor NumPy's are touched. What the copy
records is compared with the original, as all that is traced.
"""

from __future__ import annotations

import builtins
import functools
import math
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .terms import Terms, as_terms, fold, has_tracers, log_sum_exp, piecewise
from .tracer import Tracer

__all__ = ["rebound"]

MODULES = ("numpy", "math", "scipy", "scipy.special")
FOREIGN = ("numpy", "scipy", "builtins", "pandas", "polars", "jax", "torch")

# Functions of `math` with another name than NumPy's, or that NumPy does not have.
_MATH = {
    name: name
    for name in "exp log2 log10 log1p expm1 sqrt sin cos tan sinh cosh tanh hypot erf erfc".split()
} | {"atan": "arctan", "fabs": "absolute", "pow": "power", "exp2": "exp2"}


def rebound(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of a function, and of the functions that it calls, with stand-ins.

    A function that is not written in Python is returned as it is.
    """
    copy: Callable[..., Any] = _Rebinding().function(function)
    return copy


class _Module:
    """A module seen through stand-ins."""

    def __init__(self, module: types.ModuleType, rebinding: _Rebinding) -> None:
        self._module, self._rebinding = module, rebinding

    def __getattr__(self, name: str) -> Any:
        return self._rebinding.value(getattr(self._module, name))


class _Ufunc:
    """A ufunc that takes lists of tracers."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc = ufunc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ufunc(*map(as_terms, args), **kwargs)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ufunc, name)
        return _on_terms(method) if callable(method) else method


def _on_terms(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(as_terms, args), **{k: as_terms(v) for k, v in kwargs.items()})

    return call


def _array(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function, updated=())
    def call(values: Any, *args: Any, **kwargs: Any) -> Any:
        made = as_terms(values)
        if isinstance(made, Tracer):
            return made
        return made.copy() if isinstance(made, Terms) else function(values, *args, **kwargs)

    return call


def _if_traced(ours: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return (ours if any(map(has_tracers, args)) else original)(*args, **kwargs)

    return call


def _log(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _largest(ufunc: np.ufunc) -> Callable[..., Any]:
    return lambda *values: fold(ufunc, list(values[0] if len(values) == 1 else values))


def _stand_ins() -> Iterator[tuple[Any, Callable[..., Any]]]:
    """Yield originals and what stands in for them while tracing."""
    for name, ours in _MATH.items():
        if hasattr(math, name):
            original = getattr(math, name)
            apply = getattr(np, ours, None) or functools.partial(_method, ours)
            yield original, _if_traced(apply, original)
    yield math.log, _if_traced(_log, math.log)
    yield math.prod, _if_traced(lambda values, **_: np.prod(as_terms(values)), math.prod)
    yield math.fsum, _if_traced(sum, math.fsum)
    yield max, _if_traced(_largest(np.maximum), max)
    yield min, _if_traced(_largest(np.minimum), min)
    for name in ("array", "asarray", "asanyarray", "atleast_1d"):
        yield getattr(np, name), _array(getattr(np, name))
    yield np.piecewise, piecewise
    original = getattr(sys.modules.get("scipy.special"), "logsumexp", None)
    if original is not None:
        yield original, _if_traced(log_sum_exp, original)


def _method(name: str, value: Any) -> Any:
    return getattr(value, name)()


class _Rebinding:
    """One copy of a function and of all that it reaches."""

    def __init__(self) -> None:
        self.stand_ins = {id(original): made for original, made in _stand_ins()}
        self.copies: dict[int, Any] = {}
        self.builtins = {
            **vars(builtins),
            "max": self.stand_ins[id(max)],
            "min": self.stand_ins[id(min)],
            "__import__": self._import,
        }

    def value(self, value: Any) -> Any:
        """Return what stands in for a value, itself if nothing does."""
        made = self.stand_ins.get(id(value))
        if made is not None:
            return made
        if isinstance(value, types.ModuleType):
            return _Module(value, self) if value.__name__ in MODULES else value
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        if value is np.vectorize:
            return self._vectorized
        if isinstance(value, np.vectorize):
            return self._vectorized(value.pyfunc)
        if isinstance(value, functools.partial):
            return functools.partial(self.value(value.func), *value.args, **value.keywords)
        if isinstance(value, types.MethodType):
            return types.MethodType(self.value(value.__func__), value.__self__)
        origin = (getattr(value, "__module__", None) or "").partition(".")[0]
        if origin == "numpy" and callable(value) and not isinstance(value, type):
            return _on_terms(value)
        if isinstance(value, types.FunctionType) and origin not in FOREIGN:
            return self.function(value)
        return value

    def function(self, function: Any) -> Any:
        """Return a copy of a function, or the stand-in of another callable."""
        if not isinstance(function, types.FunctionType):
            return self.value(function)
        if id(function) in self.copies:
            return self.copies[id(function)]
        scope = dict(function.__globals__)
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        copy = types.FunctionType(
            function.__code__,
            {"__builtins__": self.builtins},
            function.__name__,
            function.__defaults__,
            cells,
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        self.copies[id(function)] = copy  # before its names are seen to: it may call itself
        for name in _names(function.__code__):
            if name in scope:
                scope[name] = self.value(scope[name])
        copy.__globals__.update(scope)
        copy.__globals__["__builtins__"] = self.builtins
        for cell, given in zip(cells, function.__closure__ or (), strict=True):
            try:
                cell.cell_contents = self.value(given.cell_contents)
            except ValueError:  # not filled yet
                continue
        return copy

    def _vectorized(self, function: Any, *_: Any, **__: Any) -> Any:
        """Return a function of arrays: operations on tracers go row by row anyway."""
        return self.value(function)

    def _import(self, *args: Any, **kwargs: Any) -> Any:
        return self.value(builtins.__import__(*args, **kwargs))


def _names(code: types.CodeType) -> set[str]:
    """Return the global names that a function and those defined in it may use."""
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))
