"""Laws: the catalogue is complete and recovers itself; what is inferred; what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit import reference
from lawfit.compiler import compile_law, resolve
from lawfit.formula import parse
from lawfit.law import scale_factors

CATALOGUE = lf.laws()
PUBLISHED = [(name, p.name) for name in CATALOGUE for p in lf.law(name).published]
BITS = ("P_w", "P_a", "P_kv", "P_post")

# Coefficients for the laws that have no published set of their own: those of the shifted form
# without its shifts. The source's sensitivities and penalty, so their sizes are realistic.
KUMAR = dict(lf.law("precision-shifted").published[0].params)
WITHOUT_SHIFTS = {k: v for k, v in KUMAR.items() if not k.startswith("n_")}
OWN_SETS = {
    "precision": WITHOUT_SHIFTS,
    "precision-training": {
        k: v for k, v in WITHOUT_SHIFTS.items() if k in lf.law("precision-training").formula
    },
}


def published(name: str, which: str) -> dict[str, float]:
    return next(dict(p.params) for p in lf.law(name).published if p.name == which)


def runs_for(name: str, rows: int = 150) -> dict[str, Any]:
    """Draw the variables in the ranges that the sources trained in."""
    rng = np.random.default_rng(1)
    return {v.name: v.draw(rows, rng) for v in lf.law(name).declared_variables or ()}


def sets_of(name: str) -> list[dict[str, float]]:
    """Return every published set, or else the law's example."""
    law = lf.law(name)
    sets = [dict(p.params) for p in law.published]
    return sets or [OWN_SETS[name] if name in OWN_SETS else law.coefficients()]


# --- the catalogue ---------------------------------------------------------------------------


def test_names() -> None:
    assert {"chinchilla", "kaplan", "power-law", "precision"} <= set(CATALOGUE)
    assert all(lf.law(name).name == name for name in CATALOGUE)
    with pytest.raises(lf.InputError, match=r"did you mean chinchilla\?"):
        lf.law("Chinchilla")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_is_complete(name: str) -> None:
    law = lf.law(name)
    assert law.source.title
    assert law.source.equation
    assert law.source.year is not None
    assert law.source.arxiv.replace(".", "").isdigit()
    assert law.target.isidentifier()
    assert law.target not in law.variables
    assert law.declared_variables
    assert law.published or law.example or name in OWN_SETS
    # Nothing is left to inference, in any table.
    declared = {p.name for p in law.declared_parameters}
    assert declared == {p.name for p in law.parameters_in(["nothing"])}
    assert set(law.variables) == {v.name for v in law.declared_variables}
    for parameter in law.parameters:
        assert parameter.description
        assert parameter.start is not None
        low, high = parameter.start
        assert parameter.bounds[0] <= low < high <= parameter.bounds[1]
        assert low > 0 or parameter.transform == "identity"


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_compiles_in_every_space(name: str) -> None:
    law = lf.law(name)
    parameters = [p.name for p in law.parameters]
    logs = {p.name for p in law.parameters if p.transform == "log"}
    tree = resolve(
        parse(law.formula),
        variables=law.variables,
        log_parameters=logs,
        positive={*law.variables, *(p.name for p in law.parameters if p.positive)},
    )
    for space in ("linear", "log", "logit"):
        program = compile_law(tree, variables=law.variables, parameters=parameters, space=space)
        assert list(program.columns) == list(law.variables)
        assert program.disassemble()


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_set_agrees_with_the_twin(name: str) -> None:
    law = lf.law(name)
    runs = runs_for(name)
    for params in sets_of(name):
        assert set(params) == {p.name for p in law.parameters}
        value = law.predict(params, runs)
        assert np.isfinite(value).all()
        assert value.std() > 0
        if law.target == "loss":
            assert (value > 0).all()
        np.testing.assert_allclose(
            value,
            reference.evaluate(law.formula, params, runs),
            rtol=1e-12,
            atol=1e-12 * value.std(),
        )
        for parameter in law.parameters:
            assert parameter.bounds[0] <= params[parameter.name] <= parameter.bounds[1]
    for entry in law.published:
        assert entry.where
        assert entry.units


def test_published_values_by_hand() -> None:
    # Hoffmann et al.: Chinchilla itself, 70e9 parameters on 1.4e12 tokens.
    chinchilla = lf.law("chinchilla")
    loss = chinchilla.predict(published("chinchilla", "hoffmann2022"), {"N": [70e9], "D": [1.4e12]})
    assert loss[0] == pytest.approx(1.69 + 406.4 / 70e9**0.34 + 410.7 / 1.4e12**0.28, rel=1e-13)
    assert loss[0] == pytest.approx(1.937, abs=1e-3)
    # Kaplan et al.: with unlimited data, L(N) = (6.4e13 / N)**0.076.
    kaplan = lf.law("kaplan")
    loss = kaplan.predict(published("kaplan", "kaplan2020"), {"N": [1e9], "D": [1e30]})
    assert loss[0] == pytest.approx((6.4e13 / 1e9) ** 0.076, rel=1e-9)


