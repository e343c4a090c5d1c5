"""LoRAs of the web UI: the list, and the upload in chunks.

Why it is so: docs/behavior.md#uploads
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.wire.file_readers import CountingReader
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.upload import send_all
from aitk_nb.backends.wire.upload_rate import UploadRate
from aitk_nb.errors import BadInput, Rejected, TransferFailed, UnexpectedReply
from aitk_nb.models.lora import ServerLora

UPLOAD = "/api/loras/upload"

CHUNK = 1_000_000
"""Bytes of a chunk: what a gateway takes that was not told otherwise (nginx: 1 MiB)."""


class WebUILoras:
    """Lists and takes LoRA files."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> tuple[ServerLora, ...]:
        """Return those of the jobs, then those of the folder of models."""
        what = "list its LoRAs"
        body = self._http.get_json("/api/loras", what=what)
        try:
            return tuple(_loras(body))
        except (KeyError, TypeError, ValueError) as exc:
            raise UnexpectedReply(what, "not a list of LoRAs") from exc

    def upload(self, file: Upload, progress: Progress, *, overwrite: bool = False) -> ServerLora:
        """Send a file in chunks, from where an earlier call ended, and return it as listed."""
        before = self._there()
        try:
            stat = file.source.stat()
            notes = self._notes(file, stat)
            notes.parent.mkdir(parents=True, exist_ok=True)
            upload_id, name, *arrived = self._resumed(notes) or self._started(file, overwrite)
            if not arrived:
                notes.write_text(f"{upload_id}\t{name}\n", "utf-8")
            self._send(file, notes, upload_id, frozenset(arrived), progress)
            now = file.source.stat()
        except OSError as exc:
            raise BadInput(f"{file.source} can't be sent: {exc.strerror or exc}.") from exc
        if (now.st_size, now.st_mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            notes.unlink(missing_ok=True)
            self._post(file, {"action": "cancel", "uploadId": upload_id})
            raise TransferFailed({file.name: "it changed after the upload started"})
        finish = {"action": "finish", "uploadId": upload_id, **_named(file, name, overwrite)}
        try:
            self._post(file, finish)
        except Rejected as exc:
            # Asked again after a lost answer, it says that of an upload that it has finished.
            if exc.status != 404:
                raise
        sent = self._there().get(name)
        if sent is None or sent.size != file.size or sent == before.get(name):
            raise UnexpectedReply(f"take {file.name}", f"{sent or 'nothing'} after it was sent")
        notes.unlink(missing_ok=True)
        return sent

    def _there(self) -> dict[str, ServerLora]:
        return {lora.name: lora for lora in self.list() if not lora.job}

    def _notes(self, file: Upload, stat: os.stat_result) -> Path:
        """Return where it is noted what has arrived of a file, as it is now."""
        key = f"{self._http.url}\n{file.name}\n{stat.st_size}\n{stat.st_mtime_ns}\n"
        name = hashlib.sha256(key.encode() + os.fsencode(file.source.absolute())).hexdigest()[:32]
        return Path(platformdirs.user_cache_path("aitk-nb"), "uploads", f"{name}.chunks")

    def _resumed(self, notes: Path) -> Sequence[str]:
        """Return the id and the name of an upload that goes on, and which chunks arrived."""
        with suppress(OSError, ValueError):
            head, *arrived = notes.read_text("utf-8").splitlines()
            upload_id, name = head.split("\t")
            # An empty chunk changes nothing, and is refused with another status than a lost upload.
            alive = {"action": "chunk", "uploadId": upload_id, "offset": "0"}
            try:
                self._http.read("POST", UPLOAD, what="go on with an upload", params=alive)
            except Rejected as exc:
                return (upload_id, name, *arrived) if exc.status != 404 else ()
        return ()

    def _started(self, file: Upload, overwrite: bool) -> Sequence[str]:
        try:
            body = self._post(file, {"action": "start", **_named(file, file.name, overwrite)})
        except Rejected as exc:
            if exc.status != 409:
                raise
            hint = "Choose another name, or pass overwrite=True (--overwrite)"
            raise Rejected(f"take {file.name}", f"{exc.reply}. {hint}", 409) from exc
        return str(body.get("uploadId")), str(body.get("fileName"))

    def _send(
        self, file: Upload, notes: Path, upload_id: str, arrived: frozenset[str], progress: Progress
    ) -> None:
        chunks = [
            Upload(file.source, str(at), min(CHUNK, file.size - at), start=at, part_of=file.size)
            for at in range(0, file.size, CHUNK)
            if str(at) not in arrived
        ]
        before = file.size - sum(chunk.size for chunk in chunks)

        def send(chunk: Upload, reader: CountingReader) -> None:
            where = {"action": "chunk", "uploadId": upload_id, "offset": chunk.name}
            # The size that the server tells in the end would not show that a chunk is missing.
            if self._post(file, where, reader.read()).get("received") != chunk.size:
                raise UnexpectedReply(f"take {file.name}", "another size of a chunk")
            noted.write(f"{chunk.name}\n".encode())

        rate = UploadRate(down=self._http.connection.outage)
        with notes.open("ab", buffering=0) as noted:
            try:
                send_all(chunks, send, lambda sent, _: progress(before + sent, file.size), rate)
            except TransferFailed as exc:
                why = f"{next(iter(exc.failures.values()))} The next call sends only the rest"
                raise TransferFailed({file.name: why}) from exc

    def _post(
        self, file: Upload, params: Mapping[str, str | int], content: bytes = b""
    ) -> Mapping[str, Any]:
        """Send one step, each of which may be repeated, and return its answer."""
        what = f"take {file.name}"
        answer = self._http.read("POST", UPLOAD, what=what, params=params, content=content)
        with suppress(ValueError):
            if isinstance(body := answer.json(), dict):
                return body
        raise UnexpectedReply(what, "no JSON object")


def _named(file: Upload, name: str, overwrite: bool) -> dict[str, str | int]:
    return {"fileName": name, "size": file.size, **({"overwrite": 1} if overwrite else {})}


def _loras(body: Mapping[str, Any]) -> Iterator[ServerLora]:
    for job in body["jobs"]:
        for entry in job["files"]:
            yield _lora(entry, str(entry["name"]), str(job["name"]))
    for entry in body["models"]:
        yield _lora(entry, str(entry["relpath"]), "")


def _lora(entry: Mapping[str, Any], name: str, job: str) -> ServerLora:
    modified = float(entry["mtime"]) / 1000
    return ServerLora(name, int(entry["size"]), str(entry["path"]), modified, job)
