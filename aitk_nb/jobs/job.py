"""`Job`: the handle of one training on the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aitk_nb import _html
from aitk_nb.backends.wire.deadline import hurry
from aitk_nb.errors import AitkError, BadInput, ConnectionFailed, Rejected, UnexpectedReply
from aitk_nb.jobs.download import fetch, saved_steps, the_file
from aitk_nb.jobs.health import Health
from aitk_nb.jobs.health_monitor import Vitals
from aitk_nb.jobs.log_tail import LogTail
from aitk_nb.jobs.loss_reader import read_on
from aitk_nb.jobs.summary import summary
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import DownloadReport, JobStatus
from aitk_nb.models.server import Ability
from aitk_nb.training.config_files import portable
from aitk_nb.training.params import TrainingParams

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend, Progress
    from aitk_nb.models.job import JobState, RemoteFile, Sample
    from aitk_nb.models.server import Gpu

__all__ = ["Job"]

EVERY = 2.0
"""Seconds between looks; the server's own worker and page look no oftener."""

IMPATIENT = 8.0
"""Seconds after which a server that is asked for a job's health counts as silent."""

LARGEST = 2**26
"""Bytes of a picture that are read at most."""

MIME = "application/vnd.aitk.job+json"


class Job:
    """One training on the server, known by its name.

    `state` is how it stood when last asked; `refresh()` asks again.
    """

    def __init__(
        self,
        backend: Backend,
        state: JobState,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._sleep = sleep
        self._clock = clock
        self._vitals = Vitals(backend, clock)
        self._log = LogTail()
        self.state = state
        """The job as it stood when last asked."""
        self.begun = ""
        """What the call that started it did, and where it waited; empty for a job that was got."""

    @property
    def name(self) -> str:
        """The job's unique name."""
        return self.state.name

    def can(self, ability: Ability) -> bool:
        """Return whether the job's server can do it at all."""
        return ability in self._backend.abilities

    def refresh(self) -> JobState:
        """Ask the server, and return the job as it stands now.

        Raises:
            NotFound: the job was deleted or renamed.
        """
        self.state = self._backend.get_job(self.name)
        return self.state

    def watch(self, every: float = EVERY, timeout: float | None = None) -> Iterator[JobState]:
        """Yield each new state until the job does not change by itself any more.

        Ask each `every` seconds. Leaving the loop, or an interrupt, stops watching and not the
        job.

        Raises:
            AitkError: it did not end within `timeout` seconds.
        """
        until = None if timeout is None else self._clock() + timeout
        seen: JobState | None = None
        while True:
            state = self.refresh()
            if state != seen:
                yield state
            seen = state
            if state.status.is_final:
                return
            if until is not None and self._clock() >= until:
                raise AitkError(
                    f"{self.name} did not end within {timeout:g} s; it is {state.status.value} at "
                    f"step {state.step} and goes on."
                )
            left = every if until is None else until - self._clock()
            self._sleep(min(every, max(0.0, left)))

    def stop(self, *, save: bool = False, timeout: float = 60.0) -> JobState:
        """Stop the job, wait until it has let go of the GPU, and return its state.

        What it did since its last checkpoint is lost, unless `save` writes one first. A job that
        waits in the queue is taken out of it; one that has ended is left as it is, and one that
        somebody else has just stopped is only waited for.

        Raises:
            AitkError: it was asked and did not end within `timeout` seconds.
        """
        state = self.refresh()
        if save and state.status is JobStatus.RUNNING:
            state = self._save_and_wait(timeout)
        if state.status.is_active:
            self._backend.stop_job(state)
        return self._wait_for_exit(timeout)

    def _save_and_wait(self, timeout: float) -> JobState:
        self._backend.save_now(self.state)
        return self._wait(
            lambda state: not (state.save_requested and state.status.is_active),
            timeout,
            "did not save",
        )

    def _wait_for_exit(self, timeout: float) -> JobState:
        self._wait(self._backend.has_exited, timeout, "was asked to stop and did not end")
        # Its last words were read after its state, which may have changed in between.
        return self.refresh()

    def _wait(self, done: Callable[[JobState], bool], timeout: float, what: str) -> JobState:
        until = self._clock() + timeout
        while not done(state := self.refresh()):
            if self._clock() >= until:
                raise AitkError(
                    f"{self.name} {what} within {timeout:g} s; the server says "
                    f"{state.info or state.status.value!r}. It may be loading a model: try again."
                )
            self._sleep(0.5)
        return state

    def delete(self, *, timeout: float = 60.0) -> None:
        """Stop the job if it runs, and delete it with its checkpoints, samples and losses.

        Raises:
            AitkError: it did not stop, and so was not deleted: it would go on without a row.
        """
        self.stop(timeout=timeout)
        self._backend.delete_job(self.state)

    def health(self, losses: LossHistory | None = None) -> Health:
        """Ask the server, and return how the job does, as far as that can be known.

        What stands still is seen by looking again: a single look tells only what the server says.
        Whoever has just read the `losses` can give them, so that they are not asked for again.

        Raises:
            NotFound: the job was deleted or renamed.
            Unauthorized: the server does not accept the token any more.
        """
        try:
            with hurry(IMPATIENT):
                return self._vitals.look(self.refresh(), losses)
        except (ConnectionFailed, UnexpectedReply) as exc:
            return self._vitals.unreachable(exc)
        except Rejected as exc:
            if exc.status < 500:
                raise
            return self._vitals.unreachable(exc)

    def repair(self, *, confirmed: bool = False) -> JobState:
        """Mark a job as stopped that the server calls active and that has no process any more.

        No signal is sent: a process that is still there goes on, and holds the GPU. So this must
        be `confirmed`, after a look at `health()`.

        Raises:
            BadInput: it was not confirmed.
        """
        state = self.refresh()
        if not state.status.is_active:
            return state
        if not confirmed:
            raise BadInput(
                f"{self.name} would be marked as stopped, and a process that it may still have "
                "would go on. If job.health() says that it is dead or stalled, call "
                "job.repair(confirmed=True); job.stop() ends a job that lives."
            )
        self._backend.mark_stopped(state)
        return self.refresh()

    def save_now(self) -> None:
        """Ask for a checkpoint at the end of the next step."""
        self._backend.save_now(self.state)

    def sample_now(self) -> None:
        """Ask for samples at the end of the next step."""
        self._backend.sample_now(self.state)

    def log(self) -> str:
        """Return the end of the log, at most 5 MiB."""
        return self._backend.read_log(self.state, None).text

    def last_lines(self, count: int = 6) -> tuple[str, ...]:
        """Return the last lines of the log as a terminal shows them; asks only for what is new."""
        self._log.read(self._backend, self.state)
        return self._log.lines(count)

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs that it runs on, as far as the server tells."""
        wanted = set(self.state.gpu_ids.split(","))
        return tuple(gpu for gpu in self._backend.gpus() if str(gpu.index) in wanted)

    def losses(self, since: LossHistory | None = None) -> LossHistory:
        """Return everything that was logged, complete however long; go on from `since` if given.

        What the server has deleted since then, because the job was started again from an earlier
        step, is not in the result, and the restart is.
        """
        history = since if since is not None else LossHistory(name=self.name, sampling=self._pauses)
        return read_on(self._backend, self.state, history)

    @property
    def _pauses(self) -> int:
        """After how many steps it makes samples; 0 when that is not known."""
        try:
            return int(self.state.config["config"]["process"][0]["sample"]["sample_every"])
        except (KeyError, IndexError, TypeError, ValueError):
            return 0

    def samples(self) -> tuple[Sample, ...]:
        """Return the sample pictures, oldest first."""
        return self._backend.list_samples(self.state)

    def picture(self, sample: Sample) -> bytes:
        """Return the file of a sample."""
        with self._backend.open_range(sample.path) as read:
            return read(0, LARGEST)

    def files(self) -> tuple[RemoteFile, ...]:
        """Return its checkpoints and its optimizer state, as the server lists them."""
        return self._backend.list_files(self.state)

    def checkpoints(self) -> tuple[int, ...]:
        """Return the steps at which the checkpoints were saved that the server still tells of."""
        files = self.files() if self.can(Ability.FILES) else ()
        # The last file has no number in its name: it was saved at the step of now.
        state = self.state if self.state.status.is_final else self.refresh()
        return saved_steps(state, files)

    def download(
        self,
        folder: str | Path = ".",
        file: str | RemoteFile | Sample = "",
        *,
        progress: Progress | None = None,
    ) -> DownloadReport:
        """Fetch a file of the job into `folder`; without `file` the LoRA, which is the last one.

        A file that is there already is not fetched again; another one of the same name is kept
        under a new name.

        Raises:
            NotFound: the job has no such file, or no LoRA yet.
            AitkError: it did not arrive whole; nothing lies under the final name.
        """
        remote = the_file(self.state, self.files(), file) if isinstance(file, str) else file
        return fetch(self._backend, remote, folder, progress, self._clock)

    def params(self, **changes: object) -> TrainingParams:
        """Return the training parameters of the job, to train a variant of it.

        Args:
            **changes: Fields that differ, such as another `name`.

        Raises:
            InvalidParams: The parameters cannot express the job's config.
        """
        gpu_ids = {"gpu_ids": self.state.gpu_ids} if self.state.gpu_ids else {}
        config = portable(self.state.config)
        return TrainingParams.from_config(config, **{**gpu_ids, **changes})

    # -- how it shows itself -------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Job {self.name!r} {self.state.status.value} step {self.state.step}>"

    def _rows(self) -> list[tuple[str, str]]:
        state = self.state
        total = f" of {state.total_steps}" if state.total_steps else ""
        return [
            ("status", state.status.value),
            ("step", f"{state.step}{total}"),
            ("server says", state.info),
            *([("start", self.begun)] if self.begun and state.status.is_active else ()),
        ]

    def _repr_html_(self) -> str:
        return _html.table(("job", self.name), self._rows())

    def summary(self) -> dict[str, Any]:
        """Return what is repeatable about the job, for machines: no id, time, URL or path."""
        return summary(self, self._backend.flavour)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return {
            "text/plain": repr(self),
            "text/html": self._repr_html_(),
            MIME: self.summary(),
        }
