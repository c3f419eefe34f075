"""Expression tree to program: what is computed per table, per parameter vector and per row.

Three ideas:

* Values are kept as *affine forms* ``offset + sum_k u_k x_k`` with coefficients that do not differ
  between rows; they become one operation, at the grain of a term, only when a value is needed.
* A product of positive factors is computed as the exponential of a sum of logarithms, and the
  logarithm of a sum as a log-sum-exp, so that nothing overflows where the answer is finite.
* An operation whose operands are all columns and constants runs once per table.
"""

from __future__ import annotations

import copyreg
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np

from . import _core
from . import expression as ex
from .calculus import derivative, log_derivative
from .errors import FormulaError
from .expression import MINUS_ONE, ONE, ZERO, Apply, Constant, Coordinate, Node, Variable
from .formula import find, names, parse
from .resolution import column_spans, resolve
from .rewriting import fold, is_power_product, rewrite, signed_terms, uniform_log

__all__ = ["Space", "compile_columns", "compile_law", "evaluate_columns"]

Space = Literal["linear", "log", "logit"]

T = TypeVar("T")


def _take_apart(program: _core.Program) -> tuple[type[_core.Program], tuple[Any, ...]]:
    return _core.Program, (
        program.columns,
        program.parameters,
        program.constants,
        program.data_operations,
        program.uniform_operations,
        program.row_operations,
        program.output,
    )


copyreg.pickle(_core.Program, _take_apart)  # so that other processes can have a compiled law


def compile_law(
    node: Node, *, variables: Sequence[str], parameters: Sequence[str], space: Space = "linear"
) -> _core.Program:
    """Compile a resolved tree.

    Parameters
    ----------
    node : Node
        From `resolution.resolve`.
    variables, parameters : sequence of str
        Order of the program's columns and parameters. Parameters that the tree does not use are
        allowed.
    space : {"linear", "log", "logit"}
        Whether the program gives the value, its logarithm, or its log-odds.
    """
    return _Compiler(variables, parameters).program(node, space)


def compile_columns(node: Node, variables: Sequence[str]) -> _core.Program:
    """Compile a tree whose names are all columns."""
    return compile_law(resolve(node, variables=variables), variables=variables, parameters=())


