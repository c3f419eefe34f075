"""A formula on a table: its values, and its derivatives by dual numbers."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lawfit.errors import FormulaError, InputError
from lawfit.reference.dual import FUNCTIONS, LONG, Array, Dual, select

Params = Mapping[str, Any]
Columns = Mapping[str, npt.ArrayLike]

_ARITHMETIC: dict[type[ast.operator], Callable[[Dual, Dual], Dual]] = {
    ast.Add: Dual.__add__,
    ast.Sub: Dual.__sub__,
    ast.Mult: Dual.__mul__,
    ast.Div: Dual.__truediv__,
    ast.Pow: Dual.__pow__,
}

_COMPARISONS: dict[type[ast.cmpop], np.ufunc] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


class Walker:
    """One formula on one table: walks the syntax tree and evaluates every node it allows."""

    def __init__(
        self, formula: str, params: Params, columns: Columns, names: Sequence[str]
    ) -> None:
        self.formula, self.params, self.names = formula, params, list(names)
        self.columns = {name: np.asarray(column) for name, column in columns.items()}
        shapes = {column.shape for column in self.columns.values()} or {(1,)}
        if len(shapes) > 1 or len(min(shapes)) != 1:
            raise InputError(f"columns must be one-dimensional and equally long, got {shapes}")
        self.n = min(shapes)[0]
        self.source = re.sub(r"\s", " ", formula).lstrip()  # one character stays one character
        self.bound: dict[str, Dual] = {}  # names that get their value within the formula
        self.unknown = ""
        if equation := re.match(r"(\w+) *=(?!=)", self.source):
            self.unknown = equation[1]
            self.source = " " * equation.end() + self.source[equation.end() :]

    def run(self) -> Dual:
        """Evaluate the whole formula, or solve it if it is an equation."""
        if strange := re.search("[#\0\ud800-\udfff]", self.source):
            raise self.error("not a character of the formula language", strange.start())
        try:
            body = ast.parse(f"({self.source[1:]})" if self.unknown else self.source, mode="eval")
            return self.solve(body.body) if self.unknown else self.walk(body.body)
        except SyntaxError as error:
            place = error.offset - 1 if error.offset else len(self.source)
            raise self.error(f"not a formula: {error.msg}", place) from None
        except (RecursionError, MemoryError):
            raise self.error("the formula is nested too deeply", 0) from None

    def error(self, reason: str, where: ast.expr | int) -> FormulaError:
        """Return the error that points to an expression or a character."""
        if isinstance(where, ast.expr):  # ast counts UTF-8 bytes
            where = len(self.source.encode()[: where.col_offset].decode())
        position = len(self.formula) - len(self.source) + where
        return FormulaError(reason, self.formula, min(max(position, 0), len(self.formula)))

    def solve(self, body: ast.expr) -> Dual:
        """Solve unknown = body by bisection; positive solutions if the body is positive at 1.

        The derivative is that of the implicit function, body_k / (1 - body_unknown).
        """

        def excess(t: Array) -> Array:  # body - unknown, of the sign of the slope of t at the root
            y = np.exp(t) if positive else t
            self.bound[self.unknown] = self.constant(y)
            value = self.walk(body).value
            return np.asarray(np.log(value) - t if positive else value - y)

        self.bound[self.unknown] = self.constant(1.0)
        positive = bool((self.walk(body).value > 0).all())
        low, high = self.constant(-1.0).value, self.constant(1.0).value
        for _ in range(20):
            low = np.where(excess(low) < 0, 2 * low, low)
            high = np.where(excess(high) > 0, 2 * high, high)
        bracketed = (excess(low) >= 0) & (excess(high) <= 0)
        for _ in range(90):
            middle = (low + high) / 2
            up = excess(middle) > 0
            low, high = np.where(up, middle, low), np.where(up, high, middle)
        root = np.where(bracketed, (low + high) / 2, LONG(math.nan))
        y = np.exp(root) if positive else root
        directions = np.zeros((self.n, len(self.names) + 1), LONG)
        directions[:, -1] = 1
        outer, self.names = self.names, [*self.names, "="]  # no parameter has this name
        self.bound[self.unknown] = Dual(y, directions)
        slopes = self.walk(body).tangent
        self.names = outer
        return Dual(y, slopes[:, :-1] / (1 - slopes[:, -1:]))

    def series(self, name: str, generator: ast.GeneratorExp, node: ast.expr) -> Dual:
        """Add or multiply over the whole numbers in range(first, end), row by row."""
        total = self.constant(0.0 if name == "sum" else 1.0)
        match generator.generators:
            case [
                ast.comprehension(
                    target=ast.Name(id=index), iter=ast.Call(func=ast.Name(id="range"), args=ends)
                )
            ] if 1 <= len(ends) <= 2 and index not in self.bound:
                first = self.walk(ends[0]).value if len(ends) == 2 else self.constant(0.0).value
                end = self.walk(ends[-1]).value
            case _:
                raise self.error(f"{name} needs one index in a range", node)
        for i in range(math.ceil(first.min()), math.ceil(end.max())):
            self.bound[index] = self.constant(i)
            term = self.walk(generator.elt)
            more = total + term if name == "sum" else total * term
            total = select((first <= i) & (i < end), more, total)
            del self.bound[index]
        return total

    def constant(self, value: npt.ArrayLike) -> Dual:
        """Return a number or a column, which no parameter moves."""
        values = np.broadcast_to(np.asarray(value, LONG), (self.n,))
        return Dual(values, np.zeros((self.n, len(self.names)), LONG))

    def parameter(self, name: str, node: ast.expr) -> Dual:
        """Return a parameter, which moves along its own direction if it is one of `names`."""
        if name not in self.params:
            raise self.error(f"{name!r} is neither a column nor a parameter", node)
        dual = self.constant(self.params[name])
        if name in self.names:
            dual.tangent[:, self.names.index(name)] = 1
        return dual

    def per_level(self, stem: str, column: str, node: ast.expr) -> Dual:
        """Return, row by row, the parameter of the level that the column has there."""
        if column not in self.columns:
            raise self.error(f"{column!r} is not a column", node)
        levels = np.array([str(level) for level in self.columns[column].tolist()])
        result = self.constant(math.nan)
        for level in np.unique(levels).tolist():
            result = select(levels == level, self.parameter(f"{stem}[{level}]", node), result)
        return result

    def call(self, name: str, arguments: Sequence[ast.expr], node: ast.expr) -> Dual:
        """Apply a function of the formula language."""
        if name not in FUNCTIONS:
            raise self.error(f"unknown function {name!r}", node)
        function, fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            wanted = f"{fewest}" if fewest == most else f"at least {fewest}"
            raise self.error(f"{name} takes {wanted} arguments, not {len(arguments)}", node)
        return function(*[self.walk(argument) for argument in arguments])

    def walk(self, node: ast.expr) -> Dual:
        """Evaluate a node of the syntax tree."""
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return self.constant(float(repr(number)))  # a huge whole number becomes inf
            case ast.Name(id=name) if name in self.bound:
                return self.bound[name]
            case ast.Name(id=name):
                if name not in self.columns:
                    return self.parameter(name, node)
                if self.columns[name].dtype.kind not in "biuf":
                    raise self.error(f"column {name!r} does not hold numbers", node)
                return self.constant(self.columns[name])
            case ast.Subscript(value=ast.Name(id=stem), slice=ast.Name(id=column)):
                return self.per_level(stem, column, node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.walk(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return -self.walk(node.operand)
            case ast.UnaryOp(op=ast.Not()):
                return self.constant(self.walk(node.operand).value == 0)
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                return _ARITHMETIC[type(node.op)](self.walk(node.left), self.walk(node.right))
            case ast.BoolOp():
                truths = [self.walk(part).value != 0 for part in node.values]
                combine = np.all if isinstance(node.op, ast.And) else np.any
                return self.constant(combine(truths, axis=0))
            case ast.Compare() if all(type(op) in _COMPARISONS for op in node.ops):
                values = [self.walk(part).value for part in (node.left, *node.comparators)]
                links = zip(node.ops, values[:-1], values[1:], strict=True)
                truths = [_COMPARISONS[type(op)](a, b) for op, a, b in links]
                return self.constant(np.all(truths, axis=0))
            case ast.Call(func=ast.Name(id="sum" | "prod" as name), args=[ast.GeneratorExp() as g]):
                return self.series(name, g, node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(name, arguments, node)
        raise self.error(f"{type(node).__name__} is not part of the formula language", node)


def evaluate(formula: str, params: Params, columns: Columns) -> Array:
    """Evaluate a formula on every row.

    Parameters
    ----------
    formula : str
        Text in the formula language.
    params : mapping of str to float
        Parameters in natural units; ``"E[level]"`` serves ``E[family]`` where family is level.
    columns : mapping of str to array, each of shape (n,)
        Columns go before parameters of the same name. Without columns n is 1.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    FormulaError
        Unknown syntax, name, function or number of arguments, at the start of that expression.
    InputError
        Columns of different lengths.
    """
    return evaluate_with_gradient(formula, params, columns, ())[0]


def evaluate_with_gradient(
    formula: str, params: Params, columns: Columns, names: Sequence[str]
) -> tuple[Array, Array]:
    """Evaluate a formula and its derivatives along the natural parameters `names`.

    Arguments and errors are those of `evaluate`.

    Returns
    -------
    values : ndarray, shape (n,)
    jacobian : ndarray, shape (n, len(names))
    """
    with np.errstate(all="ignore"):
        dual = Walker(formula, params, columns, names).run()
        return dual.value.astype(float), dual.tangent.astype(float)
