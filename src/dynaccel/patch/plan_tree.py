# SPDX-License-Identifier: GPL-2.0-or-later
"""Find out what the patch would do to a kernel tree, without changing anything in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynaccel.core import artifacts
from dynaccel.core.errors import InfrastructureError, TreeMismatchError
from dynaccel.core.events import NullReporter
from dynaccel.core.versions import KernelVersion
from dynaccel.host import paths
from dynaccel.patch import series
from dynaccel.patch.explain_misfit import Misfit
from dynaccel.patch.file_change import FileChange, FileState
from dynaccel.patch.hwtime.convert import Converter
from dynaccel.patch.hwtime.rules import load as load_rules
from dynaccel.patch.hwtime.tree import HwtimePlan, plan_hwtime, strip_hwtime
from dynaccel.patch.plan_hooks import OURS, blame_other_patch, plan_hooks
from dynaccel.patch.read_tree import read_tree_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.patch.hwtime.tree import HwtimeFile
    from dynaccel.patch.plan_hooks import HookPlan, MergedPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the patch would do to a tree.

    Attributes:
        tree: Top of the tree, absolute.
        version: Its version of Linux.
        core: The files that dynaccel adds, sorted by path.
        hooked: The files of Linux that hooks change, sorted by path.
        hooks: What becomes of each hook, in the order of the series.
        misfits: What keeps the patch from being applied; empty when it fits.
        waiting: The other files of Linux that hardware time changes, sorted by path.
        hwtime: What hardware time does; None when it is left out, or when the hooks do not fit.
    """

    tree: Path
    version: KernelVersion
    core: tuple[FileChange, ...]
    hooked: tuple[FileChange, ...]
    hooks: tuple[HookPlan, ...]
    misfits: tuple[Misfit, ...]
    waiting: tuple[FileChange, ...] = ()
    hwtime: HwtimePlan | None = None

    @property
    def files(self) -> tuple[FileChange, ...]:
        """All files that the patch touches, sorted by path."""
        return tuple(sorted((*self.core, *self.hooked, *self.waiting), key=lambda file: file.path))

    @property
    def merged(self) -> tuple[MergedPlace, ...]:
        """Where hooks were merged, or will be, for a person to look at."""
        return tuple(place for hook in self.hooks for place in hook.merged)

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The files that have yet to be written."""
        return tuple(file for file in self.files if file.state is not FileState.UNCHANGED)


def plan(
    tree: Path,
    *,
    kernel_dir: Path | None = None,
    without: Sequence[str] = (),
    hwtime: bool = True,
    reporter: Reporter | None = None,
) -> Plan:
    """Return what the patch would do to a tree; reads what it touches, and all hardware paths.

    Args:
        tree: Top of a kernel source tree.
        kernel_dir: Where ``core/``, ``hooks/series.toml`` and ``hwtime/`` are; dynaccel's own when
            None.
        without: Names of hooks to leave out; the tree has to be clean then.
        hwtime: Whether drivers wait in hardware time; else that is taken out of the tree.
        reporter: Gets the progress.

    Raises:
        UserError: ``tree`` is no kernel source tree, a table has mistakes, or there is no such
            hook to leave out.
        TreeMismatchError: The tree's version is not served, or hooks are to be left out of a
            patched tree. (A hook that finds no place is no error here: see :attr:`Plan.misfits`.)
        MissingError: git, or spatch where it is needed, is not there.
        InfrastructureError: dynaccel's own files or the temporary directory are not usable.
    """
    version = KernelVersion.of_tree(tree)
    tree = tree.resolve()
    source = kernel_dir if kernel_dir is not None else paths.data_dir("kernel")
    table = series.load(source / "hooks")
    series.require_names(table, without)
    hooks = series.select(table, source / "hooks", version)
    rules = load_rules(source / "hwtime")
    converter = Converter(rules) if rules is not None else None
    core, core_misfits = _plan_core(tree, source / "core")
    if without:
        _refuse_patched(tree, core)
        hooks = tuple(hook for hook in hooks if hook.name not in without)
    on_hooks = plan_hooks(tree, hooks, converter)
    misfits = [*core_misfits, *on_hooks.misfits]
    if any(file.now is not None for file in core):
        misfits = [blame_other_patch(misfit) for misfit in misfits]
    found = Plan(
        tree=tree, version=version, core=core, hooked=on_hooks.files, hooks=on_hooks.hooks,
        misfits=tuple(misfits),
    )  # fmt: skip
    if converter is None or misfits:
        return found
    return _with_hwtime(found, converter, wanted=hwtime, reporter=reporter or NullReporter())


def _with_hwtime(found: Plan, converter: Converter, *, wanted: bool, reporter: Reporter) -> Plan:
    """Return a plan with hardware time put in, or taken out of a patched tree."""
    hooked = {file.path: file for file in found.hooked}
    own = {file.path for file in found.core}
    hwtime = None
    files: tuple[HwtimeFile, ...] = ()
    if wanted:
        contents = {path: file.after for path, file in hooked.items()}
        hwtime = plan_hwtime(found.tree, converter, hooked=contents, skip=own, reporter=reporter)
        files = hwtime.files
    elif any(file.now is not None for file in found.core):
        files = strip_hwtime(found.tree, converter, skip=own | set(hooked), reporter=reporter)
    after = {file.path: file.after for file in files if file.path in hooked}
    return replace(
        found,
        hooked=tuple(
            _settled(replace(file, after=after.get(file.path, file.after))) for file in found.hooked
        ),
        waiting=tuple(
            _settled(
                FileChange(
                    path=file.path,
                    state=FileState.CHANGE,
                    now=file.now,
                    pristine=file.pristine,
                    after=file.after,
                )
            )
            for file in files
            if file.path not in hooked
        ),
        hwtime=hwtime,
    )


def _settled(file: FileChange) -> FileChange:
    return replace(file, state=FileState.UNCHANGED if file.now == file.after else FileState.CHANGE)


def require_hooks(names: Sequence[str]) -> None:
    """Check that dynaccel's own series has these hooks.

    Raises:
        UserError: It has not, or has mistakes.
    """
    if names:
        series.require_names(series.load(paths.data_dir("kernel") / "hooks"), names)


def _refuse_patched(tree: Path, core: Sequence[FileChange]) -> None:
    """Refuse a tree in which the hooks that are to be left out may be already."""
    if any(file.now is not None for file in core):
        raise TreeMismatchError(
            f"hooks can be left out of a clean tree alone, and {tree} is patched already",
            hint="start from a clean tree",
        )


def _plan_core(tree: Path, core: Path) -> tuple[tuple[FileChange, ...], list[Misfit]]:
    try:
        wanted = [
            (path, data)
            for path, data in artifacts.files_under(core)
            if not path.rpartition("/")[2].startswith(".") and not path.endswith(("~", ".orig"))
        ]
    except OSError as error:
        raise InfrastructureError(
            f"cannot read dynaccel's own file {error.filename}: {error.strerror}",
            hint="install dynaccel again",
        ) from error
    changes, misfits = [], []
    for path, after in wanted:
        found = read_tree_file(tree, path)
        reason = found.obstacle
        # The names are ours alone, so an older dynaccel's file is replaced; but a file that
        # never speaks of us is somebody's work.
        if reason is None and found.content is not None and OURS not in found.content.lower():
            reason = "the tree has a file of its own by this name"
        if reason is not None:
            misfits.append(Misfit(hook=None, path=path, reason=reason, remedy=found.remedy))
            continue
        changes.append(
            FileChange(
                path=path,
                state=_core_state(found.content, after),
                now=found.content,
                pristine=None,
                after=after,
            )
        )
    return tuple(changes), misfits


def _core_state(now: bytes | None, after: bytes) -> FileState:
    if now is None:
        return FileState.ADD
    return FileState.UNCHANGED if now == after else FileState.UPDATE
