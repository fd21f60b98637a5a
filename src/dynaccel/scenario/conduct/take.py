# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest says goes into the recording, and to whoever watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynaccel.core.units import format_duration
from dynaccel.recording.records import Stamp
from dynaccel.scenario.conductor import reports
from dynaccel.scenario.conductor.reports import JobState, PhaseState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynaccel.recording.records import Checkpoint, Phase
    from dynaccel.recording.writer import RecordingWriter
    from dynaccel.scenario.conduct.clock import RunningClock
    from dynaccel.scenario.conduct.progress import Progress, Watcher
    from dynaccel.scenario.conductor.reports import Report
    from dynaccel.scenario.model import Scenario

_SETTLE_NS = 2_000_000_000
"""Real time after a standstill in which what waited has arrived."""
_PHASE_WORDS = {
    PhaseState.BEGUN: "begins",
    PhaseState.ENDED: "is over",
    PhaseState.LIMIT: "took longer than it may",
}


class Taker:
    """Takes each report of the conductor.

    Args:
        scenario: What is run.
        writer: The recording.
        clock: Real time.
        progress: How far the run is.
        watcher: Whoever watches.

    Attributes:
        begun: Whether the first phase has begun.
        seq: Number of the last report.
        last: The stamp of the last report; None before the first.
        clock, progress: As given.
    """

    def __init__(
        self,
        scenario: Scenario,
        writer: RecordingWriter,
        clock: RunningClock,
        *,
        progress: Progress,
        watcher: Watcher,
    ) -> None:
        self.clock = clock
        self.progress = progress
        self.begun = False
        self.seq = 0
        self.last: Stamp | None = None
        self._scenario = scenario
        self._settling: Stamp | None = None
        self._writer = writer
        self._watcher = watcher

    def take(self, report: Report) -> None:
        """Take a report.

        Raises:
            InfrastructureError: The recording cannot be written.
        """
        if isinstance(report, reports.PhaseReport) and not self.begun:
            self.begun = True
            self.clock.restart()
        if self._settling is not None and self.last is not None:
            self._settle(report, self._settling)
        # Before the first phase both times are the same: set-up runs at ratio 1.
        real_ns = self.clock.ns() if self.begun else report.virtual_ns
        stamp = Stamp(report.virtual_ns, report.realtime_ns, real_ns)
        self.seq = report.seq
        self.last = stamp
        self.progress.ratio = report.ratio
        if self.begun:
            self.progress.take_time(stamp)
            self._writer.add_clock(stamp, report.ratio)
        self._take(report, stamp)

    def go_on(self, checkpoint: Checkpoint, phases: Sequence[Phase]) -> None:
        """Go on where a checkpoint was made.

        Args:
            checkpoint: It.
            phases: Those that had begun by then.
        """
        self.begun = True
        self.seq, self.last = checkpoint.seq, checkpoint.stamp
        self.clock.restart(checkpoint.stamp.real_ns)
        self._settling = checkpoint.stamp
        if phases:
            self.progress.begin_phase(
                phases[-1].name, phases[-1].index, phases[-1].begun.virtual_ns
            )

    def leave_out(self) -> None:
        """Take that the guest stood still since the last report, and goes on now."""
        if self.last is not None:
            self._settling = self.last

    def flush(self) -> None:
        """Write what waits.

        Raises:
            InfrastructureError: The recording cannot be written.
        """
        self._writer.flush()

    def mark(self, tag: str, seconds: float, keep: int) -> None:
        """Take that the guest has been saved as it is after the last report.

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

    def _settle(self, report: Report, before: Stamp) -> None:
        """Set real time anew after the guest stood still.

        Nobody knows to the millisecond when QEMU let it go on, and what it said while nobody read
        comes all at once. So for a moment real time is what the guest's clock makes of it: a report
        cannot arrive before it was made.
        """
        made_ns = before.real_ns + (report.virtual_ns - before.virtual_ns) // max(report.ratio, 1)
        if self.last is before or made_ns > self.clock.ns():
            self.clock.restart(made_ns)
        if made_ns > before.real_ns + _SETTLE_NS:
            self._settling = None

    def _take(self, report: Report, stamp: Stamp) -> None:  # noqa: C901  (a case for each)
        writer = self._writer
        match report:
            case reports.PhaseReport():
                self._take_phase(report, stamp)
            case reports.RatioReport(before=before, after=after, why=why):
                self.progress.forget_ratio()
                writer.add_ratio_change(stamp, before=before, after=after, why=why)
                if why != "ramp":
                    self._tell(stamp, f"ratio {before} → {after} ({why})")
            case reports.JobReport():
                self._take_job(report, stamp)
            case reports.SampleReport(name=name, subject=subject, values=pairs):
                values = dict(pairs)
                writer.add_sample(stamp, name, subject, values)
                if subject == "system" and "memory_used" in values:
                    self.progress.take_memory(values["memory_used"])
            case reports.LogReport():
                self._take_lines(report, stamp)
            case reports.FaultReport(name=name, kind=kind, state=state, message=text):
                words = f"fault {name} ({kind}): {state}" + (f": {text}" if text else "")
                writer.add_event(stamp, "fault", name, words, {"kind": kind, "state": state})
                self._tell(stamp, words)
            case reports.ClockReport(clock=clock, back_ns=back_ns):
                way = "back" if back_ns > 0 else "forward"
                words = f"{clock} jumped {way} by {format_duration(abs(back_ns) / 1e9)}"
                writer.add_event(stamp, "clock", clock, words, {"back_ns": back_ns})
                self._tell(stamp, words)
            case reports.ErrorReport(message=text):
                writer.add_event(stamp, "error", "conductor", text)
                self._tell(stamp, text)
            case _:
                pass  # READY, HELD, ALIVE, DONE: what they say is in their stamps

    def _take_phase(self, report: reports.PhaseReport, stamp: Stamp) -> None:
        if report.state is PhaseState.BEGUN:
            self._writer.add_phase_begin(
                stamp,
                index=report.index,
                name=report.name,
                ratio=self._scenario.phases[report.index].ratio,
            )
            self.progress.begin_phase(report.name, report.index, stamp.virtual_ns)
        else:
            ended_by = report.ended_by or report.state.value
            self._writer.add_phase_end(stamp, index=report.index, ended_by=ended_by)
        self._tell(stamp, f"phase {report.name} {_PHASE_WORDS[report.state]}")

    def _take_job(self, report: reports.JobReport, stamp: Stamp) -> None:
        for run in range(report.run, report.run + report.count):
            self._writer.add_job(
                stamp,
                job=report.name,
                run=run,
                state="stopped" if report.stopped else report.state.value,
                pid=report.pid,
                status=report.status,
                signal=report.signal,
                runtime_ns=report.runtime_ns,
                message=report.message or "",
            )
        if report.state not in {JobState.ENDED, JobState.FAILED_TO_START, JobState.TIMEOUT}:
            return
        failed = report.status != 0 and not report.stopped
        if report.state is not JobState.TIMEOUT:  # that one's end follows
            self.progress.runs += 1
            self.progress.failed += failed
        if failed:
            how = report.message or _ending(report)
            self._tell(stamp, f"job {report.name}, run {report.run}: {report.state}: {how}")

    def _take_lines(self, report: reports.LogReport, stamp: Stamp) -> None:
        for line in report.lines:
            before = (stamp.virtual_ns - line.virtual_ns) // max(report.ratio, 1)
            when = Stamp(line.virtual_ns, line.realtime_ns, stamp.real_ns - before)
            self._writer.add_log(when, report.name, line.stream, [line.text], line.dropped)
        if report.dropped:
            self._writer.add_log(stamp, report.name, "line", [], report.dropped)

    def _tell(self, stamp: Stamp, line: str) -> None:
        self.progress.take_line(stamp.virtual_ns, line)
        self._watcher.tell(stamp.virtual_ns, line)


def _ending(report: reports.JobReport) -> str:
    if report.state is JobState.TIMEOUT:
        return "it took too long"
    if report.signal is not None:
        return f"signal {report.signal}"
    return f"status {report.status}"
