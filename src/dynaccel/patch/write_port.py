# SPDX-License-Identifier: GPL-2.0-or-later
"""What a maintainer gets of a port: patches with the tree's own lines, and a table of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import staged_directory
from dynaccel.core.errors import UserError
from dynaccel.patch import survey_places
from dynaccel.patch.explain_misfit import describe
from dynaccel.patch.port_hooks import Fit, next_minor
from dynaccel.patch.series import SERIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dynaccel.core.versions import KernelVersion
    from dynaccel.patch.port_hooks import HookPort, Port
    from dynaccel.patch.survey_places import NewPlace, Spot

REPORT = "report.txt"
PLACES = "places.txt"


def check_directory(directory: Path) -> None:
    """Refuse a directory that has something in it.

    Raises:
        UserError: It has, or it is no directory.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory} is not a directory", hint="name a new one: -o DIR")
    if directory.is_dir() and any(directory.iterdir()):
        raise UserError(f"{directory} is not empty", hint="name a new directory: -o DIR")


def write_port(
    directory: Path, port: Port, hooks: Path, report: str, spots: Mapping[Spot, int]
) -> None:
    """Write patches, a table, a report and the places, all or nothing.

    The directory is a series of its own, for this one version: every hook that fits is in it, with
    a patch of dynaccel's where that fits to the letter.

    Args:
        directory: A new or empty directory.
        port: What was found.
        hooks: Where dynaccel's own patches are.
        report: What a person was told.
        spots: The places at which the tree speaks of what hooks care about.

    Raises:
        InfrastructureError: It cannot be written.
    """
    check_directory(directory)
    if directory.is_dir():
        directory.rmdir()
    with staged_directory(directory.absolute()) as staging:
        for hook in port.hooks:
            if not hook.fits:
                continue
            path = staging / patch_name(hook, port.version)
            path.parent.mkdir(parents=True, exist_ok=True)
            own = hooks / hook.best.variant.patch
            path.write_bytes(own.read_bytes() if hook.best.fit is Fit.EXACT else hook.diff)
        (staging / SERIES).write_text(series_text(port), encoding="utf-8")
        (staging / REPORT).write_text(report, encoding="utf-8")
        (staging / PLACES).write_text(survey_places.render(spots), encoding="utf-8")


def patch_name(hook: HookPort, version: KernelVersion) -> str:
    """Return the name of the patch for a hook that fits: dynaccel's own one, or a new one."""
    best = hook.best
    if best.fit is Fit.EXACT:
        return best.variant.patch
    taken = {variant.patch for variant in hook.hook.variants}
    name = f"{hook.hook.name}/{version.major}.{version.minor}"
    return f"{name}-merged.patch" if f"{name}.patch" in taken else f"{name}.patch"


def series_text(port: Port) -> str:
    """Return the table of the hooks that fit, with what has to be done to dynaccel's own."""
    span = next_minor(port.version)
    lines = [
        "# SPDX-License-Identifier: GPL-2.0-only",
        "#",
        f"# How the hooks fit Linux {port.version}, to be reviewed. Give each new variant its",
        "# because: the upstream commit that changed the code, and its first version as from.",
    ]
    for hook in port.hooks:
        if not hook.fits:
            lines += ["", f"# No variant of the hook {hook.hook.name} fits; see {REPORT}."]
            continue
        lines += [
            "",
            f"# {_to_do(hook)}",
            "[[hook]]",
            f"name = {json.dumps(hook.hook.name)}",
            f"about = {json.dumps(hook.hook.about, ensure_ascii=False)}",
            "[[hook.variant]]",
            f"patch = {json.dumps(patch_name(hook, port.version))}",
            f'from = "{span.first.major}.{span.first.minor}"' if span.first else "",
            f'to = "{span.end.major}.{span.end.minor}"' if span.end else "",
        ]
    return "\n".join(lines) + "\n"


def report_text(port: Port, places: Sequence[NewPlace], compared: str | None) -> str:
    """Return what was found as text for a person.

    Args:
        port: How the hooks fit.
        places: What is new in the tree.
        compared: The version that it was compared with; None: none.
    """
    width = max(len(hook.hook.name) for hook in port.hooks)
    lines = [f"Linux {port.version} in {port.tree}", "hooks:"]
    for hook in port.hooks:
        for number, trial in enumerate(hook.trials):
            name = hook.hook.name if number == 0 else ""
            mark = " (serves this version)" if trial.serves else ""
            how = trial.fit.value
            if trial.misfits:
                how += f" in {len(trial.misfits)} place{'s' if len(trial.misfits) > 1 else ''}"
            elif trial.merged:
                how += " at " + ", ".join(f"{path}:{line}" for path, line in trial.merged)
            lines.append(f"  {name:{width}}  {trial.variant.patch}{mark}: {how}")
    for hook in port.hooks:
        if not hook.fits:
            lines += ["", f"hook {hook.hook.name}, {hook.best.variant.patch}, which comes nearest:"]
            lines += [describe(misfit) for misfit in hook.best.misfits]
    what = f"that Linux {compared} has not" if compared else "(there is no version to compare with)"
    lines += ["", f"places {what}, at which hooks may be needed: {len(places)}"]
    for place in places:
        spot = place.spot
        where = ": ".join(filter(None, (f"{spot.path}:{place.line}", spot.function)))
        lines.append(f"  {where}: {place.text}  [{spot.word}: {', '.join(place.hooks)}]")
    misfits = [hook.hook.name for hook in port.hooks if not hook.fits]
    served = sum(hook.served for hook in port.hooks)
    lines += [
        "",
        f"{served} of {len(port.hooks)} hooks are served already,"
        f" {len(port.hooks) - served - len(misfits)} by variants to review,"
        f" {len(misfits)} have to be made" + (f": {', '.join(misfits)}" if misfits else ""),
    ]
    return "\n".join(lines) + "\n"


def _to_do(hook: HookPort) -> str:
    best = hook.best
    if hook.served:
        return "In dynaccel's table already."
    if best.fit is Fit.EXACT:
        return "Fits as it is: widen the range of this variant."
    where = ", ".join(f"{path}:{line}" for path, line in best.merged)
    return f"New, merged from {best.variant.patch}; look at {where}"
