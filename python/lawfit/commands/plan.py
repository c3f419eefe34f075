"""`lawfit plan`: the best plan of a fit or a published law, its intervals, a line of budgets."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import click
import numpy as np

from ..errors import InputError
from ..planning.plan import Plan, plan
from ..result import Fit, load
from ..runs import read
from ..saving import write_json
from ..uncertainty.bootstrap import Bootstrap
from .common import (
    many,
    number,
    pairs_of,
    progress_bar,
    quiet_option,
    read_table,
    reading_options,
    tell,
    threads_option,
)

__all__ = ["plan_command"]


def _over(given: Sequence[str], shapes: str | None) -> dict[Any, Any]:
    """Read --over N=1e8:1e13 (a range), P=4,8,16 (a list), k=1..64 (integers), U=1e11 (fixed)."""
    over: dict[Any, Any] = {}
    for name, text in pairs_of(given, "--over", "N=1e8:1e13").items():
        where = f"--over {name}"
        if match := re.fullmatch(r"(\d+)\.\.(\d+)", text):
            over[name] = range(int(match[1]), int(match[2]) + 1)
        elif ":" in text:
            ends = text.split(":")
            if len(ends) != 2:
                raise InputError(f"{where}={text} must look like --over N=1e8:1e13")
            over[name] = (number(ends[0], where), number(ends[1], where))
        elif "," in text:
            over[name] = [number(part, where) for part in text.split(",")]
        else:
            try:
                over[name] = float(text)
            except ValueError:
                over[name] = text  # the level of a group
    if shapes is not None:
        table = read(shapes)
        over[tuple(table)] = {n: table[n] for n in table}
    return over


def _along(text: str) -> list[float]:
    """Read --along 1e20:1e26:7 (so many, evenly on a logarithmic scale) or 1e20,1e22."""
    if ":" not in text:
        return [number(part, "--along") for part in text.split(",")]
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].isdigit() or int(parts[2]) < 2:
        raise InputError(f"--along {text} must look like --along 1e20:1e26:7 or 1e20,1e22")
    low, high = (number(part, "--along") for part in parts[:2])
    if not 0.0 < low < high:
        raise InputError(f"--along {text}: the ends must be above zero, the first below the last")
    return [float(v) for v in np.geomspace(low, high, int(parts[2]))]


def _fit(path: str, runs: str | None, given: dict[str, Any]) -> Fit:
    """Read a fit, joined with its table if that is given."""
    fit = load(path)
    if runs is None:
        return fit
    from ..report import with_runs

    table = read_table(runs, given["column"], given["derive"], given["where"])
    return with_runs(fit, table, threads=given["threads"])


@click.command("plan", no_args_is_help=True)
@click.argument("law_or_fit", metavar="FIT.json|LAW")
@click.option("--budget", help="What the cost may be: least loss for it.")
@click.option("--target-loss", help="The loss to reach: least cost for it.")
@click.option("--cost", default="6*N*D", show_default=True, help="Formula of the cost.")
@many("--constraint", metavar="COMPARISON", help='Must hold: --constraint "D <= 1.5e13".')
@many("--over", metavar="NAME=VALUES", help="N=1e8:1e13, P=4,8,16, k=1..64 or U=1e11.")
@click.option("--shapes", metavar="TABLE", help="A table whose columns are chosen row by row.")
@click.option("--params", metavar="NAME", help="Published coefficients of a law.")
@click.option("--maximize", is_flag=True, help="More is better: accuracies.")
@click.option("--along", metavar="VALUES",
              help="More budgets (or targets): 1e20:1e26:7 or 1e20,1e22.")  # fmt: skip
@click.option("--bootstrap", type=click.IntRange(min=0), default=0, metavar="DRAWS",
              help="Intervals: so many draws planned again; needs --runs.")  # fmt: skip
@click.option("--runs", metavar="RUNS", help="The fitted runs.")
@reading_options
@click.option("--cells", default="1e6", show_default=True, help="Cells of the grid, about.")
@threads_option
@click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write the plan here.")
@click.option("--page", "page_out", type=click.Path(), metavar="OUT.html",
              help="Write an interactive page here.")  # fmt: skip
@quiet_option
def plan_command(
    law_or_fit: str,
    budget: str | None,
    target_loss: str | None,
    cost: str,
    constraint: tuple[str, ...],
    over: tuple[str, ...],
    shapes: str | None,
    params: str | None,
    maximize: bool,
    along: str | None,
    bootstrap: int,
    runs: str | None,
    cells: str,
    threads: int | None,
    json_out: str | None,
    page_out: str | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Find the best plan under a fitted law, or a law of the catalogue with --params.

    \b
    Examples:
      lawfit plan fit.json --budget 1e24 --constraint "D <= 1.5e13"
      lawfit plan fit.json --budget 1e24 --runs runs.csv --bootstrap 1000 --along 1e22:1e26:5
      lawfit plan chinchilla --params besiroglu2024 --target-loss 2.0 --cost "6*N*D + 2*N*2e12"
    """  # noqa: D301
    is_file = os.path.exists(law_or_fit) or law_or_fit.endswith(".json")
    if (bootstrap or runs is not None) and not (bootstrap and runs is not None and is_file):
        raise InputError("intervals need a FIT.json, --runs RUNS and --bootstrap DRAWS")
    limits = None if along is None else _along(along)
    with progress_bar("cells", quiet) as progress:
        made = plan(
            _fit(law_or_fit, runs, {**reading, "threads": threads}) if is_file else law_or_fit,
            None if budget is None else number(budget, "--budget"),
            target_loss=None if target_loss is None else number(target_loss, "--target-loss"),
            cost=cost,
            over=_over(over, shapes),
            constraints=constraint,
            params=params,
            maximize=maximize,
            cells=number(cells, "--cells"),
            threads=threads,
            progress=progress,
        )
    if not quiet:
        tell(made.summary())
    data = made.to_dict()
    boot = _draws(made, bootstrap, threads, quiet) if bootstrap else None
    if boot is not None:
        data["intervals"] = _with_intervals(made, boot, threads, quiet)
    if limits is not None:
        data["along"] = _with_line(made, limits, threads, quiet)
    if json_out is not None:
        write_json(json_out, data)
    if page_out is not None:
        made.page(page_out, draws=boot)


