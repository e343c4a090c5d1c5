"""Frozen values that pass between the backends and everything above them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

StartResult = Literal["created", "attached", "resumed"]
"""What starting a job did: created it, found it already there, or continued it."""


class JobStatus(enum.Enum):
    """The status of a job.

    Example:
        >>> job.state.status is aitk_nb.JobStatus.COMPLETED
        True
    """

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    ERROR = "error"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, _value: object) -> JobStatus:
        # One odd row must not break a list; the raw word is kept in `JobState.raw_status`.
        return cls.UNKNOWN

    @property
    def is_final(self) -> bool:
        """True once the job has ended, and doesn't change by itself anymore."""
        return self in {JobStatus.STOPPED, JobStatus.COMPLETED, JobStatus.ERROR}

    @property
    def is_active(self) -> bool:
        """True while the job waits for the GPU or holds it."""
        return self in {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING}


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job in one response of the server.

    Example:
        >>> state = job.refresh()
        >>> state.step, state.total_steps, state.progress
        (20, 20, 1.0)
    """

    name: str
    """The job's unique name, which is its identity, and the name of its output folder."""
    status: JobStatus
    """Its status, as far as the server tells."""
    step: int = 0
    """Completed optimizer steps."""
    total_steps: int | None = None
    """Steps it is to do, where known."""
    info: str = ""
    """The server's own words on what it is doing."""
    speed: str = ""
    """The server's own words on speed, as `18.56 iter/sec`; keeps its last value after the end."""
    gpu_ids: str = ""
    """The GPUs it runs on, as `0` or `0,1`."""
    raw_status: str = ""
    """The server's word for `status`."""
    id: str | None = None
    """The server's opaque id, where it has one."""
    pid: int | None = None
    """Process id on the server; not cleared when the job ends."""
    tells_pid: bool = False
    """True when the server reports process ids, so that having none means something."""
    save_requested: bool = False
    """True while a requested checkpoint has not been written yet."""
    sample_requested: bool = False
    """True while requested samples have not been begun yet."""
    queue_rank: int = 0
    """The server's number for its place in the queue: the lowest starts first."""
    has_queue: bool = True
    """False on a server without queues, where what is started begins at once."""
    job_type: str = "train"
    """What it does: `train`, `caption`, or `inference` for the inference engine."""
    has_died: bool = False
    """True if it was asked to stop and the server found no process of it."""
    never_started: bool = False
    """True for a row that was created and not started since."""
    created: float | None = field(default=None, compare=False)
    """When it was created, in seconds since 1970; None where the server does not tell."""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The job config as the server keeps it; empty when it cannot be read."""

    @property
    def label(self) -> str:
        """Its name in quotes, with what it does unless it trains."""
        kinds = {"caption": "a captioning job", "inference": "the inference engine"}
        kind = kinds.get(self.job_type, f"a job of type {self.job_type}")
        return repr(self.name) if self.job_type == "train" else f"{self.name!r} ({kind})"

    @property
    def never_ends(self) -> bool:
        """True if it keeps its GPU until somebody ends it."""
        return self.has_died or (self.job_type == "inference" and self.status.is_active)

    @property
    def step_text(self) -> str:
        """Step and total steps in words, such as `5 of 100`."""
        return f"{self.step} of {self.total_steps}" if self.total_steps else str(self.step)

    @property
    def progress(self) -> float | None:
        """Completed share of the steps, 0 to 1; None when the total is not known."""
        if not self.total_steps:
            return None
        return min(1.0, max(0.0, self.step / self.total_steps))


@dataclass(frozen=True, slots=True)
class JobDraft:
    """A job before it is created, in terms that hold on any server.

    `config` is a job config without the server's paths: `training_folder` is missing, and each
    dataset's `folder_path` is the dataset's name, and so are the control paths that have no slash.
    The backend puts the paths in.
    """

    name: str
    gpu_ids: str
    config: Mapping[str, Any]
    datasets: tuple[str, ...] = ()
    """Names of the datasets that it needs on the server."""
    any_gpu: bool = False
    """True when no GPU was chosen, so that `gpu_ids` is only a default."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a job on the server."""

    name: str
    """Base name, safe to use as a local name."""
    size: int
    """Bytes."""
    path: str = field(repr=False, default="")
    """The server's own address of it; opaque."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a job: an image, a video, sound or a text."""

    name: str
    """Base name."""
    step: int
    """Completed steps when it was made; -1 where the name does not say."""
    index: int
    """Which prompt, counted from 0; -1 where the name does not say."""
    path: str = field(repr=False, default="")
    """The server's own address of it; opaque."""
    prompt: str = ""
    """The prompt of that index in the job's present config; empty if it has none."""
    thumbnail: bytes = field(repr=False, default=b"")
    """A small JPEG of an image; empty if it was not fetched."""
    text: str = field(repr=False, default="")
    """The beginning of a sample that is a text; empty if it was not fetched."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a job's log."""

    text: str
    offset: int
    """Byte offset to ask for next."""
    reset: bool
    """True when `text` replaces what was read before."""


@dataclass(frozen=True, slots=True)
class DownloadReport:
    """The result of a download."""

    path: str
    """Path of the file; of several, that of the last checkpoint."""
    size: int
    """Bytes of that file."""
    seconds: float
    """Wall time; 0 when nothing had to be fetched."""
    fetched: bool = True
    """False if everything was already in the folder."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Of a job's files, the SHA-256 of each by its path."""
