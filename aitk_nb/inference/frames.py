"""Frames of a generation, read from a stream that may be cut anywhere."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

from aitk_nb.errors import UnexpectedReply
from aitk_nb.models.inference import Frame

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
        >>> from aitk_nb.inference.frames import FrameReader
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
