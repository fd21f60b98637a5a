# SPDX-License-Identifier: GPL-2.0-or-later
"""Readers and publishers at the same time, and publishers that are killed."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .repo_lab import (
    Keys,
    copy_of,
    free_port,
    get,
    left_over,
    missing,
    names,
    problems,
    publish,
    served,
)
from .sample_packages import deb, small_rpm

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(bool(missing("nginx", "gpgv")), reason=missing("nginx", "gpgv")),
]
PUBLICATIONS = 6
READERS = 2


class Reader:
    """Reads a repository as dnf and apt do, and takes nothing that does not fit the signature."""

    def __init__(self, url: str, keyring: Path) -> None:
        self.url = url
        self.keyring = keyring

    def rpm_list(self) -> list[tuple[str, str]]:
        """Return the address and hash of each package, by way of the list of mirrors."""
        base = get(self.url, "rpm/x86_64/mirrorlist").decode().strip()
        repomd = get(base, "repodata/repomd.xml")
        self._verify(get(base, "repodata/repomd.xml.asc"), repomd)
        found = re.search(rb'href="(repodata/([0-9a-f]{64})-primary[^"]*)"', repomd)
        assert found
        primary = self._hashed(f"{base}{found[1].decode()}", found[2].decode())
        text = gzip.decompress(primary).decode()
        hashes = re.findall(r'pkgid="YES">([0-9a-f]{64})<', text)
        places = re.findall(r'<location href="([^"]+)"', text)
        return [(f"{base}{place}", sha) for place, sha in zip(places, hashes, strict=True)]

    def deb_list(self) -> list[tuple[str, str]]:
        """Return the address and hash of each package, by way of InRelease and by-hash."""
        dist = f"{self.url}/deb/dists/stable"
        release = self._verify(get(dist, "InRelease")).decode()
        found = re.search(r" ([0-9a-f]{64}) +\d+ main/binary-amd64/Packages\n", release)
        assert found
        text = self._hashed(f"{dist}/main/binary-amd64/by-hash/SHA256/{found[1]}", found[1])
        pairs = re.findall(r"Filename: (\S+)\nSize: .*\nSHA256: (\S+)", text.decode())
        return [(f"{self.url}/deb/{place}", sha) for place, sha in pairs]

    def packages(self, listed: list[tuple[str, str]]) -> int:
        for address, sha256 in listed:
            self._hashed(address, sha256)
        return len(listed)

    def _hashed(self, address: str, sha256: str) -> bytes:
        content = get(*address.rsplit("/", 1))
        assert hashlib.sha256(content).hexdigest() == sha256, address
        return content

    def _verify(self, signed: bytes, content: bytes | None = None) -> bytes:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "signed").write_bytes(signed)
            words = ["gpgv", "--keyring", str(self.keyring), "--output", "-", "signed"]
            if content is not None:
                (Path(scratch) / "content").write_bytes(content)
                words = ["gpgv", "--keyring", str(self.keyring), "signed", "content"]
            done = subprocess.run(words, cwd=scratch, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout


def read_until(
    url: str, keyring: Path, stop: Event, said: multiprocessing.Queue[tuple[int, set[int], str]]
) -> None:
    """Read round after round; say how many, how many packages there were, and what failed."""
    reader, rounds, sizes = Reader(url, keyring), 0, set()
    try:
        while not stop.is_set():
            sizes.add(reader.packages(reader.rpm_list()))
            sizes.add(reader.packages(reader.deb_list()))
            rounds += 1
    except Exception as error:  # noqa: BLE001  (whatever it is, the test must hear of it)
        said.put((rounds, sizes, repr(error)))
    else:
        said.put((rounds, sizes, ""))


@pytest.fixture
def keyring(place: Path, keys: Keys) -> Path:
    """Return the public key as gpgv reads it."""
    path = place / "keyring.gpg"
    keys.gpg("--output", str(path), "--export")
    return path


def test_readers_never_fail_while_publications_go_on(
    place: Path, keys: Keys, keyring: Path
) -> None:
    rpms = [small_rpm(place, "tool", f"{number}.0") for number in range(PUBLICATIONS + 1)]
    debs = [deb(place, "tool", f"{number}.0-1") for number in range(PUBLICATIONS + 1)]
    port = free_port()
    publish(place / "repo", keys, rpms[0], debs[0], url=f"http://127.0.0.1:{port}")
    context = multiprocessing.get_context("spawn")
    stop, said = context.Event(), context.Queue()
    with served(place / "repo", place / "nginx", port) as url:
        readers = [
            context.Process(target=read_until, args=(url, keyring, stop, said), daemon=True)
            for _ in range(READERS)
        ]
        for reader in readers:
            reader.start()
        for rpm, package in zip(rpms[1:], debs[1:], strict=True):
            publish(place / "repo", keys, rpm, package, keep=3)
        stop.set()
        results = [said.get(timeout=300) for _ in readers]
        for reader in readers:
            reader.join()
    assert [error for _, _, error in results if error] == []
    assert sum(rounds for rounds, _, _ in results) > PUBLICATIONS
    assert set.union(*(sizes for _, sizes, _ in results)) <= {1, 2, 3}


def test_a_reader_amid_its_work_finds_all_that_it_was_told(
    place: Path, keys: Keys, keyring: Path
) -> None:
    """It reads the list, all of it is published anew and pruned, then it fetches what it read."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    directory = place / "repo"
    publish(directory, keys, small_rpm(place, "tool", "1.0"), deb(place, "tool", "1.0-1"), url=url)
    with served(directory, place / "nginx", port):
        reader = Reader(url, keyring)
        rpms, debs = reader.rpm_list(), reader.deb_list()
        base = get(url, "rpm/x86_64/mirrorlist").decode().strip()
        by_hash = re.findall(
            r" ([0-9a-f]{64}) +\d+ main/binary-(\w+)/",
            get(url, "deb/dists/stable/InRelease").decode(),
        )
        repodata = re.findall(r'href="(repodata/[^"]+)"', get(base, "repodata/repomd.xml").decode())
        for version in ("2.0", "3.0"):
            new = [small_rpm(place, "tool", version), deb(place, "tool", f"{version}-1")]
            publish(directory, keys, *new, keep=1)
        assert reader.packages(rpms) == reader.packages(debs) == 1
        assert rpms != reader.rpm_list()
        assert debs != reader.deb_list()
        assert len(by_hash) == 6
        for sha256, arch in by_hash:
            get(url, f"deb/dists/stable/main/binary-{arch}/by-hash/SHA256/{sha256}")
        assert len(repodata) == 3
        for name in repodata:
            get(base, name)
            get(url, f"rpm/x86_64/{name}")
        for hidden in (".lock", ".work-x/a", "rpm/../.lock"):
            with pytest.raises(OSError, match="404"):
                get(url, hidden)