def test_the_precision_laws_agree_where_they_should() -> None:
    runs = runs_for("precision")
    loss = lf.law("precision").predict(WITHOUT_SHIFTS, runs)
    shifted = lf.law("precision-shifted").predict({**KUMAR, "n_w": 0, "n_a": 0, "n_kv": 0}, runs)
    np.testing.assert_allclose(loss, shifted, rtol=1e-13)
    training = lf.law("precision-training").predict(OWN_SETS["precision-training"], runs)
    np.testing.assert_array_less(training, loss)
    # At many bits all that is left is the law of Chinchilla.
    many = {**runs, **{v: np.full(150, 1e3) for v in BITS}}
    dense = lf.law("chinchilla").predict(
        {n: KUMAR[n] for n in ("E", "A", "B", "alpha", "beta")}, many
    )
    np.testing.assert_allclose(lf.law("precision").predict(WITHOUT_SHIFTS, many), dense, rtol=1e-13)


# Simulated targets carry 53 bits, so what limits recovery of an identified law is conditioning:
# log A and alpha, or gamma and n, trade off along a valley in which one unit of rounding moves them
# by 1e-13 to 1e-12. Tolerances leave a factor of 1,000.
NOT_IDENTIFIED = {"wukong"}  # the notes of these laws say why


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_recovers_its_own_coefficients(name: str) -> None:
    law = lf.law(name)
    runs = runs_for(name)
    for params in sets_of(name):
        value = law.predict(params, runs)
        space = "log" if (value > 0).all() else "linear"
        fit = lf.fit(law, {**runs, law.target: value}, residual=space, starts=12)
        # Rounding of the target can keep the objective from zero, and then no step lowers it.
        assert fit.status in ("exact", "stalled", "converged")
        np.testing.assert_allclose(fit.predict(runs), value, rtol=1e-11, atol=1e-12 * value.std())
        if name not in NOT_IDENTIFIED:
            assert fit.params == pytest.approx(params, rel=1e-9, abs=1e-12)


def test_recovery_with_the_exponents_tied_as_in_the_source() -> None:
    law = lf.law("precision-training")
    runs = runs_for("precision-training")
    params = OWN_SETS["precision-training"]
    table = {**runs, "loss": law.predict(params, runs)}
    fit = lf.fit(law, table, tied=[("alpha", "beta")], starts=12)
    assert fit.params == pytest.approx(params, rel=1e-9)


# --- what is inferred ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "columns", "expected"),
    [
        ("E + A / N**alpha + B / D**beta", "ND", "EAB"),
        ("A * N**-alpha", "N", "A"),
        ("N**-alpha * A * B / c", "N", "ABc"),
        ("-A * N**alpha", "N", "A"),
        ("E - A * N**alpha", "N", "EA"),
        ("(N_c / N)**alpha", "N", ["N_c"]),
        ("((N_c / N)**(a / b) + D_c / D)**b", "ND", ["N_c", "D_c"]),
        ("E + A * exp(-k * x)", "x", "EA"),
        ("exp(-A * N**b)", "N", "A"),
        ("log(E + A / N**alpha)", "N", "EA"),
        ("log10(E + A / N**alpha)", "N", "EA"),
        ("E + (A + B * C) / N**alpha", "N", "E"),  # a factor in brackets is not bare
        ("exp(e) + exp(a - alpha * log(N))", "N", ""),
        ("a + b * x", "x", ""),
        ("a + b * x**2", "x", ""),  # an exponent that is not fitted says nothing of the sign
        ("a + b * 2**x", "x", ""),
        ("a / (1 + exp(-k * (x - m)))", "x", ""),
        ("sigmoid(a + b * x)", "x", ""),
        ("E + where(N > 1e9, A / N**alpha, B / N**beta)", "N", "AB"),
        ("logsumexp(a, b - alpha * log(N))", "N", ""),
        ("E + A / N**alpha", "", ""),  # without a column there is no power of one
    ],
)
def test_scale_factors(formula: str, columns: str, expected: Any) -> None:
    assert scale_factors(parse(formula), columns) == set(expected)


def test_inference_follows_the_table() -> None:
    law = lf.Law("E + A / N**alpha + width * depth")
    assert law.variables == ("N",)
    names = law.parameters_in(["N", "width", "depth", "loss"])
    assert [p.name for p in names] == ["E", "A", "alpha"]
    assert [p.transform for p in names] == ["log", "log", "identity"]
    resolved = law.resolved(["width", "N"])
    assert resolved.variables == ("N", "width")
    assert [p.name for p in resolved.parameters] == ["E", "A", "alpha", "depth"]
    assert lf.Law("E + A / N**alpha", variables=["alpha"]).variables == ("alpha",)


