"""The wheel carries its bill of materials (PEP 770)."""

from __future__ import annotations

import json
from importlib.metadata import distribution

import pytest

from lawfit import _core


def test_the_wheel_says_what_it_is_made_of() -> None:
    lawfit = distribution("lawfit")
    if '"editable"' in (lawfit.read_text("direct_url.json") or ""):
        pytest.skip("an editable installation may be older than its metadata")
    bill = json.loads(lawfit.read_text("sboms/lawfit.cdx.json") or "null")
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == _core.info()["version"]
    versions = {part["name"]: part.get("version") for part in bill["components"]}
    assert set(versions) == {"Eigen", "pybind11", "numpy"}
    assert versions["Eigen"]
    assert versions["pybind11"]
