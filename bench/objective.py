"""The objective that every method minimises, in NumPy: sum of a loss over residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models import Model


@dataclass(frozen=True)
class Objective:
    """sum_i rho(model_i(p) - target_i); `delta` is Huber's, None means rho(u) = u^2 / 2."""

    model: Model
    target: np.ndarray
    delta: float | None

    def _rho(self, r: np.ndarray) -> np.ndarray:
        if self.delta is None:
            return 0.5 * r * r
        a = np.abs(r)
        return np.where(a <= self.delta, 0.5 * r * r, self.delta * (a - 0.5 * self.delta))

    def value(self, p: np.ndarray) -> float:
        return float(self._rho(self.model.predict(np, p) - self.target).sum())

    def with_gradient(self, p: np.ndarray) -> tuple[float, np.ndarray]:
        f, jacobian = self.model.derivatives(p)
        r = f - self.target
        slope = r if self.delta is None else np.clip(r, -self.delta, self.delta)
        return float(self._rho(r).sum()), slope @ jacobian

    def raw(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return plain residuals and their Jacobian, for solvers with a loss of their own."""
        f, jacobian = self.model.derivatives(p)
        return f - self.target, jacobian

    def signed_root(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return s = sign(r) sqrt(2 rho(r)) and ds/dp; the squares sum to twice the objective."""
        r, jacobian = self.raw(p)
        if self.delta is None:
            return r, jacobian
        s = np.sign(r) * np.sqrt(2.0 * self._rho(r))
        outside = np.abs(r) > self.delta
        slope = np.where(outside, self.delta / np.where(outside, np.abs(s), 1.0), 1.0)
        return s, slope[:, None] * jacobian
