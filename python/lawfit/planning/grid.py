"""Exhaustive search of a grid: the best cells of a product of axes, under constraints."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .. import expression as ex
from ..compiler import compile_law
from ..errors import FormulaError, InputError, Interrupted
from ..execution import workers_from
from ..formula import find, names, parse
from ..law import Law
from ..laws import as_law
from ..progress import Progress, reporter
from ..resolution import column_spans, resolve
from ..result import Fit

__all__ = ["GridResult", "grid_search"]

Floats = NDArray[np.float64]
Columns = dict[str, Floats]
Key = str | tuple[str, ...]

MOST_CELLS = 2**62
MOST_ENTRIES = 2**24  # of a table along axes, which every thread keeps in memory


@dataclass(frozen=True)
class GridResult:
    """The best cells of a grid.

    Attributes
    ----------
    top : dict of str to ndarray of shape (k,)
        The best cells, best first: one column per axis, "value" (the objective) and one named as
        the law's target (the law's value). Fewer rows than asked for if fewer cells are feasible.
    along : dict
        For each request in `along`, by the name or tuple of names asked for: a table of the same
        columns with the best cell for every value of that axis, or for every combination of those
        axes, the last running fastest; nan where no cell is feasible.
    cells : int
        Cells that were decided: evaluated, or excluded by a constraint.
    feasible : int
        Cells that satisfy every constraint.
    undefined : int
        Feasible cells where the objective is nan; they are left out.
    maximize : bool
    seconds : float
    """

    top: Columns
    along: dict[Key, Columns]
    cells: int
    feasible: int
    undefined: int
    maximize: bool
    seconds: float

    @property
    def best(self) -> dict[str, float]:
        """The best cell: every axis, "value" and the law's target.

        Raises
        ------
        InputError
            If no cell satisfies the constraints with an objective that is a number.
        """
        if not len(self.top["value"]):
            raise InputError(
                f"none of the {self.cells:,} cells is a solution: {self.feasible:,} satisfy the "
                f"constraints, and in {self.undefined:,} of these the objective is nan"
            )
        return {name: float(column[0]) for name, column in self.top.items()}

    @property
    def cells_per_second(self) -> float:
        """Cells decided per second, planning and reporting included."""
        return self.cells / self.seconds


def grid_search(
    law: Law | str | Fit,
    axes: Mapping[str, Any],
    *,
    params: Mapping[str, float] | str | None = None,
    objective: str | None = None,
    constraints: str | Iterable[str] = (),
    along: str | Iterable[str | Sequence[str]] = (),
    top: int = 10,
    maximize: bool = False,
    threads: int | None = None,
    progress: Progress = False,
) -> GridResult:
    """Evaluate a law in every cell of a grid and keep the best.

    Nothing is stored per cell: grids of 1e9 cells and more are a matter of time only.

    Parameters
    ----------
    law : Law, str or Fit
        A law, the name of one of the catalogue, a formula, or a fitted law.
    axes : mapping of str to array-like
        Values of each axis, shape (n,), or one number. Every variable of the law needs one, and
        each must be used by the law, the objective or a constraint.
    params : mapping of str to float, or str, optional
        Parameters in natural units, or the name of a published set of the law. Default: those of
        the fit.
    objective : str, optional
        Formula over axes, parameters and the law's target, like "loss + 1e-3 * log(6*N*D)".
        Default: the law's value.
    constraints : iterable of str
        Comparisons over the same names, like "6*N*D <= 1e22".
    along : iterable of str or of sequences of str
        Axes, or groups of axes, for whose values the best cells are wanted.
    top : int
        How many best cells to return.
    maximize : bool
        Look for the largest value instead of the smallest.
    threads : int, optional
        Default: all that OMP_NUM_THREADS allows. The result is the same for any number.
    progress : bool or callable(done, total)
        Counts cells.

    Returns
    -------
    GridResult
        Of cells with equal values the first in the order of the axes, the last axis running
        fastest, counts as the best. While searching, sums and products may be rearranged (relative
        differences about 1e-14); the values returned are those of the plain formula.

    Raises
    ------
    InputError
        If the request cannot be met; the message says what, where and why.
    Interrupted
        On Ctrl-C; its `result` covers the cells decided so far.
    """
    begun = time.perf_counter()
    given, values = _law_and_params(law, params)
    columns = _axes(axes, given, values)
    names_of = _Names(given, list(columns), values)
    most = _count("top", top)
    goal = names_of.tree(given.target if objective is None else objective, "objective")
    if isinstance(constraints, str):
        constraints = [constraints]
    limits = [names_of.condition(text) for text in constraints]
    names_of.require_all_used()
    keys = [along] if isinstance(along, str) else list(along)
    tables = [_table(key, columns) for key in keys]
    cells = math.prod(len(c) for c in columns.values())
    if cells > MOST_CELLS:
        raise InputError(f"the axes make {float(cells):.3g} cells; at most 2**62 can be counted")

    raw = _core.grid_search(
        list(columns),
        list(columns.values()),
        _program(goal, columns, values),
        [_program(limit, columns, values) for limit in limits],
        bool(maximize),
        min(most, cells),
        tables,
        workers_from(threads),
        reporter(progress, cells, "cells"),
    )
    law_tree = names_of.tree(given.target, "law")

    def report(table: tuple[Floats, NDArray[np.int64]]) -> Columns:
        value, cell = table
        return _columns(value, cell, columns, values, given.target, law_tree)

    result = GridResult(
        top=report(raw["top"]),
        along={
            key if isinstance(key, str) else tuple(key): _with_keys(report(table), ids, columns)
            for key, ids, table in zip(keys, tables, raw["along"], strict=True)
        },
        cells=raw["cells"],
        feasible=raw["feasible"],
        undefined=raw["undefined"],
        maximize=bool(maximize),
        seconds=time.perf_counter() - begun,
    )
    if raw["interrupted"]:
        raise Interrupted(f"interrupted after {result.cells:,} of {cells:,} cells", result)
    return result


def _law_and_params(
    law: Law | str | Fit, params: Mapping[str, float] | str | None
) -> tuple[Law, dict[str, float]]:
    given = law.law if isinstance(law, Fit) else as_law(law)
    for name, column in given.groups.items():
        raise InputError(
            f"{given}: a grid search takes one level of {column}; write {name} for "
            f"{name}[{column}] in the formula, and give its value in params"
        )
    if isinstance(params, str):
        published = {p.name: p.params for p in given.published}
        if params not in published:
            known = ", ".join(published) or "none"
            raise InputError(f"{given} has no published set {params!r}; published: {known}")
        params = published[params]
    elif params is None:
        params = law.params if isinstance(law, Fit) else {}
    values = {}
    for name, value in params.items():
        try:
            values[str(name)] = float(value)
        except (TypeError, ValueError):
            raise InputError(f"parameter {name!r} = {value!r} is not a number") from None
        if not math.isfinite(values[str(name)]):
            raise InputError(f"parameter {name!r} = {value!r} is not finite")
    return given, values


def _axes(
    axes: Mapping[str, Any], law: Law, params: Mapping[str, float]
) -> dict[str, NDArray[np.float64]]:
    if not isinstance(axes, Mapping) or not axes:
        raise InputError(
            f"axes = {axes!r} must map at least one name to values, like "
            '{"N": numpy.geomspace(1e8, 1e11, 100)}'
        )
    columns = {}
    for name, given in axes.items():
        if not isinstance(name, str):
            raise InputError(f"the name of an axis is a text, not {name!r}")
        if name in ("value", law.target):
            raise InputError(f"axis {name!r}: this name is taken by the result")
        if name in params:
            raise InputError(f"{name!r} is both an axis and a parameter")
        try:
            values = np.atleast_1d(np.asarray(given, dtype=float))
        except (TypeError, ValueError):
            raise InputError(f"axis {name!r}: its values are not all numbers") from None
        if values.ndim != 1:
            raise InputError(f"axis {name!r} has shape {values.shape}; expected (n,)")
        if not len(values):
            raise InputError(f"axis {name!r} has no values")
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            raise InputError(f"axis {name!r}: value {at} is {values[at]}; all must be finite")
        columns[name] = values
    return columns


def _count(name: str, value: Any) -> int:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1:
        return int(value)
    raise InputError(f"{name} = {value!r} must be an integer of 1 or more")


class _Names:
    """What the names of the law, the objective and the constraints stand for."""

    def __init__(self, law: Law, axes: list[str], params: Mapping[str, float]) -> None:
        self.law, self.axes, self.params = law, axes, params
        self.used: set[str] = set()
        for variable in law.declared_variables or ():
            if variable.name not in axes:
                raise InputError(
                    f"{law} needs an axis {variable.name!r}; one number will do. axes: "
                    f"{', '.join(axes)}"
                )
        published = ", ".join(repr(p.name) for p in law.published)
        hint = f"; params may name a published set: {published}" if published else ""
        for name in names(law.formula):
            if name not in axes and name not in params:
                raise InputError(f"{law}: {name!r} is neither an axis nor in params{hint}")

    def tree(self, text: str, what: str) -> ex.Node:
        """Return the tree of a formula, the law in the place of its target."""
        parsed = parse(text)
        for name in names(text):
            if name == self.law.target:
                self.used.update(names(self.law.formula))
            elif name in self.axes or name in self.params:
                self.used.add(name)
            else:
                known = ", ".join([self.law.target, *self.axes, *self.params])
                raise FormulaError(
                    f"{what}: {name!r} is not known here; known: {known}",
                    text,
                    find(rf"\b{re.escape(name)}\b", text),
                )
        return _replace(parsed, self.law.target, self.law.tree)

    def condition(self, text: str) -> ex.Node:
        tree = self.tree(text, "constraint")
        if not _is_condition(tree):
            raise FormulaError(
                "constraint: this is no comparison; write one like 6*N*D <= 1e22", text, 0
            )
        return tree

    def require_all_used(self) -> None:
        for kind, given in (("axis", self.axes), ("parameter", self.params)):
            for name in given:
                if name not in self.used:
                    raise InputError(
                        f"{kind} {name!r} is used by neither the objective nor a constraint; "
                        f"names of the law: {', '.join(names(self.law.formula))}"
                    )


def _replace(node: ex.Node, name: str, by: ex.Node) -> ex.Node:
    if isinstance(node, ex.Name):
        return by if node.name == name else node
    if isinstance(node, ex.Apply):
        return ex.Apply(node.function, tuple(_replace(a, name, by) for a in node.arguments))
    return node


def _is_condition(node: ex.Node) -> bool:
    if not isinstance(node, ex.Apply):
        return False
    if node.function in ("and", "or", "not"):
        return all(map(_is_condition, node.arguments))
    return node.function in ex.COMPARISONS


def _table(key: Any, columns: Columns) -> list[int]:
    """Return the numbers of the axes that a table of best cells runs along."""
    wanted = [key] if isinstance(key, str) else list(key)
    order = list(columns)
    for name in wanted:
        if name not in columns:
            raise InputError(f"along: {name!r} is not an axis; axes: {', '.join(order)}")
    if not wanted or len(set(wanted)) < len(wanted):
        raise InputError(f"along: {key!r} must name at least one axis, and none of them twice")
    entries = math.prod(len(columns[name]) for name in wanted)
    if entries > MOST_ENTRIES:
        raise InputError(
            f"along: {key!r} makes a table of {entries:,} rows; at most {MOST_ENTRIES:,} are kept"
        )
    return [order.index(name) for name in wanted]


def _program(
    tree: ex.Node, columns: Columns, params: Mapping[str, float]
) -> tuple[_core.Program, Floats]:
    """Return a program over the axes that the tree uses, and the coordinates of the parameters."""
    found = {n.name for n in ex.walk(tree) if isinstance(n, ex.Name)}
    variables = [name for name in columns if name in found]
    values = {name: v for name, v in params.items() if name in found}
    # A positive value is used through its logarithm, so that nested powers do not overflow.
    logs = frozenset(name for name, v in values.items() if v > 0)
    spans = column_spans({name: columns[name] for name in variables})
    program = _compiled(tree, tuple(spans.items()), tuple(values), logs)
    coordinates = [math.log(v) if n in logs else v for n, v in values.items()]
    return program, np.array(coordinates, dtype=float)


@lru_cache(maxsize=64)
def _compiled(
    tree: ex.Node,
    spans: tuple[tuple[str, tuple[float, float]], ...],
    parameters: tuple[str, ...],
    logs: frozenset[str],
) -> _core.Program:
    """Compile a tree; kept, as plans search the same formulas with other parameters."""
    variables = [name for name, _ in spans]
    resolved = resolve(
        tree,
        variables=variables,
        log_parameters=logs,
        positive={name for name, (low, _) in spans if low > 0.0},
        spans=dict(spans),
    )
    return compile_law(resolved, variables=variables, parameters=list(parameters))


def _columns(
    value: Floats,
    cell: NDArray[np.int64],
    columns: Columns,
    params: Mapping[str, float],
    target: str,
    law: ex.Node,
) -> Columns:
    """Return cells as columns; those numbered -1 are nan."""
    shape = tuple(len(c) for c in columns.values())
    picked = {}
    rest = np.maximum(cell, 0)
    for name, n in zip(reversed(columns), reversed(shape), strict=True):
        rest, at = np.divmod(rest, n)
        picked[name] = np.where(cell < 0, np.nan, columns[name][at])
    table = {name: picked[name] for name in columns}
    program, coordinates = _program(law, columns, params)
    inputs = [picked[name] for name in program.columns]
    table["value"] = value
    with_law = program.values(inputs, len(cell), coordinates) if len(cell) else np.empty(0)
    table[target] = np.where(cell < 0, np.nan, with_law)
    return table


def _with_keys(table: Columns, ids: Sequence[int], columns: Columns) -> Columns:
    """Fill in the axes that a table runs along, also where no cell is feasible."""
    order = list(columns)
    mesh = np.meshgrid(*[columns[order[i]] for i in ids], indexing="ij")
    return table | {order[i]: m.ravel() for i, m in zip(ids, mesh, strict=True)}
