# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the kernel under test, made as a user makes them; once for all tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel import packaging
from dynaccel.core.artifacts import content_hash, files_under, staged_directory
from dynaccel.host import paths

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel

RELEASE = "1"


def kernel_packages(kernel: Kernel) -> Path:
    """Return the directory with the RPM and Debian packages of a kernel.

    They are kept in the cache under a hash of all that they are made from.
    """
    made_by = [
        *files_under(paths.data_dir("packaging")),
        *files_under(Path(packaging.__file__).parent),
        ("kernel", kernel.manifest.id.encode()),
    ]
    final = paths.cache_dir() / "test" / f"packages-{content_hash(made_by)[:12]}"
    if not final.is_dir():
        with staged_directory(final) as staging:
            words = ["kernel", "package", str(kernel.directory), "--format", "rpm,deb"]
            done = subprocess.run(
                [
                    sys.executable, "-m", "dynaccel.cli.main", *words,
                    "--release", RELEASE, "--output", staging,
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    return final
