"""How a formula looks in print: expression trees as LaTeX."""

from __future__ import annotations

import re
from collections import Counter

from . import expression as ex
from .formula import parse

__all__ = ["latex", "latex_equation", "latex_name", "latex_number"]

SHORTEST = 30  # characters of LaTeX that are worth a letter

_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)
_RELATIONS = {"lt": "<", "le": r"\le", "gt": ">", "ge": r"\ge", "eq": "=", "ne": r"\ne"}
_WORDS = {"and": r"\text{ and }", "or": r"\text{ or }"}
_OPERATORS = {
    **{name: rf"\{name}" for name in ("exp", "log", "tanh", "sin", "cos", "arctan", "min", "max")},
    "log2": r"\log_2",
    "log10": r"\log_{10}",
    "sigmoid": r"\sigma",
    "normcdf": r"\Phi",
}

# How tightly an operation binds; what binds less than its place asks for goes into parentheses.
_OR, _AND, _COMPARISON, _SUM, _PRODUCT, _POWER, _ATOM = range(7)


def latex(formula: str | ex.Node) -> str:
    r"""Return a formula in LaTeX, without dollar signs.

    Parameters
    ----------
    formula : str or Node
        ``E + A / N**alpha`` becomes ``E + \frac{A}{N^{\alpha}}``.

    Raises
    ------
    FormulaError
        If the text is not of the formula language.
    """
    return _print(parse(formula) if isinstance(formula, str) else formula)[0]


def latex_equation(left: str, formula: str | ex.Node, most: int = 220) -> str:
    """Return an equation; parts of a long one get a letter and a line of their own.

    Parameters
    ----------
    left : str
        LaTeX of what stands before the equals sign.
    formula : str or Node
    most : int
        Characters of LaTeX up to which a formula stays whole.
    """
    tree = parse(formula) if isinstance(formula, str) else formula
    taken = {n.text[0] for n in ex.walk(tree) if isinstance(n, ex.Name)}
    letters = [c for c in "uvwxyz" if c not in taken]
    parts: list[tuple[str, ex.Node]] = [(left, tree)]
    while len(latex(parts[0][1])) > most:
        chosen = (_repeated(parts) or _raised(parts[0][1]))[: len(letters)]
        if not chosen:
            break
        for part in chosen:
            name = ex.Name(letters.pop(0))
            parts = [(who, ex.substitute(node, part, name)) for who, node in parts]
            parts.append((name.name, part))
    if len(parts) == 1:
        return f"{left} = {latex(tree)}"
    lines = (f"{name} &= {latex(node)}" for name, node in parts)
    return r"\begin{align*} " + r" \\ ".join(lines) + r" \end{align*}"


def _repeated(parts: list[tuple[str, ex.Node]]) -> list[ex.Node]:
    """Return what saves most if it is written once."""
    counts = Counter(n for _, node in parts for n in ex.walk(node) if _is_long(n))
    saved = {n: (k - 1) * len(latex(n)) for n, k in counts.items() if k > 1}
    return [max(saved, key=lambda n: saved[n])] if saved else []


def _raised(tree: ex.Node) -> list[ex.Node]:
    """Return the bases of powers that are long, all of about one length, outermost only.

    They are effective parameters or tokens, often.
    """
    powers = (n for n in ex.walk(tree) if isinstance(n, ex.Apply) and n.function == "pow")
    bases = {n.arguments[0]: len(latex(n.arguments[0])) for n in powers if _is_long(n.arguments[0])}
    longest = max(bases.values(), default=0)
    chosen: list[ex.Node] = []
    for base, length in bases.items():
        if 2 * length >= longest and not any(base in ex.walk(other) for other in chosen):
            chosen.append(base)
    return chosen


def _is_long(node: ex.Node) -> bool:
    """Tell whether a part is worth a letter; the index of a sum means nothing outside of it."""
    if not isinstance(node, ex.Apply) or len(latex(node)) < SHORTEST:
        return False
    return not any(isinstance(n, ex.Bound) for n in ex.walk(node))


def latex_name(name: str) -> str:
    r"""Return a name in LaTeX: ``alpha_N`` becomes ``\alpha_{N}``; a level becomes an index."""
    stem, _, level = name.partition("[")
    first, *rest = stem.strip("_").split("_") if stem.strip("_") else [stem]
    digits = re.fullmatch(r"([A-Za-z]+?)(\d+)", first)
    if digits:
        first, rest = digits[1], [digits[2], *rest]
    indices = [_word(part) for part in rest if part]
    if level:
        indices.append(r"\text{" + _escaped(level.rstrip("]")) + "}")
    below = "_{" + ",".join(indices) + "}" if indices else ""
    return _word(first) + below


def latex_number(value: float) -> str:
    r"""Return a number in LaTeX, with powers of ten where Python would write an e."""
    mantissa, e, exponent = f"{value:.12g}".partition("e")
    if not e:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa} \cdot {power}"


