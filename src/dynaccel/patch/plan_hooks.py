# SPDX-License-Identifier: GPL-2.0-or-later
"""Find out what each hook does to a tree: is applied, applies, merges, or finds no place."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING

from dynaccel.patch.explain_misfit import Misfit, explain
from dynaccel.patch.file_change import FileChange, FileState
from dynaccel.patch.merge_hunks import merge
from dynaccel.patch.parse_diff import lines_of
from dynaccel.patch.read_tree import TreeFile, read_tree_file
from dynaccel.patch.scratch import Scratch, scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from dynaccel.patch.hwtime.convert import Converter
    from dynaccel.patch.merge_hunks import Place
    from dynaccel.patch.parse_diff import FileDiff
    from dynaccel.patch.series import SelectedHook

OURS = b"dynaccel"
"""What every file that carries the patch speaks of, in some case of letters."""

_NOT_FOUND_AGAIN = (
    "it could be merged, but could not be told from the vendor's own changes afterwards"
)


class HookState(StrEnum):
    """What a hook finds in a tree."""

    APPLIES = "applies"
    MERGES = "merges"
    APPLIED = "already applied"
    PARTLY_APPLIED = "partly applied"
    MISFIT = "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPlace:
    """A place at which the tree has other lines around a hook's change than the patch.

    Attributes:
        hook: The hook's name.
        path: The file, relative to the top of the tree.
        line: Number of the first line that the hook changes, or before which it puts some, in the
            file without dynaccel; from 1.
        hunk: Number of the hunk in the file's part of the patch, from 1.
        context: How many lines before and after the change are as the patch has them.
    """

    hook: str
    path: str
    line: int
    hunk: int
    context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPlan:
    """What becomes of a hook.

    Attributes:
        name: The hook's name.
        about: What it is for, in one line.
        patch: Name of the patch file of the variant that serves the tree's version.
        state: What it finds in the tree.
        paths: The files that it changes.
        merged: Where it was merged, or will be; a person should look there.
    """

    name: str
    about: str
    patch: str
    state: HookState
    paths: tuple[str, ...]
    merged: tuple[MergedPlace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksFound:
    """What all hooks find in a tree.

    Attributes:
        hooks: What becomes of each, in the order of the series.
        files: The files that they change.
        misfits: What keeps them from being applied.
    """

    hooks: tuple[HookPlan, ...]
    files: tuple[FileChange, ...]
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merged:
    """A hook's merge into a file.

    Attributes:
        before: The file without the hook.
        places: Where the hook was merged into that.
    """

    before: bytes
    places: tuple[Place, ...]


_Merges = dict[tuple[str, str], _Merged]
"""Merges by hook and path."""


def plan_hooks(
    tree: Path, hooks: Sequence[SelectedHook], converter: Converter | None
) -> HooksFound:
    """Return what hooks find in a tree.

    Args:
        tree: Top of the tree, resolved.
        hooks: The hooks in their order.
        converter: Takes hardware time out of a file; None when there is none to be.

    Raises:
        MissingError: git is not there.
        InfrastructureError: The temporary directory is not usable.
    """
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
        applied, merges = unapply(area, hooks, now)
        pristine = {path: area.read(path) or b"" for path in now}
        new_merges, misfits = apply_hooks(area, hooks, found, pristine)
        after = {path: area.read(path) or b"" for path in now}
        merges |= new_merges
        if merges and not misfits:
            misfits = _not_found_again(area, hooks, merges, pristine)
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
            after=content if path in settled else after[path],
        )
        for path, content in now.items()
    )
    failed = {misfit.hook for misfit in misfits}
    places = {key: _in_pristine(key, merged, pristine[key[1]]) for key, merged in merges.items()}
    plans = tuple(_hook_plan(hook, applied, places, misfit=hook.name in failed) for hook in hooks)
    return HooksFound(hooks=plans, files=files, misfits=tuple(misfits))


def unapply(
    area: Scratch, hooks: Sequence[SelectedHook], present: Iterable[str]
) -> tuple[set[tuple[str, str]], _Merges]:
    """Take back what is applied already; return it as pairs of hook and path, and what was merged.

    Last hook first, since a later one may have changed an earlier one's surroundings. File by
    file, since a patching that was killed leaves each file whole, but not each hook.
    """
    there = set(present)
    ours = {path for path in there if OURS in (area.read(path) or b"").lower()}
    applied = {(hook.name, diff.path) for hook in hooks for diff in hook.files}
    merges: _Merges = {}
    # Most trees are patched wholly or not at all, and then git has to be asked but once.
    everything = [diff.data for hook in reversed(hooks) for diff in hook.files]
    if ours and area.apply(b"".join(everything), reverse=True) is None:
        return applied, merges
    applied.clear()
    for hook in reversed(hooks):
        for diff in hook.files:
            if diff.path not in (ours if diff.adds(OURS) else there):
                continue
            if area.apply(diff.data, reverse=True) is None:
                applied.add((hook.name, diff.path))
            elif (merged := _unmerge(area, diff)) is not None:
                applied.add((hook.name, diff.path))
                merges[hook.name, diff.path] = merged
    return applied, merges


def apply_hooks(
    area: Scratch,
    hooks: Sequence[SelectedHook],
    found: Mapping[str, TreeFile],
    pristine: Mapping[str, bytes],
    *,
    nearest: bool = True,
) -> tuple[_Merges, list[Misfit]]:
    """Apply hooks to copies of a tree's files; return what was merged and what finds no place.

    Args:
        area: The copies.
        hooks: The hooks in their order.
        found: The tree's files.
        pristine: The copies as they were before any hook.
        nearest: Whether misfits show what comes nearest.
    """
    merges: _Merges = {}
    misfits: list[Misfit] = []
    everything = [diff.data for hook in hooks for diff in hook.files]
    if everything and area.apply(b"".join(everything)) is None:
        return merges, misfits
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
            if complaint is None:
                continue
            before = area.read(diff.path) or b""
            merged = merge(diff, before)
            # Another dynaccel's hooks in the file would be put in twice.
            if merged.content is not None and OURS not in pristine[diff.path].lower():
                area.write({diff.path: merged.content})
                merges[hook.name, diff.path] = _Merged(before=before, places=merged.places)
            else:
                could = dict(merged.ambiguous)
                misfits += explain(hook, diff, before, complaint, ambiguous=could, nearest=nearest)
    return merges, misfits


def _unmerge(area: Scratch, diff: FileDiff) -> _Merged | None:
    """Take back a hook that was merged into a file; None when it was not."""
    now = area.read(diff.path) or b""
    before = merge(diff, now, reverse=True).content if diff.adds(b"") else None
    # It is our own work only if we would do the same again.
    again = merge(diff, before) if before is not None else None
    if before is None or again is None or again.content != now:
        return None
    area.write({diff.path: before})
    return _Merged(before=before, places=again.places)


def _not_found_again(
    area: Scratch,
    hooks: Sequence[SelectedHook],
    merges: _Merges,
    pristine: Mapping[str, bytes],
) -> list[Misfit]:
    """Return the merged hooks that could not be taken out of the patched files again."""
    unapply(area, hooks, pristine)
    lost = {path for path, content in pristine.items() if area.read(path) != content}
    return [
        Misfit(hook=name, path=path, reason=_NOT_FOUND_AGAIN)
        for name, path in merges
        if path in lost
    ]


def _in_pristine(key: tuple[str, str], merged: _Merged, pristine: bytes) -> tuple[MergedPlace, ...]:
    """Return places with the lines of the file as it was before all hooks."""
    blocks = SequenceMatcher(
        None, lines_of(merged.before), lines_of(pristine)
    ).get_matching_blocks()
    starts = [block.a for block in blocks]

    def original(line: int) -> int:
        block = blocks[max(0, bisect_right(starts, line - 1) - 1)]
        return block.b + min(line - 1 - block.a, block.size) + 1

    name, path = key
    return tuple(
        MergedPlace(
            hook=name, path=path, line=original(place.line), hunk=place.hunk, context=place.context
        )
        for place in merged.places
    )


def _paths_of(
    hooks: Sequence[SelectedHook], applied: set[tuple[str, str]], *, wanted: bool
) -> set[str]:
    return {
        diff.path
        for hook in hooks
        for diff in hook.files
        if ((hook.name, diff.path) in applied) is wanted
    }


def _hook_plan(
    hook: SelectedHook,
    applied: set[tuple[str, str]],
    merged: Mapping[tuple[str, str], tuple[MergedPlace, ...]],
    *,
    misfit: bool,
) -> HookPlan:
    done = [(hook.name, diff.path) in applied for diff in hook.files]
    places = tuple(place for diff in hook.files for place in merged.get((hook.name, diff.path), ()))
    if misfit:
        state = HookState.MISFIT
    elif all(done):
        state = HookState.APPLIED
    elif any(done):
        state = HookState.PARTLY_APPLIED
    else:
        state = HookState.MERGES if places else HookState.APPLIES
    return HookPlan(
        name=hook.name,
        about=hook.about,
        patch=hook.patch,
        state=state,
        paths=tuple(diff.path for diff in hook.files),
        merged=places,
    )


def blame_other_patch(misfit: Misfit) -> Misfit:
    """Return a misfit of a tree that has dynaccel's own files with the remedy for that."""
    if misfit.hook is None or misfit.remedy is not None:
        return misfit
    return replace(
        misfit,
        remedy="the tree carries another version's dynaccel patch, or a changed one:"
        " start from a clean tree",
    )
