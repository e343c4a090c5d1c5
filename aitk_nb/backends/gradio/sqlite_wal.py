"""`Wal`: the pages that a growing SQLite write-ahead log holds, out of its bytes alone.

The format is SQLite's own, https://www.sqlite.org/fileformat2.html#walformat: a header of 32
bytes, then frames of 24 bytes and one page each. A frame counts if it carries the header's two
salts, if the checksum over all frames up to it holds, and if a commit follows. The log is written
anew from its beginning after a checkpoint, with other salts; old frames then lie behind the new.
"""

from __future__ import annotations

import struct
from array import array
from itertools import islice
from sys import byteorder

__all__ = ["HEADER", "Wal"]

HEADER = 32
"""Bytes of the log's header."""
_FRAME_HEADER = 24
_MAGIC = 0x377F0682
_MASK = 0xFFFFFFFF


class Wal:
    """The committed pages of one generation of a log, fed piece by piece."""

    def __init__(self, header: bytes) -> None:
        """Begin with the first 32 bytes of the file.

        Raises:
            ValueError: they are no header of a log.
        """
        if len(header) != HEADER:
            raise ValueError(f"a write-ahead log begins with {HEADER} bytes, not {len(header)}")
        magic, _format, page_size, sequence = struct.unpack(">4I", header[:16])
        if magic & ~1 != _MAGIC or not (512 <= page_size <= 65536) or page_size & (page_size - 1):
            raise ValueError("not the header of a write-ahead log")
        # The last bit of the magic number is the byte order of the checksums' words, only.
        self._swapped = (byteorder == "big") != bool(magic & 1)
        self._sums = self._checksum(header[:24], (0, 0))
        if self._sums != struct.unpack(">2I", header[24:]):
            raise ValueError("the header of the write-ahead log is half written")
        self.header = header
        """The 32 bytes that tell this generation from another."""
        self.sequence: int = sequence
        """How many checkpoints began the log anew; 0 means that no old frame lies behind."""
        self.page_size: int = page_size
        """Bytes."""
        self.frames = 0
        """Committed frames so far."""
        self._pages: dict[int, bytes] = {}
        self._page_count = 0

    @property
    def frame_size(self) -> int:
        """Bytes of a frame: its header and one page."""
        return _FRAME_HEADER + self.page_size

    @property
    def end(self) -> int:
        """Where the next frame is expected, in bytes from the beginning of the file."""
        return HEADER + self.frames * self.frame_size

    def owns(self, frame: bytes) -> bool:
        """Return whether the first bytes of a frame, 16 or more, are of this generation."""
        return len(frame) >= 16 and frame[8:16] == self.header[16:24]

    def feed(self, data: bytes) -> int:
        """Take the bytes from `end` on, and return how many of their frames are whole and valid.

        Valid frames behind the last commit are not kept: they may be written anew.
        """
        sums, valid, known = self._sums, 0, self.frames
        waiting: dict[int, bytes] = {}
        for start in range(0, len(data) - self.frame_size + 1, self.frame_size):
            frame = data[start : start + self.frame_size]
            sums = self._checksum(frame[_FRAME_HEADER:], self._checksum(frame[:8], sums))
            if not self.owns(frame) or sums != struct.unpack(">2I", frame[16:24]):
                break
            valid += 1
            number, pages_after_commit = struct.unpack(">2I", frame[:8])
            waiting[number] = frame[_FRAME_HEADER:]
            if pages_after_commit:
                self._pages.update(waiting)
                self._page_count = pages_after_commit
                self._sums, self.frames = sums, known + valid
                waiting = {}
        return valid

    @staticmethod
    def alone(database: bytes) -> bytes:
        """Return a database file that has no log, ready to be opened."""
        return _without_log(database)

    def over(self, database: bytes) -> bytes:
        """Return the database file as it is with this log, ready to be opened without one.

        `database` must have been read before the last of the frames.
        """
        if not self.frames:
            return _without_log(database)
        size = self.page_size
        whole = bytearray(database[: self._page_count * size].ljust(self._page_count * size, b"\0"))
        for number, page in self._pages.items():
            if number <= self._page_count:
                whole[(number - 1) * size : number * size] = page
        return _without_log(bytes(whole))

    def _checksum(self, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
        words = array("I", data)
        if self._swapped:
            words.byteswap()
        first, second = sums
        for even, odd in zip(islice(words, 0, None, 2), islice(words, 1, None, 2), strict=True):
            first = (first + even + second) & _MASK
            second = (second + odd + first) & _MASK
        return first, second


def _without_log(database: bytes) -> bytes:
    """Return the file with the mark that it has a log taken out (bytes 18 and 19 of its header)."""
    return database[:18] + b"\1\1" + database[20:] if len(database) >= 100 else database
