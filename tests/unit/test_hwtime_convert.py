# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names of a file are brought into hardware time, and that it can be taken back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hwtime_rules as small
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaccel.patch.hwtime.convert import Clocks, Converter, LeftKind


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Converter:
    return small.converter(tmp_path_factory.mktemp("rules"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\tmsleep(20);", "\thwtime_msleep(20);"),
        ("x = jiffies + HZ;", "x = hwtime_jiffies + HZ;"),
        ("INIT_DELAYED_WORK(&w, f);", "HWTIME_INIT_DELAYED_WORK(&w, f);"),
        ("static DEFINE_TIMER(t, f);", "static HWTIME_DEFINE_TIMER(t, f);"),
        ("static DECLARE_DELAYED_WORK(w, f);", "static HWTIME_DECLARE_DELAYED_WORK(w, f);"),
        ("#define PAUSE msleep(10)", "#define PAUSE hwtime_msleep(10)"),
        ("#define P(x) \\\n\tmsleep(x)", "#define P(x) \\\n\thwtime_msleep(x)"),
        ("\treturn schedule_timeout(t);", "\treturn hwtime_schedule_timeout(t);"),
        ("#ifdef CONFIG_X\n\tmsleep(1);", "#ifdef CONFIG_X\n\thwtime_msleep(1);"),
        ("#else\nfsleep(x);", "#else\nhwtime_fsleep(x);"),
        ("#endif /* a\n b */\n\tssleep(1);", "#endif /* a\n b */\n\thwtime_ssleep(1);"),
        ("a = HZ * jiffies;", "a = HZ * hwtime_jiffies;"),
        ("u64 a = f(x, jiffies), b;", "u64 a = f(x, hwtime_jiffies), b;"),
        ("x = (unsigned long)jiffies;", "x = (unsigned long)hwtime_jiffies;"),
        (".sleep = msleep,", ".sleep = hwtime_msleep,"),
        ("f(a, ... , jiffies);", "f(a, ... , hwtime_jiffies);"),
        ("c = '\"'; msleep(1); d = '\"';", "c = '\"'; hwtime_msleep(1); d = '\"';"),
        ('s = "\\""; msleep(1);', 's = "\\""; hwtime_msleep(1);'),
        ("/* \xe9 */ msleep(1); // \xff", "/* \xe9 */ hwtime_msleep(1); // \xff"),
        ("#error can't\nmsleep(1); /* ' */", "#error can't\nhwtime_msleep(1); /* ' */"),
        ("msleep(1);\r\njiffies;\r\n", "hwtime_msleep(1);\r\nhwtime_jiffies;\r\n"),
    ],
)
def test_names_in_code_are_converted(before: str, after: str, tool: Converter) -> None:
    assert small.convert(tool, before) == after
    assert tool.strip(after.encode("latin-1")) == before.encode("latin-1")


@pytest.mark.parametrize(
    "text",
    [
        "/* msleep(1) */",
        "// msleep(1) \\\n msleep(2)\n",
        'p("msleep %lu jiffies");',
        "#include <jiffies.h>",
        "#include <linux/jiffies/msleep>\n",
        "x = mymsleep(1) + my_jiffies + jiffies_to_msecs(1);",
        "/* never closed: msleep(1)",
        "y = 0xjiffies;",
    ],
)
def test_what_is_no_name_is_not_found(text: str, tool: Converter) -> None:
    found = small.find(tool, text)
    assert found.converted == ()
    assert found.left == ()


@pytest.mark.parametrize(
    "text",
    [
        "x = log->jiffies;",
        "x = log . jiffies;",
        "x = log->/* a */jiffies;",
        "struct log s = { .jiffies = 1 };",
        "struct s {\n\tunsigned long jiffies;\n};",
        "struct s {\n\tvoid (*msleep)(int ms);\n};",
        "void f(struct x *x, unsigned long jiffies);",
        "void f(int a, unsigned long jiffies)\n{\n\tg(a, jiffies);\n}",
        "int f(void)\n{\n\tlong jiffies = 3;\n\n\treturn jiffies;\n}",
        "int f(void)\n{\n\tlong a = g(1, 2), jiffies;\n\n\treturn jiffies;\n}",
        "int f(u64 *jiffies)\n{\n\treturn *jiffies;\n}",
        "static void msleep(int ms)\n{\n}\nint f(void)\n{\n\tmsleep(3);\n}",
        "void msleep(int ms);\nint f(void)\n{\n\tmsleep(3);\n}",
        "#define msleep(x) mdelay(x)\nint f(void)\n{\n\tmsleep(3);\n}",
        "#define F(jiffies) ((jiffies) / HZ)",
        "#define S(x) x##jiffies",
        "#define S jiffies##x",
        "#ifdef msleep\n#undef msleep\n#endif",
    ],
)
def test_a_name_of_the_files_own_stays(text: str, tool: Converter) -> None:
    found = small.find(tool, text)
    assert found.converted == ()
    assert found.left
    assert {left.kind for left in found.left} == {LeftKind.OWN}


def test_a_name_is_the_functions_own_in_that_function_alone(tool: Converter) -> None:
    own = "void f(unsigned long jiffies)\n{\n\tg(jiffies, x->jiffies);\n\tmsleep(1);\n}\n"
    other = "\nint h(void)\n{\n\treturn jiffies;\n}\n"
    assert small.convert(tool, own + other) == own.replace(
        "msleep", "hwtime_msleep"
    ) + other.replace("jiffies", "hwtime_jiffies")


