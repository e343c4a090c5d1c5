"""`FileRoute`: what Gradio's file route lets one know of a file, asked so that no answer hangs.

Measured on Gradio 4.44, 5.50 and 6.31: the route has 403 for a file that is not there, a folder
and a forbidden path alike; a plain GET of a file that grows breaks; a range that ends beyond the
file hangs Gradio 5; 304 never comes. So sizes come from HEAD and every GET is a closed range.

Why it is so: docs/behavior.md#gradio
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from aitk_nb.backends.base import Progress
from aitk_nb.backends.gradio.app import GradioApp
from aitk_nb.backends.wire.download import fetch
from aitk_nb.errors import NotFound, Rejected, UnexpectedReply

TIMEOUT: Final = 15.0
"""Seconds of silence; the trainer shares the server's process and holds it up for up to 2 s."""
PIECE: Final = 1 << 20
"""Bytes asked for at once where a file is read into memory."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file of the server as it is at one moment."""

    size: int
    """Bytes."""
    etag: str
    """Changes with the size or the time of the last change."""


class FileRoute:
    """Reads files of the server below the folders that Gradio serves."""

    def __init__(self, app: GradioApp) -> None:
        """Use the app's own route, whose address depends on its Gradio."""
        self._app = app

    def stat(self, path: str) -> FileStat | None:
        """Return the file as it is now, or None if the server shows no such file (yet)."""
        try:
            answer = self._head(path)
        except Rejected as exc:
            if exc.status in {403, 404}:
                return None
            raise
        size = answer.headers.get("content-length", "")
        if not size.isdecimal():
            raise UnexpectedReply("look at a file", "no length")
        return FileStat(int(size), answer.headers.get("etag", ""))

    def _head(self, path: str) -> httpx.Response:
        ask = partial(self._app.http.read, "HEAD", self._url(path), timeout=TIMEOUT)
        try:
            return ask(what="look at a file")
        except Rejected as exc:
            if exc.status != 500:
                raise
            # The file went while Gradio looked at it: asked again, it is gone or there anew.
            return ask(what="look at a file")

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to, but not including, `stop`.

        `stop` must not lie beyond the size that `stat` gave.

        Raises:
            UnexpectedReply: the answer is shorter, or none: the file has shrunk or gone meanwhile.
        """
        pieces = (
            self._piece(path, begin, min(begin + PIECE, stop))
            for begin in range(start, stop, PIECE)
        )
        return b"".join(pieces)

    def _piece(self, path: str, start: int, stop: int) -> bytes:
        wanted = {"Range": f"bytes={start}-{stop - 1}"}
        try:
            answer = self._app.http.read(
                "GET", self._url(path), what="read a file", headers=wanted, timeout=TIMEOUT
            )
        except Rejected as exc:
            # 500: it went while the server looked at it.
            if exc.status in {403, 404, 416, 500}:
                raise UnexpectedReply("read a file", "none, although it was there") from exc
            raise
        if answer.status_code != 206 or len(answer.content) != stop - start:
            raise UnexpectedReply(
                "read a file", f"{len(answer.content)} bytes where {stop - start} were asked"
            )
        return answer.content

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file to `target`, whole or not at all; return its bytes.

        Raises:
            NotFound: the server shows no such file.
            UnexpectedReply: the file changed while it was read.
        """
        before = self.stat(path)
        if before is None:
            raise NotFound("file", path.rpartition("/")[2])

        @contextmanager
        def piece(start: int, stop: int) -> Iterator[Iterator[bytes]]:
            wanted = {"Range": f"bytes={start}-{stop - 1}"}
            with self._app.http.stream(self._url(path), what="download", headers=wanted) as answer:
                if answer.status_code != 206:
                    raise UnexpectedReply("download", f"status {answer.status_code}")
                yield answer.iter_bytes()

        outage = self._app.http.connection.outage
        return fetch(piece, before.size, target, progress, version=before.etag, outage=outage)

    @contextmanager
    def open_range(self, path: str) -> Iterator[Callable[[int, int], bytes]]:
        """Return a reader `read(start, length)`, which gives less only at the end of the file."""
        found = self.stat(path)
        if found is None:
            raise NotFound("file", path.rpartition("/")[2])
        size = found.size
        yield lambda start, length: self.read(path, start, min(start + length, size))

    def _url(self, path: str) -> str:
        return f"{self._app.prefix}/file={quote(path)}"
