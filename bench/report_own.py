"""The sections of docs/benchmarks.md on lawfit alone: a function for each file of bench/results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from formatting import Entry, machine_line, number, seconds, spread_of_seconds, table

PLOTS = "benchmarks"  # folder of the plots, beside the page
DIGITS = 9  # of a parameter, wanted on NIST's problems


def all_starts(entry: Entry) -> list[str]:
    return [
        "### 4,500 published starts on 240 points",
        table(
            ["layer", "threads", "starts", "evaluations per start (largest)", "wall, median",
             "wall, all runs", "CPU", "load"],
            [
                [
                    r["layer"], str(r["threads"]), f"{r['starts']:,}",
                    f"{r['evaluations_per_start']:.1f} ({r['evaluations_largest']})",
                    seconds(r["seconds"]), spread_of_seconds(r["seconds_all_runs"]),
                    seconds(r["cpu_seconds"]), str(r["load"]),
                ]
                for r in entry["rows"]
            ],
        ),
    ]  # fmt: skip


def claims(entry: Entry) -> list[str]:
    return [
        "### Starts that stop early",
        "Starts that were stopped where they met the way of an earlier one and counted to its "
        "end, against the same starts followed to theirs: how many would have ended higher or "
        "lower than claimed, by more than 1e-6 relative. Starts are as published, their "
        "coefficients not chosen first: otherwise most would be one start.",
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


def evaluation(entry: Entry) -> list[str]:
    return [
        "### One evaluation",
        f"Value, gradient and Gauss-Newton matrix of {entry['rows_of_data']} rows and 5 "
        "parameters, processor time. *Limit* is what the log-sum-exp of the same rows takes by "
        "itself: two exponentials, one logarithm and one division per row, which no evaluation "
        "can do without.",
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


def draws(entry: Entry) -> list[str]:
    return [
        "### Bootstrap of 240 points, nine starts per draw",
        table(
            ["draws", "threads", "wall, median", "wall, all runs", "CPU", "draws per CPU second",
             "evaluations per start", "converged", "a spread start was better", "load"],
            [
                [
                    f"{r['draws']:,}", str(r["threads"]), seconds(r["seconds"]),
                    spread_of_seconds(r["seconds_all_runs"]), seconds(r["cpu_seconds"]),
                    number(r["draws"] / r["cpu_seconds"]), number(r["evaluations_per_start"]),
                    f"{r['converged']:.1%}", f"{r['disagreement']:.2%}", str(r["load"]),
                ]
                for r in entry["rows"]
            ],
        ),
    ]  # fmt: skip


def small_fits(entry: Entry) -> list[str]:
    return [
        "### Many small tables",
        f"{entry['fits']:,} tables of {entry['rows_of_data']} rows, `{entry['formula']}`, squared "
        "log residuals, in one call of `lawfit.fit_many`; SciPy's `curve_fit` takes one start for "
        "each table and a share of the tables. *Solved* is the share of tables whose objective is "
        "within 1e-6 of the least that any method found there.",
        table(
            ["method", "threads", "starts per table", "solved", "wall, median", "CPU",
             "CPU per fit", "load"],
            [
                [
                    r["method"], str(r["threads"]), r["starts"], f"{r['solved']:.2%}",
                    seconds(r["seconds"]), seconds(r["cpu_seconds"]),
                    seconds(r["cpu_seconds"] / r["fits"]), str(r["load"]),
                ]
                for r in entry["rows"]
            ],
        ),
    ]  # fmt: skip


def gemstones(entry: Entry) -> list[str]:
    return [
        "### Gemstones: 4,050,000 published starts of the width-depth-N-D law",
        "In one call, {threads} threads. `lawfit.fit` begins by choosing the coefficients of a "
        "start by linear least squares where that lowers the objective. The published grid has "
        "625 combinations of exponents, and 6,480 of coefficients with each, so that most starts "
        "then stand where another one stands. *As published*: without that step, every start "
        "from the point of the grid. What is not run in full is scaled up from starts spread over "
        "the grid.".format(**entry["rows"][0]),
        table(
            ["coefficients", "starts run", "wall", "CPU", "all 4,050,000, wall", "evaluations "
             "per start", "reach the best", "best objective", "memory grows to", "load"],
            [
                [
                    r["levels"], f"{r['starts_run']:,}", seconds(r["seconds"]),
                    seconds(r["cpu_seconds"]),
                    ("" if r["starts_run"] == r["starts"] else "~")
                    + seconds(r["seconds_all_starts"]),
                    number(r["evaluations_per_start"]), f"{r['hit_share']:.2%}",
                    f"{r['best_objective']:.12g}", f"{r['memory_peak_mb']:.0f} MB",
                    str(r["load"]),
                ]
                for r in entry["rows"]
            ],
        ),
    ]  # fmt: skip


def rows(entry: Entry) -> list[str]:
    alone = {r["rows"]: r["seconds_per_value"] for r in entry["cases"] if r["threads"] == 1}
    return [
        "### Long tables",
        "The Chinchilla form, one start. *Memory* is what the process grows by, the table "
        "included, as a multiple of the table's three columns.",
        table(
            ["rows", "threads", "one value", "per row", "against one thread", "a fit",
             "evaluations", "memory"],
            [
                [
                    f"{r['rows']:,}", str(r["threads"]), seconds(r["seconds_per_value"]),
                    f"{number(r['nanoseconds_per_row_and_value'])} ns",
                    f"{alone[r['rows']] / r['seconds_per_value']:.2f}×",
                    seconds(r["seconds"]), str(r["evaluations"]), f"{r['peak_over_table']:.2f}×",
                ]
                for r in entry["cases"]
            ],
        ),
    ]  # fmt: skip


def groups(entry: Entry) -> list[str]:
    return [
        "### Parameters by group",
        "Curves with shared exponents and parameters of their own: the normal equations keep the "
        "blocks that groups leave.",
        table(
            ["curves", "free parameters", "rows", "a fit", "evaluations",
             "CPU per evaluation and curve", "memory of the fit", "a dense matrix alone"],
            [
                [
                    f"{r['curves']:,}", f"{r['free_parameters']:,}", f"{r['rows']:,}",
                    seconds(r["seconds"]), str(r["evaluations"]),
                    f"{number(r['processor_microseconds_per_evaluation_and_curve'])} µs",
                    f"{r['peak_bytes_of_the_fit'] / 2**20:.1f} MiB",
                    f"{r['dense_matrix_bytes'] / 2**20:.1f} MiB",
                ]
                for r in entry["cases"]
            ],
        ),
    ]  # fmt: skip


def grid(entry: Entry) -> list[str]:
    return [
        "### Grids: a precision law over N × D × bits",
        "Every cell is evaluated or ruled out by the constraint; the best is the same to 1e-13 as "
        "NumPy's on the smaller grid.",
        table(
            ["constraint", "method", "threads", "cells", "wall", "cells per second",
             "cells per second of processor"],
            [
                [
                    r["constraint"], r["method"], str(r["threads"]), f"{r['cells']:.0e}",
                    seconds(r["seconds"]), f"{r['cells_per_second'] / 1e6:,.0f} million",
                    f"{r['cells_per_processor_second'] / 1e6:,.0f} million",
                ]
                for r in entry["rows"]
            ],
        ),
    ]  # fmt: skip


def nist(entry: Entry) -> list[str]:
    methods = list(dict.fromkeys(r["method"] for r in entry["rows"]))
    by_case = {(r["problem"], r["start"], r["method"]): r for r in entry["rows"]}
    cases = list(dict.fromkeys((r["problem"], r["start"]) for r in entry["rows"]))

    def digits(case: tuple[str, int], method: str) -> float:
        found = by_case[(*case, method)]["digits"]
        return -1.0 if found is None else float(found)

    short = [c for c in cases if digits(c, "lawfit") < DIGITS]
    least = min(digits(c, "lawfit") for c in cases)
    return [
        "### NIST's nonlinear problems",
        f"{len(cases)} cases: 27 problems, each from both starts. How many are solved to so many "
        "of the 11 certified digits in every parameter:",
        table(
            ["method", *(f"{n} digits" for n in (DIGITS, 6, 4)), "CPU, all cases"],
            [
                [
                    m,
                    *(str(sum(digits(c, m) >= n for c in cases)) for n in (DIGITS, 6, 4)),
                    seconds(sum(by_case[(*c, m)].get("seconds", 0.0) for c in cases)),
                ]
                for m in methods
            ],
        ),
        f"Short of {DIGITS} digits with lawfit: "
        + (
            ", ".join(f"{p} from start {s} ({digits((p, s), 'lawfit'):.1f})" for p, s in short)
            if short
            else f"none; the fewest are {least:.1f}"
        )
        + ".",
    ]  # fmt: skip


def growth(entry: Entry) -> list[str]:
    return [
        "### How time grows",
        "Simulated sums of power terms, 240 rows, 5 parameters and 1 thread where not said; "
        "processor time except against threads.",
        "\n".join(f"![time against {c}]({PLOTS}/{c}.svg)" for c in entry["curves"]),
    ]


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


SECTIONS: dict[str, Callable[[Entry], list[str]]] = {
    "all_starts": all_starts,
    "claims": claims,
    "evaluation": evaluation,
    "draws": draws,
    "small_fits": small_fits,
    "gemstones": gemstones,
    "rows": rows,
    "groups": groups,
    "grid": grid,
    "nist": nist,
    "growth": growth,
}


def own_section(found: dict[str, Entry]) -> str:
    """Write what there are results of; each section says on which machine, if not on the last's."""
    parts = ["## lawfit alone"]
    before = ""
    for name, section in SECTIONS.items():
        entry = found.get(name)
        if entry is None:
            continue
        title, *text = section(entry)
        line = machine_line(entry["machine"])
        parts += [title, *([line] if line != before else []), *text]
        before = line
    return "\n\n".join(["", *parts]) if len(parts) > 1 else ""
