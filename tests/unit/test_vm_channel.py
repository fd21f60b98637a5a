# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaccel.core.errors import UserError
from dynaccel.vm.channel import PAYLOAD_MAX, ChannelError, Decoder, Frame, FrameType, encode

KEYS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1)
VALUES = st.binary().map(lambda value: value.replace(b"\0", b""))
FRAMES = st.lists(st.tuples(st.sampled_from(FrameType), st.lists(st.tuples(KEYS, VALUES))))


@given(FRAMES, st.lists(st.integers(1, 50)))
def test_frames_survive_any_cutting(
    frames: list[tuple[FrameType, list[tuple[str, bytes]]]], cuts: list[int]
) -> None:
    stream = b"".join(encode(kind, records) for kind, records in frames)
    decoder, found = Decoder(), []
    for cut in cuts:
        found += decoder.feed(stream[:cut])
        stream = stream[cut:]
    found += decoder.feed(stream)
    assert found == [Frame(kind, tuple(records)) for kind, records in frames]


@given(st.binary())
def test_any_bytes_are_frames_or_a_channel_error(data: bytes) -> None:
    try:
        frames = Decoder().feed(data)
    except ChannelError:
        return
    assert all(isinstance(frame, Frame) for frame in frames)


def test_a_frame_on_the_wire_is_as_the_protocol_says() -> None:
    assert encode(FrameType.SIGNAL, [("signal", 15)]) == b"\x0b\0\0\0\x06signal=15\0"
    assert encode(FrameType.POWEROFF) == b"\x01\0\0\0\x0c"


@pytest.mark.parametrize(
    "raw",
    [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x04\0\0\0\x01a=b", b"\x04\0\0\0\x01ab\0",
     b"\x04\0\0\0\x01=b\0"],
)  # fmt: skip
def test_what_is_no_frame_is_refused(raw: bytes) -> None:
    with pytest.raises(ChannelError):
        Decoder().feed(raw)


def test_the_longest_frame_fits_and_a_longer_one_is_refused() -> None:
    longest = "x" * (PAYLOAD_MAX - len("k=\0"))
    assert Decoder().feed(encode(FrameType.START, [("k", longest)]))[0].text("k") == longest
    with pytest.raises(UserError, match="bytes long"):
        encode(FrameType.START, [("k", longest + "x")])


def test_a_value_with_nul_is_refused() -> None:
    with pytest.raises(UserError, match="NUL"):
        encode(FrameType.START, [("arg", b"a\0b")])


def test_numbers_are_read_and_nonsense_is_not() -> None:
    frame = Frame(FrameType.HELLO, (("ratio", b"7"), ("cpus", b"many"), ("ratio", b"8")))
    assert frame.number("ratio") == 8
    assert frame.number("absent") is None
    with pytest.raises(ChannelError):
        frame.number("cpus")
    with pytest.raises(ChannelError):
        frame.need("absent")


def test_a_frame_of_a_newer_agent_is_taken() -> None:
    assert Decoder().feed(b"\x01\0\0\0\xc8") == [Frame(200)]