def _draws(made: Plan, count: int, threads: int | None, quiet: bool) -> Bootstrap:
    assert made._fit is not None
    with progress_bar("bootstrap draws", quiet) as progress:
        return made._fit.bootstrap(count, rng=made._fit.seed, threads=threads, progress=progress)


def _with_intervals(
    made: Plan, boot: Bootstrap, threads: int | None, quiet: bool
) -> dict[str, list[float]]:
    """Plan the draws of a bootstrap again, and print the intervals."""
    with progress_bar("draws planned", quiet) as progress:
        planned = made.draws(boot, threads=threads, progress=progress)
    ends = planned.intervals()
    if not quiet:
        checks = f"{planned.checked} searched anew, {planned.missed} of them better elsewhere"
        tell(f"95 % intervals from {len(boot):,} bootstrap draws, each planned again ({checks}):")
        width = max(map(len, ends))
        for name, (low, high) in ends.items():
            tell(f"  {name:<{width}}  {low:.5g} to {high:.5g}")
        if planned.failed:
            tell(f"  {planned.failed:.1%} of the draws have no plan")
    return {n: list(e) for n, e in ends.items()}


def _with_line(
    made: Plan, limits: list[float], threads: int | None, quiet: bool
) -> dict[str, list[float]]:
    """Plan for other budgets or targets, and print a table."""
    with progress_bar("plans", quiet) as progress:
        line = made.frontier(limits, threads=threads, progress=progress)
    columns = {line.by: line.at, **line.table}
    if not quiet:
        tell("".join(f"{n:>12}" for n in columns))
        for row in zip(*columns.values(), strict=True):
            tell("".join(f"{v:>12.5g}" for v in row))
    return {n: v.tolist() for n, v in columns.items()}
