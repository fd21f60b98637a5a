# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent's parser of frames, compiled for the host with the sanitizers."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaccel.host import process

HERE = Path(__file__).resolve().parent
GUEST = HERE.parents[1] / "guest"
UNITS = ("frame.c", "job.c", "text.c", "log.c")
START = 2

Records = list[tuple[bytes, bytes]]

keys = st.binary(min_size=1, max_size=8).map(
    lambda key: bytes(b for b in key if b not in b"\0=") + b"k"
)
values = st.binary(max_size=40).map(lambda value: value.replace(b"\0", b""))
frames = st.lists(
    st.tuples(st.integers(3, 255), st.lists(st.tuples(keys, values), max_size=5)), max_size=4
)


def encode(kind: int, records: Records) -> bytes:
    payload = b"".join(key + b"=" + value + b"\0" for key, value in records)
    return struct.pack("<IB", len(payload) + 1, kind) + payload


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("guest") / "parser"
    process.run([
        "gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror",
        "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", GUEST,
        "-o", program, HERE / "guest_frames.c", *(GUEST / unit for unit in UNITS),
    ])  # fmt: skip
    return program


def parse(parser: Path, data: bytes, piece: int = 4096) -> tuple[list[str], bytes]:
    """Return the parser's lines, and the frames as it built them anew."""
    # A job lives as long as the agent: what it holds is no leak.
    done = process.run([parser, str(piece)], stdin=data, env={"ASAN_OPTIONS": "detect_leaks=0"})
    text, _, output = done.stdout.partition(b"output\n")
    return text.decode().splitlines(), output


def test_agent_compiles_without_a_warning(tmp_path: Path) -> None:
    process.run([
        "gcc", "-std=c11", "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
        "-o", tmp_path / "init", *sorted(GUEST.glob("*.c")),
    ])  # fmt: skip
    assert (tmp_path / "init").is_file()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(frames=frames, piece=st.integers(1, 50))
def test_any_frames_in_any_pieces_come_through(
    parser: Path, frames: list[tuple[int, Records]], piece: int
) -> None:
    data = b"".join(encode(kind, records) for kind, records in frames)
    lines, output = parse(parser, data, piece)
    assert output == data
    assert lines == [
        " ".join([f"frame {kind}", *(f"{key.hex()}={value.hex()}" for key, value in records)])
        for kind, records in frames
    ] + ["left 0"]


@pytest.mark.parametrize(
    "payload", [b"no equals sign\0", b"key=not terminated", b"=no key\0", b"\0", b"a=1\0b\0"]
)
def test_malformed_records_cost_one_frame_only(parser: Path, payload: bytes) -> None:
    bad = struct.pack("<IB", len(payload) + 1, 6) + payload
    lines, output = parse(parser, bad + encode(6, [(b"signal", b"15")]))
    assert lines[0] == "malformed 6"
    assert lines[1].startswith("frame 6 ")
    assert output == encode(6, [(b"signal", b"15")])


@pytest.mark.parametrize("length", [0, (4 << 20) + 2, 0xFFFFFFFF])
def test_impossible_length_is_the_end(parser: Path, length: int) -> None:
    lines, output = parse(parser, struct.pack("<I", length) + b"x" * 100)
    assert lines == ["lost 104"]
    assert output == b""


def test_largest_frame(parser: Path) -> None:
    data = encode(9, [(b"k", b"v" * ((4 << 20) - 3))])
    lines, output = parse(parser, data, 65536)
    assert lines[-1] == "left 0"
    assert output == data


def test_noise_is_survived(parser: Path) -> None:
    source = random.Random(6)  # noqa: S311
    for _ in range(20):
        noise = encode(START, [(b"root", b"disk"), (b"arg", b"x")]) + source.randbytes(300)
        cut = bytearray(noise[: source.randrange(1, len(noise))])
        cut[source.randrange(len(cut))] ^= 1 << source.randrange(8)
        lines, _ = parse(parser, bytes(cut), source.randrange(1, 40))
        assert lines[-1].split()[0] in {"left", "lost"}


def job(parser: Path, *more: tuple[bytes, bytes]) -> str:
    records = [(b"root", b"9p:root"), (b"arg", b"true"), *more]
    return parse(parser, encode(START, records))[0][0]


def test_job_is_read_in_order(parser: Path) -> None:
    line = job(
        parser, (b"arg", b""), (b"env", b"A=b=c"), (b"env", b"\xff"), (b"share", b"s:/a"),
        (b"group", b"4"), (b"group", b"0"), (b"uid", b"1000"), (b"umask", b"077"),
        (b"ratio", b"200"), (b"for_ns", b"9"), (b"from_the_future", b"ignored"),
    )  # fmt: skip
    assert line == "job args=2 env=2 shares=1 groups=2 uid=1000 umask=77 ratio=200 for=9"


def test_job_has_defaults(parser: Path) -> None:
    assert job(parser) == "job args=1 env=0 shares=0 groups=0 uid=0 umask=22 ratio=1 for=0"


@pytest.mark.parametrize(
    "record",
    [
        (b"uid", b"-1"),
        (b"uid", b"4294967295"),
        (b"gid", b""),
        (b"group", b"wheel"),
        (b"umask", b"99"),
        (b"umask", b"1000"),
        (b"umask", b"-1"),
        (b"realtime_ns", b"now"),
        (b"ratio", b"1.5"),
        (b"ratio", b"18446744073709551616"),
        (b"for_ns", b"0"),
        (b"net", b"bridge"),
        (b"init", b""),
        (b"init", b"sbin/init"),
        (b"init_limit_ns", b"ever"),
        (b"program", b""),
        (b"program", b"../init"),
    ],
)
def test_job_that_makes_no_sense_is_refused(parser: Path, record: tuple[bytes, bytes]) -> None:
    assert job(parser, record).startswith(f"wrong START has an impossible {record[0].decode()}: ")


def test_job_needs_root_and_command(parser: Path) -> None:
    lines, _ = parse(parser, encode(START, [(b"arg", b"x")]))
    assert lines[0] == "wrong START names no root"
    lines, _ = parse(parser, encode(START, [(b"root", b"disk")]))
    assert lines[0] == "wrong START names no command"
