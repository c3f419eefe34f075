"""Laws: the catalogue is complete and recovers itself; what is inferred; what is refused."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit import reference
from lawfit.compiler import compile_law
from lawfit.formula import parse
from lawfit.law import scale_factors
from lawfit.laws import bnsl, data_filtering, data_mixing, sloth, themes
from lawfit.resolution import resolve

CATALOGUE = lf.laws()
# Every set of coefficients: the published ones, and the examples of laws that have none.
SETS = [(name, p.name) for name in CATALOGUE for p in lf.law(name).published]
SETS += [(name, None) for name in CATALOGUE if not lf.law(name).published]
BITS = ("P_w", "P_a", "P_kv", "P_post")

KUMAR = lf.law("precision-shifted").coefficients()
WITHOUT_SHIFTS = {k: v for k, v in KUMAR.items() if not k.startswith("n_")}


def columns_for(law: lf.Law, rows: int = 150) -> dict[str, np.ndarray]:
    """Draw the variables in the ranges that the source trained in."""
    rng = np.random.default_rng(1)
    drawn = {v.name: v.draw(rows, rng) for v in law.declared_variables or ()}
    groups = law.groups.values()
    return {n: column if n in groups else column.astype(float) for n, column in drawn.items()}


def written_out(law: lf.Law) -> dict[str, lf.Parameter]:
    """Return the parameters by name, those of groups once for every level in the source."""
    levels = {v.name: v.levels for v in law.declared_variables or ()}
    return {
        name: p
        for p in law.parameters
        for name in (
            [f"{p.name}[{level}]" for level in levels[law.groups[p.name]] or ()]
            if p.name in law.groups
            else [p.name]
        )
    }


def segments(law: lf.Law, columns: dict[str, Any]) -> Iterator[tuple[Any, list[str]]]:
    """Yield rows with the same level of every group, and the names of their parameters."""
    groups = sorted(set(law.groups.values()))
    rows = range(len(next(iter(columns.values()))))
    levels = [tuple(columns[g][i] for g in groups) for i in rows]
    for key in sorted(set(levels)):
        level = dict(zip(groups, key, strict=True))
        names = [
            f"{p.name}[{level[law.groups[p.name]]}]" if p.name in law.groups else p.name
            for p in law.parameters
        ]
        yield np.array([i for i in rows if levels[i] == key]), names


# --- the catalogue ---------------------------------------------------------------------------


def test_names() -> None:
    assert {"chinchilla", "kaplan", "power-law", "precision"} <= set(CATALOGUE)
    assert len(CATALOGUE) >= 200
    for name in CATALOGUE:
        assert lf.law(name).name == name
        assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)*", name)
    with pytest.raises(lf.InputError, match=r"did you mean chinchilla\?"):
        lf.law("Chinchilla")


def test_every_law_has_one_theme() -> None:
    assert [name for theme in themes() for name in lf.laws(theme)] == list(CATALOGUE)
    assert len(set(CATALOGUE)) == len(CATALOGUE)
    assert all(re.fullmatch(r"Laws .+\.", about) for about in themes().values())
    with pytest.raises(lf.InputError, match="no theme 'density'; known: dense, "):
        lf.laws("density")


def test_no_law_stands_there_twice() -> None:
    laws = [lf.law(name) for name in CATALOGUE]
    same = Counter((law.source.title, law.formula, law.target) for law in laws)
    assert [key for key, n in same.items() if n > 1] == []


def test_a_paper_is_cited_in_one_way() -> None:
    sources = [lf.law(name).source for name in CATALOGUE]
    papers = {(s.title, s.arxiv, s.year) for s in sources}
    assert len(papers) == len({s.title for s in sources}) == len({s.arxiv for s in sources})
    for title, arxiv, year in papers:
        assert title == title.strip()
        assert re.fullmatch(r"\d{4}\.\d{5}", arxiv)
        assert year is not None
        assert 0 <= year - (2000 + int(arxiv[:2])) <= 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_is_complete(name: str) -> None:
    law = lf.law(name)
    assert law.source.title
    assert law.source.equation
    assert law.target.isidentifier()
    assert law.target not in law.variables
    assert law.declared_variables
    # Where a number of the example comes from, and what was not checked.
    assert law.published or (law.example and law.notes)
    assert law.verified or law.notes
    for variable in law.declared_variables:
        assert variable.description
        assert (variable.span is None) != (variable.levels is None)
    # Nothing is left to inference, in any table.
    declared = {p.name for p in law.declared_parameters}
    assert declared == {p.name for p in law.parameters_in(["nothing"])}
    columns = {*law.variables, *law.groups.values()}
    assert columns == {v.name for v in law.declared_variables}
    for variable in law.declared_variables:
        is_group = variable.name in law.groups.values()
        assert is_group == all(isinstance(level, str) for level in variable.levels or (0,))
    for parameter in law.parameters:
        assert parameter.description
        assert parameter.start is not None
        low, high = parameter.start
        assert parameter.bounds[0] <= low < high <= parameter.bounds[1]
        assert low > 0 or parameter.transform == "identity"
    for entry in law.published:
        assert entry.where
        assert entry.units
    assert len({p.name for p in law.published}) == len(law.published)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_compiles_in_every_space(name: str) -> None:
    law = lf.law(name)
    parameters = [p.name for p in law.parameters]
    logs = {p.name for p in law.parameters if p.transform == "log"}
    tree = resolve(
        law.tree,
        variables=law.variables,
        log_parameters=logs,
        positive={*law.variables, *(p.name for p in law.parameters if p.positive)},
    )
    for space in ("linear", "log", "logit"):
        program = compile_law(tree, variables=law.variables, parameters=parameters, space=space)
        assert list(program.columns) == list(law.variables)
        assert program.disassemble()


@pytest.mark.parametrize(("name", "which"), SETS)
def test_every_set_agrees_with_the_twin(name: str, which: str | None) -> None:
    law = lf.law(name)
    params, columns = law.coefficients(which), columns_for(law)
    parameters = written_out(law)
    assert set(params) == set(parameters)
    for n, parameter in parameters.items():
        assert parameter.bounds[0] <= params[n] <= parameter.bounds[1]
    value = law.predict(params, columns)
    assert np.isfinite(value).all()
    assert value.std() > 0
    if law.target == "loss":
        assert value.min() > 0
    twin, jacobian = reference.evaluate_with_gradient(law.formula, params, columns, list(params))
    spread = twin.std()
    np.testing.assert_allclose(value, twin, rtol=1e-12, atol=1e-12 * spread)

    names, logs = list(params), {n for n, p in parameters.items() if p.transform == "log"}
    numbers = {n: column for n, column in columns.items() if n in law.variables}
    tree = resolve(
        law.tree,
        variables=law.variables,
        log_parameters={p.name for p in law.parameters if p.transform == "log"},
        positive={n for n, column in numbers.items() if (column > 0).all()},
    )
    stems = [p.name for p in law.parameters]
    program = compile_law(tree, variables=law.variables, parameters=stems)
    seen = set()
    for rows, here in segments(law, columns):  # the program has the parameters of one level
        x = [math.log(params[n]) if n in logs else params[n] for n in here]
        table = [column[rows] for column in numbers.values()]
        got, slopes = program.values_and_jacobian(table, len(rows), x)
        np.testing.assert_allclose(got, twin[rows], rtol=1e-12, atol=1e-12 * spread)
        for j, n in enumerate(here):
            slope = jacobian[:, names.index(n)] * (params[n] if n in logs else 1.0)  # p df/dp
            scale = np.abs(slope).max()
            assert scale > 0, f"{n} changes nothing"
            np.testing.assert_allclose(
                slopes[:, j], slope[rows], rtol=1e-10, atol=1e-11 * scale, err_msg=n
            )
        seen |= set(here)
    assert seen == set(names)


def test_published_values_by_hand() -> None:
    # Hoffmann et al.: Chinchilla itself, 70e9 parameters on 1.4e12 tokens.
    chinchilla = lf.law("chinchilla")
    loss = chinchilla.predict(chinchilla.coefficients("hoffmann2022"), {"N": [70e9], "D": [1.4e12]})
    assert loss[0] == pytest.approx(1.69 + 406.4 / 70e9**0.34 + 410.7 / 1.4e12**0.28, rel=1e-13)
    assert loss[0] == pytest.approx(1.937, abs=1e-3)
    # Kaplan et al.: with unlimited data, L(N) = (6.4e13 / N)**0.076.
    kaplan = lf.law("kaplan")
    loss = kaplan.predict(kaplan.coefficients("kaplan2020"), {"N": [1e9], "D": [1e30]})
    assert loss[0] == pytest.approx((6.4e13 / 1e9) ** 0.076, rel=1e-9)


def test_the_precision_laws_agree_where_they_should() -> None:
    runs = columns_for(lf.law("precision"))
    loss = lf.law("precision").predict(WITHOUT_SHIFTS, runs)
    shifted = lf.law("precision-shifted").predict({**KUMAR, "n_w": 0, "n_a": 0, "n_kv": 0}, runs)
    np.testing.assert_allclose(loss, shifted, rtol=1e-13)
    law = lf.law("precision-training")
    np.testing.assert_array_less(law.predict(law.coefficients(), runs), loss)
    # At many bits all that is left is the law of Chinchilla.
    many = {**runs, **{v: np.full(150, 1e3) for v in BITS}}
    dense = lf.law("chinchilla").predict(
        {n: KUMAR[n] for n in ("E", "A", "B", "alpha", "beta")}, many
    )
    np.testing.assert_allclose(lf.law("precision").predict(WITHOUT_SHIFTS, many), dense, rtol=1e-13)


# --- recovery --------------------------------------------------------------------------------

# Laws whose runs do not tell their coefficients apart, even without noise; their notes say why.
NOT_IDENTIFIED = {"distillation-nested", "wukong"}
# What the notes say to fix, as otherwise other coefficients trade off with it.
FIXED = {
    "effective-parameters-by-format": ["eff[bf16]"],
    "sloth-1": ["Lambda_1[MMLU]", "alpha_1[Llama-2]"],
    "sloth-3": [
        *(f"Lambda_{k}[{b}]" for k in (1, 2, 3) for b in ("MMLU", "GSM8K", "HellaSwag")),
        *(f"alpha_{k}[Llama-2]" for k in (1, 2, 3)),
    ],
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_recovers_its_own_coefficients(name: str) -> None:
    """Simulated targets carry 53 bits, so that conditioning alone limits what comes back.

    Log A and alpha, or gamma and n, trade off along a valley in which one unit of rounding moves
    them by 1e-13 to 1e-11. The tolerance leaves a factor of 1,000.
    """
    law = lf.law(name)
    params = law.coefficients()
    runs = law.simulate(200, noise=0.0, rng=1)
    exact = runs.numbers(law.target)
    space = "log" if (exact > 0).all() else "linear"
    fixed = {n: params[n] for n in FIXED.get(name, ())}
    fit = lf.fit(law, runs, residual=space, starts=12, fixed=fixed)
    assert set(fit.params) == set(params)
    # Rounding of the target can keep the objective from zero, and then no step lowers it.
    assert fit.status in ("exact", "converged", "stalled")
    np.testing.assert_allclose(fit.predict(runs), exact, rtol=1e-11, atol=1e-11 * exact.std())
    if name not in NOT_IDENTIFIED:
        for n, value in params.items():
            assert fit.params[n] == pytest.approx(value, rel=1e-8, abs=0.0 if value else 1e-12), n


@pytest.mark.parametrize("name", sorted({*NOT_IDENTIFIED, *FIXED}))
def test_the_notes_say_what_is_not_identified(name: str) -> None:
    assert "identif" in lf.law(name).notes.lower()


def test_recovery_with_the_exponents_tied_as_in_the_source() -> None:
    law = lf.law("precision-training")
    runs = law.simulate(150, noise=0.0, rng=1)
    fit = lf.fit(law, runs, tied=[("alpha", "beta")], starts=12)
    assert fit.params == pytest.approx(law.coefficients(), rel=1e-9)


# --- families --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "law", [bnsl(0), bnsl(4), data_mixing(1), data_mixing(7), data_filtering(3), sloth(2)], ids=str
)
def test_members_of_families_simulate(law: lf.Law) -> None:
    runs = law.simulate(50, noise=0.0)
    assert np.isfinite(runs.numbers(law.target)).all()
    assert set(written_out(law)) == set(law.coefficients())
    assert law.name not in CATALOGUE


def test_families_hold_one_another() -> None:
    # A break of no change is none.
    x = {"x": np.geomspace(1e3, 1e9, 50)}
    one = lf.law("bnsl-1").coefficients()
    two = {**one, "c2": 0.0, "d2": 1e7, "f2": 0.5}
    np.testing.assert_allclose(bnsl(2).predict(two, x), bnsl(1).predict(one, x), rtol=1e-14)
    # A domain of no share is none.
    shares = {"r_1": np.linspace(0, 1, 9), "r_2": np.linspace(1, 0, 9), "r_3": np.zeros(9)}
    three = lf.law("data-mixing-3").coefficients()
    two = {n: v for n, v in three.items() if n != "t_3"}
    np.testing.assert_allclose(
        data_mixing(3).predict(three, shares), data_mixing(2).predict(two, shares), rtol=1e-14
    )
    # Epochs that no run reaches change nothing.
    columns = {"n": np.geomspace(3e7, 1.2e8, 30), "pool": np.full(30, 3.2e7)}
    params = lf.law("data-filtering").coefficients()
    np.testing.assert_allclose(
        data_filtering(4).predict(params, columns), data_filtering(9).predict(params, columns)
    )


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
        (lambda: bnsl(-1), "cannot have -1 breaks"),
        (lambda: data_mixing(0), "cannot have 0 domains"),
        (lambda: data_filtering(0), "cannot have 0 epochs"),
        (lambda: sloth(0), "cannot have 0 skills"),
        (lambda: lf.protocol("hoffman2022"), "did you mean hoffmann2022"),
        (lambda: lf.datasets.load("nothing"), "simulated_chinchilla"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(lf.InputError, match=text):
        call()
