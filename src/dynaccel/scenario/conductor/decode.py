# SPDX-License-Identifier: GPL-2.0-or-later
"""From the conductor's bytes to its reports."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeVar

from dynaccel.scenario.conductor import reports
from dynaccel.vm.channel import ChannelError, Decoder, Frame

if TYPE_CHECKING:
    from collections.abc import Callable

_Word = TypeVar("_Word", bound=enum.StrEnum)


class ReportDecoder:
    """Turns bytes, in whatever pieces they come, into reports, and sees that none is missing.

    Args:
        seq: Number of the last one that is known, where a conductor goes on after a checkpoint.
    """

    def __init__(self, seq: int = 0) -> None:
        self._decoder = Decoder()
        self._seq = seq

    def feed(self, data: bytes) -> list[reports.Report]:
        """Take bytes and return the reports that are whole now; unknown types are passed over.

        Raises:
            ChannelError: The bytes make no sense, or reports are missing.
        """
        taken = [self._take(frame) for frame in self._decoder.feed(data)]
        return [report for report in taken if report is not None]

    def _take(self, frame: Frame) -> reports.Report | None:
        seq = frame.need("seq")
        if seq != self._seq + 1:
            raise ChannelError(f"the conductor sent report {seq} after {self._seq}")
        self._seq = seq
        return decode(frame)


def decode(frame: Frame) -> reports.Report | None:
    """Return a frame as a report; None when its type is not known here.

    Raises:
        ChannelError: It lacks what it must have.
    """
    reader = _READERS.get(frame.type)
    return None if reader is None else reader(frame)


def _head(frame: Frame) -> dict[str, int]:
    return {key: frame.need(key) for key in ("seq", "virtual_ns", "realtime_ns", "ratio")}


def _text(frame: Frame, key: str) -> str:
    text = frame.text(key)
    if text is None:
        raise ChannelError(f"the guest sent a frame of type {frame.type} without {key}")
    return text


def _word(words: type[_Word], frame: Frame, key: str) -> _Word:
    text = _text(frame, key)
    try:
        return words(text)
    except ValueError:
        raise _meaningless(key, text) from None


def _meaningless(key: str, text: str) -> ChannelError:
    return ChannelError(f"the guest sent {key}={text!r}, which means nothing here")


def _ready(frame: Frame) -> reports.Report:
    return reports.Ready(
        **_head(frame),
        cpus=frame.need("cpus"),
        page_size=frame.need("page_size"),
        hz=frame.need("hz"),
        memory_bytes=frame.need("memory_bytes"),
    )


def _phase(frame: Frame) -> reports.Report:
    return reports.PhaseReport(
        **_head(frame),
        name=_text(frame, "name"),
        index=frame.need("index"),
        state=_word(reports.PhaseState, frame, "state"),
        ended_by=frame.text("ended_by"),
    )


def _ratio(frame: Frame) -> reports.Report:
    return reports.RatioReport(
        **_head(frame),
        before=frame.need("from"),
        after=frame.need("to"),
        why=_text(frame, "why"),
    )


def _job(frame: Frame) -> reports.Report:
    count = frame.number("count")
    return reports.JobReport(
        **_head(frame),
        name=_text(frame, "name"),
        run=frame.need("run"),
        state=_word(reports.JobState, frame, "state"),
        count=1 if count is None else count,
        pid=frame.number("pid"),
        status=frame.number("status"),
        signal=frame.number("signal"),
        runtime_ns=frame.number("runtime_ns"),
        stopped=bool(frame.number("stopped")),
        message=frame.text("message"),
    )


def _sample(frame: Frame) -> reports.Report:
    return reports.SampleReport(
        **_head(frame),
        name=_text(frame, "name"),
        subject=_text(frame, "subject"),
        values=tuple(_value(text) for text in frame.texts("value")),
    )


def _value(text: str) -> tuple[str, float]:
    metric, _, number = text.rpartition(" ")
    try:
        return metric, float(number)
    except ValueError:
        raise _meaningless("value", text) from None


def _log(frame: Frame) -> reports.Report:
    head = _head(frame)
    # Order counts: "stream" and "at" are those of the lines that follow.
    stream, at, dropped = "line", head["virtual_ns"], 0
    lines = []
    for key, raw in frame.records:
        text = raw.decode(errors="replace")
        if key == "stream":
            stream = text
        elif key == "at":
            at = _number(key, text)
        elif key == "dropped":
            dropped += _number(key, text)
        elif key == "line":
            lines.append(
                reports.Line(
                    virtual_ns=at,
                    realtime_ns=head["realtime_ns"] - (head["virtual_ns"] - at),
                    stream=stream,
                    text=text,
                    dropped=dropped,
                )
            )
            dropped = 0
    return reports.LogReport(**head, name=_text(frame, "name"), lines=tuple(lines), dropped=dropped)


def _number(key: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _meaningless(key, text) from None


def _fault(frame: Frame) -> reports.Report:
    return reports.FaultReport(
        **_head(frame),
        name=_text(frame, "name"),
        kind=_text(frame, "kind"),
        state=_word(reports.FaultState, frame, "state"),
        message=frame.text("message"),
    )


def _clock(frame: Frame) -> reports.Report:
    return reports.ClockReport(
        **_head(frame), clock=_text(frame, "clock"), back_ns=frame.need("back_ns")
    )


def _held(frame: Frame) -> reports.Report:
    return reports.Held(**_head(frame))


def _done(frame: Frame) -> reports.Report:
    return reports.Done(**_head(frame), reason=_text(frame, "reason"))


def _error(frame: Frame) -> reports.Report:
    return reports.ErrorReport(**_head(frame), message=_text(frame, "message"))


def _alive(frame: Frame) -> reports.Report:
    return reports.Alive(**_head(frame))


_READERS: dict[int, Callable[[Frame], reports.Report]] = {
    96: _ready,
    97: _phase,
    98: _ratio,
    99: _job,
    100: _sample,
    101: _log,
    102: _fault,
    103: _clock,
    104: _held,
    105: _done,
    106: _error,
    107: _alive,
}
"""By the type of the frame."""