def test_exceptions_by_path_name_and_line(tool: Converter) -> None:
    text = "dev->last_rx = jiffies;\nx = jiffies;\nmsleep(1); /* last_rx */\n"
    found = small.find(tool, text, "drivers/net/stats.c")
    assert [(left.line, left.name, left.kind, left.reason) for left in found.left] == [
        (1, "jiffies", LeftKind.VIRTUAL, "programs see it")
    ]
    assert len(found.converted) == 2
    assert small.find(tool, text).left == ()
    soft = small.find(tool, text, "drivers/net/soft/loop.c")
    assert soft.converted == ()
    assert {left.reason for left in soft.left} == {"no device is there"}
    assert len(small.find(tool, text, "drivers/net/soft/chip.c").converted) == 3


def test_only_what_lies_below_a_path_belongs_to_it(tool: Converter) -> None:
    of_path = tool.rules.of_path
    assert of_path("drivers/network/a.c") is None
    assert of_path("drivers/net") is not None
    assert of_path("drivers/net/deep/er/a.c") is not None


def test_what_lines_take_out_of_a_directory_stays_out_of_files_of_their_own(
    tmp_path: Path,
) -> None:
    table = """
[[hardware]]
path = "drivers/net"
about = "x"
[[virtual]]
path = "drivers/net"
names = ["jiffies"]
lines = 'lastused'
reason = "others compare it"
[[virtual]]
path = "drivers/net/soft"
reason = "no device"
[[hardware]]
path = "drivers/net/soft/chip.c"
about = "x"
ktime = "all"
"""
    tool = small.converter(tmp_path / "other", table=table)
    text = "x->lastused = jiffies;\nend = jiffies;\nt = ktime_get();\n"
    found = small.find(tool, text, "drivers/net/soft/chip.c")
    assert len(found.converted) == 2
    assert [left.reason for left in found.left] == ["others compare it"]


@pytest.mark.parametrize(
    ("path", "converted", "kinds"),
    [
        ("include/poll.h", 2, set()),
        ("drivers/stamps/a.c", 0, {LeftKind.STAMP}),
        ("drivers/net/a.c", 0, {LeftKind.STAMP, LeftKind.UNKNOWN}),
    ],
)
def test_clocks_go_by_the_path(
    path: str, converted: int, kinds: set[LeftKind], tool: Converter
) -> None:
    text = "void f(void)\n{\n\tx->t = ktime_get();\n\tif (ktime_get_ns() < y->end)\n\t\tg();\n}\n"
    found = small.find(tool, text, path)
    assert len(found.converted) == converted
    assert {left.kind for left in found.left} == kinds


def test_clocks_of_deadlines_are_converted(tool: Converter) -> None:
    data = b"a = ktime_get(); b = ktime_get();"
    rules = tool.rules.of_path("drivers/net/a.c")
    assert rules is not None
    at = data.index(b"ktime")
    found = tool.find(data, rules, Clocks(deadlines=frozenset({at})))
    assert found.converted == (at,)
    assert found.groups == ("clock",)
    assert tool.apply(data, found.converted) == b"a = hwtime_ktime_get(); b = ktime_get();"
    troubled = tool.find(data, rules, Clocks(trouble="too hard"))
    assert [(left.kind, left.reason) for left in troubled.left] == [
        (LeftKind.UNKNOWN, "too hard")
    ] * 2


def test_names_that_are_only_seen_are_counted(tool: Converter) -> None:
    found = small.find(tool, "x = sched_clock();\ny = ktime_get_real_seconds();\n")
    assert [(left.line, left.name, left.kind) for left in found.left] == [
        (1, "sched_clock", LeftKind.SEEN),
        (2, "ktime_get_real_seconds", LeftKind.SEEN),
    ]


_PIECES = [
    "jiffies", "msleep", "msleep(1)", "INIT_DELAYED_WORK", "ktime_get()", "->", ".", ",", ";", "(",
    ")", "{", "}", "\n{", "\n}", "\n", " ", "\t", "/*", "*/", "//", '"', "'", "\\", "\\\n", "#",
    "#define ", "#include ", "\n#if ", "\n#endif\n", "unsigned long ", "struct s ", "*", "=", "+",
    "##", "return ", "x", "\xe9", "\0", "\r\n", "sched_clock", "0x", "timer_setup(&a->b, c, 0)",
]  # fmt: skip
_texts = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


with tempfile.TemporaryDirectory() as _place:
    _TOOL = small.converter(Path(_place))


@given(text=_texts)
def test_taking_the_prefix_off_gives_the_file_back(text: str) -> None:
    data = text.encode("latin-1")
    rules = _TOOL.rules.of_path("include/poll.h")
    assert rules is not None
    found = _TOOL.find(data, rules, Clocks())
    after = _TOOL.apply(data, found.converted)
    assert _TOOL.strip(data) == data
    assert _TOOL.strip(after) == data
    again = _TOOL.find(_TOOL.strip(after), rules, Clocks())
    assert _TOOL.apply(data, again.converted) == after
    assert len(after) == len(data) + len("hwtime_") * len(found.converted)
    assert _TOOL.has_names(data) or not (found.converted or found.left)


@given(text=st.text(st.characters(max_codepoint=255), max_size=60))
def test_whatever_a_file_holds_is_no_trouble(text: str) -> None:
    data = text.encode("latin-1")
    rules = _TOOL.rules.of_path("drivers/net/a.c")
    assert rules is not None
    assert _TOOL.apply(data, _TOOL.find(data, rules, Clocks()).converted) == data


def test_a_clock_in_a_macro_is_no_time_stamp_for_sure(tool: Converter) -> None:
    (left,) = small.find(tool, "#define NOW ktime_get()\n").left
    assert left.kind is LeftKind.UNKNOWN
