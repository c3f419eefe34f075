"""Large tables: bits that do not depend on threads, sums over chunks, and what is left uncopied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit import _core
from lawfit.problem import Problem, Settings

START = {"E": 1.0, "A": 100.0, "alpha": 0.5, "B": 5000.0, "beta": 0.3}
TRUTH = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}
LAW = "E + A / N**alpha + B / D**beta"
# One chunk holds 4,096 rows: one, nearly two, several with a rest that is no multiple of 8, and so
# many that threads share the rows of one start.
ROWS = (4096, 8191, 21_003)
MANY = 270_003


def table(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(rows)
    runs = {"N": 10 ** rng.uniform(7, 10, rows), "D": 10 ** rng.uniform(9, 12, rows)}
    loss = 1.8 + 480 / runs["N"] ** 0.35 + 2100 / runs["D"] ** 0.37
    runs["loss"] = loss * np.exp(0.01 * rng.standard_t(3, rows))
    return runs


@pytest.mark.parametrize(
    "settings", [{}, {"scale": "fitted", "loss": "squared", "weights": "w"}], ids=str
)
def test_threads_on_rows_do_not_change_a_bit(settings: dict[str, Any]) -> None:
    runs = table(MANY) | {"w": 1.0 + np.arange(MANY) % 3}
    one, two, three = (
        lf.fit(LAW, runs, starts=[TRUTH], threads=threads, **settings) for threads in (1, 2, 3)
    )
    assert one.success
    for other in (two, three):
        assert (one.params, one.objective) == (other.params, other.objective)
        assert (one.scale, one.evaluations) == (other.scale, other.evaluations)


@pytest.mark.parametrize("text", [LAW, "E + A / N**(alpha * beta) + B / D**(alpha / beta)"])
@pytest.mark.parametrize("scale", ["fixed", "fitted"])
@pytest.mark.parametrize("rows", ROWS)
def test_a_large_table_is_the_sum_of_its_parts(rows: int, scale: Any, text: str) -> None:
    runs = table(rows)
    settings = Settings("loss", "log", lf.Huber(1e-3), scale)
    whole = Problem(lf.Law(text).resolved(runs), lf.read(runs), settings)
    at = whole.to_coordinates({name: np.array([v]) for name, v in {**START, "beta": 0.6}.items()})[
        0
    ]
    at[-1] = -3.0 if scale == "fitted" else at[-1]

    def everything(problem: Any) -> list[np.ndarray]:
        objective = problem.objective(None)
        return [*map(np.asarray, objective.derivatives(at)), objective.hessian(at)]

    total: list[Any] = [0.0] * 5
    for part in np.array_split(np.arange(rows), 3):
        piece = {name: column[part] for name, column in runs.items()}
        problem = Problem(whole.law, lf.read(piece), whole.settings)
        total = [t + v for t, v in zip(total, everything(problem), strict=True)]
    for got, want in zip(everything(whole), total, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11 * np.max(np.abs(want)))


def test_bootstrap_of_a_large_table_has_the_same_bits() -> None:
    fit = lf.fit(LAW, table(MANY), starts=[TRUTH])
    one, two = (fit.bootstrap(2, spread=0, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.objective, two.objective)
    assert (np.diff(np.sort(one.objective)) > 0).all()


def test_values_at_one_point_and_at_many() -> None:
    objective = lf.fit(LAW, table(MANY), starts=[TRUTH])._problem.objective(None)
    points = np.array([[0.1, 5.0, 0.3, 7.0, 0.3], [0.2, 4.0, 0.3, 8.0, 0.4]])
    want = [objective.value(p) for p in points]
    for threads in (1, 2, 3):
        assert objective.values_at(points, threads).tolist() == want
        assert objective.values_at(points[:1], threads).tolist() == want[:1]


def test_an_unknown_space_is_refused() -> None:
    program = _core.Program(["x"], [], [], [], [], [], 0)
    with pytest.raises(ValueError, match="no space"):
        _core.Objective(
            program, [np.ones(2)], np.ones(2), None, None, ("squared", 1.0, 1.0, 1.0), False, 0.0,
            np.empty(0, np.int32), np.empty(0), 0, np.empty(0), np.empty(0), np.empty(0), "cubic",
        )  # fmt: skip


def test_arrays_are_not_copied_and_must_stay_as_they_are() -> None:
    runs = table(300)
    fit = lf.fit(LAW, runs, starts=[START])
    for name, column in runs.items():
        assert np.shares_memory(fit._problem.runs.numbers(name), column)
        assert column.flags.writeable
    first = fit.bootstrap(3)
    runs["N"][0] *= 2
    with pytest.raises(lf.InputError, match="written to since the fit"):
        fit.bootstrap(3)
    runs["N"][0] /= 2
    np.testing.assert_array_equal(fit.bootstrap(3).objective, first.objective)
