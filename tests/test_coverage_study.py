"""The study of coverage: what its page says is what was stored, and a sample of it holds."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCH = Path(__file__).parents[1] / "bench"


def load() -> ModuleType:
    """Import bench/coverage.py under another name than that of the package "coverage"."""
    spec = importlib.util.spec_from_file_location("coverage_study", BENCH / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["coverage_study"] = module
    sys.path.insert(0, str(BENCH))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


study = load()


def test_the_page_shows_what_was_stored() -> None:
    stored = json.loads(study.RESULT.read_text())
    shown = study.PAGE.read_text().split(study.BEGIN)[1].split(study.END)[0]
    assert shown.strip() == study.section(stored)
    assert {d["name"] for d in stored["designs"]} == set(study.DESIGNS)


def test_counting() -> None:
    count = study.Count(study.DESIGNS["nine-2"])
    count.tables, count.estimates = 4, {"a": [0.4, 0.5, 0.6, 0.7]}
    count.found = {"m": {"a": [(0.4, 0.6), (0.6, 0.7), (np.nan, np.nan), (-np.inf, np.inf)]}}
    (row,) = count.rows()
    assert row["coverage"] == {"a": 0.5}
    assert row["none"] == 0.25
    assert row["length"]["a"] == pytest.approx(0.2 / 0.285, abs=1e-3)


def test_every_method_gives_an_interval_around_the_estimate() -> None:
    for name in ("nine-3", "curves"):
        design = study.DESIGNS[name]
        fit = study.fitted(design, 3)
        for method, found in study.intervals(design, fit, 39).items():
            for quantity, (low, high) in found.items():
                assert low < high, (name, method, quantity)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tables", "failing"),
    [
        ("normal", 60, "parametric, percentile"),
        ("uneven", 60, "t, gauss-newton"),
        ("nine-5", 150, "wild, percentile"),
        ("curves", 60, "cases, percentile"),
    ],
)
def test_coverage(name: str, tables: int, failing: str) -> None:
    """Within what the published tables leave, by three standard errors of so few tables."""
    (count,) = study.study([name], {name: tables}, 199).values()
    covered = {r["method"]: np.mean(list(r["coverage"].values())) for r in count.rows()}
    error = 3.0 * np.sqrt(0.95 * 0.05 / tables)
    assert 0.92 - error <= covered[study.RECOMMENDED[name]] <= 0.97 + error
    assert covered[failing] < covered[study.RECOMMENDED[name]]
