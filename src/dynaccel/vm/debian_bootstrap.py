# SPDX-License-Identifier: GPL-2.0-or-later
"""How a Debian is made: by mmdebstrap, for root and for any user alike.

It lets apt choose and fetch, so packages may be any that Debian has, and keeps their services from
starting meanwhile. All happens in name spaces of its own (mounts, processes, host name); without
root's rights also in one of users, in which this user is root and files belong to whom they shall.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import MissingError
from dynaccel.core.events import Progress
from dynaccel.host import process, suites, tools
from dynaccel.vm import debian_failure

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

HOSTNAME = "debian"
PROGRAMS = ("mmdebstrap", "unshare", "mke2fs", "qemu-img", "dpkg-query")

_HOSTS = f"""\
127.0.0.1\tlocalhost
127.0.1.1\t{HOSTNAME}
::1\t\tlocalhost ip6-localhost ip6-loopback
"""
_SYSTEM_PATH = "/usr/sbin:/sbin"
"""Where mke2fs lies, which a user's PATH need not name."""
_SETTINGS = ("etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap")
_UNSAFE = "force-unsafe-io"
"""For dpkg: what is thrown away after a crash needs no fsync for each file."""
_WITHOUT_SECURITY = ("sid", "unstable")
_KEPT_LINES = 500


def is_root() -> bool:
    """Say whether this user is root."""
    return os.geteuid() == 0


def check_means(arch: Arch) -> None:
    """See that this machine and this user can make a Debian of ``arch``.

    Raises:
        MissingError: A program is not there, this user has no users to give files to, or this
            machine cannot run programs of the architecture.
    """
    programs = PROGRAMS if is_root() else (*PROGRAMS, "newuidmap")
    missing = [name for name in programs if shutil.which(name, path=_path()) is None]
    if missing:
        raise MissingError(
            f"to make a Debian, {' and '.join(missing)} must be on PATH",
            hint=tools.install_command(*(tools.PACKAGES[name] for name in missing)),
        )
    if not is_root():
        tried = _run(["true"])
        if tried.returncode != 0:
            raise MissingError(
                "this user cannot have a name space of users, in which a Debian is made",
                detail=process.tail(tried.stderr),
                hint='sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$USER";'
                " or do it as root",
            )
    if not arch.native and (
        tools.find("arch-test") is None
        or process.run(["arch-test", arch.debian], check=False).returncode != 0
    ):
        raise MissingError(
            f"this machine cannot run programs of {arch.debian}, which a Debian is made with",
            hint=tools.install_command("arch-test", "binfmt-support", "qemu-user-static"),
        )


def install(
    root: Path,
    *,
    suite: str,
    arch: Arch,
    include: tuple[str, ...],
    held: int,
    reporter: Reporter,
) -> None:
    """Make a Debian in the directory ``root``, which is not there yet.

    Args:
        root: The directory.
        suite: The code name of its release.
        arch: Its architecture.
        include: What it has on top of Debian's required packages and apt.
        held: A lock's file descriptor, which is kept until the last program has ended.
        reporter: Hears how far it is.

    Raises:
        UserError: The suite or a package does not exist, or packages exclude each other.
        MissingError: This machine's apt has no mirror of Debian.
        InfrastructureError: The mirror does not answer, or the disk is full.
        StageError: A package failed to install.
    """
    security = () if suite in _WITHOUT_SECURITY else (f"{suite}-security",)
    sources = suites.source_lines(suite, *security)
    if not sources:
        raise MissingError(
            "no Debian can be made: this machine's apt knows no mirror of one",
            hint="see whether it reaches its mirror: sudo apt-get update",
        )
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    steps = 0

    def on_line(line: str) -> None:
        nonlocal steps
        lines.append(line)
        if line.startswith("I: "):
            steps += 1
            reporter.progress(Progress(stage="debian", done=steps, message=line[3:].rstrip(".")))

    # A file, for a proxy's address may hold a password.
    access = root.with_name("apt.conf")
    write_atomic(access, suites.access_settings().encode())
    argv = [
        # Not its mode "unshare", which makes no devices, not even for root.
        "mmdebstrap", "--mode=root", "--format=directory", "--variant=minbase",
        f"--architectures={arch.debian}", *([f"--include={','.join(include)}"] if include else []),
        f"--aptopt={access}", f"--dpkgopt={_UNSAFE}", "--skip=check/signed-by",
        # Some packages write the name of the host into what they make.
        f"--setup-hook=hostname {HOSTNAME}",
        suite, f"{root}", *sources,
    ]  # fmt: skip
    status = process.follow(
        [*_inside(), *argv], on_line=on_line, env=_environment(), pass_fds=(held,)
    )
    access.unlink()
    if status != 0:
        raise debian_failure.of_bootstrap("\n".join(lines), suite=suite)
    _finish(root)


def installed(root: Path) -> dict[str, str]:
    """Return the versions of the packages that are installed in ``root``, by name."""
    listed = process.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show",
         "--showformat=${db:Status-Status} ${Package} ${Version}\n"]
    )  # fmt: skip
    words = [line.split() for line in listed.text.splitlines()]
    return {name: version for status, name, version in words if status == "installed"}


def pack(root: Path, disk: Path, *, size_bytes: int) -> None:
    """Make a disk image (qcow2) with one ext4 that holds what is in ``root``.

    Raises:
        UserError: It does not fit into ``size_bytes``.
        InfrastructureError: The host's disk is full.
        StageError: A program failed.
    """
    raw = disk.with_suffix(".raw")
    for argv in (
        ["mke2fs", "-q", "-t", "ext4", "-d", f"{root}", f"{raw}", f"{size_bytes >> 10}k"],
        ["qemu-img", "convert", "-O", "qcow2", f"{raw}", f"{disk}"],
    ):
        done = _run(argv)
        if done.returncode != 0:
            raise debian_failure.of_packing(done, size_bytes=size_bytes)
    raw.unlink()


def remove(directory: Path) -> None:
    """Remove a directory, also with files of the users in a name space of this user."""
    if directory.exists():
        _run(["rm", "--recursive", "--force", "--one-file-system", f"{directory}"])


def _inside() -> list[str]:
    """Return the words that let a command run in name spaces of its own, as their root."""
    users = [] if is_root() else ["--map-root-user", "--map-auto"]
    return ["unshare", *users, "--mount", "--uts", "--pid", "--fork", "--kill-child", "--"]


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}"


def _environment() -> dict[str, str]:
    # The language goes into what packages make, such as a cluster of PostgreSQL.
    return {"LC_ALL": "C.UTF-8", "PATH": _path()}


def _run(argv: list[str]) -> process.Completed:
    return process.run([*_inside(), *argv], env=_environment(), check=False)


def _finish(root: Path) -> None:
    for name, text in {"etc/hostname": f"{HOSTNAME}\n", "etc/hosts": _HOSTS}.items():
        write_atomic(root / name, text.encode())
        (root / name).chmod(0o644)
    # They were this machine's, and for the time of making.
    for name in ("etc/resolv.conf", *_SETTINGS):
        (root / name).unlink(missing_ok=True)
    root.chmod(0o755)
