"""The examples of docs/planning.md run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


def test_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "planning.md").read_text()
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert "limited by: cost <= budget" in capsys.readouterr().out
    assert len(names["chosen"].sd) == 6
    assert names["line"].table["N"].shape == (13,)
    assert names["found"].best["loss"] > 0
