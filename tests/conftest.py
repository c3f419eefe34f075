"""What all tests share: the real data, where it is present, no deadlines, and the option --slow."""

from __future__ import annotations

import signal
from pathlib import Path

import hypothesis
import pytest

import lawfit as lf
from lawfit.runs import Runs, read

from .real_runs import FOLDER

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Tests interrupt themselves and processes of theirs; a shell that runs them in the background
    # has had them ignore that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile(
    "lawfit", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("lawfit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")
    parser.addoption("--sample", type=int, help="of the tests marked slow only so many, spread out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    sample = config.getoption("--sample")
    if sample is not None:
        slow = [item for item in items if "slow" in item.keywords]
        step = max(1, len(slow) // max(sample, 1))
        for item in set(slow) - set(slow[::step][:sample]):
            item.add_marker(pytest.mark.skip(reason=f"slow: not in the sample of {sample}"))
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def chinchilla_csv() -> Path:
    """The 240 runs that Besiroglu et al. read off a figure of Hoffmann et al."""
    path = FOLDER / "chinchilla_svg_240.csv"
    if not path.exists():
        pytest.skip(f"no {path}; set LAWFIT_DATA to the folder with the shared data")
    return path


@pytest.fixture(scope="session")
def chinchilla_runs(chinchilla_csv: Path) -> Runs:
    return read(chinchilla_csv)


@pytest.fixture(scope="session")
def runs() -> lf.Runs:
    return lf.datasets.load("simulated_chinchilla")


@pytest.fixture(scope="session")
def free_fit(runs: lf.Runs) -> lf.Fit:
    return lf.fit("chinchilla", runs)
