"""The `lawfit` command: turns words on the command line into calls, and results into text."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from . import _core, listing
from .benchmark import benchmark, format_report
from .commands.common import (
    fail,
    many,
    progress_bar,
    quiet_option,
    read_table,
    starts_of,
    table_options,
    tell,
    threads_option,
)
from .commands.fit_command import fit_command
from .commands.outputs import export_command, plot_command, report_command
from .commands.plan import plan_command
from .demo import demonstrate, format_demonstration
from .errors import FitError, InputError
from .laws import law
from .runs import Runs
from .saving import write_json

__all__ = ["app", "run"]

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_core.info()["version"], message="lawfit %(version)s")
def app() -> None:
    """Fit scaling laws to the optimum, with honest uncertainty."""


for _command in (fit_command, plan_command, report_command, plot_command, export_command):
    app.add_command(_command)


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit status.

    0: done. 1: the fit failed. 2: the input is wrong. 130: interrupted.
    """
    try:
        result = app(args=arguments, prog_name="lawfit", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except InputError as error:
        return fail(error, 2)
    except FitError as error:
        return fail(error, 1)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.ctx.get_help() if error.ctx else error, file=sys.stderr)
        return 2
    except click.ClickException as error:
        return fail(error.format_message(), 2)
    except (KeyboardInterrupt, click.exceptions.Abort) as error:
        return fail(str(error.__cause__ or error) or "interrupted", 130)  # Abort hides the cause
    except BrokenPipeError:
        sys.stderr.close()
        return 0


# --- commands -------------------------------------------------------------------------------------


@app.command()
@threads_option
@quiet_option
def demo(threads: int | None, quiet: bool) -> None:
    """Fit the trained runs that come with lawfit, predict the largest, and plan.

    \b
    Example:
      lawfit demo --threads 2
    """  # noqa: D301
    with progress_bar("fit", quiet) as progress:
        shown = demonstrate(threads, progress)
    if not quiet:
        tell(format_demonstration(shown))


