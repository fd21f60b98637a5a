# SPDX-License-Identifier: GPL-2.0-or-later
"""Who answers for the packages that are made."""

from __future__ import annotations

import os


def maintainer() -> str:
    """Return ``Name <address>``, from ``DEBFULLNAME`` and ``DEBEMAIL`` as Debian's own tools.

    Whoever sets neither makes packages for himself: their address then leads nowhere (RFC 2606).
    """
    name = os.environ.get("DEBFULLNAME", "dynaccel")
    address = os.environ.get("DEBEMAIL", "packages@dynaccel.invalid")
    return f"{name} <{address}>"
