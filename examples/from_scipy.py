"""A script that used SciPy's curve_fit for a scaling law: only the import has changed."""

from __future__ import annotations

import numpy as np

from lawfit import curve_fit


def law(x, E, A, B, alpha, beta):
    """Return the loss of models of N parameters trained on D tokens."""
    N, D = x
    return E + A / N**alpha + B / D**beta


def main() -> tuple[np.ndarray, np.ndarray]:
    """Fit simulated runs from SciPy's default start, ones, which is no start for this law."""
    rng = np.random.default_rng(0)
    N = 10 ** rng.uniform(7, 10, 80)
    D = N * 10 ** rng.uniform(0.5, 2.5, 80)
    loss = law((N, D), 1.7, 400.0, 2000.0, 0.34, 0.37) * np.exp(0.002 * rng.normal(size=80))
    return curve_fit(law, (N, D), loss)


if __name__ == "__main__":
    popt, pcov = main()
    names, errors = "E A B alpha beta".split(), np.sqrt(np.diag(pcov))
    for name, value, error in zip(names, popt, errors, strict=True):
        print(f"{name:5} {value:10.4f} +- {error:.4f}")
