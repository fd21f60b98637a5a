# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dynaccel doctor``: what this machine has and lacks, and what mends it."""

from __future__ import annotations

import enum
import json
import platform
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from dynaccel import patch
from dynaccel.cli.terminal import TerminalReporter
from dynaccel.core import arches
from dynaccel.core.errors import DynaccelError, MissingError
from dynaccel.host import kernels, paths, process, tools
from dynaccel.kbuild import configure, space, toolchain
from dynaccel.vm import accelerator, local
from dynaccel.vm.guest_image import guest_image
from dynaccel.vm.modules import initramfs_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel
NEEDED_BYTES = space.UNPACKED_BYTES + space.OBJECTS_BYTES
"""Room that a kernel build takes."""


class State(enum.Enum):
    """How a check came out."""

    OK = "ok"
    LIMITED = "limited"
    """Works, but slower or with less."""
    MISSING = "missing"
    """Commands fail without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        subject: What was looked at.
        state: How it came out.
        detail: What there is, or what is wrong.
        hint: The command that mends it; empty when there is nothing to mend.
    """

    subject: str
    state: State
    detail: str
    hint: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(*, as_json: bool) -> None:
    """Show what this machine has and lacks, each with the command that mends it.

    Exit status 3 when something is missing without which 'dynaccel run' or 'dynaccel kernel build'
    fails.
    """
    with TerminalReporter.current() as reporter:
        findings = examine(reporter)
    if as_json:
        rows = [{**asdict(finding), "state": finding.state.value} for finding in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        _show(findings)
    if any(finding.state is State.MISSING for finding in findings):
        click.get_current_context().exit(MissingError.exit_status)


def examine(reporter: Reporter) -> list[Finding]:
    """Return what every check found; an error in one is its finding and stops no other."""
    checks: dict[str, Callable[[Reporter], Finding]] = {
        "QEMU": _qemu,
        "build tools": _build_tools,
        "ccache": _ccache,
        "guest's agent": _agent,
        "cache": _cache,
        "kernels": _kernels,
        "KVM": _kvm,
        "this machine": _this_machine,
        **{
            f"guests of {arch.debian}": partial(_foreign, arch)
            for arch in arches.ARCHES
            if not arch.native
        },
    }
    return [_guarded(subject, check, reporter) for subject, check in checks.items()]


def _guarded(subject: str, check: Callable[[Reporter], Finding], reporter: Reporter) -> Finding:
    try:
        return check(reporter)
    except DynaccelError as error:
        return Finding(
            subject=subject, state=State.MISSING, detail=error.message, hint=error.hint or ""
        )


def _first_line(*argv: str) -> str:
    return process.run(argv, env={"LC_ALL": "C"}).text.splitlines()[0]


def _qemu(reporter: Reporter) -> Finding:
    del reporter
    qemu = arches.native().board.qemu
    tools.require(qemu)
    tools.require("qemu-img")
    return Finding(subject="QEMU", state=State.OK, detail=_first_line(qemu, "--version"))


def _build_tools(reporter: Reporter) -> Finding:
    del reporter
    arch = arches.native()
    config = configure.requested_config(arch, (), accelerated=True)
    toolchain.require_tools(config.ever(), arch=arch, programs=patch.programs(hwtime=True))
    compiler = toolchain.default_compiler(arch)
    return Finding(subject="build tools", state=State.OK, detail=compiler.version)


def _ccache(reporter: Reporter) -> Finding:
    del reporter
    if tools.find("ccache") is None:
        return Finding(
            subject="ccache",
            state=State.LIMITED,
            detail="not there: every kernel build starts from nothing",
            hint=tools.install_command("ccache"),
        )
    return Finding(subject="ccache", state=State.OK, detail=_first_line("ccache", "--version"))


def _agent(reporter: Reporter) -> Finding:
    image = guest_image(arch=arches.native(), reporter=reporter)
    size = space.format_size(image.stat().st_size)
    return Finding(subject="guest's agent", state=State.OK, detail=f"built ({size})")


def _cache(reporter: Reporter) -> Finding:
    del reporter
    directory = paths.cache_dir()
    free = shutil.disk_usage(directory).free
    detail = f"{directory}, {space.format_size(free)} free"
    if free < NEEDED_BYTES:
        return Finding(
            subject="cache",
            state=State.LIMITED,
            detail=f"{detail}; a kernel build needs {space.format_size(NEEDED_BYTES)}",
            hint="dynaccel kernel clean, or set DYNACCEL_CACHE to a place on a larger disk",
        )
    return Finding(subject="cache", state=State.OK, detail=detail)


def _kernels(reporter: Reporter) -> Finding:
    del reporter
    newest = kernels.resolve(None)
    count = len(kernels.installed())
    return Finding(
        subject="kernels",
        state=State.OK,
        detail=f"{count} built; the default is {newest.short_id} ({newest.manifest.release})",
    )


def _kvm(reporter: Reporter) -> Finding:
    kernel = _bootable()
    if kernel is None:
        return Finding(
            subject="KVM",
            state=State.LIMITED,
            detail="not known before a kernel is built to boot with it",
            hint="dynaccel kernel build",
        )
    arch = arches.native()
    agent = guest_image(arch=arch, reporter=reporter)
    proof = accelerator.prove_kvm(
        arch=arch,
        kernel=kernel.image,
        initramfs=initramfs_for(kernel, agent, reporter=reporter),
        reporter=reporter,
    )
    if proof.works:
        return Finding(subject="KVM", state=State.OK, detail="a guest booted with it")
    return Finding(
        subject="KVM",
        state=State.LIMITED,
        detail=f"no guest boots with it ({proof.reason}); guests run by emulation (TCG)",
        hint="use a machine with (nested) virtualization and read-write access to /dev/kvm",
    )


def _bootable() -> Kernel | None:
    try:
        return kernels.resolve(None)
    except DynaccelError:
        return None


def _this_machine(reporter: Reporter) -> Finding:
    del reporter
    try:
        ratio = local.get_ratio()
    except MissingError:
        detail = f"runs {platform.release()}, whose time flows as usual; guests are not affected"
        return Finding(subject="this machine", state=State.OK, detail=detail)
    return Finding(subject="this machine", state=State.OK, detail=f"accelerated, ratio {ratio}")


def _foreign(arch: Arch, reporter: Reporter) -> Finding:
    """Say whether guests of another architecture can be built and run; few users want them."""
    del reporter
    subject = f"guests of {arch.debian}"
    packages = {arch.board.qemu: (arch.board.package,), arch.compiler: arch.compiler_packages}
    missing = [program for program in packages if tools.find(program) is None]
    if missing:
        return Finding(
            subject=subject,
            state=State.LIMITED,
            detail=f"not possible: {' and '.join(missing)} not there",
            hint=tools.install_command(*(name for each in missing for name in packages[each])),
        )
    return Finding(subject=subject, state=State.OK, detail="emulated; compiler and QEMU are there")


def _show(findings: list[Finding]) -> None:
    colours = {State.OK: "green", State.LIMITED: "yellow", State.MISSING: "red"}
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        state = click.style(f"{finding.state.value:8}", fg=colours[finding.state])
        click.echo(f"{state}{finding.subject:{width}}  {finding.detail}")
        if finding.hint:
            click.echo(f"{'':{8 + width}}  -> {finding.hint}")
