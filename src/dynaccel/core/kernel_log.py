# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of the kernel's log are complaints."""

from __future__ import annotations

COMPLAINT = (
    r"\bstall|lockup|\bhung\b|blocked for more than|unstable|\bWARNING\b|\bBUG\b"
    r"|\bOops\b|Kernel panic|general protection fault[,:]|clock skew|Time went|took too long"
)
"""Regular expression that finds one; also of the clocks that suffer when time is scaled wrongly."""
BY_PROGRAM = r"(?:\w+: )?[\w.@()-]+\[\d+\]: "
"""How a line begins that a program has put into the kernel's log, as systemd does at boot."""
