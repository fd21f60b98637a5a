# SPDX-License-Identifier: GPL-2.0-or-later
"""One attempt at a run: from the start of the guest, or from a checkpoint, to whatever ends it.

What the guest sends is recorded as it comes. All that is done to the guest (a checkpoint, a pause,
a change of the ratio) is done here, one thing after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import functools
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from dynaccel.core.errors import GuestError, GuestPanicError, InfrastructureError, UserError
from dynaccel.core.units import parse_ratio
from dynaccel.scenario.conductor import orders, reports
from dynaccel.scenario.conductor.decode import ReportDecoder
from dynaccel.scenario.conductor.files import files
from dynaccel.vm import checkpoint, interrupts, program

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import BinaryIO

    from dynaccel.core.events import Reporter
    from dynaccel.recording.records import Checkpoint
    from dynaccel.scenario.conduct.progress import Watcher
    from dynaccel.scenario.conduct.take import Taker
    from dynaccel.scenario.model import Scenario
    from dynaccel.vm import remote
    from dynaccel.vm.guest import Guest, Limits
    from dynaccel.vm.system import BootedSystem

_TURN_SECONDS = 0.5
"""How often what came is written for good, and whoever watches hears of it."""
_HOLD_SECONDS = 60.0
"""How long the conductor may take to fall silent; on a busy host it is slow to answer."""


class Ending(enum.StrEnum):
    """How an attempt ended."""

    DONE = "done"
    """The conductor came to the end of the scenario."""
    BUDGET = "budget"
    """The real time that the scenario may take was over."""
    LEFT = "left"
    """The user left it, to go on later."""
    PANIC = "panic"
    """The guest's kernel panicked."""
    LOST = "lost"
    """The guest ended or fell silent."""

    @property
    def final(self) -> bool:
        """Whether a verdict is due: nothing is gained by going on."""
        return self in {Ending.DONE, Ending.BUDGET, Ending.PANIC}

    @property
    def noteworthy(self) -> bool:
        """Whether it belongs among the events of the recording."""
        return self is not Ending.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """How an attempt ended, and why.

    Attributes:
        ending: How.
        message: Why, in words; empty for :attr:`Ending.DONE`.
        reason: What the conductor gave as its reason; of :attr:`Ending.DONE`.
        detail: The console's tail, when the guest failed.
    """

    ending: Ending
    message: str = ""
    reason: str = ""
    detail: str | None = None


