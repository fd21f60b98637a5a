# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts that cannot be measured: one stops, and programs of 32 bits that are not to be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dynaccel.core import arches
from dynaccel.core.errors import MissingError, StageError
from dynaccel.core.events import NullReporter
from dynaccel.host import probes
from dynaccel.verify.check import Check
from dynaccel.verify.parts import narrow
from dynaccel.verify.verify import PARTS, Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


class FakeBench:
    """A bench whose guest is alive or not."""

    reporter = NullReporter()
    counts_per_second = 1e9
    real_uncertainty = 1e-6

    def __init__(self) -> None:
        self.alive = True
        self.ratios: list[int] = []

    def set_ratio(self, ratio: int) -> None:
        if not self.alive:
            raise StageError("the shell ended")
        self.ratios.append(ratio)

    def calibrate(self) -> None:
        pass

    def description(self) -> dict[str, Any]:
        return {}


def verifier(bench: FakeBench, monkeypatch: pytest.MonkeyPatch, *, dies: bool) -> Verifier:
    def measure(_bench: object, _ratios: object) -> Iterator[Check]:
        yield Check(part="clocks", name="tai", ratio=1, ok=True)
        bench.alive = not dies
        raise StageError("a probe failed", detail="no mke2fs", hint="the command was: journal")

    def rest(_bench: object, _ratios: object) -> Iterator[Check]:
        yield Check(part="log", name="complaints", ratio=1, ok=True)

    modules = {PARTS["clocks"]: measure, PARTS["log"]: rest}
    monkeypatch.setattr(
        "importlib.import_module", lambda name: SimpleNamespace(measure=modules[name])
    )
    made: Any = bench
    return Verifier(made, ratios=(1,), parts=("clocks", "log"))


def test_a_part_that_stops_is_a_failure_and_the_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, stopped, last = verifier(FakeBench(), monkeypatch, dies=False).run().checks
    assert (first.ok, stopped.ok, last.ok) == (True, False, True)
    assert stopped.part == "clocks"
    assert "a probe failed: no mke2fs (the command was: journal)" in stopped.note


def test_a_guest_that_dies_ends_it_and_what_was_measured_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dying = verifier(FakeBench(), monkeypatch, dies=True)
    with pytest.raises(StageError, match="a probe failed"):
        dying.run()
    assert [check.name for check in dying.so_far().checks] == ["tai"]


def test_without_programs_of_32_bits_that_is_said_and_nothing_fails() -> None:
    def none() -> AbstractContextManager[None]:
        raise MissingError("they cannot be compiled", hint="sudo apt-get install libc6-dev-i386")

    bench: Any = SimpleNamespace(narrow=none)
    (check,) = narrow.measure(bench, (1, 10))
    assert check.ok
    assert "not measured: they cannot be compiled - sudo apt-get" in check.note


def test_an_architecture_whose_compiler_makes_none_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match="for arm64 makes no programs of 32 bits"):
        probes.probe("clocks", arch=arches.ARM64, narrow=True)
