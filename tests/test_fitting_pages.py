"""The examples of docs/formulas.md and docs/fitting.md run, in order, and say what they claim."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf

DOCS = Path(__file__).parents[1] / "docs"


def run(page: str, before: str = "") -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(before, space)
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL):
        exec(compile(block, page, "exec"), space)
    return space


def test_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    before = (
        "import numpy as np\nN = np.geomspace(1e7, 1e9, 40)\n"
        "runs = {'N': N, 'D': 20 * N[::-1], 'family': ['wiki', 'c4'] * 20, "
        "'corpus': [7, 8, 9, 7] * 10, 'loss': 2 + 300 / N**0.3 + 100 / N[::-1]**0.3}"
    )
    found = run("formulas.md", before)
    assert "logsumexp(exp(E), exp(r0))" in capsys.readouterr().out
    assert found["runs"]["epochs"].max() > 10
    assert found["fit"].law == found["MY_LAW"]
    loss, columns, v = found["loss"], found["table"], found["values"]
    n, s, b = (np.array(columns[c]) for c in "NSB")
    steps = v["S_c"] * (1 + v["B_star"] / (b * loss**5))
    want = (v["N_c"] / n) ** v["alpha_N"] + (steps / s) ** v["alpha_S"]
    np.testing.assert_allclose(loss, want, rtol=1e-13)


def test_fitting() -> None:
    found = run("fitting.md")
    assert found["fit"].censored > 5
    assert abs(found["fit"].params["b"] - 0.35) < abs(found["biased"].params["b"] - 0.35)
    assert found["staged"].params["tau"] == pytest.approx(2.5, rel=0.2)
    assert isinstance(found["second"], lf.Fit)
