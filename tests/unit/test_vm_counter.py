# SPDX-License-Identifier: GPL-2.0-or-later
"""The frequency of this machine's counter: measured once a boot, and told to guests under TCG."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from vm_fakes import TSC_KHZ, Fakes, fakes

from dynaccel.core.errors import ProcessError
from dynaccel.core.events import NullReporter
from dynaccel.host import probes, process
from dynaccel.vm import accelerator, counter, local, machine
from dynaccel.vm.accelerator import AcceleratorChoice, KvmProof
from dynaccel.vm.counter import counter_khz

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fakes"]


@dataclass
class Warnings(NullReporter):
    lines: list[str] = field(default_factory=list)

    def warning(self, message: str) -> None:
        self.lines.append(message)


@dataclass
class Measuring:
    """A program that measures what it is told to."""

    directory: Path

    def gives(self, hertz: float, uncertainty: float = 1e-6) -> None:
        text = json.dumps({"hertz": hertz, "uncertainty": uncertainty})
        self.program.write_text(f"#!/bin/sh\necho \"$@\" >> {self._log}\necho '{text}'\n")
        self.program.chmod(0o755)

    @property
    def program(self) -> Path:
        return self.directory / "frequency"

    @property
    def _log(self) -> Path:
        return self.directory / "calls"

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture
def measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measuring:
    fake = Measuring(tmp_path)
    fake.gives(2_596_148_123)
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(probes, "probe", lambda name: tmp_path / name)
    monkeypatch.setattr(local, "CONTROL", tmp_path / "accel")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return fake


def test_the_frequency_is_given_in_kilohertz_and_measured_once(measuring: Measuring) -> None:
    assert counter_khz(reporter=NullReporter()) == 2_596_148
    measuring.gives(1_000_000_000)
    assert counter_khz(reporter=NullReporter()) == 2_596_148
    assert measuring.calls == ["2e-06 1000"]


def test_it_is_measured_anew_after_a_boot(
    measuring: Measuring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter_khz(reporter=NullReporter())
    measuring.gives(2_100_000_600)
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another boot\n")
    monkeypatch.setattr(counter, "_BOOT_ID", boot_id)
    assert counter_khz(reporter=NullReporter()) == 2_100_001


def test_it_is_measured_anew_at_another_ratio_of_this_machine(
    measuring: Measuring, tmp_path: Path
) -> None:
    counter_khz(reporter=NullReporter())
    measuring.gives(25_961_481)
    (tmp_path / "accel").write_text("1\n")
    assert counter_khz(reporter=NullReporter()) == 2_596_148
    (tmp_path / "accel").write_text("100\n")
    assert counter_khz(reporter=NullReporter()) == 25_961


@pytest.mark.parametrize("text", ["{", "[]", '{"key": 1}'])
def test_a_damaged_cache_is_measured_anew(measuring: Measuring, text: str) -> None:
    cache = measuring.directory / "cache"
    cache.mkdir()
    (cache / "counter.json").write_text(text)
    assert counter_khz(reporter=NullReporter()) == 2_596_148
    assert counter_khz(reporter=NullReporter()) == 2_596_148
    assert len(measuring.calls) == 1


def test_what_is_not_certain_is_neither_told_nor_kept(measuring: Measuring) -> None:
    measuring.gives(2_596_148_123, uncertainty=0.013)
    reporter = Warnings()
    assert counter_khz(reporter=reporter) is None
    assert len(reporter.lines) == 1
    assert "1.3%" in reporter.lines[0]
    measuring.gives(2_596_148_123)
    assert counter_khz(reporter=reporter) == 2_596_148
    assert len(reporter.lines) == 1


def test_a_measurement_that_fails_is_an_error(measuring: Measuring) -> None:
    measuring.program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ProcessError, match="frequency failed with status 1"):
        counter_khz(reporter=NullReporter())


def test_elsewhere_there_is_no_tsc(measuring: Measuring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert counter_khz(reporter=NullReporter()) is None
    assert measuring.calls == []


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a compiler")
def test_two_measurements_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path))
    program = probes.probe("frequency")
    first, second = (json.loads(process.run([program, "1e-5", "5000"]).text) for _ in range(2))
    # Windows bound each reading; what processors reorder within one is far below a tenth of them.
    allowed = 1.1 * (first["uncertainty"] + second["uncertainty"])
    assert second["hertz"] / first["hertz"] == pytest.approx(1, abs=allowed)
    assert first["hertz"] > 1e6


@pytest.fixture
def booted(monkeypatch: pytest.MonkeyPatch) -> list[machine.MachineSpec]:
    """The machines that were started."""
    specs: list[machine.MachineSpec] = []
    original = machine.qemu_argv

    def note(spec: machine.MachineSpec) -> list[str]:
        specs.append(spec)
        return original(spec)

    monkeypatch.setattr(machine, "qemu_argv", note)
    return specs


def test_a_guest_under_tcg_is_told(fakes: Fakes, booted: list[machine.MachineSpec]) -> None:
    assert fakes.run("true").exit_status == 0
    assert [spec.counter_khz for spec in booted] == [TSC_KHZ]


def test_a_guest_with_kvm_is_told_by_kvm(
    fakes: Fakes, booted: list[machine.MachineSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "prove_kvm", lambda **_: KvmProof(works=True))
    assert fakes.run("true", accelerator=AcceleratorChoice.KVM).exit_status == 0
    assert [(spec.accelerator, spec.counter_khz) for spec in booted] == [
        (machine.Accelerator.KVM, None)
    ]
