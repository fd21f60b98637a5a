# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from vm_fakes import Fakes, fakes

from dynaccel.core import arches
from dynaccel.core.errors import MissingError
from dynaccel.core.events import NullReporter
from dynaccel.vm import accelerator
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.machine import Accelerator

__all__ = ["fakes"]


@dataclass
class Warnings(NullReporter):
    lines: list[str] = field(default_factory=list)

    def warning(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    monkeypatch.setattr(accelerator, "_DEVICE", path)
    return path


def _choose(
    choice: AcceleratorChoice,
    fakes: Fakes,
    reporter: Warnings | None = None,
    arch: arches.Arch | None = None,
) -> Accelerator:
    return accelerator.choose(
        choice,
        arch=arch or arches.native(),
        kernel=fakes.kernel,
        initramfs=Path("x"),
        reporter=reporter or Warnings(),
    )


@pytest.mark.usefixtures("device")
def test_kvm_is_not_tried_for_another_architecture(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    reporter = Warnings()
    chosen = _choose(AcceleratorChoice.AUTO, fakes, reporter, arches.ARM64)
    assert chosen is Accelerator.TCG
    assert "this machine is no arm64" in reporter.lines[0]


@pytest.mark.usefixtures("device")
def test_a_guest_that_reports_proves_kvm(fakes: Fakes) -> None:
    reporter = Warnings()
    assert _choose(AcceleratorChoice.AUTO, fakes, reporter) is Accelerator.KVM
    assert reporter.lines == []


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("mode", ["bad-option", "no-hello"])
def test_without_a_proof_auto_takes_tcg_and_says_why(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", mode)
    monkeypatch.setattr(accelerator, "PROOF_SECONDS", 1.0)
    reporter = Warnings()
    assert _choose(AcceleratorChoice.AUTO, fakes, reporter) is Accelerator.TCG
    assert len(reporter.lines) == 1
    assert "\n" not in reporter.lines[0]
    assert "KVM" in reporter.lines[0]


@pytest.mark.usefixtures("device")
def test_the_proof_is_made_once_for_a_boot_of_the_host(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert _choose(AcceleratorChoice.KVM, fakes) is Accelerator.KVM
    monkeypatch.setenv("FAKE_QEMU", "bad-option")
    assert _choose(AcceleratorChoice.KVM, fakes) is Accelerator.KVM
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another boot\n")
    monkeypatch.setattr(accelerator, "_BOOT_ID", boot_id)
    with pytest.raises(MissingError, match="invalid option"):
        _choose(AcceleratorChoice.KVM, fakes)


def test_without_the_device_kvm_is_refused_at_once(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "_DEVICE", Path("/nonexistent"))
    with pytest.raises(MissingError, match="there is no /nonexistent"):
        _choose(AcceleratorChoice.KVM, fakes)


def test_a_damaged_cache_is_no_proof(fakes: Fakes, device: Path) -> None:
    cache = Path(os.environ["DYNACCEL_CACHE"])
    cache.mkdir()
    (cache / "kvm.json").write_text("{")
    assert device.exists()
    assert _choose(AcceleratorChoice.AUTO, fakes) is Accelerator.KVM


def test_tcg_is_silent(fakes: Fakes) -> None:
    reporter = Warnings()
    assert _choose(AcceleratorChoice.TCG, fakes, reporter) is Accelerator.TCG
    assert reporter.lines == []
