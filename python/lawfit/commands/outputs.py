"""`lawfit report`, `plot` and `export`: what is made from a fit for people and other programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..errors import InputError
from ..export import export_model
from ..result import Fit, load
from .common import (
    fail,
    pairs_of,
    progress_bar,
    quiet_option,
    read_table,
    reading_options,
    table_options,
    threads_option,
)
from .fit import fit_table, law_options

__all__ = ["export_command", "plot_command", "report_command"]

PLOTS = (
    "against_runs",
    "residuals",
    "starts",
    "loss_contours",
    "profiles",
    "draws",
    "contours",
    "backtest",
    "frontier",
)
FORMATS = (".png", ".svg", ".pdf", ".jpg")


# --- report ---------------------------------------------------------------------------------------


def write_report(fit: Fit, out: str, draws: Any, quiet: bool, **options: Any) -> None:
    """Write a report with a progress bar, and say where it is."""
    from ..report import report

    with progress_bar("report", quiet) as progress:
        report(fit, out, bootstrap=draws, progress=progress, **options)
    if not quiet:
        click.echo(f"report: {out}")


@click.command("report", no_args_is_help=True)
@table_options
@law_options
@click.option("--out", required=True, type=click.Path(), metavar="OUT",
              help="The file to write, ending in .html or .md.")  # fmt: skip
@click.option("--runs", "table", metavar="RUNS", help="The fitted runs, if a FIT.json is given.")
@click.option("--cost", default="6*N*D", show_default=True, help="Formula of a plan's cost.")
@click.option("--order", metavar="FORMULA", help="Which runs are small, for the backtest.")
@click.option("--multiverse", metavar="FORMULA",
              help='What to follow under other choices: "beta / (alpha + beta)".')  # fmt: skip
@click.option("--title", help="Title of the report.")
@click.option("--answer", multiple=True, metavar="KEY=TEXT",
              help='Answer to the checklist: --answer metric="C4, nats per token".')  # fmt: skip
@click.option("--no-plots", is_flag=True, help="Leave plots out.")
@quiet_option
def report_command(
    out: str,
    table: str | None,
    cost: str,
    order: str | None,
    multiverse: str | None,
    title: str | None,
    answer: tuple[str, ...],
    no_plots: bool,
    quiet: bool,
    **given: Any,
) -> int:
    """Write a report of a fit as one file; RUNS is a table to fit, or the FIT.json of a fit.

    A FIT.json does not hold its runs: give them with --runs, and the --column, --derive, --where,
    --weights, --sigma and --censored of the fit, for plots, intervals and backtest.

    \b
    Examples:
      lawfit report runs.csv --law chinchilla --bootstrap 1000 --out report.html
      lawfit report runs.csv --law chinchilla --multiverse "beta / (alpha + beta)" --out r.html
      lawfit report fit.json --runs runs.csv --out report.html
      lawfit report fit.json --runs runs.csv --answer code=https://example.org --out report.md
    """  # noqa: D301
    from ..report.make import check_path

    check_path(out)
    options = {
        "cost": cost, "order": order, "title": title, "figures": not no_plots,
        "multiverse": multiverse,
        "answers": pairs_of(answer, "--answer", 'metric="C4, nats per token"'),
        "threads": given["threads"],
    }  # fmt: skip
    if not given["runs"].endswith(".json"):
        if table is not None:
            raise InputError("--runs goes with a FIT.json; a table is fitted as it is")
        made = fit_table(given, quiet)
        if made.interrupted is not None:
            return fail(str(made.interrupted), 130)
        write_report(made.fit, out, made.draws, quiet, **options)
        return 0 if made.fit.success else fail(made.fit.message, 1)
    if given["law_text"] is not None:
        raise InputError("a FIT.json has its law: leave out --law, or give the table of runs")
    fit = load(given["runs"])
    if table is not None:
        fit = _joined(fit, table, given)
    write_report(fit, out, given["bootstrap"] or None, quiet, **options)
    return 0


def _joined(fit: Fit, table: str, given: dict[str, Any]) -> Fit:
    """Join a fit from a file with its table, read with the options of the fit."""
    from ..report import with_runs

    runs = read_table(table, given["column"], given["derive"], given["where"])
    names = ("weights", "sigma", "censored", "missing")
    kept = {n: given[n] for n in names if given.get(n) is not None}
    return with_runs(fit, runs, threads=given["threads"], **kept)


# --- plots ----------------------------------------------------------------------------------------


def check_plot(out: str | None) -> None:
    """Raise InputError if a plot cannot be written under this name, or matplotlib is missing."""
    if out is None:
        return
    suffix = Path(out).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{out}: the name of a plot must end in {', '.join(FORMATS)}")
    if not Path(out).absolute().parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {Path(out).parent}")
    from ..plots.style import styled

    with styled():
        pass


def draw_plot(fit: Fit, what: str, out: str, draws: int = 1000) -> None:
    """Draw one of `PLOTS` into a file."""
    import matplotlib

    from ..plots.style import figure_of, save

    matplotlib.use("Agg")
    axes = np.ravel(_axes(fit, what, draws))
    save(figure_of(axes[0]), out)


def _axes(fit: Fit, what: str, draws: int) -> Any:
    from .. import plots
    from ..report.material import Material

    if what in ("against_runs", "residuals", "starts", "loss_contours"):
        return fit.plot(what)
    if what == "profiles":
        return plots.profiles(fit.profiles())
    if what == "draws":
        return plots.draws(fit.bootstrap(draws, rng=fit.seed), estimate=fit.params)
    if what == "contours":
        return plots.contours(fit)
    material = Material(fit, None, 0.95, "6*N*D", None, {}, None)
    if what == "backtest":
        return plots.backtest(material.backtest)
    return plots.frontier(material.frontier)


@click.command("plot", no_args_is_help=True)
@click.argument("fit_path", metavar="FIT.json")
@click.option("--runs", "table", metavar="RUNS", help="The fitted runs, or - for standard input.")
@reading_options
@click.option("--weights", metavar="COLUMN", help="Weights of the rows, as in the fit.")
@click.option("--sigma", metavar="COLUMN", help="Standard deviations, as in the fit.")
@click.option("--censored", metavar="COLUMN", help="Censored rows, as in the fit.")
@click.option("--missing", default="raise", help="Rows that are not finite: raise or omit.")
@click.option("--what", type=click.Choice(PLOTS), default="against_runs", show_default=True)
@click.option("--draws", type=click.IntRange(min=10), default=1000, show_default=True,
              help="Bootstrap draws of --what draws.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(), metavar="OUT",
              help="The file to write: .png, .svg or .pdf.")  # fmt: skip
@threads_option
@quiet_option
def plot_command(
    fit_path: str, table: str | None, what: str, draws: int, out: str, quiet: bool, **given: Any
) -> None:
    """Draw a fit that `lawfit fit --json` wrote.

    \b
    Examples:
      lawfit plot fit.json --runs runs.csv --what residuals --out residuals.png
      lawfit plot fit.json --what starts --out starts.svg
    """  # noqa: D301
    check_plot(out)
    fit = load(fit_path)
    if table is not None:
        fit = _joined(fit, table, given)
    elif what not in ("starts", "frontier"):
        raise InputError(f"--what {what} needs the fitted runs: --runs RUNS")
    draw_plot(fit, what, out, draws)
    if not quiet:
        click.echo(f"plot: {out}")


# --- export ---------------------------------------------------------------------------------------


@click.command("export", no_args_is_help=True)
@click.argument("law_or_fit", metavar="FIT.json|LAW")
@click.option("--out", type=click.Path(), metavar="OUT", help="The file to write. [default: print]")
@click.option("--variable", multiple=True, metavar="NAME",
              help="A column of a formula whose columns are not known.")  # fmt: skip
@click.option("--loss", help="huber:1e-3, squared, ... [default: the fit's, or huber:1e-3]")
@click.option("--residual", help="log, linear or logit. [default: the fit's, or log]")
@click.option("--scale", help="fixed or fitted. [default: the fit's, or fixed]")
@quiet_option
def export_command(
    law_or_fit: str,
    out: str | None,
    variable: tuple[str, ...],
    loss: str | None,
    residual: Any,
    scale: Any,
    quiet: bool,
) -> None:
    """Write a fit, or a law, as JSON for the C++ and C libraries.

    \b
    Examples:
      lawfit export fit.json --out model.json
      lawfit export chinchilla --loss squared --out model.json
    """  # noqa: D301
    is_file = os.path.exists(law_or_fit) or law_or_fit.endswith(".json")
    source = load(law_or_fit) if is_file else law_or_fit
    text = export_model(
        source, out, variables=variable or None, residual=residual, loss=loss, scale=scale
    )
    if out is None:
        click.echo(text)
    elif not quiet:
        click.echo(f"model: {out}")
