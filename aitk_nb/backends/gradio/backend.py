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
from typing import Final, NoReturn

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.gradio.app import TEXTS
from aitk_nb.backends.gradio.captions import write_captions
from aitk_nb.backends.gradio.job_states import Place
from aitk_nb.backends.gradio.jobs import GradioJobs
from aitk_nb.backends.gradio.journal import JobNote
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import BadInput, NotSupported
from aitk_nb.models import Ability, DatasetInfo, Flavour, JobState, JobStatus, LossPage, RemoteFile

_ALWAYS: Final = frozenset(
    (Ability.LIST_DATASETS, Ability.UPLOAD, Ability.CAPTION_IMAGES, Ability.TRAIN,
     Ability.LIST_JOBS)
)  # fmt: skip
_SERVED: Final = frozenset({Ability.LOSSES, Ability.FILES, Ability.DOWNLOAD})


def _cannot(ability: Ability, what: str = "") -> NotSupported:
    """Return the error that says what to do instead."""
    return NotSupported(ability.value, "Gradio", TEXTS["instead"][what or ability.name])


def _refusing(ability: Ability, what: str = "") -> Callable[..., NoReturn]:
    """Return a method that raises `NotSupported`, and says what to do instead."""

    def refuse(*_given: object) -> NoReturn:
        raise _cannot(ability, what)

    return refuse


class Gradio(GradioJobs):
    """One Gradio app of AI Toolkit."""

    _shows_own = False
    """Whether files of the server's own folder were seen."""

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
        if results not in TEXTS["results"]:
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
        shown = self._served or self._shows_own
        return _ALWAYS | _SERVED if shown else _ALWAYS

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
        raise _cannot(Ability.EDIT_DATASETS)

    @property
    def settings_store(self) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.SETTINGS)

    @property
    def loras(self) -> NoReturn:
        """Raise `NotSupported`."""
        raise _cannot(Ability.LORAS)

    # -- jobs --------------------------------------------------------------------------------

    def has_exited(self, state: JobState) -> bool:
        """Return whether the job is known to have ended."""
        return state.status.is_final

    def queue_runs(self, state: JobState) -> bool:
        """Return True: the queue of a Gradio app always runs."""
        return True

    delete_job = _refusing(Ability.DELETE)
    save_now = _refusing(Ability.SAVE_NOW)
    sample_now = _refusing(Ability.SAMPLE_NOW)
    read_log = _refusing(Ability.LOG)
    gpus = _refusing(Ability.GPUS)
    list_samples = _refusing(Ability.SAMPLES)

    thumbnail = _refusing(Ability.SAMPLES, "thumbnail")

    # -- what a job leaves behind -------------------------------------------------------------

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

    def _shown(self, state: JobState, ability: Ability) -> JobNote:
        """Return what is noted of a job whose folder the server shows."""
        note, own = self._note(state.name), not self._served
        own = own and note.folder.startswith("output/")
        if not own or (note.started is not None and self._results.is_accepted(note)):
            self._shows_own = self._shows_own or own
            return note
        waits = self._now(state.name).status is JobStatus.QUEUED
        if note.started is None or self._shows_own or waits:
            return replace(note, folder="")  # an older job of that name may have left something
        raise _cannot(ability, "hidden")

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file of the server to `target`, whole or not at all; return its bytes."""
        return self._route.download(path, target, progress)

    def open_range(self, path: str) -> AbstractContextManager[Callable[[int, int], bytes]]:
        """Return a reader `read(start, length)` of a file of the server."""
        return self._route.open_range(path)

    def meta(self) -> Mapping[str, str]:
        """Return the version of Gradio, and what is particular about this flavour."""
        return {
            "Gradio": self._app.version,
            "jobs and datasets": "those started from this computer",
            "results": TEXTS["results"]["served" if self._served else "server"],
        }
