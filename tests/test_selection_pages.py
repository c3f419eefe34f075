"""The page on selection: every block of code in it runs, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lawfit as lf

DOCS = Path(__file__).parents[1] / "docs"


def test_the_examples_run() -> None:
    text = (DOCS / "selection.md").read_text()
    scope: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(block, scope)
    assert scope["test"].outside.are < 0.01
    assert scope["grid"]["are"].shape == (4, 2)
    assert scope["ranked"].ranking[-1] == "size only"
    assert scope["meet"].interval()[0] < scope["meet"].at < scope["meet"].interval()[1]
    assert len(scope["many"].universes) == 16


def test_links_lead_somewhere_and_laws_are_known() -> None:
    for page in ("selection.md", "backtests.md"):
        for target in re.findall(r"\]\(([^)#]+\.md)\)", (DOCS / page).read_text()):
            assert (DOCS / target).is_file(), f"{page}: {target}"
    rows = re.findall(r"^\| (`.*?`) \| \d", (DOCS / "backtests.md").read_text(), re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert len(names) > 40
    assert names <= set(lf.laws())
