# SPDX-License-Identifier: GPL-2.0-or-later
"""Publishing with the real tools: what changes, what does not, and who sees it when."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from dynaccel.cli.main import dynaccel_command
from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.packaging import repo

from .repo_lab import Keys, copy_of, flip, left_over, names, problems, publish
from .sample_packages import Packages, deb, small_rpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.packages


def call(keys: Keys, *words: str | Path) -> Result:
    environment = {"GNUPGHOME": str(keys.home)}
    return CliRunner().invoke(dynaccel_command, ["repo", *map(str, words)], env=environment)


def state(directory: Path) -> dict[str, tuple[int, ...] | str]:
    """Return what a publisher could have changed of all files."""
    found: dict[str, tuple[int, ...] | str] = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(directory))
        found[name] = (
            str(path.readlink())
            if path.is_symlink()
            else (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        )
    found.pop(".lock", None)
    return found


def test_the_same_again_changes_nothing(place: Path, keys: Keys, kernels: Packages) -> None:
    directory = place / "repo"
    packages = (*kernels.rpms, kernels.source, *kernels.debs)
    inputs = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in packages}
    words: tuple[str | Path, ...] = ("publish", directory, "--key", "repo@example.org", *packages)
    first = call(keys, *words)
    assert first.exit_code == 0, first.output
    assert f"{len(packages)} packages in {directory}, signed by" in first.stdout
    before = state(directory)
    again = call(keys, *words)
    assert again.exit_code == 0, again.output
    assert "nothing to do" in again.stdout
    assert state(directory) == before
    assert problems(directory) == ()
    assert inputs == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in packages}


def test_a_package_that_our_key_signed_is_kept_bit_by_bit(
    place: Path, keys: Keys, other_keys: Keys
) -> None:
    ours, theirs = (small_rpm(place, name, "1.0") for name in ("ours", "theirs"))
    for package, home in ((ours, keys.home), (theirs, other_keys.home)):
        subprocess.run(
            ["rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", f"_gpg_path {home}",
             "--define", "_gpg_name repo@example.org", "--addsign", str(package)],
            check=True, capture_output=True,
        )  # fmt: skip
    publish(place / "repo", keys, ours, theirs)
    (kept,) = (place / "repo/pool/rpm").glob("*/ours-*.rpm")
    (signed,) = (place / "repo/pool/rpm").glob("*/theirs-*.rpm")
    assert kept.read_bytes() == ours.read_bytes()
    assert signed.read_bytes() != theirs.read_bytes()
    assert problems(place / "repo") == ()


def test_all_may_read_it_whatever_the_umask(place: Path, keys: Keys) -> None:
    made = [small_rpm(place, "tool", "1.0"), deb(place, "tool", "1.0-1")]
    umask = os.umask(0o077)
    try:
        publish(place / "deep/er/repo", keys, *made)
    finally:
        os.umask(umask)
    for path in (place / "deep", *(place / "deep").rglob("*")):
        if path.name == ".lock" or path.is_symlink():
            continue
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_another_content_needs_replace(place: Path, keys: Keys) -> None:
    directory = place / "repo"
    publish(directory, keys, small_rpm(place, "tool", "1.0"), deb(place, "tool", "1.0-1"))
    before = state(directory)
    other = [
        small_rpm(place / "other", "tool", "1.0", content="other"),
        deb(place / "other", "tool", "1.0-1", content="other"),
    ]
    refused = call(keys, "publish", directory, "--key", "repo@example.org", *other)
    assert refused.exit_code == 2
    assert "with another content; nothing was changed" in refused.stderr
    assert "tool-1.0-1.noarch" in refused.stderr
    assert "tool 1.0-1 amd64" in refused.stderr
    assert "--replace" in refused.stderr
    assert state(directory) == before
    result = publish(directory, keys, *other, replace=True)
    assert {str(each) for each in result.replaced} == {"tool-1.0-1.noarch", "tool 1.0-1 amd64"}
    assert problems(directory) == ()
    (listed,) = (package for package in repo.packages(directory) if package.kind == "rpm")
    shown = subprocess.run(
        ["rpm2cpio", str(directory / listed.file)], check=True, capture_output=True
    )
    assert b"other\n" in shown.stdout


def test_the_newest_versions_stay(place: Path, keys: Keys) -> None:
    directory = place / "repo"
    versions = ("6.1.9", "6.1.10", "6.1.100~rc1", "6.1.100")
    rpms = [small_rpm(place, "tool", version) for version in versions]
    kernels = [deb(place, f"linux-image-{v}-1-amd64", f"{v}-1") for v in ("6.1.9", "6.1.10")]
    high = small_rpm(place, "tool", "1.0", epoch=1)
    publish(directory, keys, *rpms, *kernels)
    assert len(names(directory)) == 6
    pruned = call(keys, "prune", directory, "--key", "repo@example.org", "--keep", "2")
    assert pruned.exit_code == 0, pruned.output
    assert "no longer listed: tool-6.1.10-1.noarch" in pruned.stdout
    assert [name for name in names(directory) if name.startswith("tool")] == [
        "tool 6.1.100-1 noarch",
        "tool 6.1.100~rc1-1 noarch",
    ]
    publish(directory, keys, high, *rpms, keep=1)
    assert names(directory) == ["linux-image-6.1.10-1-amd64 6.1.10-1 amd64", "tool 1:1.0-1 noarch"]
    assert len(list(directory.glob("pool/rpm/*/*.rpm"))) == 5
    now = call(keys, "prune", directory, "--key", "repo@example.org", "--keep", "1", "--now")
    assert "freed" in now.stdout
    assert len(list(directory.glob("pool/rpm/*/*.rpm"))) == 1
    assert len(list(directory.glob("generations/*"))) == 1
    assert left_over(directory) == []
    assert problems(directory) == ()


def test_another_key_signs_all_again(place: Path, keys: Keys, other_keys: Keys) -> None:
    directory = place / "repo"
    publish(directory, keys, small_rpm(place, "tool", "1.0"), url="https://example.org/a/")
    result = publish(directory, other_keys)
    assert [str(each) for each in result.signed_again] == ["tool-1.0-1.noarch"]
    assert result.url == "https://example.org/a"
    assert problems(directory) == ()
    assert "gpgkey=https://example.org/a/dynaccel.asc" in (directory / "dynaccel.repo").read_text()
    trusted = place / "first.asc"
    trusted.write_text(keys.gpg("--armor", "--export"))
    checked = call(keys, "check", directory, "--trusted", trusted)
    assert checked.exit_code == 4
    assert "repomd.xml" in checked.stderr
    assert "InRelease" in checked.stderr


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("pool/rpm/*/*.rpm", "tool-1.0-1.noarch.rpm: has another content"),
        ("pool/deb/*/*.deb", "tool_1.0-1_amd64.deb: has another content"),
        ("current/rpm/x86_64/repodata/*-primary.xml.gz", "rpm/x86_64: repodata/"),
        ("current/rpm/source/repodata/repomd.xml", "rpm/source: repomd.xml: BAD signature"),
        ("current/deb/dists/stable/InRelease", "InRelease"),
        ("current/deb/dists/stable/Release", "Release: BAD signature"),
        ("current/deb/dists/stable/main/binary-arm64/Packages.gz", "Packages.gz: has another"),
        ("current/dynaccel.sources", "dynaccel.sources: not as it was published"),
    ],
)
def test_check_finds_one_bit(tools: Path, place: Path, keys: Keys, pattern: str, said: str) -> None:
    directory = copy_of(tools, place / "repo")
    (spoilt,) = directory.glob(pattern)
    flip(spoilt, at=spoilt.stat().st_size // 2)
    checked = call(keys, "check", directory)
    assert checked.exit_code == 4
    assert said in checked.stderr


@pytest.fixture(scope="module")
def tools(open_place: Path, keys: Keys) -> Path:
    """Return a repository of one .rpm and one .deb, whose address does not tell where it is."""
    directory = open_place / "tools"
    made = [small_rpm(open_place, "tool", "1.0"), deb(open_place, "tool", "1.0-1")]
    publish(directory, keys, *made, url="http://localhost")
    return directory


def test_a_lost_file_is_told_and_comes_back(tools: Path, place: Path, keys: Keys) -> None:
    directory = copy_of(tools, place / "repo")
    next(directory.glob("pool/rpm/*/*.rpm")).unlink()
    with pytest.raises(UserError, match="missing or cut off") as raised:
        publish(directory, keys, small_rpm(place, "other", "1.0"))
    assert raised.value.detail == "tool-1.0-1.noarch"
    result = publish(directory, keys, small_rpm(place, "tool", "1.0"))
    assert [str(each) for each in result.repaired] == ["tool-1.0-1.noarch"]
    assert problems(directory) == ()


def test_all_bad_files_are_named_at_once(place: Path, keys: Keys, kernels: Packages) -> None:
    whole = small_rpm(place / "good", "tool", "1.0")
    (place / "cut.rpm").write_bytes(whole.read_bytes()[:-10])
    (place / "cut.deb").write_bytes(kernels.debs[0].read_bytes()[:-10])
    (place / "junk.deb").write_text("junk")
    (place / "notes.txt").write_text("notes")
    (place / "empty").mkdir()
    done = call(
        keys, "publish", place / "repo", "--key", "repo@example.org", whole, place / "cut.rpm",
        place / "cut.deb", place / "junk.deb", place / "notes.txt", place / "empty",
        place / "absent.rpm",
    )  # fmt: skip
    assert done.exit_code == 2
    for name in ("cut.rpm", "cut.deb", "junk.deb", "notes.txt", "empty", "absent.rpm"):
        assert f"{place / name}: " in done.stderr
    assert str(whole) not in done.stderr
    assert not (place / "repo").exists()


def test_a_directory_of_something_else_is_refused(place: Path, keys: Keys) -> None:
    (place / "web").mkdir()
    (place / "web/index.html").write_text("home")
    package = small_rpm(place, "tool", "1.0")
    with pytest.raises(UserError, match="not empty"):
        publish(place / "web", keys, package)
    assert [path.name for path in (place / "web").iterdir()] == ["index.html"]


def test_a_directory_of_keys_in_the_repository_is_refused(place: Path, keys: Keys) -> None:
    directory, package = place / "repo", small_rpm(place, "tool", "1.0")
    publish(directory, keys, package)
    inside = directory / "keys"
    shutil.copytree(keys.home, inside, ignore=shutil.ignore_patterns("S.*", "*.lock"))
    with pytest.raises(UserError, match="lies in the repository"):
        publish(directory, Keys(home=inside), package)


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """Return the directory of a file system of 5 MiB."""
    disk = place / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=5m", "none", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_leaves_the_repository_whole(
    small_disk: Path, place: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = small_disk / "repo"
    publish(directory, keys, small_rpm(place, "tool", "1.0"))
    before = state(directory)
    large = deb(place, "large", "1-1", content=os.urandom(1 << 20).hex())
    with pytest.raises(InfrastructureError, match="has no room for the packages: they need"):
        publish(directory, keys, large)
    assert state(directory) == before
    # Room for the package, and not for all that lists it.
    monkeypatch.setattr("dynaccel.packaging.repo.disk._MARGIN_BYTES", 0)
    free = shutil.disk_usage(small_disk).free
    (small_disk / "filler").write_bytes(bytes(free - 100 * 1024))
    with pytest.raises(InfrastructureError, match="the disk ran full"):
        publish(directory, keys, small_rpm(place, "tool", "2.0"))
    assert problems(directory) == ()
    assert names(directory) == ["tool 1.0-1 noarch"]
    (small_disk / "filler").unlink()
    publish(directory, keys, small_rpm(place, "tool", "3.0"))
    assert left_over(directory) == []
    assert problems(directory) == ()
