"""Files, frames and mappings as raw named columns, and what the cells of a column mean."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .frames import Frame

__all__ = [
    "RawTable",
    "checked",
    "closest",
    "listed",
    "load",
    "named",
    "not_a_number",
    "number",
    "number_text",
    "to_arrays",
    "to_column",
]

Column: TypeAlias = NDArray[Any]
"""One-dimensional: float64, or object holding only `str` (a text column)."""

MISSING = frozenset({"", "nan", "NA", "N/A", "null", "None"})
"""Texts that stand for a missing value in a column of numbers."""

_LIKE_MISSING = {text.lower() for text in MISSING} | {"-", "--", "?", "<na>", "#n/a", "missing"}
_POWERS = {"K": "e3", "M": "e6", "B": "e9", "G": "e9", "T": "e12", "%": "e-2"}
_TEXT_SUFFIXES = ("", ".csv", ".tsv", ".txt")
_PARQUET_SUFFIXES = (".parquet", ".pq")
MAX_BYTES = 1 << 30  # of a text file, after decompression: bounds the memory of a hostile one
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class RawTable(NamedTuple):
    """Named columns whose cells have not been looked at yet.

    Attributes
    ----------
    columns : mapping of str to array-like
        The cells of each column.
    source : str
        What messages call the table: the file's name, or "runs".
    row_labels : ndarray of str or None
        How messages name each row, shape (n,); None to count rows from 1.
    frame : Frame or None
        The DataFrame it is, if it is one.
    """

    columns: Mapping[str, Any]
    source: str
    row_labels: NDArray[Any] | None
    frame: Frame | None = None


def load(source: object) -> RawTable:
    """Read a mapping of columns, a DataFrame, an open file, or a path to a table.

    A path may lead to a CSV, TSV or Parquet file; an open file holds CSV or TSV, maybe gzipped.

    Raises
    ------
    InputError
        If `source` is none of these, or the file cannot be read as a table.
    """
    if isinstance(source, Mapping):
        return RawTable(source, "runs", None)
    if isinstance(source, (str, os.PathLike)):
        return _load_file(Path(os.path.expanduser(os.fsdecode(source))))
    if hasattr(source, "read") and not hasattr(source, "columns"):
        return _load_stream(source)
    columns, frame = _frame_columns(source)
    return RawTable(columns, "runs", None, frame)


# --- cells -----------------------------------------------------------------------------------


def number(cell: object) -> float | None:
    """Return the number in one cell, nan if the value is missing, None if it is not a number.

    Raises
    ------
    OverflowError
        If the number is finite but too large for a float64.
    """
    if isinstance(cell, (str, bytes)):
        cell = _as_text(cell)
        if cell in MISSING:
            return np.nan
    elif _is_missing(cell):
        return np.nan
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if abs(value) == np.inf and not _says_infinity(cell):
        raise OverflowError
    return value


def number_text(value: float) -> str:
    """Render a number so that integers print without ".0", and a missing one as ""."""
    if np.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)


def not_a_number(cell: str) -> str:
    """Say why a text is not a number, with a hint on how to write it where there is one."""
    shown = f'"{cell}"' if len(cell) <= 40 else f'"{cell[:37]}..."'
    if _overflows(cell):
        return f"{shown} is too large for a float64 (at most about 1.8e308)"
    hint = ""
    plain = cell.translate({ord(mark): None for mark in ",' \u00a0\u202f"})
    if cell.lower() in _LIKE_MISSING:
        hint = " (leave the cell empty, or write NA, where a value is missing)"
    elif _is_float(plain):
        hint = " (write numbers with a decimal point and no thousands separators, like 1234567.5)"
    elif cell[-1:].upper() in _POWERS and _is_float(cell[:-1]):
        hint = f" (write {cell[:-1].strip()}{_POWERS[cell[-1].upper()]})"
    return f"{shown} is not a number{hint}"


def closest(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that look like `name`, whatever the case, best first."""
    lowered: dict[str, list[str]] = {}
    for known in names:
        lowered.setdefault(known.lower(), []).append(known)
    near = difflib.get_close_matches(name.lower(), lowered, n=3)
    return [known for text in near for known in lowered[text]][:3]


def listed(names: Iterable[str], separator: str = ", ", most: int = 20) -> str:
    """Quote names for a message; those after the first `most` are only counted."""
    return named((f'"{name}"' for name in names), separator, most)


