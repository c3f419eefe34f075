"""The formula language: errors that point at the character, limits, names, and what is compiled."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawfit import expression, formula, reference
from lawfit.compiler import evaluate_columns
from lawfit.errors import FormulaError, InputError
from lawfit.resolution import resolve

from .strategies import Tree, compiled, deterministic, render, trees


def error(text: str) -> FormulaError:
    with pytest.raises(FormulaError) as caught:
        formula.parse(text)
    return caught.value


# ---- Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [  # place: the text from the character that the error points at
        ("", "", "empty"),
        ("  \t ", "  \t ", "empty"),
        ("a +", "", "syntax"),
        ("a * (b +)", ")", "syntax"),
        ("not", "", "syntax"),
        ("2 **  ", "  ", "syntax"),
        ("  a + ) b", ") b", "unmatched ')'"),
        ("a + (b", "(b", "never closed"),
        ("exp(x)y", "y", "syntax"),
        ("2 ββ", "ββ", "syntax"),
        ("éé + 3 b", "b", "syntax"),
        ("a $ b", "$ b", "syntax"),
        ("1_000 + 1__0", "__0", "decimal"),
        ("a ^ 2", "^ 2", "write **"),
        ("a; b", "; b", "';'"),
        ("a\n+ b", "\n+ b", r"'\n'"),
        ("a # b", "# b", "'#'"),
        ("a\\b", "\\b", "unexpected character"),
        ("a + \0", "\0", "unexpected character"),
        ("a + \ud800", "\ud800", "unexpected character"),
        ("1 + lambda*2", "lambda*2", "write lambda_"),
        ("A/lambda", "lambda", "reserved"),
        ("mylambda + lambda", "lambda", "reserved"),
        ("E + A/N**(is)", "is)", "reserved"),
        ("L = a + b", "= a + b", "assigns"),
        ("a <= b = c", "= c", "assigns"),
        ("a == b = c", "= c", "assigns"),
        ("1 + N.real", "N.real", "dot"),
        ("β + N.real", "N.real", "dot"),
        ("  β*2 + N.real", "N.real", "dot"),
        ("N[0]", "N[0]", "square brackets"),
        ("1 + sinh(2)", "sinh(2)", "unknown function 'sinh'"),
        ("1 + exp(1, 2)", "exp(1, 2)", "exp takes 1 argument(s), got 2"),
        ("exp()", "exp()", "got 0"),
        ("min(a)", "min(a)", "min takes at least 2 argument(s), got 1"),
        ("where(a, b)", "where(a, b)", "takes 3"),
        ("exp(x=1)", "exp(x=1)", "named arguments"),
        ("exp(*a)", "*a)", "star"),
        ("a*(b)(c)", "(b)(c)", "unknown function 'b'"),
        ("a(b)(c)", "a(b)(c)", "only the functions"),
        ("a.b(c)", "a.b(c)", "only the functions"),
        ("1 + (a, 2)", "(a, 2)", "comma"),
        ("a, b", "a, b", "comma"),
        ("1 + 's'", "'s'", "a text"),
        ("f'{a}'", "f'{a}'", "a text"),
        ("1 + True", "True", "True"),
        ("None", "None", "None"),
        ("2*1j", "1j", "1j"),
        ("...", "...", "Ellipsis"),
        ("a + 1e999", "1e999", "too large"),
        ("a + " + "9" * 400, "9" * 400, "too large"),
        ("1 + (a // b)", "a // b)", "operator"),
        ("a % b", "a % b", "operator"),
        ("1 + ~a", "~a", "operator"),
        ("1 + (a is b)", "a is b)", "comparison"),
        ("1 + (a in b)", "a in b)", "comparison"),
        ("1 + [1]", "[1]", "list"),
        ("{1}", "{1}", "set"),
        ("{1: 2}", "{1: 2}", "dictionary"),
        ("lambda: 1", "lambda: 1", "lambda"),
        ("x if y else z", "x if y else z", "where"),
        ("1 + (a := 3)", "a := 3)", "assignment"),
        ("[x for x in y]", "[x for x in y]", "ListComp"),
    ],
)
def test_errors_say_why_and_point_at_the_place(text: str, place: str, reason: str) -> None:
    caught = error(text)
    assert reason in caught.reason
    assert caught.text == text
    assert text[caught.position :] == place
    first, shown, pointer = str(caught).split("\n  ") if "\n" not in text else ("", "", "")
    if shown:
        assert first == f"{caught.reason} (character {caught.position + 1})"
        assert shown == text.encode("utf-8", "replace").decode()  # what can be printed
        assert pointer == " " * caught.position + "^"
    assert isinstance(caught, InputError)
    assert isinstance(caught, ValueError)


def test_only_texts_are_formulas() -> None:
    with pytest.raises(TypeError, match="not int"):
        formula.parse(3)  # type: ignore[arg-type]


# ---- Limits ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(" * formula.MAX_DEPTH + "a" + ")" * formula.MAX_DEPTH,
        "-" * formula.MAX_DEPTH + "a",
        "exp(" * formula.MAX_DEPTH + "a" + ")" * formula.MAX_DEPTH,
        "*".join(["a"] * (formula.MAX_DEPTH + 1)),
        "+".join(["a"] * 1000),
        " - ".join(["a*x**2"] * 1000),
        "max(" + ", ".join(["a"] * 5000) + ")",
        " < ".join(["a"] * 1000),
        " and ".join(["a"] * 1000),
        "a" * formula.MAX_LENGTH,
    ],
    ids=lambda text: text[:20],
)
def test_long_formulas(text: str) -> None:
    assert set(formula.names(text)) <= {"a", "x", "a" * formula.MAX_LENGTH}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(" * (formula.MAX_DEPTH + 1) + "a" + ")" * (formula.MAX_DEPTH + 1), "parentheses"),
        ("((" * 10_000, "parentheses"),
        ("-" * (formula.MAX_DEPTH + 1) + "a", "levels"),
        ("-" * 10_000 + "a", "nest"),
        ("not " * 4000 + "a", "nest"),
        ("**".join(["a"] * 3000), "nest"),
        ("*".join(["a"] * 3000), "nest"),
        ("a" * (formula.MAX_LENGTH + 1), "20001 characters"),
        ("1" * 5000, "digits"),
    ],
    ids=lambda text: text[:20],
)
def test_formulas_too_long_or_too_deep(text: str, reason: str) -> None:
    assert reason in error(text).reason


# ---- Trees -------------------------------------------------------------------------------


def test_names_come_in_order_of_appearance() -> None:
    assert formula.names("E + A/N**alpha + A*E + N") == ("E", "A", "N", "alpha")
    assert formula.names("c*where(b < a, x, exp(c))") == ("c", "b", "a", "x")
    assert formula.names("1 + exp(2)") == ()
    assert formula.names("-(z - y) + x") == ("z", "y", "x")


def test_a_name_may_be_a_greek_letter() -> None:
    assert formula.names("α/N**β") == ("α", "N", "β")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a + b - c", "((a) + b) + -c"),
        ("-2**2", "-(2**2)"),
        ("2**-1", "2**(-1)"),
        ("a**b**c", "a**(b**c)"),
        ("a < b < c", "(a < b) and (b < c)"),
        ("+a", "a"),
        ("0x1F + 1_000 + .5", "31 + 1000 + 0.5"),
        (" \ta * b ", "a*b"),
    ],
)
def test_what_means_the_same(text: str, same: str) -> None:
    assert formula.parse(text) == formula.parse(same)


def test_a_sum_is_one_level() -> None:
    tree = formula.parse("a - b*c + d - (e + f)")
    assert isinstance(tree, expression.Apply)
    assert tree.function == "add"
    assert len(tree.arguments) == 4
    assert len(expression.addends(formula.parse("a + (b + (c + d)) + e"))) == 5


def test_one_minus_exp_is_recognised() -> None:
    x = expression.Name("x")
    for text in ("1 - exp(x)", "-exp(x) + 1", "1 + -exp(x)", "1 - 1*exp(x)"):
        tree = formula.parse(text)
        if "1*" in text:  # as folding leaves it
            tree = expression.add(
                expression.Constant(1.0), expression.negate(expression.Apply("exp", (x,)))
            )
        assert expression.one_minus_exp(tree) == x
    for text in ("1 + exp(x)", "2 - exp(x)", "exp(x) - 1", "1 - exp(x) - y", "1 - 2*exp(x)"):
        assert expression.one_minus_exp(formula.parse(text)) is None


POSITIVE, NEGATIVE, UNKNOWN = 1, -1, 0


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("p", POSITIVE),
        ("x", UNKNOWN),
        ("3", POSITIVE),
        ("0", UNKNOWN),
        ("-p", NEGATIVE),
        ("-p*-q", POSITIVE),
        ("p/-q", NEGATIVE),
        ("p*x", UNKNOWN),
        ("p**x", POSITIVE),
        ("x**2", UNKNOWN),
        ("exp(x)", POSITIVE),
        ("1 - exp(-p)", POSITIVE),
        ("1 - exp(p)", UNKNOWN),
        ("p + q", POSITIVE),
        ("p - q", UNKNOWN),
        ("-p - q", NEGATIVE),
        ("min(p, q)", POSITIVE),
        ("min(p, x)", UNKNOWN),
        ("min(-p, x)", NEGATIVE),
        ("max(p, x)", POSITIVE),
        ("max(-p, -q)", NEGATIVE),
        ("where(x, p, q)", POSITIVE),
        ("where(x, p, -q)", UNKNOWN),
        ("abs(-p)", POSITIVE),
        ("abs(x)", UNKNOWN),
        ("sqrt(p)*log1p(q)*expm1(p)*tanh(q)*erf(p)*arctan(q)", POSITIVE),
        ("expm1(-p) + arctan(-q)", NEGATIVE),
        ("sin(p) + cos(q)", UNKNOWN),
        ("sigmoid(x) + softplus(x) + normcdf(x)", POSITIVE),
        ("log(p)", UNKNOWN),
        ("p > q", UNKNOWN),
    ],
)
def test_signs(text: str, sign: int) -> None:
    tree = resolve(formula.parse(text), variables=["x", "p"], positive=["p", "q"])
    assert expression.is_positive(tree) == (sign == POSITIVE)
    assert expression.is_negative(tree) == (sign == NEGATIVE)


@deterministic
@given(trees())
def test_names_of_any_formula(tree: Tree) -> None:
    written: list[str] = []

    def leaf(name: str) -> str:
        written.append(name)
        return name

    assert formula.names(render(tree, leaf)) == tuple(dict.fromkeys(written))


@deterministic
@given(st.text(alphabet="aNx01.e+-*/()<>=! ,\t~^[]'#and\nor€β", max_size=25))
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    caught = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, about the likes of 1or 2
        try:
            formula.parse(text)
        except FormulaError as error:
            caught = error
    assert caught is None or (0 <= caught.position <= len(text) and caught.reason)


# ---- Formulas over columns ---------------------------------------------------------------


def test_evaluate_columns() -> None:
    columns = {"N": np.array([1, 4, 9]), "ok": np.array([True, False, True]), "z": np.arange(3)}
    assert evaluate_columns("2*N**0.5 + ok", columns).tolist() == [3, 4, 7]
    assert evaluate_columns("N > 1 and ok", columns).tolist() == [0, 0, 1]
    assert evaluate_columns("1.5", columns).tolist() == [1.5] * 3
    assert evaluate_columns("1.5", {}).tolist() == [1.5]
    text = "where(ok, log(N), -z) + max(N, 3, z)/7"
    want = reference.evaluate(text, {}, columns)
    np.testing.assert_allclose(evaluate_columns(text, columns), want, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("N + x", "x"),
        ("xN*0 + x", "x"),
        ("max(N, exp(x))", "x))"),
        ("N + β*2", "β*2"),
    ],
)
def test_evaluate_columns_without_a_column(text: str, place: str) -> None:
    with pytest.raises(FormulaError, match="no column") as caught:
        evaluate_columns(text, {"N": np.ones(2), "xN": np.ones(2)})
    assert text[caught.value.position :] == place
    assert "columns: N, xN" in str(caught.value)


# ---- Programs ----------------------------------------------------------------------------

CHINCHILLA = "E + A/N**alpha + B/D**beta"
PARAMETERS = ["E", "A", "alpha", "B", "beta"]
TABLE = {"N": np.array([1e6, 1e9]), "D": np.array([1e9, 1e10])}


def test_chinchilla_in_log_space_is_three_operations_per_row() -> None:
    program = compiled(CHINCHILLA, TABLE, PARAMETERS, logs={"E", "A", "B"}, space="log")
    assert [name for name, _ in program.row_operations] == ["affine", "affine", "logsumexp"]
    assert program.uniform_operations == []
    assert program.disassemble() == (
        "once per table:\n"
        "  d0 = log(N)\n"
        "  d1 = -1 * d0\n"
        "  d2 = log(D)\n"
        "  d3 = -1 * d2\n"
        "once per parameter vector:\n"
        "per row:\n"
        "  r0 = A + alpha * d1\n"
        "  r1 = B + beta * d3\n"
        "  r2 = logsumexp(exp(E), exp(r0), exp(r1))\n"
        "result: r2\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "E + A*N**-alpha + B*D**-beta",
        "E + exp(log(A) - alpha*log(N)) + B/pow(D, beta)",
        "B/D**beta + (A/N**alpha + E)",
    ],
)
def test_however_it_is_written(text: str) -> None:
    program = compiled(text, TABLE, PARAMETERS, logs={"E", "A", "B"}, space="log")
    assert len(program.row_operations) == 3
    assert program.uniform_operations == []


def test_what_depends_on_columns_alone_is_computed_once() -> None:
    program = compiled("a + b*(log(N)**2 + exp(-D/1e9)*3)", TABLE, ["a", "b"])
    assert len(program.row_operations) == 1
    program = compiled("N/D", TABLE, [])
    assert program.row_operations == []


def test_equal_parts_are_computed_once() -> None:
    program = compiled("exp(a*N) + sqrt(exp(a*N)) + log1p(exp(a*N))", TABLE, ["a"])
    assert [name for name, _ in program.row_operations].count("exp") == 1


def test_nested_powers_stay_small() -> None:
    """Multiplied out, the exponents of this would have 3**40 terms."""
    text = "(" * 40 + "N" + "**(D + N + a))" * 40
    program = compiled(text, TABLE, ["a"], space="log")
    assert len(program.row_operations) < 200
