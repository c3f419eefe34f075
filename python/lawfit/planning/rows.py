"""A plan's formulas as programs over rows: values and derivatives by what is planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .. import expression as ex
from ..compiler import compile_law
from ..formula import parse
from .problem import Limit

__all__ = ["Rows"]

Floats = NDArray[np.float64]


class Rows:
    """One minimisation per row: all numbers are columns, and what is planned moves in every row.

    A planned variable is ``exp(x + t)``, or ``scale * (x + t)`` where its range reaches zero: x is
    a column and t one coordinate of the program, at 0. The derivative by t is then that by x in
    every row, each at a point of its own.

    Parameters
    ----------
    objective : str
        To be minimised; through its logarithm if `log_objective` and it is always positive.
    limits : sequence of Limit
        Each becomes log(left / right) <= 0 where both are always positive, else left - right <= 0,
        divided by the size of a side that is a number.
    ranges : mapping of str to (low, high)
    given : mapping of str to ndarray of shape (rows,)
        Every other name of the formulas.
    positive : frozenset of str, optional
        Names in `given` whose values are always above zero. Default: as they are here.
    """

    positive: frozenset[str]

    def __init__(
        self,
        objective: str,
        limits: Sequence[Limit],
        ranges: Mapping[str, tuple[float, float]],
        given: Mapping[str, Floats],
        *,
        log_objective: bool = False,
        positive: frozenset[str] | None = None,
    ) -> None:
        self.names = tuple(ranges)
        self.logs = np.array([low > 0.0 for low, _ in ranges.values()], dtype=bool)
        self.scales = np.array([max(abs(low), abs(high)) for low, high in ranges.values()])
        self.given = {n: np.ascontiguousarray(v, dtype=float) for n, v in given.items()}
        self.rows = len(next(iter(self.given.values()))) if self.given else 1
        if positive is None:
            positive = frozenset(n for n, v in self.given.items() if (v > 0.0).all())
        self.positive = positive
        self._at: NDArray[np.intp] | None = None
        self._given_at = self.given
        self.hoisted: dict[str, tuple[ex.Node, _core.Program]] = {}
        tree = self._tree(objective)
        self.log_objective = log_objective and ex.is_positive(tree)
        self.programs = [self._compile(tree, self.log_objective)]
        self.slopes: list[str | float] = []  # one over it: how a constraint moves with its limit
        self.rooms: list[tuple[str, _core.Program]] = []
        for limit in limits:
            self._add_limit(self._tree(limit.left), self._tree(limit.right))

    def _add_limit(self, left: ex.Node, right: ex.Node) -> None:
        """Compile left <= right, through logarithms where both sides are positive.

        What is not planned goes to one side first: E + A / N**alpha <= 2 says as much as
        A / N**alpha <= 2 - E, whose logarithm is near to linear however close to E the limit is.
        """
        terms = ex.addends(ex.add(left, ex.negate(right)))
        moving = [t for t in terms if ex.uses_coordinates(t)]
        rest = [t for t in terms if not ex.uses_coordinates(t)]
        less = all(map(ex.is_positive, moving))
        if moving and rest and (less or all(map(ex.is_negative, moving))):
            name = f"_room{len(self.rooms)}"
            room = ex.Apply("add", (*(map(ex.negate, rest) if less else rest), ex.ZERO))
            self.rooms.append((name, self._compile(room, False)))
            self._fill_rooms()
            total = ex.Apply("add", tuple(moving if less else map(ex.negate, moving)))
            column = ex.Variable(name, True)
            ratio = (total, column) if less else (column, total)
            self.slopes.append(name)
            self.programs.append(self._compile(ex.Apply("div", ratio), True))
            return
        if ex.is_positive(left) and ex.is_positive(right):
            self.slopes.append("_limit")
            self.programs.append(self._compile(ex.Apply("div", (left, right)), True))
            return
        size = max((abs(s.value) for s in (left, right) if isinstance(s, ex.Constant)), default=0.0)
        difference = ex.add(left, ex.negate(right))
        self.slopes.append(size if size > 0.0 else 1.0)
        scaled = ex.divide(difference, ex.Constant(size)) if size > 0.0 else difference
        self.programs.append(self._compile(scaled, False))

    def _fill_rooms(self) -> None:
        """Compute what is left for the planned terms; without any, a limit cannot be met."""
        for name, program in self.rooms:
            if name not in self.given:
                columns = [self.given[c] for c in program.columns]
                room = program.values(columns, self.rows, np.zeros(len(self.names)))
                self.given[name] = np.where(room > 0.0, room, 1e-300)

    def over(self, given: Mapping[str, Floats]) -> Rows:
        """Return the same programs over other rows, whose signs are the same."""
        other = object.__new__(Rows)
        other.__dict__.update(self.__dict__)
        other.given, other._at = {n: np.ascontiguousarray(given[n]) for n in given}, None
        other.rows = len(next(iter(given.values())))
        other._fill_hoisted()
        other._fill_rooms()
        return other

    def slope(self) -> float:
        """Return by how much the first constraint moves per unit of `_limit`, in the first row."""
        found = self.slopes[0]
        return 1.0 / (float(self.given[found][0]) if isinstance(found, str) else found)

    def coordinates(self, values: Mapping[str, Floats]) -> Floats:
        """Return values in natural units as points, shape (n, rows)."""
        if not self.names:
            return np.empty((0, 1))
        columns = [
            np.log(values[n]) if log else np.asarray(values[n]) / scale
            for n, log, scale in zip(self.names, self.logs, self.scales, strict=True)
        ]
        return np.array(columns, dtype=float).reshape(len(self.names), -1)

    def natural(self, x: Floats) -> dict[str, Floats]:
        """Return points of shape (n, rows) in natural units."""
        return {
            n: np.exp(x[i]) if self.logs[i] else x[i] * self.scales[i]
            for i, n in enumerate(self.names)
        }

    def __call__(self, x: Floats, at: NDArray[np.intp], shift: Floats) -> tuple[Floats, Floats]:
        """Evaluate everything at x + shift; see `refine.Derivatives`."""
        n, rows = x.shape
        values = np.empty((len(self.programs), rows))
        gradients = np.empty((len(self.programs), n, rows))
        given = self._columns_at(at)
        for k, program in enumerate(self.programs):
            columns = [
                x[self.names.index(c)] if c in self.names else given[c] for c in program.columns
            ]
            v, jacobian = program.values_and_jacobian(columns, rows, shift)
            values[k] = v
            gradients[k] = jacobian.T
        return values, gradients

    def _columns_at(self, at: NDArray[np.intp]) -> Mapping[str, Floats]:
        if self._at is not at:
            whole = all(len(v) == len(at) for v in self.given.values())
            self._given_at = self.given if whole else {n: v[at] for n, v in self.given.items()}
            self._at = at
        return self._given_at

    def _tree(self, text: str) -> ex.Node:
        return self._resolved(self._hoisted(parse(text)))

    def _hoisted(self, node: ex.Node) -> ex.Node:
        """Replace what is the same wherever a row moves to by a column, computed once."""
        if not isinstance(node, ex.Apply):
            return node
        if node.function in ("mul", "div"):
            node = self._gathered(node)
        moves = any(isinstance(n, ex.Name) and n.name in self.names for n in ex.walk(node))
        names = any(isinstance(n, ex.Name) for n in ex.walk(node))
        if moves or not names or not isinstance(node, ex.Apply):
            if not isinstance(node, ex.Apply):
                return node
            return ex.Apply(node.function, tuple(map(self._hoisted, node.arguments)))
        return self._column(node)

    def _gathered(self, node: ex.Apply) -> ex.Node:
        """Bring the factors of a product that do not move together, in front."""
        factors: list[tuple[ex.Node, bool]] = []

        def walk(one: ex.Node, below: bool) -> None:
            if isinstance(one, ex.Apply) and one.function in ("mul", "div"):
                walk(one.arguments[0], below)
                walk(one.arguments[1], below != (one.function == "div"))
            else:
                factors.append((one, below))

        walk(node, False)
        moving = [f for f in factors if any(
            isinstance(n, ex.Name) and n.name in self.names for n in ex.walk(f[0]))]  # fmt: skip
        still = [f for f in factors if f not in moving]
        if not moving or len(still) < 2:
            return node
        front: ex.Node = ex.ONE
        for factor, below in still:
            front = ex.Apply("div" if below else "mul", (front, factor))
        named = any(isinstance(n, ex.Name) for n in ex.walk(front))
        result = self._column(front) if named else front
        for factor, below in moving:
            result = ex.Apply("div" if below else "mul", (result, factor))
        return result

    def _column(self, node: ex.Node) -> ex.Node:
        """Return the name of a column that holds a node without planned variables."""
        for name, (known, _) in self.hoisted.items():
            if known == node:
                return ex.Name(name)
        name = f"_still{len(self.hoisted)}"
        self.hoisted[name] = (node, self._compile(self._resolved(node), False))
        self._fill_hoisted()
        if (self.given[name] > 0.0).all():
            self.positive |= {name}
        return ex.Name(name)

    def _fill_hoisted(self) -> None:
        for name, (_, program) in self.hoisted.items():
            if name not in self.given:
                columns = [self.given[c] for c in program.columns]
                value = program.values(columns, self.rows, np.zeros(len(self.names)))
                if name in self.positive:  # a row that is not has no value of the law
                    value = np.where(value > 0.0, value, np.nan)
                self.given[name] = value

    def _resolved(self, node: ex.Node) -> ex.Node:
        if isinstance(node, ex.Name):
            if node.name not in self.names:
                return ex.Variable(node.name, node.name in self.positive)
            i = self.names.index(node.name)
            moved = ex.Apply("add", (ex.Variable(node.name), ex.Coordinate(node.name)))
            if self.logs[i]:
                return ex.Apply("exp", (moved,))
            return ex.multiply(ex.Constant(float(self.scales[i])), moved)
        if isinstance(node, ex.Apply):
            return ex.Apply(node.function, tuple(self._resolved(a) for a in node.arguments))
        return node

    def _compile(self, tree: ex.Node, log: bool) -> _core.Program:
        used = {n.name for n in ex.walk(tree) if isinstance(n, ex.Variable)}
        columns = [n for n in (*self.names, *self.given) if n in used]
        return compile_law(
            tree, variables=columns, parameters=list(self.names), space="log" if log else "linear"
        )
