# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_kconfig import CONFIGS, UNHURRIED

from dynaccel.core.errors import UserError
from dynaccel.core.versions import KernelVersion, VersionRange
from dynaccel.host import paths
from dynaccel.kbuild.fragment import Fragment, Setting
from dynaccel.kbuild.kconfig import Config

if TYPE_CHECKING:
    from pathlib import Path

V = KernelVersion.parse
VERSIONS = st.builds(KernelVersion, st.integers(4, 7), st.integers(0, 20))


@st.composite
def ranges(draw: st.DrawFn) -> VersionRange:
    first, end = sorted(draw(st.sets(VERSIONS, min_size=2, max_size=2)))
    return draw(
        st.sampled_from(
            [
                VersionRange(),
                VersionRange(first=first),
                VersionRange(end=end),
                VersionRange(first=first, end=end),
            ]
        )
    )


SETTINGS = st.builds(
    Setting,
    symbol=st.sampled_from("ABC"),
    value=st.sampled_from(["y", "n", "7", '"text"']),
    versions=ranges(),
)
FRAGMENTS = st.lists(SETTINGS, max_size=6).map(lambda settings: Fragment(tuple(settings)))


@UNHURRIED
@given(FRAGMENTS)
def test_what_is_written_reads_back_as_the_same_value(fragment: Fragment) -> None:
    assert Fragment.parse(fragment.render()) == fragment


@UNHURRIED
@given(CONFIGS, VERSIONS)
def test_without_ranges_it_is_a_configuration(config: Config, version: KernelVersion) -> None:
    requested = Fragment.parse(config.render()).at(version)
    assert requested.demanded == requested.asked == config


@UNHURRIED
@given(FRAGMENTS, VERSIONS)
def test_what_holds_is_demanded_and_the_last_of_it_wins(
    fragment: Fragment, version: KernelVersion
) -> None:
    demanded = fragment.at(version).demanded
    expected = {s.symbol: s.value for s in fragment.settings if version in s.versions}
    assert demanded == Config(expected)


@UNHURRIED
@given(FRAGMENTS, VERSIONS)
def test_what_is_demanded_is_asked_for_last(fragment: Fragment, version: KernelVersion) -> None:
    requested = fragment.at(version)
    count = len(requested.demanded.symbols)
    assert list(requested.asked.symbols.items())[-count or len(requested.asked.symbols) :] == list(
        requested.demanded.symbols.items()
    )


TEXT = """\
CONFIG_ALWAYS=y
#: from 6.3
CONFIG_NEW=y
#: to 7.0
CONFIG_OLD=y
#: from 5.11 to 6.7
# CONFIG_BETWEEN is not set
"""


@pytest.mark.parametrize(
    ("version", "demanded", "asked"),
    [
        ("5.10.223", {"ALWAYS", "OLD"}, {"ALWAYS", "OLD", "NEW", "BETWEEN"}),
        ("5.11", {"ALWAYS", "OLD", "BETWEEN"}, {"ALWAYS", "OLD", "NEW", "BETWEEN"}),
        ("6.3", {"ALWAYS", "OLD", "NEW", "BETWEEN"}, {"ALWAYS", "OLD", "NEW", "BETWEEN"}),
        ("6.7", {"ALWAYS", "OLD", "NEW"}, {"ALWAYS", "OLD", "NEW"}),
        ("7.0", {"ALWAYS", "NEW"}, {"ALWAYS", "NEW"}),
    ],
)
def test_a_range_is_for_the_one_setting_behind_it(
    version: str, demanded: set[str], asked: set[str]
) -> None:
    requested = Fragment.parse(TEXT).at(V(version))
    assert set(requested.demanded.symbols) == demanded
    assert set(requested.asked.symbols) == asked


def test_a_users_file_overrides_where_it_speaks_and_nowhere_else() -> None:
    shipped = Fragment.parse("CONFIG_A=1\n")
    users = Fragment.parse("#: from 6.12\nCONFIG_A=2\n")
    both = shipped.then(users)
    assert both.at(V("6.1")).asked["A"] == "1"
    assert both.at(V("6.12")).demanded["A"] == "2"


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "my.config"
    file.write_text(
        "#: from 6.3\n\nCONFIG_A=y\n#: since 6.3\nCONFIG_B=y\n#: from 6.3 to 6.3\nCONFIG_C=yes\n"
        "#:\nCONFIG_D=y\n#: to 7\nCONFIG_E=y\n#: to 7.0\n# a remark\nCONFIG_F=y\n#: from 6.1"
    )
    with pytest.raises(UserError, match=r"my\.config is not a kernel configuration") as caught:
        Fragment.read(file)
    assert caught.value.detail is not None
    assert caught.value.detail.splitlines() == [
        "line 1: no setting follows this range",
        "line 4: #: since 6.3",
        "line 6: #: from 6.3 to 6.3",
        "line 7: CONFIG_C=yes",
        "line 8: #:",
        "line 10: #: to 7",
        "line 12: no setting follows this range",
        "line 15: no setting follows this range",
    ]


@pytest.mark.parametrize(
    "file", sorted((paths.data_dir("kernel") / "configs").rglob("*.config")), ids=lambda p: p.name
)
def test_a_shipped_fragment_can_be_read_and_says_each_thing_once(file: Path) -> None:
    fragment = Fragment.read(file)
    for one, setting in enumerate(fragment.settings):
        for other in fragment.settings[one + 1 :]:
            assert other.symbol != setting.symbol or _apart(setting.versions, other.versions)


def _apart(one: VersionRange, other: VersionRange) -> bool:
    return any(
        first.end is not None and second.first is not None and first.end <= second.first
        for first, second in ((one, other), (other, one))
    )
