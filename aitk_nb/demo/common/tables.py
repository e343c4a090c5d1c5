"""The rows of a demo server: jobs, queues and settings in one SQLite file."""

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

Value = str | int | bool | None

_SCHEMA = """
CREATE TABLE IF NOT EXISTS "Settings" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "key" TEXT NOT NULL, "value" TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS "Queue" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "gpu_ids" TEXT NOT NULL,
    "is_running" BOOLEAN NOT NULL DEFAULT false
);
CREATE TABLE IF NOT EXISTS "Job" (
    "id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "gpu_ids" TEXT NOT NULL,
    "job_config" TEXT NOT NULL, "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" DATETIME NOT NULL, "status" TEXT NOT NULL DEFAULT 'stopped',
    "stop" BOOLEAN NOT NULL DEFAULT false, "return_to_queue" BOOLEAN NOT NULL DEFAULT false,
    "step" INTEGER NOT NULL DEFAULT 0, "total_steps" INTEGER, "info" TEXT NOT NULL DEFAULT '',
    "speed_string" TEXT NOT NULL DEFAULT '', "queue_position" INTEGER NOT NULL DEFAULT 0,
    "pid" INTEGER, "job_type" TEXT NOT NULL DEFAULT 'train', "job_ref" TEXT,
    "save_now" BOOLEAN NOT NULL DEFAULT false, "sample_now" BOOLEAN NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX IF NOT EXISTS "Settings_key_key" ON "Settings"("key");
CREATE UNIQUE INDEX IF NOT EXISTS "Queue_gpu_ids_key" ON "Queue"("gpu_ids");
CREATE INDEX IF NOT EXISTS "Queue_gpu_ids_idx" ON "Queue"("gpu_ids");
CREATE UNIQUE INDEX IF NOT EXISTS "Job_name_key" ON "Job"("name");
CREATE INDEX IF NOT EXISTS "Job_status_idx" ON "Job"("status");
CREATE INDEX IF NOT EXISTS "Job_gpu_ids_idx" ON "Job"("gpu_ids");
CREATE INDEX IF NOT EXISTS "Job_job_type_idx" ON "Job"("job_type");
CREATE INDEX IF NOT EXISTS "Job_job_ref_idx" ON "Job"("job_ref");
"""
_FLAGS = ("stop", "return_to_queue", "save_now", "sample_now")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "aitk-nb:demo:job")


class NameTaken(ValueError):
    """Another job already has this name."""


class NoSuchJob(LookupError):
    """No job has this id."""


@dataclass(frozen=True)
class Job:
    """One row of the table Job, in the order in which the server answers it."""

    id: str
    name: str
    gpu_ids: str
    job_config: str
    created_at: str
    updated_at: str
    status: str
    stop: bool
    return_to_queue: bool
    step: int
    total_steps: int | None
    info: str
    speed_string: str
    queue_position: int
    pid: int | None
    job_type: str
    job_ref: str | None
    save_now: bool
    sample_now: bool

    def as_json(self) -> dict[str, object]:
        """Return the fields as the server answers them."""
        return asdict(self)


@dataclass(frozen=True)
class Queue:
    """One row of the table Queue: the jobs of one `gpu_ids` string."""

    id: int
    gpu_ids: str
    is_running: bool

    def as_json(self) -> dict[str, object]:
        """Return the fields as the server answers them."""
        return asdict(self)


