# SPDX-License-Identifier: GPL-2.0-or-later
"""The talk with the conductor: plans that make no sense, holds, and a host that does not read."""

from __future__ import annotations

import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from conductor_lab import Lab, conductor_program, lab, phase, scenario, seconds, shell

from dynaccel.scenario.conductor import orders, reports
from dynaccel.scenario.conductor.decode import ReportDecoder, decode
from dynaccel.scenario.conductor.orders import Order
from dynaccel.scenario.model import Fault, FaultKind, Job, JobKind, Sample, SampleKind
from dynaccel.vm.channel import ChannelError, Decoder, Frame, encode

__all__ = ["conductor_program", "lab"]

FOREVER = seconds(10**6)
JOB = {"name": "x", "kind": "once", "arg": "true"}
SAMPLE = {"name": "x", "kind": "system", "every_ns": 10**9}
FAULT = {"name": "x", "kind": "kill", "after_ns": 0, "process": "x"}
PHASE = {"name": "x", "ratio": 1, "for_ns": 0}
TOO_LARGE = "9" * 20
LOG = {"name": "x", "kind": "kernel"}


@pytest.mark.parametrize(
    ("order", "records", "message"),
    [
        (Order.JOB, {**JOB, "kind": "odd"}, "the job x has an impossible kind: odd"),
        (Order.JOB, {"name": "x", "arg": "true"}, "the job x has no kind"),
        (Order.JOB, {**JOB, "name": "../x"}, "the job ../x has a name that cannot be used"),
        (Order.JOB, {"name": "x", "kind": "once"}, "the job x has no command"),
        (Order.JOB, {**JOB, "after_ns": "-1"}, "the job x has an impossible after_ns: -1"),
        (
            Order.JOB,
            {**JOB, "after_ns": TOO_LARGE},
            f"the job x has an impossible after_ns: {TOO_LARGE}",
        ),
        (Order.JOB, {**JOB, "stop_signal": 65}, "the job x has an impossible stop_signal"),
        (
            Order.JOB,
            {**JOB, "every_ns": 5},
            "the job x has not one of every_ns and cron, or has it without repeating",
        ),
        (
            Order.JOB,
            {**JOB, "kind": "repeat", "cron": "61 * * * *"},
            "the job x has an impossible minute in cron: 61 * * * *",
        ),
        (Order.SAMPLE, {**SAMPLE, "every_ns": 0}, "the sample x has no every_ns"),
        (
            Order.SAMPLE,
            {**SAMPLE, "kind": "process"},
            "the sample x has not one of job and process",
        ),
        (Order.SAMPLE, {**SAMPLE, "kind": "disk"}, "the sample x has no path"),
        (Order.SAMPLE, {**SAMPLE, "kind": "command"}, "the sample x has no command"),
        (Order.LOG, {**LOG, "kind": "file"}, "the log x has no whole path"),
        (
            Order.LOG,
            {**LOG, "match": "("},
            "the log x has an impossible match (: Unmatched ( or \\(",
        ),
        (Order.FAULT, {**FAULT, "at_ns": 5}, "the fault x has not one of after_ns and at_ns"),
        (Order.FAULT, {**FAULT, "signal": 0}, "the fault x has an impossible signal"),
        (Order.FAULT, {**FAULT, "kind": "date-step"}, "the fault x has no step_ns"),
        (Order.PHASE, {**PHASE, "ratio": 1001}, "the phase x has no ratio from 1 to 1000"),
        (
            Order.PHASE,
            {"name": "x", "ratio": 1},
            "the phase x has not one of for_ns, until_ns, until_file, until_job",
        ),
        (Order.SET_RATIO, {"ratio": 0}, "SET_RATIO names no ratio from 1 to 1000"),
        (Order.BEGIN, {"realtime_ns": "now"}, "BEGIN has an impossible realtime_ns: now"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_and_left_out(
    lab: Lab, order: Order, records: dict[str, str | int], message: str
) -> None:
    conductor = lab.start()
    conductor.tell(encode(order, records.items()), orders.begin())
    conductor.finish()
    assert conductor.errors() == [message]
    assert conductor.one(reports.Done).reason == "finished"


def test_unknown_and_malformed_frames_are_told(lab: Lab) -> None:
    conductor = lab.start()
    conductor.tell(
        encode(200, [("a", 1)]),
        struct.pack("<IB", 4, 64) + b"bad",
        encode(Order.JOB, [*JOB.items(), ("from_the_future", "ignored")]),
        encode(Order.JOB, JOB.items()),
        orders.begin(),
        orders.begin(),
        encode(Order.JOB, JOB.items()),
    )
    conductor.finish()
    assert conductor.errors() == [
        "frames of type 200 are not known here",
        "a frame of type 64 has malformed records",
        "the job x is there already",
        "BEGIN came twice",
        "the job x comes after BEGIN",
    ]


def test_an_impossible_length_ends_the_run(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER)))
    conductor.tell(struct.pack("<I", 0xFFFFFFFF))
    conductor.finish()
    assert conductor.errors() == ["the host sent a frame of an impossible length"]
    assert conductor.one(reports.Done).reason == "ended"


def test_a_plan_in_single_bytes_is_a_plan(lab: Lab) -> None:
    conductor = lab.start()
    plan = scenario(phase(until_job="a"), jobs=(shell("a", "echo hello"),))
    for byte in b"".join([*orders.plan(plan), orders.begin()]):
        conductor.tell(bytes([byte]))
    conductor.finish()
    assert conductor.lines("a") == ["hello"]


def test_between_hold_and_go_nothing_is_said(lab: Lab) -> None:
    conductor = lab.start()
    jobs = (shell("loud", "while :; do echo x; sleep 0.01; done", JobKind.SERVICE),)
    samples = (Sample(name="system", kind=SampleKind.SYSTEM, every=seconds(0.05)),)
    conductor.begin(scenario(phase(duration=FOREVER), jobs=jobs, samples=samples))
    conductor.wait_for(lambda: len(conductor.find(reports.SampleReport)) > 2)
    for count, silence in ((1, 2.0), (2, 0.2), (3, 0.2)):
        conductor.tell(orders.hold())
        held = conductor.wait_for_nth(reports.Held, count)
        assert conductor.said[-1] is held
        assert not conductor.listen(silence)
        released = time.time_ns()
        conductor.tell(orders.go())
        conductor.listen(60)
        follower = conductor.said[held.seq]
        assert follower.seq == held.seq + 1
        # What happened meanwhile has the time at which it did.
        assert count > 1 or follower.realtime_ns < released
    conductor.tell(orders.end())
    conductor.finish()


def test_a_second_go_is_harmless_and_a_second_hold_too(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER)))
    conductor.tell(orders.go(), orders.go(), orders.hold(), orders.hold())
    conductor.wait_for_any(reports.Held)
    conductor.tell(orders.go(), orders.go(), orders.end())
    conductor.finish()
    assert len(conductor.find(reports.Held)) == 1