def test_a_declaration_goes_before_inference() -> None:
    law = lf.Law("E + A / N**alpha", [lf.Parameter("E", bounds=(-1.0, 1.0)), "N"], ["alpha"])
    assert {p.name: p.transform for p in law.parameters} == {
        "E": "identity",
        "A": "identity",
        "N": "identity",
    }
    assert law.parameters[0].bounds == (-1.0, 1.0)


def test_prediction() -> None:
    law = lf.Law("E + A / N**alpha")
    params = {"E": 1.0, "A": 10.0, "alpha": 0.5}
    np.testing.assert_allclose(law.predict(params, {"N": [4.0, 25.0]}), [6.0, 3.0], rtol=1e-15)
    # Negative and zero values of what a fit would keep positive.
    for change in ({"E": -1.0}, {"A": -10.0}, {"E": 0.0, "A": 0.0}, {"alpha": -0.5}):
        given = {**params, **change}
        expected = given["E"] + given["A"] / np.array([4.0, 25.0]) ** given["alpha"]
        np.testing.assert_allclose(law.predict(given, {"N": [4.0, 25.0]}), expected, rtol=1e-15)
    # No overflow where the answer is finite.
    huge = {"E": 1.0, "A": 1e300, "alpha": 60.0}
    assert law.predict(huge, {"N": [1e6]})[0] == pytest.approx(1.0)


def test_laws_print_and_survive_json() -> None:
    for name in CATALOGUE:
        law = lf.law(name)
        again = lf.Law.from_dict(law.to_dict())
        assert str(again) == str(law) == f"{name}: {law.formula}"
        assert again.variables == law.variables
        for kept, given in zip(again.parameters, law.parameters, strict=True):
            assert (kept.name, kept.transform) == (given.name, given.transform)
            assert (kept.bounds, kept.start) == (given.bounds, given.start)
    assert str(lf.Law("a * N")) == "a * N"


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: lf.Law("E + A / N**"), "character"),
        (lambda: lf.Law(""), "empty"),
        (lambda: lf.Law("E + f(N)"), "unknown function 'f'"),
        (lambda: lf.Law("E + A", ["alpha"]), "parameter 'alpha' is declared but does not occur"),
        (lambda: lf.Law("E + A", (), ["N"]), "variable 'N' is declared but does not occur"),
        (lambda: lf.Law("E + N", ["N"], ["N"]), "both as parameter and as variable: N"),
        (lambda: lf.Parameter("A", "sqrt"), "transform 'sqrt'"),
        (lambda: lf.Parameter("A", bounds=(2.0, 1.0)), "lower bound 2 is above upper bound 1"),
        (lambda: lf.Parameter("A", bounds=(math.nan, 1.0)), "A: lower bound"),
        (lambda: lf.Parameter("A", bounds=3.0), "must be a pair"),
        (lambda: lf.Parameter("A", "log", bounds=(-2.0, 0.0)), "upper bound above 0"),
        (lambda: lf.Law("a * N").predict({"b": 1.0}, {"N": [1.0]}), "a"),
        (lambda: lf.Law("a * N").predict({"a": 1.0}, {"M": [1.0]}), "'N'|\"N\""),
        (lambda: lf.Law("a * N").predict({"a": 1.0, "b": 1.0}, {"N": [1.0]}), "'b' is not"),
        (lambda: lf.protocol("hoffman2022"), "did you mean hoffmann2022"),
        (lambda: lf.datasets.load("nothing"), "simulated_chinchilla"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(lf.InputError, match=text):
        call()


# --- protocols -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", lf.protocols())
def test_every_protocol_is_complete(name: str) -> None:
    protocol = lf.protocol(name)
    assert protocol.name == name
    assert protocol.source.arxiv
    assert protocol.note


def test_the_published_grid() -> None:
    points = lf.protocol("hoffmann2022").starts.points()
    assert {n: len(np.unique(v)) for n, v in points.items()} == {
        "E": 5, "A": 6, "alpha": 5, "B": 6, "beta": 5,
    }  # fmt: skip
    assert len(points["E"]) == 4500
    np.testing.assert_allclose(np.unique(np.log(points["A"])), np.arange(0, 26, 5), atol=1e-14)
    np.testing.assert_allclose(np.unique(np.log(points["E"])), np.arange(-1, 1.1, 0.5), atol=1e-15)
    np.testing.assert_array_equal(np.unique(points["alpha"]), np.arange(0, 2.1, 0.5))
