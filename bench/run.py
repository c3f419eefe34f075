"""Measures everything, or what is asked for, and writes one JSON file per part to bench/results."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

# One thread for small matrix products, as their libraries advise; before NumPy is loaded.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import core  # noqa: E402
import machine  # noqa: E402
from check import check  # noqa: E402
from claims import claims  # noqa: E402
from compare import compare, settle  # noqa: E402
from methods import METHODS  # noqa: E402
from problems import PROBLEMS, MissingDataError  # noqa: E402
from store import write  # noqa: E402

RESULTS = Path(__file__).parent / "results"
CASES = core.CASES | {"claims": claims}
PARTS = ("starts", *CASES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few starts of everything: minutes")
    parser.add_argument("--only", action="append", choices=PARTS, help="default: all parts")
    parser.add_argument("--problem", action="append", choices=PROBLEMS, help="default: all")
    parser.add_argument("--method", action="append", choices=METHODS, help="default: all")
    parser.add_argument("--starts", type=int, default=10**9, help="at most so many for each peer")
    parser.add_argument("--full", action="store_true", help="all 4,050,000 Gemstones starts")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    parts = given.only or (["starts"] if given.problem or given.method else list(PARTS))
    for part in parts:
        if part == "starts":
            for name in given.problem or PROBLEMS:
                _starts(name, given.method or list(METHODS), given)
        else:
            try:
                write(given.out / f"{part}.json", CASES[part](given.quick, given.full))
            except MissingDataError as missing:
                print(f"{part}: SKIPPED, {missing}")


def _starts(name: str, methods: list[str], given: argparse.Namespace) -> None:
    try:
        problem = PROBLEMS[name]()
    except MissingDataError as missing:
        print(f"{name:17} SKIPPED: {missing}")
        return
    check(problem)
    path = given.out / f"starts-{name}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    described = machine.describe()
    limit = 18 if given.quick else given.starts
    entry = compare(problem, methods, limit, given.quick)
    entry = settle(entry, before.get("best_known"))
    if set(methods) != set(METHODS):
        # Rows of methods that were not run now stay, each with its own machine and date.
        kept = [r for r in before.get("methods", ()) if r["method"] not in methods]
        order = list(METHODS)
        entry["methods"] = sorted(entry["methods"] + kept, key=lambda r: order.index(r["method"]))
    for row in entry["methods"]:
        row.setdefault("machine", described)
    write(path, entry | {"quick": given.quick})


if __name__ == "__main__":
    main()
