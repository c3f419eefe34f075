"""The methods by name: lawfit and what people use today, at published and at best settings."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import adapter
from outcome import Outcome, UnavailableError
from problem import Problem

Solve = Callable[[Problem, np.ndarray, int], Outcome]


@dataclass(frozen=True)
class Method:
    """One way to fit.

    Parameters
    ----------
    solve : callable(problem, starts, threads)
    starts : int
        At most so many starts are run: a fixed random share for slow methods.
    threads : int
    settings : str
        "published": as papers or the package use it by default. "best": as it does best here.
    about : str
    """

    solve: Solve
    starts: int
    threads: int
    settings: str
    about: str


def lawfit(problem: Problem, starts: np.ndarray, threads: int, early_stop: bool = True) -> Outcome:
    """lawfit.fit as a user calls it, table and starts included."""
    fit = adapter.fit(problem, starts, threads, early_stop)
    return Outcome(
        x=problem.coordinates(fit.params)[None, :],
        status=[fit.status],
        evaluations=fit.evaluations,
        facts={"hits": fit.starts.hits, "basins": fit.starts.basins},
    )


def _late(module: str, function: str) -> Solve:
    """Import a peer when it is used: none is needed for the others."""

    def solve(problem: Problem, starts: np.ndarray, threads: int) -> Outcome:
        try:
            loaded = importlib.import_module(f"peers.{module}")
        except ModuleNotFoundError as error:
            raise UnavailableError(f"{error.name} is not installed") from None
        found: Solve = getattr(loaded, function)
        return found(problem, starts, threads)

    return solve


def _peer(
    module: str, function: str, starts: int, threads: int, settings: str, about: str
) -> Method:
    return Method(_late(module, function), starts, threads, settings, about)


ALL = 10**9
FOLLOWED = "lawfit, every start followed"
METHODS: dict[str, Method] = {
    "lawfit, 2 threads": Method(lawfit, ALL, 2, "published", "lawfit.fit, defaults"),
    "lawfit, 1 thread": Method(lawfit, ALL, 1, "published", "lawfit.fit, defaults"),
    FOLLOWED: Method(
        partial(lawfit, early_stop=False), 450, 1, "published",
        "lawfit.fit(early_stop=False): none helps another",
    ),
    "SciPy L-BFGS-B, finite differences": _peer(
        "scipy_solvers", "lbfgs_published", 90, 1, "published",
        "minimize, default tolerances: the protocol of most papers",
    ),
    "SciPy L-BFGS-B, gradient": _peer(
        "scipy_solvers", "lbfgs_gradient", 225, 1, "published", "minimize, default tolerances"
    ),
    "SciPy L-BFGS-B, gradient, tight": _peer(
        "scipy_solvers", "lbfgs_tight", 225, 1, "best", "ftol 1e-15, gtol 1e-12, 10,000 iterations"
    ),
    "SciPy TRF, loss='huber'": _peer(
        "scipy_solvers", "trf_huber", 90, 1, "published", "least_squares, exact Jacobian, defaults"
    ),
    "SciPy TRF, signed root": _peer(
        "scipy_solvers", "trf", 90, 1, "best", "least_squares, exact Jacobian, 500 evaluations"
    ),
    "SciPy LM, signed root": _peer(
        "scipy_solvers", "lm", 225, 1, "published", "least_squares(method='lm'), defaults"
    ),
    "optimistix LM, vmap": _peer(
        "jax_solvers", "levenberg_marquardt", 225, 2, "best",
        "identity damping, signed-root residuals, 500 steps",
    ),
    "optimistix BFGS, vmap": _peer(
        "jax_solvers", "bfgs", 225, 2, "best", "on the objective, 1,000 steps"
    ),
    "Ceres LM, HuberLoss, defaults": _peer(
        "ceres_solver", "huber_default", 450, 2, "published", "C++, analytic derivatives"
    ),
    "Ceres LM, HuberLoss, tight": _peer(
        "ceres_solver", "huber", 450, 2, "best", "C++, 200 iterations, tight tolerances"
    ),
    "Ceres LM, signed root": _peer(
        "ceres_solver", "signed_root", 450, 2, "best", "C++, 1,000 iterations, tight tolerances"
    ),
    "chinchilla 0.2.0": _peer(
        "packages", "chinchilla", 1, 2, "published", "48 starts of its own, mean of log-Huber"
    ),
    "simple-scaling-laws 0.2.0": _peer(
        "packages", "simple_scaling_laws", 1, 1, "published",
        "its own starts and objective (squares of the raw loss)",
    ),
}  # fmt: skip
