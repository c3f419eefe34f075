"""What goes into a paper: a paragraph on methods, BibTeX, a LaTeX table, versions and hashes."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping

import numpy as np

from .. import _core
from ..law import Law
from ..typeset import latex_name, latex_number
from .digits import interval, plain, rounded
from .material import Material

__all__ = ["bibtex", "latex_table", "methods", "provenance"]


def methods(m: Material) -> str:
    """Return a paragraph that says what was done."""
    f, s, info = m.fit, m.fit.starts, _core.info()
    cited = f" ({m.law.source.title})" if m.law.source.title else ""
    name = f"the law {f.law.name}{cited}, " if f.law.name else ""
    text = [
        f"We fitted {name}{f.target} = {f.law.formula}, to {f.nobs} runs by minimising the sum of "
        f"{f.loss} over {f.residual} residuals"
        + (", maximising the likelihood over their scale too" if f.scale is not None else "")
        + f", with lawfit {info['version']}."
    ]
    if f.fixed:
        held = ", ".join(f"{n} = {v:g}" for n, v in f.fixed.items())
        text.append(f"We held {held} fixed.")
    if f.tied:
        text.append("We tied " + "; ".join(" = ".join(g) for g in f.tied) + ".")
    if f.penalties:
        text.append(
            "We added quadratic penalties on "
            + ", ".join(f"{n} (towards {c}, sd {sd:g})" for n, (c, sd) in f.penalties.items())
            + "."
        )
    if f.censored:
        text.append(f"For {f.censored} of the runs only a bound of the target is known.")
    text.append(
        f"Of {s.counted} with seed {f.seed}, {s.hits} reached the lowest objective, "
        f"{f.objective:.8g}; {s.basins} distinct minim{'um was' if s.basins == 1 else 'a were'} "
        "found."
    )
    if f._problem is not None:
        kinds = "sandwich estimates; intervals are from profiles of the objective"
        text.append(f"Standard errors are {kinds} at {m.confidence_level:.0%} confidence.")
    if m.boot is not None:
        by = f" by {m.boot.by}" if m.boot.by else ""
        text.append(
            f"Bootstrap intervals are from {len(m.boot):,} draws ({m.boot.kind}{by}, seed "
            f"{m.boot.seed}), each refitted."
        )
    return " ".join(text)


def bibtex(law: Law) -> str:
    """Return an entry for the law's source and one for lawfit; authors are not known here."""
    version = _core.info()["version"]
    own = (
        f"@software{{lawfit,\n  title   = {{lawfit: fits scaling laws}},\n"
        f"  author  = {{{{The lawfit developers}}}},\n  version = {{{version}}}\n}}"
    )
    source = law.source
    if not source.title:
        return own
    key = "arxiv_" + re.sub(r"\W", "_", source.arxiv) if source.arxiv else "source"
    fields = {"title": f"{{{_bibtex_text(source.title)}}}"}
    if source.year is not None:
        fields["year"] = str(source.year)
    if re.fullmatch(r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?", source.arxiv):
        fields |= {"eprint": source.arxiv, "archivePrefix": "arXiv"}
        fields["url"] = f"https://arxiv.org/abs/{source.arxiv}"
    if source.equation:
        fields["note"] = _bibtex_text(f"{source.equation}")
    width = max(map(len, fields))
    lines = ",\n".join(f"  {n:<{width}} = {{{v}}}" for n, v in fields.items())
    return f"@misc{{{key},\n{lines}\n}}\n\n{own}"


def _bibtex_text(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)


def latex_table(
    m: Material,
    errors: Mapping[str, float],
    profile: Mapping[str, tuple[float, float]],
    boot: Mapping[str, tuple[float, float]],
) -> str:
    """Return coefficients as a LaTeX tabular (booktabs)."""
    level = f"{m.confidence_level * 100:g}\\,\\%"
    head = ["", "estimate", "s.e."]
    head += [f"{level} profile"] if profile else []
    head += [f"{level} bootstrap"] if boot else []
    rows = []
    for name, value in m.fit.params.items():
        error = errors.get(name, float("nan"))
        cells = [f"${latex_name(name)}$", f"${_number(rounded(value, error, 3))}$"]
        cells.append(f"${_number(plain(error, 2))}$" if np.isfinite(error) else "fixed"
                     if name not in m.fit.free else "--")  # fmt: skip
        for ends in [e for e in (profile, boot) if e]:
            text = interval(ends.get(name))
            low, to, high = text.partition(" to ")
            cells.append(f"$[{_number(low)}, {_number(high)}]$" if to else "--")
        rows.append(" & ".join(cells) + r" \\")
    return "\n".join(
        [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule",
         " & ".join(head) + r" \\", r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    )  # fmt: skip


def _number(text: str) -> str:
    if "∞" in text:
        return text.replace("∞", r"\infty")
    if "e" in text:
        return latex_number(float(text))
    return text


def provenance(m: Material) -> list[tuple[str, str]]:
    """Return what is needed to make the fit again, as pairs."""
    f, info = m.fit, _core.info()
    pairs = [
        ("rows", f"{f.nobs} of {f.source}" + (f", {len(f.omitted)} omitted" if f.omitted else "")),
        ("SHA-256 of the fitted data", f.data_hash),
        ("seed of the starts", str(f.seed)),
    ]
    if m.boot is not None:
        pairs.append(("seed of the bootstrap", str(m.boot.seed)))
    pairs += [
        ("lawfit", f"{info['version']} ({info['compiler']}, {info['instruction_set']})"),
        ("NumPy", np.__version__),
        ("Python", platform.python_version()),
        ("evaluations", f"{f.evaluations:,} in {f.seconds:.3g} s"),
    ]
    return pairs
