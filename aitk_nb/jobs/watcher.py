"""`Watcher`: looks at a job again and again, through restarts and lost networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aitk_nb.backends.wire.deadline import hurry
from aitk_nb.errors import ConnectionFailed
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.progress import Pace, Rhythm
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState
from aitk_nb.models.server import Ability

if TYPE_CHECKING:
    from aitk_nb.jobs.job import Job

__all__ = ["Glance", "Watcher"]

PATIENCE = 3600.0
"""Seconds that the server may not answer: a laptop's network is away for longer than a moment."""

_LONGEST = 30.0
"""Seconds between two questions to a server that does not answer."""

_IMPATIENT = 20.0
"""Seconds that a server may be silent in the middle of its losses."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at a job brought."""

    state: JobState
    """As it stands; as it stood when last seen, while the server does not answer."""
    health: Health
    has_more: bool
    """True when losses came that the last look had not."""
    wait: float
    """Seconds until the next look; 0 when the job does not change by itself any more."""


class Watcher:
    """Follows one job; `look` blocks for as long as the server takes to answer."""

    def __init__(
        self,
        job: Job,
        every: float = 2.0,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look each `every` seconds while something moves, and less often while nothing does.

        A server that does not answer is asked for `patience` seconds.
        """
        self._job = job
        self._every = every
        self._patience = patience
        self._clock = clock
        self._rhythm = Rhythm(every)
        self._silent_since: float | None = None
        self._pause = every
        self.pace = Pace()
        """How fast it goes."""
        self.history = LossHistory(name=job.name)
        """The losses seen so far."""

    def look(self) -> Glance:
        """Ask for health and losses, and return what is new.

        Raises:
            AitkError: the server cannot be asked any more; the job goes on.
        """
        health = self._job.health(self.history if len(self.history) else None)
        has_more = False
        if health.state is not HealthState.UNREACHABLE:
            before = self.history
            try:
                with hurry(_IMPATIENT):
                    self.history = self._read()
                has_more = self.history != before
            except ConnectionFailed as exc:
                health = Health(HealthState.UNREACHABLE, str(exc))
        if health.state is HealthState.UNREACHABLE:
            return self._silence(health)
        self._silent_since, self._pause = None, self._every
        state = self._job.state
        if health.can_be_repaired:
            self.pace = Pace()  # what stands still has no speed, and nobody knows its end
        else:
            self.pace.see(self._clock(), state)
        wait = 0.0 if state.status.is_final else self._rhythm.after(state)
        return Glance(state, health, has_more, wait)

    def _read(self) -> LossHistory:
        if not self._job.can(Ability.LOSSES):
            return self.history
        return self._job.losses(self.history if len(self.history) else None)

    def _silence(self, health: Health) -> Glance:
        now = self._clock()
        self.pace = Pace()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since >= self._patience:
            # This raises what a silent server makes it raise, unless it is back just now.
            self._job.refresh()
        wait, self._pause = self._pause, min(max(self._every, _LONGEST), self._pause * 1.5)
        again = f"{health.remedy} Asking again in {wait:.2g} s.".strip()
        return Glance(self._job.state, Health(health.state, health.text, again), False, wait)
