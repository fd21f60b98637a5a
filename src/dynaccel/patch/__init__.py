# SPDX-License-Identifier: GPL-2.0-or-later
"""Put dynaccel into a kernel source tree: plan, apply, or write the patch to a file."""

from dynaccel.patch.apply_patch import (
    PatchRequest,
    PatchResult,
    apply,
    apply_plan,
    programs,
    require_fit,
)
from dynaccel.patch.file_change import FileChange, FileState
from dynaccel.patch.hwtime.border import Crossing, find_crossings
from dynaccel.patch.hwtime.tree import HwtimePlan
from dynaccel.patch.plan_hooks import HookPlan, HookState, MergedPlace
from dynaccel.patch.plan_tree import Plan, plan, require_hooks
from dynaccel.patch.render_patch import full_diff, merged_place, review_patch, write_patch_file

__all__ = [
    "Crossing",
    "FileChange",
    "FileState",
    "HookPlan",
    "HookState",
    "HwtimePlan",
    "MergedPlace",
    "PatchRequest",
    "PatchResult",
    "Plan",
    "apply",
    "apply_plan",
    "find_crossings",
    "full_diff",
    "merged_place",
    "plan",
    "programs",
    "require_fit",
    "require_hooks",
    "review_patch",
    "write_patch_file",
]
