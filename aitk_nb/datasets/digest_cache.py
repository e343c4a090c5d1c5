"""`.aitk-upload.json`: checksums of local files, so that unchanged files are not read again.

It lies next to the files, or in the user's cache if the folder is not writable. The server has a
manifest of its own (`.aitk_nb.json` in the dataset), from which any machine learns what is there;
this cache only saves reading the local files again, and records their names on the server.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from aitk_nb._files import sha256, write
from aitk_nb.backends.base import Upload
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.errors import BadInput

FILE = ".aitk-upload.json"
VERSION = 1
WORKERS = min(4, os.cpu_count() or 1)

_log = logging.getLogger(__name__)


class DigestCache:
    """Size, modification time, SHA-256 and server name of each file of one folder."""

    def __init__(self, folder: Path) -> None:
        """Use the cache of `folder`; nothing is read yet."""
        self._folder = folder
        self._stats: dict[Path, os.stat_result] = {}

    @property
    def path(self) -> Path:
        """Where the cache lies."""
        if os.access(self._folder, os.W_OK):
            return self._folder / FILE
        name = hashlib.sha256(os.fsencode(self._folder.absolute())).hexdigest()[:32]
        return Path(platformdirs.user_cache_path("aitk-nb"), "uploads", f"{name}.json")

    @cached_property
    def files(self) -> dict[str, Any]:
        """The entries by path in the folder; empty if nothing can be read."""
        try:
            files = json.loads(self.path.read_bytes())["files"]
        except (OSError, ValueError, TypeError, KeyError):
            return {}
        return files if isinstance(files, dict) else {}

    def upload(self, source: Path, name: str) -> Upload:
        """Return a file that will be called `name`, with its digest if that is known."""
        # What is recorded later belongs to the file as it is now: if it changes, it is read again.
        stat = self._stats[source] = source.stat()
        entry = self.files.get(self._key(source))
        if not isinstance(entry, dict):
            entry = {}
        same = (entry.get("size"), entry.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns)
        return Upload(source, name, stat.st_size, str(entry.get("sha256") or "") if same else "")

    def digested(self, files: Sequence[Upload]) -> tuple[Upload, ...]:
        """Return the files with all their digests; those that are not known are computed.

        Raises:
            AitkError: A file can't be read.
        """
        unknown = [file for file in files if not file.sha256]
        found = each_or_raise(lambda file: sha256(file.source), unknown, workers=WORKERS)
        digests = dict(zip(unknown, found, strict=True))
        self.record(files, {file.name: digest for file, digest in digests.items()})
        return tuple(replace(file, sha256=digests.get(file, file.sha256)) for file in files)

    def record(self, files: Sequence[Upload], digests: Mapping[str, str]) -> None:
        """Record the digests of files by their names on the server, and write the cache.

        Nothing depends on it, so a folder that is not writable is not an error.
        """
        known = [file for file in files if file.source in self._stats and digests.get(file.name)]
        for file in known:
            stat = self._stats[file.source]
            self.files[self._key(file.source)] = {
                "size": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
                "sha256": digests[file.name],
                "server_name": file.name,
            }
        if not known:
            return
        body = {"made_by": "aitk-nb", "version": VERSION, "files": dict(sorted(self.files.items()))}
        try:
            write(self.path, json.dumps(body, indent=1))
        except (BadInput, OSError) as exc:
            _log.info("checksums are not cached: %s", exc)

    def _key(self, source: Path) -> str:
        inside = source.is_relative_to(self._folder)
        name = source.relative_to(self._folder).as_posix() if inside else str(source.absolute())
        # A file name may not be valid text, which JSON requires.
        return name.encode("utf-8", "backslashreplace").decode()
