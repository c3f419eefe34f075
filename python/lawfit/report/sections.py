"""The sections of a report, each made from a fit or saying why it is not there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..progress import Progress, reporter
from ..typeset import latex_equation, latex_name
from .blocks import Block, Code, Formula, Items, Note, Paragraph, Section, Table
from .checklist import fill
from .digits import extent, interval, plain, rounded
from .figures import Sketch, draw
from .material import Material
from .paper import bibtex, latex_table, methods, provenance

__all__ = ["SECTIONS", "make_sections"]

Maker = Callable[[Material], Iterator[Block | Sketch]]

MOST_COEFFICIENTS = 60  # rows of the table; a law by group may have thousands
MOST_DRAWN = 6  # parameters in a plot of draws or profiles
MANY_ROWS = 20_000  # beyond which plots of runs are left out


def _summary(m: Material) -> Iterator[Block | Sketch]:
    f, s = m.fit, m.fit.starts
    name = f"The law {f.law.name}" if f.law.name else "A law"
    text = f"{name} with {len(f.free)} fitted parameters was fitted to {f.nobs} rows"
    text += f" ({f.source}), to predict {f.target}."
    if f._problem is not None:
        e = m.explained()
        text += f" Half of its predictions are within {e['median']:.2%} of what was measured"
        text += f", all within {e['largest']:.2%}."
    yield Paragraph(text)
    agree = f"{s.hits} of {s.counted} reached the lowest objective"
    others = (
        f"{minima(s.basins - 1)} with a higher objective"
        if s.basins > 1
        else "no other minimum was found"
    )
    yield Paragraph(
        f"{agree}; {others}. The chance that one more start would find a new minimum is put at "
        f"{s.missed:.2g}."
    )
    if not f.success:
        yield Note(f"The fit did not converge: {f.message}.", "warning")
    if {"N", "D"} <= set(m.variables) and not f.law.groups and f._problem is not None:
        yield from _optional(lambda: _best_plan(m))
    warnings = [d for d in f.diagnose() if d.severity == "warning"]
    if warnings:
        count = f"{len(warnings)} thing{'s' * (len(warnings) > 1)}"
        yield Note(
            f"{count} to look at: {'; '.join(d.message for d in warnings)}. See Diagnostics.",
            "warning",
        )
    else:
        yield Note("The diagnostics found nothing that makes the fit doubtful.", "good")


def minima(count: int) -> str:
    """Return "1 minimum", "3 minima"."""
    return f"{count:,} minim{'um' if count == 1 else 'a'}"


def _best_plan(m: Material) -> Paragraph:
    k = min(2, len(m.budgets) - 1)  # beyond the fitted runs, but not far
    best = {name: float(values[k]) for name, values in m.frontier.table.items()}
    n, d = best["N"], best["D"]
    told = f"At a budget of {plain(m.budgets[k])} ({m.cost}) the law's best run has N = {plain(n)}"
    told += f" and D = {plain(d)}"
    if m.plan_draws is not None:
        ends = m.plan_draws.intervals(m.confidence_level, at=k)
        told += f" (N from {interval(ends['N'])}, D from {interval(ends['D'])})"
    return Paragraph(
        f"{told}, that is {plain(d / n, 3)} tokens per parameter, and a {m.fit.target} of "
        f"{plain(best['loss'])}."
    )


def _optional(make: Callable[[], Block]) -> Iterator[Block]:
    """Give a block if it can be made; what it is made from has a section that says why not."""
    try:
        yield make()
    except Exception:
        return


def _formula(m: Material) -> Iterator[Block | Sketch]:
    law = m.law
    left = latex_name(m.fit.target)
    yield Formula(latex_equation(left, law.tree), f"{m.fit.target} = {law.formula}")
    if law.source.title:
        s = law.source
        where = f", arXiv {s.arxiv}" if s.arxiv else ""
        year = f" ({s.year})" if s.year is not None else ""
        equation = f", {s.equation}" if s.equation else ""
        yield Paragraph(f"Source: {s.title}{year}{where}{equation}.")
    if law.notes:
        yield Paragraph(law.notes)
    items = []
    for v in law.declared_variables or ():
        about = v.description or ""
        unit = f"[{v.unit}]" if v.unit and v.unit != about else ""
        span = ""
        if v.name in m.variables and m.fit._problem is not None:
            column = m.columns[v.name]
            span = f"here {extent(column.min(), column.max())}"
        items.append((v.name, "; ".join(t for t in (f"{about} {unit}".strip(), span) if t)))
    if not law.declared_variables or all(not text for _, text in items):
        items = [
            (n, f"{extent(c.min(), c.max())}, {len(np.unique(c))} values")
            for n, c in (m.columns.items() if m.fit._problem is not None else ())
        ]
    if items:
        yield Items(items)


def _coefficients(m: Material) -> Iterator[Block | Sketch]:
    errors, why_errors = _or_reason(lambda: m.covariance.standard_errors)
    profile, why_profile = _or_reason(lambda: _profile_intervals(m))
    boot = _bootstrap_intervals(m)
    level = f"{m.confidence_level:.0%}"
    declared = {p.name: p.description for p in m.law.declared_parameters}
    head = ["parameter", "estimate", "standard error"]
    head += [f"{level} profile"] if profile else []
    head += [f"{level} bootstrap"] if boot else []
    meant = any(declared.values())
    head += ["meaning"] if meant else []
    rows = []
    for name, value in list(m.fit.params.items())[:MOST_COEFFICIENTS]:
        error = errors.get(name, float("nan"))
        row = [name, rounded(value, error, 3)]
        row.append(plain(error, 2) if name in m.fit.free else "fixed or tied")
        row += [interval(ends.get(name)) for ends in (profile, boot) if ends]
        row += [declared.get(name.partition("[")[0], "")] if meant else []
        rows.append(row)
    left = len(m.fit.params) - len(rows)
    caption = "Natural units. Standard errors are sandwich estimates."
    if left > 0:
        caption += f" {left} more parameters are not shown; they are in fit.params."
    text_columns = frozenset({0, len(head) - 1}) if meant else frozenset({0})
    yield Table(head, rows, caption, text_columns)
    if why_errors:
        yield Note(f"No standard errors: {why_errors}")
    if why_profile:
        yield Note(f"No profile intervals: {why_profile}")
    if not boot:
        yield Note("No bootstrap was given or asked for: report(bootstrap=1000), --bootstrap 1000.")
    elif m.boot is not None:
        by = f" by {m.boot.by}" if m.boot.by else ""
        yield Paragraph(
            f"Bootstrap: {len(m.boot):,} draws of {m.boot.kind}{by}, seed {m.boot.seed}; "
            f"{m.boot.converged:.1%} of the refits converged."
        )
        for warning in m.boot.warnings:
            yield Note(warning, "warning")
    for p in m.profiles.values() if profile else ():
        for warning in p.warnings:
            yield Note(warning, "warning")


def _profile_intervals(m: Material) -> dict[str, tuple[float, float]]:
    return {n: p.interval(m.confidence_level) for n, p in m.profiles.items()}


def _bootstrap_intervals(m: Material) -> dict[str, tuple[float, float]]:
    return {} if m.boot is None else dict(m.boot.intervals(m.confidence_level))


def _or_reason(make: Callable[[], Mapping[str, Any]]) -> tuple[Mapping[str, Any], str]:
    try:
        return make(), ""
    except Exception as error:
        return {}, reason(error)


def _quality(m: Material) -> Iterator[Block | Sketch]:
    e = m.explained()
    yield Table(
        ["", "fitted runs"],
        [
            ["median relative error", f"{e['median']:.3%}"],
            ["mean relative error", f"{e['mean']:.3%}"],
            ["largest relative error", f"{e['largest']:.3%}"],
            [f"root mean square {m.fit.residual} residual", plain(e["rmse"], 3)],
            [f"R squared of {m.fit.residual} targets", plain(e["r2"], 6)],
            ["objective", f"{m.fit.objective:.12g}"],
        ],
    )
    if m.runs.n > MANY_ROWS:
        yield Note(f"{m.runs.n:,} rows: plots of single runs are left out.")
        return
    from .. import plots

    fit = m.fit
    yield Sketch(
        lambda: plots.against_runs(fit),
        f"The fitted law and the {fit.nobs} runs.",
        "The law through its runs. Where there are too many combinations of the other variables "
        "for one curve each, measured values are shown against predicted ones.",
    )
    yield Sketch(
        lambda: plots.residuals(fit),
        "Residuals against each variable of the law.",
        "What the law leaves unexplained. The line is a running median; it should stay near zero.",
    )


def _starts(m: Material) -> Iterator[Block | Sketch]:
    s = m.fit.starts
    yield Paragraph(
        f"{s.counted}; {s.hits} ended within 1e-6 of the lowest objective; "
        f"{minima(s.basins)} in all. {s.joined} starts were stopped where they met the way of an "
        f"earlier one; of {s.checked + s.refuted} such claims that were checked {s.refuted} proved "
        "wrong."
    )
    from .. import plots

    yield Sketch(
        lambda: plots.starts(m.fit),
        f"{s.hits} of {s.counted} reached the best minimum; {minima(s.basins)} in all.",
        "Minima by how far their objective lies above the best.",
    )


def _uncertainty(m: Material) -> Iterator[Block | Sketch]:
    names = list(m.fit.free)[:MOST_DRAWN]
    if not names:
        yield Paragraph("No parameter was fitted.")
        return
    profiles, why = _or_reason(lambda: m.profiles)
    if why and m.boot is None:
        yield Note(why[0].upper() + why[1:])
        return
    from .. import plots

    if why:
        yield Note(f"No profiles: {why}")
    else:
        shown = {n: profiles[n] for n in names if n in profiles}
        yield Sketch(
            lambda: plots.profiles(shown, confidence_level=m.confidence_level),
            f"Profiles of the objective along {', '.join(shown)}.",
            f"The lowest objective with each parameter held elsewhere. Where a curve crosses the "
            f"dashed line the {m.confidence_level:.0%} interval ends.",
        )
        if len(m.fit.free) > 1:
            yield Sketch(
                lambda: plots.contours(m.fit, points=24),
                "Joint confidence regions of the most correlated pairs of parameters.",
                "Joint confidence regions of the most correlated pairs, all other parameters "
                "refitted. A thin region means that only a combination of the two is known.",
            )
    if m.boot is not None:
        boot = m.boot
        drawn = [n for n in names if np.ptp(boot.draws[n]) > 0]
        yield Sketch(
            lambda: plots.draws(
                boot, drawn, estimate=m.fit.params, confidence_level=m.confidence_level
            ),
            f"Bootstrap draws of {', '.join(drawn)} in pairs.",
            f"{len(boot):,} bootstrap draws. Crosses and lines mark the fit; the darker part of a "
            f"histogram is the {m.confidence_level:.0%} interval.",
        )


def _diagnostics(m: Material) -> Iterator[Block | Sketch]:
    found = m.fit.diagnose()
    if m.fit._problem is None:
        yield Note("Judged by the result alone: a fit from a file does not hold the runs.")
    if not found:
        yield Note("Nothing was found that makes the fit doubtful.", "good")
    for d in found:
        yield Note(f"{d.message[0].upper() + d.message[1:]} [{d.code}]", d.severity)
        yield Paragraph(f"What to do: {d.remedy}")


def _backtest(m: Material) -> Iterator[Block | Sketch]:
    b = m.backtest
    rows = []
    for s in b.splits:
        reach = plain(float(np.exp(s.distance)), 3) if np.isfinite(s.distance) else "-"
        errors = [f"{s.inside.are:.2%}", f"{s.outside.are:.2%}", f"{s.outside.bias:+.4f}"]
        rows.append([s.name, str(len(s.train)), str(len(s.test)), reach, *errors])
    head = ["fitted up to", "fitted", "predicted", "times beyond", "error inside", "error outside",
            "bias outside"]  # fmt: skip
    outside = b.outside
    if outside.rows:
        yield Paragraph(
            f"The law was fitted on small runs and held against larger ones: {outside.rows} "
            f"predictions with a mean absolute relative error of {outside.are:.2%}, against "
            f"{b.inside.are:.2%} on the fitted runs."
        )
    yield Table(head, rows, "Errors are means of |predicted - measured| / measured; bias is the "
                "mean of predicted minus measured residuals.")  # fmt: skip
    for s in b.failed:
        yield Note(f"{s.name}: {s.reason}")
    if not outside.rows:
        return
    from .. import plots

    yield Sketch(
        lambda: plots.backtest(b),
        "Error of each held-out run against how far it lies beyond the fitted ones.",
        "Every held-out prediction, by how many times the run is larger than the largest fitted.",
    )


def _choices(m: Material) -> Iterator[Block | Sketch]:
    found = m.multiverse
    if found is None:
        return
    low, high = found.range
    known = int(np.isfinite(found.values).sum())
    most = found.effects()[0]
    yield Paragraph(
        f"{found.quantity} under other choices: {plain(low)} to {plain(high)} over {known} "
        f"{'combinations' if found.product else 'fits, one choice changed at a time'}. "
        f"What moves it most is the choice of {most.choice}, by {plain(most.spread, 2)}."
    )
    rows = [
        [e.choice, ", ".join(f"{o}: {plain(v)}" for o, v in e.means.items()), plain(e.spread, 2),
         f"{e.share:.0%}"]
        for e in found.effects()
    ]  # fmt: skip
    yield Table(["choice", "mean with each option", "spread", "share of variance"], rows, "",
                frozenset({0, 1}))  # fmt: skip
    from .. import plots

    yield Sketch(
        lambda: plots.multiverse(found),
        f"{found.quantity} in every fit, by the options of every choice.",
        f"{found.quantity} in every fit, by the options of every choice; bars are means. What "
        "moves it beyond the intervals above is a choice to be defended.",
    )


def _optimal(m: Material) -> Iterator[Block | Sketch]:
    line, draws = m.frontier, m.plan_draws
    names_shown = [n for n in line.table if n not in ("cost", "budget", "loss")]
    head = ["budget"]
    for n in names_shown:
        head += [n] + ([f"{m.confidence_level:.0%}"] if draws is not None and n in "ND" else [])
    head += ["D / N", m.fit.target]
    rows = []
    for k, budget in enumerate(line.at):
        ends = draws.intervals(m.confidence_level, at=k) if draws is not None else {}
        row = [plain(budget)]
        for n in names_shown:
            value = float(line.table[n][k])
            row.append(f"{value:g}" if n in m.listed else plain(value))
            if n in ends and n in "ND":
                row.append(interval(ends[n]))
        row.append(plain(float(line.table["D"][k] / line.table["N"][k]), 3))
        row.append(plain(float(line.table["loss"][k]), 5))
        rows.append(row)
    caption = f"Least {m.fit.target} for a budget of {m.cost}."
    caption += (
        f" Intervals: each of {len(m.boot):,} bootstrap draws planned again."
        if m.boot is not None
        else " Intervals need a bootstrap: report(bootstrap=1000), --bootstrap 1000."
    )
    yield Table(head, rows, caption)
    exponents = {n: v for n, v in line.exponents().items() if n in ("N", "D")}
    if len(exponents) == 2:
        said = ", ".join(
            f"{k} as budget^{plain(float(np.median(v)), 3)}" for k, v in exponents.items()
        )
        drift = max(float(np.ptp(v)) for v in exponents.values())
        yield Paragraph(
            f"Along these budgets the best plan grows with {said}"
            + ("." if drift < 0.01 else f"; the exponents drift by {drift:.2g}.")
        )
    for warning in m.plan.warnings:
        yield Note(f"At the largest budget: {warning}.", "note")
    from .. import plots

    yield Sketch(
        lambda: plots.frontier(line, draws, confidence_level=m.confidence_level),
        "The best plan over budgets.",
        "The best plan over budgets" + (", with bands of the draws." if draws else "."),
    )
    for name, values in m.listed.items():
        if len(values) > 1:
            yield Sketch(
                partial(plots.choices, line, name),
                f"What each {name} of the table costs against the best one, over budgets.",
                f"How much worse the best plan gets with each {name} of the table; the one at zero "
                "is the one to take.",
            )
    if set(m.variables) == {"N", "D"}:
        yield Sketch(
            lambda: plots.loss_contours(m.fit, cost=m.cost),
            "Predicted loss over N and D, with the runs and the line of best plans.",
            "Predicted loss over N and D, lines of equal cost, the fitted runs, and the best plan "
            "for each cost.",
        )


def _checklist(m: Material) -> Iterator[Block | Sketch]:
    yield Paragraph(
        "What a paper on a scaling law should state, in the four parts of (Mis)Fitting: A Survey "
        "of Scaling Laws (Li et al. 2025, arXiv 2502.18969). Answers marked * come from the fit; "
        "open questions are for the author: report(answers={key: text})."
    )
    filled = fill(m)
    answered = sum(bool(a.by) for answers in filled.values() for a in answers)
    count = sum(map(len, filled.values()))
    yield Paragraph(f"{answered} of {count} questions are answered.")
    for part, answers in filled.items():
        rows = []
        for a in answers:
            mark = " *" if a.by == "fit" else ""
            rows.append([a.question.text, a.text + mark if a.by else f"OPEN ({a.question.key})"])
        yield Table([part, "answer"], rows, "", frozenset({0, 1}))


def _paper(m: Material) -> Iterator[Block | Sketch]:
    yield Code(methods(m), "text", "Methods paragraph")
    errors, _ = _or_reason(lambda: m.covariance.standard_errors)
    profile, _ = _or_reason(lambda: _profile_intervals(m))
    yield Code(latex_table(m, errors, profile, _bootstrap_intervals(m)), "latex",
               "Coefficients for LaTeX (package booktabs)")  # fmt: skip
    yield Code(f"{m.fit.target} = {m.law.latex}".replace(m.fit.target, latex_name(m.fit.target), 1),
               "latex", "Formula for LaTeX")  # fmt: skip
    yield Code(bibtex(m.law), "bibtex", "BibTeX (authors to be added)")


def _provenance(m: Material) -> Iterator[Block | Sketch]:
    yield Items(provenance(m))
    yield Paragraph(
        "The same rows, settings and seed give the same bits, for any number of threads."
    )


SECTIONS: dict[str, Maker] = {
    "Summary": _summary,
    "Formula": _formula,
    "Coefficients": _coefficients,
    "Quality of the fit": _quality,
    "Starts": _starts,
    "Uncertainty": _uncertainty,
    "Diagnostics": _diagnostics,
    "Backtest": _backtest,
    "Other choices": _choices,
    "Compute-optimal plans": _optimal,
    "Checklist": _checklist,
    "For the paper": _paper,
    "How to make it again": _provenance,
}


def make_sections(m: Material, figures: bool, progress: Progress = False) -> list[Section]:
    """Make all sections; what cannot be made is replaced by its reason.

    Parameters
    ----------
    m : Material
    figures : bool
        False leaves plots out.
    progress : bool or callable(done, total)
    """
    written: dict[str, list[Block | Sketch]] = {}
    told = reporter(progress, len(SECTIONS) * (2 if figures else 1), "report")
    for number, (title, make) in enumerate(SECTIONS.items(), 1):
        blocks = written.setdefault(title, [])
        try:
            for block in make(m):
                if figures or not isinstance(block, Sketch):
                    blocks.append(block)
        except Exception as error:  # a report with one part missing is better than none
            blocks.append(Note(f"Not here: {reason(error)}."))
        if told is not None:
            told(number)
    # Drawing takes as long as all the rest: the second half of the way, whatever the number.
    count = sum(isinstance(block, Sketch) for blocks in written.values() for block in blocks)
    done = itertools.count(1)
    made = []
    for title, blocks in written.items():
        section = Section(title)
        for block in blocks:
            section.blocks.append(_drawn(block) if isinstance(block, Sketch) else block)
            if told is not None and isinstance(block, Sketch):
                told(len(SECTIONS) + round(len(SECTIONS) * next(done) / count))
        if section.blocks:
            made.append(section)
    return made


def _drawn(sketch: Sketch) -> Block:
    try:
        return draw(sketch)
    except Exception as error:
        return Note(f"No picture: {reason(error)}. It would show: {sketch.alt}")


def reason(error: Exception) -> str:
    """Return what an exception says, without its last full stop."""
    from ..errors import LawfitError

    text = str(error).strip().rstrip(".").split("\n")[0]
    return text if isinstance(error, LawfitError) else f"{type(error).__name__}: {text}"
