"""What the fault proxy writes down of a request, and the answers it gives by itself."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.proxy_wire import BLOCK

if TYPE_CHECKING:
    from tests.proxy_wire import Reader


@dataclass
class Exchange:
    """One request that reached the proxy, and what became of it."""

    method: str
    """Method of the request."""

    path: str
    """Its path with the query, as sent."""

    headers: dict[str, str]
    """Its headers by lower-case name."""

    status: int = 0
    """Status that the client got; 0 when it got none."""

    bytes_in: int = 0
    """Bytes of the request's body that arrived here."""

    bytes_out: int = 0
    """Bytes of the answer's body that went to the client."""

    fault: str = ""
    """The fault it met, by name; empty for none."""

    ends_after: int | None = None
    """After how many bytes of its body the connection is reset; None for never."""

    @property
    def is_over(self) -> bool:
        """True when its connection is to be reset now."""
        return self.ends_after is not None and self.bytes_in > self.ends_after


@dataclass
class Rule:
    """What to answer to some requests without asking the upstream."""

    method: re.Pattern[str]
    """Which methods; matched whole."""

    path: re.Pattern[str]
    """Which paths with their query; matched whole."""

    status: int
    """Status of the answer."""

    headers: dict[str, str]
    """Its headers; `Content-Length` is added."""

    body: bytes
    """Its body."""

    times: int | None
    """How often it is still to be given; None for ever."""

    after: int = 0
    """How many matching requests still go through before it begins."""


def respond(client: Reader, exchange: Exchange, canned: Rule, close: bool = False) -> bool:
    """Send an answer; return whether the connection may serve another request."""
    headers = {"Content-Length": str(len(canned.body)), **canned.headers}
    if close:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {canned.status} Canned", *(f"{k}: {v}" for k, v in headers.items())]
    body = b"" if exchange.method == "HEAD" else canned.body
    exchange.status = canned.status
    client.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    exchange.bytes_out = len(body)
    return not close


def refuse(client: Reader, exchange: Exchange, status: int) -> bool:
    """Answer without reading the body, and end the connection so that the answer arrives."""
    body = f"<html><head><title>{status}</title></head></html>".encode()
    nothing = re.compile("")
    canned = Rule(nothing, nothing, status, {"Content-Type": "text/html"}, body, None)
    respond(client, exchange, canned, close=True)
    # Closing with unread bytes would reset the connection and lose the answer.
    client.sock.shutdown(socket.SHUT_WR)
    client.sock.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while client.sock.recv(BLOCK):
            pass
    return False
