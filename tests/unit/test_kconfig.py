# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynaccel.core.errors import UserError
from dynaccel.kbuild.kconfig import OFF, Config

if TYPE_CHECKING:
    from pathlib import Path

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy host makes no value wrong."""

_NAMES = st.from_regex(r"[A-Z0-9_]{1,8}", fullmatch=True)
_TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='"\\'))
_VALUES = st.one_of(
    st.sampled_from(["y", "m", OFF]),
    st.integers().map(str),
    st.integers(min_value=0).map(hex),
    _TEXTS.map(lambda text: f'"{text}"'),
)
CONFIGS = st.dictionaries(_NAMES, _VALUES).map(Config)


@UNHURRIED
@given(CONFIGS)
def test_what_is_written_reads_back_as_the_same_value(config: Config) -> None:
    assert Config.parse(config.render()) == config


@UNHURRIED
@given(CONFIGS, CONFIGS)
def test_a_merge_asks_for_all_of_the_last_and_the_rest_of_the_first(a: Config, b: Config) -> None:
    merged = a.merge(b)
    assert b.differences(merged) == []
    assert a.without(lambda name: name in b.symbols).differences(merged) == []
    assert merged.symbols.keys() == a.symbols.keys() | b.symbols.keys()


@UNHURRIED
@given(CONFIGS)
def test_every_symbol_is_so_in_the_configuration_itself(config: Config) -> None:
    assert config.differences(config) == []


@UNHURRIED
@given(CONFIGS, _NAMES)
def test_a_lost_symbol_is_a_difference(config: Config, name: str) -> None:
    asked = config.merge(Config({name: "y"}))
    lost = config.without(lambda other: other == name)
    assert name in [difference.symbol for difference in asked.differences(lost)]


def test_off_and_absent_are_the_same() -> None:
    asked = Config.parse("# CONFIG_A is not set\nCONFIG_B=n\n")
    assert asked.differences(Config()) == []
    assert [d.symbol for d in asked.differences(Config({"A": "y", "B": "m"}))] == ["A", "B"]


def test_a_module_is_not_built_in() -> None:
    (difference,) = Config({"A": "y"}).differences(Config({"A": "m"}))
    assert (difference.wanted, difference.actual) == ("y", "m")


def test_hexadecimal_and_decimal_are_the_same_number() -> None:
    assert Config({"A": "16"}).differences(Config({"A": "0x10"})) == []
    assert Config({"A": "16"}).differences(Config({"A": "0x16"})) != []


def test_all_mistakes_of_a_file_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "my.config"
    file.write_text("CONFIG_A=y\nCONFIG_B=yes\n\n# a comment\nFOO=1\nCONFIG_C\n")
    with pytest.raises(UserError, match=r"my\.config") as caught:
        Config.read(file)
    assert caught.value.detail == "line 2: CONFIG_B=yes\nline 5: FOO=1\nline 6: CONFIG_C"


def test_an_unreadable_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        Config.read(tmp_path / "none.config")
