# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest says goes into the recording, and to whoever watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import Stamp
from dynaccel.scenario.conductor import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import Checkpoint, Phase
    from dynaccel.recording.writer import RecordingWriter
    from dynaccel.scenario.conduct.clock import RunningClock
    from dynaccel.scenario.conduct.progress import Progress, Watcher
    from dynaccel.scenario.conductor.messages import Message

_FAILURES = frozenset({"timeout", "failed_to_start"})
_PART_NAMES = {"begun": "begins", "ended": "is over", "limit": "took too long"}


class Taker:
    """Takes each message of the conductor.

    Args:
        writer: The recording.
        clock: Real time.
        progress: How far the run is.
        watcher: Whoever watches.

    Attributes:
        begun: Whether the first phase has begun.
        seq: Number of the last message.
        last: The stamp of the last message; None before the first.
        clock, progress: As given.
    """

    def __init__(
        self, writer: RecordingWriter, clock: RunningClock, progress: Progress, watcher: Watcher
    ) -> None:
        self.clock = clock
        self.progress = progress
        self.begun = False
        self.seq = 0
        self.last: Stamp | None = None
        self._writer = writer
        self._watcher = watcher

    def take(self, message: Message) -> None:
        """Take a message.

        Raises:
            InfrastructureError: The recording cannot be written.
        """
        if isinstance(message, messages.Phase) and message.state == "begun" and not self.begun:
            self.begun = True
            self.clock.restart()
        # Before the first phase both times are the same: set-up runs at ratio 1.
        real_ns = self.clock.ns() if self.begun else message.virtual_ns
        stamp = Stamp(message.virtual_ns, message.realtime_ns, real_ns)
        self.seq = message.seq
        self.last = stamp
        self.progress.ratio = message.ratio
        if self.begun:
            self.progress.take_time(stamp)
            self._writer.add_clock(stamp, message.ratio)
        self._take(message, stamp)

    def go_on(self, checkpoint: Checkpoint, phases: Sequence[Phase]) -> None:
        """Go on where a checkpoint was made.

        Args:
            checkpoint: It.
            phases: Those that had begun by then.
        """
        self.begun = True
        self.seq, self.last = checkpoint.seq, checkpoint.stamp
        self.clock.restart(checkpoint.stamp.real_ns)
        if phases:
            self.progress.begin_phase(
                phases[-1].name, phases[-1].index, phases[-1].begun.virtual_ns
            )

    def flush(self) -> None:
        """Write what waits.

        Raises:
            InfrastructureError: The recording cannot be written.
        """
        self._writer.flush()

    def mark(self, tag: str, seconds: float, keep: int) -> None:
        """Take that the guest has been saved as it is after the last message.

        Raises:
            InfrastructureError: The recording cannot be written.
        """
        assert self.last is not None  # noqa: S101
        self._writer.mark_checkpoint(
            self.last, tag, seq=self.seq, seconds_stopped=seconds, keep=keep
        )
        self.progress.checkpoints += 1
        self._tell(self.last, f"checkpoint {tag}: the guest stood still for {seconds:.2f} s")

    def note(self, kind: str, name: str, text: str) -> None:
        """Add something that the host did or saw.

        Raises:
            InfrastructureError: The recording cannot be written.
        """
        stamp = self.last or Stamp(0, 0, 0)
        self._writer.add_event(stamp, kind, name, text)
        self._tell(stamp, text)

    def _take(self, message: Message, stamp: Stamp) -> None:  # noqa: C901  (one case a message)
        match message:
            case messages.Phase():
                self._take_phase(message, stamp)
            case messages.Ratio(before=before, after=after, why=why):
                self.progress.forget_ratio()
                self._writer.add_ratio_change(stamp, before=before, after=after, why=why)
                if why != "ramp":
                    self._tell(stamp, f"ratio {before} → {after} ({why})")
            case messages.Job():
                self._take_job(message, stamp)
            case messages.Sample(name=name, subject=subject, values=values):
                self._writer.add_sample(stamp, name, subject, values)
                if subject == "system" and "memory_used" in values:
                    self.progress.take_memory(values["memory_used"])
            case messages.Log(name=name, stream=stream, lines=lines, dropped=dropped):
                self._writer.add_log(stamp, name, stream, lines, dropped)
            case messages.Fault(name=name, kind=kind, state=state, message=text):
                words = f"fault {name} ({kind}): {state}" + (f": {text}" if text else "")
                self._writer.add_event(stamp, "fault", name, words, {"kind": kind, "state": state})
                self._tell(stamp, words)
            case messages.Clock(clock=clock, back_ns=back_ns):
                way = "back" if back_ns > 0 else "forward"
                words = f"{clock} jumped {way} by {format_duration(abs(back_ns) / 1e9)}"
                self._writer.add_event(stamp, "clock", clock, words, {"back_ns": back_ns})
                self._tell(stamp, words)
            case messages.Trouble(message=text):
                self._writer.add_event(stamp, "error", "conductor", text)
                self._tell(stamp, text)
            case _:
                pass  # READY, HELD, ALIVE, DONE: what they say is in their stamps

    def _take_phase(self, message: messages.Phase, stamp: Stamp) -> None:
        if message.state == "begun":
            self._writer.add_phase_begin(
                stamp, index=message.index, name=message.name, ratio=message.phase_ratio
            )
            self.progress.begin_phase(message.name, message.index, stamp.virtual_ns)
        else:
            ended_by = "limit" if message.state == "limit" else message.ended_by
            self._writer.add_phase_end(stamp, index=message.index, ended_by=ended_by)
        self._tell(stamp, f"phase {message.name} {_PART_NAMES[message.state]}")

    def _take_job(self, message: messages.Job, stamp: Stamp) -> None:
        self._writer.add_job(
            stamp,
            job=message.name,
            run=message.run,
            state=message.state,
            pid=message.pid,
            status=message.status,
            signal=message.signal,
            runtime_ns=message.runtime_ns,
            message=message.message,
        )
        failed = message.state in _FAILURES or bool(message.status) or message.signal is not None
        if message.state == "ended" or message.state in _FAILURES:
            self.progress.runs += 1
            self.progress.failed += failed
        if failed:
            how = message.message or (
                f"status {message.status}" if message.signal is None else f"signal {message.signal}"
            )
            self._tell(stamp, f"job {message.name}, run {message.run}: {message.state}: {how}")

    def _tell(self, stamp: Stamp, line: str) -> None:
        self.progress.take_line(stamp.virtual_ns, line)
        self._watcher.tell(stamp.virtual_ns, line)
