# SPDX-License-Identifier: GPL-2.0-or-later
"""Find out what the patch would do to a kernel tree, without changing anything in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from dynaccel.core import artifacts
from dynaccel.core.errors import InfrastructureError, TreeMismatchError
from dynaccel.core.events import NullReporter
from dynaccel.core.versions import KernelVersion
from dynaccel.host import paths
from dynaccel.patch import series
from dynaccel.patch.explain_misfit import Misfit, explain
from dynaccel.patch.hwtime.convert import Converter
from dynaccel.patch.hwtime.rules import load as load_rules
from dynaccel.patch.hwtime.tree import HwtimePlan, plan_hwtime, strip_hwtime
from dynaccel.patch.read_tree import TreeFile, read_tree_file
from dynaccel.patch.scratch import Scratch, scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.patch.hwtime.tree import HwtimeFile
    from dynaccel.patch.series import SelectedHook

_OURS = b"dynaccel"
_OTHER_PATCH = (
    "the tree carries another version's dynaccel patch, or a changed one: start from a clean tree"
)


class HookState(StrEnum):
    """What a hook finds in a tree."""

    APPLIES = "applies"
    APPLIED = "already applied"
    PARTLY_APPLIED = "partly applied"
    MISFIT = "does not fit"


class FileState(StrEnum):
    """What happens to a file of the tree."""

    ADD = "add"
    CHANGE = "change"
    UPDATE = "update"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that the patch adds or changes.

    Attributes:
        path: Relative to the top of the tree.
        state: What is to be done to it.
        now: Its content in the tree as it is; None when it is not there.
        pristine: Its content in the tree without dynaccel; None when it is not there.
        after: Its content in the patched tree.
    """

    path: str
    state: FileState
    now: bytes | None
    pristine: bytes | None
    after: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPlan:
    """What becomes of a hook.

    Attributes:
        name: The hook's name.
        about: What it is for, in one line.
        patch: Name of the patch file of the variant that serves the tree's version.
        state: What it finds in the tree.
        paths: The files that it changes.
    """

    name: str
    about: str
    patch: str
    state: HookState
    paths: tuple[str, ...]


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
    hook_plans, hooked, hook_misfits = _plan_hooks(tree, hooks, converter)
    misfits = [*core_misfits, *hook_misfits]
    if any(file.now is not None for file in core):
        misfits = [_blame_other_patch(misfit) for misfit in misfits]
    found = Plan(
        tree=tree, version=version, core=core, hooked=hooked, hooks=hook_plans,
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
        if reason is None and found.content is not None and _OURS not in found.content.lower():
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


def _plan_hooks(
    tree: Path, hooks: Sequence[SelectedHook], converter: Converter | None
) -> tuple[tuple[HookPlan, ...], tuple[FileChange, ...], list[Misfit]]:
    names = sorted({diff.path for hook in hooks for diff in hook.files})
    found = {path: read_tree_file(tree, path) for path in names}
    there = {path: file.content for path, file in found.items() if file.content is not None}
    # Hardware time comes on top of the hooks, so it has to go before they can be told.
    now = {
        path: converter.strip(content)
        if converter is not None and converter.rules.of_path(path) is not None
        else content
        for path, content in there.items()
    }
    with scratch() as area:
        area.write(now)
        applied = _unapply(area, hooks, now)
        pristine = {path: area.read(path) for path in now}
        misfits = _apply(area, hooks, found)
        after = {path: area.read(path) for path in now}
    settled = _paths_of(hooks, applied, wanted=True) - _paths_of(hooks, applied, wanted=False)
    files = tuple(
        FileChange(
            path=path,
            # What is there already stays as it is, byte for byte.
            state=FileState.UNCHANGED
            if path in settled and there[path] == content
            else FileState.CHANGE,
            now=there[path],
            pristine=pristine[path],
            after=content if path in settled else (after[path] or b""),
        )
        for path, content in now.items()
    )
    failed = {misfit.hook for misfit in misfits}
    plans = tuple(_hook_plan(hook, applied, misfit=hook.name in failed) for hook in hooks)
    return plans, files, misfits


def _unapply(
    area: Scratch, hooks: Sequence[SelectedHook], present: Iterable[str]
) -> set[tuple[str, str]]:
    """Take back what is applied already; return it as pairs of hook and path.

    Last hook first, since a later one may have changed an earlier one's surroundings. File by
    file, since a patching that was killed leaves each file whole, but not each hook.
    """
    there = set(present)
    return {
        (hook.name, diff.path)
        for hook in reversed(hooks)
        for diff in hook.files
        if diff.path in there and area.apply(diff.data, reverse=True) is None
    }


def _apply(
    area: Scratch, hooks: Sequence[SelectedHook], found: dict[str, TreeFile]
) -> list[Misfit]:
    misfits: list[Misfit] = []
    for hook in hooks:
        for diff in hook.files:
            file = found[diff.path]
            if file.content is None:
                reason = file.obstacle or "the tree has no such file"
                misfits.append(
                    Misfit(hook=hook.name, path=diff.path, reason=reason, remedy=file.remedy)
                )
                continue
            complaint = area.apply(diff.data)
            if complaint is not None:
                misfits += explain(hook, diff, area.read(diff.path) or b"", complaint)
    return misfits


def _paths_of(
    hooks: Sequence[SelectedHook], applied: set[tuple[str, str]], *, wanted: bool
) -> set[str]:
    return {
        diff.path
        for hook in hooks
        for diff in hook.files
        if ((hook.name, diff.path) in applied) is wanted
    }


def _hook_plan(hook: SelectedHook, applied: set[tuple[str, str]], *, misfit: bool) -> HookPlan:
    done = [(hook.name, diff.path) in applied for diff in hook.files]
    if misfit:
        state = HookState.MISFIT
    elif all(done):
        state = HookState.APPLIED
    else:
        state = HookState.PARTLY_APPLIED if any(done) else HookState.APPLIES
    return HookPlan(
        name=hook.name,
        about=hook.about,
        patch=hook.patch,
        state=state,
        paths=tuple(diff.path for diff in hook.files),
    )


def _blame_other_patch(misfit: Misfit) -> Misfit:
    if misfit.hook is None or misfit.remedy is not None:
        return misfit
    return Misfit(
        hook=misfit.hook,
        path=misfit.path,
        reason=misfit.reason,
        line=misfit.line,
        expected=misfit.expected,
        nearest=misfit.nearest,
        nearest_line=misfit.nearest_line,
        remedy=_OTHER_PATCH,
    )
