"""The planner page in a real headless browser: its plans against Python's, and how it behaves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lawfit as lf
from lawfit.cli import run
from lawfit.compiler import evaluate_columns
from lawfit.page.javascript import function, literal

from .browser import Browser, find_chromium

CHROMIUM = find_chromium()
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM is not None
    opened = Browser(CHROMIUM)
    yield opened
    opened.close()


def values(browser: Browser) -> dict[str, Any]:
    """Return what the page has computed, once the draws are done too."""
    browser.wait("document.documentElement.dataset.state === 'done'")
    found: dict[str, Any] = json.loads(browser.run("document.getElementById('values').textContent"))
    return found


def set_to(browser: Browser, settings: str) -> dict[str, Any]:
    browser.run("document.documentElement.dataset.state = 'asked'")
    browser.run(f"location.hash = {settings!r}")
    return values(browser)


CHINCHILLA: dict[str, Any] = {"law": "chinchilla", "params": "besiroglu2024"}
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {**CHINCHILLA, "budget": 1e24},
    "serving": {
        **CHINCHILLA, "budget": 1e24, "cost": "6*N*D + 2*N*T", "over": {"T": 1e12},
        "constraints": ["D <= 1.5e13", "N * M / 8 <= 2e12"],
    },
    "tied": {**CHINCHILLA, "budget": 1e22, "constraints": "D == k * N", "over": {"k": 20.0}},
    "bits": {
        "law": "precision-weights", "params": "kumar2024-integer", "budget": 1e21,
        "cost": "6*N*D*P_w/16", "over": {"P_w": [3, 4, 6, 8, 12, 16]},
    },
    "bits free": {
        "law": "precision-weights", "params": "kumar2024-integer", "budget": 1e22,
        "cost": "6*N*D*(8 + P_w)/24", "over": {"P_w": (2.0, 16.0)},
    },
    "unique tokens": {
        "law": "data-constrained", "params": "muennighoff2023", "budget": 1e22,
        "over": {"U": 2e10},
    },
    "accuracy": {
        "law": "1 - a / N**p - b / D**q", "params": {"a": 30.0, "p": 0.25, "b": 60.0, "q": 0.2},
        "budget": 1e22, "maximize": True,
    },
    "one variable": {**CHINCHILLA, "budget": 1e20, "over": {"D": 1e10}},
    "shapes": {
        **CHINCHILLA, "budget": 1e20, "constraints": "N == 12 * n * d**2",
        "over": {("n", "d"): [(8, 512), (12, 768), (24, 1024), (24, 2048)]},
    },
}  # fmt: skip
REQUESTS["serving"]["over"]["M"] = 16.0


def at(request: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Return a request with other settings of its sliders and lists."""
    over = dict(request.get("over", {}))
    changed = {**request, "over": over}
    for name, value in settings.items():
        if name == "budget":
            changed["budget"] = value
        else:
            over[name] = value
    return changed


def planned(request: dict[str, Any]) -> lf.Plan:
    rest = {k: v for k, v in request.items() if k != "law"}
    return lf.plan(request["law"], **rest, cells=1e5)


CASES = [
    ("plain", [{}, {"budget": 1e21}, {"budget": 1e27}]),
    ("serving", [{}, {"T": 1e14}, {"budget": 3e26, "T": 1e11}, {"budget": 1e26, "M": 256.0}]),
    ("tied", [{}, {"k": 2.5}, {"budget": 1e25}]),
    ("bits", [{}, {"budget": 1e23}, {"P_w": 4}, {"P_w": 16, "budget": 1e19}]),
    ("bits free", [{}, {"budget": 1e25}]),
    ("unique tokens", [{}, {"U": 5e9}, {"U": 5e8}, {"U": 2e12, "budget": 1e21}]),
    ("accuracy", [{}, {"budget": 1e24}]),
    ("one variable", [{}, {"D": 1e11}]),
    ("shapes", [{}, {"budget": 1e22}]),
]


