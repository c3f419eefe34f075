"""The demonstration: trained runs fitted, the largest predicted from the rest, a budget planned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import datasets
from .compiler import evaluate_columns
from .fitting import fit
from .planning.grid import GridResult, grid_search
from .progress import Progress
from .result import Fit
from .runs import Runs
from .uncertainty.bootstrap import Bootstrap

__all__ = ["Demonstration", "demonstrate", "format_demonstration"]

Floats = NDArray[np.float64]

# Kumar et al. (2024), "Scaling Laws for Precision": weights of P_w bits leave so many parameters.
SHARE = "(1 - exp(n_w - P_w / gamma_w))"
PUBLISHED = "precision-weights"
# The terms of N and D as the root of the sum of their squares, not as their sum: where one of them
# is large, the other matters less.
LAW = f"E + ((A / (N * {SHARE})**alpha)**2 + (B / D**beta)**2)**0.5"
STARTS = 20
# A single epoch, activations not quantised, and more than the 256 steps of the first end point.
TAKEN = ("U == D", "P_a == 32", "steps >= 512")
# LAW was found before any of the runs above were made.
HELD_OUT = "6 * N * D >= 4e12"
KEPT = "6 * N * D < 4e12"
DRAWS = 400
COST = "6 * N * D * P_w / 16"
BUDGETS = (1e12, 1e13, 1e14)
WIDTHS = (2.0, 3.0, 4.0, 6.0, 8.0, 16.0)


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration found.

    Attributes
    ----------
    published : Fit
        The published precision law, fitted to the runs that were kept.
    fit, bootstrap : Fit, Bootstrap
        The law `LAW` on the same runs.
    kept : Runs
    held_out : Runs
        The runs with the most compute, by increasing compute.
    predicted, low, high : ndarray of shape (held-out runs,)
        Loss under the fit, and the 95 % interval for one run: draws of the bootstrap, each with a
        residual of the fit drawn at random.
    plans : list of GridResult
        The best N, D and P_w at each of `BUDGETS`, under the fit.
    best : list of dict of str to ndarray of shape (draws,)
        N, D and P_w that are best under each draw, for each budget.
    """

    published: Fit
    fit: Fit
    bootstrap: Bootstrap
    kept: Runs
    held_out: Runs
    predicted: Floats
    low: Floats
    high: Floats
    plans: list[GridResult]
    best: list[dict[str, Floats]]


def demonstrate(threads: int | None = None, progress: Progress = False) -> Demonstration:
    """Fit precision laws to `tiny_runs` without the largest runs; predict those and plan.

    Parameters
    ----------
    threads : int, optional
    progress : bool or callable(done, total)
        Counts starts, then bootstrap draws.
    """
    runs = datasets.load("tiny_runs")
    for condition in TAKEN:
        runs = runs.where(condition)
    kept, held_out = runs.where(KEPT), runs.where(HELD_OUT)
    held_out = held_out.take(
        np.lexsort((held_out["P_w"], held_out["N"], held_out["N"] * held_out["D"]))
    )
    published = fit(PUBLISHED, kept, threads=threads)
    found = fit(LAW, kept, starts=STARTS, threads=threads, progress=progress)
    draws = found.bootstrap(DRAWS, spread=1, threads=threads, progress=progress)
    residuals = np.log(kept["loss"] / found.predict(kept))
    noise = np.random.default_rng(0).choice(residuals, size=(held_out.n, DRAWS))
    losses = np.stack([_under(found, draws, held_out, i) for i in range(held_out.n)])
    low, high = np.percentile(losses * np.exp(noise), [2.5, 97.5], axis=1)
    plans = [_plan(found, budget, threads) for budget in BUDGETS]
    best = [_best_of_draws(draws, budget) for budget in BUDGETS]
    return Demonstration(
        published=published,
        fit=found,
        bootstrap=draws,
        kept=kept,
        held_out=held_out,
        predicted=found.predict(held_out),
        low=low,
        high=high,
        plans=plans,
        best=best,
    )


def _under(found: Fit, draws: Bootstrap, runs: Runs, row: int) -> Floats:
    """Return the loss that every draw predicts for one row, shape (draws,)."""
    values = {name: np.full(len(draws), runs[name][row]) for name in found.law.variables}
    return evaluate_columns(found.law.formula, {**draws.draws, **values})


def _plan(found: Fit, budget: float, threads: int | None) -> GridResult:
    axes = {
        "N": np.geomspace(1e3, 1e8, 1001),
        "D": np.geomspace(1e4, 1e10, 1201),
        "P_w": np.array(WIDTHS),
    }
    constraint = f"{COST} <= {budget!r}"
    return grid_search(found, axes, constraints=[constraint], threads=threads)


