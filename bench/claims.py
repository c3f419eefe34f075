"""Whether starts that were stopped early would have ended where they were counted to."""

from __future__ import annotations

from typing import Any

import numpy as np

import adapter
import machine
from problems import PROBLEMS, MissingDataError

SAME = 1e-6  # relative difference of objectives below which two ends are one minimum
MOST = 4500


def claims(quick: bool, full: bool) -> dict[str, Any]:
    """Follow the starts of every problem to their ends; compare with what early stopping said.

    Starts are as published: with their coefficients chosen most are one start, and claim nothing.
    """
    rows = []
    for name, make in PROBLEMS.items():
        try:
            problem = make()
        except MissingDataError as missing:
            print(f"claims: {name} SKIPPED, {missing}")
            continue
        starts = problem.sample(min(1.0, (200 if quick else MOST) / len(problem.starts)))
        early, whole = (
            adapter.solve(problem, starts, 2, early_stop=e, choose_levels=False)
            for e in (True, False)
        )
        joined = early.joined >= 0
        best = np.nanmin(whole.objective)
        # Where a start ends at a worse point than the one it was counted to, and where at a better.
        with np.errstate(invalid="ignore"):
            gap = (whole.objective - early.objective) / np.maximum(np.abs(early.objective), 1e-300)
        rows.append(
            {
                "problem": name,
                "starts": len(starts),
                "joined": int(joined.sum()),
                "ended_higher": int(np.sum(joined & ~(gap <= SAME))),
                "ended_lower": int(np.sum(joined & (gap < -SAME))),
                "best_missed": bool(np.nanmin(early.objective) > best + SAME * abs(best)),
                "hits": int(np.sum(early.objective <= best + SAME * abs(best))),
                "hits_followed": int(np.sum(whole.objective <= best + SAME * abs(best))),
                "evaluations": float(early.evaluations.mean()),
                "evaluations_followed": float(whole.evaluations.mean()),
                "seconds": early.seconds,
                "seconds_followed": whole.seconds,
            }
        )
        print(rows[-1], flush=True)
    return {"machine": machine.describe(), "rows": rows}
