# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel scenario``, what ships, and what is made of the code: schema and reference."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynaccel.cli import scenario as commands
from dynaccel.core.errors import UserError
from dynaccel.host import paths
from dynaccel.scenario import shipped
from dynaccel.scenario.files import json_schema, read_file, read_scenario
from dynaccel.scenario.files.kinds import KINDS
from dynaccel.scenario.files.reference import tables, with_tables
from dynaccel.scenario.files.schema import schema_text

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "scenarios.md"
SHIPPED = shipped.shipped()
GOOD = 'name = "good"\nphase = [{ ratio = 9, for = "1d" }]\n'


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(commands.scenario, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_check_says_what_will_be_done(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    status, out, err = call("check", str(path))
    assert (status, err) == (0, "")
    assert out.startswith("good\n\n  guest   2 CPUs, 512 MiB, Debian bookworm")
    assert "  phase-1  9      1 d      2 h 40 min" in out


def test_check_tells_all_mistakes_of_all_files(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(GOOD)
    bad.write_text("nam = 'x'\nphase = [{ ratio = 0 }]\n")
    status, out, err = call("check", str(bad), str(tmp_path / "none.toml"), str(good))
    assert status == 2
    assert out.strip().startswith("good\n")
    lines = err.splitlines()
    assert lines[0] == f"{bad}:1:1: there is no key 'nam' in a scenario; did you mean 'name'?"
    assert lines[1].startswith(f"{bad}:2:10: the phase has no end")
    assert lines[2].startswith(f"{bad}:2:20: 0 is not a ratio")
    assert lines[3] == f"dynaccel: error: there is no scenario file {tmp_path / 'none.toml'}"


def test_check_warns_and_is_content(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text('budget-real = "1s"\n' + GOOD)
    status, out, err = call("check", str(path))
    assert status == 0
    assert err.startswith(f"{path}:1:15: warning: the phases take 2 h 40 min of real time")
    assert out


def test_list_and_show() -> None:
    status, out, _ = call("list")
    rows = out.splitlines()
    assert status == 0
    assert rows[0].split() == ["NAME", "VIRTUAL", "REAL,", "ABOUT", "WHAT", "IT", "IS"]
    assert [row.split()[0] for row in rows[1:]] == [path.stem for path in SHIPPED]
    assert re.search(r"^toshiba-ten-years +10 y +3 d 15 h +Ten years", out, re.MULTILINE)
    assert call("show", "leak")[1] == (ROOT / "scenarios" / "leak.toml").read_text()
    with pytest.raises(UserError, match="there is no scenario 'leek'"):
        call("show", "leek")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_has_no_mistake_and_can_be_copied(path: Path, tmp_path: Path) -> None:
    file = read_file(path)
    assert file.warnings == ()
    assert file.scenario.name == path.stem
    assert file.scenario.description
    assert "\n#:schema scenario.schema.json\n" in file.scenario.text
    copy = Path(call("show", path.stem, "--output", str(tmp_path / "mine"))[1].strip())
    assert copy == tmp_path / "mine" / path.name
    copied = read_scenario(copy)
    assert copied.jobs == file.scenario.jobs
    assert [one.source.name for one in copied.machine.files] == [
        one.source.name for one in file.scenario.machine.files
    ]
    assert all(one.source.is_relative_to(tmp_path) for one in copied.machine.files)
    assert (tmp_path / "mine" / shipped.SCHEMA).is_file()
    with pytest.raises(UserError, match="is there already"):
        call("show", path.stem, "--output", str(tmp_path / "mine"))


def test_every_helper_program_belongs_to_a_scenario() -> None:
    used = {file.source for path in SHIPPED for file in read_scenario(path).machine.files}
    there = {path for path in paths.data_dir("scenarios").glob("*/*") if path.is_file()}
    assert used == there


def test_the_schema_that_ships_is_the_codes() -> None:
    written = (ROOT / "scenarios" / shipped.SCHEMA).read_text(encoding="utf-8")
    assert written == schema_text(), "run scripts/write_scenario_reference.py"
    assert call("schema")[1] == written


def test_the_page_says_what_the_code_does() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run scripts/write_scenario_reference.py"
    assert [f"<!-- table: {name} -->" for name in tables() if f"table: {name} " not in page] == []


def _examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(_examples())))
def test_examples_of_the_page_have_no_mistakes(number: int, tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    (tmp_path / "probe.pl").touch()
    path.write_text(_examples()[number], encoding="utf-8")
    assert read_file(path).warnings == ()


def _below(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) else []
    items = schema.values() if isinstance(schema, dict) else schema
    for item in items if isinstance(schema, dict | list) else []:
        found += _below(item)
    return found


def test_the_schema_describes_each_key_and_knows_no_null() -> None:
    schema = json_schema()
    assert {"type": "null"} not in _below(schema)
    json.dumps(schema, allow_nan=False)
    for name, table in [("", schema), *schema["$defs"].items()]:
        assert table["additionalProperties"] is False
        for key, about in table["properties"].items():
            assert about.get("description") or "$ref" in about, (name, key)
    for sort, kinds in KINDS.items():
        words = schema["$defs"][f"{sort.capitalize()}Table"]["properties"]["kind"]["enum"]
        assert words == [kind.value for kind in kinds.by_kind]
