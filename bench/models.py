"""The laws once more, for the peers: NumPy with a Jacobian by hand, and the same formula for JAX.

Nothing here uses lawfit, so that every method's end points are judged by an independent objective.
A model maps coordinates p (scale factors as logarithms) to the prediction in residual space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

LN10 = math.log(10.0)


def logsumexp(xp: Any, terms: Any) -> Any:
    top = terms.max(axis=0)
    return top + xp.log(xp.exp(terms - top).sum(axis=0))


def softmax(terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log-sum-exp over the first axis and the share of every term."""
    top = terms.max(axis=0)
    e = np.exp(terms - top)
    total = e.sum(axis=0)
    return top + np.log(total), e / total


def softplus(xp: Any, z: Any) -> Any:
    return xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))


@dataclass(frozen=True)
class PowerSum:
    """log(E + sum_k A_k / x_k**alpha_k); p = (log E, log A_1..K, alpha_1..K)."""

    log_x: np.ndarray  # (K, n)

    def predict(self, xp: Any, p: Any) -> Any:
        k = len(self.log_x)
        terms = p[1 : k + 1, None] - p[k + 1 :, None] * self.log_x
        return logsumexp(xp, xp.concatenate([xp.zeros((1, terms.shape[1])) + p[0], terms]))

    def derivatives(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k, n = self.log_x.shape
        terms = np.empty((k + 1, n))
        terms[0] = p[0]
        terms[1:] = p[1 : k + 1, None] - p[k + 1 :, None] * self.log_x
        f, share = softmax(terms)
        return f, np.concatenate([share, -share[1:] * self.log_x]).T


@dataclass(frozen=True)
class Routed:
    """Clark et al. (2202.01169), eq. 1 with eq. 8's saturation; p = (a, b, c, d, log s, log m)."""

    log_n: np.ndarray  # log10 of the dense-equivalent parameters
    experts: np.ndarray

    def _experts(self, xp: Any, p: Any) -> tuple[Any, Any, Any]:
        start, most = xp.exp(p[4]), xp.exp(p[5])
        u = 1.0 / start - 1.0 / most
        v = self.experts - 1.0 + 1.0 / u
        return u, v, 1.0 / v + 1.0 / most

    def predict(self, xp: Any, p: Any) -> Any:
        h = -xp.log10(self._experts(xp, p)[2])
        return LN10 * (p[0] * self.log_n + p[1] * h + p[2] * self.log_n * h + p[3])

    def derivatives(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v, w = self._experts(np, p)
        h, n = -np.log10(w), self.log_n
        slope = -(p[1] + p[2] * n) / w  # of ln L in w, times ln 10 / ln 10
        common = 1.0 / (v * v * u * u)
        d_s = slope * -common * np.exp(-p[4])
        d_m = slope * (common * np.exp(-p[5]) - np.exp(-p[5]))
        f = LN10 * (p[0] * n + p[1] * h + p[2] * n * h + p[3])
        one = np.ones_like(n)
        return f, np.stack([LN10 * n, LN10 * h, LN10 * n * h, LN10 * one, d_s, d_m], axis=1)


@dataclass(frozen=True)
class Effective:
    """log(E + A / (N eff_g)**alpha + B / D**beta); p = (log E, A, B, alpha, beta, log eff_g...)."""

    log_n: np.ndarray
    log_d: np.ndarray
    member: np.ndarray  # (n, groups), 0 or 1; rows of the reference group have no 1

    def _terms(self, xp: Any, p: Any) -> tuple[Any, Any]:
        n_eff = self.log_n + self.member @ p[5:]
        flat = xp.zeros_like(self.log_n) + p[0]
        return n_eff, xp.stack([flat, p[1] - p[3] * n_eff, p[2] - p[4] * self.log_d])

    def predict(self, xp: Any, p: Any) -> Any:
        return logsumexp(xp, self._terms(xp, p)[1])

    def derivatives(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_eff, terms = self._terms(np, p)
        f, share = softmax(terms)
        first = np.stack([*share, -share[1] * n_eff, -share[2] * self.log_d], axis=1)
        return f, np.hstack([first, -p[3] * share[1][:, None] * self.member])


@dataclass(frozen=True)
class Mixture:
    """c + exp(k + t . r), in the loss itself; p = (c, k, t_1..)."""

    ratios: np.ndarray  # (n, domains whose share is free)

    def predict(self, xp: Any, p: Any) -> Any:
        return p[0] + xp.exp(p[1] + self.ratios @ p[2:])

    def derivatives(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        e = np.exp(p[1] + self.ratios @ p[2:])
        return p[0] + e, np.column_stack([np.ones_like(e), e, e[:, None] * self.ratios])


@dataclass(frozen=True)
class Broken:
    """log(1 + a + b x**-c0 prod_i (1 + (x/d_i)**(1/f_i))**(-c_i f_i)), Caballero et al. eq. 1.

    p = (log a, log b, c0, then c_i, log d_i, log f_i for every break).
    """

    log_x: np.ndarray
    breaks: int

    def predict(self, xp: Any, p: Any) -> Any:
        term = p[1] - p[2] * self.log_x
        for i in range(self.breaks):
            c, d, f = p[3 + 3 * i], p[4 + 3 * i], xp.exp(p[5 + 3 * i])
            term = term - c * f * softplus(xp, (self.log_x - d) / f)
        zero = xp.zeros_like(self.log_x)
        return logsumexp(xp, xp.stack([zero, zero + p[0], term]))

    def derivatives(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        term = p[1] - p[2] * self.log_x
        slopes = [np.ones_like(term), -self.log_x]
        for i in range(self.breaks):
            c, d, f = p[3 + 3 * i], p[4 + 3 * i], np.exp(p[5 + 3 * i])
            z = (self.log_x - d) / f
            plus, sigma = softplus(np, z), 0.5 * (1.0 + np.tanh(0.5 * z))
            term = term - c * f * plus
            slopes += [-f * plus, c * sigma, -c * f * (plus - z * sigma)]
        value, share = softmax(np.stack([np.zeros_like(term), np.full_like(term, p[0]), term]))
        return value, np.column_stack([share[1], *(share[2] * s for s in slopes)])


@dataclass(frozen=True)
class DataConstrained:
    """Muennighoff et al. (2305.16264), eq. 5 to 7 with alpha = beta.

    p = (log E, log A, log B, alpha, log R_D*, log R_N*). U_N = min(N, (A/B)**(1/alpha) U_D): the
    parameters that are compute-optimal for U_D unique tokens.
    """

    log_n: np.ndarray
    log_u: np.ndarray
    repeats: np.ndarray  # R_D = D / U_D - 1

    def _excess(self, xp: Any, p: Any) -> tuple[Any, Any, Any]:
        best = (p[1] - p[2]) / p[3] + self.log_u
        log_un = xp.minimum(self.log_n, best)
        return log_un, xp.exp(self.log_n - log_un), best

    def predict(self, xp: Any, p: Any) -> Any:
        log_un, ratio, _ = self._excess(xp, p)
        r_d, r_n = xp.exp(p[4]), xp.exp(p[5])
        log_d = self.log_u + xp.log1p(-r_d * xp.expm1(-self.repeats / r_d))
        log_n = log_un + xp.log1p(-r_n * xp.expm1(-(ratio - 1.0) / r_n))
        flat = xp.zeros_like(self.log_n) + p[0]
        return logsumexp(xp, xp.stack([flat, p[1] - p[3] * log_n, p[2] - p[3] * log_d]))

    def derivatives(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_un, ratio, best = self._excess(np, p)

        def grown(x: np.ndarray, r: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            """Return log1p(r (1 - exp(-x/r))) and its derivatives in log r and in x."""
            q = x / r
            decay, gain = np.exp(-q), -np.expm1(-q)
            size = 1.0 + r * gain
            return np.log(size), r * (gain - q * decay) / size, decay / size

        more_d, d_rd, _ = grown(self.repeats, np.exp(p[4]))
        more_n, d_rn, d_x = grown(ratio - 1.0, np.exp(p[5]))
        log_d, log_n = self.log_u + more_d, log_un + more_n
        terms = np.stack([np.full_like(log_n, p[0]), p[1] - p[3] * log_n, p[2] - p[3] * log_d])
        f, share = softmax(terms)
        # d log N' / d best, where the compute-optimal size binds
        d_best = np.where(best < self.log_n, 1.0 - d_x * ratio, 0.0)
        n_side = -p[3] * share[1] * d_best / p[3]
        d_a = share[1] + n_side
        d_b = share[2] - n_side
        d_alpha = -share[1] * log_n - share[2] * log_d - n_side * (p[1] - p[2]) / p[3]
        d_r = [-p[3] * share[2] * d_rd, -p[3] * share[1] * d_rn]
        return f, np.stack([share[0], d_a, d_b, d_alpha, *d_r], axis=1)


Model = PowerSum | Routed | Effective | Mixture | Broken | DataConstrained
