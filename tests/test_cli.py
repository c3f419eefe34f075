"""The command: what it prints and writes, its exit statuses, and one clear message per error."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import lawfit as lf
from lawfit.cli import app, run
from lawfit.commands import common
from lawfit.laws import as_law, themes
from lawfit.progress import duration, reporter

HEADER = "N,D,loss"


@pytest.fixture(scope="module")
def runs() -> lf.Runs:
    return lf.datasets.load("simulated_chinchilla")


@pytest.fixture(scope="module")
def table(runs: lf.Runs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of the simulated runs with other names, more columns and text."""
    path = tmp_path_factory.mktemp("cli") / "runs.csv"
    lines = ["Model Size,C,loss,outlier,set,w,s"]
    for i, (n, d, y) in enumerate(zip(runs["N"], runs["D"], runs["loss"], strict=True)):
        lines.append(
            f"{float(n)!r},{6 * float(n) * float(d)!r},{float(y)!r},{i % 10 == 0:d},c4,2,3"
        )
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def plain(runs: lf.Runs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the columns N, D and loss."""
    path = tmp_path_factory.mktemp("cli") / "plain.csv"
    rows = zip(*(runs[name].tolist() for name in ("N", "D", "loss")), strict=True)
    path.write_text(f"{HEADER}\n" + "".join(f"{n!r},{d!r},{y!r}\n" for n, d, y in rows))
    return str(path)


RENAMED = ["--column", "N=Model Size", "--derive", "D = C / (6 * N)"]


def succeed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = run(list(arguments))
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def fail(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """Return the one message of a command that must fail, without its prefix."""
    assert run(list(arguments)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lawfit: ")
    assert err.count("lawfit: ") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    message = err.removeprefix("lawfit: ").rstrip("\n")
    lines = message.split("\n")
    if len(lines) > 1:  # an error in a formula shows the text and points at the character
        assert len(lines) == 3
        assert lines[2].strip() == "^"
    assert len(lines[0]) > 10
    return message


# --- demo, laws, info ------------------------------------------------------------------------


def test_demo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lawfit.demo.DRAWS", 20)
    out = succeed(capsys, "demo")
    assert out.startswith("Small language models")
    assert "95 % intervals, 20 bootstrap draws" in out
    assert "Held out" in out
    plans = [line.split()[0] for line in out.splitlines() if line.endswith("%")]
    assert plans == ["1e12", "1e13", "1e14"]
    assert succeed(capsys, "demo", "--quiet", "--threads", "1") == ""


def test_laws(capsys: pytest.CaptureFixture[str]) -> None:
    lines = succeed(capsys, "laws").splitlines()
    for name in lf.laws():
        law = lf.law(name)
        (line,) = [one for one in lines if one.startswith(f"  {name} ")]
        columns = ", ".join(v.name for v in law.declared_variables)
        assert f" {columns} -> {law.target} " in line
        assert line.endswith(f" {law.source.title}")
    for theme, about in themes().items():
        start = lines.index(f"{theme}: {about}")
        for line, name in zip(lines[start + 1 :], lf.laws(theme), strict=False):
            assert line.split()[0] == name
    assert lines[-1] == f"{len(lf.laws())} laws. One in full: lawfit laws NAME"


def test_laws_of_a_theme_or_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    def names(*arguments: str) -> list[str]:
        return [e["name"] for e in json.loads(succeed(capsys, "laws", "--json", *arguments))]

    assert names("--theme", "precision") == list(lf.laws("precision"))
    found = names("--search", "PRECISION")
    assert {"precision", "k-bit", "inference-aware"} - set(found) == {"inference-aware"}
    assert "kaplan" not in found
    assert names("--search", "2001.08361")[0] == "kaplan"
    assert names("--search", "logaddexp") == ["porian-loss"]
    both = names("--theme", "sparsity", "--search", "upcycling")
    assert both == [n for n in names("--search", "upcycling") if n in lf.laws("sparsity")]
    assert both
    assert names("--search", "no such words") == []
    assert succeed(capsys, "laws", "--search", "no such words") == "no law mentions it\n"
    assert "\n1 law. One" in succeed(capsys, "laws", "--search", "logaddexp")
    out = succeed(capsys, "laws", "--search", "PRECISION")
    assert out.endswith(f"{len(found)} laws. One in full: lawfit laws NAME\n")
    assert "no theme 'x'; known: dense" in fail(capsys, "laws", "--theme", "x")


def test_one_law_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    out = succeed(capsys, "laws", "chinchilla")
    law = lf.law("chinchilla")
    assert out.startswith("chinchilla (dense)\n")
    assert f"loss = {law.formula}\n" in out
    words = " ".join(out.split())
    assert f"{law.source.title} arXiv 2203.15556 (2022)" in words
    assert "N model parameters" in words
    assert "[parameters]; 5e+07 to 2e+10" in words
    assert "alpha exponent of the parameter term; starts 0 to 2" in words
    assert "coefficients besiroglu2024 E = 1.8172, A = 482.01" in words
    assert "not checked" not in words
    for text in (law.published[0].note, law.published[0].units, law.protocol):
        assert text in words
    assert [json.loads(succeed(capsys, "laws", "--json", "kaplan"))[0]["name"]] == ["kaplan"]
    two = succeed(capsys, "laws", "kaplan", "routed-flops")
    assert two.startswith("kaplan (dense)\n")
    assert "\n\nrouted-flops (sparsity)\n" in two
    assert "not checked against a second source" in two
    assert "plausible sizes for trials; not coefficients of the source" in two
    words = " ".join(succeed(capsys, "laws", "rl-batch-by-task").split())
    assert "environment; Ant-v4, HalfCheetah-v4," in words
    assert "a_B batch size at sigma = 1; one per task; positive" in words
    assert "a_B[Ant-v4] = 415" in words
    assert "did you mean chinchilla?" in fail(capsys, "laws", "chinchila")
    assert "not both" in fail(capsys, "laws", "kaplan", "--theme", "dense")


def test_every_law_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    for about, name in [(t, name) for t in themes() for name in lf.laws(t)]:
        law = lf.law(name)
        words = " ".join(succeed(capsys, "laws", name).split())
        assert f"{law.name} ({about}) {law.target} = {law.formula} " in words
        for item in (*law.declared_variables, *law.parameters):
            assert f" {item.name} {' '.join(item.description.split())}" in words
        for text in (law.notes, law.protocol, law.source.title, law.source.equation):
            assert " ".join(text.split()) in words


def test_laws_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    entries = json.loads(succeed(capsys, "laws", "--json"))
    assert [entry["name"] for entry in entries] == list(lf.laws())
    keys = {"name", "formula", "variables", "parameters", "title", "arxiv", "equation", "published"}
    keys |= {"theme", "target", "protocol", "example", "notes", "verified", "year"}
    for entry in entries:
        assert keys <= set(entry)
        law = lf.law(entry["name"])
        assert law.name in lf.laws(entry["theme"])
        assert entry["formula"] == law.formula
        assert entry["target"] == law.target
        assert entry["example"] == law.example
        assert entry["variables"] == [v.name for v in law.declared_variables]
        assert entry["variables"] == list(entry["variable_details"])
        assert entry["groups"] == law.groups
        assert entry["parameters"] == [p.name for p in law.parameters]
        assert list(entry["parameter_details"]) == entry["parameters"]
        for variable in law.declared_variables:
            details = entry["variable_details"][variable.name]
            assert details["unit"] == variable.unit
            assert details["description"] == variable.description
            assert details["span"] or details["levels"]
        for given, kept in zip(law.published, entry["published"], strict=True):
            assert kept["params"] == given.params
            assert set(kept) == {"name", "params", "where", "units", "note"}
            stems = {name.partition("[")[0] for name in kept["params"]}
            assert stems == set(entry["parameters"])


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    out = succeed(capsys, "info")
    assert f"lawfit {lf.__version__}\n" in out
    for fact in ("compiler", "instruction set", "threads", "python"):
        assert fact in out


def test_bench(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    text = succeed(capsys, "bench", "--quick", "--threads", "2", "--json", str(out))
    report = json.loads(out.read_text())
    machine = report["machine"]
    facts = lf._core.info()
    assert machine["instruction_set"] == facts["instruction_set"]
    assert {"processor", "cores", "load", "compiler", "version"} <= set(machine)
    sets = [e["instruction_set"] for e in report["evaluation"]]
    assert sets == facts["instruction_sets"]
    assert lf._core.info()["instruction_set"] == facts["instruction_set"]  # put back
    for kind in ("starts", "draws"):
        assert [row["threads"] for row in report[kind]] == [1, 2]
        for row in report[kind]:
            assert row["per_second"] == pytest.approx(row[kind] / row["seconds"])
        assert report["scaling"][kind] > 0
    first, second = report["starts"]
    assert first["objective"] == second["objective"]
    assert first["hit_share"] > 0.99
    assert report["rows"]["per_second"] > 0
    assert report["quick"] is True
    for name in sets:
        assert f"one evaluation, {name}" in text
    assert "1 -> 2 threads" in text


class Terminal(io.StringIO):
    """Output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_appears_before_anything_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "SHOWN_AFTER", 0.01)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with common.progress_bar("fits", quiet=False) as told:
        assert callable(told)
        for _ in range(400):
            if "fits" in terminal.getvalue():
                break
            time.sleep(0.02)
    assert "fits" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is cleared
    for name, quiet in (("dumb", False), ("xterm", True)):
        monkeypatch.setenv("TERM", name)
        with common.progress_bar("fits", quiet=quiet) as told:
            assert told is False


