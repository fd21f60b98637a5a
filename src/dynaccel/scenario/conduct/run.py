# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a scenario from its beginning, or go on with a run that was interrupted."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dynaccel
from dynaccel.core import arches
from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import UserError
from dynaccel.host import kernels
from dynaccel.recording.reader import Recording
from dynaccel.recording.writer import RecordingWriter
from dynaccel.scenario.conduct import roots
from dynaccel.scenario.conduct.clock import RunningClock
from dynaccel.scenario.conduct.conduct import Attempted, Conduct
from dynaccel.scenario.conduct.directory import RunDirectory, RunState, new_directory
from dynaccel.scenario.conduct.progress import Progress
from dynaccel.scenario.conduct.take import Taker
from dynaccel.scenario.conductor.orders import PROGRAM
from dynaccel.scenario.files import read_scenario
from dynaccel.scenario.model import CheckKind
from dynaccel.scenario.outline import Outline
from dynaccel.scenario.verdict import watches
from dynaccel.scenario.verdict.trend import need_trends
from dynaccel.vm import boot, checkpoint, guest, machine, program
from dynaccel.vm.accelerator import AcceleratorChoice
from dynaccel.vm.result import DEFAULT_INIT

if TYPE_CHECKING:
    from datetime import timedelta

    from dynaccel.core.events import Reporter
    from dynaccel.recording.records import Checkpoint
    from dynaccel.scenario.conduct.progress import Watcher
    from dynaccel.scenario.model import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """An attempt that is over.

    Attributes:
        directory: Where all of it is.
        scenario: What was run.
        attempted: How it ended.
    """

    directory: RunDirectory
    scenario: Scenario
    attempted: Attempted


def begin(
    source: Path,
    output: Path,
    *,
    name: str | None = None,
    watcher: Watcher,
    reporter: Reporter,
    limits: guest.Limits | None = None,
) -> Ran:
    """Run a scenario.

    Args:
        source: Its file.
        output: A directory for all that comes of it; it must hold nothing yet.
        name: The guest's name for ``dynaccel set --vm``; None for one that is free.
        watcher: Sees how far it is.
        reporter: Hears what a user should know.
        limits: Real time after which the guest is given up.

    Raises:
        UserError: The file has mistakes, or the directory holds something.
        MissingError: Something that it takes is not on this machine.
        InfrastructureError: Something cannot be written.
    """
    scenario = read_scenario(source)
    if any(check.kind is CheckKind.GROWTH for check in scenario.checks):
        need_trends()  # not only after days
    kernel = kernels.resolve(scenario.machine.kernel, arch=None)
    means = boot.find_means(
        kernel, AcceleratorChoice(scenario.machine.accelerator), reporter=reporter
    )
    base = roots.find_root(scenario.machine.root, arch=means.arch, reporter=reporter)
    directory = new_directory(output)
    with directory.locked():
        write_atomic(directory.scenario, scenario.text.encode())
        state = RunState(
            scenario=scenario.name,
            source=str(source.absolute().parent),
            kernel=kernel.manifest.id,
            accelerator=means.accelerator.value,
            counter_khz=means.counter_khz,
            initramfs=str(means.initramfs),
            base=_image_path(base),
        )
        writer = RecordingWriter.create(
            directory.recording,
            _meta(scenario, means),
            limits={log.name: log.limit_bytes for log in scenario.logs},
            watches=watches(scenario),
        )
        with writer:
            # Last: who finds the state finds all that it takes to go on.
            root = roots.own_disk(base, directory.disk)
            directory.write_state(state)
            attempt = _Attempt(
                directory, scenario, means, watcher=watcher, reporter=reporter, limits=limits
            )
            return attempt.run(writer, root, name=name)


def resume(
    path: Path,
    *,
    name: str | None = None,
    watcher: Watcher,
    reporter: Reporter,
    limits: guest.Limits | None = None,
) -> Ran:
    """Go on with a run that was interrupted, from its last checkpoint.

    A run that has none begins anew; what was recorded of it then stays told as an attempt.

    Args:
        path: The run's directory.
        name: As for :func:`begin`.
        watcher: Likewise.
        reporter: Likewise.
        limits: Likewise.

    Raises:
        UserError: This is no run, it has come to its end, it goes on elsewhere, or its disk is
            damaged.
        MissingError: The kernel that it booted is not here any more.
        InfrastructureError: Something cannot be written.
    """
    directory = RunDirectory(path.absolute())
    state = directory.read_state()
    with directory.locked():
        if directory.verdict.exists():
            raise UserError(
                f"the run in {path} has come to its end",
                hint=f"look at {directory.report}, or begin anew: dynaccel scenario run",
            )
        scenario = read_scenario(directory.scenario, directory=Path(state.source))
        means = _means_of(state, reporter)
        with RecordingWriter.open(directory.recording) as writer:
            found, kept = _last_checkpoint(directory, state)
            writer.rewind(found.tag if found else None)
            base = _base_of(state, scenario, means, reporter)
            if found is None:
                root = roots.own_disk(base, directory.disk)
            else:
                root = machine.ImageRoot(
                    path=directory.disk, format=machine.ImageFormat.QCOW2, kept=True
                )
            attempt = _Attempt(
                directory, scenario, means, watcher=watcher, reporter=reporter, limits=limits
            )
            return attempt.run(writer, root, name=name, goes_on_from=found, kept=kept)


