"""Expression trees: their nodes, what they depend on and what is known of their sign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "COMPARISONS",
    "MINUS_ONE",
    "ONE",
    "ZERO",
    "Apply",
    "Bound",
    "Constant",
    "Coordinate",
    "Name",
    "Node",
    "Variable",
    "add",
    "addends",
    "constant_value",
    "divide",
    "is_negative",
    "is_nonnegative",
    "is_positive",
    "multiply",
    "negate",
    "one_minus_exp",
    "split_constant",
    "substitute",
    "total",
    "uses_coordinates",
    "uses_variables",
    "walk",
]

COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    value: float


ONE, ZERO, MINUS_ONE = Constant(1.0), Constant(0.0), Constant(-1.0)


@dataclass(frozen=True, slots=True)
class Name:
    """A name of which it is not yet decided whether it is a parameter or a column.

    With a `group`, the column in square brackets, it is one parameter per level of that column.
    """

    name: str
    group: str = ""

    @property
    def text(self) -> str:
        """The name as it is written in a formula."""
        return f"{self.name}[{self.group}]" if self.group else self.name


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the table; `positive` if every row of it is known to be above zero."""

    name: str
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A number that the solver moves: a parameter, or the logarithm of a positive one."""

    name: str
    positive: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A name that gets its value within the formula: the index of a sum, or the unknown of a law.

    An unknown is taken to be positive wherever that makes its equation's other side positive.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of other nodes.

    Functions: ``add mul div pow neg`` and the comparisons, ``and or not where min max``, those
    named as in the formula language, and

    - ``sum prod``, with arguments first, end, `Bound`, body: over first <= index < end;
    - ``solve``, with arguments `Bound`, body: the number that is equal to the body.
    """

    function: str
    arguments: tuple[Node, ...]


Node = Constant | Name | Variable | Coordinate | Bound | Apply


