"""Sends one request exactly as written and returns what came back, byte for byte.

No library in between tidies the path, follows a redirect, drops the body of a HEAD, or complains
about a length that does not fit: those are the things to be looked at.
"""

from __future__ import annotations

import http.client
import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Part:
    """One part of a multipart form: a field, or a file when it has a file name."""

    name: str
    """Name of the form's field."""

    content: bytes
    """Its bytes."""

    filename: str | None = None
    """The client's name of the file; sent as raw UTF-8, as browsers do."""


@dataclass(frozen=True)
class Request:
    """One request, ready to be written to a socket."""

    method: str
    """The HTTP method."""

    path: str
    """Path as it goes on the wire, already percent-encoded."""

    headers: tuple[tuple[str, str], ...] = ()
    """Headers to send; `Host` and `Content-Length` are added."""

    body: bytes | None = None
    """The body, or None for none."""

    read_until: bytes | None = None
    """For answers that never end: stop reading once this was seen."""


@dataclass(frozen=True)
class Reply:
    """One answer as it came from the socket."""

    status: int
    """The status code."""

    headers: dict[str, str] = field(default_factory=dict)
    """Headers by lower-case name; repeated ones joined by a comma."""

    body: bytes = b""
    """The body, as far as it came."""

    truncated: bool = False
    """True when the server announced more bytes than it sent."""

    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body parsed as JSON; raises ValueError when it is none."""
        return json.loads(self.body)


def send(url: str, request: Request, timeout: float = 30.0) -> Reply:
    """Return the server's answer to one request on a connection of its own."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.putrequest(
            request.method, parts.path.rstrip("/") + request.path, skip_accept_encoding=True
        )
        for name, value in request.headers:
            connection.putheader(name, value)
        if request.body is not None:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        return _read(connection.getresponse(), request.read_until)
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, until: bytes | None) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    truncated = False
    if until is not None:
        body = b""
        while until not in body and (chunk := response.read1(65536)):
            body += chunk
    else:
        try:
            body = response.read()
        except http.client.IncompleteRead as exc:
            body, truncated = exc.partial, True
        except ConnectionResetError:
            body, truncated = b"", True
    return Reply(response.status, headers, body, truncated)


def with_query(path: str, query: dict[str, Any] | None) -> str:
    """Return the path with the query appended, percent-encoded."""
    if not query:
        return path
    return f"{path}?{urlencode({key: str(value) for key, value in query.items()})}"


def multipart(parts: list[Part]) -> tuple[str, bytes]:
    """Return the content type and the body of a multipart form."""
    boundary = f"----aitkct{uuid.uuid4().hex}"
    body = b""
    for part in parts:
        disposition = f'form-data; name="{part.name}"'
        if part.filename is not None:
            disposition += f'; filename="{part.filename}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
        if part.filename is not None:
            head += "Content-Type: application/octet-stream\r\n"
        body += head.encode() + b"\r\n" + part.content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()
