"""AI Toolkit's Gradio app (`flux_train_ui.py`, and forks of it), of Gradio 4.44, 5 and 6.

By itself it takes a dataset and starts a training job, and reports nothing more. The rest comes
from the job's folder (`job_outputs`), from notes on this computer (`journal`), and, after a lost
connection, from what can still be seen (`outcome`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, NoReturn

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.gradio.app import GradioApp
from aitk_nb.backends.gradio.attach import attached, is_folder
from aitk_nb.backends.gradio.captions import write_captions
from aitk_nb.backends.gradio.datasets import GradioDatasets
from aitk_nb.backends.gradio.files import FileRoute
from aitk_nb.backends.gradio.job_outputs import Results
from aitk_nb.backends.gradio.jobs import GradioJobs
from aitk_nb.backends.gradio.journal import JobNote, Journal
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.gradio.outcome import Verdict
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import BadInput, NotSupported
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobDraft, JobState, JobStatus, LogChunk, RemoteFile, Sample
from aitk_nb.models.loss import LossPage
from aitk_nb.models.server import Ability, Flavour

Place = Literal["served", "server"]
"""Where jobs are written: below the folder that the server shows, or where the server does."""

_ALWAYS: Final = frozenset(
    (Ability.LIST_DATASETS, Ability.UPLOAD, Ability.CAPTION_IMAGES, Ability.TRAIN,
     Ability.LIST_JOBS)
)  # fmt: skip
_SERVED: Final = frozenset({Ability.LOSSES, Ability.FILES, Ability.DOWNLOAD})

_SAID: Final[Mapping[Place, str]] = {
    "served": (
        "below the server's upload folder, so that losses and files can be read; "
        "GradioOptions(results='server') leaves them in the server's own"
    ),
    "server": (
        "in the server's own folder, which can be read only if the server was started with "
        "GRADIO_ALLOWED_PATHS=output"
    ),
}


class Gradio:
    """One Gradio app of AI Toolkit."""

    def __init__(
        self,
        http: GradioHttp,
        *,
        api_names: Mapping[str, str] | None = None,
        results: Place = "served",
        journal: Journal | None = None,
    ) -> None:
        """Use `api_names`, by operation, for a fork; nothing is sent before the first call."""
        self._http = http
        self._place: Place = results
        self._app = GradioApp(http, api_names)
        self._route = FileRoute(self._app)
        self._results = Results(self._route)
        journal = journal or Journal(http.url)
        self._datasets = GradioDatasets(self._app, self._route, journal)
        self._jobs = GradioJobs(
            self._app, self._datasets, self._results, journal, served=results == "served"
        )
        self._shows_own = False

    def __repr__(self) -> str:
        return f"<Gradio {self.url}>"

    @classmethod
    def connected(
        cls, connection: Connection, api_names: Mapping[str, str] | None, results: Place
    ) -> Gradio:
        """Return the backend, having looked at the app as somebody without a login.

        Raises:
            BadInput: `results` is invalid.
            NotSupported: It is an app of Gradio 3.
        """
        if results not in _SAID:
            raise BadInput(f"results is 'served' or 'server', not {results!r}.")
        # Twice: after an error the app drops the connection that it came on.
        backend = cls(GradioHttp(connection, attempts=2), api_names=api_names, results=results)
        try:
            backend._app.look()
        except BaseException:
            backend.close()
            raise
        return backend

    @property
    def url(self) -> str:
        """The server's address, without secrets."""
        return self._http.url

    @property
    def flavour(self) -> Flavour:
        """Always `Flavour.GRADIO`."""
        return Flavour.GRADIO

    @property
    def abilities(self) -> frozenset[Ability]:
        """What can be had of such an app; results only where its file route shows them."""
        shown = self._place == "served" or self._shows_own
        return _ALWAYS | _SERVED if shown else _ALWAYS

    def close(self) -> None:
        """Close connections; a training job goes on, and one that still waits is lost."""
        self._jobs.close()
        self._http.close()

    # -- datasets ----------------------------------------------------------------------------

    def list_datasets(self) -> tuple[str, ...]:
        """Return the names of the datasets that were sent from here and are still there."""
        self._app.log_in()
        return self._datasets.list()

    def get_dataset(self, name: str) -> DatasetInfo:
        """Return a dataset with its captions, as it was sent."""
        return self._datasets.get(name)

    def server_names(self, dataset: str, files: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Return the names as they are: files are sent under numbers, so that none collide."""
        return dataset, tuple(files)

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Return those of `files` that the server lacks, and those it has with other content."""
        return self._datasets.missing(dataset, files)

    def upload(self, dataset: str, files: Sequence[Upload], progress: Progress) -> None:
        """Send `files`, and make the dataset."""
        self._datasets.upload(dataset, files, progress)

    def caption_images(
        self, images: Sequence[Path], trigger: str, progress: Progress
    ) -> tuple[str, ...]:
        """Return a caption for each image, by the server's model."""
        return write_captions(self._app, images, trigger, progress)

    @property
    def dataset_tools(self) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(
            Ability.EDIT_DATASETS,
            "Its datasets are hidden in sessions: change the local folder and upload it again.",
        )

    @property
    def settings_store(self) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.SETTINGS, "They are environment variables of the server's process.")

    @property
    def loras(self) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.LORAS, "job.files() lists those of a job that was started here.")

    # -- jobs --------------------------------------------------------------------------------

    def list_jobs(self) -> tuple[JobState, ...]:
        """Return the jobs that were started from here, newest first."""
        self._app.log_in()
        return self._jobs.states()

    all_jobs = list_jobs  # all of them train

    def get_job(self, name: str, job_id: str | None = None) -> JobState:
        """Return the job as it stands now.

        The server's folder of a job is a name too: so a job is taken up that was started elsewhere.
        """
        if is_folder(name):
            return self._jobs.adopt(attached(name, self._app, self._route))
        return self._jobs.state(name)

    def create_job(self, draft: JobDraft) -> JobState:
        """Note a job without starting it."""
        return self._jobs.state(self._jobs.create(draft).name)

    def update_job(self, state: JobState, draft: JobDraft) -> JobState:
        """Give a job that does not run another config."""
        return self._jobs.state(self._jobs.update(state.name, draft).name)

    def start_job(self, state: JobState) -> None:
        """Put the job into the server's queue, unless it is there already."""
        self._jobs.start(state.name)

    def stop_job(self, state: JobState) -> None:
        """Take a job out of the queue; what has started cannot be stopped."""
        self._jobs.stop(state.name)

    def has_exited(self, state: JobState) -> bool:
        """Return whether the job is known to have ended."""
        return state.status.is_final

    def queue_runs(self, state: JobState) -> bool:
        """Return True: the queue of a Gradio app always runs."""
        return True

    def mark_stopped(self, state: JobState) -> None:
        """Note a job as stopped, whatever it does on the server."""
        self._jobs.mark_stopped(state.name)

    def delete_job(self, state: JobState) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.DELETE, "Delete its folder on the server yourself.")

    def save_now(self, state: JobState) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.SAVE_NOW, "Choose save_every before the start.")

    def sample_now(self, state: JobState) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.SAMPLE_NOW, "Choose sample_every and prompts before the start.")

    def verdict(self, name: str) -> tuple[Verdict, str]:
        """Return what holds of a job whose connection was lost, and what that is known from."""
        return self._jobs.verdict(name)

    # -- what a job leaves behind -------------------------------------------------------------

    def read_log(self, state: JobState, offset: int | None) -> LogChunk:
        """Raise `NotSupported`."""
        raise _cannot(Ability.LOG, "It prints only to the server's terminal; look there.")

    def loss_keys(self, state: JobState) -> tuple[str, ...]:
        """Return the names of the logged metrics; empty before the first value."""
        note = self._shown(state, Ability.LOSSES)
        return self._results.loss_keys(note) if note.folder else ()

    def read_losses(self, state: JobState, key: str, since_step: int | None) -> Iterator[LossPage]:
        """Yield all points of one metric after `since_step`, in one page."""
        note = self._shown(state, Ability.LOSSES)
        if not note.folder:
            return iter((LossPage(key, (), ()),))
        return self._results.losses(note, key, since_step)

    def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
        """Return checkpoints and optimizer state, by the names that they must have."""
        note = self._shown(state, Ability.FILES)
        return self._results.files(note) if note.folder else ()

    def list_samples(self, state: JobState) -> tuple[Sample, ...]:
        """Raise `NotSupported`."""
        raise _cannot(
            Ability.SAMPLES,
            "The server lists no folders, and a sample's file name contains the time at which it "
            "was made. Look in the folder samples of the job's folder on the server.",
        )

    def thumbnail(self, path: str) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.SAMPLES, "Look in its folder on the server.")

    def _shown(self, state: JobState, ability: Ability) -> JobNote:
        """Return what is noted of a job whose folder the server shows."""
        note, own = self._jobs.note(state.name), self._place == "server"
        own = own and note.folder.startswith("output/")
        if not own or (note.started is not None and self._results.is_accepted(note)):
            self._shows_own = self._shows_own or own
            return note
        waits = self._jobs.state(state.name).status is JobStatus.QUEUED
        if note.started is None or self._shows_own or waits:
            return replace(note, folder="")  # an older job of that name may have left something
        raise _cannot(
            ability,
            "The server shows nothing of the job in its own folder. If it has begun, start the "
            "server with GRADIO_ALLOWED_PATHS=output, or connect with results='served'.",
        )

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file of the server to `target`, whole or not at all; return its bytes."""
        return self._route.download(path, target, progress)

    def open_range(self, path: str) -> AbstractContextManager[Callable[[int, int], bytes]]:
        """Return a reader `read(start, length)` of a file of the server."""
        return self._route.open_range(path)

    def gpus(self) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.GPUS, "Check on the machine itself, e.g. with nvidia-smi.")

    def meta(self) -> Mapping[str, str]:
        """Return the version of Gradio, and what is particular about this flavour."""
        return {
            "Gradio": self._app.version,
            "jobs and datasets": "those started from this computer",
            "results": _SAID[self._place],
        }


def _cannot(ability: Ability, instead: str) -> NotSupported:
    return NotSupported(ability.value, "Gradio", instead)
