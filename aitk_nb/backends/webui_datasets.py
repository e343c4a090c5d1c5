"""Datasets of the web UI: what is there, what is missing, and getting it there whole."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aitk_nb.backends import transfer, webui_paths
from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.http import Http
from aitk_nb.backends.transfer import CountingReader
from aitk_nb.errors import AitkError, NotFound, Rejected, UnexpectedReply
from aitk_nb.models import DatasetInfo, check_name

__all__ = ["WebUIDatasets"]

_log = logging.getLogger(__name__)

MANIFEST = ".aitk_nb.json"
"""Lies in a dataset that we sent: SHA-256 and size of each file. The server lists no dot-files."""

MEASURED = 8 * 2**20
"""Bytes from which a file that was sent is measured: gateways cut what is large. The server answers
only when it has written the file, and for small ones another request each costs as much again."""

BATCH = 200
"""Captions asked for in one request."""


class WebUIDatasets:
    """The dataset half of the web UI backend."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def root(self) -> str:
        """Return the server's folder of datasets."""
        return str(self.folders()["DATASETS_FOLDER"])

    def folders(self) -> Mapping[str, str]:
        """Return the server's training and datasets folders.

        The same answer holds the Hugging Face token in clear; it is dropped here.
        """
        body = self._http.get_json("/api/settings", what="tell its folders")
        try:
            return {name: str(body[name]) for name in ("TRAINING_FOLDER", "DATASETS_FOLDER")}
        except (KeyError, TypeError) as exc:
            raise UnexpectedReply("tell its folders", "no folders") from exc

    def has_model_token(self) -> bool:
        """Return whether the server has a Hugging Face token, which is dropped here."""
        body = self._http.get_json("/api/settings", what="tell its settings")
        return isinstance(body, dict) and bool(str(body.get("HF_TOKEN") or "").strip())

    def list(self) -> tuple[str, ...]:
        """Return the names of the datasets, sorted."""
        body = self._http.get_json("/api/datasets/list", what="list the datasets")
        if not isinstance(body, list):
            raise UnexpectedReply("list the datasets", "no list")
        return tuple(sorted(str(name) for name in body))

    def get(self, name: str) -> DatasetInfo:
        """Return a dataset with its captions."""
        check_name("dataset", name)
        try:
            body = self._http.post_json(
                "/api/datasets/listImages",
                {"datasetName": name},
                what=f"list the images of {name}",
                repeat=True,
            )
        except Rejected as exc:
            if exc.status == 404:
                raise NotFound("dataset", name, self.list()) from exc
            raise
        root, images = _images(body, name)
        return DatasetInfo(name, tuple(sorted(images)), self._captions(root, images))

    def _captions(self, root: str, images: Sequence[str]) -> dict[str, str]:
        """Return the captions that are there, by image."""
        captions: dict[str, str] = {}
        for start in range(0, len(images), BATCH):
            paths = {root + image: image for image in images[start : start + BATCH]}
            body = self._http.post_json(
                "/api/caption/getBatch",
                {"imgPaths": list(paths)},
                what="show captions",
                repeat=True,
            )
            found = body.get("captions", {}) if isinstance(body, dict) else {}
            captions |= {paths[path]: str(text) for path, text in found.items() if path in paths}
        return {image: text for image, text in captions.items() if text}

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Return the files that the server lacks, and those it has with other content."""
        check_name("dataset", dataset)
        if dataset not in self.list():
            return tuple(files), ()
        folder = webui_paths.join(self.root(), dataset)
        known = self._manifest(folder)
        verdicts = transfer.each(lambda file: self._verdict(folder, file, known), files)
        for verdict in verdicts:
            if isinstance(verdict, AitkError):
                raise verdict
        pairs = list(zip(files, verdicts, strict=True))
        absent = tuple(file for file, verdict in pairs if verdict == "absent")
        return absent, tuple(file for file, verdict in pairs if verdict == "differs")

    def _verdict(self, folder: str, file: Upload, known: Mapping[str, Any]) -> str:
        path = webui_paths.join(folder, file.name)
        size = self.size(path)
        if size is None:
            return "absent"
        if size != file.size:
            return "differs"
        digest = _digest(file.source)
        entry = known.get(file.name)
        if isinstance(entry, dict) and entry.get("size") == size:
            return "same" if entry.get("sha256") == digest else "differs"
        # Somebody else put it there. Size alone proves nothing: two BMPs of one size always agree.
        return "same" if self._remote_digest(path, size) == digest else "differs"

    def size(self, path: str) -> int | None:
        """Return the bytes of a file of the server, or None when it is not there."""
        try:
            response = self._http.read("HEAD", webui_paths.file_url(path), what="measure a file")
        except Rejected as exc:
            if exc.status == 404:
                return None
            raise
        except UnexpectedReply:
            # The body of a HEAD is empty, so a 404 cannot say in which form it came.
            return None
        return int(response.headers.get("content-length", 0))

    def _remote_digest(self, path: str, size: int) -> str:
        digest = hashlib.sha256()
        if size:
            headers = {"Range": f"bytes=0-{size - 1}", "Accept-Encoding": "identity"}
            url = webui_paths.file_url(path)
            with self._http.stream(url, what="show a file", headers=headers) as response:
                for chunk in response.iter_raw(2**16):
                    digest.update(chunk)
        return digest.hexdigest()

    def _manifest(self, folder: str) -> dict[str, Any]:
        """Return what an earlier upload noted; empty when there is none that can be read."""
        url = webui_paths.file_url(webui_paths.join(folder, MANIFEST))
        try:
            body = self._http.read("GET", url, what="show the manifest").json()
        except (Rejected, UnexpectedReply, ValueError):
            return {}
        files = body.get("files") if isinstance(body, dict) else None
        return files if isinstance(files, dict) else {}

    def upload(self, dataset: str, files: Sequence[Upload], progress: Progress) -> None:
        """Make the dataset if need be, send the files, and check that each is there."""
        check_name("dataset", dataset)
        made = self._http.post_json(
            "/api/datasets/create", {"name": dataset}, what=f"make the dataset {dataset}"
        )
        if not isinstance(made, dict) or made.get("name") != dataset:
            raise UnexpectedReply(f"make the dataset {dataset}", "another name")
        folder = webui_paths.join(self.root(), dataset)
        notes = self._manifest(folder)
        lock = threading.Lock()

        def send(file: Upload, reader: CountingReader) -> None:
            self._send(dataset, folder, file, reader)
            with lock:
                notes[file.name] = {"size": file.size, "sha256": reader.sha256}

        try:
            transfer.send_all(files, send, progress)
        finally:
            # Also after a failure: what did arrive need not be sent or read back again.
            self._note(dataset, notes)

    def _send(self, dataset: str, folder: str, file: Upload, reader: CountingReader) -> None:
        what = f"take {file.name}"
        answer = self._http.post_files(
            "/api/datasets/upload",
            {"datasetName": dataset},
            {"files": (file.name, reader, "application/octet-stream")},
            what=what,
        )
        if not isinstance(answer, dict) or answer.get("files") != [file.name]:
            raise UnexpectedReply(what, "another name than was sent")
        if reader.sent != file.size:
            raise AitkError(f"it changed while it was sent, and has {reader.sent} bytes now")
        if file.size < MEASURED:
            return
        size = self.size(webui_paths.join(folder, file.name))
        if size != file.size:
            raise UnexpectedReply(what, f"it now has {size} bytes of it, not {file.size}")

    def _note(self, dataset: str, files: Mapping[str, Any]) -> None:
        """Write the manifest; without it, what was sent is read back the next time."""
        if not files:
            return
        body = json.dumps({"made_by": "aitk-nb", "files": dict(sorted(files.items()))})
        try:
            self._http.post_files(
                "/api/datasets/upload",
                {"datasetName": dataset},
                {"files": (MANIFEST, body.encode(), "application/json")},
                what="take the manifest",
                repeat=True,
            )
        except AitkError as exc:
            _log.warning("the manifest of %s was not written: %s", dataset, exc)


def _images(body: object, name: str) -> tuple[str, list[str]]:
    """Return the dataset's root and its images, from the answers of both eras.

    Since July 2026 `{"root", "images": [relative]}`, before it `{"images": [{"img_path"}]}`.
    """
    what = f"list the images of {name}"
    if not isinstance(body, dict) or not isinstance(body.get("images"), list):
        raise UnexpectedReply(what, "no list of images")
    entries = body["images"]
    if "root" in body:
        return str(body["root"]), [str(entry) for entry in entries]
    paths = [str(entry["img_path"]) for entry in entries if isinstance(entry, dict)]
    if not paths:
        return "", []
    root, found, _ = paths[0].rpartition(name)
    root = root + found + paths[0][len(root) + len(found) : len(root) + len(found) + 1]
    return root, [path.removeprefix(root) for path in paths]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise AitkError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
