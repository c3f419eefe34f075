"""Mutation testing of the library: changes one thing in a source file at a time.

``python cpp/tests/mutants.py cpp/src/solver.cpp --build build/default --programs solver objective
--tests tests/test_fit.py`` says which mutants the programs and then the Python tests notice. The
folder was built with LAWFIT_TESTS and LAWFIT_PYTHON; it and the tree stay as they are.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 600  # a mutant that takes longer hangs, and is noticed
SWAPS = {
    " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ",
    " + ": " - ", " - ": " + ", " * ": " / ", " / ": " * ", " += ": " -= ", " -= ": " += ",
    " && ": " || ", " || ": " && ", "true": "false", "false": "true", "++": "--",
    "std::max(": "std::min(", "std::min(": "std::max(", "continue;": ";", "break;": ";",
}  # fmt: skip
SWAP = re.compile("|".join(re.escape(word) for word in sorted(SWAPS, key=len, reverse=True)))
NUMBER = re.compile(r"(?<![\w.<])\d+(\.\d+(e-?\d+)?)?(?![\w.>])")


def mutants(text: str) -> list[tuple[int, str, str]]:
    """Return (line, what, text) of every mutant; comments, texts and templates stay."""
    found = []
    start = 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        code = line.split("//")[0]
        skipped = re.match(r"\s*(#|template|constexpr|using|static_assert)", code)
        plain = not skipped and '"' not in code
        for pattern in (SWAP, NUMBER) if plain else ():
            for match in pattern.finditer(code):
                old = match.group()
                new = SWAPS.get(old) or (f"(2 * {old})" if float(old) else "1")
                at = start + match.start()
                found.append(
                    (
                        number,
                        f"{old.strip()} -> {new.strip()}",
                        text[:at] + new + text[at + len(old) :],
                    )
                )
        start += len(line)
    return found


class Build:
    """The commands of a build folder, with one object replaced."""

    def __init__(self, folder: Path, source: Path, scratch: Path) -> None:
        self.folder, self.source, self.scratch = folder, source.resolve(), scratch
        self.object = scratch / "mutant.o"
        lines = self.commands("liblawfit.a")
        self.compile = shlex.split(next(c for c in lines if f" -c {self.source}" in c))

    def commands(self, target: str) -> list[str]:
        """Return what makes a target, one command per line."""
        done = subprocess.run(
            ["ninja", "-C", self.folder, "-t", "commands", target],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    def run(self, command: list[str]) -> bool:
        """Run a command in the build folder."""
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False)
        return done.returncode == 0

    def make(self, text: str) -> bool:
        """Compile a mutant; false if it does not compile."""
        mutant = self.scratch / "mutant.cpp"
        mutant.write_text(text)
        command = [*self.compile, "-O1", f"-I{self.source.parent}", "-w"]
        command[command.index("-c") + 1] = str(mutant)
        command[command.index("-o") + 1] = str(self.object)
        return self.run(command)

    def link(self, target: str, output: Path) -> None:
        """Link a target with the mutant instead of the original, or before the library with it."""
        last = self.commands(target)[-1].removeprefix(": && ").partition(" && ")[0]
        command = shlex.split(last)
        command[command.index("-o") + 1] = str(output)
        original = f"/{self.source.name}.o"
        if any(word.endswith(original) for word in command):  # the module links objects, no library
            command = [str(self.object) if word.endswith(original) else word for word in command]
        else:
            at = next(k for k, word in enumerate(command) if word.endswith("liblawfit.a"))
            command.insert(at, str(self.object))
        output.parent.mkdir(parents=True, exist_ok=True)
        if not self.run(command):
            raise SystemExit(f"{target} does not link")


def passes(command: list[str | Path], environment: dict[str, str]) -> bool:
    """Run a test program."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    """Mutate a source file and print the mutants that live."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", nargs="+", required=True, help="of cpp/tests, without test_")
    parser.add_argument("--tests", nargs="*", default=[], help="what pytest runs then")
    given = parser.parse_args()
    found = mutants(given.source.read_text())
    chosen = random.Random(given.seed).sample(found, min(given.sample, len(found)))
    lived = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        build = Build(given.build.resolve(), given.source, scratch)
        module = next(given.build.glob("_core*.so")).name
        shutil.copytree(ROOT / "python" / "lawfit", scratch / "site" / "lawfit")
        (scratch / "site" / "sitecustomize.py").write_text(
            "import sys\n"
            "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in f.__module__]\n"
        )
        pytest = [sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", *given.tests]

        def unnoticed() -> bool:
            for name in given.programs:
                build.link(f"test_{name}", scratch / name)
                if not passes([scratch / name], {}):
                    return False
            if not given.tests:
                return True
            build.link(module, scratch / "site" / "lawfit" / module)
            return passes(pytest, {"PYTHONPATH": str(scratch / "site"), "CI": "true"})

        original = given.source.read_text()
        if not build.make(original) or not unnoticed():
            sys.exit("the tests fail before anything is changed")
        for line, what, text in sorted(chosen):
            if build.make(text):
                tried += 1
                lives = unnoticed()
                lived += lives
                shown = original.splitlines()[line - 1].strip()
                print(f"{'LIVES  ' if lives else 'noticed'} {line}: {what}: {shown}", flush=True)
    print(f"{given.source}: {tried} of {len(found)} mutants, {lived} lived", flush=True)


if __name__ == "__main__":
    main()
