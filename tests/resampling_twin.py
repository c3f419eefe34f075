"""The slow twin of the resamplings: Philox, variates and draws in plain Python, for tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

MASK = 2**32 - 1


class Philox:
    """Philox 4x32-10 with key `seed` and the task in the upper half of the counter."""

    def __init__(self, seed: int, task: int) -> None:
        self.key = (seed & MASK, seed >> 32)
        self.task = (task & MASK, task >> 32)
        self.block = 0
        self.ready: list[int] = []

    def next(self) -> int:
        if not self.ready:
            c = (self.block & MASK, self.block >> 32, *self.task)
            k0, k1 = self.key
            for _ in range(10):
                a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
                c = (b >> 32 ^ c[1] ^ k0, b & MASK, a >> 32 ^ c[3] ^ k1, a & MASK)
                k0, k1 = k0 + 0x9E3779B9 & MASK, k1 + 0xBB67AE85 & MASK
            self.ready = list(c)
            self.block += 1
        return self.ready.pop(0)

    def below(self, n: int) -> int:
        while True:
            product = self.next() * n
            if (product & MASK) >= 2**32 % n:
                return product >> 32

    def uniform(self) -> float:
        return (((self.next() >> 6) << 26 | self.next() >> 6) + 0.5) / 2.0**52

    def exponential(self) -> float:
        return -math.log(self.uniform())

    def normal(self) -> float:
        radius = math.sqrt(-2.0 * math.log(self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())

    def log_gamma(self, shape: float) -> float:
        boost = 0.0
        if shape < 1.0:
            boost = math.log(self.uniform()) / shape
            shape += 1.0
        d = shape - 1.0 / 3.0
        while True:
            x = self.normal()
            v = max(1.0 + x / math.sqrt(9.0 * d), 0.0) ** 3
            u = self.uniform()
            if v > 0.0 and math.log(u) < 0.5 * x**2 + d * (1.0 - v + math.log(v)):
                return boost + math.log(d * v)


def weights(kind: str, strata: list[int], length: int, seed: int, draw: int) -> np.ndarray:
    """Return how often or how heavily each unit is in a draw, shape (units,)."""
    random, units = Philox(seed, draw), strata[-1]
    if kind == "deletion":
        return (np.arange(units) != draw).astype(float)
    if kind == "dirichlet":
        drawn = np.array([random.exponential() for _ in range(units)])
        return drawn / drawn.sum() * units
    taken: list[int] = []
    for first, end in itertools.pairwise(strata):
        n = end - first
        run = min(length, n) if kind == "blocks" else 1
        stratum: list[int] = []
        while len(stratum) < n:
            at = first + random.below(n - run + 1)
            stratum += range(at, at + run)
        taken += stratum[:n]
    return np.bincount(taken, minlength=units).astype(float)


def residuals(
    kind: str, unit: list[int], given: np.ndarray, weight: np.ndarray | None, webb: bool,
    seed: int, draw: int,
) -> np.ndarray:  # fmt: skip
    """Return the residuals of a draw made of given ones, shape (rows,)."""
    random = Philox(seed, draw)
    if kind == "residuals":
        pool = np.flatnonzero(np.ones_like(given) if weight is None else weight > 0)
        return given[[pool[random.below(len(pool))] for _ in given]]
    values = [-1.0, 1.0]
    if webb:
        values = [s * math.sqrt(k / 2) for k in (1, 2, 3) for s in (-1, 1)]
    factor = np.array([values[random.below(len(values))] for _ in range(max(unit) + 1)])
    return factor[unit] * given


def noise(loss: tuple[str, float, float, float], count: int, seed: int, draw: int) -> np.ndarray:
    """Return residuals from the density exp(-rho) / Z, shape (count,)."""
    kind, above, below, core = loss
    random = Philox(seed, draw)

    def half(slope: float) -> tuple[float, float]:
        if core == 0:
            return 0.0, 1.0 / slope
        c = slope / core
        inside = math.sqrt(math.pi / (2 * c)) * math.erf(core * math.sqrt(c / 2))
        return inside, math.exp(-c * core**2 / 2) / slope

    def size(slope: float) -> float:
        inside, beyond = half(slope)
        if random.uniform() * (inside + beyond) >= inside:
            return core + random.exponential() / slope
        c = slope / core
        while True:
            if c * core**2 < 1:
                x = core * random.uniform()
                if random.uniform() < math.exp(-c * x**2 / 2):
                    return x
            else:
                x = abs(random.normal()) / math.sqrt(c)
                if x <= core:
                    return x

    def linear() -> float:
        up, down = sum(half(above)), sum(half(below))
        return size(above) if random.uniform() * (up + down) < up else -size(below)

    def cauchy() -> float:
        z = random.normal()
        return core * z * math.exp(-random.log_gamma((core**2 - 1) / 2) / 2) / math.sqrt(2)

    def logcosh() -> float:
        a = random.log_gamma(core**2 / 2)
        return core / 2 * (a - random.log_gamma(core**2 / 2))

    draws: dict[str, Callable[[], Any]] = {
        "squared": random.normal, "linear": linear, "cauchy": cauchy, "logcosh": logcosh,
    }  # fmt: skip
    return np.array([draws[kind]() for _ in range(count)])
