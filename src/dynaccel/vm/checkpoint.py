# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints of a whole guest: its memory, its devices and its disk at one moment.

They lie in the guest's own disk image as QEMU's internal snapshots: one file holds all, and a
guest that is killed while one is written still has those before it. See
https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html for ``snapshot-save``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import InfrastructureError, ProcessError, UserError
from dynaccel.host import process, tools
from dynaccel.vm.machine import DISK_NODE, ImageFormat, ImageRoot

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.vm.guest import Guest

_POLL_SECONDS = 0.01
_jobs = itertools.count(1)


async def save(guest: Guest, tag: str) -> float:
    """Save the guest as ``tag``; it stands still meanwhile, and its clocks with it.

    Returns:
        For how long it stood still, real seconds.

    Raises:
        InfrastructureError: QEMU could not; most often the disk is full.
        GuestError: The guest failed.
    """
    began = time.monotonic()
    guest.stands_still = True
    try:
        await _run_job(guest, "snapshot-save", {"tag": tag, "vmstate": DISK_NODE})
    finally:
        guest.stands_still = False
    return time.monotonic() - began


async def delete(guest: Guest, tag: str) -> None:
    """Forget a checkpoint.

    Raises:
        InfrastructureError: QEMU could not.
        GuestError: The guest failed.
    """
    await _run_job(guest, "snapshot-delete", {"tag": tag})


async def stop(guest: Guest) -> None:
    """Let the guest stand still; nothing of it moves until :func:`go_on`.

    Raises:
        InfrastructureError: QEMU does not answer.
        GuestError: The guest failed.
    """
    guest.stands_still = True
    await _execute(guest, "stop")


async def go_on(guest: Guest) -> None:
    """Let a guest that stands still go on.

    Raises:
        InfrastructureError: QEMU does not answer.
        GuestError: The guest failed.
    """
    await _execute(guest, "cont")
    guest.stands_still = False


def tags(disk: Path) -> list[str]:
    """Return the tags of the checkpoints in a disk image, oldest first.

    Raises:
        UserError: It is no qcow2 image.
        MissingError: ``qemu-img`` is not installed.
    """
    tools.require("qemu-img")
    try:
        done = process.run(["qemu-img", "info", "--output=json", "-U", disk])
    except ProcessError as error:
        raise UserError(
            f"the disk image {disk} cannot be read",
            hint="begin anew: dynaccel scenario run",
            detail=error.detail,
        ) from error
    found = json.loads(done.stdout).get("snapshots", [])
    return [str(each["name"]) for each in found]


def forget(disk: Path, tag: str) -> None:
    """Forget a checkpoint in the disk image of a guest that does not run.

    Raises:
        InfrastructureError: The image cannot be changed.
        MissingError: ``qemu-img`` is not installed.
    """
    tools.require("qemu-img")
    try:
        process.run(["qemu-img", "snapshot", "-q", "-d", tag, disk])
    except ProcessError as error:
        raise InfrastructureError(
            f"the checkpoint {tag} cannot be taken out of {disk}", detail=error.detail
        ) from error


def mend(disk: Path) -> None:
    """Take back room that a killed QEMU had reserved and not used yet in its disk image.

    Raises:
        UserError: The image is damaged beyond that.
        MissingError: ``qemu-img`` is not installed.
    """
    tools.require("qemu-img")
    # Leaks alone: they are harmless, and mending anything else could lose what a guest wrote.
    done = process.run(["qemu-img", "check", "-q", "-r", "leaks", disk], check=False)
    if done.returncode != 0:
        raise UserError(
            f"the disk image {disk} is damaged",
            hint="begin anew: dynaccel scenario run; what was recorded stays",
            detail=process.tail(done.stderr or done.stdout),
        )


def make_overlay(base: ImageRoot, disk: Path) -> ImageRoot:
    """Make ``disk``, an image that begins as ``base`` and keeps what a guest writes.

    Raises:
        MissingError: ``qemu-img`` is not installed.
        InfrastructureError: The disk is full, or may not be written.
    """
    tools.require("qemu-img")
    base_format = base.format.value
    try:
        process.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base.path, "-F", base_format, disk]
        )
    except ProcessError as error:
        raise InfrastructureError(
            f"the disk image {disk} cannot be made", detail=error.detail
        ) from error
    return ImageRoot(path=disk, format=ImageFormat.QCOW2, kept=True)


async def _run_job(guest: Guest, command: str, arguments: dict[str, Any]) -> None:
    job = f"dynaccel-{next(_jobs)}"
    await _execute(guest, command, {"job-id": job, "devices": [DISK_NODE], **arguments})
    while True:
        found = await _execute(guest, "query-jobs")
        mine = next((each for each in found if each["id"] == job), None)
        if mine is None:
            raise InfrastructureError(f"QEMU lost its job {command}", hint="try again")
        if mine["status"] == "concluded":
            break
        await asyncio.sleep(_POLL_SECONDS)
    await _execute(guest, "job-dismiss", {"id": job})
    if mine.get("error"):
        raise InfrastructureError(
            f"QEMU could not do {command} of {arguments['tag']}: {mine['error']}",
            hint="see whether the disk is full: df .",
        )


async def _execute(guest: Guest, command: str, arguments: dict[str, Any] | None = None) -> Any:
    from qemu.qmp import QMPError  # noqa: PLC0415  (takes as long to load as all the rest)

    task = asyncio.ensure_future(guest.qmp.execute(command, arguments))
    try:
        # A guest that fails meanwhile tells more than a connection that is gone.
        return await guest.wait(task)
    except (QMPError, EOFError, OSError) as error:
        with suppress(TimeoutError):
            await guest.wait(asyncio.get_running_loop().create_future(), 1.0)
        raise InfrastructureError(
            f"QEMU refuses {command}: {error}", hint="dynaccel doctor"
        ) from error
    finally:
        task.cancel()
