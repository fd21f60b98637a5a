# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings written into a system, and taken out of it again.

A file that was written here says so in its first line, with the checksum of the rest: so it is
told, without records elsewhere, from a user's own, and from one that a user has changed since.
"""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dynaccel.packaging.tune.settings import TuneFile

_MARK = "Written by 'dynaccel tune', which takes it away again when told to undo. Checksum:"
_FIRST_LINE = re.compile(rf"\A(?:#|<!--) {re.escape(_MARK)} ([0-9a-f]{{64}})(?: -->)?\n")
_MODE = 0o644
_DIRECTORY_MODE = 0o755


class Action(enum.StrEnum):
    """What is done to a file."""

    WRITE = "write"
    UPDATE = "update"
    REMOVE = "remove"
    KEEP = "keep"
    """It is as it should be."""
    LEAVE = "leave"
    """It is a user's own, or was changed by one."""
    SKIP = "skip"
    """The system has nothing that would read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be done to a file.

    Attributes:
        action: What.
        path: The file.
        why: What the file sets.
        text: Its new content, first line included; empty where nothing is written.
    """

    action: Action
    path: Path
    why: str
    text: str = ""


class _Owner(enum.Enum):
    NOBODY = enum.auto()
    """There is no such file."""
    DYNACCEL = enum.auto()
    USER = enum.auto()


def plan_apply(files: Sequence[TuneFile], root: Path) -> list[Change]:
    """Return what it takes for ``files`` to be in the system below ``root``.

    Raises:
        UserError: ``root`` is no system: it has no ``/etc``.
        InfrastructureError: A file cannot be read.
    """
    _check(root)
    return [_applied(file, root) for file in files]


def plan_undo(files: Sequence[TuneFile], root: Path) -> list[Change]:
    """Return what it takes for none of ``files`` to be there, of whatever ratio they are.

    Raises:
        UserError: ``root`` is no system: it has no ``/etc``.
        InfrastructureError: A file cannot be read.
    """
    _check(root)
    changes = []
    for file in files:
        path = root / file.local
        owner = _owner(path)
        if owner is not _Owner.NOBODY:
            action = Action.REMOVE if owner is _Owner.DYNACCEL else Action.LEAVE
            changes.append(Change(action=action, path=path, why=file.why))
    return changes


def write(changes: Iterable[Change], root: Path) -> None:
    """Carry out what was planned; directories that are empty after a removal go with it.

    Raises:
        UserError: This user may not write there.
        InfrastructureError: The disk is full.
    """
    for change in changes:
        try:
            match change.action:
                case Action.WRITE | Action.UPDATE:
                    _check_inside(change.path, root)
                    _make_directories(change.path.parent)
                    write_atomic(change.path, change.text.encode())
                    change.path.chmod(_MODE)
                case Action.REMOVE:
                    _check_inside(change.path, root)
                    change.path.unlink()
                    _remove_empty(change.path.parent, root)
                case _:
                    pass
        except (OSError, InfrastructureError) as error:
            raise _unwritable(change.path, error) from error


def _check(root: Path) -> None:
    if not (root / "etc").is_dir():
        raise UserError(
            f"{root} is no system's root: there is no directory etc in it",
            hint="--root names the directory that is / in the system",
        )


def _check_inside(path: Path, root: Path) -> None:
    # An absolute link in another system's root would lead into this machine's.
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise UserError(
            f"{path} is outside of {root}: a link leads there",
            hint="run 'dynaccel tune' inside of that system: chroot, or systemd-nspawn",
        )


def _applied(file: TuneFile, root: Path) -> Change:
    path, text = root / file.local, _signed(file.text)
    if file.needs is not None and not (root / file.needs).is_dir():
        return Change(action=Action.SKIP, path=path, why=file.why)
    match _owner(path):
        case _Owner.NOBODY:
            return Change(action=Action.WRITE, path=path, why=file.why, text=text)
        case _Owner.USER:
            return Change(action=Action.LEAVE, path=path, why=file.why)
        case _Owner.DYNACCEL if path.read_text(encoding="utf-8") == text:
            return Change(action=Action.KEEP, path=path, why=file.why)
        case _Owner.DYNACCEL:
            return Change(action=Action.UPDATE, path=path, why=file.why, text=text)


def _owner(path: Path) -> _Owner:
    try:
        # A link, such as one to /dev/null, is a user's word; so is what cannot be read as text.
        if path.is_symlink():
            return _Owner.USER
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _Owner.NOBODY
    except UnicodeDecodeError:
        return _Owner.USER
    except OSError as error:
        raise InfrastructureError(
            f"cannot read {path}: {error.strerror}", hint="as root: sudo dynaccel tune"
        ) from error
    found = _FIRST_LINE.match(text)
    if found is None or found[1] != _checksum(text[found.end() :]):
        return _Owner.USER
    return _Owner.DYNACCEL


def _signed(text: str) -> str:
    line = f"{_MARK} {_checksum(text)}"
    return f"<!-- {line} -->\n{text}" if text.startswith("<") else f"# {line}\n{text}"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _make_directories(directory: Path) -> None:
    # Not parents=True: those would go by the umask, and systemd's helpers run as other users.
    if not directory.is_dir():
        _make_directories(directory.parent)
        directory.mkdir()
        directory.chmod(_DIRECTORY_MODE)


def _remove_empty(directory: Path, root: Path) -> None:
    # Directories of systemd's drop-ins alone: others come with packages, empty ones as well.
    while (
        directory.name.endswith(".d")
        and "systemd" in directory.relative_to(root).parts
        and not any(directory.iterdir())
    ):
        directory.rmdir()
        directory = directory.parent


def _unwritable(path: Path, error: Exception) -> UserError | InfrastructureError:
    cause = error.__cause__ if isinstance(error, InfrastructureError) else error
    if isinstance(cause, PermissionError):
        return UserError(f"no permission to change {path}", hint="as root: sudo dynaccel tune")
    reason = cause.strerror if isinstance(cause, OSError) else str(error)
    return InfrastructureError(
        f"cannot change {path}: {reason}", hint="free some room; what is there already stays"
    )
