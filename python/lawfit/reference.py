"""The slow NumPy twin of the engine: formulas, gradients, objectives and minima, for tests.

Nothing here is fast and nothing is shared with the C++ engine, so an agreement between the
two is evidence. Derivatives come from forward-mode dual numbers, arithmetic is in
``np.longdouble`` (80 bits on x86, plain double on some other machines) and results are
rounded to float64 at the end.

Conventions
-----------
* ``abs`` has slope 0 at 0; ``min`` and ``max`` follow their first argument on ties.
* A condition is 0 or 1 and has derivative 0; any value other than 0 counts as true.
* ``where`` takes values and derivatives from the chosen branch only.
* A constant has derivative 0 even through an infinite slope, and a function that is flat at
  an infinite argument stays flat, so ``B / D**beta`` has derivative 0 at ``D = inf``.
* ``x**b`` has derivative 0 along ``b`` where ``x**b`` is 0, at ``0**0``, and where ``x`` is
  negative (defined at whole ``b`` only; at any other ``b`` value and derivative are nan).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lawfit.errors import FitError, FormulaError, InputError
from lawfit.reference_losses import LossSpec, log_normaliser, loss_functions, tail

__all__ = [
    "evaluate",
    "evaluate_with_gradient",
    "gauss_newton_matrix",
    "grid_search",
    "log_normaliser",
    "loss_functions",
    "minimise",
    "objective",
    "objective_gradient",
    "tail",
]

Array = npt.NDArray[Any]  # of longdouble inside this file, of float64 where it is returned
Params = Mapping[str, Any]
Columns = Mapping[str, npt.ArrayLike]

_LONG = np.longdouble
_LN2, _LN10, _PI = np.log(_LONG(2)), np.log(_LONG(10)), 4 * np.arctan(_LONG(1))
_ROUNDING = np.finfo(_LONG).eps
_LEAST_DAMPING, _MOST_DAMPING = 1e-20, 1e8


# ---- Dual numbers ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Dual:
    """Values on n rows with their derivatives along p directions.

    Attributes
    ----------
    value : ndarray of longdouble, shape (n,)
    tangent : ndarray of longdouble, shape (n, p)
    """

    value: Array
    tangent: Array

    def times(self, slope: Array) -> Array:
        """Return slope * tangent, shape (n, p): the chain rule, without 0 * inf = nan.

        The product is 0 where the tangent is 0 (nothing moves) and where the slope is 0 at
        an infinite value (a flat tail).
        """
        still = (self.tangent == 0) | ((slope == 0) & np.isinf(self.value))[:, None]
        return np.where(still, _LONG(0), slope[:, None] * self.tangent)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent)

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.tangent + other.tangent)

    def __sub__(self, other: Dual) -> Dual:
        return Dual(self.value - other.value, self.tangent - other.tangent)

    def __mul__(self, other: Dual) -> Dual:
        product = self.value * other.value
        return Dual(product, self.times(other.value) + other.times(self.value))

    def __truediv__(self, other: Dual) -> Dual:
        quotient = self.value / other.value
        return Dual(quotient, self.times(1 / other.value) - other.times(quotient / other.value))

    def __pow__(self, other: Dual) -> Dual:
        x, b = self.value, other.value
        power = x**b
        along_x = np.where(b == 0, _LONG(0), b * x ** (b - 1))
        flat = (power == 0) | ((x == 0) & (b == 0)) | ((x < 0) & ~np.isnan(power))
        along_b = np.where(flat, _LONG(0), power * np.log(x))
        return Dual(power, self.times(along_x) + other.times(along_b))


def _select(condition: Array, yes: Dual, no: Dual) -> Dual:
    return Dual(
        np.where(condition, yes.value, no.value),
        np.where(condition[:, None], yes.tangent, no.tangent),
    )


def _extreme(keeps: np.ufunc) -> Callable[..., Dual]:
    def choose(first: Dual, *others: Dual) -> Dual:
        for other in others:
            kept = keeps(first.value, other.value) | np.isnan(first.value)
            first = _select(kept, first, other)
        return first

    return choose


def _logsumexp(*terms: Dual) -> Dual:
    values = np.stack([term.value for term in terms])
    top = values.max(axis=0)
    shift = np.where(np.isfinite(top), top, _LONG(0))
    parts = np.exp(values - shift)
    total = parts.sum(axis=0)
    tangents = [term.times(part / total) for term, part in zip(terms, parts, strict=True)]
    return Dual(shift + np.log(total), np.sum(tangents, axis=0))


def _sigmoid(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


_erf = np.vectorize(math.erf, otypes=[_LONG])
_erfc = np.vectorize(math.erfc, otypes=[_LONG])

# name -> (y(x), slope(x, y))
_SMOOTH: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "exp": (np.exp, lambda x, y: y),
    "log": (np.log, lambda x, y: 1 / x),
    "log2": (np.log2, lambda x, y: 1 / (x * _LN2)),
    "log10": (np.log10, lambda x, y: 1 / (x * _LN10)),
    "log1p": (np.log1p, lambda x, y: 1 / (1 + x)),
    "expm1": (np.expm1, lambda x, y: np.exp(x)),
    "sqrt": (np.sqrt, lambda x, y: 1 / (2 * y)),
    "abs": (np.abs, lambda x, y: np.sign(x)),
    "tanh": (np.tanh, lambda x, y: np.cosh(x) ** _LONG(-2)),
    "sigmoid": (_sigmoid, lambda x, y: y * _sigmoid(-x)),
    "logit": (lambda x: np.log(x) - np.log1p(-x), lambda x, y: 1 / (x * (1 - x))),
    "softplus": (lambda x: np.logaddexp(_LONG(0), x), lambda x, y: _sigmoid(x)),
    "erf": (_erf, lambda x, y: np.exp(-(x**2)) * 2 / np.sqrt(_PI)),
    "normcdf": (
        lambda x: _erfc(-x / np.sqrt(_LONG(2))) / 2,
        lambda x, y: np.exp(-(x**2) / 2) / np.sqrt(2 * _PI),
    ),
    "sin": (np.sin, lambda x, y: np.cos(x)),
    "cos": (np.cos, lambda x, y: -np.sin(x)),
    "arctan": (np.arctan, lambda x, y: 1 / (1 + x**2)),
}


def _smooth(name: str, x: Dual) -> Dual:
    function, slope = _SMOOTH[name]
    y = function(x.value)
    return Dual(y, x.times(slope(x.value, y)))


# name -> (function of duals, fewest arguments, most arguments)
_FUNCTIONS: dict[str, tuple[Callable[..., Dual], int, float]] = {
    **{name: (partial(_smooth, name), 1, 1) for name in _SMOOTH},
    "min": (_extreme(np.less_equal), 2, math.inf),
    "max": (_extreme(np.greater_equal), 2, math.inf),
    "pow": (Dual.__pow__, 2, 2),
    "logaddexp": (_logsumexp, 2, 2),
    "logsumexp": (_logsumexp, 1, math.inf),
    "where": (lambda condition, yes, no: _select(condition.value != 0, yes, no), 3, 3),
}

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


# ---- Formulas ----------------------------------------------------------------------------


class _Walker:
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
        root = np.where(bracketed, (low + high) / 2, _LONG(math.nan))
        y = np.exp(root) if positive else root
        directions = np.zeros((self.n, len(self.names) + 1), _LONG)
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
            total = _select((first <= i) & (i < end), more, total)
            del self.bound[index]
        return total

    def constant(self, value: npt.ArrayLike) -> Dual:
        values = np.broadcast_to(np.asarray(value, _LONG), (self.n,))
        return Dual(values, np.zeros((self.n, len(self.names)), _LONG))

    def parameter(self, name: str, node: ast.expr) -> Dual:
        if name not in self.params:
            raise self.error(f"{name!r} is neither a column nor a parameter", node)
        dual = self.constant(self.params[name])
        if name in self.names:
            dual.tangent[:, self.names.index(name)] = 1
        return dual

    def per_level(self, stem: str, column: str, node: ast.expr) -> Dual:
        if column not in self.columns:
            raise self.error(f"{column!r} is not a column", node)
        levels = np.array([str(level) for level in self.columns[column].tolist()])
        result = self.constant(math.nan)
        for level in np.unique(levels).tolist():
            result = _select(levels == level, self.parameter(f"{stem}[{level}]", node), result)
        return result

    def call(self, name: str, arguments: Sequence[ast.expr], node: ast.expr) -> Dual:
        if name not in _FUNCTIONS:
            raise self.error(f"unknown function {name!r}", node)
        function, fewest, most = _FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            wanted = f"{fewest}" if fewest == most else f"at least {fewest}"
            raise self.error(f"{name} takes {wanted} arguments, not {len(arguments)}", node)
        return function(*[self.walk(argument) for argument in arguments])

    def walk(self, node: ast.expr) -> Dual:
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
        dual = _Walker(formula, params, columns, names).run()
        return dual.value.astype(float), dual.tangent.astype(float)


# ---- Objectives --------------------------------------------------------------------------


class _Expansion(NamedTuple):
    """The objective around a point: value (), gradient (p,), Gauss-Newton matrix (p, p)."""

    value: np.longdouble
    gradient: Array
    matrix: Array


def _expand(
    formula: str,
    params: Params,
    columns: Columns,
    target: npt.ArrayLike,
    names: Sequence[str] = (),
    log_names: Collection[str] = (),
    *,
    residual: str = "log",
    loss: LossSpec = ("huber", 1e-3),
    weights: npt.ArrayLike | None = None,
    sigma: npt.ArrayLike | None = None,
    scale: float | None = None,
    censored: npt.ArrayLike | None = None,
    penalties: Mapping[str, tuple[float | str, float]] | None = None,
) -> _Expansion:
    if residual not in ("linear", "log", "logit"):
        raise InputError(f"residual must be 'linear', 'log' or 'logit', not {residual!r}")
    rho, psi, curvature, _ = loss_functions(loss)
    with np.errstate(all="ignore"):
        walker = _Walker(formula, params, columns, names)
        predicted, observed = walker.run(), walker.constant(target)
        if residual != "linear":
            predicted, observed = _smooth(residual, predicted), _smooth(residual, observed)
        error = predicted - observed
        w = walker.constant(1.0 if weights is None else weights).value
        unit = walker.constant(1.0 if sigma is None else sigma).value
        unit = unit if scale is None else unit * _LONG(scale)

        u, jacobian = error.value / unit, error.tangent / unit[:, None]
        jacobian *= np.array([params[k] if k in log_names else 1 for k in names], _LONG)
        if scale is not None:
            jacobian = np.column_stack([jacobian, -u])  # along log scale
        side = walker.constant(0.0 if censored is None else censored).value
        terms, slopes = rho(u), psi(u)
        h = np.where(terms == 0, curvature, slopes**2 / (2 * terms))
        if scale is not None:
            terms = terms + np.log(_LONG(scale)) + log_normaliser(loss)
        if side.any():
            if scale is None:
                right = side * u >= 0
                share, share_slope = np.where(right, 0, terms), np.where(right, 0, slopes)
                bend = np.where(right, 0, h)
            else:
                share, share_slope = tail(loss, u, side)
                bend = share_slope**2 / (2 * share)
            terms = np.where(side == 0, terms, share)
            slopes = np.where(side == 0, slopes, share_slope)
            h = np.where(side == 0, h, bend)
        value, gradient = np.sum(w * terms), (w * slopes) @ jacobian
        if scale is not None:
            gradient[-1] += np.sum(w * (side == 0))
        matrix = jacobian.T @ ((w * h)[:, None] * jacobian)
        for name, (centre, sd) in (penalties or {}).items():
            towards = params[centre] if isinstance(centre, str) else centre
            pair = np.array([params[name], towards], _LONG)
            drawn = np.log(pair) if name in log_names else pair
            distance = (drawn[0] - drawn[1]) / _LONG(sd)
            along = np.zeros(len(gradient), _LONG)
            for parameter, sign in ((name, 1), (centre, -1)):
                if parameter in names:
                    along[list[Any](names).index(parameter)] += sign / _LONG(sd)
            value += distance**2 / 2
            gradient += distance * along
            matrix += np.outer(along, along)
        return _Expansion(value, gradient, matrix)


def objective(
    formula: str, params: Params, columns: Columns, target: npt.ArrayLike, **options: Any
) -> float:
    """Return the sum over rows of w * rho(u), where u = residual / (sigma * scale).

    Parameters
    ----------
    formula, params, columns
        As in `evaluate`.
    target : array, shape (n,)
        Observed values. The residual is prediction minus target.
    residual : {"log", "linear", "logit"}, default "log"
        The function both prediction and target go through before they are subtracted.
    loss : tuple, default ("huber", 1e-3)
        As in `loss_functions`.
    weights, sigma : array, shape (n,), default 1
        Weight of each row, and the unit of its residual.
    scale : float, optional
        Fitted scale, above 0. If given, w * (log(scale) + log_normaliser(loss)) is added on
        every row, which makes the objective a negative log likelihood up to log(sigma).
    censored : array, shape (n,), optional
        1 where the target is at least what is given, -1 where it is at most that, else 0. Such a
        row counts where u has the other sign; with a scale its term is -w log of the share of
        exp(-rho) on the allowed side of u.
    penalties : mapping of str to (float or str, float), optional
        Centre (or the parameter that is one) and sd: ((x - centre) / sd)**2 / 2 is added, in
        logarithms for parameters in `log_names`, which is then an option too.

    Raises
    ------
    FormulaError, InputError
        As in `evaluate`, `loss_functions` and `log_normaliser`, or an unknown residual.
    """
    return float(_expand(formula, params, columns, target, **options).value)


def objective_gradient(*data: Any, **options: Any) -> Array:
    """Return the gradient of `objective` along the internal coordinates.

    Parameters
    ----------
    formula, params, columns, target
        As in `objective`.
    names : sequence of str
        The parameters to differentiate along.
    log_names : collection of str, default ()
        Those of `names` whose internal coordinate is log(parameter).
    residual, loss, weights, sigma, scale, censored, penalties
        As in `objective`.

    Returns
    -------
    ndarray, shape (len(names),), or one longer with the slope along log(scale) last if a
    scale is given.
    """
    return _expand(*data, **options).gradient.astype(float)


def gauss_newton_matrix(*data: Any, **options: Any) -> Array:
    """Return the sum over rows of w * h * J J', where J = du / d(internal coordinates).

    Here h = psi(u)**2 / (2 rho(u)), the Gauss-Newton weight of the residual
    sign(u) * sqrt(2 rho(u)). Where u is 0, h is its limit from below: 1, or inf for the
    absolute and quantile losses, whose matrix is then not finite.

    Arguments are those of `objective_gradient`.

    Returns
    -------
    ndarray, shape (p, p), in the order of `objective_gradient`.
    """
    return _expand(*data, **options).matrix.astype(float)


# ---- Minimum -----------------------------------------------------------------------------


def _solve(matrix: Array, right: Array) -> Array | None:
    """Solve matrix @ x = right by Cholesky; None if the matrix is not positive definite."""
    lower: Array = np.zeros_like(matrix)
    x: Array = right.copy()
    for j in range(len(x)):
        pivot = matrix[j, j] - lower[j, :j] @ lower[j, :j]
        if not pivot > 0:
            return None
        lower[j:, j] = (matrix[j:, j] - lower[j:, :j] @ lower[j, :j]) / np.sqrt(pivot)
        x[j] = (x[j] - lower[j, :j] @ x[:j]) / lower[j, j]
    for j in reversed(range(len(x))):
        x[j] = (x[j] - lower[j + 1 :, j] @ x[j + 1 :]) / lower[j, j]
    return x


def _box_step(matrix: Array, gradient: Array, low: Array, high: Array) -> Array | None:
    """Minimise gradient'd + d'matrix d / 2 over low <= d <= high, shape (p,); None as `_solve`.

    The active-set method from d = 0: go to the minimum over the free coordinates or to the
    first bound on the way, which is then held; at the minimum let go of the held coordinate
    that is drawn inwards most.
    """
    step: Array = np.zeros_like(gradient)
    free = np.where(gradient > 0, low < 0, high > 0)
    for _ in range(100 * len(step)):  # a few times len(step), but for ties in rounding
        slope = gradient + matrix @ step
        inner = _solve(matrix[np.ix_(free, free)], -slope[free])
        if inner is None:
            return None
        move = np.zeros_like(step)
        move[free] = inner
        bound = np.where(move > 0, high, low)
        part = np.where(move == 0, _LONG(1), (bound - step) / move)
        if part.min() < 1:
            hit = part.argmin()
            step = np.clip(step + part[hit] * move, low, high)
            step[hit], free[hit] = bound[hit], False
            continue
        step = np.clip(step + move, low, high)
        slope = gradient + matrix @ step
        inward = np.where(free, _LONG(0), np.where(step == low, -slope, slope))
        if not inward.max() > 0:
            break
        free[inward.argmax()] = True
    return step


def _hessian(expand: Callable[[Array], _Expansion], low: Array, high: Array, x: Array) -> Array:
    """Take central differences of the gradient, one-sided at the bounds."""
    diagonal = np.diag(expand(x).matrix)
    # The size of a coordinate, or what moves the residuals by about one if that is larger.
    sizes = np.clip(1 / np.sqrt(diagonal), np.abs(x), 1e3 * (1 + np.abs(x)))
    matrix: Array = np.zeros((len(x), len(x)), _LONG)
    for j, shift in enumerate(np.diag(1e-7 * sizes)):
        up, down = np.minimum(x + shift, high), np.maximum(x - shift, low)
        matrix[j] = (expand(up).gradient - expand(down).gradient) / (up[j] - down[j])
    matrix = (matrix + matrix.T) / 2
    return matrix


def _damped_step(
    matrix: Array, gradient: Array, low: Array, high: Array, damping: float
) -> tuple[Array, Any, float]:
    """Return the step of least damping from `damping` on, the decrease it promises, its damping.

    Damping multiplies the identity and is relative to the largest diagonal entry.
    """
    while damping < _MOST_DAMPING:
        damped = matrix + damping * np.max(np.abs(np.diag(matrix))) * np.eye(len(gradient))
        step = _box_step(damped, gradient, low, high)
        if step is not None:
            return step, -(gradient @ step + step @ damped @ step / 2), damping
        damping = max(10 * damping, _LEAST_DAMPING)
    return np.zeros_like(gradient), 0.0, damping


def _descend(
    expand: Callable[[Array], _Expansion],
    curvature: Callable[[Array], Array],
    x: Array,
    low: Array,
    high: Array,
    *,
    damping: float,
    tolerance: Any,
    max_iterations: int,
) -> Array:
    """Take damped steps inside the box, none of which raises the objective beyond rounding.

    The last step is the one whose least damped form promises a relative decrease below
    `tolerance`, or less than x loses when rounded to float64.
    """
    for _ in range(max_iterations):
        (value, gradient, _), matrix = expand(x), curvature(x)
        step, promise, _ = _damped_step(matrix, gradient, low - x, high - x, 0.0)
        rounding = 1e-34 * np.abs(x) @ np.abs(matrix) @ np.abs(x)  # of x as float64, or less
        last = promise <= tolerance * abs(value) + rounding
        while True:
            if not last:
                step, _, damping = _damped_step(matrix, gradient, low - x, high - x, damping)
            trial = np.clip(x + step, low, high)
            if expand(trial).value <= value + 4 * _ROUNDING * abs(value):
                x = trial
                break
            damping = max(10 * damping, _LEAST_DAMPING)
            if last or damping >= _MOST_DAMPING:
                return x
        if last:
            break
        damping = damping / 10 if damping > _LEAST_DAMPING else 0.0
    return x


def minimise(
    formula: str,
    start: Params,
    columns: Columns,
    target: npt.ArrayLike,
    *,
    log_names: Collection[str] = (),
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Collection[str] = (),
    residual: str = "log",
    loss: LossSpec = ("huber", 1e-3),
    weights: npt.ArrayLike | None = None,
    sigma: npt.ArrayLike | None = None,
    max_iterations: int = 500,
) -> tuple[dict[str, float], float]:
    """Find the local minimum of `objective` downhill from a start.

    Levenberg-Marquardt on the Gauss-Newton matrix, then damped Newton on the Hessian, both
    in internal coordinates. Reaches about 1e-8 relative on smooth losses and Huber; for the
    absolute and quantile losses, whose minima are kinks, it only descends.

    Parameters
    ----------
    formula, columns, target
        As in `objective`.
    start : mapping of str to float
        Every parameter of the formula, natural units. Values outside `bounds` are moved in.
    log_names : collection of str
        Parameters to move in log(parameter), which stay positive.
    bounds : mapping of str to (low, high), optional
        Natural units; None is no bound.
    fixed : collection of str
        Parameters that stay at their start.
    residual, loss, weights, sigma
        As in `objective`.
    max_iterations : int
        Most iterations of each of the two stages; the best point so far counts after that.

    Returns
    -------
    params : dict of str to float
        Natural units, in the order of `start`.
    objective : float

    Raises
    ------
    FormulaError, InputError
        As in `objective`, bounds without room, or a start <= 0 in `log_names`.
    FitError
        The objective is not finite at the start.
    """
    options: dict[str, Any] = {
        "residual": residual,
        "loss": loss,
        "weights": weights,
        "sigma": sigma,
    }
    names = [name for name in start if name not in fixed]
    logs = np.array([name in log_names for name in names], bool)
    limits = [(bounds or {}).get(name, (None, None)) for name in names]
    lowest = np.array([-math.inf if low is None else low for low, _ in limits], _LONG)
    highest = np.array([math.inf if high is None else high for _, high in limits], _LONG)
    lowest = np.where(logs, np.maximum(lowest, 0), lowest)
    first = np.array([start[name] for name in names], _LONG)
    for j, name in enumerate(names):
        if not lowest[j] < highest[j] or (logs[j] and not first[j] > 0):
            raise InputError(f"no room for {name!r} from {first[j]} in {limits[j]}")

    def internal(values: Array) -> Array:
        return np.where(logs, np.log(np.where(logs, values, 1)), values)

    def natural(x: Array) -> dict[str, Any]:
        values = np.clip(np.where(logs, np.exp(x), x), lowest, highest)
        return {**start, **dict(zip(names, values, strict=True))}

    def expand(x: Array) -> _Expansion:
        return _expand(formula, natural(x), columns, target, names, log_names, **options)

    with np.errstate(all="ignore"):
        x = internal(np.clip(first, lowest, highest))
        if not np.isfinite(expand(x).value):
            raise FitError("the objective is not finite at the start")
        if names:
            low, high = internal(lowest), internal(highest)
            search = partial(_descend, expand, low=low, high=high, max_iterations=max_iterations)
            x = search(lambda x: expand(x).matrix, x, damping=1e-3, tolerance=1e-10)
            x = search(partial(_hessian, expand, low, high), x, damping=0, tolerance=_ROUNDING)
        found = {name: float(value) for name, value in natural(x).items()}
    return found, objective(formula, found, columns, target, **options)


# ---- Grids -------------------------------------------------------------------------------


class Grid(NamedTuple):
    """What `grid_search` finds; cells are numbers in the order of the axes, the last fastest."""

    values: Array  # (cells,) nan where a constraint is violated
    top: Array  # the best cells, best first
    along: list[Array]  # the best cell for each combination of some axes, -1 for none
    feasible: int
    undefined: int


def grid_search(
    formula: str,
    axes: Columns,
    params: Params,
    *,
    constraints: Sequence[str] = (),
    along: Sequence[Sequence[str]] = (),
    top: int = 10,
    maximize: bool = False,
) -> Grid:
    """Evaluate a formula in every cell of a grid and sort.

    Parameters
    ----------
    formula : str
    axes : mapping of str to array, each of shape (n,)
    params : mapping of str to float
    constraints : sequence of str
        A cell counts where all are true.
    along : sequence of sequences of str
        Axes of each table of best cells.
    top : int
    maximize : bool
    """
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    columns = {name: m.ravel() for name, m in zip(axes, mesh, strict=True)}
    values = evaluate(formula, params, columns)
    allowed = np.ones(len(values), bool)
    for constraint in constraints:
        allowed &= evaluate(constraint, params, columns) != 0
    defined = allowed & ~np.isnan(values)
    values = np.where(defined, values, np.nan)
    order = np.argsort(-values if maximize else values, kind="stable")[: defined.sum()]
    tables = []
    for names in along:
        which = [list(axes).index(name) for name in names]
        places = np.unravel_index(order, mesh[0].shape)
        shape = [mesh[0].shape[w] for w in which]
        entry = np.ravel_multi_index([places[w] for w in which], shape)
        table = np.full(math.prod(shape), -1)
        table[entry[::-1]] = order[::-1]  # the best is written last
        tables.append(table)
    return Grid(values, order[:top], tables, int(allowed.sum()), int((allowed & ~defined).sum()))
