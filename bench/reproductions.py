"""Fit published laws to the runs they were fitted to, and write docs/reproductions.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import precision_laws
from reproduction import Maker, page
from reproductions_dense import DENSE
from reproductions_other import OTHER

DOCS = Path(__file__).resolve().parents[1] / "docs"
MAKERS: dict[str, Maker] = DENSE | OTHER

INTRODUCTION = """\
# Published coefficients, fitted again

Each section fits a published law to the runs its authors fitted, with their objective, and sets
their coefficients beside lawfit's. The objective is given at both, so that one sees who is lower.
Where they differ the text says why, with the figures that show it. `tests/test_reproductions.py`
runs all of it and holds every difference to the bound in the last column.

The runs belong to their authors and do not come with lawfit; put them into a folder and name it
in `LAWFIT_DATA`. The page is written by

    python bench/reproductions.py

Recipes are at hand by name: `lf.protocols()`, `lf.fit(law, runs, protocol="besiroglu2024")`, and
`lf.compare_protocol("besiroglu2024", runs)`, which also runs the authors' optimiser where SciPy
has it. How three laws of numerical precision compare on one table:
[precision_laws.md](precision_laws.md)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(MAKERS), action="append", help="print these")
    only = parser.parse_args().only
    if only:
        print(page("", (MAKERS[name]() for name in only)))
        return
    found = [make() for make in MAKERS.values()]
    (DOCS / "reproductions.md").write_text(page(INTRODUCTION, found))
    (DOCS / "precision_laws.md").write_text(precision_laws.page())


if __name__ == "__main__":
    main()
