"""Reports: what they hold, for fits of every shape, and that they need nothing but themselves."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import lawfit as lf
from lawfit.cli import run
from lawfit.laws import law as find_law
from lawfit.report.checklist import PARTS
from lawfit.report.digits import interval, plain, rounded
from lawfit.report.material import Material
from lawfit.report.paper import bibtex

SECTIONS = (
    "Summary", "Formula", "Coefficients", "Quality of the fit", "Diagnostics", "Backtest",
    "Compute-optimal plans", "Checklist", "For the paper", "How to make it again",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> lf.Runs:
    return lf.datasets.load("simulated_chinchilla")


@pytest.fixture(scope="module")
def fit(runs: lf.Runs) -> lf.Fit:
    return lf.fit("chinchilla", runs, starts=20)


@pytest.fixture(scope="module")
def boot(fit: lf.Fit) -> object:
    return fit.bootstrap(60, spread=0)


@pytest.fixture(scope="module")
def html(fit: lf.Fit, boot: object, tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("matplotlib")
    from lawfit.plots import style

    path = tmp_path_factory.mktemp("report") / "out.html"
    with pytest.MonkeyPatch.context() as patch:  # a pass of layout takes as long as the drawing
        patch.setitem(style._SETTINGS, "figure.constrained_layout.use", False)
        text = fit.report(path, bootstrap=boot)
    assert path.read_text(encoding="utf-8") == text
    return text


@pytest.fixture(scope="module")
def text(fit: lf.Fit, boot: object) -> str:
    return fit.report(bootstrap=boot)


class Page(HTMLParser):
    """Collects elements and checks that every one is closed in order."""

    VOID = frozenset({"meta", "link", "img", "br", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(html: str) -> None:
    page = Page(html)
    assert page.open == []
    tags = [tag for tag, _ in page.elements]
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(tags)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import", html)
    policy = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_page_can_be_read_by_everyone(html: str) -> None:
    page = Page(html)
    images = [a for tag, a in page.elements if tag == "img"]
    assert len(images) == 9
    assert all(len(a["alt"] or "") > 20 for a in images)
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for tag, a in page.elements if tag == "a" and a["href"]]
    assert set(links) <= set(ids)
    wide = [a for _, a in page.elements if (a.get("class") or "").startswith("wide")]
    assert wide
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in wide)
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 34rem", "focus-visible"):
        assert rule in html
    assert '<html lang="en">' in html
    assert 'name="viewport"' in html


def test_formula_is_mathml_or_text(fit: lf.Fit, monkeypatch: pytest.MonkeyPatch, html: str) -> None:
    pytest.importorskip("latex2mathml")
    assert "<math" in html
    assert "<mfrac>" in html
    from lawfit.report.blocks import Document, Formula, Section
    from lawfit.report.render_html import to_html

    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    formula = Formula(fit.law.latex, fit.law.formula)
    page = to_html(Document("t", "s", [Section("Formula", [formula])]))
    assert f"<code>{fit.law.formula}</code>" in page


def test_sections_and_numbers(fit: lf.Fit, boot: lf.uncertainty.bootstrap.Bootstrap, text: str,
                              html: str) -> None:  # fmt: skip
    for title in SECTIONS:
        assert f"## {title}\n" in text
        assert f">{title}</h2>" in html
    errors, profiles, draws = fit.standard_errors(), fit.intervals(), boot.intervals()
    for name in fit.free:
        (row,) = [line for line in text.split("\n") if line.startswith(f"| {name} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1] == rounded(fit.params[name], errors[name], 3)
        assert cells[3:5] == [interval(profiles[name]), interval(draws[name])]
    outside = lf.backtest("chinchilla", fit._problem.runs, steps=4, starts=20).outside
    assert (
        f"{outside.rows} predictions with a mean absolute relative error of {outside.are:.2%}"
        in text
    )
    plan = lf.plan(fit, budget=1e24)
    (row,) = [line for line in text.split("\n") if line.startswith("| 1e24 |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == plain(plan["N"])
    assert cells[3] == plain(plan["D"])
    assert cells[2] == interval(plan.intervals(0.95, draws=boot)["N"])
    for d in fit.diagnose():
        assert d.code in text
        assert d.remedy in text.replace("\\", "")
    assert fit.data_hash in text
    assert "Not here" not in text


def test_text_for_the_paper(fit: lf.Fit, text: str) -> None:
    assert f"to {fit.nobs} runs by minimising the sum of {fit.loss} over log residuals" in text
    assert r"$\alpha$ & $" in text
    assert text.count(r"\\") >= 6
    assert "eprint        = {2203.15556}" in text
    assert "author" not in bibtex(fit.law).split("@software")[0]
    for name in lf.laws():  # braces are balanced whatever a source is called
        entry = bibtex(find_law(name))
        assert entry.count("{") == entry.count("}")
    assert "@misc" not in bibtex(lf.Law("E + A / N**alpha"))


def test_checklist(fit: lf.Fit, text: str) -> None:
    keys = [q.key for questions in PARTS.values() for q in questions]
    assert len(keys) == len(set(keys))
    assert len(PARTS) == 4
    unknown = [q.key for qs in PARTS.values() for q in qs if q.known is None]
    for key in unknown:
        assert f"OPEN ({key})" in text
    assert "OPEN (starts)" not in text
    answered = fit.report(answers={"code": "https://example.org", "starts": "mine"})
    assert "OPEN (code)" not in answered
    assert "| https://example.org |" in answered
    assert "| mine |" in answered
    with pytest.raises(lf.InputError, match="no question 'colour'"):
        fit.report(answers={"colour": "red"})


def test_other_choices(fit: lf.Fit, runs: lf.Runs, text: str) -> None:
    asked = Material(fit, None, 0.95, "6*N*D", None, {}, None, "beta / (alpha + beta)").multiverse
    assert asked is not None
    assert len(asked.universes) == 12
    made = lf.multiverse("chinchilla", runs, quantity="E", delta=[1e-3, 1e-2], starts=[5])
    given = fit.report(multiverse=made)
    low, high = made.range
    assert f"E under other choices: {plain(low)} to {plain(high)} over 2 combinations" in given
    assert "OPEN (choices)" not in given
    assert "OPEN (choices)" in text
    assert "Other choices" not in text
    with pytest.raises(lf.InputError, match="multiverse = 3 must be"):
        fit.report(multiverse=3)


def test_plans_take_what_other_variables_have_in_the_table() -> None:
    law = lf.Law("E + A / (N * (1 - exp(-P / g)))**alpha + B / D**beta")
    truth = {"E": 1.7, "A": 400.0, "g": 2.0, "alpha": 0.34, "B": 1200.0, "beta": 0.35}
    n, d, p = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4),
                                              [2.0, 4.0, 8.0]))  # fmt: skip
    runs = {"N": n, "D": d, "P": p}
    runs["loss"] = law.predict(truth, runs)
    fit = lf.fit(law, runs, starts={k: [v] for k, v in truth.items()})
    text = fit.report(cost="6*N*D*P/16").partition("## Compute-optimal")[2]
    best = lf.plan(fit, 1e22, cost="6*N*D*P/16", over={"P": [2, 4, 8]})
    (row,) = [line for line in text.split("\n") if line.startswith("| 1e22 |")]
    assert f"{best['P']:g}" in [cell.strip() for cell in row.split("|")]
    runs["P"] = np.linspace(2, 8, len(n))
    runs["loss"] = law.predict(truth, runs)
    many = lf.fit(law, runs, starts={k: [v] for k, v in truth.items()})
    with pytest.raises(lf.InputError, match="variables with up to 12 values; P has 48"):
        _ = Material(many, None, 0.95, "6*N*D", None, {}, None).plan


def test_progress_counts_sections_and_figures(
    fit: lf.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lawfit.report.blocks import Figure

    picture = Figure(b"", "image/svg+xml", "nothing", "nothing")
    monkeypatch.setattr("lawfit.report.sections.draw", lambda sketch: picture)
    told: list[tuple[int, int]] = []
    fit.report(tmp_path / "out.html", progress=lambda *now: told.append(now))
    done = [now for now, _ in told]
    assert done == sorted(done)
    assert {total for _, total in told} == {done[-1]}
    assert len(done) > 15


def test_what_cannot_be_made_says_why(tmp_path: Path, runs: lf.Runs) -> None:
    x = np.linspace(-4.0, 5.0, 20)
    line = lf.fit("a + b * x", {"x": x, "loss": 3 - 2 * x}, residual="linear", loss="squared")
    text = line.report()
    assert "Not here: no column says which runs are small; give order=" in text
    assert "plans are made for laws with N and D; this law reads x" in text
    assert "Not here" not in line.report(order="x").partition("## Compute")[0]
    five = lf.fit("chinchilla", runs.take(np.arange(5)), starts=5).report()
    assert "No standard errors: simulated runs: 5 rows for 5 fitted parameters" in five
    held = lf.fit("chinchilla", runs, fixed=lf.law("chinchilla").coefficients()).report()
    assert "No parameter was fitted" in held


def test_groups_and_names_that_need_escapes(tmp_path: Path) -> None:
    table = {"N": np.tile(np.geomspace(1e7, 1e10, 6), 2), "family": np.repeat(["a_1", "b<&>"], 6)}
    law = lf.Law("E[family] + A / N**alpha")
    truth = {"E[a_1]": 1.5, "E[b<&>]": 2.0, "A": 300.0, "alpha": 0.35}
    table["loss"] = law.predict(truth, table) * (1 + 1e-3 * np.cos(np.arange(12)))
    fit = lf.fit(law, table, starts=10)
    page = fit.report(tmp_path / "out.html", figures=False)
    assert Page(page).open == []
    assert "E[b&lt;&amp;&gt;]" in page
    assert r"| E[a\_1] |" in fit.report()


def test_a_fit_from_a_file(fit: lf.Fit, runs: lf.Runs, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.json")
    loaded = lf.load(tmp_path / "fit.json")
    text = loaded.report()
    assert "does not hold the runs" in text
    assert "Training Compute-Optimal Large Language Models" in text  # from the catalogue
    whole = loaded.report(runs=runs)
    assert "does not hold the runs" not in whole
    assert "20 of 20 starts" in whole
    with pytest.raises(lf.InputError, match="these are not the rows"):
        loaded.report(runs=runs.take(np.arange(60)))


def test_mistakes(fit: lf.Fit, tmp_path: Path) -> None:
    with pytest.raises(lf.InputError, match=r"must end in \.html or \.md, not in \.pdf"):
        fit.report(tmp_path / "out.pdf")
    with pytest.raises(lf.InputError, match="there is no folder"):
        fit.report(tmp_path / "nowhere" / "out.md")
    with pytest.raises(lf.InputError, match="must be a Bootstrap or a number"):
        fit.report(bootstrap="many")
    with pytest.raises(lf.InputError, match="confidence_level"):
        fit.report(confidence_level=95)


def test_the_same_fit_gives_the_same_file(fit: lf.Fit, tmp_path: Path) -> None:
    assert fit.report(tmp_path / "a.html", figures=False) == fit.report(
        tmp_path / "b.html", figures=False
    )


def test_numbers() -> None:
    assert plain(1234567.0) == "1.235e6"
    assert plain(1234.5) == "1234" or plain(1234.5) == "1235"
    assert plain(0.00012) == "0.0001200"
    assert plain(float("inf")) == "∞"
    assert rounded(516.123, 52.0) == "516"
    assert rounded(516.123, 52.0, 3) == "516.1"
    assert rounded(1.8248, 0.0) == "1.82480"
    assert interval((1.8115, 1.83804)) == "1.8115 to 1.8380"
    assert interval(None) == "-"


# --- the command line ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(runs: lf.Runs, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("cli")
    rows = zip(*(runs[name].tolist() for name in ("N", "D", "loss")), strict=True)
    table = folder / "runs.csv"
    table.write_text("N,D,loss\n" + "".join(f"{n!r},{d!r},{y!r}\n" for n, d, y in rows))
    lf.fit("chinchilla", table, starts=5).save(folder / "fit.json")
    return str(table), str(folder / "fit.json")


def test_commands(
    saved: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, fit = saved
    out = str(tmp_path / "report.md")
    words = [table, "--law", "chinchilla", "--starts", "5"]
    assert run(["report", *words, "--no-plots", "--answer", "code=here", "--out", out]) == 0
    assert capsys.readouterr().out == f"report: {out}\n"
    assert "| here |" in Path(out).read_text()
    assert run(["report", fit, "--runs", table, "--no-plots", "--out", out, "-q"]) == 0
    assert "does not hold the runs" not in Path(out).read_text()
    assert capsys.readouterr().out == ""
    model = tmp_path / "model.json"
    assert run(["export", fit, "--out", str(model)]) == 0
    assert json.loads(model.read_text())["formula"] == lf.law("chinchilla").formula
    capsys.readouterr()
    assert run(["export", "E + A / N**alpha"]) == 2
    assert "columns" in capsys.readouterr().err


def test_plots_of_the_command_line(
    saved: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    table, fit = saved
    for name, words in {
        "starts.svg": ["--what", "starts"],
        "residuals.png": ["--what", "residuals", "--runs", table],
    }.items():
        out = tmp_path / name
        assert run(["plot", fit, *words, "--out", str(out)]) == 0
        assert capsys.readouterr().out == f"plot: {out}\n"
        assert out.stat().st_size > 5000
    out = tmp_path / "fit.png"
    words = ["fit", table, "--law", "chinchilla", "--starts", "5", "--plot", str(out), "-q"]
    assert run(words) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plot", "FIT", "--out", "x.png"], "needs the fitted runs: --runs RUNS"),
        (["plot", "FIT", "--out", "x.bmp"], "must end in .png"),
        (["report", "FIT", "--out", "x.pdf"], "must end in .html or .md"),
        (["report", "FIT", "--law", "chinchilla", "--out", "x.md"], "leave out --law"),
        (["report", "TABLE", "--out", "x.md"], "give --law"),
        (["report", "TABLE", "--runs", "TABLE", "--law", "kaplan", "--out", "x.md"], "FIT.json"),
        (["fit", "TABLE", "--law", "chinchilla", "--report", "x"], "must end in .html or .md"),
        (["fit", "TABLE", "--law", "chinchilla", "--penalty", "alpha=1"], "alpha=0.5:0.1"),
        (["fit", "TABLE", "--law", "chinchilla", "--penalty", "a=1:1"], "not a parameter"),
        (["fit", "TABLE", "--law", "chinchilla", "--censored", "c"], 'no column "c"'),
    ],
)
def test_words_that_cannot_be_used(
    saved: tuple[str, str], words: list[str], told: str, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    table, fit = saved
    assert run([{"TABLE": table, "FIT": fit}.get(w, w) for w in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lawfit: ")
    assert told in err
    assert list(tmp_path.iterdir()) == []


def test_runs_from_standard_input_with_penalty_and_censored(
    saved: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    table = lf.read(saved[0])
    side = np.where(np.arange(table.n) % 9 == 0, "right", "")
    lines = Path(saved[0]).read_text().split("\n")
    text = "\n".join(f"{a},{b}" for a, b in zip(lines, ["side", *side], strict=False))
    out = tmp_path / "fit.json"
    words = ["fit", "-", "--law", "chinchilla", "--starts", "5", "--json", str(out)]
    words += ["--penalty", "alpha=0.3:0.01", "--penalty", "A=B:2", "--censored", "side"]
    piped = tmp_path / "runs.csv"
    piped.write_text(text + "\n")
    with piped.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert run(words) == 0
    data = json.loads(out.read_text())
    fit = lf.fit("chinchilla", table, starts=5, censored=side,
                 penalties={"alpha": (0.3, 0.01), "A": ("B", 2.0)})  # fmt: skip
    assert data["params"] == fit.params
    assert data["censored"] == 10
    assert f"90 rows (10 censored) of {piped}" in capsys.readouterr().out
