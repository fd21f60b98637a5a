# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory in which a kernel is built, and how an interrupted build goes on in it.

One directory for a source, patched or not; a finished step is recorded in ``state.json``. Files of
an earlier patch stay, so that after a change of the patch make compiles what depends on it, and no
more than that: what both patches make the same keeps its time.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import ProcessError
from dynaccel.host import lock, paths, process
from dynaccel.kbuild import source as sources
from dynaccel.kbuild.make import OBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.kbuild.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Patcher:
    """What patches a tree.

    Attributes:
        key: Names what ``apply`` does: with the same key it does the same to the same tree.
        apply: Patches the kernel tree at a path and returns the difference in git's format.
        without: Names of the hooks that it leaves out.
        programs: Programs that ``apply`` runs.
    """

    key: str
    apply: Callable[[Path], bytes]
    without: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Which steps are done in a work directory.

    Attributes:
        patch_key: Key of the patcher whose work is in the tree; None: none is.
        patching: A patcher is at work, or was cut off at it.
        configured: Hash of what the configuration was made from and of the result.
        started: Whether a compilation has begun; objects of it may be there.
        compiled: Whether the last compilation came to its end.
    """

    patch_key: str | None = None
    patching: bool = False
    configured: str | None = None
    started: bool = False
    compiled: bool = False


_STATE = TypeAdapter(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A work directory whose lock is held.

    Attributes:
        directory: Where all of it is.
        lock: The lock's file descriptor, for children to inherit.
    """

    directory: Path
    lock: int

    @property
    def tree(self) -> Path:
        """The kernel tree."""
        return self.directory / "linux"

    @property
    def objects(self) -> Path:
        """Where make puts its objects."""
        return self.tree / OBJECTS

    @property
    def log(self) -> Path:
        """All that make said."""
        return self.directory / "build.log"

    @property
    def patch(self) -> Path:
        """The difference that the patcher made."""
        return self.directory / "dynaccel.patch"

    def load(self) -> State | None:
        """Return which steps are done; None when there is no usable tree yet."""
        try:
            return _STATE.validate_json((self.directory / "state.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, state: State) -> None:
        """Record which steps are done."""
        write_atomic(self.directory / "state.json", _STATE.dump_json(state) + b"\n")

    def update(self, **changes: object) -> None:
        """Record changes of :class:`State`; the tree is there."""
        self.save(_STATE.validate_python({**asdict(self.load() or State()), **changes}))

    def forget_objects(self) -> None:
        """Remove what was built, so that all of it is made again."""
        if self.load() is not None:
            self.update(configured=None, started=False, compiled=False)
        shutil.rmtree(self.objects, ignore_errors=True)


def work_dir() -> Path:
    """Return the directory of all work directories."""
    return paths.cache_dir() / "work"


@contextmanager
def opened(source: Source, *, arch: Arch, patched: bool, reporter: Reporter) -> Iterator[Workspace]:
    """Hold the work directory of a source for the length of the block; wait for another's build.

    Objects for one architecture are of no use to another, so each has a directory of its own.
    """
    words = [source.identity[:16], "patched" if patched else "plain"]
    name = "-".join(words if arch.native else [*words, arch.debian])

    def on_wait(holder: str) -> None:
        reporter.info(f"{holder} builds from the same source; waiting until it is done")

    with lock.exclusive(work_dir() / f"{name}.lock", on_wait=on_wait) as handle:
        workspace = Workspace(directory=work_dir() / name, lock=handle)
        workspace.directory.mkdir(exist_ok=True)
        yield workspace


def require_tree(workspace: Workspace, source: Source, *, reporter: Reporter) -> None:
    """See that a tree is in the work directory, patched or not; unpack ``source`` if none is.

    Raises:
        DynaccelError: What unpacking raises.
    """
    state = workspace.load()
    if state is None or state.patching or not workspace.tree.is_dir():
        _unpack(workspace, source, reporter)


def prepare_tree(
    workspace: Workspace, source: Source, patcher: Patcher | None, *, reporter: Reporter
) -> bytes:
    """Bring the work directory's tree to ``source`` with the patch in it; return the difference.

    Raises:
        DynaccelError: What unpacking and the patcher raise.
    """
    state = workspace.load()
    if state is None or state.patching or not workspace.tree.is_dir():
        state = _unpack(workspace, source, reporter)
    if patcher is None:
        return b""
    if state.patch_key == patcher.key:
        return workspace.patch.read_bytes()
    had_patch = state.patch_key is not None
    stamps = _stamps(workspace) if had_patch else []
    # From here on the tree is neither one thing nor the other.
    workspace.save(replace(state, patching=True))
    if had_patch and not _revert(workspace):
        state = _unpack(workspace, source, reporter)
        workspace.save(replace(state, patching=True))
    difference = patcher.apply(workspace.tree)
    for stamp in stamps:
        stamp.restore()
    write_atomic(workspace.patch, difference)
    workspace.save(replace(state, patch_key=patcher.key, patching=False, compiled=False))
    return difference


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """A file of the tree, what is in it, and when that was written (ns, as ``stat`` tells it)."""

    path: Path
    content: bytes
    written_ns: int

    def restore(self) -> None:
        """Give the file its time back if the same is in it again, for make goes by the time."""
        with suppress(OSError):
            if self.path.read_bytes() == self.content:
                os.utime(self.path, ns=(self.written_ns, self.written_ns))


def _stamps(workspace: Workspace) -> list[_Stamp]:
    stamps = []
    for path in _patched_files(workspace):
        with suppress(OSError):  # removed by hand; taking the patch back will say so
            written = path.stat().st_mtime_ns
            stamps.append(_Stamp(path=path, content=path.read_bytes(), written_ns=written))
    return stamps


def _patched_files(workspace: Workspace) -> list[Path]:
    if not workspace.patch.stat().st_size:
        return []
    listed = _git_apply(workspace, "--numstat", "-z")
    # Each file is "added TAB removed TAB name".
    names = [os.fsdecode(line.split(b"\t")[-1]) for line in listed.stdout.split(b"\0") if line]
    return [workspace.tree / name for name in names]


def _unpack(workspace: Workspace, source: Source, reporter: Reporter) -> State:
    (workspace.directory / "state.json").unlink(missing_ok=True)
    shutil.rmtree(workspace.tree, ignore_errors=True)
    sources.unpack(source, workspace.tree, reporter=reporter)
    state = State()
    workspace.save(state)
    return state


def _revert(workspace: Workspace) -> bool:
    if not workspace.patch.stat().st_size:
        return True
    try:
        _git_apply(workspace, "--reverse")
    except ProcessError:
        return False
    return True


def _git_apply(workspace: Workspace, *options: str) -> process.Completed:
    return process.run(
        ["git", "apply", *options, workspace.patch],
        cwd=workspace.tree,
        # A repository around the cache would make git pass over files outside of it.
        env={"GIT_CEILING_DIRECTORIES": str(workspace.directory), "GIT_DIR": "/nonexistent"},
    )