def walk(node: Node) -> Iterator[Node]:
    """Yield every node of the tree, parents before children, left to right."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if isinstance(current, Apply):
            stack.extend(reversed(current.arguments))


@lru_cache(maxsize=4096)
def uses_variables(node: Node) -> bool:
    """Tell whether the value differs from row to row."""
    if isinstance(node, Apply):
        return any(uses_variables(a) for a in node.arguments)
    return isinstance(node, (Variable, Bound))


@lru_cache(maxsize=4096)
def uses_coordinates(node: Node) -> bool:
    """Tell whether the value moves when the solver moves."""
    if isinstance(node, Apply):
        return any(uses_coordinates(a) for a in node.arguments)
    return isinstance(node, Coordinate)


def substitute(node: Node, old: Node, new: Node) -> Node:
    """Return the tree with every node that equals `old` replaced."""
    if node == old:
        return new
    if isinstance(node, Apply):
        return Apply(node.function, tuple(substitute(a, old, new) for a in node.arguments))
    return node


def constant_value(node: Node) -> float | None:
    """Return the number a node is, None if it is not a constant."""
    return node.value if isinstance(node, Constant) else None


# --- constructors that fold what is known ---------------------------------------------------------


def multiply(a: Node, b: Node) -> Node:
    """Return a * b with constants folded and gathered in front."""
    ka, ra = split_constant(a)
    kb, rb = split_constant(b)
    k = ka * kb
    if ra is None and rb is None:
        return Constant(k)
    rest = ra if rb is None else rb if ra is None else Apply("mul", (ra, rb))
    assert rest is not None
    if k == 0.0:
        return Constant(0.0)
    return rest if k == 1.0 else Apply("mul", (Constant(k), rest))


def add(a: Node, b: Node) -> Node:
    """Return a + b with zeros dropped and constants folded."""
    ka, kb = constant_value(a), constant_value(b)
    if ka is not None and kb is not None:
        return Constant(ka + kb)
    if ka == 0.0:
        return b
    if kb == 0.0:
        return a
    return Apply("add", (*addends(a), *addends(b)))


def negate(a: Node) -> Node:
    """Return -a."""
    return multiply(Constant(-1.0), a)


def divide(a: Node, b: Node) -> Node:
    """Return a / b; division by a constant other than zero becomes a multiplication."""
    k = constant_value(b)
    if k is not None and k != 0.0:
        ka = constant_value(a)
        return Constant(ka / k) if ka is not None else multiply(Constant(1.0 / k), a)
    return Apply("div", (a, b))


def split_constant(node: Node) -> tuple[float, Node | None]:
    """Split a product into its leading number and the rest (None if there is no rest)."""
    if isinstance(node, Constant):
        return node.value, None
    if isinstance(node, Apply) and node.function == "mul" and len(node.arguments) == 2:
        k = constant_value(node.arguments[0])
        if k is not None:
            return k, node.arguments[1]
    if isinstance(node, Apply) and node.function == "neg":
        k, rest = split_constant(node.arguments[0])
        return -k, rest
    return 1.0, node


def total(nodes: Iterable[Node]) -> Node:
    """Return the sum of trees, with constants folded; of none 0."""
    result: Node = ZERO
    for node in nodes:
        result = add(result, node)
    return result


def addends(node: Node) -> list[Node]:
    """Split nested sums into their terms."""
    if isinstance(node, Apply) and node.function == "add":
        return [term for a in node.arguments for term in addends(a)]
    return [node]


def one_minus_exp(node: Node) -> Node | None:
    """Return u if the node is 1 - exp(u), which loses digits when computed as written."""
    terms = addends(node)
    if len(terms) != 2:
        return None
    for one, other in (terms, terms[::-1]):
        factor, rest = split_constant(other)
        negated = rest if one == Constant(1.0) and factor == -1.0 else None
        if isinstance(negated, Apply) and negated.function == "exp":
            return negated.arguments[0]
    return None


# --- signs ----------------------------------------------------------------------------------------

_ALWAYS_POSITIVE = frozenset({"exp", "sigmoid", "softplus", "normcdf"})


@lru_cache(maxsize=4096)
def is_positive(node: Node) -> bool:
    """Tell whether the value is above zero (or underflows to it) whatever the free numbers are."""
    if isinstance(node, Constant):
        return node.value > 0.0
    if isinstance(node, (Variable, Coordinate)):
        return node.positive
    if not isinstance(node, Apply):
        return isinstance(node, Bound)
    f, args = node.function, node.arguments
    if f in _ALWAYS_POSITIVE:
        return True
    if f == "solve":
        return is_positive(args[1])
    if f in ("mul", "div"):
        signs = [is_positive(a) or (-1 if is_negative(a) else 0) for a in args]
        return all(signs) and signs.count(-1) % 2 == 0
    if f in ("pow", "sqrt"):
        return is_positive(args[0])
    if f == "add" and (exponent := one_minus_exp(node)) is not None:
        return is_negative(exponent)
    if f == "add":
        return any(map(is_positive, args)) and all(map(is_nonnegative, args))
    if f in ("min", "log1p", "expm1", "tanh", "erf", "arctan"):
        return all(is_positive(a) for a in args)
    if f == "max":
        return any(is_positive(a) for a in args)
    if f == "where":
        return is_positive(args[1]) and is_positive(args[2])
    if f == "neg":
        return is_negative(args[0])
    if f == "abs":
        return is_positive(args[0]) or is_negative(args[0])
    return False


@lru_cache(maxsize=4096)
def is_negative(node: Node) -> bool:
    """Tell whether the value is below zero (or underflows to it) whatever the free numbers are."""
    if isinstance(node, Constant):
        return node.value < 0.0
    if not isinstance(node, Apply):
        return False
    f, args = node.function, node.arguments
    if f in ("mul", "div"):
        signs = [is_positive(a) or (-1 if is_negative(a) else 0) for a in args]
        return all(signs) and signs.count(-1) % 2 == 1
    if f in ("add", "max", "expm1", "tanh", "erf", "arctan"):
        return all(is_negative(a) for a in args)
    if f == "min":
        return any(is_negative(a) for a in args)
    if f == "neg":
        return is_positive(args[0])
    return False


@lru_cache(maxsize=4096)
def is_nonnegative(node: Node) -> bool:
    """Tell whether the value is zero or above whatever the free numbers are."""
    if is_positive(node) or node == Constant(0.0):
        return True
    if not isinstance(node, Apply):
        return False
    f, args = node.function, node.arguments
    if f in ("abs", *COMPARISONS, "and", "or", "not"):
        return True
    if f in ("mul", "div"):
        signs = [is_nonnegative(a) or (-1 if _is_nonpositive(a) else 0) for a in args]
        return all(signs) and signs.count(-1) % 2 == 0
    if f == "pow" and isinstance(args[1], Constant) and args[1].value % 2 == 0:
        return True
    if f in ("pow", "sqrt"):
        return is_nonnegative(args[0])
    if f == "add" and (exponent := one_minus_exp(node)) is not None:
        return _is_nonpositive(exponent)
    if f in ("add", "min", "log1p", "expm1", "tanh", "erf", "arctan"):
        return all(is_nonnegative(a) for a in args)
    if f == "max":
        return any(is_nonnegative(a) for a in args)
    if f == "where":
        return is_nonnegative(args[1]) and is_nonnegative(args[2])
    return f == "neg" and _is_nonpositive(args[0])


def _is_nonpositive(node: Node) -> bool:
    if isinstance(node, Constant):
        return node.value <= 0.0
    if not isinstance(node, Apply):
        return False
    f, args = node.function, node.arguments
    if f == "neg":
        return is_nonnegative(args[0])
    if f in ("mul", "div"):
        signs = [is_nonnegative(a) or (-1 if _is_nonpositive(a) else 0) for a in args]
        return all(signs) and signs.count(-1) % 2 == 1
    if f in ("add", "max"):
        return all(_is_nonpositive(a) for a in args)
    return is_negative(node)
