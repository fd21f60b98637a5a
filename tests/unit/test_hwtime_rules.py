# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of hardware time: all mistakes are told at once, with their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hwtime_rules as small
import pytest

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.patch.hwtime import rules as tables

if TYPE_CHECKING:
    from pathlib import Path

NAMES = """
[[group]]
name = "jiffies"
about = "ticks"
names = ["jiffies"]
"""


def mistakes(directory: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        tables.load(directory)
    assert caught.value.hint is not None
    return (caught.value.detail or "").splitlines()


def test_the_shipped_tables_have_no_mistake() -> None:
    rules = tables.load(small.SHIPPED)
    assert rules is not None
    assert rules.of_path("drivers/ata/libata-core.c") is not None
    assert b"hwseen_" in rules.semantic


def test_without_a_table_there_is_no_hardware_time(tmp_path: Path) -> None:
    assert tables.load(tmp_path) is None


def test_all_wrong_fields_are_told_at_once(tmp_path: Path) -> None:
    table = """
[[hardware]]
path = "/drivers"
about = "x"
[[hardware]]
path = "drivers/a"
ktime = "some"
[[virtual]]
path = "drivers/b/../c"
reason = " "
lines = "("
[[virtual]]
path = "drivers/d"
reason = "x"
colour = "red"
"""
    told = mistakes(small.write(tmp_path, table=table))
    assert len(told) == 7
    text = "\n".join(told)
    assert "hardware '/drivers', path: '/drivers' is not a path" in text
    assert "hardware 'drivers/a', about" in text
    assert "hardware 'drivers/a', ktime" in text
    assert "virtual 'drivers/b/../c', lines: '(' is not a regular expression" in text
    assert "virtual 'drivers/b/../c', reason: one line of text" in text
    assert "virtual 'drivers/d', colour" in text


def test_all_contradictions_are_told_at_once(tmp_path: Path) -> None:
    table = """
[[hardware]]
path = "drivers/a"
about = "x"
[[hardware]]
path = "drivers/a"
about = "y"
[[virtual]]
path = "drivers/a"
reason = "x"
[[virtual]]
path = "drivers/a/b.c"
names = ["nosuch"]
reason = "x"
[[virtual]]
path = "net/none"
reason = "x"
"""
    assert mistakes(small.write(tmp_path, table=table)) == [
        "all.toml:5: hardware, 'drivers/a' is there already, all.toml:2",
        "all.toml:8: 'drivers/a' is hardware and wholly virtual at once",
        "all.toml:11: virtual, 'drivers/a/b.c': names.toml has no name 'nosuch'",
        "all.toml:15: virtual, 'net/none': no hardware path is there",
    ]


def test_all_files_make_one_table(tmp_path: Path) -> None:
    first = '[[hardware]]\npath = "drivers/a"\nabout = "x"\n'
    second = '[[virtual]]\npath = "drivers/a/b.c"\nreason = "y"\n'
    table = small.write(tmp_path, table=first) / "table"
    (table / "more.toml").write_text(second)
    rules = tables.load(tmp_path)
    assert rules is not None
    found = rules.of_path("drivers/a/b.c")
    assert found is not None
    assert found.whole is not None
    assert found.whole.reason == "y"
    (table / "more.toml").write_text("\n" + first + second + second)
    assert mistakes(tmp_path) == [
        "more.toml:2: hardware, 'drivers/a' is there already, all.toml:1",
        "more.toml:8: virtual, 'drivers/a/b.c' is there already, more.toml:5",
    ]
    (table / "more.toml").write_text("virtual = [{path = 'net/b', reason = 'y'}]\n")
    assert mistakes(tmp_path) == ["more.toml: virtual, 'net/b': no hardware path is there"]
    (table / "more.toml").write_text('[[hardware]]\npath = "drivers/b"\n')
    with pytest.raises(UserError, match=r"more\.toml"):
        tables.load(tmp_path)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (NAMES + NAMES, ["group 'jiffies' is there more than once",
                         "the name 'jiffies' is there more than once"]),
        (NAMES + '[[seen]]\nnames = ["jiffies"]\nreason = "x"\n',
         ["seen, 'jiffies' is a name of a group too"]),
        (NAMES + '[[seen]]\nnames = ["a*", "a*"]\nreason = "x"\n',
         ["seen, 'a*' is there more than once"]),
    ],
)  # fmt: skip
def test_names_that_contradict_each_other(names: str, told: list[str], tmp_path: Path) -> None:
    assert mistakes(small.write(tmp_path, names=names, table="")) == told


def test_a_damaged_table_names_the_line(tmp_path: Path) -> None:
    (told,) = mistakes(small.write(tmp_path, table="[[hardware]\n"))
    assert "line 1" in told


def test_a_missing_file_is_a_damaged_installation(tmp_path: Path) -> None:
    (small.write(tmp_path) / "names.toml").unlink()
    with pytest.raises(InfrastructureError, match=r"names\.toml"):
        tables.load(tmp_path)


def test_the_digest_tells_any_change(tmp_path: Path) -> None:
    one = tables.load(small.write(tmp_path))
    assert one is not None
    (tmp_path / "deadlines.cocci").write_text("// other\n")
    two = tables.load(tmp_path)
    assert two is not None
    assert one.digest != two.digest
