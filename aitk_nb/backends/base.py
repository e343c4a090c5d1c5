"""What every kind of server can be asked, whatever it answers on the wire."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aitk_nb._display.progress import Progress as Progress
from aitk_nb._display.progress import no_progress as no_progress
from aitk_nb.connection.connection import Secret
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobDraft, JobState, LogChunk, RemoteFile, Sample
from aitk_nb.models.lora import ServerLora
from aitk_nb.models.loss import LossPage
from aitk_nb.models.server import Ability, Flavour, Gpu


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file and the name under which the server is to keep it."""

    source: Path
    name: str
    size: int
    """Bytes."""
    sha256: str = ""
    """Its digest, where that is known already; then the file need not be read to be compared."""
    start: int = 0
    """Where it begins in `source`, of which it may be a part."""
    part_of: int = 0
    """Bytes of `source`, if it is a part."""


class DatasetTools(Protocol):
    """Work on datasets that are on the server; files go by the names that they have there."""

    def seen(self, dataset: str) -> DatasetInfo | None:
        """Return the dataset as it was last seen, without asking; None if something was sent."""

    def sizes(self, dataset: str, names: Sequence[str]) -> dict[str, int | None]:
        """Return the bytes of each file, None for one that is not there."""

    def digests(self, dataset: str, sizes: Mapping[str, int], progress: Progress) -> dict[str, str]:
        """Return the SHA-256 of each file, all of whose bytes are read back."""

    def noted(self, dataset: str) -> frozenset[str]:
        """Return the names of the files that were noted on the server when they were sent."""

    def forget(self, dataset: str, names: Collection[str]) -> None:
        """Drop the notes of files that are not what was noted, so that they are sent again."""

    def remove(self, dataset: str, names: Sequence[str]) -> dict[str, str]:
        """Delete files, and return why by name for those that could not be."""

    def delete(self, dataset: str) -> None:
        """Delete a whole dataset."""

    def captions(self, dataset: str, images: Sequence[str], ending: str) -> dict[str, str]:
        """Return the captions that are in files of another ending than .txt, by image."""

    def write_captions(self, dataset: str, captions: Mapping[str, str]) -> dict[str, str]:
        """Write captions by image, and return why by image for those that were not taken."""

    def fetch(self, dataset: str, name: str, target: Path, progress: Progress) -> int:
        """Fetch a file to `target`, whole or not at all; return its bytes."""

    def fetch_zip(self, dataset: str, target: Path, progress: Progress) -> int:
        """Have the server pack a dataset, and fetch the zip to `target`; return its bytes."""

    def thumbnails(self, dataset: str, images: Sequence[str]) -> dict[str, bytes]:
        """Return small pictures by image; the whole image where the server makes none."""

    def create_captioning(self, dataset: str, draft: JobDraft) -> JobState:
        """Create a job that captions a dataset, without starting it."""

    def list_captionings(self) -> tuple[JobState, ...]:
        """Return the captioning jobs, newest first."""


class LoraStore(Protocol):
    """The LoRA files that a server has."""

    def list(self) -> tuple[ServerLora, ...]:
        """Return those of the jobs, newest first, then those of the server's own folder."""

    def upload(self, file: Upload, progress: Progress, *, overwrite: bool = False) -> ServerLora:
        """Send a file to that folder, and return it as it is listed then."""


class SettingsStore(Protocol):
    """The server's own settings by its names for them; what is secret is a `Secret`."""

    def read(self) -> dict[str, str | Secret]:
        """Return all settings."""

    def write(self, values: Mapping[str, str | Secret]) -> None:
        """Write all settings."""


