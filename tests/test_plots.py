"""Plots: what they show, on fits of every shape. How they look is for eyes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lawfit as lf

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from lawfit import plots  # noqa: E402


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit() -> lf.Fit:
    return lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"), starts=20)


def drawn(ax: Any) -> None:
    """Draw the figure, which is when matplotlib finds what is wrong; a warning is an error."""
    np.ravel(ax)[0].figure.canvas.draw()


def test_a_law_of_two_variables_has_a_curve_for_each_size(fit: lf.Fit) -> None:
    ax = plots.against_runs(fit)
    drawn(ax)
    assert ax.get_xscale() == "log"
    curves = [line for line in ax.get_lines() if line.get_marker() == "None"]
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert len(curves) == len(points) == 15
    assert sum(len(p.get_xdata()) for p in points) == fit.nobs
    assert len(ax.collections) == 3  # bands of the first, the middle and the last
    # 90 sizes of D are too many for a curve each.
    assert plots.against_runs(fit, x="N", interval=None).get_xlabel() == "predicted loss"
    few = lf.law("chinchilla").simulate(40)
    few = few.with_column("D", np.resize([1e10, 3e10, 1e11], 40))
    ax = plots.against_runs(fit, few, x="N", interval=None)
    assert ax.get_xlabel().startswith("$N$")


def test_many_sizes_are_shown_as_measured_against_predicted() -> None:
    runs = lf.law("chinchilla").simulate(60)
    ax = plots.against_runs(lf.fit("chinchilla", runs, starts=5))
    drawn(ax)
    assert ax.get_xlabel() == "predicted loss"


def test_laws_of_one_variable_of_groups_and_below_zero() -> None:
    x = np.linspace(0.0, 5.0, 20)
    line = lf.fit("a + b * x", {"x": x, "loss": 3 - 2 * x}, residual="linear", loss="squared")
    for ax in (plots.against_runs(line), plots.residuals(line), plots.starts(line)):
        drawn(ax)
    assert plots.against_runs(line).get_xscale() == "linear"
    runs = {
        "N": np.tile(np.geomspace(1e7, 1e10, 6), 2),
        "family": np.repeat(["a", "b"], 6),
    }
    law = lf.Law("E[family] + A / N**alpha")
    truth = {"E[a]": 1.5, "E[b]": 2.0, "A": 300.0, "alpha": 0.35}
    runs["loss"] = law.predict(truth, runs) * (1 + 1e-3 * np.cos(np.arange(12)))
    ax = plots.against_runs(lf.fit(law, runs, starts=10))
    drawn(ax)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["family = a", "family = b"]


def test_residuals_starts_contours(fit: lf.Fit) -> None:
    axes = plots.residuals(fit)
    drawn(axes)
    assert axes.shape == (2,)
    ax = plots.starts(fit)
    drawn(ax)
    assert "20 of 20" in ax.get_title(loc="left")
    drawn(plots.loss_contours(fit))


def test_draws_and_profiles(fit: lf.Fit) -> None:
    boot = fit.bootstrap(60, spread=0)
    axes = plots.draws(boot, ["alpha", "beta", "beta / (alpha + beta)"], estimate=fit.params)
    drawn(axes)
    assert axes.shape == (3, 3)
    with pytest.raises(lf.InputError, match="1 to 8 quantities"):
        plots.draws(boot, ["alpha"] * 9)
    profiles = plots.profiles(fit.profiles())
    drawn(profiles)
    assert profiles.shape == (5,)


def test_contours(fit: lf.Fit) -> None:
    axes = plots.contours(fit)
    drawn(axes)
    assert axes.shape == (4,)
    assert {axes[0].get_xlabel(), axes[0].get_ylabel()} in (
        {"$A$", r"$\alpha$"},
        {"$B$", r"$\beta$"},
    )
    (ax,) = plots.contours(fit, [("E", "beta")], confidence_levels=[0.9], points=12)
    line = ax.get_lines()[0].get_xydata()
    assert len(line) == 13  # closed
    np.testing.assert_allclose(line[:-1], fit.contour("E", "beta", 0.9, points=12).points)
    with pytest.raises(lf.InputError, match="not a fitted parameter"):
        plots.contours(fit, [("E", "gamma")])


def test_choices_over_budgets() -> None:
    law = lf.Law("E + A / (N * (1 - exp(-P / g)))**alpha + B / D**beta")
    params = {"E": 1.7, "A": 400.0, "g": 2.0, "alpha": 0.34, "B": 1200.0, "beta": 0.35}
    plan = lf.plan(law, 1e20, cost="6*N*D*P/16", over={"P": [2, 4, 8, 16]}, params=params)
    line = plan.frontier(np.geomspace(1e19, 1e22, 4))
    ax = plots.choices(line, "P")
    drawn(ax)
    curves = [c for c in ax.get_lines() if len(c.get_xdata()) == 4]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["2", "4", "8", "16"]
    above = np.array([c.get_ydata() for c in curves])
    np.testing.assert_allclose(above.min(axis=0), 0.0, atol=1e-12)
    best = [2.0, 4.0, 8.0, 16.0][int(np.argmin(above[:, 0]))]
    assert best == line.table["P"][0]
    with pytest.raises(lf.InputError, match="not a variable with listed values"):
        plots.choices(line, "N")


def test_ticks_are_read_either_way() -> None:
    import matplotlib.pyplot as plt

    from lawfit.plots.style import log_axis

    for low, high in ((1.3e4, 4e5), (2e8, 3e9), (1e5, 2e6), (1.0, 9.5)):
        _, ax = plt.subplots()
        ax.plot([low, high], [0, 1])
        assert log_axis(ax, "x", np.array([low, high]))
        ax.set_xlim(low, high)
        ax.figure.canvas.draw()
        inside = [t for t, at in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
                  if low <= at <= high and t.get_text()]  # fmt: skip
        assert len(inside) >= 2
    _, ax = plt.subplots()
    ax.plot([5e5, 2e6], [0, 1])
    assert not log_axis(ax, "x", np.array([5e5, 2e6]))
    ax.figure.canvas.draw()
    assert "1M" in [t.get_text() for t in ax.get_xticklabels()]


def test_reductions() -> None:
    c = np.repeat(np.geomspace(1e18, 1e21, 4), 7)
    n = np.concatenate([np.geomspace(0.2, 5, 7) * 0.1 * np.sqrt(v) for v in np.unique(c)])
    runs = {"C": c, "N": n, "D": c / 6 / n}
    law = lf.law("chinchilla")
    noise = np.random.default_rng(0).normal(0, 1e-3, len(c))
    runs["loss"] = law.predict(law.coefficients(), runs) * np.exp(noise)
    drawn(plots.isoflop(lf.isoflop(runs), runs))
    drawn(plots.envelope(lf.envelope(runs), runs))


def test_selection(fit: lf.Fit) -> None:
    runs = lf.datasets.load("simulated_chinchilla")
    backtest = lf.backtest("chinchilla", runs, steps=3, starts=5)
    ax = plots.backtest(backtest)
    drawn(ax)
    assert ax.get_yscale() == "log"
    choices = lf.multiverse(
        "chinchilla", runs, delta=[1e-3, 1e-2], residual=["log", "linear"], starts=[5]
    )
    ax = plots.multiverse(choices)
    drawn(ax)
    shown = [t.get_text() for t in ax.get_yticklabels()]
    assert "residual: linear" in shown


def test_frontier(fit: lf.Fit) -> None:
    budgets = np.geomspace(1e20, 1e24, 9)
    plan = lf.plan(fit, budget=1e22)
    boot = fit.bootstrap(40, spread=0)
    axes = plots.frontier(plan.frontier(budgets), plan.draws(boot, limits=budgets))
    drawn(axes)
    assert axes.shape == (3,)  # N, D and the loss


def test_plots_of_a_fit_by_name_and_mistakes(fit: lf.Fit, tmp_path: Any) -> None:
    drawn(fit.plot())
    drawn(fit.plot("residuals"))
    with pytest.raises(lf.InputError, match="no plot 'residual'"):
        fit.plot("residual")
    fit.save(tmp_path / "fit.json")
    with pytest.raises(lf.InputError, match="does not hold the runs"):
        lf.load(tmp_path / "fit.json").plot()
    drawn(lf.load(tmp_path / "fit.json").plot(runs=lf.datasets.load("simulated_chinchilla")))
    with pytest.raises(lf.InputError, match="x = 'Q' is not a variable"):
        fit.plot(x="Q")
