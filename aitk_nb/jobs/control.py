"""`JobControl`: what can be done to one job on the server."""

from aitk_nb.errors import AitkError, BadInput
from aitk_nb.jobs.files import JobFiles
from aitk_nb.jobs.queue import GpuRelease, own_repair
from aitk_nb.jobs.requested_save import RequestedSave
from aitk_nb.models.job import JobState, JobStatus

SAVES_WITHIN = 600.0
"""Seconds in which a checkpoint that was requested should be complete."""

STOPS_WITHIN = 60.0
"""Seconds in which a job that was asked to stop should have ended."""


class JobControl(JobFiles):
    """Stops, saves, samples, repairs and deletes one job."""

    saved: tuple[str, ...] = ()
    """Files of the checkpoint that the last `stop(save=True)` has written."""

    _ran: int | None = None
    """The process that it was last seen to run in."""

    def stop(self, *, save: bool = False, timeout: float | None = None) -> JobState:
        """Stop the job, and wait until it has released the GPU, as far as the server shows it.

        A queued job is taken out of its queue; a job that has ended is left as it is.

        Args:
            save: Write a checkpoint first, and stop only once it is complete; otherwise the steps
                since the last one are lost. `saved` then names its files.
            timeout: Seconds to wait at most, for the checkpoint and then for the end; by default
                600 and 60.

        Returns:
            Its state afterwards.

        Raises:
            AitkError: The job did not save, and was not stopped; or it did not end in time.
            NotSupported: The server can't stop jobs or, with `save`, save on demand.
        """
        state = self.refresh()
        self.saved = ()
        kept: dict[str, int] = {}
        if save and state.status is JobStatus.RUNNING:
            save_first = RequestedSave(self._backend, state, timeout or SAVES_WITHIN)
            kept = save_first.wait(self.refresh, self._sleep, self._clock)
            state = self.state
        release = None
        if state.status is not JobStatus.QUEUED and not self._backend.has_exited(state):
            release = GpuRelease(self._backend, state.gpu_ids)
        if state.status.is_active:
            self._backend.stop_job(state)
        self._wait_for_exit(timeout or STOPS_WITHIN)
        if release is not None:
            release.wait(self._sleep, self._clock)
        # Its last words were read after its state, which may have changed in between.
        state = self.refresh()
        sizes = {file.name: file.size for file in self._backend.list_files(state)} if kept else {}
        if any(sizes.get(name, -1) != size for name, size in kept.items()):
            raise AitkError(f"{self.name} has ended, and its checkpoint is gone or has changed.")
        self.saved = tuple(kept)
        return state

    def _wait_for_exit(self, timeout: float) -> None:
        until = self._clock() + timeout
        while not self._backend.has_exited(state := self.refresh()):
            if state.has_died:
                raise AitkError(
                    f"The server found no process of {self.name} to stop, and still calls it "
                    f"running, which blocks its queue. Free it with {own_repair(self.name)}."
                )
            if self._clock() >= until:
                raise AitkError(
                    f"{self.name} was asked to stop and did not end within {timeout:g} s; the "
                    f"server says {state.info or state.status.value!r}. If it is loading a model, "
                    f"try again later. If its process has died, {own_repair(self.name)} frees "
                    "its queue. If it hangs, job.kill() ends it, or --kill (AI Toolkit 0.13)."
                )
            self._sleep(0.5)

    def delete(self, *, timeout: float = STOPS_WITHIN) -> None:
        """Stop the job if it runs, and delete it with its checkpoints, samples and losses.

        Args:
            timeout: Seconds to wait for it to stop.

        Raises:
            AitkError: It did not stop, and was not deleted: its process would keep running.
            NotSupported: The server can't delete jobs.
        """
        self.stop(timeout=timeout)
        self._backend.delete_job(self.state)

    def repair(self, *, confirmed: bool = False) -> JobState:
        """Mark a job as stopped if its process is gone and the server still lists it as active.

        No signal is sent: a process that still exists keeps running and keeps the GPU.

        Args:
            confirmed: Must be true; call `health()` first.

        Returns:
            Its state afterwards.

        Raises:
            BadInput: It was not confirmed.
        """
        state = self.refresh()
        if not state.status.is_active:
            return state
        if not confirmed:
            raise BadInput(
                f"This marks {self.name} as stopped, and a process that still exists goes on. If "
                "job.health() says dead or stalled, call job.repair(confirmed=True); use "
                "job.stop() for a job that is alive."
            )
        self._backend.mark_stopped(state)
        return self.refresh()

    def kill(self) -> JobState:
        """Kill the process of a job that `stop` did not end; unsaved steps are lost.

        The server kills whatever process has the job's process id, so this is only for a job that
        runs, or that this handle has seen running and that has not ended since.

        Returns:
            Its state afterwards.

        Raises:
            BadInput: The job does not run, so that another process may have its id by now.
            AitkError: The server found no such process.
            NotSupported: The server can't kill jobs, as before AI Toolkit 0.13.
        """
        ran = self._ran
        state = self.refresh()
        runs = state.status in (JobStatus.RUNNING, JobStatus.STOPPING)
        hangs = state.pid == ran and not self._backend.has_exited(state)
        if state.pid is None or not (runs or hangs):
            raise BadInput(
                f"{self.name} is {state.status.value}, so its process id may belong to another "
                "process by now. It was not killed."
            )
        if not self._notes.kill_job(state):
            raise AitkError(f"The server found no process of {self.name}; job.repair() frees it.")
        return self.refresh()

    def refresh(self) -> JobState:
        """Return the job's present state from the server, and keep it as `state`.

        Raises:
            NotFound: The job was deleted or renamed.
        """
        state = super().refresh()
        if state.status is JobStatus.RUNNING:
            self._ran = state.pid
        return state

    def save_now(self) -> None:
        """Request a checkpoint at the end of the next step.

        Raises:
            NotSupported: The server can't save on demand.
        """
        self._backend.save_now(self.state)

    def sample_now(self) -> None:
        """Request samples at the end of the next step.

        Raises:
            NotSupported: The server can't sample on demand.
        """
        self._backend.sample_now(self.state)
