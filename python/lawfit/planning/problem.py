"""What is asked of a plan: names, ranges and formulas, checked and made one problem."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import expression as ex
from ..compiler import evaluate_columns
from ..errors import FormulaError, InputError
from ..formula import find, names, parse
from ..law import CONVENTIONAL_VARIABLES, Law
from ..laws import as_law
from ..result import Fit
from ..tables import named

__all__ = ["Choice", "Limit", "PlanProblem", "make_problem"]

Floats = NDArray[np.float64]

# Where a range is neither given nor known: wide enough for any budget that people write down.
DEFAULT_RANGES = {"N": (1e3, 1e20), "D": (1e3, 1e24)}
MOST_LISTED = 4096  # integers of a range that are tried one by one


@dataclass(frozen=True)
class Choice:
    """Names that are chosen from a list together: one name, or the columns of a table of shapes.

    Attributes
    ----------
    names : tuple of str
    values : ndarray of shape (k, len(names))
    """

    names: tuple[str, ...]
    values: Floats


@dataclass(frozen=True)
class Limit:
    """A comparison that must hold: left <= right, as formulas.

    Attributes
    ----------
    text : str
        As the user wrote it.
    left, right : str
    """

    text: str
    left: str
    right: str


@dataclass(frozen=True)
class PlanProblem:
    """Minimise a formula over ranges and lists, subject to limits.

    Attributes
    ----------
    law : Law
        As given.
    formula : str
        The law's, every group replaced by the parameter of its level, and every variable that an
        equality defines by its formula.
    params : dict of str to float
        Of the fit or the published set, by the names of `formula`.
    renamed : dict of str to str
        Names in `params` that differ from those of the fit: E__corpus is E[web].
    ranges : dict of str to (low, high)
        Continuous variables.
    whole : tuple of str
        Those of them that must be integers.
    choices : tuple of Choice
    fixed : dict of str to float
    defined : dict of str to str
        Variables given by an equality, as formulas.
    cost : str
    limits : tuple of Limit
        Without that of budget or target.
    budget, target : float or None
        Exactly one is a number: what the cost may be, or what the law must reach.
    maximize : bool
        Whether more of the law's value is better.
    assumed : tuple of str
        Variables whose range was not given.
    """

    law: Law
    formula: str
    params: dict[str, float]
    renamed: dict[str, str]
    ranges: dict[str, tuple[float, float]]
    whole: tuple[str, ...]
    choices: tuple[Choice, ...]
    fixed: dict[str, float]
    defined: dict[str, str]
    cost: str
    limits: tuple[Limit, ...]
    budget: float | None
    target: float | None
    maximize: bool
    assumed: tuple[str, ...]

    @property
    def listed(self) -> tuple[str, ...]:
        """Names that are chosen from lists."""
        return tuple(n for c in self.choices for n in c.names)

    @property
    def variables(self) -> tuple[str, ...]:
        """Every name of a plan, in the order of `best`."""
        return (*self.ranges, *self.listed, *self.defined, *self.fixed)

    def gain(self) -> str:
        """Return the law's value as something to be minimised."""
        return f"-({self.formula})" if self.maximize else self.formula

    def all_limits(self) -> list[Limit]:
        """Return the limits, that of the budget or of the target first.

        Its right-hand side is the name `_limit`, so that one program serves all values.
        """
        if self.budget is not None:
            first = Limit("cost <= budget", self.cost, "_limit")
        elif self.maximize:
            first = Limit("loss >= target", "_limit", self.formula)
        else:
            first = Limit("loss <= target", self.formula, "_limit")
        return [first, *self.limits]

    @property
    def limit(self) -> float:
        """The budget or the target."""
        value = self.budget if self.budget is not None else self.target
        assert value is not None
        return value

    def table_of(self, found: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return plans, given by ranges, lists and fixed names, with all else that `best` has."""
        columns = dict(found)
        rows = len(next(iter(columns.values()))) if columns else 1
        every = {n: np.full(rows, v) for n, v in self.params.items()} | columns
        for name, text in self.defined.items():
            columns[name] = evaluate_columns(text, every)
            every[name] = columns[name]
        table = {n: columns[n] for n in self.variables}
        table["loss"] = evaluate_columns(self.formula, every)
        table["cost"] = evaluate_columns(self.cost, every)
        return table


def make_problem(
    law: Law | str | Fit,
    *,
    budget: float | None,
    target_loss: float | None,
    cost: str,
    over: Mapping[Any, Any] | None,
    constraints: str | Iterable[str],
    params: Mapping[str, float] | str | None,
    maximize: bool,
) -> PlanProblem:
    """Check a request and put it in one form; see `plan` for the arguments."""
    given = law.law if isinstance(law, Fit) else as_law(law)
    values = _params(law, given, params)
    asked = _asked(over)
    limit_budget = _budget(budget, "budget") if budget is not None else None
    target = None if target_loss is None else _number(target_loss, "target_loss")
    if (limit_budget is None) == (target is None):
        raise InputError(
            "give either budget, to minimise the loss, or target_loss, to minimise the cost"
            + ("" if budget is None else "; both were given")
        )
    formula, values, renamed = _without_groups(given, values, asked)
    if isinstance(constraints, str):
        constraints = [constraints]
    texts = list(constraints)
    wanted = _variables(given, formula, values)
    ranges, whole, choices, fixed = _read_over(asked)
    assumed = []
    for name in wanted:
        if name in ranges or name in fixed or any(name in c.names for c in choices):
            continue
        found = _default(given, name)
        if isinstance(found, Choice):
            choices.append(found)
        else:
            ranges[name] = found
        assumed.append(name)
    for name in (*ranges, *fixed, *(n for c in choices for n in c.names)):
        if name in values:
            raise InputError(f"{name!r} is both a variable of the plan and a parameter of the law")
    # Parameters are known by their names, the law by that of its target.
    known = {*ranges, *fixed, *(n for c in choices for n in c.names), *values}
    law_names = {given.target, "loss"}

    def inlined(text: str, what: str) -> str:
        _check_names(text, what, known | law_names, law_names)
        return _substituted(text, {n: formula for n in law_names if n not in known})

    if not isinstance(cost, str):
        raise InputError(f"cost = {cost!r} must be a formula, like '6*N*D'")
    cost = inlined(cost, "cost")
    limits, defined = [], {}
    for text in texts:
        for left, operator, right in _comparisons(text):
            if operator == "==":
                name, by = _definition(text, left, right, ranges)
                _check_names(by, "constraint", known | law_names, law_names)
                low, high = ranges.pop(name)
                if name not in assumed:
                    limits += [Limit(f"{name} >= {low:g}", repr(low), by),
                               Limit(f"{name} <= {high:g}", by, repr(high))]  # fmt: skip
                defined[name] = by
                continue
            left, right = inlined(left, "constraint"), inlined(right, "constraint")
            limits.append(
                Limit(text, left, right) if operator == "<=" else Limit(text, right, left)
            )
    for _ in defined:  # a definition may use another one
        cost = _substituted(cost, defined)
        formula = _substituted(formula, defined)
        limits = [
            Limit(k.text, _substituted(k.left, defined), _substituted(k.right, defined))
            for k in limits
        ]
        defined = {n: _substituted(by, {k: v for k, v in defined.items() if k != n})
                   for n, by in defined.items()}  # fmt: skip
    used = set(names(cost)) | set(names(formula))
    used |= {n for k in limits for n in (*names(k.left), *names(k.right))}
    for name in (*ranges, *fixed, *(n for c in choices for n in c.names)):
        if name not in used and name not in defined:
            raise InputError(
                f"over: {name!r} is used by neither the law, the cost nor a constraint; names in "
                f"use: {named(sorted(used))}"
            )
    return PlanProblem(
        given, formula, {n: v for n, v in values.items() if n in used}, renamed, ranges,
        tuple(whole), tuple(choices), fixed, defined, cost, tuple(limits), limit_budget, target,
        bool(maximize), tuple(assumed),
    )  # fmt: skip


# --- what the user gives --------------------------------------------------------------------------


def _number(value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{what} = {value!r} is not a number") from None
    if not math.isfinite(number):
        raise InputError(f"{what} = {value!r} is not finite")
    return number


def _budget(value: Any, what: str) -> float:
    number = _number(value, what)
    if number <= 0.0:
        raise InputError(f"{what} = {value!r} must be above zero")
    return number


def _params(
    law: Law | str | Fit, given: Law, params: Mapping[str, float] | str | None
) -> dict[str, float]:
    if isinstance(params, str):
        params = given.coefficients(params)
    elif params is None:
        if not isinstance(law, Fit):
            known = ", ".join(repr(p.name) for p in given.published)
            hint = f"; published sets: {known}" if known else ""
            raise InputError(f"{given}: params are needed, as this is no fit{hint}")
        params = law.params
    return {str(n): _number(v, f"parameter {n}") for n, v in params.items()}


def _asked(over: Mapping[Any, Any] | None) -> dict[str | tuple[str, ...], Any]:
    if over is None:
        return {}
    if not isinstance(over, Mapping):
        raise InputError(f"over = {over!r} must map names to ranges, lists or numbers")
    for key in over:
        parts = (key,) if isinstance(key, str) else key
        if not isinstance(parts, tuple) or not all(
            isinstance(n, str) and n.isidentifier() for n in parts
        ):
            raise InputError(f"over: {key!r} is not a name, nor a tuple of names")
        if "_limit" in parts:
            raise InputError("over: the name '_limit' is taken")
    return dict(over)


def _without_groups(
    law: Law, values: dict[str, float], asked: dict[str | tuple[str, ...], Any]
) -> tuple[str, dict[str, float], dict[str, str]]:
    """Replace the parameters of groups by those of the levels that `over` names."""
    formula, renamed = law.formula, {}
    levels = {column: asked.pop(column, None) for column in dict.fromkeys(law.groups.values())}
    for name, column in law.groups.items():
        found = [n[len(name) + 1 : -1] for n in values if n.startswith(f"{name}[")]
        level = levels[column]
        if level is None or str(level) not in found:
            had = f"{level!r} is not among the levels" if level is not None else "give one level"
            raise InputError(
                f'{law}: {had} of "{column}": over={{"{column}": ...}}; levels: {named(found)}'
            )
        plain = f"{name}__{column}"
        formula = re.sub(rf"\b{name}\s*\[\s*{column}\s*\]", plain, formula)
        renamed[plain] = f"{name}[{level}]"
    kept = {n: v for n, v in values.items() if "[" not in n}
    return formula, kept | {n: values[old] for n, old in renamed.items()}, renamed


def _variables(law: Law, formula: str, values: Mapping[str, float]) -> list[str]:
    """Return the law's variables; every other name needs a value in params."""
    free = [n for n in names(formula) if n not in values]
    if law.declared_variables is not None:
        declared = {v.name for v in law.declared_variables}
        missing = [n for n in free if n not in declared]
        if missing:
            raise InputError(f"{law}: params give no value for {named(missing)}")
    return free


def _default(law: Law, name: str) -> tuple[float, float] | Choice:
    """Return what a variable may be that the user said nothing about."""
    variable = next((v for v in law.declared_variables or () if v.name == name), None)
    if name in DEFAULT_RANGES:
        return DEFAULT_RANGES[name]
    if variable is not None and variable.levels is not None:
        try:
            return Choice((name,), np.array(variable.levels, dtype=float)[:, None])
        except ValueError:
            pass
    if variable is not None and variable.span is not None:
        return variable.span
    known = name in CONVENTIONAL_VARIABLES or variable is not None
    raise InputError(
        f"{law}: {name!r} needs a range, a list or a number in over, like "
        f"over={{{name!r}: (1, 100)}}" + ("" if known else ", or a value in params")
    )


def _read_over(
    asked: Mapping[str | tuple[str, ...], Any],
) -> tuple[dict[str, tuple[float, float]], list[str], list[Choice], dict[str, float]]:
    ranges: dict[str, tuple[float, float]] = {}
    whole: list[str] = []
    choices: list[Choice] = []
    fixed: dict[str, float] = {}
    for key, given in asked.items():
        if isinstance(key, tuple):
            choices.append(_table(key, given))
        elif isinstance(given, range):
            if not len(given):
                raise InputError(f"over: {key} = {given!r} is empty")
            if len(given) <= MOST_LISTED or given.step != 1:
                choices.append(_table((key,), [[v] for v in given]))
            else:
                ranges[key] = (float(given[0]), float(given[-1]))
                whole.append(key)
        elif isinstance(given, tuple):
            if len(given) != 2:
                raise InputError(f"over: {key} = {given!r}: a range is a pair (low, high)")
            low, high = (_number(v, f"over: {key}") for v in given)
            if low > high:
                raise InputError(f"over: {key}: {low:g} is above {high:g}")
            if low == high:
                fixed[key] = low
            else:
                ranges[key] = (low, high)
        elif isinstance(given, (str, bytes)):
            raise InputError(f"over: {key} = {given!r} is a text; expected a range, list or number")
        elif isinstance(given, (set, frozenset)):
            choices.append(_table((key,), [[v] for v in sorted(given)]))
        elif isinstance(given, Iterable) and np.ndim(given) > 0:  # type: ignore[arg-type]
            choices.append(_table((key,), [[v] for v in given]))
        else:
            fixed[key] = _number(given, f"over: {key}")
    for choice in list(choices):
        if len(choice.values) == 1:
            choices.remove(choice)
            fixed.update(zip(choice.names, map(float, choice.values[0]), strict=True))
    every = [*ranges, *fixed, *(n for c in choices for n in c.names)]
    for name in every:
        if every.count(name) > 1:
            raise InputError(f"over: {name!r} is given twice")
    return ranges, whole, choices, fixed


def _table(key: tuple[str, ...], given: Any) -> Choice:
    if isinstance(given, Mapping):
        missing = [n for n in key if n not in given]
        if missing:
            raise InputError(f"over: {key!r}: the table has no column {missing[0]!r}")
        given = list(zip(*(given[n] for n in key), strict=True))
    rows = list(given)
    if not rows:
        raise InputError(f"over: {', '.join(key)}: there is nothing to choose from")
    for row in rows:
        if np.ndim(row) != 1 or len(row) != len(key):
            raise InputError(
                f"over: {', '.join(key)}: expected rows of {len(key)} numbers, got {row!r}"
            )
    try:
        values = np.array(rows, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"over: {', '.join(key)}: not all values are numbers") from None
    if not np.isfinite(values).all():
        raise InputError(f"over: {', '.join(key)}: not all values are finite")
    return Choice(key, values)


# --- formulas -------------------------------------------------------------------------------------


def _check_names(text: str, what: str, known: set[str], law_names: set[str]) -> None:
    for name in names(text):
        if name not in known:
            shown = [*sorted(known - law_names), "loss"]
            raise FormulaError(
                f"{what}: {name!r} is not known here; known: {named(shown)}; give others a value "
                "or a range in over",
                text,
                find(rf"\b{re.escape(name)}", text),
            )


def _substituted(text: str, by: Mapping[str, str]) -> str:
    if not by:
        return text
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda m: f"({by[m[0]]})" if m[0] in by else m[0], text)


