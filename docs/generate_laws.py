"""Write docs/laws.md and docs/laws/*.md, the pages of the catalogue, from its entries."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path

import lawfit as lf
from lawfit.laws import themes
from lawfit.listing import columns, span
from lawfit.typeset import latex_equation, latex_name

DOCS = Path(__file__).parent
WIDTH = 88  # characters of code
INTRODUCTION = """\
# The catalogue of laws

Every law is an entry with its formula, variables and their units, parameters with the ranges in
which starts are drawn, its source, the coefficients that were published, and notes on what is
disputed or not identified. Numbers are as printed in the source, rounding included. An entry of
which form and coefficients could not be seen in a second source says so. Where a source prints no
coefficients in full the entry has an example: plausible sizes for trials, not a result.

```python
import lawfit as lf

law = lf.law("chinchilla")
law.coefficients("besiroglu2024")       # a published set; without a name the first, or the example
runs = law.simulate(200, noise=0.003)   # runs in the ranges of the source, for trials
fit = lf.fit(law, runs, starts=20)      # or the name: lf.fit("chinchilla", runs)
lf.laws("precision")                    # names of a theme
```

    lawfit laws                           # all, by theme
    lawfit laws --search repeated         # in name, title, formula, notes
    lawfit laws kaplan                    # one in full
    lawfit laws --json                    # everything, for programs

Some laws are a family, of which the catalogue has the usual members. Functions of `lawfit.laws`
make the others:

```python
from lawfit.laws import bnsl, data_filtering, data_mixing, sloth

bnsl(breaks=4)                            # smoothly broken power law
data_mixing(domains=7)                    # loss on one domain over the shares of seven
data_filtering(epochs=25)                 # a pool of data seen up to 25 times
sloth(skills=2)                           # benchmarks and families over two skills
```

A law that is not here is written as its formula: [the formula language](formulas.md). What papers
on scaling offer beside laws is in [methods beside the laws](methods.md). These pages are made from
the entries by `docs/generate_laws.py`.
"""


def pages() -> dict[Path, str]:
    """Return the text of every page, by path."""
    found = {DOCS / "laws.md": index()}
    for theme in themes():
        found[DOCS / "laws" / f"{theme}.md"] = page(theme)
    return found


def index() -> str:
    """Return the first page: how to use the catalogue, and every law by theme."""
    counts = (f"[{theme}](laws/{theme}.md) {len(lf.laws(theme))}" for theme in themes())
    lines = [
        INTRODUCTION.rstrip(),
        "",
        f"Themes and their numbers of laws: {', '.join(counts)}.",
        "",
    ]
    for theme, about in themes().items():
        lines += [f"## [{theme}](laws/{theme}.md)", "", about, ""]
        lines += ["| law | predicts | from | paper |", "|---|---|---|---|"]
        for name in lf.laws(theme):
            law = lf.law(name)
            cells = (
                f"[{name}](laws/{theme}.md#{anchor(name)})",
                f"`{law.target}`",
                ", ".join(f"`{v}`" for v in columns(law)),
                law.source.title,
            )
            lines.append(row(*cells))
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def page(theme: str) -> str:
    """Return the page of a theme: each of its laws in full."""
    lines = [
        f"# {theme.capitalize()}",
        "",
        themes()[theme],
        "",
        "Made from the entries by `docs/generate_laws.py`; [all themes](../laws.md). The examples "
        "need `import lawfit as lf`.",
    ]
    for name in lf.laws(theme):
        lines += ["", *entry(lf.law(name))]
    return "\n".join(lines) + "\n"


def entry(law: lf.Law) -> list[str]:
    """Return the section of one law."""
    source = law.source
    lines = [f"## {law.name}", "", f"$$ {latex_equation(latex_name(law.target), law.tree)} $$", ""]
    lines += ["```text", *wrapped(f"{law.target} = {law.formula}"), "```", ""]
    lines.append(
        f"{source.title}. [arXiv {source.arxiv}](https://arxiv.org/abs/{source.arxiv}), "
        f"{source.year}; {escaped(source.equation)}."
    )
    if law.verified:
        lines.append("Checked against a second source.")
    else:
        lines.append("**Not checked** against a second source in all its parts: see the notes.")
    lines += ["", "| variable | unit | meaning | in the source |", "|---|---|---|---|"]
    for v in law.declared_variables or ():
        lines.append(row(f"`{v.name}`", v.unit, v.description, span(v)))
    lines += ["", *coefficients(law)]
    for title, text in (("Fitted in the source", law.protocol), ("Notes", law.notes)):
        if text:
            lines += ["", f"{title}: {escaped(text)}"]
    return [*lines, "", "```python", *example(law), "```"]


def coefficients(law: lf.Law) -> list[str]:
    """Return the parameters and their sets; many sets in a table of their own."""
    sets = {f"`{p.name}`": p.params for p in law.published} or {"example": law.coefficients()}
    beside = sets if len(sets) <= 4 else {}
    lines = [row("parameter", "meaning", *beside), "|---" * (2 + len(beside)) + "|"]
    for p in law.parameters:
        for name in levels(p.name, sets):
            values = (f"{params[name]:.6g}" for params in beside.values())
            lines.append(row(f"`{name}`", p.description, *values))
    if not beside:
        names = [name for p in law.parameters for name in levels(p.name, sets)]
        lines += ["", row("set", *(f"`{n}`" for n in names)), "|---" * (1 + len(names)) + "|"]
        for which, params in sets.items():
            lines.append(row(which, *(f"{params[n]:.6g}" for n in names)))
    if not law.published:
        return [*lines, "", "The example has plausible sizes for trials, not values of the source."]
    remarks: dict[str, list[str]] = {}  # sets that share theirs share a line
    for published in law.published:
        about = "; ".join(t for t in (published.where, published.units, published.note) if t)
        remarks.setdefault(about, []).append(f"`{published.name}`")
    lines.append("")
    for about, names in remarks.items():
        who = ", ".join(names) if len(names) < len(law.published) or len(names) <= 4 else "All sets"
        lines.append(f"- {who}: {escaped(about)}.")
    return lines


def levels(name: str, sets: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return what sets call a parameter: its name, or one such as E[wiki] for each level."""
    return list(dict.fromkeys(n for s in sets.values() for n in s if n.partition("[")[0] == name))


