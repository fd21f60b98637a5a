# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of versions, as rpm and dpkg see it: they are asked."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from dynaccel.host import process
from dynaccel.packaging.repo.contents import RPM

if TYPE_CHECKING:
    from collections.abc import Iterable

# No braces but those of the macro, and of strings only what read_packages lets in.
_SORT = """%{{lua:
local versions = {{ {quoted} }}
table.sort(versions, function(a, b) return rpm.vercmp(a, b) > 0 end)
print(table.concat(versions, " "))
}}"""


def newest_first(kind: str, versions: Iterable[str]) -> list[str]:
    """Return versions in order, the newest first, each once.

    Args:
        kind: ``rpm`` or ``deb``: whose order.
        versions: Whole versions, with epoch and release.

    Raises:
        MissingError: There is no rpm, or no dpkg.
    """
    different = sorted(set(versions))
    if len(different) <= 1:
        return different
    if kind == RPM:
        quoted = ", ".join(f'"{version}"' for version in different)
        return process.run(["rpm", "--eval", _SORT.format(quoted=quoted)]).text.split()
    return sorted(different, key=functools.cmp_to_key(_deb_order), reverse=True)


def _deb_order(one: str, other: str) -> int:
    for relation, order in (("lt", -1), ("gt", 1)):
        asked = process.run(["dpkg", "--compare-versions", one, relation, other], check=False)
        if asked.returncode == 0:
            return order
    return 0
