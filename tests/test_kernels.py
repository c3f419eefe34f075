"""Accuracy of the kernels over all doubles, against 160 bits, for every instruction set.

The bounds are the largest errors found, rounded up, in units in the last place: those of values by
``cpp/tests/test_accuracy.cpp`` on 1e8 points per function, of which the worst are among these here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import mpmath
import numpy as np
import pytest

from .strategies import INSTRUCTION_SETS, compiled, instruction_set

INF, NAN = math.inf, math.nan
TINY, SMALLEST, LARGEST = 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308
context = mpmath.MPContext()
context.prec = 160
log, log1p = context.log, context.log1p


def exp(x: object) -> object:
    return context.exp(min(max(x, -2000), 2000))


def expm1(x: object) -> object:
    return context.expm1(min(max(x, -2000), 2000))


def sigmoid(x: object) -> object:
    return 1 / (1 + exp(-x))


def softplus(x: object) -> object:
    return x if x > 2000 else log1p(exp(x))


def tanh(x: object) -> object:
    return context.tanh(x) if abs(x) < 200 else context.sign(x)


def erf(x: object) -> object:
    return context.erf(x) if abs(x) < 50 else context.sign(x)


def normcdf(x: object) -> object:
    return context.ncdf(x) if abs(x) < 50 else context.mpf(x > 0)


def density(x: object) -> object:
    return exp(-x * x / 2) / context.sqrt(2 * context.pi) if abs(x) < 60 else context.mpf(0)


def logit(x: object) -> object:
    return log(x) - log1p(-x)


def sech_squared(x: object) -> object:
    return 1 / context.cosh(x) ** 2 if abs(x) < 1000 else context.mpf(0)


# function -> exact value, units in the last place at x
VALUES: dict[str, tuple[Callable[..., object], Callable[[float], float]]] = {
    "exp": (exp, lambda x: 1.2),
    "log": (log, lambda x: 1),
    "log1p": (log1p, lambda x: 2.5),
    "expm1": (expm1, lambda x: 2.5),
    "sqrt": (context.sqrt, lambda x: 0.5),
    "abs": (abs, lambda x: 0),
    "sigmoid": (sigmoid, lambda x: 2.5),
    "softplus": (softplus, lambda x: 3),
    "tanh": (tanh, lambda x: 4.5),
    "logit": (logit, lambda x: 4),
    "erf": (erf, lambda x: 2),  # the C library's
    "normcdf": (normcdf, lambda x: 4 + 1.7 * x * x),  # x / sqrt(2) is rounded
    "sin": (context.sin, lambda x: 1),
    "cos": (context.cos, lambda x: 1),
    "arctan": (context.atan, lambda x: 2),
}
SLOPES: dict[str, tuple[Callable[..., object], Callable[[float], float]]] = {
    "exp": (exp, lambda x: 1.2),
    "log": (lambda x: 1 / x, lambda x: 0.5),
    "log1p": (lambda x: 1 / (1 + x), lambda x: 2),
    "expm1": (exp, lambda x: 1.2),
    "sqrt": (lambda x: 1 / (2 * context.sqrt(x)), lambda x: 1.5),
    "abs": (context.sign, lambda x: 0),
    "sigmoid": (lambda x: sigmoid(x) * sigmoid(-x), lambda x: 4),
    "softplus": (sigmoid, lambda x: 2.5),
    "tanh": (sech_squared, lambda x: 4),
    "logit": (lambda x: 1 / (x * (1 - x)), lambda x: 2),
    "erf": (lambda x: 2 * context.sqrt(2) * density(x * context.sqrt(2)), lambda x: 3 + 2 * x * x),
    "normcdf": (density, lambda x: 3 + x * x),
    "sin": (context.cos, lambda x: 1),
    "cos": (lambda x: -context.sin(x), lambda x: 1),
    "arctan": (lambda x: 1 / (1 + x * x), lambda x: 2.5),
}
DOMAINS = {"log": (0, INF), "sqrt": (0, INF), "log1p": (-1, INF), "logit": (0, 1)}

# Where the largest errors of a value were among 1e8 points per function.
WORST = {
    "exp": ["-0x1.15f3906888b04p+7"],
    "log": ["0x1.66ca72ab143adp+0", "0x1.5a56b0faac08fp+1"],
    "log1p": ["0x1.f908bef4ae5e5p-29"],
    "expm1": ["-0x1.cf3edd5f1bfe9p+0", "0x1.ef676b2fcb53dp-7"],
    "sigmoid": ["-0x1.09ad8fc97968p+2"],
    "softplus": ["-0x1.a68fda0ed69cp+3"],
    "logit": ["0x1.f85101a10abe9p-2"],
    "tanh": ["0x1.f2c226c53a5e9p-1"],
    "erf": ["0x1.9a21987522e8p-5"],
    "normcdf": ["-0x1.6b6d3280ac3b8p+4"],
    "sin": ["-0x1.61fe2f7c8aae8p+18"],
    "cos": ["-0x1.1dbc5a3a30b1ap+19", "-0x1.d8fb5cbb884ep+19"],
    "arctan": ["-0x1.d7261815cc9b7p-2"],
}


@lru_cache
def arguments(function: str) -> np.ndarray:
    """Return doubles of all magnitudes, and more of them where functions bend."""
    rng = np.random.default_rng(1)
    count = 600
    bits = np.array([TINY, LARGEST]).view(np.int64)
    near = 10.0 ** rng.uniform(-17, -0.5, count)
    magnitudes = np.concatenate(
        [
            rng.integers(*bits, count).view(np.float64),
            rng.integers(1, 2**52, 60).view(np.float64),  # subnormal
            near,
            rng.uniform(0, 2, 2 * count),
            rng.uniform(0, 40, count),
            rng.uniform(0, 760, count),
            1 + near,
            1 - near,
            0.5 + near,
            [TINY, 3 * TINY, SMALLEST, SMALLEST - TINY, LARGEST, 1.0, 0.5, 709.78, 709.79],
            [708.39, 708.4, 744.44, 745.13, 745.14, 36.73, 37.5, 38.4],
        ]
    )
    if function in ("sin", "cos"):
        quarters = np.concatenate([np.arange(1, 400), rng.integers(1, 2**22, 1600)])
        zeros = [float(int(k) * context.pi / 2) for k in quarters]  # where they vanish, or nearly
        magnitudes = np.concatenate([magnitudes, zeros, rng.uniform(0, 2.0**21, count)])
    low, high = DOMAINS.get(function, (-INF, INF))
    worst = [float.fromhex(x) for x in WORST.get(function, [])]
    x = np.concatenate([magnitudes, -magnitudes, worst])
    return x[(low < x) & (x < high)]


class Exact:
    """Numbers as the nearest doubles, how far these are off, and the size of their last place."""

    def __init__(self, numbers: list[object]) -> None:
        self.nearest = np.array([rounded(e) for e in numbers])
        finite = np.isfinite(self.nearest)
        self.rest = np.array(
            [
                float(e - context.mpf(v)) if f else 0.0
                for e, v, f in zip(numbers, self.nearest.tolist(), finite, strict=True)
            ]
        )
        self.unit = np.array([math.ulp(v) if f else INF for v, f in zip(self.nearest, finite)])

    def errors(self, got: np.ndarray) -> np.ndarray:
        """Return how many units in the last place the doubles are off."""
        with np.errstate(invalid="ignore"):
            units = np.abs(((got - self.nearest) - self.rest) / self.unit)
        # To overflow a little too early or too late is to be off by that little.
        at_the_end = np.minimum(np.abs(got), np.abs(self.nearest)) >= LARGEST * (1 - 2.0**-51)
        return np.where((got == self.nearest) | at_the_end, np.fmin(units, 0.5), units)


def rounded(exact: object) -> float:
    """Return the nearest double, subnormal or infinite if need be."""
    if abs(exact) >= context.mpf(2) ** 1024:
        return INF if exact > 0 else -INF
    if abs(exact) < context.mpf(SMALLEST):  # mpmath does not round to subnormals
        return float(context.nint(exact * context.mpf(2) ** 1074)) * TINY
    return float(exact)


@lru_cache
def exact_values(function: str, slopes: bool) -> Exact:
    exact, _ = (SLOPES if slopes else VALUES)[function]
    return Exact([exact(context.mpf(x)) for x in arguments(function).tolist()])


def value_of(text: str, x: np.ndarray) -> np.ndarray:
    return compiled(text, {"x": x}, []).values([x], len(x), np.empty(0))


def slope_of(text: str, x: np.ndarray) -> np.ndarray:
    program = compiled(text.replace("(x)", "(x + a)"), {"x": x}, ["a"])
    return program.values_and_jacobian([x], len(x), np.zeros(1))[1][:, 0]


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("function", VALUES)
def test_values(function: str, name: str) -> None:
    x = arguments(function)
    with instruction_set(name):
        errors = exact_values(function, False).errors(value_of(f"{function}(x)", x))
    bound = np.array([VALUES[function][1](v) for v in np.minimum(np.abs(x), 100)])
    worst = np.argmax(errors / np.maximum(bound, 1e-9))
    assert (errors <= bound).all(), (x[worst], errors[worst])


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("function", SLOPES)
def test_slopes(function: str, name: str) -> None:
    x = arguments(function)
    with instruction_set(name):
        errors = exact_values(function, True).errors(slope_of(f"{function}(x)", x))
    bound = np.array([SLOPES[function][1](v) for v in np.minimum(np.abs(x), 100)])
    # What is below the normal numbers has fewer digits to be right in.
    errors[np.abs(exact_values(function, True).nearest) < 4 * SMALLEST] /= 4
    worst = np.argmax(errors / np.maximum(bound, 1e-9))
    assert (errors <= bound).all(), (x[worst], errors[worst])


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_pow(name: str) -> None:
    """The error grows as the logarithm of the result."""
    rng = np.random.default_rng(2)
    bits = np.array([1e-300, 1e300]).view(np.int64)
    near = 1 + rng.choice([-1, 1], 500) * 10.0 ** rng.uniform(-15, -1, 500)
    subnormal = rng.integers(1, 2**52, 100).view(np.float64)
    x = np.concatenate(
        [rng.integers(*bits, 1000).view(np.float64), rng.uniform(0.5, 2, 1000), near, subnormal]
    )
    y = rng.normal(size=x.size) * 10.0 ** rng.uniform(-3, 2, x.size)
    y[2000:2500] /= np.abs(near - 1)  # near 1, with large exponents
    logarithm = np.abs(y * np.log(x))
    x, y, logarithm = (v[logarithm < 700] for v in (x, y, logarithm))
    exact = Exact(
        [context.power(context.mpf(a), context.mpf(b)) for a, b in zip(x, y, strict=True)]
    )
    columns = {"x": x, "z": -x, "y": y}
    with instruction_set(name):
        for text in ("x**y", "pow(-z, y)"):
            used = {n: c for n, c in columns.items() if n in text}
            got = compiled(text, used, []).values(list(used.values()), len(x), np.empty(0))
            assert (exact.errors(got) <= 2 + 2 * logarithm).all()


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize(
    ("function", "table"),
    [
        ("exp", {0: 1, -INF: 0, INF: INF, -1000: 0, 1000: INF, 709.79: INF, NAN: NAN, TINY: 1}),
        ("exp", {-745.13: TINY, -745.14: 0, -1e300: 0, 1e300: INF}),
        ("log", {-0.0: -INF, 1: 0, INF: INF, -1: NAN, -INF: NAN, NAN: NAN, -TINY: NAN}),
        ("log", {TINY: -744.4400719213812, LARGEST: 709.782712893384}),
        ("log1p", {0: 0, -1: -INF, INF: INF, -2: NAN, -INF: NAN, NAN: NAN, TINY: TINY}),
        ("expm1", {0: 0, -INF: -1, INF: INF, 710: INF, -800: -1, NAN: NAN, TINY: TINY}),
        ("sqrt", {0: 0, INF: INF, -1: NAN, NAN: NAN, 4: 2}),
        ("abs", {-INF: INF, INF: INF, NAN: NAN, -2: 2, 0: 0}),
        ("sigmoid", {0: 0.5, -INF: 0, INF: 1, -800: 0, 800: 1, NAN: NAN}),
        (
            "softplus",
            {0: math.log(2), -INF: 0, INF: INF, 800: 800, -800: 0, 1e300: 1e300, NAN: NAN},
        ),
        ("tanh", {0: 0, -INF: -1, INF: 1, -400: -1, 400: 1, NAN: NAN, TINY: TINY, -TINY: -TINY}),
        ("logit", {0: -INF, 1: INF, 0.5: 0, -0.1: NAN, 1.1: NAN, INF: NAN, -INF: NAN, NAN: NAN}),
        ("erf", {0: 0, INF: 1, -INF: -1, NAN: NAN, 30: 1}),
        ("normcdf", {0: 0.5, INF: 1, -INF: 0, NAN: NAN, -50: 0, 50: 1}),
        ("sin", {0: 0, INF: NAN, -INF: NAN, NAN: NAN, TINY: TINY, -TINY: -TINY}),
        ("cos", {0: 1, INF: NAN, -INF: NAN, NAN: NAN, TINY: 1, -TINY: 1}),
        ("arctan", {0: 0, INF: math.pi / 2, -INF: -math.pi / 2, NAN: NAN, TINY: TINY}),
        ("arctan", {1: math.pi / 4, -1: -math.pi / 4, LARGEST: math.pi / 2, -TINY: -TINY}),
    ],
)
def test_special_values(function: str, table: dict[float, float], name: str) -> None:
    for padding in (0, 1, 7):  # at the end of a block as well as in it
        x = np.array([*table, *[1.0] * padding], dtype=float)
        with instruction_set(name):
            got = value_of(f"{function}(x)", x)[: len(table)]
        np.testing.assert_array_equal(got, np.array(list(table.values()), dtype=float))


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("function", "sqrt log1p expm1 tanh erf sin arctan".split())
def test_zeros_keep_their_sign(function: str, name: str) -> None:
    x = np.array([0.0, -0.0])
    with instruction_set(name):
        got = value_of(f"{function}(x)", x)
    np.testing.assert_array_equal(got, [0, 0])
    np.testing.assert_array_equal(np.signbit(got), [False, True])


@lru_cache
def sums_of_exponentials(spread: float, a: float | None) -> tuple[np.ndarray, np.ndarray, Exact]:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-spread / 2, spread / 2, (2, 800))
    x[:200] *= 0.01
    constant = 0 if a is None else exp(context.mpf(a))
    terms = ([exp(context.mpf(v)) for v in column.tolist()] for column in (x, y))
    return x, y, Exact([log(constant + u + v) for u, v in zip(*terms, strict=True)])


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("spread", [0.1, 1, 10, 40, 79, 120, 300, 600, 3000])
def test_logsumexp(spread: float, fixed: bool, name: str) -> None:
    """The error is absolute, a rounding of 40, as long as the result is no larger."""
    a = 0.25
    x, y, exact = sums_of_exponentials(spread, a if fixed else None)
    text = "logsumexp(a, x, y)" if fixed else "logaddexp(x, y)"
    program = compiled(text, {"x": x, "y": y}, ["a"] if fixed else [])
    with instruction_set(name):
        got = program.values([x, y], len(x), np.array([a] if fixed else []))
    errors = np.abs((got - exact.nearest) - exact.rest)
    assert (errors <= 2.0**-52 * (2 + min(spread, 40)) + exact.unit).all(), errors.max()


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_log_of_one_minus_exp_is_accurate_to_a_part_of_one(name: str) -> None:
    x = np.concatenate([np.geomspace(1e-300, 700, 500), np.linspace(0.1, 40, 500)])
    exact = Exact([log(-expm1(-context.mpf(v))) for v in x.tolist()])
    with instruction_set(name):
        got = value_of("log(1 - exp(-x))", x)
    errors = np.abs((got - exact.nearest) - exact.rest)
    assert (errors <= 2.0**-52 * 2 + 1.5 * exact.unit).all()


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_special_powers(name: str) -> None:
    table = {
        (2, 3): 8,
        (-2, 3): -8,
        (-2, 2): 4,
        (-2, 0.5): NAN,
        (-2, -3): -0.125,
        (0, 2): 0,
        (0, 0): 1,
        (0, -2): INF,
        (INF, 2): INF,
        (INF, -1): 0,
        (-INF, 3): -INF,
        (-INF, 2): INF,
        (0.5, INF): 0,
        (0.5, -INF): INF,
        (2, INF): INF,
        (1, INF): 1,
        (1, NAN): 1,
        (NAN, 0): 1,
        (NAN, 1): NAN,
        (2, NAN): NAN,
        (-3, 1e300): INF,
        (2, -2000): 0,
        (-2, 53): -(2.0**53),
        (-1, INF): 1,
        (-1, -INF): 1,
        (-0.5, INF): 0,
        (-2, INF): INF,
        (-INF, -3): -0.0,
        (TINY, 0.5): 2.0**-537,
        (TINY, -0.5): 2.0**537,
        (TINY, 1): TINY,
        (LARGEST, 2): INF,
        (LARGEST, -2): 0,
    }
    x, y = (np.array(v, dtype=float) for v in zip(*table, strict=True))
    want = np.array(list(table.values()), dtype=float)
    program = compiled("x**y", {"x": x, "y": y}, [])
    with instruction_set(name):
        got = program.values([x, y], len(x), np.empty(0))
    np.testing.assert_allclose(got, want, rtol=3e-13)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(x**y, want, rtol=1e-15)


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_powers_of_signed_zeros(name: str) -> None:
    x = np.array([0.0, -0.0, -0.0, -0.0, -0.0, -0.0, 0.0, -INF])
    y = np.array([3.0, 3.0, 2.0, 0.5, -3.0, -2.0, -3.0, -3.0])
    want = np.array([0.0, -0.0, 0.0, 0.0, -INF, INF, INF, -0.0])
    program = compiled("x**y", {"x": x, "y": y}, [])
    with instruction_set(name):
        got = program.values([x, y], len(x), np.empty(0))
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
