# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest is to run: the command and all that belongs to it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from dynaccel.vm.channel import Value
    from dynaccel.vm.machine import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who runs the command."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    @classmethod
    def of_caller(cls) -> Credentials:
        """Return those of this process."""
        return cls(uid=os.getuid(), gid=os.getgid(), groups=tuple(os.getgroups()))

    @classmethod
    def of_user(cls, user: str) -> Credentials:
        """Return those of a user of this machine, by name, or by number (``UID`` or ``UID:GID``).

        Raises:
            UserError: There is no such user.
        """
        import pwd  # noqa: PLC0415  (seldom needed)

        if match := re.fullmatch(r"(\d{1,9})(?::(\d{1,9}))?", user):
            uid = int(match[1])
            return cls(uid=uid, gid=int(match[2] or uid))
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise UserError(
                f"there is no user {user!r} on this machine", hint="give a number: --user 1000:1000"
            ) from None
        groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return cls(uid=entry.pw_uid, gid=entry.pw_gid, groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command and its surroundings in the guest.

    Attributes:
        arguments: Program and arguments.
        program: A program of the guest's image that gets the arguments, whatever the root holds;
            None: the first of them is one of the root's.
        root: ``9p:TAG`` or ``disk``.
        cwd: Working directory.
        environment: All variables, as ``NAME=value``.
        credentials: Who runs it.
        umask: Its file mode creation mask.
        hostname: Name of the guest.
        shares: What is mounted, and where.
        ratio: Set right before the command starts; None leaves it.
        realtime_ns: REALTIME as the command starts, ns since 1970; None leaves it.
        for_ns: Virtual time after which the command is ended; None: never.
        net: Whether the guest brings up its network.
        init: Process 1 of the system that the root holds, to be booted first; None: no system.
        init_limit_ns: Real time for that system to come up, ns.
        program: The initramfs's program that runs instead of the one that the arguments name; None:
            that one.
    """

    arguments: tuple[bytes, ...]
    root: str
    cwd: bytes
    environment: tuple[bytes, ...]
    credentials: Credentials
    umask: int
    hostname: str
    shares: tuple[Share, ...] = ()
    ratio: int | None = None
    realtime_ns: int | None = None
    for_ns: int | None = None
    net: bool = False
    init: str | None = None
    init_limit_ns: int | None = None
    program: str | None = None

    def records(self) -> list[tuple[str, Value]]:
        """Return the records of the ``START`` frame."""
        records: list[tuple[str, Value]] = [
            ("root", self.root),
            *(("share", share.tag.encode() + b":" + os.fsencode(share.target))
              for share in self.shares),
            ("cwd", self.cwd),
            *(("arg", argument) for argument in self.arguments),
            *(("env", variable) for variable in self.environment),
            ("uid", self.credentials.uid),
            ("gid", self.credentials.gid),
            *(("group", group) for group in self.credentials.groups),
            ("umask", f"{self.umask:o}"),
            ("hostname", self.hostname),
        ]  # fmt: skip
        optional: dict[str, Value | None] = {
            "realtime_ns": self.realtime_ns,
            "ratio": self.ratio,
            "for_ns": self.for_ns,
            "init": self.init,
            "init_limit_ns": self.init_limit_ns,
            "program": self.program,
        }
        records += [(key, value) for key, value in optional.items() if value is not None]
        if self.net:
            records.append(("net", "user"))
        return records


def caller_umask() -> int:
    """Return this process's umask without changing it on the way."""
    match = re.search(r"^Umask:\s*([0-7]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(match[1], 8) if match else 0o022


def caller_environment() -> tuple[bytes, ...]:
    """Return this process's environment as ``NAME=value``."""
    return tuple(name + b"=" + value for name, value in os.environb.items())
