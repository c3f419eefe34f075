"""The compiled objective against the NumPy twin: value, gradient, matrices, for every loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lawfit import _core, formula, reference

from .strategies import INSTRUCTION_SETS, compiled, deterministic, instruction_set

# the twin's name of a loss -> the engine's kind, above, below, core
Pair = tuple[tuple[Any, ...], tuple[str, float, float, float]]


def squared() -> Pair:
    return ("squared",), ("squared", 1.0, 1.0, 1.0)


def huber(delta: float, over: float = 1.0) -> Pair:
    return ("huber", delta, over), ("linear", delta * over, delta, delta)


def absolute() -> Pair:
    return ("absolute",), ("linear", 1.0, 1.0, 0.0)


def quantile(q: float) -> Pair:
    return ("quantile", q), ("linear", 1 - q, q, 0.0)


def cauchy(s: float) -> Pair:
    return ("cauchy", s), ("cauchy", 1.0, 1.0, s)


def logcosh(s: float) -> Pair:
    return ("logcosh", s), ("logcosh", 1.0, 1.0, s)


LOSSES = [
    squared(),
    huber(1e-3),
    huber(0.5),
    huber(0.05, 3.0),
    absolute(),
    quantile(0.9),
    cauchy(1.5),
    cauchy(20.0),
    logcosh(0.3),
    logcosh(1e-3),
]
sizes = st.floats(1e-3, 10.0)
losses = st.one_of(
    st.just(squared()),
    st.just(absolute()),
    sizes.map(huber),
    st.builds(huber, sizes, st.floats(0.1, 10.0)),
    st.floats(0.01, 0.99).map(quantile),
    st.floats(1.001, 30.0).map(cauchy),
    sizes.map(logcosh),
)
smooth_losses = st.one_of(
    st.just(squared()),
    st.floats(1.001, 30.0).map(cauchy),
    st.floats(0.5, 10.0).map(logcosh),
)

# formula, values in natural units, which of them can be logarithms
LAWS = [
    (
        "E + A/N**alpha + B/D**beta",
        {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 500.0, "beta": 0.28},
        "EAB",
    ),
    ("E + A*N**-alpha", {"E": 1.2, "A": 90.0, "alpha": 0.2}, "EA"),
    (
        "((A/N)**(alpha/beta) + B/D)**beta",
        {"A": 3e4, "alpha": 0.4, "beta": 0.3, "B": 5e4},
        "AB",
    ),
    ("E/(1 + exp(-a*(x - c)))", {"E": 0.9, "a": 1.1, "c": 0.2}, "Ea"),
    ("where(x > 0, E + a*x, E*exp(c*x)) + 0.1", {"E": 1.1, "a": 0.3, "c": 0.8}, "Ea"),
    ("E + max(a*x, c) + E*a*x**2", {"E": 1.5, "a": 0.3, "c": -0.2}, "Ea"),
]


@dataclass
class Problem:
    """One objective in the engine and in the twin."""

    text: str
    values: dict[str, float]
    logs: set[str]
    space: str
    loss: Pair
    rows: int
    seed: int
    weighted: bool = False
    with_sigma: bool = False
    scale: float | None = None
    fixed: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()  # all of these are one free parameter

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        every = {
            "N": 10 ** rng.uniform(6, 10, self.rows),
            "D": 10 ** rng.uniform(8, 12, self.rows),
            "x": rng.normal(size=self.rows),
        }
        self.columns = {n: every[n] for n in formula.names(self.text) if n in every}
        self.names = [n for n in formula.names(self.text) if n not in every]
        for n in self.tied:
            self.values = {**self.values, n: self.values[self.tied[0]]}
        predicted = reference.evaluate(self.text, self.values, self.columns)
        noise = rng.normal(size=self.rows) * 10.0 ** rng.uniform(-4, 0.5, self.rows)
        if self.space == "linear":
            self.target = predicted + noise
        elif self.space == "log":
            self.target = predicted * np.exp(noise)
        else:
            self.target = 1 / (1 + (1 / predicted - 1) * np.exp(-noise))
        self.weights = rng.integers(0, 4, self.rows) / 2.0 if self.weighted else None
        self.sigma = 10 ** rng.uniform(-1, 1, self.rows) if self.with_sigma else None

    @property
    def free(self) -> list[list[str]]:
        """The parameters that each free coordinate stands for."""
        single = [[n] for n in self.names if n not in (*self.fixed, *self.tied)]
        return ([list(self.tied)] if self.tied else []) + single

    @property
    def point(self) -> np.ndarray:
        x = [self.coordinate(group[0]) for group in self.free]
        return np.array(x if self.scale is None else [*x, np.log(self.scale)])

    def coordinate(self, n: str) -> float:
        return float(np.log(self.values[n])) if n in self.logs else self.values[n]

    def engine(self) -> _core.Objective:
        target = self.target
        if self.space == "log":
            target = np.log(target)
        elif self.space == "logit":
            target = np.log(target / (1 - target))
        program = compiled(self.text, self.columns, self.names, logs=self.logs, space=self.space)
        source = np.full(len(self.names), -1, np.int32)
        for k, group in enumerate(self.free):
            for n in group:
                source[self.names.index(n)] = k
        value = np.array([self.coordinate(n) if n in self.fixed else np.nan for n in self.names])
        d = len(self.point)
        return _core.Objective(
            program,
            list(self.columns.values()),
            target,
            self.weights,
            self.sigma,
            self.loss[1],
            self.scale is not None,
            0.0 if self.scale is None else reference.log_normaliser(self.loss[0]),
            source,
            value,
            len(self.free),
            np.full(d, -np.inf),
            np.full(d, np.inf),
            np.ones(d),
        )

    def residuals(self) -> np.ndarray:
        """Return u of every row."""
        text = self.text if self.space == "linear" else f"{self.space}({self.text})"
        observed = "y" if self.space == "linear" else f"{self.space}(y)"
        columns = {**self.columns, "y": self.target}
        r = reference.evaluate(f"({text}) - {observed}", self.values, columns)
        return r / (1.0 if self.sigma is None else self.sigma) / (self.scale or 1.0)

    def twin(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Return value, gradient and Gauss-Newton matrix along the free coordinates."""
        data = (self.text, self.values, self.columns, self.target)
        common = {
            "residual": self.space,
            "loss": self.loss[0],
            "weights": self.weights,
            "sigma": self.sigma,
            "scale": self.scale,
        }
        along = {**common, "names": self.names, "log_names": self.logs}
        value = reference.objective(*data, **common)
        gradient = reference.objective_gradient(*data, **along)
        matrix = reference.gauss_newton_matrix(*data, **along)
        # d all coordinates / d free coordinates
        chain = np.zeros((len(gradient), len(self.point)))
        for k, group in enumerate(self.free):
            for n in group:
                chain[self.names.index(n), k] = 1
        if self.scale is not None:
            chain[-1, -1] = 1
        return value, chain.T @ gradient, chain.T @ matrix @ chain


