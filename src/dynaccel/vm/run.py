# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a command in accelerated time: boot a guest, run the command in it, take all of it down."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaccel.core import arches, artifacts
from dynaccel.core.errors import (
    DynaccelError,
    GuestError,
    GuestShutdownError,
    InfrastructureError,
    MissingError,
    UserError,
)
from dynaccel.core.units import epoch_ns, parse_ratio
from dynaccel.host import kernels
from dynaccel.vm import boot, guest, interrupts, job, machine, registry, remote, root
from dynaccel.vm.console import Console
from dynaccel.vm.result import (
    DEFAULT_INIT,
    FAILED,
    SIGNALLED,
    TIMED_OUT,
    RunRequest,
    RunResult,
    error_kind,
)
from dynaccel.vm.session import Session, Verdict
from dynaccel.vm.streams import Streams

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel

_MEMORY_MIN_BYTES = 128 << 20
_UPTIME_MAX = timedelta(days=30 * 365)
"""Linux keeps REALTIME ahead of the uptime: TIME_UPTIME_SEC_MAX in its time64.h."""
_REFUSED = {126: "not_executable", 127: "not_found"}


def run(
    request: RunRequest,
    *,
    streams: Streams | None = None,
    reporter: Reporter,
    limits: guest.Limits | None = None,
) -> RunResult:
    """Run a command in a guest of its own and return how it ended.

    Signals that reach this process meanwhile go to the command; the second SIGINT, SIGTERM, SIGHUP
    or SIGQUIT ends the guest. If the request names a result file, it is written whatever happens.

    Args:
        request: The command and its surroundings.
        streams: The command's standard streams; those of this process when None.
        reporter: Learns what goes on.
        limits: Real time after which a guest is given up.

    Raises:
        GuestError: The guest panicked, was lost, or did not boot.
        UserError: The request cannot be served as it is.
        MissingError: No QEMU, no compiler for the agent, or nothing to boot.
        InfrastructureError: Cache, runtime directory or an output cannot be written.
    """
    if request.result is not None:
        artifacts.check_writable(request.result)
    running = _Run(request, streams or Streams(), reporter, limits or guest.Limits())
    try:
        result = running.run()
    except DynaccelError as error:
        _write(request.result, running.failure(error))
        raise
    _write(request.result, result)
    return result


