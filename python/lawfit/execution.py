"""How long runs are executed: seeds, threads and when a solve is converged."""

from __future__ import annotations

import numpy as np

from .errors import InputError

__all__ = ["MAX_EVALUATIONS", "TOLERANCE", "seed_from", "workers_from"]

TOLERANCE = 1e-20  # a full Newton step promises less than this share of the objective
MAX_EVALUATIONS = 5_000  # of one start
MAX_THREADS = 1024  # many more than cores; a system may refuse more, which ends the process


def seed_from(rng: int | np.random.Generator | None) -> int:
    """Return the 64-bit seed that `rng` stands for."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    if rng is None:
        return int(np.random.default_rng().integers(2**63))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and 0 <= int(rng) < 2**64:
        return int(rng)
    raise InputError(
        f"rng = {rng!r} must be an integer of 0 or more (below 2**64), a Generator or None"
    )


def workers_from(threads: int | None) -> int:
    """Return the number of threads for the core, 0 for all."""
    if threads is None:
        return 0
    if isinstance(threads, (int, np.integer)) and not isinstance(threads, bool) and threads >= 1:
        if threads > MAX_THREADS:
            raise InputError(f"threads: at most {MAX_THREADS:,} can be used")
        return int(threads)
    raise InputError(f"threads = {threads!r} must be an integer of 1 or more, or None")
