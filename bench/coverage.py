"""Measures how often nominal 95 % intervals contain the truth, at simulated published designs."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lawfit as lf
import machine
from lawfit.compiler import evaluate_columns
from lawfit.formula import names
from lawfit.uncertainty.quantiles import two_sided
from store import write

RESULT = Path(__file__).parent / "results" / "coverage.json"
PAGE = Path(__file__).parents[1] / "docs" / "uncertainty.md"
BEGIN, END = "<!-- from bench/coverage.py -->", "<!-- until here -->"
LEVEL = 0.95

Floats = NDArray[np.float64]

# Besiroglu et al. 2024, the published refit of the Chinchilla runs.
CHINCHILLA = {"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}
EXPONENTS = ("E", "alpha", "beta", "beta / (alpha + beta)")


@dataclass(frozen=True)
class Design:
    """Where runs stand, what is true, and how noise is drawn.

    Attributes
    ----------
    title : str
    law : Law
    runs : dict of str to ndarray of shape (n,)
        Without the target.
    truth : dict of str to float
    quantities : tuple of str
        Whose intervals are counted.
    noise : callable(generator) -> ndarray of shape (n,)
        Added to the logarithm of the prediction.
    loss : Loss
    tables : int
        How many are simulated by default: all designs together take some 25 minutes of one core.
    curve : str or None
        The column of the curves, if rows are checkpoints.
    """

    title: str
    law: lf.Law
    runs: dict[str, Floats]
    truth: dict[str, float]
    quantities: tuple[str, ...]
    noise: Callable[[np.random.Generator], Floats]
    loss: lf.losses.Loss
    tables: int
    curve: str | None = None

    def table(self, number: int) -> dict[str, Floats]:
        """Return simulated table `number`."""
        noise = self.noise(np.random.default_rng(number))
        return self.runs | {"loss": self.law.predict(self.truth, self.runs) * np.exp(noise)}


def _budgets(count: int, sizes: int) -> dict[str, Floats]:
    """Return runs at `count` budgets from 6e18 to 3e21, each at `sizes` sizes around 20 tokens."""
    c = np.geomspace(6e18, 3e21, count)[:, None]
    n = np.geomspace(0.15, 7.0, sizes)[None, :] * np.sqrt(c / 120.0)
    return {"N": n.ravel(), "D": (c / (6.0 * n)).ravel()}


def _curves(curves: int, checkpoints: int) -> dict[str, Floats]:
    """Return checkpoints from 1 to 40 tokens per parameter of models of 3e7 to 3e9."""
    n = np.repeat(np.geomspace(3e7, 3e9, curves), checkpoints)
    d = n * np.tile(np.geomspace(1.0, 40.0, checkpoints), curves)
    return {"N": n, "D": d, "curve": np.repeat(np.arange(curves), checkpoints)}


def _autocorrelated(curves: int, checkpoints: int, along: float, offset: float, size: float) -> Any:
    """Return noise of curves: one offset for each, and AR(1) along it, of given deviations."""

    def noise(g: np.random.Generator) -> Floats:
        e = np.empty((curves, checkpoints))
        e[:, 0] = g.normal(size=curves)
        for k in range(1, checkpoints):
            e[:, k] = along * e[:, k - 1] + math.sqrt(1.0 - along**2) * g.normal(size=curves)
        return (size * e + offset * g.normal(size=(curves, 1))).ravel()

    return noise


def _designs() -> dict[str, Design]:
    chinchilla = lf.law("chinchilla")
    many = _budgets(8, 30)
    grid = {
        "N": np.repeat([1e8, 1e9, 1e10], 3),
        "D": np.tile([2e9, 2e10, 2e11], 3),
    }
    nine = {"C": np.geomspace(6e18, 3e21, 9)}
    uneven = np.where(many["N"] < 5e8, 0.012, 0.003)
    sharp, square = lf.Huber(1e-3), lf.Squared()
    curves, checkpoints = 40, 20

    def normal(size: Any, n: int) -> Callable[[np.random.Generator], Floats]:
        return lambda g: g.normal(0.0, size, n)

    def heavy(size: float, n: int) -> Callable[[np.random.Generator], Floats]:
        return lambda g: size * g.standard_t(3, n)

    return {
        "normal": Design(
            "240 runs, normal noise, Huber(1e-3)",
            chinchilla, many, CHINCHILLA, EXPONENTS, normal(0.005, 240), sharp, 300,
        ),
        "heavy": Design(
            "240 runs, Student t noise with 3 degrees of freedom, Huber(1e-3)",
            chinchilla, many, CHINCHILLA, EXPONENTS, heavy(0.003, 240), sharp, 300,
        ),
        "uneven": Design(
            "240 runs, noise four times larger below 5e8 parameters, Huber(1e-3)",
            chinchilla, many, CHINCHILLA, EXPONENTS, normal(uneven, 240), sharp, 300,
        ),
        "squared": Design(
            "240 runs, normal noise, Squared()",
            chinchilla, many, CHINCHILLA, EXPONENTS, normal(0.005, 240), square, 300,
        ),
        "nine-2": Design(
            "9 budgets, optimal size k * C**a (2 parameters), noise 5 %, Squared()",
            lf.Law("k * C**a"), nine, {"k": 0.1, "a": 0.5},
            ("a",), normal(0.05, 9), square, 500,
        ),
        "nine-3": Design(
            "9 budgets, loss E + A / C**alpha (3 parameters), noise 0.1 %, Squared()",
            lf.Law("E + A / C**alpha"), nine, {"E": 1.69, "A": 1070.0, "alpha": 0.155},
            ("E", "alpha"), normal(0.001, 9), square, 500,
        ),
        "nine-5": Design(
            "9 runs, Chinchilla law (5 parameters), noise 0.3 %, Squared()",
            chinchilla, grid, CHINCHILLA, EXPONENTS, normal(0.003, 9), square, 500,
        ),
        "curves": Design(
            "40 curves of 20 checkpoints, AR(1) noise of 0.9 and an offset for each, Squared()",
            chinchilla, _curves(curves, checkpoints), CHINCHILLA, EXPONENTS,
            _autocorrelated(curves, checkpoints, 0.9, 0.003, 0.005), square, 200, "curve",
        ),
    }  # fmt: skip


DESIGNS = _designs()

# Kinds of bootstrap by their ways to an interval. BCa takes its acceleration from a jackknife of
# rows or curves, which belongs to draws of rows or curves.
KINDS: dict[str, tuple[str, ...]] = {
    "cases": ("percentile", "basic", "bca", "studentized"),
    "bayesian": ("percentile", "basic"),
    "residual": ("percentile", "basic", "studentized"),
    "wild": ("percentile", "basic", "studentized"),
    "parametric": ("percentile", "studentized"),
}
CURVE_KINDS: dict[str, tuple[str, ...]] = {
    "cases": ("percentile", "studentized"),
    "block": ("percentile", "basic"),
    "cluster": ("percentile", "basic", "bca", "studentized"),
    "wild-cluster": ("percentile", "basic", "studentized"),
}


def intervals(design: Design, fit: lf.Fit, draws: int) -> dict[str, dict[str, Any]]:
    """Return the intervals of all quantities by every method, by its name.

    An interval that a method refuses is (nan, nan).
    """
    out: dict[str, dict[str, Any]] = {}

    def put(method: str, interval: Callable[[str], tuple[float, float]]) -> None:
        found = {}
        for q in design.quantities:
            try:
                found[q] = interval(q)
            except (lf.InputError, lf.FitError):
                found[q] = (math.nan, math.nan)
        out[method] = found

    def by_t(kind: str, by: str | None) -> None:
        each: dict[str, Any] = {}

        def one(q: str) -> tuple[float, float]:
            if q not in fit.params:
                return fit.derived(q, LEVEL, kind=kind, by=by).interval
            each.update(each or fit.covariance(kind, by).intervals(LEVEL))
            return each[q]

        put(f"t, {kind}", one)

    for dispersion, name in ((None, "profile"), ("sandwich", "profile, sandwich")):
        put(
            name,
            lambda q, d=dispersion: fit.profile(q, reach=LEVEL, dispersion=d, threads=1).interval(
                LEVEL
            ),
        )
    by_t("gauss-newton", None)
    by_t("sandwich", None)
    if design.curve:
        by_t("cluster", design.curve)
    left_out = fit.jackknife(design.curve, spread=0, threads=1)
    put("t, jackknife", lambda q: _jackknifed(fit, left_out, q))
    for kind, ways in (CURVE_KINDS if design.curve else KINDS).items():
        by = design.curve if kind in ("cluster", "wild-cluster", "block") else None
        try:
            boot = fit.bootstrap(
                draws, kind, by=by, studentize="studentized" in ways, spread=0, threads=1
            )
        except (lf.InputError, lf.FitError):
            continue
        for way in ways:
            put(f"{kind}, {way}", lambda q, b=boot, w=way: b.interval(q, LEVEL, w))
    return out


def _jackknifed(fit: lf.Fit, left_out: Any, quantity: str) -> tuple[float, float]:
    """Return the estimate and what Student's t times the jackknife's standard error reaches."""
    values, n = left_out.of(quantity), len(left_out)
    point = _value(quantity, fit.params)
    error = math.sqrt((n - 1) / n * float(np.sum((values - values.mean()) ** 2)))
    reach = two_sided(LEVEL, n - (1 if left_out.by else len(fit.free))) * error
    return point - reach, point + reach


def fitted(design: Design, number: int) -> lf.Fit:
    """Fit simulated table `number` of a design."""
    return lf.fit(design.law, design.table(number), "loss", loss=design.loss, starts=30, threads=1)


class Count:
    """What was found for one design: how often each method was right, and how long it was."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.tables = 0
        self.seconds = 0.0
        self.estimates: dict[str, list[float]] = {q: [] for q in design.quantities}
        self.found: dict[str, dict[str, list[tuple[float, float]]]] = {}

    def add(self, number: int, draws: int) -> None:
        """Simulate, fit and count table `number`."""
        start, design = time.process_time(), self.design
        fit = fitted(design, number)
        for q in design.quantities:
            self.estimates[q].append(_value(q, fit.params))
        for method, by_quantity in intervals(design, fit, draws).items():
            for q, pair in by_quantity.items():
                self.found.setdefault(method, {}).setdefault(q, []).append(pair)
        self.tables += 1
        self.seconds += time.process_time() - start

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each method: shares that cover, and median lengths.

        A length is divided by the distance of the 2.5 % and 97.5 % quantiles of the estimates: 1 is
        what an interval of 95 % needs. "none" is the share of intervals with an end that is nan.
        """
        rows = []
        for method, by_quantity in self.found.items():
            row: dict[str, Any] = {"method": method, "coverage": {}, "length": {}, "none": 0.0}
            for q, pairs in by_quantity.items():
                low, high = np.array(pairs).T
                true = _value(q, self.design.truth)
                # A method that was refused for a table did not cover.
                row["coverage"][q] = float(np.sum((low <= true) & (true <= high)) / self.tables)
                need = float(np.diff(np.percentile(self.estimates[q], [2.5, 97.5]))[0])
                known = (high - low)[~np.isnan(low) & ~np.isnan(high)]
                row["length"][q] = (
                    round(float(np.median(known)) / need, 3) if len(known) and need > 0 else None
                )
                row["none"] = max(row["none"], 1.0 - len(known) / self.tables)
            row["none"] = round(row["none"], 4)
            rows.append(row)
        return rows


def _value(quantity: str, params: Any) -> float:
    columns = {n: np.array([v]) for n, v in params.items() if n in names(quantity)}
    return float(evaluate_columns(quantity, columns)[0])


def study(
    designs: list[str], tables: dict[str, int], draws: int, out: Path | None = None
) -> dict[str, Count]:
    """Add tables to all designs in turn, and write what there is after every round."""
    counts = {name: Count(DESIGNS[name]) for name in designs}
    rounds = 25
    for number in range(1, rounds + 1):
        for name, count in counts.items():
            while count.tables < tables[name] * number // rounds:
                count.add(count.tables, draws)
        if out is not None:
            write(out, summary(counts, draws))
    return counts


def summary(counts: dict[str, Count], draws: int) -> dict[str, Any]:
    """Return what is stored."""
    designs = [
        {"name": n, "title": c.design.title, "tables": c.tables, "seconds": round(c.seconds, 1)}
        for n, c in counts.items()
    ]
    rows = [{"design": n} | row for n, c in counts.items() for row in c.rows()]
    return {"machine": machine.describe(), "draws": draws, "designs": designs, "rows": rows}


# --- the page -------------------------------------------------------------------------------------

# What the study found to be best for each design.
RECOMMENDED = {
    "normal": "profile",
    "heavy": "profile",
    "uneven": "cases, percentile",
    "squared": "profile",
    "nine-2": "profile",
    "nine-3": "profile",
    "nine-5": "profile",
    "curves": "cluster, studentized",
}
HEADS = {
    "normal": "240, normal",
    "heavy": "240, heavy tails",
    "uneven": "240, uneven",
    "squared": "240, squared",
    "nine-2": "9 runs, 2",
    "nine-3": "9 runs, 3",
    "nine-5": "9 runs, 5",
    "curves": "40 curves",
}


def section(stored: dict[str, Any]) -> str:
    """Return what the page says of a stored study."""
    designs = {d["name"]: d for d in stored["designs"]}
    found = {(r["design"], r["method"]): r for r in stored["rows"]}
    lines = ["| | design | tables | best | covers | length |", "|---|---|---|---|---|---|"]
    for name, design in designs.items():
        row = found[name, RECOMMENDED[name]]
        mean = float(np.mean(list(row["coverage"].values())))
        error = 100.0 * math.sqrt(mean * (1.0 - mean) / design["tables"])
        length = float(np.median([v for v in row["length"].values() if v is not None]))
        lines.append(
            f"| {HEADS[name]} | {design['title']} | {design['tables']} | {row['method']} | "
            f"{100 * mean:.1f} ± {error:.1f} | {length:.2f} |"
        )
    alone = [n for n in designs if not DESIGNS[n].curve]
    lines += ["", *_matrix(alone, found), ""]
    lines += _matrix([n for n in designs if DESIGNS[n].curve], found)
    return "\n".join(lines)


def _matrix(names_: list[str], found: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    methods = list(dict.fromkeys(m for n, m in found if n in names_))
    lines = [
        f"| method | {' | '.join(HEADS[n] for n in names_)} |",
        "|---" * (len(names_) + 1) + "|",
    ]
    for method in methods:
        cells = []
        for n in names_:
            row = found.get((n, method))
            values = [round(100 * v) for v in row["coverage"].values()] if row else []
            low, high = (min(values), max(values)) if values else (0, 0)
            text = "-" if not values else f"{low}" if low == high else f"{low}-{high}"
            cells.append(f"**{text}**" if method == RECOMMENDED[n] else text)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def write_page(stored: dict[str, Any]) -> None:
    """Put the tables between their marks in docs/uncertainty.md."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{section(stored)}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--design", action="append", choices=DESIGNS, help="default: all")
    parser.add_argument("--tables", type=int, help="of each design; default: 200 to 500")
    parser.add_argument("--draws", type=int, default=399, help="of every bootstrap")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--page", action="store_true", help="only write the stored study's page")
    given = parser.parse_args()
    if given.page:
        write_page(json.loads(given.out.read_text()))
        return
    tables = {n: given.tables or d.tables for n, d in DESIGNS.items()}
    study(given.design or list(DESIGNS), tables, given.draws, given.out)


if __name__ == "__main__":
    main()
