"""Answers that are tables come in the kind of table that was given."""

from __future__ import annotations

import datetime
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.reduction import schedule

LAW = "E + A / N**alpha"
LIBRARIES = ("pandas", "polars", "pyarrow")
DAYS = [datetime.date(2024, 1, 1 + k % 3) for k in range(60)]
RNG = np.random.default_rng(5)
N = np.tile(np.geomspace(1e7, 1e10, 10), 6)
COLUMNS: dict[str, Any] = {
    "family": np.repeat([30, 10, 20], 20),
    "name": np.repeat(["c", "a", "b"], 20).tolist(),
    "deep": np.repeat([True, False, True], 20).tolist(),
    "day": DAYS,
    "N": N.astype(int),
    "C": np.tile([1e18, 1e19], 30),
    "half": np.tile(np.repeat([0, 1], 10), 3),
    "step": np.tile(np.arange(1, 11), 6),
    "loss": (1.7 + 400.0 / N**0.34) * np.exp(RNG.normal(0.0, 1e-3, 60)),
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("narwhals")
    return pytest.importorskip(request.param)


def frame_of(library: Any, columns: dict[str, Any] = COLUMNS) -> Any:
    """Return a frame of the library; in pandas with row labels that are not 0, 1, 2, ..."""
    if library.__name__ == "pyarrow":
        return library.table(columns)
    if library.__name__ == "pandas":
        return library.DataFrame(columns, index=[f"run {k}" for k in range(60)][: len(N)])
    return library.DataFrame(columns)


def columns_of(frame: Any) -> dict[str, list[Any]]:
    if hasattr(frame, "to_pydict"):
        return frame.to_pydict()
    names = list(frame.columns) if hasattr(frame, "columns") else list(frame)
    return {name: np.asarray(frame[name]).tolist() for name in names}


def check_same(framed: Any, plain: Any, like: Any) -> None:
    """Both hold the same numbers and texts, and the first is of the kind of `like`."""
    assert type(framed) is type(like)
    found, expected = columns_of(framed), columns_of(plain)
    assert list(found) == list(expected)
    for name, cells in expected.items():
        if isinstance(cells[0], str):
            assert list(map(str, found[name])) == cells, name
        else:
            np.testing.assert_array_equal(np.array(found[name], dtype=float), cells, name)


def column_type(frame: Any, name: str) -> Any:
    if hasattr(frame, "schema"):
        schema = frame.schema
        return schema.field(name).type if hasattr(schema, "field") else schema[name]
    return frame[name].dtype


def test_fits_of_groups(library: Any) -> None:
    frame = frame_of(library)
    settings = {"by": ["family", "deep"], "where": "family > 15", "starts": 10}
    found = lf.fit_many(LAW, frame, **settings)
    plain = lf.fit_many(LAW, COLUMNS, **settings)
    assert isinstance(plain, lf.Runs)
    check_same(found, plain, frame)
    for name in ("family", "deep"):  # so that they can be joined with what was given
        assert column_type(found, name) == column_type(frame, name)
    told = columns_of(found)
    assert told["success"] == [True, True]
    assert told["nobs"] == [20, 20]
    assert isinstance(told["nobs"][0], int)


def test_fits_of_groups_that_are_dates(library: Any) -> None:
    frame = frame_of(library)
    found = lf.fit_many(LAW, frame, by="day", starts=5)
    assert columns_of(found)["day"] == sorted(set(DAYS))
    assert column_type(found, "day") == column_type(frame, "day")


def test_fits_of_tables(library: Any) -> None:
    frame = frame_of(library)
    found = lf.fit_many(LAW, tables={"one": frame, "two": COLUMNS}, by="family", starts=5)
    plain = lf.fit_many(LAW, tables={"one": COLUMNS, "two": COLUMNS}, by="family", starts=5)
    check_same(found, plain, frame)


def test_predictions_keep_the_rows_labels(library: Any) -> None:
    fit = lf.fit(LAW, COLUMNS, starts=10)
    frame = frame_of(library)
    prediction = fit.predict(frame, interval=0.9)
    plain = fit.predict(COLUMNS, interval=0.9)
    check_same(prediction.table(), plain.table(), frame)
    assert list(plain.table()) == ["value", "low", "high", *(f"sd_{k}" for k in plain.parts)]
    assert isinstance(fit.predict(frame), np.ndarray)
    if library.__name__ == "pandas":
        some = frame[frame["family"] == 20]
        told = fit.predict(some, interval=0.9).table()
        assert told.index.equals(some.index)
        np.testing.assert_array_equal(some.join(told)["value"], plain.value[40:])


def test_selections(library: Any) -> None:
    frame = frame_of(library)

    def answers(runs: Any) -> list[Any]:
        tested = lf.backtest(LAW, runs, order="N", steps=3, starts=5)
        compared = lf.compare([LAW, "A / N**alpha"], runs, by="bic", starts=5)
        many = lf.multiverse(LAW, runs, None, "alpha", delta=[1e-3, 1e-2])
        assert str(tested)
        assert str(compared)
        assert str(many)
        return [
            tested.table(), tested.points(), tested.by_distance(2), compared.table(), many.table()
        ]  # fmt: skip

    for framed, plain in zip(answers(frame), answers(COLUMNS), strict=True):
        check_same(framed, plain, frame)


def test_reductions(library: Any) -> None:
    frame = frame_of(library)

    def reduced(runs: Any) -> list[Any]:
        return [
            lf.envelope(runs, resource="N"),
            lf.reduction.records(runs, time="N", target="loss", by="name"),
            lf.reduction.aggregate_seeds(runs, by=["family", "N"]),
            lf.reduction.steps_to_target(runs, 2.5, by=["family", "half"], smooth=None),
        ]

    for framed, plain in zip(reduced(frame), reduced(COLUMNS), strict=True):
        assert type(framed.points) is type(frame)
        assert column_type(framed.points, "family") == column_type(frame, "family")
        told = columns_of(framed.points)
        assert list(told) == list(plain.points)
        assert told["family"] == plain.points["family"].tolist()
        if "day" in told:  # cells that were not computed are as given
            assert [str(day)[:10] for day in told["day"]] == plain.points["day"].tolist()
        if hasattr(plain, "reached"):
            assert type(framed.reached) is type(frame)
            assert columns_of(framed.reached)["step"] == plain.reached["step"].tolist()


def test_isoflop(library: Any) -> None:
    noise = 0.01 * np.random.default_rng(1).random(60)
    columns = {**COLUMNS, "loss": 2.0 + (np.log(N) - np.log(3e8)) ** 2 / 100.0 + noise}
    frame = frame_of(library, columns)
    framed, plain = (lf.isoflop(runs, sigma=0.01) for runs in (frame, columns))
    check_same(framed.points, plain.points, frame)
    assert framed.power_law().b == plain.power_law().b


def test_columns_that_are_added(library: Any) -> None:
    frame = frame_of(library)
    rates = schedule.cosine(10, 1e-3)
    found = schedule.with_areas(frame, rates)
    plain = schedule.with_areas(COLUMNS, rates)
    assert type(found) is type(frame)
    told = columns_of(found)
    assert list(told) == [*COLUMNS, "S_1", "S_2"]
    assert told["S_1"] == plain["S_1"].tolist()
    assert [str(day)[:10] for day in told["day"]] == [str(day) for day in DAYS]
    for name in COLUMNS:
        assert column_type(found, name) == column_type(frame, name)
    if library.__name__ == "pandas":
        assert found.index.equals(frame.index)


def test_a_table_that_was_read_goes_back(library: Any) -> None:
    frame = frame_of(library)
    runs = lf.read(
        frame, columns={"params": "N"}, derive={"D": "C / (6 * params)"}, where="name != 'a'"
    )
    told = columns_of(runs.native())
    assert list(told) == [n if n != "N" else "params" for n in COLUMNS] + ["D"]
    assert told["params"] == COLUMNS["N"][COLUMNS["family"] != 10].tolist()
    assert told["D"] == runs["D"].tolist()
    assert set(map(str, told["name"])) == {"b", "c"}
    plain = lf.read(COLUMNS)
    assert plain.native() is plain


def test_a_lazy_table_is_answered_by_a_table() -> None:
    pytest.importorskip("narwhals")
    polars = pytest.importorskip("polars")
    found = lf.fit_many(LAW, frame_of(polars).lazy(), by="family", starts=5)
    assert isinstance(found, polars.DataFrame)


def test_categories_and_missing_cells_come_back() -> None:
    pytest.importorskip("narwhals")
    polars = pytest.importorskip("polars")
    frame = frame_of(polars, {**COLUMNS, "note": [None, *["x"] * 59], "k": [None, *range(59)]})
    frame = frame.with_columns(polars.col("name").cast(polars.Categorical))
    found = lf.fit_many(LAW, frame, by="name", starts=5)
    assert found.join(frame, on="name").height == 60
    best = lf.envelope(frame, resource="N").points
    assert best.equals(frame.filter(polars.col("loss").is_in(best["loss"])).sort("N"))


def test_pickles_hold_no_frame() -> None:
    pytest.importorskip("narwhals")
    frame = frame_of(pytest.importorskip("polars"))
    code = (
        "import pickle, sys\n"
        "sys.modules['polars'] = sys.modules['narwhals'] = None\n"
        "runs, fit = pickle.load(sys.stdin.buffer)\n"
        "assert runs.n == 60 and runs.native() is runs and fit.predict(runs).shape == (60,)"
    )
    data = pickle.dumps((lf.read(frame), lf.fit(LAW, frame, starts=5)))
    done = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_fit_does_not_keep_the_frame_alive(library: Any) -> None:
    fit = lf.fit(LAW, frame_of(library), starts=5)
    assert fit._problem is not None
    assert fit._problem.runs.frame is None
