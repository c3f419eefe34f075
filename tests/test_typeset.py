"""Formulas in print."""

from __future__ import annotations

import pytest

import lawfit as lf
from lawfit.typeset import latex, latex_equation, latex_name, latex_number


@pytest.mark.parametrize(
    ("formula", "printed"),
    [
        ("E + A / N**alpha", r"E + \frac{A}{N^{\alpha}}"),
        ("a - b * (c + d)", r"a - b \, \left(c + d\right)"),
        ("a - (b - 1)", r"a - \left(b - 1\right)"),
        ("a + -1", r"a + \left(-1\right)"),
        ("(-a)**2 - a**2", r"\left(-a\right)^{2} - a^{2}"),
        ("(a * b)**c", r"\left(a \, b\right)^{c}"),
        ("exp(-P / gamma_w)**2", r"\left(\exp\left(-\frac{P}{\gamma_{w}}\right)\right)^{2}"),
        ("x / (a / b)", r"\frac{x}{\frac{a}{b}}"),
        ("3 * 2", r"3 \cdot 2"),
        ("6e23 * N", r"6 \cdot 10^{23} \, N"),
        ("a * -b", r"a \, \left(-b\right)"),
        ("where(D > 50 * N, g, 0)", None),
        ("prod(1 - k * i for i in range(1, n + 1))", r"\prod_{i = 1}^{n} \left(1 - k \, i\right)"),
        ("sum(a / i for i in range(1, 5))", r"\sum_{i = 1}^{4} \frac{a}{i}"),
    ],
)
def test_formulas(formula: str, printed: str | None) -> None:
    text = latex(formula)
    if printed is None:
        assert text.startswith(r"\begin{cases} g & \text{if } D > 50 \, N \\ 0 & ")
    else:
        assert text == printed


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("alpha", r"\alpha"),
        ("alpha_N", r"\alpha_{N}"),
        ("N_opt", r"N_{\mathrm{opt}}"),
        ("E[wiki_en]", r"E_{\text{wiki\_en}}"),
        ("x1", "x_{1}"),
        ("loss", r"\mathrm{loss}"),
        ("_", r"\mathrm{\_}"),
    ],
)
def test_names(name: str, printed: str) -> None:
    assert latex_name(name) == printed


def test_numbers() -> None:
    assert [latex_number(v) for v in (1e24, 0.5, 2.5e-7, 3.0)] == [
        "10^{24}",
        "0.5",
        r"2.5 \cdot 10^{-7}",
        "3",
    ]


def test_braces_and_brackets_match_in_every_law() -> None:
    for name in lf.laws():
        text = lf.law(name).latex
        assert text.count("{") == text.count("}"), name
        assert text.count(r"\left") == text.count(r"\right"), name
        assert text.count(r"\begin{cases}") == text.count(r"\end{cases}"), name


def test_what_repeats_in_a_long_formula_gets_a_letter() -> None:
    assert latex_equation("y", "E + A / N**alpha") == f"y = {latex('E + A / N**alpha')}"
    long = "(1 + g * exp(-h * (N / D - 1)))"
    text = latex_equation("y", f"E + A / {long}**alpha + B * {long}**beta / (u + {long})", most=80)
    assert text == (
        r"\begin{align*} y &= E + \frac{A}{v^{\alpha}} + \frac{B \, v^{\beta}}{u + v} \\ "
        rf"v &= {latex(long)} \end{{align*}}"  # u is taken
    )
    of_k = "exp(b * k) / (1 + exp(b * k) * (1 + exp(b * k)))"
    index = f"sum(a * {of_k} + c * {of_k} for k in range(1, 4))"
    assert "align" not in latex_equation("y", index, most=20)  # k means nothing outside
