# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages: each command has one, each option is in it, and man(1) has nothing to say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from dynaccel.cli import manual
from dynaccel.cli.main import COMMANDS, dynaccel_command
from dynaccel.packaging.tool import roff
from dynaccel.packaging.tool.roff import Item, ManualPage, Paragraph, References

SOURCE = Path(__file__).resolve().parents[2] / "src"
PAGES = manual.pages(dynaccel_command)
DAY = 1_000_000_000  # 2001-09-09


def _text(page: ManualPage) -> str:
    return roff.render(page, version="1.2", changed_seconds=DAY)


def _plain(text: str) -> str:
    """Return roff as a reader sees it, in one line."""
    text = re.sub(r"\\f[BIR]|\\&|^\.(?:TP|PP|TH.*|SH)\n?", "", text, flags=re.MULTILINE)
    for escape, shown in ((r"\-", "-"), (r"\(aq", "'"), (r"\(dq", '"'), (r"\e", "\\")):
        text = text.replace(escape, shown)
    return " ".join(text.split())


def _commands(
    command: click.Command, name: str, parent: click.Context | None = None
) -> dict[str, click.Context]:
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    found = {name if parent is None else context.command_path.replace(" ", "-"): context}
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            below = command.get_command(context, child)
            assert below is not None
            found |= _commands(below, child, context)
    return found


def test_each_command_has_a_page_with_all_its_options() -> None:
    by_name = {page.name: _plain(_text(page)) for page in PAGES}
    contexts = _commands(dynaccel_command, "dynaccel")
    assert list(by_name) == list(contexts)
    assert {"dynaccel-run", "dynaccel-kernel", "dynaccel-kernel-build"} <= set(by_name)
    options = 0
    for name, context in contexts.items():
        for parameter in context.command.get_params(context):
            record = parameter.get_help_record(context)
            if isinstance(parameter, click.Option) and record is not None:
                options += 1
                assert f"{record[0]} {' '.join(record[1].split())}" in by_name[name], name
    assert options > 3 * len(by_name)


def test_the_page_of_run() -> None:
    page = next(page for page in PAGES if page.name == "dynaccel-run")
    text = _text(page)
    assert page.file_name == "dynaccel-run.1"
    assert text.startswith(
        '.TH "DYNACCEL\\-RUN" 1 "2001-09-09" "dynaccel 1.2" "dynaccel"\n.SH NAME\n'
        "dynaccel\\-run \\- Run CMD in a Linux whose time flows N times faster\n"
    )
    assert "\\fBdynaccel run\\fR [\\fIOPTIONS\\fR] \\fICMD\\fR...\n" in text
    assert ".TP\n\\fB\\-\\-kernel\\fR \\fIREF\\fR\n" in text
    assert [heading for heading, _ in page.sections] == [
        "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO",
    ]  # fmt: skip
    statuses = dict(page.sections)["EXIT STATUS"]
    assert [item.term for item in statuses if isinstance(item, Item)] == [
        "124", "125", "126", "127", "any other",
    ]  # fmt: skip


def test_the_overview_names_every_command_and_the_usual_statuses() -> None:
    sections = dict(PAGES[0].sections)
    assert [item.term for item in sections["COMMANDS"] if isinstance(item, Item)] == [
        f"dynaccel {name}" for name in COMMANDS
    ]
    assert [item.term for item in sections["EXIT STATUS"] if isinstance(item, Item)] == [
        "0", "2", "3", "4", "5", "130",
    ]  # fmt: skip
    assert sections["SEE ALSO"] == (References(names=tuple(f"dynaccel-{n}" for n in COMMANDS)),)


def test_a_command_with_statuses_of_its_own_has_the_usual_ones_too() -> None:
    page = next(page for page in PAGES if page.name == "dynaccel-verify")
    statuses = dict(page.sections)["EXIT STATUS"]
    found = {item.term: item.text for item in statuses if isinstance(item, Item)}
    assert list(found) == ["0", "1", "2", "3", "4", "5", "130"]
    assert found["1"] == "Something falls short."


def test_each_variable_that_the_code_reads_is_told() -> None:
    read = re.compile(r'environb?(?:\.get\(|\[)"([A-Z_]+)"|getenv\("([A-Z_]+)"')
    names = {
        name
        for path in SOURCE.rglob("*.py")
        for groups in read.findall(path.read_text(encoding="utf-8"))
        for name in groups
        if name
    }
    assert {"DYNACCEL_CACHE", "XDG_RUNTIME_DIR"} <= names
    assert names - {*manual.ENVIRONMENT, *manual.PACKAGERS_ENVIRONMENT} == set()


def test_hidden_commands_have_no_page() -> None:
    @click.group()
    def top() -> None:
        """Be on top."""

    @top.command(hidden=True)
    def secret() -> None:
        """Be secret."""

    assert [page.name for page in manual.pages(top)] == ["dynaccel"]


AWKWARD = ManualPage(
    name="dynaccel-x",
    summary='It\'s "so" - to say',
    sections=(
        (
            "DESCRIPTION",
            (
                Paragraph(text=".TH is no command here\n'neither here' \\n a ~ ^ ` — end"),
                Paragraph(text="x " * 60 + ".so much"),
                Paragraph(text=".a\n  b  c\n'd", verbatim=True),
                Item(term="--a-b=FILE.md, -x [Y|Z]...", text="'quoted' \"text\""),
                Item(term="$A/b\\c", text=".", bold=True),
            ),
        ),
    ),
)


def test_what_roff_would_take_for_commands_stays_text() -> None:
    lines = _text(AWKWARD).splitlines()
    assert lines[2] == r"dynaccel\-x \- It\(aqs \(dqso\(dq \- to say"
    assert lines[4].startswith(
        r"\&.TH is no command here \(aqneither here\(aq \en a \(ti \(ha \(ga"
    )
    assert r"\[u2014] end" in "\n".join(lines)
    assert [line for line in lines if re.match(r"\.(?!TH|SH|PP|TP|nf|fi|BR)|'", line)] == []
    assert all(len(line) <= 80 for line in lines)
    assert lines[lines.index(".nf") :] == [
        ".nf",
        r"\&.a",
        "  b  c",
        r"\(aqd",
        ".fi",
        ".TP",
        r"\fB\-\-a\-b=FILE.md\fR, \fB\-x\fR [\fIY|Z\fR]...",
        r"\(aqquoted\(aq \(dqtext\(dq",
        ".TP",
        r"\fB$A/b\ec\fR",
        r"\&.",
    ]


@pytest.mark.parametrize("linter", ["mandoc", "man"])
def test_man_has_nothing_to_complain_about(linter: str, tmp_path: Path) -> None:
    if shutil.which(linter) is None:
        pytest.skip(f"{linter} is not installed")
    files = []
    for page in (*PAGES, AWKWARD):
        files.append(tmp_path / page.file_name)
        files[-1].write_text(_text(page), encoding="utf-8")
    argv = {
        "mandoc": ["mandoc", "-T", "lint"],
        "man": ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
    }[linter]
    done = subprocess.run([*argv, *files], capture_output=True, text=True, check=False)
    shown = done.stdout if linter == "mandoc" else ""
    assert (done.returncode, shown + done.stderr) == (0, "")