@app.command("laws")
@click.option("--theme", metavar="THEME", help="Of one theme only.")
@click.option("--search", metavar="TEXT", help="With TEXT in name, title, formula or notes.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def list_laws(names: tuple[str, ...], theme: str | None, search: str | None, as_json: bool) -> None:
    """List the catalogue, or show the laws of the given NAMEs in full.

    \b
    Examples:
      lawfit laws --search repeated
      lawfit laws chinchilla kaplan
    """  # noqa: D301
    if names and (theme is not None or search is not None):
        raise InputError("give names, or --theme and --search, not both")
    chosen = [law(name) for name in names] or listing.find(search or "", theme)
    if as_json:
        print(json.dumps([listing.entry(one) for one in chosen], indent=2))
    elif names:
        print("\n\n".join(listing.page(one) for one in chosen))
    elif chosen:
        print(listing.table(chosen))
        count = f"{len(chosen)} law{'s' if len(chosen) > 1 else ''}"
        print(f"\n{count}. One in full: lawfit laws NAME")
    else:
        print("no law mentions it")


def _settings_options(command: Command) -> Command:
    """Add what every command that compares fits takes: settings of the fits, and outputs."""
    for option in (
        quiet_option,
        click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write here."),
        threads_option,
        click.option("--seed", "rng", type=click.IntRange(min=0), default=0, help="Seed."),
        click.option("--missing", default="raise", help="Rows not finite: raise or omit."),
        click.option("--starts", default="auto", help="auto, or a number."),
        click.option("--protocol", help="A published recipe, e.g. hoffmann2022."),
        click.option("--scale", help="fixed or fitted. [default: fixed]"),
        click.option("--residual", help="log, linear or logit. [default: log]"),
        click.option("--loss", help="huber:1e-3, squared, ... [default: huber:1e-3]"),
        click.option("--order", default="C", help='Column or formula. [default: C, or "6*N*D"]'),
    ):
        command = option(command)
    return command


def _table_and_settings(given: dict[str, Any]) -> tuple[Runs, dict[str, Any]]:
    """Split a command's options into the table and what is passed on."""
    table = read_table(*(given.pop(name) for name in ("runs", "column", "derive", "where")))
    return table, {**given, "starts": starts_of(given["starts"])}


@app.command("backtest", no_args_is_help=True)
@table_options
@_settings_options
@click.option("--law", required=True, help="Name in the catalogue, or a formula.")
@click.option("--steps", type=int, default=5, help="Number of splits. [default: 5]")
@click.option("--first", type=float, help="Share of the rows in the first training set.")
@click.option("--ahead", default="next", help="Predict up to the next border, or all larger runs.")
@click.option("--by", metavar="COLUMN", help="Leave out one group of this column at a time.")
def backtest_command(law: str, json_out: str | None, quiet: bool, **given: Any) -> int:
    """Fit a law on small runs and predict larger ones.

    \b
    Examples:
      lawfit backtest runs.csv --law chinchilla --order "6*N*D" --steps 5
      lawfit backtest runs.csv --law chinchilla --by family
    """  # noqa: D301
    from .selection import backtest as backtest_law

    table, settings = _table_and_settings(given)
    with progress_bar("splits", quiet) as progress:
        result = backtest_law(law, table, progress=progress, **settings)
    if not quiet:
        tell(str(result))
    if json_out is not None:
        pooled = {"inside": vars(result.inside), "outside": vars(result.outside)}
        write_json(json_out, {"law": str(law), "splits": result.table(), **pooled})
    if len(result.failed) == len(result.splits):
        return fail("no split could be predicted", 1)
    return 0


@app.command("compare", no_args_is_help=True)
@table_options
@_settings_options
@many("--law", metavar="LAW", help='Name in the catalogue, formula, or "name = formula".')
@click.option("--by", default="holdout", help="holdout, backtest, group, cv, loo, aic, aicc, bic.")
@click.option("--share", type=float, default=0.5, help="Share of the rows that holdout fits.")
@click.option("--steps", type=int, default=5, help="Number of steps of backtest.")
@click.option("--folds", type=int, default=5, help="Number of folds of cv.")
@click.option("--groups", metavar="COLUMN", help="Groups to leave out one at a time.")
@click.option("--metric", default="are", help="are, rmse or mae.")
@many("--nested", metavar="SMALL,BIG", help="Laws of which the second contains the first.")
def compare_command(
    law: tuple[str, ...], nested: tuple[str, ...], json_out: str | None, quiet: bool, **given: Any
) -> int:
    """Rank laws by what they predict.

    \b
    Example:
      lawfit compare runs.csv --law chinchilla --law kaplan --law "mine = E + A / C**p"
    """  # noqa: D301
    from .selection import compare as compare_laws

    table, settings = _table_and_settings(given)
    named = [re.fullmatch(r"\s*([\w-]+)\s*=(?!=)\s*(.+)", text) for text in law]
    laws = {m[1] if m else text: m[2] if m else text for m, text in zip(named, law, strict=True)}
    if len(laws) < len(law):
        raise InputError('two laws have the same name; name them: --law "name = formula"')
    pairs = [tuple(name.strip() for name in text.split(",")) for text in nested]
    with progress_bar("fits", quiet) as progress:
        result = compare_laws(laws, table, nested=pairs, progress=progress, **settings)
    if not quiet:
        tell(str(result))
    if json_out is not None:
        tests = [vars(test) for test in result.tests]
        best = result.best.to_dict()
        write_json(
            json_out, {"by": result.by, "laws": result.table(), "tests": tests, "best": best}
        )
    return 0


@app.command()
@click.option("--quick", is_flag=True, help="Fewer repeats: under ten seconds.")
@threads_option
@click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write figures here.")
@quiet_option
def bench(quick: bool, threads: int | None, json_out: str | None, quiet: bool) -> None:
    """Measure how fast lawfit is on this machine.

    \b
    Example:
      lawfit bench --quick --json bench.json
    """  # noqa: D301
    with progress_bar("measurements", quiet) as progress:
        report = benchmark(quick=quick, threads=threads, progress=progress)
    if not quiet:
        tell(format_report(report))
    if json_out is not None:
        write_json(json_out, report)


@app.command()
def info() -> None:
    """Show version, compiler, instruction set and threads.

    \b
    Example:
      lawfit info
    """  # noqa: D301
    facts = _core.info()
    runs_here = ", ".join(facts["instruction_sets"])
    parallel = f"OpenMP, {facts['threads']} threads"
    print(f"lawfit {facts['version']}")
    print(f"compiler         {facts['compiler']}")
    print(f"instruction set  {facts['instruction_set']} (this processor runs {runs_here})")
    print(f"threads          {parallel if facts['openmp'] else 'serial: built without OpenMP'}")
    print(f"python           {sys.version.split()[0]}")
