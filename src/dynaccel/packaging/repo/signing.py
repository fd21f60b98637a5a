# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures on packages and on metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.host import process, tools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.packaging.repo.key import Key

_DIGEST = "SHA256"
"""Of all signatures: what rpm of CentOS 7 and apt of Debian 9 know as well."""


class RpmKeys:
    """What rpm says of packages when it knows one key and no other.

    Args:
        public: File of the public key.
        database: A directory for rpm, empty or of an earlier such object.
    """

    def __init__(self, public: Path, database: Path) -> None:
        database.mkdir(parents=True, exist_ok=True)
        self._words = ["rpmkeys", "--dbpath", str(database)]
        process.run([*self._words, "--import", public], env={"LC_ALL": "C"})

    def bad(self, packages: Sequence[Path]) -> list[str]:
        """Return what is wrong with packages that are damaged or lack a good signature.

        Args:
            packages: Files whose paths have no characters that are special to rpm.
        """
        if not packages:
            return []
        checked = process.run(
            [*self._words, "--define", "_pkgverify_level all", "--checksig", *packages],
            env={"LC_ALL": "C"},
            check=False,
        )
        if checked.returncode == 0:
            return []
        lines = [*checked.text.splitlines(), *process.tail(checked.stderr).splitlines()]
        return [line.strip() for line in lines if not line.endswith(": digests signatures OK")]


def sign_rpm(package: Path, key: Key) -> None:
    """Put the key's signature on a package, in place of any that it has.

    Raises:
        ProcessError: rpmsign or gpg failed.
    """
    macros = {
        "__gpg": str(tools.require("gpg")),
        "_gpg_name": key.fingerprint,
        "_gpg_digest_algo": _DIGEST,
        "_gpg_sign_cmd_extra_args": "--batch --no-tty --pinentry-mode error",
        # A user's own ~/.rpmmacros must not send gpg elsewhere.
        "_gpg_path": str(key.keyring.home) if key.keyring.home else "%{nil}",
    }
    words = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    process.run(["rpmsign", *words, "--addsign", package], env=key.keyring.env)


def sign_detached(file: Path, key: Key, signature: Path) -> None:
    """Write the armoured signature of ``file`` to ``signature``.

    Raises:
        ProcessError: gpg failed.
    """
    _sign(key, "--armor", "--detach-sign", output=signature, file=file)


def sign_inline(file: Path, key: Key, signed: Path) -> None:
    """Write the text ``file`` with a signature around it to ``signed``.

    Raises:
        ProcessError: gpg failed.
    """
    _sign(key, "--clear-sign", output=signed, file=file)


def _sign(key: Key, *how: str, output: Path, file: Path) -> None:
    key.keyring.gpg(
        "--yes", "--pinentry-mode", "error", "--digest-algo", _DIGEST,
        "--local-user", key.fingerprint, *how, "--output", output, file,
    )  # fmt: skip


def dearmour(public: Path, keyring: Path) -> None:
    """Write a public key as the keyring that gpgv reads."""
    process.run(["gpg", "--batch", "--yes", "--dearmor", "--output", keyring, public])


def verify(
    keyring: Path, signature: Path, file: Path | None = None, *, text: Path | None = None
) -> str | None:
    """Return what is wrong with a signature; None when it is good.

    Args:
        keyring: What :func:`dearmour` wrote.
        signature: A signature, or a text with its signature around it.
        file: What a signature of its own is for.
        text: Where to write the text that has its signature around it.
    """
    words: list[str | Path] = ["gpgv", "--keyring", keyring, "--status-fd", "1"]
    words += ["--output", text] if text else []
    words += [signature, file] if file else [signature]
    done = process.run(words, env={"LC_ALL": "C"}, check=False)
    if done.returncode == 0 and "[GNUPG:] VALIDSIG " in done.text:
        return None
    said = [line.removeprefix("gpgv: ") for line in process.tail(done.stderr).splitlines()]
    return said[-1] if said else "no good signature"
