# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for QEMU and the guest: speaks the protocol, and runs the command on this machine.

Written against docs/protocol.md alone, without dynaccel's own code. The environment variable
FAKE_QEMU names a way to misbehave.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

MODE = os.environ.get("FAKE_QEMU", "")
HELLO, START, STARTED, EXITED, FAILED, SIGNAL, STDIN_END = range(1, 8)
SET_RATIO, RATIO, HEARTBEAT, GET_RATIO, POWEROFF = range(8, 13)
SYSTEMS: dict[str, dict[str, str | int]] = {
    "degraded": {"system": "degraded", "failed": "cron.service"},
    "moves-date": {"system": "running", "realtime_ns": 1_777_310_000 * 10**9},
}
SYSTEM = SYSTEMS.get(MODE, {"system": "running"})
SHUTDOWNS = {"reboots": "guest-reset", "powers-off": "guest-shutdown"}


def connect(name: str) -> socket.socket:
    for word in sys.argv:
        if word.startswith(f"socket,id={name},path="):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(word.split("path=", 1)[1].replace(",,", ","))
            return connection
    raise SystemExit(f"no chardev {name}")


class Clock:
    """Virtual time: real time with a ratio that changes."""

    def __init__(self) -> None:
        self.ratio = 0 if MODE == "plain" else 1
        self._virtual = 1_000_000_000
        self._real = time.monotonic_ns()

    def now(self) -> int:
        real = time.monotonic_ns()
        self._virtual += (real - self._real) * max(self.ratio, 1)
        self._real = real
        return self._virtual

    def set(self, ratio: int) -> None:
        self.now()
        self.ratio = ratio


