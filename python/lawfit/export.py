"""A law as JSON for programs without Python: compiled, with names, bounds, starts and settings."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import Any, cast

from .compiler import compile_law
from .errors import InputError
from .law import Law, Parameter, bounds_to_json
from .laws import as_law
from .losses import Huber, Loss, parse_loss
from .problem import Residual, Scale
from .resolution import resolve
from .result import Fit
from .saving import write_json

__all__ = ["export_model"]

FORMAT = 1
NEIGHBOURHOOD = 3.0  # e-folds around a fitted scale factor in which others start to look for it


def export_model(
    source: Fit | Law | str,
    path: str | os.PathLike[str] | None = None,
    *,
    variables: Sequence[str] | None = None,
    residual: Residual | None = None,
    loss: Loss | str | None = None,
    scale: Scale | None = None,
) -> str:
    """Write a law, or a fitted one with its values, for the C++ and C libraries.

    ``lawfit::Model::from_json`` and ``lawfit_model_load`` read it, predict with it and fit it to
    other runs.

    Parameters
    ----------
    source : Fit, Law or str
        A fit brings its settings, its values, and where its parameters may start. A law, a name of
        the catalogue or a formula needs ``Parameter(start=)`` for every parameter.
    path : path, optional
        Where to write the JSON; the old file stays if writing fails.
    variables : sequence of str, optional
        The columns of a formula whose variables are not declared.
    residual, loss, scale
        As in `lawfit.fit`; default: those of the fit, or of `lawfit.fit`.

    Returns
    -------
    str
        The JSON.

    Raises
    ------
    InputError
        If the law has one parameter per group, parameters are tied, or starts are not known.
    """
    fit = source if isinstance(source, Fit) else None
    law = source.law if isinstance(source, Fit) else as_law(source)
    law = law.resolved(variables) if variables is not None else law
    if law.declared_variables is None and fit is not None and fit._problem is not None:
        law = law.resolved(fit._problem.variables)
    if law.declared_variables is None:
        raise InputError(f"{law}: which names are columns? Give variables=[...]")
    if law.groups:
        name, column = next(iter(law.groups.items()))
        raise InputError(f"{law}: a law with one {name} per {column} cannot be exported")
    if fit is not None and fit.tied:
        raise InputError(
            f"{law}: a fit with tied parameters cannot be exported: write the formula "
            "with one name for them"
        )
    space = cast(Residual, residual or (fit.residual if fit else "log"))
    scale_setting = scale or (fit.scale_setting if fit else "fixed")
    loss = parse_loss(loss) if loss is not None else (fit.loss if fit else Huber(1e-3))

    columns = law.variables
    positive = _positive(law, fit)
    tree = resolve(
        law.tree,
        variables=columns,
        log_parameters={p.name for p in law.parameters if p.transform == "log"},
        positive=positive | {p.name for p in law.parameters if p.positive},
    )
    program = compile_law(
        tree, variables=columns, parameters=[p.name for p in law.parameters], space=space
    )
    kind, above, below, core = loss._core()
    data = {
        "lawfit_model": FORMAT,
        "name": law.name,
        "formula": law.formula,
        "target": fit.target if fit else law.target,
        "columns": [{"name": c, "positive": c in positive} for c in columns],
        "parameters": [_parameter(p, fit) for p in law.parameters],
        "values": None if fit is None else [fit.params[p.name] for p in law.parameters],
        "residual": space,
        "loss": {
            "kind": kind,
            "above": above,
            "below": below,
            "core": core,
            "log_normaliser": loss.log_normaliser() if scale_setting == "fitted" else 0.0,
        },
        "fit_scale": scale_setting == "fitted",
        "program": {
            "columns": program.columns,
            "parameters": program.parameters,
            "constants": program.constants,
            "data_operations": program.data_operations,
            "uniform_operations": program.uniform_operations,
            "row_operations": program.row_operations,
            "output": program.output,
        },
    }
    if path is not None:
        write_json(path, data)
    return json.dumps(data, indent=2, allow_nan=False)


def _positive(law: Law, fit: Fit | None) -> set[str]:
    """Return the columns that must be above zero: those that are so in the runs or the source."""
    if fit is not None and fit._problem is not None:
        problem = fit._problem
        pairs = zip(problem.variables, problem.columns, strict=True)
        return {name for name, column in pairs if column.min() > 0}
    found = set(law.variables)
    for v in law.declared_variables or ():
        low = min(v.span or (math.inf,))
        numbers = [level for level in v.levels or () if not isinstance(level, str)]
        if min([low, *numbers]) <= 0:
            found.discard(v.name)
    return found


def _parameter(p: Parameter, fit: Fit | None) -> dict[str, Any]:
    low, high = p.bounds
    start = p.start
    if fit is not None:
        low, high = fit.bounds.get(p.name, (low, high))
        if p.name in fit.fixed:
            low = high = fit.fixed[p.name]
            start = (low, high)
    if start is None and fit is not None:
        value = fit.params[p.name]
        if p.transform == "log":
            reach = math.exp(NEIGHBOURHOOD)
            start = (max(value, 1e-300) / reach, max(value, 1e-300) * reach)
        else:
            start = (value - 1.0 - abs(value), value + 1.0 + abs(value))
    if start is None:
        raise InputError(
            f"parameter {p.name} has no range of starts; declare "
            f"Parameter({p.name!r}, start=(low, high)), or export a fit"
        )
    return {
        "name": p.name,
        "log": p.transform == "log",
        "bounds": bounds_to_json((low, high)),
        "start": list(start),
    }
