"""A report as one HTML file: no script, no network, light and dark, for screens and paper."""

from __future__ import annotations

import base64
from html import escape

from .blocks import Block, Code, Document, Figure, Formula, Items, Note, Paragraph, Section, Table

__all__ = ["to_html"]

# Nothing may be loaded: the file works without a network and tells nobody that it was opened.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #57606a; --page: #ffffff;
  --line: #d5dae0; --shade: #f4f6f8; --link: #0b5cad; --bad: #9a3412; --good: #166534; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #a3adb8; --page: #14181c;
  --line: #353c44; --shade: #1d2329; --link: #79b8ff; --bad: #fdba74; --good: #86efac; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
header, nav, main, footer { max-width: 58rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .7rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
p { margin: .6rem 0; overflow-wrap: anywhere; }
header p, figcaption, .caption, footer { color: var(--soft); }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--page); padding: .4rem .7rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0;
  margin: 1rem 0 0; font-size: .93rem; }
.wide { overflow-x: auto; max-width: 100%; margin: .8rem 0; }
.formula { padding: .5rem 0; }
table { border-collapse: collapse; font-size: .93rem; font-variant-numeric: tabular-nums; }
.caption { font-size: .88rem; margin-top: -.3rem; }
th, td { padding: .32rem .8rem .32rem 0; border-bottom: 1px solid var(--line);
  text-align: right; vertical-align: top; }
th { font-weight: 600; } thead th { border-bottom-width: 2px; vertical-align: bottom; }
.text { text-align: left; } td.number { white-space: nowrap; }
td.text { min-width: 11rem; }
dl { margin: .6rem 0; } dt { font-weight: 600; margin-top: .6rem; }
dd { margin: .1rem 0 0 1.2rem; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px;
  border: 1px solid var(--line); padding: .5rem; }
.broad img { min-width: 40rem; }
figcaption { font-size: .88rem; margin-top: .4rem; }
math { font-size: 1.12rem; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 6px; padding: .7rem;
  overflow-x: auto; font-size: .84rem; line-height: 1.4; margin: .4rem 0 1rem;
  font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; }
pre.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.label { font-weight: 600; margin-bottom: 0; }
.note { border-left: 4px solid var(--line); background: var(--shade); padding: .45rem .8rem;
  border-radius: 0 6px 6px 0; }
.warning { border-color: var(--bad); } .good { border-color: var(--good); }
footer { padding-bottom: 3rem; margin-top: 2.5rem; font-size: .88rem; }
@media (max-width: 34rem) { body { font-size: 15px; }
  header, nav, main, footer { padding: 0 .9rem; }
  header { padding-top: 1.2rem; } figure img { padding: .2rem; } }
@media print { :root { --ink: #000; --soft: #333; --page: #fff; --line: #bbb; --shade: #f6f6f6;
  --link: #000; --bad: #000; --good: #000; color-scheme: light; }
  body { font-size: 10.5pt; } nav, .skip { display: none; } h2 { break-after: avoid; }
  figure, tr, .note, .wide { break-inside: avoid; } .wide, pre { overflow: visible; }
  table { font-size: 9pt; } th, td { padding-right: .5rem; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  figure img { max-height: 21cm; min-width: 0; }
  .formula, .label { break-inside: avoid; } .label { break-after: avoid; } }
mtd[columnalign="left"] { text-align: left; } mtd[columnalign="right"] { text-align: right; }
""".strip()


def to_html(document: Document) -> str:
    """Return the file's text."""
    links = "\n".join(
        f'<li><a href="#{s.anchor}">{escape(s.title)}</a></li>' for s in document.sections
    )
    body = "\n".join(map(_section, document.sections))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(document.title)}</title>
<style>
{STYLE}
</style>
</head>
<body>
<a class="skip" href="#content">Skip to the report</a>
<header>
<h1>{escape(document.title)}</h1>
<p>{escape(document.subtitle)}</p>
</header>
<nav aria-label="Sections">
<ul>
{links}
</ul>
</nav>
<main id="content">
{body}
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    blocks = "\n".join(map(_block, section.blocks))
    name = section.anchor
    return (
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{escape(section.title)}</h2>\n'
        f"{blocks}\n</section>"
    )


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Note):
        return f'<p class="note {block.kind}">{escape(block.text)}</p>'
    if isinstance(block, Items):
        pairs = "\n".join(
            (f"<dt>{escape(term)}</dt>\n" if term else "") + f"<dd>{escape(text)}</dd>"
            for term, text in block.items
        )
        return f"<dl>\n{pairs}\n</dl>"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figure):
        data = base64.b64encode(block.image).decode("ascii")
        image = f'<img alt="{escape(block.alt)}" src="data:{block.media};base64,{data}">'
        if block.broad:
            image = (
                f'<div class="wide broad" tabindex="0" role="group" aria-label="{escape(block.alt)}'
                f'">{image}</div>'
            )
        return f"<figure>\n{image}\n<figcaption>{escape(block.caption)}</figcaption>\n</figure>"
    if isinstance(block, Formula):
        return (
            f'<div class="wide formula" tabindex="0" role="group" aria-label="Formula">'
            f"{_mathml(block)}</div>"
        )
    assert isinstance(block, Code)
    return (
        f'<p class="label">{escape(block.label)}</p>\n'
        f'<pre class="{block.language}" tabindex="0" role="group" '
        f'aria-label="{escape(block.label)}">'
        f"{escape(block.text)}</pre>"
    )


def _table(table: Table) -> str:
    def kind(k: int) -> str:
        return "text" if k in table.text_columns else "number"

    head = "".join(
        f'<th scope="col" class="{kind(k)}">{escape(text)}</th>'
        for k, text in enumerate(table.head)
    )
    rows = []
    for row in table.rows:
        first, *rest = row
        cells = "".join(
            f'<td class="{kind(k)}">{escape(text)}</td>' for k, text in enumerate(rest, 1)
        )
        rows.append(f'<tr><th scope="row" class="text">{escape(first)}</th>{cells}</tr>')
    label = escape(table.caption or ", ".join(table.head))
    caption = f'\n<p class="caption">{escape(table.caption)}</p>' if table.caption else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{label}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + "\n</tbody>\n</table></div>"
        + caption
    )


def _mathml(formula: Formula) -> str:
    """Return MathML, which browsers set themselves; plain text without the extra."""
    try:
        from latex2mathml.converter import convert

        return str(convert(formula.latex, display="block"))
    except ImportError:
        return f"<code>{escape(formula.text)}</code>"
