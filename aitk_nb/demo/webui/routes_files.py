"""Downloads: any file of a dataset or job, with the real server's ranges, and inline media."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aitk_nb.demo.common.store import resolve_inside
from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.album_art import find_picture, tag_length
from aitk_nb.demo.webui.wire import Call, bare, empty, page, text

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

FILES = "/api/files/"
MEDIA = "/api/img/"
_CHUNK = 1024 * 1024
_THUMB = 300
_LONGEST_TAG = 4_000_000
_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".bmp": "image/bmp",
    ".zip": "application/zip",
    ".mp4": "video/mp4",
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".wmv": "video/x-ms-wmv",
    ".m4v": "video/x-m4v",
    ".flv": "video/x-flv",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
}
_SOUNDS = frozenset({".mp3", ".wav", ".flac", ".ogg"})
_BAD_REQUEST = "<!DOCTYPE html><html><head><title>400: Bad Request</title></head></html>"
_DRAWABLE = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})


@dataclass(frozen=True)
class Span:
    """The bytes that are asked for; the last one may lie behind the end of the file."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes are promised."""
        return self.last - self.first + 1


class FileSlice(Response):
    """A part of a file.

    When more is promised than the file has, the answer ends early and the server drops the
    connection: the real one does so too.
    """

    def __init__(self, path: Path, span: Span, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(None, status)
        self._path = path
        self._span = span
        self.init_headers({**headers, "content-length": str(span.length)})

    async def __call__(self, scope: "Scope", _receive: "Receive", send: "Send") -> None:
        """Send the bytes, or only the headers for HEAD."""
        start = {"type": "http.response.start", "status": self.status_code}
        if scope["method"] == "HEAD":
            await send({**start, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        file = await run_in_threadpool(self._path.open, "rb")
        with file:
            file.seek(self._span.first)
            await send({**start, "headers": self.raw_headers})
            await self._send_body(file, send)

    async def _send_body(self, file: BinaryIO, send: "Send") -> None:
        left = self._span.length
        while left > 0:
            chunk = await run_in_threadpool(file.read, min(left, _CHUNK))
            if not chunk:
                return
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        if self._span.length == 0:
            await send({"type": "http.response.body", "body": b""})


def serve(call: Call) -> Response:
    """Answer a file by its absolute path, encoded whole or folder by folder."""
    raw = call.params["path"]
    inline = call.params["prefix"] == MEDIA
    try:
        parts = [javascript.decode_component(part) for part in raw.split("/")]
    except ValueError:
        return empty(500) if call.has("file server") else page(_BAD_REQUEST, 400)
    # A list of parts that JavaScript takes for a text is joined with commas.
    path = ("/" if call.has("file paths in parts") else ",").join(parts)
    roots = [call.store.datasets, call.store.training, *([call.store.media] if inline else [])]
    found = resolve_inside(path, *roots)
    if found is None:
        return bare("Access denied", 403)
    if inline and call.query("thumb") is not None and call.has("thumbnails"):
        found = _thumbnail(found) or found
    try:
        stat = found.stat()
    except OSError:
        return bare("File not found", 404)
    if not S_ISREG(stat.st_mode):
        return bare("Not a file", 400)
    return _serve(call, found, stat, inline=inline)


def album_art(call: Call) -> Response:
    """Answer the picture in the tag of a sound."""
    path = "/".join(javascript.decode_component(part) for part in call.params["path"].split("/"))
    found = resolve_inside(path, call.store.datasets, call.store.training, call.store.media)
    if found is None:
        return text("Access denied", 403)
    if not found.is_file():
        return text("File not found", 404)
    with found.open("rb") as file:
        head = file.read(10)
        length = tag_length(head)
        if length is None:
            return text("No ID3 tag", 404)
        picture = find_picture(head + file.read(min(length, _LONGEST_TAG) - len(head)))
    if picture is None:
        return text("No album art found", 404)
    headers = {"cache-control": "public, max-age=604800, immutable", "content-type": picture.kind}
    return Response(picture.data, headers=headers)


def read_range(header: str, size: int) -> Span | None:
    """Return what a Range header asks of a file of `size` bytes, or None if that is refused.

    Only the first range counts, a suffix range is refused, and the end is taken as sent.
    """
    parts = header.replace("bytes=", "", 1).split("-")
    first = javascript.parse_int(parts[0])
    last = javascript.parse_int(parts[1]) if len(parts) > 1 and parts[1] else size - 1
    if first is None or last is None or first > last or first >= size:
        return None
    return Span(first, last)


def _serve(call: Call, path: Path, stat: os.stat_result, *, inline: bool) -> Response:
    headers = {
        "content-type": _type(call, path.suffix.lower()),
        "accept-ranges": "bytes",
        **(_inline_headers(call, stat) if inline else _download_headers(path.name)),
    }
    seen = call.request.headers.get("if-none-match")
    if inline and seen and seen == headers.get("etag"):
        return Response(status_code=304, headers=_inline_headers(call, stat))
    wanted = call.request.headers.get("range")
    if inline and not call.has("ranges of pictures"):
        del headers["accept-ranges"]
        wanted = None
    if not wanted:
        return FileSlice(path, Span(0, stat.st_size - 1), 200, headers)
    span = read_range(wanted, stat.st_size)
    if span is None and not call.has("file server"):
        return text("Internal Server Error", 500)
    if span is None:
        return Response(status_code=416, headers={"content-range": f"bytes */{stat.st_size}"})
    headers["content-range"] = f"bytes {span.first}-{span.last}/{stat.st_size}"
    return FileSlice(path, span, 206, headers)


def _type(call: Call, suffix: str) -> str:
    unknown = suffix == ".zip" and not call.has("ZIP has a type")
    unknown |= suffix in _SOUNDS and not call.has("sounds have a type")
    return _TYPES.get("" if unknown else suffix, "application/octet-stream")


def _inline_headers(call: Call, stat: os.stat_result) -> dict[str, str]:
    if not call.has("file server"):
        return {"cache-control": "public, max-age=86400"}
    etag = f'W/"{stat.st_ino:x}-{stat.st_size:x}-{stat.st_mtime_ns // 1000:x}"'
    return {"cache-control": "public, max-age=86400, immutable", "etag": etag}


def _download_headers(name: str) -> dict[str, str]:
    # `encodeURIComponent` leaves these characters as they are.
    quoted = quote(name, safe="!'()*~", errors="replace")
    return {
        "cache-control": "public, max-age=86400",
        "content-disposition": f'attachment; filename="{quoted}"',
        "x-content-type-options": "nosniff",
    }


def _thumbnail(source: Path) -> Path | None:
    target = source.parent / ".thumbs" / f"{source.name}.jpg"
    if resolve_inside(target, source.parent) != target:
        return None
    if target.is_file():
        return target
    if source.suffix.lower() not in _DRAWABLE or not source.is_file():
        return None
    from PIL import Image, ImageOps

    try:
        with Image.open(source) as image:
            small = ImageOps.fit(image.convert("RGB"), (_THUMB, _THUMB))
        data = io.BytesIO()
        small.save(data, "JPEG", quality=90)
        target.parent.mkdir(exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.tmp.jpg")
        partial.write_bytes(data.getvalue())
        partial.replace(target)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return target