def evaluate_columns(text: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Evaluate a formula whose names are all columns.

    Parameters
    ----------
    text : str
        The formula; comparisons give 0 and 1.
    columns : mapping of str to ndarray of shape (n,)
        Every name of the formula must be a key.

    Returns
    -------
    ndarray of shape (n,)
    """
    used = names(text)
    missing = [name for name in used if name not in columns]
    if missing:
        raise FormulaError(
            f"there is no column {missing[0]!r}; columns: {', '.join(columns) or 'none'}",
            text,
            find(rf"\b{re.escape(missing[0])}(?!\w)", text),
        )
    arrays = [np.asarray(columns[name], dtype=float) for name in used]
    rows = len(next(iter(columns.values()))) if columns else 1
    spans = column_spans(dict(zip(used, arrays, strict=True)))
    tree = resolve(parse(text), variables=used, spans=spans)
    program = compile_law(tree, variables=used, parameters=())
    return program.values(arrays, rows, np.empty(0))


@dataclass(frozen=True)
class _Id:
    """A value per row: an input column, or the result of a data or row operation."""

    kind: Literal["column", "data", "row"]
    number: int


@dataclass
class _Affine:
    """offset + sum coefficient * id, with offset and coefficients free of columns."""

    offset: Node = ZERO
    terms: dict[_Id, Node] = field(default_factory=dict)

    def plus(self, other: _Affine) -> _Affine:
        terms = dict(self.terms)
        for key, coefficient in other.terms.items():
            terms[key] = ex.add(terms[key], coefficient) if key in terms else coefficient
        return _Affine(ex.add(self.offset, other.offset), terms)

    def times(self, factor: Node) -> _Affine:
        return _Affine(
            ex.multiply(factor, self.offset),
            {key: ex.multiply(factor, c) for key, c in self.terms.items()},
        )


Operation = tuple[str, list[int | _Id]]

_DIRECT_UNARY = frozenset(
    "exp log sqrt log1p expm1 abs tanh sigmoid softplus logit erf normcdf sin cos arctan".split()
)
_COMPARISON_CODE = {
    "lt": ("lt", False),
    "gt": ("lt", True),
    "le": ("le", False),
    "ge": ("le", True),
    "eq": ("eq", False),
    "ne": ("ne", False),
}


class _Compiler:
    def __init__(self, variables: Sequence[str], parameters: Sequence[str]) -> None:
        self.variables = list(variables)
        self.parameters = list(parameters)
        self.constants: list[float] = []
        self.uniform_operations: list[tuple[str, list[int]]] = []
        self.data_operations: list[Operation] = []
        self.row_operations: list[Operation] = []
        self.known_ids: dict[tuple[str, tuple[int | _Id, ...]], _Id] = {}
        self.known_affine: dict[Node, _Affine] = {}
        self.known_log: dict[Node, _Affine] = {}
        self.iterates: list[_Id] = []  # of the equations that are solved
        self.known_solutions: dict[Node, _Id] = {}
        # Uniform operations are numbered from -2 downwards until the constants are counted.
        self.known_slots: dict[Node, int] = {}

    def program(self, node: Node, space: Space) -> _core.Program:
        if space == "log":
            form = self.log_form(node)
        elif space == "logit":
            form = self.logit_form(node)
        else:
            form = self.form(node)
        output = self.value(form)
        if not form.terms:  # a constant law still has one value per row
            output = self.emit("affine", [self.slot_or_none(form.offset, ZERO)])

        first_uniform = len(self.parameters) + len(self.constants)
        first_data = len(self.variables)
        first_row = first_data + len(self.data_operations)

        def number(operand: int | _Id) -> int:
            if isinstance(operand, _Id):
                base = {"column": 0, "data": first_data, "row": first_row}[operand.kind]
                return base + operand.number
            if operand >= _CONSTANT_BASE:
                return len(self.parameters) + operand - _CONSTANT_BASE
            return first_uniform + (-2 - operand) if operand < -1 else operand

        def numbered(operations: Iterable[Operation]) -> list[tuple[str, list[int]]]:
            return [(name, [number(o) for o in operands]) for name, operands in operations]

        return _core.Program(
            self.variables,
            self.parameters,
            self.constants,
            numbered(self.data_operations),
            numbered((name, list(operands)) for name, operands in self.uniform_operations),
            numbered(self.row_operations),
            number(output),
        )

    # --- emission ---------------------------------------------------------------------------------

    def emit(self, name: str, operands: list[int | _Id]) -> _Id:
        """Add an operation, or find it, in the earliest section that it can run in."""
        key = (name, tuple(operands))
        if key not in self.known_ids:
            # The first operand of a logsumexp is a count, not a slot.
            slots = operands[1:] if name == "logsumexp" else operands
            on_data = all(
                o.kind != "row" if isinstance(o, _Id) else o == -1 or o >= _CONSTANT_BASE
                for o in slots
            )
            section = self.data_operations if on_data else self.row_operations
            section.append((name, operands))
            self.known_ids[key] = _Id("data" if on_data else "row", len(section) - 1)
        return self.known_ids[key]

    def value(self, form: _Affine) -> _Id:
        """Make an affine form into one value per row."""
        terms = {key: c for key, c in form.terms.items() if c != ZERO}
        if form.offset == ZERO and len(terms) == 1:
            (key, coefficient), *_ = terms.items()
            if coefficient == ONE:
                return key
        operands: list[int | _Id] = [self.slot_or_none(form.offset, ZERO)]
        for key, coefficient in terms.items():
            number, rest = ex.split_constant(coefficient)
            if number != 1.0 and rest is not None and key.kind != "row":
                # A number in front of a column is multiplied in once per table, so that the
                # coefficient is a bare parameter.
                key = self.emit("affine", [-1, self.slot(Constant(number)), key])
                coefficient = rest
            operands += [self.slot_or_none(coefficient, ONE), key]
        return self.emit("affine", operands)

    def value_of(self, node: Node) -> _Id:
        return self.value(self.form(node))

    def slot_or_none(self, node: Node, absent: Node) -> int:
        return -1 if node == absent else self.slot(node)

    def slot(self, node: Node) -> int:
        """Return the uniform slot of a node without columns."""
        if node not in self.known_slots:
            self.known_slots[node] = self.new_slot(node)
        return self.known_slots[node]

    def new_slot(self, node: Node) -> int:
        if isinstance(node, Constant):
            self.constants.append(node.value)
            return _CONSTANT_BASE + len(self.constants) - 1
        if isinstance(node, Coordinate):
            return self.parameters.index(node.name)
        assert isinstance(node, Apply), node
        f, args = node.function, node.arguments
        if f == "add":
            exponent = ex.one_minus_exp(node)
            if exponent is not None:
                return self.slot(ex.negate(Apply("expm1", (exponent,))))
            return self.uniform("affine", [-1, *_pairs(self.slot(a) for a in args)])
        if f == "neg":
            return self.uniform("affine", [-1, self.slot(MINUS_ONE), self.slot(args[0])])
        if f == "mul":
            return self.uniform("affine", [-1, self.slot(args[0]), self.slot(args[1])])
        if f in ("logaddexp", "logsumexp"):
            return self.uniform("logsumexp", [0, *_pairs(self.slot(a) for a in args)])
        if f in _DIRECT_UNARY:
            return self.uniform(f, [self.slot(args[0])])
        if f in ("div", "pow"):
            return self.uniform(f, [self.slot(args[0]), self.slot(args[1])])
        if f == "where":
            return self.uniform("where", [self.slot(a) for a in args])
        if f in ("min", "max"):
            return self.chain(f, [self.slot(a) for a in args], self.uniform)
        if f in _COMPARISON_CODE:
            code, swap = _COMPARISON_CODE[f]
            slots = [self.slot(a) for a in args]
            return self.uniform(code, slots[::-1] if swap else slots)
        return self.slot(rewrite(node))

    def uniform(self, name: str, operands: list[int]) -> int:
        self.uniform_operations.append((name, operands))
        return -1 - len(self.uniform_operations)

    @staticmethod
    def chain(name: str, operands: Sequence[T], emit: Callable[[str, list[T]], T]) -> T:
        """Apply a binary operation from left to right."""
        result = operands[0]
        for operand in operands[1:]:
            result = emit(name, [result, operand])
        return result

    # --- forms ------------------------------------------------------------------------------------

    def form(self, node: Node) -> _Affine:
        """Return the value of a node as an affine form."""
        if node not in self.known_affine:
            self.known_affine[node] = self.new_form(node)
        return self.known_affine[node]

    def new_form(self, node: Node) -> _Affine:
        if not ex.uses_variables(node):
            return _Affine(fold(node))
        if isinstance(node, _Iterate):
            return _single(self.iterates[node.number])
        if isinstance(node, Variable):
            return _single(_Id("column", self.variables.index(node.name)))
        assert isinstance(node, Apply), node
        f, args = node.function, node.arguments
        if f == "add":
            exponent = ex.one_minus_exp(node)
            if exponent is not None:
                return self.unary("expm1", exponent).times(MINUS_ONE)
            return _sum(self.form(a) for a in args)
        if f == "neg":
            return self.form(args[0]).times(MINUS_ONE)
        if f in ("mul", "div", "pow"):
            return self.product(node)
        if f == "solve":
            solution = self.solution(node)
            return _single(self.emit("exp", [solution]) if ex.is_positive(node) else solution)
        if f == "log":
            return self.log_form(args[0]) if ex.is_positive(args[0]) else self.unary(f, args[0])
        if f in _DIRECT_UNARY:
            return self.unary(f, args[0])
        if f in ("logaddexp", "logsumexp"):
            return self.log_form(Apply("add", tuple(Apply("exp", (a,)) for a in args)))
        if f in ("min", "max"):
            ids = [self.id_of(a) for a in args]
            return _single(self.chain(f, ids, lambda name, pair: self.emit(name, [*pair])))
        if f == "where" or f in _COMPARISON_CODE:
            ids = [self.id_of(a) for a in args]
            if f == "where":
                return _single(self.emit("where", [*ids]))
            code, swap = _COMPARISON_CODE[f]
            return _single(self.emit(code, [*(ids[::-1] if swap else ids)]))
        return self.form(rewrite(node))

    def id_of(self, node: Node) -> _Id:
        """Return any node as one value per row; a number without columns is repeated."""
        if ex.uses_variables(node):
            return self.value_of(node)
        return self.emit("affine", [self.slot(fold(node))])

    def unary(self, name: str, argument: Node) -> _Affine:
        return _single(self.emit(name, [self.value_of(argument)]))

    def product(self, node: Apply) -> _Affine:
        f, (a, b) = node.function, node.arguments
        if f == "mul":
            for uniform, other in ((a, b), (b, a)):
                if not ex.uses_variables(uniform) and not is_power_product(node):
                    return self.form(other).times(fold(uniform))
        if f == "div" and not ex.uses_variables(b) and not is_power_product(node):
            return self.form(a).times(fold(ex.divide(ONE, b)))
        if f == "div" and not ex.uses_variables(a) and a != ONE and not is_power_product(node):
            return self.form(Apply("div", (ONE, b))).times(fold(a))
        if f == "pow":
            exponent = ex.constant_value(fold(b)) if not ex.uses_variables(b) else None
            if exponent == 0.5:
                return self.unary("sqrt", a)
            if exponent is not None and exponent == int(exponent) and 0 < abs(exponent) <= 16:
                power = self.integer_power(self.value_of(a), int(abs(exponent)))
                return _single(self.emit("reciprocal", [power]) if exponent < 0 else power)
        if ex.is_positive(node) and (f == "pow" or is_power_product(node)):
            return _single(self.emit("exp", [self.value(self.log_form(node))]))
        left, right = self.id_of(a), self.id_of(b)
        if f == "div" and a == ONE:
            return _single(self.emit("reciprocal", [right]))
        return _single(self.emit(f, [left, right]))

    def integer_power(self, base: _Id, exponent: int) -> _Id:
        if exponent == 1:
            return base
        half = self.integer_power(base, exponent // 2)
        square = self.emit("mul", [half, half])
        return square if exponent % 2 == 0 else self.emit("mul", [square, base])

    def log_form(self, node: Node) -> _Affine:
        """Return the logarithm of a node as an affine form; NaN in rows where it is negative."""
        if node not in self.known_log:
            self.known_log[node] = self.new_log_form(node)
        return self.known_log[node]

    def new_log_form(self, node: Node) -> _Affine:
        if not ex.uses_variables(node):
            return _Affine(fold(uniform_log(node)))
        if isinstance(node, Apply):
            f, args = node.function, node.arguments
            if f == "exp":
                return self.form(args[0])
            if f == "solve" and ex.is_positive(node):
                return _single(self.solution(node))
            if f == "add" and ex.one_minus_exp(node) is None:
                return self.log_of_sum(node)
            if f in ("mul", "div") and all(ex.is_positive(a) for a in args):
                left, right = (self.log_form(a) for a in args)
                return left.plus(right if f == "mul" else right.times(MINUS_ONE))
            if f == "pow" and ex.is_positive(args[0]):
                return self.scaled(self.log_form(args[0]), args[1])
            if f == "sqrt" and ex.is_positive(args[0]):
                return self.log_form(args[0]).times(Constant(0.5))
            if f in ("min", "max", "where") and all(
                ex.is_positive(a) for a in args[1 if f == "where" else 0 :]
            ):
                logs = tuple(Apply("log", (a,)) for a in args[1 if f == "where" else 0 :])
                return self.form(Apply(f, args[:1] + logs if f == "where" else logs))
            if f == "sigmoid":
                softplus = Apply("softplus", (Apply("neg", (args[0],)),))
                return self.form(softplus).times(MINUS_ONE)
        return _single(self.emit("log", [self.value_of(node)]))

    def scaled(self, form: _Affine, factor: Node) -> _Affine:
        """Multiply a form by any node, term by term."""
        if not ex.uses_variables(factor):
            return form.times(fold(factor))
        other = self.form(factor)
        if len(form.terms) * len(other.terms) > _MOST_PRODUCTS:
            return _single(self.emit("mul", [self.value(form), self.value(other)]))
        result = _Affine(ex.multiply(form.offset, other.offset))
        for key, c in form.terms.items():
            result = result.plus(_Affine(ZERO, {key: ex.multiply(c, other.offset)}))
        for key, c in other.terms.items():
            result = result.plus(_Affine(ZERO, {key: ex.multiply(c, form.offset)}))
        for k1, c1 in form.terms.items():
            for k2, c2 in other.terms.items():
                product = self.emit("mul", [k1, k2])
                result = result.plus(_Affine(ZERO, {product: ex.multiply(c1, c2)}))
        return result

    def log_of_sum(self, node: Node) -> _Affine:
        """Return log(sum of terms) as one log-sum-exp over the logarithms of the terms."""
        fixed: list[int | _Id] = []
        varying: list[int | _Id] = []
        for coefficient, term in signed_terms(node):
            if ex.uses_variables(term):
                if not ex.is_positive(term):
                    total = _sum(self.form(a) for a in ex.addends(node))
                    return _single(self.emit("log", [self.value(total)]))
                varying += [self.slot_or_none(coefficient, ONE), self.value(self.log_form(term))]
            elif ex.is_positive(term):
                exponent = fold(uniform_log(term))
                fixed += [
                    self.slot_or_none(coefficient, ONE),
                    self.slot_or_none(exponent, ZERO),
                ]
            else:
                fixed += [self.slot(fold(ex.multiply(coefficient, term))), -1]
        if not varying:
            return _Affine(fold(uniform_log(node)))
        return _single(self.emit("logsumexp", [len(fixed) // 2, *fixed, *varying]))

    def solution(self, node: Apply) -> _Id:
        """Return the solution of y = body, or its logarithm where the body is positive.

        By Newton's method on t - g(t), t the unknown or its logarithm. Where g is the logarithm of
        a sum of powers, t - g(t) is concave, and with a slope above zero the method converges from
        anywhere. All steps but the last two are taken without derivatives; the last two start at
        the solution and give its first and second derivatives: after k steps from a number that
        does not move, an error of the order d is one of the order d^(2^k).
        """
        if node not in self.known_solutions:
            self.known_solutions[node] = self.new_solution(node)
        return self.known_solutions[node]

    def new_solution(self, node: Apply) -> _Id:
        unknown, body = node.arguments
        in_log = ex.is_positive(body)
        at = self.emit("affine", [self.slot(ZERO)])
        for k in range(_STILL_STEPS + _MOVING_STEPS):
            t = _Iterate(len(self.iterates))
            self.iterates.append(at)
            value = ex.substitute(body, unknown, Apply("exp", (t,)) if in_log else t)
            slope = log_derivative(value, t) if in_log else derivative(value, t)
            if in_log:
                value = Apply("log", (value,))
            distance = ex.add(value, ex.negate(t))
            step: Node = Apply("div", (distance, ex.add(ONE, ex.negate(slope))))
            if k < _STILL_STEPS and in_log:
                step = Apply("max", (Apply("min", (step, Constant(30.0))), Constant(-30.0)))
            at = self.value_of(Apply("add", (t, step)))
            if k < _STILL_STEPS:
                at = self.emit("still", [at])
        # The step before the last one is far below this wherever the equation has been solved.
        limit = ex.multiply(Constant(1e-6), ex.add(ONE, Apply("abs", (t,))))
        solved = Apply("lt", (Apply("abs", (step,)), limit))
        self.iterates.append(at)
        last = _Iterate(len(self.iterates) - 1)
        return self.value_of(Apply("where", (solved, last, Apply("log", (MINUS_ONE,)))))

    def logit_form(self, node: Node) -> _Affine:
        if isinstance(node, Apply) and node.function == "sigmoid":
            return self.form(node.arguments[0])
        if not ex.uses_variables(node):
            return _Affine(Apply("logit", (fold(node),)))
        return _single(self.emit("logit", [self.value_of(node)]))


@dataclass(frozen=True, slots=True)
class _Iterate(Variable):
    """One step's value of an unknown that is solved for."""

    number: int = 0

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "name", f"(step {number})")
        object.__setattr__(self, "positive", False)
        object.__setattr__(self, "number", number)


# Laws of the kinds in use take at most six.
_STILL_STEPS, _MOVING_STEPS = 10, 2

_CONSTANT_BASE = 1 << 20  # slots of constants until the parameters are counted
_MOST_PRODUCTS = 16  # that a product of two affine forms is multiplied out into


def _single(key: _Id) -> _Affine:
    return _Affine(ZERO, {key: ONE})


def _sum(forms: Iterable[_Affine]) -> _Affine:
    total = _Affine()
    for form in forms:
        total = total.plus(form)
    return total


def _pairs(slots: Iterable[int]) -> list[int]:
    return [x for slot in slots for x in (-1, slot)]
