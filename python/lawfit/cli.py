"""The `lawfit` command: turns words on the command line into calls, and results into text."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from . import _core, listing
from .benchmark import benchmark, format_report
from .demo import demonstrate, format_demonstration
from .errors import FitError, InputError, Interrupted
from .fitting import fit as fit_law
from .laws import law
from .planning.plan import plan
from .protocols import protocol as find_protocol
from .result import Fit, load
from .runs import Runs, parse_derivation, read
from .saving import write_json
from .uncertainty.bootstrap import Bootstrap
from .uncertainty.intervals import METHODS
from .uncertainty.resampling import KINDS

__all__ = ["app", "run"]

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_core.info()["version"], message="lawfit %(version)s")
def app() -> None:
    """Fit scaling laws to the optimum, with honest uncertainty."""


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit status.

    0: done. 1: the fit failed. 2: the input is wrong. 130: interrupted.
    """
    try:
        result = app(args=arguments, prog_name="lawfit", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except InputError as error:
        return _fail(error, 2)
    except FitError as error:
        return _fail(error, 1)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.ctx.get_help() if error.ctx else error, file=sys.stderr)
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except (KeyboardInterrupt, click.exceptions.Abort) as error:
        return _fail(str(error.__cause__ or error) or "interrupted", 130)  # Abort hides the cause
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _fail(message: object, status: int) -> int:
    print(f"lawfit: {message}", file=sys.stderr)
    return status


