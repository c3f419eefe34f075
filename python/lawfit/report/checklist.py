"""What a paper on a scaling law should say: answered where the fit knows, asked where it does not.

The four parts and what they ask for follow Li et al., (Mis)Fitting: A Survey of
Scaling Laws, 2025, arXiv 2502.18969; the words are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..tables import named
from .digits import extent, plain
from .material import Material

__all__ = ["PARTS", "Answer", "Question", "fill"]


@dataclass(frozen=True)
class Question:
    """One thing to say.

    Attributes
    ----------
    key : str
        The name under which `answers` answers it.
    text : str
    known : callable or None
        Gives the answer from the material, or None where the fit does not know it.
    """

    key: str
    text: str
    known: Callable[[Material], str | None] | None = None


@dataclass(frozen=True)
class Answer:
    """A question with its answer; `by` is "fit", "author" or "" where it is open."""

    question: Question
    text: str
    by: str


# --- what the fit knows ---------------------------------------------------------------------------


def _form(m: Material) -> str:
    return f"{m.fit.target} = {m.fit.law.formula}"


def _variables(m: Material) -> str:
    known = {v.name: v for v in m.law.declared_variables or ()}
    said = []
    for name in m.variables:
        v = known.get(name)
        unit = f" ({v.description or v.unit})" if v and (v.description or v.unit) else ""
        said.append(name + unit)
    return "; ".join(said)


def _free(m: Material) -> str:
    f = m.fit
    text = f"{len(f.free)} fitted: {named(f.free)}"
    if f.fixed:
        text += "; fixed: " + ", ".join(f"{n} = {v:g}" for n, v in list(f.fixed.items())[:10])
    if f.tied:
        text += "; tied: " + ", ".join(" = ".join(g) for g in f.tied[:10])
    if f.penalties:
        text += "; penalties: " + ", ".join(
            f"{n} towards {c if isinstance(c, str) else format(c, 'g')} (sd {sd:g})"
            for n, (c, sd) in list(f.penalties.items())[:10]
        )
    return text


def _validation(m: Material) -> str | None:
    outside = m.backtest.outside
    if not outside.rows:
        return None
    return (
        f"fitted on small runs, {outside.rows} larger ones predicted with a mean absolute relative "
        f"error of {outside.are:.2%}; see Backtest"
    )


def _sizes(m: Material) -> str:
    parts = [f"{m.fit.nobs} rows"]
    for name, column in m.columns.items():
        count = len(np.unique(column))
        parts.append(f"{name}: {count} values, {extent(column.min(), column.max())}")
    return "; ".join(parts)


def _repeats(m: Material) -> str | None:
    if "U" in m.runs and "D" in m.variables:
        d, u = m.columns["D"], m.runs.numbers("U")
        share = float(np.mean(d > u * (1 + 1e-9)))
        return f"{share:.0%} of the rows saw more tokens than there are unique ones (column U)"
    return None


def _omitted(m: Material) -> str:
    f = m.fit
    if not f.omitted:
        return "no row of the fitted table was left out; filters before it: to be added by hand"
    return f"{len(f.omitted)} rows with missing values were left out: {named(f.omitted, most=10)}"


def _checkpoints(m: Material) -> str | None:
    found = [d for d in m.fit.diagnose() if d.code == "checkpoints-mixed"]
    return found[0].message if found and m.fit._problem is not None else None


def _weights(m: Material) -> str | None:
    if m.fit._problem is None:
        return None
    settings = m.fit._problem.settings
    if settings.weights is not None:
        return "rows are weighted"
    return "residuals are divided by sigma" if settings.sigma is not None else "all rows count once"


def _objective(m: Material) -> str:
    f = m.fit
    scale = ", with a fitted scale" if f.scale is not None else ""
    return f"sum of {f.loss} over {f.residual} residuals{scale}; {f.objective:.10g} at the minimum"


def _algorithm(m: Material) -> str:
    from .. import _core

    levels = ", whose coefficients of a sum of powers are first chosen by linear least squares"
    return (
        "trust-region Newton with exact derivatives from every different start"
        f"{levels if m.fit.residual == 'log' else ''} (lawfit "
        f"{_core.info()['version']}); converged when a full Newton step promises less than 1e-20 "
        f"of the objective: {m.fit.message}"
    )


def _starts(m: Material) -> str:
    s = m.fit.starts
    return (
        f"{s.counted}, seed {m.fit.seed}; {s.hits} ended in the best minimum, {s.basins} "
        f"distinct minim{'um' if s.basins == 1 else 'a'}; chance that one more start finds a new "
        f"one: {s.missed:.2g}"
    )


def _goodness(m: Material) -> str:
    e = m.explained()
    return (
        f"relative error: median {e['median']:.2%}, largest {e['largest']:.2%}; R squared "
        f"{e['r2']:.4f} of {m.fit.residual} targets"
    )


def _intervals(m: Material) -> str:
    made = [f"{m.confidence_level:.0%} profile intervals", "sandwich standard errors"]
    if m.boot is not None:
        made.append(f"{len(m.boot):,} bootstrap draws of {m.boot.kind} (seed {m.boot.seed})")
    return ", ".join(made)


def _choices(m: Material) -> str | None:
    found = m.multiverse
    if found is None:
        return None
    low, high = found.range
    return (
        f"{found.quantity} is {plain(low)} to {plain(high)} over {len(found.universes)} fits with "
        f"other choices of {named(list(found.choices))}; see Other choices"
    )


def _dependence(m: Material) -> str | None:
    codes = ("undetermined", "inseparable-pair", "ill-conditioned", "at-bound", "term-vanished")
    found = [d.message for d in m.fit.diagnose() if d.code in codes]
    if m.fit._problem is None:
        return None
    return "; ".join(found) or "no warning among the diagnostics"


PARTS: dict[str, tuple[Question, ...]] = {
    "The law": (
        Question("form", "Which functional form is fitted?", _form),
        Question("variables", "Over which variables, in which units?", _variables),
        Question("parameters", "Which parameters are fitted, fixed or shared?", _free),
        Question("purpose", "What is the law to predict, and over which range will it be used?"),
        Question("validation", "How was it held against runs that were not fitted?", _validation),
    ),
    "The training runs": (
        Question("models", "How many runs, of which sizes, on how much data?", _sizes),
        Question("architecture", "Which architecture, and how do its shapes change with size?"),
        Question("data", "What were the models trained on, and where can the data be had?"),
        Question("repetition", "Is any training data repeated?", _repeats),
        Question(
            "counting",
            "How are parameters and FLOP counted: embeddings, attention, 6 N D or in full?",
        ),
        Question(
            "hyperparameters",
            "How were learning rate, batch size, warm-up and schedule set at each scale?",
        ),
        Question("code", "Where is the code of the training runs?"),
    ),
    "The data of the fit": (
        Question("metric", "What is measured, on which held-out set, with which tokenizer?"),
        Question("table", "Where can the table of runs be had?"),
        Question("checkpoints", "Final models only, or checkpoints along the way?", _checkpoints),
        Question("exclusions", "Which runs were left out, and why?", _omitted),
        Question("weights", "Are rows weighted or smoothed?", _weights),
        Question("seeds", "How large is the noise between seeds?"),
    ),
    "The fit": (
        Question("objective", "Which objective, in which space?", _objective),
        Question("algorithm", "Which algorithm, with which stopping rule?", _algorithm),
        Question("starts", "From where did it start, and how many starts agree?", _starts),
        Question("goodness", "How well does the law fit?", _goodness),
        Question("intervals", "How uncertain are the coefficients?", _intervals),
        Question("identifiability", "Can the coefficients be told apart?", _dependence),
        Question("choices", "How much do other reasonable choices move the result?", _choices),
    ),
}


def fill(m: Material) -> dict[str, list[Answer]]:
    """Answer every question that the fit or the author answers.

    Raises
    ------
    InputError
        If an answer is given to a question that is not asked.
    """
    check_answers(m.answers)
    return {part: [_answer(q, m) for q in questions] for part, questions in PARTS.items()}


def check_answers(answers: Mapping[str, Any]) -> None:
    """Raise InputError for an answer to a question that is not asked."""
    keys = [q.key for questions in PARTS.values() for q in questions]
    for key in answers:
        if key not in keys:
            raise InputError(f"answers: there is no question {key!r}; questions: {', '.join(keys)}")


def _answer(question: Question, m: Material) -> Answer:
    if question.key in m.answers:
        return Answer(question, str(m.answers[question.key]), "author")
    try:
        text = question.known(m) if question.known else None
    except Exception:  # what could not be computed is asked; its own section says why
        text = None
    return Answer(question, text or "", "fit" if text else "")
