"""The trainer's view of its own row in the server's table of jobs."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_EVERY = 0.05
_READ = 'SELECT stop, return_to_queue, save_now, sample_now FROM "Job" WHERE id = ?'


@dataclass(frozen=True)
class Flags:
    """What the web side asks a running trainer to do."""

    stop: bool = False
    return_to_queue: bool = False
    save_now: bool = False
    sample_now: bool = False


class Watcher(Protocol):
    """Whom a training job tells how far it is, and asks what is wanted of it."""

    def info(self, text: str) -> None:
        """Take what the training does now."""
        ...

    def step(self, completed: int) -> None:
        """Take how many steps are done; called after each."""
        ...

    def saved(self, step: int) -> None:
        """Take the step to which an interrupted training falls back."""
        ...

    def speed(self, text: str) -> None:
        """Take how fast it is."""
        ...

    def flags(self) -> Flags:
        """Return what is wanted now."""
        ...

    def clear(self, flag: str) -> None:
        """Take that `save_now` or `sample_now` is being done."""
        ...


class Nobody:
    """A watcher for a training job without a server: nothing is told, nothing is wanted."""

    def info(self, text: str) -> None:
        """Do nothing."""

    def step(self, completed: int) -> None:
        """Do nothing."""

    def saved(self, step: int) -> None:
        """Do nothing."""

    def speed(self, text: str) -> None:
        """Do nothing."""

    def flags(self) -> Flags:
        """Return that nothing is wanted."""
        return Flags()

    def clear(self, flag: str) -> None:
        """Do nothing."""


class JobRow:
    """Writes the columns that are the trainer's; `updated_at` belongs to the web side.

    The status is written at the beginning and at the end only, so that a stop that the web side
    has noted meanwhile is not undone.
    """

    def __init__(self, database: Path, job_id: str) -> None:
        """Use the row `job_id` of an existing database."""
        self._id = job_id
        uri = f"{database.resolve().as_uri()}?mode=rw"
        self._db = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._saved: int | None = None
        self._pending: int | None = None
        self._last: int | None = None
        self._written = 0.0

    def begin(self) -> None:
        """Note that the trainer lives."""
        self._write(status="running", info="Starting")

    def info(self, text: str) -> None:
        """Write the text; a step that has waited is written with it."""
        self._write(info=text)

    def step(self, completed: int) -> None:
        """Write the step, if the last one was not written just now."""
        self._pending = self._last = completed
        if time.monotonic() - self._written >= _EVERY:
            self._write()

    def total(self, steps: int) -> None:
        """Write how many steps there will be; a training job does not."""
        self._write(total_steps=steps)

    def saved(self, step: int) -> None:
        """Remember the step for `end`, and write what has waited."""
        self._saved = step
        self._write()

    def saved_all(self) -> None:
        """Remember for `end` that every step so far lasts: a caption is written at once."""
        self._saved = self._pending if self._pending is not None else self._last
        self._write()

    def speed(self, text: str) -> None:
        """Write the speed."""
        self._write(speed_string=text)

    def flags(self) -> Flags:
        """Read what is wanted; nothing of a job whose row is gone."""
        found = self._db.execute(_READ, [self._id]).fetchone()
        return Flags(*map(bool, found)) if found else Flags()

    def clear(self, flag: str) -> None:
        """Take a flag back."""
        self._write(**{flag: 0})

    def end(self, status: str, info: str) -> None:
        """Write how the training ended; unless it is complete, the step falls to the last save."""
        if status != "completed":
            self._pending = self._saved
        self._write(status=status, info=info)
        self._db.close()

    def _write(self, **columns: str | int) -> None:
        if self._pending is not None:
            columns["step"] = self._pending
            self._pending = None
        if not columns:
            return
        # The names of columns are written above, none comes from outside.
        assignments = ", ".join(f'"{name}" = ?' for name in columns)
        self._db.execute(
            f'UPDATE "Job" SET {assignments} WHERE id = ?',  # noqa: S608
            [*columns.values(), self._id],
        )
        self._written = time.monotonic()