@needs_browser
@pytest.mark.parametrize(("which", "moves"), CASES, ids=[c[0] for c in CASES])
def test_every_setting_gives_the_plan_of_python(
    browser: Browser, tmp_path: Path, which: str, moves: list[dict[str, Any]]
) -> None:
    request = REQUESTS[which]
    path = tmp_path / "planner.html"
    planned(request).page(path)
    browser.open(path)
    for move in moves:
        got = set_to(browser, "#" + "&".join(f"{n}={v}" for n, v in {"budget": request["budget"],
                                                                     **move}.items()))  # fmt: skip
        want = planned(at(request, **move))
        assert got["best"]["loss"] == pytest.approx(want["loss"], rel=1e-9)
        assert got["best"]["cost"] <= got["settings"]["budget"] * (1 + 1e-8)
        if not want.converged:  # no more epochs help: many plans have this loss to rounding
            continue
        for name in want.problem.variables:
            assert got["best"][name] == pytest.approx(want[name], rel=1e-6), name
        assert set(got["binding"]) == set(want.binding)
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()]


@needs_browser
@pytest.mark.parametrize("which", ["plain", "serving", "bits", "bits free", "unique tokens"])
def test_the_flat_region_is_that_of_python(browser: Browser, tmp_path: Path, which: str) -> None:
    made = planned(REQUESTS[which])
    made.page(tmp_path / "planner.html", tolerance=0.02)
    browser.open(tmp_path / "planner.html")
    got, want = values(browser)["flat"], made.flat(0.02)
    assert got["threshold"] == pytest.approx(want.threshold, rel=1e-9)
    for name, ends in want.ranges.items():
        assert got["ranges"][name] == pytest.approx(ends, rel=1e-6), name
    assert {n: tuple(v) for n, v in got["values"].items()} == want.values


@needs_browser
@pytest.mark.parametrize("which", ["serving", "bits", "unique tokens"])
def test_intervals_are_those_of_the_same_draws(
    browser: Browser, tmp_path: Path, which: str
) -> None:
    made = planned(REQUESTS[which])
    rng = np.random.default_rng(5)
    draws = {n: v * np.exp(0.02 * rng.standard_normal(60)) for n, v in made.problem.params.items()}
    made.page(tmp_path / "planner.html", draws=draws, confidence_level=0.9, samples=60)
    browser.open(tmp_path / "planner.html")
    got, want = values(browser), made.draws(draws)
    assert got["failed"] == pytest.approx(want.failed, abs=1e-12)
    for name, ends in want.intervals(0.9).items():
        assert got["intervals"][name] == pytest.approx(ends, rel=1e-6), name
    assert "in 90 % of the draws" in browser.run("document.getElementById('sure').textContent")


