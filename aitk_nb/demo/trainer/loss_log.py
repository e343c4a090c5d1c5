"""`loss_log.db`: the losses of a job, written as AI Toolkit's logger for its web UI does."""

import math
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, wall_time REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS metric_keys"
    " (key TEXT PRIMARY KEY, first_seen_step INTEGER, last_seen_step INTEGER)",
    "CREATE TABLE IF NOT EXISTS metrics (step INTEGER NOT NULL, key TEXT NOT NULL,"
    " value_real REAL, value_text TEXT, PRIMARY KEY (step, key),"
    " FOREIGN KEY (step) REFERENCES steps(step) ON DELETE CASCADE)",
    "CREATE INDEX IF NOT EXISTS idx_metrics_key_step ON metrics (key, step)",
)
_PRUNE = (
    "DELETE FROM steps WHERE step > :step",
    "DELETE FROM metric_keys WHERE key NOT IN (SELECT DISTINCT key FROM metrics)",
    "UPDATE metric_keys SET last_seen_step ="
    " (SELECT max(step) FROM metrics WHERE metrics.key = metric_keys.key)"
    " WHERE last_seen_step > :step",
)
_KEEP_STEP = (
    "INSERT INTO steps (step, wall_time) VALUES (?, ?)"
    " ON CONFLICT (step) DO UPDATE SET wall_time = excluded.wall_time"
)
_KEEP_METRIC = (
    "INSERT INTO metrics (step, key, value_real, value_text) VALUES (?, ?, ?, NULL)"
    " ON CONFLICT (step, key) DO UPDATE SET value_real = excluded.value_real, value_text = NULL"
)
_KEEP_KEY = (
    "INSERT INTO metric_keys (key, first_seen_step, last_seen_step) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET"
    " first_seen_step = min(first_seen_step, excluded.first_seen_step),"
    " last_seen_step = max(last_seen_step, excluded.last_seen_step)"
)
_MANY = 256


class LossLog:
    """Keeps metrics by step; what is kept reaches the file at the first commit after a while.

    The first commit of a run removes the rows above its step: they are of a run that went on
    further and was not saved.
    """

    def __init__(self, path: Path, flush_seconds: float = 0.25) -> None:
        """Write to `path`, whose folder exists, every `flush_seconds` at most."""
        self._often = flush_seconds
        self._path = path
        self._db = _opened(path)
        self._steps: list[tuple[int, float]] = []
        self._metrics: list[tuple[int, str, float | None]] = []
        self._flushed = time.monotonic()
        self._pruned = False

    def commit(self, step: int, metrics: Mapping[str, float]) -> None:
        """Keep the metrics of a step; a value that is not a number is kept as none."""
        if not self._pruned:
            self._prune(step)
        self._steps.append((step, time.time()))
        for key, value in metrics.items():
            self._metrics.append((step, key, None if math.isnan(value) else float(value)))
        if len(self._metrics) >= _MANY or time.monotonic() - self._flushed >= self._often:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        self._flushed = time.monotonic()
        if not self._steps:
            return
        if not self._path.exists():
            # The job was deleted while it runs; the folder comes back, as on the real server.
            self._db.close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _opened(self._path)
        steps, metrics = self._steps, self._metrics
        self._steps, self._metrics = [], []
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(_KEEP_STEP, steps)
            self._db.executemany(_KEEP_KEY, [(key, step, step) for step, key, _ in metrics])
            self._db.executemany(_KEEP_METRIC, metrics)

    def close(self) -> None:
        """Write what is kept and close the file."""
        self.flush()
        self._db.close()

    def _prune(self, step: int) -> None:
        with self._db:
            self._db.execute("BEGIN")
            for statement in _PRUNE:
                self._db.execute(statement, {"step": step} if ":step" in statement else {})
        self._pruned = True


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA foreign_keys=ON")
    with db:
        db.execute("BEGIN")
        for statement in _SCHEMA:
            db.execute(statement)
    return db
