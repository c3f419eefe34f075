"""What a process shows: Ctrl-C, children after a fit, what importing lawfit loads, no network."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

# Sends SIGINT to the process itself once `ready()` says that the loop in C++ is running.
INTERRUPT = """
import json, os, signal, threading, time
import numpy as np
import lawfit as lf

runs = lf.datasets.load("simulated_chinchilla")
running = threading.Event()

def send():
    running.wait()
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)

def progress(done, total):
    if done > 0:
        running.set()

threading.Thread(target=send, daemon=True).start()
try:
    {call}
except lf.Interrupted as stop:
    result = stop.result
    print(json.dumps({{"message": str(stop), "shows": {shows}}}))
"""


def run(script: str, timeout: float = 300.0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def interrupted(call: str, shows: str) -> dict[str, Any]:
    return json.loads(run(INTERRUPT.format(call=call, shows=shows)))


def test_ctrl_c_stops_a_fit_and_keeps_what_is_done() -> None:
    told = interrupted(
        'lf.fit("chinchilla", {k: np.tile(runs[k], 300) for k in runs}, starts=5000, '
        "progress=progress)",
        "[result.starts.n, result.starts.hits, result.params, result.success]",
    )
    done, hits, params, success = told["shows"]
    assert 0 < hits <= done < 5000
    assert told["message"] == f"interrupted after {done} of 5000 starts"
    assert success
    assert params["alpha"] == pytest.approx(0.35171, abs=1e-5)


def test_ctrl_c_stops_a_fit_before_its_first_start() -> None:
    told = interrupted(
        'lf.fit("chinchilla", runs, starts={"E": 1.0, "A": np.geomspace(1, 1e9, 500_000), '
        '"B": 400.0, "alpha": 0.3, "beta": 0.3}, progress=progress)',
        "result",
    )
    assert told["message"] == "interrupted before the first start"
    assert told["shows"] is None


def test_ctrl_c_stops_a_bootstrap_and_keeps_what_is_done() -> None:
    told = interrupted(
        'lf.fit("chinchilla", runs, starts=4).bootstrap(200_000, rng=3, progress=progress)',
        '[len(result), result.intervals()["alpha"], result.draws["alpha"].tolist()[0], '
        'lf.fit("chinchilla", runs, starts=4).bootstrap(2, rng=3).draws["alpha"].tolist()[0]]',
    )
    done, (low, high), first, expected = told["shows"]
    assert 0 < done < 200_000
    assert told["message"] == f"interrupted after {done} of 200000 draws"
    assert low < 0.352 < high
    assert first == expected


def test_ctrl_c_stops_a_batch_and_keeps_what_is_done() -> None:
    told = interrupted(
        "n = 20_000; N = np.tile(np.geomspace(1e7, 1e10, 8), n); "
        "loss = (2 + 300 / N**0.4) * np.exp(0.002 * np.random.default_rng(0).normal(size=8 * n)); "
        'table = {"run": np.repeat(np.arange(n), 8), "N": N, "loss": loss}; '
        'lf.fit_many("E + A / N**alpha", table, by="run", threads=1, progress=progress)',
        '[int(result["success"].sum()), int((result["status"] == "not_run").sum()), '
        'int(np.isfinite(result["E"]).sum())]',
    )
    done, left, known = told["shows"]
    assert done > 0
    assert left > 0
    assert done + left == 20_000
    assert known == done


CHILDREN = """
import multiprocessing
import sys
import lawfit as lf

def work(seed):
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20, rng=seed)
    return fit.objective, fit.bootstrap(5).objective.tolist()

if __name__ == "__main__":
    here = [work(seed) for seed in (0, 1, 2)]  # starts the threads of OpenMP
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        there = pool.map(work, (0, 1, 2))
    assert there == here
    assert work(0) == here[0]
    print("same bits")
"""


# Not all that are known here: joblib adds its own once it is imported, in this process alone.
@pytest.mark.parametrize(
    "method", sorted({"fork", "forkserver", "spawn"} & {*multiprocessing.get_all_start_methods()})
)
def test_children_after_a_fit_do_not_hang(method: str, tmp_path: Path) -> None:
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    done = subprocess.run(
        [sys.executable, script, method], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout == "same bits\n", done.stderr


def test_importing_and_fitting_load_numpy_only() -> None:
    loaded = run(
        textwrap.dedent(
            """
            import sys
            import lawfit
            runs = lawfit.datasets.load("simulated_chinchilla")
            lawfit.fit("chinchilla", {k: runs[k] for k in runs}, starts=2).bootstrap(2)
            print(*{name.partition(".")[0] for name in sys.modules})
            """
        )
    ).split()
    heavy = {"click", "matplotlib", "narwhals", "pandas", "polars", "pyarrow", "rich", "scipy"}
    assert "numpy" in loaded
    assert not heavy & set(loaded)


def test_nothing_opens_a_socket(tmp_path: Path) -> None:
    script = """
        import sys

        def refuse(event, arguments):
            if event.partition(".")[0] in ("socket", "urllib", "http", "ftplib", "smtplib"):
                raise AssertionError(f"{event} {arguments}")

        sys.addaudithook(refuse)
        import socket
        try:
            socket.socket()
        except AssertionError:
            print("refused")
        import lawfit as lf
        from lawfit.__main__ import main

        runs = lf.datasets.load("simulated_chinchilla")
        fit = lf.fit("chinchilla", runs, starts=10)
        boot = fit.bootstrap(20)
        lf.plan(fit, budget=1e22)
        fit.report("report.html", bootstrap=boot)
        fit.save("fit.json")
        sys.argv = ["lawfit", "plan", "fit.json", "--budget", "1e22"]
        try:
            main()
        except SystemExit as end:
            assert end.code in (0, None), end.code
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused\n")
    assert (tmp_path / "report.html").exists()
