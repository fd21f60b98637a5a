# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel kernel port``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynaccel.host import paths
from dynaccel.patch import survey_places, write_port
from dynaccel.patch.port_hooks import port as find_fits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynaccel.patch.port_hooks import Port
    from dynaccel.patch.survey_places import NewPlace, Spot

DOES_NOT_FIT = 1
"""The exit status when a hook has no variant that fits."""


@click.command(
    epilog="Exit statuses: 0 each hook has a variant that fits, if need be merged; 1 one has none;"
    " 2 usage.",
)
@click.argument("tree", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Write patches with the tree's own lines, a series.toml to take entries from, the report"
    " and the places into a new directory.",
)  # fmt: skip
@click.option(
    "--against", metavar="TREE", type=click.Path(path_type=Path),
    help="Compare with this clean tree what is new.  [default: the nearest version that was looked"
    " through]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write all of it as JSON.")
@click.pass_context
def port(
    ctx: click.Context, tree: Path, *, output: Path | None, against: Path | None, as_json: bool
) -> None:
    """Help to support a new version of Linux, or a vendor's tree: TREE, which has to be clean.

    Tries each variant of each hook, says how it fits, and lists what is new in the tree of what
    hooks care about. Neither TREE nor dynaccel's own table is changed.
    """
    if output is not None:
        write_port.check_directory(output)
    hooks = paths.data_dir("kernel") / "hooks"
    words = survey_places.load_words(hooks)
    found = find_fits(tree)
    places = survey_places.survey(found.tree, words, found.hooked)
    compared, seen = _seen(hooks, found, against)
    new = survey_places.new_places(places, seen)
    report = write_port.report_text(found, new, compared)
    if output is not None:
        write_port.write_port(output, found, hooks, report, survey_places.counted(places))
    if as_json:
        click.echo(json.dumps(_as_json(found, new, compared), indent=2))
    else:
        click.echo(report, nl=False)
        if output is not None:
            click.echo(f"wrote {output}")
    ctx.exit(0 if found.fits else DOES_NOT_FIT)


def _seen(hooks: Path, found: Port, against: Path | None) -> tuple[str | None, Mapping[Spot, int]]:
    """Return a version and its places."""
    if against is None:
        return survey_places.seen_before(hooks, found.version) or (None, {})
    other = find_fits(against)
    words = survey_places.load_words(hooks)
    places = survey_places.survey(other.tree, words, other.hooked)
    return str(other.version), survey_places.counted(places)


def _as_json(found: Port, new: Sequence[NewPlace], compared: str | None) -> dict[str, Any]:
    return {
        "tree": str(found.tree),
        "kernel_version": str(found.version),
        "fits": found.fits,
        "compared_with": compared,
        "hooks": [
            {
                "name": hook.hook.name,
                "served": hook.served,
                "trials": [
                    {
                        "patch": trial.variant.patch,
                        "serves": trial.serves,
                        "fit": trial.fit.name.lower(),
                        "merged": [{"path": path, "line": line} for path, line in trial.merged],
                        "misfits": [asdict(misfit) for misfit in trial.misfits],
                    }
                    for trial in hook.trials
                ],
            }
            for hook in found.hooks
        ],
        "places": [asdict(place) for place in new],
    }
