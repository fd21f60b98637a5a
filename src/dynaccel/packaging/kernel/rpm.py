# SPDX-License-Identifier: GPL-2.0-or-later
"""RPM packages of a kernel, and the source package that makes them again."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.host import paths
from dynaccel.packaging.kernel.names import EPOCH
from dynaccel.packaging.rpm import RpmRequest, build_rpms
from dynaccel.packaging.templates import render

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import BuiltTree
    from dynaccel.packaging.kernel.names import Naming

PROGRAMS = ("rpmbuild", "rsync")
"""What making binary packages needs besides the tools of a build: headers are copied by rsync."""

_SCRIPTS = ("split-modules", "install-devel")


def rpm_packages(
    tree: BuiltTree,
    naming: Naming,
    output: Path,
    *,
    pristine: Path | None,
    binary: bool = True,
    reporter: Reporter,
) -> tuple[Path, ...]:
    """Make the packages of a built tree, whose release ends as ``naming`` says; return their files.

    Args:
        tree: The built tree.
        naming: The packages' names.
        output: Directory for the packages.
        pristine: The archive of the unpatched source, for a source package; None: none is made.
        binary: Whether packages that are installed are made.
        reporter: Hears what rpmbuild is about.

    Raises:
        MissingError: There is no rpmbuild.
        BuildError: rpmbuild failed.
        InfrastructureError: The disk is full.
    """
    source = pristine or Path("linux.tar")  # named, not read, where no source package is made
    scripts = paths.data_dir("packaging") / "kernel"
    filed = tree.kernel.directory / "dynaccel.patch"
    request = RpmRequest(
        name="kernel",
        spec=spec(tree, naming, source_name=_source_name(source, tree)),
        sources={
            _source_name(source, tree): source,
            "kernel.config": tree.objects / ".config",
            "dynaccel.patch": filed if filed.exists() else Path("/dev/null"),
            **{name: scripts / name for name in _SCRIPTS},
        },
        binary=binary,
        source=pristine is not None,
        built=True,
        target=naming.arch.name,
        defines={
            "kernel_objects": str(tree.objects),
            "kernel_make": shlex.join(tree.make).replace("%", "%%"),
        },
        changed_seconds=int(_created(tree).timestamp()),
    )
    reporter.info(f"packing Linux {tree.release} with rpmbuild")
    return build_rpms(request, output, scratch=tree.objects.parents[1])


def spec(tree: BuiltTree, naming: Naming, *, source_name: str) -> str:
    """Return the text of the spec file."""
    return render(
        "rpm/kernel.spec.j2",
        uname=tree.release,
        epoch=EPOCH,
        version=naming.version(tree, naming.rpm_localversion),
        release=naming.marked,
        arch=naming.arch.name,
        source_arch=naming.arch.source,
        source=source_name,
        source_label=_label(tree),
        make=tree.portable.replace("%", "%%"),
        target=tree.target,
        image=tree.image,
        modular=tree.modular,
        builtin_modinfo=tree.modular and (tree.objects / "modules.builtin.modinfo").exists(),
        changed=f"{_created(tree):%a %b %d %Y}",
    )


def _source_name(source: Path, tree: BuiltTree) -> str:
    """Return how the spec calls the archive: by the version, whatever its file is called."""
    return f"linux-{tree.version}{''.join(s for s in source.suffixes if s in _SUFFIXES)}"


_SUFFIXES = frozenset({".tar", ".gz", ".xz", ".bz2", ".zst", ".tgz", ".txz"})


def _label(tree: BuiltTree) -> str:
    """Return the source in a form that tells nothing of this machine's directories."""
    name = tree.kernel.manifest.source
    return Path(name).name if "/" in name else name


def _created(tree: BuiltTree) -> datetime:
    return datetime.fromisoformat(tree.kernel.manifest.created)
