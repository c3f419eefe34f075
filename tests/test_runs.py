"""Tests of lawfit.runs and lawfit.tables: tables in, named columns out, and what is refused."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawfit.errors import FormulaError, InputError
from lawfit.runs import Runs, parse_derivation, read

TABLE = "N,D,loss,dataset\n1e7,2e9,3.5,c4\n2e7,4e9,3.2,oscar\n4e7,8e9,3.0,c4\n"


@pytest.fixture
def runs() -> Runs:
    return Runs({"N": [1e7, 2e7, 4e7], "loss": [3.5, np.nan, np.inf], "set": ["c4", "oscar", "c4"]})


def write(folder: Path, content: str | bytes, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def message(call, *args, **kwargs) -> str:
    """Return the message of the InputError that a call raises."""
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.csv", TABLE.encode()),
        ("runs.CSV", TABLE.encode()),
        ("runs", TABLE.encode()),
        ("runs.csv", TABLE.encode("utf-8-sig")),
        ("runs.csv", TABLE.encode("utf-16")),
        ("runs.csv", b"\xfe\xff" + TABLE.encode("utf-16-be")),
        ("runs.csv", TABLE.replace("\n", "\r\n").encode()),
        ("runs.csv", TABLE.replace("\n", "\r").encode()),
        ("runs.csv", TABLE.rstrip("\n").encode()),
        ("runs.csv", ("\n" + TABLE.replace("\n", "\n\n  \n,,,\n")).encode()),
        ("runs.csv", TABLE.replace(",", ";").encode()),
        ("runs.csv", TABLE.replace(",", "\t").encode()),
        ("runs.csv", TABLE.replace(",", " , ").encode()),
        ("runs.csv", TABLE.replace("c4", '"c4"').replace("N", '"N"').encode()),
        ("runs.tsv", TABLE.replace(",", "\t").encode()),
        ("runs.tsv", TABLE.encode()),
        ("runs.csv.gz", gzip.compress(TABLE.encode(), mtime=0)),
        ("runs.tsv.gz", gzip.compress(TABLE.replace(",", "\t").encode(), mtime=0)),
    ],
)
def test_reads_delimited_files(tmp_path, name, content):
    runs = read(write(tmp_path, content, name))
    assert list(runs) == ["N", "D", "loss", "dataset"]
    assert (runs.n, len(runs), runs.source) == (3, 4, name)
    np.testing.assert_array_equal(runs["N"], [1e7, 2e7, 4e7])
    np.testing.assert_array_equal(runs["loss"], [3.5, 3.2, 3.0])
    assert runs["dataset"].tolist() == ["c4", "oscar", "c4"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["runs.csv", "is empty", "column names"]),
        (" \n\n", ["is empty"]),
        ("N,loss\n", ["has no rows", "N, loss"]),
        ("N,loss\n1,2\n\n3\n", ["row 2 (line 4 of the file)", "expected 2 cells", "found 1"]),
        ("N,loss\n1,2,3\n", ["row 1 (line 2 of the file)", "expected 2 cells", "found 3"]),
        ("N,N\n1,2\n", ['two columns are named "N"', "1 and 2"]),
        ("N, N\n1,2\n", ['two columns are named "N"']),
        (",N\n0,2\n", ["column 1 of 2 has no name", "index=False"]),
        ('N,loss\n1,"2\n', ["line 2 cannot be read"]),
        ('N,loss\n1,"2"x\n', ["line 2 cannot be read"]),
        (b"PK\x03\x04\0\0", ["not a text file"]),
        (b"N,\xe9\n1,2\n", ["not UTF-8 text", "0xe9", "line 1"]),
        (b"\xff\xfeN", ["not UTF-16 text"]),
        ("N\0\n1\n".encode("utf-16"), ["not a text file"]),
        (b"\x1f\x8b123", ["gzip"]),
    ],
)
def test_refuses_bad_files(tmp_path, content, words):
    said = message(read, write(tmp_path, content))
    assert said.startswith("runs.csv: ")
    for word in words:
        assert word in said


def test_refuses_paths_that_are_no_table(tmp_path):
    assert "no such file" in message(read, str(tmp_path / "none.csv"))
    assert "no such file" in message(read, "~nobody/runs.csv")
    assert "is a directory" in message(read, tmp_path)
    text = "N,loss\n" + "1,2\n" * 5000
    said = "N,loss: the text of a table is no path; put it in io.StringIO"
    assert message(read, text) == message(read, text[:20]) == said
    assert len(read(io.StringIO(text))["N"]) == 5000
    assert message(read, "x" * 5000 + ".csv").startswith("x" * 60 + "...: ")
    said = message(read, write(tmp_path, "{}", "runs.json"))
    assert '".json"' in said
    assert ".parquet" in said


def test_labels_count_lines_of_quoted_cells(tmp_path):
    runs = read(write(tmp_path, 'note,loss\n"two\nlines",1\n\nplain,2\n'))
    assert runs.row_label(0) == "row 1 (line 2 of the file)"
    assert runs.row_label(1) == "row 2 (line 5 of the file)"
    assert runs["note"][0] == "two\nlines"


def test_reads_single_column(tmp_path):
    np.testing.assert_array_equal(read(write(tmp_path, "loss\n1\n2\n"))["loss"], [1, 2])


@given(
    st.lists(
        st.tuples(st.floats(), st.floats(allow_nan=False), st.integers(-(2**70), 2**70)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_csv_round_trip_is_bit_equal(tmp_path_factory, rows, delimiter, end):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([("a", "b", "c"), *([repr(x) for x in row] for row in rows)])
    path = write(tmp_path_factory.mktemp("csv"), text.getvalue())
    runs = read(path)
    for name, column in zip("abc", zip(*rows, strict=True), strict=True):
        expected = np.array([float(x) for x in column])
        expected[np.isnan(expected)] = np.nan  # nan has no sign in text
        got = np.where(np.isnan(runs[name]), np.nan, runs[name])
        assert got.tobytes() == expected.tobytes()


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
            lambda text: text == text.strip()
        ),
        min_size=1,
    )
)
def test_text_round_trip(tmp_path_factory, cells):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("a", "b"), *(("x", cell) for cell in cells)])
    path = write(tmp_path_factory.mktemp("csv"), text.getvalue())
    runs = read(path)
    if runs["b"].dtype.kind == "U":
        assert runs["b"].tolist() == cells


# --- cells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["nan", "NaN", "NA", "N/A", "", "  ", "null", "None"])
def test_missing_cells(tmp_path, cell):
    runs = read(write(tmp_path, f"k,loss\n1,1.5\n2,{cell}\n3,1e18\n"))
    np.testing.assert_array_equal(runs["loss"], [1.5, np.nan, 1e18])
    np.testing.assert_array_equal(Runs({"loss": ["1.5", cell, " 1e18 "]})["loss"], runs["loss"])


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("n/a", ['"n/a" is not a number', "NA"]),
        ("-", ['"-" is not a number', "leave the cell empty"]),
        ("abc", ['"abc" is not a number']),
        ('"1,234.5"', ['"1,234.5" is not a number', "no thousands separators"]),
        ('"3,14"', ['"3,14" is not a number', "decimal point"]),
        ("1 000", ["no thousands separators"]),
        ("70M", ['"70M" is not a number', "write 70e6"]),
        ("1.4 b", ["write 1.4e9"]),
        ("1e400", ['"1e400" is too large', "1.8e308"]),
        ("x" * 100, ["xxx..."]),
    ],
)
@pytest.mark.parametrize("others", ["1.5", "text"])
def test_numbers_names_first_cell_that_is_none(tmp_path, cell, words, others):
    rows = "".join(f"{i},{cell if i == 7 else '1.5' if i < 7 else others}\n" for i in range(1, 10))
    runs = read(write(tmp_path, "k,loss\n" + rows))
    said = message(runs.numbers, "loss", "the law")
    assert said.startswith('runs.csv: column "loss", row 7 (line 8 of the file): "')
    assert "(needed by the law)" in said
    for word in words:
        assert word in said
    assert runs["loss"].dtype.kind == "U"
    assert runs["loss"][0] == "1.5"


def test_numbers_of_text_column_whose_bad_rows_are_gone(tmp_path):
    runs = read(write(tmp_path, "k,loss\n1,bad\n2,3.5\n3,NA\n"))
    np.testing.assert_array_equal(runs.where("k > 1").numbers("loss"), [3.5, np.nan])


def test_inf_stays():
    np.testing.assert_array_equal(Runs({"x": ["inf", "-Infinity"]})["x"], [np.inf, -np.inf])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        (range(1, 3), [1, 2]),
        ((x for x in [1, 2]), [1, 2]),
        (np.array([1, 2], dtype=np.int64), [1, 2]),
        (np.array([1, 2], dtype=">f4"), [1, 2]),
        ([10**30, 2], [1e30, 2]),
        ([True, False], [1, 0]),
        (np.ma.masked_array([1.0, 2.0], [False, True]), [1, np.nan]),
        (np.ma.masked_array([1, 2], [True, False]), [np.nan, 2]),
        ([None, 2.5], [np.nan, 2.5]),
        ([decimal.Decimal("1.5"), np.float32(2)], [1.5, 2]),
        ([decimal.Decimal("Infinity"), 2], [np.inf, 2]),
        (np.array(["1", "x"], dtype=object)[:1].repeat(2), [1, 1]),
        ([b"1", b"2"], [1, 2]),
        (np.array([b"1", b"2"]), [1, 2]),
        (["a", None], ["a", ""]),
        (["a", np.nan], ["a", ""]),
        ([1.0, "a"], ["1", "a"]),
        (["a ", 2.5], ["a", "2.5"]),
        (np.ma.masked_array(["a", "b"], [False, True]), ["a", ""]),
        ([datetime.date(2024, 1, 2), None], ["2024-01-02", ""]),
        (np.array(["2024-01-02", "2024-01-03"], "M8[D]"), ["2024-01-02", "2024-01-03"]),
        (np.array([[1], [2, 3]], dtype=object), ["[1]", "[2, 3]"]),
        ([[1], [2, 3]], ["[1]", "[2, 3]"]),
    ],
)
def test_cells_of_mappings(values, expected):
    assert np.array_equal(
        Runs({"x": values})["x"], expected, equal_nan=not isinstance(expected[0], str)
    )


def test_masked_input_is_left_alone():
    masked = np.ma.masked_array(np.array(["a", "b"], dtype=object), [False, True])
    Runs({"x": masked})
    assert masked.data.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, ["no columns"]),
        ({"N": []}, ["no rows", '"N"']),
        ({"N": 1, "D": 2.0}, ["at least one array", '"N", "D"']),
        ({"N": [1, 2], "D": [1], "k": 3}, ['"N" has 2 rows', '"D" has 1']),
        ({"N": np.ones((2, 3))}, ['column "N"', "(2, 3)"]),
        ({"N": [[1, 2], [3, 4]]}, ['column "N"', "(2, 2)"]),
        ({"N": [1j]}, ['column "N"', "complex"]),
        ({"N": {0: 1}}, ['column "N"', "dict"]),
        ({"N": {1, 2}}, ['column "N"', "set"]),
        ({1: [1]}, ["column name", "1"]),
        ({"": [1]}, ["column name"]),
        ({"N": [1, 10**400]}, ['column "N", row 2', "integer of about 401 digits", "too large"]),
        ({"N": [1, 10**5000]}, ['column "N", row 2', "too large"]),
        ({"N": [decimal.Decimal("1e400")]}, ['column "N", row 1', "1E+400", "too large"]),
        ([1, 2], ["mapping"]),
    ],
)
def test_refuses_bad_mappings(columns, words):
    said = message(Runs, columns)
    for word in words:
        assert word in said


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="no long double")
def test_refuses_long_doubles_that_overflow():
    assert "row 2" in message(Runs, {"x": np.array([1, 10], np.longdouble) ** 400})


def test_refuses_wrong_number_of_labels():
    assert "2 row labels for 1 rows" in message(Runs, {"x": [1]}, row_labels=np.array([1, 2]))


def test_scalars_are_repeated():
    runs = Runs({"N": 5, "loss": [1.0, 2.0], "set": "c4"})
    np.testing.assert_array_equal(runs["N"], [5, 5])
    assert runs["set"].tolist() == ["c4", "c4"]


# --- the table -------------------------------------------------------------------------------


def test_is_an_immutable_mapping(runs):
    given_array = np.array([1.0, 2.0])
    table = Runs({"x": given_array})
    given_array[0] = 9
    assert table["x"][0] == 1
    with pytest.raises(ValueError, match="read-only"):
        table["x"][0] = 9
    assert "N" in runs
    assert "nope" not in runs
    assert runs.get("nope") is None
    assert dict(runs).keys() == runs.keys()
    assert runs == Runs(dict(runs))
    assert runs != runs.where("N > 1e7")
    assert runs != 3
    assert "3 rows" in repr(runs)
    assert pickle.loads(pickle.dumps(runs)) == runs


def test_missing_column(runs):
    said = message(runs.numbers, "Loss", "the law")
    assert said == (
        'runs: there is no column "Loss" (needed by the law); did you mean "loss"? '
        '(columns: "N", "loss", "set")'
    )
    assert "did you mean" not in message(lambda: runs["zzz"])
    assert "and 5 more" in message(lambda: Runs({f"c{i}": [1] for i in range(25)})["zzz"])


def test_texts():
    runs = Runs({"x": [1.0, 1e18, 0.5, np.nan, -3.0], "t": ["a", "b", "", "d", "e"]})
    assert runs.texts("x").tolist() == ["1", "1e+18", "0.5", "", "-3"]
    assert runs.texts("t").tolist() == ["a", "b", "", "d", "e"]
    assert runs.texts("x").dtype.kind == runs["t"].dtype.kind == "U"


def test_rename(runs):
    renamed = runs.rename({"L": "loss", "loss": "N", "set": "set"})
    assert list(renamed) == ["loss", "L", "set"]
    np.testing.assert_array_equal(renamed["loss"], runs["N"])
    swapped = runs.rename({"N": "loss", "loss": "N"})
    assert list(swapped) == ["loss", "N", "set"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"M": "Loss"}, ['no column "Loss"', 'needed by the column "M"', 'did you mean "loss"']),
        ({"N": "loss"}, ['"loss" to "N"', 'already is a column "N"']),
        ({" ": "N"}, ['new name of column "N" is empty']),
        ({3: "N"}, ["column name as text, got 3"]),
        ({"a": "N", "b": "N"}, ['"N" cannot be renamed to both "a" and "b"']),
    ],
)
def test_refuses_bad_renames(runs, names, words):
    said = message(runs.rename, names)
    for word in words:
        assert word in said


def test_derive(runs):
    derived = runs.derive("D", "20 * N").derive("N", "N / 1e6").derive("one", "1")
    np.testing.assert_array_equal(derived["D"], 20 * runs["N"])
    np.testing.assert_array_equal(derived["N"], [10, 20, 40])
    np.testing.assert_array_equal(derived["one"], [1, 1, 1])
    assert list(runs) == ["N", "loss", "set"]
    said = message(runs.derive, "D", "2 * set")
    assert 'column "set", row 1: "c4" is not a number (needed by "D = 2 * set")' in said
    assert 'no column "C" (needed by "D = C / N")' in message(runs.derive, "D", "C / N")
    assert '"Model Size"' in message(runs.derive, "Model Size", "N")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D = C/(6*N)", ("D", "C/(6*N)")),
        ("big=N>=1e9", ("big", "N>=1e9")),
        (" same = a == b ", ("same", "a == b")),
        ("x = a != b", ("x", "a != b")),
    ],
)
def test_parse_derivation(text, expected):
    assert parse_derivation(text) == Runs.parse_derivation(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C/(6*N)", ['has no "="', "NAME = FORMULA"]),
        ("a == b", ['has no "="', '"==" compares']),
        ("a <= b", ['has no "="']),
        ("D =", ['nothing after the "="']),
        ("= N", ['"" in "= N" cannot be the name']),
        ("2D = N", ['"2D"', "cannot be the name"]),
        ("a == b = c", ["cannot be the name"]),
        ("D := N", ["cannot be the name"]),
        ("not = N", ['"not"', "cannot be the name"]),
    ],
)
def test_refuses_bad_derivations(text, words):
    said = message(parse_derivation, text)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("N > 1e7", [2, 3]),
        ("loss > 0", [1, 3]),
        ("loss", [1, 3]),
        ("set == 'c4'", [1, 3]),
        ('set == " c4 "', [1, 3]),
        ("'c4' == set", [1, 3]),
        ("set != 'c4'", [2]),
        ("not set == 'c4'", [2]),
        ("  (set) == 'c4' and N > 1e7", [3]),
        ("(set == 'c4' and N > 1e7) or set == 'oscar'", [2, 3]),
        ("(set == 'c4'\n and N > 1e7)", [3]),
        ("set != 'größe' and set != 'é' and N < 3e7", [1, 2]),
        ("set != 'N == 3'", [1, 2, 3]),
        ("(set == 'c4') + (set == 'oscar') > 0", [1, 2, 3]),
        ("1 < 2", [1, 2, 3]),
    ],
)
def test_where(runs, condition, rows):
    kept = runs.where(condition)
    assert [kept.row_label(i) for i in range(kept.n)] == [f"row {i}" for i in rows]
    np.testing.assert_array_equal(kept["N"], runs["N"][np.array(rows) - 1])


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("N > 1e12", ['"N > 1e12"', "none of the 3 rows"]),
        ("set == 'C4'", ["none of the 3 rows", 'never is "C4" but "c4", "oscar"']),
        ("N == '5'", ['column "N" holds numbers', 'text "5"', "leave out the quotes"]),
        ("sett == 'c4'", ['no column "sett"', 'did you mean "set"', "needed by the condition"]),
        ("set == c4", ['no column "c4"']),
        ("set == 3", ['column "set", row 1: "c4" is not a number']),
        ("t0 > 1 and set == 'c4'", ['no column "t0"']),
    ],
)
def test_refuses_bad_conditions(runs, condition, words):
    said = message(runs.where, condition)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("condition", "at"),
    [
        ("set = 'c4'", None),
        ("set == 'c4", None),
        ("set < 'c4'", "'c4'"),
        ("'c4'", "'c4'"),
        ("'c4' == set == 'oscar'", "'c4'"),
        ("N > 1 and log('x')", "'x'"),
        ("set == b'c4'", None),
        ("set == f'{N}'", None),
    ],
)
def test_misplaced_texts_are_formula_errors(runs, condition, at):
    with pytest.raises(FormulaError, match="dataset == 'c4'") as caught:
        runs.where(condition)
    assert caught.value.text == condition
    if at is not None:
        assert caught.value.position == condition.index(at)


def test_formula_errors_show_the_condition_as_given(runs):
    condition = "set == 'c4' and N >"
    with pytest.raises(FormulaError) as caught:
        runs.where(f" {condition}\n")
    assert caught.value.text == condition


def test_drop_non_finite(runs):
    kept, dropped = runs.where("N > 0").drop_non_finite(["N", "loss"])
    assert kept["loss"].tolist() == [3.5]
    assert dropped == ("row 2", "row 3")
    kept.require_finite(["N", "loss"])
    said = message(runs.where("N > 1e7").drop_non_finite, ["loss"])
    assert "each of the 2 rows" in said
    assert '"loss"' in said


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("N > 0", ['column "loss", row 2: the value is missing (nan)', "2 of 3 rows"]),
        ("N > 2e7", ['column "loss", row 3: the value is inf', "1 of 1 rows"]),
    ],
)
def test_require_finite(runs, condition, words):
    said = message(runs.where(condition).require_finite, ["N", "loss"])
    for word in [*words, 'missing="omit"']:
        assert word in said


def test_labels_survive_filters(tmp_path):
    runs = read(write(tmp_path, TABLE), where=["N > 1e7", "D > 4e9"])
    assert runs.row_label(0) == "row 3 (line 4 of the file)"


# --- read ------------------------------------------------------------------------------------


def test_read_renames_derives_filters_in_order(tmp_path):
    runs = read(
        str(write(tmp_path, TABLE.replace("N,", "Model Size,"))),
        columns={"N": "Model Size"},
        derive=["C = 6*N*D", "logC = log(C)"],
        where="logC > log(6*1e17) and dataset == 'c4'",
    )
    np.testing.assert_allclose(runs["C"], [6 * 4e7 * 8e9])
    assert read(runs) is runs
    assert list(read(runs, derive={"k": "N"}))[-1] == "k"
    assert list(read(runs, derive="k = N"))[-1] == "k"
    assert "new name" in message(read, runs, columns=["N"])
    assert "formula as text, got 3" in message(read, runs, derive={"k": 3})
    assert "derivation as text, got 3" in message(read, runs, derive=3)
    assert "condition as text, got True" in message(read, runs, where=[True, False])


@pytest.mark.parametrize("source", [3, None, [1, 2], np.ones((2, 2)), object()])
def test_refuses_what_is_no_table(source):
    said = message(read, source)
    assert "expected a mapping of columns, a DataFrame, or a path" in said
    assert type(source).__name__ in said


def columns_for_frames() -> dict[str, list[object]]:
    return {
        "N": [1, None, 3],
        "loss": [1.5, 2.5, None],
        "ok": [True, None, False],
        "set": ["c4", None, "oscar"],
        "day": [datetime.date(2024, 1, 2), None, datetime.date(2024, 1, 3)],
        "sizes": [[1, 2], [3, 4], [5, 6]],
    }


def check_frame(frame: object) -> None:
    runs = read(frame)
    assert list(runs) == ["N", "loss", "ok", "set", "day", "sizes"]
    np.testing.assert_array_equal(runs["N"], [1, np.nan, 3])
    np.testing.assert_array_equal(runs["loss"], [1.5, 2.5, np.nan])
    np.testing.assert_array_equal(runs["ok"], [1, np.nan, 0])
    assert runs["set"].tolist() == ["c4", "", "oscar"]
    assert "3" in runs["sizes"][1]
    assert runs["day"].tolist() == ["2024-01-02", "", "2024-01-03"]


@pytest.mark.parametrize("kind", ["plain", "nullable", "pyarrow", "category"])
def test_pandas(kind):
    pytest.importorskip("narwhals")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns_for_frames(), index=[5, 5, 7])
    if kind == "nullable":
        frame = frame.convert_dtypes()
    if kind == "pyarrow":
        pytest.importorskip("pyarrow")
        frame = frame.convert_dtypes(dtype_backend="pyarrow")
    if kind == "category":
        frame["set"] = frame["set"].astype("category")
    check_frame(frame)
    assert read({"N": frame["N"]})["N"][2] == 3
    assert list(read(pandas.DataFrame({0: [1], 1: [2]}))) == ["0", "1"]
    assert "no rows" in message(read, frame[:0])
    assert message(read, pandas.DataFrame([[1, 2]], columns=["a", "a"])).startswith("runs: ")
    assert "expected a mapping" in message(read, frame["N"])


@pytest.mark.parametrize("kind", ["plain", "lazy", "category"])
def test_polars(kind):
    pytest.importorskip("narwhals")
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(columns_for_frames())
    if kind == "category":
        frame = frame.with_columns(polars.col("set").cast(polars.Categorical))
    check_frame(frame.lazy() if kind == "lazy" else frame)
    assert read({"N": frame["N"]})["N"][2] == 3


@pytest.mark.parametrize("kind", ["plain", "dictionary"])
def test_pyarrow(kind):
    pytest.importorskip("narwhals")
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(columns_for_frames())
    if kind == "dictionary":
        table = table.set_column(3, "set", table["set"].dictionary_encode())
    check_frame(table)


@pytest.mark.parametrize("without", [[], ["pyarrow.parquet"]])
def test_parquet(tmp_path, monkeypatch, without):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(columns_for_frames())
    table = table.set_column(3, "set", table["set"].dictionary_encode())
    folder = tmp_path / "k=1"
    folder.mkdir()
    parquet.write_table(table, folder / "runs.parquet")
    if without:
        pytest.importorskip("polars")
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    check_frame(folder / "runs.parquet")
    said = message(read, write(tmp_path, "no", "bad.parquet"))
    assert said.startswith("bad.parquet: is not a readable Parquet file")


def test_says_what_to_install(tmp_path, monkeypatch):
    for module in ("narwhals", "polars", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    assert "pip install 'lawfit[tables]'" in message(read, object())
    assert "pip install 'lawfit[tables]'" in message(read, write(tmp_path, "", "x.parquet"))


def test_import_is_light():
    code = (
        "import sys, lawfit.tables, lawfit.runs;"
        "heavy = {'pandas', 'polars', 'pyarrow', 'narwhals'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
