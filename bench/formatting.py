"""How numbers, times, tables and machines are written in the pages of the benchmarks."""

from __future__ import annotations

import math
from typing import Any

Entry = dict[str, Any]


def number(value: float | None, digits: int = 3) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        text = f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value) or 1)))}f}"
        return text
    return f"{value:.{digits - 1}e}"


def seconds(value: float | None) -> str:
    if value is None:
        return "never"
    for limit, unit, scale in ((1e-3, "µs", 1e6), (1.0, "ms", 1e3), (600.0, "s", 1.0)):
        if value < limit:
            return f"{number(value * scale)} {unit}"
    return f"{number(value / 3600)} h" if value >= 3600 else f"{number(value / 60)} min"


def table(head: list[str], rows: list[list[str]]) -> str:
    line = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(line + [f"| {' | '.join(row)} |" for row in rows])


def machine_line(machine: Entry) -> str:
    info = machine["lawfit"]
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items() if v)
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; lawfit "
        f"{info['version']} ({info['compiler']}, {info['instruction_set']}), Python "
        f"{machine['python']}, {versions}; {machine['date'][:10]}."
    )


def spread(loads: list[float | None]) -> str:
    known = [v for v in loads if v is not None]
    return f"{min(known):g} to {max(known):g}" if known else "unknown"


def spread_of_seconds(values: list[float]) -> str:
    return f"{seconds(min(values))} to {seconds(max(values))}"
