"""A formula in every cell of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lawfit.reference.dual import Array
from lawfit.reference.formulas import Columns, Params, evaluate


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
