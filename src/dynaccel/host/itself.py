# SPDX-License-Identifier: GPL-2.0-or-later
"""How this very dynaccel starts itself again, wherever it is installed."""

from __future__ import annotations

import sys
from pathlib import Path

_HOME = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.insert(0, {home!r}); from dynaccel.cli.main import main; main()"


def command() -> tuple[str, ...]:
    """Return the program and first arguments, to which a command line of dynaccel is added.

    The same Python, the same directory of packages: a distribution's package keeps its own in a
    directory that no Python looks into by itself, and leaves the user's out of sight.
    """
    flags = [
        flag for flag, given in (("-I", sys.flags.isolated), ("-S", sys.flags.no_site)) if given
    ]
    return (sys.executable, *flags, "-c", _START.format(home=str(_HOME)))
