"""`lawfit fit`: fits, prints, writes, and says what to do next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..saving import write_json
from .common import fail, quiet_option, table_options, tell
from .fit import Fitted, fit_table, law_options
from .outputs import check_plot, draw_plot, write_report

__all__ = ["fit_command"]


@click.command("fit", no_args_is_help=True)
@table_options
@law_options
@click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write the fit here.")
@click.option("--report", "report_out", type=click.Path(), metavar="OUT",
              help="Write a report: OUT.html or OUT.md.")  # fmt: skip
@click.option("--plot", "plot_out", type=click.Path(), metavar="OUT",
              help="Draw the law through its runs: OUT.png, .svg or .pdf.")  # fmt: skip
@quiet_option
def fit_command(
    json_out: str | None,
    report_out: str | None,
    plot_out: str | None,
    quiet: bool,
    **given: Any,
) -> int:
    """Fit a law to a table of runs; RUNS is a CSV, TSV or Parquet file, or - for standard input.

    \b
    Examples:
      lawfit fit runs.csv --law chinchilla --bootstrap 4000 --report fit.html
      lawfit fit runs.csv --law "E + A / N**alpha" --column N="Model Size" --target val_loss
      zcat runs.csv.gz | lawfit fit - --law chinchilla --json fit.json
    """  # noqa: D301
    from ..report.make import check_path

    check_path(report_out)
    check_plot(plot_out)
    made = fit_table(given, quiet)
    result = made.fit
    if not quiet:
        print_fit(made)
    if json_out is not None:
        write_json(json_out, _fit_json(made))
    if made.interrupted is not None:
        return fail(f"{made.interrupted}; what was finished is above", 130)
    if not result.success:
        fail(result.message, 1)
    if plot_out is not None:
        draw_plot(result, "against_runs", plot_out)
    if report_out is not None:
        write_report(result, report_out, made.draws, quiet, threads=given["threads"])
    if not quiet and sys.stdout.isatty():
        _print_next(given, json_out, report_out)
    return 0 if result.success else 1


def _print_next(given: dict[str, Any], json_out: str | None, report_out: str | None) -> None:
    said = []
    if not given["bootstrap"]:
        said.append("--bootstrap 1000 for intervals")
    if report_out is None:
        said.append("--report fit.html for plots, diagnostics and a backtest")
    said.append(
        "--json fit.json to keep the fit"
        if json_out is None
        else f"lawfit plan {Path(json_out)} --budget 1e24"
    )
    tell(f"next: {'; '.join(said)}", dim=True)


def _fit_json(made: Fitted) -> dict[str, Any]:
    draws = made.draws
    data = made.fit.to_dict()
    if draws is not None:
        data["intervals"] = {k: list(v) for k, v in draws.intervals(method=made.method).items()}
        data["bootstrap"] = {
            "kind": draws.kind,
            "by": draws.by,
            "interval_method": made.method,
            "draws": len(draws),
            "seed": draws.seed,
            "converged": draws.converged,
            "disagreement": draws.disagreement,
            "standard_errors": draws.standard_errors(),
            "warnings": list(draws.warnings),
        }
    if made.interrupted is not None:
        data["interrupted"] = str(made.interrupted)
    return data


def print_fit(made: Fitted) -> None:
    """Print the fit's summary and the intervals of its draws."""
    tell(made.fit.summary())
    draws = made.draws
    if draws is None:
        return
    kind = draws.kind if draws.by is None else f"{draws.kind} by {draws.by}"
    how = "" if made.method == "percentile" else f"{made.method}, "
    tell(f"95 % intervals from {len(draws):,} bootstrap draws ({how}{kind}, seed {draws.seed}):")
    width = max(map(len, draws.draws))
    for name, (low, high) in draws.intervals(method=made.method).items():
        tell(f"  {name:<{width}}  {low:.5g} to {high:.5g}")
    if draws.converged < 1 or draws.disagreement > 0:
        tell(
            f"  {draws.converged:.1%} of the refits converged; in {draws.disagreement:.1%} a "
            "spread start did better than the warm one"
        )
    for warning in draws.warnings:
        tell(f"  warning: {warning}")
