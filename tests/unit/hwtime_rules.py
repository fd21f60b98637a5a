# SPDX-License-Identifier: GPL-2.0-or-later
"""Small tables of hardware time, and what the tests do with them again and again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.patch.hwtime import rules as tables
from dynaccel.patch.hwtime.convert import Clocks, Converter

if TYPE_CHECKING:
    from dynaccel.patch.hwtime.convert import Found

SHIPPED = Path(__file__).resolve().parents[2] / "kernel" / "hwtime"

TABLE = """
[[hardware]]
path = "drivers/net"
about = "network cards"

[[hardware]]
path = "drivers/net/soft/chip.c"
about = "a chip among software"

[[hardware]]
path = "include/poll.h"
about = "polling"
ktime = "all"

[[hardware]]
path = "drivers/stamps"
about = "time stamps"
ktime = "none"

[[virtual]]
path = "drivers/net/soft"
reason = "no device is there"

[[virtual]]
path = "drivers/net/stats.c"
names = ["jiffies"]
lines = 'last_rx'
reason = "programs see it"
"""


def write(directory: Path, *, names: str | None = None, table: str = TABLE) -> Path:
    """Write tables into a directory, by default the shipped names and a small table."""
    (directory / "table").mkdir(parents=True, exist_ok=True)
    shipped = (SHIPPED / "names.toml").read_text()
    (directory / "names.toml").write_text(shipped if names is None else names)
    (directory / "table" / "all.toml").write_text(table)
    (directory / "deadlines.cocci").write_bytes((SHIPPED / "deadlines.cocci").read_bytes())
    return directory


def converter(directory: Path, *, table: str = TABLE) -> Converter:
    """Return a converter by the shipped names and a small table."""
    rules = tables.load(write(directory, table=table))
    assert rules is not None
    return Converter(rules)


def find(tool: Converter, text: str, path: str = "drivers/net/a.c") -> Found:
    """Return what the names of a text are that stands at ``path``."""
    rules = tool.rules.of_path(path)
    assert rules is not None
    return tool.find(text.encode("latin-1"), rules, Clocks())


def convert(tool: Converter, text: str, path: str = "drivers/net/a.c") -> str:
    """Return a text in hardware time."""
    data = text.encode("latin-1")
    return tool.apply(data, find(tool, text, path).converted).decode("latin-1")
