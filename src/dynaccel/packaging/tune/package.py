# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings as packages: a .deb and an .rpm, both for all architectures."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dynaccel
from dynaccel.host import paths, process
from dynaccel.packaging.deb import build_deb, write_documents
from dynaccel.packaging.rpm import RpmRequest, build_rpms
from dynaccel.packaging.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.core.events import Reporter
    from dynaccel.packaging.tune.settings import TuneFile

NAME = "dynaccel-tune"
_SUMMARY = "settings for a system whose time flows faster"
_DESCRIPTION = (
    "Where time flows N times faster, a program computes N times less in each of",
    "its seconds, and time-outs that guard computing strike too early. This package",
    "scales those of systemd, udev, D-Bus and sshd for ratios up to {ratio}, and keeps",
    "time synchronisation and updates by the calendar off while time is accelerated.",
)
_CHANGED = datetime(2026, 11, 23, tzinfo=UTC)
"""When the settings last changed; all files of the packages have that date."""


def deb_package(files: Sequence[TuneFile], ratio: int, output: Path) -> Path:
    """Make the Debian package and return its file in ``output``.

    Raises:
        MissingError: There is no dpkg-deb.
        InfrastructureError: The disk is full.
    """
    values = _values(ratio)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / NAME
        _stage(files, root)
        control = root / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(render("tune/package/control.j2", **values))
        conffiles = "".join(f"/{file.vendor}\n" for file in files if file.conffile)
        (control / "conffiles").write_text(conffiles)
        for name in ("postinst", "postrm"):
            (control / name).write_text(render("tune/package/script.j2"))
        write_documents(
            root,
            NAME,
            copyright_text=render("tune/package/copyright.j2", **values),
            changelog=render("tune/package/changelog.j2", **values),
        )
        _fix_modes(root)
        return build_deb(root, output, changed_seconds=int(_CHANGED.timestamp()))


def rpm_package(files: Sequence[TuneFile], ratio: int, output: Path, *, reporter: Reporter) -> Path:
    """Make the RPM package and return its file in ``output``.

    Raises:
        MissingError: There is no rpmbuild, or no tar.
        BuildError: rpmbuild failed.
        InfrastructureError: The disk is full.
    """
    kinds = {True: "%config(noreplace) ", False: ""}
    entries = sorted((str(file.vendor), kinds[file.conffile]) for file in files)
    entries += [(path, "%dir ") for path in _own_directories(files)]
    with tempfile.TemporaryDirectory() as directory:
        root, archive = Path(directory) / "root", Path(directory) / "files.tar"
        _stage(files, root)
        _fix_modes(root)
        process.run(["tar", "--create", "--sort=name", f"--file={archive}", f"--directory={root}",
                     "."])  # fmt: skip
        request = RpmRequest(
            name=NAME,
            spec=render("tune/package/tune.spec.j2", entries=entries, **_values(ratio)),
            sources={"files.tar": archive},
            target="noarch",
            changed_seconds=int(_CHANGED.timestamp()),
        )
        (made,) = build_rpms(
            request, output, scratch=paths.cache_dir() / "tune", on_line=reporter.info
        )
    return made


def _stage(files: Sequence[TuneFile], root: Path) -> None:
    for file in files:
        path = root / file.vendor
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")


def _fix_modes(root: Path) -> None:
    # Whatever umask this process has.
    for directory, _, names in os.walk(root):
        Path(directory).chmod(0o755)
        for name in names:
            script = Path(directory).name == "DEBIAN" and name in {"postinst", "postrm"}
            Path(directory, name).chmod(0o755 if script else 0o644)


def _own_directories(files: Sequence[TuneFile]) -> list[str]:
    """Return the directories of drop-ins of units, which no other package need have."""
    parents = {str(file.vendor.parent) for file in files}
    return sorted(parent for parent in parents if "/system/" in parent or ".conf.d" in parent)


def _values(ratio: int) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": dynaccel.__version__,
        "ratio": ratio,
        "summary": _SUMMARY,
        "description": [line.format(ratio=ratio) for line in _DESCRIPTION],
        "year": _CHANGED.year,
        "changed": format_datetime(_CHANGED),
        "day": _CHANGED.strftime("%a %b %d %Y"),
    }
