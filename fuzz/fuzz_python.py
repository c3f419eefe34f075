"""Coverage-guided fuzzing of what is parsed: formulas, conditions, tables, saved fits.

Run ``python fuzz/fuzz_python.py TARGET [CORPUS] [libFuzzer options]``; see fuzz/README.md.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import atheris
import numpy as np

import lawfit as lf
from lawfit import formula, result, tables
from lawfit.compiler import evaluate_columns
from lawfit.runs import Runs

# An editable installation has an importer of its own, which atheris cannot hook into.
MODULES = (
    "compiler expression fitting formula groups law laws losses penalties problem result runs "
    "saving tables"
).split()
for name in MODULES:
    module = import_module(f"lawfit.{name}")
    for thing in list(vars(module).values()):
        inside = vars(thing).values() if isinstance(thing, type) else (thing,)
        for function in inside:
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                atheris.instrument_func(function)

warnings.simplefilter("error")
MOST_SECONDS = 1.0  # of CPU time for one input, which other processes do not change
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


# What a damaged entry of a saved fit may hold instead.
ENTRIES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 63, 64, 1 << 31, -(1 << 31), 1 << 63, 1 << 64, 10**400),
    *(0.5, -0.0, 1e308, -1e308, 5e-324, float("inf"), float("nan")),
    *("", "N", "E", "loss", "log", "linear", "huber", "1e5", "\ud800", "\0", "x" * 300),
    *([], [0], [[]], [1.0, 2.0], {}, {"N": 1}, {"": None}),
]


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a tree of JSON."""
    found = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree))
    for key, value in found:
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from places(value)


def damaged_json(data: bytes, size: int, seed: int) -> bytes:
    """Change entries of a JSON text, mostly; bytes of it sometimes."""
    draw = random.Random(seed)
    try:
        tree = json.loads(data)
        deep = data.count(b"[") + data.count(b"{") > 300
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, (dict, list)) or deep or draw.random() < 0.1:
        return bytes(atheris.Mutate(data, size))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        found = list(places(tree))
        if not found:
            break
        owner, key = draw.choice(found)
        other, place = draw.choice(found)
        kind = draw.random()
        if kind < 0.5:
            owner[key] = deepcopy(draw.choice(ENTRIES))
        elif kind < 0.7:
            owner[key] = deepcopy(other[place])
        elif kind < 0.85:
            del owner[key]
        elif isinstance(owner, list):
            owner.insert(key, deepcopy(owner[key]))
        elif isinstance(owner[key], (int, float)) and abs(owner[key]) < 1e300:
            owner[key] = owner[key] * draw.choice((-1, 0.5, 2, 1e10, 1e-10)) + draw.choice(
                (-1, 0, 1)
            )
        else:
            owner[draw.choice(("", "x", "N"))] = owner.pop(key)
    changed = json.dumps(tree).encode()
    return changed if len(changed) <= size else data[:size]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "formula": formulas,
    "condition": conditions,
    "csv": csv,
    "fit": fits,
}


def bounded(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return the target with a limit of CPU time."""

    def run(data: bytes) -> None:
        start = time.process_time()
        target(data)
        took = time.process_time() - start
        if took > MOST_SECONDS:
            raise AssertionError(f"took {took:.1f} s of CPU time")

    return run


def main() -> None:
    """Fuzz one target; libFuzzer's options follow its name."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: {Path(__file__).name} {{{','.join(TARGETS)}}} [CORPUS] [options]")
    limit = 4 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    mutator = {"custom_mutator": damaged_json} if sys.argv[1] == "fit" else {}
    atheris.Setup([sys.argv[0], *sys.argv[2:]], bounded(TARGETS[sys.argv[1]]), **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
