"""What an upload notes on the server itself, so that any machine knows what lies there."""

import json
import logging
import threading
from collections.abc import Collection, Mapping
from typing import Any

from aitk_nb.backends.webui import names as paths
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import AitkError, Rejected, UnexpectedReply

MANIFEST = ".aitk_nb.json"
"""Lies in a dataset that we sent: SHA-256 and size of each file. The server lists no dot-files.

It tells any machine what was sent, from whichever machine; `.aitk-upload.json` next to the local
files only spares reading those again. So each tells of the files it lies beside, and neither has to
be carried along: losing either costs reading, never sending."""

_log = logging.getLogger(__name__)


def read_notes(http: Http, folder: str) -> dict[str, Any]:
    """Return what earlier uploads noted; empty when there is nothing that can be read."""
    url = paths.file_url(paths.join(folder, MANIFEST))
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