def _comparisons(text: str) -> list[tuple[str, str, str]]:
    """Split "a <= b and c < d" into (left, "<=", right) and (left, "==", right)."""
    import ast

    if not isinstance(text, str):
        raise InputError(f"a constraint is a text like 'D <= 1e13', not {text!r}")
    tree = parse(text)  # its errors point at the character
    if not _is_conjunction(tree):
        raise FormulaError("constraint: write comparisons like D <= 1e13, joined by and", text, 0)
    body = ast.parse(text.strip(), mode="eval").body
    found = []

    def walk(node: ast.expr) -> None:
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                walk(part)
            return
        assert isinstance(node, ast.Compare)
        sides = [ast.unparse(s) for s in (node.left, *node.comparators)]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(operator, (ast.Lt, ast.LtE)):
                found.append((left, "<=", right))
            elif isinstance(operator, (ast.Gt, ast.GtE)):
                found.append((left, ">=", right))
            else:
                found.append((left, "==", right))

    walk(body)
    return found


def _is_conjunction(node: ex.Node) -> bool:
    if not isinstance(node, ex.Apply):
        return False
    if node.function == "and":
        return all(map(_is_conjunction, node.arguments))
    return node.function in ("le", "lt", "ge", "gt", "eq")


def _definition(text: str, left: str, right: str, ranges: Mapping[str, object]) -> tuple[str, str]:
    for name, by in ((left, right), (right, left)):
        if name in ranges and name not in names(by):
            return name, by
    raise FormulaError(
        "constraint: an equality must have one variable with a range alone on one side, like "
        "D == 20*N",
        text,
        0,
    )
