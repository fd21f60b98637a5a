# SPDX-License-Identifier: GPL-2.0-or-later
"""Where keys and values of a TOML document stand."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynaccel.scenario.files.places import Place, Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynaccel.scenario.files.places import Steps

DOCUMENT = '''\
# a comment with [a.header] and key = 1
name = "x"  # and another
plain . "dotted key".'more' = [1, 2,
  { inline = true, "in.ner" = { deep = 1979-05-27 07:32:00 } }, # ] }
  "a ] in a string", """
multi ] " line """"]
text = """\\
  ["not", 'a value'] = 1
"""
after.text = 'C:\\'

[ machine ]
root = "debian"
[machine . files]
"/opt/x.pl" = "x.pl"

[[phase]]
ratio = 1
[phase.sub]
deep = 1
[[phase]]
ratio = 2
[phase.sub]
deep = 2
[[phase.list]]
x = 1
[[phase.list]]
x = 2
[a.b.c]
[a]
d = +1.5e3
'''


@pytest.mark.parametrize(
    ("steps", "key", "value"),
    [
        (("name",), (2, 1), (2, 8)),
        (("plain",), (3, 1), (3, 1)),
        (("plain", "dotted key"), (3, 9), (3, 9)),
        (("plain", "dotted key", "more"), (3, 22), (3, 31)),
        (("plain", "dotted key", "more", 1), (3, 35), (3, 35)),
        (("plain", "dotted key", "more", 2), (4, 3), (4, 3)),
        (("plain", "dotted key", "more", 2, "inline"), (4, 5), (4, 14)),
        (("plain", "dotted key", "more", 2, "in.ner", "deep"), (4, 33), (4, 40)),
        (("plain", "dotted key", "more", 3), (5, 3), (5, 3)),
        (("plain", "dotted key", "more", 4), (5, 22), (5, 22)),
        (("text",), (7, 1), (7, 8)),
        (("after", "text"), (10, 7), (10, 14)),
        (("machine",), (12, 3), (12, 1)),
        (("machine", "root"), (13, 1), (13, 8)),
        (("machine", "files"), (14, 12), (14, 1)),
        (("machine", "files", "/opt/x.pl"), (15, 1), (15, 15)),
        (("phase",), (17, 3), (17, 1)),
        (("phase", 0), (17, 1), (17, 1)),
        (("phase", 0, "ratio"), (18, 1), (18, 9)),
        (("phase", 0, "sub"), (19, 8), (19, 1)),
        (("phase", 1, "ratio"), (22, 1), (22, 9)),
        (("phase", 1, "sub", "deep"), (24, 1), (24, 8)),
        (("phase", 1, "list", 1, "x"), (28, 1), (28, 5)),
        (("a", "b"), (29, 4), (29, 4)),
        (("a", "b", "c"), (29, 6), (29, 1)),
        (("a",), (29, 2), (30, 1)),
        (("a", "d"), (31, 1), (31, 5)),
    ],
)
def test_each_key_and_value(steps: Steps, key: tuple[int, int], value: tuple[int, int]) -> None:
    tomllib.loads(DOCUMENT)
    places = Places(DOCUMENT)
    assert places.key(steps) == Place(*key)
    assert places.value(steps) == Place(*value)


def test_what_is_not_there_stands_where_it_should() -> None:
    places = Places(DOCUMENT)
    assert places.value(("machine", "memory")) == Place(12, 1)
    assert places.value(("phase", 1, "for")) == Place(21, 1)
    assert places.value(("job", "x")) == Place(1, 1)
    assert Places("").value(("name",)) == Place(1, 1)


def flattened(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    if steps:
        yield steps
    below: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        below = [*value.items()]
    elif isinstance(value, list):
        below = [*enumerate(value)]
    for step, item in below:
        yield from flattened(item, (*steps, step))


@dataclass
class Writer:
    """Writes a document in one of the many ways there are, and notes what it wrote where."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    lines: list[str] = field(default_factory=list)
    written: dict[Steps, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        return quoted(name) if not bare or self.draw(st.booleans()) else name

    def value(self, value: Any, steps: Steps) -> str:
        text: str
        gap: str = self.draw(st.sampled_from(["", " ", "  "]))
        if isinstance(value, dict):
            pairs = [
                f"{gap}{self.key(name)}{gap}={gap}{self.value(item, (*steps, name))}"
                for name, item in value.items()
            ]
            text = "{" + ",".join(pairs) + gap + "}"
        elif isinstance(value, list):
            gap = self.draw(st.sampled_from(["", " ", "\n  ", " # a ] comment\n"]))
            items = [gap + self.value(item, (*steps, n)) for n, item in enumerate(value)]
            text = "[" + ",".join(items) + (gap + "," if items and gap else gap) + "]"
        else:
            text = self.scalar(value)
        self.written[steps] = text
        return text

    def scalar(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(value)
        style = self.draw(st.sampled_from(["basic", "literal", "multi", "multi-literal"]))
        plain = not any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
        if style == "literal" and plain and "'" not in value:
            return f"'{value}'"
        if style == "multi-literal" and plain and "'" not in value:
            return f"'''\n{value}'''"
        if style == "multi":
            # Two quotes before the end are part of the text.
            return '"""' + quoted(value)[1:-1].replace('\\"\\"x', '""x') + '"""'
        return quoted(value)

    def table(self, table: dict[str, Any], steps: Steps, header: list[str]) -> None:
        later = []
        for name, item in table.items():
            style = self.draw(st.sampled_from(["inline", "own"]))
            tables = (
                isinstance(item, list) and bool(item) and all(isinstance(i, dict) for i in item)
            )
            if style == "own" and (isinstance(item, dict) or tables):
                later.append((name, item))
            else:
                key = self.key(name)
                text = self.value(item, (*steps, name))
                self.lines.append(f"{self.draw(st.sampled_from(['', '  ']))}{key} = {text}  # x")
        for name, item in later:
            heads = [*header, self.key(name)]
            if isinstance(item, dict):
                self.lines += ["", f"[{' . '.join(heads)}]"]
                self.table(item, (*steps, name), heads)
            else:
                for number, each in enumerate(item):
                    self.lines.append(f"[[{'.'.join(heads)}]] # [x]")
                    self.table(each, (*steps, name, number), heads)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


letters = st.characters(exclude_categories=["Cs"])
names = st.one_of(st.from_regex(r"[a-z0-9_-]{1,6}", fullmatch=True), st.text(letters, max_size=5))
leaves = st.one_of(st.booleans(), st.integers(-9, 10**6), st.text(letters, max_size=8),
                   st.sampled_from(['""x', "]", "}", "#", "'", '"', "a\nb", "[x]\n"]))  # fmt: skip
trees = st.dictionaries(
    names,
    st.recursive(
        leaves,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees, data=st.data())
def test_any_document_in_any_style(tree: dict[str, Any], data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.table(tree, (), [])
    text = "\n".join(writer.lines)
    assert tomllib.loads(text) == tree
    places = Places(text)
    # An array of tables with a header each is no value of its own, but its place is known.
    assert places.all_values() == set(flattened(tree))
    lines = text.split("\n")
    for steps, wrote in writer.written.items():
        place = places.value(steps)
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        assert rest.startswith(wrote), steps
