"""The trainer of the tiny runs: quantisers, members that do not meet, and runs that go on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch")
FOLDER = Path(__file__).parents[1] / "examples" / "tiny_runs"
NAMES = ("corpus", "model", "plan", "train")


@pytest.fixture(scope="module")
def code() -> Iterator[dict[str, ModuleType]]:
    sys.path.insert(0, str(FOLDER))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield {name: importlib.import_module(name) for name in NAMES}
    torch.set_num_threads(threads)
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        del sys.modules[name]


def batch(rows: int = 64) -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(1)
    context = torch.randint(0, 96, (1, rows, 16), generator=generator)
    return context, torch.randint(0, 96, (1, rows), generator=generator)


def test_steps_of_the_quantiser_are_those_of_max(code: dict[str, ModuleType]) -> None:
    # Max (1960), table II: spacing of 4, 8 and 16 equidistant levels.
    for bits, step in ((2, 0.9957), (3, 0.5860), (4, 0.3352)):
        assert code["model"].gaussian_step(bits) == pytest.approx(step, rel=3e-3)


def test_weights_have_as_many_levels_as_bits_allow(code: dict[str, ModuleType]) -> None:
    bits = (2, 3, 4, 6, 32)
    stack = code["model"].Stack(32, bits, [32] * 5, [1e-2] * 5, 0)
    for matrix, rounded in zip(stack.hidden, stack._weights()[2:]):
        for i, b in enumerate(bits):
            levels = [len(torch.unique(column)) for column in rounded[i].T[::7]]
            assert max(levels) <= 2**b
            assert max(levels) == 2**b or b > 3
        assert torch.equal(rounded[-1], matrix[-1])
        errors = [float((rounded[i] - matrix[i]).square().mean()) for i in range(len(bits))]
        assert errors == sorted(errors, reverse=True)


def test_activations_have_as_many_levels_as_bits_allow(code: dict[str, ModuleType]) -> None:
    stack = code["model"].Stack(32, [32] * 3, [3, 4, 32], [1e-2] * 3, 0)
    x = torch.randn(3, 50, 128, generator=torch.Generator().manual_seed(0))
    rounded = stack._quantised_activations(x)
    for i, b in ((0, 3), (1, 4)):
        for row in rounded[i]:
            assert len(torch.unique(row)) <= 2**b - 1
    assert torch.equal(rounded[2], x[2])


def test_a_member_trains_as_it_would_alone(code: dict[str, ModuleType]) -> None:
    context, target = batch()
    together = code["model"].Stack(32, [2, 4, 32], [32, 4, 32], [1e-2, 2e-2, 1e-2], 0)
    alone = code["model"].Stack(32, [4], [4], [2e-2], 0)
    for _ in range(5):
        together.train_step(context, target, 1.0)
        alone.train_step(context, target, 1.0)
    losses = together.losses(context, target)
    torch.testing.assert_close(losses[1:2], alone.losses(context, target), rtol=1e-3, atol=1e-3)
    assert losses.mean() < np.log(96)


def test_a_stage_that_goes_on_is_the_stage_from_the_start(
    code: dict[str, ModuleType], tmp_path: Path
) -> None:
    plan, train = code["plan"], code["train"]
    text = np.random.default_rng(0).integers(0, 96, 70_000).astype(np.uint8)
    data, held_out = train.Data(text), train.Data(text[:2000])
    clock = train.Clock(1.0, tmp_path / "pause")
    members = ((2, 32, 0, 1.0), (32, 32, 0, 1.0))
    group = plan.Group("grid", 32, 0, members, 12, 13)

    def losses(folder: Path, ends: tuple[int, ...]) -> list[str]:
        folder.mkdir()
        for end in ends:
            rows = train.run_stage(plan.Stage(group, end), data, held_out, folder, clock, "none")
        return [str(row["loss"]) for row in rows]

    assert losses(tmp_path / "a", (12, 13)) == losses(tmp_path / "b", (13,))


def test_repeated_data_are_the_first_of_the_order_again(code: dict[str, ModuleType]) -> None:
    plan, train = code["plan"], code["train"]
    text = np.random.default_rng(0).integers(0, 96, 5_000).astype(np.uint8)
    data = train.Data(text)
    once = {int(i) for step in range(2) for i in data._positions(3, 0, step)}
    assert len(once) == 2 * plan.BATCH
    for epoch in range(3):
        again = [int(i) for step in range(2) for i in data._positions(3, 10, 2 * epoch + step)]
        assert set(again) == once
        assert len(again) == len(once)


def test_the_plan_runs_the_stages_of_a_group_in_order(code: dict[str, ModuleType]) -> None:
    last: dict[str, int] = {}
    for stage in code["plan"].stages():
        name = stage.group.name
        assert last.get(name, stage.tokens - 1) == stage.tokens - 1
        last[name] = stage.tokens
    assert sum(len(s.group.members) for s in code["plan"].stages()) > 400


def test_rows_are_sorted_and_none_is_lost(code: dict[str, ModuleType], tmp_path: Path) -> None:
    train = code["train"]
    table = tmp_path / "runs.csv"

    def row(width: int, bits: int) -> dict[str, object]:
        values = dict.fromkeys(train.COLUMNS, 1)
        return {**values, "kind": "grid", "width": width, "P_w": bits, "D": 2**17}

    train._append(table, [row(48, 2), row(48, 32)])
    train._append(table, [row(32, 2), row(32, 32)])
    read = table.read_text().splitlines()
    assert [line.split(",")[1:2] for line in read[1:]] == [["32"], ["32"], ["48"], ["48"]]
    assert train._finished(table) == {("grid-48-1", 17), ("grid-32-1", 17)}