class _Run:
    """One run on its way, with what is known of it so far."""

    def __init__(
        self, request: RunRequest, streams: Streams, reporter: Reporter, limits: guest.Limits
    ) -> None:
        self._request = request
        self._streams = streams
        self._reporter = reporter
        self._limits = limits
        self._console: Console | None = None
        self._session: Session | None = None
        self._guest: guest.Guest | None = None
        self._release: str | None = None
        self._accelerator: machine.Accelerator | None = None
        self._boot_seconds: float | None = None
        self._nothing_to_boot = False
        self._rebooted = False

    def run(self) -> RunResult:
        """Do it all."""
        request = self._request
        _check(request)
        shares = root.find_shares(list(request.shares))
        kernel = self._find_kernel()
        arch = arches.parse(kernel.manifest.arch)
        file_system = root.find_root(request.root, arch=arch, reporter=self._reporter)
        means = boot.find_means(kernel, request.accelerator, reporter=self._reporter)
        self._accelerator = means.accelerator
        with ExitStack() as stack:
            directory = stack.enter_context(registry.claimed(request.name))
            copy = stack.enter_context(request.console.open("wb")) if request.console else None
            self._console = Console(copy)
            spec = machine.MachineSpec(
                name=directory.name,
                arch=arch,
                kernel=kernel.image,
                initramfs=means.initramfs,
                sockets=machine.Sockets(directory=directory),
                accelerator=self._accelerator,
                cpus=request.cpus,
                memory_bytes=request.memory_bytes,
                root=file_system,
                boots_root=request.init is not None,
                modules=kernel.modules,
                shares=shares,
                net=request.net,
                keep_owners=os.geteuid() == 0,
                uptime_seconds=round(_seconds(request.uptime) or 0),
                counter_khz=means.counter_khz,
                append=request.append,
                qemu=request.qemu,
            )
            return asyncio.run(self._interruptible(spec, directory))

    def failure(self, error: DynaccelError) -> RunResult:
        """Return the result of a run that ended with an error."""
        kind = "nothing_to_boot" if self._nothing_to_boot else error_kind(error)
        tail = None
        if self._console is not None and isinstance(error, GuestError):
            tail = self._console.tail()
        verdict = self._session.cut_off() if self._session else Verdict()
        return self._result(verdict, FAILED, error=kind, message=error.message, tail=tail)

    def _find_kernel(self) -> Kernel:
        try:
            kernel = kernels.resolve(self._request.kernel, arch=self._request.arch)
        except (MissingError, UserError):
            self._nothing_to_boot = True
            raise
        if not kernel.manifest.accelerated:
            self._check_accelerates(kernel.manifest.release, accelerates=False)
        return kernel

    async def _interruptible(self, spec: machine.MachineSpec, directory: Path) -> RunResult:
        with interrupts.listening() as signals:
            task = asyncio.create_task(self._boot_and_run(spec, directory, signals))
            try:
                either: set[asyncio.Future[Any]] = {task, signals.ended}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
                number = signals.ended.result()
                verdict = self._session.cut_off() if self._session else Verdict()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return self._result(
            verdict,
            SIGNALLED + number,
            error="interrupted",
            message=f"the guest was ended by signal {number}",
        )

    async def _boot_and_run(
        self, spec: machine.MachineSpec, directory: Path, signals: interrupts.Interrupts
    ) -> RunResult:
        started_at = time.monotonic()
        assert self._console is not None  # noqa: S101
        async with AsyncExitStack() as stack:
            self._guest = await stack.enter_async_context(
                guest.started(spec, console=self._console, limits=self._limits)
            )
            await stack.enter_async_context(
                remote.serving(registry.control_socket(directory), self._answer)
            )
            registry.publish(directory, self._info(spec))
            hello = await self._guest.hello()
            self._release = hello.text("release")
            accelerates = bool(hello.number("ratio"))
            self._check_accelerates(self._release or "unknown", accelerates=accelerates)

            def on_started() -> None:
                self._boot_seconds = time.monotonic() - started_at
                signals.target = session.forward
                self._tell_system(session)

            session = Session(
                self._guest,
                self._job(spec, accelerates=accelerates),
                streams=self._streams,
                limits=self._limits,
                on_started=on_started,
            )
            self._session = session
            verdict = await session.run(_seconds(self._request.timeout))
            if verdict.ended_by_shutdown:
                self._rebooted = await self._guest.shut_down() != guest.POWERED_OFF
            elif spec.shares:
                # Nothing else that the guest holds is worth the wait.
                await self._guest.power_off()
        return self._judge(verdict)

    def _tell_system(self, session: Session) -> None:
        for complaint in session.system.complaints():
            self._reporter.warning(complaint)
        if session.system.state == "unknown":
            self._reporter.info(
                "process 1 of the guest is not systemd and cannot tell when the system is up:"
                " the command starts now"
            )

    def _job(self, spec: machine.MachineSpec, *, accelerates: bool) -> job.Job:
        request = self._request
        assert spec.root is not None  # noqa: S101
        limit = _seconds(request.virtual_limit)
        start_ns = time.time_ns() if request.start is None else epoch_ns(request.start)
        return job.Job(
            arguments=tuple(os.fsencode(word) for word in request.command),
            root=root.job_root(spec.root),
            cwd=os.fsencode(self._cwd(spec)),
            environment=job.caller_environment(),
            credentials=_credentials(request),
            umask=job.caller_umask(),
            hostname=platform.node() if request.root == root.HOST else spec.name,
            shares=spec.shares,
            ratio=request.ratio if accelerates else None,
            realtime_ns=start_ns,
            for_ns=None if limit is None else round(limit * 1e9),
            net=request.net,
            init=request.init,
            init_limit_ns=round(self._limits.system * 1e9) if request.init else None,
            program=request.program,
        )

    def _cwd(self, spec: machine.MachineSpec) -> Path:
        if self._request.cwd is not None:
            return self._request.cwd
        wanted = Path.cwd()
        assert spec.root is not None  # noqa: S101
        found = root.working_directory(spec.root, spec.shares, wanted, boots=spec.boots_root)
        if found is None:
            self._reporter.warning(
                f"{wanted} is not known to be in {self._request.root}: the command starts in /"
                " (--workdir DIR names another place)"
            )
        return found or Path("/")

    def _info(self, spec: machine.MachineSpec) -> registry.GuestInfo:
        return registry.GuestInfo(
            name=spec.name,
            pid=os.getpid(),
            command=self._request.command,
            ratio=self._request.ratio,
            kernel=str(spec.kernel),
            accelerator=spec.accelerator.value,
            cpus=spec.cpus,
            started=time.time(),
        )

    def _check_accelerates(self, release: str, *, accelerates: bool) -> None:
        if self._request.ratio != 1 or self._request.uptime:
            boot.check_accelerates(release, accelerates=accelerates)

    async def _answer(self, request: remote.Request) -> remote.Answer:
        if self._session is None or self._session.started_at is None or self._guest is None:
            raise InfrastructureError("the guest has not booted yet", hint="try again")
        match request.get("op"):
            case "set":
                beat = await self._guest.set_ratio(parse_ratio(str(request.get("ratio"))))
            case "get" | "status":
                beat = await self._guest.get_ratio()
            case other:
                raise UserError(f"a guest cannot {other!r}")
        now = self._session.cut_off()
        return {
            "ratio": beat.ratio,
            "kernel": self._release,
            "command_pid": self._session.pid,
            "virtual_seconds": now.virtual_seconds,
            "real_seconds": now.real_seconds,
            "achieved_ratio": _ratio(now),
            "uptime_virtual_seconds": beat.virtual_ns / 1e9,
            "realtime_seconds": None if beat.realtime_ns is None else beat.realtime_ns / 1e9,
        }

    def _judge(self, verdict: Verdict) -> RunResult:
        if verdict.refused is not None:
            status = verdict.status or FAILED
            kind = _REFUSED.get(status, "setup")
            tail = self._console.tail() if self._console and kind == "setup" else None
            return self._result(verdict, status, error=kind, message=verdict.refused, tail=tail)
        if verdict.timed_out:
            limit = _seconds(self._request.timeout)
            message = f"the command was ended after its time limit of {limit:g} s"
            return self._result(verdict, TIMED_OUT, error="timeout", message=message)
        if verdict.ended_by_shutdown:
            how = "rebooted" if self._rebooted else "was powered off"
            message = f"the guest's system {how} while the command ran"
            return self._result(verdict, FAILED, error=GuestShutdownError.kind, message=message)
        if verdict.signal is not None:
            return self._result(
                verdict, 0 if verdict.ended_by_limit else SIGNALLED + verdict.signal
            )
        return self._result(verdict, FAILED if verdict.status is None else verdict.status)

    def _result(
        self,
        verdict: Verdict,
        status: int,
        *,
        error: str | None = None,
        message: str | None = None,
        tail: str | None = None,
    ) -> RunResult:
        return RunResult(
            exit_status=status,
            accel=self._request.ratio,
            virtual_seconds=verdict.virtual_seconds,
            real_seconds=verdict.real_seconds,
            achieved_ratio=_ratio(verdict),
            boot_seconds=self._boot_seconds,
            kernel=self._release,
            accelerator=self._accelerator.value if self._accelerator else None,
            cpus=self._request.cpus,
            system=self._session.system.state if self._session else None,
            failed_units=self._session.system.failed if self._session else (),
            error=error,
            message=message,
            console_tail=tail,
        )


