"""Writes docs/benchmarks.md and its plots from the JSON files in bench/results."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks.md"

Entry = dict[str, Any]

HEAD = """# Benchmarks

Written by `python bench/report.py` from `bench/results`; `bench/README.md`
says how to measure again.

All methods minimise the same objective on the same table from the same starts. *Hit* is the share
of starts that end within 1e-6 (relative) of the best objective that any method has reached; a
time without it would say little. *To 99 %* is the time after which the best has been reached with
99 % probability by starts taken at random: time per start times log(0.01) / log(1 - hit), and no
less than one start. Slow methods run on a random share of the starts; what they would need for
all is scaled up and marked with *~*. Times are medians of what was run, wall and processor time
(of all threads). On a loaded machine compare processor times: each table gives the load, the mean
number of processes that wanted to run.
"""


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


def starts_section(entries: list[Entry]) -> str:
    parts = ["## Many starts, one problem after the other", "", summary(entries), ""]
    parts.append(machine_line(entries[0]["methods"][0]["machine"]))
    for entry in entries:
        run = [m for m in entry["methods"] if "unavailable" not in m]
        parts += [
            "",
            f"### {entry['title']}",
            "",
            f"`{entry['formula']}`" if len(entry["formula"]) < 200 else "",
            "",
            f"{entry['rows_of_data']} rows, {entry['parameters']} parameters, {entry['loss']} on "
            f"{entry['residual']} residuals. {entry['protocol']}. Best objective known "
            f"{entry['best_known']:.12g}. Load {spread([m['load'] for m in run])}."
            + (f"\n\n{entry['note']}" if entry["note"] else ""),
            "",
            methods_table(entry, run),
        ]
        absent = sorted({m["unavailable"] for m in entry["methods"] if "unavailable" in m})
        if absent:
            parts += ["", f"Not run: {'; '.join(absent)}."]
    return "\n".join(parts)


def summary(entries: list[Entry]) -> str:
    rows = []
    for entry in entries:
        run = [m for m in entry["methods"] if m.get("hit_share") is not None]
        ours = [m for m in run if m["method"] == "lawfit, 1 thread"]
        peers = [m for m in run if not m["method"].startswith("lawfit")]
        reached = [m for m in peers if m.get("cpu_seconds_to_99_percent") is not None]
        if not ours:
            continue
        first = ours[0]
        best = min(reached, key=lambda m: m["cpu_seconds_to_99_percent"], default=None)
        to_99 = first["cpu_seconds_to_99_percent"]
        gain = best and to_99 and best["cpu_seconds_to_99_percent"] / to_99
        most = max(peers, key=lambda m: m["hit_share"], default=None)
        rows.append(
            [
                entry["problem"],
                f"{entry['rows_of_data']} × {entry['parameters']}",
                f"{first['hit_share']:.1%}",
                seconds(first["cpu_seconds_per_start"]),
                seconds(to_99),
                f"{most['hit_share']:.1%} ({most['method']})" if most else "–",
                f"{seconds(best['cpu_seconds_to_99_percent'])} ({best['method']})"
                if best
                else "never",
                f"{number(gain, 2)}×" if gain else "–",
            ]
        )
    return (
        "Processor time. The last column is how much longer the quickest peer needs to 99 %; one "
        "start is the least that anything needs.\n\n"
        + table(
            ["problem", "rows × parameters", "lawfit: hit", "per start", "to 99 %",
             "highest hit of a peer", "quickest peer to 99 %", "ratio"],
            rows,
        )
    )  # fmt: skip


def methods_table(entry: Entry, run: list[Entry]) -> str:
    rows = []
    for m in run:
        sampled = m["share_of_starts"] < 1
        whole = m["seconds_all_starts"]
        hit = m["hit_share"]
        gap = m["best_objective"] / entry["best_known"] - 1 if m["best_objective"] else None
        status = ", ".join(f"{k}: {v:,}" for k, v in list(m["status"].items())[:4])
        rows.append(
            [
                f"{m['method']}<br>{m['about']}",
                f"{m['starts_run']:,}",
                "–" if hit is None else f"{hit:.1%}",
                "–" if gap is None else f"{max(gap, 0.0):.1e}",
                number(m["evaluations_per_start"]),
                seconds(m["seconds_per_start"]),
                seconds(m["cpu_seconds_per_start"]),
                "–" if whole is None else ("~" if sampled else "") + seconds(whole),
                "–" if hit is None else seconds(m["seconds_to_99_percent"]),
                "–" if hit is None else seconds(m["cpu_seconds_to_99_percent"]),
                status,
            ]
        )
    return table(
        ["method", "starts", "hit", "best, above the best known", "evaluations per start",
         "wall per start", "CPU per start", f"all {entry['starts']:,}, wall", "to 99 %, wall",
         "to 99 %, CPU", "how starts ended"],
        rows,
    )  # fmt: skip


def own_section(found: dict[str, Entry], plots: Path) -> str:
    parts = ["", "## lawfit alone"] if found else []
    if entry := found.get("all_starts"):
        parts += [
            "",
            "### 4,500 published starts on 240 points",
            "",
            machine_line(entry["machine"]),
            "",
        ]
        parts.append(
            table(
                ["layer", "threads", "starts", "evaluations per start (largest)", "wall, median",
                 "wall, all runs", "CPU", "load"],
                [
                    [
                        r["layer"], str(r["threads"]), f"{r['starts']:,}",
                        f"{r['evaluations_per_start']:.1f} ({r['evaluations_largest']})",
                        seconds(r["seconds"]), _range(r["seconds_all_runs"]),
                        seconds(r["cpu_seconds"]), str(r["load"]),
                    ]
                    for r in entry["rows"]
                ],
            )
        )  # fmt: skip
    if entry := found.get("claims"):
        parts += [
            "",
            "### Starts that stop early",
            "",
            "Starts that were stopped where they met the way of an earlier one and counted to its "
            "end, against the same starts followed to theirs: how many would have ended higher or "
            "lower than claimed, by more than 1e-6 relative.",
            "",
            table(
                ["problem", "starts", "stopped early", "ended higher", "ended lower",
                 "in the best minimum", "the same, followed", "evaluations per start",
                 "the same, followed"],
                [
                    [
                        r["problem"], f"{r['starts']:,}", f"{r['joined'] / r['starts']:.1%}",
                        str(r["ended_higher"]), str(r["ended_lower"]),
                        f"{r['hits'] / r['starts']:.1%}",
                        f"{r['hits_followed'] / r['starts']:.1%}",
                        f"{r['evaluations']:.1f}", f"{r['evaluations_followed']:.1f}",
                    ]
                    for r in entry["rows"]
                ],
            ),
        ]  # fmt: skip
    if entry := found.get("evaluation"):
        parts += [
            "",
            "### One evaluation",
            "",
            f"Value, gradient and Gauss-Newton matrix of {entry['rows_of_data']} rows and 5 "
            "parameters, processor time. *Limit* is what the log-sum-exp of the same rows takes by "
            "itself: two exponentials, one logarithm and one division per row, which no evaluation "
            "can do without.",
            "",
            table(
                ["instruction set", "one evaluation", "per row", "limit",
                 "limit / evaluation", "exp, per element", "log, per element", "load"],
                [
                    [
                        r["instruction_set"], f"{number(r['nanoseconds'])} ns",
                        f"{number(r['nanoseconds_per_row'])} ns",
                        f"{number(r['nanoseconds_limit'])} ns", f"{r['share_of_limit']:.0%}",
                        f"{number(r['nanoseconds_exp'])} ns", f"{number(r['nanoseconds_log'])} ns",
                        str(r["load"]),
                    ]
                    for r in entry["rows"]
                ],
            ),
        ]  # fmt: skip
    if entry := found.get("draws"):
        parts += ["", "### Bootstrap of 240 points, nine starts per draw", ""]
        parts.append(
            table(
                ["draws", "threads", "wall, median", "wall, all runs", "CPU",
                 "draws per CPU second",
                 "evaluations per start", "converged", "a spread start was better", "load"],
                [
                    [
                        f"{r['draws']:,}", str(r["threads"]), seconds(r["seconds"]),
                        _range(r["seconds_all_runs"]), seconds(r["cpu_seconds"]),
                        number(r["draws"] / r["cpu_seconds"]), number(r["evaluations_per_start"]),
                        f"{r['converged']:.1%}", f"{r['disagreement']:.2%}", str(r["load"]),
                    ]
                    for r in entry["rows"]
                ],
            )
        )  # fmt: skip
    if entry := found.get("gemstones"):
        (r,) = entry["rows"]
        whole = r["starts_run"] == r["starts"]
        parts += [
            "",
            "### Gemstones: 4,050,000 published starts of the width-depth-N-D law",
            "",
            f"In one call, {r['threads']} threads, load {r['load']}: "
            f"{r['starts_run']:,} starts in {seconds(r['seconds'])} "
            f"({seconds(r['cpu_seconds'])} of processor time), "
            f"{r['evaluations_per_start']:.0f} evaluations each; "
            + (
                "these are all. "
                if whole
                else f"all {r['starts']:,} would take {seconds(r['seconds_all_starts'])}, or "
                f"{seconds(r['cpu_seconds'] / r['threads'] * r['starts'] / r['starts_run'])} with "
                "both threads to themselves. "
            )
            + f"{r['hit_share']:.2%} reach the best objective, "
            f"{r['best_objective']:.12g}. The memory of the process grows from "
            f"{r['memory_before_mb']:.0f} to {r['memory_peak_mb']:.0f} MB.",
        ]
    if entry := found.get("growth"):
        parts += [
            "",
            "### How time grows",
            "",
            "Simulated sums of power terms, 240 rows, 5 parameters and 1 thread where not said; "
            "processor time except against threads.",
            "",
            *(f"![time against {c}]({plots.name}/{c}.svg)" for c in entry["curves"]),
        ]
        plot(entry["curves"], plots)
    return "\n".join(parts)


def _range(values: list[float]) -> str:
    return f"{seconds(min(values))} to {seconds(max(values))}"


def plot(curves: dict[str, list[Entry]], folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "lawfit"  # the same data give the same file
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for name, points in curves.items():
        clock = "seconds" if name == "threads" else "cpu_seconds"
        x = [p["x"] for p in points]
        y = [p[clock] / p.get("starts", 1) for p in points]
        figure, axes = plt.subplots(figsize=(4.2, 2.8), layout="constrained")
        axes.loglog(x, y, "o-", base=10, markersize=4)
        axes.set_xlabel(name)
        per = " per start" if "starts" in points[0] else ""
        axes.set_ylabel(f"{'wall' if name == 'threads' else 'CPU'} seconds{per}")
        axes.grid(alpha=0.3)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE, help="plots go to a folder beside it")
    given = parser.parse_args()
    found = {p.stem: json.loads(p.read_text()) for p in sorted(given.results.glob("*.json"))}
    from problems import PROBLEMS

    keys = [f"starts-{name}" for name in PROBLEMS]
    entries = [found[k] for k in keys if k in found]
    parts = [HEAD]
    if entries:
        parts.append(starts_section(entries))
    parts.append(own_section(found, given.page.with_suffix("")))
    given.page.write_text("\n".join(parts) + "\n")
    print(f"written to {given.page}")


if __name__ == "__main__":
    main()
