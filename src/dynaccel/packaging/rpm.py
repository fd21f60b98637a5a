# SPDX-License-Identifier: GPL-2.0-or-later
"""RPM packages of a spec file and its sources, by rpmbuild."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import BuildError, InfrastructureError
from dynaccel.host import process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FULL = "No space left on device"


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmRequest:
    """What rpmbuild is to make.

    Attributes:
        name: Name of the spec file, without its suffix.
        spec: Text of the spec file.
        sources: What the spec calls its sources and patches, by name.
        binary: Make the packages that are installed.
        source: Make the source package.
        built: What ``%build`` would make is there: ``%prep`` is left out.
        target: Architecture of the packages, as ``uname -m`` says it; None: this machine's.
        defines: Macros that are set.
        changed_seconds: When its content last changed, in seconds since 1970.
    """

    name: str
    spec: str
    sources: Mapping[str, Path] = field(default_factory=dict)
    binary: bool = True
    source: bool = False
    built: bool = False
    target: str | None = None
    defines: Mapping[str, str] = field(default_factory=dict)
    changed_seconds: int = 0


def build_rpms(
    request: RpmRequest,
    output: Path,
    *,
    scratch: Path,
    on_line: Callable[[str], None] | None = None,
) -> tuple[Path, ...]:
    """Run rpmbuild and return the packages, which lie in ``output`` then, sorted by name.

    Args:
        request: What to make.
        output: Directory for the packages.
        scratch: Directory with room for all that is built on the way; nothing stays there.
        on_line: Hears each line that rpmbuild writes; None: nobody does.

    Raises:
        MissingError: There is no rpmbuild.
        BuildError: rpmbuild failed; the detail has its last lines.
        InfrastructureError: The disk is full.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {error.filename}: {error.strerror}", hint="name another --output"
        ) from error
    with tempfile.TemporaryDirectory(prefix=".rpmbuild.", dir=scratch) as directory:
        top = Path(directory)
        for name in ("SOURCES", "SPECS", "RPMS", "SRPMS", "BUILD", "tmp"):
            (top / name).mkdir()
        spec = top / "SPECS" / f"{request.name}.spec"
        spec.write_text(request.spec, encoding="utf-8")
        for name, path in request.sources.items():
            (top / "SOURCES" / name).symlink_to(path.resolve())
        lines: list[str] = []

        def hear(line: str) -> None:
            lines.append(line)
            if on_line is not None:
                on_line(line)

        status = process.follow(
            _argv(request, top, spec),
            on_line=hear,
            env={"LC_ALL": "C", "SOURCE_DATE_EPOCH": str(request.changed_seconds)},
        )
        if status != 0:
            raise _failure(request, lines, status, scratch)
        made = sorted([*(top / "RPMS").rglob("*.rpm"), *(top / "SRPMS").glob("*.rpm")])
        for package in made:
            _move(package, output)
    return tuple(output / package.name for package in made)


def _argv(request: RpmRequest, top: Path, spec: Path) -> list[str]:
    kind = {(True, True): "-ba", (True, False): "-bb", (False, True): "-bs"}[
        request.binary, request.source
    ]
    macros = {
        "_topdir": str(top),
        "_tmppath": str(top / "tmp"),
        # Nothing of the machine or the moment goes into a package.
        "_buildhost": "dynaccel",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
        **request.defines,
    }
    return [
        "rpmbuild", kind,
        # What the build needs is looked for before, by what is there: on a machine of another kind
        # rpm's own list of packages is empty.
        "--nodeps",
        *(["--noprep"] if request.built else []),
        *(["--target", request.target] if request.target else []),
        *(word for name, value in macros.items() for word in ("--define", f"{name} {value}")),
        str(spec),
    ]  # fmt: skip


def _move(package: Path, output: Path) -> None:
    staged = output / f".{package.name}.new"
    try:
        shutil.copyfile(package, staged)
        staged.replace(output / package.name)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {output / package.name}: {error.strerror}", hint="free some room"
        ) from error
    finally:
        staged.unlink(missing_ok=True)


def _failure(
    request: RpmRequest, lines: list[str], status: int, scratch: Path
) -> BuildError | InfrastructureError:
    detail = process.tail("\n".join(lines))
    if any(_FULL in line for line in lines):
        return InfrastructureError(
            f"the disk is full: {scratch}", hint="free some room: dynaccel kernel clean"
        )
    return BuildError(
        f"rpmbuild failed with status {status} at the package {request.name}",
        detail=detail,
        hint="the lines above say at which step of the spec file",
    )
