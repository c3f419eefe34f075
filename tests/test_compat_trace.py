"""Functions as users write them, traced and compared with themselves; others fall back."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from scipy.special import logsumexp

import lawfit as lf
from lawfit.compat.trace import TraceError, trace

RNG = np.random.default_rng(3)
N = np.geomspace(1e7, 1e10, 60)
D = N * RNG.uniform(5.0, 60.0, 60)
T = np.linspace(-2.0, 6.0, 60)
OFFSET = RNG.normal(size=60)
CHINCHILLA = (1.7, 400.0, 2000.0, 0.34, 0.37)


class Saturating:
    def __init__(self, floor: float) -> None:
        self.floor = floor

    def __call__(self, x: Any, a: float, b: float) -> Any:
        return self.floor + a * (1.0 - np.exp(-b * np.abs(x)))

    def shifted(self, x: Any, a: float, b: float) -> Any:
        return self(x, a, b) + a


def chinchilla(x, E, A, B, alpha, beta):
    N, D = x
    return E + A / N**alpha + B / D**beta


def kaplan(x, Nc, Dc, a_n, a_d):
    return ((Nc / x[0]) ** (a_n / a_d) + Dc / x[1]) ** a_d


def of_columns(frame, E, A, alpha):
    return E + A * frame["N"] ** (-alpha)


def log_sum(x, e, a, b, alpha, beta):
    terms = np.stack([a - alpha * np.log(x[0]), b - beta * np.log(x[1]), e + 0.0 * x[0]])
    top = np.logaddexp(np.logaddexp(terms[0], terms[1]), terms[2])
    return np.exp(top)


def summed(x, *c):
    return np.sum([c_k * np.exp(-k * 0.3 * x) for k, c_k in enumerate(c)], axis=0)


def broken(x, a, b, c0, c1, d, f):
    return a + b * x**-c0 * (1 + (x / d) ** (1 / f)) ** (-c1 * f)


def default_arguments(x, a, b=2.0, c=1.0):
    return a * x**2 + b * x + c


def gaussian(x, height, centre, width):
    return height * np.exp(-((x - centre) ** 2) / (2 * width**2))


def in_steps(x, a, b):
    y = a * x
    y += b
    y /= 1.0 + np.square(b)
    return np.maximum(y, -1.0)


def clipped(x, a, b):
    return np.clip(a + b * x, -1.0, 2.0)


def piecewise(x, a, b, x0):
    return np.where(x < x0, a, a + b * (x - x0))


def selected(x, a, b):
    return np.select([x < 0, x < 3], [a * x, b * x**2], default=a + b)


def smooth(x, a, b, c):
    return a * scipy.special.expit((x - b) / c)


def probability(x, mu, sigma):
    return 0.5 * (1 + scipy.special.erf((x - mu) / (sigma * np.sqrt(2))))


def wave(x, a, w, phase):
    return a * np.sin(w * x + phase) + np.tanh(x / w)


def vector_of_parameters(x, *p):
    p = np.asarray(p)
    return np.polyval(p, x)


def hill(x, top, half, slope):
    return top * x**slope / (half**slope + x**slope)


def double_exponential(x, a, b, k1, k2):
    return a * np.exp(-k1 * x) + b * np.exp(-k2 * x)


def hyperbolic(x, a, b):
    return a * np.sinh(b * x) + np.cosh(b * x) - np.hypot(a, x)


def masked(x, a, b):
    return (x > 0) * a * x + ~(x > 0) * b


# --- with functions that take lists or floats, for which tracers have stand-ins ---------------


def terms_of(x, a, b, alpha, beta):
    return [a - alpha * np.log(x[0]), b - beta * np.log(x[1])]


def folded_list(x, e, *p):
    return np.logaddexp.reduce([*terms_of(x, *p), e * np.ones_like(x[0])])


def folded_array(x, *p):
    return np.logaddexp.reduce(np.array(terms_of(x, *p)), axis=0)


def folded_stack(x, *p):
    return np.logaddexp.reduce(np.stack(terms_of(x, *p)))


def scipys_list(x, *p):
    return np.exp(scipy.special.logsumexp(terms_of(x, *p), axis=0))


def scipys_weights(x, A, B, alpha, beta):
    exponents = np.stack([-alpha * np.log(x[0]), -beta * np.log(x[1])])
    return logsumexp(exponents, axis=0, b=np.array([[A], [B]]))


def python_floats(x, e, a, alpha):
    import math as m

    return m.exp(e) + math.exp(a) * x[0] ** -alpha * math.log(8, 2)


def one_row(n, E, A, alpha):
    return E + A / n**alpha


def vectorized(x, E, A, alpha):
    return np.vectorize(one_row)(x[0], E, A, alpha)


of_every_row = np.vectorize(one_row)


@dataclass
class Chinchilla:
    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def __call__(self, n, d):
        return self.E + self.A / n**self.alpha + self.B / d**self.beta


def product_of_terms(x, A, alpha, beta):
    return A * np.prod(np.array([x[0] ** -alpha, x[1] ** -beta]), axis=0)


def largest_of_terms(x, E, A, alpha):
    return np.max([E * np.ones_like(x[0]), A * x[0] ** -alpha], axis=0) + max(E, 0.5, alpha)


def mean_of_terms(x, a, b):
    return np.mean(np.clip([a * x, b + x], -1.0, 2.0), axis=0)


def outer_product(x, w1, w2, k1, k2):
    w, k = np.array([w1, w2]), np.array([k1, k2])
    return np.sum(w[:, None] * np.exp(-k[:, None] * x[None, :]), axis=0)


MATRIX = np.column_stack([np.ones(60), T, np.sin(T)])


def pieces(x, a, b):
    return np.piecewise(x, [x < 1, x >= 1], [lambda t: a * t, lambda t: a + b * t])


def recursive(x, a, b, depth=3):
    return (
        a * np.ones_like(x)
        if depth == 0
        else np.logaddexp.reduce([b * x, recursive(x, a, b, depth - 1)])
    )


COLUMNS = {"N": N, "D": D}
LINEAR = (0.1, -0.2, 0.3)
LOGS = (6.0, 7.6, 0.34, 0.37)

Case = tuple[str, Callable[..., Any], Any, tuple[float, ...]]
CASES: list[Case] = [
    ("tuple of arrays", chinchilla, (N, D), CHINCHILLA),
    ("2-d array", kaplan, np.stack([N, D]), (8.8e13, 5.4e13, 0.076, 0.095)),
    ("dict of columns", of_columns, {"N": N}, (1.7, 400.0, 0.3)),
    ("log-sum-exp", log_sum, (N, D), (0.5, 6.0, 7.6, 0.34, 0.37)),
    ("sum of a list", summed, T, (1.0, -0.5, 0.25)),
    ("broken law", broken, np.geomspace(1.0, 1e6, 60), (0.3, 2.0, 0.2, 0.4, 1e3, 0.5)),
    ("default arguments", default_arguments, T, (1.0, 2.0, 3.0)),
    ("lambda", lambda x, a, b: a * np.log1p(np.exp(b * x)), T, (1.5, 0.7)),
    ("partial", functools.partial(gaussian, width=0.8), T, (2.0, 1.0)),
    ("callable object", Saturating(0.5), T, (2.0, 0.3)),
    ("bound method", Saturating(0.5).shifted, T, (2.0, 0.3)),
    ("closure over an array", lambda x, a, b: a * OFFSET + b * x, T, (2.0, 0.3)),
    ("in-place operators", in_steps, T, (2.0, 0.3)),
    ("clip", clipped, T, (0.4, 0.6)),
    ("where on a parameter", piecewise, T, (0.4, 0.6, 1.7)),
    ("select", selected, T, (0.4, 0.6)),
    ("expit", smooth, T, (2.0, 1.0, 0.7)),
    ("erf", probability, T, (1.0, 1.3)),
    ("sine", wave, T, (2.0, 1.1, 0.3)),
    ("polyval of an array of parameters", vector_of_parameters, T, (0.3, -1.0, 0.4, 2.0)),
    ("Hill", hill, np.geomspace(0.1, 100.0, 60), (2.0, 3.0, 1.4)),
    ("sum of exponentials", double_exponential, T + 2.0, (2.0, 3.0, 0.5, 2.0)),
    ("hyperbolic", hyperbolic, T, (0.4, 0.6)),
    ("mask times value", masked, T, (0.4, 0.6)),
    ("logaddexp.reduce of a list", folded_list, (N, D), (0.5, *LOGS)),
    ("logaddexp.reduce of an array", folded_array, (N, D), LOGS),
    ("logaddexp.reduce of a stack", folded_stack, (N, D), LOGS),
    ("scipy.special.logsumexp", scipys_list, (N, D), LOGS),
    ("logsumexp with b", scipys_weights, (N, D), (400.0, 2000.0, 0.34, 0.37)),
    ("math", python_floats, (N, D), (0.5, 6.0, 0.34)),
    ("np.vectorize", vectorized, (N, D), (1.7, 400.0, 0.34)),
    ("a vectorized function", of_every_row, N, (1.7, 400.0, 0.34)),
    ("dataclass of parameters", lambda x, *p: Chinchilla(*p)(*x), (N, D), CHINCHILLA),
    ("unpacked parameters", lambda x, *p: one_row(x["N"], *p), COLUMNS, (1.7, 400.0, 0.34)),
    (
        "columns of a matrix",
        lambda x, a, b: a * x[:, 1] + np.power(2.0, b * x[:, 2]),
        MATRIX,
        (0.4, 0.6),
    ),
    ("np.prod", product_of_terms, (N, D), (3.0, 0.1, 0.2)),
    ("np.max and max", largest_of_terms, (N, D), (1.7, 2000.0, 0.34)),
    ("np.mean and np.clip", mean_of_terms, T, (0.4, 0.6)),
    ("matrix times parameters", lambda x, *p: x @ np.array(p), MATRIX, LINEAR),
    ("parameters times matrix", lambda x, *p: np.dot(p, x.T), MATRIX, LINEAR),
    ("np.einsum", lambda x, a, b, c: np.einsum("ij,j->i", x, [a, b, c]), MATRIX, LINEAR),
    ("outer product", outer_product, T, (1.0, 0.5, 0.2, 0.1)),
    ("np.piecewise", pieces, T, (0.4, 0.6)),
    ("a function that calls itself", recursive, T, (0.4, 0.6)),
]


def traced_values(function: Callable[..., Any], x: Any, at: tuple[float, ...]) -> Any:
    found = trace(lambda p: function(x, *p), len(at), 60)
    return found.program().values(list(found.columns.values()), 60, np.array(at))


@pytest.mark.parametrize(("function", "x", "at"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_traced_equals_the_function(function: Any, x: Any, at: tuple[float, ...]) -> None:
    for factor in (1.0, 0.93, 1.04):
        point = tuple(factor * v for v in at)
        real = np.asarray(function(x, *point), float)
        np.testing.assert_allclose(
            traced_values(function, x, point), real, rtol=1e-14, atol=1e-14 * np.abs(real).max()
        )


@pytest.mark.parametrize(("function", "x", "at"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_traced_functions_are_fitted(function: Any, x: Any, at: tuple[float, ...]) -> None:
    y = np.asarray(function(x, *at), float)
    start = np.array([0.98, 1.03, 0.97, 1.02, 1.01, 0.99][: len(at)]) * at
    found, _ = lf.curve_fit(function, x, y, start, bounds=(-1e15, 1e15), absolute_sigma=True)
    np.testing.assert_allclose(function(x, *found), y, rtol=1e-6, atol=1e-7 * np.abs(y).max())


def test_frames_are_used_by_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"N": N, "D": D})
    y = 1.7 + 400.0 * N**-0.3
    found, _ = lf.curve_fit(of_columns, frame, y, (1.0, 100.0, 0.5), bounds=(0, np.inf))
    np.testing.assert_allclose(found, (1.7, 400.0, 0.3), rtol=1e-7)
    values = traced_values(of_columns, frame, (1.7, 400.0, 0.3))
    np.testing.assert_allclose(values, y, rtol=1e-14)


# --- what cannot be told as an expression -----------------------------------------------------


def with_a_decision(x, a, b):
    if a > 0:
        return a * np.exp(-b * x)
    return a * x


def with_a_loop(x, a, b):
    return np.array([a * np.exp(-b * value) for value in x])


def with_writing(x, a, b):
    y = np.zeros_like(x)
    y[x > 1] = a * x[x > 1]
    return y + b


def with_unknown_call(x, a, b):
    return a * scipy.special.gamma(1.5 + b * x**2 / 20)


def with_interpolation(x, a, b):
    return np.interp(x, [0.0, 1.0, 4.0], [a, b, a + b])


def with_python_floats(x, a, b):
    return float(np.exp(a)) * x + b


def with_a_matrix_and_a_tuple(x, *p):
    return np.vander(x, 2) @ p


def with_arrays_of_another_library(x, a, b):
    """As jax.numpy and torch do: what is not an array of theirs or a number is a TypeError."""
    for value in (a, b):
        if not isinstance(value, (float, np.floating)):
            raise TypeError(f"exp(): argument must be Tensor, not {type(value).__name__}")
    return a * np.exp(-b * x)


UNTRACEABLE = [
    with_a_decision,
    with_a_loop,
    with_writing,
    with_unknown_call,
    with_interpolation,
    with_python_floats,
    with_a_matrix_and_a_tuple,
    with_arrays_of_another_library,
]


@pytest.mark.parametrize("function", UNTRACEABLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "bounds", [(-np.inf, np.inf), ((0.2, 0.1), (1.9, 5.0))], ids=["", "bounds"]
)
def test_the_fallback_gives_scipys_answer(function: Any, bounds: Any) -> None:
    x = np.linspace(0.05, 3.8, 40)
    y = function(x, 1.8, 0.7) + 0.05 * np.random.default_rng(1).normal(size=40)
    with pytest.warns(lf.NotTracedWarning, match=function.__name__):
        ours, our_cov = lf.curve_fit(function, x, y, (1.2, 0.9), bounds=bounds)
    exact = {} if bounds[0] == -np.inf else {"xtol": 1e-13, "ftol": 1e-13, "gtol": 1e-13}
    theirs, their_cov = scipy.optimize.curve_fit(function, x, y, (1.2, 0.9), bounds=bounds, **exact)
    np.testing.assert_allclose(ours, theirs, rtol=2e-6)
    np.testing.assert_allclose(our_cov, their_cov, rtol=1e-3)


def test_the_users_derivatives_serve_the_fallback() -> None:
    x = np.linspace(0.05, 3.8, 40)
    y = with_a_decision(x, 1.8, 0.7)
    called = []

    def jacobian(x, a, b):
        called.append((a, b))
        return np.stack([np.exp(-b * x), -a * x * np.exp(-b * x)], axis=1)

    with pytest.warns(lf.NotTracedWarning):
        found, _ = lf.curve_fit(with_a_decision, x, y, (1.0, 1.0), jac=jacobian)
    assert called
    np.testing.assert_allclose(found, (1.8, 0.7), rtol=1e-9)
    called.clear()
    lf.curve_fit(lambda x, a, b: a * np.exp(-b * x), x, y, (1.0, 1.0), jac=jacobian)
    assert not called  # exact already


def test_a_function_that_hides_the_failure_is_found_out() -> None:
    def two_faced(x, a, b):
        try:
            float(a)
        except TypeError:
            return a * x
        return a * x + b

    x = np.linspace(0.0, 1.0, 20)
    with pytest.warns(lf.NotTracedWarning, match="differ"):
        found, _ = lf.curve_fit(two_faced, x, 2.0 * x + 3.0)
    np.testing.assert_allclose(found, (2.0, 3.0), rtol=1e-8)


def test_warnings_say_why() -> None:
    with pytest.raises(TraceError, match="decision"):
        trace(lambda p: with_a_decision(T, *p), 2, 60)
    with pytest.raises(TraceError, match="gamma"):
        trace(lambda p: with_unknown_call(T, *p), 2, 60)
    with pytest.raises(TraceError, match="too large"):
        trace(lambda p: functools.reduce(lambda y, _: y * y + p[0], range(40), p[1] * T), 2, 60)


def test_the_users_modules_are_left_alone() -> None:
    before = dict(globals())
    trace(lambda p: folded_list((N, D), *p) * math.exp(p[0]), 5, 60)
    assert globals() == before
    assert folded_list.__globals__ is globals()
    assert folded_list((N, D), 0.5, *LOGS).shape == (60,)


def test_scipy_is_not_imported() -> None:
    code = (
        "import sys, numpy as np, lawfit\n"
        "x = np.linspace(0.0, 1.0, 20)\n"
        "f = lambda x, a, b: np.logaddexp.reduce([a * x, b + x])\n"
        "p, _ = lawfit.curve_fit(f, x, f(x, 1.5, 0.5))\n"
        "assert abs(p[0] - 1.5) < 1e-6 and 'scipy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_rows_that_are_not_the_datas_are_refused() -> None:
    with pytest.raises(TraceError, match=r"\(59,\)"):
        trace(lambda p: p[0] * T[1:], 1, 60)


def test_equal_columns_are_one() -> None:
    found = trace(lambda p: p[0] * T + np.exp(p[1] * T.copy()), 2, 60)
    assert len(found.columns) == 1