def check(problem: Problem) -> None:
    u = problem.residuals()
    value, gradient, matrix = problem.twin()
    # What the rows add up to in absolute terms: rounding is relative to that.
    w = np.ones_like(u) if problem.weights is None else problem.weights
    psi = reference.loss_functions(problem.loss[0]).psi(u).astype(float)
    sensitivity = np.sqrt(np.diag(matrix) * max(1e-300, np.sum(w * np.abs(psi * u))))
    size = np.sum(w * np.abs(psi * u)) + abs(value)

    engine = problem.engine()
    point = problem.point
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            got, got_gradient, got_matrix, _ = engine.derivatives(point)
            assert engine.value(point) == got
            assert engine.values_at(np.array([point, point]), threads=1).tolist() == [got, got]
        # Residuals are differences, and so are the slopes along an exponent that occurs twice.
        level = 1e-13 * (1 + np.max(np.abs(problem.target)) / np.min(np.abs(u)))
        relative = max(1e-7 if "alpha/beta" in problem.text else 1e-10, min(1e-6, level))
        np.testing.assert_allclose(got, value, rtol=relative, atol=1e-12 * size)
        np.testing.assert_allclose(
            got_gradient, gradient, rtol=relative, atol=relative * np.max(sensitivity, initial=0)
        )
        diagonal = np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
        assert (np.abs(got_matrix - matrix) <= relative * diagonal).all()
        assert (np.abs(got_matrix - got_matrix.T) <= 1e-12 * diagonal).all()


@st.composite
def problems(draw: st.DrawFn, smooth: bool = False) -> Problem:
    text, values, can_be_log = draw(st.sampled_from(LAWS[:4] if smooth else LAWS))
    values = {n: v * draw(st.floats(0.8, 1.25)) for n, v in values.items()}
    names = list(values)
    fixed = tuple(n for n in names if draw(st.integers(0, 4)) == 0)
    rest = [n for n in names if n not in fixed]
    logs = {n for n in can_be_log if draw(st.booleans())}
    tied: tuple[str, ...] = ()
    if "beta" in rest and "alpha" in rest and draw(st.booleans()):
        tied = ("alpha", "beta")
    loss = draw(smooth_losses if smooth else losses)
    space = draw(st.sampled_from(["linear", "log", "log"]))
    if text.startswith("E/") and max(0, values["E"]) < 0.99:
        space = draw(st.sampled_from(["linear", "log", "logit"]))
    return Problem(
        text,
        values,
        logs,
        space,
        loss,
        rows=draw(st.sampled_from([1, 5, 30] if smooth else [1, 5, 8, 30, 256, 300])),
        seed=draw(st.integers(0, 1000)),
        weighted=draw(st.booleans()),
        with_sigma=draw(st.booleans()),
        scale=draw(st.one_of(st.none(), st.floats(0.5 if smooth else 0.01, 10.0))),
        fixed=fixed,
        tied=tied,
    )


