"""`Journal`: what this computer remembers of a Gradio server, which has no list of anything."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import platformdirs
from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from aitk_nb._files import replacing
from aitk_nb.errors import AitkError, BadInput

VARIABLE: Final = "AITK_JOURNAL"
"""Environment variable that names another folder for the journals."""

_PATIENCE: Final = 30.0
"""Seconds to wait for another kernel; the lock is held for moments."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that was sent."""

    name: str
    """Its name here."""
    stored: str
    """Its name in the dataset on the server."""
    size: int
    sha256: str
    path: str
    """Where the upload lies on the server."""


@dataclass(frozen=True, slots=True)
class DatasetNote:
    """A dataset that lives in a session of the server, until the server ends."""

    name: str
    app_id: str = ""
    session: str = ""
    """The session whose hidden state holds the dataset; empty before anything was sent."""
    taken: bool = False
    """True once a training job uses that session."""
    files: tuple[SentFile, ...] = ()
    captions: Mapping[str, str] = field(default_factory=dict)
    """Caption by image name."""


@dataclass(frozen=True, slots=True)
class JobNote:
    """A job that was made here."""

    name: str
    slug: str
    """What the server calls it."""
    folder: str
    """The server's folder of what the job writes."""
    config: Mapping[str, Any] = field(default_factory=dict)
    gpu_ids: str = "0"
    steps: int = 0
    created: float = 0.0
    """Seconds since 1970, by the clock here."""
    asked: float = 0.0
    """When it was started from here: in this order our jobs go into the server's queue."""
    started: float | None = None
    app_id: str = ""
    """Which process of the server it was given to."""
    ended: int | None = None
    """Training jobs that the server had ended when it was started, where it says so."""
    old_lora: str = ""
    old_config: str = ""
    """ETags of a LoRA and of a `config.yaml` that lay there before the start."""
    session: str = ""
    event: str = ""
    """By both of these it can be taken out of the queue as long as it waits there."""
    unqueued: float | None = None
    """Since when it is known to wait in the queue no more, if its connection was lost."""
    outcome: str = ""
    """How it ended, in the words of `JobStatus`; empty as long as that is not known."""
    info: str = ""
    """The server's last words on it, or ours on what became of it."""


@dataclass
class Notes:
    """All that is noted of one server."""

    datasets: dict[str, DatasetNote] = field(default_factory=dict)
    jobs: dict[str, JobNote] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a file holds; what a newer version has added is passed over."""

    server: str = ""
    datasets: tuple[DatasetNote, ...] = ()
    jobs: tuple[JobNote, ...] = ()


_STORED: Final = TypeAdapter(_Stored)


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
            stored = _STORED.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Notes()
        except (OSError, ValueError) as exc:
            why = "it is no journal" if isinstance(exc, ValueError) else exc.strerror or exc
            raise BadInput(
                f"Can't read the journal {self.path} ({why}). Delete it: the jobs on the server "
                "keep running, and only their names are lost locally."
            ) from exc
        datasets = {note.name: note for note in stored.datasets}
        return Notes(datasets, {note.name: note for note in stored.jobs})

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
                before = self._stored(notes)
                yield notes
                if (after := self._stored(notes)) != before:
                    with replacing(self.path) as draft:
                        draft.touch(mode=0o600)
                        draft.write_bytes(_STORED.dump_json(after, indent=1))
        except Timeout as exc:
            raise AitkError(
                f"Another kernel has locked the journal {self.path} for over {_PATIENCE:g} s. It "
                "may be stopped in a debugger: restart it, and try again."
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
                f"Can't create the folder {self.path.parent} for notes on servers: "
                f"{exc.strerror or exc}. Set {VARIABLE} to another folder."
            ) from exc

    def _stored(self, notes: Notes) -> _Stored:
        return _Stored(self._url, tuple(notes.datasets.values()), tuple(notes.jobs.values()))
