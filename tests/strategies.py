"""Random laws of the whole formula language with tables and parameter values to try them on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lawfit import _core, compiler, formula, reference, resolution

SPACES = ("linear", "log", "logit")
INSTRUCTION_SETS = tuple(_core.info()["instruction_sets"])

# The same few examples each time, or with LAWFIT_EXAMPLES so many new ones.
deterministic = settings(
    derandomize="LAWFIT_EXAMPLES" not in os.environ,
    max_examples=int(os.environ.get("LAWFIT_EXAMPLES", "200")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@contextmanager
def instruction_set(name: str):
    """Run the engine with one build of the kernels."""
    before = _core.info()["instruction_set"]
    assert _core.select_instruction_set(name)
    try:
        yield
    finally:
        _core.select_instruction_set(before)


def compiled(
    text: str,
    columns: dict[str, np.ndarray],
    parameters: list[str],
    *,
    logs: Any = (),
    positive: Any = (),
    space: str = "linear",
) -> _core.Program:
    """Compile a formula for a table, whose columns above zero are known to be so."""
    above = {name for name, column in columns.items() if np.all(column > 0)}
    tree = resolution.resolve(
        formula.parse(text),
        variables=columns,
        log_parameters=logs,
        positive=above | set(positive),
    )
    return compiler.compile_law(tree, variables=list(columns), parameters=parameters, space=space)


# ---- Trees -------------------------------------------------------------------------------

# A tree is ("name", n), ("number", x), ("call", f, args), ("op", symbol, a, b), ("neg", a),
# ("not", a), ("logic", word, args) or ("compare", (symbol, ...), args).
Tree = tuple[Any, ...]

SMOOTH = tuple(
    "log2 log10 log1p expm1 abs tanh sigmoid softplus erf normcdf sin cos arctan".split()
)
SCALES = ("E", "A", "B")
EXPONENTS = ("alpha", "beta")
ANY_SIGN = ("a", "b", "c")
HUGE = ("N", "D")
COLUMNS = (*HUGE, "P", "x", "k")


def name(n: str) -> Tree:
    return ("name", n)


def number(x: float) -> Tree:
    return ("number", x)


def call(f: str, *args: Tree) -> Tree:
    return ("call", f, args)


def op(symbol: str, a: Tree, b: Tree) -> Tree:
    return ("op", symbol, a, b)


def sampled(*names: str) -> st.SearchStrategy[Tree]:
    return st.sampled_from([name(n) for n in names])


numbers = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.5, 10.0, 1e-3, 1e9]),
    st.floats(0.01, 20).map(lambda x: float(f"{x:.4g}")),
).map(number)

exponents = st.one_of(
    sampled(*EXPONENTS),
    sampled(*EXPONENTS).map(lambda e: ("neg", e)),
    st.builds(op, st.sampled_from("+-*/"), sampled(*EXPONENTS), sampled(*EXPONENTS, "a")),
    st.builds(
        lambda e, a, v: op("+", e, op("*", a, call("log", v))),
        sampled(*EXPONENTS),
        sampled("a", "b"),
        sampled("P"),
    ),
    st.sampled_from([0.5, 1.0, 2.0, 3.0, -1.0, -2.0, 0.34]).map(
        lambda x: number(x) if x > 0 else ("neg", number(-x))
    ),
)
bases = st.one_of(
    sampled(*HUGE, "P"),
    st.builds(op, st.sampled_from("/*"), sampled(*HUGE), sampled(*SCALES, "P")),
    st.builds(
        lambda n, p, g: op("*", n, op("-", number(1.0), call("exp", ("neg", op("/", p, g))))),
        sampled(*HUGE),
        sampled("P"),
        sampled(*SCALES),
    ),
)
powers = st.one_of(
    st.builds(lambda b, e: op("**", b, e), bases, exponents),
    st.builds(lambda b, e: call("pow", b, e), bases, exponents),
)
power_terms = st.one_of(
    sampled(*SCALES),
    st.builds(op, st.sampled_from("/*"), sampled(*SCALES, *ANY_SIGN), powers),
    st.builds(
        lambda c, p, q: op("*", c, op("*", p, q)), sampled(*SCALES, *ANY_SIGN), powers, powers
    ),
    powers,
)


def chained(symbols: list[str], terms: list[Tree]) -> Tree:
    total = terms[0]
    for symbol, term in zip(symbols, terms[1:], strict=False):
        total = op(symbol, total, term)
    return total


power_sums = st.builds(
    chained,
    st.lists(st.sampled_from("+++-"), min_size=4, max_size=4),
    st.lists(power_terms, min_size=1, max_size=4),
)
atoms = st.one_of(
    sampled("x", "k", "P"),
    sampled(*ANY_SIGN),
    sampled(*SCALES, *EXPONENTS),
    sampled(*HUGE).map(lambda n: call("log", n)),
    sampled(*HUGE).map(lambda n: op("/", n, number(1e9))),
    numbers,
)


KINDS = (
    *"+ + - * * / ** neg".split(),
    *SMOOTH,
    *"exp log sqrt logit integer_power 1-exp min max where where logaddexp logsumexp".split(),
    *"compare and or not".split(),
)


@st.composite
def general(draw: st.DrawFn, depth: int = 3) -> Tree:
    """Return a tree of any functions, at most `depth` of them inside one another."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(atoms)
    inner = general(depth - 1)
    few = st.lists(inner, min_size=2, max_size=3).map(tuple)
    kind = draw(st.sampled_from(KINDS))
    if kind in "+-*/":
        return op(kind, draw(inner), draw(inner))
    if kind == "neg":
        return ("neg", draw(inner))
    if kind in SMOOTH:
        return call(kind, draw(inner))
    if kind == "exp":
        return call("exp", op("/", draw(inner), number(4.0)))
    if kind in ("log", "sqrt", "**"):  # of something positive or not
        base = draw(inner)
        if draw(st.booleans()):
            base = op("+", call("abs", base), number(0.25))
        return op("**", base, draw(inner)) if kind == "**" else call(kind, base)
    if kind == "logit":
        return call("logit", call("sigmoid", draw(inner)) if draw(st.booleans()) else draw(inner))
    if kind == "integer_power":
        exponent = draw(st.sampled_from([1.0, 2.0, 3.0, 5.0, 16.0]))
        sign = draw(st.booleans())
        return op("**", draw(inner), ("neg", number(exponent)) if sign else number(exponent))
    if kind == "1-exp":
        return op("-", number(1.0), call("exp", ("neg", draw(inner))))
    if kind == "where":
        return call("where", draw(inner), draw(inner), draw(inner))
    if kind == "logaddexp":
        return call("logaddexp", draw(inner), draw(inner))
    if kind == "not":
        return ("not", draw(inner))
    if kind in ("and", "or"):
        return ("logic", kind, draw(few))
    if kind == "compare":
        arguments = draw(few)
        symbols = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
        return ("compare", tuple(draw(symbols) for _ in arguments[1:]), arguments)
    return call(kind, *draw(few))  # min, max, logsumexp


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Return sums of powers for the most part, and everything else the language has."""
    shape = draw(st.integers(0, 9))
    if shape < 3:
        return draw(power_sums)
    if shape == 3:
        return op("**", draw(power_sums), draw(exponents))
    if shape < 7:
        return draw(general(draw(st.integers(1, 4))))
    if shape == 7:
        return op(draw(st.sampled_from("+-*")), draw(power_sums), draw(general()))
    if shape == 8:
        return call("where", draw(general()), draw(power_sums), draw(power_sums))
    outer = draw(st.sampled_from(["sigmoid", "exp", "log", "normcdf", "min", "max"]))
    if outer in ("min", "max"):
        return call(outer, draw(power_sums), draw(general()))
    return call(outer, draw(power_sums))


def render(tree: Tree, leaf: Callable[[str], str] = str, noise: Callable[[], str] = str) -> str:
    """Write a tree as a formula.

    `leaf` gives the text of a name. What `noise` gives is written behind every result of
    arithmetic and every term of a sum.
    """

    def go(node: Tree, term: bool = False) -> str:
        kind, *rest = node
        if kind == "name":
            return f"({leaf(rest[0])}{noise()})" if term else leaf(rest[0])
        if kind == "number":
            text = repr(rest[0])
            return f"({text}{noise()})" if term else text
        if kind == "neg":
            return f"(-{go(rest[0], term)})"
        if kind == "not":
            return f"(not {go(rest[0])})"
        if kind == "logic":
            return "(" + f" {rest[0]} ".join(go(a) for a in rest[1]) + ")"
        if kind == "compare":
            symbols, args = rest
            parts = [go(args[0])]
            for symbol, a in zip(symbols, args[1:], strict=True):
                parts += [symbol, go(a)]
            return "(" + " ".join(parts) + ")"
        if kind == "call":
            f, args = rest
            text = f"{f}({', '.join(go(a) for a in args)})"
            if f.startswith("log") and f.endswith("exp") and noise():  # exact to a part of 1, not
                text = f"({text} + 1{noise()} - 1)"  # of a result that is nearly 0
            return text if f in ("min", "max", "where", "abs") and not term else with_noise(text)
        symbol, a, b = rest
        is_sum = symbol in "+-"
        return with_noise(f"({go(a, is_sum)} {symbol} {go(b, is_sum)})")

    def with_noise(text: str) -> str:
        return f"({text}{noise()})" if noise() else text

    return go(tree)


def parts(tree: Tree) -> list[Tree]:
    """Return the tree and all trees inside it."""
    kind, *rest = tree
    if kind in ("neg", "not"):
        inside = [rest[0]]
    elif kind == "op":
        inside = rest[1:]
    elif kind in ("call", "compare", "logic"):
        inside = list(rest[1])
    else:
        inside = []
    return [tree, *(p for child in inside for p in parts(child))]


# ---- Laws with tables --------------------------------------------------------------------


def table(seed: int, rows: int) -> dict[str, np.ndarray]:
    """Return columns: huge positive, counting, of any sign, small integers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows) * 10.0 ** rng.choice([-3, 0, 0, 1], rows)
    return {
        "N": 10 ** rng.uniform(6, 11, rows),
        "D": 10 ** rng.uniform(8, 13, rows),
        "P": rng.integers(1, 64, rows).astype(float),
        "x": np.where(rng.random(rows) < 0.1, 0.0, x),
        "k": rng.integers(-3, 4, rows).astype(float),
    }


