"""Many refinements in batches that fit the cache, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from .. import _core

__all__ = ["BATCH", "in_batches"]

T = TypeVar("T")

BATCH = 4096  # rows that are refined together: their columns fit the cache


def in_batches(
    tasks: int,
    run: Callable[[int], T],
    threads: int,
    report: Callable[[int], object] | None = None,
) -> Iterator[T]:
    """Run the tasks 0, 1, ... and yield what they give in their order.

    NumPy and the core let other threads run while they compute. At most a few tasks more than
    there are threads are under way or wait to be taken, so that memory does not grow with `tasks`.
    """
    from concurrent.futures import (  # slow to import
        FIRST_COMPLETED,
        Future,
        ThreadPoolExecutor,
        wait,
    )

    workers = threads or int(_core.info()["threads"])
    if workers == 1 or tasks == 1:
        for k in range(tasks):
            yield run(k)
            if report is not None:
                report(k + 1)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: dict[int, Future[T]] = {}
        started = 0
        try:
            for k in range(tasks):
                while started < tasks and len(waiting) < 2 * workers:
                    waiting[started] = pool.submit(run, started)
                    started += 1
                while not waiting[k].done():  # wakes up for Ctrl-C
                    wait([waiting[k]], timeout=0.1, return_when=FIRST_COMPLETED)
                yield waiting.pop(k).result()
                if report is not None:
                    report(k + 1)
        finally:
            for future in waiting.values():
                future.cancel()
