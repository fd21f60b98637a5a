# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel kernel package``."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynaccel.core.events import Reporter
    from dynaccel.kbuild import Reopened


class Format(enum.StrEnum):
    """A kind of package."""

    RPM = "rpm"
    SRPM = "srpm"
    DEB = "deb"


def _formats(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[Format, ...]:
    del ctx, parameter
    words = [word.strip() for word in value.split(",")]
    unknown = [word for word in words if word not in set(Format)]
    if unknown:
        raise UserError(
            f"{', '.join(map(repr, unknown))}: no such format of packages",
            hint=f"one or more of {','.join(Format)}",
        )
    return tuple(one for one in Format if one in words)


@click.command()
@click.argument("kernel", metavar="[KERNEL]", required=False)
@click.option(
    "--format",
    "formats",
    metavar="LIST",
    default="rpm,deb",
    show_default=True,
    callback=_formats,
    help="What to make: rpm, srpm, deb; several with commas between.",
)
@click.option(
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the packages go.",
)
@click.option(
    "--release",
    metavar="TEXT",
    default="1",
    show_default=True,
    help="The packages' release, such as 394.el8; '.dynaccel' is put behind it. A kernel that is"
    " to stand beside an earlier one of the same version needs another release.",
)
@click.option("--compiler", metavar="NAME", help="As for the build that made the kernel.")
@click.option("--jobs", "-j", metavar="N", type=click.IntRange(1), help="Default: one a CPU.")
def package(
    *,
    kernel: str | None,
    formats: tuple[Format, ...],
    output: Path,
    release: str,
    compiler: str | None,
    jobs: int | None,
) -> None:
    """Make packages of a kernel that is built, for dnf and apt.

    KERNEL is the start of an id or a release; the newest accelerated one when it is left out.
    Prints the packages' files. What 'kernel build' left in the cache is used again; the kernel in
    the packages is built of the same source, patch and configuration but for the end of its
    release.
    """
    from dynaccel import kbuild  # noqa: PLC0415
    from dynaccel.host import kernels  # noqa: PLC0415

    found = kernels.resolve(kernel)
    with TerminalReporter.current() as reporter:
        try:
            with kbuild.reopened(
                found, compiler=compiler, jobs=jobs, programs=_programs(formats), reporter=reporter
            ) as shop:
                made = list(_packages(shop, formats, output, release, reporter))
        except (KeyboardInterrupt, SystemExit):
            reporter.info("interrupted; the same command goes on where it was")
            raise
    for path in made:
        click.echo(path)


def _programs(formats: tuple[Format, ...]) -> tuple[str, ...]:
    from dynaccel.packaging.kernel import DEB_PROGRAMS, RPM_PROGRAMS  # noqa: PLC0415

    wanted = {Format.RPM: RPM_PROGRAMS, Format.SRPM: RPM_PROGRAMS, Format.DEB: DEB_PROGRAMS}
    return tuple(dict.fromkeys(name for one in formats for name in wanted[one]))


def _packages(
    shop: Reopened, formats: tuple[Format, ...], output: Path, release: str, reporter: Reporter
) -> Iterable[Path]:
    from dynaccel.packaging.kernel import Naming, deb_packages, rpm_packages  # noqa: PLC0415

    naming = Naming(release=release, arch=shop.arch)
    if Format.DEB in formats:
        tree = shop.build(naming.deb_localversion)
        yield from deb_packages(tree, naming, output, reporter=reporter)
    if Format.RPM not in formats and Format.SRPM not in formats:
        return
    tree = shop.build(naming.rpm_localversion)
    if Format.SRPM not in formats:
        yield from rpm_packages(tree, naming, output, pristine=None, reporter=reporter)
        return
    with shop.pristine() as pristine:
        yield from rpm_packages(
            tree,
            naming,
            output,
            pristine=pristine,
            binary=Format.RPM in formats,
            reporter=reporter,
        )
