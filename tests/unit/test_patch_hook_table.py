# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of versions, and its page in docs/."""

from __future__ import annotations

import json
from pathlib import Path

import patch_trees as trees
import pytest
from click.testing import CliRunner

from dynaccel.cli.kernel_hooks import hooks
from dynaccel.host import paths
from dynaccel.patch import hook_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "versions.md"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_dir = trees.make_kernel_dir(tmp_path / "data")
    monkeypatch.setattr(paths, "data_dir", lambda _name: kernel_dir)


def call(*words: str) -> str:
    result = CliRunner().invoke(hooks, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_says_what_the_series_says() -> None:
    wanted = hook_table.as_markdown(hook_table.hook_table(PAGE.parents[1] / "kernel" / "hooks"))
    assert PAGE.read_text() == wanted, f"docs/versions.md is stale: {hook_table.COMMAND} makes it"


@pytest.mark.usefixtures("small")
def test_a_line_for_each_variant_with_its_reason() -> None:
    assert [" ".join(line.split()) for line in call().splitlines()] == [
        "HOOK VERSIONS PATCH BECAUSE",
        "events from 6.0 to before 6.2 events.patch",
        "minimum all minimum.patch",
        "tick before 5.0 tick-old.patch",
        "from 5.0 to before 7.0 tick.patch 0123456789ab (tick: move it)",
        "",
        "all hooks: from 6.0 to before 6.2",
    ]


@pytest.mark.usefixtures("small")
def test_markdown_and_json_have_the_same() -> None:
    page = call("--markdown")
    assert "| **tick**: the tick is real | before 5.0 | `tick-old.patch` |  |\n" in page
    assert "|  | from 5.0 to before 7.0 | `tick.patch` | 0123456789ab (tick: move it) |\n" in page
    assert "All hooks cover: from 6.0 to before 6.2." in page
    data = json.loads(call("--json"))
    assert data["hooks"][2]["variants"][1] == {
        "patch": "tick.patch",
        "from": "5.0",
        "to": "7.0",
        "because": "0123456789ab (tick: move it)",
    }


def test_two_things_for_standard_output_are_refused() -> None:
    assert CliRunner().invoke(hooks, ["--markdown", "--json"]).exit_code == 2