def test_long_lines_break_at_blanks_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = "  objective 1.5e-4: no step can lower the objective measurably\nshort"
    for kind, lines in ((Terminal, 3), (io.StringIO, 2)):
        monkeypatch.setattr(sys, "stdout", out := kind())
        common.tell(text)
        shown = out.getvalue().splitlines()
        assert len(shown) == lines
        assert " ".join(out.getvalue().split()) == " ".join(text.split())
        assert shown[0].startswith("  objective")
    assert max(map(len, shown)) > 40


def test_the_line_of_progress_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [duration(s) for s in (5.0, 99.0, 100.0, 5000.0, 9000.0)] == [
        "5 s", "99 s", "2 min", "83 min", "2.5 h",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    clock = iter([0.0, 0.1, 400.0, 800.0])
    monkeypatch.setattr("lawfit.progress.time.monotonic", lambda: next(clock))
    told = reporter(True, 100, "draws")
    assert told is not None
    for done in (1, 50, 100):
        told(done)
    first, last = terminal.getvalue().removeprefix("\r").split("\r")
    assert first == "draws: 50 of 100, 7 min left"
    assert last.rstrip() == "draws: 100 of 100"
    assert len(last.rstrip("\n")) == len(first)


def examples() -> list[list[str]]:
    """Return the examples of all commands' help as words."""
    texts = [command.help or "" for command in app.commands.values()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    commands = [line.rpartition("| ")[2] for line in lines]  # what runs are piped into
    return [shlex.split(line)[1:] for line in commands if line.startswith("lawfit ")]


def test_every_command_has_an_example_in_its_help() -> None:
    assert {words[0] for words in examples()} == set(app.commands)


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_examples_of_the_help_can_be_used(words: list[str]) -> None:
    """Every option is there and takes what it is given; laws and formulas are read."""
    command = app.commands[words[0]]
    parent = click.Context(app, info_name="lawfit", **app.context_settings)
    given = command.make_context(words[0], words[1:], parent=parent).params
    texts = given.get("law_text") or given.get("law") or given.get("names") or ()
    for text in [texts] if isinstance(texts, str) else texts:
        name, equals, formula = text.partition(" = ")
        assert lf.Law(formula) if equals else as_law(name)
    for name in ("cost", "order", "multiverse"):
        if given.get(name):
            assert lf.Law(given[name])


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert succeed(capsys, "--version") == f"lawfit {lf.__version__}\n"
    for command in ([], ["demo"], ["laws"], ["fit"], ["bench"], ["info"]):
        assert succeed(capsys, *command, "--help").startswith("Usage: lawfit")
    assert "\n    lawfit fit runs.csv" in succeed(capsys, "fit", "-h")  # not wrapped
    for command in ([], ["fit"]):
        assert run(command) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("Usage: lawfit")


# --- fit -------------------------------------------------------------------------------------


def test_fit_prints_the_fit(capsys: pytest.CaptureFixture[str], plain: str) -> None:
    out = succeed(capsys, "fit", plain, "--law", "chinchilla", "--bootstrap", "20")
    fit = lf.fit("chinchilla", plain)
    for name, value in fit.params.items():
        assert f"{name:<5}  {value:.8g}" in out
    assert "100 of 100 starts" in out
    assert "95 % intervals from 20 bootstrap draws" in out
    assert succeed(capsys, "fit", plain, "--law", "chinchilla", "--quiet") == ""


def test_every_option_at_once(
    capsys: pytest.CaptureFixture[str], table: str, tmp_path: Path
) -> None:
    out = tmp_path / "fit.json"
    succeed(
        capsys, "fit", table, *RENAMED,
        "--law", "E + A / N**alpha + B / D**beta", "--target", "y", "--derive", "y = loss + 0",
        "--where", "outlier == 0", "--where", "set == 'c4'", "--loss", "huber:1e-2",
        "--residual", "linear", "--scale", "fixed", "--starts", "12", "--fix", "E=1.8",
        "--tie", "alpha, beta", "--bound", "A=10:", "--bound", "alpha=:0.9", "--weights", "w",
        "--missing", "omit", "--bootstrap", "25", "--seed", "7", "--threads", "2",
        "--json", str(out), "--quiet",
    )  # fmt: skip
    data = json.loads(out.read_text())
    fit = lf.fit(
        "E + A / N**alpha + B / D**beta", table, "y", columns={"N": "Model Size"},
        derive=["D = C / (6 * N)", "y = loss + 0"], where=["outlier == 0", "set == 'c4'"],
        loss=lf.Huber(1e-2), residual="linear", starts=12, fixed={"E": 1.8},
        tied=[("alpha", "beta")], bounds={"A": (10, np.inf), "alpha": (-np.inf, 0.9)},
        weights="w", missing="omit", rng=7,
    )  # fmt: skip
    boot = fit.bootstrap(25, rng=7)
    assert data["params"] == fit.params
    assert data["objective"] == fit.objective
    assert data["nobs"] == fit.nobs == 81
    assert data["data_sha256"] == fit.data_hash
    assert data["intervals"] == {k: list(v) for k, v in boot.intervals().items()}
    assert data["bootstrap"]["draws"] == 25


def test_kinds_and_intervals_of_a_bootstrap(
    capsys: pytest.CaptureFixture[str], table: str, tmp_path: Path
) -> None:
    out = tmp_path / "fit.json"
    words = ["fit", table, *RENAMED, "--law", "chinchilla", "--starts", "10", "--bootstrap", "20"]
    options = ["--bootstrap-kind", "stratified", "--by", "outlier", "--interval-method", "bca"]
    printed = succeed(capsys, *words, *options, "--json", str(out))
    assert "20 bootstrap draws (bca, stratified by outlier, seed 0):" in printed
    data = json.loads(out.read_text())
    derive = "D = C / (6 * N)"
    fit = lf.fit("chinchilla", table, columns={"N": "Model Size"}, derive=[derive], starts=10)
    boot = fit.bootstrap(20, "stratified", by="outlier")
    assert data["intervals"] == {k: list(v) for k, v in boot.intervals(method="bca").items()}
    assert data["bootstrap"]["by"] == "outlier"
    assert data["bootstrap"]["interval_method"] == "bca"
    succeed(capsys, *words, "--interval-method", "studentized")
    assert "needs by=" in fail(capsys, *words, "--bootstrap-kind", "cluster")
    assert "one level" in fail(capsys, *words, "--bootstrap-kind", "cluster", "--by", "set")
    assert "--bootstrap-kind" in fail(capsys, *words, "--bootstrap-kind", "all")
    assert "need --bootstrap" in fail(capsys, *words[:-2], "--by", "set")


def test_json_has_the_promised_keys(
    capsys: pytest.CaptureFixture[str], plain: str, tmp_path: Path
) -> None:
    out = tmp_path / "fit.json"
    succeed(capsys, "fit", plain, "--law", "chinchilla", "--json", str(out), "--seed", "3")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(out.read_text(), parse_constant=refuse)
    fit = lf.fit("chinchilla", plain, rng=3)
    assert data["law"] == "chinchilla"
    assert data["formula"] == lf.law("chinchilla").formula
    assert data["params"] == fit.params
    assert data["objective"] == fit.objective
    assert data["success"] is True
    assert data["nobs"] == 90
    assert data["starts"]["n"] == 100
    assert data["starts"]["hits"] == fit.starts.hits
    assert data["starts"]["basins"] == fit.starts.basins
    assert data["seconds"] > 0
    assert data["seed"] == 3
    assert data["version"] == lf.__version__
    assert "intervals" not in data
    loaded = lf.load(out)
    np.testing.assert_array_equal(loaded.predict(plain), fit.predict(plain))


def test_protocols_and_sigma(
    capsys: pytest.CaptureFixture[str], table: str, tmp_path: Path
) -> None:
    out = tmp_path / "fit.json"
    fit = ("fit", table, *RENAMED, "--law", "chinchilla", "--json", str(out))
    succeed(capsys, *fit, "--protocol", "besiroglu2024", "--sigma", "s")
    data = json.loads(out.read_text())
    assert data["scale"] > 0
    assert data["starts"]["n"] == 1
    succeed(capsys, *fit, "--starts", "besiroglu2024", "--scale", "fitted", "--loss", "squared")
    assert json.loads(out.read_text())["loss"] == {"kind": "squared"}


def test_the_same_seed_gives_the_same_file(
    capsys: pytest.CaptureFixture[str], plain: str, tmp_path: Path
) -> None:
    kept = []
    for threads in ("1", "2"):
        out = tmp_path / f"{threads}.json"
        succeed(
            capsys, "fit", plain, "--law", "chinchilla", "--starts", "20", "--bootstrap", "20",
            "--threads", threads, "--json", str(out),
        )  # fmt: skip
        kept.append({k: v for k, v in json.loads(out.read_text()).items() if k != "seconds"})
    assert kept[0] == kept[1]


# --- errors of the user ----------------------------------------------------------------------


def write(folder: Path, *rows: str) -> str:
    path = folder / "runs.csv"
    path.write_text("".join(f"{row}\n" for row in rows))
    return str(path)


def test_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.csv: no such file" in fail(capsys, "fit", "nowhere.csv", "--law", "chinchilla")


def test_missing_column(capsys: pytest.CaptureFixture[str], table: str) -> None:
    message = fail(capsys, "fit", table, "--law", "chinchilla")
    assert 'runs.csv: there is no column "N" (needed by chinchilla' in message
    assert '"Model Size"' in message


def test_text_cell_in_a_number_column(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [f"{n}e7,{n}e9,3.{9 - n}" for n in range(1, 7)]
    rows[2] = "3e7,many,3.6"
    message = fail(capsys, "fit", write(tmp_path, HEADER, *rows), "--law", "chinchilla")
    assert 'runs.csv: column "D", row 3 (line 4 of the file): ' in message
    assert "many" in message


def test_empty_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = fail(capsys, "fit", write(tmp_path, HEADER), "--law", "chinchilla")
    assert "runs.csv" in message
    assert "no rows" in message
    assert "runs.csv" in fail(capsys, "fit", write(tmp_path), "--law", "chinchilla")


def test_fewer_rows_than_parameters(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [f"{n}e7,{n}e9,3.{9 - n}" for n in range(1, 5)]
    message = fail(capsys, "fit", write(tmp_path, HEADER, *rows), "--law", "chinchilla")
    assert message.startswith("runs.csv has 4 rows; 5 free parameters (E, A, alpha, B, beta)")


def test_negative_loss(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [f"{n}e7,{n}e9,3.{9 - n}" for n in range(1, 7)]
    rows[4] = "5e7,5e9,-3.4"
    path = write(tmp_path, HEADER, *rows)
    message = fail(capsys, "fit", path, "--law", "chinchilla")
    assert "column 'loss', row 5 (line 6 of the file): -3.4 is not above 0" in message


def test_syntax_error_shows_the_position(capsys: pytest.CaptureFixture[str], plain: str) -> None:
    message = fail(capsys, "fit", plain, "--law", "E + A ) N**alpha")
    assert "(character 7)" in message
    assert message.split("\n")[1:] == ["  E + A ) N**alpha", "        ^"]
    fail(capsys, "fit", plain, "--law", "E + A / N**")
    fail(capsys, "fit", plain, "--law", "E + A / N**alpha", "--where", "N >> 3")
    fail(capsys, "fit", plain, "--law", "E + A / N**alpha", "--derive", "M = N +")


def test_unknown_function(capsys: pytest.CaptureFixture[str], plain: str) -> None:
    message = fail(capsys, "fit", plain, "--law", "E + softmax(N)")
    assert "unknown function 'softmax'" in message
    assert message.split("\n")[2] == "      ^"


def test_start_outside_its_bounds(capsys: pytest.CaptureFixture[str], plain: str) -> None:
    message = fail(
        capsys, "fit", plain, "--law", "chinchilla", "--starts", "hoffmann2022",
        "--bound", "alpha=0:0.6",
    )  # fmt: skip
    assert message == "start 61: alpha = 1 is outside its bounds (0, 0.6)"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--law", "chinchila"], "did you mean chinchilla?"),
        (["--law", "chinchilla", "--target", "loss2"], 'no column "loss2"'),
        (["--law", "chinchilla", "--column", "N"], "--column 'N' must look like"),
        (["--law", "chinchilla", "--column", "N=size"], 'no column "size"'),
        (["--law", "chinchilla", "--derive", "D"], '"D" has no "="'),
        (["--law", "chinchilla", "--derive", "D = M"], 'no column "M"'),
        (["--law", "chinchilla", "--where", "N > 1e99"], "keeps none of the 90 rows"),
        (["--law", "chinchilla", "--loss", "hubber"], "there is no loss 'hubber'"),
        (["--law", "chinchilla", "--loss", "huber:-1"], "must be a positive number"),
        (["--law", "chinchilla", "--residual", "cubic"], "'log', 'linear', 'logit'"),
        (["--law", "chinchilla", "--residual", "logit"], "is not in (0, 1)"),
        (["--law", "chinchilla", "--scale", "free"], "'fixed', 'fitted'"),
        (["--law", "chinchilla", "--missing", "drop"], "'raise', 'omit'"),
        (["--law", "chinchilla", "--protocol", "hofmann2022"], "did you mean hoffmann2022?"),
        (["--law", "kaplan", "--protocol", "hoffmann2022"], "no value for N_c"),
        (["--law", "chinchilla", "--starts", "0"], "at least one start"),
        (["--law", "chinchilla", "--starts", "--5"], "there is no protocol '--5'"),
        (["--law", "chinchilla", "--starts", "1.5"], "there is no protocol '1.5'"),
        (["--law", "chinchilla", "--fix", "E"], "--fix 'E' must look like --fix E=1.69"),
        (["--law", "chinchilla", "--fix", "E=low"], "--fix E: 'low' is not a number"),
        (["--law", "chinchilla", "--fix", "F=1"], "fixed: 'F' is not a parameter"),
        (["--law", "chinchilla", "--tie", "alpha"], "fewer than two"),
        (["--law", "chinchilla", "--tie", "alpha,gamma"], "tied: 'gamma' is not a parameter"),
        (["--law", "chinchilla", "--bound", "alpha=1"], "must look like --bound alpha=0:2"),
        (["--law", "chinchilla", "--bound", "alpha=a:1"], "'a' is not a number"),
        (["--law", "chinchilla", "--bound", "alpha=2:1"], "above upper bound"),
        (["--law", "chinchilla", "--weights", "w"], 'no column "w" (needed by weights)'),
        (["--law", "chinchilla", "--weights", "N", "--sigma", "D"], "not both"),
        (["--law", "chinchilla", "--bootstrap", "-1"], "--bootstrap"),
        (["--law", "chinchilla", "--bootstrap", "few"], "--bootstrap"),
        (["--law", "chinchilla", "--threads", "0"], "--threads"),
        (["--law", "chinchilla", "--seed", "-1"], "--seed"),
        (["--law", "chinchilla", "--seed", "99999999999999999999"], "rng = 9999"),
        (["--law", "chinchilla", "--color"], "No such option"),
        ([], "--law"),
    ],
)
def test_words_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], plain: str, arguments: list[str], text: str
) -> None:
    assert text in fail(capsys, "fit", plain, *arguments)


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "frobnicate" in fail(capsys, "frobnicate")
    assert "extra" in fail(capsys, "info", "extra")


def test_a_file_that_cannot_be_written_does_not_lose_the_fit(
    capsys: pytest.CaptureFixture[str], plain: str, tmp_path: Path
) -> None:
    out = tmp_path / "no folder" / "fit.json"
    assert run(["fit", plain, "--law", "chinchilla", "--json", str(out)]) == 2
    printed, err = capsys.readouterr()
    assert "alpha" in printed
    assert err.startswith(f"lawfit: cannot write {out}")


# --- fits that fail or are stopped -----------------------------------------------------------


def test_a_fit_without_a_finite_start_fails(capsys: pytest.CaptureFixture[str], plain: str) -> None:
    message = fail(capsys, "fit", plain, "--law", "E + log(A - N)", status=1)
    assert message.startswith("none of the 100 starts has a finite objective")


def test_a_fit_that_does_not_converge_fails(
    capsys: pytest.CaptureFixture[str], plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lawfit.fitting.MAX_EVALUATIONS", 3)
    assert run(["fit", plain, "--law", "chinchilla"]) == 1
    out, err = capsys.readouterr()
    assert err == "lawfit: stopped at the limit of evaluations before converging\n"
    assert "warning: the best start did not converge" in out


@pytest.mark.parametrize("when", ["fit", "bootstrap"])
def test_what_was_finished_before_ctrl_c_is_kept(
    capsys: pytest.CaptureFixture[str],
    plain: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    fit = lf.fit("chinchilla", plain)
    draws = fit.bootstrap(10)

    def stop(*args: Any, **kwargs: Any) -> None:
        raise lf.Interrupted("interrupted after 10 of 20", fit if when == "fit" else draws)

    stopped = "lawfit.commands.fit.fit_law" if when == "fit" else "lawfit.Fit.bootstrap"
    monkeypatch.setattr(stopped, stop)
    out = tmp_path / "fit.json"
    words = ["fit", plain, "--law", "chinchilla", "--bootstrap", "20", "--json", str(out)]
    assert run(words) == 130
    printed, err = capsys.readouterr()
    assert err == "lawfit: interrupted after 10 of 20; what was finished is above\n"
    assert ("from 10 bootstrap draws" in printed) == (when == "bootstrap")
    data = json.loads(out.read_text())
    assert data["params"] == fit.params
    assert data["interrupted"] == "interrupted after 10 of 20"


def test_ctrl_c_before_anything_is_finished(
    capsys: pytest.CaptureFixture[str], plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: Any, **kwargs: Any) -> None:
        raise lf.Interrupted("interrupted after 0 of 100 starts")

    monkeypatch.setattr("lawfit.commands.fit.fit_law", stop)
    assert run(["fit", plain, "--law", "chinchilla"]) == 130
    # The empty line is click's: it ends the line on which the terminal shows ^C.
    assert capsys.readouterr() == ("", "\nlawfit: interrupted after 0 of 100 starts\n")


# --- as a process ----------------------------------------------------------------------------


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lawfit", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_process(plain: str) -> None:
    done = process("fit", plain, "--law", "chinchilla", "--bootstrap", "10")
    assert (done.returncode, done.stderr) == (0, "")
    assert "95 % intervals" in done.stdout
    done = process("fit", plain, "--law", "E + softmax(N)")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("lawfit: unknown function 'softmax'")
    assert "Traceback" not in done.stderr
    assert process("info").stdout.startswith(f"lawfit {lf.__version__}\n")


def test_without_click_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    script = "import sys; sys.modules['click'] = None; from lawfit.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == ("the lawfit command needs its extra: pip install 'lawfit[cli]'\n")


def test_a_reader_that_leaves_early(plain: str) -> None:
    command = f"{sys.executable!r} -m lawfit laws | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("dense: ")
    assert "Traceback" not in done.stderr
