"""What is noted of a Gradio server's datasets and jobs: values, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

__all__ = ["DatasetNote", "JobNote", "Notes", "SentFile"]

N = TypeVar("N", bound="JobNote | DatasetNote | SentFile")


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
    """True once a training uses that session."""
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
    started: float | None = None
    app_id: str = ""
    """Which process of the server it was given to."""
    ended: int | None = None
    """Trainings that the server had ended when it was started, where it tells."""
    old_lora: str = ""
    old_config: str = ""
    """ETags of a LoRA and of a `config.yaml` that lay there before the start."""
    session: str = ""
    event: str = ""
    """By both of these it can be taken out of the queue as long as it waits there."""
    unqueued: float | None = None
    """Since when it is known to wait in the queue no more, if its line was lost."""
    outcome: str = ""
    """How it ended, in the words of `JobStatus`; empty as long as that is not known."""
    info: str = ""
    """The server's last words on it, or ours on what became of it."""


@dataclass
class Notes:
    """All that is noted of one server."""

    datasets: dict[str, DatasetNote] = field(default_factory=dict)
    jobs: dict[str, JobNote] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it for a file."""
        return {
            "datasets": [asdict(note) for note in self.datasets.values()],
            "jobs": [asdict(note) for note in self.jobs.values()],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Notes:
        """Return what a file holds; what a newer version has added is passed over.

        Raises:
            TypeError: it holds something else.
        """
        notes = cls()
        for entry in body.get("datasets", ()):
            files = tuple(_known(SentFile, one) for one in entry.pop("files", ()))
            dataset = _known(DatasetNote, {**entry, "files": files})
            notes.datasets[dataset.name] = dataset
        for entry in body.get("jobs", ()):
            job = _known(JobNote, entry)
            notes.jobs[job.name] = job
        return notes


def _known(kind: type[N], entry: Mapping[str, Any]) -> N:
    names = {one.name for one in fields(kind)}
    return kind(**{key: value for key, value in entry.items() if key in names})
