"""Executors: the bits of one process from any of them, data sent once, and what a kill leaves."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.distribution import Job, cut, share
from lawfit.uncertainty.refits import with_followed


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def fit(runs: lf.Runs) -> lf.Fit:
    return lf.fit("chinchilla", runs, starts=40)


def assert_same(a: Any, b: Any) -> None:
    """Compare everything that two results hold, bit by bit."""
    assert type(a) is type(b)
    if isinstance(a, lf.Runs):
        a, b = dict(a), dict(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            assert_same(a[name], b[name])
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, lf.Fit):
        assert a == b
    elif dataclasses.is_dataclass(a):
        assert_same(vars(a), vars(b))
    elif isinstance(a, (float, np.ndarray)):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes() or np.array_equal(a, b)
    else:
        assert a == b


# --- the same bits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"starts": 200},
        {"starts": "auto", "scale": "fitted", "loss": "huber:0.01"},
        {"starts": 80, "loss": "absolute"},
        {"starts": "besiroglu2024-sum"},
    ],
    ids=str,
)
def test_a_fit(runs: lf.Runs, pool: Executor, settings: dict[str, Any]) -> None:
    here = lf.fit("chinchilla", runs, **settings)
    there = lf.fit("chinchilla", runs, executor=pool, **settings)
    everything = lf.fit("chinchilla", runs, early_stop=False, **settings)
    assert here.starts.joined + here.starts.repeated > 0
    for other in (there, everything):
        assert_same(other.params, here.params)
        assert other.objective == here.objective
        assert other.scale == here.scale
        assert other.starts.hits == here.starts.hits
        assert other.starts.basins == here.starts.basins
        assert other.starts.repeated == here.starts.repeated
        assert other.starts.hits_repeated == here.starts.hits_repeated
        assert other.starts.missed == here.starts.missed
    if here.starts.repeated:
        assert there.evaluations < everything.evaluations / 50
    np.testing.assert_array_equal(there.bootstrap(3).objective, here.bootstrap(3).objective)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kind": "bayesian", "threads": 2},
        {"kind": "block", "length": 4},
        {"kind": "parametric", "studentize": True, "first_draw": 7},
    ],
    ids=str,
)
def test_a_bootstrap(fit: lf.Fit, pool: Executor, settings: dict[str, Any]) -> None:
    seen: list[int] = []
    here = fit.bootstrap(100, rng=3, **settings)
    there = fit.bootstrap(
        100, rng=3, executor=pool, progress=lambda done, total: seen.append(done), **settings
    )
    assert_same(there, here)
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_profiles_and_a_contour(fit: lf.Fit, pool: Executor) -> None:
    assert_same(fit.profiles(executor=pool), fit.profiles())
    ratio = "beta / (alpha + beta)"
    assert_same(fit.profile(ratio, executor=pool), fit.profile(ratio))
    here, there = (fit.contour("A", "alpha", points=8, executor=e) for e in (None, pool))
    assert_same(there, here)
    assert_same(fit.intervals(executor=pool), fit.intervals())


@pytest.mark.parametrize("starts", ["auto", 4])
def test_a_batch(pool: Executor, starts: Any) -> None:
    rng = np.random.default_rng(1)
    n = np.tile(np.geomspace(1e6, 1e9, 6), 150)
    loss = (1.5 + 40.0 * n**-0.3) * rng.uniform(0.99, 1.01, n.size)
    loss[50] = -1.0  # a table that cannot be fitted
    table = {"g": np.repeat(np.arange(150.0), 6), "N": n, "loss": loss}
    settings: dict[str, Any] = {"by": "g", "starts": starts}
    here = lf.fit_many("E + A / N**alpha", table, **settings)
    there = lf.fit_many("E + A / N**alpha", table, executor=pool, **settings)
    assert "bad_target" in set(here["status"])
    assert_same(there, here)


def test_threads_of_one_process_are_an_executor_too(fit: lf.Fit) -> None:
    with ThreadPoolExecutor(3) as threads:
        assert_same(fit.bootstrap(100, executor=threads), fit.bootstrap(100))


def test_claims_that_fail_in_one_part_are_withdrawn_in_all(
    fit: lf.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Draws of which not all starts were followed are made again, those that were stay."""
    import lawfit.uncertainty.refits as refits

    work, asked = refits._work, []

    def work_with_a_claim_that_fails(held: Any, part: Any, threads: int) -> Any:
        asked.append(part)
        return dict(work(held, part, threads)) | {"claims_failed": part[0] == 64}

    monkeypatch.setattr(refits, "_work", work_with_a_claim_that_fails)
    with ThreadPoolExecutor(1) as executor:
        there = fit.bootstrap(100, executor=executor)
    assert sorted(asked) == sorted(
        [(k, n, True) for k, n in ((0, 32), (32, 32), (64, 32), (96, 4))]
        + [(k, n, False) for k, n in ((0, 32), (32, 32), (96, 4))]
    )
    assert any("better minimum" in w for w in there.warnings)
    everything = fit.bootstrap(100, early_stop=False)
    early = fit.bootstrap(100)
    again = np.ones(100, dtype=bool)
    again[64:96] = False  # this part did it itself, had its claim really failed
    followed = np.array([k < 32 or k % 8 == 0 for k in range(100)])
    for name in early.draws:
        expected = np.where(again & ~followed, everything.draws[name], early.draws[name])
        np.testing.assert_array_equal(there.draws[name], expected)
    assert there.followed == np.sum(again | followed)


