"""The C interface from another language: loads a model and fits it through ctypes, without lawfit.

    python examples/ctypes_fit.py LIBRARY MODEL.json

LIBRARY is liblawfit_c.so (.dylib, lawfit_c.dll), which ``cmake --install`` puts into lib.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from pathlib import Path

DoubleP = POINTER(c_double)


class Options(ctypes.Structure):
    """lawfit_fit_options."""

    _fields_ = [
        ("starts", c_int64),
        ("seed", c_uint64),
        ("threads", c_int32),
        ("weight", DoubleP),
        ("sigma", DoubleP),
    ]


class Summary(ctypes.Structure):
    """lawfit_fit_summary."""

    _fields_ = [
        ("objective", c_double),
        ("scale", c_double),
        ("starts", c_int64),
        ("hits", c_int64),
        ("evaluations", c_int64),
        ("message", c_char_p),
    ]


def main(library: str, path: str) -> int:
    """Fit runs that the model itself predicts, with some noise, and print what comes out."""
    c = ctypes.CDLL(library)
    for name in ("lawfit_error_message", "lawfit_model_formula", "lawfit_model_parameter"):
        getattr(c, name).restype = c_char_p
    c.lawfit_model_load.restype = c_void_p
    c.lawfit_model_load.argtypes = [c_char_p, c_size_t]
    c.lawfit_model_parameter.argtypes = [c_void_p, c_int32]
    c.lawfit_model_parameter_count.argtypes = [c_void_p]
    c.lawfit_model_values.argtypes = [c_void_p, DoubleP]
    columns_p = POINTER(DoubleP)
    c.lawfit_model_predict.argtypes = [c_void_p, columns_p, c_int64, DoubleP, DoubleP]
    c.lawfit_model_fit.argtypes = [
        *(c_void_p, columns_p, DoubleP, c_int64),
        *(POINTER(Options), DoubleP, POINTER(Summary)),
    ]
    c.lawfit_model_free.argtypes = [c_void_p]

    text = Path(path).read_bytes()
    model = c.lawfit_model_load(text, len(text))
    if not model:
        print(c.lawfit_error_message().decode(), file=sys.stderr)
        return 2
    count = c.lawfit_model_parameter_count(model)
    values, fitted = (c_double * count)(), (c_double * count)()
    c.lawfit_model_values(model, values)

    n = [5e7 * 1.5 ** (i % 12) for i in range(60)]
    d = [n[i] * 5 * 2 ** (i // 12) for i in range(60)]
    columns = (DoubleP * 2)(*((c_double * 60)(*column) for column in (n, d)))
    loss = (c_double * 60)()
    c.lawfit_model_predict(model, columns, 60, values, loss)
    for i in range(60):
        loss[i] *= 1 + 1e-3 * (-1) ** i
    summary = Summary()
    status = c.lawfit_model_fit(
        model, columns, loss, 60, byref(Options(starts=50, seed=1)), fitted, byref(summary)
    )
    if status:
        print(c.lawfit_error_message().decode(), file=sys.stderr)
        return int(status)
    print(f"{summary.hits} of {summary.starts} starts: {summary.message.decode()}")
    for k in range(count):
        name = c.lawfit_model_parameter(model, k).decode()
        print(f"{name} = {fitted[k]:.6g}, simulated with {values[k]:.6g}")
    c.lawfit_model_free(model)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
