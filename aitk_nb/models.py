"""Frozen values that pass between the backends and everything above them."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from aitk_nb import _html
from aitk_nb.errors import BadInput

if TYPE_CHECKING:
    from aitk_nb.dataset_report import VerifyReport

SHOWN = 20
"""Rows of a long table that are shown."""

__all__ = [
    "Ability",
    "DatasetInfo",
    "DownloadReport",
    "Flavour",
    "Gpu",
    "JobDraft",
    "JobState",
    "JobStatus",
    "LogChunk",
    "LossColumns",
    "LossPage",
    "LossPoint",
    "RemoteFile",
    "Sample",
    "check_name",
    "name_problem",
    "safe_file_name",
]


class Flavour(enum.Enum):
    """Which face of AI Toolkit answers."""

    WEBUI = "webui"
    """AI Toolkit's own web UI with its REST API."""
    GRADIO = "gradio"
    """AI Toolkit's older Gradio app."""


class Ability(enum.Enum):
    """What a server can do at all; ask with `client.can(Ability.X)`."""

    LIST_DATASETS = "list datasets"
    UPLOAD = "take a dataset"
    CAPTION_IMAGES = "write captions of local images"
    TRAIN = "start a training"
    LIST_JOBS = "list jobs"
    STOP = "stop a job"
    SAVE_NOW = "save a checkpoint on demand"
    SAMPLE_NOW = "make samples on demand"
    LOG = "show a job's log"
    LOSSES = "tell a job's losses"
    SAMPLES = "list a job's samples"
    FILES = "list a job's files"
    DOWNLOAD = "download a LoRA"
    DELETE = "delete a job"
    GPUS = "list its GPUs"
    EDIT_DATASETS = "change, fetch and delete datasets"
    CAPTION = "caption a dataset"
    SETTINGS = "tell and change its settings"


class JobStatus(enum.Enum):
    """Where a job is in its life."""

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
        """True when the job does not change by itself any more."""
        return self in {JobStatus.STOPPED, JobStatus.COMPLETED, JobStatus.ERROR}

    @property
    def is_active(self) -> bool:
        """True while the job waits for the GPU or holds it."""
        return self in {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING}


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it stood when the server was asked."""

    name: str
    """The job's unique name, which is its identity, and the name of its output folder."""
    status: JobStatus
    """Where it is in its life."""
    step: int = 0
    """Completed optimiser steps."""
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
    """True when the server tells process ids, so that having none means something."""
    stop_requested: bool = False
    """True once somebody asked it to stop, until it is started again."""
    save_requested: bool = False
    """True while a requested checkpoint has not been written yet."""
    queue_position: int = 0
    """Its place among the jobs of its queue: the lowest begins first."""
    never_started: bool = False
    """True for a row that was created and not started since."""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The job config as the server keeps it; empty when it cannot be read."""

    @property
    def progress(self) -> float | None:
        """Completed share of the steps, 0 to 1; None when the total is not known."""
        if not self.total_steps:
            return None
        return min(1.0, max(0.0, self.step / self.total_steps))


@dataclass(frozen=True, slots=True)
class JobDraft:
    """A job that is to be created, in words that hold on any server.

    `config` is a job config without the server's paths: `training_folder` is missing, and each
    dataset's `folder_path` is the dataset's name, and so are the control paths that have no slash.
    The backend puts the paths in.
    """

    name: str
    gpu_ids: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A dataset on the server."""

    name: str
    """Its name on the server, which may differ from the one asked for."""
    images: tuple[str, ...] = ()
    """Names of its images, videos and sounds, relative to the dataset."""
    captions: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Caption by image name; an image without one is missing here."""
    sent: int = 0
    """Files sent by the call that returned this."""
    kept: int = 0
    """Files that were already there, byte for byte."""
    controls: tuple[str, ...] = ()
    """Names of the datasets that its control images became, where an upload returned this."""
    report: VerifyReport | None = field(default=None, repr=False, compare=False)
    """What was found of the files that were sent, where an upload returned this."""

    def __repr__(self) -> str:
        return f"<dataset {self.name!r}: {len(self.images)} images, {len(self.captions)} captions>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        result = {"name": self.name, "images": len(self.images), "captions": len(self.captions)}
        return {
            "text/plain": repr(self),
            "text/html": self._html(),
            "application/vnd.aitk.dataset+json": result,
        }

    def _html(self) -> _html.Html:
        rows = [(image, self.captions.get(image, "")) for image in self.images[:SHOWN]]
        if len(self.images) > SHOWN:
            rows.append((f"and {len(self.images) - SHOWN} more", ""))
        return _html.table(("image", "caption"), rows, caption=f"Dataset {self.name}")


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
    """A sample picture that a job made."""

    name: str
    """Base name."""
    step: int
    """Completed steps when it was made; -1 where the name does not tell."""
    index: int
    """Which prompt, counted from 0; -1 where the name does not tell."""
    path: str = field(repr=False, default="")
    """The server's own address of it; opaque."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of the server."""

    index: int
    name: str
    memory_total: int
    """MiB."""
    memory_used: int
    """MiB."""
    utilization: int | None = None
    """Percent."""
    temperature: int | None = None
    """Degrees Celsius."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a job's log."""

    text: str
    offset: int
    """Byte offset to ask for next."""
    reset: bool
    """True when `text` replaces what was read before."""


