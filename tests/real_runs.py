"""Where the runs of others are that some tests read, and how a test says that it needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("LAWFIT_DATA") or Path(__file__).parents[2] / "shared" / "data")

needs_real_runs = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no {FOLDER}; set LAWFIT_DATA to the folder with the shared data"
)
