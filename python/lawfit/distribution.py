"""How one call shares its work out to the processes of an executor, and what if one is lost."""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .errors import FitError, InputError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

__all__ = ["Job", "Outcome", "cut", "join", "share"]

HELD = 4  # jobs whose data a process keeps

Result = Mapping[str, Any]
Report = Callable[[int], object]


@dataclass(frozen=True)
class Job:
    """What the processes do.

    Both functions must be at the top of their modules, where another process finds them.

    Attributes
    ----------
    prepare : callable(data) -> held
        Makes of the data what all parts need; called once in each process.
    work : callable(held, part, threads) -> dict
        Does one part. An entry "interrupted" that is true says that Ctrl-C came in between.
    data : Any
        Picklable; sent to each process once.
    threads : int
        Of each part that is done elsewhere.
    """

    prepare: Callable[[Any], Any]
    work: Callable[[Any, Any, int], Result]
    data: Any
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """Results in the order of the parts, None for those not done, and whether Ctrl-C came."""

    results: tuple[Result | None, ...]
    interrupted: bool


def cut(count: int, least: int, most_parts: int) -> list[range]:
    """Cut 0 .. count - 1 into ranges of equal length, a rule that knows nothing of the executor."""
    size = max(least, -(-count // most_parts))
    return [range(at, min(at + size, count)) for at in range(0, count, size)]


def join(results: Sequence[Result | None], parts: Sequence[range], empty: Result) -> dict[str, Any]:
    """Put the arrays of all parts behind each other; `empty` has a row for what is not done."""
    joined = {}
    for name, row in empty.items():
        pieces = [
            np.repeat(np.asarray(row)[None], len(part), axis=0) if result is None else result[name]
            for result, part in zip(results, parts, strict=True)
        ]
        joined[name] = np.concatenate(pieces)
    return joined


def share(
    executor: Executor,
    job: Job,
    parts: Sequence[Any],
    *,
    sizes: Sequence[int] | None = None,
    report: Report | None = None,
) -> Outcome:
    """Do all parts of a job in the processes of an executor.

    Parts go out without the data. A process that has not got them says so, and then gets them with
    the part. So nothing need be known about an executor but `submit`. Twice as many parts are under
    way as there are threads of processes that have answered.

    What an executor loses, because a process was killed, is done in this process, with a warning.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Or anything whose ``submit(function, *arguments)`` returns such a future.
    job : Job
    parts : sequence
        Picklable.
    sizes : sequence of int, optional
        What each part adds to the number that `report` is called with; 1 without it.
    report : callable, optional

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If this is no executor, or its processes run another version of lawfit.
    FitError
        If the executor fails for another reason than lost processes before any part is done.
    """
    if not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"executor = {executor!r} must be an executor of concurrent.futures, like "
            "ProcessPoolExecutor() or the get_executor() of a dask client"
        )
    return _Sharing(executor, job, parts, sizes or [1] * len(parts), report).run()


class _Sharing:
    """One call of `share` under way."""

    def __init__(
        self,
        executor: Executor,
        job: Job,
        parts: Sequence[Any],
        sizes: Sequence[int],
        report: Report | None,
    ) -> None:
        import hashlib  # late, like all that only executors need
        import queue
        from concurrent.futures import BrokenExecutor, CancelledError

        self.lost = (BrokenExecutor, CancelledError)
        self.executor, self.job, self.parts, self.report = executor, job, parts, report
        self.sizes = sizes
        self.data = pickle.dumps((job.prepare, job.data), protocol=pickle.HIGHEST_PROTOCOL)
        self.key = hashlib.sha256(self.data).hexdigest()
        self.results: list[Result | None] = [None] * len(parts)
        self.waiting = deque(range(len(parts)))
        self.left_over: list[int] = []  # parts that the executor lost
        self.running: dict[Future[Any], int] = {}
        self.ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self.seen: set[tuple[str, int, int]] = set()
        self.why: BaseException | None = None
        self.accepts = True
        self.warned = False

    def run(self) -> Outcome:
        try:
            while self.running or (self.accepts and self.waiting):
                while self.accepts and self.waiting and len(self.running) < self.limit():
                    self.submit(self.waiting.popleft(), None)
                if self.running and self.take(self.next_ended()):
                    return self.stop()
            self.left_over += self.waiting
            if self.left_over and self.do_here():
                return self.stop()
        except KeyboardInterrupt:
            return self.stop()
        except BaseException:
            self.stop()
            raise
        return Outcome(tuple(self.results), False)

    def limit(self) -> int:
        return max(2, 2 * len(self.seen))

    def submit(self, part: int, data: bytes | None) -> None:
        arguments = (self.key, data, self.job.work, self.parts[part], self.job.threads)
        try:
            future = self.executor.submit(_do, *arguments)
        except RuntimeError as error:  # broken, or shut down
            self.accepts, self.why = False, error
            self.left_over.append(part)
            return
        self.running[future] = part
        future.add_done_callback(self.ended.put)

    def next_ended(self) -> Future[Any]:
        from queue import Empty

        while True:  # in pieces: not every system lets Ctrl-C through while it waits
            try:
                return self.ended.get(timeout=0.2)
            except Empty:
                continue

    def take(self, future: Future[Any]) -> bool:
        """Note what came of a part; tell whether Ctrl-C ended it."""
        part = self.running.pop(future)
        try:
            reply = future.result()
        except Exception as error:
            done = any(result is not None for result in self.results)
            if not (done or isinstance(error, self.lost) or _is_lost_worker(error)):
                raise FitError(
                    f"{type(self.executor).__name__} could not do the first part: "
                    f"{type(error).__name__}: {error}"
                ) from error
            self.why = error
            self.left_over.append(part)
            return False
        self.seen.add(reply["who"])
        self.check(reply)
        if reply["lacks"]:
            self.submit(part, self.data)
            return False
        if "error" in reply:
            raise reply["error"]
        return self.keep(part, reply["result"])

    def keep(self, part: int, result: Result) -> bool:
        self.results[part] = result
        if self.report is not None:
            pairs = zip(self.results, self.sizes, strict=True)
            self.report(sum(size for found, size in pairs if found is not None))
        return bool(result.get("interrupted", False))

    def check(self, reply: Mapping[str, Any]) -> None:
        version, instructions = reply["runs"]
        here = _core.info()
        if version != here["version"]:
            raise InputError(
                f"a process of the executor ({reply['who'][0]}) runs lawfit {version}, this one "
                f"{here['version']}; install the same"
            )
        if instructions != here["instruction_set"] and not self.warned:
            self.warned = True
            warnings.warn(
                f"a process of the executor computes with {instructions}, this one with "
                f"{here['instruction_set']}: results agree to rounding, not to the bit; "
                "LAWFIT_ISA=baseline in all makes them equal",
                RuntimeWarning,
                stacklevel=6,
            )

    def do_here(self) -> bool:
        warnings.warn(
            f"the executor lost {len(self.left_over)} of {len(self.parts)} parts "
            f"({type(self.why).__name__}: {self.why}); this process does them",
            RuntimeWarning,
            stacklevel=5,
        )
        held = self.job.prepare(self.job.data)
        # In order, so that what is done when Ctrl-C comes has no holes that it need not have.
        return any(
            self.keep(part, self.job.work(held, self.parts[part], 0))
            for part in sorted(self.left_over)
        )

    def stop(self) -> Outcome:
        for future in self.running:
            future.cancel()
        return Outcome(tuple(self.results), True)


def _is_lost_worker(error: BaseException) -> bool:
    """Tell whether dask gave a part up: it has lost too many processes over it."""
    return type(error).__name__ in ("KilledWorker", "FutureCancelledError")


# --- in the other process -------------------------------------------------------------------------

_held: OrderedDict[str, Any] = OrderedDict()
_lock = threading.Lock()


def _do(
    key: str, data: bytes | None, work: Callable[[Any, Any, int], Result], part: Any, threads: int
) -> dict[str, Any]:
    """Do one part, or say that the data are lacking."""
    import socket

    facts = _core.info()
    reply: dict[str, Any] = {
        "who": (socket.gethostname(), os.getpid(), threading.get_ident()),
        "runs": (facts["version"], facts["instruction_set"]),
        "lacks": False,
    }
    held = _held.get(key)
    if held is None:
        if data is None:
            return reply | {"lacks": True}
        prepare, content = pickle.loads(data)
        held = prepare(content)
        with _lock:
            _held[key] = held
            while len(_held) > HELD:
                _held.popitem(last=False)
    try:
        return reply | {"result": work(held, part, threads)}
    except (InputError, FitError) as error:
        return reply | {"error": type(error)(str(error))}
