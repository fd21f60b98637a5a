# SPDX-License-Identifier: GPL-2.0-or-later
"""A temporary directory that Ctrl-C leaves nothing of."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError
from dynaccel.patch.defer_signals import signals_deferred

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    """Yield an empty directory without symbolic links in its path; it is gone after the block.

    Raises:
        InfrastructureError: It, or something in it, cannot be written.
    """
    root: Path | None = None
    try:
        with signals_deferred():
            root = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
        yield root
    except OSError as error:
        raise InfrastructureError(
            f"cannot work on copies in the temporary directory: {error.strerror or error}",
            hint="free some room there, or point TMPDIR at another directory",
        ) from error
    finally:
        # tempfile.TemporaryDirectory would leave a rest when Ctrl-C comes while it cleans up.
        with signals_deferred():
            if root is not None:
                shutil.rmtree(root, ignore_errors=True)
