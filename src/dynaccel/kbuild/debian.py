# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel source as Debian packages it, fetched without root when it is not installed."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, MissingError, UserError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import process, suites, tools
from dynaccel.kbuild import space

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

INSTALLED = Path("/usr/src")
"""Where the package puts its tarball."""

_PREFIX = "linux-source-"
_PACKAGE = re.compile(rf"{_PREFIX}(\d+\.\d+)(?:\.tar\.xz)?$")

SUITES = {
    "5.10": ("bullseye-security", "bullseye"),
    "6.1": ("bookworm-security", "bookworm"),
    "6.12": ("trixie-security", "trixie"),
    "7.2": ("sid", "trixie-backports"),
    "7.3": ("trixie-backports", "sid"),
}
"""Which suites of Debian carry a series of Linux."""


def find_archive(version: str, *, cache: Path, reporter: Reporter) -> Path:
    """Return the source tarball of Debian's ``linux-source-VERSION``.

    The installed one, else the one that apt offers, else the one of the Debian release that has it;
    downloaded once into ``cache``. Where none can be
    reached: the newest of those in ``cache``.

    Args:
        version: Such as ``6.1``.
        cache: Where downloaded tarballs are kept.
        reporter: Hears of a download.

    Raises:
        UserError: ``version`` is not of the form ``6.1``.
        MissingError: Neither installed nor known to apt.
        InfrastructureError: The download failed.
    """
    if not re.fullmatch(r"\d+\.\d+", version):
        raise UserError(
            f"debian:{version} is not a source of Linux",
            hint=f"write one of {', '.join(f'debian:{name}' for name in _known())}",
        )
    package = f"{_PREFIX}{version}"
    installed = INSTALLED / f"{package}.tar.xz"
    if installed.is_file():
        return installed
    apt, offered = find_offer(package, version, cache=cache, reporter=reporter)
    if apt is None or offered is None:
        kept = sorted(cache.glob(f"{package}_*.tar.xz"), key=lambda path: path.stat().st_mtime)
        if kept:
            return kept[-1]
        raise MissingError(
            f"the package {package} is neither installed nor known to apt",
            detail=f"there are {', '.join(f'debian:{name}' for name in _known())}",
            hint=f"sudo apt-get update; or give a tarball of Linux {version}.y from kernel.org:"
            " --source FILE",
        )
    target = cache / f"{package}_{offered.replace(':', '%3a')}.tar.xz"
    if not target.is_file():
        reporter.info(f"fetching {package} {offered}")
        _download(apt, package, offered, target)
    return target


def find_offer(
    package: str, version: str, *, cache: Path, reporter: Reporter, arch: Arch | None = None
) -> tuple[suites.Apt | None, str | None]:
    """Return who has a package of Linux' source, and in which version; None for what there is not.

    Args:
        package: Its name.
        version: The series of Linux, such as ``6.1``.
        cache: Where package lists of other releases of Debian are kept.
        reporter: Hears that such lists are fetched.
        arch: Whose package; None: this machine's.
    """
    apt = suites.machine_apt()
    if apt is None:
        return None, None
    foreign = None if arch is None or arch.native else arch.debian
    offered = None if foreign else apt.candidate(package)
    if offered is None and version in SUITES:
        apt = suites.suite_apt(
            *SUITES[version], state=cache / "apt", reporter=reporter, architecture=foreign
        )
        offered = apt.candidate(package) if apt is not None else None
    return apt, offered


def _known() -> list[str]:
    """Return the series of Linux that are installed, or in a release of Debian."""
    apt = suites.machine_apt()
    names = [path.name for path in INSTALLED.glob(f"{_PREFIX}*")]
    names += apt.names(f"^{_PREFIX}[0-9]") if apt is not None else []
    found = {match[1] for name in names if (match := _PACKAGE.match(name))}
    return sorted(found | SUITES.keys(), key=KernelVersion.parse)


def extract(apt: suites.Apt, package: str, version: str, into: Path) -> None:
    """Fetch a package and unpack its files below the directory ``into``; nothing is installed.

    Raises:
        InfrastructureError: The download failed, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=into.parent) as name:
        scratch = Path(name)
        fetched = apt.download(package, version, scratch)
        packages = list(scratch.glob("*.deb"))
        if fetched.returncode != 0 or not packages:
            raise _failed(package, fetched, into.parent)
        unpacked = process.run(
            ["dpkg-deb", "--extract", packages[0], into], env={"LC_ALL": "C"}, check=False
        )
        if unpacked.returncode != 0:
            raise _failed(package, unpacked, into.parent)


def _download(apt: suites.Apt, package: str, version: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=target.parent) as name:
        root = Path(name) / "root"
        extract(apt, package, version, root)
        archive = root / f"usr/src/{package}.tar.xz"
        if not archive.is_file():
            raise InfrastructureError(
                f"the package {package} {version} holds no {archive.name}",
                hint="give a tarball from kernel.org: --source FILE",
            )
        archive.rename(target)


def _failed(package: str, done: process.Completed, directory: Path) -> InfrastructureError:
    detail = process.tail(done.stderr or done.stdout)
    if space.ran_out(detail):
        return space.full(directory, detail=detail)
    return InfrastructureError(
        f"cannot fetch the package {package}",
        detail=detail,
        hint=f"sudo apt-get update, then the same again; or {tools.install_command(package)}",
    )
