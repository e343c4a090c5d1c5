"""`Vitals`: looks at one job again and again, and tells its health."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aitk_nb.errors import AitkError, ConnectionFailed
from aitk_nb.jobs.divergence import Divergence
from aitk_nb.jobs.failure_reasons import explain
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.progress import seconds_per_step
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.server import Ability

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend

__all__ = ["Vitals"]

NO_PROCESS = 30.0
"""Seconds without a process id after which a running job has no process."""

STOPS_WITHIN = 60.0
"""Seconds after which a job that was asked to stop should have."""

_LEAST = 10.0
_STEPS = 20.0
_PATIENCE = {"sampling": 120.0, "saving": 300.0, "loading": 600.0}
_UNKNOWN_SPEED = 120.0


class Vitals:
    """Looks at one job again and again, and remembers what moved and when."""

    def __init__(self, backend: Backend, clock: Callable[[], float] = time.monotonic) -> None:
        """Look by `backend`; a time that passes is measured by `clock`."""
        self._backend = backend
        self._clock = clock
        self._seen: tuple[object, ...] = ()
        self._traces: tuple[object, ...] | None = None
        self._traced = 0.0
        self._moved = clock()
        self._bare_since: float | None = None
        self._step: tuple[float, int] | None = None
        self._pace: float | None = None
        self._divergence = Divergence()

    def look(self, state: JobState, losses: LossHistory | None = None) -> Health:
        """Return how a job does that stands as `state`, which was asked for just now.

        The last `losses` are asked for too, unless they are given.
        """
        self._remember(state)
        if state.status is JobStatus.QUEUED:
            return self._queued(state)
        if state.status is JobStatus.RUNNING:
            return self._running(state, losses)
        if state.status is JobStatus.ERROR:
            return self._failed(state)
        at = f"at step {state.step}" + (f" of {state.total_steps}" if state.total_steps else "")
        if state.status is JobStatus.COMPLETED:
            return self._completed(state, at, losses)
        if state.status is JobStatus.STOPPED:
            words = "was created and never started" if state.never_started else f"was stopped {at}"
            return Health(HealthState.STOPPED, f"It {words}.", "Start it with if_exists='resume'.")
        if state.status is JobStatus.STOPPING:
            return self._stopping(state, at)
        words = f": {state.info.rstrip('.')}" if state.info else ""
        return Health(HealthState.UNKNOWN, f"The server calls it {state.raw_status!r}{words}.")

    def unreachable(self, why: AitkError) -> Health:
        """Return what is known of a job whose server does not answer, or not as it should."""
        # What nobody could see move has not stood still for that.
        self._moved, self._bare_since = self._clock(), None
        words = "does not answer"
        seen = str(why)
        if isinstance(why, ConnectionFailed):
            seen = why.reason or why.url
        else:
            words = "answers, and not as a training server does"
        return Health(
            HealthState.UNREACHABLE,
            f"The server {words} ({seen}); the job may go on all the same.",
            "Look whether the server and the network are up.",
        )

    # -- memory ---------------------------------------------------------------------------------

    def _remember(self, state: JobState) -> None:
        now = self._clock()
        seen = (state.status, state.step, state.info, state.speed, state.pid)
        if seen != self._seen:
            self._seen, self._moved, self._traces = seen, now, None
        if state.status is JobStatus.RUNNING and state.tells_pid and state.pid is None:
            self._bare_since = now if self._bare_since is None else self._bare_since
        else:
            self._bare_since = None
        if self._step is None or state.step < self._step[1]:
            self._step = (now, state.step)
        elif state.step > self._step[1]:
            pace = (now - self._step[0]) / (state.step - self._step[1])
            self._pace = pace if self._pace is None else max(pace, 0.7 * self._pace)
            self._step = (now, state.step)

    def _patience(self, phase: HealthState, state: JobState) -> float:
        """Return after how many seconds without a sign of life something is wrong."""
        if phase is not HealthState.TRAINING:
            return _PATIENCE[phase.value]
        pace = self._pace if self._pace is not None else seconds_per_step(state.speed)
        return _UNKNOWN_SPEED if pace is None else max(_LEAST, _STEPS * pace)

    # -- states ---------------------------------------------------------------------------------

    def _queued(self, state: JobState) -> Health:
        if Ability.LIST_JOBS not in self._backend.abilities:
            return Health(HealthState.QUEUED, "It waits.")
        rivals = [one for one in self._backend.list_jobs() if one.gpu_ids == state.gpu_ids]
        before = sum(
            one.status is JobStatus.QUEUED and one.queue_position < state.queue_position
            for one in rivals
        )
        place = "It is next" if not before else f"{before} jobs wait before it"
        if before == 1:
            place = "One job waits before it"
        holders = [
            one.name for one in rivals if one.status.is_active and one.status.value != "queued"
        ]
        holds = f", which {holders[0]} holds" if holders else ""
        words = f"{place} in the queue of GPU {state.gpu_ids}{holds}"
        if self._backend.queue_runs(state):
            return Health(HealthState.QUEUED, f"{words}.")
        return Health(
            HealthState.QUEUED,
            f"{words}; and that queue is stopped.",
            "Start the queue on the server's page; until then nothing in it begins.",
        )

    def _completed(self, state: JobState, at: str, losses: LossHistory | None) -> Health:
        if wrong := self._divergence.seen(self._backend, state, losses):
            return Health(
                HealthState.DIVERGED,
                f"It has finished {at}, and is of no use: {wrong}",
                "Train again with a lower learning rate.",
            )
        return Health(HealthState.FINISHED, f"It has finished {at}.")

    def _stopping(self, state: JobState, at: str) -> Health:
        still = self._still(state, STOPS_WITHIN)
        if still < STOPS_WITHIN:
            return Health(HealthState.STOPPING, f"It was asked to stop {at}.")
        return Health(
            HealthState.STALLED,
            f"It was asked to stop {at}, and for {still:.0f} s nothing has moved. "
            "It may be loading a model, hang or be dead; the server does not say which.",
            "If it stays so, job.repair(confirmed=True) marks it as stopped and frees its queue.",
            can_be_repaired=True,
        )

    def _running(self, state: JobState, losses: LossHistory | None) -> Health:
        now = self._clock()
        if self._bare_since is not None and now - self._bare_since >= NO_PROCESS:
            return Health(
                HealthState.DEAD,
                f"The server calls it running, and has had no process for it for "
                f"{now - self._bare_since:.0f} s.",
                "job.repair(confirmed=True) marks it as stopped, which frees its queue.",
                can_be_repaired=True,
            )
        phase = _phase(state)
        patience = self._patience(phase, state)
        still, quiet = self._still(state, patience), now - self._traced
        if still >= patience and quiet >= patience / 2:
            return Health(
                HealthState.STALLED,
                f"It has stood at step {state.step} ({state.info or 'no words'}) for "
                f"{still:.0f} s, and no log line or file has come for {min(still, quiet):.0f} s. "
                "It hangs or is dead; the server does not say which.",
                "Look at the log and at the GPU; job.stop() ends a process that hangs, and "
                "job.repair(confirmed=True) marks a job without a process as stopped.",
                can_be_repaired=True,
            )
        wrong = ""
        if phase is HealthState.TRAINING:
            wrong = self._divergence.seen(self._backend, state, losses)
        if wrong:
            remedy = "Stop it, and train again with a lower learning rate."
            return Health(HealthState.DIVERGED, wrong, remedy)
        total = f" of {state.total_steps}" if state.total_steps else ""
        words = f" ({state.info})" if state.info and phase is not HealthState.TRAINING else ""
        return Health(phase, f"It is at step {state.step}{total}{words}.")

    def _still(self, state: JobState, patience: float) -> float:
        """Return for how many seconds there was no sign of life."""
        now = self._clock()
        if now - self._moved >= patience / 2 and self._left_traces(state):
            self._moved = self._traced = now
        return now - self._moved

    def _left_traces(self, state: JobState) -> bool:
        """Return whether log, files or samples have changed since the last look at them."""
        before = self._traces
        offset = before[0] if before is not None else None
        able = self._backend.abilities
        if Ability.LOG in able:
            known = offset if isinstance(offset, int) else None
            offset = self._backend.read_log(state, known).offset
        self._traces = (
            offset,
            self._backend.list_files(state) if Ability.FILES in able else (),
            self._backend.list_samples(state) if Ability.SAMPLES in able else (),
        )
        if before is None:
            self._traced = self._clock()
        return before is not None and self._traces != before

    def _failed(self, state: JobState) -> Health:
        try:
            log = self._backend.read_log(state, None).text[-8192:]
        except AitkError:
            log = ""
        reason = explain(state.info, log)
        if reason is None:
            words = state.info or "the server does not say why"
            return Health(
                HealthState.FAILED,
                f"It failed at step {state.step}: {words}",
                "The end of job.log() may tell more.",
            )
        said = f" (the server says: {state.info[:200]})" if state.info else ""
        return Health(
            HealthState.FAILED,
            f"It failed at step {state.step}: {reason.text}{said}.",
            reason.remedy,
        )


def _phase(state: JobState) -> HealthState:
    info = state.info.lower()
    if info.startswith(("generating", "sampling")):
        return HealthState.SAMPLING
    if info.startswith("saving"):
        return HealthState.SAVING
    if info.startswith("training"):
        return HealthState.TRAINING
    return HealthState.LOADING
