"""Write docs/backtests.md: laws of the catalogue fitted to the smaller half of published runs."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import lawfit as lf

DOCS = Path(__file__).parent
SAME = 1e-4  # relative: two laws that fit and predict alike are one form under two names
UNITS = {"PF-days": 8.64e19, "PFLOP": 1e15, "GFLOP": 1e9}  # of compute, in FLOP
# Not about runs of different sizes, too many parameters for half a table, or of their own units.
NOWHERE = frozenset(
    {"bnsl-2", "bnsl-3", "kaplan-overfitting", "negation-composition", "solvable", "time-series"}
)

INTRODUCTION = """\
# Backtests on published runs

How well do laws predict larger runs than they were fitted to? Each table of published runs is cut
in two by compute. Every law of the catalogue that the table has the variables for is fitted to the
smaller half and predicts the larger one:

```python
import lawfit as lf

runs = lf.datasets.load("simulated_chinchilla")              # your table
lf.backtest("chinchilla", runs, steps=1, first=0.5)          # what each row below is
lf.compare(["chinchilla", "kaplan"], runs)                   # the same for several laws, ranked
```

All fits are `lf.fit` with its defaults, Huber(1e-3) on log residuals, from 30 starts. `p` counts
the fitted parameters, `inside` and `outside` are the mean absolute relative errors on the fitted
and on the predicted half, `bias` is the mean log residual on the predicted half (positive: the law
predicts too high a value). Laws that are one form under several names, and so fit and predict
alike, share a row. `x` of the generic laws is compute. Left out are broken power laws of more than
one break, and laws whose variables are in a table by name only: bits are not streams, experts are
not bits. A `note` says what became of a fit that did not converge, ended at a bound, or ran to
where it predicts nothing.

The halves of a table are not a random sample: runs share data, code and seeds, and each table has
one border. Differences of a few per cent of an error mean nothing. For intervals, more borders and
paired differences see [choosing between laws](selection.md).

