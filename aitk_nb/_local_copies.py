"""Which files of a server lie on this computer too, by the records of downloads and uploads.

A record lies in the folder whose files it lists. `remembered` knows where records are, so that what
another kernel has transferred is found again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import platformdirs

from aitk_nb._files import write
from aitk_nb.errors import BadInput

DOWNLOADED = "aitk-download.json"
"""The record in a folder of what was downloaded to it."""

_log = logging.getLogger(__name__)


def remember(record: Path) -> None:
    """Note where a record lies; that this can't be written is not an error."""
    name = hashlib.sha256(os.fsencode(record.absolute())).hexdigest()[:20]
    try:
        write(_notes() / name, str(record.absolute()))
    except (BadInput, UnicodeError) as exc:
        _log.info("where the records are is not noted: %s", exc)


def remembered() -> tuple[Path, ...]:
    """Return the records that were noted and are still there."""
    found = []
    for note in sorted(_notes().glob("*")):
        try:
            found.append(Path(note.read_text("utf-8")))
        except (OSError, UnicodeError):
            continue
    return tuple(path for path in found if path.is_file())


def _notes() -> Path:
    given = os.environ.get("AITK_JOURNAL")
    return Path(given or platformdirs.user_state_path("aitk-nb"), "records")


def read_record(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of a record by file, relative to its folder; none of a damaged one."""
    try:
        files = json.loads(path.read_bytes())["files"]
        return {name: entry for name, entry in files.items() if isinstance(entry, dict)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


class DownloadRecord:
    """`aitk-download.json`: the SHA-256 and the origin of each file downloaded to a folder."""

    def __init__(self, folder: Path) -> None:
        """Use the record of `folder`; nothing is written yet."""
        self.path = folder / DOWNLOADED
        self._lock = Lock()

    def sha256(self, name: str) -> str:
        """Return what is recorded of a file; empty if nothing is."""
        return str(read_record(self.path).get(name, {}).get("sha256", ""))

    def add(self, name: str, entry: dict[str, object]) -> None:
        """Record a file, for which the whole record is replaced at once.

        Raises:
            BadInput: It can't be written.
        """
        with self._lock:
            is_new = not self.path.exists()
            # Read again, as another kernel may have downloaded to the same folder.
            files = dict(sorted({**read_record(self.path), name: entry}.items()))
            body = {"made_by": "aitk-nb", "version": 1, "files": files}
            write(self.path, json.dumps(body, indent=1) + "\n")
        if is_new:
            remember(self.path)


class LocalCopies:
    """The files here that may be copies of a server's: those of all records, and of folders."""

    def __init__(self, folders: Iterable[str | Path] = ()) -> None:
        """Look for the files that are there now; their content is not read yet.

        Args:
            folders: Where to look, with all folders in them, besides the records.
        """
        found: set[Path] = set()
        self.recorded: set[str] = set()
        """The SHA-256 of everything that was downloaded."""
        self.names: set[str] = set()
        """The names of what was downloaded."""
        records = {*remembered()}
        for folder in folders:
            root = Path(folder).expanduser()
            if not root.is_dir():
                raise BadInput(f"There is no folder {root}.")
            found |= set(root.rglob("*"))
            records |= {path for path in found if path.name == DOWNLOADED}
        for record in records:
            entries = read_record(record)
            found |= {record.parent / name for name in entries}
            if record.name == DOWNLOADED:
                self.recorded |= {str(entry.get("sha256")) for entry in entries.values()}
                self.names |= {Path(name).name for name in entries}
        self._by_size: dict[int, list[Path]] = {}
        for path in sorted(filter(Path.is_file, found)):
            self._by_size.setdefault(path.stat().st_size, []).append(path)

    def of_size(self, size: int) -> Iterator[Path]:
        """Yield the files of so many bytes."""
        yield from self._by_size.get(size, ())