def test_which_draws_are_replaced() -> None:
    old = {
        "x": np.zeros((3, 2)), "followed": np.array([True, False, False]),
        "evaluations": np.array([1, 2, 3]), "own_covariance": np.eye(2), "claims_failed": False,
    }  # fmt: skip
    new = old | {"x": np.ones((3, 2)), "followed": np.ones(3, dtype=bool)}
    merged = with_followed(old, new)
    np.testing.assert_array_equal(merged["x"], [[0, 0], [1, 1], [1, 1]])
    np.testing.assert_array_equal(merged["evaluations"], [1, 4, 6])
    np.testing.assert_array_equal(merged["followed"], True)
    np.testing.assert_array_equal(merged["own_covariance"], np.eye(2))


# --- what is sent ----------------------------------------------------------------------------


class Counting(Executor):
    """Passes everything on, and notes how much data goes with each part."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.sent: list[int] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.sent.append(len(args[1] or b""))
        return self.executor.submit(fn, *args, **kwargs)


def test_the_table_is_sent_once_to_each_process(pool: Executor, runs: lf.Runs) -> None:
    table = {name: np.tile(runs[name], 20) for name in runs}
    fit = lf.fit("chinchilla", table, starts=4)
    counting = Counting(pool)
    # Parts of 32 draws; a process may be asked again before it has what it lacks.
    fit.bootstrap(320, executor=counting)
    with_data = [size for size in counting.sent if size]
    assert 1 <= len(with_data) <= 4
    assert len(counting.sent) - len(with_data) == 10
    assert all(size > 3 * 8 * 1800 for size in with_data)


def test_parts_do_not_depend_on_the_executor() -> None:
    assert cut(5, 2, 10) == [range(2), range(2, 4), range(4, 5)]
    assert [len(part) for part in cut(1000, 1, 3)] == [334, 334, 332]
    assert cut(0, 32, 4) == []


# --- what goes wrong -------------------------------------------------------------------------


def _add(held: int, part: int, threads: int) -> dict[str, Any]:
    return {"sum": held + part}


def _same(data: Any) -> Any:
    return data


def _die_elsewhere(held: int, part: int, threads: int) -> dict[str, Any]:
    if part == 3 and os.getpid() != held:
        os.kill(os.getpid(), signal.SIGTERM)
    return {"sum": part}


def _refuse(held: int, part: int, threads: int) -> dict[str, Any]:
    raise lf.InputError("this part cannot be done")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_what_a_killed_process_leaves_is_done_here() -> None:
    job = Job(_same, _die_elsewhere, os.getpid())
    seen: list[int] = []
    with (
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.warns(RuntimeWarning, match=r"lost \d of 8 parts .BrokenProcessPool"),
    ):
        outcome = share(executor, job, range(8), report=seen.append)
    assert not outcome.interrupted
    assert [result and result["sum"] for result in outcome.results] == list(range(8))
    assert seen == list(range(1, 9))


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_a_bootstrap_survives_a_killed_process(fit: lf.Fit) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:

        def kill_one(done: int, total: int) -> None:
            if done <= 32:
                os.kill(next(iter(executor._processes)), signal.SIGKILL)

        with pytest.warns(RuntimeWarning, match="this process does them"):
            there = fit.bootstrap(1600, executor=executor, progress=kill_one)
    assert_same(there, fit.bootstrap(1600))


def test_an_executor_that_is_shut_down() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.warns(RuntimeWarning, match="lost 3 of 3 parts .RuntimeError: cannot schedule"):
        outcome = share(executor, Job(_same, _add, 10), range(3))
    assert [result and result["sum"] for result in outcome.results] == [10, 11, 12]


def test_errors_of_a_part_reach_the_caller() -> None:
    # Threads: a new process need not be able to import this module.
    with (
        ThreadPoolExecutor(2) as threads,
        pytest.raises(lf.InputError, match="this part cannot be done"),
    ):
        share(threads, Job(_same, _refuse, 0), range(3))


def test_what_no_process_can_load(pool: Executor) -> None:
    def local(held: Any, part: Any, threads: int) -> dict[str, Any]:
        return {}

    with pytest.raises(lf.FitError, match="could not do the first part"):
        share(pool, Job(_same, local, 0), range(3))


def test_what_is_no_executor(fit: lf.Fit) -> None:
    with pytest.raises(lf.InputError, match=r"must be an executor of concurrent\.futures"):
        fit.bootstrap(10, executor=4)


def test_other_versions_and_instruction_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    import lawfit.distribution as distribution

    facts = distribution._core.info()
    for name, other, expected in (
        ("version", "0.0.1", pytest.raises(lf.InputError, match=r"runs lawfit 0\.0\.1")),
        ("instruction_set", "abacus", pytest.warns(RuntimeWarning, match="computes with abacus")),
    ):
        replies = distribution._do

        def do(*args: Any, _do: Any = replies, _name: str = name, _other: str = other) -> Any:
            given = {"version": facts["version"], "instruction_set": facts["instruction_set"]}
            given[_name] = _other
            return _do(*args) | {"runs": tuple(given.values())}

        with monkeypatch.context() as patch, ThreadPoolExecutor(1) as executor, expected:
            patch.setattr(distribution, "_do", do)
            share(executor, Job(_same, _add, 1), range(3))


INTERRUPT = """
import os, signal
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import lawfit as lf

fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=4)
sent = []

def progress(done, total):
    if done >= 64 and not sent:
        sent.append(done)
        os.kill(os.getpid(), signal.SIGINT)

with ThreadPoolExecutor(2) as executor:
    try:
        fit.bootstrap(3200, executor=executor, progress=progress)
    except lf.Interrupted as stop:
        boot = stop.result
        assert 64 <= len(boot) < 3200
        expected = fit.bootstrap(3200).objective
        assert set(boot.objective) <= set(expected)
        print(stop)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_keeps_what_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("interrupted after ")


# --- dask ------------------------------------------------------------------------------------

DASK = """
import os, signal
import lawfit as lf
from distributed import Client, LocalCluster

def pid():
    return os.getpid()

def main():
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=40)
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        host="127.0.0.1", silence_logs=50,
    )
    with cluster, Client(cluster) as client:
        executor = client.get_executor()
        there = lf.fit(
            "chinchilla", lf.datasets.load("simulated_chinchilla"), starts=40, executor=executor
        )
        assert there.params == fit.params
        assert there.objective == fit.objective
        killed = []

        def kill_one(done, total):
            if done and not killed:
                killed.append(sorted(client.run(pid).values())[0])
                os.kill(killed[0], signal.SIGKILL)

        boot = fit.bootstrap(960, executor=executor, progress=kill_one)
        assert killed
    expected = fit.bootstrap(960)
    for name, values in expected.draws.items():
        assert values.tobytes() == boot.draws[name].tobytes()
    assert boot.evaluations == expected.evaluations
    print("same bits")

if __name__ == "__main__":
    main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_dask_with_a_killed_worker(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    script = tmp_path / "workers.py"
    script.write_text(DASK)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout == "same bits\n", done.stderr
