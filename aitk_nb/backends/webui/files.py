"""Files of the web UI's machine: measured, read in part, fetched whole.

Why it is so: docs/behavior.md#outputs
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aitk_nb._files import KEPT
from aitk_nb.backends.base import Progress
from aitk_nb.backends.webui import names
from aitk_nb.backends.wire.download import fetch
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import NotFound, Rejected, UnexpectedReply

LARGEST_IMAGE = 32 * 2**20
"""Bytes of an image, at most, that is fetched where a server makes no thumbnails."""


class WebUIFiles:
    """Reads files by their path on the server."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def size(self, path: str) -> int | None:
        """Return the bytes of a file of the server, or None when it is not there."""
        headers = self._headers(names.file_url(path))
        return None if headers is None else int(headers.get("content-length", 0))

    def _headers(self, url: str) -> Mapping[str, str] | None:
        """Return what the server tells of a file; None when it is not there."""
        try:
            return self._http.read("HEAD", url, what="measure a file").headers
        except Rejected as exc:
            if exc.status == 404:
                return None
            raise
        except UnexpectedReply:
            # The body of a HEAD is empty, so a 404 cannot say in which form it came.
            return None

    def _version(self, path: str) -> str:
        """Return what changes with the file's time of change; empty where that is not told.

        Only the front server of August 2026 tells it, which is no part of Next.js: that says so of
        itself by `Vary`, and may read the whole file to answer a HEAD of a picture.
        """
        url = names.file_url(path)
        if "vary" in (self._headers(url) or {"vary": ""}):
            return ""
        shown = self._headers(url.replace("/api/files/", "/api/img/", 1)) or {}
        # Without the inode, which comes first, and which is another after some restarts.
        return shown.get("etag", "").partition("-")[2]

    def digest(self, path: str, size: int) -> str:
        """Return the SHA-256 of a file of `size` bytes, all of which are read."""
        digest = hashlib.sha256()
        if size:
            with self._range(names.file_url(path), 0, size, size) as response:
                for chunk in response.iter_raw(2**16):
                    digest.update(chunk)
        return digest.hexdigest()

    def thumbnail(self, path: str) -> bytes:
        """Return a small JPEG of an image; the whole image where the server makes none."""
        url, headers = f"/api/img/{quote(path, safe='')}?thumb=1", {"Accept-Encoding": "identity"}
        what = f"show {names.base_name(path)}"
        with self._http.stream(url, what=what, headers=headers) as answer:
            if int(answer.headers.get("content-length", 0)) > LARGEST_IMAGE:
                return b""
            return b"".join(answer.iter_raw())

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file of the server to `target`, whole or not at all; return its bytes."""
        size = self._measured(path)
        version = self._version(path) if size >= KEPT else ""
        url = names.file_url(path)

        @contextmanager
        def piece(start: int, end: int) -> Iterator[Iterator[bytes]]:
            with self._range(url, start, end, size) as response:
                # Without a chunk size, as bytes that wait to fill one are lost with the connection.
                yield response.iter_raw()

        outage = self._http.connection.outage
        return fetch(piece, size, target, progress, version=version, outage=outage)

    @contextmanager
    def open_range(self, path: str) -> Iterator[Callable[[int, int], bytes]]:
        """Return a reader `read(start, length)` of a file of the server."""
        size = self._measured(path)
        url = names.file_url(path)

        def read(start: int, length: int) -> bytes:
            # The server does not clamp a range: it promises bytes that never come.
            end = min(size, start + length)
            if start >= end:
                return b""
            with self._range(url, start, end, size) as response:
                return b"".join(response.iter_raw())

        yield read

    def _measured(self, path: str) -> int:
        size = self.size(path)
        if size is None:
            raise NotFound("file", names.base_name(path))
        return size

    @contextmanager
    def _range(self, url: str, start: int, end: int, size: int) -> Iterator[Any]:
        """Yield the answer to a request for some bytes of a file that has `size` of them."""
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        with self._http.stream(url, what="send a file", headers=headers) as response:
            if response.status_code == 206:
                meant = f"bytes {start}-{end - 1}/{size}"
                if (given := response.headers.get("content-range", meant)) != meant:
                    raise UnexpectedReply("send a file", f"{given} where {meant} was meant")
            elif start or int(response.headers.get("content-length", -1)) != end:
                raise UnexpectedReply("send a part of a file", "the whole file")
            yield response
