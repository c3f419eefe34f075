"""Writing a report of a fit as HTML or Markdown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import _core
from ..errors import InputError
from ..progress import Progress
from ..result import Fit
from ..selection.multiverse import Multiverse
from ..uncertainty.bootstrap import Bootstrap
from ..uncertainty.quantiles import check_level
from .blocks import Document
from .checklist import check_answers
from .material import Material, with_runs
from .render_html import to_html
from .render_markdown import to_markdown
from .sections import make_sections

__all__ = ["check_path", "report"]

FORMATS = {".html": to_html, ".htm": to_html, ".md": to_markdown, ".markdown": to_markdown}


def report(
    fit: Fit,
    path: str | os.PathLike[str] | None = None,
    *,
    bootstrap: Bootstrap | int | None = None,
    runs: Any = None,
    confidence_level: float = 0.95,
    cost: str = "6*N*D",
    order: str | None = None,
    answers: Mapping[str, str] | None = None,
    multiverse: Multiverse | str | None = None,
    title: str | None = None,
    figures: bool = True,
    threads: int | None = None,
    progress: Progress = False,
) -> str:
    """Write a report of a fit: one file that needs nothing else.

    It holds a summary in words, the formula, coefficients with intervals, plots, diagnostics with
    remedies, a backtest, compute-optimal plans, the checklist of Li et al. (2025, arXiv
    2502.18969), and text for a paper: methods, LaTeX, BibTeX, versions and hashes. A section that
    cannot be made says why.

    Parameters
    ----------
    fit : Fit
    path : path, optional
        Ending in .html or .md. Without it nothing is written.
    bootstrap : Bootstrap or int, optional
        Draws that were made, or how many to make. Without it there are no bootstrap intervals and
        no intervals of plans.
    runs : mapping of arrays, DataFrame or path, optional
        The fitted rows, for a fit that was read from a file.
    confidence_level : float
    cost : str
        Formula over N and D of what a plan costs.
    order : str, optional
        Column or formula that says which runs are small, for the backtest. Default: C, or 6 N D,
        or the variable with the widest range.
    answers : mapping of str to str, optional
        Answers to open questions of the checklist, by their keys.
    multiverse : Multiverse or str, optional
        Other choices to show, from `lawfit.multiverse`; or the quantity to follow, such as
        ``"beta / (alpha + beta)"``, under three losses, two residuals, with and without outliers.
    title : str, optional
    figures : bool
        Whether to draw plots, which needs matplotlib (extra ``plot``).
    threads : int, optional
    progress : bool or callable(done, total)
        Counts sections, then figures.

    Returns
    -------
    str
        The text: HTML if `path` ends so, else Markdown; without `path` Markdown without plots.

    Raises
    ------
    InputError
        If the ending is unknown, the file cannot be written, `runs` are not the fitted rows, or an
        answer is given to a question that is not asked.

    Notes
    -----
    Formulas are set as MathML with the extra ``report``, and as plain text without it.
    """
    render = check_path(path)
    check_level(confidence_level)
    check_answers(answers or {})
    if isinstance(bootstrap, bool) or not isinstance(
        bootstrap, (Bootstrap, int, np.integer, type(None))
    ):
        raise InputError(f"bootstrap = {bootstrap!r} must be a Bootstrap or a number of draws")
    if not isinstance(multiverse, (Multiverse, str, type(None))):
        raise InputError(f"multiverse = {multiverse!r} must be a Multiverse or a formula")
    if runs is not None and fit._problem is None:
        fit = with_runs(fit, runs, threads=threads)
    boot = bootstrap if isinstance(bootstrap, Bootstrap) else None
    if isinstance(bootstrap, (int, np.integer)) and bootstrap > 0:
        boot = fit.bootstrap(int(bootstrap), rng=fit.seed, threads=threads)
    material = Material(
        fit, boot, confidence_level, cost, order, dict(answers or {}), threads, multiverse
    )
    name = fit.law.name or "A law"
    document = Document(
        title or f"{name}, fitted to {fit.source}",
        f"{fit.nobs} runs, target {fit.target}. Made with lawfit {_core.info()['version']}.",
        make_sections(material, figures and (path is not None), progress),
    )
    text = render(document)
    if path is not None:
        _write_text(path, text)
    return text


def check_path(path: str | os.PathLike[str] | None) -> Callable[[Document], str]:
    """Return what renders a file of this name, before anything long is computed.

    Raises
    ------
    InputError
        If the ending is unknown or there is no such folder.
    """
    if path is None:
        return to_markdown
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(
            f"{os.fspath(path)}: the name of a report must end in .html or .md, not in "
            f"{suffix or 'nothing'}"
        )
    if not Path(path).absolute().parent.is_dir():
        raise InputError(f"cannot write {os.fspath(path)}: there is no folder {Path(path).parent}")
    return FORMATS[suffix]


def _write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {os.fspath(path)}: {error.strerror}") from None
