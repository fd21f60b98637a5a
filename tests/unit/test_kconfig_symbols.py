# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dynaccel.kbuild.kconfig import Config
from dynaccel.kbuild.symbols import explain, find_definitions

if TYPE_CHECKING:
    from pathlib import Path

KCONFIG = """\
config TOP
\tbool "top"   # a comment

menuconfig BUS
\tbool "a bus"
\t---help---
\t  depends on NOTHING, says the help.

\t  config HIDDEN

if BUS
config DEVICE
\ttristate "a device"
\tdepends on TOP || \\
\t\tOTHER
source "drivers/$(SRCARCH)/Kconfig"
endif

menu "things"
\tdepends on OTHER
config THING
\tbool
endmenu

config OTHER
\tbool

choice
\tprompt "speed"
config FAST
\tbool "fast"
config SLOW
\tbool "slow"
endchoice

config COUNT
\tint "how many"
\trange 1 10
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "Kconfig").write_text(KCONFIG)
    (tmp_path / "drivers/x86").mkdir(parents=True)
    (tmp_path / "drivers/arm").mkdir(parents=True)
    (tmp_path / "drivers/x86/Kconfig").write_text("config INNER\n\tbool\n\tdepends on TOP\n")
    (tmp_path / "drivers/arm/Kconfig").write_text("config ELSEWHERE\n\tbool\n")
    return tmp_path


def why(tree: Path, symbol: str, wanted: str, final: dict[str, str]) -> str:
    requested = Config({symbol: wanted})
    (difference,) = requested.differences(Config(final))
    found = find_definitions(tree, [symbol], source_arch="x86")
    return explain(difference, found.get(symbol, []), Config(final), requested)


def test_conditions_of_blocks_and_of_including_files_count(tree: Path) -> None:
    found = find_definitions(tree, ["DEVICE", "INNER", "THING"], source_arch="x86")
    assert found["DEVICE"][0].conditions == ("BUS", "(TOP || OTHER)")
    assert found["INNER"][0].conditions == ("BUS", "TOP")
    assert found["INNER"][0].place == "drivers/x86/Kconfig:1"
    assert found["THING"][0].conditions == ("OTHER",)


def test_names_in_help_texts_and_other_architectures_are_no_definitions(tree: Path) -> None:
    assert find_definitions(tree, ["HIDDEN", "ELSEWHERE"], source_arch="x86") == {}


@pytest.mark.parametrize(
    ("symbol", "wanted", "final", "words"),
    [
        ("HIDDEN", "y", {}, "no such symbol"),
        ("INNER", "y", {"TOP": "y"}, r"BUS && TOP \(drivers/x86/Kconfig:1\); off are BUS$"),
        ("FAST", "y", {"SLOW": "y"}, "another member of its choice"),
        ("COUNT", "99", {"COUNT": "10"}, "99 was asked for, 10 came out; the value is out of"),
        ("OTHER", "n", {"OTHER": "y"}, "another symbol selects it"),
        ("OTHER", "y", {}, "no prompt"),
    ],
)
def test_the_likely_cause_is_named(
    tree: Path, symbol: str, wanted: str, final: dict[str, str], words: str
) -> None:
    message = why(tree, symbol, wanted, final)
    assert message.startswith(f"CONFIG_{symbol}: ")
    assert re.search(words, message), message
