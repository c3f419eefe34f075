"""Writes docs/benchmarks.md and its plots from the JSON files in bench/results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from formatting import Entry, machine_line, number, seconds, spread, table
from methods import FOLLOWED
from report_own import PLOTS, own_section, plot

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks.md"

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

Where a law is a sum of powers, lawfit's first step from a given start is a linear least-squares
fit of the coefficients to the start's exponents, taken where it lowers the objective. Its time is
in the times; its two or three evaluations of every start are not in *evaluations per start*. From
there on starts with the same exponents are mostly one start, which is met again and not run again.

All methods of a problem were run within minutes of each other, on a shared machine that is up to
twice as slow in one hour as in another: compare rows of one table, not tables.
"""


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
        ours = {m["method"]: m for m in run if m["method"].startswith("lawfit")}
        peers = [m for m in run if not m["method"].startswith("lawfit")]
        reached = [m for m in peers if m.get("cpu_seconds_to_99_percent") is not None]
        if FOLLOWED not in ours:
            continue
        first, all_starts = ours[FOLLOWED], ours["lawfit, 1 thread"]
        best = min(reached, key=lambda m: m["cpu_seconds_to_99_percent"], default=None)
        to_99 = first["cpu_seconds_to_99_percent"]
        gain = best and to_99 and best["cpu_seconds_to_99_percent"] / to_99
        most = max(peers, key=lambda m: m["hit_share"], default=None)
        rows.append(
            [
                entry["problem"],
                f"{entry['rows_of_data']} × {entry['parameters']}",
                seconds(all_starts["cpu_seconds"]) + f" ({all_starts['starts_run']:,})",
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
        "Processor time. *All starts*: `lawfit.fit` with its defaults, in which starts that meet "
        "the way of another stop. The other columns of lawfit are of starts that are all followed "
        "to their ends, as those of peers are. The last column is how much longer the quickest "
        "peer needs to 99 %; one start is the least that anything needs.\n\n"
        + table(
            ["problem", "rows × parameters", "lawfit: all starts", "hit", "per start", "to 99 %",
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
    parts.append(own_section(found))
    if entry := found.get("growth"):
        plot(entry["curves"], given.page.parent / PLOTS)
    given.page.write_text("\n".join(parts) + "\n")
    print(f"written to {given.page}")


if __name__ == "__main__":
    main()
