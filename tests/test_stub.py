"""The stub of the compiled core says what the compiled core is."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit
from lawfit import _core
from lawfit import expression as ex
from lawfit.compiler import compile_law
from lawfit.formula import parse
from lawfit.resolution import resolve

STUB = ast.parse((Path(lawfit.__file__).parent / "_core.pyi").read_text())
Arguments = list[tuple[str, bool]]  # name, and whether it may be left out


def arguments(function: ast.FunctionDef) -> Arguments:
    spec = function.args
    assert len(spec.args) == sum(isinstance(n, ast.arg) for n in ast.walk(spec))  # nothing else
    required = len(spec.args) - len(spec.defaults)
    return [(a.arg, i >= required) for i, a in enumerate(spec.args)]


def signature(function: Any) -> Arguments:
    """Return the arguments that pybind11 wrote into a docstring, which is Python's own syntax."""
    first = function.__doc__.strip().split("\n")[0]
    (definition,) = ast.parse(f"def {first}: ...").body
    assert isinstance(definition, ast.FunctionDef)
    return arguments(definition)


def is_property(function: ast.FunctionDef) -> bool:
    return [ast.unparse(d) for d in function.decorator_list] == ["property"]


def is_typed_dict(node: ast.ClassDef) -> bool:
    return [ast.unparse(b) for b in node.bases] == ["TypedDict"]


FUNCTIONS = {n.name: n for n in STUB.body if isinstance(n, ast.FunctionDef)}
CLASSES = {n.name: n for n in STUB.body if isinstance(n, ast.ClassDef) and not is_typed_dict(n)}
TYPED_DICTS = {n.name: n for n in STUB.body if isinstance(n, ast.ClassDef) and is_typed_dict(n)}
VARIABLES = {ast.unparse(n.target) for n in STUB.body if isinstance(n, ast.AnnAssign)}


def public(names: Any) -> set[str]:
    return {n for n in names if not n.startswith("_") or n == "__init__"}


def keys(of: str) -> set[str]:
    return {ast.unparse(n.target) for n in TYPED_DICTS[of].body if isinstance(n, ast.AnnAssign)}


def test_names() -> None:
    assert public(vars(_core)) == {*FUNCTIONS, *CLASSES, *VARIABLES}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    assert arguments(FUNCTIONS[name]) == signature(getattr(_core, name))


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str) -> None:
    stub = {n.name: n for n in CLASSES[name].body if isinstance(n, ast.FunctionDef)}
    compiled = vars(getattr(_core, name))
    assert public(compiled) == set(stub)
    for member, node in stub.items():
        assert isinstance(compiled[member], property) == is_property(node), member
        if not is_property(node):
            assert arguments(node) == signature(compiled[member]), member


def test_every_name_has_a_type() -> None:
    for node in ast.walk(STUB):
        if isinstance(node, ast.FunctionDef):
            assert node.returns is not None
            assert all(a.annotation is not None or a.arg == "self" for a in node.args.args)


def make_objective() -> Any:
    """Return the objective of a * x through three points."""
    tree = resolve(parse("a * x"), variables=["x"])
    program = compile_law(tree, variables=["x"], parameters=["a"])
    return _core.Objective(
        program,
        columns=[np.array([1.0, 2.0, 3.0])],
        target=np.array([2.0, 4.5, 5.5]),
        weight=None,
        sigma=None,
        loss=("squared", 1.0, 1.0, 1.0),
        scale_is_fitted=False,
        log_normaliser=0.0,
        source=[0],
        value=[0.0],
        free_count=1,
        lower=[-np.inf],
        upper=[np.inf],
        typical=[1.0],
    )


def check_array(value: Any, shape: tuple[int, ...], kind: type = np.float64) -> None:
    assert isinstance(value, np.ndarray)
    assert value.shape == shape
    assert value.dtype == kind


def test_results_are_what_the_stub_says() -> None:
    objective = make_objective()
    found = _core.multistart(objective, [[0.0], [5.0]], 1e-20, 100, True, 1, None)
    assert set(found) == keys("MultistartResult")
    check_array(found["x"], (2, 1))
    check_array(found["objective"], (2,))
    check_array(found["decrement"], (2,))
    check_array(found["status"], (2,), np.int32)
    check_array(found["evaluations"], (2,), np.int32)
    assert found["interrupted"] is False
    np.testing.assert_allclose(found["x"], (2.0 + 9.0 + 16.5) / 14.0)

    cases = _core.Resampling("counts", [0, 1, 2], [0, 3])
    check_array(cases.draws(1, 0, 5), (5, 3))
    drawn = _core.bootstrap(objective, cases, found["x"], 0, 5, 1, True, True, 1e-20, 100, 1, None)
    assert set(drawn) == keys("BootstrapResult")
    check_array(drawn["x"], (5, 1))
    check_array(drawn["objective"], (5,))
    check_array(drawn["status"], (5,), np.int32)
    check_array(drawn["evaluations"], (5,), np.int32)
    check_array(drawn["warm_start_was_beaten"], (5,), np.bool_)
    check_array(drawn["followed"], (5,), np.bool_)
    check_array(drawn["rows_used"], (5,), np.int32)
    check_array(drawn["undetermined"], (5, 1), np.bool_)
    check_array(drawn["covariance"], (5, 1, 1))
    check_array(drawn["own_covariance"], (1, 1))
    assert isinstance(drawn["other_evaluations"], int)
    assert drawn["claims_failed"] is False
    assert drawn["interrupted"] is False