class Database:
    """Reads and writes the rows; one connection, one caller at a time.

    The trainer writes the same file from its own process, so every call is its own transaction.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; calling twice is harmless."""
        with self._lock:
            self._db.close()

    def jobs(self, job_type: str | None = None, *, active: bool = False) -> list[Job]:
        """Return the jobs, newest first; only of one type, only active ones, if so asked."""
        where, values = ["1"], []
        if job_type:
            where.append("job_type = ?")
            values.append(job_type)
        if active:
            where.append("status IN ('running', 'queued', 'stopping')")
        return self._jobs(f"{' AND '.join(where)} ORDER BY created_at DESC, rowid DESC", values)

    def job(self, job_id: str) -> Job | None:
        """Return one job, or None."""
        return next(iter(self._jobs("id = ?", [job_id])), None)

    def job_by_ref(self, job_ref: str) -> Job | None:
        """Return the job last updated among those that refer to `job_ref`, or None."""
        return next(iter(self._jobs("job_ref = ? ORDER BY updated_at DESC", [job_ref])), None)

    def jobs_of_queue(self, gpu_ids: str, *statuses: str) -> list[Job]:
        """Return the jobs of one queue that have one of `statuses`, in the order of the queue."""
        marks = ", ".join("?" * len(statuses))
        tail = f"gpu_ids = ? AND status IN ({marks}) ORDER BY queue_position, rowid"
        return self._jobs(tail, [gpu_ids, *statuses])

    def create_job(self, fields: Mapping[str, Value]) -> Job:
        """Add a job at the end of the order and return it; `NameTaken` if the name is used."""
        with self._transaction():
            now = _milliseconds()
            job_id = self._free_id(str(fields["name"]))
            row = {
                **fields,
                "id": job_id,
                "created_at": now,
                "updated_at": now,
                "queue_position": self.next_position(),
            }
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            try:
                self._db.execute(f'INSERT INTO "Job" ({names}) VALUES ({marks})', [*row.values()])  # noqa: S608
            except sqlite3.IntegrityError as exc:
                raise NameTaken(fields["name"]) from exc
            return self._expect(job_id)

    def update_job(
        self, job_id: str, changes: Mapping[str, Value], *, only_if: str | None = None
    ) -> Job:
        """Write `changes` and return the job; with `only_if`, only while it has that status."""
        row = {**changes, "updated_at": _milliseconds()}
        columns = ", ".join(f'"{name}" = ?' for name in row)
        with self._transaction():
            try:
                self._db.execute(
                    f'UPDATE "Job" SET {columns} WHERE id = ? AND (? IS NULL OR status = ?)',  # noqa: S608
                    [*row.values(), job_id, only_if, only_if],
                )
            except sqlite3.IntegrityError as exc:
                raise NameTaken(changes.get("name")) from exc
            return self._expect(job_id)

    def delete_job(self, job_id: str) -> None:
        """Remove the row, if there is one."""
        with self._lock:
            self._db.execute('DELETE FROM "Job" WHERE id = ?', [job_id])

    def next_position(self) -> int:
        """Return the position behind all jobs."""
        with self._lock:
            top = self._db.execute('SELECT max(queue_position) FROM "Job"').fetchone()[0]
        return int(top or 0) + 1000

    def queues(self, order: str = "gpu_ids") -> list[Queue]:
        """Return all queues, by `gpu_ids` or by `id`."""
        column = "id" if order == "id" else "gpu_ids"
        with self._lock:
            rows = self._db.execute(f'SELECT * FROM "Queue" ORDER BY {column}').fetchall()  # noqa: S608
        return [Queue(row["id"], row["gpu_ids"], bool(row["is_running"])) for row in rows]

    def queue(self, gpu_ids: str) -> Queue | None:
        """Return one queue, or None."""
        return next((queue for queue in self.queues() if queue.gpu_ids == gpu_ids), None)

    def add_queue(self, gpu_ids: str, *, running: bool) -> Queue:
        """Return the queue of `gpu_ids`, made if absent."""
        with self._transaction():
            self._db.execute(
                'INSERT OR IGNORE INTO "Queue" (gpu_ids, is_running) VALUES (?, ?)',
                [gpu_ids, running],
            )
            queue = self.queue(gpu_ids)
        assert queue is not None  # just written
        return queue

    def set_queue(self, gpu_ids: str, *, running: bool) -> None:
        """Switch a queue on or off."""
        with self._lock:
            self._db.execute(
                'UPDATE "Queue" SET is_running = ? WHERE gpu_ids = ?', [running, gpu_ids]
            )

    def settings(self) -> dict[str, str]:
        """Return the settings that have been written."""
        with self._lock:
            rows = self._db.execute('SELECT key, value FROM "Settings" ORDER BY id').fetchall()
        return {row["key"]: row["value"] for row in rows}

    def set_setting(self, key: str, value: str) -> None:
        """Write one setting."""
        with self._lock:
            self._db.execute(
                'INSERT INTO "Settings" (key, value) VALUES (?, ?) '
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, value],
            )

    def _jobs(self, tail: str, values: list[str]) -> list[Job]:
        with self._lock:
            rows = self._db.execute(f'SELECT * FROM "Job" WHERE {tail}', values).fetchall()  # noqa: S608
        return [_job(row) for row in rows]

    def _expect(self, job_id: str) -> Job:
        job = self.job(job_id)
        if job is None:
            raise NoSuchJob(job_id)
        return job

    def _free_id(self, name: str) -> str:
        # A renamed job keeps the id of its old name, which may then be used again.
        count = 0
        while self.job(found := str(uuid.uuid5(_NAMESPACE, f"{name}\n{count}" if count else name))):
            count += 1
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _job(row: sqlite3.Row) -> Job:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 (a Row iterates over values)
    for name in _FLAGS:
        values[name] = bool(values[name])
    for name in ("created_at", "updated_at"):
        values[name] = _iso(values[name])
    return Job(**values)


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _iso(stamp: int) -> str:
    moment = datetime.fromtimestamp(stamp // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{stamp % 1000:03d}Z"
