# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages of a kernel: image, headers, and what puts them before the stock ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import BuildError
from dynaccel.host import paths, process
from dynaccel.packaging.deb import build_deb, write_documents
from dynaccel.packaging.templates import render

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import BuiltTree
    from dynaccel.packaging.kernel.names import Naming

PROGRAMS = ("dpkg-deb",)
"""What making packages needs besides the tools of a build."""

_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


def deb_packages(
    tree: BuiltTree, naming: Naming, output: Path, *, reporter: Reporter
) -> tuple[Path, ...]:
    """Make the packages of a built tree, whose release ends as ``naming`` says; return their files.

    Args:
        tree: The built tree.
        naming: The packages' names.
        output: Directory for the packages.
        reporter: Hears what is done.

    Raises:
        MissingError: There is no dpkg-deb.
        BuildError: The kernel's own ``make modules_install`` failed.
        InfrastructureError: The disk is full.
    """
    reporter.info(f"packing Linux {tree.release} with dpkg-deb")
    scratch = tree.objects.parents[1]
    with tempfile.TemporaryDirectory(prefix=".deb.", dir=scratch) as directory:
        work = _Work(tree, naming, Path(directory), output)
        return (
            work.image(),
            work.headers(),
            work.latest("image-latest", f"linux-image-{naming.arch.debian}"),
            work.latest("headers-latest", f"linux-headers-{naming.arch.debian}"),
        )


class _Work:
    """The packages of one tree, staged one after the other."""

    def __init__(self, tree: BuiltTree, naming: Naming, scratch: Path, output: Path) -> None:
        self._tree = tree
        self._naming = naming
        self._scratch = scratch
        self._output = output
        self._image = f"linux-image-{tree.release}"
        self._headers = f"linux-headers-{tree.release}"
        self._changed = datetime.fromisoformat(tree.kernel.manifest.created)

    def image(self) -> Path:
        """Make the package of the kernel and its modules."""
        release, objects = self._tree.release, self._tree.objects
        root = self._scratch / "image"
        modules = root / "lib/modules" / release
        modules.mkdir(parents=True)
        if self._tree.modular:
            self._make(f"INSTALL_MOD_PATH={root}", "INSTALL_MOD_STRIP=1", "modules_install")
            for name in ("build", "source"):
                (modules / name).unlink(missing_ok=True)
        else:
            # No driver is a module; depmod still asks for these.
            for name in ("modules.order", "modules.builtin"):
                (modules / name).touch()
        boot = root / "boot"
        boot.mkdir()
        for source, name, mode in (
            (self._tree.image, "vmlinuz", 0o644),
            ("System.map", "System.map", 0o600),
            (".config", "config", 0o644),
        ):
            shutil.copyfile(objects / source, boot / f"{name}-{release}")
            (boot / f"{name}-{release}").chmod(mode)
        return self._pack("image", self._image, root, scripts=_SCRIPTS)

    def headers(self) -> Path:
        """Make the package of what modules are built against."""
        root = self._scratch / "headers"
        place = f"usr/src/{self._headers}"
        script = paths.data_dir("packaging") / "kernel/install-devel"
        arch = self._naming.arch.source
        process.run(["python3", script, self._tree.tree, self._tree.objects, arch, root / place])
        modules = root / "lib/modules" / self._tree.release
        modules.mkdir(parents=True)
        (modules / "build").symlink_to(f"/{place}")
        return self._pack("headers", self._headers, root)

    def latest(self, kind: str, package: str) -> Path:
        """Make a package that depends on the newest of its kind."""
        root = self._scratch / kind
        root.mkdir()
        return self._pack(kind, package, root)

    def _make(self, *words: str) -> None:
        done = process.run([*self._tree.make, "DEPMOD=true", *words], check=False)
        if done.returncode != 0:
            raise BuildError(
                f"the kernel's make failed at {words[-1]}",
                detail=process.tail(done.stderr or done.stdout),
                hint="is the disk full? dynaccel doctor",
            )

    def _pack(self, kind: str, package: str, root: Path, scripts: tuple[str, ...] = ()) -> Path:
        values: dict[str, Any] = {
            "kind": kind,
            "package": package,
            "image": self._image,
            "headers": self._headers,
            "uname": self._tree.release,
            "linux": self._tree.version,
            "version": self._naming.deb_version(self._tree),
            "arch": self._naming.arch.debian,
            "libc": "libc6",
            "source_label": self._label(),
            "year": self._changed.year,
            "changed": format_datetime(self._changed),
        }
        control = root / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(render("deb/kernel-control.j2", **values))
        for name in scripts:
            path = control / name
            path.write_text(render("deb/image.script.j2", script=name, **values))
            path.chmod(0o755)
        write_documents(
            root,
            package,
            copyright_text=render("deb/copyright.j2", **values),
            changelog=render("deb/changelog.j2", **values),
        )
        _open_directories(root)
        return build_deb(root, self._output, changed_seconds=int(self._changed.timestamp()))

    def _label(self) -> str:
        name = self._tree.kernel.manifest.source
        return Path(name).name if "/" in name else name


def _open_directories(root: Path) -> None:
    """Give directories the modes of a system's, whatever umask this process has."""
    for directory, _, _ in os.walk(root):
        Path(directory).chmod(0o755)
