"""The formula language: text to expression tree, with errors that point at the character."""

from __future__ import annotations

import ast
import keyword
import math
import re
from functools import lru_cache

from . import expression as ex
from .errors import FormulaError

__all__ = ["FUNCTIONS", "SERIES", "find", "groups", "left_side", "names", "parse"]

# name -> smallest and largest number of arguments
FUNCTIONS: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(
        (
            "exp log log2 log10 log1p expm1 sqrt abs tanh sigmoid logit softplus erf normcdf "
            "sin cos arctan"
        ).split(),
        (1, 1),
    ),
    "pow": (2, 2),
    "logaddexp": (2, 2),
    "logsumexp": (1, None),
    "min": (2, None),
    "max": (2, None),
    "where": (3, 3),
}

# Over an index: sum(BODY for i in range(FIRST, END)).
SERIES = ("prod", "sum")

MAX_LENGTH = 20_000
MAX_DEPTH = 64

_BINARY = {ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
_COMPARE = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}


@lru_cache(maxsize=256)
def parse(text: str, *, equation: bool = False) -> ex.Node:
    """Turn the text of a formula into an expression tree.

    Parameters
    ----------
    text : str
        Python's expression syntax: numbers, names, ``+ - * / **``, parentheses, comparisons joined
        by ``and``, ``or``, ``not``, and calls of the functions in `FUNCTIONS`. ``E[family]`` is one
        parameter E per level of the column family; ``sum(BODY for i in range(FIRST, END))`` and
        ``prod`` run over the whole numbers from FIRST to below END.
    equation : bool
        Whether ``y = FORMULA`` is allowed too: the formula alone if y does not occur in it, and
        otherwise a node ``solve``.

    Returns
    -------
    Node
        Names are left as `expression.Name`: whether one is a parameter or a column is decided by
        who uses the formula.

    Raises
    ------
    FormulaError
        If the text is not of the language; the message points at the character.
    """
    return _Parser(text, equation).parse()


def left_side(text: str) -> str:
    """Return the name that a law written as an equation gives to its value, "" without one."""
    found = _EQUATION.match(text) if isinstance(text, str) else None
    return found[1] if found else ""


def names(text: str) -> tuple[str, ...]:
    """Return the names a formula uses as they are written, in order of first appearance.

    Names that get their value within the formula are left out: an index, and the left side of an
    equation.
    """
    tree = parse(text, equation=True)
    found = [node.text for node in ex.walk(tree) if isinstance(node, ex.Name)]
    return tuple(dict.fromkeys(found))


def groups(text: str) -> dict[str, str]:
    """Return the column of every parameter that has one value per level: E[family] is E: family.

    Raises
    ------
    FormulaError
        If one name stands with two columns, or with a column and without one.
    """
    found: dict[str, ex.Name] = {}
    for node in ex.walk(parse(text, equation=True)):
        if not isinstance(node, ex.Name):
            continue
        first = found.setdefault(node.name, node)
        if first != node:
            name, group = re.escape(node.name), re.escape(node.group)
            written = rf"\b{name}\s*\[\s*{group}\s*\]" if node.group else rf"\b{name}\b(?!\s*\[)"
            reason = f"{first.text} and {node.text} cannot stand in one law"
            raise FormulaError(reason, text, find(written, text))
    return {name: node.group for name, node in found.items() if node.group}


_EQUATION = re.compile(r"\s*([^\W\d]\w*)\s*=(?!=)")


