# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from dynaccel.cli.main import dynaccel_command
from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.host import process
from dynaccel.packaging.repo import client_files, contents, disk, generations, key
from dynaccel.packaging.repo.contents import Manifest
from dynaccel.packaging.repo.layout import Layout, generation_id

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n=def\n-----END PGP PUBLIC KEY BLOCK-----\n"
LIST = """\
sec:u:4096:1:1F7EAAF7CBDF7312:1795409001:::u:::scSC:::+:::23::0:
fpr:::::::::9EC98EC19DAF6907DA8EF6D01F7EAAF7CBDF7312:
uid:u::::1795409001::3CBC::Repo\\x3a one <repo@example.org>::::::::::0:
ssb:u:4096:1:2222222222222222:1795409001::::::e:::+:::23:
fpr:::::::::2222222222222222222222222222222222222222:
sec:e:256:22:D9816F699FF8BE2F:1577836800:1577923200::u:::sc:::+:::23::0:
fpr:::::::::A1E264866762748EB5DB4EAAD9816F699FF8BE2F:
uid:e::::1577836800::5434::Old <old@example.org>::::::::::0:
"""


def manifest(*files: str) -> Manifest:
    return Manifest(
        format=1, plan="0" * 64, created=0, url=None, key="A" * 40, packages=(), files=files
    )


def publish(layout: Layout, number: int, *files: str) -> str:
    staged = layout.top / ".work-test/generation"
    for name in files:
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_text(f"{number}")
    (staged / "manifest.json").write_bytes(contents.dump(manifest(*files)))
    generations.carry_over(layout, staged, now=staged.stat().st_mtime)
    name = generation_id(number, "abcdef01")
    generations.switch(layout, staged, name)
    return name


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "http://",
        "http://a b/",
        "http://a/$x",
        "file://x",
        "http://a/?q",
    ],
)
def test_an_address_that_clients_would_not_understand_is_refused(url: str) -> None:  # fmt: skip
    with pytest.raises(UserError, match="no address of a repository"):
        client_files.checked_url(url)


@pytest.mark.parametrize("url", ["https://example.org/a/", "http://[::1]:8080", "file:///srv/repo"])
def test_an_address_loses_the_slash_at_its_end(url: str) -> None:
    assert client_files.checked_url(url) == url.rstrip("/")


