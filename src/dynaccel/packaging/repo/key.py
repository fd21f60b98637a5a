# SPDX-License-Identifier: GPL-2.0-or-later
"""The key that signs: found by what a user calls it, and fit to sign, or an error that says why."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import MissingError, UserError
from dynaccel.host import process

if TYPE_CHECKING:
    from collections.abc import Sequence

_RSA = "1"
_UNUSABLE = {"r": "was revoked", "e": "has expired", "d": "is disabled", "i": "is not valid"}
_LOCKED = re.compile(r"pinentry|passphrase|operation cancelled|inappropriate ioctl", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Where gpg has its keys.

    Attributes:
        home: Its directory (GNUPGHOME); None: gpg's own, in the user's home.
    """

    home: Path | None = None

    @property
    def env(self) -> dict[str, str]:
        """What gpg, and programs that start it, get in their environment."""
        home = {} if self.home is None else {"GNUPGHOME": str(self.home)}
        return {"LC_ALL": "C", **home}

    @property
    def shell_prefix(self) -> str:
        """What stands before a gpg that a user types."""
        return "" if self.home is None else f"GNUPGHOME={self.home} "

    def gpg(
        self, *words: str | Path, stdin: bytes | None = None, check: bool = True
    ) -> process.Completed:
        """Run gpg, which asks nobody anything."""
        return process.run(
            ["gpg", "--batch", "--no-tty", *words], env=self.env, stdin=stdin, check=check
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key with which a repository is signed.

    Attributes:
        keyring: Where it is.
        fingerprint: Of its primary key.
        name: Whose it says it is.
        public: The public key, as text.
        expires: When it expires, in seconds since 1970; None: never.
        is_rsa: Whether every rpm knows its kind.
    """

    keyring: Keyring
    fingerprint: str
    name: str
    public: str
    expires: int | None = None
    is_rsa: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A key in a list of gpg's: the fields of doc/DETAILS that matter."""

    fingerprint: str
    validity: str
    algorithm: str
    expires: int | None
    abilities: str
    name: str

    @property
    def can_sign(self) -> bool:
        """Whether it, or one of its subkeys, may sign now."""
        return "S" in self.abilities and self.validity not in _UNUSABLE


def open_keyring(home: Path | None) -> tuple[Keyring, str | None]:
    """Return the keyring of a user, and a warning when others can get at it.

    Args:
        home: The directory that was named; None: $GNUPGHOME, else gpg's own.

    Raises:
        UserError: It is no directory.
    """
    named = home if home is not None else Path(os.environ.get("GNUPGHOME") or "")
    if not named.parts:
        return Keyring(), None
    if not named.is_dir():
        raise UserError(
            f"the directory of keys {named} is not there",
            hint=f"make one: mkdir -m 700 {named}; then a key in it: docs/repositories.md",
        )
    open_to_others = named.stat().st_mode & 0o077
    warning = f"others may read {named}; close it: chmod 700 {named}" if open_to_others else None
    return Keyring(home=named.absolute()), warning


def find(keyring: Keyring, wanted: str) -> Key:
    """Return the key that a user means, tried out.

    Args:
        keyring: Where to look.
        wanted: A fingerprint, a key's id, a mail address or a part of a name.

    Raises:
        MissingError: There is none, or its secret part is not there.
        UserError: Several are meant, it may not sign (any more), or its passphrase is not known.
    """
    # gpg takes an address without brackets for a part of one.
    address = "@" in wanted and not wanted.startswith(("<", "=", "*"))
    pattern = f"<{wanted}>" if address and " " not in wanted else wanted
    secret = _listed(keyring, "--list-secret-keys", pattern)
    where = keyring.home or "the keyring of gpg"
    if not secret:
        if public := _listed(keyring, "--list-keys", pattern):
            raise MissingError(
                f"of the key {_called(public[0])} there is only the public part in {where}",
                hint=f"bring its secret part: {keyring.shell_prefix}gpg --import FILE",
            )
        raise MissingError(
            f"there is no key {wanted!r} in {where}",
            hint=f"see which there are: {keyring.shell_prefix}gpg --list-secret-keys;"
            " how to make one: docs/repositories.md",
        )
    usable = [each for each in secret if each.can_sign] or secret
    if len(usable) > 1:
        raise UserError(
            f"{len(usable)} keys are called {wanted!r}",
            detail="\n".join(_called(each) for each in usable),
            hint="name one by its fingerprint",
        )
    _require_usable(keyring, usable[0])
    return _tried(keyring, usable[0])


def _require_usable(keyring: Keyring, key: _Listed) -> None:
    if key.validity in _UNUSABLE:
        when = ""
        hint = "sign with another key; clients need its public part then"
        if key.validity == "e" and key.expires is not None:
            when = f" on {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d}"
            hint = (
                f"let it live on: {keyring.shell_prefix}gpg --quick-set-expire"
                f" {key.fingerprint} 0; or {hint}"
            )
        raise UserError(f"the key {_called(key)} {_UNUSABLE[key.validity]}{when}", hint=hint)
    if not key.can_sign:
        raise UserError(
            f"the key {_called(key)} cannot sign: it, or its subkeys that can, are expired,"
            " revoked or made for another purpose",
            hint=f"see what it has: {keyring.shell_prefix}gpg --list-keys {key.fingerprint}",
        )


def _tried(keyring: Keyring, key: _Listed) -> Key:
    tried = keyring.gpg(
        "--pinentry-mode", "error", "--local-user", key.fingerprint, "--detach-sign",
        stdin=b"dynaccel", check=False,
    )  # fmt: skip
    if tried.returncode != 0:
        detail = process.tail(tried.stderr)
        try_it = f"echo | {keyring.shell_prefix}gpg --local-user {key.fingerprint} --clear-sign"
        if _LOCKED.search(detail):
            raise UserError(
                f"the key {_called(key)} is protected by a passphrase that gpg-agent does not know",
                hint=f"unlock it, and give the same command again: {try_it}",
                detail=detail,
            )
        raise UserError(
            f"the key {_called(key)} does not sign",
            hint=f"try it: {try_it}",
            detail=detail,
        )
    exported = keyring.gpg(
        "--armor", "--export-options", "export-minimal", "--export", key.fingerprint
    )
    return Key(
        keyring=keyring,
        fingerprint=key.fingerprint,
        name=key.name,
        public=exported.text + "\n",
        expires=key.expires,
        is_rsa=key.algorithm == _RSA,
    )


def read_public(public: Path) -> tuple[str, int | None]:
    """Return the fingerprint of the key in a file, and when it expires; None: never.

    Raises:
        UserError: There is none in it, or several.
    """
    shown = process.run(
        ["gpg", "--batch", "--with-colons", "--show-keys", public], env={"LC_ALL": "C"}, check=False
    )
    found = parse_list(shown.text)
    if len(found) != 1:
        raise UserError(
            f"{public.name} holds {len(found) or 'no'} public keys, not one",
            hint="gpg --armor --export FINGERPRINT writes one",
        )
    return found[0].fingerprint, found[0].expires


def _listed(keyring: Keyring, list_command: str, pattern: str) -> list[_Listed]:
    done = keyring.gpg("--with-colons", list_command, "--", pattern, check=False)
    return parse_list(done.text)


def parse_list(text: str) -> list[_Listed]:
    """Return the primary keys in a list that gpg wrote ``--with-colons``."""
    found: list[_Listed] = []
    lines: Sequence[list[str]] = [line.split(":") for line in text.splitlines()]
    for number, fields in enumerate(lines):
        if fields[0] not in {"pub", "sec"}:
            continue
        following = lines[number + 1 :]
        fingerprint = next((each[9] for each in following if each[0] == "fpr"), "")
        name = next((each[9] for each in following if each[0] == "uid"), "")
        found.append(
            _Listed(
                fingerprint=fingerprint,
                validity=fields[1],
                algorithm=fields[3],
                expires=int(fields[6]) if fields[6] else None,
                abilities=fields[11],
                name=name.replace(r"\x3a", ":"),
            )
        )
    return found


def _called(key: _Listed) -> str:
    return f"{key.fingerprint} ({key.name})"
