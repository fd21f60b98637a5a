# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages of a directory that holds what is to be installed, by dpkg-deb."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import InfrastructureError
from dynaccel.host import process

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELD = re.compile(r"^(Package|Version|Architecture): (.+)$", re.MULTILINE)
_SIZE_UNIT = 1024


def build_deb(root: Path, output: Path, *, changed_seconds: int) -> Path:
    """Build the package of a staged root and return its file in ``output``.

    The same root gives the same package. Owners become root; modes count as they are; what is
    younger than ``changed_seconds`` gets that date.

    Args:
        root: What is installed, with ``DEBIAN/control`` and, where there are any, maintainer
            scripts beside it. ``Installed-Size`` and ``md5sums`` are added there.
        output: Directory for the package.
        changed_seconds: When its content last changed, in seconds since 1970.

    Raises:
        MissingError: There is no dpkg-deb.
        ProcessError: The control file is wrong.
        InfrastructureError: The disk is full.
    """
    control = root / "DEBIAN" / "control"
    text = control.read_text(encoding="utf-8")
    fields = dict(_FIELD.findall(text))
    files = list(_files(root))
    kib = sum(1 + path.lstat().st_size // _SIZE_UNIT for path in files)
    sums = "".join(f"{_md5(path)}  {path.relative_to(root)}\n" for path in files if _plain(path))
    try:
        write_atomic(control, f"{text.rstrip()}\nInstalled-Size: {kib}\n".encode())
        write_atomic(root / "DEBIAN" / "md5sums", sums.encode())
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {output}: {error.strerror}", hint="name another --output"
        ) from error
    for name in ("DEBIAN/control", "DEBIAN/md5sums"):
        (root / name).chmod(0o644)
    version = fields["Version"].partition(":")[2] or fields["Version"]
    package = output / f"{fields['Package']}_{version}_{fields['Architecture']}.deb"
    staged = output / f".{package.name}.new"
    try:
        process.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, staged],
            env={"LC_ALL": "C", "SOURCE_DATE_EPOCH": str(changed_seconds)},
        )
        staged.replace(package)
    finally:
        staged.unlink(missing_ok=True)
    return package


def write_documents(root: Path, package: str, *, copyright_text: str, changelog: str) -> None:
    """Put into a staged root what each package of Debian has below ``/usr/share/doc``.

    Args:
        root: The staged root.
        package: The package's name.
        copyright_text: In Debian's machine-readable format.
        changelog: In Debian's format; it is compressed.
    """
    directory = root / "usr/share/doc" / package
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "copyright").write_text(copyright_text, encoding="utf-8")
    packed = gzip.compress(changelog.encode(), compresslevel=9, mtime=0)
    (directory / "changelog.Debian.gz").write_bytes(packed)
    for path in (directory, *directory.parents):
        if path == root:
            break
        path.chmod(0o755)
    for path in directory.iterdir():
        path.chmod(0o644)


def _files(root: Path) -> Iterator[Path]:
    """Yield all files and links that are installed, in a fixed order."""
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if Path(directory, name) != root / "DEBIAN")
        for name in sorted(files):
            yield Path(directory, name)


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()
