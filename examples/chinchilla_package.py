"""The example fit of the package chinchilla 0.2.0 (its README, "Fitting ... on existing dataset").

Its data are the 240 runs of Besiroglu et al. (arXiv 2404.10102); its objective is the mean of
absolute errors, ten times as heavy where the prediction is too high; its 3,125 starts are `GRID`.

Usage: python chinchilla_package.py FOLDER [POINTS], the folder that holds chinchilla_svg_240.csv
(default: the environment variable LAWFIT_DATA). With POINTS the package, if it is installed, fits
too, from so many points per axis of its grid instead of five, and both processor times are printed.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

import lawfit as lf

PUBLISHED = {
    "E": 1.7004437920205586,
    "A": 185.388090185727,
    "B": 1627.0012474587165,
    "alpha": 0.28923265350161337,
    "beta": 0.3556020928031086,
}
GRID = {
    "E": (1.0, 2.0),
    "a": (1.0, 10.0),
    "b": (1.0, 10.0),
    "alpha": (0.1, 0.7),
    "beta": (0.1, 0.7),
}


def starts(points: int) -> lf.Grid:
    """Return the package's grid in natural units."""
    axes = {name: np.linspace(*ends, points) for name, ends in GRID.items()}
    scales = {name.upper(): np.exp(axes.pop(name)) for name in ("a", "b")}
    return lf.Grid(**axes, **scales)


def mean_error(runs: lf.Runs, params: dict[str, float]) -> float:
    """Return the package's objective, its mean over the runs."""
    error = runs["loss"] - lf.law("chinchilla").predict(params, runs)
    return float(np.mean(np.where(error < 0.0, -10.0 * error, error)))


def main(folder: str, points: int = 5) -> tuple[lf.Runs, lf.Fit]:
    """Fit with the package's objective from its starts."""
    runs = lf.read(Path(folder) / "chinchilla_svg_240.csv")
    # Quantile(1/11) is the package's loss divided by 11.
    fit = lf.fit(
        "chinchilla", runs, residual="linear", loss=lf.Quantile(1 / 11), starts=starts(points)
    )
    return runs, fit


def with_the_package(runs: lf.Runs, points: int) -> dict[str, float]:
    """Fit with the package, in all its processes."""
    from chinchilla import Chinchilla

    with tempfile.TemporaryDirectory() as folder:
        names = ("C", "N", "D", "loss")
        table = np.column_stack([runs[name] for name in names])
        np.savetxt(
            Path(folder) / "df.csv", table, "%.17g", ",", header=",".join(names), comments=""
        )
        axes = {name: np.linspace(*ends, points) for name, ends in GRID.items()}
        fitter = Chinchilla(folder, param_grid=axes, log_level=50)
        fitter.fit()
        return {name: float(value) for name, value in fitter.params.items()}


def seconds() -> float:
    """Return the processor time of this process and those it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    points = int(sys.argv[2]) if sys.argv[2:] else 5
    begun = seconds()
    runs, fit = main(sys.argv[1] if sys.argv[1:] else os.environ["LAWFIT_DATA"], points)
    rows = [(f"lawfit, {fit.starts.n} starts", dict(fit.params), seconds() - begun)]
    if sys.argv[2:]:
        begun = seconds()
        params = with_the_package(runs, points)
        rows.append((f"chinchilla, {points**5} starts", params, seconds() - begun))
    for name, params, time in rows:
        shown = "  ".join(f"{n} {params[n]:.6g}" for n in PUBLISHED)
        print(f"{name:<26} mean error {mean_error(runs, params):.8f}  {shown}  {time:.2f} CPU s")
    shown = "  ".join(f"{n} {value:.6g}" for n, value in PUBLISHED.items())
    print(f"{'README of chinchilla':<26} mean error {mean_error(runs, PUBLISHED):.8f}  {shown}")
    print(fit.summary())
