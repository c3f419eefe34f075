"""The layers: what each file may include or import, what it may not know, and how long it is."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CPP = ROOT / "cpp"
INCLUDE = CPP / "include" / "lawfit"
PACKAGE = ROOT / "python" / "lawfit"

LIBRARY = sorted(
    p for part in ("include", "src", "kernels") for p in (CPP / part).rglob("*") if p.is_file()
)
CPP_FILES = sorted(p for p in CPP.rglob("*") if p.suffix in (".cpp", ".hpp"))
PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


# --- C++ -------------------------------------------------------------------------------------

# Lowest first. Tools know no layer and every layer may use them.
CPP_LAYERS = ("tools", "kernels", "expression", "objective", "solver", "search", "model")
TOOLS = {"aligned.hpp", "parallel.hpp", "random.hpp", "status.hpp"}
KERNEL_HEADERS = {"kernels.hpp", "opcodes.hpp"}
C_HEADER = "lawfit.h"  # the C interface of models


def header_layer(path: Path) -> int:
    """Return the layer of a public header or a kernel file, by its place."""
    if path.is_relative_to(CPP / "kernels") or path.name in KERNEL_HEADERS:
        return CPP_LAYERS.index("kernels")
    if path == INCLUDE / C_HEADER:
        return CPP_LAYERS.index("model")
    if path.parent == INCLUDE:
        assert path.name in TOOLS, f"{name(path)}: say here which layer it is of"
        return CPP_LAYERS.index("tools")
    assert path.parent.parent == INCLUDE, f"{name(path)}: deeper than a layer"
    return CPP_LAYERS.index(path.parent.name)


def find(included: str, by: Path) -> Path | None:
    """Return the file of ours that an #include means, None for one of the system or Eigen."""
    for folder in (CPP / "include", by.parent):
        if (folder / included).is_file():
            return folder / included
    return None


def layer(path: Path) -> int:
    """Return the layer of any library file.

    A source is of the layer of the header that it implements, all or in part: the one whose name
    its own begins with. A private header is of the highest layer that it uses.
    """
    if path.parent != CPP / "src":
        return header_layer(path)
    headers = [h for h in INCLUDE.rglob("*.hpp") if path.stem.startswith(h.stem)]
    if path.suffix == ".cpp" and headers:
        return header_layer(max(headers, key=lambda h: len(h.stem)))
    assert path.suffix == ".hpp", f"{name(path)}: implements no header"
    used = [find(i, path) for i in includes(path)]
    return max((layer(u) for u in used if u is not None), default=0)


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_no_include_goes_up(path: Path) -> None:
    for included in includes(path):
        used = find(included, path)
        if used is not None:
            assert layer(used) <= layer(path), f"{name(path)} includes {included}"


def test_the_layers_are_all_there() -> None:
    assert {CPP_LAYERS[layer(path)] for path in LIBRARY} == set(CPP_LAYERS)


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_the_library_knows_no_python_and_no_paper(path: Path) -> None:
    found = re.findall(
        r"python\.h|pybind11|chinchilla|kaplan|hoffmann|besiroglu|kumar|hestness",
        path.read_text(),
        re.IGNORECASE,
    )
    assert not found


# dispatch.cpp is compiled once, for the least processor, and may use what it likes of the system.
COMPILED_PER_INSTRUCTION_SET = [
    INCLUDE / "kernels.hpp",
    INCLUDE / "opcodes.hpp",
    CPP / "kernels" / "block_ops.cpp",
    CPP / "kernels" / "losses.hpp",
    CPP / "kernels" / "registers.hpp",
    CPP / "kernels" / "vector_math.hpp",
]


@pytest.mark.parametrize("path", COMPILED_PER_INSTRUCTION_SET, ids=name)
def test_kernels_include_no_inline_code_of_others(path: Path) -> None:
    """The linker keeps one copy of an inline function, perhaps one for a wider processor."""
    allowed = {
        "lawfit/kernels.hpp",
        "lawfit/opcodes.hpp",
        "losses.hpp",
        "registers.hpp",
        "vector_math.hpp",
        "cstddef",
        "cstdint",
    }
    text = path.read_text()
    microsoft_only = re.findall(
        r"#if[^\n]*_MSC_VER[^\n]*\n(.*?)#(?:else|elif|endif)", text, re.DOTALL
    )
    extra = set(includes(path)) - allowed
    for header in extra:
        assert header == "string.h"
        assert any("<string.h>" in block for block in microsoft_only)
    assert text.count("<string.h>") == sum(b.count("<string.h>") for b in microsoft_only)


