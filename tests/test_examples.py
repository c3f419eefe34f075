"""The example scripts give the published numbers, on data of others where these are at hand."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from .real_runs import FOLDER, needs_real_runs

ROOT = Path(__file__).parents[1]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_real_runs
def test_besiroglu() -> None:
    fits = example("besiroglu2024").main(str(FOLDER))
    assert fits["sum"].objective == pytest.approx(0.0010182740178, rel=1e-9)
    published = {"A": 482.01, "B": 2085.43, "E": 1.8172, "alpha": 0.3478, "beta": 0.3658}
    for name, value in published.items():
        assert fits["likelihood"].params[name] == pytest.approx(value, rel=2e-3)


@needs_real_runs
def test_gemstones() -> None:
    fit = example("gemstones2025").main(str(FOLDER))
    assert fit.objective == pytest.approx(0.0019816129, rel=1e-6)
    p = fit.params
    found = (math.log(p["A"]), math.log(p["B"]), math.log(p["E"]), p["alpha"], p["beta"])
    assert found == pytest.approx((5.3613, 15.4160, 0.76226, 0.29287, 0.71287), rel=5e-4)


@needs_real_runs
def test_misfitting() -> None:
    fits = example("misfitting2025").main(str(FOLDER))
    free, tied = fits["free"].params, fits["alpha = beta"].params
    assert fits["free"].objective == pytest.approx(0.0050217, rel=2e-5)
    found = (math.log(free["A"]), math.log(free["B"]), free["alpha"], free["beta"])
    assert found == pytest.approx((3.9388, 13.0558, 0.2002, 0.6357), rel=1e-3)
    assert fits["alpha = beta"].objective == pytest.approx(0.0052437, rel=2e-5)
    found = (math.log(tied["A"]), math.log(tied["B"]), math.log(tied["E"]), tied["alpha"])
    assert found == pytest.approx((10.420, 12.435, 0.9341, 0.60338), rel=2e-4)


@needs_real_runs
def test_chinchilla_package() -> None:
    script = example("chinchilla_package")
    runs, fit = script.main(str(FOLDER), points=3)
    assert script.mean_error(runs, fit.params) == pytest.approx(11 * fit.objective / 240, rel=1e-12)
    # What the package's README prints is not quite the minimum of its own objective.
    assert script.mean_error(runs, script.PUBLISHED) == pytest.approx(0.0257393, rel=1e-5)
    assert script.mean_error(runs, fit.params) == pytest.approx(0.0255785, rel=1e-5)
    assert fit.starts.hits > 0.9 * fit.starts.n
    for name in ("E", "alpha", "beta"):
        assert fit.params[name] == pytest.approx(script.PUBLISHED[name], rel=0.07)


def test_from_scipy() -> None:
    popt, pcov = example("from_scipy").main()
    truth = np.array((1.7, 400.0, 2000.0, 0.34, 0.37))
    assert np.all(np.abs(popt - truth) < 4 * np.sqrt(np.diag(pcov)))
