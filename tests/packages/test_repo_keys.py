# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that cannot sign: each says why, with the real gpg."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from dynaccel.cli.main import dynaccel_command

from .repo_lab import Keys, publish
from .sample_packages import small_rpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.packages


@pytest.fixture(scope="module")
def ring(open_place: Path, other_keys: Keys) -> Iterator[Keys]:
    """Return a directory with one key of each kind."""
    home = open_place / "ring"
    home.mkdir(mode=0o700)
    ring = Keys(home=home)
    ring.make("good@example.org")
    ring.make("twin@example.org")
    ring.make("twin@example.net")
    ring.make("old@example.org", expires="1d", born="20200101T000000")
    ring.make("renewed@example.org", expires="1d", born="20200101T000000")
    ring.make("locked@example.org", passphrase="secret")  # noqa: S106  (of a test's key)
    gone = ring.make("gone@example.org")
    revocation = (home / f"openpgp-revocs.d/{gone}.rev").read_text().replace(":-----", "-----")
    ring.gpg("--import", stdin=revocation)
    ring.gpg("--import", stdin=other_keys.gpg("--armor", "--export"))
    ring.forget_passphrases()
    yield ring
    ring.forget_passphrases()


@pytest.fixture(scope="module")
def package(open_place: Path) -> Path:
    return small_rpm(open_place / "for-keys", "tool", "1.0")


def call(directory: Path, package: Path, *words: str, home: Path | None) -> Result:
    environment = {"GNUPGHOME": str(home) if home else None}
    arguments = ["repo", "publish", str(directory), str(package), *words]
    return CliRunner().invoke(dynaccel_command, arguments, env=environment)


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [
        (
            "nobody@example.org",
            3,
            ("there is no key 'nobody@example.org' in", "--list-secret-keys"),
        ),
        ("repo@example.org", 3, ("there is only the public part in", "gpg --import FILE")),
        (
            "old@example.org",
            2,
            ("(Test <old@example.org>) has expired on 2020-01-02", "--quick-set"),
        ),
        ("gone@example.org", 2, ("(Test <gone@example.org>) was revoked", "another key")),
        ("locked@example.org", 2, ("is protected by a passphrase", "unlock it")),
        ("twin", 2, ("2 keys are called 'twin'", "by its fingerprint")),
        ("-x", 3, ("there is no key '-x' in", "--list-secret-keys")),
    ],
)
def test_a_key_that_cannot_sign_says_why(
    ring: Keys, place: Path, key: str, status: int, said: tuple[str, str]
) -> None:
    package = small_rpm(place, "tool", "1.0")
    done = call(place / "repo", package, f"--key={key}", home=ring.home)
    assert done.exit_code == status, done.output
    problem, _, hint = done.stderr.partition("hint: ")
    assert said[0] in problem
    assert said[1] in hint
    assert not (place / "repo").exists()


def test_a_mail_address_is_meant_whole(ring: Keys, package: Path, place: Path) -> None:
    done = call(place / "repo", package, "--key", "win@example.org", home=ring.home)
    assert done.exit_code == 3
    assert call(place / "repo", package, "--key", "twin@example.org", home=ring.home).exit_code == 0


def test_an_unlocked_key_signs(ring: Keys, package: Path, place: Path) -> None:
    ring.gpg(
        "--pinentry-mode", "loopback", "--passphrase", "secret", "--local-user",
        "locked@example.org", "--clear-sign", stdin="\n",
    )  # fmt: skip
    done = call(place / "repo", package, "--key", "locked@example.org", home=ring.home)
    ring.forget_passphrases()
    assert done.exit_code == 0, done.stderr


def test_a_renewed_key_is_published_again(
    ring: Keys, package: Path, place: Path
) -> None:  # fmt: skip
    listed = ring.gpg("--with-colons", "--list-keys", "renewed@example.org")
    fingerprint = listed.partition("\nfpr:")[2].split(":")[8]
    ring.gpg("--quick-set-expire", fingerprint, "10y")
    first = call(place / "repo", package, "--key", fingerprint, home=ring.home)
    assert first.exit_code == 0, first.stderr
    assert f"the key {fingerprint} expires on 20" in first.stderr
    public = (place / "repo/dynaccel.asc").read_text()
    ring.gpg("--quick-set-expire", fingerprint, "0")
    again = publish(place / "repo", ring, package, key=fingerprint)
    assert again.changed
    assert again.signed_again == ()
    assert (place / "repo/dynaccel.asc").read_text() != public


def test_a_directory_of_keys_that_is_not_there(package: Path, place: Path) -> None:
    done = call(
        place / "repo", package, "--key", "x", "--gnupghome", str(place / "none"), home=None
    )
    assert done.exit_code == 2
    assert f"the directory of keys {place / 'none'} is not there" in done.stderr


def test_others_must_not_read_the_keys(ring: Keys, package: Path, place: Path) -> None:
    ring.home.chmod(0o755)
    done = call(place / "repo", package, "--key", "good@example.org", home=ring.home)
    ring.home.chmod(0o700)
    assert f"others may read {ring.home}; close it: chmod 700" in done.stderr


def test_a_key_that_expired_since_is_found(ring: Keys, package: Path, place: Path) -> None:
    publish(place / "repo", ring, package, key="good@example.org")
    (place / "old.asc").write_text(ring.gpg("--armor", "--export", "old@example.org"))
    words = ["repo", "check", str(place / "repo"), "--trusted", str(place / "old.asc")]
    done = CliRunner().invoke(dynaccel_command, words)
    assert done.exit_code == 4
    assert "has expired on 2020-01-02: clients refuse it" in done.stderr
