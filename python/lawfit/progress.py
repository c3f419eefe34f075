"""How a long run tells the user how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

__all__ = ["Progress", "reporter"]

Progress = bool | Callable[[int, int], object]


def reporter(progress: Progress, total: int, label: str) -> Callable[[int], object] | None:
    """Return what the core calls with the number of finished tasks, or None.

    Parameters
    ----------
    progress : bool or callable
        True writes a line to standard error; a callable gets (done, total).
    total : int
    label : str
        What is counted.
    """
    if callable(progress):
        return lambda done: progress(done, total)
    if not progress:
        return None
    begun = time.monotonic()

    longest = 0

    def show(done: int) -> None:
        nonlocal longest
        elapsed = time.monotonic() - begun
        if elapsed < 0.5 or (done >= total and not longest):
            return
        left = f", {duration(elapsed * (total - done) / done)} left" if 0 < done < total else ""
        line = f"{label}: {done:,} of {total:,}{left}"
        longest = max(longest, len(line))  # what a longer line left behind is written over
        sys.stderr.write(f"\r{line:<{longest}}" + ("\n" if done >= total else ""))
        sys.stderr.flush()

    return show


def duration(seconds: float) -> str:
    """Return a time as people say it: 45 s, 12 min, 3.5 h."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"
