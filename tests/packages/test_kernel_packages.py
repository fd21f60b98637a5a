# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the kernel under test: what is in them, and what the real tools make of them."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.errors import DynaccelError
from dynaccel.host import kernels as store
from dynaccel.host import paths
from dynaccel.packaging.rpm import RpmRequest, build_rpms
from kernel_packages import kernel_packages

from .repo_lab import Keys, missing, publish
from .test_repo_dnf import Root, sections

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel

    from .sample_packages import Packages

pytestmark = pytest.mark.packages
RPMS = ("kernel", "kernel-core", "kernel-devel", "kernel-headers", "kernel-modules",
        "kernel-modules-extra")  # fmt: skip
INSTALLED = ("kernel", "kernel-core", "kernel-modules", "kernel-modules-extra")
# What a root needs for our packages' scripts: one static program, and the names of its package.
_BASE_SPEC = """\
Name: base
Version: 1
Release: 1
Summary: A root file system of one program
License: GPL-2.0-only
Provides: coreutils = 1, kmod = 1
%description
A root file system of one program.
%install
mkdir -p %{buildroot}/bin %{buildroot}/sbin %{buildroot}/boot
cp %{busybox} %{buildroot}/bin/busybox
for name in sh rm cp mkdir touch chmod; do ln -s busybox %{buildroot}/bin/$name; done
ln -s ../bin/busybox %{buildroot}/sbin/depmod
printf '#!/bin/sh\\ncp "$3" "$4" && chmod "$2" "$4"\\n' > %{buildroot}/bin/install
chmod 755 %{buildroot}/bin/install
%files
/bin/*
/sbin/*
%dir /boot
"""


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    """Return the kernel of $DYNACCEL_TEST_KERNEL, else the newest accelerated one."""
    if reason := missing("rpmbuild", "dpkg-deb"):
        pytest.skip(reason)
    try:
        return store.resolve(os.environ.get("DYNACCEL_TEST_KERNEL") or None)
    except DynaccelError as error:
        pytest.skip(f"{error.message}: {error.hint}")


@pytest.fixture(scope="session")
def made(kernel: Kernel) -> Path:
    return kernel_packages(kernel)


@pytest.fixture(scope="session")
def version(kernel: Kernel) -> str:
    return kernel.manifest.release.partition("-")[0]


def query(package: Path, form: str) -> str:
    done = subprocess.run(
        ["rpm", "-qp", "--qf", form, package], capture_output=True, text=True, check=True
    )
    return done.stdout


def rpm(made: Path, name: str, version: str) -> Path:
    (found,) = made.glob(f"{name}-{version}-*.rpm")
    return found


def deb(made: Path, start: str) -> Path:
    (found,) = made.glob(f"{start}*.deb")
    return found


def release_in(image: bytes) -> str:
    """Return what a bzImage says its release is (Documentation/arch/x86/boot.rst)."""
    assert image[0x202:0x206] == b"HdrS"
    at = struct.unpack_from("<H", image, 0x20E)[0] + 0x200
    return image[at : image.index(b" ", at)].decode()


def test_rpms_have_the_names_of_a_distributions_and_an_epoch(made: Path, version: str) -> None:
    for name in RPMS:
        package = rpm(made, name, version)
        assert query(package, "%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}") == (
            f"{name} 1:{version}-1.dynaccel"
        )


def test_the_image_says_the_release_that_the_packages_are_named_by(
    made: Path, version: str, tmp_path: Path
) -> None:
    core = rpm(made, "kernel-core", version)
    archive = subprocess.run(["rpm2cpio", core], capture_output=True, check=True).stdout
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive, cwd=tmp_path, check=True)
    release = f"{version}-1.dynaccel.x86_64"
    directory = tmp_path / "lib/modules" / release
    assert release_in((directory / "vmlinuz").read_bytes()) == release
    config = (directory / "config").read_text()
    assert "CONFIG_DYNACCEL=y" in config
    assert f'CONFIG_LOCALVERSION="{release.removeprefix(version)}"' in config
    assert gzip.decompress((directory / "symvers.gz").read_bytes()).count(b"\n") > 1000
    image = deb(made, f"linux-image-{version}-")
    subprocess.run(["dpkg-deb", "--extract", image, tmp_path / "deb"], check=True)
    release = f"{version}-1.dynaccel-amd64"
    boot = tmp_path / "deb/boot"
    assert release_in((boot / f"vmlinuz-{release}").read_bytes()) == release
    assert image.name == f"linux-image-{release}_{version}-1.dynaccel_amd64.deb"


