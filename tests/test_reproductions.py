"""Published coefficients come out on real runs, or differ as docs/reproductions.md explains."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .real_runs import needs_real_runs

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reproductions.md").read_text()


def load(name: str) -> ModuleType:
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


reproductions = load("reproductions")
precision_laws = load("precision_laws")

# More than a second or two each.
SLOW = {"mixing-three", "quest", "step-law-rate", "step-law-batch", "misfitting-kaplan"}
SLOW |= {"mixing-two", "gemstones-2", "gemstones-3", "gemstones-7", "gemstones-8"}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in reproductions.MAKERS
]


@needs_real_runs
@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_claims(name: str) -> None:
    try:
        found = reproductions.MAKERS[name]()
    except load("reproduction").MissingDataError as missing:
        pytest.skip(str(missing))
    assert f"## {found.name}\n" in PAGE
    claims = [f for f in found.figures if f.within is not None]
    wrong = [(f.name, f.expected, f.ours, f.within) for f in claims if not f.holds]
    assert wrong == []
    if found.theirs is not None and found.ours is not None:
        assert found.ours <= found.theirs + 1e-9 * abs(found.theirs)


def test_every_reproduction_claims_something() -> None:
    claimed = PAGE.count("\n## ")
    assert claimed == len(reproductions.MAKERS)
    assert PAGE.count("nothing printed") <= 3


# --- three laws of precision ----------------------------------------------------------------------

# Law, what is held out, mean error: the figures that the reading of docs/precision_laws.md uses.
HEADLINES = [
    ("effective parameters (Kumar et al.)", "1 bit", 0.0537),
    ("floating point (Sun et al.)", "1 bit", 0.4204),
    ("the same with a shift", "822M", 0.0084),
]
MORE = [
    ("effective parameters (Kumar et al.)", "822M", 0.0243),
    ("effective parameters (Kumar et al.)", "16 bits", 0.1093),
    ("the same with a shift", "1 bit", 0.568),
    ("floating point (Sun et al.)", "2 bits", 0.0342),
    ("degradation (Ouyang et al.)", "1 bit", 0.2544),
    ("degradation (Ouyang et al.)", "3 bits", 0.0050),
    ("degradation (Ouyang et al.)", "822M", 0.0077),
]


@needs_real_runs
@pytest.mark.parametrize(
    ("law", "split", "error"),
    [*HEADLINES, *(pytest.param(*one, marks=pytest.mark.slow) for one in MORE)],
)
def test_errors_out_of_sample(law: str, split: str, error: float) -> None:
    runs = precision_laws.runs()
    rows = precision_laws.splits(runs)[split]
    found = precision_laws.held_out(precision_laws.LAWS[law], runs, rows)
    assert found.error == pytest.approx(error, rel=0.02)
    assert f"{100 * found.error:.2f} (" in (ROOT / "docs" / "precision_laws.md").read_text()


@needs_real_runs
def test_weights_alone_are_predicted_from_equal_bits() -> None:
    found = precision_laws.weights_only()
    assert found.rows == 16
    assert found.error < 0.01
    assert found.bias < 0


@needs_real_runs
@pytest.mark.slow
def test_a_shift_without_a_bound_folds_over() -> None:
    fit, factor = precision_laws.folded()
    assert factor == pytest.approx(-0.133, abs=0.01)
    assert fit.starts.hits < fit.starts.n / 5
    assert math.isfinite(fit.objective)
