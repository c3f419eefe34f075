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

    def show(done: int) -> None:
        elapsed = time.monotonic() - begun
        if elapsed < 0.5:
            return
        left = f", {elapsed * (total - done) / done:.0f} s left" if done else ""
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{label}: {done:,} of {total:,}{left}   {end}")
        sys.stderr.flush()

    return show