@needs_browser
def test_keys_move_sliders_and_choose_from_lists(browser: Browser, tmp_path: Path) -> None:
    planned(REQUESTS["bits"]).page(tmp_path / "planner.html", sliders={"budget": (1e20, 1e24)})
    browser.open(tmp_path / "planner.html")
    before = values(browser)
    focused = "document.activeElement.id"
    browser.key("Tab", 9)
    assert browser.run(focused) == "slider-0"
    browser.run("document.documentElement.dataset.state = 'asked'")
    browser.key("ArrowRight", 39)
    moved = values(browser)
    assert before["settings"]["budget"] < moved["settings"]["budget"] < 1.1e21
    want = planned(at(REQUESTS["bits"], budget=moved["settings"]["budget"]))
    assert moved["best"]["loss"] == pytest.approx(want["loss"], rel=1e-9)
    browser.key("Tab", 9)
    assert browser.run(focused) == "slider-0-number"
    browser.run("document.documentElement.dataset.state = 'asked'")
    browser.run("document.activeElement.select()")
    browser.ask("Input.insertText", text="2.5e22")
    assert values(browser)["settings"]["budget"] == 2.5e22
    browser.run("document.activeElement.select()")
    browser.ask("Input.insertText", text="-3")
    assert browser.run("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert "above zero" in browser.run("document.getElementById('slider-0-error').textContent")
    browser.key("Tab", 9)
    assert browser.run(focused) == "choice-0"
    browser.run("document.documentElement.dataset.state = 'asked'")
    browser.key("ArrowDown", 40)
    assert values(browser)["best"]["P_w"] == 3
    browser.key("Tab", 9)
    assert browser.run(focused) == "reset"
    browser.run("document.documentElement.dataset.state = 'asked'")
    browser.key("Enter", 13, "\r")
    assert values(browser)["best"] == before["best"]
    # Everything that takes input has a name, and the result is announced.
    unnamed = "[...document.querySelectorAll('input, select')].filter((e) => !e.labels.length && "
    assert browser.run(unnamed + "!e.getAttribute('aria-label')).length") == 0
    live = "document.getElementById('headline').closest('[aria-live=polite]') !== null"
    assert browser.run(live)
    assert browser.complaints() == []


CONTRAST = """(() => {
  const parts = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (text) => {
    const [r, g, b] = parts(text).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = light(getComputedStyle(document.documentElement).backgroundColor);
  const ratio = (one) => (Math.max(one, page) + 0.05) / (Math.min(one, page) + 0.05);
  const texts = ["h1", "#headline", "caption", "figcaption", "dt", "footer", "#warnings", "td"];
  const marks = [["svg text", "fill"], [".budget", "stroke"], [".level", "stroke"],
    [".best", "fill"]];
  const colour = ([of, what]) => ratio(light(getComputedStyle(document.querySelector(of))[what]));
  return [texts.map((t) => colour([t, "color"])), marks.map(colour), page];
})()"""


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_is_readable_at_every_width_in_dark_and_light(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    planned(REQUESTS["serving"]).page(tmp_path / "planner.html", title="<Plan> & 'more'")
    browser.look(width, 800, scheme)
    browser.open(tmp_path / "planner.html")
    values(browser)
    assert browser.run("document.documentElement.scrollWidth") <= width
    texts, marks, page = browser.run(CONTRAST)
    assert min(texts) >= 4.5  # WCAG 2.2, 1.4.3
    assert min(marks) >= 3.0  # 1.4.11
    assert (page > 0.5) == (scheme == "light")
    assert browser.run("document.querySelector('h1').textContent") == "<Plan> & 'more'"
    assert browser.run("document.querySelectorAll('svg .label').length") >= 2
    assert browser.run("document.querySelector('svg .flat').getAttribute('d').length") > 100
    browser.look(1200, 900, "light")


@needs_browser
def test_an_impossible_setting_is_said(browser: Browser, tmp_path: Path) -> None:
    request = {**CHINCHILLA, "budget": 1e22, "constraints": "D >= low", "over": {"low": 1e10}}
    planned(request).page(tmp_path / "planner.html", sliders={"low": (1e8, 1e26)})
    browser.open(tmp_path / "planner.html")
    assert values(browser)["best"]["D"] > 1e10
    got = set_to(browser, "#low=1e25")
    assert got["best"] is None
    said = browser.run("document.getElementById('headline').textContent")
    assert "No plan is possible: D >= low cannot hold" in said
    assert browser.complaints() == []


FORMULAS = [
    "exp(x) + log(y) * log2(y) - log10(y) / log1p(y)", "expm1(x) * sqrt(y) + abs(x)",
    "tanh(x) + sigmoid(x) + softplus(x) + arctan(x)", "logit(sigmoid(x))", "erf(x)", "normcdf(x)",
    "erf(x / 3)", "normcdf(3 * x)", "sin(x) + cos(x)", "pow(y, x)", "-y**-0.5 ** 2",
    "logaddexp(x, y)", "logsumexp(x, 1, y)", "min(x, 1, y) - max(x, -1)",
    "where(x > 0 and not y < 1, x, -y)", "where(x <= 0 or y == 2, 1e-300, 2.5e300)",
    "sum(y**i / (i + 1) for i in range(0, 5))", "prod(1 + x / (i + 7) for i in range(1, k))",
    "sum(sum(i * j + x for j in range(0, 3)) for i in range(1, k))", "1 / (x - x)",
]  # fmt: skip


@needs_browser
def test_formulas_in_javascript_are_those_of_the_core(browser: Browser, tmp_path: Path) -> None:
    planned(REQUESTS["plain"]).page(tmp_path / "planner.html")
    browser.open(tmp_path / "planner.html")
    x = np.concatenate([np.linspace(-8.0, 8.0, 41), [1e-9, -1e-9, 2.5, -2.5, 30.0, -30.0]])
    y = np.resize([0.3, 1.0, 2.0, 7.5, 100.0], len(x))
    columns = {"x": x, "y": y, "k": np.full(len(x), 4.0)}
    rows = json.dumps(np.column_stack(list(columns.values())).tolist())
    places = {n: i for i, n in enumerate(columns)}
    for text in FORMULAS:
        with np.errstate(all="ignore"):
            want = evaluate_columns(text, columns)
        answers = browser.run(f"{rows}.map({function(text, places)}).map(String)")
        got = np.array([float(a.replace("Infinity", "inf")) for a in answers])
        np.testing.assert_allclose(got, want, rtol=2e-13, atol=1e-15, err_msg=text)


def test_nothing_of_the_user_becomes_markup_or_code() -> None:
    request = {**CHINCHILLA, "budget": 1e22, "over": {"constructor": 1e9}}
    request["constraints"] = "D >= constructor"
    made = planned(request)
    text = made.page(title="</title><script>alert(1)</script>", units={"D": "</script><b>"})
    assert text.count("<script") == text.count("</script>") == 1
    assert "http://www.w3.org/2000/svg" in text
    # The name of SVG, in the markup and in the script, is all that looks like an address.
    assert text.count("://") == 2
    assert "default-src 'none'" in text
    assert literal({"a": [1e-300, "</"]}) == '{"a": [1e-300, "\\u003c/"]}'


def test_what_a_page_cannot_show_is_said(tmp_path: Path) -> None:
    made = planned(REQUESTS["serving"])

    def message(of: lf.Plan, **options: Any) -> str:
        with pytest.raises(lf.InputError) as caught:
            of.page(**options)
        return str(caught.value)

    target = lf.plan("chinchilla", target_loss=2.2, params="besiroglu2024")
    assert "plan with budget=" in message(target)
    whole = lf.plan("chinchilla", 1e6, params="besiroglu2024", over={"k": range(1, 100_000)},
                    cost="k**2 * 250", constraints="6 * N * D <= k * 1e18")  # fmt: skip
    assert "integers" in message(whole)
    assert "'Q' has none; sliders: budget, T, M" in message(made, sliders={"Q": (1, 2)})
    assert "around 1e+12" in message(made, sliders={"T": (1e13, 1e14)})
    assert "must be above zero" in message(made, sliders={"budget": (-1, 1e30)})
    assert "two continuous variables" in message(made, axes=["N", "T"])
    assert "'Q' is not known" in message(made, units={"Q": "x"})
    assert "tolerance" in message(made, tolerance=0.0)
    assert "confidence_level" in message(made, confidence_level=1.0)
    assert "samples" in message(made, samples=0)
    assert "no 'A'" in message(made, draws={"E": np.ones(3)})
    assert "No such file" in message(made, path=tmp_path / "nowhere" / "page.html")
    seven = " + ".join(f"1 / x{i}" for i in range(7))
    many = lf.plan(seven, 10.0, cost=" + ".join(f"x{i}" for i in range(7)), params={},
                   over={f"x{i}": (0.1, 10.0) for i in range(7)}, cells=1e4)  # fmt: skip
    assert "at most 6" in message(many)


def test_draws_are_picked_evenly_and_the_same_page_comes_twice(tmp_path: Path) -> None:
    made = planned(REQUESTS["plain"])
    draws = {n: v * np.linspace(0.9, 1.1, 1001) for n, v in made.problem.params.items()}
    draws["E"][::7] = math.nan
    text = made.page(tmp_path / "a.html", draws=draws, samples=50)
    assert (tmp_path / "a.html").read_bytes() == text.encode()
    assert made.page(draws=draws, samples=50) == text
    start = text.index('"draws": ') + len('"draws": ')
    kept = np.array(json.JSONDecoder().raw_decode(text, start)[0])
    assert kept.shape == (50, 5)
    assert np.isfinite(kept).all()
    finite = draws["E"][np.isfinite(draws["E"])]
    assert kept[0, 0] == finite[0]
    assert kept[-1, 0] == finite[-1]


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "planner.html"
    words = ["plan", "chinchilla", "--params", "besiroglu2024", "--budget", "1e22"]
    assert run([*words, "--cost", "6*N*D + 2*N*T", "--over", "T=1e12", "--page", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run([*words[:4], "--target-loss", "2.5", "--page", str(out)]) == 2
    assert "plan with budget=" in capsys.readouterr().err

    runs, saved = tmp_path / "runs.csv", tmp_path / "fit.json"
    table = lf.datasets.load("simulated_chinchilla")
    rows = zip(*(table[name] for name in table), strict=True)
    runs.write_text("\n".join([",".join(table), *(",".join(map(str, row)) for row in rows)]))
    lf.fit("chinchilla", lf.read(runs), starts=5).save(saved)
    words = ["plan", str(saved), "--budget", "1e22", "--runs", str(runs), "--bootstrap", "20"]
    assert run([*words, "--page", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    start = text.index('"draws": ') + len('"draws": ')
    assert len(json.JSONDecoder().raw_decode(text, start)[0]) == 20  # of the bootstrap
