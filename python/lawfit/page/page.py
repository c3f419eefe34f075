"""A plan as a page: formulas, numbers and draws in one HTML file without references."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .. import expression as ex
from ..compiler import evaluate_columns
from ..errors import InputError
from ..formula import parse
from ..planning.plan import Plan, spans_of_runs
from ..planning.problem import MOST_LISTED, Limit, PlanProblem
from ..planning.uncertainty import parameter_draws
from ..tables import named
from .javascript import function, literal

if TYPE_CHECKING:
    from ..uncertainty.bootstrap import Bootstrap

__all__ = ["page"]

Floats = NDArray[np.float64]

SCRIPTS = ("runtime.js", "solve.js", "planner.js", "picture.js", "view.js")
BUDGET = "budget"
MOST_CONTINUOUS = 6  # variables that the search in the browser can take
AROUND = {BUDGET: 1e3}  # a slider reaches so many times above and below; others a hundred times
DEFAULT_COST = "6*N*D"
UNITS = {"N": "parameters", "D": "tokens"}


def page(
    plan: Plan,
    path: str | os.PathLike[str] | None = None,
    *,
    draws: Bootstrap | Mapping[str, Floats] | None = None,
    sliders: Mapping[str, tuple[float, float]] | None = None,
    axes: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    tolerance: float = 0.01,
    confidence_level: float = 0.95,
    samples: int = 200,
    title: str | None = None,
) -> str:
    """Write a page that plans again in the browser, from the same formulas.

    The budget and every number that `over` fixed have a slider, every list a menu. The page shows
    the best plan, its interval over the draws, how far it may be moved at little loss, and a map of
    the loss. It is one file without references: it works without a network.

    Parameters
    ----------
    plan : Plan
        With a budget.
    path : path, optional
        Where to write it.
    draws : Bootstrap or mapping of str to ndarray of shape (n,), optional
        Of the parameters; without any the page shows no intervals.
    sliders : mapping of str to (low, high), optional
        Ends of sliders, by "budget" or a fixed name. Default: a thousand times below and above the
        budget, a hundred times for others.
    axes : sequence of two str, optional
        Continuous variables of the map, across and up; default: the first two.
    units : mapping of str to str, optional
        By name, "cost" included; those that the law states need none.
    tolerance : float
        Plans whose loss is at most (1 + tolerance) times the best are called near.
    confidence_level : float
    samples : int
        At most so many draws, evenly picked, go into the page.
    title : str, optional

    Returns
    -------
    str
        The HTML.

    Raises
    ------
    InputError
        If the plan has a target instead of a budget, or more than the page can search.
    """
    problem = plan.problem
    _require_possible(problem)
    if not (tolerance > 0.0 and math.isfinite(tolerance)):
        raise InputError(f"tolerance = {tolerance!r} must be above zero")
    if not 0.0 < confidence_level < 1.0:
        raise InputError(f"confidence_level = {confidence_level} must lie between 0 and 1")
    if samples < 1:
        raise InputError(f"samples = {samples!r} must be 1 or more")
    ends = _slider_ends(problem, sliders or {})
    drawn = _thinned(plan, draws, samples) if draws is not None else {}
    unit = _units(problem, units or {})
    places = {n: k for k, n in enumerate((*problem.params, *problem.variables, "_limit"))}
    values = {**problem.params, **plan.best, "_limit": problem.limit}
    planned = {*problem.ranges, *problem.listed, *problem.defined}
    spans, whose = spans_of_runs(problem, plan._fit)
    data: dict[str, Any] = {
        "values": [float(values[n]) for n in places],
        "draws": list(zip(*(v.tolist() for v in drawn.values()), strict=True)),
        "continuous": [
            {
                "name": n,
                "unit": unit.get(n, ""),
                "place": places[n],
                "low": low,
                "high": high,
                "log": low > 0.0,
                "scale": max(abs(low), abs(high)),
            }
            for n, (low, high) in problem.ranges.items()
        ],
        "choices": [
            {
                "names": c.names,
                "label": ", ".join(_labelled(n, unit) for n in c.names),
                "places": [places[n] for n in c.names],
                "rows": c.values.tolist(),
            }
            for c in problem.choices
        ],
        "defined": [places[n] for n in problem.defined],
        "sliders": [
            {
                "name": n,
                "label": _label_of(problem, n),
                "unit": unit.get("cost" if n == BUDGET else n, ""),
                "place": places["_limit" if n == BUDGET else n],
                "value": problem.limit if n == BUDGET else problem.fixed[n],
                "low": low,
                "high": high,
                "log": low > 0.0 and high > 20.0 * low,
                "positive": low > 0.0,
            }
            for n, (low, high) in ends.items()
        ],
        "shown": [
            {"name": n, "place": places[n], "unit": unit.get(n, ""), "planned": n in planned}
            for n in problem.variables
        ],
        "units": unit,
        "axes": _axes(problem, axes),
        "maximise": problem.maximize,
        "tolerance": tolerance,
        "confidence": confidence_level,
        "seen": spans,
        "whose": whose,
    }
    script = "\n".join(
        [
            '"use strict";',
            _file("runtime.js"),
            f"const MODEL = {_model(plan, places, drawn, ends)};",
            f"const DATA = {literal(data)};",
            *(_file(name) for name in SCRIPTS[1:]),
        ]
    )
    text = _filled(problem, script, title, tolerance, confidence_level, len(data["draws"]))
    if path is not None:
        _write(path, text)
    return text


# --- what the page can show -----------------------------------------------------------------------


def _require_possible(problem: PlanProblem) -> None:
    if problem.budget is None:
        raise InputError("the page has a slider for the budget: plan with budget=, not target_loss")
    if len(problem.ranges) > MOST_CONTINUOUS:
        raise InputError(
            f"the page searches at most {MOST_CONTINUOUS} continuous variables, not "
            f"{len(problem.ranges)}: {named(problem.ranges)}; fix some in over"
        )
    if problem.whole:
        raise InputError(
            f"the page tries integers one by one, up to {MOST_LISTED:,}, not those of "
            f"{problem.whole[0]}: give fewer in over, or a pair (low, high)"
        )
    rows = math.prod(len(c.values) for c in problem.choices)
    if rows > MOST_LISTED:
        raise InputError(
            f"the page tries at most {MOST_LISTED:,} combinations of lists, not {rows}"
        )
    if BUDGET in problem.variables:
        raise InputError("over: the page needs the name 'budget' for itself")


def _slider_ends(
    problem: PlanProblem, given: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    known = {BUDGET: problem.limit, **problem.fixed}
    for name in given:
        if name not in known:
            raise InputError(f"sliders: {name!r} has none; sliders: {named(known)}")
    found = {}
    for name, value in known.items():
        if name in given:
            low, high = map(float, given[name])
        elif value > 0.0:
            around = AROUND.get(name, 100.0)
            low, high = value / around, value * around
        else:
            low, high = (2.0 * value, 0.0) if value < 0.0 else (0.0, 1.0)
        if not (low < high and low <= value <= high and math.isfinite(high - low)):
            raise InputError(
                f"sliders: {name} = ({low:g}, {high:g}) must be low < high around {value:g}"
            )
        if name == BUDGET and low <= 0.0:
            raise InputError(f"sliders: budget = ({low:g}, {high:g}) must be above zero")
        found[name] = (low, high)
    return found


def _axes(problem: PlanProblem, given: Sequence[str] | None) -> list[int]:
    names = list(problem.ranges)
    if given is None:
        return [0, 1][: len(names)]
    if (
        isinstance(given, str)
        or len(given) != 2
        or given[0] == given[1]
        or not {*given} <= {*names}
    ):
        raise InputError(f"axes = {given!r} must be two continuous variables of {named(names)}")
    return [names.index(n) for n in given]


def _thinned(
    plan: Plan, draws: Bootstrap | Mapping[str, Floats], samples: int
) -> dict[str, Floats]:
    """Return at most so many of the finite draws, evenly picked, in the order of the parameters."""
    columns = parameter_draws(plan, draws)
    if not columns:
        return {}
    kept = np.flatnonzero(np.isfinite(np.array(list(columns.values()))).all(axis=0))
    if len(kept) > samples:
        kept = kept[np.round(np.linspace(0, len(kept) - 1, samples)).astype(np.intp)]
    return {n: v[kept] for n, v in columns.items()}


def _units(problem: PlanProblem, given: Mapping[str, str]) -> dict[str, str]:
    found = {n: UNITS[n] for n in problem.variables if n in UNITS}
    found |= {v.name: v.unit for v in problem.law.declared_variables or () if v.unit}
    if problem.cost == DEFAULT_COST:
        found["cost"] = "FLOP"
    unknown = [n for n in given if n not in (*problem.variables, "cost")]
    if unknown:
        known = (*problem.variables, "cost")
        raise InputError(f"units: {unknown[0]!r} is not known here; known: {named(known)}")
    return {n: u for n, u in (found | dict(given)).items() if n in (*problem.variables, "cost")}


def _labelled(name: str, unit: Mapping[str, str]) -> str:
    return f"{name} ({unit[name]})" if unit.get(name) else name


def _label_of(problem: PlanProblem, name: str) -> str:
    if name == BUDGET:
        return "Budget"
    told = {v.name: v.description for v in problem.law.declared_variables or ()}
    return f"{name}: {told[name]}" if told.get(name) else name


# --- formulas -------------------------------------------------------------------------------------


def _model(
    plan: Plan, places: Mapping[str, int], drawn: Mapping[str, Floats], ends: Mapping[str, Any]
) -> str:
    """Return the law, the cost and the limits as one JavaScript object."""
    problem = plan.problem
    positive = {n for n, (low, _) in problem.ranges.items() if low > 0.0} | {"_limit"}
    positive |= {n for n in problem.fixed if ends[n][0] > 0.0}
    positive |= {
        n for n, v in problem.params.items() if v > 0.0 and (n not in drawn or drawn[n].min() > 0.0)
    }
    for choice in problem.choices:
        positive |= {n for n, v in zip(choice.names, choice.values.T, strict=True) if v.min() > 0.0}
    values = {**problem.params, **plan.best, "_limit": problem.limit}
    columns = {n: np.array([v]) for n, v in values.items()}
    limits = [_limit(k, places, positive, columns) for k in problem.all_limits()]
    defined = ", ".join(function(by, places) for by in problem.defined.values())
    return (
        f"{{\nloss: {function(problem.formula, places)},\ncost: {function(problem.cost, places)},\n"
        f"limits: [{', '.join(limits)}],\ndefined: [{defined}],\n}}"
    )


def _limit(
    limit: Limit, places: Mapping[str, int], positive: set[str], columns: Mapping[str, Floats]
) -> str:
    sides = [_with_signs(parse(text), positive) for text in (limit.left, limit.right)]
    sizes = [abs(float(evaluate_columns(text, columns)[0])) for text in (limit.left, limit.right)]
    size = max((z for z in sizes if math.isfinite(z)), default=0.0) or 1.0
    return (
        f"{{text: {literal(limit.text)}, log: {literal(all(map(ex.is_positive, sides)))}, "
        f"size: {literal(size)}, left: {function(limit.left, places)}, "
        f"right: {function(limit.right, places)}}}"
    )


def _with_signs(node: ex.Node, positive: set[str]) -> ex.Node:
    if isinstance(node, ex.Name):
        return ex.Variable(node.name, node.name in positive)
    if isinstance(node, ex.Apply):
        return ex.Apply(node.function, tuple(_with_signs(a, positive) for a in node.arguments))
    return node


# --- the file -------------------------------------------------------------------------------------


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    found = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(found).decode()}'"


def _filled(
    problem: PlanProblem,
    script: str,
    title: str | None,
    tolerance: float,
    confidence_level: float,
    draws: int,
) -> str:
    style = _file("style.css")
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    facts = {"Law": problem.law.formula, "Cost": problem.cost}
    texts = list(dict.fromkeys(k.text for k in problem.limits))
    texts += [f"{n} == {by}" for n, by in problem.defined.items()]
    if texts:
        facts["Limits"] = "; ".join(texts)
    near = f"{100 * tolerance:g} %"
    fields = {
        "policy": policy,
        "version": str(_core.info()["version"]),
        "title": title if title is not None else f"Planner: {problem.law.name or 'scaling law'}",
        "interval": f"{100 * confidence_level:g} % interval",
        "flat": f"Within {near} of the best",
        "caption": _caption(problem, near),
        "footer": (
            "Computed in this page, which asks nothing of the network. Intervals from "
            f"{draws} draws of the parameters, each planned again."
            if draws
            else "Computed in this page, which asks nothing of the network."
        ),
    }
    filled = {n: html.escape(v) for n, v in fields.items()}
    # A policy is read as it stands: its quotes are no part of the markup's.
    filled["policy"] = policy
    filled["facts"] = "\n".join(
        f"<dt>{k}</dt><dd><code>{html.escape(v)}</code></dd>" for k, v in facts.items()
    )
    filled["nofigure"] = "" if problem.ranges else " hidden"
    filled |= {"style": style, "script": script}
    parts = _file("template.html").split("{{")
    return parts[0] + "".join(
        filled[key] + rest for key, rest in (part.split("}}", 1) for part in parts[1:])
    )


def _caption(problem: PlanProblem, near: str) -> str:
    if len(problem.ranges) == 1:
        return "The loss; the thick line keeps the budget and all limits; the dot is the best plan."
    rest = ", other variables as in the best plan" if len(problem.ranges) > 2 else ""
    limits = ", violet lines other limits" if problem.limits else ""
    return (
        f"Thin lines: equal loss. Thick line: the budget{limits}; plans beyond are shaded grey. "
        f"Blue: plans within {near} of the least loss{rest}. Dot: the best plan."
    )


def _write(path: str | os.PathLike[str], text: str) -> None:
    try:
        with Path(path).open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: {error.strerror}") from None
