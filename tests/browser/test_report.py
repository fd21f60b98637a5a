# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a simulated year in a headless Chromium: that it opens, reads and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import chromium
import simulated_year
from dynaccel.recording.reader import Recording
from dynaccel.scenario.report import write_report
from simulated_verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chromium import Browser, Page

pytestmark = pytest.mark.browser

PHONE = 320
SIZE_MAX = 2 << 20
CONTRAST = 4.5
"""What WCAG 2 asks of text of usual size (level AA)."""

CONTRASTS = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    const layers = [];
    for (; node; node = node.parentElement) {
      const layer = rgba(getComputedStyle(node).backgroundColor);
      layers.push(layer);
      if (layer[3] === 255) break;
    }
    return layers.reverse().reduce((under, over) =>
      under.map((v, i) => v + (over[i] - v) * over[3] / 255), [255, 255, 255]);
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const unseen = !node.checkVisibility() || node.closest("script, .hidden");
    if (!walker.currentNode.data.trim() || unseen) continue;
    const a = light(rgba(getComputedStyle(node).color)), b = light(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = node.tagName + "." + node.className + " " + walker.currentNode.data.slice(0, 20);
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
})()"""
"""How far each text stands out of what is behind it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium.program()
    if path is None:
        pytest.skip("there is no chromium on PATH; sudo apt-get install chromium")
    with chromium.browser(path) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a whole year."""
    directory = tmp_path_factory.mktemp("year")
    simulated_year.record(directory / "recording.sqlite")
    scenario = simulated_year.scenario()
    with Recording.open(directory / "recording.sqlite") as recording:
        write_report(scenario, recording, verdict(scenario, recording), directory / "report.html")
    return directory / "report.html"


def background(page: Page) -> list[int]:
    text: str = page.value("getComputedStyle(document.body).backgroundColor")
    return [int(number) for number in text.strip("rgb()").split(",")]


def point_at(page: Page, selector: str, share: float) -> str:
    """Move the pointer into a chart and return what the read-out says."""
    found: list[float] = page.value(
        f"""(() => {{
          const area = document.querySelector({selector!r});
          area.scrollIntoView({{block: "center", behavior: "instant"}});
          const box = area.getBoundingClientRect();
          return [box.x, box.y, box.width, box.height];
        }})()"""
    )
    x, y, width, height = found
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + share * width, y=y + height / 2)
    said: str = page.value(f"document.querySelector({selector!r}).querySelector('.read').innerText")
    return said


def test_a_year_is_small_opens_and_asks_for_nothing(browser: Browser, report: Path) -> None:
    assert report.stat().st_size < SIZE_MAX
    with browser.page(report) as page:
        assert page.value("document.title") == "Failed: mail-year"
        assert page.value("document.compatMode") == "CSS1Compat"
        assert page.value("document.querySelectorAll('figure').length") > 20
        assert page.complaints() == []
        assert page.requests() == [report.as_uri()]


@pytest.mark.parametrize("width", [PHONE, 768, 1280])
def test_it_is_as_wide_as_the_screen(browser: Browser, report: Path, width: int) -> None:
    with browser.page(report, width=width) as page:
        page.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        assert page.value("document.documentElement.scrollWidth") == width
        # Nothing sticks out of its card either, but in boxes that scroll by themselves.
        out: list[str] = page.value(
            f"""[...document.querySelectorAll("main *, header *")].filter((node) =>
              node.getBoundingClientRect().right > {width} + 1
              && !node.closest("svg, .hidden, .scroll, nav, .lanes"))
              .map((node) => node.outerHTML)"""
        )
        assert out == []


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_labels_of_charts_do_not_cover_each_other(
    browser: Browser, report: Path, width: int
) -> None:
    with browser.page(report, width=width) as page:
        covered: list[str] = page.value(
            """[...document.querySelectorAll(".plot .x")].flatMap((axis) => {
              const boxes = [...axis.children].filter((label) => label.checkVisibility())
                .map((label) => label.getBoundingClientRect());
              return boxes.slice(1).filter((box, i) => box.left < boxes[i].right)
                .map(() => axis.innerText);
            })"""
        )
        assert covered == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_of_what_is_behind_it(
    browser: Browser, report: Path, *, dark: bool
) -> None:
    with browser.page(report, dark=dark) as page:
        assert (max(background(page)) < 60) is dark
        page.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        contrasts: dict[str, float] = page.value(CONTRASTS)
        assert len(contrasts) > 100
        assert {name: ratio for name, ratio in contrasts.items() if ratio < CONTRAST} == {}


def test_the_reader_chooses_the_colours(browser: Browser, report: Path) -> None:
    with browser.page(report, dark=False) as page:
        page.value("localStorage.clear()")
        button = "document.querySelector('.brand button')"
        words = []
        for _ in range(3):
            page.value(f"{button}.click()")
            words.append((page.value(f"{button}.textContent"), max(background(page)) < 60))
        assert words == [
            ("Colours: light", False),
            ("Colours: dark", True),
            ("Colours: system", False),
        ]
        assert page.complaints() == []


def test_charts_are_read_out(browser: Browser, report: Path) -> None:
    with browser.page(report) as page:
        said = point_at(page, "#timeline-chart .area", 0.5).splitlines()
        assert said[0].endswith("min real")
        assert said[1].startswith("2026-0")
        assert "day 18" in said[1]
        said = point_at(page, "figure[id^=chart-helper-rss] .area", 0.5).splitlines()
        assert said[0].startswith("2026-07-0")
        value, unit = said[1].split("\N{NARROW NO-BREAK SPACE}")
        assert unit == "MiB"
        assert float(value) == pytest.approx(14.4 + 182.5 * 46e3 / (1 << 20), rel=0.02)
        said = point_at(page, "figure[id^=chart-postfix-rss] .area", 0.7).splitlines()
        assert {line.split(":")[0] for line in said[1:]} == {"master", "qmgr", "smtpd"}
        assert page.complaints() == []


def test_lines_are_found(browser: Browser, report: Path) -> None:
    with browser.page(report) as page:
        told: dict[str, Any] = page.value(
            """new Promise((done) => {
              const tools = document.querySelector("[data-search=log-lines]");
              tools.querySelector("input").value = "FATAL";
              tools.querySelector("input").dispatchEvent(new Event("input"));
              const out = tools.querySelector("output");
              new MutationObserver(() => done({
                said: out.textContent,
                shown: [...document.querySelectorAll("#log-lines [data-line]:not([hidden])")]
                  .map((line) => line.innerText),
                marked: document.querySelectorAll("#log-lines mark").length,
              })).observe(out, {childList: true});
            })"""
        )
        assert told["shown"]
        assert all("fatal" in line for line in told["shown"])
        assert told["said"].startswith(f"{len(told['shown'])} of ")
        assert told["marked"] == len(told["shown"])
        assert page.complaints() == []


def test_a_hostile_line_is_only_text(browser: Browser, report: Path) -> None:
    with browser.page(report) as page:
        assert page.value("document.querySelectorAll('img, script[src]').length") == 0
        assert page.value("document.querySelectorAll('script').length") == 1
        assert page.value("document.querySelector('#logs').textContent.includes('<img src=x')")


def test_it_can_be_read_without_a_script(browser: Browser, report: Path) -> None:
    with browser.page(report, script=False) as page:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        assert page.value("document.querySelector('.brand button')") is None
        assert page.value("document.querySelector('.tools').checkVisibility()") is False
        assert page.value("document.querySelector('.verdict h2').innerText") == "Failed"
        assert page.value("document.querySelectorAll('.area path.line').length") > 20


def test_on_paper_it_is_light_and_nothing_is_folded(browser: Browser, report: Path) -> None:
    with browser.page(report, dark=True, media="print") as page:
        page.value("dispatchEvent(new Event('beforeprint'))")
        assert page.value("document.querySelectorAll('details:not([open])').length") == 0
        assert page.value("getComputedStyle(document.documentElement).colorScheme") == "light"
        assert page.value("document.querySelector('nav').checkVisibility()") is False
        pdf = page.call("Page.printToPDF", printBackground=True)["data"]
        assert pdf.startswith("JVBERi0")  # %PDF-
