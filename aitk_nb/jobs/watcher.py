"""`Watcher`: polls one job, through restarts and lost networks."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aitk_nb.backends.wire.deadline import deadline
from aitk_nb.errors import ConnectionFailed
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.progress import Backoff, StepRate
from aitk_nb.losses.history import LossHistory
from aitk_nb.models import Ability, JobState

PATIENCE = 3600.0
"""Seconds that the server may be unreachable: a laptop's network may be away for long."""

_LONGEST = 30.0
"""Seconds between two requests to a server that is unreachable."""

_LOSSES_TIMEOUT = 20.0
"""Seconds that a server may be silent in the middle of its losses."""


@dataclass(frozen=True, slots=True)
class Update:
    """What one request for a job brought."""

    state: JobState
    """Its state; the last known one while the server is unreachable."""
    health: Health
    has_more: bool
    """True if there are new losses."""
    wait: float
    """Seconds until the next request; 0 if the job has ended."""


class Watcher:
    """Follows one job; `update` blocks for as long as the server takes to answer."""

    def __init__(
        self,
        job: Job,
        every: float = 2.0,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Poll every `every` seconds, or less often while nothing changes.

        An unreachable server is polled for `patience` seconds.
        """
        self._job = job
        self._patience = patience
        self._clock = clock
        self._backoff = Backoff(every)
        self._silent_since: float | None = None
        self.rate = StepRate()
        """How fast it trains."""
        self.history = LossHistory(name=job.name)
        """The losses seen so far."""

    def update(self) -> Update:
        """Ask for health and losses, and return what is new.

        Raises:
            AitkError: the server does not answer anymore, or refuses to; the job goes on.
        """
        known = self.history if len(self.history) else None
        health = self._job.health(known)
        before = self.history
        if health.state is not HealthState.UNREACHABLE and self._job.can(Ability.LOSSES):
            try:
                with deadline(_LOSSES_TIMEOUT):
                    self.history = self._job.losses(known)
            except ConnectionFailed as exc:
                health = Health(HealthState.UNREACHABLE, str(exc))
        if health.state is HealthState.UNREACHABLE:
            return self._unreachable(health)
        self._silent_since = None
        state = self._job.state
        if state.status.is_final and self.history != before:
            health = self._job.health(self.history)  # the last losses came after it was told
        if health.can_be_repaired:
            self.rate = StepRate()  # what is stuck has no speed, and nobody knows its end
        else:
            self.rate.add(self._clock(), state)
        wait = 0.0 if state.status.is_final else self._backoff.after_state(state)
        return Update(state, health, self.history != before, wait)

    def _unreachable(self, health: Health) -> Update:
        now = self._clock()
        self.rate = StepRate()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since >= self._patience:
            # This raises what a silent server makes it raise, unless it is back just now.
            self._job.refresh()
        wait = self._backoff.after(HealthState.UNREACHABLE, _LONGEST)
        again = f"{health.remedy} Trying again in {wait:.2g} s.".strip()
        return Update(self._job.state, Health(health.state, health.text, again), False, wait)