class Guest:
    def __init__(self) -> None:
        self.console = connect("console")
        self.qmp = connect("qmp")
        self.control = connect("control")
        self.ports = {name: connect(name) for name in ("stdin", "stdout", "stderr")}
        self.clock = Clock()
        self.lock = threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self.stdin_total: int | None = None
        self.stdin_count = 0
        self.counts = {"stdout": 0, "stderr": 0}

    def send(self, kind: int, **records: object) -> None:
        payload = b"".join(f"{key}={value}".encode() + b"\0" for key, value in records.items())
        with self.lock:
            self.control.sendall(struct.pack("<IB", len(payload) + 1, kind) + payload)

    def event(self, name: str, **data: object) -> None:
        stamp = {"seconds": 0, "microseconds": 0}
        line = json.dumps({"event": name, "data": data, "timestamp": stamp})
        self.qmp.sendall(line.encode() + b"\r\n")

    def serve_qmp(self) -> None:
        version = {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}
        greeting = {"QMP": {"version": version, "capabilities": []}}
        self.qmp.sendall(json.dumps(greeting).encode() + b"\r\n")
        text = ""
        while data := self.qmp.recv(65536):
            text += data.decode()
            with contextlib.suppress(ValueError):  # no whole message yet
                answer = {"return": {}, "id": json.loads(text).get("id")}
                text = ""
                self.qmp.sendall(json.dumps(answer).encode() + b"\r\n")
                self.ready.set()

    ready = threading.Event()

    def beat(self) -> None:
        while True:
            self.send(
                HEARTBEAT,
                ratio=self.clock.ratio,
                virtual_ns=self.clock.now(),
                realtime_ns=time.time_ns(),
            )
            time.sleep(0.05)

    def frames(self) -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
        stream = self.control.makefile("rb")
        while len(head := stream.read(4)) == 4:
            body = stream.read(struct.unpack("<I", head)[0])
            records = [record.partition(b"=")[::2] for record in body[1:-1].split(b"\0")]
            yield body[0], [(key.decode(), value) for key, value in records if key]

    def start(self, records: list[tuple[str, bytes]]) -> None:
        one = dict(records)
        if "FAKE_JOB" in os.environ:
            with open(os.environ["FAKE_JOB"], "w") as file:  # noqa: PTH123
                json.dump([(key, value.decode(errors="replace")) for key, value in records], file)
        if "ratio" in one:
            self.clock.set(int(one["ratio"]))
        try:
            self.child = subprocess.Popen(
                [value for key, value in records if key == "arg"],
                cwd=one["cwd"],
                env=dict(value.split(b"=", 1) for key, value in records if key == "env"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self.send(FAILED, status=127 if error.errno == 2 else 126, message=str(error))
            return
        told = SYSTEM if "init" in one else {}
        self.send(STARTED, pid=4711, virtual_ns=self.clock.now(), ratio=self.clock.ratio, **told)
        if MODE:
            self.misbehave()
        threading.Thread(target=self.feed, daemon=True).start()
        pumps = [threading.Thread(target=self.pump, args=(name,)) for name in self.counts]
        for pump in pumps:
            pump.start()
        ended_by = "itself"
        if "for_ns" in one:
            wait = int(one["for_ns"]) / 1e9 / max(self.clock.ratio, 1)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(wait)
            if self.child.poll() is None:
                ended_by = "for"
                os.killpg(self.child.pid, signal.SIGTERM)
        code = self.child.wait()
        ended = self.clock.now()
        for pump in pumps:
            pump.join()
        how = {"signal": -code} if code < 0 else {"status": code}
        self.counts["stdout"] += 10 if MODE == "short-stdout" else 0
        ended_by = "shutdown" if MODE in SHUTDOWNS else ended_by
        self.send(EXITED, **how, virtual_ns=ended, ended_by=ended_by, **self.counts)
        if MODE in SHUTDOWNS:
            self.shut_down(SHUTDOWNS[MODE])

    def shut_down(self, reason: str) -> NoReturn:
        self.ready.wait()
        self.event("SHUTDOWN", guest=True, reason=reason)
        os._exit(0)

    def misbehave(self) -> None:
        if MODE == "panic":
            self.ready.wait()
            self.console.sendall(b"Kernel panic - not syncing: fake\r\n")
            if "FAKE_PANIC" in os.environ:
                self.console.sendall(os.environ["FAKE_PANIC"].encode() + b"\r\n")
            self.event("GUEST_PANICKED", action="poweroff")
            self.event("SHUTDOWN", guest=True, reason="guest-panic")
            os._exit(0)
        if MODE in {"reset", "off"}:
            self.shut_down("guest-reset" if MODE == "reset" else "guest-shutdown")
        if MODE == "die":
            self.console.sendall(b"last words\r\n")
            os._exit(3)
        if MODE == "garbage":
            self.control.sendall(b"\xff" * 64)

    def feed(self) -> None:
        assert self.child is not None
        assert self.child.stdin is not None
        with contextlib.suppress(OSError):
            while self.stdin_total is None or self.stdin_count < self.stdin_total:
                self.ports["stdin"].settimeout(0.05)
                try:
                    data = self.ports["stdin"].recv(65536)
                except TimeoutError:
                    continue
                self.stdin_count += len(data)
                self.child.stdin.write(data)
                self.child.stdin.flush()
            self.child.stdin.close()

    def pump(self, name: str) -> None:
        assert self.child is not None
        stream = getattr(self.child, name)
        with contextlib.suppress(OSError):  # the host closed the port
            while data := os.read(stream.fileno(), 65536):
                self.counts[name] += len(data)
                self.ports[name].sendall(data)
        stream.close()

    def stamps(self) -> dict[str, int]:
        return {
            "ratio": self.clock.ratio,
            "virtual_ns": self.clock.now(),
            "realtime_ns": time.time_ns(),
        }

    def run(self) -> None:  # noqa: C901
        threading.Thread(target=self.serve_qmp, daemon=True).start()
        self.console.sendall(b"Linux version fake\r\n")
        if MODE == "no-hello":
            time.sleep(1000)
        self.send(HELLO, protocol=1, release="6.1.0-fake", ratio=self.clock.ratio, cpus=2)
        if MODE != "silent":
            threading.Thread(target=self.beat, daemon=True).start()
        for kind, records in self.frames():
            one = dict(records)
            if kind == START:
                threading.Thread(target=self.start, args=(records,), daemon=True).start()
            elif kind == SIGNAL and self.child is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.child.pid, int(one["signal"]))
            elif kind == STDIN_END:
                self.stdin_total = int(one["bytes"])
            elif kind in {GET_RATIO, SET_RATIO}:
                refusal = {}
                if kind == SET_RATIO and MODE == "refuse":
                    refusal = {"errno": 22, "message": "Invalid argument"}
                elif kind == SET_RATIO:
                    self.clock.set(int(one["ratio"]))
                self.send(RATIO, request=int(one["request"]), **self.stamps(), **refusal)
            elif kind == POWEROFF:
                break
        if self.child is not None and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        os._exit(0)


if MODE == "bad-option":
    raise SystemExit("qemu-system-x86_64: -fake: invalid option")
Guest().run()
