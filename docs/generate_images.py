"""Draws the pictures of README, planner page and gallery from the runs that come with lawfit."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator

import lawfit as lf
from lawfit import plots
from lawfit.plots.style import COLORS, FAINT, log_axis, log_ticks, styled

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import Browser, find_chromium

OUT = Path(__file__).parent / "images"


def main() -> None:
    """Write what is in ``docs/images``."""
    OUT.mkdir(exist_ok=True)
    fit = lf.fit("chinchilla", lf.datasets.load("simulated_chinchilla"))
    planner(fit)
    with styled():
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.9))
        plots.against_runs(fit, ax=left)
        plots.loss_contours(fit, ax=right)
        write(figure, "fit", 110)
        write(plots.loss_contours(fit).figure, "gallery_chinchilla")
        write(plots.backtest(two_laws()).figure, "gallery_two_laws")
        write(plots.choices(bits(), "P_w").figure, "gallery_bits")
        write(epochs(), "gallery_epochs")
        write(isoflop(), "gallery_isoflop")


def write(figure: Any, name: str, dpi: int = 80) -> None:
    """Write a picture without dates: the same one gives the same file."""
    figure.savefig(OUT / f"{name}.png", metadata={"Software": None}, dpi=dpi)


def two_laws() -> Any:
    """Backtest the sum of two powers, as on the page gallery_two_laws."""
    runs = lf.datasets.load("tiny_runs").where("U == D").where("P_a == 32").where("P_w == 32")
    law = "E + A / N**alpha + B / D**beta"
    return lf.backtest(law, runs, order="6 * N * D", starts=20)


def bits() -> Any:
    """Return the best plans over budgets for each number of bits, as on the page gallery_bits."""
    runs = lf.datasets.load("tiny_runs").where("U == D").where("P_a == 32").where("steps >= 512")
    share = "(1 - exp(n_w - P_w / gamma_w))"
    law = f"E + ((A / (N * {share})**alpha)**2 + (B / D**beta)**2)**0.5"
    over = {"P_w": [2, 3, 4, 6, 8, 16], "N": (1e3, 1e8), "D": (1e4, 1e10)}
    plan = lf.plan(lf.fit(law, runs, starts=20), 1e12, cost="6 * N * D * P_w / 16", over=over)
    return plan.frontier(np.geomspace(1e11, 1e13, 9))


def epochs() -> Any:
    """Draw what epochs are worth, measured and under the law, as on the page gallery_epochs."""
    runs = lf.datasets.load("tiny_runs").where("P_a == 32").where("P_w == 32")
    once, repeated = runs.where("U == D"), runs.where("U < D")
    size, pool, tokens, loss = (repeated[name] for name in ("N", "U", "D", "loss"))
    harmed = {
        loss[i]
        for i in range(repeated.n)
        if (loss < loss[i])[(pool == pool[i]) & (size <= size[i]) & (tokens <= tokens[i])].any()
    }
    kept = [i for i in range(runs.n) if runs["loss"][i] not in harmed]
    fit = lf.fit("data-constrained", runs.take(np.array(kept)), starts=50)
    fresh = np.geomspace(2**13, 2**24, 400)
    figure, panels = plt.subplots(1, 3, figsize=(11.4, 3.7), sharex=True, sharey=True)
    for ax, n in zip(panels, (12288, 76800, 442368), strict=True):
        line = once.where(f"N == {n}")
        d = np.unique(line["D"])
        measured = np.array([np.log(line["loss"][line["D"] == x]).mean() for x in d])
        alone = np.log(fit.predict({"N": np.full(400, n), "D": fresh, "U": fresh}))
        ax.plot([1, 128], [1, 128], color=FAINT, linewidth=0.9, linestyle="--")
        for color, u in zip(COLORS, 2 ** np.arange(18, 14, -1), strict=False):
            here = repeated.where(f"N == {n}").where(f"U == {u}")
            worth = np.exp(np.interp(-np.log(here["loss"]), -measured, np.log(d))) / u
            lost = np.array([x in harmed for x in here["loss"]], dtype=bool)
            seen = here["loss"] < np.exp(measured[0])  # others are worse than any fresh text was
            for group, fill in ((seen & ~lost, color), (seen & lost, "none")):
                at = here["D"][group] / u, worth[group]
                ax.plot(*at, "o", color=color, markerfacecolor=fill, markersize=6, zorder=3)
            passes = np.geomspace(1, 128, 60)
            if not lost.all():
                losses = fit.predict({"N": np.full(60, n), "D": passes * u, "U": np.full(60, u)})
                worth = np.exp(np.interp(-np.log(losses), -alone, np.log(fresh))) / u
                ax.plot(passes, worth, color=color)
            ax.plot([], [], "o-", color=color, label=f"{u:,} tokens")
        ax.set(xscale="log", yscale="log", xlim=(0.9, 144), ylim=(0.9, 24), xlabel="epochs")
        ax.set_title(f"N = {n:,} parameters", loc="left")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(FixedLocator([1, 2, 4, 8, 16, 32, 64, 128]))
            axis.set_major_formatter("{x:.0f}")
            axis.set_minor_locator(NullLocator())
    panels[0].set_ylabel("as good as so many epochs of fresh text")
    panels[2].legend(title="pool")
    return figure


def isoflop() -> Any:
    """Draw IsoFLOP minima and where they lead, as in the second half of gallery_isoflop."""
    law = lf.Law("E + ((A / N**alpha)**2 + (B / D**beta)**2)**0.5")
    params = {"E": 1.7, "A": 560.0, "alpha": 0.34, "B": 2400.0, "beta": 0.36}
    c = np.repeat(np.geomspace(6e18, 3e21, 9), 9)
    n = 1e9 * (c / 1.3e20) ** 0.6 * np.tile(np.geomspace(1 / 3, 3, 9), 9)
    loss = law.predict(params, {"N": n, "D": c / (6 * n)})
    loss *= np.exp(np.random.default_rng(0).normal(0, 0.002, c.size))
    runs = lf.Runs({"C": c, "N": n, "D": c / (6 * n), "loss": loss})
    found = lf.isoflop(runs)
    fit = lf.fit("chinchilla", runs)
    budgets = np.geomspace(6e18, 5.76e23, 25)
    plan = lf.plan(fit, budget=1e22)
    again = plan.draws(fit.bootstrap(200), limits=list(budgets)).values["N"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9), width_ratios=(1.15, 1))
    plots.isoflop(found, runs, ax=left)
    line = found.power_law()
    many = np.exp(line.draws[:, :1]) * budgets ** line.draws[:, 1:]
    for name, color, best, draws in (
        ("minima (akima)", COLORS[0], line.predict(budgets), many),
        ("the law that is wrong", COLORS[1], plan.frontier(budgets).table["N"], again),
    ):
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        right.plot(budgets, budgets / (6 * best**2), color=color, label=name)
        ends = (budgets / (6 * low**2), budgets / (6 * high**2))
        right.fill_between(budgets, *ends, color=color, alpha=0.2, linewidth=0)
    true = lf.plan(law, budget=1e22, params=params).frontier(budgets).table["N"]
    right.plot(budgets, budgets / (6 * true**2), color="black", linestyle="--", label="truth")
    right.axvspan(6e18, 3e21, color=FAINT, alpha=0.15, linewidth=0, label="budgets of the runs")
    log_axis(right, "x", budgets)
    right.set_yscale("log")
    log_ticks(right.yaxis, *right.get_ylim())
    right.set(xlabel="budget (FLOP)", ylabel="tokens per parameter at the best")
    right.legend(fontsize=8)
    return figure


def planner(fit: lf.Fit) -> None:
    """Photograph the page of docs/planner_page.md, where there is a Chromium."""
    program = find_chromium()
    if program is None:
        print("no Chromium: images/planner.png stays as it is")
        return
    over, limits = {"T": 1e12}, ["D <= 1.5e13"]
    plan = lf.plan(fit, budget=1e24, cost="6*N*D + 2*N*T", over=over, constraints=limits)
    units = {"cost": "FLOP", "T": "tokens served"}
    sliders = {"budget": (1e21, 1e27), "T": (1e9, 1e15)}
    browser = Browser(program)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planner.html"
        plan.page(path, draws=fit.bootstrap(300), sliders=sliders, units=units)
        try:
            browser.look(1120, 1200, "light")
            browser.open(path)
            browser.wait("document.documentElement.dataset.state === 'done'")
            end = "document.querySelector('figcaption').getBoundingClientRect().bottom"
            whole = {"x": 0, "y": 0, "width": 1120, "height": browser.run(end) + 16, "scale": 0.75}
            taken = browser.ask("Page.captureScreenshot", clip=whole, captureBeyondViewport=True)
        finally:
            browser.close()
    (OUT / "planner.png").write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    main()
