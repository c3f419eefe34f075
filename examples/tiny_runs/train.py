"""Trains the tiny models of `plan.py` and appends one row per finished run to a table."""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import corpus
import model
import numpy as np
import torch

import plan

HERE = Path(__file__).parent
BLOCKS, BLOCK = 64, 1024  # held-out predictions: contiguous blocks, evenly spaced
COLUMNS = (
    "kind,width,N,N_total,D,U,P_w,P_a,seed,rate,batch,steps,loss,loss_se,seconds,commit".split(",")
)


class OutOfTime(Exception):  # noqa: N818 - not an error
    """The time that was given is over."""


class Clock:
    """Says when to stop and waits while the pause file exists."""

    def __init__(self, hours: float, pause: Path) -> None:
        self.end = time.monotonic() + hours * 3600
        self.pause = pause

    def check(self) -> None:
        """Wait or stop if it is time to."""
        while self.pause.exists() and time.monotonic() < self.end:
            time.sleep(1)
        if time.monotonic() > self.end:
            raise OutOfTime


class Data:
    """Gives the positions that step `n` of a run predicts; single epoch or repeated."""

    def __init__(self, text: np.ndarray) -> None:
        self.text = torch.from_numpy(text)
        self.window = torch.arange(-model.CONTEXT, 0)
        self._orders: dict[tuple[int, ...], np.ndarray] = {}
        self._lock = threading.RLock()

    def _order(self, seed: int, unique: int, epoch: int) -> np.ndarray:
        """Return the predictions of one epoch in their order; `unique` 0 is the whole text."""
        with self._lock:
            key = (seed, unique, epoch)
            if key not in self._orders:
                if unique:
                    order = self._order(seed, 0, 0)[: 2**unique]
                    if epoch:
                        order = np.random.default_rng(key).permutation(order)
                    self._orders = {k: v for k, v in self._orders.items() if k[:2] != key[:2]}
                else:
                    count = len(self.text) - model.CONTEXT
                    order = np.random.default_rng(seed).permutation(count).astype(np.int32)
                self._orders[key] = order
            return self._orders[key]

    def batch(self, group: plan.Group, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts and targets of a step of a group."""
        uniques = [member[2] for member in group.members]
        rows = [self._positions(group.seed, u, step) for u in uniques]
        if len(set(uniques)) == 1:
            rows = rows[:1]
        return self.at(torch.from_numpy(np.stack(rows)).long() + model.CONTEXT)

    def _positions(self, seed: int, unique: int, step: int) -> np.ndarray:
        epoch, start = divmod(step * plan.BATCH, 2**unique) if unique else (0, step * plan.BATCH)
        return self._order(seed, unique, epoch)[start : start + plan.BATCH]

    def at(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts and targets of positions [member, row]."""
        context = self.text[positions.unsqueeze(-1) + self.window]
        return context.long(), self.text[positions].long()


def held_out_blocks(stack: model.Stack, data: Data, clock: Clock) -> np.ndarray:  # [member, block]
    """Return the mean loss of each block of held-out text."""
    starts = np.linspace(model.CONTEXT, len(data.text) - BLOCK, BLOCKS).astype(np.int64)
    means = []
    for start in starts:
        clock.check()
        context, target = data.at(torch.arange(start, start + BLOCK).unsqueeze(0))
        means.append(stack.losses(context, target).double().mean(1).numpy())
    return np.stack(means, axis=1)


def run_stage(
    stage: plan.Stage, train: Data, held_out: Data, folder: Path, clock: Clock, commit: str
) -> list[dict[str, object]]:
    """Train a group on from its last branch point to this end point; return a row per member."""
    torch.set_num_threads(1)
    group = stage.group
    bits, activations, uniques, factors = zip(*group.members, strict=True)
    rates = [plan.rate(group.width) * f for f in factors]
    stack = model.Stack(group.width, bits, activations, rates, group.seed)
    steps = 2**stage.tokens // plan.BATCH
    branch = steps - steps // plan.DECAY
    trunk, here = (folder / f"{group.name}-{stage.tokens - back}.pt" for back in (1, 0))
    for saved in (here, trunk):
        if saved.exists():
            stack.restore(torch.load(saved))
            break
    began = time.thread_time()
    for step in range(stack.steps, steps):
        if step == branch:
            _replace(here, stack.state())
        if step % 4 == 0:
            clock.check()
        warm = min(1.0, (step + 1) / plan.WARM_UP)
        decay = min(1.0, (steps - step) / (steps - branch))
        stack.train_step(*train.batch(group, step), warm * decay)
    blocks = held_out_blocks(stack, held_out, clock)
    seconds = (time.thread_time() - began) / len(bits)
    np.save(folder / f"{group.name}-{stage.tokens}-blocks.npy", blocks)
    trunk.unlink(missing_ok=True)
    n, n_total = model.non_embedding(group.width), model.total(group.width)
    return [
        dict(
            zip(
                COLUMNS,
                (
                    group.kind,
                    group.width,
                    n,
                    n_total,
                    2**stage.tokens,
                    2 ** min(uniques[i] or stage.tokens, stage.tokens),
                    bits[i],
                    activations[i],
                    group.seed,
                    f"{rates[i]:.6g}",
                    plan.BATCH,
                    steps,
                    f"{blocks[i].mean():.6f}",
                    f"{blocks[i].std(ddof=1) / BLOCKS**0.5:.6f}",
                    f"{seconds:.3f}",
                    commit,
                ),
                strict=True,
            )
        )
        for i in range(len(bits))
    ]


def _replace(path: Path, state: object) -> None:
    torch.save(state, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def _commit() -> str:
    """Name the version of this folder: the last commit that changed it, + if changed since."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(HERE), *words, "--", "."]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    return git("log", "-1", "--format=%h") + ("+" if git("status", "--porcelain") else "")


def _finished(table: Path) -> set[tuple[str, int]]:
    if not table.exists():
        return set()
    with table.open(newline="") as lines:
        return {
            (f"{row['kind']}-{row['width']}-{row['seed']}", int(row["D"]).bit_length() - 1)
            for row in csv.DictReader(lines)
        }


def _append(table: Path, rows: list[dict[str, object]]) -> None:
    """Rewrite the table, sorted, with more rows, so that a stop never leaves half a row."""
    old: list[dict[str, object]] = []
    if table.exists():
        with table.open(newline="") as lines:
            old += csv.DictReader(lines)
    new = table.with_suffix(".new")
    with new.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted([*old, *rows], key=_place))
    os.replace(new, table)


def _place(row: dict[str, object]) -> tuple[object, ...]:
    order = ("width", "seed", "D", "U", "P_w", "P_a")
    return (str(row["kind"]), *(int(str(row[name])) for name in order), float(str(row["rate"])))


def work(
    todo: list[plan.Stage], table: Path, folder: Path, jobs: int, clock: Clock, text: corpus.Corpus
) -> None:
    """Run the stages that the table lacks, cheapest first, `jobs` at a time."""
    train, held_out = Data(text.train), Data(text.held_out)
    commit = _commit()
    lock = threading.Lock()
    done = _finished(table)
    busy: set[str] = set()
    failures: list[BaseException] = []

    def next_stage() -> plan.Stage | None:
        """Return the cheapest stage whose group is free and whose earlier stages are done."""
        for stage in todo:
            name = stage.group.name
            if (name, stage.tokens) not in done and name not in busy:
                return stage
        return None

    def loop() -> None:
        while not failures:
            with lock:
                stage = next_stage()
                if stage is None:
                    return
                busy.add(stage.group.name)
            try:
                rows = run_stage(stage, train, held_out, folder, clock, commit)
            except BaseException as failure:
                failures.append(failure)
                return
            with lock:
                _append(table, rows)
                done.add((stage.group.name, stage.tokens))
                busy.discard(stage.group.name)
            print(
                time.strftime("%H:%M:%S"),
                f"{stage.group.name} 2**{stage.tokens}",
                [row["loss"] for row in rows],
                f"{float(str(rows[0]['seconds'])) * len(rows):.1f} s",
                flush=True,
            )

    threads = [threading.Thread(target=loop) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        if not isinstance(failure, OutOfTime):
            raise failure


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0, help="stop after this time")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, a thread each")
    parser.add_argument("--folder", type=Path, default=Path("tiny_runs_work"), help="for all files")
    parser.add_argument("--sweep", action="store_true", help="the learning-rate sweep instead")
    parser.add_argument("--pause", type=Path, default=Path("pause_training"), help="wait for it")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(given.hours, given.pause)
    text = corpus.load(given.folder)
    settings = {
        "text": f"{corpus.PACKAGE} {corpus.VERSION}",
        "text_sha256": text.sha256,
        "train_symbols": len(text.train),
        "held_out_symbols": len(text.held_out),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    (given.folder / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    print(settings, flush=True)
    name = "sweep.csv" if given.sweep else "tiny_runs.csv"
    todo = plan.sweep() if given.sweep else plan.stages()
    work(todo, given.folder / name, given.folder, given.jobs, clock, text)


if __name__ == "__main__":
    main()
