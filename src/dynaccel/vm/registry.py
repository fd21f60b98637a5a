# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests of this user that run now: a directory each, with a lock that ends with its owner."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_json_atomic
from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.host import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_INFO = "info.json"
_LOCK = "lock"
_CONTROL = "control.sock"
_UNFINISHED = ".new-"
_SOCKET_PATH_MAX = 107
_LONGEST_SOCKET = "console.sock"
_FORGOTTEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestInfo:
    """What is known of a running guest without asking it.

    Attributes:
        name: Its name.
        pid: Process id of the ``dynaccel run`` that owns it.
        command: What it runs.
        ratio: The ratio that was asked for.
        kernel: Image that it booted.
        accelerator: ``kvm`` or ``tcg``.
        cpus: Number of its CPUs.
        started: When it was started, seconds since 1970.
    """

    name: str
    pid: int
    command: tuple[str, ...]
    ratio: int
    kernel: str
    accelerator: str
    cpus: int
    started: float


def guests_dir() -> Path:
    """Return the directory whose sub-directories are the running guests."""
    path = paths.runtime_dir() / "vms"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def control_socket(directory: Path) -> Path:
    """Return where the guest of ``directory`` takes requests."""
    return directory / _CONTROL


def check_name(name: str) -> None:
    """Refuse a name that cannot be a guest's.

    Raises:
        UserError: It has other characters, or too many.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be the name of a guest",
            hint="use up to 32 letters, digits, '.', '_' and '-', starting with a letter or digit",
        )


@contextmanager
def claimed(name: str | None) -> Iterator[Path]:
    """Claim a name and its directory for the length of the block.

    Args:
        name: The name; None for ``run-PID``, or the next one that is free.

    Raises:
        UserError: A guest of that name runs already.
        InfrastructureError: The directory cannot be made, or its name is too long for a socket.
    """
    if name is not None:
        check_name(name)
    remove_stale()
    names = [name] if name is not None else [f"run-{os.getpid()}{end}" for end in _SUFFIXES]
    with _locked_directory() as directory:
        final = next((path for each in names if (path := _rename(directory, each))), None)
        if final is None:
            raise UserError(
                f"a guest named {names[0]} runs already",
                hint="choose another --name; dynaccel ps shows what runs",
            )
        try:
            yield final
        finally:
            shutil.rmtree(final, ignore_errors=True)


def publish(directory: Path, info: GuestInfo) -> None:
    """Let others see the guest."""
    write_json_atomic(directory / _INFO, asdict(info))


def running() -> list[GuestInfo]:
    """Return all guests of this user that run, oldest first; what is left of dead ones goes."""
    remove_stale()
    found = (_read(path) for path in guests_dir().iterdir())
    return sorted((info for info in found if info is not None), key=lambda info: info.started)


def find(name: str) -> tuple[GuestInfo, Path]:
    """Return a running guest and its directory.

    Raises:
        UserError: There is none of that name.
    """
    for info in running():
        if info.name == name:
            return info, guests_dir() / name
    names = ", ".join(info.name for info in running())
    raise UserError(
        f"no guest named {name!r} runs",
        hint=f"these do: {names}" if names else "none runs; start one: dynaccel run --name NAME",
    )


def remove_stale() -> None:
    """Remove what is left of guests whose owner died without a chance to clean up."""
    for directory in guests_dir().iterdir():
        with suppress(OSError):
            if directory.name.startswith(_UNFINISHED):
                if time.time() - directory.stat().st_mtime > _FORGOTTEN_SECONDS:
                    shutil.rmtree(directory, ignore_errors=True)
            else:
                _remove_if_stale(directory)


_SUFFIXES = ("", *(f"-{number}" for number in range(2, 100)))


@contextmanager
def _locked_directory() -> Iterator[Path]:
    # The lock is held before the directory gets its name: nobody ever sees it unlocked.
    try:
        directory = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=guests_dir()))
        lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InfrastructureError(
            f"cannot make a directory below {guests_dir()}: {error.strerror}",
            hint="set XDG_RUNTIME_DIR to a directory of your own",
        ) from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _rename(directory: Path, name: str) -> Path | None:
    final = directory.with_name(name)
    longest = str(final / _LONGEST_SOCKET)
    if len(os.fsencode(longest)) > _SOCKET_PATH_MAX:
        raise InfrastructureError(
            f"the path {longest} is too long for a socket",
            hint="set XDG_RUNTIME_DIR to a directory of your own with a short name",
        )
    try:
        directory.rename(final)
    except OSError:  # not empty: somebody has the name
        return None
    return final


def _remove_if_stale(directory: Path) -> None:
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever holds the lock of the directory that has the name now may remove it, and nobody
        # else; a lock of a directory that was removed a moment ago says nothing.
        if os.path.samestat(os.fstat(lock), (directory / _LOCK).stat()):
            hidden = directory.with_name(f"{_UNFINISHED}{os.getpid()}-{directory.name}")
            directory.rename(hidden)
            shutil.rmtree(hidden, ignore_errors=True)
    finally:
        os.close(lock)


def _read(directory: Path) -> GuestInfo | None:
    try:
        values = json.loads((directory / _INFO).read_bytes())
        return GuestInfo(**{**values, "command": tuple(values["command"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None  # it has not got that far, or is just going
