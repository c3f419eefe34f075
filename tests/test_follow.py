"""The twin of following draws: its linear step, and that near optima settle."""

from __future__ import annotations

from typing import Any

import numpy as np

from lawfit.reference.follow import _step, follow


def test_the_step_solves_the_equations_of_the_optimum() -> None:
    rng = np.random.default_rng(0)
    rows, n = 5, 3
    root = rng.normal(size=(n, n, rows))
    hessian = np.einsum("ikr,jkr->ijr", root, root)
    values, gradients = rng.normal(size=(3, rows)), rng.normal(size=(3, n, rows))
    free, held = np.arange(n), np.array([0, 1])
    step, lam, _, _ = _step(hessian, values, gradients, free, held)
    for r in range(rows):
        normals = gradients[1:, :, r]
        matrix = np.block([[hessian[:, :, r], normals.T], [normals, np.zeros((2, 2))]])
        wanted = np.linalg.solve(matrix, -np.r_[gradients[0, :, r], values[1:, r]])
        np.testing.assert_allclose(np.r_[step[:, r], lam[:, r]], wanted, rtol=1e-8)


def test_a_near_optimum_settles() -> None:
    # min of sum exp(a_i x_i) with x_0 + x_1 >= c, whose c moves a little from row to row
    c = np.linspace(0.99, 1.01, 4)
    a = np.array([[1.0], [2.0]])

    def functions(x: Any, at: Any, shift: Any) -> Any:
        moved = x + shift[:, None]
        value = np.exp(a * moved).sum(axis=0)
        values = np.stack([value, c[at] - moved.sum(axis=0)])
        return values, np.stack([a * np.exp(a * moved), -np.ones_like(moved)])

    # a_0 exp(a_0 x_0) = a_1 exp(a_1 x_1) at the optimum
    exact = np.stack([(2.0 * c + np.log(2.0)) / 3.0, (c - np.log(2.0)) / 3.0])
    start = np.repeat(exact.mean(axis=1, keepdims=True), 4, axis=1)
    box = np.full((2, 4), 10.0)
    x, objective, settled = follow(
        functions, start, -box[:, :1], box[:, :1], np.array([True]), np.array([True, True])
    )
    np.testing.assert_allclose(x, exact, rtol=1e-9)
    np.testing.assert_allclose(objective, np.exp(a * exact).sum(axis=0), rtol=1e-9)
    assert settled.all()  # none is left to a search
