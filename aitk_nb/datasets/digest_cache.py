"""`.aitk-upload.json`: what is known of local files, so that they are read once and not each time.

It lies beside the data, or in the user's cache where the folder may not be written. The server has
notes of its own (`.aitk_nb.json` in the dataset), from which any machine learns what lies there;
these only spare reading the local files again, and say which name each has on the server.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs

from aitk_nb._files import replacing
from aitk_nb.backends.base import Upload
from aitk_nb.errors import AitkError, BadInput

__all__ = ["NOTES", "UploadNotes", "digest"]

NOTES = ".aitk-upload.json"
VERSION = 1

_log = logging.getLogger(__name__)


class UploadNotes:
    """The notes of one folder: size, time, SHA-256 and the server's name of each file."""

    def __init__(self, folder: Path) -> None:
        """Use the notes of `folder`; nothing is read yet."""
        self._folder = folder
        self._files: dict[str, Any] | None = None
        self._stats: dict[Path, os.stat_result] = {}

    @property
    def path(self) -> Path:
        """Where the notes lie."""
        if os.access(self._folder, os.W_OK):
            return self._folder / NOTES
        name = hashlib.sha256(os.fsencode(self._folder.absolute())).hexdigest()[:32]
        return Path(platformdirs.user_cache_path("aitk-nb"), "uploads", f"{name}.json")

    @property
    def files(self) -> dict[str, Any]:
        """What is noted, by the file's path in the folder; empty when nothing can be read."""
        if self._files is None:
            try:
                body = json.loads(self.path.read_bytes())
            except (OSError, ValueError):
                body = {}
            files = body.get("files") if isinstance(body, dict) else None
            self._files = files if isinstance(files, dict) else {}
        return self._files

    def upload(self, source: Path, name: str) -> Upload:
        """Return a file that is to be called `name`, with its digest where that is noted."""
        # What is noted later belongs to the file as it was now: changed since, it is read again.
        stat = self._stats[source] = source.stat()
        entry = self.files.get(self._key(source))
        same = isinstance(entry, dict) and (entry.get("size"), entry.get("mtime_ns")) == (
            stat.st_size,
            stat.st_mtime_ns,
        )
        known = str(entry.get("sha256") or "") if same and entry else ""
        return Upload(source, name, stat.st_size, known)

    def digested(self, files: Sequence[Upload]) -> tuple[Upload, ...]:
        """Return the files with all their digests; those that are not noted are read, and noted."""
        unknown = [file for file in files if not file.sha256]
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            digests = dict(zip(unknown, pool.map(digest, unknown), strict=True))
        self.note(files, {file.name: sha256 for file, sha256 in digests.items()})
        return tuple(
            replace(file, sha256=digests[file]) if file in digests else file for file in files
        )

    def note(self, files: Sequence[Upload], digests: Mapping[str, str]) -> None:
        """Note the digests of files by their names on the server, and write the notes.

        Nothing depends on them, so a folder that cannot be written is none of the user's worries.
        """
        fresh = False
        for file in files:
            stat = self._stats.get(file.source)
            if stat is None or not digests.get(file.name):
                continue
            self.files[self._key(file.source)] = {
                "size": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
                "sha256": digests[file.name],
                "server_name": file.name,
            }
            fresh = True
        if not fresh:
            return
        body = {"made_by": "aitk-nb", "version": VERSION, "files": dict(sorted(self.files.items()))}
        try:
            with replacing(self.path) as draft:
                draft.write_text(json.dumps(body, indent=1), encoding="utf-8")
        except (BadInput, OSError) as exc:
            _log.info("what was sent is not noted here: %s", exc)

    def _key(self, source: Path) -> str:
        try:
            name = source.relative_to(self._folder).as_posix()
        except ValueError:
            name = str(source.absolute())
        # A name on the disk may be no proper text, which JSON cannot hold.
        return name.encode("utf-8", "backslashreplace").decode()


def digest(file: Upload) -> str:
    """Return the SHA-256 of the file's content as it is now.

    Raises:
        AitkError: it cannot be read.
    """
    try:
        with file.source.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as exc:
        raise AitkError(f"{file.source} cannot be read: {exc.strerror or exc}.") from exc