This page is made by `python docs/generate_backtests.py`, which reads the published tables from the
folder that `LAWFIT_DATA` names; they are not part of lawfit.
"""


@dataclass(frozen=True)
class Table:
    """Published runs under the catalogue's names.

    Parameters
    ----------
    title, about : str
    runs : Runs
    leave_out : set of str
        Laws that mean something else by the same letters.
    order : str
        What the halves are cut by.
    """

    title: str
    about: str
    runs: lf.Runs
    leave_out: frozenset[str] = frozenset()
    order: str = "C"


@dataclass(frozen=True)
class Row:
    """What one law did, under all names it has."""

    names: tuple[str, ...]
    parameters: int
    objective: float
    inside: float
    outside: float
    bias: float
    note: str


BITS = frozenset({"parallel-streams", "parallel-diversity", "upcycling-sparsity", "quantized-loss"})


def tables(folder: Path) -> list[Table]:
    """Return every table, its columns renamed and computed."""
    c = {"C": "6*N*D", "T": "D", "x": "6*N*D"}
    found = [
        Table(
            "Chinchilla",
            "the 240 runs that Besiroglu et al. read off a figure of Hoffmann et al.",
            lf.read(folder / "chinchilla_svg_240.csv", derive={"T": "D", "x": "C"}),
        ),
        Table(
            "(Mis)Fitting",
            "the final checkpoints of Li et al., N with embeddings",
            lf.read(folder / "misfitting_runs.csv", columns={"C_counted": "C"}, derive=c),
        ),
        Table(
            "Gemstones",
            "checkpoints of McLeish et al., several per run, shapes from wide to deep",
            lf.read(
                folder / "gemstones_hot.csv",
                derive={**c, "w": "width", "d": "depth", "p": "N"},
            ),
            frozenset({"translation-share"}),
        ),
        Table(
            "OLMo ladder",
            "30 runs of Bhagia et al.: loss on C4, and HellaSwag in bits per byte and accuracy",
            lf.read(
                folder / "olmo_ladder_runs.csv",
                columns={
                    "N": "N_params",
                    "step": "_step",
                    "batch": "batch_size_in_tokens",
                    "loss": "eval/c4_en-validation/CrossEntropyLoss",
                    "task_loss": "eval/downstream_bpb/hellaswag_val_rc_5shot_bpb",
                    "accuracy": "eval/downstream/hellaswag_val_rc_5shot_len_norm",
                },
                derive={"D": "step * batch", **c, "L": "task_loss"},
            ),
            frozenset({"sft-data", "sft-pretraining-loss", "clustered-accuracy"}),
        ),
    ]
    for name, title in (("c4_original", "C4"), ("rpj", "RedPajama"), ("rw_original", "RefinedWeb")):
        found.append(
            Table(
                f"Over-training on {title}",
                f"models of Gadre et al. trained on {title}, loss on C4's validation set",
                lf.read(
                    folder / "overtraining_runs.csv",
                    columns={"loss": "loss_c4_val"},
                    derive={**c, "M": "D / N"},
                    where=f"dataset == '{name}'",
                ),
                frozenset({"memory-slots"}),
            )
        )
    found.append(Table("QuEST", *quest(folder), BITS))
    found.append(
        Table(
            "Routed language models",
            "reinforcement-routed and dense models of Clark et al., one expert a token, one seed; "
            "all trained on the same tokens",
            lf.read(
                folder / "routed_lm_runs.csv",
                columns={"N": "dense_parameter_count", "P": "total_parameter_count",
                         "E": "num_experts", "loss": "loss_validation"},
                derive={"C": "flops_per_step * step", "F": "N * flop_increase", "x": "C"},
                where=["(router_type == 'RL-R') + (router_type == 'Dense') > 0",
                       "k == 1", "routing_frequency == 0.5", "seed == 42"],
            ),
            BITS,
        )
    )  # fmt: skip
    setting = [
        "dataset == 'rw'", "hparams == 'tuned'", "decay == 'const'", "param_count == 'standard'",
    ]  # fmt: skip
    found.append(
        Table(
            "Resolving discrepancies",
            "IsoFLOP points of Porian et al., RefinedWeb, tuned hyper-parameters",
            lf.read(
                folder / "porian_isoflop_points.csv",
                columns={"C": "flops", "D": "tokens"},
                derive={"T": "D", "x": "C"},
                where=setting,
            ),
        )
    )
    found.append(
        Table(
            "Resolving discrepancies: optima",
            "the optimal size and tokens at each budget of the same runs",
            lf.read(
                folder / "porian_optimal_pairs.csv",
                columns={"C": "flops", "N_opt": "n", "D_opt": "t"},
                derive={"x": "C"},
                where=setting,
            ),
        )
    )
    found.append(
        Table(
            "Step law",
            "dense models of Li et al.: the best run of each size and length, its learning rate "
            "and batch",
            best_of_each(lf.read(folder / "step_law_dense_runs.csv", derive=c)),
        )
    )
    found.append(
        Table(
            "Data mixing, along training",
            "the 70M models of Ye et al. on three domains, loss on Github; D counts steps",
            lf.read(
                folder / "data_mixing_3_domains.csv.gz",
                columns={"D": "step", "curve": "mixture_ratio"},
                derive={"T": "D", "x": "D"},
                where=["D > 0", "model_size == '70M'",
                       "val_file == 'pythia-pile.valid.Github.bin'"],
            ),
            order="D",
        )
    )  # fmt: skip
    return found


def quest(folder: Path) -> tuple[str, lf.Runs]:
    """Return what the QuEST runs are, with a column of formats."""
    runs = lf.read(
        folder / "quest_precision_runs.csv",
        columns={"P_w": "w_bits", "P_a": "a_bits"},
        derive={"C": "6*N*D", "T": "D", "x": "6*N*D"},
        where="(group == 'quest') + (group == 'bf16') > 0",
    )
    columns = {name: runs[name] for name in ("N", "D", "C", "T", "x", "P_w", "loss")}
    text = np.array([f"{g} {b}" for g, b in zip(runs["group"], runs.texts("P_w"), strict=True)])
    about = "models of Panferov et al. trained with weights and activations of 1 to 16 bits"
    return about, lf.Runs({**columns, "P": runs["P_w"], "format": text}, source="quest")


def best_of_each(runs: lf.Runs) -> lf.Runs:
    """Return the run of least loss for each N and D."""
    best: dict[tuple[float, float], int] = {}
    for i, key in enumerate(zip(runs["N"], runs["D"], strict=True)):
        if key not in best or runs["loss"][i] < runs["loss"][best[key]]:
            best[key] = i
    return runs.take(np.array(list(best.values()))).rename(
        {"learning_rate": "lr", "batch_size": "bs"}
    )


def backtested(table: Table) -> dict[str, list[Row]]:
    """Return the rows of a table by target, the least error outside first."""
    found: dict[str, list[Row]] = {}
    for name in lf.laws():
        law = lf.law(name)
        needed = {law.target, *law.variables, *law.groups.values()}
        if name in table.leave_out | NOWHERE or not needed <= set(table.runs):
            continue
        rows = found.setdefault(law.target, [])
        print(f"{table.title}: {name}", file=sys.stderr)
        row = one_row(name, law, table)
        for k, other in enumerate(rows):
            if alike(row, other):
                rows[k] = Row(
                    (*other.names, name), other.parameters, other.objective, other.inside,
                    other.outside, other.bias, other.note,
                )  # fmt: skip
                break
        else:
            rows.append(row)
    for rows in found.values():
        rows.sort(key=lambda r: (math.isnan(r.outside), r.outside))
    return found


def one_row(name: str, law: lf.Law, table: Table) -> Row:
    """Backtest one law, with compute in the unit of its source."""
    units = {v.name: v.unit for v in law.declared_variables or ()}
    runs = table.runs
    if units.get("C") in UNITS:
        runs = runs.derive("C", f"C / {UNITS[units['C']]}")
    try:
        test = lf.backtest(law, runs, order=table.order, steps=1, first=0.5, starts=30)
    except lf.LawfitError as error:
        return Row((name,), 0, math.nan, math.nan, math.nan, math.nan, str(error).split("\n")[0])
    (split,) = test.splits
    note = split.reason
    if split.fit is not None and not note:
        bounds = split.fit.at_bound
        note = "" if split.fit.success else split.fit.message
        note = note or (f"at a bound: {', '.join(bounds)}" if bounds else "")
    return Row(
        (name,),
        len(test.whole.free),
        split.fit.objective if split.fit else math.nan,
        split.inside.are,
        split.outside.are,
        split.outside.bias,
        note,
    )


def alike(a: Row, b: Row) -> bool:
    """Tell one form under two names: as many parameters, the same fit and predictions."""
    pairs = ((a.objective, b.objective), (a.inside, b.inside), (a.outside, b.outside))
    return a.parameters == b.parameters and all(
        math.isclose(x, y, rel_tol=SAME, abs_tol=1e-12) for x, y in pairs
    )


def page(results: Mapping[str, tuple[Table, Mapping[str, list[Row]]]]) -> str:
    """Return the text of the page."""
    lines = [INTRODUCTION.rstrip(), "", *summary(results)]
    for title, (table, by_target) in results.items():
        lines += [
            "",
            f"## {title}",
            "",
            f"{table.runs.n} rows: {table.about.removesuffix('.')}. {cut(table)}",
        ]
        for target, rows in by_target.items():
            lines += ["", f"Predicting `{target}`:", ""]
            lines += ["| law | p | inside | outside | bias | note |", "|---|---|---|---|---|---|"]
            for r in rows:
                names = ", ".join(f"`{n}`" for n in r.names)
                lines.append(
                    f"| {names} | {r.parameters} | {percent(r.inside)} | {percent(r.outside)} | "
                    f"{signed(r.bias)} | {r.note.replace('|', '/')} |"
                )
    return "\n".join(lines) + "\n"


def cut(table: Table) -> str:
    """Say where a table is cut."""
    splitter = lf.selection.Rolling(table.order, 1, first=0.5)
    (half,) = splitter.cuts(table.runs)
    order = lf.selection.splitters.column_values(table.runs, table.order, "order")
    reach = order[half.test].max() / order[half.train].max()
    return (
        f"{len(half.train)} rows fitted, {len(half.test)} predicted; the largest has {reach:.3g} "
        f"times the {'steps' if table.order == 'D' else 'compute'} of the largest fitted one."
    )


def summary(results: Mapping[str, tuple[Table, Mapping[str, list[Row]]]]) -> list[str]:
    """Return the best laws of each table and what they say together."""
    lines = [
        "## In short", "",
        "| runs | target | least error inside | least error outside | rank correlation |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    ratios, agree, count = [], 0, 0
    for title, (_, by_target) in results.items():
        for target, rows in by_target.items():
            known = [r for r in rows if math.isfinite(r.outside)]
            if len(known) < 2:
                continue
            inside, outside = min(known, key=lambda r: r.inside), known[0]
            ratios += [r.outside / r.inside for r in known if r.inside > 1e-6]
            agree += inside is outside
            count += 1
            a = np.argsort(np.argsort([r.inside for r in known]))
            b = np.argsort(np.argsort([r.outside for r in known]))
            rank = f"{np.corrcoef(a, b)[0, 1]:+.2f}" if len(known) > 4 else ""
            lines.append(
                f"| {title} | `{target}` | `{inside.names[0]}` {percent(inside.inside)}, outside "
                f"{percent(inside.outside)} | `{outside.names[0]}` {percent(outside.outside)}, "
                f"inside {percent(outside.inside)} | {rank} |"
            )
    lines += [
        "",
        f"Over all forms and tables the error outside is {np.median(ratios):.1f} times the error "
        f"inside in the median and more than {np.percentile(ratios, 90):.0f} times in one case of "
        f"ten. The form with the least error inside predicts best in {agree} of {count} cases.",
        "",
        *READING,
    ]
    return lines


READING = [
    "The error inside tells forms apart that have the wrong variables, and little else: among "
    "those that fit within a factor of two of each other, the order inside is not the order "
    "outside. Laws of one variable fail on tables in which the other one varies freely, and "
    "do well where the runs lie near the compute-optimal line. `distillation-supervised`, a "
    "power of a sum of two powers over a floor, is among the first three outside on most "
    "tables of N and D, though it has six parameters; on the eight rows of the step law it "
    "runs off.",
    "",
    "With 15 to 20 rows, as in the over-training tables, the fitted half does not determine a "
    "floor: the sum of a floor and two powers (`chinchilla`) fits it closely and predicts the "
    "larger runs several per cent too high, while `overtraining`, `kaplan` and `densing-loss` "
    "come nearer. Broken power laws put their break where the fitted half ends or at a bound: "
    "what they predict is luck, good or bad. Learning rates and batch sizes from eight points "
    "are not predicted at all.",
]


def percent(value: float) -> str:
    """Return a share as per cent."""
    if math.isnan(value):
        return "-"
    return f"{value:.2%}" if value < 10 else f"{value:.1e}"


def signed(value: float) -> str:
    """Return a bias with its sign."""
    return "-" if math.isnan(value) else f"{value:+.4f}"


if __name__ == "__main__":
    place = os.environ.get("LAWFIT_DATA")
    if not place:
        sys.exit("set LAWFIT_DATA to the folder with the published tables")
    results = {t.title: (t, backtested(t)) for t in tables(Path(place))}
    (DOCS / "backtests.md").write_text(page(results))
