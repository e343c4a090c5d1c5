"""Files of the web UI's machine: read in part, fetched whole; captions, and what an upload notes.

Why it is so: docs/behavior.md#outputs, docs/behavior.md#uploads
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aitk_nb._files import KEPT
from aitk_nb.backends.base import Progress
from aitk_nb.backends.webui import names
from aitk_nb.backends.webui.catalog import ServerEndpoints
from aitk_nb.backends.wire.download import fetch
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.errors import AitkError, NotFound, NotSupported, Rejected, UnexpectedReply

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


BATCH = 200
"""Captions asked for in one request."""


class Captions:
    """Reads the captions of one web UI."""

    def __init__(self, http: Http, endpoints: ServerEndpoints) -> None:
        self._http = http
        self._endpoints = endpoints
        self._one_by_one = False

    def of(self, images: Mapping[str, str], ending: str = "") -> dict[str, str]:
        """Return the captions that are there, by image; `images` has the image of each path."""
        captions: dict[str, str] = {}
        try:
            for start in range(0, 0 if self._one_by_one else len(images), BATCH):
                batch = list(images)[start : start + BATCH]
                captions |= {images[path]: text for path, text in self._batch(batch, ending)}
        except NotSupported:
            self._one_by_one = True
        if self._one_by_one:
            texts = each_or_raise(lambda path: self._single(path, ending), list(images))
            captions = dict(zip(images.values(), texts, strict=True))
        return {image: text for image, text in captions.items() if text}

    def _batch(self, images: Sequence[str], ending: str) -> Iterator[tuple[str, str]]:
        path, body = (
            "/api/caption/getBatch",
            {"imgPaths": images, **({"ext": ending} if ending else {})},
        )
        with self._endpoints.required(path, "show many captions at once"):
            answer = self._http.post_json(path, body, what="show captions", repeat=True)
        found = answer.get("captions", {}) if isinstance(answer, dict) else {}
        yield from ((path, str(text)) for path, text in found.items() if path in images)

    def _single(self, path: str, ending: str) -> str:
        what, body = "show a caption", {"imgPath": path}
        if not ending:
            return self._http.read("POST", "/api/caption/get", what=what, json=body).text
        # A server this old knows one ending only; a file of any other can be read.
        url = names.file_url(f"{path.rpartition('.')[0]}.{ending}")
        try:
            return self._http.read("GET", url, what=what).text
        except Rejected as exc:
            if exc.status == 404:
                return ""
            raise


MANIFEST = ".aitk_nb.json"
"""Lies in a dataset that we sent: SHA-256 and size of each file. The server lists no dot-files.

It tells any machine what was sent, from whichever machine; `.aitk-upload.json` next to the local
files only spares reading those again. So each tells of the files it lies beside, and neither has to
be carried along: losing either costs reading, never sending."""

_log = logging.getLogger(__name__)


def read_notes(http: Http, folder: str) -> dict[str, Any]:
    """Return what earlier uploads noted; empty when there is nothing that can be read."""
    url = names.file_url(names.join(folder, MANIFEST))
    try:
        body = http.read("GET", url, what="show the manifest").json()
    except (Rejected, UnexpectedReply, ValueError):
        return {}
    files = body.get("files") if isinstance(body, dict) else None
    return files if isinstance(files, dict) else {}


class Notes:
    """The notes of one dataset while files are sent to it."""

    def __init__(self, http: Http, dataset: str, folder: str) -> None:
        self._http = http
        self._dataset = dataset
        self._files = read_notes(http, folder)
        self._lock = threading.Lock()
        self._fresh = False

    def add(self, name: str, size: int, sha256: str) -> None:
        """Note what the server has taken."""
        with self._lock:
            self._files[name] = {"size": size, "sha256": sha256}
            self._fresh = True

    def drop(self, names: Collection[str]) -> None:
        """Forget what was noted of these files."""
        with self._lock:
            for name in names:
                self._fresh |= self._files.pop(name, None) is not None

    def write(self) -> None:
        """Write them, if there is anything new; without, what was sent is read back next time."""
        with self._lock:
            files: Mapping[str, Any] = dict(sorted(self._files.items()))
            fresh, self._fresh = self._fresh, False
        if not fresh:
            return
        body = json.dumps({"made_by": "aitk-nb", "files": files})
        try:
            self._http.post_files(
                "/api/datasets/upload",
                {"datasetName": self._dataset},
                {"files": (MANIFEST, body.encode(), "application/json")},
                what="store the manifest",
                repeat=True,
            )
        except AitkError as exc:
            _log.warning("the manifest of %s was not written: %s", self._dataset, exc)
