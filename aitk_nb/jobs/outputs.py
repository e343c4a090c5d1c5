"""`JobOutputs`: what a job on the server produces: log, losses, samples and checkpoints."""

import time
from collections.abc import Callable

from aitk_nb.backends.base import Backend
from aitk_nb.backends.optional import SupportsNotes
from aitk_nb.errors import NotSupported
from aitk_nb.jobs.log_tail import LogTail
from aitk_nb.jobs.loss_reader import read_on
from aitk_nb.jobs.samples import LIMIT, Samples, fetch_samples, prompts_of
from aitk_nb.jobs.summary import JobSummary, summary
from aitk_nb.losses.history import LossHistory
from aitk_nb.models import (
    Ability,
    Gpu,
    JobState,
    Sample,
)
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.effective import effective_of

LARGEST = 2**26
"""Bytes of an image that are read at most."""


class JobOutputs:
    """Reads what one job leaves on its server."""

    def __init__(
        self,
        backend: Backend,
        state: JobState,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read by `backend` what belongs to a job; nothing is sent until the first call.

        Args:
            backend: What sends the requests.
            state: The job's last known state.
            sleep: Waits for a number of seconds.
            clock: Returns the time in seconds.
        """
        self._backend = backend
        self._sleep = sleep
        self._clock = clock
        self._log = LogTail()
        self._shown: tuple[Sample, ...] = ()
        self.state = state
        """The job's state in the last response."""

    @property
    def name(self) -> str:
        """The job's unique name."""
        return self.state.name

    def can(self, ability: Ability) -> bool:
        """Return whether the job's server supports an `ability`."""
        return ability in self._backend.abilities

    def refresh(self) -> JobState:
        """Return the job's present state from the server, and keep it as `state`.

        Raises:
            NotFound: The job was deleted.
        """
        self.state = self._backend.get_job(self.name, self.state.id)
        return self.state

    def log(self, tail: int | None = None) -> str:
        """Return the log.

        Args:
            tail: Number of last lines, as a terminal shows them: without what was written over and
                without tokens; only what is new is read. None returns the raw end, up to 5 MiB.

        Raises:
            NotSupported: The server does not show logs.
        """
        if tail is None:
            return self._backend.read_log(self.state, None).text
        self._log.read(self._backend, self.state)
        return "\n".join(self._log.lines(tail))

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs that the job uses, with memory in MiB.

        Raises:
            NotSupported: The server does not list its GPUs.
        """
        wanted = set(self.state.gpu_ids.split(","))
        return tuple(gpu for gpu in self._backend.gpus() if str(gpu.index) in wanted)

    def losses(self, since: LossHistory | None = None) -> LossHistory:
        """Return all values that the job has logged.

        Args:
            since: A history from an earlier call, so that only what is new is read. If the job was
                restarted from an earlier step since, the result lacks what the server deleted and
                marks the restart.

        Returns:
            The values of each metric by step.

        Raises:
            NotSupported: The server does not show losses.
        """
        history = since if since is not None else LossHistory(name=self.name, sampling=self._pauses)
        return read_on(self._backend, self.state, history)

    @property
    def _pauses(self) -> int:
        """Number of steps between samples; 0 if unknown."""
        if not prompts_of(self.state.config):
            return 0
        every = value_at(effective_of(self.state.config), "sample.sample_every")
        return every if isinstance(every, int) else 0

    @property
    def _notes(self) -> SupportsNotes:
        if isinstance(self._backend, SupportsNotes):
            return self._backend
        raise NotSupported("kill a job or keep its notes", "Gradio", "Write to its log or folder.")

    def notes(self) -> str:
        """Return the notes that people have written on the job; empty if there are none.

        Raises:
            NotSupported: The server keeps no notes, as before AI Toolkit 0.13.
        """
        return self._notes.read_notes(self.state)

    def write_notes(self, text: str) -> None:
        """Replace the notes on the job, which the web UI shows to everyone who uses it.

        They are deleted with the job, and lost if it is renamed. Without the password, anyone who
        knows their path can read them.

        Args:
            text: The notes, in Markdown.

        Raises:
            NotSupported: The server keeps no notes, as before AI Toolkit 0.13.

        Example:
            >>> job.write_notes("The best one so far.")
            >>> job.notes()
            'The best one so far.'
        """
        self._notes.write_notes(self.state, text)

    def samples(self, limit: int = LIMIT) -> Samples:
        """Return the samples, oldest first: images, videos, sound or text.

        A notebook shows the newest ones by prompt and step. What it shows is fetched now, small,
        and once only. The prompts are those of the job's present config.

        Args:
            limit: How many to fetch at most, in whole steps as far as they fit; 0 only lists them.

        Returns:
            All samples; `shown` are those that were fetched.

        Raises:
            NotSupported: The server does not list samples.
        """
        listed = self._backend.list_samples(self.state)
        found = fetch_samples(self._backend, listed, self.state.config, limit, self._shown)
        self._shown = found.shown or self._shown
        return found

    def sample_text(self, sample: Sample) -> str:
        """Return a sample of a model that generates text, whose name ends in `.txt`.

        Args:
            sample: One of `samples()`.
        """
        return self.sample_image(sample).decode("utf-8", "replace")

    def sample_image(self, sample: Sample) -> bytes:
        """Return the file of a sample.

        Args:
            sample: One of `samples()`.

        Returns:
            Its bytes, at most 64 MiB.
        """
        with self._backend.open_range(sample.path) as read:
            return read(0, LARGEST)

    def summary(self) -> JobSummary:
        """Return the final loss and the files with the state, without anything random.

        Returns:
            What repeats when the same job is run again: no id, time, URL or path.
        """
        return summary(self._backend, self.state)
