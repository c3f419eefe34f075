"""Draws kept in a file while a long bootstrap runs, so that it can go on where it was stopped."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..distribution import join
from ..errors import InputError
from ..result import Fit
from .refits import with_followed

__all__ = ["refit_with_checkpoint"]

FORMAT = 1
CHUNK = 128  # draws between two writes

Raw: TypeAlias = dict[str, Any]
_NOT_RUN = [name for name, _, _ in _core.statuses].index("not_run")
_ONCE = ("own_covariance", "other_evaluations", "claims_failed", "interrupted")


def refit_with_checkpoint(
    path: str | os.PathLike[str],
    fit: Fit,
    request: tuple[object, ...],
    draws: range,
    refits: Callable[[range, bool, _core.Reporter | None], _core.BootstrapResult],
    early_stop: bool,
    report: _core.Reporter | None,
) -> Any:
    """Refit draws in chunks, each kept in a file, and leave out those that the file has.

    Parameters
    ----------
    path : path
        Replaced in one step after every chunk. Made if it is missing.
    fit : Fit
    request : tuple
        What else the draws depend on, besides the fit and their numbers.
    draws : range
    refits : callable(draws, early_stop, report)
        Refits some draws.
    early_stop : bool
    report : callable(done) or None

    Returns
    -------
    BootstrapResult
        The same bits as of one call for all draws.

    Raises
    ------
    InputError
        If the file cannot be read or written, or holds draws of another request.
    """
    key = _key(fit, (*request, early_stop))
    kept = _read(Path(path), key)
    parts = [draws[i : i + CHUNK] for i in range(0, len(draws), CHUNK)]
    interrupted = False

    def run(early: bool, wanted: list[range]) -> dict[int, Raw]:
        nonlocal interrupted
        found: dict[int, Raw] = {}
        for part in wanted:
            name = f"{'early' if early else 'all'}-{part.start}-{len(part)}"
            if name not in kept:
                if interrupted:
                    continue
                raw = dict(refits(part, early, _after(report, part.start - draws.start)))
                interrupted = bool(raw["interrupted"])
                if interrupted:  # what is finished of this chunk is for the caller only
                    found[part.start] = raw
                    continue
                kept[name] = raw
                _write(Path(path), key, kept)
                if report is not None:  # fast chunks end before the core would report
                    report(part.start - draws.start + len(part))
            found[part.start] = kept[name]
        return found

    first = run(early_stop, parts)
    failed = any(raw["claims_failed"] for raw in first.values())
    if failed:  # no claim is trusted once one was wrong, in whatever chunk
        trusting = [p for p in parts if p.start in first and not first[p.start]["claims_failed"]]
        for start, followed in run(False, trusting).items():
            first[start] = with_followed(first[start], followed)
    return _joined(first, parts, failed, interrupted)


def _after(report: _core.Reporter | None, before: int) -> _core.Reporter | None:
    """Return what reports the draws of a chunk on top of those before it."""
    return None if report is None else lambda done: report(before + done)


def _key(fit: Fit, request: tuple[object, ...]) -> str:
    """Return a hash of everything that the bits of draws depend on."""
    info = _core.info()
    facts = {k: v for k, v in fit.to_dict().items() if k not in ("seconds", "warnings", "source")}
    digest = hashlib.sha256(
        repr((FORMAT, info["version"], info["instruction_set"], facts, request)).encode()
    )
    for array in (fit._coordinates, fit._start_points):
        assert array is not None
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read(path: Path, key: str) -> dict[str, Raw]:
    if not path.exists():
        return {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise InputError(f"checkpoint {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a checkpoint: {error}") from None
    if "key" not in arrays:
        raise InputError(f"{path} is not a checkpoint")
    if str(arrays.pop("key")) != key:
        raise InputError(
            f"checkpoint {path} holds draws of another fit, table, kind or seed, or of another "
            "version or instruction set of lawfit; delete it or give another path"
        )
    kept: dict[str, Raw] = {}
    for name, array in arrays.items():
        chunk, _, entry = name.partition("/")
        kept.setdefault(chunk, {})[entry] = array if array.ndim else array.item()
    for raw in kept.values():
        raw.setdefault("covariance", None)
        raw.setdefault("own_covariance", None)
    return kept


def _write(path: Path, key: str, kept: dict[str, Raw]) -> None:
    arrays: dict[str, NDArray[Any]] = {"key": np.array(key)}
    for chunk, raw in kept.items():
        arrays |= {f"{chunk}/{k}": np.asarray(v) for k, v in raw.items() if v is not None}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(
                f"checkpoint {path} cannot be written: {error.strerror or error}"
            ) from None
        raise


def _joined(found: dict[int, Raw], parts: list[range], failed: bool, interrupted: bool) -> Raw:
    first = next(iter(found.values()))
    missing = {"objective": np.nan, "x": np.nan, "covariance": np.nan, "status": _NOT_RUN}
    once = {k: like for k, like in first.items() if k in _ONCE or like is None}
    empty = {
        k: np.full(like.shape[1:], missing.get(k, 0), like.dtype)
        for k, like in first.items()
        if k not in once
    }
    rows = join([found.get(part.start) for part in parts], parts, empty)
    return once | rows | {"claims_failed": failed, "interrupted": interrupted}
