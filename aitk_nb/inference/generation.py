"""One request to an engine, followed over lost lines; its frames, from a stream cut anywhere."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from aitk_nb.backends.webui.inference import WebUIInference
from aitk_nb.backends.wire.deadline import RETURN, backoff
from aitk_nb.errors import AitkError, ConnectionFailed, Rejected, TransferFailed, UnexpectedReply
from aitk_nb.models.inference import Engine, Frame

LONGEST_HEADER = 2**20
LONGEST_PAYLOAD = 2**26
"""Bytes that a header and a payload may have: those of a long video's latents have some 2**24."""
_LENGTH, _SIZE = struct.Struct("<I"), struct.Struct("<Q")
_WHAT = "generate"


class FrameReader:
    """Puts frames together from pieces of any length.

    A frame is a length, a JSON header, another length, and a payload. Where a stream ends inside a
    frame, the line was lost.

    Example:
        >>> from aitk_nb.inference.generation import FrameReader
        >>> reader = FrameReader()
        >>> list(reader.feed(bytes([14, 0, 0, 0]) + b'{"type":"end"}')), reader.is_between_frames
        ([], False)
        >>> [frame.kind for frame in reader.feed(bytes(8))]
        ['end']
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether a stream that ends here was not cut inside a frame."""
        return not self._rest

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete with the next piece of the stream.

        Raises:
            UnexpectedReply: These are no frames, or one is longer than any engine's.
        """
        self._rest += piece
        while (frame := self._take()) is not None:
            yield frame

    def _take(self) -> Frame | None:
        rest = self._rest
        if len(rest) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(rest)
        if not 0 < length <= LONGEST_HEADER:
            raise UnexpectedReply(_WHAT, f"a header of {length} bytes")
        at = _LENGTH.size + length
        if len(rest) < at + _SIZE.size:
            return None
        (size,) = _SIZE.unpack_from(rest, at)
        if size > LONGEST_PAYLOAD:
            raise UnexpectedReply(_WHAT, f"a payload of {size} bytes")
        end = at + _SIZE.size + size
        if len(rest) < end:
            return None
        try:
            header = json.loads(rest[_LENGTH.size : at])
        except (ValueError, RecursionError) as exc:
            raise UnexpectedReply(_WHAT, "a header that is not JSON") from exc
        if not isinstance(header, dict) or not isinstance(header.get("type"), str):
            raise UnexpectedReply(_WHAT, "a header without a type")
        payload = bytes(rest[at + _SIZE.size : end])
        del rest[:end]
        return Frame(header, payload)


class SeenFrames:
    """Which frames of a request were handed on, as a stream that begins anew repeats them."""

    def __init__(self) -> None:
        self.count = 0
        """Frames that were handed on, without latents."""
        self.is_over = False
        self._latent = 0

    def new(self, pieces: Iterator[bytes]) -> Iterator[Frame]:
        """Yield the frames of a stream that were not handed on before."""
        reader, at = FrameReader(), 0
        for piece in pieces:
            for frame in reader.feed(piece):
                if frame.kind == "latent":
                    # Of those before, a repeated stream has only the newest, in another place.
                    step = frame.header.get("step")
                    is_new = isinstance(step, int) and step > self._latent
                    self._latent = step if isinstance(step, int) and is_new else self._latent
                else:
                    at += 1
                    is_new = at > self.count
                    self.count = max(at, self.count)
                if is_new:
                    self.is_over = frame.kind == "end"
                    yield frame


class Generation:
    """Sends one request, and yields each of its frames once."""

    def __init__(
        self,
        store: WebUIInference,
        engine: Engine,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._seen = SeenFrames()
        self._id = ""

    def frames(self, body: Mapping[str, Any]) -> Iterator[Frame]:
        """Yield each frame once, over lost lines; cancel the request where the caller stops."""
        try:
            try:
                with self._store.generate(self._engine, body) as (self._id, pieces):
                    yield from self._seen.new(pieces)
            except ConnectionFailed:
                if not self._id:
                    raise
            # A stream that ends between two frames, and not with the last, was cut as well.
            yield from self._rest()
        finally:
            if self._id and not self._seen.is_over:
                with suppress(AitkError):
                    self._store.cancel(self._engine, self._id)

    def _rest(self) -> Iterator[Frame]:
        """Yield what has not been seen, until the server is away or silent for too long."""
        tries, silent_since = 0, self._clock()
        while not self._seen.is_over:
            before = self._seen.count
            lost: AitkError = TransferFailed({"the generation": "nothing comes"})
            try:
                with self._reattached() as pieces:
                    yield from self._seen.new(pieces)
            except ConnectionFailed as exc:
                lost = exc
            if self._seen.is_over:
                return
            if self._seen.count > before:
                tries, silent_since = 0, self._clock()
            elif self._clock() - silent_since >= self._store.outage:
                raise lost
            self._sleep(backoff(tries, RETURN))
            tries += 1

    @contextmanager
    def _reattached(self) -> Iterator[Iterator[bytes]]:
        try:
            with self._store.reattach(self._engine, self._id) as pieces:
                yield pieces
        except Rejected as exc:
            if exc.status == 404 or (exc.status in (502, 503) and self._is_gone()):
                hint = "the engine was restarted and has lost it. Send it again with the same seed"
                raise Rejected("go on with a generation", hint, 404) from exc
            # A UI that has just come back does not know its engine yet.
            if exc.status not in (502, 503):
                raise
            raise ConnectionFailed(self._store.url, exc.reply) from exc

    def _is_gone(self) -> bool:
        """Return whether the server doesn't list the engine anymore, so that waiting is in vain."""
        try:
            return self._engine.name not in [one.name for one in self._store.engines()]
        except AitkError:
            return False
