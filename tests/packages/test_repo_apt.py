# SPDX-License-Identifier: GPL-2.0-or-later
"""The real apt, in roots of its own, against repositories on a real web server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from debian_roots import directory
from dynaccel.vm.debian_image import Debian

from .repo_lab import Keys, copy_of, flip, free_port, get, missing, publish, served
from .sample_packages import OUR_EVR, OUR_RELEASE, OUR_VERSION, STOCK_DEB, Packages, deb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(bool(missing("apt-get", "nginx")), reason=missing("apt-get", "nginx")),
]
OUR_KERNEL = f"{OUR_VERSION}-{OUR_RELEASE}"
STOCK = {
    f"linux-headers-{STOCK_DEB}-amd64": STOCK_DEB,
    f"linux-image-{STOCK_DEB}-amd64": STOCK_DEB,
    "linux-headers-amd64": STOCK_DEB,
    "linux-image-amd64": STOCK_DEB,
}
UPGRADED = {
    **STOCK,
    f"linux-headers-{OUR_KERNEL}-amd64": OUR_KERNEL,
    f"linux-image-{OUR_KERNEL}-amd64": OUR_KERNEL,
    "linux-headers-amd64": OUR_EVR,
    "linux-image-amd64": OUR_EVR,
}


@dataclass(frozen=True, slots=True)
class Root:
    """A root with dpkg's and apt's directories, and an apt that uses nothing else."""

    top: Path

    def make(self) -> Root:
        for name in (
            "etc/apt/sources.list.d", "etc/apt/preferences.d", "etc/apt/apt.conf.d",
            "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg/info",
            "var/lib/dpkg/updates", "var/log/apt",
        ):  # fmt: skip
            (self.top / name).mkdir(parents=True, exist_ok=True)
        (self.top / "var/lib/dpkg/status").touch()
        (self.top / "apt.conf").write_text(
            f'Dir "{self.top}";\nDir::State::status "{self.top}/var/lib/dpkg/status";\n'
            'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n'
            'APT::Sandbox::User "root";\nAcquire::Retries "0";\n'
            f'DPkg::Options {{ "--root={self.top}"; "--force-unsafe-io"; }};\n'
        )
        return self

    def apt(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["apt-get", "--yes", *words], capture_output=True, text=True, check=False,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"], "DEBIAN_FRONTEND": "noninteractive",
                 "APT_CONFIG": f"{self.top}/apt.conf"},
        )  # fmt: skip

    def add(self, sources: str) -> None:
        (self.top / "etc/apt/sources.list.d/dynaccel.sources").write_text(sources)

    def installed(self) -> dict[str, str]:
        listed = subprocess.run(
            ["dpkg-query", f"--admindir={self.top}/var/lib/dpkg", "--show",
             "--showformat=${Package} ${Version}\n", "linux-*"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return dict(line.split() for line in listed.stdout.splitlines())


@pytest.fixture
def root(place: Path, kernels: Packages) -> Root:
    """Return a root with a kernel of Debian's, of a higher version than ours."""
    root = Root(place / "root").make()
    subprocess.run(
        ["dpkg", f"--root={root.top}", "--force-unsafe-io", "--install",
         *map(str, kernels.stock_debs)],
        check=True, capture_output=True,
    )  # fmt: skip
    assert root.installed() == STOCK
    return root


def listed(transaction: str, heading: str) -> set[str]:
    """Return the packages that apt lists below a heading."""
    found = re.search(rf"{heading}:\n((?:  .*\n)+)", transaction)
    return set(found[1].split()) if found else set()


def test_our_kernel_is_the_upgrade_of_a_higher_version(
    root: Root, kernels: Packages, keys: Keys, place: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    publish(place / "repo", keys, *kernels.debs, url=url)
    with served(place / "repo", place / "nginx", port):
        root.add(get(url, "dynaccel.sources").decode())
        updated = root.apt("update")
        assert updated.returncode == 0, updated.stderr
        assert "W:" not in updated.stderr
        done = root.apt("upgrade", "--with-new-pkgs")
        assert done.returncode == 0, done.stdout + done.stderr
        again = root.apt("update")
    assert listed(done.stdout, "The following NEW packages will be installed") == {
        f"linux-headers-{OUR_KERNEL}-amd64",
        f"linux-image-{OUR_KERNEL}-amd64",
    }
    assert listed(done.stdout, "The following packages will be upgraded") == {
        "linux-headers-amd64",
        "linux-image-amd64",
    }
    assert root.installed() == UPGRADED
    assert "Hit:1 " in again.stdout


def dist(repository: Path) -> Path:
    return repository / "deb/dists/stable"


def tamper_package(repository: Path, _: Keys) -> None:
    (found,) = (repository / "pool/deb").glob("*/linux-image-6.1*.deb")
    flip(found)


def tamper_list(repository: Path, _: Keys) -> None:
    for path in (dist(repository) / "main/binary-amd64").rglob("*"):
        if path.is_file():
            flip(path, at=50)


def tamper_release(repository: Path, _: Keys) -> None:
    for name in ("Release", "InRelease"):
        path = dist(repository) / name
        path.write_text(path.read_text().replace("Label: dynaccel", "Label: dynacce1"))


def sign_with_another_key(repository: Path, other: Keys) -> None:
    for name, how in (("InRelease", "--clear-sign"), ("Release.gpg", "--detach-sign")):
        signed = dist(repository) / name
        signed.unlink()
        other.gpg("--armor", "--output", str(signed), how, str(dist(repository) / "Release"))


def strip_signatures(repository: Path, _: Keys) -> None:
    (dist(repository) / "InRelease").unlink()
    (dist(repository) / "Release.gpg").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (tamper_package, "Hash Sum mismatch"),
        (tamper_list, "Hash Sum mismatch"),
        (tamper_release, "The following signatures were invalid: BADSIG"),
        (sign_with_another_key, "because the public key is not available: NO_PUBKEY"),
        (strip_signatures, "is not signed"),
    ],
)
def test_what_was_tampered_with_is_refused(
    root: Root, published: Path, other_keys: Keys, spoil: Callable[[Path, Keys], None], said: str
) -> None:
    place = root.top.parent
    repository = copy_of(published, place / "repo")
    spoil(repository, other_keys)
    port = free_port()
    with served(repository, place / "nginx", port) as url:
        sources = (repository / "dynaccel.sources").read_text()
        root.add(sources.replace(f"file://{published}", url))
        updated = root.apt("update")
        done = root.apt("install", "linux-image-amd64")
    assert said in updated.stderr + done.stderr
    if spoil is tamper_package:
        assert updated.returncode == 0
        assert done.returncode != 0
    else:
        assert updated.returncode != 0
    assert root.installed() == STOCK


