"""What goes wrong around a run: signals, kills, full disks, too little memory, forks, callbacks."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.uncertainty import checkpoints

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

RUNS = """
import os, signal, sys, time
import numpy as np
import lawfit as lf
rng = np.random.default_rng(0)
N = np.geomspace(1e7, 1e10, 40)
runs = {"N": N, "loss": (1.7 + 400 / N**0.34) * np.exp(0.01 * rng.standard_normal(40))}
def fit(starts=20, **options):
    return lf.fit("E + A/N**alpha", runs, starts=starts, threads=1, **options)
"""


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUNS + script, *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fit() -> lf.Fit:
    space: dict[str, Any] = {}
    exec(RUNS, space)
    return space["fit"]()


def same(a: lf.uncertainty.bootstrap.Bootstrap, b: lf.uncertainty.bootstrap.Bootstrap) -> None:
    assert a.draws.keys() == b.draws.keys()
    for name in a.draws:
        np.testing.assert_array_equal(a.draws[name], b.draws[name])
    np.testing.assert_array_equal(a.objective, b.objective)
    assert (a.evaluations, a.followed, a.converged) == (b.evaluations, b.followed, b.converged)
    assert (a.disagreement, a.warnings) == (b.disagreement, b.warnings)


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"studentize": True}, {"kind": "wild", "first_draw": 7}])
def test_a_checkpoint_changes_no_bit(fit: lf.Fit, tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "draws"
    whole = fit.bootstrap(300, **options)
    same(fit.bootstrap(150, checkpoint=path, **options), fit.bootstrap(150, **options))
    same(fit.bootstrap(300, checkpoint=path, **options), whole)
    again = fit.bootstrap(300, checkpoint=path, **options)  # from the file alone
    same(again, whole)
    if "studentize" in options:
        assert again.intervals(method="studentized") == whole.intervals(method="studentized")
    assert [p.name for p in tmp_path.iterdir()] == ["draws"]


def test_a_checkpoint_after_an_exception_in_a_callback(fit: lf.Fit, tmp_path: Path) -> None:
    path, seen = tmp_path / "draws", []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if done >= 200:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        fit.bootstrap(600, checkpoint=path, progress=progress)
    assert path.exists()
    assert seen == sorted(seen)
    same(fit.bootstrap(600, checkpoint=path), fit.bootstrap(600))


def test_a_chunk_reports_its_draws_on_top_of_those_before() -> None:
    seen: list[int] = []
    after = checkpoints._after(seen.append, 128)
    assert after is not None
    after(5)
    assert seen == [133]
    assert checkpoints._after(None, 128) is None


def test_a_checkpoint_belongs_to_one_request(fit: lf.Fit, tmp_path: Path) -> None:
    path = tmp_path / "draws"
    fit.bootstrap(10, checkpoint=path)
    for other in ({"kind": "wild"}, {"rng": 1}, {"spread": 2}, {"early_stop": False}):
        with pytest.raises(lf.InputError, match="another fit"):
            fit.bootstrap(10, checkpoint=path, **other)
    for content in (b"", b"junk", b"PK\x03\x04junk", path.read_bytes()[:-100]):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(lf.InputError, match="not a checkpoint"):
            fit.bootstrap(10, checkpoint=tmp_path / "other")
    with pytest.raises(lf.InputError, match="cannot be written"):
        fit.bootstrap(10, checkpoint=tmp_path / "none" / "draws")


@posix
def test_a_bootstrap_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    script = "fit().bootstrap(3000, threads=1, spread=8, checkpoint=sys.argv[1]); print('done')"
    path, rng, kills = tmp_path / "draws", np.random.default_rng(0), 0
    for _ in range(4):
        child = subprocess.Popen([sys.executable, "-c", RUNS + script, str(path)])
        size = path.stat().st_size if path.exists() else 0
        while child.poll() is None and (not path.exists() or path.stat().st_size == size):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.1))
        kills += child.poll() is None
        child.send_signal([signal.SIGKILL, signal.SIGTERM][kills % 2])
        child.wait()
    assert kills > 0
    space: dict[str, Any] = {}
    exec(RUNS, space)
    fit = space["fit"]()
    options = {"threads": 1, "spread": 8}
    same(fit.bootstrap(3000, checkpoint=path, **options), fit.bootstrap(3000, **options))


# --- files ----------------------------------------------------------------------------------------


@posix
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    done = python(
        """
import resource
path = sys.argv[1]
found = fit()
found.save(path)
before = open(path, "rb").read()
draws = path + ".draws"
found.bootstrap(100, checkpoint=draws)
kept = open(draws, "rb").read()
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
for call in (lambda: found.save(path), lambda: found.bootstrap(400, checkpoint=draws)):
    try:
        call()
    except lf.InputError as error:
        print("cannot" in str(error))
