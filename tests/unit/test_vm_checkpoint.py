# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints, by a QMP that is a fake; and disks, by the real qemu-img."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.host import process, tools
from dynaccel.vm import checkpoint
from dynaccel.vm.machine import ImageFormat, ImageRoot

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.vm.guest import Guest


class FakeGuest:
    """A guest whose QEMU takes a while for each job."""

    def __init__(self, error: str | None = None) -> None:
        self.qmp = self
        self.stands_still = False
        self.said: list[tuple[str, Any]] = []
        self._error = error
        self._asked = 0
        self._job = ""

    async def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        self.said.append((command, arguments))
        if command == "query-jobs":
            self._asked += 1
            status = "concluded" if self._asked > 2 else "running"
            return [{"id": self._job, "status": status, "error": self._error}]
        if command.startswith("snapshot"):
            assert arguments is not None
            self._job = arguments["job-id"]
        return {}

    async def wait(self, future: asyncio.Future[Any], seconds: float | None = None) -> Any:
        return await asyncio.wait_for(future, seconds)


def as_guest(fake: FakeGuest) -> Guest:
    return cast("Guest", fake)


def test_a_checkpoint_holds_memory_and_disk() -> None:
    fake = FakeGuest()
    seconds = asyncio.run(checkpoint.save(as_guest(fake), "c1"))
    assert seconds > 0
    commands = [command for command, _ in fake.said]
    assert commands[0] == "snapshot-save"
    assert commands[-1] == "job-dismiss"
    arguments = fake.said[0][1]
    assert (arguments["tag"], arguments["vmstate"]) == ("c1", "root-disk")
    assert arguments["devices"] == ["root-disk"]
    assert not fake.stands_still


def test_a_checkpoint_that_fails_is_told_and_the_guest_is_watched_again() -> None:
    fake = FakeGuest(error="No space left on device")
    with pytest.raises(InfrastructureError, match="No space left"):
        asyncio.run(checkpoint.save(as_guest(fake), "c1"))
    assert fake.said[-1][0] == "job-dismiss"
    assert not fake.stands_still


def test_a_guest_that_is_stopped_is_not_watched() -> None:
    async def stop_and_go() -> list[bool]:
        await checkpoint.stop(as_guest(fake))
        stopped = fake.stands_still
        await checkpoint.go_on(as_guest(fake))
        return [stopped, fake.stands_still]

    fake = FakeGuest()
    assert asyncio.run(stop_and_go()) == [True, False]
    assert [command for command, _ in fake.said] == ["stop", "cont"]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    if tools.find("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    base = tmp_path / "base.qcow2"
    process.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "16M"])
    root = checkpoint.make_overlay(
        ImageRoot(path=base, format=ImageFormat.QCOW2), tmp_path / "disk.qcow2"
    )
    assert root.kept
    return root.path


def test_a_disk_tells_its_checkpoints(disk: Path) -> None:
    for tag in ("a", "b"):
        process.run(["qemu-img", "snapshot", "-c", tag, disk])
    assert checkpoint.tags(disk) == ["a", "b"]
    checkpoint.forget(disk, "a")
    assert checkpoint.tags(disk) == ["b"]
    checkpoint.mend(disk)


def test_a_damaged_disk_is_refused(disk: Path, tmp_path: Path) -> None:
    content = bytearray(disk.read_bytes())
    content[64 << 10 : 66 << 10] = b"\xff" * (2 << 10)
    disk.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.mend(disk)
    (tmp_path / "none").write_bytes(b"nothing")
    with pytest.raises(InfrastructureError, match="cannot be taken out"):
        checkpoint.forget(tmp_path / "none", "a")
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.tags(tmp_path / "missing")