@deterministic
@given(problems())
def test_random_objectives(problem: Problem) -> None:
    u = problem.residuals()
    assume(np.isfinite(u).all() and np.min(np.abs(u)) > 1e-9)  # 0 is a kink of some losses
    check(problem)


@pytest.mark.parametrize("scale", [None, 0.2])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda pair: str(pair[0]))
def test_every_loss(loss: Pair, scale: float | None) -> None:
    text, values, logs = LAWS[0]
    options = {"weighted": True, "with_sigma": True, "scale": scale}
    check(Problem(text, values, set(logs), "log", loss, rows=40, seed=7, **options))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda pair: str(pair[0]))
def test_tiny_and_huge_residuals(loss: Pair) -> None:
    """Values and weights where series and asymptotes take over; every row is one objective."""
    u = np.array([1e-30, 1e-12, 1e-7, 1e-4, 0.01, 0.3, 1.0, 3.0, 40.0, 1e4, 1e12])
    u = np.concatenate([-u, u])
    rho, psi, curvature, _ = reference.loss_functions(loss[0])
    with np.errstate(all="ignore"):
        h = np.where(rho(u) == 0, curvature, psi(u) ** 2 / (2 * rho(u)))
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            for k, residual in enumerate(u):
                engine = linear("a + 0*x", np.zeros(1), np.zeros(1), loss, None, None)
                got = engine.derivatives(np.array([residual]))
                want = [float(f(u)[k]) for f in (rho, psi)]
                assert got[0] == pytest.approx(want[0], rel=1e-14, abs=1e-300)
                assert got[1][0] == pytest.approx(want[1], rel=1e-14)
                assert got[2][0, 0] == pytest.approx(float(h[k]), rel=1e-12)


def test_a_residual_of_zero() -> None:
    for loss in LOSSES:
        engine = linear("a + 0*x", np.zeros(1), np.zeros(1), loss, None, None)
        value, gradient, bend, curvature = engine.derivatives(np.zeros(1))
        assert value == 0
        assert gradient.tolist() == [0]
        assert np.isfinite(bend).all()
        assert np.isfinite(curvature).all()
        if loss[1][3] > 0:  # not a kink
            assert bend.tolist() == [[1]]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda pair: str(pair[0]))
def test_normaliser_and_scale(loss: Pair) -> None:
    """The log of the scale s: F = sum w (rho(r exp(-s)) + s + c)."""
    x, y = np.arange(4.0), np.array([0.3, 2.0, -1.0, 4.0])
    w = np.array([1.0, 0.5, 2.0, 0.0])
    engine = linear("a + b*x", x, y, loss, w, None, log_normaliser=0.25)
    rho = reference.loss_functions(loss[0]).rho
    for s in (-1.0, 0.0, 2.0):
        u = (0.1 + 0.7 * x - y) * np.exp(-s)
        want = float(np.sum(w * (rho(u) + s + 0.25)))
        assert engine.value(np.array([0.1, 0.7, s])) == pytest.approx(want, rel=1e-13)


def linear(
    text: str,
    x: np.ndarray,
    y: np.ndarray,
    loss: Pair,
    weights: np.ndarray | None,
    sigma: np.ndarray | None,
    log_normaliser: float | None = None,
) -> _core.Objective:
    names = [n for n in formula.names(text) if n != "x"]
    program = compiled(text, {"x": x}, names)
    fitted = log_normaliser is not None
    d = len(names) + fitted
    return _core.Objective(
        program,
        [x] if "x" in program.columns else [],
        y,
        weights,
        sigma,
        loss[1],
        fitted,
        log_normaliser or 0.0,
        np.arange(len(names), dtype=np.int32),
        np.zeros(len(names)),
        len(names),
        np.full(d, -np.inf),
        np.full(d, np.inf),
        np.ones(d),
    )


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda pair: str(pair[0]))
def test_curvature_of_a_linear_model(loss: Pair, name: str) -> None:
    """Where the model is linear, sum w rho'' J J' is the Hessian."""
    rng = np.random.default_rng(5)
    rows = 300
    x, noise = rng.uniform(-1, 1, rows), rng.normal(size=rows) * 2
    point = np.array([0.4, -1.2, 0.7])
    w, sigma = rng.integers(0, 3, rows) * 1.0, rng.uniform(0.5, 2, rows)
    design = np.column_stack([x**0, x, x * x])
    engine = linear("a + b*x + c*x**2", x, design @ point - noise, loss, w, sigma)
    u = noise / sigma
    h = 1e-6
    for kink in (0.0, loss[1][3]):  # no row may cross one on the way
        assert (np.abs(np.abs(u) - kink) > 10 * h).all() or loss[1][0] != "linear"
    with instruction_set(name):
        curvature = engine.derivatives(point)[3]
        differences = np.array(
            [
                (engine.derivatives(point + e)[1] - engine.derivatives(point - e)[1]) / (2 * h)
                for e in np.eye(3) * h
            ]
        )
    scale = design.T @ (w[:, None] * design) / np.min(sigma) ** 2
    np.testing.assert_allclose(curvature, differences, rtol=1e-6, atol=1e-8 * np.max(scale))


