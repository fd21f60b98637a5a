# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be published, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.packaging.repo.generations import GRACE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.packaging.repo.contents import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """What is to be published, and where.

    Attributes:
        directory: The repository; made when it is not there.
        key: The key that signs: a fingerprint, a key's id, a mail address or a part of a name.
        packages: Files, and directories that hold such.
        gnupghome: Directory of the key; None: $GNUPGHOME, else gpg's own.
        url: What readers call the repository; None: as before, at first the directory itself.
        keep: How many versions of a package stay; None: all.
        replace: Whether a package that is there may get another content.
        grace_seconds: How long what is no longer listed stays for those who read the list before.
    """

    directory: Path
    key: str
    packages: tuple[Path, ...] = ()
    gnupghome: Path | None = None
    url: str | None = None
    keep: int | None = None
    replace: bool = False
    grace_seconds: float = GRACE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishResult:
    """What was published.

    Attributes:
        directory: The repository.
        generation: Id of what readers see now.
        changed: Whether that is another one than before.
        added: Packages that are new.
        replaced: Packages that have another content now.
        repaired: Packages whose file was lost, and is there again.
        signed_again: Packages that another key had signed.
        pruned: Packages that are listed no longer.
        count: How many packages there are in all.
        fingerprint: Of the key.
        url: What readers call the repository.
        freed: Bytes of packages' files that went.
    """

    directory: Path
    generation: str
    changed: bool
    added: tuple[Identity, ...] = ()
    replaced: tuple[Identity, ...] = ()
    repaired: tuple[Identity, ...] = ()
    signed_again: tuple[Identity, ...] = ()
    pruned: tuple[Identity, ...] = ()
    count: int
    fingerprint: str
    url: str
    freed: int = 0
