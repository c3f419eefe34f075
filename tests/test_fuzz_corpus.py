"""The inputs that fuzzing kept: each is refused by a LawfitError or used, without anything else."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"


@pytest.fixture(scope="module")
def targets() -> Any:
    # The targets need nothing of atheris but its instrumentation.
    stand_in = types.ModuleType("atheris")
    stand_in.instrument_func = lambda function: function  # type: ignore[attr-defined]
    before = sys.modules.get("atheris")
    sys.modules["atheris"] = stand_in
    try:
        spec = importlib.util.spec_from_file_location("fuzz_python", FUZZ / "fuzz_python.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        del sys.modules["atheris"]
        if before is not None:
            sys.modules["atheris"] = before
    return module.TARGETS


@pytest.mark.parametrize("name", ["formula", "condition", "csv", "fit"])
def test_corpus(name: str, targets: Any) -> None:
    inputs = sorted((FUZZ / "corpus" / name).iterdir())
    assert inputs
    for path in inputs:
        targets[name](path.read_bytes())