def example(law: lf.Law) -> list[str]:
    """Return code that predicts one point in the middle of the ranges, and what it gives."""
    point = {v.name: [middle(v)] for v in law.declared_variables or ()}
    which = repr(law.published[0].name).replace("'", '"') if law.published else ""
    value = law.predict(law.coefficients(), point)[0]
    columns = ", ".join(f'"{name}": [{text(value)}]' for name, (value,) in point.items())
    call = f"law.predict(law.coefficients({which}), {{{columns}}})  # {value:.4g}"
    if len(call) <= WIDTH:
        return [f'law = lf.law("{law.name}")', call]
    at = wrapped(f"at = {{{columns}}}", " " * 6)
    predicted = f"law.predict(law.coefficients({which}), at)  # {value:.4g}"
    return [f'law = lf.law("{law.name}")', *at, predicted]


def wrapped(line: str, indent: str = "    ") -> list[str]:
    """Break a line at blanks where it is wider than a page of the site."""
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def middle(variable: lf.Variable) -> float | str:
    """Return a round value in the middle of what a variable takes."""
    if variable.levels is not None:
        return variable.levels[len(variable.levels) // 2]
    assert variable.span is not None
    low, high = variable.span
    return float(f"{math.sqrt(low * high) if low > 0 else (low + high) / 2:.2g}")


def text(value: float | str) -> str:
    """Return a value as Python reads it."""
    if isinstance(value, str):
        return f'"{value}"'
    plain, power = f"{value:.15g}", f"{value:e}"
    mantissa, _, exponent = power.partition("e")
    return plain if abs(value) < 1e5 else f"{float(mantissa):.15g}e{int(exponent)}"


def row(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(escaped(c) for c in cells)} |"


def escaped(words: str) -> str:
    """Return words without what Markdown would take for its own."""
    if words.startswith(("`", "[")):
        return words
    return words.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")


def anchor(name: str) -> str:
    """Return the anchor of a heading."""
    return name.replace(".", "")


if __name__ == "__main__":
    for path, content in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
