"""Pages of the catalogue: up to date with the entries, and what their examples say is true."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lawfit as lf
from lawfit.laws import themes

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS / "laws.md", *(DOCS / "laws" / f"{theme}.md" for theme in themes())]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_laws", DOCS / "generate_laws.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def test_pages_are_up_to_date(generator: ModuleType) -> None:
    pages = generator.pages()
    assert set(pages) == set(PAGES)
    assert set((DOCS / "laws").iterdir()) == set(PAGES[1:])
    stale = [path.name for path, text in pages.items() if path.read_text() != text]
    assert stale == [], "run docs/generate_laws.py"


@pytest.mark.parametrize("theme", themes())
def test_every_law_has_its_section_and_an_example_that_runs(theme: str) -> None:
    path = DOCS / "laws" / f"{theme}.md"
    assert re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE) == list(lf.laws(theme))
    blocks = code(path)
    assert len(blocks) == len(lf.laws(theme))
    for name, block in zip(lf.laws(theme), blocks, strict=True):
        first, last = block.strip().rsplit("\n", 1)
        scope: dict[str, Any] = {"lf": lf}
        exec(first, scope)
        assert scope["law"] is lf.law(name)
        (value,) = eval(last, scope)
        printed = ast.literal_eval(last.partition("#")[2].strip())
        assert value == pytest.approx(printed, rel=1e-3)


def test_the_examples_of_the_first_page_run() -> None:
    scope: dict[str, Any] = {}
    for block in code(DOCS / "laws.md"):
        exec(block, scope)
    assert scope["fit"].success


def test_links_lead_somewhere() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#]+\.md)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).is_file(), f"{path.name}: {target}"


def test_methods_names_laws_that_there_are() -> None:
    known = {*lf.laws(), *lf.protocols(), *themes()}
    hyphened = re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", (DOCS / "methods.md").read_text())
    assert hyphened
    assert set(hyphened) <= known