@dataclass(frozen=True)
class Law:
    """A formula, the values of its parameters in order of appearance, and a table."""

    tree: Tree
    values: dict[str, float]
    logs: frozenset[str]
    positive: frozenset[str]
    seed: int
    rows: int

    @cached_property
    def text(self) -> str:
        return render(self.tree)

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        every = table(self.seed, self.rows)
        return {n: every[n] for n in formula.names(self.text) if n in every}

    @property
    def parameters(self) -> list[str]:
        return list(self.values)

    @cached_property
    def coordinates(self) -> dict[str, float]:
        """The numbers the engine moves: a value, or its logarithm."""
        return {n: math.log(v) if n in self.logs else v for n, v in self.values.items()}

    def program(self, space: str) -> _core.Program:
        return compiled(
            self.text,
            self.columns,
            self.parameters,
            logs=self.logs,
            positive=self.positive,
            space=space,
        )

    def run(self, program: _core.Program) -> tuple[np.ndarray, np.ndarray]:
        """Return values (n,) and derivatives (n, p) along the coordinates."""
        x = np.array(list(self.coordinates.values()), dtype=float)
        return program.values_and_jacobian(list(self.columns.values()), self.rows, x)

    def twin(
        self, space: str = "linear", *, tree: Tree | None = None, noise_seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same from the reference; with a seed, every step off by some 100 roundings.

        The errors of seed -k are those of seed k in the other direction.
        """
        rng = np.random.default_rng(abs(noise_seed or 0))

        def error() -> float:
            return math.copysign(NOISE, noise_seed or 0) * rng.uniform(-1, 1)

        def noise() -> str:
            return "" if noise_seed is None else f" * {1 + error()!r}"

        def leaf(n: str) -> str:
            if n in self.logs:
                return f"exp({n}{noise()})"
            if noise_seed is None or n not in self.values or self.values[n] % 1 == 0:
                return n  # exact in the engine too: ties and whole exponents stay what they are
            return f"({n} + {self.values[n] * error()!r})"

        text = render(self.tree if tree is None else tree, leaf, noise)
        if space != "linear":
            text = f"{space}({text})"
        columns = self.columns or {"row": np.zeros(self.rows)}
        return reference.evaluate_with_gradient(text, self.coordinates, columns, self.parameters)


NOISE = 2.0**-44


@st.composite
def laws(draw: st.DrawFn) -> Law:
    chosen = draw(trees())
    used = [n for n in formula.names(render(chosen)) if n not in COLUMNS]
    values: dict[str, float] = {}
    for n in used:
        if n in SCALES:
            values[n] = 10 ** draw(st.floats(-2, 4))
        elif n in EXPONENTS:
            values[n] = draw(st.one_of(st.sampled_from([0.5, 1.0]), st.floats(0.01, 1.2)))
        else:
            values[n] = draw(
                st.one_of(
                    st.sampled_from([0.0, 1.0, -1.0, 2.0, 3.0, -2.0]),
                    st.floats(-3, 3).map(lambda v: float(f"{v:.6g}")),
                )
            )
    above = [n for n in used if values[n] > 0]
    logs = frozenset(n for n in above if draw(st.booleans()))
    positive = frozenset(n for n in above if n not in logs and draw(st.booleans()))
    seed = draw(st.integers(0, 2**16))
    rows = draw(st.integers(1, 24))
    return Law(chosen, values, logs, positive, seed, rows)
