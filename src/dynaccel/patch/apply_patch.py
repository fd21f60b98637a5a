# SPDX-License-Identifier: GPL-2.0-or-later
"""Put dynaccel into a kernel tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import TreeMismatchError
from dynaccel.patch.explain_misfit import describe
from dynaccel.patch.hwtime.deadlines import SPATCH
from dynaccel.patch.plan_tree import plan
from dynaccel.patch.render_patch import full_diff, merged_place
from dynaccel.patch.write_files import write_files

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.events import Reporter
    from dynaccel.patch.plan_tree import Plan

_NO_PLACE = (
    "the tree differs from the Linux that the hooks were made for: use kernel.org's or the"
    " distribution's source, take out the changes that are in the way, or see what other variants"
    " of the hooks fit: dynaccel kernel port"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRequest:
    """What to patch.

    Attributes:
        tree: Top of a kernel source tree.
        kernel_dir: Where ``core/`` and ``hooks/series.toml`` are; dynaccel's own when None.
        without: Names of hooks to leave out, to see what breaks; the tree is clean then.
        hwtime: Whether drivers wait in hardware time.
    """

    tree: Path
    kernel_dir: Path | None = None
    without: tuple[str, ...] = ()
    hwtime: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchResult:
    """What was done.

    Attributes:
        plan: What was found in the tree before.
        diff: The difference between the tree without dynaccel and the patched one, in git's
            format; the same whether the tree was clean or patched before.
        written: Paths that were written, relative to the tree; empty on a second run.
    """

    plan: Plan
    diff: bytes
    written: tuple[str, ...]


def programs(*, hwtime: bool) -> tuple[str, ...]:
    """Return the programs that patching a tree runs, with or without hardware time."""
    return ("git", SPATCH) if hwtime else ("git",)


def apply(request: PatchRequest, *, reporter: Reporter) -> PatchResult:
    """Patch a tree; a tree that is patched already is recognised and stays as it is.

    The tree is changed wholly or, when anything fails or Ctrl-C comes, not at all.

    Raises:
        UserError: No kernel source tree, mistakes in the series, no such hook to leave out, or no
            permission to write.
        TreeMismatchError: The tree does not fit.
        MissingError: git, or spatch where it is needed, is not there.
        InfrastructureError: A disk is full, or the installation is damaged.
    """
    found = plan(
        request.tree,
        kernel_dir=request.kernel_dir,
        without=request.without,
        hwtime=request.hwtime,
        reporter=reporter,
    )
    return apply_plan(found, reporter=reporter)


def apply_plan(found: Plan, *, reporter: Reporter) -> PatchResult:
    """Do what a plan says; as :func:`apply`."""
    require_fit(found)
    diff = full_diff(found)
    for place in found.merged:
        reporter.warning(f"merged, have a look at it: {merged_place(place)}")
    if found.changes:
        write_files(found.tree, {file.path: file.after for file in found.changes})
        reporter.info(f"patched Linux {found.version} in {found.tree}")
    else:
        reporter.info(f"Linux {found.version} in {found.tree} is patched already")
    return PatchResult(plan=found, diff=diff, written=tuple(file.path for file in found.changes))


def require_fit(plan: Plan) -> None:
    """Refuse a tree that the patch does not fit.

    Raises:
        TreeMismatchError: It does not; the detail names every place with what comes nearest.
    """
    if not plan.misfits:
        return
    hooks = {misfit.hook for misfit in plan.misfits if misfit.hook is not None}
    own = sum(misfit.hook is None for misfit in plan.misfits)
    what = [
        *([f"{len(hooks)} of {len(plan.hooks)} hooks find no place"] if hooks else []),
        *([f"{own} new file{'s' if own > 1 else ''} cannot be put in"] if own else []),
    ]
    remedies = dict.fromkeys(misfit.remedy or _NO_PLACE for misfit in plan.misfits)
    raise TreeMismatchError(
        f"the patch does not fit Linux {plan.version} in {plan.tree}:"
        f" {' and '.join(what)}; nothing was written",
        hint="; ".join(remedies),
        detail="\n".join(describe(misfit) for misfit in plan.misfits),
    )
