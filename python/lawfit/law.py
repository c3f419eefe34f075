"""What a law is: a formula with parameters, variables and where it comes from. Data, no fitting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import expression as ex
from .compiler import compile_law
from .errors import InputError
from .formula import groups, left_side, names, parse
from .resolution import column_spans, resolve
from .runs import Runs, read
from .saving import Entries, from_number, to_number
from .tables import listed, named

__all__ = ["Law", "Parameter", "Published", "Source", "Variable"]


@dataclass(frozen=True)
class Parameter:
    """A number to be fitted.

    Parameters
    ----------
    name : str
    transform : {"log", "identity"}
        "log": a scale factor, above zero, that the solver moves by its logarithm.
    bounds : tuple of float
        Smallest and largest value, in natural units.
    start : tuple of float, optional
        Range in which starts are drawn, in natural units. Without it the range is derived from the
        data.
    description : str
        What it means, with its unit.
    """

    name: str
    transform: str = "identity"
    bounds: tuple[float, float] = (-math.inf, math.inf)
    start: tuple[float, float] | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if self.transform not in ("log", "identity"):
            raise InputError(
                f"parameter {self.name}: transform {self.transform!r} must be 'log' or 'identity'"
            )
        check_bounds(self.name, self.bounds)
        if self.transform == "log" and self.bounds[1] <= 0:
            raise InputError(f"parameter {self.name}: a log parameter needs an upper bound above 0")

    @property
    def positive(self) -> bool:
        """Whether no value at or below zero is allowed."""
        return self.transform == "log" or self.bounds[0] > 0


def check_bounds(name: str, bounds: Any) -> tuple[float, float]:
    """Return bounds as two floats, or raise InputError naming the parameter."""
    try:
        low, high = (float(b) for b in bounds)
    except OverflowError:
        raise InputError(f"parameter {name}: a bound is too large for a float64") from None
    except (TypeError, ValueError):
        raise InputError(
            f"parameter {name}: bounds {bounds!r} must be a pair (lower, upper)"
        ) from None
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InputError(f"parameter {name}: lower bound {low:g} is above upper bound {high:g}")
    if low == math.inf or high == -math.inf:
        raise InputError(f"parameter {name}: bounds ({low:g}, {high:g}) leave no finite value")
    return low, high


def bounds_to_json(bounds: tuple[float, float]) -> list[float | str | None]:
    """Return bounds for JSON, which has no infinity: None where there is no bound."""
    usual = (-math.inf, math.inf)
    return [None if b == u else from_number(b) for b, u in zip(bounds, usual, strict=True)]


def bounds_from_json(bounds: Sequence[float | str | None]) -> tuple[float, float]:
    """Return bounds from `bounds_to_json`."""
    low, high = bounds
    return (
        -math.inf if low is None else to_number(low, "lower bound"),
        math.inf if high is None else to_number(high, "upper bound"),
    )


@dataclass(frozen=True)
class Variable:
    """A column that the formula reads.

    Parameters
    ----------
    name, unit, description : str
        What it is called, counted in, and means.
    span : tuple of float, optional
        Smallest and largest value in the source, for examples and simulated runs.
    levels : tuple, optional
        The values that it takes in the source, where they are few: bits, epochs, families.
    """

    name: str
    unit: str = ""
    description: str = ""
    span: tuple[float, float] | None = None
    levels: tuple[float, ...] | tuple[str, ...] | None = None

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return n values: of the levels, or log-uniform (uniform, if it reaches 0) in the span."""
        if self.levels is not None:
            return np.asarray(self.levels)[rng.integers(len(self.levels), size=n)]
        if self.span is None:
            raise InputError(f"variable {self.name} has neither a span nor levels to draw from")
        low, high = self.span
        if low > 0:
            return np.exp(rng.uniform(math.log(low), math.log(high), n))
        return rng.uniform(low, high, n)


@dataclass(frozen=True)
class Source:
    """Where a law stands in the literature."""

    title: str = ""
    arxiv: str = ""
    equation: str = ""
    year: int | None = None


