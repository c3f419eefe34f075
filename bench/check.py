"""Checks that lawfit, NumPy and JAX mean the same function, with the same derivatives."""

from __future__ import annotations

import numpy as np
from scipy.optimize import approx_fprime

import adapter
from problem import Problem


def check(problem: Problem) -> None:
    """Raise AssertionError where two of the three disagree."""
    core, order = adapter.objective(problem)
    points = problem.starts[np.linspace(0, len(problem.starts) - 1, 40).astype(int)]
    with np.errstate(all="ignore"):
        ours = np.array([core.value(np.ascontiguousarray(p[order])) for p in points])
        twin = np.array([problem.objective.value(p) for p in points])
    finite = np.isfinite(ours) & np.isfinite(twin)
    assert finite.sum() >= 10, f"{problem.name}: few finite starts"
    # A few published starts sit on a singularity, where rounding decides.
    agree = finite & np.isclose(ours, twin, rtol=1e-9, atol=0.0)
    assert agree.sum() >= 0.95 * finite.sum(), f"{problem.name}: lawfit and NumPy differ"
    for p in points[agree][:10]:
        value, gradient = problem.objective.with_gradient(p)
        numeric = approx_fprime(p, problem.objective.value, 1e-7)
        size = np.abs(numeric).max() + 1e-6 * value
        np.testing.assert_allclose(gradient, numeric, atol=2e-4 * size, err_msg=problem.name)
        s, jacobian = problem.objective.signed_root(p)
        np.testing.assert_allclose(0.5 * s @ s, value, rtol=1e-12)
        np.testing.assert_allclose(s @ jacobian, gradient, rtol=1e-7, atol=1e-9 * size)
    try:
        from peers.jax_solvers import value
    except ModuleNotFoundError:
        return
    traced = np.array([value(problem, p) for p in points[agree]])
    np.testing.assert_allclose(traced, twin[agree], rtol=1e-9, err_msg=problem.name)
