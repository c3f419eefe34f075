"""What a published recipe is: objective, starts, rows, the authors' optimiser, its flaws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..law import Source
from ..losses import Loss
from ..starts import Grid

__all__ = ["Optimiser", "Protocol"]


@dataclass(frozen=True)
class Optimiser:
    """How the authors minimised, as far as SciPy can do the same.

    Parameters
    ----------
    text : str
        The method in words.
    method : str
        Of `scipy.optimize.minimize` ("L-BFGS-B", "BFGS") or `scipy.optimize.least_squares` ("trf",
        "lm"); "" where neither is what the authors ran.
    gradient : {"analytic", "differences"}
    reduction : {"sum", "mean"}
        Whether the loss was summed over rows or averaged, which moves absolute stopping tests.
    options : mapping
        Passed to SciPy; empty for its defaults.
    keep : {"best", "last"}
        Which start's result counted.
    residual_scale, huber : float, optional
        For least squares: a factor on the residuals, and the threshold of SciPy's Huber loss on
        what it gives.
    """

    text: str
    method: Literal["L-BFGS-B", "BFGS", "trf", "lm", ""] = ""
    gradient: Literal["analytic", "differences"] = "differences"
    reduction: Literal["sum", "mean"] = "sum"
    options: Mapping[str, Any] = field(default_factory=dict)
    keep: Literal["best", "last"] = "best"
    residual_scale: float = 1.0
    huber: float | None = None


@dataclass(frozen=True)
class Protocol:
    """How a paper fitted its law.

    `lawfit.fit` takes from it what is not given; `lawfit.compare_protocol` runs it as its authors
    did.

    Parameters
    ----------
    name : str
    law : str
        Name in the catalogue, or a formula.
    source : Source
    residual, loss, scale, fixed, tied, bounds, where
        As in `lawfit.fit`.
    starts : Grid, mapping of str to float, or "auto"
        The authors' starts, in natural units; "auto" where they have not said which.
    optimiser : Optimiser
    rows : str
        Which rows went into the authors' fit, and what was done to them before.
    aggregation : str
        What was made of many fits: seeds, resamples, starts.
    flaws : tuple of str
        What the authors' own run does other than it says, or that changes the answer.
    note : str
        Where lawfit's own way differs.
    """

    name: str
    law: str
    source: Source
    residual: Literal["log", "linear", "logit"]
    loss: Loss
    starts: Grid | Mapping[str, float] | Literal["auto"]
    optimiser: Optimiser
    scale: Literal["fixed", "fitted"] = "fixed"
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: tuple[Sequence[str], ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    rows: str = ""
    aggregation: str = ""
    flaws: tuple[str, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        given = len(self.starts) if isinstance(self.starts, Grid) else 1
        starts = "not recorded" if self.starts == "auto" else f"{given:,}"
        scale = ", scale fitted" if self.scale == "fitted" else ""
        arxiv = f", arXiv {self.source.arxiv}" if self.source.arxiv else ""
        lines = [
            f"{self.name}: {self.source.title}{arxiv}, {self.source.equation}",
            f"law: {self.law}",
            f"objective: {self.residual} residuals, {self.loss}{scale}",
            f"starts: {starts}",
            f"optimiser: {self.optimiser.text}",
        ]
        parts = {"rows": self.rows, "aggregation": self.aggregation, "note": self.note}
        lines += [f"{name}: {text}" for name, text in parts.items() if text]
        lines += [f"known flaw: {flaw}" for flaw in self.flaws]
        return "\n".join(lines)