def test_the_headers_of_the_interface_are_in_the_package(made: Path, version: str) -> None:
    listed = query(rpm(made, "kernel-headers", version), "[%{FILENAMES}\n]").splitlines()
    assert {"/usr/include/linux/time.h", "/usr/include/asm/unistd.h"} <= set(listed)
    assert not [name for name in listed if Path(name).name.startswith(".")]


def test_a_module_is_built_against_the_headers_and_fits_the_kernel(
    made: Path, version: str, tmp_path: Path
) -> None:
    if reason := missing("gcc", "make", "modinfo"):
        pytest.skip(reason)
    release = f"{version}-1.dynaccel-amd64"
    subprocess.run(
        ["dpkg-deb", "--extract", deb(made, f"linux-headers-{version}-"), tmp_path], check=True
    )
    module = tmp_path / "module"
    module.mkdir()
    (module / "Makefile").write_text("obj-m := tiny.o\n")
    (module / "tiny.c").write_text(
        "#include <linux/module.h>\n#include <linux/jiffies.h>\n"
        "static int __init tiny_init(void) { return jiffies == 0; }\n"
        "static void __exit tiny_exit(void) { }\n"
        'module_init(tiny_init); module_exit(tiny_exit); MODULE_LICENSE("GPL");\n'
    )
    headers = tmp_path / "usr/src" / f"linux-headers-{release}"
    done = subprocess.run(
        ["make", "-C", headers, f"M={module}", "modules"],
        capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr, done.stderr
    info = subprocess.run(
        ["modinfo", "-F", "vermagic", module / "tiny.ko"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert info.stdout.split()[0] == release


def test_lintian_finds_no_error(made: Path, version: str) -> None:
    if reason := missing("lintian"):
        pytest.skip(reason)
    packages = [deb(made, f"linux-image-{version}-"), deb(made, "linux-image-amd64"),
                deb(made, "linux-headers-amd64")]  # fmt: skip
    done = subprocess.run(
        ["lintian", "--allow-root", "--tag-display-limit", "0", *packages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [re.sub(r" \[.*", "", line) for line in done.stdout.splitlines()]
    # Addresses inside the kernel are for root alone, as in Debian's own packages.
    assert said == [
        f"W: linux-image-{version}-1.dynaccel-amd64: non-standard-file-perm 0600 != 0644"
    ], done.stdout + done.stderr


def test_rpmlint_finds_no_error(made: Path) -> None:
    if reason := missing("rpmlint"):
        pytest.skip(reason)
    reasons = paths.data_dir("packaging") / "rpm/kernel.rpmlintrc"
    done = subprocess.run(
        ["rpmlint", "--rpmlintrc", reasons, *sorted(made.glob("*.rpm"))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if " E: " in line]
    assert errors == [], done.stdout
    assert "6 packages" in done.stdout


@pytest.mark.skipif(bool(missing("dnf", "busybox")), reason=missing("dnf", "busybox"))
def test_dnf_update_puts_our_kernel_in_place_of_higher_versions(
    made: Path, version: str, open_place: Path, keys: Keys, kernels: Packages
) -> None:
    """The real packages, with their scripts, over two stock kernels of higher versions."""
    place = open_place / "real"
    stock = place / "stock"
    build_rpms(
        RpmRequest(name="base", spec=_BASE_SPEC, defines={"busybox": str(shutil.which("busybox"))}),
        stock,
        scratch=place / "scratch",
    )
    for path in kernels.stock_rpms:
        shutil.copy(path, stock)
    subprocess.run(["createrepo_c", "--quiet", stock], check=True)
    root = Root(place / "root")
    root.add("stock", f"[stock]\nname=stock\nbaseurl=file://{stock}\ngpgcheck=0\n")
    for number in ("6.11.4-1.el8", "6.12.30-1.el8"):
        wanted = [f"{name}-{number}" for name in (*INSTALLED, "kernel-headers")]
        done = root.dnf("install", "base", *wanted)
        assert done.returncode == 0, done.stdout + done.stderr
    publish(place / "repo", keys, *made.glob("*.rpm"))
    root.add("dynaccel", (place / "repo/dynaccel.repo").read_text())
    done = root.dnf("update")
    assert done.returncode == 0, done.stdout + done.stderr
    ours = f"1:{version}-1.dynaccel"
    table = sections(done.stdout)
    assert table["Installing"] == dict.fromkeys(INSTALLED, ours)
    assert table["Upgrading"] == {"kernel-headers": ours}
    assert set(table["Removing"].values()) == {"6.11.4-1.el8"}
    release = f"{version}-1.dynaccel.x86_64"
    image = root.top / "boot" / f"vmlinuz-{release}"
    assert release_in(image.read_bytes()) == release, "the package's script puts it there"
    done = root.dnf("remove", f"kernel-core-{ours}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not image.exists()
    assert not (root.top / "lib/modules" / release).exists(), "nothing is left of it"