@pytest.mark.parametrize("key", ["of somebody else", "none"])
def test_a_client_without_the_key_refuses(
    root: Root, published: Path, other_keys: Keys, key: str
) -> None:
    sources = (published / "dynaccel.sources").read_text().partition("Signed-By:")[0]
    if key == "of somebody else":
        text = other_keys.gpg("--armor", "--export").strip()
        block = "\n".join(f" {line}" if line else " ." for line in text.splitlines())
        sources += f"Signed-By:\n{block}\n"
    root.add(sources)
    updated = root.apt("update")
    assert updated.returncode != 0
    assert "NO_PUBKEY" in updated.stderr
    root.apt("install", "linux-image-amd64")
    assert root.installed() == STOCK


def test_two_publications_within_a_second_are_told_apart(
    root: Root, keys: Keys, place: Path
) -> None:
    """apt asks for what changed since a date of whole seconds."""
    port = free_port()
    packages = [deb(place, f"linux-tool-{number}", "1-1") for number in range(4)]
    with served(place, place / "nginx", port) as url:
        for number, package in enumerate(packages):
            publish(place / "repo", keys, package, url=f"{url}/repo")
            dates = (place / "repo/deb/dists/stable/InRelease").stat()
            if number == 0:
                first = int(dates.st_mtime)
                root.add((place / "repo/dynaccel.sources").read_text())
            assert int(dates.st_mtime) >= first + number
            assert root.apt("update").returncode == 0
            done = root.apt("install", f"linux-tool-{number}")
            assert done.returncode == 0, done.stderr


def test_a_list_that_was_read_before_still_leads_to_the_packages(
    root: Root, keys: Keys, place: Path
) -> None:
    repository = place / "repo"
    publish(repository, keys, deb(place, "linux-tool", "1-1"))
    root.add((repository / "dynaccel.sources").read_text())
    assert root.apt("update").returncode == 0
    publish(repository, keys, deb(place, "linux-tool", "2-1"), keep=1)
    assert root.apt("install", "linux-tool").returncode == 0
    assert root.installed()["linux-tool"] == "1-1"
    assert root.apt("update").returncode == 0
    assert root.apt("upgrade").returncode == 0
    assert root.installed()["linux-tool"] == "2-1"


@pytest.fixture(scope="module")
def debian() -> Path:
    """Return a Debian of the required packages with apt, made once."""
    return directory(Debian(base=()))


def test_a_debian_upgrades_to_our_kernel_over_http(
    debian: Path, kernels: Packages, keys: Keys, place: Path
) -> None:
    top = place / "debian"
    subprocess.run(["cp", "-a", "--reflink=auto", str(debian), str(top)], check=True)
    (top / "stock").mkdir()
    for package in kernels.stock_debs:
        shutil.copy(package, top / "stock")
    (top / "etc/apt/sources.list").write_text("")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    publish(place / "repo", keys, *kernels.debs, url=url)
    with served(place / "repo", place / "nginx", port):
        script = f"""set -ex
            dpkg --install /stock/*.deb
            dpkg --compare-versions {STOCK_DEB} gt {OUR_KERNEL}
            mkdir -p /var/cache/apt/archives/partial
            apt-get update
            apt-get --yes upgrade --with-new-pkgs
            dpkg-query --show 'linux-image*'"""
        sources = top / "etc/apt/sources.list.d/dynaccel.sources"
        sources.write_bytes(get(url, "dynaccel.sources"))
        done = subprocess.run(
            ["chroot", str(top), "/bin/sh", "-c", script], capture_output=True, text=True,
            check=False,
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                 "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"linux-image-amd64\t{OUR_EVR}" in done.stdout
    assert f"linux-image-{OUR_KERNEL}-amd64\t{OUR_KERNEL}" in done.stdout
