# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the change as a patch that git and patch(1) take and that a person can review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel import __version__
from dynaccel.core import artifacts
from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.patch.scratch import scratch

if TYPE_CHECKING:
    from dynaccel.patch.plan_hooks import MergedPlace
    from dynaccel.patch.plan_tree import Plan


def full_diff(plan: Plan) -> bytes:
    """Return the difference between the tree without dynaccel and the patched one.

    It is the same for a clean tree and for the tree after patching, so it can name a build.

    Raises:
        MissingError: git is not there.
        InfrastructureError: The temporary directory is not usable.
    """
    with scratch() as area:
        return area.diff(
            {file.path: file.pristine for file in plan.files},
            {file.path: file.after for file in plan.files},
        )


def review_patch(plan: Plan, diff: bytes) -> bytes:
    """Return ``diff`` under a header that says what it is, for which Linux, by which hooks."""
    lines = [
        f"Accelerated time for Linux {plan.version}",
        "",
        f"Made by dynaccel {__version__} from Linux {plan.version}. Put it into a clean tree with",
        "'git apply FILE' or 'patch -p1 < FILE'; then CONFIG_DYNACCEL=y builds it.",
        "",
        "New files:",
        *(f"  {file.path}" for file in plan.core),
        "",
        "Hooks:",
    ]
    for hook in plan.hooks:
        lines.append(f"  {hook.name} ({hook.patch}): {hook.about}")
        lines.extend(f"    {path}" for path in hook.paths)
    if plan.merged:
        lines += ["", "Merged, since the tree has other lines around the change; to be looked at:"]
        lines += [f"  {merged_place(place)}" for place in plan.merged]
    return ("\n".join(lines) + "\n\n").encode() + diff


def merged_place(place: MergedPlace) -> str:
    """Return a place at which a hook was merged, in one line."""
    return (
        f"hook {place.hook}: {place.path}: line {place.line} without dynaccel"
        f" ({place.context} of the lines around it are the patch's)"
    )


def write_patch_file(path: Path, patch: bytes) -> None:
    """Write a patch to a file, whole or not at all; a device or pipe is written straight.

    Raises:
        UserError: The path is a directory.
        InfrastructureError: It cannot be written.
    """
    path = Path(path).resolve()
    if path.is_dir():
        raise UserError(f"{path} is a directory", hint="give the name of a file: -o FILE.patch")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(patch)
        else:
            artifacts.write_atomic(path, patch)
    except (OSError, InfrastructureError) as error:
        raise InfrastructureError(
            str(error) if isinstance(error, InfrastructureError) else f"cannot write {path}",
            hint="free some room, or name a file in a directory that you may write: -o FILE.patch",
        ) from error
