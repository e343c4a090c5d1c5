"""`LossFollower`: the rows of a job's `loss_log.db` while the trainer writes it.

The trainer's database grows in its write-ahead log, `loss_log.db-wal`; the database file itself
holds nothing until SQLite's first checkpoint (1000 pages, about 190 steps). So both are copied to
a temporary folder, where SQLite reads them; later only the new frames of the log are fetched.

The log (https://www.sqlite.org/fileformat2.html#walformat) is a header of 32 bytes and frames of
24 bytes and one page each. After a checkpoint it is overwritten from its beginning, with other
salts in its header and its frames; the remaining old frames lie behind the new ones.

Why it is so: docs/behavior.md#gradio
"""

import shutil
import sqlite3
import struct
import sys
import tempfile
import threading
import weakref
from bisect import bisect_left, bisect_right
from contextlib import closing
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from aitk_nb.backends.gradio.files import FileRoute, FileStat
from aitk_nb.errors import UnexpectedReply
from aitk_nb.models.loss import LossColumns, LossPoint

_ROWS = (
    "SELECT key, CAST(metrics.step AS INTEGER), CAST(wall_time AS REAL),"
    " ifnull(value_real, value_text)"
    " FROM metrics JOIN steps ON steps.step = metrics.step ORDER BY key, metrics.step"
)
_HEADER_SIZE = 32
_NEW_FRAMES = 20
"""New frames to search for at first; the trainer's logger writes five for each step."""
LARGEST = 64 << 20
"""Bytes of the largest file that may be a job's losses; 10,000 steps take 1.8 MB."""


class LossFollower:
    """What the server's loss database holds, updated by `refresh`; safe to use from threads."""

    def __init__(self, route: FileRoute, path: str) -> None:
        """Follow the database at `path`, the server's own path of `loss_log.db`."""
        self._route = route
        self._paths = path, path + "-wal"
        self._lock = threading.Lock()
        self._seen: tuple[FileStat | None, FileStat | None] = (None, None)
        self._header = b""
        self._frames = 0
        self._series: dict[str, LossColumns] = {}
        self.folded = False
        """True once SQLite has moved the whole log into the database: the run has ended."""

    def refresh(self) -> bool:
        """Read what is new, and return whether there was anything.

        Raises:
            ConnectionFailed: the server can't be reached; what is known stays.
            UnexpectedReply: the database is damaged.
        """
        with self._lock:
            database, log = (self._route.stat(path) for path in self._paths)
            if not database or not database.size or (database, log) == self._seen:
                return False
            self.folded = self.folded and not log
            try:
                whole = self._follow(log) if log else self._settle(database)
            except UnexpectedReply:
                # A file was deleted or cut between two requests; the next call reads it again.
                whole = False
            if not whole:
                self._header = b""
                return False
            self._frames = self._load()
            self.folded = not log
            if log and not self._frames:
                return False  # its beginning is only half written
            self._seen = database, log
            return True

    def keys(self) -> tuple[str, ...]:
        """Return the names of the metrics, sorted; empty before the first value."""
        return tuple(self._series)

    def points(self, key: str, since_step: int | None) -> LossColumns:
        """Return the points of one metric after `since_step`, by step."""
        columns = self._series.get(key, LossColumns((), (), ()))
        return columns[bisect_right(columns.steps, -1 if since_step is None else since_step) :]

    # -- fetching: each returns whether nothing was overwritten meanwhile ---------------------

    def _settle(self, database: FileStat) -> bool:
        """Copy the database alone: it has no log."""
        self._header = b""
        self._copy_database(database)
        return self._route.stat(self._paths[0]) == database

    def _follow(self, log: FileStat) -> bool:
        """Copy what is new of the log, and the database if the log was restarted."""
        if log.size < _HEADER_SIZE:
            return False
        header = self._read(1, 0, _HEADER_SIZE)
        if header != self._header:
            # What the former log held is now in the database. That is read before the first frame,
            # so that no frame is older than it.
            if not (database := self._route.stat(self._paths[0])):
                return False
            self._copy_database(database)
            self._write_log(0, header)
            self._header, self._frames = header, 0
        self._append_frames(log)
        return self._read(1, 0, _HEADER_SIZE) == header

    def _append_frames(self, log: FileStat) -> None:
        """Add the new frames to the copy of the log.

        In a log that was never restarted, all frames are new. Later the file keeps its size, and
        only the salts in a frame's header tell whether it is new or left over.
        """
        page_size, sequence = struct.unpack(">2I", self._header[8:16])
        size = 24 + max(512, page_size)
        begin = _HEADER_SIZE + self._frames * size
        new = left = max(0, (log.size - begin) // size)

        def is_old(ahead: int) -> bool:
            salts = begin + ahead * size + 8
            return self._read(1, salts, salts + 8) != self._header[16:24]

        if sequence:
            # Searched for among few frames first, since each question is a request.
            reach = _NEW_FRAMES
            while (new := bisect_left(range(min(left, reach)), True, key=is_old)) == reach:
                reach *= 8
        self._write_log(begin, self._read(1, begin, begin + new * size))

    def _read(self, which: int, start: int, stop: int) -> bytes:
        if stop - start > LARGEST:
            raise UnexpectedReply("read the losses", f"a file of {stop - start} bytes")
        return self._route.read(self._paths[which], start, stop)

    # -- the copy -----------------------------------------------------------------------------

    @cached_property
    def _copy(self) -> Path:
        """The local database, in a folder that goes with this object."""
        folder = tempfile.mkdtemp(prefix="aitk-losses-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder, "loss_log.db")

    def _copy_database(self, database: FileStat) -> None:
        content = self._read(0, 0, database.size)
        self._beside("-wal").unlink(missing_ok=True)
        self._copy.write_bytes(content)

    def _write_log(self, start: int, content: bytes) -> None:
        with self._beside("-wal").open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            file.write(content)

    def _beside(self, suffix: str) -> Path:
        return self._copy.with_name(self._copy.name + suffix)

    def _load(self) -> int:
        """Read all rows of the copy, and return how many frames of its log are valid."""
        # Opened read-only, SQLite leaves the log as it is. The bytes are a stranger's: nothing in
        # them may run.
        uri = self._copy.as_uri() + "?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True)) as db:
                db.execute("PRAGMA trusted_schema = OFF")
                tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
                # The trainer creates its tables after the file.
                rows = db.execute(_ROWS).fetchall() if {"metrics", "steps"} <= tables else []
                frames = self._valid_frames()
        except sqlite3.DatabaseError as exc:
            raise UnexpectedReply("read the losses", f"a damaged database ({exc})") from exc
        self._series = {
            str(key): LossColumns.of(LossPoint.logged(*row) for _, *row in some)
            for key, some in groupby(rows, key=itemgetter(0))
        }
        return frames

    def _valid_frames(self) -> int:
        """Return how many frames of the log SQLite has found valid and committed.

        Its index of the log says so, as `mxFrame`: https://www.sqlite.org/walformat.html.
        """
        index = self._beside("-shm")
        if not index.exists():
            return 0
        with index.open("rb", buffering=0) as file:
            return int.from_bytes(file.read(20)[16:], sys.byteorder)
