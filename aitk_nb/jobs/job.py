"""`Job`: the handle of one training job on the server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from aitk_nb import _html
from aitk_nb.backends.wire.deadline import deadline
from aitk_nb.errors import (
    AitkError,
    BadInput,
    ConnectionFailed,
    JobFailed,
    Rejected,
    UnexpectedReply,
)
from aitk_nb.jobs.gpu_release import GpuRelease
from aitk_nb.jobs.health import Health
from aitk_nb.jobs.health_monitor import HealthMonitor
from aitk_nb.jobs.outputs import JobOutputs
from aitk_nb.jobs.queue import QueuePosition, own_repair, queue_position
from aitk_nb.jobs.requested_save import RequestedSave
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus, StartResult
from aitk_nb.training.config_files import portable
from aitk_nb.training.params import TrainingParams

EVERY = 2.0
"""Seconds between requests; the server's own worker and page poll no more often."""

HEALTH_TIMEOUT = 8.0
"""Seconds after which a server that is asked for a job's health counts as unreachable."""

SAVES_WITHIN = 600.0
"""Seconds in which a checkpoint that was requested should be complete."""

STOPS_WITHIN = 60.0
"""Seconds in which a job that was asked to stop should have ended."""


class Job(JobOutputs):
    """One training job on the server, known by its name.

    `state` is the state in the last response; `refresh()` requests it again.

    Example:
        >>> job = client.jobs.get("cat")
        >>> job.wait().step
        20
        >>> job.download("loras").path
        'loras/cat.safetensors'
    """

    start_result: StartResult | None = None
    """What `client.jobs.start` did; None if the job comes from another call."""
    resumed_from = ""
    """The step and the checkpoint at which a resumed job continues, as a phrase."""

    saved: tuple[str, ...] = ()
    """Files of the checkpoint that the last `stop(save=True)` has written."""

    _ran: int | None = None
    """The process that it was last seen to run in."""

    @cached_property
    def _monitor(self) -> HealthMonitor:
        return HealthMonitor(self._backend, self._clock)

    # -- following it --------------------------------------------------------------------------

    def watch(self, every: float = EVERY, timeout: float | None = None) -> Iterator[JobState]:
        """Yield each new state until the job has ended.

        If you leave the loop or interrupt it, the job keeps running.

        Args:
            every: Seconds between requests.
            timeout: Seconds to watch at most; None watches to the end.

        Raises:
            AitkError: The job did not end in time.
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
                    f"step {state.step} and keeps running."
                )
            left = every if until is None else until - self._clock()
            self._sleep(min(every, max(0.0, left)))

    def wait(self, timeout: float | None = None, *, every: float = EVERY) -> JobState:
        """Wait until the job has completed.

        Args:
            timeout: Seconds to wait at most; None waits to the end.
            every: Seconds between requests.

        Returns:
            Its final state.

        Raises:
            JobFailed: The job ended in an error or was stopped.
            AitkError: The job did not end in time.
        """
        for _state in self.watch(every, timeout):
            pass
        state = self.state
        if state.status is not JobStatus.COMPLETED:
            raise JobFailed(state.name, state.status.value, state.step, state.info)
        return state

    def queue_position(self) -> QueuePosition | None:
        """Return the job's position in its queue; None if it does not wait, or it is unknown."""
        return queue_position(self._backend, self.refresh())

    def health(self, losses: LossHistory | None = None) -> Health:
        """Return how the job is doing, as far as the server reveals it.

        A job that is stuck is recognized over several calls: one call sees only what the server
        says.

        Args:
            losses: The losses if they were just read, so that they are not requested again.

        Returns:
            The state, what is known about it, and what to do.

        Raises:
            NotFound: The job was deleted.
            Unauthorized: The server does not accept the token anymore.
        """
        try:
            with deadline(HEALTH_TIMEOUT):
                return self._monitor.check(self.refresh(), losses)
        except (ConnectionFailed, UnexpectedReply, Rejected) as exc:
            if isinstance(exc, Rejected) and exc.status < 500:
                raise
            return self._monitor.unreachable(exc)

    # -- acting on it --------------------------------------------------------------------------

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

    def params(self, **changes: object) -> TrainingParams:
        """Return the training parameters of the job, to train a variant of it.

        Args:
            **changes: Fields that differ, such as another `name`.

        Returns:
            The parameters, for `client.jobs.start`.

        Raises:
            InvalidParams: The parameters cannot express the job's config.

        Example:
            >>> job.params(name="cat_2", steps=2000).steps
            2000
        """
        gpu_ids = {"gpu_ids": self.state.gpu_ids} if self.state.gpu_ids else {}
        return TrainingParams.from_config(portable(self.state.config), **{**gpu_ids, **changes})

    # -- how it shows itself -------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Job {self.name!r} {self.state.status.value} step {self.state.step}>"

    def _repr_html_(self) -> str:
        state = self.state
        rows = [
            ("status", state.status.value),
            ("step", state.step_text),
            ("server says", state.info),
        ]
        return _html.table(("job", self.name), rows)