assert open(path, "rb").read() == before and open(draws, "rb").read() == kept
print(sorted(os.listdir(os.path.dirname(path))))
""",
        str(tmp_path / "fit.json"),
    )
    assert done.stdout.split("\n")[:3] == ["True", "True", "['fit.json', 'fit.json.draws']"], done


def test_a_folder_that_is_not_there(fit: lf.Fit, tmp_path: Path) -> None:
    with pytest.raises(lf.InputError, match="cannot write"):
        fit.save(tmp_path / "none" / "fit.json")


# --- memory, signals, forks -----------------------------------------------------------------------


@posix
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="AddressSanitizer reserves terabytes of addresses: no limit is possible",
)
def test_too_little_memory_is_a_memory_error() -> None:
    done = python("""
import resource
found = fit()
used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGESIZE")
most = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (used + (80 << 20), most))
for call in (
    lambda: fit(starts=1_000_000),
    lambda: found.bootstrap(50_000_000),
    lambda: lf.read({"N": np.zeros(1).repeat(10**8)}),
):
    try:
        call()
    except MemoryError:
        print("MemoryError")
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print(fit().success)
""")
    assert done.stdout.split() == ["MemoryError"] * 3 + ["True"], done


@posix
def test_what_the_handler_of_another_signal_raises_passes_through() -> None:
    done = python("""
def late(*_):
    raise TimeoutError("late")
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    fit().bootstrap(500_000)
except TimeoutError as error:
    print("told", error)
print(fit().success)
""")
    assert done.stdout.split("\n")[:2] == ["told late", "True"], done


@posix
def test_sigterm_ends_a_search() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", RUNS + "print('on', flush=True); fit().bootstrap(500_000)"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.3)
    child.terminate()
    assert child.wait(timeout=30) == -signal.SIGTERM
    child.stdout.close()


@posix
def test_a_fork_while_another_thread_fits() -> None:
    done = python("""
import threading
found = fit()
stop = threading.Event()
def work():
    while not stop.is_set():
        found.bootstrap(300, threads=2)
thread = threading.Thread(target=work)
thread.start()
codes = []
for _ in range(3):
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        os._exit(0 if fit().success else 1)
    codes.append(os.waitpid(child, 0)[1])
stop.set()
thread.join()
print(codes)
""")
    assert done.stdout.strip() == "[0, 0, 0]", done


# --- load -----------------------------------------------------------------------------------------


def test_eight_threads_fit_at_once(fit: lf.Fit) -> None:
    space: dict[str, Any] = {}
    exec(RUNS, space)
    found: list[Any] = [None] * 8

    def work(k: int) -> None:
        one = space["fit"](rng=k)
        found[k] = (one.params, one.bootstrap(40, rng=k, threads=1).draws["alpha"])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, (params, draws) in enumerate(found):
        alone = space["fit"](rng=k)
        assert params == alone.params
        np.testing.assert_array_equal(draws, alone.bootstrap(40, rng=k, threads=1).draws["alpha"])


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="for Python without the GIL"
)
def test_the_gil_stays_off() -> None:
    done = python("print(fit().success, sys._is_gil_enabled())")
    assert done.stdout.split() == ["True", "False"], done


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_pools_of_other_libraries(backend: str) -> None:
    done = python(
        """
import joblib
def one(seed):
    return lf.fit("E + A/N**alpha", runs, starts=20, rng=seed).params
assert fit(rng=0).params == one(0)  # OpenMP's threads exist before the pool
found = joblib.Parallel(n_jobs=2, backend=sys.argv[1])(joblib.delayed(one)(k) for k in range(6))
assert found == [fit(rng=k).params for k in range(6)]
""",
        backend,
    )
    assert done.returncode == 0, done.stderr


def test_what_calls_made_is_freed_with_their_results(fit: lf.Fit, tmp_path: Path) -> None:
    """By the interpreter's count of its blocks: a fit or a plan that stayed takes more than 25."""
    space: dict[str, Any] = {}
    exec(RUNS, space)
    path = tmp_path / "fit.json"

    def refused() -> None:
        with pytest.raises(lf.InputError):
            lf.fit("E + A/M**alpha", space["runs"])

    def saved() -> lf.Fit:
        fit.save(path)
        return lf.load(path)

    calls: dict[str, Callable[[], object]] = {
        "fit": lambda: space["fit"](3),
        "bootstrap": lambda: fit.bootstrap(4),
        "covariance": lambda: fit.covariance(),
        "profile": lambda: fit.profile("alpha"),
        "predict": lambda: fit.predict({"N": [1e11]}),
        "plan": lambda: lf.plan(fit, 1e21, cost="6*N*1e11"),
        "save and load": saved,
        "an error": refused,
    }
    grown = {}
    for name, call in calls.items():
        for _ in range(3):
            call()
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(5):
            call()
        gc.collect()
        grown[name] = (sys.getallocatedblocks() - before) / 5
    assert max(grown.values()) < 15, grown


@pytest.mark.slow
def test_a_long_loop_of_fits_keeps_its_memory_flat() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc")
    done = python("""
def used():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
for _ in range(100):
    fit(5).bootstrap(4)
before = used()
for _ in range(400):
    fit(5).bootstrap(4)
print(used() - before)
""")
    assert int(done.stdout) < 4 << 20, done  # 400 fits that leaked 10 kB each would take as much
