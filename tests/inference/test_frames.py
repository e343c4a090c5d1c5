"""Frames of a generation: cut anywhere, mutilated, and repeated after a lost line."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.errors import AitkError, ConnectionFailed, Rejected, TransferFailed, UnexpectedReply
from aitk_nb.inference.generation import LONGEST_HEADER, LONGEST_PAYLOAD, FrameReader, Generation
from aitk_nb.models.inference import Engine, Frame


def encoded(kind: str, payload: bytes = b"", /, **facts: object) -> bytes:
    """Return one frame as an engine sends it."""
    header = json.dumps({"type": kind, "request_id": "0" * 12, **facts}).encode()
    return struct.pack("<I", len(header)) + header + struct.pack("<Q", len(payload)) + payload


STATUS = encoded("status", message="Loading flex1")
LATENTS = [encoded("latent", bytes([step]) * 5, step=step) for step in (1, 2, 3)]
STEPS = [encoded("progress", step=step, total=3) for step in (1, 2, 3)]
RESULT = encoded("result", path="/out/0.png", kind="image", bytes=3, seed=7)
END = encoded("end", status="done")
LIVE = [STATUS, *(part for pair in zip(STEPS, LATENTS, strict=True) for part in pair), RESULT, END]
WHOLE = b"".join(LIVE)


def read(pieces: Sequence[bytes]) -> list[Frame]:
    """Return the frames of a stream."""
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


def test_frames_are_the_same_wherever_the_stream_is_cut() -> None:
    """At every byte, and byte by byte."""
    expected = read([WHOLE])
    assert [f.kind for f in expected] == ["status", *["progress", "latent"] * 3, "result", "end"]
    assert expected[2].payload == b"\x01" * 5

    for at in range(len(WHOLE) + 1):
        assert read([WHOLE[:at], WHOLE[at:]]) == expected
    assert read([WHOLE[at : at + 1] for at in range(len(WHOLE))]) == expected


def test_a_cut_inside_a_frame_is_seen() -> None:
    """Only a stream that ends between two frames may be whole."""
    borders = {sum(map(len, LIVE[:count])) for count in range(len(LIVE) + 1)}
    for at in range(len(WHOLE) + 1):
        reader = FrameReader()
        list(reader.feed(WHOLE[:at]))
        assert reader.is_between_frames is (at in borders)


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=5),
    st.integers(1, 40),
)
def test_mutilated_frames(changes: Sequence[tuple[int, int]], size: int) -> None:
    """Nothing but our own error comes out."""
    stream = bytearray(WHOLE)
    for at, value in changes:
        stream[at] = value
    with suppress(UnexpectedReply):
        read([bytes(stream[at : at + size]) for at in range(0, len(stream), size)])


@given(st.binary(max_size=200))
def test_any_bytes(stream: bytes) -> None:
    """Nothing but our own error comes out."""
    with suppress(UnexpectedReply):
        read([stream])


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack("<I", LONGEST_HEADER + 1),
        struct.pack("<I", 0),
        STATUS[:-8] + struct.pack("<Q", LONGEST_PAYLOAD + 1),
        struct.pack("<I", 2) + b"[]" + bytes(8),
        struct.pack("<I", 2) + b"{}" + bytes(8),
        struct.pack("<I", 50_000) + b"[" * 50_000 + bytes(8),
    ],
)
def test_what_no_engine_sends_is_refused_at_once(stream: bytes) -> None:
    """Before anything of that size is kept."""
    with pytest.raises(UnexpectedReply):
        read([stream])


class Line:
    """An engine behind a line that is cut; `streams` is what each connection gives."""

    outage = 5.0
    url = "http://engine"
    is_gone = False

    def __init__(self, *streams: Sequence[bytes] | AitkError) -> None:
        self._streams = iter(streams)
        self.cancelled = 0

    @contextmanager
    def generate(
        self, _engine: Engine, _body: Mapping[str, Any]
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Give the first stream."""
        yield "0" * 12, self._next()

    @contextmanager
    def reattach(self, _engine: Engine, _request_id: str) -> Iterator[Iterator[bytes]]:
        """Give the next one."""
        yield self._next()

    def engines(self) -> tuple[Engine, ...]:
        """Tell of the one, unless it is gone."""
        return () if self.is_gone else (Engine("e", "0", "running", is_ready=False),)

    def cancel(self, _engine: Engine, _request_id: str) -> None:
        """Count."""
        self.cancelled += 1

    def _next(self) -> Iterator[bytes]:
        stream = next(self._streams, ConnectionFailed(self.url))
        if isinstance(stream, AitkError):
            raise stream
        return iter(stream)


def follow(line: Line) -> Generation:
    """Return what follows a request on a line, with a clock that moves while it waits."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    engine = Engine("e", "0", "running", is_ready=True)
    return Generation(line, engine, clock=lambda: now[0], sleep=sleep)  # type: ignore[arg-type]


def replay(upto: int) -> list[bytes]:
    """Return what a second connection gets when so many frames were sent: one latent is left."""
    past = LIVE[:upto]
    newest = [frame for frame in past if frame in LATENTS][-1:]
    there = [frame for frame in past if frame not in LATENTS]
    there[2:2] = newest
    return [*there, *LIVE[upto:]]


def test_a_line_that_is_lost_at_any_byte_loses_nothing() -> None:
    """What was seen is not handed on twice, and the rest comes."""
    expected = read(LIVE)
    for at in range(len(WHOLE)):
        seen = max(n for n in range(len(LIVE)) if sum(map(len, LIVE[:n])) <= at)
        line = Line([WHOLE[:at]], ConnectionFailed("x"), replay(seen))
        assert list(follow(line).frames({})) == expected, at
        assert line.cancelled == 0


def test_a_line_that_is_lost_again_and_again() -> None:
    """Each connection brings a little more."""
    line = Line(*([b"".join(LIVE[:count])] for count in range(1, len(LIVE) + 1)))
    assert list(follow(line).frames({})) == read(LIVE)


def test_an_engine_that_was_restarted() -> None:
    """It has forgotten the request, which is said."""
    line = Line(LIVE[:3], Rejected("go on", "unknown request", 404))
    with pytest.raises(Rejected, match="Send it again with the same seed"):
        list(follow(line).frames({}))


def test_a_user_interface_that_comes_back() -> None:
    """It knows no engine for a moment."""
    away = [Rejected("go on", "engine unreachable", status) for status in (502, 503)]
    assert list(follow(Line(LIVE[:3], *away, LIVE)).frames({})) == read(LIVE)


def test_an_engine_that_is_gone() -> None:
    """Nobody starts another one by himself, so that it is said at once."""
    line = Line(LIVE[:3], *[Rejected("go on", "no inference engine is running", 503)] * 2)
    line.is_gone = True
    with pytest.raises(Rejected, match="Send it again with the same seed"):
        list(follow(line).frames({}))


def test_a_server_that_stays_away() -> None:
    """After the time that an outage may take, it is given up, and cancelled."""
    line = Line(LIVE[:3])
    with pytest.raises(ConnectionFailed):
        list(follow(line).frames({}))
    assert line.cancelled == 1


def test_a_server_that_sends_nothing() -> None:
    """Neither is that waited for without end."""
    line = Line(LIVE[:3], *[[b""]] * 100)
    with pytest.raises(TransferFailed, match="nothing comes"):
        list(follow(line).frames({}))


def test_whoever_stops_cancels() -> None:
    """As an interrupt does."""
    line = Line(LIVE)
    frames = follow(line).frames({})
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert line.cancelled == 1
