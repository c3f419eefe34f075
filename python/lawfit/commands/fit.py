"""A fit with its draws from the options of the command line, which several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from ..errors import InputError, Interrupted
from ..fitting import fit as fit_law
from ..protocols import protocol as find_protocol
from ..result import Fit
from ..uncertainty.bootstrap import Bootstrap
from ..uncertainty.draw_intervals import METHODS
from ..uncertainty.resampling import KINDS
from .common import (
    bounds_of,
    many,
    number,
    pairs_of,
    progress_bar,
    read_table,
    starts_of,
    threads_option,
)

__all__ = ["Fitted", "fit_table", "law_options"]

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
