"""Fits: the published optima, invariance, settings, starts, losses, failures, and what is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit, least_squares, linprog, minimize
from scipy.stats import qmc

import lawfit as lf
from lawfit import reference
from lawfit.execution import seed_from, workers_from
from lawfit.starts import quasi_random

BEST = 0.0010182740178
OPTIMUM = {"E": 1.817218, "A": 477.826, "B": 2143.417, "alpha": 0.347310, "beta": 0.367172}
POWER = "E + A / x**alpha"
FULL = {"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2100.0, "beta": 0.37}


@pytest.fixture(scope="module")
def published_fit(chinchilla_csv: Path) -> lf.Fit:
    return lf.fit("chinchilla", chinchilla_csv, starts="hoffmann2022")


@pytest.fixture(scope="module")
def noisy() -> dict[str, np.ndarray]:
    """Forty rows of E = 1.5, A = 8, alpha = 0.4 with heavy-tailed noise."""
    rng = np.random.default_rng(7)
    x = np.geomspace(10.0, 1e5, 40)
    return {"x": x, "loss": 1.5 + 8.0 / x**0.4 + 0.05 * rng.standard_t(2, len(x))}


def close(params: Mapping[str, float], expected: Mapping[str, float], rel: float) -> bool:
    return dict(params) == pytest.approx(dict(expected), rel=rel)


def message(*args: Any, **kwargs: Any) -> str:
    """Return the message of the InputError that a fit raises."""
    with pytest.raises(lf.InputError) as caught:
        lf.fit(*args, **kwargs)
    return str(caught.value)


# --- published optima ------------------------------------------------------------------------


def test_best_known_objective_from_the_published_starts(published_fit: lf.Fit) -> None:
    assert published_fit.objective == pytest.approx(BEST, rel=1e-9)
    assert published_fit.success
    for name, value in OPTIMUM.items():
        assert f"{published_fit.params[name]:.5g}" == f"{value:.5g}"
    assert published_fit.nobs == 240
    assert published_fit.starts.n == 4500
    assert published_fit.starts.hits == 4500
    # The grid has 25 combinations of exponents; a start's coefficients follow from them.
    distinct = 4500 - published_fit.starts.repeated
    assert 25 <= distinct <= 30
    assert published_fit.starts.missed == 1 / (distinct + 1)


def test_threads_do_not_change_a_bit(published_fit: lf.Fit, chinchilla_csv: Path) -> None:
    for threads in (1, 2, 3):
        again = lf.fit("chinchilla", chinchilla_csv, starts=64, rng=3, threads=threads)
        first = lf.fit("chinchilla", chinchilla_csv, starts=64, rng=3)
        assert (again.params, again.objective) == (first.params, first.objective)
        assert again.evaluations == first.evaluations
        assert again.starts == first.starts
    assert close(first.params, published_fit.params, 1e-9)


def test_likelihood_with_a_fitted_scale(chinchilla_csv: Path) -> None:
    fit = lf.fit("chinchilla", chinchilla_csv, protocol="besiroglu2024")
    assert fit.success
    assert fit.starts.n == 1
    assert fit.scale is not None
    expected = {"A": 482.006, "B": 2085.43, "alpha": 0.34781, "beta": 0.36585}
    for name, value in expected.items():
        assert fit.params[name] == pytest.approx(value, rel=1e-4)
    # It goes to least absolute deviations, whose sum of absolute residuals is 1.1294947.
    predicted = fit.predict(chinchilla_csv)
    assert np.abs(np.log(predicted / lf.read(chinchilla_csv)["loss"])).sum() == pytest.approx(
        1.1294947, rel=1e-6
    )


def test_fitted_scale_is_the_root_mean_square_for_squared_loss(noisy: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"residual": "linear", "loss": lf.Squared()}
    fixed = lf.fit(POWER, noisy, **settings)
    fitted = lf.fit(POWER, noisy, **settings, scale="fitted")
    assert close(fitted.params, fixed.params, 1e-7)
    scale = math.sqrt(2.0 * fixed.objective / fixed.nobs)
    assert fitted.scale == pytest.approx(scale, rel=1e-9)
    likelihood = -0.5 * fixed.nobs * (math.log(2 * math.pi * scale**2) + 1)
    assert fitted.objective == pytest.approx(-likelihood, rel=1e-12)


# --- invariance ------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_a_factor_on_the_objective_changes_nothing(
    published_fit: lf.Fit, chinchilla_csv: Path, factor: float
) -> None:
    fit = lf.fit("chinchilla", chinchilla_csv, weights=np.full(240, factor))
    assert close(fit.params, published_fit.params, 1e-8)
    assert fit.objective == pytest.approx(factor * BEST, rel=1e-9)
    assert fit.starts.hits >= 95


def test_units_change_nothing(published_fit: lf.Fit, chinchilla_csv: Path) -> None:
    fit = lf.fit("chinchilla", chinchilla_csv, derive={"N": "N / 1e9"})
    params = fit.params | {"A": fit.params["A"] * 1e9 ** fit.params["alpha"]}
    assert close(params, published_fit.params, 1e-8)
    assert fit.objective == pytest.approx(BEST, rel=1e-9)


def test_the_base_of_the_logarithm_changes_nothing(
    published_fit: lf.Fit, chinchilla_csv: Path
) -> None:
    fit = lf.fit(
        "log10(E + A / N**alpha + B / D**beta)",
        chinchilla_csv,
        "digits",
        derive={"digits": "log10(loss)"},
        residual="linear",
        loss=lf.Huber(1e-3 / math.log(10)),
    )
    assert close(fit.params, published_fit.params, 1e-8)
    assert fit.objective * math.log(10) ** 2 == pytest.approx(BEST, rel=1e-9)
    assert fit.starts.hits >= 95


def test_an_equivalent_formula_has_the_same_optimum(
    published_fit: lf.Fit, chinchilla_csv: Path
) -> None:
    fit = lf.fit("exp(e) + exp(a - alpha * log(N)) + exp(b) * D**-beta", chinchilla_csv)
    p = fit.params
    params = {"E": math.exp(p["e"]), "A": math.exp(p["a"]), "B": math.exp(p["b"])}
    params |= {"alpha": p["alpha"], "beta": p["beta"]}
    assert close(params, published_fit.params, 1e-8)


def test_the_order_of_rows_changes_nothing(runs: lf.Runs, free_fit: lf.Fit) -> None:
    order = np.random.default_rng(1).permutation(runs.n)
    fit = lf.fit("chinchilla", {name: runs[name][order] for name in runs})
    assert close(fit.params, free_fit.params, 1e-9)


# --- the user's own law ----------------------------------------------------------------------


def test_own_formula_with_eight_parameters_agrees_with_the_twin(chinchilla_runs: lf.Runs) -> None:
    formula = "where(N < 1e9, E1 + A1 / N**alpha1, E2 + A2 / N**alpha2) + B / D**beta"
    fit = lf.fit(formula, chinchilla_runs, starts=20)
    assert len(fit.params) == 8
    assert fit.success
    assert fit.starts.hits >= 10
    logs = [p.name for p in fit.law.parameters if p.transform == "log"]
    assert logs == ["E1", "A1", "E2", "A2", "B"]
    start = {"E1": 1.8, "A1": 480.0, "alpha1": 0.35, "E2": 1.8, "A2": 480.0, "alpha2": 0.35}
    start |= {"B": 2100.0, "beta": 0.37}
    columns = {name: chinchilla_runs[name] for name in ("N", "D")}
    params, objective = reference.minimise(
        formula, start, columns, chinchilla_runs["loss"], log_names=logs
    )
    assert fit.objective == pytest.approx(objective, rel=1e-12)
    assert close(fit.params, params, 1e-6)
    np.testing.assert_allclose(
        fit.predict(chinchilla_runs), reference.evaluate(formula, fit.params, columns), rtol=1e-13
    )


def test_law_object_path_and_mapping_are_one(
    free_fit: lf.Fit, runs: lf.Runs, tmp_path: Path
) -> None:
    path = tmp_path / "runs.csv"
    rows = zip(*(runs[name].tolist() for name in ("N", "D", "loss")), strict=True)
    path.write_text("size,D,loss\n" + "".join(f"{n!r},{d!r},{y!r}\n" for n, d, y in rows))
    fit = lf.fit(lf.law("chinchilla"), path, columns={"N": "size"}, where="N > 0")
    assert fit.params == free_fit.params
    assert fit.source == "runs.csv"
    assert fit.data_hash == free_fit.data_hash


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_data_frames(library: str, runs: lf.Runs, free_fit: lf.Fit) -> None:
    module = pytest.importorskip(library)
    columns = {name: runs[name] for name in runs}
    frame = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    assert lf.fit("chinchilla", frame).params == free_fit.params


# --- noise-free data -------------------------------------------------------------------------


def test_an_exact_fit_recovers_the_parameters(runs: lf.Runs) -> None:
    law = lf.law("chinchilla")
    table = runs.with_column("loss", law.predict(FULL, runs))
    fit = lf.fit(law, table)
    assert close(fit.params, FULL, 1e-10)
    assert fit.objective < 1e-25
    assert fit.status == "exact"
    # Their objectives differ by rounding only: they are one minimum.
    assert (fit.starts.hits, fit.starts.basins) == (fit.starts.n, 1)
    assert fit.warnings == ()


def test_an_exact_fit_with_a_fitted_scale_stops(runs: lf.Runs) -> None:
    law = lf.law("chinchilla")
    table = runs.with_column("loss", law.predict(FULL, runs))
    fit = lf.fit(law, table, scale="fitted", starts=[FULL])
    assert fit.scale is not None
    assert 0 < fit.scale < 1e-12
    assert close(fit.params, FULL, 1e-6)


# --- fixed, tied, bounds ---------------------------------------------------------------------


def test_fixed_parameters_stay(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, fixed={"E": 1.69, "alpha": 0.3})
    assert fit.params["E"] == 1.69
    assert fit.params["alpha"] == 0.3
    assert fit.free == ("A", "B", "beta")
    inline = lf.fit("1.69 + A / N**0.3 + B / D**beta", runs)
    assert fit.objective == pytest.approx(inline.objective, rel=1e-10)
    assert close({n: fit.params[n] for n in inline.params}, inline.params, 1e-8)


def test_a_scale_factor_fixed_at_zero_drops_its_term(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, fixed={"E": 0.0})
    without = lf.fit("A / N**alpha + B / D**beta", runs)
    assert fit.objective == pytest.approx(without.objective, rel=1e-9)


def test_everything_fixed_is_an_evaluation(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, fixed=FULL)
    expected = reference.objective(
        lf.law("chinchilla").formula, FULL, {n: runs[n] for n in ("N", "D")}, runs["loss"]
    )
    assert fit.params == FULL
    assert fit.objective == pytest.approx(expected, rel=1e-12)
    assert lf.fit("chinchilla", runs, fixed=FULL, starts="hoffmann2022").params == FULL


def test_tied_parameters_share_a_value(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, tied=[("alpha", "beta")])
    shared = lf.fit("E + A / N**alpha + B / D**alpha", runs)
    assert fit.params["alpha"] == fit.params["beta"]
    assert fit.free == ("E", "A", "alpha", "B")
    assert fit.objective == pytest.approx(shared.objective, rel=1e-10)
    assert lf.fit("chinchilla", runs, tied=("alpha", "beta")).params == fit.params


def test_tied_parameters_obey_the_bounds_of_each(runs: lf.Runs) -> None:
    for bounds in ({"alpha": (0.0, 0.3)}, {"beta": (0.0, 0.3)}):
        fit = lf.fit("chinchilla", runs, tied=[("alpha", "beta")], bounds=bounds)
        assert fit.params["beta"] == 0.3
        assert fit.at_bound == ("alpha",)
    law = lf.Law(
        "E + A / N**alpha + B / D**beta",
        [lf.Parameter("alpha"), lf.Parameter("beta", bounds=(0.0, 0.3))],
    )
    assert lf.fit(law, runs, tied=[("alpha", "beta")]).params["alpha"] == 0.3


def test_grid_starts_leave_out_what_is_fixed_or_tied(chinchilla_csv: Path) -> None:
    fit = lf.fit("chinchilla", chinchilla_csv, starts="hoffmann2022", fixed={"E": 1.69})
    assert fit.starts.n == 900
    fit = lf.fit("chinchilla", chinchilla_csv, starts="hoffmann2022", tied=[("alpha", "beta")])
    assert fit.starts.n == 900


def test_an_optimum_at_a_bound(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, bounds={"alpha": (0.0, 0.3)})
    pinned = lf.fit("chinchilla", runs, fixed={"alpha": 0.3})
    assert fit.status == "at_bound"
    assert fit.success
    assert fit.at_bound == ("alpha",)
    assert fit.params["alpha"] == 0.3
    assert fit.objective == pytest.approx(pinned.objective, rel=1e-10)
    assert close(fit.params, pinned.params, 1e-7)
    assert fit.starts.hits >= 95
    assert fit.warnings == ("at a bound: alpha",)


def test_bounds_of_a_scale_factor_are_in_natural_units(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, bounds={"A": (100.0, 200.0)})
    assert fit.params["A"] == pytest.approx(200.0, rel=1e-14)
    assert fit.at_bound == ("A",)


def test_bounds_that_do_not_bind_change_nothing(runs: lf.Runs, free_fit: lf.Fit) -> None:
    bounds = {"alpha": (0.0, 1.0), "A": (1.0, 1e6), "E": (0.0, 5.0)}
    fit = lf.fit("chinchilla", runs, bounds=bounds)
    assert fit.status == "converged"
    assert fit.at_bound == ()
    assert close(fit.params, free_fit.params, 1e-8)


def test_bounds_far_from_the_usual_starts(runs: lf.Runs) -> None:
    fit = lf.fit("chinchilla", runs, bounds={"alpha": (5.0, 6.0)})
    assert fit.params["alpha"] == 5.0


# --- weights, sigma, missing -----------------------------------------------------------------


def test_weights_are_repeated_rows(noisy: dict[str, np.ndarray]) -> None:
    times = np.random.default_rng(3).integers(0, 4, len(noisy["x"]))
    weighted = lf.fit(POWER, noisy, weights=times)
    repeated = lf.fit(POWER, {k: np.repeat(v, times) for k, v in noisy.items()})
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-12)
    assert close(weighted.params, repeated.params, 1e-8)
    column = lf.fit(POWER, {**noisy, "w": times}, weights="w")
    assert column.params == weighted.params


def test_sigma_divides_the_residual(noisy: dict[str, np.ndarray]) -> None:
    sigma = np.random.default_rng(4).uniform(0.5, 2.0, len(noisy["x"]))
    fit = lf.fit(POWER, noisy, sigma=sigma, loss=lf.Squared(), residual="linear")
    expected, _ = curve_fit(
        lambda x, E, A, alpha: E + A / x**alpha,
        noisy["x"], noisy["loss"], [1.5, 8.0, 0.4], sigma=sigma, xtol=1e-14, ftol=1e-14,
    )  # fmt: skip
    assert list(fit.params.values()) == pytest.approx(list(expected), rel=1e-6)
    weighted = lf.fit(POWER, noisy, weights=sigma**-2, loss=lf.Squared(), residual="linear")
    assert close(fit.params, weighted.params, 1e-9)
    huber = lf.fit(POWER, noisy, sigma=sigma, loss=lf.Huber(0.05), residual="linear")
    residual = (huber.predict(noisy) - noisy["loss"]) / sigma
    size = np.abs(residual)
    rho = np.where(size < 0.05, size**2 / 2, 0.05 * (size - 0.025))
    assert huber.objective == pytest.approx(rho.sum(), rel=1e-12)


def test_weights_stay_with_their_rows_when_some_are_left_out(noisy: dict[str, np.ndarray]) -> None:
    weights = np.linspace(1.0, 2.0, len(noisy["x"]))
    holes = {**noisy, "loss": noisy["loss"].copy()}
    holes["loss"][[3, 17]] = [math.nan, math.inf]
    weights[20] = math.nan
    keep = np.setdiff1d(np.arange(len(weights)), [3, 17, 20])
    fit = lf.fit(POWER, holes, weights=weights, missing="omit")
    clean = lf.fit(POWER, {k: v[keep] for k, v in noisy.items()}, weights=weights[keep])
    assert fit.params == clean.params
    assert fit.nobs == len(keep)
    assert fit.omitted == ("row 4", "row 18", "row 21")
    assert message(POWER, holes).startswith('runs: column "loss", row 4: the value is missing')


# --- losses and residual spaces --------------------------------------------------------------

SMOOTH: dict[str, tuple[Any, Callable[[np.ndarray], np.ndarray]]] = {
    "squared": (lf.Squared(), lambda r: r**2 / 2),
    "huber": (
        lf.Huber(0.03),
        lambda r: np.where(np.abs(r) <= 0.03, r**2 / 2, 0.03 * (np.abs(r) - 0.015)),
    ),
    "asymmetric huber": (
        lf.Huber(0.03, 4.0),
        lambda r: (
            np.where(r > 0, 4.0, 1.0)
            * np.where(np.abs(r) <= 0.03, r**2 / 2, 0.03 * (np.abs(r) - 0.015))
        ),
    ),
    "cauchy": (lf.Cauchy(0.05), lambda r: 0.05**2 / 2 * np.log1p((r / 0.05) ** 2)),
    "logcosh": (
        lf.LogCosh(0.05),
        lambda r: 0.05**2 * (np.logaddexp(r / 0.05, -r / 0.05) - math.log(2)),
    ),
}
SPACES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"linear": lambda y: y, "log": np.log}


@pytest.mark.parametrize(
    "text", ["sqrt(max(x - a, 0))", "sqrt((x > a)*(x - a))", "max(x - a, 0)**c"]
)
def test_a_law_with_a_hinge_under_a_root(text: str) -> None:
    x = np.linspace(0.0, 9.0, 40)
    rng = np.random.default_rng(5)
    y = 1.0 + 0.8 * np.sqrt(np.maximum(x - 3.05, 0.0)) + rng.normal(0.0, 0.01, 40)
    fit = lf.fit(f"E + B * {text}", {"x": x, "y": y}, target="y", residual="linear", loss="squared")
    assert fit.success
    assert fit.params["a"] == pytest.approx(3.05, abs=0.03)
    assert fit.objective < 0.5 * 40 * 0.01**2
    assert np.isfinite(fit._problem.objective(None).hessian(fit._coordinates)).all()  # type: ignore[union-attr,arg-type]
    assert all(np.isfinite(list(fit.standard_errors().values())))


@pytest.mark.parametrize("seed", range(12))
def test_cauchy_on_runs_of_two_laws(seed: int) -> None:
    # Its minima near each of the two differ from the one that least squares leads to.
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7, 10, 40), 10 ** rng.uniform(9, 11, 40)
    laws = (
        {"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.34, "beta": 0.28},
        {"E": 1.3, "A": 2000.0, "B": 900.0, "alpha": 0.45, "beta": 0.33},
    )

    def loss(q: dict[str, float]) -> np.ndarray:
        return q["E"] + q["A"] / N ** q["alpha"] + q["B"] / D ** q["beta"]

    second = rng.random(40) < rng.uniform(0.3, 0.5)
    target = np.where(second, loss(laws[1]), loss(laws[0])) * np.exp(rng.normal(0, 0.005, 40))
    runs = {"N": N, "D": D, "loss": target}
    text = "E + A / N**alpha + B / D**beta"
    best = lf.fit(text, runs, loss="cauchy:0.01").objective
    for q in laws:
        r = np.log(loss(q) / target)
        fit = lf.fit(text, runs, loss="cauchy:0.01", starts=[q])
        assert fit.objective < (0.01**2 / 2 * np.log1p((r / 0.01) ** 2)).sum()
        assert best <= fit.objective * (1 + 1e-9)


@pytest.mark.parametrize("residual", SPACES)
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_losses_against_scipy(name: str, residual: Any, noisy: dict[str, Any]) -> None:
    loss, rho = SMOOTH[name]
    space = SPACES[residual]

    def residuals(q: np.ndarray) -> np.ndarray:
        return space(np.exp(q[0]) + np.exp(q[1]) / noisy["x"] ** q[2]) - space(noisy["loss"])

    fit = lf.fit(POWER, noisy, loss=loss, residual=residual)
    found = np.array([math.log(fit.params["E"]), math.log(fit.params["A"]), fit.params["alpha"]])
    assert fit.objective == pytest.approx(rho(residuals(found)).sum(), rel=1e-11)

    q = np.array([math.log(1.5), math.log(8.0), 0.4])
    for _ in range(3):  # Nelder and Mead's simplex may collapse too early; start it again
        q = minimize(
            lambda q: rho(residuals(q)).sum(), q, method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 4000, "maxfev": 4000},
        ).x  # fmt: skip
    assert fit.objective <= rho(residuals(q)).sum() * (1 + 1e-10)
    np.testing.assert_allclose(found, q, rtol=2e-4)


@pytest.mark.parametrize(("loss", "kind"), [(lf.Huber(0.03), "huber"), (lf.Cauchy(0.05), "cauchy")])
def test_losses_are_those_of_scipy(loss: Any, kind: str, noisy: dict[str, Any]) -> None:
    fit = lf.fit(POWER, noisy, loss=loss, residual="linear")
    scale = loss.delta if kind == "huber" else loss.scale
    solution = least_squares(
        lambda q: q[0] + q[1] / noisy["x"] ** q[2] - noisy["loss"], [1.5, 8.0, 0.4],
        loss=kind, f_scale=scale, xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale=[1.0, 10.0, 0.5],
    )  # fmt: skip
    assert fit.objective == pytest.approx(solution.cost, rel=1e-8)


def linear_programme(x: np.ndarray, z: np.ndarray, q: float) -> tuple[np.ndarray, float]:
    """Return the line (a, b) of the smallest pinball loss about z, and that loss."""
    n = len(x)
    equal = np.column_stack([np.ones(n), x, -np.eye(n), np.eye(n)])
    cost = np.r_[0.0, 0.0, np.full(n, 1 - q), np.full(n, q)]
    bounds = [(None, None)] * 2 + [(0, None)] * (2 * n)
    solution = linprog(cost, A_eq=equal, b_eq=z, bounds=bounds, method="highs")
    return solution.x[:2], solution.fun


@pytest.mark.parametrize("q", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("residual", SPACES)
def test_quantiles_against_linear_programming(residual: Any, q: float) -> None:
    rng = np.random.default_rng(11)
    x = rng.uniform(0.0, 2.0, 31)
    z = 0.5 + 0.7 * x + 0.1 * rng.standard_t(2, len(x))
    formula, y = ("a + b * x", z) if residual == "linear" else ("exp(a + b * x)", np.exp(z))
    line, smallest = linear_programme(x, z, q)
    table = {"x": x, "loss": y}
    fit = lf.fit(formula, table, loss=lf.Quantile(q), residual=residual)
    assert fit.success
    assert fit.objective == pytest.approx(smallest, rel=1e-10)
    assert list(fit.params.values()) == pytest.approx(list(line), rel=1e-7)
    if q == 0.5:
        absolute = lf.fit(formula, table, loss=lf.Absolute(), residual=residual)
        assert absolute.objective == pytest.approx(2 * smallest, rel=1e-10)
        assert close(absolute.params, fit.params, 1e-7)


def test_the_quantile_is_the_share_of_targets_below() -> None:
    rng = np.random.default_rng(12)
    x = rng.uniform(0.0, 1.0, 400)
    table = {"x": x, "loss": 1.0 + x + rng.normal(0.0, 0.1, len(x))}
    fit = lf.fit("a + b * x", table, loss="quantile:0.9", residual="linear", starts=10)
    assert np.mean(table["loss"] < fit.predict(table)) == pytest.approx(0.9, abs=0.006)


def test_logit_residuals() -> None:
    rng = np.random.default_rng(13)
    x = rng.uniform(-2.0, 2.0, 50)
    log_odds = 0.3 - 1.2 * x + rng.normal(0.0, 0.2, len(x))
    table = {"x": x, "accuracy": 1 / (1 + np.exp(-log_odds))}
    fit = lf.fit("sigmoid(a + b * x)", table, "accuracy", residual="logit", loss="squared")
    slope, intercept = np.polyfit(x, log_odds, 1)
    assert close(fit.params, {"a": intercept, "b": slope}, 1e-9)
    assert "is not in (0, 1)" in message(POWER, {"x": x, "loss": 1 + x**2}, residual="logit")


def test_negative_targets_under_linear_residuals() -> None:
    x = np.linspace(1.0, 5.0, 20)
    fit = lf.fit("a + b * x", {"x": x, "loss": 2.0 - 3.0 * x}, residual="linear", loss="squared")
    assert close(fit.params, {"a": 2.0, "b": -3.0}, 1e-10)


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("huber:1e-2", lf.Huber(1e-2)),
        ("huber:1e-2:3", lf.Huber(1e-2, 3.0)),
        ("Squared", lf.Squared()),
        ("cauchy:2", lf.Cauchy(2.0)),
        ("quantile:0.3", lf.Quantile(0.3)),
    ],
)
def test_losses_as_text(text: str, loss: Any, noisy: dict[str, Any]) -> None:
    fit = lf.fit(POWER, noisy, loss=text, starts=4)
    assert fit.loss == loss
    assert fit.params == lf.fit(POWER, noisy, loss=loss, starts=4).params


# --- starts ----------------------------------------------------------------------------------


def test_every_way_to_give_starts(runs: lf.Runs, free_fit: lf.Fit) -> None:
    names = ("E", "A", "alpha", "B", "beta")
    assert free_fit.free == names
    row = [FULL[n] for n in names]
    for starts, count in [
        (FULL, 1),
        ([FULL, {**FULL, "A": 100.0}], 2),
        ({**FULL, "A": [100.0, 200.0, 400.0]}, 3),
        (row, 1),
        (np.array([row, row]), 2),
        (lf.Grid(E=[1.0, 2.0], A=[100, 1000], alpha=[0.2, 0.5], B=[1000], beta=[0.3]), 8),
        (7, 7),
        (np.int64(3), 3),
        ("besiroglu2024", 1),
    ]:
        fit = lf.fit("chinchilla", runs, starts=starts)
        assert fit.starts.n == count
        assert close(fit.params, free_fit.params, 1e-8)
    assert free_fit.starts.n == 100


@pytest.mark.parametrize(
    ("starts", "text"),
    [
        ({**FULL, "alpha": 0.9}, "start 1: alpha = 0.9 is outside its bounds (0, 0.5)"),
        ([FULL, {**FULL, "alpha": -0.1}], "start 2: alpha = -0.1 is outside its bounds"),
        ({**FULL, "A": -1.0}, "start 1: A = -1 is outside its bounds (0, inf)"),
        ({**FULL, "A": math.nan}, "start 1: A = nan is not finite"),
        ({**FULL, "gamma": 1.0}, "'gamma' is not a free parameter"),
        ({"E": 1.0}, "no value for A, alpha, B, beta"),
        ([FULL, {"E": 1.0}], "start 2: no value for A"),
        ({**FULL, "A": "many"}, "starts: A: could not convert"),
        ({**FULL, "A": [1.0, 2.0], "B": [1.0, 2.0, 3.0]}, "others have 3"),
        (np.ones((3, 4)), "starts of shape (3, 4) do not fit 5 free parameters"),
        (np.empty((0, 5)), "at least one start"),
        ({n: [] for n in FULL}, "at least one start"),
        (0, "at least one start"),
        (-2, "at least one start"),
        ([], "at least one start"),
        (None, "starts = None must be a number of starts, points"),
        (2.5, "starts = 2.5 must be a number of starts, points"),
        ([1.0, 2.0], "starts of shape (1, 2) do not fit 5 free parameters (E, A, alpha, B, beta)"),
        (["hoffmann2022"], "could not convert"),
        ("hofmann2022", "did you mean hoffmann2022?"),
        (lf.Grid(E=[1.0]), "no value for A"),
    ],
)
def test_starts_that_cannot_be_used(runs: lf.Runs, starts: Any, text: str) -> None:
    assert text in message("chinchilla", runs, starts=starts, bounds={"alpha": (0.0, 0.5)})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"E": []}, "E has no values"),
        ({"E": 1.0}, "E needs a list of values"),
        ({name: range(1000) for name in "EAB"}, "1,000,000,000 starts; at most"),
    ],
)
def test_grids_that_cannot_be_used(values: Any, text: str) -> None:
    with pytest.raises(lf.InputError, match=text):
        lf.Grid(**values).points()


def test_a_grid_runs_with_its_last_name_fastest() -> None:
    points = lf.Grid(E=(1, 2), A=(3,), alpha=(0.1, 0.2, 0.3)).points()
    rows = list(zip(*points.values(), strict=True))
    assert list(points) == ["E", "A", "alpha"]
    assert rows == [(e, 3.0, a) for e in (1.0, 2.0) for a in (0.1, 0.2, 0.3)]


def test_starts_that_cannot_be_evaluated() -> None:
    x = np.linspace(1.0, 100.0, 30)
    table = {"x": x, "loss": 1.0 + np.log(150.0 - x)}
    fit = lf.fit("E + log(A - x)", table, starts={"E": 1.0, "A": [50.0, 200.0]}, residual="linear")
    assert close(fit.params, {"E": 1.0, "A": 150.0}, 1e-10)
    assert (fit.starts.n, fit.starts.hits) == (2, 1)
    with pytest.raises(lf.FitError, match="none of the 3 starts has a finite objective"):
        lf.fit("E + log(A - x)", table, starts={"E": 1.0, "A": [10.0, 20.0, 30.0]})


def test_quasi_random_starts_depend_on_the_seed_alone(runs: lf.Runs) -> None:
    low, high = np.array([0.0, -1.0, 5.0]), np.array([1.0, 1.0, 6.0])
    first, again, other = (quasi_random(256, low, high, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()
    assert ((first >= low) & (first <= high)).all()
    unevenness = qmc.discrepancy((first - low) / (high - low))
    assert unevenness < 0.2 * qmc.discrepancy(np.random.default_rng(1).random(first.shape))
    fits = [lf.fit("chinchilla", runs, starts=5, rng=seed) for seed in (1, 1, 2)]
    assert fits[0].evaluations == fits[1].evaluations
    assert (fits[0].params, fits[0].seed) == (fits[1].params, 1)
    assert fits[0].evaluations != fits[2].evaluations


def test_generators_and_fresh_seeds(runs: lf.Runs) -> None:
    seeds = [lf.fit("chinchilla", runs, starts=1, rng=rng).seed for rng in (None, None)]
    assert seeds[0] != seeds[1]
    generated = lf.fit("chinchilla", runs, starts=1, rng=np.random.default_rng(8))
    repeated = lf.fit("chinchilla", runs, starts=1, rng=generated.seed)
    assert generated.params == repeated.params
    for rngs in ([None] * 9, [np.random.default_rng(k) for k in range(9)]):
        many = [seed_from(rng) for rng in rngs]
        assert len(set(many)) == 9
        assert 2**56 < max(many) < 2**64  # all 63 bits are drawn
    assert [seed_from(k) for k in (0, 2**64 - 1)] == [0, 2**64 - 1]
    for bad in (-1, 2**64, True):
        with pytest.raises(lf.InputError, match="rng"):
            seed_from(bad)


def test_numbers_of_threads() -> None:
    assert workers_from(None) == 0  # all
    assert [workers_from(n) for n in (1, np.int64(2), 1024)] == [1, 2, 1024]
    for bad in (0, -1, True, 1.0, 1025):
        with pytest.raises(lf.InputError, match="threads"):
            workers_from(bad)  # type: ignore[arg-type]


def test_basins_are_counted() -> None:
    x = np.linspace(1.0, 2.0, 10)
    law = lf.Law("x * (k**4 - 8 * k**2 + k)")  # minima at k = -2.03 and 1.97, the left one lower
    fit = lf.fit(
        law, {"x": x, "loss": -20.0 * x}, residual="linear", loss="squared",
        starts={"k": np.linspace(-3.0, 3.0, 21)},
    )  # fmt: skip
    assert fit.params["k"] == pytest.approx(-2.030547, abs=1e-6)
    assert fit.starts.basins == 2
    (best, left), (other, right) = fit.starts.table
    assert best == fit.objective < other
    assert left == fit.starts.hits
    assert left + right == 21
    assert min(left, right) >= 8
    assert fit.starts.missed == pytest.approx(1 / 22)


# --- requests that contradict themselves -----------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"weights": np.ones(90), "sigma": np.ones(90)}, "weights or sigma, not both"),
        ({"weights": np.ones(3)}, "weights has shape (3,); the table has 90 rows"),
        ({"weights": ["a"] * 90}, "weights: could not convert"),
        ({"weights": -np.ones(90)}, "weights: row 1 is -1; it must be 0 or more"),
        ({"weights": np.zeros(90)}, "weights are all 0"),
        ({"weights": "importance"}, 'no column "importance" (needed by weights)'),
        ({"weights": np.full(90, math.nan)}, "row 1: the value is missing"),
        ({"sigma": np.zeros(90)}, "sigma: row 1 is 0; it must be above 0"),
        ({"target": "perplexity"}, 'no column "perplexity" (needed by the target)'),
        ({"target": "N"}, "the target 'N' also occurs in the formula"),
        ({"fixed": {"gamma": 1.0}}, "fixed: 'gamma' is not a parameter"),
        ({"fixed": {"E": "low"}}, "fixed: E = 'low' is not a number"),
        ({"fixed": {"E": -1.0}}, "fixed: E = -1 is outside its bounds (0, inf)"),
        ({"fixed": {"E": math.nan}}, "fixed: E = nan is outside its bounds"),
        ({"fixed": {"E": 3}, "bounds": {"E": (0, 2)}}, "fixed: E = 3 is outside its bounds (0, 2)"),
        ({"tied": [("alpha", "gamma")]}, "tied: 'gamma' is not a parameter"),
        ({"tied": [("alpha",)]}, "fewer than two"),
        ({"tied": [("alpha", "beta"), ("beta", "E")]}, "tied: 'beta' occurs twice"),
        ({"tied": [("alpha", "A")]}, "alpha, A cannot be tied"),
        ({"tied": [("A", "B")], "fixed": {"A": 1.0}}, "'A' is both tied and fixed"),
        ({"bounds": {"gamma": (0, 1)}}, "bounds: 'gamma' is not a parameter"),
        ({"bounds": {"alpha": (2, 1)}}, "lower bound 2 is above upper bound 1"),
        ({"bounds": {"alpha": 1.0}}, "must be a pair"),
        ({"bounds": {"A": (-2, -1)}}, "A is a positive scale factor"),
        (
            {"tied": [("alpha", "beta")], "bounds": {"alpha": (0, 1), "beta": (2, 3)}},
            "bounds leave no value",
        ),
        ({"residual": "cubic"}, "'cubic' must be one of 'log', 'linear', 'logit'"),
        ({"scale": "free"}, "'free' must be one of 'fixed', 'fitted'"),
        ({"missing": "drop"}, "'drop' must be one of 'raise', 'omit'"),
        ({"loss": "hubber"}, "there is no loss 'hubber'"),
        ({"loss": "huber:x"}, "cannot read the loss 'huber:x'"),
        ({"loss": "huber:0"}, "delta = 0.0 must be a positive number"),
        ({"loss": 1e-3}, "a loss is a text"),
        ({"loss": lf.Cauchy(0.5), "scale": "fitted"}, "no finite integral"),
        ({"threads": 0}, "threads = 0"),
        ({"threads": 1.5}, "threads = 1.5"),
        ({"rng": -1}, "rng = -1"),
        ({"rng": "seed"}, "rng = 'seed'"),
        ({"protocol": "chinchilla"}, "there is no protocol 'chinchilla'"),
        ({"protocol": 3}, "there is no protocol 3"),
        ({"columns": {"N": "size"}}, 'no column "size"'),
        ({"derive": {"N": "M / 2"}}, 'no column "M"'),
        ({"where": "N > 1e99"}, "keeps none of the 90 rows"),
    ],
)
def test_requests_that_cannot_be_met(runs: lf.Runs, settings: dict[str, Any], text: str) -> None:
    assert text in message("chinchilla", runs, **settings)


@pytest.mark.parametrize(
    ("law", "text"),
    [
        ("chinchila", "did you mean chinchilla?"),
        ("nonsense", "known: chinchilla, kaplan"),
        (3, "a law is a Law, a name or a formula, not int"),
        ("E + A", "uses no column of"),
        ("E + A * loss", "the target 'loss' also occurs"),
        ("E + A / (N", "character"),
        ("E + A / softmax(N)", "unknown function 'softmax'"),
        (lf.Law("E + A / width**alpha", variables=["width"]), 'no column "width"'),
    ],
)
def test_laws_that_cannot_be_used(runs: lf.Runs, law: Any, text: str) -> None:
    assert text in message(law, runs)


def test_tables_that_cannot_be_used(runs: lf.Runs) -> None:
    few = {name: runs[name][:4] for name in runs}
    assert "4 rows; 5 free parameters (E, A, alpha, B, beta) need at least 5" in message(
        "chinchilla", few
    )
    assert lf.fit("chinchilla", few, fixed={"E": 1.8}).nobs == 4
    negative = {**runs, "loss": np.r_[runs["loss"][:-2], -1.0, 0.0]}
    assert "row 89: -1 is not above 0, as the logarithm needs (2 such rows)" in message(
        "chinchilla", negative
    )
    assert "no rows" in message("chinchilla", {"N": [], "D": [], "loss": []})
    assert 'row 2: "x" is not a number' in message(
        POWER, {"x": [1.0, "x", 3.0], "loss": [1.0, 2.0, 3.0]}
    ).replace("'", '"')


# --- progress --------------------------------------------------------------------------------


def test_progress_is_reported_and_may_fail(runs: lf.Runs) -> None:
    seen: list[tuple[int, int]] = []
    big = {name: np.tile(runs[name], 50) for name in runs}
    lf.fit("chinchilla", big, starts=40, progress=lambda *now: seen.append(now))
    assert seen == sorted(seen)
    assert all(0 <= done <= total == 40 for done, total in seen)

    def stop(done: int, total: int) -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        lf.fit("chinchilla", big, starts=400, progress=stop)


# --- what is kept ----------------------------------------------------------------------------


def test_save_and_load(free_fit: lf.Fit, runs: lf.Runs, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    path.write_text("old")
    free_fit.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.json"]

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(path.read_text(), parse_constant=refuse)
    loaded = lf.load(path)
    np.testing.assert_array_equal(loaded.predict(runs), free_fit.predict(runs))
    assert loaded.to_dict() == free_fit.to_dict()
    assert loaded.summary() == free_fit.summary()
    assert loaded == free_fit
    with pytest.raises(lf.InputError, match="does not hold the table"):
        loaded.bootstrap(10)


def test_save_and_load_every_setting(runs: lf.Runs, tmp_path: Path) -> None:
    law = lf.Law("E + A / N**alpha + B / D**beta", [lf.Parameter("alpha", bounds=(0.0, 0.3))])
    fit = lf.fit(
        law, runs, scale="fitted", loss=lf.Huber(0.1, 2.0), residual="linear",
        fixed={"E": 1.8}, tied=[("A", "B")], starts=8,
    )  # fmt: skip
    fit.save(tmp_path / "fit.json")
    loaded = lf.load(tmp_path / "fit.json")
    assert loaded.to_dict() == fit.to_dict()
    assert loaded.loss == lf.Huber(0.1, 2.0)
    assert loaded.at_bound == fit.at_bound


def test_a_parameter_that_is_not_finite_is_saved(free_fit: lf.Fit, tmp_path: Path) -> None:
    replace(free_fit, params={**free_fit.params, "A": math.inf}).save(tmp_path / "fit.json")
    assert lf.load(tmp_path / "fit.json").params["A"] == math.inf


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.pop("params"), "not a saved fit: this: there is no entry 'params'"),
        (lambda d: d.update(params=3), "not a saved fit"),
        (lambda d: d.update(params={"E": "x"}), "not a saved fit"),
        (lambda d: d.update(format=99), "format 99"),
        (lambda d: d["definition"].update(formula="E +"), "E +"),
        (lambda d: d["definition"]["parameters"][0].update(bounds=[]), "not a saved fit"),
    ],
)
def test_files_that_are_not_a_saved_fit(
    free_fit: lf.Fit, tmp_path: Path, change: Callable[[dict[str, Any]], Any], text: str
) -> None:
    data = json.loads(json.dumps(free_fit.to_dict()))
    change(data)
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(data))
    with pytest.raises(lf.InputError) as caught:
        lf.load(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def test_load_errors(tmp_path: Path, free_fit: lf.Fit) -> None:
    with pytest.raises(lf.InputError, match="No such file"):
        lf.load(tmp_path / "none.json")
    for content in ("not json", "[1]", "{}", "\0"):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(lf.InputError, match="not a saved fit"):
            lf.load(tmp_path / "bad.json")
    with pytest.raises(lf.InputError, match="cannot write"):
        free_fit.save(tmp_path / "no folder" / "fit.json")


def test_summary_says_what_was_done(free_fit: lf.Fit) -> None:
    text = free_fit.summary()
    for part in ("90 rows of simulated runs", "log residuals", "100 of 100 starts", "1 distinct"):
        assert part in text
    assert "warning" not in text


def test_warnings(runs: lf.Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.geomspace(10.0, 1e5, 40)
    below = {"x": x, "loss": 8.0 / x**0.4 - 0.05}  # E would have to be negative
    fit = lf.fit(POWER, below, starts=20)
    assert any("ran towards zero: E" in w for w in fit.warnings)
    assert "warning: ran towards zero: E" in fit.summary()
    signed = lf.Law(POWER, [lf.Parameter("E")])
    assert lf.fit(signed, below).params["E"] == pytest.approx(-0.05)
    lonely = replace(fit, starts=replace(fit.starts, n=50, hits=1))
    assert any("only one of 50 starts" in w for w in lonely.warnings)
    monkeypatch.setattr("lawfit.fitting.MAX_EVALUATIONS", 3)
    short = lf.fit("chinchilla", runs, starts=5)
    assert not short.success
    assert short.status == "evaluation_limit"
    assert any("did not converge" in w for w in short.warnings)


def test_a_valley_to_infinity_ends() -> None:
    # (1 - exp(n_w - P_w / gamma_w))**c wants c -> infinity, n_w -> -infinity.
    once = lf.datasets.load("tiny_runs").where("D <= U")
    effective = "N * (1 - exp(n_w - P_w / gamma_w))**c"
    fit = lf.fit(f"E + A / ({effective})**alpha + B / D**beta", once, starts=4)
    assert not fit.success
    assert fit.status == "sliding"
    assert fit.params["c"] > 1000.0
    assert fit.evaluations < 4 * 2000


def test_a_start_at_the_very_minimum_has_converged() -> None:
    runs = {"x": [-1.0, -1.0, 1.0, 1.0], "loss": [1.0, 3.0, 2.0, 4.0]}
    at = {"E": 2.5, "A": 0.5}  # the gradient is exactly zero here
    fit = lf.fit("E + A * x", runs, residual="linear", loss="squared", starts=at)
    assert fit.status == "converged"
    assert fit.params == at


def test_automatic_starts_go_on_while_minima_turn_up_once() -> None:
    x = np.linspace(0.05, 1.0, 40)
    smooth = lf.fit("E + A * x**2", {"x": x, "loss": 1.0 + x**2 + 0.01 * np.cos(9 * x)})
    assert smooth.starts.n == 100
    assert smooth.starts.missed <= 0.01
    # A wave's frequency has a minimum of its own for every few periods.
    law = lf.Law("a * sin(w * x + p)", [lf.Parameter("w", start=(1.0, 300.0))], ["x"])
    wavy = {"x": x, "loss": np.sin(71.0 * x + 0.3) + 0.3 * np.sin(33.0 * x)}
    rugged = lf.fit(law, wavy, residual="linear", loss="squared")
    assert rugged.starts.n > 100
    assert rugged.starts.missed <= 0.01 or rugged.starts.n == 1600
