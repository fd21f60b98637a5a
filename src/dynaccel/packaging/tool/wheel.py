# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheel and the source distribution, by hatchling."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dynaccel.core.errors import BuildError
from dynaccel.host import process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.packaging.tool.checkout import Checkout

WHEEL, SDIST = "wheel", "sdist"
_SUFFIXES = {WHEEL: ".whl", SDIST: ".tar.gz"}
_HINT = "make setup installs hatchling"


def build(checkout: Checkout, kind: str, *, share: Path, output: Path) -> Path:
    """Build a wheel or an sdist and return its file in ``output``.

    Args:
        checkout: What it is made from.
        kind: ``wheel`` or ``sdist``.
        share: Man pages and completions, as they lie below ``share``; scripts/hatch_build.py
            puts them in.
        output: An empty directory.

    Raises:
        BuildError: hatchling failed.
    """
    argv: Sequence[str | Path] = [
        sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", output,
    ]  # fmt: skip
    environment = {
        "SOURCE_DATE_EPOCH": str(checkout.changed_seconds),
        "DYNACCEL_SHARE": str(share),
    }
    done = process.run(argv, cwd=checkout.root, env=environment, check=False)
    made = sorted(output.glob(f"*{_SUFFIXES[kind]}"))
    if done.returncode != 0 or len(made) != 1:
        raise BuildError(
            f"hatchling made no {kind}", detail=process.tail(done.stderr or done.stdout), hint=_HINT
        )
    return made[0]
