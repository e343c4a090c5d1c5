"""Small servers on loopback that answer as a test tells them to, and note what they were asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    """Path without the query."""
    query: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What to answer; `close` breaks the line without an answer."""

    status: int = 200
    body: bytes | str | dict[str, object] | list[object] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()

    @property
    def kind(self) -> str:
        """The content type that fits the body."""
        if isinstance(self.body, dict | list):
            return "application/json"
        return "text/plain"


BROKEN = Reply(close=True)
"""The request arrives, and then the line breaks."""

Answer = Callable[[Asked], Reply]


class Canned:
    """A server that answers by a function."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.url = ""

    def paths(self, method: str = "") -> list[str]:
        """Return the paths that were asked for, in order, of one method or of all."""
        return [asked.path for asked in self.asked if method in {"", asked.method}]


@contextmanager
def canned(answer: Answer | Reply, context: ssl.SSLContext | None = None) -> Iterator[Canned]:
    """Run a server that gives `answer`, by TLS if a context is given."""
    site = Canned((lambda _asked: answer) if isinstance(answer, Reply) else answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    scheme = "http"
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    site.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(site: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> object:
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            asked = Asked(self.command, parts.path, parts.query, headers, body)
            site.asked.append(asked)
            reply = site.answer(asked)
            if reply.close:
                self.close_connection = True
                return
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.content)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    return Handler


def nobody() -> str:
    """Return an address at which nothing listens."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
