# SPDX-License-Identifier: GPL-2.0-or-later
"""Put man pages and completions into the wheel: hatchling calls this.

``make dist`` makes them and names their directory in DYNACCEL_SHARE; an sdist has them as
``share``. A wheel that is built straight from a checkout does without.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShareHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds a directory ``share``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the directory's place, when there is one."""
        share = Path(os.environ.get("DYNACCEL_SHARE") or Path(self.root, "share"))
        if version == "standard" and share.is_dir():
            kind = "shared_data" if self.target_name == "wheel" else "force_include"
            build_data.setdefault(kind, {})[str(share)] = "share"
