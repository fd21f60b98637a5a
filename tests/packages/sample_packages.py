# SPDX-License-Identifier: GPL-2.0-or-later
"""Small packages with the names, versions and relations of kernels: ours, and a distribution's."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.packaging.deb import build_deb
from dynaccel.packaging.rpm import RpmRequest, build_rpms

if TYPE_CHECKING:
    from pathlib import Path

OUR_VERSION = "6.1.192"
OUR_RELEASE = "1.dynaccel"
OUR_EVR = f"1:{OUR_VERSION}-{OUR_RELEASE}"
KERNEL_RPMS = ("kernel", "kernel-core", "kernel-modules", "kernel-modules-extra")
"""What dnf installs beside what is there, not in its place; kernel-headers is replaced."""

_DATE = 1_700_000_000

_SPEC = """\
Name: kernel
{epoch}
Version: {version}
Release: {release}
Summary: The Linux kernel
License: GPL-2.0-only
ExclusiveArch: x86_64 aarch64
Provides: installonlypkg(kernel)
Requires: kernel-core-uname-r = %{{version}}-%{{release}}
Requires: kernel-modules-uname-r = %{{version}}-%{{release}}
%description
A kernel of a few lines of text: {content}.

%package core
Summary: The kernel itself
Provides: kernel-core-uname-r = %{{version}}-%{{release}}, installonlypkg(kernel)
%description core
The kernel itself.

%package modules
Summary: Its modules
Provides: kernel-modules-uname-r = %{{version}}-%{{release}}, installonlypkg(kernel-module)
Requires: kernel-core-uname-r = %{{version}}-%{{release}}
%description modules
Its modules.

%package modules-extra
Summary: Its other modules
Provides: installonlypkg(kernel-module)
Requires: kernel-core-uname-r = %{{version}}-%{{release}}
%description modules-extra
Its other modules.

%package devel
Summary: To build modules
Provides: installonlypkg(kernel)
%description devel
To build modules.

%package headers
Summary: For programs
%description headers
For programs.

%install
release=%{{version}}-%{{release}}
cd %{{buildroot}}
mkdir -p boot lib/modules/$release/extra usr/src/kernels/$release usr/include/linux
echo "{content}" >boot/vmlinuz-$release
echo "{content}" >lib/modules/$release/a.ko
echo "{content}" >lib/modules/$release/extra/b.ko
echo "{content}" >usr/src/kernels/$release/Makefile
echo "{content}" >usr/include/linux/version.h

%files
%files core
/boot/vmlinuz-*
%files modules
/lib/modules/*/a.ko
%files modules-extra
/lib/modules/*/extra
%files devel
/usr/src/kernels/*
%files headers
/usr/include/linux
"""

_CONTROL = """\
Package: {package}
Version: {version}
Architecture: amd64
Maintainer: Nobody <nobody@example.org>
Section: kernel
Priority: optional
{depends}Description: a kernel of a few lines of text
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """Packages of kernels; a test may be given real ones in their place.

    Attributes:
        rpms: kernel, -core, -modules, -modules-extra, -devel and -headers of ours.
        source: The .src.rpm of ours.
        debs: linux-image and linux-headers of ours, by version and as the packages that name them.
        stock_rpms: Two kernels of a distribution's, both with a higher version than ours.
        stock_debs: One of Debian's, with a higher version than ours.
    """

    rpms: tuple[Path, ...]
    source: Path
    debs: tuple[Path, ...]
    stock_rpms: tuple[Path, ...]
    stock_debs: tuple[Path, ...]


STOCK_RPM_RELEASES = (("6.11.4", "1.el8"), ("6.12.30", "1.el8"))
STOCK_DEB = "6.12.30-1"


def make_packages(directory: Path) -> Packages:
    """Make all packages below ``directory``."""
    ours = kernel_rpms(directory / "ours", OUR_VERSION, OUR_RELEASE, epoch=1)
    stock = [
        path
        for version, release in STOCK_RPM_RELEASES
        for path in kernel_rpms(directory / "stock", version, release)
        if not path.name.endswith(".src.rpm")
    ]
    (source,) = (path for path in ours if path.name.endswith(".src.rpm"))
    return Packages(
        rpms=tuple(path for path in ours if path != source),
        source=source,
        debs=kernel_debs(directory / "ours", f"{OUR_VERSION}-{OUR_RELEASE}", epoch=1),
        stock_rpms=tuple(stock),
        stock_debs=kernel_debs(directory / "stock", STOCK_DEB),
    )


def kernel_rpms(
    directory: Path, version: str, release: str, *, epoch: int = 0, content: str = "a kernel"
) -> tuple[Path, ...]:
    """Make the packages of a kernel, the source's among them, by rpmbuild."""
    spec = _SPEC.format(
        epoch=f"Epoch: {epoch}" if epoch else "", version=version, release=release, content=content
    )
    request = RpmRequest(
        name="kernel", spec=spec, source=True, target="x86_64", changed_seconds=_DATE
    )
    return build_rpms(request, directory, scratch=directory, on_line=lambda _: None)


def kernel_debs(directory: Path, version: str, *, epoch: int = 0) -> tuple[Path, ...]:
    """Make the packages of one of Debian's kernels: image and headers, and what names them."""
    whole = f"{epoch}:{version}" if epoch else version
    made = []
    for what in ("image", "headers"):
        real = f"linux-{what}-{version}-amd64"
        made.append(deb(directory, real, version))
        made.append(deb(directory, f"linux-{what}-amd64", whole, depends=f"{real} (= {version})"))
    return tuple(made)


def deb(
    directory: Path, package: str, version: str, *, depends: str = "", content: str = "a kernel"
) -> Path:
    """Make one .deb."""
    root = directory / f"root-{package}"
    (root / "DEBIAN").mkdir(parents=True)
    control = _CONTROL.format(
        package=package, version=version, depends=f"Depends: {depends}\n" if depends else ""
    )
    (root / "DEBIAN/control").write_text(control)
    (root / "usr/share" / package).mkdir(parents=True)
    (root / "usr/share" / package / "content").write_text(f"{content}\n")
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    made = build_deb(root, directory, changed_seconds=_DATE)
    shutil.rmtree(root)
    return made


def small_rpm(
    directory: Path, name: str, version: str, *, epoch: int = 0, content: str = "text"
) -> Path:
    """Make one .rpm for all architectures."""
    spec = f"""\
Name: {name}
{f"Epoch: {epoch}" if epoch else ""}
Version: {version}
Release: 1
Summary: Text
License: MIT
BuildArch: noarch
%description
Text.
%install
mkdir -p %{{buildroot}}/usr/share/{name}
echo "{content}" >%{{buildroot}}/usr/share/{name}/text
%files
/usr/share/{name}
"""
    request = RpmRequest(name=name, spec=spec, changed_seconds=_DATE)
    (made,) = build_rpms(request, directory, scratch=directory, on_line=lambda _: None)
    return made