class _Attempt:
    """What all attempts have in common."""

    def __init__(
        self,
        directory: RunDirectory,
        scenario: Scenario,
        means: boot.BootMeans,
        *,
        watcher: Watcher,
        reporter: Reporter,
        limits: guest.Limits | None,
    ) -> None:
        self._directory = directory
        self._scenario = scenario
        self._means = means
        self._watcher = watcher
        self._reporter = reporter
        self._limits = limits or guest.Limits()

    def run(
        self,
        writer: RecordingWriter,
        root: machine.Root,
        *,
        name: str | None,
        goes_on_from: Checkpoint | None = None,
        kept: tuple[str, ...] = (),
    ) -> Ran:
        """Do it."""
        scenario = self._scenario
        with Recording.open(self._directory.recording) as recording:
            attempts = len(recording.attempts())
            made = len(recording.checkpoints())
            phases = recording.phases()
        progress = Progress(Outline.of(scenario, now=datetime.now(tz=UTC)))
        progress.attempt, progress.checkpoints = attempts, made
        taker = Taker(scenario, writer, RunningClock(), progress=progress, watcher=self._watcher)
        if goes_on_from is not None:
            taker.go_on(goes_on_from, phases)
        conduct = Conduct(
            scenario,
            self._request(root, goes_on_from),
            taker,
            watcher=self._watcher,
            reporter=self._reporter,
            goes_on_from=goes_on_from,
            every=self._every(root),
            kept=kept,
            number=made,
        )
        with ExitStack() as stack:
            if goes_on_from is None:
                self._directory.console.unlink(missing_ok=True)
            console = stack.enter_context(self._directory.console.open("ab"))
            try:
                attempted = asyncio.run(
                    conduct.run(name=name, console=console, limits=self._limits)
                )
            except BaseException as error:
                writer.end_attempt(str(error) or type(error).__name__)
                raise
        if attempted.ending.noteworthy:
            taker.note(attempted.ending.value, scenario.name, attempted.message)
        writer.end_attempt(attempted.message or attempted.ending.value)
        return Ran(directory=self._directory, scenario=scenario, attempted=attempted)

    def _request(
        self, root: machine.Root, goes_on_from: Checkpoint | None
    ) -> program.ProgramRequest:
        wanted = self._scenario.machine
        return program.ProgramRequest(
            program=PROGRAM,
            means=self._means,
            root=root,
            init=DEFAULT_INIT if wanted.system else None,
            cpus=wanted.cpus,
            memory_bytes=wanted.memory_bytes,
            net=wanted.network,
            uptime=wanted.uptime,
            start=self._scenario.start,
            checkpoint=goes_on_from.tag if goes_on_from else None,
            append=wanted.append,
            vmcore=self._directory.vmcore if wanted.vmcore else None,
            label=("scenario", self._scenario.name),
        )

    def _every(self, root: machine.Root) -> timedelta | None:
        if not isinstance(root, machine.ImageRoot):
            self._reporter.info(
                "no checkpoints: the guest's root file system is no disk; an interrupted run"
                " begins anew"
            )
            return None
        return self._scenario.checkpoints.every_real


def _means_of(state: RunState, reporter: Reporter) -> boot.BootMeans:
    kernel = kernels.resolve(state.kernel, arch=None)
    initramfs = Path(state.initramfs)
    if not initramfs.is_file():
        found = boot.find_means(kernel, AcceleratorChoice(state.accelerator), reporter=reporter)
        return replace(found, counter_khz=state.counter_khz)
    return boot.BootMeans(
        kernel=kernel,
        arch=arches.parse(kernel.manifest.arch),
        initramfs=initramfs,
        accelerator=machine.Accelerator(state.accelerator),
        counter_khz=state.counter_khz,
    )


def _base_of(
    state: RunState, scenario: Scenario, means: boot.BootMeans, reporter: Reporter
) -> machine.Root:
    if state.base is not None:
        if not Path(state.base).exists():
            raise UserError(
                f"the disk image {state.base} below the run's own is not there any more",
                hint="begin anew: dynaccel scenario run",
            )
        path = Path(state.base)
        return machine.ImageRoot(path=path, format=machine.ImageFormat.QCOW2)
    return roots.find_root(scenario.machine.root, arch=means.arch, reporter=reporter)


def _last_checkpoint(
    directory: RunDirectory, state: RunState
) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """Return the newest checkpoint that both disk and recording have, and all that both have."""
    if state.base is None or not directory.disk.exists():
        return None, ()
    checkpoint.mend(directory.disk)
    on_disk = checkpoint.tags(directory.disk)
    with Recording.open(directory.recording) as recording:
        recorded = {each.tag: each for each in recording.checkpoints() if each.kept}
    both = tuple(tag for tag in on_disk if tag in recorded)
    for tag in on_disk:
        if tag not in recorded:
            checkpoint.forget(directory.disk, tag)
    return (recorded[both[-1]] if both else None), both


def _image_path(root: machine.Root) -> str | None:
    return str(root.path) if isinstance(root, machine.ImageRoot) else None


def _meta(scenario: Scenario, means: boot.BootMeans) -> dict[str, str]:
    return {
        "dynaccel": dynaccel.__version__,
        "scenario": scenario.name,
        "description": scenario.description,
        "text": scenario.text,
        "kernel": means.kernel.manifest.release,
        "kernel_id": means.kernel.manifest.id,
        "accelerator": means.accelerator.value,
        "arch": means.arch.debian,
        "cpus": str(scenario.machine.cpus),
        "memory_bytes": str(scenario.machine.memory_bytes),
    }
