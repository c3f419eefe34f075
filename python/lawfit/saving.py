"""JSON files of results: numbers to the bit, written in one step, read without trust."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError

__all__ = ["Entries", "from_number", "read_json", "to_number", "write_json"]

MOST_BYTES = 1 << 30

_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def from_number(value: float) -> float | str:
    """Return a number for JSON, which has no infinities and no nan: "inf", "-inf", "nan"."""
    value = float(value)
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def to_number(given: Any, place: str) -> float:
    """Return a number from `from_number`.

    Raises
    ------
    InputError
        If it is anything else.
    """
    if isinstance(given, str) and given in _NAMES:
        return _NAMES[given]
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        try:
            if math.isfinite(value := float(given)):
                return value
        except OverflowError:
            pass
    raise InputError(f"{place}: expected a number, found {_shown(given)}")


def _shown(given: Any) -> str:
    try:
        text = repr(given)
    except (RecursionError, ValueError):  # very deep, or an integer of very many digits
        text = f"a {type(given).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


class Entries:
    """A JSON object whose entries are read by the type that they must have.

    Parameters
    ----------
    data : Any
    place : str
        What messages call it.

    Raises
    ------
    InputError
        If it is no object; from every method, if an entry is missing or of another type.
    """

    def __init__(self, data: Any, place: str = "") -> None:
        if not isinstance(data, Mapping):
            raise InputError(f"{place or 'this'}: expected an object, found {_shown(data)}")
        self.data, self.place = data, place

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def _at(self, name: object) -> str:
        return f"{self.place}.{name}" if self.place else str(name)

    def any(self, name: str) -> Any:
        """Return an entry as it is."""
        if name not in self.data:
            raise InputError(f"{self.place or 'this'}: there is no entry {name!r}")
        return self.data[name]

    def number(self, name: str) -> float:
        """Return a float."""
        return to_number(self.any(name), self._at(name))

    def count(self, name: str) -> int:
        """Return an integer of 0 or more."""
        return self._count(self.any(name), name)

    def _count(self, given: Any, name: str) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or given < 0:
            raise InputError(
                f"{self._at(name)}: expected an integer of 0 or more, found {_shown(given)}"
            )
        return given

    def text(self, name: str) -> str:
        """Return a text."""
        return self._text(self.any(name), name)

    def _text(self, given: Any, name: str) -> str:
        if not isinstance(given, str):
            raise InputError(f"{self._at(name)}: expected a text, found {_shown(given)}")
        return given

    def flag(self, name: str) -> bool:
        """Return true or false."""
        given = self.any(name)
        if not isinstance(given, bool):
            raise InputError(f"{self._at(name)}: expected true or false, found {_shown(given)}")
        return given

    def items(self, name: str, length: int | None = None) -> Sequence[Any]:
        """Return a list, of so many entries."""
        return self._list(self.any(name), name, length)

    def _list(self, given: Any, name: str, length: int | None = None) -> Sequence[Any]:
        if not isinstance(given, (list, tuple)) or length not in (None, len(given)):
            many = "" if length is None else f" of {length}"
            raise InputError(f"{self._at(name)}: expected a list{many}, found {_shown(given)}")
        return given

    def object(self, name: str) -> Entries:
        """Return an object."""
        return Entries(self.any(name), self._at(name))

    def objects(self, name: str) -> tuple[Entries, ...]:
        """Return a list of objects."""
        return tuple(Entries(v, f"{self._at(name)}[{k}]") for k, v in enumerate(self.items(name)))

    def numbers(self, name: str) -> dict[str, float]:
        """Return an object of numbers."""
        entries = self.object(name)
        return {key: entries.number(key) for key in entries.data}

    def columns(self, name: str) -> dict[str, list[float]]:
        """Return an object of lists of numbers."""
        entries = self.object(name)
        return {
            key: [to_number(v, entries._at(key)) for v in entries.items(key)]
            for key in entries.data
        }

    def pairs(self, name: str) -> dict[str, tuple[Any, Any]]:
        """Return an object of pairs."""
        entries = self.object(name)
        return {key: (entries.items(key, 2)[0], entries.items(key, 2)[1]) for key in entries.data}

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(self._text(v, name) for v in self.items(name))

    def groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Return a list of lists of texts."""
        groups = (self._list(group, name) for group in self.items(name))
        return tuple(tuple(self._text(v, name) for v in group) for group in groups)

    def format(self, what: str, latest: int) -> int:
        """Return the number of the format that the file is in, and check what it holds.

        Parameters
        ----------
        what : str
            What the entry "holds" must say; files of the first format have no such entry.
        latest : int
        """
        if self.data.get("holds", what) != what:
            raise InputError(f"this file holds a {_shown(self.data['holds'])}, not a {what}")
        number = self.count("format")
        if not 1 <= number <= latest:
            raise InputError(
                f"this {what} is of format {_shown(number)}; this lawfit reads up to {latest}"
            )
        return number


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def read_json(path: str | os.PathLike[str], what: str) -> Any:
    """Read a JSON file that may come from anywhere.

    Raises
    ------
    InputError
        If it is missing, larger than 1 GB, or not JSON.
    """
    name = os.fspath(path)
    try:
        size = os.stat(path).st_size
        if size > MOST_BYTES:
            raise InputError(f"{name} is not a saved {what}: it has {size:,} bytes")
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not a saved {what}: {error}") from None
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not a saved {what}: {error}") from None


def write_json(path: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
    """Write JSON to a new file and put it in the place of the old one in one step.

    Infinities and nan, which JSON does not have, become null.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    import tempfile  # only here: it is slow to import

    path = Path(path)
    text = json.dumps(_without_non_finite(data), indent=2, allow_nan=False) + "\n"
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", text=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes files private; a result is as public as any other file of the user.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        raise


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_non_finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_non_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
