"""What commands share: options, progress, messages, and the table of runs."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from ..errors import InputError
from ..runs import Runs, parse_derivation, read

__all__ = [
    "bounds_of",
    "fail",
    "many",
    "number",
    "pairs_of",
    "progress_bar",
    "quiet_option",
    "read_table",
    "starts_of",
    "table_options",
    "tell",
    "threads_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])

SHOWN_AFTER = 1.0  # seconds: what is done sooner needs no bar


def fail(message: object, status: int) -> int:
    """Print a message to standard error, red on a terminal, and return the status."""
    click.echo(f"{click.style('lawfit:', fg='red', bold=True)} {message}", err=True)
    return status


def tell(text: str, **style: Any) -> None:
    """Print text; on a terminal, lines longer than it is wide are broken at blanks, not in words.

    Warnings are yellow there.

    Parameters
    ----------
    text : str
    **style
        Of `click.style`, for the other lines.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in text.split("\n"):
        shown = line
        if width and len(line) > width:
            indent = " " * (len(line) - len(line.lstrip()) + 2)
            shown = textwrap.fill(line, width, subsequent_indent=indent, drop_whitespace=True,
                                  break_long_words=False, break_on_hyphens=False)  # fmt: skip
        color: dict[str, Any] = {"fg": "yellow"} if line.lstrip().startswith("warning:") else style
        click.echo(click.style(shown, **color) if color else shown)


@contextmanager
def progress_bar(label: str, quiet: bool) -> Iterator[Callable[[int, int], None] | bool]:
    """Give a progress bar with the time left; nothing unless standard error is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield False
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if console.is_dumb_terminal:  # cannot move its cursor, so that no line can be replaced
        yield False
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
    )
    task = bar.add_task(label, total=None)
    # A timer, because the first call may come late: until then the bar moves without a share.
    late = threading.Timer(SHOWN_AFTER, bar.start)
    late.daemon = True
    late.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        late.cancel()
        late.join()
        if bar.live.is_started:
            bar.stop()


# --- options --------------------------------------------------------------------------------------


def pairs_of(given: Sequence[str], option: str, example: str) -> dict[str, str]:
    """Read options like NAME=VALUE."""
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"{option} {text!r} must look like {option} {example}")
        pairs[name.strip()] = value.strip()
    return pairs


def number(text: str, what: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{what}: {text!r} is not a number") from None


def bounds_of(given: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Read --bound NAME=LOW:HIGH; an end may be left out."""
    bounds = {}
    for name, text in pairs_of(given, "--bound", "alpha=0:2").items():
        low, colon, high = text.partition(":")
        if not colon:
            raise InputError(f"--bound {name}={text} must look like --bound alpha=0:2")
        bounds[name] = (
            number(low, f"--bound {name}") if low else float("-inf"),
            number(high, f"--bound {name}") if high else float("inf"),
        )
    return bounds


def starts_of(text: str) -> int | str:
    """Read --starts: a number, or a word."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else text


def many(*names: str, metavar: str, help: str) -> Callable[[Command], Command]:
    """Add an option that may be given more than once."""
    return click.option(*names, multiple=True, metavar=metavar, help=help)


def reading_options(command: Command) -> Command:
    """Add what is done to a table before it is used."""
    for option in (
        many("--where", metavar="CONDITION", help='Keep rows: --where "outlier == 0".'),
        many("--derive", metavar="FORMULA", help='Compute a column: --derive "D = C/(6*N)".'),
        many("--column", metavar="NAME=COLUMN", help='Rename: --column N="Model Size".'),
    ):
        command = option(command)
    return command


def table_options(command: Command) -> Command:
    """Add what every command that reads a table of runs takes."""
    command = reading_options(command)
    for option in (
        click.option("--target", metavar="COLUMN", help="Column to predict. [default: loss]"),
        click.argument("runs", metavar="RUNS"),
    ):
        command = option(command)
    return command


def read_table(
    runs: str, column: Sequence[str], derive: Sequence[str], where: Sequence[str]
) -> Runs:
    """Read a table from a file, or from standard input if its name is "-"."""
    source: Any = runs
    if runs == "-":
        if sys.stdin.isatty():
            raise InputError('"-" reads runs from standard input: lawfit ... - < runs.csv')
        source = getattr(sys.stdin, "buffer", sys.stdin)
    return read(
        source,
        columns=pairs_of(column, "--column", 'N="Model Size"'),
        derive=dict(map(parse_derivation, derive)),
        where=where,
    )


threads_option = click.option("--threads", type=click.IntRange(min=1), help="[default: all]")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress, no text.")