@deterministic
@given(problems(smooth=True))
def test_gauss_newton_matrix_alone(problem: Problem) -> None:
    engine = problem.engine()
    value, gradient, bend, _ = engine.derivatives(problem.point)
    again = engine.gauss_newton(problem.point, repeats=3)
    assert again[0] == value
    np.testing.assert_array_equal(again[1], gradient)
    np.testing.assert_array_equal(again[2], bend)


@deterministic
@given(problems(smooth=True))
def test_hessian(problem: Problem) -> None:
    """The exact Hessian against differences of the twin's gradient."""
    assume(problem.point.size > 0)
    h = 1e-5
    keys = [group[0] for group in problem.free] + ["scale"] * (problem.scale is not None)
    slopes = [
        [shifted(problem, key, step * h).twin()[1] for step in (-2, -1, 1, 2)] for key in keys
    ]
    differences = np.array([(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in slopes])
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            hessian = problem.engine().hessian(problem.point)
        tolerance = 1e-6 * np.max(np.abs(differences)) + 1e-9
        np.testing.assert_allclose(hessian, differences, rtol=1e-5, atol=tolerance)
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12, atol=1e-6 * tolerance)


def shifted(problem: Problem, key: str, step: float) -> Problem:
    """Return the same problem at a moved point; the data stay."""
    moved = object.__new__(Problem)
    moved.__dict__.update(problem.__dict__)
    if key == "scale":
        moved.scale = problem.scale * np.exp(step)
        return moved
    group = problem.tied if key in problem.tied else (key,)
    change = {
        n: problem.values[n] * np.exp(step) if n in problem.logs else problem.values[n] + step
        for n in group
    }
    moved.values = {**problem.values, **change}
    return moved


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_what_moves_no_residual_has_no_slope(name: str) -> None:
    """An infinite slope of a parameter that only an unused branch sees."""
    x = np.array([1.0, 2.0, 3.0])
    with instruction_set(name):
        for text in ("where(x > 0, a*x, sqrt(b))", "a*x + (x < sqrt(b))", "a*max(x, log(b))"):
            engine = linear(text, x, x * 2, squared(), None, None)
            value, gradient, *matrices = engine.derivatives(np.array([1.0, 0.0]))
            assert value == 7
            assert gradient.tolist() == [-14, 0]
            for matrix in matrices:
                assert matrix.tolist() == [[14, 0], [0, 0]]


def test_a_value_that_is_not_finite_is_infinite() -> None:
    x = np.array([1.0, 2.0])
    for text, at in (("log(a*x)", -1.0), ("exp(a*x)*x", 800.0), ("a*x", np.nan)):
        engine = linear(text, x, x, huber(1.0), None, None)
        assert engine.value(np.array([at])) == np.inf


@pytest.mark.parametrize("rows", [*range(1, 18), 255, 256, 257, 513])
def test_rows_add_up(rows: int) -> None:
    """Padding and block edges: the whole is the sum of the rows, whatever their number."""
    rng = np.random.default_rng(rows)
    x, y = rng.normal(size=rows), rng.normal(size=rows)
    w = rng.uniform(size=rows)
    whole = linear("a + b*x", x, y, logcosh(0.5), w, None)
    at = np.array([0.3, 0.8])
    single = [
        linear("a + b*x", x[i : i + 1], y[i : i + 1], logcosh(0.5), w[i : i + 1], None)
        for i in range(rows)
    ]
    for name in INSTRUCTION_SETS:
        with instruction_set(name):
            total = [np.sum(part, axis=0) for part in zip(*(s.derivatives(at) for s in single))]
            for got, want in zip(whole.derivatives(at), total, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
