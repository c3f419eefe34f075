"""Coverage-guided fuzzing of what is parsed: formulas, conditions, tables, saved fits.

Run ``python fuzz/fuzz_python.py TARGET [CORPUS] [libFuzzer options]``; see fuzz/README.md.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType

import atheris
import numpy as np

import lawfit as lf
from lawfit import formula, result, tables
from lawfit.compiler import evaluate_columns
from lawfit.runs import Runs

# An editable installation has an importer of its own, which atheris cannot hook into.
MODULES = "compiler expression fitting formula law laws losses problem result runs tables".split()
for name in MODULES:
    module = import_module(f"lawfit.{name}")
    for thing in list(vars(module).values()):
        inside = vars(thing).values() if isinstance(thing, type) else (thing,)
        for function in inside:
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                atheris.instrument_func(function)

warnings.simplefilter("error")
COLUMNS = {"N": np.array([1e7, 1e8, 0.0, -1.0]), "D": np.array([1e9, 1e300, 5e-324, 2.0])}
RUNS = Runs({**COLUMNS, "text": ["a", "b", "", "\U0001f600"]})


def formulas(data: bytes) -> None:
    """A formula is refused, or evaluated on a table and fitted."""
    text = data.decode("utf-8", "surrogatepass") if _decodes(data) else data.decode("latin1")
    try:
        found = formula.names(text)
    except lf.InputError as error:
        str(error).encode()
        return
    try:
        evaluate_columns(text, {name: COLUMNS.get(name, COLUMNS["N"]) for name in found})
        if len(found) <= 12:
            lf.fit(text, {**COLUMNS, "loss": np.array([3.0, 2.5, 2.2, 2.0])}, starts=1, threads=1)
    except lf.LawfitError as error:
        str(error).encode()


def conditions(data: bytes) -> None:
    """A condition is refused, or selects rows."""
    text = data.decode("utf-8", "replace")
    try:
        RUNS.where(text)
    except lf.InputError as error:
        str(error).encode()


def csv(data: bytes) -> None:
    """A file is refused, or read into columns."""
    try:
        raw = tables._read_delimited(tables._decode(data, "fuzz.csv"), False, "fuzz.csv")
        runs = Runs(raw.columns, source=raw.source, row_labels=raw.row_labels)
    except lf.InputError as error:
        str(error).encode("utf-8", "surrogatepass")
        return
    for name in runs:
        try:
            runs.numbers(name)
        except lf.InputError:
            assert runs[name].dtype.kind == "U"


def fits(data: bytes) -> None:
    """A saved fit is refused, or can be shown, saved and used."""
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(loaded, dict):
        return
    try:
        fit = result.Fit.from_dict(loaded)
        fit.summary()
        fit.to_dict()
        fit.predict({name: np.array([1e8, 1e9]) for name in fit.law.variables_in(RUNS)})
    except lf.LawfitError as error:
        str(error).encode("utf-8", "surrogatepass")


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


TARGETS: dict[str, Callable[[bytes], None]] = {
    "formula": formulas,
    "condition": conditions,
    "csv": csv,
    "fit": fits,
}


def main() -> None:
    """Fuzz one target; libFuzzer's options follow its name."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: {Path(__file__).name} {{{','.join(TARGETS)}}} [CORPUS] [options]")
    limit = 4 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
