"""Compiled programs against the NumPy twin: values and derivatives, in all spaces."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given

from lawfit import formula, reference
from lawfit.errors import FormulaError
from lawfit.expression import ONE, Apply, Constant, Coordinate, Variable
from lawfit.rewriting import fold, signed_terms

from .strategies import (
    INSTRUCTION_SETS,
    SPACES,
    Law,
    compiled,
    deterministic,
    instruction_set,
    laws,
    number,
    parts,
)

INF, NAN = np.inf, np.nan


# ---- Random laws -------------------------------------------------------------------------


def harmless_rows(law: Law) -> np.ndarray:
    """Return the rows where no part of the law comes near the ends of the range of doubles."""
    rows = np.ones(law.rows, bool)
    for part in parts(law.tree):
        value, _ = law.twin(tree=part)
        rows &= (np.abs(value) > 1e-100) & (np.abs(value) < 1e100) | (value == 0)
        if (value == 0).any():  # or is it a long double too small for a double?
            is_zero, _ = law.twin(tree=("compare", ("==",), (part, number(0.0))))
            rows &= (value != 0) | (is_zero == 1)
        if part[:2] == ("op", "**"):  # an infinite slope, perhaps times zero
            base, power = (law.twin(tree=side)[0] for side in part[2:])
            rows &= (base != 0) | (power >= 1)
        if part[0] == "compare":  # does rounding decide it?
            sides = [law.twin(tree=side)[0] for side in part[2]]
            noisy = [law.twin(tree=side, noise_seed=1)[0] for side in part[2]]
            exact = [a == b for a, b in zip(sides, noisy, strict=True)]
            for k in range(len(sides) - 1):
                near = np.isclose(sides[k], sides[k + 1], rtol=1e-12, atol=0)
                rows &= ~near | (exact[k] & exact[k + 1])
        if part[:2] == ("call", "where"):  # is its condition zero, but for rounding?
            condition = part[2][0]
            exact, _ = law.twin(tree=condition)
            noisy = [law.twin(tree=condition, noise_seed=seed)[0] for seed in (1, -1)]
            with np.errstate(invalid="ignore"):
                rows &= np.max(np.abs(noisy - exact), axis=0) <= 0.1 * np.abs(exact)
    return rows


def agree_with_twin(law: Law, space: str, harmless: np.ndarray) -> None:
    value, jacobian = law.twin(space)
    noisy = [law.twin(space, noise_seed=seed) for seed in (1, -1, 2, -2)]
    with np.errstate(invalid="ignore"):
        spread = np.max([np.abs(v - value) for v, _ in noisy], axis=0)
        spread_j = np.max([np.abs(j - jacobian) for _, j in noisy], axis=0)
    # What an error of 1e-13 relative in a parameter, or in the value, amounts to at least.
    unit = [1.0 if n in law.logs or v == 0 else abs(v) for n, v in law.values.items()]
    size = np.abs(value) if space == "linear" else 1 + np.abs(value)
    with np.errstate(over="ignore"):  # by a parameter of 1e-139
        floor = 1e-13 * size[:, None] / np.array(unit)

    tolerance = 4 * spread + 1e-13 * np.abs(value)
    tolerance_j = 4 * spread_j + 1e-13 * np.abs(jacobian) + floor
    if space != "linear":  # the twin's noise may cancel between a slope and what it is divided by
        with np.errstate(invalid="ignore"):  # an infinite logarithm without slope: not compared
            tolerance_j += 4 * spread[:, None] * np.abs(jacobian)
    # Spread out is what lies at a kink, where noise decides.
    clear = harmless & np.isfinite(value) & (spread <= 1e-3 * (1 + np.abs(value)))
    clear_j = (spread_j <= 1e-2 * np.abs(jacobian)) | (spread_j <= floor)
    clear_j &= (clear & np.isfinite(jacobian).all(axis=1))[:, None]

    program = law.program(space)
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            got, got_j = law.run(program)
        with np.errstate(invalid="ignore"):
            wrong = clear & ~(np.abs(got - value) <= tolerance)
            wrong_j = clear_j & ~(np.abs(got_j - jacobian) <= tolerance_j)
        assert not wrong.any(), (name, space, law.text, got[wrong], value[wrong])
        assert not wrong_j.any(), (name, space, law.text, got_j[wrong_j], jacobian[wrong_j])


@deterministic
@given(laws())
def test_random_laws(law: Law) -> None:
    harmless = harmless_rows(law)
    for space in SPACES:
        agree_with_twin(law, space, harmless)


# ---- Every function ----------------------------------------------------------------------

FUNCTIONS = [
    "exp(a*x)",
    "log(b*x**2 + E)",
    "log2(E + x*x)",
    "log10(E + x*x)*a",
    "log1p(b*x*x)",
    "expm1(a*x)",
    "sqrt(E + x*x)",
    "abs(x - a)",
    "tanh(a*x)",
    "sigmoid(a + x)",
    "logit(sigmoid(a*x)*0.9 + 0.05)",
    "softplus(a*x)",
    "erf(a*x)",
    "normcdf(a*x)",
    "sin(a*x)",
    "cos(a*x + E)",
    "arctan(a*x)",
    "pow(x, 3)*a",
    "pow(E, x)",
    "logaddexp(a, x)",
    "logsumexp(a, x, E)",
    "logsumexp(a*x)",
    "min(x, a, b)",
    "max(x, a, b)",
    "where(x > 0, a*x, b)",
    "where(x, a, b)",
    "a*(x < 0.5) + b*(x <= 1) + E*(x > 1)",
    "a*(x >= 0) + b*(x == 1) + E*(x != 1)",
    "a*(-1 < x < 1)",
    "a*(x > 0 and x < 1) + b*(x < 0 or x > 1) + E*(not x)",
    "a*(x and E)",
    "-x + +a",
    "a - x/b",
    "E*N**-a + b*N**0.25",
    "E*N**(a*x/9)/P**b",
    "P**a*0.5 + x",
    "P**-b/2 + x",
    "1 - exp(-a*P)",
    "(1 - exp(-a))*x",
    "x**2 - x**5*1e-3 + x**-1 + x**16*1e-9",
    "((E/N)**(a/b) + b/P)**b",
    "sigmoid(a - b*log(N))",
    "3",
    "a",
    "x",
]
TABLE = {
    "x": np.array([-3.0, -1.0, -0.4, 1e-3, 0.5, 1.0, 2.5, 4.0]),
    "N": np.geomspace(1e6, 1e11, 8),
    "P": np.array([1.0, 2, 3, 4, 8, 16, 32, 64]),
}
VALUES = {"a": 0.7, "b": 1.3, "E": 1.9}


def run(
    text: str,
    values: dict[str, float],
    columns: dict[str, np.ndarray],
    space: str = "linear",
    **options: object,
) -> tuple[np.ndarray, np.ndarray]:
    """Run the engine at coordinates in order of appearance."""
    names = [n for n in formula.names(text) if n not in columns]
    program = compiled(text, columns, names, space=space, **options)
    x = np.array([values[n] for n in names], dtype=float)
    rows = len(next(iter(columns.values())))
    got, jacobian = program.values_and_jacobian(list(columns.values()), rows, x)
    np.testing.assert_array_equal(got, program.values(list(columns.values()), rows, x))
    return got, jacobian


def twin(
    text: str, values: dict[str, float], columns: dict[str, np.ndarray], space: str = "linear"
) -> tuple[np.ndarray, np.ndarray]:
    names = [n for n in formula.names(text) if n not in columns]
    text = text if space == "linear" else f"{space}({text})"
    return reference.evaluate_with_gradient(text, values, columns, names)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("text", FUNCTIONS)
def test_every_function(text: str, space: str, name: str) -> None:
    value, jacobian = twin(text, VALUES, TABLE, space)
    with instruction_set(name):
        got, got_j = run(text, VALUES, TABLE, space)
    finite = np.isfinite(value)
    assert finite.any() or space != "linear"
    assert not np.isfinite(got[~finite]).any()
    if space == "logit":
        finite &= value < 5  # beyond, what is left of 1 minus the prediction decides
    np.testing.assert_allclose(got[finite], value[finite], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(got_j[finite], jacobian[finite], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("logs", [(), ("E",), ("a", "b", "E")])
@pytest.mark.parametrize("positive", [(), ("a", "b")])
@pytest.mark.parametrize("text", FUNCTIONS)
def test_coordinates(text: str, positive: tuple[str, ...], logs: tuple[str, ...]) -> None:
    """How a parameter is moved, and what is known of its sign, does not change what is computed."""
    value, jacobian = twin(text, VALUES, TABLE)
    names = [n for n in formula.names(text) if n not in TABLE]
    coordinates = {n: np.log(v) if n in logs else v for n, v in VALUES.items()}
    got, got_j = run(text, coordinates, TABLE, logs=logs, positive=positive)
    chain = np.array([VALUES[n] if n in logs else 1.0 for n in names])
    np.testing.assert_allclose(got, value, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(got_j, jacobian * chain, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "text",
    ["a*sqrt(E*N + P)", "sqrt(N/P)**b", "a*max(N/P, E)", "b*where(P > 5, N, E)", "min(E, P)**a"],
)
def test_logarithms_of_what_is_positive(text: str) -> None:
    """They are taken apart, which must change neither the value nor the slopes."""
    columns = {n: TABLE[n] for n in ("N", "P") if n in formula.names(text)}
    value, jacobian = twin(text, VALUES, columns, "log")
    got, got_j = run(text, VALUES, columns, "log", positive={*VALUES, *columns})
    np.testing.assert_allclose(got, value, rtol=1e-13)
    np.testing.assert_allclose(got_j, jacobian, rtol=1e-12, atol=1e-13)


def test_logarithms_of_a_choice_do_not_overflow() -> None:
    columns = {n: TABLE[n] for n in ("N", "P")}
    n, p = columns.values()
    for text, expected in [
        ("max(E*exp(N), P)", n + np.log(1.9)),
        ("where(P > 5, exp(N), E)", np.where(p > 5, n, np.log(1.9))),
    ]:
        value, _ = run(text, VALUES, columns, "log", positive={*VALUES, *columns})
        np.testing.assert_allclose(value, expected, rtol=1e-14)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize(
    "text",
    [
        "sqrt(max(x - a, 0))",
        "sqrt((x > a)*(x - a))",
        "sqrt(b*max(x - a, 0))",
        "max(x - a, 0)**b",
        "sqrt(x > a)",
        "sqrt(x and (x > a))",
    ],
)
def test_roots_of_what_is_zero_but_for_some_rows(text: str, name: str) -> None:
    """The infinite slope of the root at zero meets a choice or a product that does not move."""
    x, values = np.array([-1.0, 0.5, 2.0, 3.0]), {"a": 1.0, "b": 0.5}
    values = {k: v for k, v in values.items() if k in formula.names(text)}
    far = {"x": x[2:]}
    with instruction_set(name):
        value, jacobian = run(text, values, {"x": x})
        expected, slopes = run(text, values, far)
    wanted, wanted_j = twin(text, values, {"x": x})
    np.testing.assert_array_equal(value[:2], 0.0)
    np.testing.assert_array_equal(jacobian[:2], 0.0)
    np.testing.assert_array_equal(wanted_j[:2], 0.0)
    np.testing.assert_allclose(value[2:], expected, rtol=1e-14)
    np.testing.assert_allclose(jacobian[2:], slopes, rtol=1e-13)
    np.testing.assert_allclose(value, wanted, rtol=1e-13)


# ---- Rows --------------------------------------------------------------------------------

CHINCHILLA = "E + A/N**alpha + B/D**beta"
ROW_LAWS = [
    CHINCHILLA,
    "where(x > 0, E, A*exp(x)) + erf(x*alpha)*log(D) - B/D**beta",
    "x",
    "log(N)*2",
    "alpha",
]


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("space", ["linear", "log"])
@pytest.mark.parametrize("text", ROW_LAWS)
def test_a_row_does_not_depend_on_its_neighbours(text: str, space: str, name: str) -> None:
    rng = np.random.default_rng(3)
    rows = 513
    every = {
        "N": 10 ** rng.uniform(6, 11, rows),
        "D": 10 ** rng.uniform(8, 13, rows),
        "x": rng.normal(size=rows),
    }
    columns = {n: every[n] for n in formula.names(text) if n in every}
    values = {"E": 0.5, "A": 6.0, "alpha": 0.34, "B": 7.0, "beta": 0.28}
    logs = {"E", "A", "B"}

    def at(picked: slice) -> tuple[np.ndarray, np.ndarray]:
        table = {n: c[picked] for n, c in columns.items()} or {"x": every["x"][picked]}
        return run(text, values, table, space, logs=logs)

    with instruction_set(name):
        value, jacobian = at(slice(None))
        for count in [*range(1, 21), 255, 256, 257]:
            for picked in (slice(count), slice(rows - count, None)):
                got, got_j = at(picked)
                np.testing.assert_allclose(got, value[picked], rtol=1e-13, atol=1e-15)
                np.testing.assert_allclose(got_j, jacobian[picked], rtol=1e-12, atol=1e-15)


# ---- The ends of the range ---------------------------------------------------------------

mpmath.mp.prec = 200
N = np.array([1e6, 1e9, 1e12])


def exactly(function: Callable[..., object], *columns: np.ndarray) -> np.ndarray:
    """Return function(row) in 200 bits, rounded once."""
    rows = [[mpmath.mpf(float(x)) for x in row] for row in zip(*columns, strict=True)]
    return np.array([float(function(*row)) for row in rows])


def log_sum(*terms: tuple[float, object]) -> object:
    return mpmath.log(mpmath.fsum(c * mpmath.exp(e) for c, e in terms))


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize(
    ("text", "values", "logs", "exponents"),
    [
        ("A/N**alpha", {"A": 800.0, "alpha": 1.0}, "A", lambda n: [(1, 800 - n)]),
        ("A/N**alpha", {"A": -800.0, "alpha": 2.0}, "A", lambda n: [(1, -800 - 2 * n)]),
        (
            "E + A/N**alpha",
            {"E": 790.0, "A": 800.0, "alpha": 0.5},
            "EA",
            lambda n: [(1, 790), (1, 800 - n / 2)],
        ),
        (  # a constant of zero neither spoils nor swallows what is left
            "E + A/N**alpha",
            {"E": 0.0, "A": 0.0, "alpha": 80.0},
            "A",
            lambda n: [(1, -80 * n)],
        ),
        (
            "E + a*D**beta + A/N**alpha",
            {"E": 0.0, "a": 0.0, "beta": 60.0, "A": 0.0, "alpha": 80.0},
            "A",
            lambda n: [(1, -80 * n)],
        ),
        (
            "A*N**alpha - B*N**beta",
            {"A": 900.0, "alpha": 0.5, "B": 899.0, "beta": 0.5},
            "AB",
            lambda n: [(1, 900 + n / 2), (-1, 899 + n / 2)],
        ),
        (
            "((A/N)**(alpha/beta) + B/D)**beta",
            {"A": 2000.0, "alpha": 0.5, "beta": 0.25, "B": 3000.0},
            "AB",
            None,
        ),
    ],
)
def test_the_log_of_a_sum_of_powers(
    text: str,
    values: dict[str, float],
    logs: str,
    exponents: Callable[[object], list[tuple[float, object]]] | None,
    name: str,
) -> None:
    columns = {n: N for n in ("N", "D") if n in text}

    def exact(n: object) -> object:
        if exponents is None:
            n = mpmath.log(n)
            return log_sum((1, 2 * (2000 - n)), (1, 3000 - n)) / 4
        return log_sum(*exponents(mpmath.log(n)))

    with instruction_set(name):
        value, jacobian = run(text, values, columns, "log", logs=set(logs))
        if "-" not in text and set(logs) >= {"E", "A", "B"} & set(text):  # known to be positive
            inner, _ = run(f"log({text})", values, columns, logs=set(logs))
            np.testing.assert_array_equal(inner, value)
    np.testing.assert_allclose(value, exactly(exact, N), rtol=1e-15, atol=2e-13)
    names = [n for n in formula.names(text) if n not in columns]
    smooth = [k for k, n in enumerate(names) if values[n] != 0.0]
    assert np.isfinite(jacobian[:, smooth]).all()
    if exponents is not None and text == "A/N**alpha":
        np.testing.assert_allclose(jacobian, np.column_stack([N**0, -np.log(N)]), rtol=1e-15)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_shares_of_a_sum_with_huge_terms(name: str) -> None:
    """Derivatives of log(E + A/N**alpha) along log E and log A: the share of each term."""
    with instruction_set(name):
        _, jacobian = run(
            "E + A/N**alpha",
            {"E": 790.0, "A": 800.0, "alpha": 0.5},
            {"N": N},
            "log",
            logs={"E", "A"},
        )
    share = exactly(lambda n: 1 / (1 + mpmath.exp(800 - mpmath.log(n) / 2 - 790)), N)
    np.testing.assert_allclose(jacobian[:, 0], share, rtol=1e-12)
    np.testing.assert_allclose(jacobian[:, 1], 1 - share, rtol=1e-12)
    np.testing.assert_allclose(jacobian[:, 2], -np.log(N) * (1 - share), rtol=1e-12)


@pytest.mark.parametrize("terms", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("spread", [1.0, 100.0, 299.0, 301.0, 600.0, 900.0])
@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_log_sums_of_any_spread(name: str, spread: float, terms: int) -> None:
    rng = np.random.default_rng(terms)
    columns = {f"x{k}": rng.uniform(-spread, spread, 20) for k in range(terms)}
    columns["x0"][0] = spread
    names = [f"c{k}" for k in range(terms)]
    coefficients = rng.uniform(0.1, 3, terms)
    for fixed in ("", "a + ", "a - 0.5*c + 0.25*c + "):
        text = fixed + " + ".join(f"{c}*exp(x{k})" for k, c in enumerate(names))
        values = {**dict(zip(names, coefficients, strict=True)), "a": 0.7, "c": 0.4}
        constant = {"": 0.0, "a + ": 0.7}.get(fixed, 0.6)

        def exact(*xs: object, constant: float = constant) -> object:
            return log_sum((constant, 0), *zip(coefficients, xs, strict=True))

        with instruction_set(name):
            value, jacobian = run(text, values, columns, "log", positive=set(values))
        np.testing.assert_allclose(
            value, exactly(exact, *columns.values()), rtol=4e-16, atol=4e-16 * (1 + spread)
        )
        if not fixed:  # shares of a sum to which nothing else belongs
            np.testing.assert_allclose(jacobian @ coefficients, 1, rtol=1e-12)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_one_minus_exp(name: str) -> None:
    x = np.array([1e-300, 1e-20, 1e-8, 1e-3, 1.0, 30.0, 700.0, 1e5, 1e300])
    exact = {
        "1 - exp(-a*x)": lambda x: -mpmath.expm1(-x),
        "-exp(-a*x) + 1": lambda x: -mpmath.expm1(-x),
        "log(1 - exp(-a*x))": lambda x: mpmath.log(-mpmath.expm1(-x)),
        "(1 - exp(-a*x))**b": lambda x: mpmath.sqrt(-mpmath.expm1(-x)),
        "(1 - exp(-a))*x**0": lambda x: -mpmath.expm1(-1),
    }
    slope = {
        "1 - exp(-a*x)": lambda x: x * mpmath.exp(-x),
        "log(1 - exp(-a*x))": lambda x: x / mpmath.expm1(x) if x < 800 else mpmath.mpf(0),
    }
    with instruction_set(name):
        for text, function in exact.items():
            value, jacobian = run(text, {"a": 1.0, "b": 0.5}, {"x": x}, positive={"a"})
            want = exactly(function, x)
            np.testing.assert_allclose(value, want, rtol=1e-13, atol=1e-16, err_msg=text)
            np.testing.assert_allclose(value[:5], want[:5], rtol=1e-13, err_msg=text)
            assert np.isfinite(jacobian).all(), text
            if text in slope:
                want = exactly(slope[text], x)
                np.testing.assert_allclose(jacobian[:, 0], want, rtol=1e-13, err_msg=text)
        value, _ = run("log(1 - exp(-a)) + 0*x", {"a": 1e-20}, {"x": x}, positive={"a"})
    np.testing.assert_allclose(value, np.log(1e-20), rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "values", "want"),
    [
        ("log(a * b)", {"a": 1e200, "b": 1e250}, 450 * np.log(10)),
        ("log(a / b)", {"a": 1e200, "b": 1e-250}, 450 * np.log(10)),
        ("log(a ** b)", {"a": 1e200, "b": 3.0}, 600 * np.log(10)),
        ("log(exp(a) + exp(b))", {"a": 1000.0, "b": 1001.0}, 1001 + np.log1p(np.exp(-1))),
        ("log(exp(a) * 2)", {"a": 1000.0}, 1000 + np.log(2)),
        ("log(max(a, b))", {"a": 3.0, "b": 5.0}, np.log(5)),
        ("log((a - 3) * (b - 3))", {"a": 1.0, "b": 1.5}, np.log(3)),
        ("log((a - 2) ** 2)", {"a": 0.5}, np.log(2.25)),
        ("log(sqrt(a))", {"a": 9.0}, np.log(3)),
        ("log(0)", {}, -np.inf),
    ],
)
def test_logarithms_of_numbers_without_columns(
    text: str, values: dict[str, float], want: float
) -> None:
    """Taken apart, they do not overflow; what may be negative is left whole."""
    got, _ = run(f"{text} + 0*x", values, {"x": np.arange(1.0, 4.0)}, positive={"a", "b"})
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_constants_are_folded() -> None:
    """So that numbers that are equal share a slot."""
    two, three = Constant(2.0), Constant(3.0)
    for f, args, want in (
        ("add", (two, three), 5.0),
        ("mul", (two, three), 6.0),
        ("div", (two, three), 2 / 3),
        ("neg", (two,), -2.0),
        ("log", (two,), np.log(2.0)),
    ):
        assert fold(Apply(f, args)) == Constant(want)
        inner = Apply("exp", (Apply(f, args),))
        assert fold(inner) == Apply("exp", (Constant(want),))
    for f in ("add", "mul"):
        assert fold(Apply(f, (Apply(f, (two, three)), Coordinate("a")))) == Apply(
            f, (Constant(5.0 if f == "add" else 6.0), Coordinate("a"))
        )


def test_sums_are_split_into_coefficients_and_positive_terms() -> None:
    x, k, two = Variable("x", positive=True), Coordinate("k"), Constant(2.0)
    e = Apply("exp", (x,))
    minus = Constant(-1.0)
    for term, want in (
        (e, (ONE, e)),
        (Apply("mul", (e, x)), (ONE, Apply("mul", (e, x)))),
        (Apply("neg", (e,)), (minus, e)),
        (Apply("mul", (k, e)), (k, e)),
        (Apply("mul", (e, k)), (k, e)),
        (Apply("div", (e, k)), (ONE, Apply("div", (e, k)))),
        (Apply("div", (k, x)), (k, Apply("div", (ONE, x)))),
        (Apply("neg", (Apply("mul", (k, Apply("neg", (e,)))),)), (k, e)),
        (Apply("mul", (Apply("sin", (x,)), e)), (ONE, Apply("mul", (Apply("sin", (x,)), e)))),
    ):
        assert signed_terms(Apply("add", (term, two))) == [want, (ONE, two)]


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_signed_terms(name: str) -> None:
    """Terms of either sign under one logarithm; nan where the sum is below zero."""
    columns = {"N": N, "x": np.array([-1.0, 0.5, 2.0])}
    values = {"A": 0.3, "alpha": 0.01, "a": -0.4, "E": 1.1, "b": -0.2}
    texts = ("E + a*N**-alpha", "a*N**alpha + A", "A*N**alpha - E", "a*x + b*x*N**alpha + E")
    with instruction_set(name):
        for text in texts:
            value, jacobian = twin(text, values, columns, "log")
            got, got_j = run(text, values, columns, "log")
            finite = np.isfinite(value)
            assert not np.isfinite(got[~finite]).any()
            np.testing.assert_allclose(got[finite], value[finite], rtol=1e-13)
            np.testing.assert_allclose(got_j[finite], jacobian[finite], rtol=1e-12)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize(
    "text",
    [
        "x**3",
        "x**b",
        "x**k",
        "pow(x, b)*a",
        "(x - a)**3 + x**2",
        "(x - 7)**-3",
        "x**16 - x**15",
        "(a - 5)**b*x",
        "x**(b - 1)",
    ],
)
def test_whole_powers_of_negative_numbers(text: str, name: str) -> None:
    columns = {"x": np.array([-2.0, -1.5, 0.0, 3.0, 1.0]), "k": np.array([3.0, 2, 1, 4, 5])}
    columns = {n: c for n, c in columns.items() if n in formula.names(text)}
    values = {"a": 0.5, "b": 3.0}
    value, jacobian = twin(text, values, columns)
    with instruction_set(name):
        got, got_j = run(text, values, columns)
    np.testing.assert_allclose(got, value, rtol=1e-13)
    np.testing.assert_allclose(got_j, jacobian, rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize(
    ("text", "values", "x"),
    [
        ("where(x > 0, a*log(x), b*x)", {"a": 1.0, "b": 0.5}, [-2.0, 0, 3]),
        ("where(x > 0, a/x, b*x)", {"a": 1.0, "b": 0.5}, [-2.0, 0, 3]),
        ("where(x > 0, x**a, exp(b*x))", {"a": 1.5, "b": 0.5}, [-2.0, 0, 3]),
        ("where(x <= 3, a*x, exp(b*x**400))", {"a": 1.5, "b": 0.5}, [-2.0, 0, 3, 1000]),
        ("where(x > 0, a*sqrt(x), b*sqrt(-x))", {"a": 1.5, "b": 0.5}, [-2.0, 0, 3]),
        ("a*where(x > 0, log(x)*b, 2)", {"a": 1.5, "b": 0.5}, [-2.0, 0, 3]),
        ("exp(where(x > 0, a, b*x*1e6))", {"a": 1.5, "b": 0.5}, [-2.0, 0, 3]),
        ("where(x > 0, a, x*log(b))", {"a": 1.0, "b": -1.0}, [1.0, 2, 3]),
        ("where(x > 0, a, x*sqrt(b))", {"a": 1.0, "b": 0.0}, [1.0, 2, 3]),
        ("where(x > 0, a, (b - 1)**a*x)", {"a": 0.5, "b": 0.5}, [1.0, 2, 3]),
        ("where(x > 0, a*x, (x + b*x)*exp(c))", {"a": 0.5, "b": 0.5, "c": 800.0}, [1.0, 2, 3]),
        ("a*where(x > log(b), x, 1)", {"a": 1.0, "b": 0.0}, [-2.0, 0, 3]),
        ("a*(x > sqrt(b)) + (x < logit(c))", {"a": 1.0, "b": 0.0, "c": 1.0}, [-2.0, 0, 3]),
        ("min(x, exp(a*x*1e6))", {"a": 1.0}, [1.0, 2, 3]),
        ("max(a*x, -exp(x*b))", {"a": 1.0, "b": 800.0}, [1.0, 2, 3]),
    ],
)
def test_what_is_not_chosen_does_not_leak(
    text: str, values: dict[str, float], x: list[float], name: str
) -> None:
    columns = {"x": np.array(x)}
    value, jacobian = twin(text, values, columns)
    with instruction_set(name):
        got, got_j = run(text, values, columns)
    finite = np.isfinite(value)
    assert finite.sum() >= 2
    np.testing.assert_allclose(got[finite], value[finite], rtol=1e-13)
    np.testing.assert_allclose(got_j[finite], jacobian[finite], rtol=1e-13)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("space", ["linear", "log"])
def test_ties_go_to_the_first_argument(space: str, name: str) -> None:
    columns = {"x": np.array([3.0, 3.0, 2.0, 4.0])}
    values = {"a": 3.0, "b": 3.0}
    with instruction_set(name):
        for text in ("min(a, b) + 0*x", "max(b, a)*x**0", "min(x, a, b)", "max(a, x, b)"):
            value, jacobian = twin(text, values, columns, space)
            got, got_j = run(text, values, columns, space)
            np.testing.assert_allclose(got, value, rtol=1e-15)
            np.testing.assert_allclose(got_j, jacobian, rtol=1e-15)
        for text in ("max(a, x)", "min(x, b)"):
            value, jacobian = twin(text, values, columns, "log")
            got, got_j = run(text, values, columns, "log", positive={"a", "b"})
            np.testing.assert_allclose(got, value, rtol=1e-15)
            np.testing.assert_allclose(got_j, jacobian, rtol=1e-15)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("space", ["linear", "log"])
def test_infinite_columns(space: str, name: str) -> None:
    """A term that has died out at infinity has no derivative."""
    columns = {"N": N, "D": np.array([1e9, INF, INF])}
    values = {"E": 1.7, "A": 6.0, "alpha": 0.3, "B": 7.0, "beta": 0.4}
    natural = {**values, "A": np.exp(6.0), "B": np.exp(7.0)}
    value, jacobian = twin(CHINCHILLA, natural, columns, space)
    with instruction_set(name):
        got, got_j = run(CHINCHILLA, values, columns, space, logs={"A", "B"})
    np.testing.assert_allclose(got, value, rtol=1e-13)
    chain = np.array([1, np.exp(6.0), 1, np.exp(7.0), 1])
    np.testing.assert_allclose(got_j, jacobian * chain, rtol=1e-12)
    assert (got_j[1:, 3:] == 0).all()


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("log(x)", [-1.0, NAN, -INF]),
        ("sqrt(x)", [-1.0, NAN, -INF]),
        ("log1p(x)", [-1.5, NAN, -INF]),
        ("logit(x)", [-0.5, 1.5, NAN]),
        ("x**a", [-1.0, -1e300, NAN]),
        ("x**0.5", [-1.0, NAN]),
        ("x**2", [NAN]),
        ("a**x", [NAN]),
        ("min(x, a, 9)", [NAN]),
        ("max(9, a, x)", [NAN]),
        ("a + x", [NAN]),
        ("a*exp(x)", [NAN]),
        ("logaddexp(a, x)", [NAN]),
        ("logsumexp(x, a, 2)", [NAN]),
        ("logsumexp(a, 2*x, x, 3*x, a*x)", [NAN]),
        *((f"{f}(x)", [NAN]) for f in ("exp expm1 abs tanh sigmoid softplus erf normcdf").split()),
        ("sin(x)", [NAN, INF, -INF]),
        ("cos(x)", [NAN, INF, -INF]),
        ("arctan(x)", [NAN]),
        ("where(x < 2, x, a)", [-INF, INF, NAN]),
    ],
)
def test_what_is_undefined_is_nan(text: str, x: list[float], name: str) -> None:
    columns = {"x": np.array(x)}
    with np.errstate(all="ignore"), instruction_set(name):
        got, _ = run(text, {"a": 1.5}, columns)
        value, _ = twin(text, {"a": 1.5}, columns)
    np.testing.assert_array_equal(got, value)


# ---- Size --------------------------------------------------------------------------------


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["a*x"] * 500),
        " - ".join(f"a{k}/N**b{k}" for k in range(200)),
        "*".join(["N"] * 60),
        "*".join(["E"] * 60),
        "(" * 60 + "N" + "**(x + N + a))" * 60,
        "max(E, " * 60 + "N" + ")" * 60,
        "where(x > 0, E, " * 60 + "N" + ")" * 60,
        "logsumexp(a, " * 60 + "x" + ")" * 60,
        "x < " * 500 + "x",
        "min(" + ", ".join(["x"] * 500) + ")",
        "-" * 60 + "x",
    ],
    ids=lambda text: text[:20],
)
def test_what_the_parser_takes_can_be_compiled(text: str, space: str) -> None:
    columns = {"x": np.array([0.5]), "N": np.array([1.1])}
    columns = {n: c for n, c in columns.items() if n in formula.names(text)}
    names = [n for n in formula.names(text) if n not in columns]
    program = compiled(text, columns, names, logs={"E"}, space=space)
    assert len(program.row_operations) < 1000
    for nested in (f"exp({text})" for text in ("-" * 100 + "x", "+".join(["(" * 70] * 2))):
        with pytest.raises(FormulaError):
            formula.parse(nested)