@dataclass(frozen=True)
class Published:
    """A published set of coefficients, in natural units.

    Parameters
    ----------
    name : str
        Short name of the set.
    params : mapping of str to float
    where : str
        Table or equation it stands in.
    units : str
        What N, D, ... were counted in and how.
    note : str
        Known disputes and roundings.
    """

    name: str
    params: Mapping[str, float]
    where: str = ""
    units: str = ""
    note: str = ""


# Columns that a formula of the user's own most often means, used only where no table decides.
CONVENTIONAL_VARIABLES = frozenset({"N", "D", "C", "P", "P_w", "P_a", "P_kv", "P_post", "U", "S"})


@dataclass(frozen=True, init=False)
class Law:
    """A scaling law: a formula with declared or inferred parameters and variables.

    Parameters
    ----------
    formula : str
        In the formula language (see `lawfit.formula.parse`).
    parameters : iterable of Parameter or str, optional
        Declared parameters. Those that the formula uses but that are not declared are inferred:
        a name that multiplies or divides a power or an exponential, or stands alone in a sum with
        such terms, is a positive scale factor (transform "log"); every other one is unrestricted.
    variables : iterable of Variable or str, optional
        Columns. Without it, the names that the table has are the variables.
    name, target, source, published, notes, verified
        What it is called, the column it predicts, where it comes from, published coefficients,
        remarks, and whether form and coefficients were checked against a second source.
    protocol : str
        How the source fitted it: objective, space, starts, filters.
    example : mapping of str to float, optional
        Coefficients of plausible size for examples and tests, where none are published in full.
    """

    formula: str
    name: str = ""
    target: str = "loss"
    source: Source = Source()
    published: tuple[Published, ...] = ()
    notes: str = ""
    verified: bool = True
    protocol: str = ""
    example: Mapping[str, float] | None = None
    declared_parameters: tuple[Parameter, ...] = ()
    declared_variables: tuple[Variable, ...] | None = None
    _names: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def __init__(
        self,
        formula: str,
        parameters: Iterable[Parameter | str] = (),
        variables: Iterable[Variable | str] | None = None,
        *,
        name: str = "",
        target: str = "loss",
        source: Source | None = None,
        published: Iterable[Published] = (),
        notes: str = "",
        verified: bool = True,
        protocol: str = "",
        example: Mapping[str, float] | None = None,
    ) -> None:
        declared_parameters = tuple(
            p if isinstance(p, Parameter) else Parameter(p) for p in parameters
        )
        declared_variables = (
            None
            if variables is None
            else tuple(v if isinstance(v, Variable) else Variable(v) for v in variables)
        )
        used = names(formula)
        if left := left_side(formula):
            if target not in ("loss", left):
                raise InputError(f"the law {formula!r} gives {left}, but its target is {target!r}")
            target = left
        grouped = groups(formula)
        known = {n for n in used if "[" not in n} | {*grouped, *grouped.values()}
        for kind, declared in (
            ("parameter", declared_parameters),
            ("variable", declared_variables or ()),
        ):
            for item in declared:
                if item.name not in known:
                    raise InputError(
                        f"{kind} {item.name!r} is declared but does not occur in the formula "
                        f"{formula!r}"
                    )
        both = {p.name for p in declared_parameters} & {v.name for v in declared_variables or ()}
        if both:
            raise InputError(
                f"declared both as parameter and as variable: {', '.join(sorted(both))}"
            )
        for attribute, value in {
            "formula": formula,
            "name": name,
            "target": target,
            "source": source or Source(),
            "published": tuple(published),
            "notes": notes,
            "verified": verified,
            "protocol": protocol,
            "example": example,
            "declared_parameters": declared_parameters,
            "declared_variables": declared_variables,
            "_names": used,
        }.items():
            object.__setattr__(self, attribute, value)

    @property
    def tree(self) -> ex.Node:
        """The formula's expression tree."""
        return parse(self.formula, equation=True)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables; without a declaration, those usual for scaling laws."""
        return self.variables_in(CONVENTIONAL_VARIABLES)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in order of appearance in the formula."""
        return self.parameters_in(CONVENTIONAL_VARIABLES)

    @property
    def latex(self) -> str:
        """The formula in LaTeX, without the target and without dollar signs."""
        from .typeset import latex  # only here: few fits are printed

        return latex(self.tree)

    @property
    def groups(self) -> dict[str, str]:
        """Column of each parameter that has one value per level: ``E[family]`` is E: family.

        The values are named ``E[wiki]``, ``E[c4]``, ... by the levels. A `Parameter` declared as E
        holds for all of them.
        """
        return groups(self.formula)

    def variables_in(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the columns of numbers, given the columns of a table."""
        if self.declared_variables is not None:
            return tuple(v.name for v in self.declared_variables if v.name in self._names)
        declared = {p.name for p in self.declared_parameters}
        columns = set(columns)
        plain = [n for n in self._names if "[" not in n]
        return tuple(n for n in plain if n in columns and n not in declared)

    def parameters_in(self, columns: Iterable[str]) -> tuple[Parameter, ...]:
        """Return the parameters in order of appearance, given the columns of a table."""
        variables = set(self.variables_in(columns))
        declared = {p.name: p for p in self.declared_parameters}
        scale = scale_factors(self.tree, variables)
        return tuple(
            declared.get(n) or Parameter(n, "log" if n in scale else "identity")
            for n in (text.partition("[")[0] for text in self._names if text not in variables)
        )

    def resolved(self, columns: Iterable[str]) -> Law:
        """Return the law with every name declared, as the columns of a table decide."""
        columns = list(columns)
        return Law(
            self.formula,
            self.parameters_in(columns),
            self.declared_variables
            if self.declared_variables is not None
            else self.variables_in(columns),
            name=self.name,
            target=self.target,
            source=self.source,
            published=self.published,
            notes=self.notes,
            verified=self.verified,
            protocol=self.protocol,
            example=self.example,
        )

    def coefficients(self, name: str | None = None) -> dict[str, float]:
        """Return a published set by name; without a name the first, or else the example's.

        Raises
        ------
        InputError
            If there is none.
        """
        for published in self.published:
            if name is None or published.name == name:
                return dict(published.params)
        if name is None and self.example is not None:
            return dict(self.example)
        known = ", ".join(p.name for p in self.published) or "none"
        raise InputError(
            f"{self.name or self.formula} has no set of coefficients {name or ''!r}; known: {known}"
        )

    def simulate(
        self,
        n: int = 200,
        *,
        params: Mapping[str, float] | None = None,
        noise: float = 0.003,
        rng: Any = 0,
    ) -> Runs:
        """Draw runs in the variables' spans and add noise to what the law predicts.

        Parameters
        ----------
        n : int
            Number of runs.
        params : mapping of str to float, optional
            Natural units; without it those of `coefficients`.
        noise : float
            Standard deviation of the logarithm of the target; of the target itself where the law
            predicts values that are not positive.
        rng : int or Generator

        Raises
        ------
        InputError
            If a variable has neither span nor levels, or no coefficients are known.
        """
        generator = np.random.default_rng(rng)
        columns = {v.name: v.draw(n, generator) for v in self.declared_variables or ()}
        value = self.predict(self.coefficients() if params is None else params, columns)
        draws = generator.normal(0.0, noise, n)
        target = value * np.exp(draws) if (value > 0).all() else value + draws
        return Runs({**columns, self.target: target}, source="simulated runs")

    def predict(self, params: Mapping[str, float], runs: Any) -> NDArray[np.float64]:
        """Evaluate the law.

        Parameters
        ----------
        params : mapping of str to float
            Every parameter by name, in natural units; for ``E[family]`` a value ``E[wiki]`` for
            each level in `runs`.
        runs : mapping of arrays, DataFrame, or path
            Must have the law's variables and the columns of its groups.

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        InputError
            If a parameter or a column is missing, or a group has a level without a value.
        """
        table = runs if isinstance(runs, Runs) else read(runs)
        plain = [n for n in self._names if "[" not in n]
        needed = [n for n in plain if n not in params]
        if self.declared_variables is not None:
            variables = self.variables_in(())
            missing = [n for n in needed if n not in variables]
            if missing:
                raise InputError(
                    f"no value for parameter {missing[0]!r}; given: {named(params) or 'none'}"
                )
            needed = list(variables)
        grouped = self.groups
        unknown = [
            n
            for n in params
            if n not in plain and not (n.endswith("]") and n.partition("[")[0] in grouped)
        ]
        if unknown:
            raise InputError(f"{unknown[0]!r} is not a parameter of {self.name or self.formula!r}")
        columns = [table.numbers(n, needed_by=self.name or "the formula") for n in needed]
        values = {n: float(params[n]) for n in plain if n in params and n not in needed}
        for name, column in grouped.items():  # to evaluate, a value per row is a column
            needed.append(f"{name}[{column}]")
            columns.append(_by_level(name, column, params, table))
        positive = {n for n, c in zip(needed, columns, strict=True) if (c > 0).all()}
        # A positive value is used through its logarithm, so that nested powers do not overflow.
        logs = {n for n, v in values.items() if v > 0}
        tree = resolve(
            self.tree,
            variables=needed,
            log_parameters=logs,
            positive=positive,
            spans=column_spans(dict(zip(needed, columns, strict=True))),
        )
        program = compile_law(tree, variables=needed, parameters=list(values))
        coordinates = [math.log(v) if n in logs else v for n, v in values.items()]
        return program.values(columns, table.n, coordinates)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs to make the same law, as plain JSON types."""
        return {
            "name": self.name,
            "formula": self.formula,
            "target": self.target,
            "parameters": [
                {
                    "name": p.name,
                    "transform": p.transform,
                    "bounds": bounds_to_json(p.bounds),
                    "start": None if p.start is None else [from_number(v) for v in p.start],
                    "description": p.description,
                }
                for p in self.declared_parameters
            ],
            "variables": None
            if self.declared_variables is None
            else [
                {
                    "name": v.name,
                    "unit": v.unit,
                    "description": v.description,
                    "span": None if v.span is None else [from_number(x) for x in v.span],
                    "levels": None
                    if v.levels is None
                    else [x if isinstance(x, str) else from_number(x) for x in v.levels],
                }
                for v in self.declared_variables
            ],
            "source": vars(self.source).copy(),
            "published": [
                {**vars(p), "params": {n: from_number(v) for n, v in p.params.items()}}
                for p in self.published
            ],
            "notes": self.notes,
            "verified": self.verified,
            "protocol": self.protocol,
            "example": None
            if self.example is None
            else {n: from_number(v) for n, v in self.example.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Law:
        """Make a law from `to_dict`; the data may come from anybody.

        Raises
        ------
        InputError
            If an entry is missing or of another type, or the law cannot be used.
        """
        given = Entries(data, "law")
        optional: dict[str, Any] = {
            name: given.text(name)
            for name in ("name", "target", "notes", "protocol")
            if name in given
        }
        if "verified" in given:
            optional["verified"] = given.flag("verified")
        if "source" in given:
            source = given.object("source")
            year = None if source.any("year") is None else source.count("year")
            texts = {name: source.text(name) for name in ("title", "arxiv", "equation")}
            optional["source"] = Source(**texts, year=year)
        if "published" in given:
            optional["published"] = [
                Published(
                    p.text("name"), p.numbers("params"), p.text("where"), p.text("units"),
                    p.text("note"),
                )
                for p in given.objects("published")
            ]  # fmt: skip
        if "example" in given and given.any("example") is not None:
            optional["example"] = given.numbers("example")
        variables = given.any("variables") if "variables" in given else None
        return cls(
            given.text("formula"),
            [_parameter(p) for p in given.objects("parameters")] if "parameters" in given else (),
            None if variables is None else [_variable(v) for v in given.items("variables")],
            **optional,
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}" if self.name else self.formula


def _pair(entries: Entries, name: str) -> tuple[float, float] | None:
    if name not in entries or entries.any(name) is None:
        return None
    low, high = entries.items(name, 2)
    return to_number(low, name), to_number(high, name)


def _parameter(given: Entries) -> Parameter:
    return Parameter(
        given.text("name"),
        given.text("transform"),
        bounds_from_json(given.items("bounds", 2)),
        _pair(given, "start"),
        given.text("description") if "description" in given else "",
    )


def _variable(given: Any) -> Variable:
    if isinstance(given, str):  # of the first format
        return Variable(given)
    v = Entries(given, "variable")
    levels: Any = v.any("levels")
    if levels is not None:
        given_levels = v.items("levels")
        levels = tuple(x if isinstance(x, str) else to_number(x, "level") for x in given_levels)
    return Variable(v.text("name"), v.text("unit"), v.text("description"), _pair(v, "span"), levels)


def _by_level(
    name: str, column: str, params: Mapping[str, float], table: Runs
) -> NDArray[np.float64]:
    """Return the value of a parameter of a group in every row, shape (n,)."""
    levels, index = table.levels(column, needed_by=f"{name}[{column}]")
    values = np.empty(len(levels))
    for k, level in enumerate(levels):
        if f"{name}[{level}]" not in params:
            row = table.row_label(int(np.argmax(index == k)))
            known = [n[len(name) + 1 : -1] for n in params if n.startswith(f"{name}[")]
            raise InputError(
                f'{table.source}: column "{column}", {row}: there is no value {name}[{level}], as '
                f'the level "{level}" was not in the fit; levels: {listed(known) or "none"}'
            )
        values[k] = params[f"{name}[{level}]"]
    return values[index]


def scale_factors(tree: ex.Node, variables: Iterable[str]) -> set[str]:
    """Return the names that are positive scale factors by their place in the formula.

    These are the names that multiply or divide a power with a fitted exponent or an exponential of
    columns, and the names that stand alone as a term beside such products.
    """
    columns = frozenset(variables)
    found: set[str] = set()

    def has_column(node: ex.Node) -> bool:
        return any(
            isinstance(n, ex.Bound) or (isinstance(n, ex.Name) and n.text in columns)
            for n in ex.walk(node)
        )

    def has_parameter(node: ex.Node) -> bool:
        return any(isinstance(n, ex.Name) and n.text not in columns for n in ex.walk(node))

    def factors(node: ex.Node) -> list[ex.Node]:
        if isinstance(node, ex.Apply) and node.function in ("mul", "div", "neg"):
            return [f for a in node.arguments for f in factors(a)]
        return [node]

    def is_power(node: ex.Node) -> bool:
        if not isinstance(node, ex.Apply):
            return False
        if node.function in ("pow", "exp"):
            return has_column(node) and has_parameter(node.arguments[-1])
        return False

    def parameter_name(node: ex.Node) -> str | None:
        return node.name if isinstance(node, ex.Name) and node.text not in columns else None

    for node in ex.walk(tree):
        if not isinstance(node, ex.Apply):
            continue
        if node.function in ("mul", "div"):
            parts = factors(node)
            if any(map(is_power, parts)):
                found.update(n for f in parts if (n := parameter_name(f)))
        elif node.function == "pow" and has_parameter(node.arguments[1]):
            # ((N_c / N)**p + D_c / D)**alpha: ratios to columns, raised to a fitted power
            for term in ex.addends(node.arguments[0]):
                if has_column(term):
                    found.update(n for f in factors(term) if (n := parameter_name(f)))
        if node.function in ("add", "logsumexp"):
            terms = ex.addends(node)
            if any(any(map(is_power, factors(t))) for t in terms):
                found.update(n for t in terms if (n := parameter_name(t)))
    return found