def test_the_end_waits_for_go(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(scenario(phase(duration=FOREVER)))
    conductor.tell(orders.hold())
    conductor.wait_for_any(reports.Held)
    conductor.tell(orders.end())
    assert not conductor.listen(1)
    conductor.tell(orders.go())
    conductor.finish()
    assert conductor.one(reports.Done).reason == "ended"


def memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_a_host_that_does_not_read_costs_bounded_memory_and_no_line(lab: Lab) -> None:
    conductor = lab.start()
    # 40 MB of lines, of which 8 fit.
    script = "import sys; [sys.stdout.write(f'{i}\\n' + 10000 * 'x' + '\\n') for i in range(4000)]"
    job = Job(name="loud", kind=JobKind.ONCE, command=("/usr/bin/env", "python3", "-c", script))
    conductor.begin(scenario(phase(until_job="loud"), jobs=(job,)))
    before = memory_bytes(conductor.child.pid)
    grown, still = 0, 0
    while still < 10:
        time.sleep(0.2)
        now = memory_bytes(conductor.child.pid) - before
        still = still + 1 if now == grown else 0
        grown = now
    assert 4 << 20 < grown < 80 << 20  # the sanitizer's own books included
    conductor.finish()
    lines = conductor.lines("loud")
    assert [line for line in lines if not line.startswith("x")] == [str(i) for i in range(4000)]
    assert sum(len(line) for line in lines if line.startswith("x")) == 4000 * 10000


def test_a_host_that_closes_its_ear_is_gone(lab: Lab) -> None:
    conductor = lab.start()
    conductor.begin(
        scenario(phase(duration=FOREVER), jobs=(shell("a", "echo $$; exec sleep 999"),))
    )
    conductor.wait_for(lambda: bool(conductor.lines("a")))
    assert conductor.child.stdout is not None
    conductor.child.stdout.close()
    assert conductor.child.wait(60) == 0


def test_numbers_follow_each_other_and_stamps_never_go_back(lab: Lab) -> None:
    jobs = (shell("a", "seq 1000", JobKind.REPEAT, every=seconds(0.05)),)
    conductor = lab.run(scenario(phase(duration=seconds(0.5)), jobs=jobs))
    assert [report.seq for report in conductor.said] == list(range(1, len(conductor.said) + 1))
    stamps = [report.virtual_ns for report in conductor.said]
    assert stamps == sorted(stamps)


def records(frame: bytes) -> list[tuple[str, bytes]]:
    [decoded] = Decoder().feed(frame)
    return list(decoded.records)


def test_a_plan_has_all_that_the_scenario_says() -> None:
    plan = scenario(
        phase("p", ratio=7, until=datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)),
        jobs=(
            Job(
                name="j", kind=JobKind.REPEAT, command=("a", "", "b c"), cron="* * * * *",
                environment=(("A", "1"),), timeout=timedelta(days=365 * 100),
            ),
        ),
        faults=(Fault(name="f", kind=FaultKind.DATE_STEP, after=seconds(1), step=seconds(-1.5)),),
        samples=(
            Sample(
                name="s", kind=SampleKind.FILE, every=seconds(60),
                paths=(PurePosixPath("/a"), PurePosixPath("/b")),
            ),
        ),
    )  # fmt: skip
    job, sample, fault, only = (records(frame) for frame in orders.plan(plan))
    assert [value for key, value in job if key == "arg"] == [b"a", b"", b"b c"]
    assert ("timeout_ns", b"3153600000000000000") in job
    assert ("env", b"A=1") in job
    assert "every_ns" not in dict(job)
    assert [value for key, value in sample if key == "path"] == [b"/a", b"/b"]
    assert dict(fault)["step_ns"] == b"-1500000000"
    assert "at_ns" not in dict(fault)
    assert only == [("name", b"p"), ("ratio", b"7"), ("until_ns", b"2147483647000000000")]


