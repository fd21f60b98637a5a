# SPDX-License-Identifier: GPL-2.0-or-later
"""Try every variant of every hook on a tree, whatever its version, and say which fits how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from dynaccel.core.errors import TreeMismatchError
from dynaccel.core.versions import KernelVersion, VersionRange
from dynaccel.host import paths
from dynaccel.patch import series
from dynaccel.patch.parse_diff import parse_diff
from dynaccel.patch.plan_hooks import OURS, apply_hooks
from dynaccel.patch.read_tree import read_tree_file
from dynaccel.patch.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from dynaccel.patch.explain_misfit import Misfit
    from dynaccel.patch.parse_diff import FileDiff
    from dynaccel.patch.read_tree import TreeFile
    from dynaccel.patch.scratch import Scratch
    from dynaccel.patch.series import Hook, Variant


class Fit(StrEnum):
    """How a variant fits a tree; the better one first."""

    EXACT = "fits"
    MERGES = "merges"
    MISFIT = "does not fit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A variant that was tried.

    Attributes:
        variant: The variant.
        serves: Whether the tree's version is in its range.
        fit: How it fits.
        merged: The lines at which it was merged, by file, as the hooks before it have left it.
        misfits: What keeps it from fitting; with what comes nearest for the best variant alone.
    """

    variant: Variant
    serves: bool
    fit: Fit
    merged: tuple[tuple[str, int], ...] = ()
    misfits: tuple[Misfit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPort:
    """What a hook finds in a tree.

    Attributes:
        hook: The hook.
        trials: Each of its variants, the best first.
        diff: What the best one does to the tree, with the tree's own lines; empty when none fits.
    """

    hook: Hook
    trials: tuple[Trial, ...]
    diff: bytes

    @property
    def best(self) -> Trial:
        """The variant that fits best."""
        return self.trials[0]

    @property
    def fits(self) -> bool:
        """Whether a variant fits."""
        return self.best.fit is not Fit.MISFIT

    @property
    def served(self) -> bool:
        """Whether the table has a variant for the tree's version that fits exactly."""
        return self.best.serves and self.best.fit is Fit.EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What all hooks find in a tree.

    Attributes:
        tree: Top of the tree, absolute.
        version: Its version of Linux.
        hooks: The hooks in their order.
        hooked: The contents of the files that hooks change, with those that fit.
    """

    tree: Path
    version: KernelVersion
    hooks: tuple[HookPort, ...]
    hooked: Mapping[str, bytes]

    @property
    def fits(self) -> bool:
        """Whether each hook has a variant that fits."""
        return all(hook.fits for hook in self.hooks)


def port(tree: Path, *, directory: Path | None = None) -> Port:
    """Return which variants of the hooks fit a clean tree; writes nothing there.

    Args:
        tree: Top of a kernel source tree.
        directory: Where ``series.toml`` is; dynaccel's own when None.

    Raises:
        UserError: ``tree`` is no kernel source tree, or the series has mistakes.
        TreeMismatchError: The tree is patched already.
        MissingError: git is not there.
        InfrastructureError: dynaccel's own files or the temporary directory are not usable.
    """
    version = KernelVersion.of_tree(tree)
    tree = tree.resolve()
    directory = directory if directory is not None else paths.data_dir("kernel") / "hooks"
    table = series.load(directory)
    patches = {
        variant.patch: parse_diff((directory / variant.patch).read_bytes())
        for hook in table.hooks
        for variant in hook.variants
    }
    names = sorted({diff.path for files in patches.values() for diff in files})
    found = {path: read_tree_file(tree, path) for path in names}
    state = {path: file.content for path, file in found.items() if file.content is not None}
    _refuse_patched(tree, state)
    pristine = dict(state)
    ports = []
    with scratch() as area:
        area.write(state)
        for hook in table.hooks:
            tried = [
                _Tried.of(area, _selected(hook, variant, patches), variant, found, pristine, state)
                for variant in hook.variants
            ]
            tried.sort(key=lambda one: _rank(one, version))
            if tried[0].fit is Fit.MISFIT:
                selected = _selected(hook, tried[0].variant, patches)
                _, misfits = apply_hooks(area, [selected], found, pristine)
                area.write({diff.path: state.get(diff.path) for diff in selected.files})
                tried[0] = replace(tried[0], misfits=tuple(misfits))
            best = tried[0]
            diff = b""
            if best.fit is not Fit.MISFIT:
                changed = sorted(path for path in best.after if best.after[path] != state[path])
                diff = area.diff(
                    {path: state[path] for path in changed},
                    {path: best.after[path] for path in changed},
                )
                state |= best.after
                area.write(best.after)
            trials = tuple(one.trial(serves=version in one.variant.versions) for one in tried)
            ports.append(HookPort(hook=hook, trials=trials, diff=diff))
    return Port(tree=tree, version=version, hooks=tuple(ports), hooked=state)


def next_minor(version: KernelVersion) -> VersionRange:
    """Return the range of all versions that differ from ``version`` in the last part alone."""
    return VersionRange(
        first=KernelVersion(version.major, version.minor),
        end=KernelVersion(version.major, version.minor + 1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """A trial, and what it makes of the files that the variant changes."""

    variant: Variant
    fit: Fit
    merged: tuple[tuple[str, int], ...]
    misfits: tuple[Misfit, ...]
    after: dict[str, bytes]

    @classmethod
    def of(  # noqa: PLR0917  (a private step with what one trial needs)
        cls,
        area: Scratch,
        hook: series.SelectedHook,
        variant: Variant,
        found: Mapping[str, TreeFile],
        pristine: Mapping[str, bytes],
        state: Mapping[str, bytes],
    ) -> _Tried:
        merges, misfits = apply_hooks(area, [hook], found, pristine, nearest=False)
        own = [diff.path for diff in hook.files if diff.path in state]
        after = {path: area.read(path) or b"" for path in own}
        area.write({path: state[path] for path in own})
        fit = Fit.MISFIT if misfits else Fit.MERGES if merges else Fit.EXACT
        return cls(
            variant=variant,
            fit=fit,
            merged=tuple(
                (path, place.line) for (_, path), one in merges.items() for place in one.places
            ),
            misfits=tuple(misfits),
            after=after,
        )

    def trial(self, *, serves: bool) -> Trial:
        return Trial(
            variant=self.variant, serves=serves, fit=self.fit, merged=self.merged,
            misfits=self.misfits,
        )  # fmt: skip


def _rank(tried: _Tried, version: KernelVersion) -> tuple[int, int, bool, int]:
    """Return what is smaller for a better variant: fit, misfits, range, distance of versions."""
    first = tried.variant.first or KernelVersion(0, 0)
    distance = abs(_number(version) - _number(first))
    return (
        list(Fit).index(tried.fit),
        len(tried.misfits),
        version not in tried.variant.versions,
        distance,
    )


def _number(version: KernelVersion) -> int:
    return (version.major * 1000 + version.minor) * 1000 + version.patch


def _selected(
    hook: Hook, variant: Variant, patches: Mapping[str, Sequence[FileDiff]]
) -> series.SelectedHook:
    return series.SelectedHook(
        name=hook.name, about=hook.about, patch=variant.patch, files=tuple(patches[variant.patch])
    )


def _refuse_patched(tree: Path, files: Mapping[str, bytes]) -> None:
    ours: Iterable[str] = (path for path, content in files.items() if OURS in content.lower())
    path = next(iter(ours), None)
    if path is not None:
        raise TreeMismatchError(
            f"{tree} is patched already: {path} speaks of dynaccel",
            hint="start from a clean tree",
        )
