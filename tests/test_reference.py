"""The oracle itself: hand-computed values, differences, integrals and one published fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import lsq_linear

from lawfit import reference
from lawfit.errors import FitError, FormulaError, InputError

NAN, INF = math.nan, math.inf

LOSSES = [
    ("squared",),
    ("huber", 0.7),
    ("huber", 0.7, 3.0),
    ("huber", 1e-3),
    ("absolute",),
    ("cauchy", 1.5),
    ("logcosh", 0.4),
    ("quantile", 0.9),
]


def value(formula: str, **names: float) -> float:
    return float(reference.evaluate(formula, names, {})[0])


def slopes(formula: str, **names: float) -> list[float]:
    return reference.evaluate_with_gradient(formula, names, {}, list(names))[1][0].tolist()


# ---- Values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("1 + 2 * 3 - 4 / 8", 6.5),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("+(1 - 3) - -1", -1.0),
        ("1e3 + .5", 1000.5),
        ("exp(1)", math.e),
        ("log(10)", 2.302585092994046),
        ("log2(8)", 3.0),
        ("log10(0.001)", -3.0),
        ("log1p(1e-20)", 1e-20),
        ("expm1(1e-20)", 1e-20),
        ("sqrt(2)", 1.4142135623730951),
        ("abs(-3)", 3.0),
        ("min(3, 1, 2)", 1.0),
        ("max(3, 1, 4, 2)", 4.0),
        ("pow(2, 10)", 1024.0),
        ("pow(-2, 3)", -8.0),
        ("pow(0, 0)", 1.0),
        ("pow(-2, 0.5)", NAN),
        ("tanh(0.5)", 0.46211715726000973),
        ("sigmoid(0)", 0.5),
        ("sigmoid(-800)", 0.0),
        ("logit(0.75)", 1.0986122886681098),
        ("softplus(0)", 0.6931471805599453),
        ("softplus(1000)", 1000.0),
        ("softplus(-50)", 1.9287498479639178e-22),
        ("logaddexp(1000, 1000)", 1000.6931471805599),
        ("logsumexp(log(1), log(2), log(3))", 1.791759469228055),
        ("logsumexp(log(0), log(0))", -INF),
        ("log(exp(800))", 800.0),
        ("erf(0.5)", 0.5204998778130465),
        ("normcdf(1.96)", 0.9750021048517795),
        ("normcdf(-10)", 7.619853024160527e-24),
        ("sin(2)", 0.9092974268256817),
        ("cos(2)", -0.4161468365471424),
        ("arctan(2)", 1.1071487177940904),
        ("where(1 < 2, 5, log(-1))", 5.0),
        ("where(1 > 2, 1 / 0, 7)", 7.0),
        ("1 < 2 < 3", 1.0),
        ("1 < 2 > 3", 0.0),
        ("(1 <= 1) + (1 >= 1) + (1 == 1) + (1 != 1)", 3.0),
        ("1 < 2 and 2 < 1", 0.0),
        ("1 < 2 or 2 < 1", 1.0),
        ("not 1 < 2", 0.0),
        ("log(-1) < 1", 0.0),
        ("max(log(-1), 1)", NAN),
        ("min(1, log(-1))", NAN),
        ("1 / 0", INF),
    ],
)
def test_value(formula: str, expected: float) -> None:
    assert value(formula) == pytest.approx(expected, rel=1e-14, abs=0, nan_ok=True)


def test_columns_go_before_parameters_and_rows_stay_apart() -> None:
    columns = {"N": np.array([1, 4, 9]), "k": np.array([True, False, True])}
    result = reference.evaluate("a * N ** 0.5 + k", {"a": 2.0, "N": 100.0}, columns)
    assert result.dtype == np.float64
    assert result.tolist() == [3.0, 4.0, 7.0]


@pytest.mark.parametrize("kind", [str, object])
def test_one_parameter_per_level(kind: type) -> None:
    family = np.array(["moe", "dense", "moe"], dtype=kind)
    params = {"E[moe]": 1.0, "E[dense]": 2.0, "E": 9.0}
    got, jacobian = reference.evaluate_with_gradient(
        "3 * E[family]", params, {"family": family}, ["E[dense]", "E[moe]", "E"]
    )
    assert got.tolist() == [3.0, 6.0, 3.0]
    assert jacobian.tolist() == [[0, 3, 0], [3, 0, 0], [0, 3, 0]]


def test_multi_line_formula() -> None:
    assert value("  1 +\n\t2") == 3.0


# ---- Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "position"),
    [
        ("", 0),
        ("1 +", 3),
        ("1 + (2", 4),
        ("1 + zeta", 4),
        ("  β + zeta", 6),
        ("β +\n zeta", 5),
        ("1 + N.real", 4),
        ("1 // 2", 0),
        ("1 is 2", 0),
        ("1 in 2", 0),
        ("1 + ~2", 4),
        ("'a'", 0),
        ("True", 0),
        ("1j", 0),
        ("N[0]", 0),
        ("2 * a[1:2]", 4),
        ("lambda: 1", 0),
        ("1 if N else 2", 0),
        ("(1, 2)", 0),
        ("1 + sinh(2)", 4),
        ("exp(1, 2)", 0),
        ("exp()", 0),
        ("min(1)", 0),
        ("where(1, 2)", 0),
        ("exp(x=1)", 0),
        ("exp(*N)", 4),
        ("(exp)(1)(2)", 0),
        ("E[group]", 0),
        ("E[family]", 0),
        ("1 + family", 4),
        ("1 # one", 2),
        ("1 + \0", 4),
        ("__import__('os')", 0),
        ("-" * 20000 + "1", 0),
    ],
)
def test_formula_error_points_at_the_character(formula: str, position: int) -> None:
    columns = {"N": np.ones(2), "family": np.array(["a", "b"])}
    with pytest.raises(FormulaError) as caught:
        reference.evaluate(formula, {"β": 1.0, "E[a]": 1.0}, columns)
    assert caught.value.text == formula
    assert caught.value.position == position


def test_input_errors() -> None:
    with pytest.raises(InputError, match="equally long"):
        reference.evaluate("N", {}, {"N": np.ones(2), "D": np.ones(3)})
    with pytest.raises(InputError, match="one-dimensional"):
        reference.evaluate("N", {}, {"N": np.ones((2, 2))})
    with pytest.raises(InputError, match="residual"):
        reference.objective("1", {}, {}, [1.0], residual="cubic")


# ---- Gradients ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "names", "expected"),
    [
        ("abs(a)", {"a": 0.0}, [0.0]),
        ("min(a, b)", {"a": 1.0, "b": 1.0}, [1.0, 0.0]),
        ("max(a, b)", {"a": 1.0, "b": 1.0}, [1.0, 0.0]),
        ("max(a, b, c)", {"a": 1.0, "b": 2.0, "c": 2.0}, [0.0, 1.0, 0.0]),
        ("a < b", {"a": 1.0, "b": 2.0}, [0.0, 0.0]),
        ("where(a > 0, a, log(a))", {"a": 2.0}, [1.0]),
        ("where(a > 0, log(a), 3 * a)", {"a": 0.0}, [3.0]),
        ("where(a > 0, 1 / a, a)", {"a": 0.0}, [1.0]),
        ("x ** b", {"x": 3.0, "b": 0.0}, [0.0, math.log(3)]),
        ("x ** b", {"x": 0.0, "b": 0.0}, [0.0, 0.0]),
        ("x ** b", {"x": 0.0, "b": 1.0}, [1.0, 0.0]),
        ("x ** b", {"x": 0.0, "b": 2.0}, [0.0, 0.0]),
        ("x ** b", {"x": -2.0, "b": 3.0}, [12.0, 0.0]),
        ("x ** b", {"x": -2.0, "b": 0.0}, [0.0, 0.0]),
        ("x ** b", {"x": -2.0, "b": 0.5}, [NAN, NAN]),
        ("sqrt(0 * x)", {"x": 1.0}, [0.0]),
        ("A * 0 ** b", {"A": 2.0, "b": 0.5}, [0.0, 0.0]),
        ("exp(b * log(0))", {"b": 0.5}, [0.0]),
        ("A / 1e999 ** b", {"A": 2.0, "b": 0.5}, [0.0, 0.0]),
        ("A * 1e999 ** -b", {"A": 2.0, "b": 0.5}, [0.0, 0.0]),
        ("logsumexp(a, b - 2 * log(0) * -1)", {"a": 1.0, "b": 1.0}, [1.0, 0.0]),
        ("logaddexp(a, b)", {"a": 1000.0, "b": 1000.0}, [0.5, 0.5]),
        ("softplus(a)", {"a": 1000.0}, [1.0]),
        ("tanh(a)", {"a": 1e5}, [0.0]),
        ("a", {"a": 1.0, "unused": 2.0}, [1.0, 0.0]),
    ],
)
def test_slope_conventions(formula: str, names: dict[str, float], expected: list[float]) -> None:
    assert slopes(formula, **names) == pytest.approx(expected, rel=1e-14, nan_ok=True)


SMOOTH = [
    *(f"{name}(x * a + b / 10)" for name in ("exp", "log", "log2", "log10", "log1p", "expm1")),
    *(f"{name}(x * a - b)" for name in ("abs", "tanh", "sigmoid", "softplus", "erf", "normcdf")),
    *(f"{name}(x * a - b)" for name in ("sin", "cos", "arctan")),
    "sqrt(x * a + b)",
    "logit(a / (a + b * x))",
    "a + b / x ** c",
    "(a * x) ** (b - c)",
    "pow(x, a) / pow(c, x) - -b",
    "logaddexp(a * x, b - c)",
    "logsumexp(a * x, b, c * log(x))",
    "min(a * x, b) + max(a, b * x, c)",
    "where(x > 1 and not x > 2, a * x ** b, c / x)",
    "(a < b) * c + b * c / (a + x)",
]


@pytest.mark.parametrize("formula", SMOOTH)
@settings(max_examples=15)
@given(point=st.tuples(*[st.floats(0.2, 3.0)] * 3))
def test_gradient_is_the_central_difference(
    formula: str, point: tuple[float, float, float]
) -> None:
    columns = {"x": np.array([0.3, 0.9, 1.7, 2.6])}
    params = dict(zip("abc", point, strict=True))
    _, jacobian = reference.evaluate_with_gradient(formula, params, columns, list("abc"))
    for j, name in enumerate("abc"):
        step = 1e-5

        def at(shift: float, name: str = name) -> np.ndarray:
            return reference.evaluate(formula, {**params, name: params[name] + shift}, columns)

        left, right = (at(0) - at(-step)) / step, (at(step) - at(0)) / step
        smooth = np.abs(right - left) < 1e-2 * (1 + np.abs(right))  # not across a kink
        difference = (left + right) / 2
        np.testing.assert_allclose(jacobian[smooth, j], difference[smooth], rtol=1e-6, atol=1e-7)


# ---- Losses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "u", "expected"),
    [
        (("squared",), 3.0, 4.5),
        (("huber", 1.0), 0.5, 0.125),
        (("huber", 1.0), -3.0, 2.5),
        (("huber", 1.0, 2.0), 3.0, 5.0),
        (("huber", 1.0, 2.0), 0.5, 0.25),
        (("huber", 1.0, 2.0), -3.0, 2.5),
        (("absolute",), -2.0, 2.0),
        (("cauchy", 2.0), 2.0, 2 * math.log(2)),
        (("logcosh", 2.0), 2.0, 4 * math.log(math.cosh(1))),
        (("logcosh", 1.0), 1e5, 1e5 - math.log(2)),
        (("logcosh", 1.0), 1e-9, 5e-19),
        (("quantile", 0.9), 2.0, 0.2),
        (("quantile", 0.9), -2.0, 1.8),
    ],
)
def test_loss_value(spec: reference.LossSpec, u: float, expected: float) -> None:
    assert reference.loss_functions(spec).rho(np.array([u]))[0] == pytest.approx(
        expected, rel=1e-14, abs=0
    )


@pytest.mark.parametrize("spec", LOSSES)
def test_psi_is_the_slope_of_rho(spec: reference.LossSpec) -> None:
    rho, psi, *_ = reference.loss_functions(spec)
    u = np.array([-30, -2, -0.69, -0.3, -1e-4, 1e-4, 0.3, 0.69, 2, 30], np.longdouble)
    difference = (rho(u + 1e-7) - rho(u - 1e-7)) / 2e-7
    np.testing.assert_allclose(psi(u).astype(float), difference.astype(float), rtol=1e-6)


@pytest.mark.parametrize("spec", LOSSES)
def test_curvature_is_the_limit_at_zero(spec: reference.LossSpec) -> None:
    rho, psi, curvature, _ = reference.loss_functions(spec)
    u = np.array([-1e-9], np.longdouble)
    limit = float((psi(u) ** 2 / (2 * rho(u)))[0])
    assert limit > 1e7 if curvature == INF else limit == pytest.approx(curvature)


@pytest.mark.parametrize("spec", [*LOSSES, ("cauchy", 1.01), ("cauchy", 15.0), ("logcosh", 15.0)])
def test_log_normaliser_is_the_integral(spec: reference.LossSpec) -> None:
    rho = reference.loss_functions(spec).rho

    def density(t: float) -> float:  # u = sinh(t) reaches heavy tails
        size = np.sinh(np.array([t], np.longdouble))
        return float((np.exp(-rho(size)) * np.cosh(np.longdouble(t)))[0])

    tail = 2000 if spec == ("cauchy", 1.01) else 60
    cuts = [-tail, -20, -5, -1, 0, 1, 5, 20, tail]
    pieces = pairwise(cuts)
    total = sum(quad(density, a, b, epsabs=0, epsrel=1e-10, limit=400)[0] for a, b in pieces)
    assert reference.log_normaliser(spec) == pytest.approx(math.log(total), abs=1e-8)


def test_log_normaliser_of_wide_losses_is_gaussian() -> None:
    gaussian = math.log(2 * math.pi) / 2
    for kind in ("huber", "cauchy", "logcosh"):
        assert reference.log_normaliser((kind, 1e7)) == pytest.approx(gaussian, abs=1e-12)


@pytest.mark.parametrize("s", [0.5, 1.0])
def test_cauchy_without_integral(s: float) -> None:
    with pytest.raises(ValueError, match="diverges"):
        reference.log_normaliser(("cauchy", s))


@pytest.mark.parametrize(
    "spec",
    [
        ("tukey", 1.0),
        ("huber",),
        ("huber", 0.0),
        ("huber", INF),
        ("huber", 1, 1, 1),
        ("squared", 1.0),
        ("quantile", 1.0),
        ("cauchy", -1.0),
        ("logcosh", NAN),
    ],
)
def test_not_a_loss(spec: reference.LossSpec) -> None:
    with pytest.raises(InputError, match="not a loss"):
        reference.loss_functions(spec)


# ---- Objectives --------------------------------------------------------------------------


def table(rows: int = 40) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    columns = {"N": 10 ** rng.uniform(6, 10, rows), "D": 10 ** rng.uniform(8, 12, rows)}
    target = 1.7 + 400 / columns["N"] ** 0.34 + 900 / columns["D"] ** 0.33
    target *= np.exp(0.03 * rng.standard_t(3, rows))
    return columns, target, rng.uniform(0.5, 2, rows), rng.uniform(0.5, 2, rows) * 0.03


LAW = "E + A / N**alpha + B / D**beta"
TRUTH = {"E": 1.7, "A": 400.0, "B": 900.0, "alpha": 0.34, "beta": 0.33}
LOGS = ("E", "A", "B")


def test_objective_by_hand() -> None:
    columns = {"x": np.array([1.0, 2.0])}
    args = ("a * x", {"a": 2.0}, columns, [1.0, 8.0])
    squared: Mapping[str, object] = {"loss": ("squared",)}
    assert reference.objective(*args, residual="linear", **squared) == 0.5 + 8
    ln2 = math.log(2)
    assert reference.objective(*args, **squared) == pytest.approx(ln2**2, rel=1e-15)
    options = {"residual": "linear", "weights": [1, 3], "sigma": [1, 2], **squared}
    assert reference.objective(*args, **options) == 0.5 + 3 * 2
    with_scale = 0.5 / 4 + 3 * 2 / 4 + 4 * (ln2 + math.log(2 * math.pi) / 2)
    assert reference.objective(*args, scale=2.0, **options) == pytest.approx(with_scale, rel=1e-15)
    half = reference.objective(
        "0.5", {}, {"x": [0.0]}, [0.75], residual="logit", loss=("absolute",)
    )
    assert half == pytest.approx(math.log(3), rel=1e-15)


@pytest.mark.parametrize("scale", [None, 1.3])
@pytest.mark.parametrize("residual", ["linear", "log", "logit"])
@pytest.mark.parametrize("loss", LOSSES)
def test_objective_gradient_is_the_central_difference(
    loss: reference.LossSpec, residual: str, scale: float | None
) -> None:
    columns, target, weights, sigma = table()
    formula, target = (f"({LAW}) / 50", target / 50) if residual == "logit" else (LAW, target)
    options = {"residual": residual, "loss": loss, "weights": weights, "sigma": sigma}
    names = ["alpha", "A", "E"]
    gradient = reference.objective_gradient(
        formula, TRUTH, columns, target, names, LOGS, scale=scale, **options
    )

    def at(name: str, shift: float) -> float:
        moved = TRUTH[name] * math.exp(shift) if name in LOGS else TRUTH[name] + shift
        params = {**TRUTH, name: moved}
        return reference.objective(formula, params, columns, target, scale=scale, **options)

    expected = [(at(name, 1e-7) - at(name, -1e-7)) / 2e-7 for name in names]
    if scale is not None:
        up, down = (
            reference.objective(
                formula, TRUTH, columns, target, scale=scale * math.exp(shift), **options
            )
            for shift in (1e-6, -1e-6)
        )
        expected.append((up - down) / 2e-6)
    size = np.abs(gradient).max()
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=2e-6 * size)


@pytest.mark.parametrize("loss", [spec for spec in LOSSES if spec != ("squared",)])
def test_gauss_newton_is_that_of_the_signed_root(loss: reference.LossSpec) -> None:
    columns, target, weights, sigma = table()
    rho = reference.loss_functions(loss).rho
    names, scale = ["E", "A", "B", "alpha", "beta"], 1.3
    matrix = reference.gauss_newton_matrix(
        LAW, TRUTH, columns, target, names, LOGS,
        loss=loss, weights=weights, sigma=sigma, scale=scale,
    )  # fmt: skip

    def roots(j: int, shift: float) -> np.ndarray:
        params, s = dict(TRUTH), scale * math.exp(shift if j == len(names) else 0)
        if j < len(names):
            is_log = names[j] in LOGS
            params[names[j]] *= math.exp(shift) if is_log else 1 + shift / params[names[j]]
        u = np.log(reference.evaluate(LAW, params, columns) / target) / (sigma * s)
        return np.sign(u) * np.sqrt(2 * weights * rho(u).astype(float))

    jacobian = [(roots(j, 1e-7) - roots(j, -1e-7)) / 2e-7 for j in range(6)]
    np.testing.assert_allclose(matrix, np.array(jacobian) @ np.transpose(jacobian), rtol=1e-5)


def test_gauss_newton_at_a_perfect_fit() -> None:
    args = ("a * x", {"a": 2.0}, {"x": [1.0, 3.0]}, [2.0, 6.0], ["a"])
    matrix = reference.gauss_newton_matrix(*args, residual="linear", loss=("huber", 0.1, 5.0))
    assert matrix.tolist() == [[10.0]]
    matrix = reference.gauss_newton_matrix(*args, residual="linear", loss=("absolute",))
    assert matrix.tolist() == [[INF]]


# ---- Minimum -----------------------------------------------------------------------------


def test_linear_least_squares() -> None:
    rng = np.random.default_rng(3)
    x, noise, weights = rng.normal(size=(3, 30))
    y, weights = 2 - 3 * x + noise, np.exp(weights)
    design = np.column_stack([np.ones(30), x]) * np.sqrt(weights)[:, None]
    exact, *_ = np.linalg.lstsq(design, y * np.sqrt(weights), rcond=None)
    params, best = reference.minimise(
        "a + b * x", {"b": 9.0, "a": -9.0}, {"x": x}, y,
        residual="linear", loss=("squared",), weights=weights,
    )  # fmt: skip
    assert list(params) == ["b", "a"]
    assert [params["a"], params["b"]] == pytest.approx(exact, rel=1e-11)
    assert best == pytest.approx(np.sum(weights * (params["a"] + params["b"] * x - y) ** 2) / 2)


@pytest.mark.parametrize("loss", [("squared",), ("huber", 1.0), ("huber", 1.0, 3.0)])
@pytest.mark.parametrize("start", [(1.7, 400, 900, 0.34, 0.33), (1.0, 100, 5000, 0.5, 0.5)])
def test_two_starts_find_one_stationary_point(
    loss: reference.LossSpec, start: tuple[float, ...]
) -> None:
    columns, target, weights, sigma = table()
    options = {"loss": loss, "weights": weights, "sigma": sigma}
    first, best = reference.minimise(LAW, TRUTH, columns, target, log_names=LOGS, **options)
    again, same = reference.minimise(
        LAW, dict(zip(TRUTH, start, strict=True)), columns, target, log_names=LOGS, **options
    )
    assert list(again.values()) == pytest.approx(list(first.values()), rel=1e-8)
    assert same == pytest.approx(best, rel=1e-13)
    gradient = reference.objective_gradient(
        LAW, first, columns, target, list(TRUTH), LOGS, **options
    )
    assert np.abs(gradient).max() < 1e-8 * best


@pytest.mark.parametrize("loss", [("cauchy", 1.5), ("logcosh", 1.0)])
def test_other_smooth_losses_reach_a_minimum(loss: reference.LossSpec) -> None:
    columns, target, _, sigma = table()
    args, options = (columns, target), {"loss": loss, "sigma": sigma}
    params, best = reference.minimise(LAW, TRUTH, *args, log_names=LOGS, **options)
    gradient = reference.objective_gradient(LAW, params, *args, list(TRUTH), LOGS, **options)
    assert np.abs(gradient).max() < 1e-8 * best


def test_kinked_losses_descend() -> None:
    columns, target, *_ = table()
    for loss in (("absolute",), ("quantile", 0.8)):
        before = reference.objective(LAW, TRUTH, columns, target, loss=loss)
        _, best = reference.minimise(LAW, TRUTH, columns, target, loss=loss, log_names=LOGS)
        assert best < before


def test_bounds_hold_and_the_rest_is_optimal() -> None:
    columns, target, *_ = table()
    args, options = (columns, target), {"loss": ("squared",)}
    bounds = {"alpha": (None, 0.3), "B": (1.0, 500.0), "E": (0.0, None)}
    params, best = reference.minimise(LAW, TRUTH, *args, log_names=LOGS, bounds=bounds, **options)
    assert params["alpha"] == 0.3
    assert params["B"] == 500.0
    gradient = reference.objective_gradient(LAW, params, *args, list(TRUTH), LOGS, **options)
    slope = dict(zip(TRUTH, gradient, strict=True))
    assert slope["alpha"] < 0
    assert slope["B"] < 0
    assert max(abs(slope[name]) for name in ("E", "A", "beta")) < 1e-8 * best
    held = {**TRUTH, "alpha": 0.3, "B": 500.0}
    fixed, same = reference.minimise(
        LAW, held, *args, log_names=LOGS, fixed=("alpha", "B"), **options
    )
    assert fixed["alpha"] == 0.3
    assert list(fixed.values()) == pytest.approx(list(params.values()), rel=1e-9)
    assert same == pytest.approx(best, rel=1e-14)


@pytest.mark.parametrize("seed", range(20))
def test_boxed_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(12, 4)) + 2 * rng.normal(size=(12, 1))
    y, low = rng.normal(size=12), rng.uniform(-0.3, 0.1, 4)
    exact = lsq_linear(design, y, (low, low + 0.3), method="bvls", tol=1e-15).x
    names = ["a", "b", "c", "d"]
    params, _ = reference.minimise(
        " + ".join(f"{name} * x_{name}" for name in names),
        dict.fromkeys(names, 0.0),
        {f"x_{name}": column for name, column in zip(names, design.T, strict=True)},
        y,
        bounds={name: (a, a + 0.3) for name, a in zip(names, low, strict=True)},
        residual="linear",
        loss=("squared",),
    )
    np.testing.assert_allclose([params[name] for name in names], exact, rtol=1e-9, atol=1e-12)


def test_nothing_to_fit() -> None:
    columns, target, *_ = table()
    params, best = reference.minimise(LAW, TRUTH, columns, target, fixed=tuple(TRUTH))
    assert params == TRUTH
    assert best == reference.objective(LAW, TRUTH, columns, target)


def test_perfect_data_gives_back_the_truth() -> None:
    columns, *_ = table()
    target = reference.evaluate(LAW, TRUTH, columns)
    start = {"E": 1.0, "A": 100.0, "B": 2000.0, "alpha": 0.3, "beta": 0.4}
    params, best = reference.minimise(LAW, start, columns, target, log_names=LOGS)
    assert list(params.values()) == pytest.approx(list(TRUTH.values()), rel=1e-8)
    assert best < 1e-25


def test_unidentified_parameters_do_no_harm() -> None:
    params, _ = reference.minimise(
        "a + b + 0 * c", {"a": 1.0, "b": 1.0, "c": 5.0}, {"x": np.ones(3)}, [1.0, 2.0, 6.0],
        residual="linear", loss=("squared",),
    )  # fmt: skip
    assert params["a"] + params["b"] == pytest.approx(3.0, rel=1e-12)
    assert params["c"] == 5.0


def test_minimise_errors() -> None:
    args = ({"x": [1.0]}, [1.0])
    with pytest.raises(InputError, match="no room for 'a'"):
        reference.minimise("a * x", {"a": -1.0}, *args, log_names=["a"])
    with pytest.raises(InputError, match="no room for 'a'"):
        reference.minimise("a * x", {"a": 1.0}, *args, bounds={"a": (2.0, 2.0)})
    with pytest.raises(FitError, match="not finite"):
        reference.minimise("a * x", {"a": -1.0}, *args)


def test_chinchilla(chinchilla_csv: Path) -> None:
    data = np.genfromtxt(chinchilla_csv, delimiter=",", names=True)
    columns = {"N": data["N"], "D": data["D"]}
    start = {"E": 1.5, "A": 400.0, "B": 400.0, "alpha": 0.3, "beta": 0.3}
    params, best = reference.minimise(LAW, start, columns, data["loss"], log_names=LOGS)
    assert best == pytest.approx(0.0010182740178, abs=5e-14)
    expected = {"E": 1.817218, "A": 477.826, "B": 2143.417, "alpha": 0.347310, "beta": 0.367172}
    assert params == pytest.approx(expected, rel=2e-6)
