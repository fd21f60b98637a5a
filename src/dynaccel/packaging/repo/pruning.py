# SPDX-License-Identifier: GPL-2.0-or-later
"""Which versions of a package are too many."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from dynaccel.packaging.repo import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynaccel.packaging.repo.contents import Identity


def family(identity: Identity) -> tuple[str, str, str]:
    """Return what the versions of one package have in common: kind, name, architecture.

    A name that has the package's version in it, as Debian's kernels do, stands for all such:
    ``linux-image-6.1.192-1.dynaccel-amd64`` is a version of ``linux-image-*-amd64``.
    """
    whole = identity.version.rpartition(":")[2]
    for part in (whole, whole.rpartition("-")[0]):
        if part:
            # Not "6.1" in "6.12", nor the 1.0 of 11.0.
            pattern = rf"(?<![0-9.]){re.escape(part)}(?![0-9]|\.[0-9])"
            name, count = re.subn(pattern, "*", identity.name, count=1)
            if count:
                return identity.kind, name, identity.arch
    return identity.kind, identity.name, identity.arch


def surplus(
    identities: Iterable[Identity],
    keep: int,
    *,
    newest_first: Callable[[str, Iterable[str]], list[str]] = versions.newest_first,
) -> frozenset[Identity]:
    """Return the packages that are older than the ``keep`` newest versions of theirs.

    Args:
        identities: All packages.
        keep: How many versions of a name and architecture stay.
        newest_first: Orders versions of a kind of packages.

    Raises:
        MissingError: There is no rpm, or no dpkg.
    """
    families: dict[tuple[str, str, str], list[Identity]] = defaultdict(list)
    for identity in identities:
        families[family(identity)].append(identity)
    old: set[Identity] = set()
    for (kind, _, _), members in families.items():
        if len(members) > keep:
            stay = newest_first(kind, {each.version for each in members})[:keep]
            old.update(each for each in members if each.version not in stay)
    return frozenset(old)
