"""Fits in stages with frozen blocks, and their bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lawfit as lf

LAW = "E + A * N**-alpha + where(P < 16, C * exp(-P / tau), 0)"
TRUE = {"E": 1.8, "A": 300.0, "alpha": 0.32, "C": 2.0, "tau": 2.5}


def table(noise: float = 0.002, seed: int = 0, n: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    columns = {"N": 10 ** rng.uniform(7, 10, n), "P": rng.choice([4.0, 6.0, 8.0, 16.0], n)}
    loss = lf.Law(LAW).predict(TRUE, columns)
    return {**columns, "loss": loss * np.exp(rng.normal(0, noise, n))}


STAGES = [
    lf.Stage(["E", "A", "alpha"], where="P >= 16", fixed={"C": 1.0, "tau": 1.0}),
    lf.Stage(["C", "tau"], where="P < 16"),
]


def test_stages_are_fits_with_frozen_parameters() -> None:
    runs = table()
    staged = lf.fit_stages(LAW, runs, STAGES)
    first = lf.fit(LAW, runs, where="P >= 16", fixed={"C": 1.0, "tau": 1.0})
    held = {n: first.params[n] for n in ("E", "A", "alpha")}
    second = lf.fit(LAW, runs, where="P < 16", fixed=held)
    assert staged.params == second.params
    assert [f.params for f in staged.fits] == [first.params, second.params]
    assert staged.success
    assert [len(r) for r in staged.rows] == [first.nobs, second.nobs]
    assert sorted(np.concatenate(staged.rows).tolist()) == list(range(60))
    np.testing.assert_array_equal(staged.predict(runs), second.predict(runs))
    assert staged.params == pytest.approx(TRUE, rel=0.5)
    assert "stage 2: C, tau" in staged.summary()


def test_one_stage_is_a_fit() -> None:
    runs = table()
    runs["w"] = np.linspace(0.5, 2.0, 60)
    options: dict[str, Any] = {"loss": "squared", "where": "N > 2e7", "tied": [("alpha", "tau")]}
    every = list(TRUE)
    staged = lf.fit_stages(LAW, runs, [lf.Stage(every)], weights="w", **options)
    fit = lf.fit(LAW, runs, weights="w", **options)
    assert staged.params == fit.params
    arrays = lf.fit_stages(LAW, runs, [lf.Stage(every)], loss="squared", weights=runs["w"])
    assert arrays.params == lf.fit(LAW, runs, loss="squared", weights="w").params


def test_bootstrap_of_one_stage_is_the_bootstrap() -> None:
    runs = table()
    options: dict[str, Any] = {"loss": "squared"}
    staged = lf.fit_stages("E + A * N**-alpha", runs, [lf.Stage(["E", "A", "alpha"])], **options)
    boot = staged.bootstrap(300)
    plain = lf.fit("E + A * N**-alpha", runs, **options).bootstrap(300)
    assert len(boot) == 300
    for name in ("E", "alpha"):
        ratio = boot.standard_errors()[name] / plain.standard_errors()[name]
        assert 0.75 < ratio < 1.33
    again = staged.bootstrap(300)
    np.testing.assert_array_equal(boot.draws["A"], again.draws["A"])


def test_bootstrap_carries_the_first_stage_into_the_second() -> None:
    """Held at the fit's values, C and tau look more certain than they are."""
    staged = lf.fit_stages(LAW, table(0.02), STAGES, loss="squared")
    together = staged.bootstrap(150).standard_errors()
    alone = staged.fits[1].bootstrap(150).standard_errors()
    assert together["E"] > 0
    assert alone["E"] < 1e-12
    assert together["C"] > 1.2 * alone["C"]


def test_groups_in_stages() -> None:
    rng = np.random.default_rng(2)
    runs = {"N": 10 ** rng.uniform(7, 10, 90), "family": np.array(["a", "b", "c"] * 30)}
    law = lf.Law("E[family] + A * N**-alpha")
    true = {"E[a]": 1.5, "E[b]": 1.8, "E[c]": 2.1, "A": 300.0, "alpha": 0.32}
    runs["loss"] = law.predict(true, runs)
    stages = [
        lf.Stage(["A", "alpha", "E[a]"], where="family == 'a'"),
        lf.Stage(["E"], options={"loss": "squared"}),
    ]
    staged = lf.fit_stages(law, runs, stages)
    assert staged.params == pytest.approx(true, rel=1e-6)
    assert staged.fits[1].loss == lf.Squared()


@pytest.mark.parametrize(
    ("stages", "options", "part"),
    [
        ([], {}, "at least one"),
        ([lf.Stage(["E", "A", "alpha"])], {}, "stage 1: C is neither free nor fitted before"),
        ([lf.Stage(["Q"])], {}, "stage 1: 'Q' is not a parameter"),
        (
            [lf.Stage(["E", "A", "alpha", "C"], fixed={"tau": 1.0})],
            {},
            "tau is free in no stage",
        ),
    ],
)
def test_errors(stages: Any, options: Any, part: str) -> None:
    with pytest.raises(lf.InputError, match=part):
        lf.fit_stages(LAW, table(), stages, **options)
    with pytest.raises(lf.InputError, match="draws = 1"):
        lf.fit_stages(LAW, table(), STAGES, starts=5).bootstrap(1)
