# SPDX-License-Identifier: GPL-2.0-or-later
"""Which readings of a clock belong to a deadline: with spatch, and when spatch misbehaves."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import hwtime_rules as small
import pytest

from dynaccel.core.errors import MissingError
from dynaccel.core.events import NullReporter
from dynaccel.patch.hwtime import cache as memory_file
from dynaccel.patch.hwtime import marks
from dynaccel.patch.hwtime.cache import Memory
from dynaccel.patch.hwtime.deadlines import FAILED, JUNK, Question, locate

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.patch.hwtime.convert import Clocks, Converter

real_spatch = pytest.mark.skipif(shutil.which("spatch") is None, reason="spatch is not installed")

ABSOLUTE = """int f(struct x *d)
{
	ktime_t end = ktime_add_us(ktime_get(), 100);

	while (!ready(d)) {
		if (ktime_compare(ktime_get(), end) > 0)
			return -1;
	}
	return 0;
}
"""


@pytest.fixture
def tool(tmp_path: Path) -> Converter:
    return small.converter(tmp_path / "rules")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hwtime" / "deadlines.json"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a program that takes spatch's place; none is there at first."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for program in ("sh", "sed", "cat", "echo"):
        found = shutil.which(program)
        assert found
        (directory / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(directory))
    return directory / "spatch"


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def ask(tool: Converter, *texts: str) -> list[Clocks]:
    questions = [Question(path=f"{n}.c", data=text.encode()) for n, text in enumerate(texts)]
    found = locate(questions, tool, reporter=NullReporter())
    return [found[question.path] for question in questions]


def lines(text: str, offsets: object) -> list[int]:
    assert isinstance(offsets, (frozenset, dict))
    return sorted(text.encode().count(b"\n", 0, offset) + 1 for offset in offsets)


def function(body: str, head: str = "int f(struct x *d)") -> str:
    inside = "".join(f"\t{line}\n" for line in body.splitlines())
    return f"{head}\n{{\n{inside}\treturn 0;\n}}\n"


@real_spatch
@pytest.mark.parametrize(
    ("body", "deadlines"),
    [
        ("u64 e;\ne = ktime_get_ns() + 5;\ndo {\n\tg();\n} while (ktime_get_ns() < e);", [4, 7]),
        ("u64 end = 5 + ktime_get_raw_ns();\nwhile (end > ktime_get_raw_ns())\n\tg();", [3, 4]),
        ("ktime_t s = ktime_get();\nwhile (ktime_us_delta(ktime_get(), s) < 9)\n\tg();", [3, 4]),
        (
            "ktime_t s = ktime_get();\nif (ktime_to_us(ktime_sub(ktime_get(), s)) > 9)\n\tg();",
            [3, 4],
        ),
        ("u64 s = local_clock();\nif (local_clock() - s > 9)\n\tg();", [3, 4]),
        (
            (
                "ktime_t s = ktime_get();\nif (ktime_ms_delta(ktime_get(), s) > 9)\n"
                '\tpr_err("%lld\\n", ktime_ms_delta(ktime_get(), s));'
            ),
            [3, 4, 5],
        ),
        (
            (
                "ktime_t n, e;\ne = ktime_add_ms(ktime_get(), 5);\nfor (;;) {\n\tn = ktime_get();\n"
                "\tif (ktime_after(n, e))\n\t\tbreak;\n}"
            ),
            [4, 6],
        ),
        (
            (
                "ktime_t s = ktime_get(), e;\ne = ktime_add_ms(s, 5);\n"
                "while (ktime_before(ktime_get(), e))\n\tg();"
            ),
            [3, 5],
        ),
        (
            (
                "ktime_t s = ktime_get();\ns64 t;\nt = ktime_us_delta(ktime_get(), s);\n"
                'if (t > 5)\n\tdev_warn(x, "%lld\\n", t);'
            ),
            [3, 5],
        ),
        (
            (
                "ktime_t e = ktime_add_us(ktime_get(), 5);\nx->e = 3;\n"
                "if (ktime_after(ktime_get(), e))\n\tg();"
            ),
            [3, 5],
        ),
    ],
)
def test_deadlines_of_one_function(body: str, deadlines: list[int], tool: Converter) -> None:
    text = function(body)
    (clocks,) = ask(tool, text)
    assert clocks.trouble is None
    assert lines(text, clocks.deadlines) == deadlines
    assert clocks.unknown == {}


@real_spatch
@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        # A time stamp, which nothing compares.
        (function("ktime_t now = ktime_get();\nreport(d, now);"), {}),
        (function("d->t = ktime_get();"), {}),
        # What is compared goes elsewhere too.
        (
            function(
                "ktime_t s = ktime_get();\nd->t = s;\n"
                "if (ktime_us_delta(ktime_get(), s) > 9)\n\tg();"
            ),
            {3: marks.ELSEWHERE, 5: marks.ELSEWHERE},
        ),
        (
            function(
                "ktime_t s = ktime_get();\ns64 t;\nt = ktime_us_delta(ktime_get(), s);\n"
                "if (t > 9)\n\td->t = t;"
            ),
            {3: marks.ELSEWHERE, 5: marks.ELSEWHERE},
        ),
        # Only the other end is in sight.
        (
            function("if (ktime_after(ktime_get(), end))\n\tg();", "int f(ktime_t end)"),
            {3: marks.ELSEWHERE},
        ),
        (
            function(
                "ktime_t n = ktime_get();\nif (ktime_after(n, end))\n\tg();", "int f(ktime_t end)"
            ),
            {3: marks.ELSEWHERE},
        ),
        (
            function("if (ktime_after(ktime_get(), global_end))\n\tg();"),
            {3: marks.ELSEWHERE},
        ),
        (
            function(
                "d->e = ktime_add_us(ktime_get(), 5);\n"
                "while (ktime_before(ktime_get(), d->e))\n\tg();"
            ),
            {3: marks.MEMBER, 4: marks.MEMBER},
        ),
        (function("FOO(a b) int int {\nktime_t s = ktime_get();"), {4: marks.UNREAD}),
    ],
)
def test_what_is_no_deadline_of_one_function(
    text: str, unknown: dict[int, str], tool: Converter
) -> None:
    (clocks,) = ask(tool, text)
    assert clocks.trouble is None
    assert clocks.deadlines == frozenset()
    assert {
        text.encode().count(b"\n", 0, at) + 1: why for at, why in clocks.unknown.items()
    } == unknown


POLL = """#define poll(d, val, cond, us) \\
({ \\
	ktime_t __end = ktime_add_us(ktime_get(), us); \\
	for (;;) { \\
		(val) = read(d); \\
		if (us && \\
			ktime_compare(ktime_get(), __end) > 0) \\
			break; \\
	} \\
	(cond) ? 0 : -1; \\
})

