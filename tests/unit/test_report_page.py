# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a run: what is in the page, and that nothing recorded can break it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import simulated_year
from dynaccel.core.errors import InfrastructureError
from dynaccel.recording.reader import Recording
from dynaccel.recording.records import DAY_NS, NS, Stamp
from dynaccel.recording.writer import RecordingWriter
from dynaccel.scenario.model import Check, CheckKind, Job, JobKind, Phase, Scenario
from dynaccel.scenario.report import write_report
from dynaccel.scenario.report.page import PARTS
from dynaccel.scenario.verdict import judge
from dynaccel.scenario.verdict.records import Outcome, Result, Verdict
from simulated_verdict import verdict as simulated_verdict

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "link", "br", "input", "img", "hr"}
SIZE_MAX = 2 << 20
EVIL = (
    "\"'><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)>{{ 7*7 }}\x00\x1b[2J"
)


@dataclass
class Element:
    """An element with its attributes and the text in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """A page, read as a browser would; what is not closed or closed twice is an error."""

    source: str
    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert [element.tag for element in self.open] == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag}: {attrs}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> in <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        """Return the elements of that name."""
        return [element for element in self.elements if element.tag == tag]

    def by_id(self, name: str) -> Element:
        """Return the element with an id."""
        (found,) = [e for e in self.elements if e.attributes.get("id") == name]
        return found


def report(scenario: Scenario, path: Path, verdict: Verdict | None, *, console: str = "") -> str:
    """Return the page's text."""
    page = path.with_suffix(".html")
    with Recording.open(path) as recording:
        write_report(scenario, recording, verdict, page, console=console)
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of two months that have ended."""
    path = tmp_path_factory.mktemp("run") / "recording.sqlite"
    simulated_year.record(path, days=60)
    return path


@pytest.fixture(scope="module")
def verdict(recorded: Path) -> Verdict:
    with Recording.open(recorded) as recording:
        return simulated_verdict(simulated_year.scenario(), recording)


@pytest.fixture(scope="module")
def page(recorded: Path, verdict: Verdict) -> Page:
    return Page(report(simulated_year.scenario(), recorded, verdict))


def test_it_needs_nothing_else(page: Page) -> None:
    for element in page.elements:
        for name in ("src", "href", "action", "poster", "data", "srcset"):
            value = element.attributes.get(name, "")
            assert value == "" or value[0] == "#" or value == "data:,", (element.tag, value)
        assert not [name for name in element.attributes if name.startswith("on")]
    (style,) = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert len(page.source.encode()) < SIZE_MAX


def test_nothing_but_its_own_script_can_run(page: Page) -> None:
    (script,) = page.all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    (policy,) = [e for e in page.all("meta") if e.attributes.get("http-equiv")]
    assert f"script-src 'sha256-{digest}'" in policy.attributes["content"]
    assert "default-src 'none'" in policy.attributes["content"]


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        target = element.attributes.get("href", "")
        if target.startswith("#"):
            assert target[1:] in ids
        for name in ("aria-labelledby", "data-search"):
            if name in element.attributes:
                assert element.attributes[name] in ids


def test_who_does_not_see_it_is_told(page: Page) -> None:
    assert page.all("html")[0].attributes["lang"] == "en"
    assert len(page.all("h1")) == 1
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch(r"h[1-6]", e.tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    charts = [e for e in page.elements if e.attributes.get("role") == "img"]
    assert len(charts) > 20
    assert all(len(chart.attributes["aria-label"]) > 5 for chart in charts)
    for cell in page.all("th"):
        assert cell.attributes["scope"] in {"row", "col"}
    for field_ in page.all("input"):
        assert field_.attributes["aria-label"]
    # A colour never stands alone: each result has a word beside it.
    said = [e for e in page.elements if e.attributes.get("class", "").startswith("said")]
    assert said
    assert all(e.text.strip() for e in said)


def test_the_verdict_comes_first_and_each_failure_is_named(page: Page, verdict: Verdict) -> None:
    assert page.all("title")[0].text == "Failed: mail-year"
    top = page.all("header")[0].text
    failed = [result for result in verdict.results if not result.passed]
    assert f"{len(failed)} of {len(verdict.results)} checks do not hold" in top
    for result in failed:
        assert result.check.name in top
        assert result.message in top
    checks = page.by_id("checks").text
    for result in verdict.results:
        assert result.check.name in checks
    assert checks.index("undecided") < checks.index("holds")
    assert "give processes that live shorter a sample of their own" in checks


def test_all_parts_are_there(page: Page) -> None:
    for name, title in PARTS:
        assert title in page.by_id(name).text
    jobs = page.by_id("jobs").text
    assert "killed by SIGKILL" in jobs
    assert "status 75" in jobs
    events = page.by_id("events").text
    assert "SIGKILL to 3 processes" in events
    assert "goes on from checkpoint c504" in events
    logs = page.by_id("logs").text
    assert "Around what failed" in logs
    assert "lines are in the recording and not on this page" in logs
    assert "(9\N{NARROW NO-BREAK SPACE}000 characters)" in logs
    about = page.by_id("about").text
    assert "dynaccel scenario run mail-year.toml" in about
    assert simulated_year.TEXT.strip() in about
    assert "6.1.174-dynaccel" in about


def test_a_trend_is_drawn_with_what_is_allowed(page: Page) -> None:
    (figure,) = [
        e for e in page.all("figure") if e.attributes.get("id", "").startswith("chart-helper-rss")
    ]
    assert "steepest allowed" in figure.text
    assert "no-leak" in figure.text
    classes = [e.attributes.get("class") for e in page.all("path")]
    assert "trend" in classes
    assert classes.count("limit") >= 3  # of the leak, and above and below the ratio


def test_hostile_lines_are_shown_as_they_are(page: Page) -> None:
    logs = page.by_id("logs").text
    assert "</script><img src=x onerror=alert(1)>" in logs
    assert "\N{SYMBOL FOR ESCAPE}[31mred\N{SYMBOL FOR BELL}" in logs
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", page.source)


def test_hostile_names_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "evil.sqlite"
    check = Check(name=EVIL, kind=CheckKind.LOG_ABSENT, log=EVIL, pattern=EVIL)
    scenario = Scenario(
        name=EVIL,
        description=EVIL,
        phases=(Phase(name=EVIL, ratio=2),),
        jobs=(Job(name=EVIL, kind=JobKind.ONCE, command=(EVIL, EVIL)),),
        checks=(check,),
        text=EVIL,
    )
    with RecordingWriter.create(path, {EVIL: EVIL, "kernel": EVIL}) as writer:
        at = Stamp(0, 10**18, 0)
        writer.add_phase_begin(at, index=0, name=EVIL, ratio=2)
        writer.add_job(at, job=EVIL, run=1, state="started")
        for second in range(1, 9):
            at = Stamp(second * 2 * NS, 10**18 + second * 2 * NS, second * NS)
            writer.add_clock(at, 2)
            writer.add_sample(at, EVIL, f"{EVIL}[{second % 2}]", {EVIL: second, "rss": 5e6})
            writer.add_log(at, EVIL, "line", [EVIL])
        writer.add_job(at, job=EVIL, run=1, state="ended", status=1, message=EVIL, runtime_ns=NS)
        writer.add_event(at, "fault", EVIL, EVIL)
        writer.add_event(at, EVIL, EVIL, EVIL)
        writer.mark_checkpoint(at, EVIL, seq=1)
        writer.rewind(EVIL, why=EVIL)
    result = Result(check=check, outcome=Outcome.FAILED, message=EVIL, virtual_ns=NS, notes=(EVIL,))
    verdict = Verdict(scenario=EVIL, results=(result,), virtual_ns=NS, real_ns=NS, attempts=2)
    page = Page(report(scenario, path, verdict, console=EVIL))
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert "49" not in page.all("h1")[0].text
    for element in page.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert not element.attributes.get("src")


def test_the_same_run_makes_the_same_page(recorded: Path, verdict: Verdict) -> None:
    scenario = simulated_year.scenario()
    assert report(scenario, recorded, verdict) == report(scenario, recorded, verdict)


def test_it_shows_what_the_judge_says(recorded: Path) -> None:
    scenario = simulated_year.scenario()
    with Recording.open(recorded) as recording:
        judged = judge(scenario, recording)
    page = Page(report(scenario, recorded, judged))
    checks = page.by_id("checks").text
    for result in judged.results:
        assert result.message in checks
    assert "with 95 % confidence" in checks
    assert "postfix, run" not in checks


def test_a_run_that_passes(recorded: Path, verdict: Verdict) -> None:
    results = tuple(
        replace(result, outcome=Outcome.PASSED, virtual_ns=None) for result in verdict.results
    )
    text = report(simulated_year.scenario(), recorded, replace(verdict, results=results))
    page = Page(text)
    assert page.all("title")[0].text == "Passed: mail-year"
    assert "All 9 checks hold, over 60 d of virtual time" in page.all("header")[0].text
    assert "Around what failed" not in page.by_id("logs").text


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, simulated_year.META) as writer:
        simulated_year.Year(writer=writer, days=5).write()
        writer.flush()
        page = Page(report(simulated_year.scenario(), path, None))
    assert page.all("title")[0].text == "Still running: mail-year"
    assert "It has come to 5 d of virtual time" in page.all("header")[0].text
    assert page.by_id("checks").text.count("open") == 9


def test_a_run_that_was_lost_shows_the_console(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, simulated_year.META) as writer:
        simulated_year.Year(writer=writer, days=5).write()
        writer.end_attempt("the guest's kernel panicked")
    console = "Kernel panic - not syncing: Fatal <exception>\n---[ end Kernel panic"
    page = Page(report(simulated_year.scenario(), path, None, console=console))
    top = page.all("header")[0].text
    assert "No verdict" in top
    assert "the guest's kernel panicked" in top
    assert "Fatal <exception>" in top


def test_the_console_is_no_matter_of_a_run_that_ended_well(
    recorded: Path, verdict: Verdict
) -> None:
    text = report(simulated_year.scenario(), recorded, verdict, console="EXT4-fs (vda): mounted")
    assert "The console" not in text


def test_a_run_that_has_only_just_begun(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}):
        page = Page(report(Scenario(name="empty"), path, None))
    assert "Nothing has been measured." in page.by_id("measured").text
    assert "Nothing has happened." in page.by_id("events").text
    assert "No line has been written." in page.by_id("logs").text


def test_what_cannot_be_written_leaves_nothing(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with Recording.open(recorded) as recording, pytest.raises(InfrastructureError):
        write_report(simulated_year.scenario(), recording, None, tmp_path / "file" / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_thousand_events_are_cut_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    with RecordingWriter.create(path, {}) as writer:
        for hour in range(1000):
            at = Stamp(hour * DAY_NS, hour * DAY_NS, hour * NS)
            writer.add_event(at, "fault", "kill", f"number {hour}.")
        writer.flush()
        page = Page(report(Scenario(name="many"), path, None))
    events = page.by_id("events").text
    assert "number 0." in events
    assert "number 999." in events
    assert "number 500." not in events
    assert "600 events are in the recording and not on this page" in events


def test_a_page_of_very_much_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "recording.sqlite"
    metrics = ("rss", "anonymous", "descriptors", "threads", "cpu_seconds", "mine", "yours", "ours")
    with RecordingWriter.create(path, {}) as writer:
        for hour in range(150):
            at = Stamp(hour * DAY_NS // 24, hour * DAY_NS // 24, hour * NS)
            writer.add_clock(at, 3600)
            for sample in range(10):
                for process in range(6):
                    values = dict.fromkeys(metrics, hour * 7919 * (process + 3) % 10007)
                    writer.add_sample(at, f"sample {sample}", f"worker[{process}]", values)
        for log in range(80):
            writer.add_log(at, f"log {log}", "line", ["what was said " * 30] * 200)
        writer.flush()
        text = report(Scenario(name="much"), path, None)
    assert len(text.encode()) < SIZE_MAX
    assert "20 more logs are in the recording." in text
