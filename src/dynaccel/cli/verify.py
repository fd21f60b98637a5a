# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel verify``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynaccel.cli import complete, terminal
from dynaccel.cli.run import CPUS_MAX, parsed
from dynaccel.core import arches, units
from dynaccel.core.artifacts import check_writable, write_json_atomic
from dynaccel.core.errors import StageError, UserError
from dynaccel.host import kernels
from dynaccel.verify import report
from dynaccel.verify.bench import guest_bench, local_bench
from dynaccel.verify.verify import PARTS, RATIOS, Verification, Verifier, chosen_parts
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.result import DEFAULT_CPUS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from dynaccel.core.kernels import Kernel
    from dynaccel.verify.bench import Bench

FALLS_SHORT = 1
"""The exit status when a check does not hold."""
PLAIN_WIDTH = 160
"""Columns without a terminal: wide enough that no line is folded."""


def _ratios(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    del ctx, parameter
    return tuple(dict.fromkeys(units.parse_ratio(word.strip()) for word in value.split(",")))


@click.command(
    epilog="Exit statuses: 0 all holds; 1 something falls short; 2 usage; 3 something is missing;"
    " 4 the guest failed.",
)
@click.option(
    "--accel", "ratios", metavar="N,N,...", default=",".join(map(str, RATIOS)),
    show_default=True, callback=_ratios, help="The ratios to measure at.",
)  # fmt: skip
@click.option(
    "--cpus", metavar="K", type=click.IntRange(1, CPUS_MAX), default=DEFAULT_CPUS,
    show_default=True, help="Number of CPUs of the guest.",
)  # fmt: skip
@click.option(
    "--json", "json_file", metavar="FILE", shell_complete=complete.file_names,
    help="Write every check and where it was measured to FILE; '-' is standard output, and the"
    " table goes to standard error then.",
)  # fmt: skip
@click.option(
    "--kernel", metavar="REF", shell_complete=complete.kernels_or_files,
    help="Kernel to boot, as in 'dynaccel run'.  [default: the newest]",
)  # fmt: skip
@click.option(
    "--arch", metavar="ARCH", callback=parsed(arches.parse),
    shell_complete=complete.architectures,
    help="Architecture of the kernel, as in 'dynaccel run'; a guest of another one than this"
    " machine's gets a small root file system of Debian.",
)  # fmt: skip
@click.option(
    "--accelerator", type=click.Choice([choice.value for choice in AcceleratorChoice]),
    default=AcceleratorChoice.AUTO.value, show_default=True, help="As in 'dynaccel run'.",
)  # fmt: skip
@click.option(
    "--part", "parts", metavar="NAME", multiple=True,
    # A shell takes a name of two words only with quotes, which each sets in its own way.
    shell_complete=complete.one_of(name for name in PARTS if " " not in name),
    help=f"Measure this part alone; may be given several times: {', '.join(PARTS)}.",
)  # fmt: skip
@click.option(
    "--here", is_flag=True,
    help="Measure this machine itself, not a guest; needs root. Its ratio changes meanwhile.",
)  # fmt: skip
@click.pass_context
def verify(ctx: click.Context, /, **options: Any) -> None:
    """Measure every clock, wait and timer against real time and say what falls short."""
    parts = chosen_parts(options["parts"])
    json_file: str | None = options["json_file"]
    if json_file not in {None, "-"}:
        check_writable(Path(str(json_file)))
    kernel: Kernel | None = None
    with terminal.TerminalReporter.current() as reporter:
        if options["here"]:
            _check_here(options)
            place = local_bench(reporter=reporter)
        else:
            kernel = kernels.resolve(options["kernel"], arch=options["arch"])
            words = ["--kernel", str(kernel.image), "--cpus", str(options["cpus"])]
            words += ["--arch", kernel.manifest.arch, "--accelerator", options["accelerator"]]
            arch = arches.parse(kernel.manifest.arch)
            place = guest_bench(words, arch=arch, reporter=reporter)
        verification = _measure(place, options["ratios"], parts)
    if kernel is not None:
        verification.machine.update(manifest=asdict(kernel.manifest))
    _show(verification, json_file)
    ctx.exit(0 if verification.ok else FALLS_SHORT)


def _measure(
    place: AbstractContextManager[Bench], ratios: Sequence[int], parts: Sequence[str]
) -> Verification:
    verifier: Verifier | None = None
    try:
        with place as bench:
            verifier = Verifier(bench, ratios=ratios, parts=parts)
            return verifier.run()
    except StageError:
        # A guest that dies is the end of it, but what was measured before may say why.
        if verifier is not None and verifier.so_far().checks:
            _show(verifier.so_far(), None)
        raise


def _check_here(options: dict[str, Any]) -> None:
    for name in ("kernel", "arch"):
        if options[name] is not None:
            raise UserError(
                f"--here measures the kernel that runs: --{name} has no meaning with it"
            )
    if os.geteuid() != 0:
        raise UserError(
            "only root can measure this machine itself", hint="sudo dynaccel verify --here"
        )


def _show(verification: Verification, json_file: str | None) -> None:
    from rich.console import Console  # noqa: PLC0415  (slow to load)

    to_stdout = json_file == "-"
    stream = sys.stderr if to_stdout else sys.stdout
    plain = not stream.isatty()
    console = Console(file=stream, width=PLAIN_WIDTH if plain else None, highlight=False)
    console.width = max(console.width, report.MIN_WIDTH)
    console.print(report.table(verification, plain=plain))
    for line in report.summary(verification):
        console.print(line, markup=False, soft_wrap=True)
    if to_stdout:
        click.echo(json.dumps(verification.json_value(), indent=2, sort_keys=True))
    elif json_file is not None:
        write_json_atomic(Path(json_file), verification.json_value())
