"""`LossFollower`: the rows of a job's `loss_log.db` while the trainer writes it, byte by byte.

The trainer's database grows in its write-ahead log; the database file itself holds nothing until
SQLite's first checkpoint (1000 pages, about 190 steps). So the log is followed: only the frames
that are new are read, and they are laid over the database in memory. Nothing is written to disk.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from contextlib import closing

from aitk_nb.backends.gradio.files import FileRoute, FileStat
from aitk_nb.backends.gradio.sqlite_wal import HEADER, Wal
from aitk_nb.errors import UnexpectedReply
from aitk_nb.models.loss import LossPoint

__all__ = ["LossFollower"]

_KEYS = "SELECT key FROM metric_keys ORDER BY key"
_ROWS = (
    "SELECT metrics.step, steps.wall_time, value_real, value_text"
    " FROM metrics JOIN steps ON steps.step = metrics.step"
    " WHERE key = ? AND metrics.step > ? ORDER BY metrics.step"
)
FIRST_FRAMES = 5
"""What one flush of the trainer's logger writes."""
LARGEST = 64 << 20
"""Bytes of a loss database beyond which something else is meant; 10,000 steps take 1.8 MB."""


class LossFollower:
    """What the server's loss database holds, kept up by `refresh`; may be used from threads."""

    def __init__(self, route: FileRoute, path: str) -> None:
        """Follow the database at `path`, the server's own path of `loss_log.db`."""
        self._route = route
        self._path = path
        self._lock = threading.Lock()
        self._database: bytes | None = None
        self._seen: tuple[FileStat | None, FileStat | None] = (None, None)
        self._wal: Wal | None = None
        self._image: bytes = b""
        self._ahead = FIRST_FRAMES
        self.folded = False
        """True once the log was folded into the database and removed: the run has ended."""

    def refresh(self) -> bool:
        """Read what is new, and return whether there was anything.

        Raises:
            ConnectionFailed: the server cannot be reached; what is known stays.
        """
        with self._lock:
            database, log = self._route.stat(self._path), self._route.stat(self._path + "-wal")
            if database is None or (database, log) == self._seen:
                return False
            try:
                current = self._follow(database, log) if log else self._settle(database)
            except UnexpectedReply:
                # A file went or shrank between two requests; the next call sees it as it is then.
                return False
            if current:
                self._seen = database, log
            return current

    def keys(self) -> tuple[str, ...]:
        """Return the names of the metrics, sorted; empty before the first value."""
        return tuple(str(row[0]) for row in self._query(_KEYS, ()))

    def points(self, key: str, since_step: int | None) -> tuple[LossPoint, ...]:
        """Return the points of one metric after `since_step`, by step."""
        since = -1 if since_step is None else since_step
        rows = self._query(_ROWS, (key, since))
        return tuple(
            LossPoint(step, wall if isinstance(wall, float) else 0.0, _number(real, words))
            for step, wall, real, words in rows
            if isinstance(step, int)
        )

    def _settle(self, database: FileStat) -> bool:
        """Take the database alone: there is no log beside it."""
        content = self._whole(database)
        if self._route.stat(self._path) != database:
            return False
        self._wal, self._database, self._image = None, content, Wal.alone(content)
        self.folded = True
        return True

    def _follow(self, database: FileStat, log: FileStat) -> bool:
        self.folded = False
        header = self._header(log)
        if header is None:
            return False  # it is empty, or its beginning is being written
        if self._wal is None or self._wal.header != header:
            # Begun anew: what the former log held lies in the database, which is read before the
            # first frame, so that no frame is older than it.
            self._database, self._ahead = self._whole(database), FIRST_FRAMES
            self._wal = Wal(header)
        wal, before = self._wal, self._wal.frames
        self._read_frames(wal, log)
        if self._header(log) != header:
            self._wal = None
            return False
        self._ahead = max(FIRST_FRAMES, wal.frames - before)
        self._image = wal.over(self._database or b"")
        return True

    def _header(self, log: FileStat) -> bytes | None:
        if log.size < HEADER:
            return None
        header = self._route.read(self._path + "-wal", 0, HEADER)
        try:
            Wal(header)
        except ValueError:
            return None
        return header

    def _read_frames(self, wal: Wal, log: FileStat) -> None:
        """Feed `wal` with its new frames, reading few that are not.

        In a log that was never begun anew every frame is news. Later the file keeps its size, old
        frames follow the new, and only the first bytes of a frame tell to which it belongs.
        """
        path, count, looks = self._path + "-wal", self._ahead, wal.sequence > 0
        while (left := (log.size - wal.end) // wal.frame_size) > 0:
            begin, wanted = wal.end, left if wal.sequence == 0 else min(count, left)
            if looks:
                wanted = self._fresh(wal, wanted)
            content = self._route.read(path, begin, begin + wanted * wal.frame_size)
            if wal.feed(content) < wanted or wanted in {0, left}:
                return
            # Where all are valid and none is committed, the commit lies beyond them.
            looks = wal.end > begin
            count = 2 * wanted

    def _fresh(self, wal: Wal, count: int) -> int:
        """Return about how many of the next `count` frames are new; at most a few too many."""
        if not self._is_fresh(wal, 0):
            return 0
        while count > FIRST_FRAMES and not self._is_fresh(wal, count - 1):
            count //= 2
        return count

    def _is_fresh(self, wal: Wal, ahead: int) -> bool:
        begin = wal.end + ahead * wal.frame_size
        return wal.owns(self._route.read(self._path + "-wal", begin, begin + 16))

    def _whole(self, database: FileStat) -> bytes:
        if database.size > LARGEST:
            raise UnexpectedReply("read the losses", f"a database of {database.size} bytes")
        return self._route.read(self._path, 0, database.size)

    def _query(self, sql: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        image = self._image
        if not image:
            return []
        try:
            with closing(sqlite3.connect(":memory:")) as db:
                # The bytes are a stranger's: nothing in them may act.
                db.execute("PRAGMA trusted_schema = OFF")
                db.deserialize(image)
                db.execute("PRAGMA query_only = ON")
                return db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as exc:
            if "no such table" in str(exc):
                return []  # the trainer has not made its tables yet
            raise UnexpectedReply("read the losses", f"a damaged database ({exc})") from exc


def _number(real: object, words: object) -> float:
    if isinstance(real, int | float):
        return float(real)
    try:
        return float(words) if isinstance(words, str) else math.nan
    except ValueError:
        return math.nan
