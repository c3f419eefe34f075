"""How results are kept: JSON that a reader and a diff can follow, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write(path: Path, entry: dict[str, Any]) -> None:
    """Write JSON with one line per entry, and one per row of a table."""
    text = ",\n".join(f"{json.dumps(k)}: {_lines(v)}" for k, v in entry.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{{\n{text}\n}}\n")
    print(f"written to {path}", flush=True)


def _lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
    if isinstance(value, dict) and all(isinstance(v, list) for v in value.values()):
        text = ",\n".join(f"{json.dumps(k)}: {_lines(v)}" for k, v in value.items())
        return f"{{\n{text}\n}}"
    return json.dumps(value)
