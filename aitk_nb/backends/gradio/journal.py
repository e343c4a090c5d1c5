"""`Journal`: what this computer remembers of a Gradio server, which has no list of anything."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import platformdirs
from filelock import FileLock, Timeout

from aitk_nb._files import replacing
from aitk_nb.backends.gradio.journal_records import Notes
from aitk_nb.errors import AitkError, BadInput

__all__ = ["Journal", "journal_folder"]

VARIABLE: Final = "AITK_JOURNAL"
"""Environment variable that names another folder for the journals."""

_PATIENCE: Final = 30.0
"""Seconds to wait for another kernel; the lock is held for moments."""


def journal_folder() -> Path:
    """Return the folder of the journals: AITK_JOURNAL, or the usual place for such things."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else platformdirs.user_state_path("aitk-nb") / "gradio"


class Journal:
    """A file for one server, readable by its owner only, and without any secret.

    Several kernels may use it at once. Reading needs no lock: a file is replaced as a whole.
    """

    def __init__(self, url: str, folder: Path | None = None) -> None:
        """Use the file for the server at `url` below `folder`; nothing is read or written yet."""
        self._url = url
        self._folder = folder
        self._key = hashlib.sha256(url.encode()).hexdigest()[:20]

    def __repr__(self) -> str:
        return f"<Journal of {self._url}>"

    @property
    def path(self) -> Path:
        """The file."""
        return (self._folder or journal_folder()) / f"{self._key}.json"

    def read(self) -> Notes:
        """Return what is noted now.

        Raises:
            BadInput: the file is damaged.
        """
        try:
            body = json.loads(self.path.read_text("utf-8"))
            return Notes.from_json(body)
        except FileNotFoundError:
            return Notes()
        except (OSError, ValueError, TypeError, AttributeError) as exc:
            raise BadInput(
                f"The journal {self.path} cannot be read ({exc}). Delete it: the server's jobs go "
                "on, and only their names are forgotten here."
            ) from exc

    @contextmanager
    def change(self) -> Iterator[Notes]:
        """Yield what is noted, alone among all kernels, and keep what the block makes of it.

        When the block fails, nothing is changed.

        Raises:
            AitkError: another kernel does not let go of the journal.
        """
        try:
            self._make_folder()
            with FileLock(self.path.with_suffix(".lock"), timeout=_PATIENCE, mode=0o600):
                notes = self.read()
                before = copy.copy(notes.as_json())
                yield notes
                if notes.as_json() != before:
                    self._write(notes)
        except Timeout as exc:
            raise AitkError(
                f"Another kernel holds the journal {self.path} for more than {_PATIENCE:g} s. "
                "Is it stopped in a debugger? Restart it, and try again."
            ) from exc

    def watcher(self, job: str) -> FileLock:
        """Return the lock that a process holds for as long as it follows a job in the queue.

        The system lets go of it when the process dies, however it dies.
        """
        self._make_folder()
        key = hashlib.sha256(job.encode()).hexdigest()[:12]
        path = self.path.with_name(f"{self._key}-{key}.lock")
        return FileLock(path, timeout=0, thread_local=False, mode=0o600)

    def is_watched(self, job: str) -> bool:
        """Return whether a living process follows the job in the queue."""
        lock = self.watcher(job)
        try:
            with lock:
                return False
        except Timeout:
            return True

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise BadInput(
                f"The folder {self.path.parent} for notes on servers cannot be made: "
                f"{exc.strerror or exc}. Name another one in {VARIABLE}."
            ) from exc

    def _write(self, notes: Notes) -> None:
        body = {"server": self._url, **notes.as_json()}
        with replacing(self.path) as draft:
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(body, indent=1, ensure_ascii=False), encoding="utf-8")
