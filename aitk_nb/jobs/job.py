"""`Job`: the handle of one training job on the server."""

from collections.abc import Iterator
from functools import cached_property

from aitk_nb._display import html
from aitk_nb.backends.wire.deadline import deadline
from aitk_nb.errors import (
    AitkError,
    ConnectionFailed,
    JobFailed,
    Rejected,
    UnexpectedReply,
)
from aitk_nb.jobs.control import JobControl
from aitk_nb.jobs.health import Health
from aitk_nb.jobs.health_monitor import HealthMonitor
from aitk_nb.jobs.queue import QueuePosition, queue_position
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus, StartResult
from aitk_nb.training.config_files import portable
from aitk_nb.training.params import TrainingParams

EVERY = 2.0
"""Seconds between requests; the server's own worker and page poll no more often."""

HEALTH_TIMEOUT = 8.0
"""Seconds after which a server that is asked for a job's health counts as unreachable."""


class Job(JobControl):
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
        return html.table(("job", self.name), rows)