def _best_of_draws(draws: Bootstrap, budget: float) -> dict[str, Floats]:
    """Return the best N, D and P_w of each draw.

    For every P_w the best N is in closed form, as in Hoffmann et al. (2022), equation 4: the square
    of the law's second part is a sum of two powers, as there.
    """
    d = draws.draws
    alpha, beta = 2 * d["alpha"], 2 * d["beta"]
    candidates = []
    for bits in WIDTHS:
        product = budget * 16 / (6 * bits)  # N D
        share = np.maximum(evaluate_columns(SHARE, {**d, "P_w": np.full(len(draws), bits)}), 1e-300)
        ratio = alpha * d["A"] ** 2 * share**-alpha / (beta * d["B"] ** 2)
        n = (ratio * product**beta) ** (1 / (alpha + beta))
        part = d["A"] ** 2 * (n * share) ** -alpha + d["B"] ** 2 * (product / n) ** -beta
        candidates.append((n, product / n, np.full(len(draws), bits), part))
    table = np.array(candidates)  # [bits, quantity, draw]
    chosen = table[np.argmin(table[:, 3], axis=0), :, np.arange(len(draws))]  # [draw, quantity]
    return {"N": chosen[:, 0], "D": chosen[:, 1], "P_w": chosen[:, 2]}


def _error(found: Fit, runs: Runs) -> Floats:
    return np.log(found.predict(runs)) - np.log(runs.numbers("loss"))


def _size(error: Floats) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _short(value: float) -> str:
    return f"{value:.3g}".replace("e+0", "e").replace("e+", "e")


def format_demonstration(shown: Demonstration) -> str:
    """Return what `lawfit demo` prints."""
    draws, held_out = shown.bootstrap, shown.held_out
    lines = [
        "Small language models, trained for this on the source text of a Python package: N",
        "parameters, D tokens, weights of P_w bits in training (32: not quantised). How they were",
        f"made is in docs/tiny_runs.md. Fitted: {shown.kept.n} runs with {KEPT} FLOP, to predict",
        f"the {held_out.n} with more. Errors are root mean squares, relative to the loss.",
        "",
        "The published law adds a term of N and one of D:",
        f"  {shown.published.law}",
        f"  error {_size(_error(shown.published, shown.kept)):.2%} of what it was fitted to, "
        f"{_size(_error(shown.published, held_out)):.2%} of what it predicts.",
        "Here the terms are joined otherwise, a form found before the larger runs were made:",
        f"  error {_size(_error(shown.fit, shown.kept)):.2%} of what it was fitted to, "
        f"{_size(_error(shown.fit, held_out)):.2%} of what it predicts.",
        "",
        shown.fit.summary(),
        "",
        f"95 % intervals, {len(draws):,} bootstrap draws:",
    ]
    lines += [
        f"  {name:<8} {low:10.4g} to {high:.4g}" for name, (low, high) in draws.intervals().items()
    ]
    inside = (shown.low <= held_out["loss"]) & (held_out["loss"] <= shown.high)
    lines += [
        "",
        "Held out: the runs with the most compute. How many of each N and D lie inside their",
        "intervals of 95 %, and the run of the most bits:",
        "           N           D  inside  P_w  measured  predicted  95 % interval of one run",
    ]
    cells = np.stack([held_out["N"], held_out["D"]], axis=1)
    for cell in dict.fromkeys(map(tuple, cells)):
        rows = np.flatnonzero((cells == cell).all(axis=1))
        i = rows[np.argmax(held_out["P_w"][rows])]
        lines.append(
            f"  {cell[0]:10,.0f}  {cell[1]:10,.0f}  {inside[rows].sum():>2} of {len(rows)}"
            f"  {held_out['P_w'][i]:3.0f}  {held_out['loss'][i]:8.4f}  {shown.predicted[i]:9.4f}"
            f"  {shown.low[i]:.4f} to {shown.high[i]:.4f}{'' if inside[i] else '  outside'}"
        )
    lines += [
        f"{inside.sum()} of {held_out.n} inside; mean error "
        f"{np.mean(_error(shown.fit, held_out)):+.2%}.",
        "The intervals take the law as right. What it lacks: docs/gallery_tiny_runs.md.",
        "",
        f"The best N, D and P_w at a budget of {COST}:",
        "  budget        N  95 % interval           D  95 % interval       P_w    loss  draws",
    ]
    for budget, plan, best in zip(BUDGETS, shown.plans, shown.best, strict=True):
        n, d = (draws.interval(best[name]) for name in "ND")
        agree = np.mean(best["P_w"] == plan.best["P_w"])
        lines.append(
            f"  {_short(budget):>6}  {_short(plan.best['N']):>7}"
            f"  {f'{_short(n[0])} to {_short(n[1])}':<16}"
            f"  {_short(plan.best['D']):>7}  {f'{_short(d[0])} to {_short(d[1])}':<16}"
            f" {plan.best['P_w']:3.0f}  {plan.best['loss']:.4f}   {agree:4.0%}"
        )
    largest, last = 6 * np.max(held_out["N"] * held_out["D"]), shown.plans[-1].best
    lines += [
        "draws: share of the bootstrap draws in which the same P_w is the best.",
        f"The largest run above had {_short(largest)} FLOP; the plan of the largest budget needs "
        f"{_short(6 * last['N'] * last['D'])}.",
    ]
    return "\n".join(lines)