class _Parser:
    def __init__(self, text: str, equation: bool = False) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a formula is a text, not {type(text).__name__}")
        self.text = self.source = text
        self.unknown = ""
        if equation and (left := _EQUATION.match(text)):
            # Blanks instead, so that every character keeps its place.
            self.unknown = left[1]
            self.source = " " * left.end() + text[left.end() :]
        self.bound = {self.unknown} if self.unknown else set[str]()

    def fail(self, reason: str, node: ast.AST | None = None) -> FormulaError:
        return FormulaError(reason, self.text, self.position(node))

    def position(self, node: ast.AST | None) -> int:
        if node is None:
            return 0
        # ast counts UTF-8 bytes within the line
        lines = self.source.split("\n")
        line = getattr(node, "lineno", 1) - 1
        offset: int = getattr(node, "col_offset", 0)
        before = sum(len(text) + 1 for text in lines[:line])
        return before + len(lines[line].encode()[:offset].decode(errors="ignore"))

    def parse(self) -> ex.Node:
        if not self.source.strip():
            raise self.fail("the formula is empty")
        if len(self.text) > MAX_LENGTH:
            raise FormulaError(
                f"the formula has {len(self.text)} characters; at most {MAX_LENGTH} are read",
                self.text[:60] + "...",
                0,
            )
        self.check_characters()
        try:
            tree = ast.parse(self.source.strip(" \t"), mode="eval")
        except SyntaxError as error:
            raise self.syntax_error(error) from None
        except (RecursionError, MemoryError, ValueError):
            raise self.fail("the formula is nested too deeply") from None
        shift = len(self.source) - len(self.source.lstrip(" \t"))
        if shift:
            for node in ast.walk(tree):
                if hasattr(node, "col_offset") and getattr(node, "lineno", 1) == 1:
                    node.col_offset += shift
        body = self.convert(tree.body, 0)
        unknown = ex.Bound(self.unknown)
        return ex.Apply("solve", (unknown, body)) if unknown in ex.walk(body) else body

    def check_characters(self) -> None:
        depth = 0
        for i, character in enumerate(self.text):
            if character in "([{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise FormulaError(
                        f"more than {MAX_DEPTH} nested parentheses", self.text[:60] + "...", 0
                    )
            elif character in ")]}":
                depth -= 1
            elif character == "^":
                raise FormulaError("^ is not a power here; write **", self.text, i)
            elif character in "\n\r;\\#\0" or "\ud800" <= character <= "\udfff":
                raise FormulaError(
                    f"unexpected character {character!r}; a formula is one expression", self.text, i
                )

    def syntax_error(self, error: SyntaxError) -> FormulaError:
        shift = len(self.source) - len(self.source.lstrip(" \t"))
        # Python gives no place where something is missing at the end.
        position = error.offset - 1 + shift if error.offset else len(self.text.rstrip())
        allowed = ("and", "or", "not", "for", "in")
        for word in re.finditer(r"\b[^\W\d]\w*", self.text):
            if keyword.iskeyword(word[0]) and word[0] not in allowed:
                reason = f"{word[0]!r} is a reserved word and cannot be a name; write {word[0]}_"
                return FormulaError(reason, self.text, word.start())
        if assignment := re.search("(?<![=<>!])=(?!=)", self.source):
            return FormulaError(
                "'=' assigns; write the right-hand side only, or == to compare",
                self.text,
                assignment.start(),
            )
        return FormulaError(f"syntax error: {error.msg}", self.text, min(position, len(self.text)))

    def convert(self, node: ast.expr, depth: int) -> ex.Node:
        if depth > MAX_DEPTH:
            raise self.fail(f"more than {MAX_DEPTH} levels of nesting", node)
        go = depth + 1
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return ex.Bound(node.id) if node.id in self.bound else ex.Name(node.id)
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and isinstance(node.slice, ast.Name)
        ):
            return ex.Name(node.value.id, node.slice.id)
        if isinstance(node, ast.UnaryOp):
            operand = self.convert(node.operand, go)
            if isinstance(node.op, ast.USub):
                return ex.negate(operand) if isinstance(operand, ex.Constant) else _neg(operand)
            if isinstance(node.op, ast.UAdd):
                return operand
            if isinstance(node.op, ast.Not):
                return ex.Apply("not", (operand,))
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            return self.sum(node, go)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            left, right = self.convert(node.left, go), self.convert(node.right, go)
            return ex.Apply(_BINARY[type(node.op)], (left, right))
        if isinstance(node, ast.BoolOp):
            function = "and" if isinstance(node.op, ast.And) else "or"
            return ex.Apply(function, tuple(self.convert(v, go) for v in node.values))
        if isinstance(node, ast.Compare):
            return self.comparison(node, go)
        if isinstance(node, ast.Call):
            return self.call(node, go)
        raise self.fail(f"{_describe(node)} is not part of the formula language", node)

    def sum(self, node: ast.BinOp, depth: int) -> ex.Node:
        # However many terms a sum has, they are on one level.
        terms: list[tuple[bool, ast.expr]] = []
        rest: ast.expr = node
        while isinstance(rest, ast.BinOp) and isinstance(rest.op, (ast.Add, ast.Sub)):
            terms.append((isinstance(rest.op, ast.Sub), rest.right))
            rest = rest.left
        terms.append((False, rest))
        converted = [(minus, self.convert(term, depth)) for minus, term in reversed(terms)]
        return ex.Apply("add", tuple(_neg(term) if minus else term for minus, term in converted))

    def number(self, node: ast.Constant) -> ex.Node:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            what = "a text" if isinstance(node.value, str) else repr(node.value)
            raise self.fail(f"{what} cannot stand in a formula; only numbers can", node)
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self.fail("this number is too large", node)
        return ex.Constant(value)

    def comparison(self, node: ast.Compare, depth: int) -> ex.Node:
        operands = [self.convert(n, depth) for n in (node.left, *node.comparators)]
        parts: list[ex.Node] = []
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(operator) not in _COMPARE:
                raise self.fail(f"{_describe(node)} is not part of the formula language", node)
            parts.append(ex.Apply(_COMPARE[type(operator)], (left, right)))
        return parts[0] if len(parts) == 1 else ex.Apply("and", tuple(parts))

    def call(self, node: ast.Call, depth: int) -> ex.Node:
        if not isinstance(node.func, ast.Name):
            raise self.fail("only the functions of the formula language can be called", node)
        function = node.func.id
        if function in SERIES:
            return self.series(function, node, depth)
        if function not in FUNCTIONS:
            known = ", ".join(sorted([*FUNCTIONS, *SERIES]))
            raise self.fail(f"unknown function {function!r}; known: {known}", node)
        if node.keywords:
            raise self.fail(f"{function} takes no named arguments", node)
        least, most = FUNCTIONS[function]
        got = len(node.args)
        if got < least or (most is not None and got > most):
            wanted = str(least) if least == most else f"at least {least}"
            raise self.fail(f"{function} takes {wanted} argument(s), got {got}", node)
        return ex.Apply(function, tuple(self.convert(a, depth) for a in node.args))

    def series(self, function: str, node: ast.Call, depth: int) -> ex.Node:
        usage = f"write {function}(BODY for i in range(FIRST, END))"
        match node:
            case ast.Call(
                args=[
                    ast.GeneratorExp(
                        elt=body,
                        generators=[
                            ast.comprehension(
                                target=ast.Name(id=index),
                                iter=ast.Call(func=ast.Name(id="range"), args=ends, keywords=[]),
                                ifs=[],
                                is_async=0,
                            )
                        ],
                    )
                ],
                keywords=[],
            ) if len(ends) in (1, 2):
                pass
            case _:
                raise self.fail(f"{function} runs over an index: {usage}", node)
        if index in self.bound:
            raise self.fail(f"the index {index} is in use already; choose another name", node)
        first = self.convert(ends[0], depth) if len(ends) == 2 else ex.ZERO
        end = self.convert(ends[-1], depth)
        self.bound.add(index)
        converted = self.convert(body, depth)
        self.bound.remove(index)
        return ex.Apply(function, (first, end, ex.Bound(index), converted))


def find(pattern: str, text: str) -> int:
    """Return where a pattern first matches, for an error to point at; 0 where it does not."""
    found = re.search(pattern, text)
    return found.start() if found else 0


def _neg(node: ex.Node) -> ex.Node:
    return ex.Apply("neg", (node,))


def _describe(node: ast.AST) -> str:
    return {
        "Attribute": "an attribute (a dot after a name)",
        "Subscript": "anything but NAME[COLUMN] (one parameter per level) with square brackets",
        "Lambda": "a lambda",
        "IfExp": "an if-else (write where(condition, a, b))",
        "Tuple": "a comma outside a function call",
        "List": "a list",
        "Dict": "a dictionary",
        "Set": "a set",
        "JoinedStr": "a text",
        "NamedExpr": "an assignment",
        "Compare": "this comparison",
        "Starred": "a star before a name",
        "GeneratorExp": "a `for` outside sum(...) or prod(...)",
        "BinOp": "this operator",
        "UnaryOp": "this operator",
    }.get(type(node).__name__, f"this syntax ({type(node).__name__})")
