"""Diagnoses: for every code a fit that has it and one that has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.uncertainty.diagnosis import CODES

DOCUMENT = Path(__file__).parents[1] / "docs" / "diagnoses.md"


def codes(fit: lf.Fit) -> set[str]:
    return {d.code for d in fit.diagnose()}


def power(n: int = 40, noise: float = 0.01, seed: int = 0, **columns: Any) -> dict[str, Any]:
    g = np.random.default_rng(seed)
    size = np.geomspace(1e6, 1e9, n)
    return {"N": size, "loss": (1.5 + 300 * size**-0.3) * np.exp(g.normal(0, noise, n)), **columns}


def fit_power(runs: dict[str, Any] | None = None, **settings: Any) -> lf.Fit:
    law = settings.pop("law", lf.Law("E + A / N**alpha", variables=["N"]))
    return lf.fit(law, runs or power(), **({"loss": lf.Squared()} | settings))


def simulated(n: int, **settings: Any) -> lf.Fit:
    return lf.fit("chinchilla", lf.law("chinchilla").simulate(n, noise=0.01, rng=1), **settings)


def not_converged() -> lf.Fit:
    return replace(fit_power(), success=False, status="stalled", message="stopped")


def lonely() -> lf.Fit:
    fit = fit_power()
    return replace(fit, starts=replace(fit.starts, hits=1))


def vanished() -> lf.Fit:
    runs = power()
    runs["loss"] = 300 * runs["N"] ** -0.3 * np.exp(0.01 * np.sin(runs["N"]) - 0.01)
    runs["loss"] *= 1 - 0.05 * np.linspace(0, 1, 40) ** 2
    return fit_power(runs)


def one_ratio() -> lf.Fit:
    runs = lf.law("chinchilla").simulate(60, noise=0.01, rng=2)
    n = np.asarray(runs["N"])
    d = 20 * n * np.exp(0.01 * np.cos(np.arange(60)))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.37) * np.exp(0.01 * np.sin(np.arange(60.0)))
    return lf.fit("chinchilla", {"N": n, "D": d, "loss": loss})


def two_sizes() -> lf.Fit:
    runs = power()
    runs["N"] = np.where(np.arange(40) < 20, 1e6, 1e9)
    return fit_power(runs, fixed={"E": 1.5})


def narrow() -> lf.Fit:
    g = np.random.default_rng(3)
    n = np.geomspace(1e6, 1.2e6, 50)
    return fit_power({"N": n, "loss": 300 * n**-0.3 * np.exp(g.normal(0, 0.01, 50))},
                     law=lf.Law("A / N**alpha", variables=["N"]))  # fmt: skip


def ill() -> lf.Fit:
    g = np.random.default_rng(4)
    x = 1.0 + 1e-4 * np.linspace(0, 1, 40)
    law = lf.Law("a + b * x", parameters=["a", "b"], variables=["x"])
    table = {"x": x, "y": 1.0 + x + 1e-8 * g.normal(size=40)}
    return lf.fit(law, table, target="y", residual="linear", loss=lf.Squared())


def surplus() -> lf.Fit:
    return fit_power(law=lf.Law("E + A * B / N**alpha", variables=["N"]))


def broken(at: float) -> lf.Fit:
    runs = power(60)
    law = lf.Law("b * N**(-c) * (1 + (N / d)**2)**(-e)", variables=["N"])
    start = {"b": 3.0, "c": 0.05, "e": 0.01}
    return fit_power(runs, law=law, starts=[start], fixed={"d": at})


def checkpoints(hint: bool) -> lf.Fit:
    g = np.random.default_rng(5)
    n = np.repeat(np.geomspace(1e7, 1e9, 6), 12)
    d = 20 * n * np.tile(np.geomspace(0.05, 2, 12), 6)
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.37) * np.exp(g.normal(0, 0.01, 72))
    extra: dict[str, Any] = {"step": np.tile(np.arange(12.0), 6)} if hint else {}
    return lf.fit("chinchilla", {"N": n, "D": d, "loss": loss, **extra})


def uneven() -> lf.Fit:
    g = np.random.default_rng(6)
    runs = power(100, noise=0.0)
    runs["loss"] *= np.exp(g.normal(size=100) * np.geomspace(0.1, 0.001, 100))
    return fit_power(runs)


def bent() -> lf.Fit:
    runs = power(60, noise=0.001)
    runs["loss"] *= 1 + 0.05 * np.sin(np.linspace(0, 12, 60))
    return fit_power(runs)


def outlier(loss: Any) -> lf.Fit:
    runs = power()
    runs["loss"][17] *= 2
    return fit_power(runs, loss=loss)


CASES: dict[str, tuple[Callable[[], lf.Fit], Callable[[], lf.Fit]]] = {
    "not-converged": (not_converged, fit_power),
    "lonely-minimum": (lonely, fit_power),
    "at-bound": (lambda: fit_power(bounds={"alpha": (0.0, 0.2)}), fit_power),
    "term-vanished": (vanished, fit_power),
    "no-degrees-of-freedom": (lambda: fit_power(power(3)), fit_power),
    "few-rows": (lambda: simulated(8), lambda: simulated(12)),
    "few-levels": (two_sizes, fit_power),
    "collinear-variables": (one_ratio, lambda: simulated(60)),
    "undetermined": (surplus, fit_power),
    "ill-conditioned": (ill, fit_power),
    "inseparable-pair": (narrow, lambda: ill_free()),
    "rounding": (lambda: fit_power(power(noise=0.0001)), lambda: fit_power(power(noise=0.3))),
    "few-rows-beyond-break": (lambda: broken(9.9e8), lambda: broken(3e7)),
    "checkpoints-mixed": (lambda: checkpoints(True), lambda: simulated(60)),
    "heteroscedastic": (uneven, fit_power),
    "autocorrelated": (bent, fit_power),
    "heavy-tails": (lambda: outlier(lf.Squared()), lambda: outlier(lf.Huber(1e-3))),
}


def ill_free() -> lf.Fit:
    g = np.random.default_rng(8)
    x = np.linspace(-1, 1, 40)
    law = lf.Law("a + b * x", parameters=["a", "b"], variables=["x"])
    table = {"x": x, "y": 1.0 + x + 0.1 * g.normal(size=40)}
    return lf.fit(law, table, target="y", residual="linear", loss=lf.Squared())


def test_every_code_is_tested_and_documented() -> None:
    assert set(CASES) == set(CODES)
    text = DOCUMENT.read_text()
    for code, known in CODES.items():
        assert f"## {code}\n" in text
        for sentence in (known.meaning, known.example, known.remedy):
            assert sentence in text


@pytest.mark.parametrize("code", CASES)
def test_found_and_not_found(code: str) -> None:
    has, has_not = CASES[code]
    found = [d for d in has().diagnose() if d.code == code]
    assert found
    assert found[0].message
    assert found[0].remedy == CODES[code].remedy
    assert code in str(found[0])
    assert code not in codes(has_not())


def test_a_good_fit_has_no_warnings(free_fit: lf.Fit) -> None:
    assert all(d.severity == "note" for d in free_fit.diagnose())
    assert free_fit.warnings == ()


def test_warnings_are_the_quick_ones() -> None:
    fit = two_sizes()
    assert any("only 2 distinct N for A, alpha" in w for w in fit.warnings)
    assert "warning: only 2 distinct N" in fit.summary()
    messages = [d.message for d in fit.diagnose() if d.severity == "warning"]
    assert set(fit.warnings) <= set(messages)


def test_warnings_come_first() -> None:
    severities = [d.severity for d in one_ratio().diagnose()]
    assert severities == sorted(severities, reverse=True)
    assert "note" in severities


def test_a_fit_without_its_table_is_judged_by_its_result(tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    fit_power(bounds={"alpha": (0.0, 0.2)}).save(path)
    assert codes(lf.load(path)) == {"at-bound"}


def test_what_messages_name() -> None:
    (found,) = [d for d in one_ratio().diagnose() if d.code == "collinear-variables"]
    assert "D / N is near 20" in found.message
    (found,) = [d for d in outlier(lf.Squared()).diagnose() if d.code == "heavy-tails"]
    assert "row 18" in found.message
    (found,) = [d for d in surplus().diagnose() if d.code == "undetermined"]
    assert "A, B together" in found.message
    hinted, guessed = (
        next(d for d in checkpoints(h).diagnose() if d.code == "checkpoints-mixed")
        for h in (True, False)
    )
    assert (hinted.severity, guessed.severity) == ("warning", "note")


def test_digits_named_are_enough() -> None:
    fit = fit_power(power(noise=0.001))
    (found,) = [d for d in fit.diagnose() if d.code == "rounding"]
    digits = dict.fromkeys(fit.params, 3)
    for item in found.message.split(": ")[1].split(", "):
        name, count = item.split()
        digits[name] = int(count)
    runs = power(noise=0.001)
    rounded = {n: float(f"{v:.{digits[n]}g}") for n, v in fit.params.items()}
    exact, printed = (np.log(fit.law.predict(p, runs)) for p in (fit.params, rounded))
    typical = np.median(np.abs(exact - np.log(runs["loss"])))
    assert np.abs(printed - exact).max() < 0.35 * typical
    coarse = {n: float(f"{v:.2g}") for n, v in fit.params.items()}
    assert np.abs(np.log(fit.law.predict(coarse, runs)) - exact).max() > typical