def test_grids_are_what_the_stub_says() -> None:
    program = compile_law(resolve(parse("x + 1"), variables=["x"]), variables=["x"], parameters=[])
    formula = (program, np.empty(0))
    found = _core.grid_search(
        ["x", "y"], [[1.0, 2.0], [3.0]], formula, [formula], False, 3, [[0], [1, 0]], 1, None
    )
    assert set(found) == keys("GridResult")
    for values, cells in [found["top"], *found["along"]]:
        check_array(values, (2,))
        check_array(cells, (2,), np.int64)
    assert (found["cells"], found["feasible"], found["undefined"]) == (2, 2, 0)
    assert found["interrupted"] is False


def test_followed_plans_are_what_the_stub_says() -> None:
    """Minimise (a - x)**2, x from 0."""
    tree = ex.Apply("add", (ex.Variable("x"), ex.Coordinate("x")))
    away = ex.Apply("add", (ex.Variable("a"), ex.Apply("neg", (tree,))))
    program = compile_law(ex.Apply("mul", (away, away)), variables=["x", "a"], parameters=["x"])
    found = _core.follow(
        ["x"], [program], [], [("a", [0.25, 0.5])], 2, [], [[0.0, 0.1]], [-1.0], [1.0], [True], [],
        [0, 0], 1, 1, None,
    )  # fmt: skip
    assert set(found) == keys("FollowResult")
    check_array(found["best"], (2,), np.int64)
    check_array(found["objective"], (2,))
    check_array(found["x"], (2, 1, 1))
    check_array(found["unsettled"], (0,), np.int64)
    np.testing.assert_allclose(found["x"].ravel(), [0.25, 0.5])
    assert isinstance(found["evaluations"], int)
    assert found["interrupted"] is False
    with pytest.raises(ValueError, match='there is no column "a"'):
        _core.follow(["x"], [program], [], [], 2, [], [[0.0]], [-1.0], [1.0], [True], [], [0], 1, 1,
                     None)  # fmt: skip


def test_objectives_are_what_the_stub_says() -> None:
    objective = make_objective()
    assert (objective.dimension, objective.rows) == (1, 3)
    value = objective.value([2.0])
    assert value == pytest.approx(0.25)
    again, *derivatives = objective.derivatives([2.0])
    assert again == value
    for array, shape in zip(derivatives, [(1,), (1, 1), (1, 1)], strict=True):
        check_array(array, shape)
    check_array(objective.hessian([2.0]), (1, 1))
    check_array(objective.values_at([[1.0], [2.0]]), (2,))
    points, promise = objective.screen([[1.0], [2.0]])
    check_array(points, (2, 1))
    check_array(promise, (2,))
    check_array(objective.choose_levels([[1.0], [2.0]]), (2, 1))


def test_programs_and_facts_are_what_the_stub_says() -> None:
    tree = resolve(parse("E + A / N**alpha"), variables=["N"], log_parameters=["E", "A"])
    program = compile_law(tree, variables=["N"], parameters=["E", "A", "alpha"], space="log")
    assert program.columns == ["N"]
    assert program.parameters == ["E", "A", "alpha"]
    assert all(isinstance(c, float) for c in program.constants)
    for section in (program.data_operations, program.uniform_operations, program.row_operations):
        for name, operands in section:
            assert isinstance(name, str)
            assert all(isinstance(o, int) for o in operands)
    assert isinstance(program.output, int)
    columns, at = [np.array([1e6, 1e9])], [0.5, 6.0, 0.3]
    check_array(program.values(columns, 2, at), (2,))
    values, jacobian = program.values_and_jacobian(columns, 2, at)
    check_array(values, (2,))
    check_array(jacobian, (2, 3))

    facts = _core.info()
    assert set(facts) == keys("Info")
    assert facts["instruction_set"] in facts["instruction_sets"]
    assert isinstance(facts["openmp"], bool)
    assert facts["threads"] >= 1
    assert _core.select_instruction_set("none of these") is False
    for name, succeeded, sentence in _core.statuses:
        assert name.isidentifier()
        assert isinstance(succeeded, bool)
        assert sentence
