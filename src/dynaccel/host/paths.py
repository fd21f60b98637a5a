# SPDX-License-Identifier: GPL-2.0-or-later
"""Where dynaccel keeps things and where its own data is."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from dynaccel.core.errors import InfrastructureError

_PACKAGE = Path(__file__).resolve().parents[1]


def cache_dir() -> Path:
    """Return the directory for what can be made again: kernels, sources, the guest's image.

    ``$DYNACCEL_CACHE``, else ``$XDG_CACHE_HOME/dynaccel``, else ``~/.cache/dynaccel``. It is made
    when it is not there.

    Raises:
        InfrastructureError: It cannot be made or written.
    """
    named = os.environ.get("DYNACCEL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "dynaccel"
    try:
        path.mkdir(parents=True, exist_ok=True)
        writable = os.access(path, os.W_OK | os.X_OK)
        reason = "no permission"
    except OSError as error:
        writable, reason = False, error.strerror or str(error)
    if not writable:
        raise InfrastructureError(
            f"the cache directory {path} cannot be written: {reason}",
            hint="point DYNACCEL_CACHE at a directory that you may write",
        )
    return path.resolve()


def runtime_dir() -> Path:
    """Return the user's private directory for sockets of running guests, mode 0700.

    ``$XDG_RUNTIME_DIR/dynaccel``, else ``dynaccel-UID`` below the temporary directory. Short on
    purpose: the path of a UNIX socket has room for 107 bytes (unix(7)).

    Raises:
        InfrastructureError: It cannot be made, or belongs to somebody else.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    path = (
        Path(base) / "dynaccel"
        if base and Path(base).is_dir()
        else Path(tempfile.gettempdir()) / f"dynaccel-{os.getuid()}"
    )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise InfrastructureError(
            f"cannot make {path}: {error.strerror}",
            hint="set XDG_RUNTIME_DIR to a directory of your own",
        ) from error
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise InfrastructureError(
            f"{path} belongs to somebody else",
            hint="set XDG_RUNTIME_DIR to a directory of your own",
        )
    path.chmod(0o700)
    return path


def data_dir(name: str) -> Path:
    """Return a directory that travels with the package: ``kernel``, ``guest``, ``report``, ...

    In a wheel it lies inside the package; in a checkout at the top of the tree.

    Raises:
        InfrastructureError: The installation is incomplete.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise InfrastructureError(
        f"dynaccel's own directory {name!r} is missing from the installation",
        hint="install dynaccel again",
    )
