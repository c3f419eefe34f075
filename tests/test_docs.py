"""The documentation: its code runs, its links lead somewhere, and every page is in the site."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import lawfit as lf
from lawfit.report.blocks import Figure
from lawfit.report.figures import Sketch

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
NEEDS = re.compile(r"^<!-- needs (\S+) -->", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code(path: Path) -> list[str]:
    return [text for language, text in FENCE.findall(path.read_text()) if language == "python"]


def undrawn(sketch: Sketch) -> Figure:
    return Figure(b"", "image/svg+xml", sketch.alt, sketch.caption)


@pytest.mark.parametrize("path", [p for p in PAGES if code(p)], ids=lambda p: p.name)
def test_code_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a page share their names, in a folder where runs.csv is the embedded example."""
    for name in NEEDS.findall(path.read_text()):
        real = Path(os.environ.get("LAWFIT_DATA") or ROOT.parent / "shared" / "data") / name
        if not real.exists():
            pytest.skip(f"no {real}; set LAWFIT_DATA to the folder with the shared data")
        shutil.copy(real, tmp_path / name)
    monkeypatch.setattr("lawfit.report.sections.draw", undrawn)  # test_report looks at pictures
    monkeypatch.chdir(tmp_path)
    runs = lf.datasets.load("simulated_chinchilla")
    rows = zip(*(runs[name] for name in runs), strict=True)
    table = [",".join(runs), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "runs.csv").write_text("\n".join(table) + "\n")
    scope: dict[str, Any] = {"lf": lf}
    for number, block in enumerate(code(path), 1):
        exec(compile(block, f"{path.name}, block {number}", "exec"), scope)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text())
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), target


def test_every_page_is_in_the_site() -> None:
    index = (DOCS / "index.md").read_text()
    listed = {
        line.strip()
        for language, block in re.findall(r"^```(\{toctree\})\n(.*?)^```", index, re.M | re.S)
        for line in block.split("\n")
    }
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert pages - listed == set()


def test_every_public_name_is_in_the_reference() -> None:
    listed = set((DOCS / "api.md").read_text().split())
    modules = {"costs", "datasets", "reduction", "selection"}
    public = {name for name in lf.__all__ if not name.startswith("_")} - modules
    aliases = {"envelope", "isoflop"}
    assert public - aliases - listed == set()
    assert {f"reduction.{name}" for name in lf.reduction.__all__} - listed == set()