class Conduct:
    """One attempt at a run.

    Args:
        scenario: What is run.
        request: The guest.
        taker: Records what comes.
        watcher: Sees how far it is.
        reporter: Hears what a user should know.
        goes_on_from: The checkpoint that the request's guest goes on from; None: it boots.
        every: Real time from one checkpoint to the next; None: none can be made.
        kept: The tags of the checkpoints that there are, oldest first.
        number: How many were ever made.
    """

    def __init__(
        self,
        scenario: Scenario,
        request: program.ProgramRequest,
        taker: Taker,
        *,
        watcher: Watcher,
        reporter: Reporter,
        goes_on_from: Checkpoint | None = None,
        every: timedelta | None = None,
        kept: Sequence[str] = (),
        number: int = 0,
    ) -> None:
        self._scenario = scenario
        self._request = request
        self._taker = taker
        self._watcher = watcher
        self._reporter = reporter
        self._from = goes_on_from
        self._every = every
        self._wishes: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._held = asyncio.Event()
        self._over: asyncio.Future[Attempted] | None = None
        self._program: program.Program | None = None
        self._paused = False
        self._tags = list(kept)
        self._number = number
        self._next_at = 0.0

    async def run(self, *, name: str | None, console: BinaryIO | None, limits: Limits) -> Attempted:
        """Do it, and say how it ended; a guest that fails is an ending, too.

        Raises:
            UserError: The guest cannot be had as it is asked for.
            MissingError: QEMU is not installed.
            InfrastructureError: The recording cannot be written, or a checkpoint not made.
        """
        self._over = asyncio.get_running_loop().create_future()
        with interrupts.listening() as signals:
            signals.target = self._take_signal
            try:
                async with program.running(
                    self._request, name=name, answer=self._answer, console=console, limits=limits
                ) as running:
                    self._program = running
                    return await self._follow(running, signals)
            except GuestError as error:
                self._taker.flush()
                return _failed(error)

    def wish(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something as soon as nothing else is being done to the guest."""
        self._wishes.put_nowait(action)

    async def set_ratio(self, ratio: int) -> None:
        """Set the ratio until the phase ends."""
        await self._send(orders.set_ratio(ratio))

    async def next_phase(self) -> None:
        """End the present phase."""
        await self._send(orders.next_phase())

    async def end(self) -> None:
        """Go to the end of the scenario: the finish jobs, and the verdict."""
        await self._send(orders.end())

    async def pause(self) -> None:
        """Let the guest stand still, or go on when it does."""
        assert self._program is not None  # noqa: S101
        if not self._paused:
            await checkpoint.stop(self._program.guest)
            self._paused = True
        else:
            await checkpoint.go_on(self._program.guest)
            self._taker.leave_out()
            self._paused = False
        self._taker.progress.paused = self._paused

    async def leave(self) -> None:
        """Make a checkpoint, where one can be made, and end the attempt."""
        if self._paused:
            await self.pause()
        if self._every is not None and self._taker.begun:
            await self._save()
        self._finish(Attempted(ending=Ending.LEFT, message="the run was left by the user"))

    def _look_at(self, system: BootedSystem) -> None:
        for complaint in system.complaints():
            if system.moved_to is not None:
                raise UserError(
                    complaint, hint=f"start = {system.moved_to + timedelta(days=1):%Y-%m-%d}"
                )
            self._taker.note("system", self._scenario.name, complaint)

    async def _follow(self, running: program.Program, signals: interrupts.Interrupts) -> Attempted:
        assert self._over is not None  # noqa: S101
        if self._from is None:
            self._look_at(running.system)
            for frame in chain(files(self._scenario.machine.files), orders.plan(self._scenario)):
                await running.write(frame)
            await running.write(orders.begin(self._scenario.start))
        else:
            await running.write(orders.go())
        self._schedule()
        self._watcher.attach(self)
        reading = asyncio.create_task(self._read(running))
        turning = asyncio.create_task(self._turn())
        try:
            either: set[asyncio.Future[Any]] = {self._over, reading, turning, signals.ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, turning):
                if task.done():
                    task.result()
            if not self._over.done():
                number = signals.ended.result()
                return Attempted(
                    ending=Ending.LEFT, message=f"the guest was ended by signal {number}"
                )
            return self._over.result()
        finally:
            for task in (reading, turning):
                task.cancel()
            await asyncio.gather(reading, turning, return_exceptions=True)
            self._taker.flush()

    async def _read(self, running: program.Program) -> None:
        decoder = ReportDecoder(self._taker.seq)
        while data := await running.read():
            for report in decoder.feed(data):
                self._taker.take(report)
                match report:
                    case reports.Held():
                        self._held.set()
                    case reports.FaultReport(name=name, state=reports.FaultState.WANTED):
                        self.wish(functools.partial(self._stand_still, name))
                    case reports.Done(reason=reason):
                        self._finish(Attempted(ending=Ending.DONE, reason=reason))
                        return
                    case _:
                        pass
        # It never ends before DONE unless something in the guest ended it.
        self._finish(
            Attempted(
                ending=Ending.LOST,
                message="the conductor in the guest ended before the scenario did",
                detail=running.guest.console.tail(),
            )
        )

    async def _turn(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                action = await asyncio.wait_for(self._wishes.get(), _TURN_SECONDS)
                await action()
            self._taker.flush()
            self._watcher.show(self._taker.progress.snapshot())
            if self._over_budget():
                self._finish(
                    Attempted(
                        ending=Ending.BUDGET,
                        message="the real time of the scenario's budget is over",
                    )
                )
            elif self._due():
                await self._save()

    async def _save(self) -> None:
        """Make a checkpoint, and forget the ones that are not kept."""
        assert self._program is not None  # noqa: S101
        guest = self._program.guest
        self._held.clear()
        await self._send(orders.hold())
        try:
            await asyncio.wait_for(self._held.wait(), _HOLD_SECONDS)
        except TimeoutError:
            self._reporter.warning(
                f"no checkpoint was made: the guest did not fall silent within {_HOLD_SECONDS:g} s"
            )
        else:
            await self._save_held(guest)
        await self._send(orders.go())
        self._schedule()

    async def _save_held(self, guest: Guest) -> None:
        keep = max(1, self._scenario.checkpoints.keep)
        self._number += 1
        tag = f"dynaccel-{self._number}"
        try:
            seconds = await checkpoint.save(guest, tag)
        except InfrastructureError as error:
            # Most often the disk is full. The run can do without this one.
            self._taker.leave_out()
            self._taker.note("error", tag, f"no checkpoint was made: {error.message}")
            return
        self._taker.leave_out()
        self._taker.mark(tag, seconds, keep)
        self._tags.append(tag)
        while len(self._tags) > keep:
            await checkpoint.delete(guest, self._tags.pop(0))

    async def _stand_still(self, name: str) -> None:
        assert self._program is not None  # noqa: S101
        wanted = next(each for each in self._scenario.faults if each.name == name)
        guest = self._program.guest
        began = time.monotonic()
        await checkpoint.stop(guest)
        await asyncio.sleep(wanted.duration_real.total_seconds())
        await checkpoint.go_on(guest)
        self._taker.leave_out()
        seconds = time.monotonic() - began
        self._taker.note("fault", name, f"fault {name}: the guest stood still for {seconds:.1f} s")

    def _schedule(self) -> None:
        if self._every is not None:
            self._next_at = time.monotonic() + self._every.total_seconds()

    def _due(self) -> bool:
        if self._every is None or not self._taker.begun or self._paused:
            return False
        return time.monotonic() > self._next_at

    def _over_budget(self) -> bool:
        budget = self._scenario.budget_real
        if budget is None or self._paused:
            return False
        return self._taker.clock.ns() > budget.total_seconds() * 1e9

    def _take_signal(self, number: int) -> None:
        del number
        self.wish(self.leave)

    async def _send(self, data: bytes) -> None:
        assert self._program is not None  # noqa: S101
        await self._program.write(data)

    def _finish(self, attempted: Attempted) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(attempted)

    async def _answer(self, request: remote.Request) -> remote.Answer:
        if self._program is None or self._taker.progress.stamp is None:
            raise InfrastructureError("the guest has not booted yet", hint="try again")
        match request.get("op"):
            case "set":
                await self.set_ratio(parse_ratio(str(request.get("ratio"))))
            case "next":
                await self.next_phase()
            case "end":
                await self.end()
            case "leave":
                self.wish(self.leave)
            case "pause":
                self.wish(self.pause)
            case "get" | "status":
                pass
            case other:
                raise UserError(f"a scenario's guest cannot {other!r}")
        return self._status(await self._program.guest.get_ratio())

    def _status(self, beat: Any) -> remote.Answer:
        progress = self._taker.progress
        now = progress.snapshot()
        stamp = progress.stamp
        assert stamp is not None  # noqa: S101
        return {
            "ratio": beat.ratio,
            "kernel": self._program.release if self._program else None,
            "command_pid": None,
            "scenario": self._scenario.name,
            "phase": now.phase,
            "virtual_seconds": stamp.virtual_ns / 1e9,
            "real_seconds": stamp.real_ns / 1e9,
            "achieved_ratio": now.reached,
            "real_left_seconds": now.real_left_seconds,
            "uptime_virtual_seconds": beat.virtual_ns / 1e9,
            "realtime_seconds": None if beat.realtime_ns is None else beat.realtime_ns / 1e9,
        }


def _failed(error: GuestError) -> Attempted:
    panicked = isinstance(error, GuestPanicError)
    return Attempted(
        ending=Ending.PANIC if panicked else Ending.LOST,
        message=error.message,
        detail=error.detail,
    )
