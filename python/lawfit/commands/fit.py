"""`lawfit fit`: its options, which `lawfit report` shares, the fit with its draws, and its text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import InputError, Interrupted
from ..fitting import fit as fit_law
from ..protocols import protocol as find_protocol
from ..result import Fit
from ..saving import write_json
from ..uncertainty.bootstrap import Bootstrap
from ..uncertainty.draw_intervals import METHODS
from ..uncertainty.resampling import KINDS
from .common import (
    bounds_of,
    fail,
    many,
    number,
    pairs_of,
    progress_bar,
    quiet_option,
    read_table,
    starts_of,
    table_options,
    tell,
    threads_option,
)

__all__ = ["Fitted", "fit_command", "fit_table", "law_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fitted:
    """A fit, its bootstrap if one was asked for, and what interrupted them."""

    fit: Fit
    draws: Bootstrap | None
    method: str
    interrupted: Interrupted | None


def law_options(command: Command) -> Command:
    """Add law, settings of the fit, and bootstrap."""
    for option in reversed(_LAW_OPTIONS):
        command = option(command)
    return command


_LAW_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--law", "law_text", help="Name in the catalogue, or a formula. [default: the protocol's]"
    ),
    click.option(
        "--loss", help="huber:1e-3, squared, absolute, quantile:0.9, ... [default: huber:1e-3]"
    ),
    click.option("--residual", help="log, linear or logit. [default: log]"),
    click.option("--scale", help="fixed or fitted. [default: fixed]"),
    click.option("--protocol", help="A published recipe, e.g. hoffmann2022."),
    click.option("--starts", default="auto", help="auto, a number, or the name of a protocol."),
    many("--fix", metavar="NAME=VALUE", help="Hold a parameter at a value."),
    many("--tie", metavar="A,B", help="Parameters that share one value."),
    many("--bound", metavar="NAME=LOW:HIGH", help="Limit a parameter."),
    many("--penalty", metavar="NAME=CENTRE:SD",
         help="Draw a parameter towards a value or another parameter: --penalty alpha=0.5:0.1."),
    click.option("--censored", metavar="COLUMN",
                 help="Rows whose target is at least (right, 1) or at most (left, -1) known."),
    click.option("--weights", metavar="COLUMN", help="Weights of the rows."),
    click.option("--sigma", metavar="COLUMN", help="Standard deviations of the residuals."),
    click.option("--missing", default="raise", help="Rows that are not finite: raise or omit."),
    click.option("--bootstrap", type=click.IntRange(min=0), default=0, help="Bootstrap draws."),
    click.option("--bootstrap-kind", type=click.Choice(list(KINDS)), default="cases",
                 show_default=True, help="What a draw resamples."),
    click.option("--by", metavar="COLUMN", help="Strata, clusters or curves of the bootstrap."),
    click.option("--interval-method", type=click.Choice(METHODS), default="percentile",
                 show_default=True, help="How intervals are read off the draws."),
    click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of starts and draws."),
    threads_option,
)  # fmt: skip


def _penalties(given: Sequence[str]) -> dict[str, tuple[float | str, float]]:
    """Read --penalty alpha=0.5:0.1, alpha=beta:0.05."""
    found: dict[str, tuple[float | str, float]] = {}
    for name, text in pairs_of(given, "--penalty", "alpha=0.5:0.1").items():
        centre, colon, sd = text.rpartition(":")
        if not colon or not centre.strip():
            raise InputError(f"--penalty {name}={text} must look like --penalty alpha=0.5:0.1")
        try:
            towards: float | str = float(centre)
        except ValueError:
            towards = centre.strip()
        found[name] = (towards, number(sd, f"--penalty {name}"))
    return found


def fit_table(given: dict[str, Any], quiet: bool) -> Fitted:
    """Read the table, fit the law and make the draws.

    Parameters
    ----------
    given : dict
        The values of `table_options` and `law_options`.
    quiet : bool
        Whether to show no progress.

    Raises
    ------
    InputError, FitError
    Interrupted
        On Ctrl-C before anything was finished; what was is in `Fitted`.
    """
    law_text, protocol, bootstrap = given["law_text"], given["protocol"], given["bootstrap"]
    if law_text is None:
        if protocol is None:
            raise InputError("give --law NAME or FORMULA, or a --protocol, which has its law")
        law_text = find_protocol(protocol).law
    table = read_table(given["runs"], given["column"], given["derive"], given["where"])
    fixed = {
        k: number(v, f"--fix {k}") for k, v in pairs_of(given["fix"], "--fix", "E=1.69").items()
    }
    kind, by, method = (given[name] for name in ("bootstrap_kind", "by", "interval_method"))
    if not bootstrap and (by, kind, method) != (None, "cases", "percentile"):
        raise InputError("--bootstrap-kind, --by and --interval-method need --bootstrap DRAWS")
    result: Fit | None = None
    draws: Bootstrap | None = None
    interrupted: Interrupted | None = None
    try:
        with progress_bar("starts", quiet) as progress:
            result = fit_law(
                law_text,
                table,
                given["target"],
                residual=given["residual"],
                loss=given["loss"],
                scale=given["scale"],
                fixed=fixed,
                tied=[tuple(name.strip() for name in t.split(",")) for t in given["tie"]],
                bounds=bounds_of(given["bound"]),
                penalties=_penalties(given["penalty"]) or None,
                censored=given["censored"],
                weights=given["weights"],
                sigma=given["sigma"],
                starts=starts_of(given["starts"]),
                protocol=protocol,
                missing=given["missing"],
                threads=given["threads"],
                rng=given["seed"],
                progress=progress,
            )
        if bootstrap:
            with progress_bar("bootstrap draws", quiet) as progress:
                draws = result.bootstrap(
                    bootstrap,
                    kind,
                    by=by,
                    studentize=method == "studentized",
                    rng=given["seed"],
                    threads=given["threads"],
                    progress=progress,
                )
    except Interrupted as stop:
        interrupted = stop
        if isinstance(stop.result, Fit):
            result = stop.result
        elif isinstance(stop.result, Bootstrap):
            draws = stop.result
        if result is None:
            raise
    return Fitted(result, draws, method, interrupted)


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
    from .outputs import check_plot, draw_plot, write_report

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