def test_the_files_for_clients() -> None:
    files = client_files.render("https://example.org/d", PUBLIC)
    repo = files["dynaccel.repo"].splitlines()
    assert repo[2:10] == [
        "[dynaccel]",
        "name=dynaccel - $basearch",
        "mirrorlist=https://example.org/d/rpm/$basearch/mirrorlist",
        "enabled=1",
        "gpgcheck=1",
        "repo_gpgcheck=1",
        "gpgkey=https://example.org/d/dynaccel.asc",
        "metadata_expire=1h",
    ]
    assert files["dynaccel.sources"].partition("Types")[2] == (
        ": deb\nURIs: https://example.org/d/deb\nSuites: stable\nComponents: main\nSigned-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n =def\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )
    assert files["dynaccel.asc"] == PUBLIC


def test_nginx_is_told_what_to_serve(tmp_path: Path) -> None:
    done = CliRunner().invoke(dynaccel_command, ["repo", "nginx", str(tmp_path), "--listen", "81"])
    assert f'    listen 81;\n    root "{tmp_path}";\n' in done.stdout
    for place, listen in (("/a{b", "80"), ("/a", "80; include /etc/passwd")):
        refused = CliRunner().invoke(dynaccel_command, ["repo", "nginx", place, "--listen", listen])
        assert refused.exit_code == 2


def test_gpg_lists_are_read() -> None:
    good, old = key.parse_list(LIST)
    assert good.fingerprint == "9EC98EC19DAF6907DA8EF6D01F7EAAF7CBDF7312"
    assert good.name == "Repo: one <repo@example.org>"
    assert (good.can_sign, good.expires, good.algorithm) == (True, None, "1")
    assert (old.can_sign, old.expires, old.algorithm) == (False, 1577923200, "22")


def test_all_missing_programs_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(dynaccel_command, ["repo", "publish", "repo", "--key", "x", "a.rpm"])
    assert done.exit_code == 3
    assert "a repository needs apt-ftparchive, createrepo_c, dpkg, dpkg-deb, gpg" in done.stderr
    assert "apt-get install apt-utils createrepo-c dpkg gpg gpg-agent rpm" in done.stderr


@pytest.mark.parametrize("command", ["list", "check"])
def test_where_nothing_was_published(tmp_path: Path, command: str) -> None:
    done = CliRunner().invoke(dynaccel_command, ["repo", command, str(tmp_path)])
    assert done.exit_code == 2
    assert f"{tmp_path} is no repository of dynaccel" in done.stderr


def test_a_generation_follows_another_and_has_what_that_named_by_content(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    old, new = (f"rpm/x86_64/repodata/{digit * 64}-primary.xml.gz" for digit in "ab")
    first = publish(layout, 1, old, "rpm/x86_64/repodata/repomd.xml", "dynaccel.repo")
    assert (tmp_path / "dynaccel.repo").read_text() == "1"
    second = publish(layout, 2, new, "rpm/x86_64/repodata/repomd.xml", "dynaccel.repo")
    assert layout.current_id() == second
    assert layout.generation_ids() == [first, second]
    assert [(tmp_path / name).read_text() for name in (old, new, "dynaccel.repo")] == [
        "1",
        "2",
        "2",
    ]
    third = publish(layout, 3, "dynaccel.repo")
    assert (tmp_path / old).is_file()  # the first was current within the hour
    os.utime(layout.generations / first, (0, 0))
    os.utime(layout.generations / second, (0, 0))
    publish(layout, 4, "dynaccel.repo")
    assert not (tmp_path / old).exists()
    assert third in layout.generation_ids()


def test_what_is_left_over_goes_and_what_is_current_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    old = publish(layout, 1, "dynaccel.repo")
    current = publish(layout, 2, "dynaccel.repo")
    cut_off = layout.generations / generation_id(3, "abcdef01")
    cut_off.mkdir()
    (tmp_path / ".work-killed/a").mkdir(parents=True)
    (tmp_path / "pool/rpm/0123").mkdir(parents=True)
    (tmp_path / "pool/rpm/0123/a.rpm").write_text("abc")
    assert generations.clean_up(layout) == 3
    assert layout.generation_ids() == [old, current]
    assert sorted(path.name for path in tmp_path.glob(".work-*")) == []
    assert list(tmp_path.glob("pool/*/*")) == []
    os.utime(layout.generations / current, (0, 0))
    os.utime(layout.generations / old, (0, 0))
    generations.clean_up(layout)
    assert layout.generation_ids() == [current]


def test_dates_grow_by_whole_seconds(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    publish(layout, 1, "deb/dists/stable/InRelease")
    before = int((layout.current / "deb/dists/stable/InRelease").stat().st_mtime)
    staged = tmp_path / "staged/deb/dists/stable"
    staged.mkdir(parents=True)
    (staged / "InRelease").touch()
    generations.advance_dates(layout, tmp_path / "staged", now=before + 0.9)
    assert (staged / "InRelease").stat().st_mtime == before + 1
    generations.advance_dates(layout, tmp_path / "staged", now=before + 7.2)
    assert (staged / "InRelease").stat().st_mtime == before + 7


def test_a_manifest_of_the_future_is_not_read(tmp_path: Path) -> None:
    text = contents.dump(manifest()).replace(b'"format": 1', b'"format": 99')
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(UserError, match="newer dynaccel"):
        contents.load(tmp_path)


def test_a_program_that_found_the_disk_full_is_told_apart(tmp_path: Path) -> None:
    script = "echo 'gpg: write error: No space left on device' >&2; exit 2"
    with pytest.raises(InfrastructureError, match="ran full"), disk.guarded(tmp_path):
        process.run(["sh", "-c", script])
