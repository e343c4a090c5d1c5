"""Reads HTTP/1.1 heads and bodies from a socket as they are, for the fault proxy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

BLOCK = 16384
"""Bytes to ask a socket for at a time."""


class Cut(Exception):
    """The connection ends here."""


class Reader:
    """Reads heads and bodies from a socket."""

    def __init__(self, sock: socket.socket, deadline: float | None = None) -> None:
        self.sock = sock
        self.deadline = deadline
        self._buffer = b""

    def _more(self) -> bool:
        self.sock.settimeout(left(self.deadline))
        data = self.sock.recv(BLOCK)
        self._buffer += data
        return bool(data)

    def head(self) -> bytes:
        """Return a head with its empty line; empty when the connection ended."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return b""
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def body(self, headers: Mapping[str, str], until_close: bool = False) -> Iterator[bytes]:
        """Yield the body in blocks, with its chunk framing if it has one."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            yield from self._chunks()
        elif until_close:
            while self._buffer or self._more():
                block, self._buffer = self._buffer, b""
                yield block
        else:
            yield from self._exactly(int(headers.get("content-length", 0)))

    def _chunks(self) -> Iterator[bytes]:
        size = -1
        while size != 0:
            line = self._line()
            size = int(line.split(b";")[0], 16)
            yield line
            yield from self._exactly(size + 2 if size else 0)
        while (line := self._line()) != b"\r\n":
            yield line
        yield line

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if not self._more():
                raise Cut
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line + b"\r\n"

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer and not self._more():
                raise Cut
            block, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(block)
            yield block


def parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """Return the first line of a head, and its headers by lower-case name."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


def left(deadline: float | None) -> float | None:
    """Return the seconds until the deadline, None for ever; raises TimeoutError when it is over."""
    if deadline is None:
        return None
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left
