"""`JobOutputs`: what a job on the server produces: log, losses, samples and checkpoints."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from aitk_nb._display.progress import ProgressOption
from aitk_nb.backends.base import Backend
from aitk_nb.backends.optional import SupportsNotes
from aitk_nb.errors import NotSupported
from aitk_nb.jobs.checkpoints import Which, chosen, local_name, program_folder, saved_steps
from aitk_nb.jobs.downloads import Downloads, Wanted
from aitk_nb.jobs.log_tail import LogTail
from aitk_nb.jobs.loss_reader import read_on
from aitk_nb.jobs.samples import LIMIT, Samples, fetch_samples, prompts_of
from aitk_nb.jobs.summary import JobSummary, summary
from aitk_nb.lora.api import LoraReport, inspect_lora
from aitk_nb.losses.history import LossHistory
from aitk_nb.models import (
    Ability,
    DownloadReport,
    Gpu,
    JobState,
    RemoteFile,
    Sample,
    safe_file_name,
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

    def files(self) -> tuple[RemoteFile, ...]:
        """Return the files of the checkpoints and of the optimizer state, with sizes in bytes.

        Raises:
            NotSupported: The server does not list files.
        """
        return self._backend.list_files(self.state)

    def checkpoints(self) -> tuple[int, ...]:
        """Return the steps of the checkpoints that the server still has."""
        files = self.files() if self.can(Ability.FILES) else ()
        return saved_steps(self._latest, files)

    @property
    def _latest(self) -> JobState:
        # The last file has no number in its name: it was saved at the step of now.
        return self.state if self.state.status.is_final else self.refresh()

    def download(
        self,
        folder: str | Path = ".",
        which: Which | RemoteFile | Sample = "final",
        *,
        samples: bool = True,
        config: bool = True,
        to: str = "",
        name: str = "",
        progress: ProgressOption = "auto",
    ) -> DownloadReport:
        """Download checkpoints with the job's samples and its config, each file once.

        `aitk-download.json` in the folder records the SHA-256 of each file. A second call, also of
        another kernel, compares the files with it and with the server, and fetches only the rest. A
        checkpoint that is still being written is waited for.

        Args:
            folder: Where to write. Another file of the same name is kept under a new name.
            which: `"final"`: the final LoRA, or the newest checkpoint while there is none. `"all"`.
                `"best"`: the one whose `val/loss` is lowest, by more than its spread. A list of
                steps. Or one of `files()` or `samples()`, or its name, without anything else.
            samples: Bring the samples, into the folder `<job>_samples`.
            config: Bring the config, as the job file `<job>.yaml`.
            to: `"comfyui:PATH"` or `"a1111:PATH"`, with the folder of that program: checkpoints
                alone are written where it looks for LoRAs, instead of to `folder`.
            name: Name of the checkpoints here, in the place of the job's.
            progress: Called with the bytes done and the bytes in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            The path of the last checkpoint, and the SHA-256 of all files.

        Raises:
            NotFound: The job has no such file or checkpoint, or no LoRA yet.
            BadInput: No checkpoint is clearly the best, `name` can't be a file name, or there is
                not enough space.
            AitkError: A download failed; nothing is left under the final name.

        Example:
            >>> sorted(job.download("loras", "all").files)
            ['loras/cat.safetensors', 'loras/cat.yaml']
        """
        target = program_folder(to) if to else Path(folder).expanduser()
        downloads = Downloads(self._backend, self.state, target, self._clock, self._sleep)
        if isinstance(which, RemoteFile | Sample):
            return downloads.fetch([Wanted(which, safe_file_name(which.name))], progress)
        losses = self.losses() if which == "best" else None
        found = chosen(which, self._latest, self.files(), losses)
        wanted = [Wanted(one, local_name(one, self.name, name)) for one in found]
        alone = bool(to) or which == found[0].name
        if samples and not alone:
            wanted += downloads.samples()
        return downloads.fetch(wanted, progress, config=config and not alone)

    def inspect_lora(self, which: str | Iterable[int] = "final") -> LoraReport:
        """Return what a checkpoint on the server contains, of which only the header is read.

        Args:
            which: As for `download`; of several the last one.

        Returns:
            What the header says; `finite` and `zero_tensors` are None.

        Raises:
            NotFound: The job has no such checkpoint.
            BadInput: It is not a safetensors file, or is incomplete.
            UnexpectedReply: The server, or a gateway, sends whole files only; nothing was read.

        Example:
            >>> job.inspect_lora().rank
            16
        """
        losses = self.losses() if which == "best" else None
        remote = chosen(which, self._latest, self.files(), losses)[-1]
        with self._backend.open_range(remote.path) as read:
            return inspect_lora(read, size=remote.size, name=remote.name)

    def summary(self) -> JobSummary:
        """Return the final loss and the files with the state, without anything random.

        Returns:
            What repeats when the same job is run again: no id, time, URL or path.
        """
        return summary(self._backend, self.state)
