# SPDX-License-Identifier: GPL-2.0-or-later
"""What a built kernel is: its manifest and its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  (pydantic reads the annotation at run time)

MANIFEST = "manifest.json"
MODULES = "modules"
"""The directory of a kernel's modules, laid out as ``/lib/modules``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelManifest:
    """What is known of a built kernel; stands as ``manifest.json`` beside it.

    Attributes:
        id: Content hash (hex) of source, patch, configuration and compiler.
        release: What ``uname -r`` says in it.
        arch: Architecture as ``uname -m`` says it.
        accelerated: Whether it was built with CONFIG_DYNACCEL.
        source: Where the source came from, as a user would name it.
        compiler: First line of the compiler's ``--version``.
        created: When the build ended, ISO 8601 in UTC.
        build_seconds: Real time that the build took.
        image: Name of the file to boot.
        without: Names of the hooks that were left out of it, to see what breaks; ``hwtime`` when
            its drivers wait in virtual time.
        aside: Whether it was built for a comparison, so that it is meant by its id alone.
        modules: Whether modules belong to it.
    """

    id: str
    release: str
    arch: str
    accelerated: bool
    source: str
    compiler: str
    created: str
    build_seconds: float
    image: str = "vmlinux"
    without: tuple[str, ...] = ()
    aside: bool = False
    modules: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A built kernel on this machine.

    Attributes:
        directory: Where its files are (image, ``config``, ``dynaccel.patch``, ``build.log``, and
            ``modules`` when it has any).
        manifest: What is known of it.
    """

    directory: Path
    manifest: KernelManifest

    @property
    def image(self) -> Path:
        """The file to boot."""
        return self.directory / self.manifest.image

    @property
    def modules(self) -> Path | None:
        """Its modules, as ``/lib/modules/RELEASE`` has them; None when it has none."""
        if not self.manifest.modules:
            return None
        return self.directory / MODULES / self.manifest.release

    @property
    def short_id(self) -> str:
        """The first twelve digits of the id, as users see and type it."""
        return self.manifest.id[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTree:
    """A kernel's tree with its objects in place, for as long as the build stage holds it.

    Attributes:
        kernel: The kernel in the store that it was made again from.
        release: What ``uname -r`` says in it.
        version: The version of Linux, without what a build puts behind it.
        objects: The directory of the objects, right below the tree.
        image: The file that a boot loader loads, relative to the objects.
        target: What make makes for that.
        make: The words that call the kernel's make for it, in the surroundings of the build.
        portable: The same for any machine that has the compiler: no cache of objects, no path but
            ``linux`` for the tree.
        modular: Whether it has modules.
    """

    kernel: Kernel
    release: str
    version: str
    objects: Path
    image: str
    target: str
    make: tuple[str, ...]
    portable: str
    modular: bool

    @property
    def tree(self) -> Path:
        """The patched tree."""
        return self.objects.parent