def _check(request: RunRequest) -> None:
    if not request.command:
        raise UserError("there is no command to run", hint="dynaccel run [OPTIONS] -- CMD ...")
    parse_ratio(str(request.ratio))
    _credentials(request)
    if request.name is not None:
        registry.check_name(request.name)
    if request.uptime is not None and request.uptime > _UPTIME_MAX:
        raise UserError(
            f"a guest cannot have been up for longer than {_UPTIME_MAX.days} days",
            hint="--uptime 497d; --start sets the date",
        )
    if request.init is not None and not request.init.startswith("/"):
        raise UserError(
            f"{request.init!r} is no path in the guest: it does not start with /",
            hint=f"--init {DEFAULT_INIT}",
        )
    if request.memory_bytes < _MEMORY_MIN_BYTES:
        raise UserError("a guest needs at least 128 MiB of memory", hint="--memory 512M")


def _credentials(request: RunRequest) -> job.Credentials:
    if request.user is None:
        return job.Credentials.of_caller()
    return job.Credentials.of_user(request.user)


def _write(path: Path | None, result: RunResult) -> None:
    if path is not None:
        artifacts.write_json_atomic(path, result.json_value())


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _ratio(verdict: Verdict) -> float | None:
    if verdict.virtual_seconds is None or not verdict.real_seconds:
        return None
    return verdict.virtual_seconds / verdict.real_seconds
