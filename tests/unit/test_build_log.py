# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from dynaccel.core.versions import KernelVersion
from dynaccel.kbuild import buildlog, steps

COMPILER = """\
  CC      kernel/time/dynaccel.o
  CC      kernel/time/tick-common.o
../kernel/time/tick-common.c: In function 'tick_periodic':
../kernel/time/tick-common.c:96:17: error: 'ratio' undeclared (first use in this function)
   96 |                 ratio++;
      |                 ^~~~~
make[4]: *** [../scripts/Makefile.build:250: kernel/time/tick-common.o] Error 1
make[4]: *** Waiting for unfinished jobs....
  AR      net/core/built-in.a
make[3]: *** [../scripts/Makefile.build:500: kernel/time] Error 2
make: *** [Makefile:238: __sub-make] Error 2
""".splitlines()

LINKER = """\
  LD      vmlinux
ld: vmlinux.o: in function `start_kernel':
main.c:(.init.text+0x6a2): undefined reference to `dynaccel_init'
make[2]: *** [../scripts/Makefile.vmlinux:34: vmlinux] Error 1
make: *** [Makefile:238: __sub-make] Error 2
""".splitlines()


def test_the_first_error_leads_and_progress_is_left_out() -> None:
    text = buildlog.first_error(COMPILER)
    assert text.startswith("../kernel/time/tick-common.c:96:17: error: 'ratio' undeclared")
    assert "built-in.a" not in text
    assert len(text.splitlines()) <= buildlog.ERROR_LINES


def test_a_linker_error_is_told_from_its_first_line() -> None:
    assert buildlog.first_error(LINKER).startswith("ld: vmlinux.o")


def test_without_an_error_line_it_is_what_make_said_last() -> None:
    lines = ["noise", "some tool died", "make[2]: *** [x.mk:1: foo.o] Error 3", "make: *** more"]
    assert buildlog.first_error(lines).splitlines()[-1] == lines[2]
    assert buildlog.first_error(["a", "b"]) == "a\nb"


@pytest.mark.parametrize(
    ("lines", "target"),
    [
        (COMPILER, "kernel/time/tick-common.o"),
        (LINKER, "vmlinux"),
        (["make[1]: *** No rule to make target 'x.o'.  Stop."], None),
        ([], None),
    ],
)
def test_the_failed_target_is_the_first_one(lines: list[str], target: str | None) -> None:
    assert buildlog.failed_target(lines) == target


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("  CC      kernel/fork.o", "kernel/fork.o"),
        ("  VDSO2C  arch/x86/entry/vdso/vdso-image-64.c", "arch/x86/entry/vdso/vdso-image-64.c"),
        ("  CC [M]  fs/foo.o", "fs/foo.o"),
        ("make[1]: Entering directory '/x'", None),
        ("   96 |   ratio++;", None),
        ("  note: declared here", None),
    ],
)
def test_steps_are_told_from_messages(line: str, what: str | None) -> None:
    assert buildlog.step(line) == what


def test_time_left_follows_from_the_pace() -> None:
    counter = steps.StepCounter(total=100)
    for second in range(10):
        progress = counter.step("x.o", second * 2.0)
    assert (progress.done, progress.total, progress.remaining_seconds) == (10, 100, 180.0)


def test_a_resumed_build_counts_from_where_it_was() -> None:
    progress = steps.StepCounter(total=100, done=60).step("x.o", 0.0)
    assert (progress.done, progress.total) == (61, 100)


def test_a_build_that_takes_more_steps_than_expected_never_passes_its_end() -> None:
    counter = steps.StepCounter(total=2)
    seen = [counter.step("x.o", float(second)) for second in range(5)]
    assert all(p.total is not None and p.done < p.total for p in seen)
    end = counter.finish()
    assert end.done == end.total == 5


def test_steps_of_the_last_build_are_the_next_estimate(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path))
    version = KernelVersion(6, 1, 7)
    assert steps.expected(version) == steps.FIRST_ESTIMATE
    steps.remember(version, 77)
    assert steps.expected(KernelVersion(6, 1, 192)) == 77
    assert steps.expected(KernelVersion(6, 12)) == steps.FIRST_ESTIMATE
