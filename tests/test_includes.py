"""Each C++ file includes the standard headers it uses: another compiler's headers include less."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from .test_architecture import CPP, CPP_FILES, includes, name

USES = {
    "algorithm": "all_of any_of clamp copy copy_n count count_if equal fill fill_n find find_if "
    "is_sorted lower_bound max max_element min min_element minmax next_permutation none_of "
    "nth_element partial_sort remove_if replace reverse rotate sort stable_sort swap_ranges "
    "transform unique upper_bound",
    "array": "array",
    "atomic": "atomic",
    "chrono": "chrono",
    "cmath": "abs erf exp expm1 fabs floor frexp hypot isfinite isinf isnan ldexp lgamma log log1p "
    "pow round sqrt",
    "cstring": "memcmp memcpy memset",
    "functional": "function",
    "limits": "numeric_limits",
    "map": "map",
    "memory": "make_shared make_unique shared_ptr unique_ptr",
    "mutex": "lock_guard mutex unique_lock",
    "numeric": "accumulate inner_product iota partial_sum",
    "optional": "nullopt optional",
    "stdexcept": "invalid_argument length_error logic_error out_of_range runtime_error",
    "string": "string to_string",
    "thread": "thread",
    "tuple": "make_tuple tie tuple",
    "utility": "exchange move pair swap",
    "vector": "vector",
}
HEADER = {word: header for header, words in USES.items() for word in words.split()}
OWN = {path.name: path for path in CPP_FILES}


def used(path: Path) -> set[str]:
    """The headers that a file's code, without comments, asks for."""
    code = re.sub(r"//.*", "", path.read_text())
    return {HEADER[word] for word in re.findall(r"\bstd::(\w+)", code) if word in HEADER}


@functools.cache
def direct(path: Path) -> frozenset[str]:
    return frozenset(includes(path))


def included(path: Path) -> set[str]:
    """What a file includes, itself or through headers of this library."""
    found: set[str] = set()
    todo = [path]
    while todo:
        new = direct(todo.pop()) - found
        found |= new
        todo += [OWN[Path(header).name] for header in new if Path(header).name in OWN]
    return found


def test_standard_headers_are_included() -> None:
    missing = {name(path): used(path) - included(path) for path in CPP_FILES}
    assert {path: headers for path, headers in missing.items() if headers} == {}


def test_a_missing_header_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "one.cpp"
    file.write_text("#include <vector>\n// std::tie\nstd::vector<int> v; std::rotate(v);\n")
    assert used(file) - included(file) == {"algorithm"}
    assert used(CPP / "src" / "grid_algebra.cpp") >= {"algorithm", "map"}
