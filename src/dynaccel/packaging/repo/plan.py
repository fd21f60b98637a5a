# SPDX-License-Identifier: GPL-2.0-or-later
"""What the next generation holds: pure functions over what is there and what comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.packaging.repo.contents import RPM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynaccel.packaging.repo.contents import Identity, Package
    from dynaccel.packaging.repo.read_packages import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do to get from one generation to the next.

    Attributes:
        keep: Packages that stay as they are.
        sign_again: Packages that stay, and that another key signed.
        add: Files that come.
        added: What of them is new in the repository.
        replaced: What was there with another content.
        repaired: What was there, and whose file was missing or cut off.
        pruned: What was there and goes, because it is too old.
    """

    keep: tuple[Package, ...]
    sign_again: tuple[Package, ...]
    add: tuple[Candidate, ...]
    added: tuple[Identity, ...] = ()
    replaced: tuple[Identity, ...] = ()
    repaired: tuple[Identity, ...] = ()
    pruned: tuple[Identity, ...] = ()


def make(
    here: Sequence[Package],
    come: Sequence[Candidate],
    *,
    signer: str,
    replace: bool,
    is_whole: Callable[[Package], bool],
    surplus: Callable[[Iterable[Identity]], frozenset[Identity]],
) -> Plan:
    """Return the plan for the next generation.

    Args:
        here: What the current generation holds.
        come: What the user named.
        signer: Fingerprint of the key that signs.
        replace: Whether a package may get another content.
        is_whole: Says whether a package's file is there.
        surplus: Says which of all packages are too old to stay.

    Raises:
        UserError: Packages would get another content, or are damaged; all such are listed.
    """
    there = {package.identity: package for package in here}
    coming = {candidate.identity: candidate for candidate in come}
    other = {
        identity
        for identity, candidate in coming.items()
        if identity in there and there[identity].content != candidate.content
    }
    if other and not replace:
        raise UserError(
            "the repository has these already, with another content; nothing was changed",
            detail="\n".join(f"{identity}: {coming[identity].path}" for identity in other),
            hint="give what you build a new version or release, so that clients see that it is"
            " another; --replace puts the new content in the old one's place",
        )
    gone = surplus({**there, **coming})
    broken = {identity for identity, package in there.items() if not is_whole(package)}
    lost = sorted(str(identity) for identity in broken - gone - set(coming))
    if lost:
        raise UserError(
            "files of the repository are missing or cut off; nothing was changed",
            detail="\n".join(lost),
            hint="publish these packages again, together with the others",
        )
    anew = {
        identity
        for identity in coming
        if identity not in gone and (identity not in there or identity in other | broken)
    }
    stay = [package for identity, package in there.items() if identity not in gone | anew]
    again = [package for package in stay if package.kind == RPM and package.signer != signer]
    return Plan(
        keep=tuple(package for package in stay if package not in again),
        sign_again=tuple(again),
        add=tuple(coming[identity] for identity in coming if identity in anew),
        added=tuple(identity for identity in coming if identity in anew and identity not in there),
        replaced=tuple(identity for identity in coming if identity in anew & other),
        repaired=tuple(identity for identity in coming if identity in anew & broken - other),
        pruned=tuple(identity for identity in there if identity in gone),
    )
