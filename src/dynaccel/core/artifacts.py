# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that are there whole or not at all, and names that follow from content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part.

    What is there and no file (``/dev/null``, ``/dev/stdout``) is written to and stays what it is.

    Raises:
        InfrastructureError: The file cannot be written (full disk, no permission).
    """
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_json_atomic(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys; as :func:`write_atomic`."""
    write_atomic(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


@contextmanager
def staged_directory(final: Path) -> Iterator[Path]:
    """Yield an empty directory that takes the name ``final`` when the block ends well.

    If the block raises, nothing is left; if ``final`` exists already by then, the existing one
    stays (its name follows from its content, so both are the same).

    Raises:
        InfrastructureError: The directory cannot be made.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    except OSError as error:
        raise _unwritable(final, error) from error
    try:
        yield staging
        staging.chmod(0o755)
        try:
            staging.rename(final)
        except OSError as error:
            if not final.is_dir():
                raise _unwritable(final, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_writable(path: Path) -> None:
    """See, before work of minutes, that a file which the user named can be written after it.

    Raises:
        UserError: It is a directory, or lies where this user may not write.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path} is a directory", hint="name a file")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}",
            hint="name a file in a directory that you may write",
        ) from error


def content_hash(parts: Iterable[tuple[str, bytes]]) -> str:
    """Return the SHA-256 (hex) of named parts; names and lengths count, so none runs together."""
    digest = hashlib.sha256()
    for name, data in sorted(parts):
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def files_under(directory: Path) -> list[tuple[str, bytes]]:
    """Return (relative name, content) of every regular file below ``directory``, sorted by name."""
    return sorted(
        (str(path.relative_to(directory)), path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    )


def _unwritable(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"cannot write {path}: {error.strerror}",
        hint="free some room, or point DYNACCEL_CACHE at a directory that you may write",
    )