def named(names: Iterable[str], separator: str = ", ", most: int = 20) -> str:
    """Join names for a message; those after the first `most` are only counted."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def checked(function: Callable[..., Any], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options for a function, all of which it must take by keyword.

    Raises
    ------
    InputError
        If it does not take one; the message names those it takes.
    """
    known = function.__kwdefaults__ or {}
    for name in options:
        if name not in known:
            near = closest(name, known)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise InputError(
                f"{function.__name__}: there is no option {name!r}{hint} (options: {named(known)})"
            )
    return options


def _is_missing(cell: object) -> bool:
    """Recognise None, masked, and pandas' NA and NaT without importing pandas."""
    return cell is None or cell is np.ma.masked or type(cell).__name__ in ("NAType", "NaTType")


def _as_text(cell: object) -> str:
    """Render one cell of a text column; "" if it is missing."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    if _is_missing(cell):
        return ""
    if isinstance(cell, (float, np.floating)):
        return number_text(float(cell))
    return str(cell)


def _says_infinity(cell: object) -> bool:
    """Tell an infinity that was written from one that came of converting a large number."""
    if isinstance(cell, str):
        return "inf" in cell.lower()
    return abs(cell) == np.inf  # type: ignore[arg-type]


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _overflows(cell: object) -> bool:
    try:
        number(cell)
    except OverflowError:
        return True
    return False


# --- columns ---------------------------------------------------------------------------------


def to_arrays(columns: Mapping[str, Any], source: str) -> dict[str, NDArray[Any]]:
    """Return the columns as arrays of shape (n,), their cells as given, scalars repeated.

    Raises
    ------
    InputError
        If there is no row, lengths differ, or a column is not one-dimensional.
    """
    if not isinstance(columns, Mapping):
        raise InputError(f"expected a mapping of columns, got {type(columns).__name__}")
    for name in columns:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{source}: a column name must be a text, not empty; got {name!r}")
    arrays = {name: _array(v, f'{source}: column "{name}"') for name, v in columns.items()}
    n = _common_length(arrays, source)
    return {name: np.broadcast_to(array, (n,)) for name, array in arrays.items()}


def _common_length(arrays: Mapping[str, NDArray[Any]], source: str) -> int:
    """Return the number of rows, which all columns that are not scalars must share."""
    if not arrays:
        raise InputError(f"{source}: has no columns")
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim}
    if not lengths:
        raise InputError(
            f"{source}: expected at least one array, got only single values in {listed(arrays)}"
        )
    first, n = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != n:
            raise InputError(
                f'{source}: columns differ in length: "{first}" has {n} rows, "{name}" has {length}'
            )
    if n == 0:
        raise InputError(f"{source}: has no rows, only the columns {listed(arrays)}")
    return n


def _array(values: object, place: str) -> NDArray[Any]:
    """Return an array-like as an array of 0 or 1 dimensions; masked values become None."""
    if isinstance(values, (Mapping, Set)):
        raise InputError(f"{place}: expected an array of values, got a {type(values).__name__}")
    is_array = hasattr(values, "__array__") or isinstance(values, (str, bytes))
    if isinstance(values, Iterable) and not is_array:
        values = list(values)
    array: NDArray[Any]
    try:
        if isinstance(values, np.ma.MaskedArray):
            array = np.array(values.data, dtype=object)
            array[np.ma.getmaskarray(values)] = None
        elif isinstance(values, list) and any(isinstance(v, (str, bytes, list)) for v in values):
            array = np.array(values, dtype=object)
        else:
            array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{place}: expected a one-dimensional array: {error}") from None
    if array.ndim > 1:
        raise InputError(f"{place}: expected a one-dimensional array, got shape {array.shape}")
    if array.dtype.kind in "cV":
        raise InputError(f"{place}: expected real numbers or text, got {array.dtype}")
    return array


def to_column(array: NDArray[Any], place: Callable[[int], str]) -> Column:
    """Return float64 if every cell is a number or missing, else the cells as `str` objects.

    An array that is float64 already is not copied.

    Parameters
    ----------
    array : ndarray, shape (n,)
        Cells of any kind.
    place : callable
        Names the cell of row i in messages.

    Raises
    ------
    InputError
        If a number that is not text is too large for a float64.
    """
    if array.dtype == np.float64 and array.flags.c_contiguous:
        return np.asarray(array.view())
    if array.dtype.kind in "biuf":
        with np.errstate(over="ignore"):
            column = array.astype(np.float64)
        if array.dtype.itemsize > 8:  # long doubles
            lost = np.isinf(column) & np.isfinite(array)
            if lost.any():
                i = int(lost.argmax())
                raise InputError(f"{place(i)}: {not_a_number(str(array[i]))}")
        return column
    if array.dtype.kind in "mM":
        return np.asarray(array.astype(str), dtype=object)
    cells = array.astype(object)
    missing = [isinstance(cell, str) and cell in MISSING for cell in cells]
    try:  # all at once is fast, and most often enough
        column = np.where(missing, np.nan, cells).astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        return _column_by_cell(cells, place)
    return column if not np.isinf(column).any() else _column_by_cell(cells, place)


def _column_by_cell(cells: NDArray[Any], place: Callable[[int], str]) -> Column:
    column = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            value = number(cell)
        except OverflowError:
            if not isinstance(cell, (str, bytes)):
                raise InputError(f"{place(i)}: {_too_large(cell)}") from None
            value = None
        if value is None:
            return _text_column(cells)
        column[i] = value
    return column


def _text_column(cells: NDArray[Any]) -> Column:
    column = np.empty(len(cells), dtype=object)
    column[:] = [_as_text(cell) for cell in cells]
    return column


def _too_large(cell: object) -> str:
    if isinstance(cell, int):  # str() refuses integers of several thousand digits
        digits = int(cell.bit_length() * 0.30103) + 1
        return f"an integer of about {digits} digits is too large for a float64 (at most 1.8e308)"
    return not_a_number(str(cell))


# --- files and frames ------------------------------------------------------------------------


def _load_file(path: Path) -> RawTable:
    _require_file(path)
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    suffix = inner.suffix.lower()
    if suffix in _PARQUET_SUFFIXES:
        return RawTable(_parquet_columns(path), path.name, None)
    if suffix not in _TEXT_SUFFIXES:
        raise InputError(
            f'{path}: cannot read "{suffix}" files; expected .csv, .tsv, .csv.gz, .tsv.gz or '
            ".parquet (or read it yourself and pass a DataFrame or a mapping of columns)"
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise InputError(_too_long(path.name))
    return _read_delimited(_decode(data, path.name), suffix == ".tsv", path.name)


def _load_stream(stream: Any) -> RawTable:
    """Read delimited text from an open file."""
    name = getattr(stream, "name", "")
    source = "standard input" if name in ("<stdin>", 0) else str(name) or "file"
    data = stream.read()
    text = data if isinstance(data, str) else _decode(data, source)
    return _read_delimited(text, False, source)


def _require_file(path: Path) -> None:
    try:
        is_directory, exists = path.is_dir(), path.exists()
    except OSError as error:  # a name that is too long, until Python 3.13
        is_directory, exists, reason = False, False, f"cannot be read: {error.strerror}"
    else:
        reason = f"no such file (looked from {Path.cwd()})"
    if is_directory:
        raise InputError(f"{path}: is a directory; expected a table file such as runs.csv")
    if not exists:
        first, *more = str(path).split("\n", 1)
        if more:
            reason = "the text of a table is no path; put it in io.StringIO"
        raise InputError(f"{first if len(first) < 1000 else first[:60] + '...'}: {reason}")


def _decode(data: bytes, source: str) -> str:
    """Return the text of a file: UTF-8 or, if it starts with its mark, UTF-16; maybe gzipped."""
    if data.startswith(b"\x1f\x8b"):
        data = _gunzip(data, source)
    encoding = "UTF-16" if data.startswith(_UTF16_MARKS) else "UTF-8"
    if encoding == "UTF-8" and b"\0" in data:
        raise InputError(f"{source}: is not a text file (it contains zero bytes)")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{source}: is not {encoding} text (byte 0x{data[error.start]:02x} on line {line}); "
            "expected a table saved as UTF-8 text"
        ) from None
    if "\0" in text:
        raise InputError(f"{source}: is not a text file (it contains zero characters)")
    return text.removeprefix("\ufeff")


def _gunzip(data: bytes, source: str) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(io.BytesIO(data)) as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{source}: is not a complete gzip file: {error}") from None
    if len(text) > MAX_BYTES:
        raise InputError(_too_long(source))
    return text


def _too_long(source: str) -> str:
    return f"{source}: holds more than {MAX_BYTES >> 20} MB of text; save it as Parquet"


def _read_delimited(text: str, is_tsv: bool, source: str) -> RawTable:
    """Read a header and rows of delimited text; each row is labelled with its line."""
    delimiter = _delimiter(text, "\t" if is_tsv else ",")
    records = _records(text, delimiter, source)
    header = next(records, None)
    if header is None:
        raise InputError(f"{source}: is empty; expected a line of column names, then rows")
    names = [name.strip() for name in header[1]]
    _require_names(names, source)
    rows: list[list[str]] = []
    labels: list[str] = []
    for row, (line, cells) in enumerate(records, start=1):
        label = f"row {row} (line {line} of the file)"
        if len(cells) != len(names):
            many = len(cells) > len(names)
            hint = f'; put quotes around cells that contain "{delimiter}"' if many else ""
            raise InputError(
                f"{source}: {label}: expected {len(names)} cells, as in the header, "
                f"found {len(cells)}{hint}"
            )
        rows.append(cells)
        labels.append(label)
    if not rows:
        raise InputError(f"{source}: has no rows, only the header {', '.join(names)}")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return RawTable(columns, source, np.array(labels, dtype=object))


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line and the cells of each record that is not blank."""
    import csv

    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{source}: line {line} cannot be read: {error}") from None
        if cells is None:
            return
        if any(map(str.strip, cells)):
            yield line, cells


