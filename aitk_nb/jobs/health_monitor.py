"""`HealthMonitor`: remembers what it saw of one job, and tells its health from that.

Why it is so: docs/behavior.md#jobs
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aitk_nb.backends.base import Backend
from aitk_nb.errors import AitkError, ConnectionFailed
from aitk_nb.jobs.divergence import Divergence
from aitk_nb.jobs.failure_reasons import explain, last_error
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.log_tail import LogTail
from aitk_nb.jobs.progress import seconds_per_step
from aitk_nb.jobs.queue import end_remedy, own_repair, queue_position, repair_calls
from aitk_nb.losses.history import LossHistory
from aitk_nb.models import Ability, JobState, JobStatus
from aitk_nb.training.effective import effective_of
from aitk_nb.training.extra import MUTE_TYPES

NO_PROCESS = 30.0
"""Seconds without a process id after which a running job has no process."""

STOPS_WITHIN = 60.0
"""Seconds in which a job that was asked to stop should have stopped."""

_PHASES = {
    "generating": HealthState.SAMPLING,
    "sampling": HealthState.SAMPLING,
    "saving": HealthState.SAVING,
    "training": HealthState.TRAINING,
}
"""What a running job does, by the first word of what the server says."""

_RESUME = "Start it with if_exists='resume'."
_LEAST = 10.0
_STEPS = 20.0
_PATIENCE = {HealthState.SAMPLING: 120.0, HealthState.SAVING: 300.0, HealthState.LOADING: 600.0}
_UNKNOWN_SPEED = 120.0


class HealthMonitor:
    """Follows one job, and remembers what moved and when.

    Example:
        >>> job.health().is_bad
        False
    """

    def __init__(self, backend: Backend, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask `backend`; measure time with `clock`."""
        self._backend = backend
        self._clock = clock
        self._seen: tuple[object, ...] = ()
        self._traces: tuple[object, ...] | None = None
        self._traced = 0.0
        self._moved = clock()
        self._bare_since: float | None = None
        self._step: tuple[float, int] | None = None
        self._per_step: float | None = None
        self._divergence = Divergence()
        self._log = LogTail()
        self._occupants: dict[str, HealthMonitor] = {}

    def check(self, state: JobState, losses: LossHistory | None = None) -> Health:
        """Return the health of a job.

        Args:
            state: The job, as the server just said.
            losses: Its losses if they are known; otherwise the last ones are read.
        """
        self._remember(state)
        at = f"at step {state.step_text}"
        match state.status:
            case JobStatus.QUEUED:
                return self._queued(state)
            case JobStatus.RUNNING:
                return self._running(state, at, losses)
            case JobStatus.STOPPING:
                return self._stopping(state, at)
            case JobStatus.ERROR:
                return self._failed(state)
            case JobStatus.STOPPED if state.never_started:
                return Health(HealthState.STOPPED, "Created, but never started.", _RESUME)
            case JobStatus.COMPLETED | JobStatus.STOPPED:
                is_done = state.status is JobStatus.COMPLETED
                ended = f"{'Finished' if is_done else 'Stopped'} {at}"
                if wrong := self._divergence.check(self._backend, state, losses):
                    text = f"{ended}, but the result is unusable: {wrong}"
                    remedy = "Train again with a lower learning rate."
                    return Health(HealthState.DIVERGED, text, remedy)
                if is_done:
                    return Health(HealthState.FINISHED, f"{ended}.")
                return Health(HealthState.STOPPED, f"{ended}.", _RESUME)
        words = f": {state.info.rstrip('.')}" if state.info else ""
        return Health(HealthState.UNKNOWN, f"The server says {state.raw_status!r}{words}.")

    def unreachable(self, why: AitkError) -> Health:
        """Return the health of a job whose server does not answer, or not as it should.

        Args:
            why: The error of the last request.
        """
        # What nobody could see move has not stood still for that.
        self._moved, self._bare_since = self._clock(), None
        text = f"The server's answer is not that of a training server ({why})"
        if isinstance(why, ConnectionFailed):
            text = f"The server does not answer ({why.reason or why.url})"
        return Health(
            HealthState.UNREACHABLE,
            f"{text}; the job may still be running.",
            "Check that the server and the network are up.",
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
            self._per_step = pace if self._per_step is None else max(pace, 0.7 * self._per_step)
            self._step = (now, state.step)

    def _patience(self, phase: HealthState, state: JobState) -> float:
        """Return after how many seconds without a sign of life something is wrong."""
        if phase is not HealthState.TRAINING:
            return _PATIENCE[phase]
        pace = self._per_step if self._per_step is not None else seconds_per_step(state.speed)
        return _UNKNOWN_SPEED if pace is None else max(_LEAST, _STEPS * pace)

    # -- states ---------------------------------------------------------------------------------

    def _queued(self, state: JobState) -> Health:
        position = queue_position(self._backend, state)
        if position is None:
            return Health(HealthState.QUEUED, "Waiting in the queue.")
        text, remedies = f"Waiting as {position}.", []
        if not position.queue_runs:
            remedies = ["Start the queue on the server's page; nothing in it starts until then."]
        for one in position.occupants:
            monitor = self._occupants.setdefault(
                one.name, HealthMonitor(self._backend, self._clock)
            )
            health = monitor.check(one)
            if health.can_be_repaired and not one.has_died:
                text += f" {one.name!r} may block it: {health.text}"
                remedies.append(f"If its process has ended, {repair_calls(one.name)} frees it.")
            elif remedy := end_remedy(one):
                remedies.append(remedy)
        return Health(HealthState.QUEUED, text, " ".join(remedies))

    def _stopping(self, state: JobState, at: str) -> Health:
        if state.has_died:
            text = f"Asked to stop {at}, and the server found no process to stop."
            remedy = f"{own_repair(state.name)} marks it as stopped and frees its queue."
            return Health(HealthState.DEAD, text, remedy, can_be_repaired=True)
        still = self._still(state, STOPS_WITHIN)
        if still < STOPS_WITHIN:
            return Health(HealthState.STOPPING, f"Asked to stop {at}.")
        return Health(
            HealthState.STALLED,
            f"Asked to stop {at}, and nothing has changed for {still:.0f} s. The process is "
            "loading a model, hangs or has died; the server can't tell which.",
            f"If it stays like this, {own_repair(state.name)} marks it as stopped and frees its "
            "queue.",
            can_be_repaired=True,
        )

    def _running(self, state: JobState, at: str, losses: LossHistory | None) -> Health:
        now = self._clock()
        if self._bare_since is not None and now - self._bare_since >= NO_PROCESS:
            return Health(
                HealthState.DEAD,
                "The server calls it running, but has had no process for it for "
                f"{now - self._bare_since:.0f} s.",
                f"{own_repair(state.name)} marks it as stopped and frees its queue.",
                can_be_repaired=True,
            )
        if (kind := effective_of(state.config).get("type")) in MUTE_TYPES:
            text = f"Jobs of type {kind} tell the web UI neither their steps nor their end."
            remedy = f"Read the log. Once it has ended, {own_repair(state.name)} frees the queue."
            return Health(HealthState.UNKNOWN, text, remedy, can_be_repaired=True)
        if error := self._error(state):
            reason = explain(error, "")
            more = f" {reason.remedy}" if reason else ""
            text = f"The log ends with an error ({error}), and nothing has changed for "
            text += f"{now - self._moved:.0f} s: its process has probably ended, unnoticed."
            remedy = f"{own_repair(state.name)} marks it as stopped.{more}"
            return Health(HealthState.DEAD, text, remedy, can_be_repaired=True)
        words = state.info.lower()
        phase = next(
            (phase for word, phase in _PHASES.items() if words.startswith(word)),
            HealthState.LOADING,
        )
        patience = self._patience(phase, state)
        still, quiet = self._still(state, patience), now - self._traced
        if still >= patience and quiet >= patience / 2:
            return Health(
                HealthState.STALLED,
                f"Stuck at step {state.step} ({state.info or 'no message'}) for {still:.0f} s, "
                f"with no log line or file for {min(still, quiet):.0f} s. The process hangs or "
                "has died; the server can't tell which.",
                "Check the log and the GPU. job.stop() ends a process that hangs; "
                f"{own_repair(state.name)} marks a job without a process as stopped.",
                can_be_repaired=True,
            )
        trains = phase is not HealthState.LOADING
        if trains and (wrong := self._divergence.check(self._backend, state, losses)):
            remedy = "Stop it, and train again with a lower learning rate."
            return Health(HealthState.DIVERGED, wrong, remedy)
        if phase is HealthState.TRAINING:
            return Health(phase, f"Training {at}.")
        said = f": {state.info.rstrip('.')}" if words else ""
        return Health(phase, f"{phase.value.capitalize()} {at}{said}.")

    def _error(self, state: JobState) -> str:
        """Return the error with which the log of a job that stands still ends; else nothing."""
        if self._clock() - self._moved < _LEAST or Ability.LOG not in self._backend.abilities:
            return ""
        self._log.read(self._backend, state)
        return last_error(self._log.text)

    def _still(self, state: JobState, patience: float) -> float:
        """Return for how many seconds there was no sign of life."""
        now = self._clock()
        if now - self._moved >= patience / 2 and self._left_traces(state):
            self._moved = self._traced = now
        return now - self._moved

    def _left_traces(self, state: JobState) -> bool:
        """Return whether log, files or samples have changed since they were last read."""
        before = self._traces
        offset = before[0] if before is not None else None
        able = self._backend.abilities
        if Ability.LOG in able:
            known = offset if isinstance(offset, int) else None
            chunk = self._backend.read_log(state, known)
            offset = chunk.offset or len(chunk.text)  # an old server tells none, and takes none
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
            text = f"{state.info.rstrip('. ') or 'the server does not say why'}."
            remedy = "Check the end of job.log()."
        else:
            said = f" (the server says: {state.info[:200].rstrip('. ')})" if state.info else ""
            text, remedy = f"{reason.text}{said}.", reason.remedy
        return Health(HealthState.FAILED, f"Failed at step {state.step}: {text}", remedy)
