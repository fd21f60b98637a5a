# SPDX-License-Identifier: GPL-2.0-or-later
"""What the packages of a kernel are called, and why they win over the distribution's.

A package manager compares epochs before versions, and distributions' kernels have none, which
counts as 0. So with epoch 1 an accelerated 4.18 is newer than a stock 5.18.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.kernels import BuiltTree

EPOCH = 1
MARK = "dynaccel"

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~]*")
_RELEASE_MAX = 32
"""``uname -r`` has 64 bytes (include/uapi/linux/utsname.h), less version, mark and architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Names of the packages of a kernel for one architecture.

    Attributes:
        release: What stands before the mark: ``1``, or a distribution's ``394.el8``.
        arch: What the kernel is for.
    """

    release: str
    arch: Arch

    def __post_init__(self) -> None:
        """Check the release.

        Raises:
            UserError: It cannot be part of a package's name.
        """
        if not _RELEASE.fullmatch(self.release) or len(self.release) > _RELEASE_MAX:
            raise UserError(
                f"{self.release!r} cannot be a package's release",
                hint="letters, digits and dots, such as 1 or 394.el8"
                f" (at most {_RELEASE_MAX} characters)",
            )

    @property
    def marked(self) -> str:
        """The release with the mark behind it."""
        return f"{self.release}.{MARK}"

    @property
    def rpm_localversion(self) -> str:
        """What ``uname -r`` says behind the version: as in each kernel of the RPM kind."""
        return f"-{self.marked}.{self.arch.name}"

    @property
    def deb_localversion(self) -> str:
        """What ``uname -r`` says behind the version: it is part of the names of Debian's kind."""
        return f"-{self.marked}-{self.arch.debian}"

    def version(self, tree: BuiltTree, localversion: str) -> str:
        """Return the packages' version; one before a release sorts before it (``7.3.0~rc1``)."""
        extra = tree.release.removeprefix(tree.version).removesuffix(localversion)
        return f"{tree.version}~{extra[1:]}" if extra.startswith("-rc") else tree.version

    def deb_version(self, tree: BuiltTree) -> str:
        """Return the version of Debian's packages, with the epoch."""
        return f"{EPOCH}:{self.version(tree, self.deb_localversion)}-{self.marked}"