def test_two_publishers_at_once_both_succeed(place: Path, keys: Keys) -> None:
    rpms = [small_rpm(place, name, "1.0") for name in ("one", "two", "three")]
    errors: list[Exception] = []

    def run(package: Path) -> None:
        try:
            publish(place / "repo", keys, package)
        except Exception as error:  # noqa: BLE001  (as above)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(package,)) for package in rpms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [name.split()[0] for name in names(place / "repo")] == ["one", "three", "two"]
    assert problems(place / "repo") == ()


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from dynaccel.core.events import NullReporter
from dynaccel.host import process
from dynaccel.packaging import repo

wanted = int(sys.argv[1])
moments = 0

def moment():
    global moments
    if moments == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
    moments += 1

def around(real):
    def counted(*args, **kwargs):
        moment()
        try:
            return real(*args, **kwargs)
        finally:
            moment()
    return counted

# Before and after every program, and every name that changes in the repository.
process.run = around(process.run)
for name in ("rename", "replace", "symlink_to"):
    setattr(Path, name, around(getattr(Path, name)))
repo.publish(repo.PublishRequest(directory=Path(sys.argv[2]), key="repo@example.org",
    gnupghome=Path(sys.argv[3]), packages=tuple(map(Path, sys.argv[4:]))), reporter=NullReporter())
print(moments)
"""
NEVER = -1


def publish_killed(directory: Path, keys: Keys, *packages: Path, moment: int) -> int | None:
    """Publish, and be killed at a moment; return how many moments there were, or None: killed."""
    # Who is killed leaves what it has in the directory for temporary files, too.
    scratch = directory.with_name(f"{directory.name}.tmp")
    scratch.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(moment), str(directory), str(keys.home),
         *map(str, packages)],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(scratch)},
    )  # fmt: skip
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return int(done.stdout) if done.returncode == 0 else None


def test_killed_at_any_moment_it_is_usable_and_the_next_one_cleans_up(
    place: Path, keys: Keys
) -> None:
    before = place / "before"
    publish(before, keys, small_rpm(place, "tool", "1.0"), url="http://localhost")
    new = [small_rpm(place, "tool", "2.0"), deb(place, "tool", "2.0-1")]
    old, both = names(before), 3
    moments = publish_killed(copy_of(before, place / "all"), keys, *new, moment=NEVER)
    assert moments is not None
    # Some on the way; and each about the end, where names change.
    chosen = [*range(0, moments - 6, moments // 5), *range(moments - 6, moments)]
    seen = []
    for moment in chosen:
        directory = copy_of(before, place / f"at-{moment}")
        assert publish_killed(directory, keys, *new, moment=moment) is None
        assert problems(directory) == ()
        here = names(directory)
        assert here == old or len(here) == both
        seen.append(len(here))
        publish(directory, keys, *new)
        assert len(names(directory)) == both
        assert problems(directory) == ()
        assert left_over(directory) == []
        assert len(list(directory.glob("generations/*"))) == 2
    assert set(seen) == {len(old), both}
    assert seen == sorted(seen)


def test_killed_before_it_ever_was_published(place: Path, keys: Keys) -> None:
    directory = place / "repo"
    package = small_rpm(place, "tool", "1.0")
    moments = publish_killed(place / "all", keys, package, moment=NEVER)
    assert moments is not None
    for moment in range(moments // 4, moments - 2, moments // 4):
        assert publish_killed(directory, keys, package, moment=moment) is None
        assert not (directory / "current").exists()
        assert not (directory / "dynaccel.repo").exists()
    publish(directory, keys, package)
    assert problems(directory) == ()
    assert left_over(directory) == []
