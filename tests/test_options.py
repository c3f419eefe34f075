"""Options that a call passes on: a wrong one is named where it was given, with those there are."""

from __future__ import annotations

from typing import Any

import pytest

import lawfit as lf

RUNS = lf.datasets.load("simulated_chinchilla")


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda f: f.bootstrap(10, sead=1), r"bootstrap: there is no option 'sead'.*studentize"),
        (lambda f: f.bootstrap(10, thread=1), r"did you mean .*threads"),
        (lambda f: f.jackknife(rng=1), "jackknife: there is no option 'rng'.*most, spread"),
        (lambda f: f.intervals(0.9, dispersions=1), r"did you mean dispersion\?"),
        (lambda f: f.profile("alpha", level=0.9), "profile: there is no option 'level'"),
        (lambda f: f.profiles(["alpha"], level=0.9), "profiles: there is no option 'level'"),
        (lambda f: f.contour("A", "alpha", level=0.9), "contour: there is no option 'level'"),
        (lambda f: f.derived("alpha", logs=True), r"did you mean log\?"),
        (lambda f: f.predict(RUNS, 0.9, kinds="x"), r"did you mean kind\?"),
        (lambda f: lf.backtest("chinchilla", RUNS, start=3), r"did you mean starts\?"),
        (lambda f: lf.compare(["chinchilla"], RUNS, penalty=3), r"did you mean penalties\?"),
        (lambda f: lf.multiverse("chinchilla", RUNS, bound={}), r"did you mean bounds\?"),
        (
            lambda f: lf.fit_stages("chinchilla", RUNS, [lf.Stage(["E"])], tide=()),
            r"fit: there is no option 'tide'; did you mean tied\?",
        ),
        (
            lambda f: lf.fit_stages("chinchilla", RUNS, [lf.Stage(["E"], options={"star": 1})]),
            "fit: there is no option 'star'",
        ),
    ],
)
def test_a_wrong_option_is_named(free_fit: lf.Fit, call: Any, part: str) -> None:
    with pytest.raises(lf.InputError, match=part):
        call(free_fit)
