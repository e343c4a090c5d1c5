"""A proxy on loopback that misbehaves on demand, so that tests meet a bad network for real.

It speaks HTTP/1.1 with keep-alive between a client and one upstream, byte for byte, and keeps a
log. Every fault is an attribute or a method, and may be changed while it runs.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tests.proxy_answers import Exchange, Rule, refuse, respond
from tests.proxy_chance import Chance
from tests.proxy_wire import Cut, Reader, left, parse_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RESET = struct.pack("ii", 1, 0)


class _Reset(Exception):
    """The connection to the client is reset."""


class _Refused(Exception):
    """The proxy answers by itself, and ends the connection."""

    def __init__(self, status: int, fault: str) -> None:
        super().__init__(fault)
        self.status = status
        self.fault = fault


@dataclass
class FaultProxy:
    """A proxy to `upstream_url`; use it in a `with`, and give `.url` to the client."""

    upstream_url: str
    """Where requests go."""

    latency: float = 0.0
    """Seconds to wait before passing on a request, and again before passing on its answer."""

    bandwidth: float | None = None
    """Bytes per second for each body, both ways; None for no limit."""

    cut_after: int | None = None
    """Close the connection after so many bytes of an answer's body."""

    cut_seconds: float | None = None
    """Give up on a request that takes longer than this."""

    cut_status: int | None = None
    """What to answer when giving up before the answer began (524, say); None just closes."""

    max_body: int | None = None
    """Answer 413 to a request with a larger body."""

    chance: Chance | None = None
    """What befalls some requests by chance."""

    log: list[Exchange] = field(default_factory=list)
    """Every request so far, in the order of arrival."""

    url: str = ""
    """Where the proxy listens, once started."""

    def __post_init__(self) -> None:
        self._answers: list[Rule] = []
        self._resets = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._run(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing = True
        # On Linux closing a listener does not wake the thread in accept(); a shutdown does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def reset_next(self, count: int = 1) -> None:
        """Refuse the next `count` connections with a TCP reset."""
        with self._lock:
            self._resets += count

    def cut(self) -> None:
        """Cut every connection that is open now; new ones are taken."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def answer(
        self,
        method: str,
        path: str,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        times: int | None = None,
        after: int = 0,
    ) -> None:
        """Answer requests whose method and path match whole, without asking the upstream.

        Args:
            method: regular expression for the method.
            path: regular expression for the path with its query.
            status: status of the answer.
            headers: its headers; `Content-Length` is added.
            body: its body.
            times: after so many answers the rule is over; None for ever.
            after: so many matching requests go through before it begins.
        """
        patterns = re.compile(method), re.compile(path)
        rule = Rule(*patterns, status, dict(headers or {}), body, times, after)
        with self._lock:
            self._answers.append(rule)

    def clear(self) -> None:
        """Forget all faults and canned answers; the log stays."""
        with self._lock:
            self._answers.clear()
            self._resets = 0
        self.latency = 0.0
        self.bandwidth = self.cut_after = self.cut_seconds = None
        self.cut_status = self.max_body = self.chance = None

    def _run(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                reset = self._resets > 0
                self._resets -= reset
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
            else:
                self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            reader = Reader(client)
            while head := reader.head():
                if not self._exchange(reader, head):
                    break
        except (OSError, ValueError, Cut):
            pass  # the client went away, sent no HTTP, or a fault ends the connection
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _exchange(self, client: Reader, head: bytes) -> bool:
        """Serve one request; True when the connection may serve another."""
        start, headers = parse_head(head)
        method, path, version = start.split(" ", 2)
        exchange = Exchange(method, path, headers)
        self.log.append(exchange)
        deadline = None if self.cut_seconds is None else time.monotonic() + self.cut_seconds
        if "100-continue" in headers.pop("expect", "").lower():
            client.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.deadline = deadline
        try:
            keep = self._reply(client, head, exchange, deadline)
        except TimeoutError:
            exchange.fault = "cut_seconds"
            if self.cut_status is None or exchange.status:
                raise Cut from None
            return refuse(client, exchange, self.cut_status)
        except _Reset:
            exchange.fault = "reset"
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            raise Cut from None
        except _Refused as refused:
            exchange.fault = refused.fault
            return refuse(client, exchange, refused.status)
        client.deadline = None
        return keep and version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"

    def _reply(
        self, client: Reader, head: bytes, exchange: Exchange, deadline: float | None
    ) -> bool:
        length = int(exchange.headers.get("content-length", 0))
        if self.max_body is not None and length > self.max_body:
            raise _Refused(413, "max_body")
        exchange.ends_after = self.chance.fate(length) if self.chance else None
        if exchange.ends_after == -1:
            exchange.fault = "dropped"
            raise Cut
        if (canned := self._canned(exchange.method, exchange.path)) is not None:
            for block in client.body(exchange.headers):
                exchange.bytes_in += len(block)
            time.sleep(2 * self.latency)
            return respond(client, exchange, canned)
        return self._forward(client, head, exchange, deadline)

    def _canned(self, method: str, path: str) -> Rule | None:
        with self._lock:
            for rule in self._answers:
                if rule.times != 0 and rule.method.fullmatch(method) and rule.path.fullmatch(path):
                    if rule.after > 0:
                        rule.after -= 1
                        continue
                    rule.times = None if rule.times is None else rule.times - 1
                    return rule
        return None

    def _forward(
        self, client: Reader, head: bytes, exchange: Exchange, deadline: float | None
    ) -> bool:
        parts = urlsplit(self.upstream_url)
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        try:
            upstream_socket = socket.create_connection(address, timeout=left(deadline))
        except ConnectionRefusedError:
            raise _Refused(502, "no upstream") from None
        with upstream_socket as sock:
            with self._lock:
                self._open.add(sock)
            try:
                upstream = Reader(sock, deadline)
                time.sleep(self.latency)
                self._send_request(client, upstream, head, exchange)
                return self._send_answer(client, upstream, exchange)
            finally:
                with self._lock:
                    self._open.discard(sock)

    def _send_request(
        self, client: Reader, upstream: Reader, head: bytes, exchange: Exchange
    ) -> None:
        gone = False
        # One upstream connection per request: who asked for keep-alive has it with the proxy.
        lines = [
            line
            for line in head.split(b"\r\n")
            if not line.lower().startswith((b"connection:", b"expect:"))
        ]
        upstream.sock.sendall(b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]))
        for block in self._slowly(client.body(exchange.headers)):
            exchange.bytes_in += len(block)
            left(client.deadline)
            if self.max_body is not None and exchange.bytes_in > self.max_body:
                raise _Refused(413, "max_body")
            if not gone:
                try:
                    upstream.sock.sendall(block)
                except ConnectionError:
                    gone = True  # it may have answered already; read that after the body
            if exchange.is_over:
                raise _Reset
        if exchange.ends_after is not None:
            raise _Reset

    def _send_answer(self, client: Reader, upstream: Reader, exchange: Exchange) -> bool:
        head = upstream.head()
        while head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            head = upstream.head()
        if not head:
            raise Cut
        start, headers = parse_head(head)
        status = int(start.split(" ")[1])
        time.sleep(self.latency)
        client.sock.sendall(re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head))
        exchange.status = status
        if exchange.method == "HEAD" or status in {204, 304}:
            return True
        framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "")
        for block in self._slowly(upstream.body(headers, until_close=not framed)):
            left(upstream.deadline)
            part = block
            if self.cut_after is not None:
                part = block[: self.cut_after - exchange.bytes_out]
            client.sock.sendall(part)
            exchange.bytes_out += len(part)
            if self.cut_after is not None and exchange.bytes_out >= self.cut_after:
                exchange.fault = "cut_after"
                raise Cut
        return framed

    def _slowly(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            bandwidth = self.bandwidth  # a test may set it free while bytes flow
            if bandwidth is None:
                yield block
                continue
            step = max(1, int(bandwidth / 50))
            for place in range(0, len(block), step):
                piece = block[place : place + step]
                time.sleep(len(piece) / bandwidth)
                yield piece
