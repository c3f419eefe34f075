"""`lf.curve_fit` against `scipy.optimize.curve_fit`: arguments, values, errors and warnings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import lawfit as lf

from .nist_problems import FORMULAS, parameter_digits, read_problem
from .real_runs import FOLDER, needs_real_runs

X = np.linspace(0.0, 4.0, 50)
RNG = np.random.default_rng(7)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * RNG.normal(size=50)
SIGMA = RNG.uniform(0.02, 0.1, 50)
TIGHT = {"xtol": 1e-13, "ftol": 1e-13, "gtol": 1e-13}


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def line(x, a, b):
    return a * x + b


def same_as_scipy(*args: Any, rtol: float = 1e-6, cov_rtol: float = 1e-4, **settings: Any) -> None:
    ours, our_cov = lf.curve_fit(*args, **settings)
    theirs, their_cov = scipy.optimize.curve_fit(*args, **settings, **TIGHT)
    np.testing.assert_allclose(ours, theirs, rtol=rtol)
    np.testing.assert_allclose(our_cov, their_cov, rtol=cov_rtol)


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("p0", [None, (2.0, 1.0, 0.0), [4, 1, 0]])
@pytest.mark.parametrize("method", [None, "lm", "trf", "dogbox"])
def test_parameters_and_covariance(p0: Any, method: Any) -> None:
    same_as_scipy(decay, X, Y, p0, method=method)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "sigma",
    [SIGMA, 0.3, np.array([0.3]), list(SIGMA), np.diag(SIGMA**2), -SIGMA,
     0.01 * np.exp(-np.abs(X[:, None] - X)) + 0.001 * np.eye(50)],
    ids=["array", "number", "one", "list", "diagonal", "negative", "correlated"],
)  # fmt: skip
def test_sigma(sigma: Any, absolute: bool) -> None:
    same_as_scipy(decay, X, Y, (2, 1, 1), sigma=sigma, absolute_sigma=absolute)


def test_a_diagonal_matrix_is_the_same_as_its_roots() -> None:
    one = lf.curve_fit(decay, X, Y, sigma=SIGMA)
    two = lf.curve_fit(decay, X, Y, sigma=np.diag(SIGMA**2))
    np.testing.assert_allclose(one[0], two[0], rtol=1e-8)
    np.testing.assert_allclose(one[1], two[1], rtol=1e-7)


@pytest.mark.parametrize(
    "bounds",
    [
        (0, np.inf),
        ([0, 0, 0.6], [5, 5, 5]),
        ([-np.inf, 0, -1], [2.0, np.inf, 3]),
        SimpleNamespace(lb=[0, 0, 0], ub=[3, 1.2, np.inf]),
        scipy.optimize.Bounds([0, 0, 0], [3, 1.2, np.inf]),
    ],
)
def test_bounds(bounds: Any) -> None:
    ours, our_cov = lf.curve_fit(decay, X, Y, bounds=bounds)
    if isinstance(bounds, SimpleNamespace):
        bounds = scipy.optimize.Bounds(bounds.lb, bounds.ub)
    theirs, their_cov = scipy.optimize.curve_fit(decay, X, Y, bounds=bounds, **TIGHT)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(our_cov, their_cov, rtol=1e-3)


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
@pytest.mark.parametrize("sigma", [None, SIGMA])
def test_robust_losses(loss: str, sigma: Any) -> None:
    y = Y.copy()
    y[::9] += 1.0
    scale = 0.05 if sigma is None else 1.0
    settings = {"loss": loss, "f_scale": scale, "sigma": sigma, "method": "trf"}
    same_as_scipy(decay, X, y, (2.4, 1.2, 0.5), rtol=2e-6, cov_rtol=1e-3, **settings)


def test_losses_of_lawfit_and_of_scipy_are_the_same() -> None:
    one = lf.curve_fit(decay, X, Y, loss="huber", f_scale=0.02)
    for loss in (lf.Huber(0.02), "huber:0.02"):
        two = lf.curve_fit(decay, X, Y, loss=loss)
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])


def test_a_loss_without_scipys_name() -> None:
    with pytest.warns(lf.OptimizeWarning):  # nothing is said of its covariance
        found, _ = lf.curve_fit(line, X, 2 * X + 1 + (X > 3.5), loss=lf.Absolute())
    np.testing.assert_allclose(found, (2, 1), rtol=1e-6)


def test_more_predictors_than_one() -> None:
    x = np.stack([np.sin(X), X + 1])
    y = 2 * x[0] + 3 * x[1] ** 1.5 + 0.01 * RNG.normal(size=50)
    f = lambda x, a, b, c: a * x[0] + b * x[1] ** c  # noqa: E731
    same_as_scipy(f, x, y, (1, 1, 1))
    same_as_scipy(f, tuple(x), y, (1, 1, 1))
    same_as_scipy(f, [list(row) for row in x], y, (1, 1, 1))


def test_integers_and_lists() -> None:
    same_as_scipy(line, [1, 2, 3, 4], [2, 4, 5, 9])
    same_as_scipy(line, np.arange(5), np.array([1, 1, 2, 3, 5]), p0=[1, 0])


def test_one_parameter() -> None:
    same_as_scipy(lambda x, a: x**a, X, X**1.7 + 0.01 * RNG.normal(size=50))
    found, cov = lf.curve_fit(lambda x, a: a * x, X, 3 * X + 0.1, p0=2.0)
    assert found.shape == (1,)
    assert cov.shape == (1, 1)


def test_a_constant() -> None:
    same_as_scipy(lambda x, a: a * np.ones_like(x), X, Y)
    found, _ = lf.curve_fit(lambda x, a: a + 0 * x, X, Y)
    np.testing.assert_allclose(found, Y.mean(), rtol=1e-12)


def test_units_do_not_matter() -> None:
    small, cov = lf.curve_fit(decay, X, Y)
    large, large_cov = lf.curve_fit(decay, X * 1e-9, Y * 1e12, (1e12, 1e9, 1e12))
    units = np.array([1e12, 1e9, 1e12])
    np.testing.assert_allclose(large, small * units, rtol=1e-8)
    np.testing.assert_allclose(large_cov, cov * np.outer(units, units), rtol=1e-7)


def test_parameters_are_counted_as_scipy_counts() -> None:
    class Model:
        def __call__(self, x, a, b):
            return a * x + b

        def method(self, x, a, b):
            return a * x + b

        @classmethod
        def of_class(cls, x, a, b):
            return a * x + b

    for f in (Model(), Model().method, Model.of_class, lambda x, a, b=3.0: a * x + b):
        found, _ = lf.curve_fit(f, X, 2 * X + 1)
        np.testing.assert_allclose(found, (2, 1), rtol=1e-9)
    only_keyword, _ = lf.curve_fit(lambda x, a, *, b=1.0: a * x + b, X, 2 * X + 1)
    np.testing.assert_allclose(only_keyword, [2], rtol=1e-9)


# --- output -----------------------------------------------------------------------------------


def test_full_output() -> None:
    popt, pcov, info, message, ier = lf.curve_fit(decay, X, Y, full_output=True)
    assert ier in (1, 2, 3, 4)
    assert isinstance(message, str)
    assert message
    assert info["nfev"] > 0
    np.testing.assert_allclose(info["fvec"], decay(X, *popt) - Y, rtol=1e-12, atol=1e-15)
    r = info["fjac"].T
    np.testing.assert_allclose(
        np.linalg.inv(r.T @ r) * (info["fvec"] @ info["fvec"]) / 47, pcov, rtol=1e-9
    )
    np.testing.assert_allclose(np.abs(info["qtf"]), 0.0, atol=1e-9)
    short, _ = lf.curve_fit(decay, X, Y)
    np.testing.assert_array_equal(short, popt)


def test_weights_are_in_fvec() -> None:
    popt, _, info, *_ = lf.curve_fit(decay, X, Y, sigma=SIGMA, full_output=True)
    np.testing.assert_allclose(info["fvec"], (decay(X, *popt) - Y) / SIGMA, rtol=1e-12)


# --- covariance that does not exist -----------------------------------------------------------


def test_collinear_parameters() -> None:
    with pytest.warns(lf.OptimizeWarning, match="could not be estimated"):
        _, cov = lf.curve_fit(lambda x, a, b: a * b * x, X, 2 * X)
    assert np.all(np.isinf(cov))


def test_as_many_data_as_parameters() -> None:
    with pytest.warns(lf.OptimizeWarning):
        found, cov = lf.curve_fit(line, [1.0, 2.0], [3.0, 5.0])
    np.testing.assert_allclose(found, (2, 1), rtol=1e-9)
    assert np.all(np.isinf(cov))
    _, cov = lf.curve_fit(line, [1.0, 2.0], [3.0, 5.0], sigma=[1, 1], absolute_sigma=True)
    np.testing.assert_allclose(cov, [[2, -3], [-3, 5]], rtol=1e-7)


def test_a_parameter_without_effect() -> None:
    with pytest.warns(lf.OptimizeWarning):
        found, cov = lf.curve_fit(lambda x, a, b: a * x + 0 * b, X, 2 * X, (1.0, 5.0))
    assert found[0] == pytest.approx(2)
    assert np.all(np.isinf(cov))


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bounds": (0, 1, 2)}, "2 elements"),
        ({"p0": (1, np.nan, 1)}, "not finite"),
        ({"p0": np.ones((1, 3))}, "shape"),
        ({"bounds": ([1, 1, 1], [0, 2, 2])}, "strictly less"),
        ({"bounds": ([0, 0], [1, 1])}, "nconsistent shapes"),
        ({"bounds": (0, 1), "p0": (2, 0.5, 0.5)}, "infeasible"),
        ({"bounds": (0, 1), "method": "lm"}, "bounds"),
        ({"method": "simplex"}, "method"),
        ({"sigma": np.ones(7)}, "incorrect shape"),
        ({"sigma": np.ones((50, 7))}, "incorrect shape"),
        ({"sigma": np.ones((50, 50))}, "positive definite"),
        ({"args": (1,)}, "args"),
        ({"nan_policy": "propagate"}, "propagate"),
        ({"nan_policy": "hide"}, "nan_policy"),
        ({"n_starts": 0}, "n_starts"),
        ({"loss": "squares"}, "loss"),
        ({"f_scale": 0.0}, "f_scale"),
    ],
)
def test_refused_arguments(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lf.curve_fit(decay, X, Y, **settings)


def test_type_errors() -> None:
    with pytest.raises(TypeError, match="N=3"):
        lf.curve_fit(decay, [1, 2], [1, 2])
    with pytest.raises(TypeError, match="maxiter"):
        lf.curve_fit(decay, X, Y, maxiter=3)


def test_unknown_number_of_parameters() -> None:
    with pytest.raises(ValueError, match="number of fit parameters"):
        lf.curve_fit(lambda x, *p: p[0] * x, X, Y)
    found, _ = lf.curve_fit(lambda x, *p: p[0] * x + p[1], X, 2 * X + 1, p0=[1, 1])
    np.testing.assert_allclose(found, (2, 1), rtol=1e-9)


def test_values_that_are_not_finite() -> None:
    x, y = X.copy(), Y.copy()
    y[3], x[5] = np.nan, np.nan
    for arguments in ((X, y), (x, Y)):
        with pytest.raises(ValueError, match="infs or NaNs"):
            lf.curve_fit(decay, *arguments)
        with pytest.raises(ValueError, match="nan"):
            lf.curve_fit(decay, *arguments, nan_policy="raise")
    keep = np.isfinite(x) & np.isfinite(y)
    expected = lf.curve_fit(decay, X[keep], Y[keep], sigma=SIGMA[keep])
    found = lf.curve_fit(decay, x, y, sigma=SIGMA, nan_policy="omit")
    np.testing.assert_array_equal(found[0], expected[0])
    matrix = np.diag(SIGMA**2)
    found = lf.curve_fit(decay, x, y, sigma=matrix, nan_policy="omit")
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-7)
    two = lf.curve_fit(
        lambda x, a, b: a * x[0] + b * x[1], np.stack([x, np.sqrt(X)]), y, nan_policy="omit"
    )
    assert np.isfinite(two[0]).all()


def test_empty_data() -> None:
    with pytest.raises(ValueError, match="empty"):
        lf.curve_fit(line, [], [])


def test_too_few_evaluations() -> None:
    with pytest.raises(RuntimeError, match="Optimal parameters not found"):
        lf.curve_fit(decay, X, Y, (9, 9, 9), maxfev=2)
    with pytest.raises(RuntimeError, match="Optimal parameters not found"):
        lf.curve_fit(decay, X, Y, (9, 9, 9), method="trf", max_nfev=2)


def test_errors_of_the_function_are_the_users() -> None:
    def wrong(x, a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        lf.curve_fit(wrong, X, Y)
    with pytest.raises(ValueError, match="shape"):
        lf.curve_fit(lambda x, a: a * x[1:], X, Y)


# --- what lawfit adds -------------------------------------------------------------------------


def test_more_starts_find_what_one_does_not() -> None:
    f = lambda x, a, b, c, d: a / x**b + c / (1 + x) ** d  # noqa: E731
    x = np.geomspace(1, 1e4, 40)
    y = f(x, 3.0, 0.5, 80.0, 2.0)
    far = (1.0, 1.0, 1.0, 1.0)
    many, _ = lf.curve_fit(f, x, y, far, n_starts=32)
    np.testing.assert_allclose(f(x, *many), y, rtol=1e-6)


def test_the_users_start_decides_between_equals() -> None:
    f = lambda x, a, k, b, l: a * np.exp(-k * x) + b * np.exp(-l * x)  # noqa: E731, E741
    y = f(X, 1.0, 0.3, 2.0, 2.0)
    one, _ = lf.curve_fit(f, X, y, (1, 0.2, 1, 3))
    two, _ = lf.curve_fit(f, X, y, (1, 3, 1, 0.2))
    np.testing.assert_allclose(one, (1, 0.3, 2, 2), rtol=1e-6)
    np.testing.assert_allclose(two, (2, 2, 1, 0.3), rtol=1e-6)


def test_never_worse_than_scipy() -> None:
    rng = np.random.default_rng(0)
    better = 0
    for _ in range(10):
        powers = rng.uniform(0.5, 2.5, 2)
        f = lambda x, a, b, c: a * x[0] + b * x[1] ** c  # noqa: E731
        x = np.stack([X, np.sqrt(X + 1)])
        y = 2 * x[0] ** powers[0] + 3 * x[1] ** powers[1] + 0.01 * rng.normal(size=50)
        ours, _ = lf.curve_fit(f, x, y)
        theirs, _ = scipy.optimize.curve_fit(f, x, y, maxfev=10_000)
        ours_cost, theirs_cost = (np.sum((f(x, *p) - y) ** 2) for p in (ours, theirs))
        assert ours_cost <= theirs_cost * (1 + 1e-9)
        better += bool(ours_cost < 0.9 * theirs_cost)
    assert better


def test_the_same_seed_gives_the_same_bits() -> None:
    one = lf.curve_fit(decay, X, Y, rng=5)
    two = lf.curve_fit(decay, X, Y, rng=np.int64(5))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


# --- certified problems -----------------------------------------------------------------------


@needs_real_runs
@pytest.mark.filterwarnings("ignore:Covariance")
@pytest.mark.parametrize("n_starts", [pytest.param(None, marks=pytest.mark.slow), 1])
def test_certified_values_from_both_starts(n_starts: int | None) -> None:
    for name, formula in FORMULAS.items():
        problem = read_problem(FOLDER / "nist", name)
        columns = {key: problem.columns[key] for key in problem.predictors}
        functions = {f: getattr(np, f) for f in ("exp", "cos", "sin", "arctan")}
        code = f"lambda X, {', '.join(problem.names)}: {formula}"
        f = eval(code, {**functions, **columns})
        y = problem.columns["y"]
        for start in problem.starts:
            with np.errstate(all="ignore"):
                found, _ = lf.curve_fit(f, np.arange(len(y)), y, start, n_starts=n_starts)
            assert parameter_digits(found, problem) > 6, name