def _word(part: str) -> str:
    if part in _GREEK:
        return rf"\{part}"
    return (
        part if re.fullmatch(r"\w|\d+", part) and part != "_" else rf"\mathrm{{{_escaped(part)}}}"
    )


def _escaped(text: str) -> str:
    return re.sub(r"([_&%$#{}])", r"\\\1", text)


def _print(node: ex.Node) -> tuple[str, int]:
    """Return the LaTeX of a node and how tightly it binds."""
    if isinstance(node, ex.Constant):
        text = latex_number(node.value)
        return text, _SUM if node.value < 0 else _PRODUCT if "cdot" in text else _ATOM
    if isinstance(node, ex.Name):
        return latex_name(node.text), _ATOM
    if isinstance(node, (ex.Variable, ex.Coordinate, ex.Bound)):
        return latex_name(node.name), _ATOM
    f, arguments = node.function, node.arguments
    if f == "solve":  # the law's own value stands on the left of the formula
        return _print(arguments[1])
    if f in ("sum", "prod"):
        return _series(f, arguments), _PRODUCT
    if f == "add":
        return _sum(arguments), _SUM
    if f == "neg":
        return "-" + _at_least(_PRODUCT, arguments[0]), _SUM
    if f == "mul":
        return _product(arguments), _PRODUCT
    if f == "div":
        above, below = arguments
        if isinstance(above, ex.Apply) and above.function == "neg":
            return "-" + _fraction(above.arguments[0], below), _SUM
        return _fraction(above, below), _PRODUCT
    if f == "pow":
        return _at_least(_ATOM, arguments[0]) + f"^{{{_print(arguments[1])[0]}}}", _POWER
    if f in _RELATIONS:
        left, right = (_at_least(_SUM, a) for a in arguments)
        return f"{left} {_RELATIONS[f]} {right}", _COMPARISON
    if f in _WORDS:
        own = _AND if f == "and" else _OR
        return _WORDS[f].join(_at_least(own + 1, a) for a in arguments), own
    if f == "not":
        return r"\neg " + _at_least(_POWER, arguments[0]), _POWER
    return _function(f, arguments), _POWER


def _function(f: str, arguments: tuple[ex.Node, ...]) -> str:
    inside = [_print(a)[0] for a in arguments]
    if f == "sqrt":
        return rf"\sqrt{{{inside[0]}}}"
    if f == "abs":
        return rf"\left|{inside[0]}\right|"
    if f == "where":
        condition, yes, no = inside
        return (
            rf"\begin{{cases}} {yes} & \text{{if }} {condition} \\ "
            rf"{no} & \text{{otherwise}} \end{{cases}}"
        )
    if f == "log1p":
        return rf"\log\left(1 + {inside[0]}\right)"
    if f == "expm1":
        return rf"\left(e^{{{inside[0]}}} - 1\right)"
    operator = _OPERATORS.get(f, rf"\operatorname{{{f}}}")
    return rf"{operator}\left({', '.join(inside)}\right)"


def _sum(terms: tuple[ex.Node, ...]) -> str:
    text = _at_least(_SUM, terms[0])
    for term in terms[1:]:
        minus = isinstance(term, ex.Apply) and term.function == "neg"
        body = term.arguments[0] if minus and isinstance(term, ex.Apply) else term
        printed = _at_least(_PRODUCT if minus or _is_signed(body) else _SUM, body)
        text += f" {'-' if minus else '+'} {printed}"
    return text


def _is_signed(node: ex.Node) -> bool:
    return isinstance(node, ex.Constant) and node.value < 0


def _series(f: str, arguments: tuple[ex.Node, ...]) -> str:
    first, end, index, body = arguments
    last = ex.add(end, ex.Constant(-1.0)) if isinstance(end, ex.Constant) else _less_one(end)
    below = f"{_print(index)[0]} = {_print(first)[0]}"
    return rf"\{f}_{{{below}}}^{{{_print(last)[0]}}} {_at_least(_PRODUCT, body)}"


def _less_one(end: ex.Node) -> ex.Node:
    """Return end - 1, as n where the end was written n + 1."""
    terms = ex.addends(end)
    if ex.Constant(1.0) in terms and len(terms) == 2:
        return next(t for t in terms if t != ex.Constant(1.0))
    return ex.Apply("add", (end, ex.Apply("neg", (ex.Constant(1.0),))))


def _fraction(above: ex.Node, below: ex.Node) -> str:
    return rf"\frac{{{_print(above)[0]}}}{{{_print(below)[0]}}}"


def _product(factors: tuple[ex.Node, ...]) -> str:
    text = _at_least(_PRODUCT, factors[0])
    for factor in factors[1:]:
        printed = _at_least(_PRODUCT, factor)
        # A digit after a factor would be read as one more digit of it.
        sign = r" \cdot " if printed[0].isdigit() else r" \, "
        text += sign + printed
    return text


def _at_least(level: int, node: ex.Node) -> str:
    text, own = _print(node)
    return text if own >= level else rf"\left({text}\right)"