@contextmanager
def _progress(label: str, quiet: bool) -> Iterator[Callable[[int, int], None] | bool]:
    """Give a progress bar with the time left; nothing unless standard error is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield False
        return
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    with Progress(
        *Progress.get_default_columns()[:-1],
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# --- options --------------------------------------------------------------------------------------


def _pairs(given: Sequence[str], option: str, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} {text!r} must look like {option} {example}")
        pairs[name.strip()] = value.strip()
    return pairs


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{what}: {text!r} is not a number") from None


def _bounds(given: Sequence[str]) -> dict[str, tuple[float, float]]:
    bounds = {}
    for name, text in _pairs(given, "--bound", "alpha=0:2").items():
        low, colon, high = text.partition(":")
        if not colon:
            raise InputError(f"--bound {name}={text} must look like --bound alpha=0:2")
        bounds[name] = (
            _number(low, f"--bound {name}") if low else float("-inf"),
            _number(high, f"--bound {name}") if high else float("inf"),
        )
    return bounds


def _many(*names: str, metavar: str, help: str) -> Callable[[Command], Command]:
    return click.option(*names, multiple=True, metavar=metavar, help=help)


def _table_options(command: Command) -> Command:
    """Add what every command that reads a table of runs takes."""
    for option in (
        _many("--where", metavar="CONDITION", help='Keep rows: --where "outlier == 0".'),
        _many("--derive", metavar="FORMULA", help='Compute a column: --derive "D = C/(6*N)".'),
        _many("--column", metavar="NAME=COLUMN", help='Rename: --column N="Model Size".'),
        click.option("--target", metavar="COLUMN", help="Column to predict. [default: loss]"),
        click.argument("runs", metavar="RUNS"),
    ):
        command = option(command)
    return command


_threads = click.option("--threads", type=click.IntRange(min=1), help="Threads. [default: all]")
_quiet = click.option("--quiet", "-q", is_flag=True, help="No progress, no text.")


# --- commands -------------------------------------------------------------------------------------


@app.command()
@_threads
@_quiet
def demo(threads: int | None, quiet: bool) -> None:
    """Fit the trained runs that come with lawfit, predict the largest, and plan."""
    with _progress("fit", quiet) as progress:
        shown = demonstrate(threads, progress)
    if not quiet:
        print(format_demonstration(shown))


@app.command("laws")
@click.option("--theme", metavar="THEME", help="Of one theme only.")
@click.option("--search", metavar="TEXT", help="With TEXT in name, title, formula or notes.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def list_laws(names: tuple[str, ...], theme: str | None, search: str | None, as_json: bool) -> None:
    """List the catalogue, or show the laws of the given NAMEs in full."""
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


@app.command("fit", no_args_is_help=True)
@_table_options
@click.option(
    "--law", "law_text", help="Name in the catalogue, or a formula. [default: the protocol's]"
)
@click.option(
    "--loss", help="huber:1e-3, squared, absolute, quantile:0.9, ... [default: huber:1e-3]"
)
@click.option("--residual", help="log, linear or logit. [default: log]")
@click.option("--scale", help="fixed or fitted. [default: fixed]")
@click.option("--protocol", help="A published recipe, e.g. hoffmann2022.")
@click.option("--starts", default="auto", help="auto, a number, or the name of a protocol.")
@_many("--fix", metavar="NAME=VALUE", help="Hold a parameter at a value.")
@_many("--tie", metavar="A,B", help="Parameters that share one value.")
@_many("--bound", metavar="NAME=LOW:HIGH", help="Limit a parameter.")
@click.option("--weights", metavar="COLUMN", help="Weights of the rows.")
@click.option("--sigma", metavar="COLUMN", help="Standard deviations of the residuals.")
@click.option("--missing", default="raise", help="Rows that are not finite: raise or omit.")
@click.option("--bootstrap", type=click.IntRange(min=0), default=0, help="Bootstrap draws.")
@click.option(
    "--bootstrap-kind",
    type=click.Choice(list(KINDS)),
    default="cases",
    show_default=True,
    help="What a draw resamples.",
)
@click.option("--by", metavar="COLUMN", help="Strata, clusters or curves of the bootstrap.")
@click.option(
    "--interval-method",
    type=click.Choice(METHODS),
    default="percentile",
    show_default=True,
    help="How intervals are read off the draws.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of starts and draws.")
@_threads
@click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write the fit here.")
@_quiet
def fit_command(
    runs: str,
    law_text: str | None,
    target: str | None,
    column: tuple[str, ...],
    derive: tuple[str, ...],
    where: tuple[str, ...],
    loss: str | None,
    residual: str | None,
    scale: str | None,
    protocol: str | None,
    starts: str,
    fix: tuple[str, ...],
    tie: tuple[str, ...],
    bound: tuple[str, ...],
    weights: str | None,
    sigma: str | None,
    missing: str,
    bootstrap: int,
    bootstrap_kind: str,
    by: str | None,
    interval_method: str,
    seed: int,
    threads: int | None,
    json_out: str | None,
    quiet: bool,
) -> int:
    """Fit a law to a table of runs.

    \b
    Examples:
      lawfit fit runs.csv --law chinchilla --bootstrap 4000
      lawfit fit runs.csv --law "E + A / N**alpha" --column N="Model Size" --target val_loss
    """  # noqa: D301
    if law_text is None:
        if protocol is None:
            raise InputError("give --law NAME or FORMULA, or a --protocol, which has its law")
        law_text = find_protocol(protocol).law
    table = read(
        runs,
        columns=_pairs(column, "--column", 'N="Model Size"'),
        derive=dict(map(parse_derivation, derive)),
        where=where,
    )
    fixed = {k: _number(v, f"--fix {k}") for k, v in _pairs(fix, "--fix", "E=1.69").items()}
    if not bootstrap and (by, bootstrap_kind, interval_method) != (None, "cases", "percentile"):
        raise InputError("--bootstrap-kind, --by and --interval-method need --bootstrap DRAWS")
    result: Fit | None = None
    draws: Bootstrap | None = None
    interrupted: Interrupted | None = None
    try:
        with _progress("starts", quiet) as progress:
            result = fit_law(
                law_text,
                table,
                target,
                residual=residual,  # type: ignore[arg-type]
                loss=loss,
                scale=scale,  # type: ignore[arg-type]
                fixed=fixed,
                tied=[tuple(name.strip() for name in t.split(",")) for t in tie],
                bounds=_bounds(bound),
                weights=weights,
                sigma=sigma,
                starts=int(starts) if re.fullmatch(r"[+-]?[0-9]+", starts) else starts,
                protocol=protocol,
                missing=missing,
                threads=threads,
                rng=seed,
                progress=progress,
            )
        if bootstrap:
            with _progress("bootstrap draws", quiet) as progress:
                draws = result.bootstrap(
                    bootstrap,
                    bootstrap_kind,
                    by=by,
                    studentize=interval_method == "studentized",
                    rng=seed,
                    threads=threads,
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
    if not quiet:
        _print_fit(result, draws, interval_method)
    if json_out is not None:
        write_json(json_out, _fit_json(result, draws, interval_method, interrupted))
    if interrupted is not None:
        return _fail(f"{interrupted}; what was finished is above", 130)
    if not result.success:
        return _fail(result.message, 1)
    return 0


def _fit_json(
    result: Fit, draws: Bootstrap | None, method: str, interrupted: Interrupted | None
) -> dict[str, Any]:
    data = result.to_dict()
    if draws is not None:
        data["intervals"] = {k: list(v) for k, v in draws.intervals(method=method).items()}
        data["bootstrap"] = {
            "kind": draws.kind,
            "by": draws.by,
            "interval_method": method,
            "draws": len(draws),
            "seed": draws.seed,
            "converged": draws.converged,
            "disagreement": draws.disagreement,
            "standard_errors": draws.standard_errors(),
            "warnings": list(draws.warnings),
        }
    if interrupted is not None:
        data["interrupted"] = str(interrupted)
    return data


def _print_fit(result: Fit, draws: Bootstrap | None, method: str = "percentile") -> None:
    print(result.summary())
    if draws is None:
        return
    kind = draws.kind if draws.by is None else f"{draws.kind} by {draws.by}"
    how = "" if method == "percentile" else f"{method}, "
    print(f"95 % intervals from {len(draws):,} bootstrap draws ({how}{kind}, seed {draws.seed}):")
    width = max(map(len, draws.draws))
    for name, (low, high) in draws.intervals(method=method).items():
        print(f"  {name:<{width}}  {low:.5g} to {high:.5g}")
    if draws.converged < 1 or draws.disagreement > 0:
        print(
            f"  {draws.converged:.1%} of the refits converged; in {draws.disagreement:.1%} a "
            "spread start did better than the warm one"
        )
    for warning in draws.warnings:
        print(f"  warning: {warning}")


def _over(given: Sequence[str]) -> dict[str, Any]:
    """Read --over N=1e8:1e13 (a range), P=4,8,16 (a list), k=1..64 (integers), U=1e11 (fixed)."""
    over: dict[str, Any] = {}
    for name, text in _pairs(given, "--over", "N=1e8:1e13").items():
        where = f"--over {name}"
        if match := re.fullmatch(r"(\d+)\.\.(\d+)", text):
            over[name] = range(int(match[1]), int(match[2]) + 1)
        elif ":" in text:
            ends = text.split(":")
            if len(ends) != 2:
                raise InputError(f"{where}={text} must look like --over N=1e8:1e13")
            over[name] = (_number(ends[0], where), _number(ends[1], where))
        elif "," in text:
            over[name] = [_number(part, where) for part in text.split(",")]
        else:
            try:
                over[name] = float(text)
            except ValueError:
                over[name] = text  # the level of a group
    return over


@app.command("plan", no_args_is_help=True)
@click.argument("law_or_fit", metavar="FIT.json|LAW")
@click.option("--budget", help="What the cost may be: least loss for it.")
@click.option("--target-loss", help="The loss to reach: least cost for it.")
@click.option("--cost", default="6*N*D", show_default=True, help="Formula of the cost.")
@_many("--constraint", metavar="COMPARISON", help='Must hold: --constraint "D <= 1.5e13".')
@_many("--over", metavar="NAME=VALUES", help="N=1e8:1e13, P=4,8,16, k=1..64 or U=1e11.")
@click.option("--params", metavar="NAME", help="Published coefficients of a law.")
@click.option("--maximize", is_flag=True, help="More is better: accuracies.")
@click.option("--cells", default="1e6", show_default=True, help="Cells of the grid, about.")
@_threads
@click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write the plan here.")
@_quiet
def plan_command(
    law_or_fit: str,
    budget: str | None,
    target_loss: str | None,
    cost: str,
    constraint: tuple[str, ...],
    over: tuple[str, ...],
    params: str | None,
    maximize: bool,
    cells: str,
    threads: int | None,
    json_out: str | None,
    quiet: bool,
) -> None:
    """Find the best plan under a fitted law, or a law of the catalogue with --params.

    \b
    Examples:
      lawfit plan fit.json --budget 1e24 --constraint "D <= 1.5e13"
      lawfit plan chinchilla --params besiroglu2024 --target-loss 2.0 --cost "6*N*D + 2*N*2e12"
    """  # noqa: D301
    is_file = os.path.exists(law_or_fit) or law_or_fit.endswith(".json")
    with _progress("cells", quiet) as progress:
        made = plan(
            load(law_or_fit) if is_file else law_or_fit,
            None if budget is None else _number(budget, "--budget"),
            target_loss=None if target_loss is None else _number(target_loss, "--target-loss"),
            cost=cost,
            over=_over(over),
            constraints=constraint,
            params=params,
            maximize=maximize,
            cells=_number(cells, "--cells"),
            threads=threads,
            progress=progress,
        )
    if not quiet:
        print(made.summary())
    if json_out is not None:
        write_json(json_out, made.to_dict())


def _settings_options(command: Command) -> Command:
    """Add what every command that compares fits takes: settings of the fits, and outputs."""
    for option in (
        _quiet,
        click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write here."),
        _threads,
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
    table = read(
        given.pop("runs"),
        columns=_pairs(given.pop("column"), "--column", 'N="Model Size"'),
        derive=dict(map(parse_derivation, given.pop("derive"))),
        where=given.pop("where"),
    )
    if re.fullmatch(r"[+-]?[0-9]+", given["starts"]):
        given["starts"] = int(given["starts"])
    return table, given


@app.command("backtest", no_args_is_help=True)
@_table_options
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
    with _progress("splits", quiet) as progress:
        result = backtest_law(law, table, progress=progress, **settings)
    if not quiet:
        print(result)
    if json_out is not None:
        pooled = {"inside": vars(result.inside), "outside": vars(result.outside)}
        write_json(json_out, {"law": str(law), "splits": result.table(), **pooled})
    if len(result.failed) == len(result.splits):
        return _fail("no split could be predicted", 1)
    return 0


@app.command("compare", no_args_is_help=True)
@_table_options
@_settings_options
@_many("--law", metavar="LAW", help='Name in the catalogue, formula, or "name = formula".')
@click.option("--by", default="holdout", help="holdout, backtest, group, cv, loo, aic, aicc, bic.")
@click.option("--share", type=float, default=0.5, help="Share of the rows that holdout fits.")
@click.option("--steps", type=int, default=5, help="Number of steps of backtest.")
@click.option("--folds", type=int, default=5, help="Number of folds of cv.")
@click.option("--groups", metavar="COLUMN", help="Groups to leave out one at a time.")
@click.option("--metric", default="are", help="are, rmse or mae.")
@_many("--nested", metavar="SMALL,BIG", help="Laws of which the second contains the first.")
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
    with _progress("fits", quiet) as progress:
        result = compare_laws(laws, table, nested=pairs, progress=progress, **settings)
    if not quiet:
        print(result)
    if json_out is not None:
        tests = [vars(test) for test in result.tests]
        best = result.best.to_dict()
        write_json(
            json_out, {"by": result.by, "laws": result.table(), "tests": tests, "best": best}
        )
    return 0


@app.command()
@click.option("--quick", is_flag=True, help="Fewer repeats: under ten seconds.")
@_threads
@click.option("--json", "json_out", type=click.Path(), metavar="OUT", help="Write figures here.")
@_quiet
def bench(quick: bool, threads: int | None, json_out: str | None, quiet: bool) -> None:
    """Measure how fast lawfit is on this machine."""
    report = benchmark(quick=quick, threads=threads)
    if not quiet:
        print(format_report(report))
    if json_out is not None:
        write_json(json_out, report)


@app.command()
def info() -> None:
    """Show version, compiler, instruction set and threads."""
    facts = _core.info()
    runs_here = ", ".join(facts["instruction_sets"])
    parallel = f"OpenMP, {facts['threads']} threads"
    print(f"lawfit {facts['version']}")
    print(f"compiler         {facts['compiler']}")
    print(f"instruction set  {facts['instruction_set']} (this processor runs {runs_here})")
    print(f"threads          {parallel if facts['openmp'] else 'serial: built without OpenMP'}")
    print(f"python           {sys.version.split()[0]}")
