"""The benchmark runs: problems mean the same to lawfit and to its peers, results become a page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
METHODS = ("lawfit, 1 thread", "SciPy L-BFGS-B, gradient, tight")


def script(name: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(BENCH / name), *arguments],
        capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("problem", ["simulated", "data-constrained"])
def test_problems_that_need_no_file(problem: str, tmp_path: Path) -> None:
    arguments = [word for name in METHODS for word in ("--method", name)]
    script("run.py", "--quick", "--problem", problem, "--out", str(tmp_path), *arguments)
    entry = json.loads((tmp_path / f"starts-{problem}.json").read_text())
    ours, peer = entry["methods"]
    assert [ours["method"], peer["method"]] == list(METHODS)
    assert ours["hit_share"] > 0.9
    assert ours["best_objective"] == pytest.approx(entry["best_known"], rel=1e-9)
    assert peer["best_objective"] >= entry["best_known"]
    assert sum(ours["status"].values()) == ours["starts_run"]
    assert {"processor", "load_before", "date", "lawfit"} <= set(ours["machine"])
    page = tmp_path / "page.md"
    script("report.py", "--results", str(tmp_path), "--page", str(page))
    text = page.read_text()
    assert entry["title"] in text
    assert f"{peer['hit_share']:.1%}" in text


def test_a_missing_table_is_skipped_visibly(tmp_path: Path) -> None:
    out = script(
        "run.py", "--quick", "--problem", "quest", "--method", METHODS[0],
        "--out", str(tmp_path), LAWFIT_DATA=str(tmp_path),
    )  # fmt: skip
    assert "SKIPPED: no quest_precision_runs.csv" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rows.py", ["--rows", "1000", "--threads", "1", "--repeats", "1"]),
        ("groups.py", ["--curves", "3", "--repeats", "1"]),
        ("grid.py", ["--points", "20", "--numpy-points", "10", "--repeats", "1", "--threads", "1"]),
    ],
)
def test_every_other_script_writes_its_results(
    name: str, arguments: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "folder" / "found.json"
    script(name, *arguments, "--out", str(out))
    found = json.loads(out.read_text())
    assert "processor" in found.pop("machine")
    (rows,) = found.values()
    assert rows