HEAD = (("seq", b"1"), ("virtual_ns", b"-5"), ("realtime_ns", b"100"), ("ratio", b"7"))


def test_lines_are_read_in_order() -> None:
    frame = Frame(
        101,
        (
            *HEAD, ("name", b"log"), ("stream", b"out"), ("at", b"-9"), ("line", b"a"),
            ("line", b"\xff=b"), ("stream", b"err"), ("dropped", b"3"), ("at", b"-6"),
            ("line", b""), ("dropped", b"2"),
        ),
    )  # fmt: skip
    log = decode(frame)
    assert isinstance(log, reports.LogReport)
    told = [(line.virtual_ns, line.realtime_ns, line.stream, line.text, line.dropped)
            for line in log.lines]  # fmt: skip
    assert told == [
        (-9, 96, "out", "a", 0),
        (-9, 96, "out", "�=b", 0),
        (-6, 99, "err", "", 3),
    ]
    assert log.dropped == 2


@pytest.mark.parametrize(
    "frame",
    [
        Frame(107, HEAD[:3]),
        Frame(97, (*HEAD, ("name", b"p"), ("index", b"0"), ("state", b"odd"))),
        Frame(100, (*HEAD, ("name", b"s"), ("subject", b"x"), ("value", b"a b"))),
        Frame(101, (*HEAD, ("name", b"s"), ("at", b"x"))),
        Frame(105, HEAD),
    ],
)
def test_reports_that_make_no_sense_are_refused(frame: Frame) -> None:
    with pytest.raises(ChannelError):
        decode(frame)


def test_reports_of_the_future_are_passed_over() -> None:
    assert decode(Frame(200, HEAD)) is None


def test_a_missing_report_is_an_error() -> None:
    alive = [("virtual_ns", 1), ("realtime_ns", 1), ("ratio", 1)]
    decoder = ReportDecoder(seq=7)
    assert len(decoder.feed(encode(107, [("seq", 8), *alive]))) == 1
    with pytest.raises(ChannelError, match="report 10 after 8"):
        decoder.feed(encode(107, [("seq", 10), *alive]))
