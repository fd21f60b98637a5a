# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory of a run: all that it needs to go on, and all that came of it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_json_atomic
from dynaccel.core.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = ".lock"
_STATE = "state.json"
_STATE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a run must find again to go on; written once, as it begins.

    Attributes:
        scenario: Name of the scenario.
        source: Where its file was: paths in it are relative to that directory.
        kernel: The kernel's id in full.
        accelerator: ``kvm`` or ``tcg``.
        counter_khz: How fast the guest's counter runs; None when that is the kernel's business.
        initramfs: The initramfs it booted.
        base: The disk image below the run's own; None when its root is no disk.
    """

    scenario: str
    source: str
    kernel: str
    accelerator: str
    counter_khz: int | None
    initramfs: str
    base: str | None


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A run's directory and what is where in it."""

    path: Path

    @property
    def scenario(self) -> Path:
        """The scenario's file, as it was when the run began."""
        return self.path / "scenario.toml"

    @property
    def recording(self) -> Path:
        """What was recorded."""
        return self.path / "recording.sqlite"

    @property
    def disk(self) -> Path:
        """The guest's disk, with the checkpoints."""
        return self.path / "disk.qcow2"

    @property
    def console(self) -> Path:
        """What the guest's kernel wrote."""
        return self.path / "console.log"

    @property
    def vmcore(self) -> Path:
        """The guest's memory after a panic."""
        return self.path / "vmcore"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def verdict(self) -> Path:
        """What the checks came to."""
        return self.path / "verdict.json"

    @property
    def junit(self) -> Path:
        """The same as CI servers read it."""
        return self.path / "junit.xml"

    def read_state(self) -> RunState:
        """Return what the run must find again.

        Raises:
            UserError: This is not the directory of a run, or one of another version of dynaccel.
        """
        path = self.path / _STATE
        try:
            value = json.loads(path.read_bytes())
            version = value.pop("version")
            if version == _STATE_VERSION:
                return RunState(**value)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self.path} is not the directory of a run: it has no {_STATE} that can be read",
                hint="dynaccel scenario run FILE --output DIR makes one",
            ) from None
        raise UserError(
            f"the run in {self.path} was begun by another version of dynaccel ({version})",
            hint="go on with that version, or begin anew: dynaccel scenario run",
        )

    def write_state(self, state: RunState) -> None:
        """Keep what the run must find again.

        Raises:
            InfrastructureError: It cannot be written.
        """
        write_json_atomic(self.path / _STATE, {"version": _STATE_VERSION, **asdict(state)})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have the run to ourselves for the length of the block.

        Raises:
            UserError: It goes on elsewhere.
            InfrastructureError: The directory cannot be written.
        """
        try:
            lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InfrastructureError(
                f"the directory {self.path} cannot be written: {error.strerror}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise UserError(
                f"the run in {self.path} goes on already", hint="dynaccel ps shows it"
            ) from None
        try:
            yield
        finally:
            os.close(lock)


def new_directory(path: Path) -> RunDirectory:
    """Make the directory of a new run.

    Raises:
        UserError: It holds something already.
        InfrastructureError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        occupied = any(path.iterdir())
    except (FileExistsError, NotADirectoryError):
        occupied = True
    except OSError as error:
        raise InfrastructureError(f"cannot make {path}: {error.strerror}") from error
    if occupied:
        raise UserError(
            f"{path} holds something already",
            hint=f"go on with a run: dynaccel scenario resume {path}; or name another --output",
        )
    return RunDirectory(path.absolute())
