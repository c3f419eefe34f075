"""How Sphinx builds the documentation: from Markdown and docstrings, without network or scripts."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert

import lawfit

project = "lawfit"
author = "The lawfit developers"
version = release = lawfit.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
# "n" of a shape is no reference, and references at the end of a docstring need no mark in its text.
suppress_warnings = ["ref.python", "ref.footnote"]

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
# What scikit-learn adds to an estimator is described there.
autodoc_default_options = {"exclude-members": "set_fit_request, set_score_request"}
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"lawfit {version}"
html_copy_source = False
html_show_copyright = False
html_static_path: list[str] = []
# Formulas become MathML, which browsers set themselves: no script, no font, no network.
html_math_renderer = "mathml"


def _visit_math(self: Any, node: Any) -> None:
    self.body.append(convert(node.astext(), display="inline"))
    raise _skip()


def _visit_math_block(self: Any, node: Any) -> None:
    self.body.append('<div style="overflow-x: auto; padding: 0.4rem 0">')
    set_in_columns = convert(node.astext(), display="block")
    for side in ("left", "right"):  # browsers know this of style sheets only
        set_in_columns = set_in_columns.replace(
            f'columnalign="{side}"', f'style="text-align: {side}"'
        )
    self.body.append(set_in_columns + "</div>")
    raise _skip()


def _skip() -> Exception:
    from docutils.nodes import SkipNode

    return SkipNode()


def setup(app: Any) -> None:
    """Register the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math_block, None))