class Backend(Protocol):
    """One server. A method whose ability is missing raises `NotSupported`.

    Besides what is said below, every method raises `ConnectionFailed`, `ServerNotReady`,
    `Unauthorized`, `Rejected` or `UnexpectedReply`.
    """

    @property
    def url(self) -> str:
        """The server's address, without secrets."""

    @property
    def flavour(self) -> Flavour:
        """Which face of AI Toolkit this is."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What this server can do."""

    def list_datasets(self) -> tuple[str, ...]:
        """Return the names of the datasets, sorted."""

    def get_dataset(self, name: str) -> DatasetInfo:
        """Return a dataset with its captions; `NotFound` when there is none."""

    def server_names(self, dataset: str, files: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Return the names that the server will give to a dataset and to its files."""

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Return those of `files` that the server lacks, and those it has with other content."""

    def upload(
        self, dataset: str, files: Sequence[Upload], progress: Progress
    ) -> Mapping[str, str] | None:
        """Make the dataset if need be, and send `files`; `TransferFailed` for those that fail.

        The SHA-256 of what was sent is returned by name, where it is known.
        """

    def caption_images(
        self, images: Sequence[Path], trigger: str, progress: Progress
    ) -> tuple[str, ...]:
        """Return a caption for each local image, by the server's model; progress is in images."""

    @property
    def dataset_tools(self) -> DatasetTools:
        """What can be done to datasets that are there; `NotSupported` where nothing can."""

    @property
    def settings_store(self) -> SettingsStore:
        """The server's own settings; `NotSupported` where it has none."""

    @property
    def loras(self) -> LoraStore:
        """Its LoRA files; `NotSupported` where it does not list them."""

    def list_jobs(self) -> tuple[JobState, ...]:
        """Return the training jobs, newest first."""

    def all_jobs(self) -> tuple[JobState, ...]:
        """Return the jobs of all types, newest first: whatever may use a GPU."""

    def get_job(self, name: str, job_id: str | None = None) -> JobState:
        """Return the job as it stands now, or `NotFound`; by `job_id` also if it was renamed."""

    def create_job(self, draft: JobDraft) -> JobState:
        """Create a job without starting it; `JobConflict` when the name is taken."""

    def update_job(self, state: JobState, draft: JobDraft) -> JobState:
        """Give a job that does not run another config."""

    def start_job(self, state: JobState) -> None:
        """Put the job at the end of its queue, unless it waits there already; let the queue run."""

    def stop_job(self, state: JobState) -> None:
        """Ask a job to stop; takes it out of the queue if it has not started."""

    def has_exited(self, state: JobState) -> bool:
        """Return whether a stopped job has let go of the GPU and of its files."""

    def queue_runs(self, state: JobState) -> bool:
        """Return whether the job's queue begins what waits in it."""

    def mark_stopped(self, state: JobState) -> None:
        """Call the job stopped, without a signal to a process that it may still have."""

    def delete_job(self, state: JobState) -> None:
        """Delete the job and its folder; only for a job that has exited."""

    def save_now(self, state: JobState) -> None:
        """Ask for a checkpoint at the end of the next step."""

    def sample_now(self, state: JobState) -> None:
        """Ask for samples at the end of the next step."""

    def read_log(self, state: JobState, offset: int | None) -> LogChunk:
        """Return the log from a byte offset on, or its end when `offset` is None."""

    def loss_keys(self, state: JobState) -> tuple[str, ...]:
        """Return the names of the logged metrics; empty before the first value."""

    def read_losses(self, state: JobState, key: str, since_step: int | None) -> Iterator[LossPage]:
        """Yield all points of one metric after `since_step`, page by page, oldest first."""

    def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
        """Return checkpoints and optimizer state."""

    def list_samples(self, state: JobState) -> tuple[Sample, ...]:
        """Return the sample pictures, oldest first."""

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file of the server to `target`, whole or not at all; return its bytes."""

    def thumbnail(self, path: str) -> bytes:
        """Return a small JPEG of an image; the whole image where the server makes none."""
        ...

    def open_range(self, path: str) -> AbstractContextManager[Callable[[int, int], bytes]]:
        """Return a reader `read(start, length)` of a file of the server."""

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the server's GPUs; empty when it has none."""

    def meta(self) -> Mapping[str, str]:
        """Return harmless facts worth showing, such as the version.

        `hugging_face_token` is `set` or `missing`, where the server says so.
        """

    def close(self) -> None:
        """Close connections; the backend is not used anymore."""
