"""The text that the tiny models read: the sdist of Django 5.2.4 as a sequence of 96 symbols."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

PACKAGE = "django"
VERSION = "5.2.4"  # BSD-3-Clause
SHA256 = "a1228c384f8fa13eebc015196db7b3e08722c5058d4758d20cb287503a540d8f"
SUFFIXES = (".py", ".txt")  # source with its tests, and documentation in reStructuredText
VOCABULARY = 96  # newline and the printable ASCII characters
HELD_OUT = 1 << 20  # symbols, in whole files


class Corpus(NamedTuple):
    """Symbols of the training files and of the held-out files, and a hash of both."""

    train: np.ndarray  # [symbols] uint8
    held_out: np.ndarray  # [symbols] uint8
    sha256: str


def load(folder: Path) -> Corpus:
    """Read the text from the archive in `folder`; fetch it with pip where it is missing."""
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", f"{PACKAGE}=={VERSION}", "--no-deps"]
        subprocess.run([*command, "--no-binary", ":all:", "-d", str(folder)], check=True)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{archive} has SHA-256 {found}, expected {SHA256}")
    with tarfile.open(archive) as members:
        files = {
            member.name: members.extractfile(member).read()  # type: ignore[union-attr]
            for member in members
            if member.isfile() and member.name.endswith(SUFFIXES)
        }
    names = sorted(files)
    parts = [_symbols(files[names[i]]) for i in np.random.default_rng(0).permutation(len(names))]
    ends = np.cumsum([len(part) for part in parts])
    cut = int(np.searchsorted(ends, HELD_OUT)) + 1
    held_out, train = np.concatenate(parts[:cut]), np.concatenate(parts[cut:])
    digest = hashlib.sha256(held_out.tobytes() + train.tobytes()).hexdigest()
    return Corpus(train, held_out, digest)


def _symbols(raw: bytes) -> np.ndarray:
    """Map one file: blanks run together, bytes that are neither printable nor newline dropped."""
    text = np.frombuffer(re.sub(rb"[ \t]+", b" ", raw) + b"\n", dtype=np.uint8)
    text = text[(text == 10) | ((text >= 32) & (text < 127))]
    return np.where(text == 10, 0, text - 31).astype(np.uint8)
