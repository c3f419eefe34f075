"""Fits one table with the package `chinchilla`; JSON in, JSON out, in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import time

import numpy as np


def main() -> None:
    given = json.load(sys.stdin)
    import chinchilla
    from chinchilla._metrics import log_huber

    delta = given["delta"]
    n, d, loss = (np.array(given[k]) for k in ("N", "D", "loss"))
    with tempfile.TemporaryDirectory() as folder:
        fitter = chinchilla.Chinchilla(
            folder,
            param_grid={k: given["grid"][k] for k in ("e", "a", "b", "alpha", "beta")},
            loss_fn=lambda y, f: log_huber(y, f, delta=delta),
            log_level=40,
        )
        for row in zip(n, d, loss, strict=True):
            fitter.append(N=row[0], D=row[1], loss=row[2])
        begun = time.perf_counter()
        fitter.fit()
        seconds = time.perf_counter() - begun
    names = ("E", "A", "B", "alpha", "beta")
    json.dump(
        {"params": {k: float(getattr(fitter, k)) for k in names}, "seconds": seconds}, sys.stdout
    )


if __name__ == "__main__":
    main()
