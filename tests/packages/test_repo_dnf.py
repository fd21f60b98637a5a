# SPDX-License-Identifier: GPL-2.0-or-later
"""The real dnf, in roots of its own, against repositories on a real web server."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .repo_lab import Keys, copy_of, flip, free_port, get, missing, publish, served
from .sample_packages import KERNEL_RPMS, OUR_EVR, Packages, small_rpm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(bool(missing("dnf", "nginx")), reason=missing("dnf", "nginx")),
]
OLD, HIGH = "6.11.4-1.el8", "6.12.30-1.el8"
OURS = OUR_EVR.removeprefix("1:")


@dataclass(frozen=True, slots=True)
class Root:
    """A root file system with an rpm database and dnf's configuration."""

    top: Path

    def dnf(self, *words: str) -> subprocess.CompletedProcess[str]:
        etc = self.top / "etc"
        return subprocess.run(
            [
                "dnf", f"--installroot={self.top}", f"--config={etc}/dnf.conf", "--releasever=8",
                "--forcearch=x86_64", "--noplugins", "--assumeyes", *words,
            ],
            capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": _PATH},
        )  # fmt: skip

    def add(self, name: str, text: str) -> None:
        repos = self.top / "etc/repos"
        repos.mkdir(parents=True, exist_ok=True)
        (repos / f"{name}.repo").write_text(text)
        (self.top / "etc/dnf.conf").write_text(
            f"[main]\ngpgcheck=1\ninstallonly_limit=2\nreposdir={repos}\n"
            "cachedir=/var/cache/dnf\nlogdir=/var/log\nretries=1\n"
        )

    def installed(self, name: str = "", form: str = "%{NAME} %{VERSION}-%{RELEASE}\n") -> list[str]:
        done = subprocess.run(
            ["rpm", f"--root={self.top}", "-q", *([name] if name else ["-a"]), "--qf", form],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return sorted(line for line in done.stdout.splitlines() if "gpg-pubkey" not in line)


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def sections(transaction: str) -> dict[str, dict[str, str]]:
    """Return dnf's table of a transaction: what happens -> name -> version."""
    table: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in transaction.partition("Transaction Summary")[0].splitlines():
        if heading := re.fullmatch(r"([A-Z][a-z ]+):", line):
            current = table.setdefault(heading[1], {})
        elif (words := line.split()) and line.startswith(" ") and words[0].startswith("kernel"):
            current[words[0]] = words[2]
    return table


@pytest.fixture(scope="session")
def stock(open_place: Path, kernels: Packages) -> Root:
    """Return a root with two kernels of a distribution's, and that distribution's repository."""
    repository = open_place / "stock-rpms"
    repository.mkdir()
    for package in kernels.stock_rpms:
        shutil.copy(package, repository)
    subprocess.run(["createrepo_c", "--quiet", str(repository)], check=True)
    root = Root(open_place / "stock-root")
    root.add("stock", f"[stock]\nname=stock\nbaseurl=file://{repository}\ngpgcheck=0\n")
    for release in (OLD, HIGH):
        wanted = [f"{name}-{release}" for name in (*KERNEL_RPMS, "kernel-headers")]
        done = root.dnf("install", *wanted)
        assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def root(stock: Root, place: Path) -> Root:
    """Return a copy of that root which a test may change."""
    top = place / "root"
    shutil.copytree(stock.top, top, symlinks=True)
    shutil.rmtree(top / "var/cache")
    copy = Root(top)
    copy.add("stock", (stock.top / "etc/repos/stock.repo").read_text())
    return copy


def test_our_kernel_is_installed_over_higher_versions(
    root: Root, kernels: Packages, keys: Keys, place: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    publish(place / "repo", keys, *kernels.rpms, kernels.source, url=url)
    with served(place / "repo", place / "nginx", port):
        root.add("dynaccel", get(url, "dynaccel.repo").decode())
        done = root.dnf("update")
        assert done.returncode == 0, done.stdout + done.stderr
        sources = root.dnf("repoquery", "--repo=dynaccel-source", "--quiet", "--qf=%{evr}.%{arch}")
    assert sections(done.stdout) == {
        "Installing": dict.fromkeys(KERNEL_RPMS, OUR_EVR),
        "Upgrading": {"kernel-headers": OUR_EVR},
        "Removing": dict.fromkeys(KERNEL_RPMS, OLD),
    }
    expected = [f"{name} {release}" for name in KERNEL_RPMS for release in (HIGH, OURS)]
    assert root.installed() == sorted([*expected, f"kernel-headers {OURS}"])
    (signature,) = root.installed(f"kernel-core-{OURS}", "%{RSAHEADER:pgpsig}\n")
    fingerprint = keys.gpg("--with-colons", "--list-keys").partition("fpr:")[2].split(":")[8]
    assert signature.endswith(fingerprint[-16:].lower())
    assert sources.stdout.split() == [f"{OUR_EVR}.src"], sources.stderr
    assert "Nothing to do" in root.dnf("update").stdout


def primary(repository: Path) -> Path:
    (found,) = (repository / "rpm/x86_64/repodata").glob("*-primary.xml.gz")
    return found


def core(repository: Path) -> Path:
    (found,) = (repository / "pool/rpm").glob("*/kernel-core-*.rpm")
    return found


def tamper_package(repository: Path, _: Keys) -> None:
    flip(core(repository))


def tamper_list(repository: Path, _: Keys) -> None:
    flip(primary(repository), at=100)


def tamper_repomd(repository: Path, _: Keys) -> None:
    path = repository / "rpm/x86_64/repodata/repomd.xml"
    path.write_text(path.read_text().replace("<revision>1<", "<revision>2<"))


def strip_metadata_signature(repository: Path, _: Keys) -> None:
    (repository / "rpm/x86_64/repodata/repomd.xml.asc").unlink()


def name_another_key(repository: Path, other: Keys) -> None:
    (repository / "dynaccel.asc").write_text(other.gpg("--armor", "--export"))


def lose_the_key(repository: Path, _: Keys) -> None:
    (repository / "dynaccel.asc").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (tamper_package, "checksum doesn't match"),
        (tamper_list, "checksum doesn't match"),
        (tamper_repomd, "GPG signature verification error: Bad GPG signature"),
        (strip_metadata_signature, "GPG verification is enabled, but GPG signature is not avail"),
        (name_another_key, "GPG signature verification error: Bad GPG signature"),
        (lose_the_key, "dynaccel.asc"),
    ],
)
def test_what_was_tampered_with_is_refused(
    root: Root, published: Path, other_keys: Keys, spoil: Callable[[Path, Keys], None], said: str
) -> None:
    repository = copy_of(published, root.top.parent / "repo")
    spoil(repository, other_keys)
    before = root.installed()
    text = (repository / "dynaccel.repo").read_text().replace(str(published), str(repository))
    for mirrors in (repository / "current/rpm").glob("*/mirrorlist"):
        mirrors.write_text(mirrors.read_text().replace(str(published), str(repository)))
    root.add("dynaccel", text)
    done = root.dnf("install", f"kernel-core-{OUR_EVR}")
    assert done.returncode != 0, done.stdout
    assert said in done.stdout + done.stderr
    assert root.installed() == before