"""


@real_spatch
@pytest.mark.parametrize("around", ["int a(void);\n\n", "int a(void)\n{\n\treturn g();\n}\n\n"])
@pytest.mark.parametrize("below", ["", "int g(void);\n", function("return h();"), ABSOLUTE])
def test_a_macro_is_converted_whole_or_not_at_all(around: str, below: str, tool: Converter) -> None:
    text = around + POLL + below
    (clocks,) = ask(tool, text)
    first = text.encode().index(b"ktime_get")
    second = text.encode().index(b"ktime_get", first + 1)
    assert (first in clocks.deadlines) == (second in clocks.deadlines)
    assert len(clocks.deadlines - {first, second}) == 2 * (below == ABSOLUTE)


@real_spatch
@pytest.mark.parametrize(
    "body",
    [
        # The other end is no reading of a clock, or one that nothing is known of.
        "ktime_t e = d->end;\nif (ktime_after(ktime_get(), e))\n\tg();",
        "ktime_t e = limit(ktime_get());\nif (ktime_after(ktime_get(), e))\n\tg();",
        "ktime_t s, e = limit(d);\ns = ktime_get();\nif (ktime_after(s, e))\n\tg();",
        "ktime_t n = ktime_get(), e = d->end;\nif (ktime_after(n, e))\n\tg();",
        "u64 e = ktime_get_real_ns() + 5;\nwhile (ktime_get_ns() < e)\n\tg();",
        "u64 e = 5 + (u64)other();\nwhile (ktime_get_ns() < e)\n\tg();",
        "ktime_t e = ktime_get(), *p = &e;\nif (ktime_after(ktime_get(), e))\n\tg();",
        "ktime_t e = d->t = ktime_get();\nif (ktime_after(ktime_get(), e))\n\tg();",
        "ktime_t e;\nd->t = e = ktime_get();\nif (ktime_after(ktime_get(), e))\n\tg();",
        "ktime_t e;\nset(&e);\nif (ktime_after(ktime_get(), e))\n\tg();",
        "ktime_t e;\ne = x ? ktime_get() : d->t;\nif (ktime_after(ktime_get(), e))\n\tg();",
        "u64 e = ktime_get_ns();\nd->t = e = 0;\nif (ktime_get_ns() > e)\n\tg();",
        "u64 e = ktime_get_ns();\ne = 0 + d->t;\nif (ktime_get_ns() > e)\n\tg();",
        "u64 e = ktime_get_ns();\ne += d->t;\nif (ktime_get_ns() > e)\n\tg();",
    ],
)
def test_one_end_alone_is_never_converted(body: str, tool: Converter) -> None:
    (clocks,) = ask(tool, function(body))
    assert clocks.deadlines == frozenset()


@real_spatch
@pytest.mark.parametrize("nothing", ["0", "KTIME_MAX", "0ULL", "ktime_set(0, 0)"])
@pytest.mark.parametrize("form", ["u64 e = {};", "u64 e;\ne = {};"])
def test_a_variable_may_hold_nothing(form: str, nothing: str, tool: Converter) -> None:
    body = "\ne = ktime_get_ns() + 5;\nwhile (ktime_get_ns() < e)\n\tg();"
    text = function(form.format(nothing) + body)
    (clocks,) = ask(tool, text)
    assert len(clocks.deadlines) == 2


@real_spatch
def test_functions_do_not_answer_for_each_other(tool: Converter) -> None:
    stamp = (
        "\nint g(struct x *d)\n{\n\tktime_t end = ktime_get();\n\n\tkeep(d, end);\n\treturn 0;\n}\n"
    )
    text = ABSOLUTE + "\nint h(void)\n{\n\treturn 1; /* \xe9 */\n}\n" + stamp
    (clocks,) = ask(tool, text)
    assert lines(text, clocks.deadlines) == [3, 6]


@real_spatch
def test_an_answer_is_remembered(
    tool: Converter, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "int g(void)\n{\n\treturn 1;\n}\n"
    (first,) = ask(tool, ABSOLUTE + other)
    assert len(first.deadlines) == 2
    monkeypatch.setenv("PATH", "/nonexistent")
    assert ask(tool, ABSOLUTE + other) == [first]
    # What spatch is not shown of a file does not matter to its answer.
    assert ask(tool, ABSOLUTE + other.replace("1", "2")) == [first]
    for damage in ("{", "[]", json.dumps({key: {} for key in json.loads(cache.read_bytes())})):
        cache.write_text(damage)
        with pytest.raises(MissingError):
            ask(tool, ABSOLUTE + other)


def test_a_missing_spatch_is_named_with_its_package(tool: Converter, fake: Path) -> None:
    assert not fake.exists()
    with pytest.raises(MissingError, match="spatch") as caught:
        ask(tool, ABSOLUTE)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("install coccinelle")
    assert locate([Question(path="a.c", data=b"msleep(1);")], tool, reporter=NullReporter()) == {}


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("sed -i s/100/200/ $4/*.c", JUNK),
        ('for f in $4/*.c; do echo "x" >> $f; done', JUNK),
        ('for f in $4/*.c; do : > "$f"; done', JUNK),
        ("exit 1", FAILED),
        ("kill -9 $$", FAILED),
    ],
)
def test_a_spatch_that_misbehaves_converts_nothing(
    script: str, trouble: str, tool: Converter, fake: Path
) -> None:
    program(fake, script)
    for clocks in ask(tool, ABSOLUTE, ABSOLUTE.replace("f(", "g(")):
        assert clocks.trouble == trouble
        assert clocks.deadlines == frozenset()


def test_one_bad_file_does_not_spoil_the_others(tool: Converter, fake: Path) -> None:
    program(fake, 'for f in $4/*.c; do case "$(cat $f)" in *bad*) exit 1;; esac; done')
    good, bad = ask(tool, ABSOLUTE, ABSOLUTE.replace("ready", "bad"))
    assert good.trouble is None
    assert set(good.unknown.values()) == {marks.UNREAD}
    assert bad.trouble == FAILED


def test_failures_are_not_remembered(tool: Converter, fake: Path, cache: Path) -> None:
    program(fake, "exit 1")
    ask(tool, ABSOLUTE)
    assert not cache.exists() or json.loads(cache.read_bytes()) == {}


def test_a_memory_that_cannot_be_written_is_none(
    tool: Converter, fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", "/proc/nowhere")
    program(fake, "exit 0")
    assert ask(tool, ABSOLUTE)[0].trouble is None


def test_a_memory_keeps_what_was_asked_for_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_file, "MOST_ENTRIES", 3)
    memory = Memory("x")
    for key in "abc":
        memory.put(key, {"of": key})
    memory.save()
    memory = Memory("x")
    assert memory.get("a") == {"of": "a"}
    memory.put("d", {})
    memory.save()
    memory = Memory("x")
    assert [key for key in "abcd" if memory.get(key) is not None] == ["a", "c", "d"]


def test_an_interrupted_search_remembers_what_it_has(
    tool: Converter, fake: Path, cache: Path
) -> None:
    program(fake, "exit 0")

    class Impatient(NullReporter):
        def progress(self, progress: object) -> None:
            if getattr(progress, "done", 0) > 12:
                raise KeyboardInterrupt

    texts = [ABSOLUTE.replace("100", str(number)) for number in range(40)]
    questions = [Question(path=f"{n}.c", data=text.encode()) for n, text in enumerate(texts)]
    with pytest.raises(KeyboardInterrupt):
        locate(questions, tool, reporter=Impatient())
    assert 0 < len(json.loads(cache.read_bytes())) < 40
