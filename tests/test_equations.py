"""Laws with their value on both sides, and sums and products over an index, against the twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lawfit as lf
from lawfit import formula, reference
from lawfit.calculus import derivative, log_derivative
from lawfit.compiler import compile_law
from lawfit.expression import Apply, Constant, Variable, is_nonnegative, is_positive
from lawfit.problem import Problem, Settings
from lawfit.resolution import MOST_TERMS, column_spans, resolve

from .strategies import INSTRUCTION_SETS, deterministic, instruction_set

Table = dict[str, np.ndarray]
ROWS = 20
RNG = np.random.default_rng(3)
COLUMNS: Table = {
    "N": 10 ** RNG.uniform(5, 11, ROWS),
    "K": RNG.integers(0, 8, ROWS) * 1.0,
    "J": RNG.integers(1, 4, ROWS) * 1.0,
    "x": RNG.normal(size=ROWS),
}


def against_the_twin(text: str, params: dict[str, float], tolerance: float = 1e-11) -> None:
    """Value, first and second derivatives, under all instruction sets."""
    law = lf.Law(text, variables=[n for n in formula.names(text) if n in COLUMNS])
    value, jacobian = reference.evaluate_with_gradient(text, params, COLUMNS, list(params))
    assert np.isfinite(value).all()
    settings = Settings(law.target, "linear", lf.Squared())
    problem = Problem(law, lf.Runs({**COLUMNS, law.target: value + 0.5}), settings)
    logs = {p.name for p in problem.parameters if p.transform == "log"}
    x = problem.to_coordinates({n: np.array([params[n]]) for n in problem.free})[0]
    along = [*problem.free]
    chain = np.array([params[n] if n in logs else 1.0 for n in along])
    want = jacobian[:, [list(params).index(n) for n in along]] * chain
    order = [along.index(n) for n in problem.program.parameters]
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            got, slopes = problem.program.values_and_jacobian(problem.columns, ROWS, x[order])
            np.testing.assert_allclose(got, value, rtol=tolerance)
            scale = np.abs(want).max(axis=0)
            np.testing.assert_allclose(slopes, want[:, order], rtol=1e-8, atol=1e-9 * scale.max())
    objective = problem.objective(None)
    step = 1e-4 * np.eye(len(x))
    slopes = [
        (8 * (g(x + e) - g(x - e)) - g(x + 2 * e) + g(x - 2 * e)) / 12e-4
        for e in step
        for g in [lambda x: objective.derivatives(x)[1]]
    ]
    hessian = objective.hessian(x)
    np.testing.assert_allclose(hessian, slopes, rtol=1e-5, atol=1e-7 * np.abs(hessian).max())


# --- equations -------------------------------------------------------------------------------


@settings(deterministic, max_examples=12)
@given(
    st.tuples(
        st.floats(-2, 2), st.floats(-2, 6), st.floats(0.05, 1.0), st.floats(0, 3), st.floats(0, 2)
    )
)
def test_sum_of_powers_of_the_unknown(draw: tuple[float, ...]) -> None:
    e, a, alpha, k, m = draw
    params = {"E": 10**e, "A": 10**a, "alpha": alpha, "k": k, "m": m, "C": 0.7}
    against_the_twin("y = E + A * (N * y**k)**-alpha + C * y**-m", params)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("y = a - b * tanh(y) + 0.1 * x", {"a": 0.3, "b": 1.4}),
        ("y = a * sigmoid(b * y + x) - c", {"a": 1.1, "b": 0.8, "c": 2.0}),
        ("y = a + b * sin(y) * x / 4", {"a": 0.2, "b": 0.9}),
        ("y = where(x > 0, a * exp(-y), b) + 0.2", {"a": 1.3, "b": 0.8}),
        ("y = exp(-a * y) * (1 + x**2)", {"a": 0.6}),
        ("y = logsumexp(a - y, b * x) + 3", {"a": 0.6, "b": 0.2}),
        ("y = min(a, b / y) + abs(x)", {"a": 9.0, "b": 0.4}),
    ],
)
def test_equations(text: str, params: dict[str, float]) -> None:
    against_the_twin(text, params)


def test_the_solution_solves_the_equation() -> None:
    law = lf.law("unraveling-loss-at-any-batch")
    params = law.coefficients()
    columns = {"N": np.array([1e6, 6e7]), "S": np.array([2e3, 5e4]), "B": np.array([1e5, 3e6])}
    loss = law.predict(params, columns)
    steps = lf.law("unraveling-steps-to-loss").predict(params, {**columns, "loss": loss})
    np.testing.assert_allclose(steps, columns["S"], rtol=1e-11)


def test_an_equation_can_be_fitted() -> None:
    law = lf.Law("loss = E + A * (N * loss**2)**-alpha")
    assert law.target == "loss"
    true = {"E": 1.7, "A": 90.0, "alpha": 0.3}
    fit = lf.fit(law, {"N": COLUMNS["N"], "loss": law.predict(true, COLUMNS)})
    assert fit.params == pytest.approx(true, rel=1e-7)
    assert lf.Fit.from_dict(fit.to_dict()).law.formula == law.formula
    np.testing.assert_array_equal(fit.predict(COLUMNS), law.predict(fit.params, COLUMNS))


def test_no_solution_is_nan() -> None:
    law = lf.Law("y = 1 + y + a * x")
    assert np.isnan(law.predict({"a": 0.0}, {"x": np.ones(2)})).all()
    law = lf.Law("y = 2 + y**2 + a * x")
    assert np.isnan(law.predict({"a": 1.0}, {"x": np.ones(2)})).all()


def test_the_left_side_names_the_target() -> None:
    law = lf.Law("steps = A * N**-b")
    assert law.target == "steps"
    assert law.resolved(["N", "steps"]).target == "steps"
    assert lf.Law.from_dict(law.to_dict()) == law
    with pytest.raises(lf.InputError, match="gives steps, but its target is 'error'"):
        lf.Law("steps = A * N**-b", target="error")
    with pytest.raises(lf.FormulaError, match="'=' assigns") as caught:
        formula.parse("C = 6 * N")
    assert caught.value.position == 2
    with pytest.raises(lf.FormulaError, match="is not a power") as caught:
        lf.Law("loss = E + N^2")
    assert caught.value.position == 12
    assert formula.names("loss = E + A / loss**N") == ("E", "A", "N")


# --- derivatives -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"{f}(0.3 * t)"
            for f in "exp log log2 log10 log1p expm1 sqrt abs tanh sigmoid logit softplus erf "
            "normcdf sin cos arctan".split()
        ),
        "t**3 - 2 / t + (1 + t)**t - -t",
        "min(t, 2) * max(t, 0.5, 1 - t)",
        "where(t > 1, t**2, 3 * t) + (t < 2) + (not t > 1)",
        "logaddexp(t, 1) + logsumexp(t, 2 * t, 0.5)",
        "2 * t**-0.5 + 3 * (7 * t**2)**-0.3 + 1",
        "(3 * t)**(0.5 * t) / 2**t",
    ],
)
def test_derivatives_of_trees(text: str) -> None:
    t = Variable("t", positive=True)
    tree = resolve(formula.parse(text), variables=["t"], positive=["t"])
    at = np.array([0.4, 0.9, 1.3, 1.9, 2.6])
    value, slope = reference.evaluate_with_gradient(text, {"t": 0.0}, {}, ["t"])
    twin = [reference.evaluate_with_gradient(text, {"t": float(v)}, {}, ["t"]) for v in at]
    value, slope = (np.array([pair[k].ravel()[0] for pair in twin]) for k in (0, 1))

    def run(node: object) -> np.ndarray:
        return compile_law(node, variables=["t"], parameters=[]).values([at], len(at), np.empty(0))

    np.testing.assert_allclose(run(derivative(tree, t)), slope, rtol=1e-12, atol=1e-13)
    if is_positive(tree):
        np.testing.assert_allclose(run(log_derivative(tree, t)), slope / value, rtol=1e-12)


# --- sums and products over an index ---------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "E * prod(1 - 0.5 * exp(-a * i) for i in range(1, K + 1))",
        "E + sum(a * i for i in range(K))",
        "E + sum(i**-a / (1 + b**2) for i in range(J, 10)) * x",
        "sum(prod(E + a * i * j for j in range(J)) for i in range(2, 1 + K)) + b",
        "E + sum(prod(a + j for j in range(0)) for i in range(3)) + b * x",
        "prod(E * i**a for i in range(1, 6)) + b * x",
        "E + sum(i**-a for i in range(2, 4)) * x",
        "E + sum(i**-a for i in range(2, 3)) * x",
        "E + sum(i**-a for i in range(2, 2)) + b * x",
    ],
)
def test_series(text: str) -> None:
    used = [n for n in formula.names(text) if n not in COLUMNS]
    against_the_twin(text, {n: {"E": 1.3, "a": 0.4, "b": -0.2}[n] for n in used})


def test_a_product_of_positive_factors_is_a_sum_of_logarithms() -> None:
    text = "prod(1 + exp(-a * i) for i in range(1, K + 1))"
    tree = resolve(formula.parse(text), variables=["K"], spans=column_spans({"K": COLUMNS["K"]}))
    assert is_positive(tree)
    program = compile_law(tree, variables=["K"], parameters=["a"], space="log")
    assert "mul(" not in program.disassemble()


def test_an_index_makes_scale_factors() -> None:
    law = lf.Law("sum(A * i**-a for i in range(1, 9)) * x")
    assert [(p.name, p.transform) for p in law.parameters_in(["x"])] == [
        ("A", "log"),
        ("a", "identity"),
    ]


@pytest.mark.parametrize(
    ("text", "reason", "position"),
    [
        ("1 + sum(N)", "sum runs over an index: write sum\\(BODY for i in", 4),
        ("sum(i for i in N)", "sum runs over an index", 0),
        ("sum(i for i in range(3) if i > 1)", "sum runs over an index", 0),
        ("sum(i for i in range(0, 6, 2))", "sum runs over an index", 0),
        ("sum(sum(i for i in range(3)) for i in range(3))", "index i is in use", 4),
        ("max(i for i in range(3))", "max takes at least 2", 0),
        ("i * sum(1 for i in range(3)) + q(2)", "unknown function 'q'; known: .*prod.*sum", 31),
        ("(i for i in range(3))", "a `for` outside sum", 0),
    ],
)
def test_series_that_are_none(text: str, reason: str, position: int) -> None:
    with pytest.raises(lf.FormulaError, match=reason) as caught:
        formula.parse(text)
    assert caught.value.position == position


def test_ranges_that_cannot_be_written_out() -> None:
    table = {"N": COLUMNS["N"], "K": COLUMNS["K"], "loss": COLUMNS["N"]}
    with pytest.raises(lf.InputError, match=f"at most {MOST_TERMS} are written out"):
        lf.fit("E + sum(a * i for i in range(N))", table)
    for huge in (1e300, 1.7e308):  # numbers that are no C integers, and a count that is no double
        columns = {"N": [1.0, 2.0, huge], "loss": [1.0, 2.0, 3.0]}
        with pytest.raises(lf.InputError, match="are written out"):
            lf.fit("E + sum(a * i for i in range(-N, N + N))", columns)
    with pytest.raises(lf.InputError, match=r"index i: an end must be .*'b' is none here"):
        lf.fit("E + sum(a * K * i for i in range(b))", table)
    with pytest.raises(lf.InputError, match="an end must be a whole number, a column"):
        lf.fit("E + sum(a * K * i for i in range(2 * K))", table)


def test_series_in_columns_and_grids() -> None:
    runs = lf.read({"K": [1.0, 3.0]}, derive={"T": "sum(i for i in range(1, K + 1))"})
    assert runs["T"].tolist() == [1.0, 6.0]


# --- signs -----------------------------------------------------------------------------------


def test_zero_or_more() -> None:
    x, y = Variable("x", positive=True), Variable("y")
    low = Apply("max", (y, Constant(0.0)))
    assert is_nonnegative(low)
    assert not is_positive(low)
    saturating = Apply(
        "add", (Constant(1.0), Apply("neg", (Apply("exp", (Apply("neg", (low,)),)),)))
    )
    assert is_nonnegative(saturating)
    assert is_positive(Apply("add", (Constant(1.0), Apply("mul", (x, saturating)))))
    assert not is_nonnegative(Apply("mul", (x, y)))
    assert is_nonnegative(Apply("pow", (y, Constant(2.0))))
    assert not is_nonnegative(Apply("pow", (y, Constant(3.0))))
    assert not is_nonnegative(Apply("neg", (Apply("max", (Apply("neg", (x,)), y)),)))


def test_the_logarithm_goes_through_repetition() -> None:
    """A sum of a positive and a non-negative number is positive: no power of unknown sign."""
    law = lf.law("data-constrained")
    tree = resolve(
        law.tree,
        variables=law.variables,
        log_parameters={p.name for p in law.parameters},
        positive=law.variables,
    )
    program = compile_law(
        tree,
        variables=law.variables,
        parameters=[p.name for p in law.parameters],
        space="log",
    )
    assert "pow" not in program.disassemble()