@pytest.mark.parametrize("how", ["stripped", "of another key"])
def test_a_package_without_our_signature_is_refused(
    root: Root, published: Path, keys: Keys, other_keys: Keys, how: str
) -> None:
    """The metadata are signed and fit the package; what is wrong is the package's own signature."""
    repository = copy_of(published, root.top.parent / "repo")
    package = core(repository)
    if how == "stripped":
        subprocess.run(["rpmsign", "--delsign", str(package)], check=True, capture_output=True)
        said = "is not signed"
    else:
        subprocess.run(
            ["rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", "_gpg_name repo@example.org",
             "--define", f"_gpg_path {other_keys.home}", "--addsign", str(package)],
            check=True, capture_output=True,
        )  # fmt: skip
        said = "Import of key(s) didn't help, wrong key(s)?"
    part = root.top.parent / "plain"
    part.mkdir()
    shutil.copy(package, part)
    subprocess.run(["createrepo_c", "--quiet", str(part)], check=True)
    repomd = part / "repodata/repomd.xml"
    keys.gpg("--armor", "--detach-sign", "--output", f"{repomd}.asc", str(repomd))
    root.add(
        "dynaccel",
        f"[dynaccel]\nname=d\nbaseurl=file://{part}\ngpgcheck=1\nrepo_gpgcheck=1\n"
        f"gpgkey=file://{repository}/dynaccel.asc\n",
    )
    before = root.installed()
    done = root.dnf("install", f"kernel-core-{OUR_EVR}")
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert root.installed() == before


def test_metadata_that_were_read_before_still_lead_to_the_packages(
    root: Root, keys: Keys, place: Path
) -> None:
    """By a list an hour old, dnf installs what is pruned since then."""
    repository = place / "repo"
    publish(repository, keys, small_rpm(place, "tool", "1.0"))
    root.add("dynaccel", (repository / "dynaccel.repo").read_text())
    assert root.dnf("makecache").returncode == 0
    publish(repository, keys, small_rpm(place, "tool", "2.0"), keep=1)
    done = root.dnf("install", "tool")
    assert done.returncode == 0, done.stdout + done.stderr
    assert root.installed("tool") == ["tool 1.0-1"]
    assert root.dnf("--refresh", "update").returncode == 0
    assert root.installed("tool") == ["tool 2.0-1"]


def test_plain_addresses_serve_as_well(root: Root, published: Path) -> None:
    text = (published / "dynaccel.repo").read_text()
    plain = re.sub(r"mirrorlist=(.*)/mirrorlist", r"baseurl=\1", text)
    assert "mirrorlist=" not in plain
    root.add("dynaccel", plain)
    done = root.dnf("install", "kernel-devel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert root.installed("kernel-devel") == [f"kernel-devel {OURS}"]