def _delimiter(text: str, usual: str) -> str:
    """Return `usual` unless it leaves the header in one piece that another one splits."""
    import csv

    def fields(delimiter: str) -> int:
        lines = (line for line in io.StringIO(text, newline="") if line.strip())
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        try:
            return max((len(cells) for cells in islice(reader, 1)), default=0)
        except csv.Error:
            return 0

    if fields(usual) > 1:
        return usual
    return max((usual, ",", ";", "\t"), key=fields)


def _require_names(names: Sequence[str], source: str) -> None:
    first_at: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if not name:
            raise InputError(
                f"{source}: column {place} of {len(names)} has no name in the header "
                "(pandas writes its index this way; use to_csv(..., index=False))"
            )
        first = first_at.setdefault(name, place)
        if first != place:
            raise InputError(
                f'{source}: two columns are named "{name}" (columns {first} and {place})'
            )


def _parquet_columns(path: Path) -> dict[str, Any]:
    readers = {"pyarrow.parquet": _parquet_by_pyarrow, "polars": _parquet_by_polars}
    for module, reader in readers.items():
        try:
            library = import_module(module)
        except ImportError:
            continue
        try:
            named = reader(library, path)
        except Exception as error:  # each library has its own
            raise InputError(f"{path.name}: is not a readable Parquet file: {error}") from None
        _require_names([name for name, _ in named], path.name)
        return dict(named)
    raise InputError(
        f"{path.name}: reading Parquet needs pyarrow or polars: pip install 'lawfit[tables]'"
    )


