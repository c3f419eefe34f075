"""Fits one table with the package `simple-scaling-laws`; JSON in, JSON out, in its own process."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    given = json.load(sys.stdin)
    import polars
    import simple_scaling_laws

    rows = len(given["loss"])
    table = polars.DataFrame(
        {
            "training_run_id": [f"run_{i}" for i in range(rows)],
            "test_set_id": ["all"] * rows,
            "train_set_id": ["all"] * rows,
            "optimizer_seed": [0] * rows,
            "model_size__n_params": given["N"],
            "dataset_size__n_tokens": given["D"],
            "test_loss__cross_entropy": given["loss"],
        }
    )
    begun = time.perf_counter()
    model = simple_scaling_laws.fit(table, n_draws=20, seed=0)
    seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/fit.slaw")
        saved = json.loads(Path(f"{folder}/fit.slaw/fits.json").read_text())
    # The fit divides N and D by scales of its own; the saved file has natural units.
    json.dump({"params": find(saved, "params_raw_scale"), "seconds": seconds}, sys.stdout)


def find(tree: Any, name: str) -> Any:
    """Return the first entry of that name anywhere in nested JSON."""
    if isinstance(tree, dict):
        if name in tree:
            return tree[name]
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            if (found := find(branch, name)) is not None:
                return found
    return None


if __name__ == "__main__":
    main()