def test_kernel_files_are_the_known_ones() -> None:
    known = {p for p in COMPILED_PER_INSTRUCTION_SET if p.parent == CPP / "kernels"}
    assert set((CPP / "kernels").iterdir()) == known | {CPP / "kernels" / "dispatch.cpp"}


# --- Python ----------------------------------------------------------------------------------

TWIN = "reference"  # stands apart
# Lowest first. A module may import its own layer and those below, and never in a circle.
PYTHON_LAYERS = (
    {"_core", "errors", "progress", "execution", "saving"},
    {"distribution"},
    {"expression"},
    {"formula", "calculus"},
    {"typeset", "resolution", "rewriting"},
    {"compiler"},
    {"frames", "tables", "runs", "law", "costs"},
    {"reduction", "laws", "losses", "starts", "protocols", "groups", "penalties"},
    {"datasets", "listing", "problem"},
    {"result", "fitting", "stages"},
    {"uncertainty", "planning", "export", "compat", "batch", "replication"},
    {"selection"},
    {"plots", "page"},
    {"benchmark", "demo", "report"},
    {"commands"},
    {"cli"},
    {"__init__", "__main__"},
)
# Methods that call, for the user's convenience, what is made of their object: the file of the
# method, and the folder or file that it calls. They import late; nothing else may go up or close
# a circle.
CONVENIENCE = {
    ("result", "uncertainty"),  # Fit.bootstrap, Fit.covariance, ...
    ("result", "plots"),  # Fit.plot
    ("result", "report"),  # Fit.report
    ("stages", "uncertainty"),  # StagedFit.bootstrap
    ("planning/plan", "planning/flat"),  # Plan.flat
    ("planning/plan", "planning/frontier"),  # Plan.frontier
    ("planning/plan", "planning/uncertainty"),  # Plan.draws, Plan.regret, ...
    ("planning/plan", "page"),  # Plan.page
}
# What a module may take from elsewhere when it is imported; everything else waits until it is used.
THIRD_PARTY = {"cli": {"click"}, "commands": {"click"}, "compat": {"sklearn"}}


FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PYTHON_FILES}


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def targets(node: ast.Import | ast.ImportFrom, path: Path) -> Iterator[str]:
    """Yield the names that an import statement gives: "lawfit.law.Law", or those of others."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
        return
    package = ("lawfit", *path.relative_to(PACKAGE).parent.parts)
    base = package[: len(package) - node.level + 1] if node.level else ()
    stem = ".".join([*base, *([node.module] if node.module else [])])
    for alias in node.names:
        yield f"{stem}.{alias.name}"


def imports(path: Path) -> dict[str, set[str]]:
    """Return what a file imports, by when: on import, lazily, or for type checkers."""
    found: dict[str, set[str]] = {"import": set(), "lazy": set(), "typing": set()}

    def visit(node: ast.AST, when: str) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found[when].update(targets(node, path))
        for child in ast.iter_child_nodes(node):
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                visit(child, "lazy")
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                visit(child, "typing" if child in node.body else when)
            else:
                visit(child, when)

    visit(ast.parse(path.read_text()), "import")
    return found


def own(names: set[str]) -> set[str]:
    return {n.split(".")[1] for n in names if n.startswith("lawfit.")}


def rank(of: str) -> int:
    (found,) = [i for i, members in enumerate(PYTHON_LAYERS) if of in members]
    return found


def used_files(names: set[str]) -> Iterator[str]:
    """Yield the file that each of our names is from: a module, or the first of a folder."""
    for parts in (n.split(".")[1:] for n in names if n.startswith("lawfit.")):
        for end in range(len(parts), 0, -1):
            file = "/".join(parts[:end])
            if found := [f for f in (file, f"{file}/__init__") if f in FILES]:
                yield found[0]
                break


def is_convenience(by: str, used: str) -> bool:
    return any(by == b and f"{used}/".startswith(f"{u}/") for b, u in CONVENIENCE)


def test_every_module_has_its_layer() -> None:
    placed = [m for members in PYTHON_LAYERS for m in members]
    assert len(placed) == len(set(placed))
    assert set(placed) == {module(path) for path in PYTHON_FILES} - {TWIN} | {"_core"}


# Names for type checkers are held to the order of those that a run imports.
KINDS = ("import", "typing", "lazy")


@pytest.mark.parametrize("when", KINDS)
def test_no_import_goes_up(when: str) -> None:
    upwards = {
        (by, used)
        for by, path in FILES.items()
        if module(path) != TWIN
        for used in used_files(imports(path)[when])
        if rank(module(FILES[used])) > rank(module(path)) and not is_convenience(by, used)
    }
    assert upwards == set()


def test_no_circle_of_imports() -> None:
    """Neither of modules when they are imported nor, but for convenience, of files at any time."""
    modules: dict[str, set[str]] = {}
    files: dict[str, set[str]] = {}
    for by, path in FILES.items():
        found = imports(path)
        modules.setdefault(module(path), set()).update(own(found["import"]) - {module(path)})
        used = {f for when in KINDS for f in used_files(found[when])}
        files[by] = {u for u in used - {by} if not is_convenience(by, u)}
    TopologicalSorter(modules).prepare()
    TopologicalSorter(files).prepare()


def test_convenience_is_late_and_still_there() -> None:
    found = {by: imports(FILES[by]) for by, _ in CONVENIENCE}
    for by, used in CONVENIENCE:
        late = {u for u in used_files(found[by]["lazy"]) if f"{u}/".startswith(f"{used}/")}
        assert late, f"{by} does not call {used}"
    for by, kinds in found.items():
        assert not [u for u in used_files(kinds["import"]) if is_convenience(by, u)]


def test_the_twin_shares_nothing_with_what_it_checks() -> None:
    for path in PYTHON_FILES:
        used = own(set().union(*imports(path).values()))
        assert used <= {TWIN, "errors"} if module(path) == TWIN else TWIN not in used


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name)
def test_importing_needs_numpy_only(path: Path) -> None:
    outside = {n.split(".")[0] for n in imports(path)["import"]} - {"lawfit"}
    allowed = {"numpy"} | THIRD_PARTY.get(module(path), set())
    assert outside - sys.stdlib_module_names <= allowed


@pytest.mark.parametrize(
    "path", [p for p in PYTHON_FILES if p.parent.name == "laws" and p.stem != "__init__"], ids=name
)
def test_laws_are_data(path: Path) -> None:
    # A function may only make a law: a member of a family, such as a mixture of so many domains.
    code = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    found = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, code)]
    assert all(isinstance(n, ast.FunctionDef) and n.returns for n in found)
    assert all(ast.unparse(n.returns) == "Law" for n in found)


# --- every file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [*PYTHON_FILES, *TEST_FILES, *PACKAGE.rglob("*.pyi"), *(ROOT / "bench").rglob("*.py")],
    ids=name,
)  # fmt: skip
def test_python_files_say_what_they_know(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "no docstring"
    statement = docstring.split("\n")[0]
    assert statement.endswith(".")
    assert len(statement.split()) >= 3


@pytest.mark.parametrize("path", CPP_FILES, ids=name)
def test_cpp_files_say_what_they_know(path: Path) -> None:
    first = path.read_text().split("\n")[0]
    if path.suffix == ".cpp" and list(CPP.rglob(f"{path.stem}.hpp")):
        assert first.startswith("#include")  # the header says it
        assert first.strip('>"').endswith(f"{path.stem}.hpp")
    else:
        assert re.match(r"// \w", first)
        assert len(first.split()) >= 4


TEXT = {".py", ".pyi", ".cpp", ".hpp", ".cmake", ".txt", ".toml", ".json", ".md"}


def test_no_file_is_too_long() -> None:
    folders = ("cpp", "python", "tests", "bench", "docs", "cmake", "examples")
    files = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in TEXT]
    files += [p for p in ROOT.iterdir() if p.suffix in TEXT]
    assert len(files) > 50
    lengths = {name(p): len(p.read_text().splitlines()) for p in files}
    assert {n: lines for n, lines in lengths.items() if lines > 900} == {}


def test_no_flag_that_changes_arithmetic() -> None:
    """Their results depend on the processor, and fast maths changes the whole process."""
    files = [ROOT / "pyproject.toml", *ROOT.glob("CMake*"), *ROOT.rglob("*.cmake")]
    files += [*CPP.rglob("CMakeLists.txt"), *(p for p in (ROOT / ".ci").rglob("*") if p.is_file())]
    files = [p for p in files if "build" not in p.relative_to(ROOT).parts]
    assert len(files) >= 6
    for path in files:
        flags = re.sub(r"#.*", "", path.read_text())  # comments may say why not
        assert not re.findall(r"march=native|ffast-math|Ofast|fp:fast", flags), name(path)