def _parquet_by_pyarrow(library: Any, path: Path) -> list[tuple[str, Any]]:
    # to_numpy() only for plain numbers: for dictionary columns it turns nulls into values
    with library.ParquetFile(path) as file:
        table = file.read()
    return [
        (name, column.to_numpy() if _is_plain(str(column.type)) else _objects(column.to_pylist()))
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]


def _parquet_by_polars(library: Any, path: Path) -> list[tuple[str, Any]]:
    return [
        (
            column.name,
            column.to_numpy() if column.dtype.is_numeric() else _objects(column.to_list()),
        )
        for column in library.read_parquet(path, hive_partitioning=False)
    ]


def _is_plain(dtype: str) -> bool:
    return dtype.rstrip("0123456789") in ("int", "uint", "float", "double", "halffloat")


def _frame_columns(source: object) -> tuple[dict[str, Any], Frame]:
    """Return the columns of any DataFrame that narwhals knows, and the frame."""
    expected = (
        "expected a mapping of columns, a DataFrame, or a path to a .csv, .tsv or .parquet file, "
        f"got {type(source).__name__}"
    )
    try:
        narwhals: Any = import_module("narwhals")
    except ImportError:
        raise InputError(f"{expected} (DataFrames need: pip install 'lawfit[tables]')") from None
    try:
        frame = narwhals.from_native(source, pass_through=True)
        if isinstance(frame, narwhals.LazyFrame):
            frame = frame.collect()
        if not isinstance(frame, narwhals.DataFrame):
            raise InputError(expected)
        _require_names([str(name) for name in frame.columns], "runs")
        series = {str(name): frame.get_column(name) for name in frame.columns}
    except InputError:
        raise
    except Exception as error:  # each library has its own
        raise InputError(f"runs: this {type(source).__name__} cannot be read: {error}") from None
    columns = {
        name: one.to_numpy() if one.dtype.is_numeric() else _objects(one.to_list())
        for name, one in series.items()
    }
    return columns, Frame(frame, {str(name): name for name in frame.columns})


def _objects(cells: list[Any]) -> NDArray[Any]:
    """Return one cell per row even where the cells are lists."""
    return np.fromiter(cells, dtype=object, count=len(cells))