class LossPoint(NamedTuple):
    """One logged value."""

    step: int
    wall_time: float
    """Seconds since 1970, by the server's clock."""
    value: float
    """NaN where the server has no number."""


class LossColumns(Sequence[LossPoint]):
    """Many points as three columns, which become points only when they are looked at."""

    __slots__ = ("steps", "values", "walls")

    def __init__(
        self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]
    ) -> None:
        """Take columns of one length."""
        self.steps = steps
        self.walls = walls
        self.values = values

    @classmethod
    def of(cls, points: Iterable[LossPoint]) -> LossColumns:
        """Return `points` as columns."""
        if isinstance(points, cls):
            return points
        return cls(*(tuple(zip(*points, strict=True)) or ((), (), ())))

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> LossPoint: ...
    @overload
    def __getitem__(self, index: slice) -> LossColumns: ...
    def __getitem__(self, index: int | slice) -> LossPoint | LossColumns:
        if isinstance(index, slice):
            return LossColumns(self.steps[index], self.walls[index], self.values[index])
        return LossPoint(self.steps[index], self.walls[index], self.values[index])

    def __iter__(self) -> Iterator[LossPoint]:
        return map(LossPoint, self.steps, self.walls, self.values)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none


@dataclass(frozen=True, slots=True)
class LossPage:
    """Some points of one metric, oldest first, and the names of all metrics."""

    key: str
    keys: tuple[str, ...]
    points: Sequence[LossPoint]


@dataclass(frozen=True, slots=True)
class DownloadReport:
    """What a download brought."""

    path: str
    """Where the file is now."""
    size: int
    """Bytes."""
    seconds: float
    """Wall time; 0 when nothing had to be fetched."""
    fetched: bool = True
    """False when the same file was there already."""


_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]")


def name_problem(name: str) -> str | None:
    """Return why `name` cannot name a job or a dataset, or None when it can.

    The server puts names into paths without looking at them, so this is the guard.
    """
    if not name.strip():
        return "a name is needed"
    if name.startswith("."):
        return "it must not start with a dot"
    if ".." in name:
        return "it must not contain '..'"
    if _FORBIDDEN.search(name):
        return "it must not contain '/', '\\' or control characters"
    if "${" in name:
        return "'${' would be replaced from the server's environment"
    if name != name.strip():
        return "it must not start or end with a space"
    if len(name.encode()) > 200:
        return "it must be at most 200 bytes long"
    return None


def check_name(kind: str, name: str) -> str:
    """Return `name` if it can name a `kind`.

    Raises:
        BadInput: the name would leave its folder on the server, or is empty.
    """
    if why := name_problem(name):
        raise BadInput(f"{name!r} cannot be the name of a {kind}: {why}.")
    return name


_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\.|$)", re.IGNORECASE
)


def safe_file_name(name: str) -> str:
    """Return a server's file name as one that stays in its folder on Linux, macOS and Windows."""
    safe = _UNSAFE.sub("_", name.replace("\\", "/").split("/")[-1]).rstrip(". ")
    # The end of a long name is kept: it says which kind of file it is.
    safe = safe.encode()[-200:].decode(errors="ignore")
    if not safe or safe.startswith(".") or _RESERVED.match(safe):
        safe = "_" + safe
    return safe
