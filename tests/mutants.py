"""Mutation testing: changes one thing in a module at a time and asks whether tests notice.

``python tests/mutants.py planning/refine --sample 20 tests/test_plan.py`` prints every mutant that
the tests let pass. Modules are changed in memory, in a forked process each, so that the tree stays
as it is; the process that forks holds NumPy already.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import os
import random
import resource
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 120  # of CPU time; a mutant that takes longer hangs, and is noticed
SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
Change = tuple[int, str, Callable[[], None]]  # line, what, and what does it to the tree


def changes(node: ast.AST) -> Iterator[Change]:
    """Every single change below a node, but none in annotations, texts and what raises errors."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "exc", "msg"):
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue

            def put(
                new: ast.AST, value: object = value, field: str = field, at: int = index
            ) -> None:
                if isinstance(value, list):
                    value[at] = new
                else:
                    setattr(node, field, new)

            yield from single(node, child, put)
            yield from changes(child)


def single(parent: ast.AST, node: ast.AST, put: Callable[[ast.AST], None]) -> Iterator[Change]:
    """The changes of one node."""
    line = getattr(node, "lineno", getattr(parent, "lineno", 0))
    swap = SWAPS.get(type(node))
    if swap is not None:
        yield line, f"{type(node).__name__} -> {swap.__name__}", lambda: put(swap())
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        old = node.value
        new = (
            not old
            if isinstance(old, bool)
            else old + 1
            if isinstance(old, int)
            else 2 * old or 1.0
        )
        yield line, f"{old} -> {new}", lambda: put(ast.copy_location(ast.Constant(new), node))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield line, f"without {type(node.op).__name__}", lambda: put(node.operand)
    if isinstance(node, (ast.If, ast.IfExp, ast.While)) and not isinstance(node.test, ast.Constant):
        test = node.test
        yield (
            line,
            "condition negated",
            lambda: setattr(node, "test", ast.copy_location(ast.UnaryOp(ast.Not(), test), test)),
        )
    if isinstance(node, ast.Return) and node.value is not None:
        nothing = ast.copy_location(ast.Constant(None), node)
        yield line, "return None", lambda: setattr(node, "value", nothing)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield line, "call left out", lambda: put(ast.copy_location(ast.Pass(), node))


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a tree instead of its file."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_source(self, fullname: str) -> str:
        return self.path.read_text()

    def get_code(self, fullname: str) -> types.CodeType:
        return compile(self.tree, str(self.path), "exec")


def passes(
    name: str, path: Path, tree: ast.Module, tests: Sequence[str], loud: bool = False
) -> bool:
    """Run the tests in a forked process, in which the module is the tree."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        if not loud:
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (1, 2):
                os.dup2(silence, stream)
        sys.meta_path.insert(0, Mutated(name, path, tree))
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main() -> None:
    """Mutate a module and print the mutants that live."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", help="below lawfit, as in planning/refine")
    parser.add_argument("--sample", type=int, default=20, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lines", type=int, nargs="*", help="only mutants of these lines")
    parser.add_argument("tests", nargs="+", help="what pytest runs, nearest first")
    given = parser.parse_args()
    import mpmath
    import numpy as np

    assert mpmath, np  # shared by all forked processes
    os.environ["CI"] = "true"  # Hypothesis then draws the same examples each time

    path = ROOT / "python" / "lawfit" / f"{given.module}.py"
    name = "lawfit." + given.module.replace("/", ".")
    text = path.read_text()
    os.chdir(ROOT)
    if not passes(name, path, ast.parse(text), given.tests, loud=True):
        sys.exit("the tests fail before anything is changed")
    found = [
        k
        for k, (line, _, _) in enumerate(changes(ast.parse(text)))
        if given.lines is None or line in given.lines
    ]
    count = len(found)
    chosen = sorted(random.Random(given.seed).sample(found, min(given.sample, count)))
    lived = 0
    for number in chosen:
        tree = ast.parse(text)
        line, what, apply = list(changes(tree))[number]
        apply()
        ast.fix_missing_locations(tree)
        if passes(name, path, tree, given.tests):
            lived += 1
            print(
                f"{path.relative_to(ROOT)}:{line}: {what}: {text.splitlines()[line - 1].strip()}",
                flush=True,
            )
    print(f"{given.module}: {len(chosen)} of {count} mutants, {lived} lived", flush=True)


if __name__ == "__main__":
    main()
