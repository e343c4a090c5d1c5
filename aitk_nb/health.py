"""`Vitals`: what is known of a job's health, and no more than that."""

from __future__ import annotations

import enum
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aitk_nb import _html
from aitk_nb._failures import explain
from aitk_nb.errors import AitkError, ConnectionFailed
from aitk_nb.losses import LossHistory
from aitk_nb.models import Ability, JobState, JobStatus

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend

__all__ = ["Health", "HealthState", "Vitals"]

NO_PROCESS = 30.0
"""Seconds without a process id after which a running job has no process."""

_LEAST = 10.0
_STEPS = 20.0
_PATIENCE = {"sampling": 120.0, "saving": 300.0, "loading": 600.0}
_UNKNOWN_SPEED = 120.0
_TAIL = 100
_ODD = 3
_EXPLODED = 10.0


class HealthState(enum.Enum):
    """How a job does."""

    UNREACHABLE = "unreachable"
    QUEUED = "queued"
    LOADING = "loading"
    TRAINING = "training"
    SAMPLING = "sampling"
    SAVING = "saving"
    STALLED = "stalled"
    DEAD = "dead"
    DIVERGED = "diverged"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"


_BAD = {HealthState.STALLED, HealthState.DEAD, HealthState.DIVERGED, HealthState.FAILED}


@dataclass(frozen=True, slots=True)
class Health:
    """How a job does, what that is known from, and what to do."""

    state: HealthState
    text: str
    """What is known."""
    remedy: str = ""
    """What to do; empty when nothing is needed."""

    @property
    def is_bad(self) -> bool:
        """True when somebody should do something."""
        return self.state in _BAD

    def __str__(self) -> str:
        return f"{self.state.value}: {self.text}" + (f" {self.remedy}" if self.remedy else "")

    def _repr_html_(self) -> str:
        kind: _html.Kind = "error" if self.is_bad else "info"
        if self.state is HealthState.UNREACHABLE:
            kind = "warning"
        elif self.state is HealthState.FINISHED:
            kind = "ok"
        rows: list[tuple[object, object]] = [
            ("health", _html.badge(self.state.value, kind)),
            ("known", self.text),
        ]
        if self.remedy:
            rows.append(("to do", self.remedy))
        return _html.definition(rows)


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
        self._usual: float | None = None

    def look(self, state: JobState) -> Health:
        """Return how a job does that stands as `state`, which was asked for just now."""
        self._remember(state)
        if state.status is JobStatus.QUEUED:
            return self._queued(state)
        if state.status is JobStatus.RUNNING:
            return self._running(state)
        if state.status is JobStatus.ERROR:
            return self._failed(state)
        at = f"at step {state.step}" + (f" of {state.total_steps}" if state.total_steps else "")
        if state.status is JobStatus.COMPLETED:
            return Health(HealthState.FINISHED, f"It has finished {at}.")
        if state.status is JobStatus.STOPPED:
            words = "was created and never started" if state.never_started else f"was stopped {at}"
            return Health(HealthState.STOPPED, f"It {words}.", "Start it with if_exists='resume'.")
        if state.status is JobStatus.STOPPING:
            return Health(HealthState.STOPPING, f"It was asked to stop {at}.")
        words = f": {state.info.rstrip('.')}" if state.info else ""
        return Health(HealthState.UNKNOWN, f"The server calls it {state.raw_status!r}{words}.")

    def unreachable(self, why: ConnectionFailed) -> Health:
        """Return what is known of a job whose server does not answer."""
        # What nobody could see move has not stood still for that.
        self._moved, self._bare_since = self._clock(), None
        return Health(
            HealthState.UNREACHABLE,
            f"The server does not answer ({why.reason or why.url}); the job may go on "
            "all the same.",
            "Look whether the server and the network are up.",
        )

    # -- memory ---------------------------------------------------------------------------------

    def _remember(self, state: JobState) -> None:
        now = self._clock()
        seen = (state.status, state.step, state.info, state.speed, state.pid)
        if seen != self._seen:
            self._seen, self._moved, self._traces = seen, now, None
        if state.status is JobStatus.RUNNING and state.pid is None:
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
        pace = self._pace if self._pace is not None else _told_pace(state.speed)
        return _UNKNOWN_SPEED if pace is None else max(_LEAST, _STEPS * pace)

    # -- states ---------------------------------------------------------------------------------

    def _queued(self, state: JobState) -> Health:
        if Ability.LIST_JOBS not in self._backend.abilities:
            return Health(HealthState.QUEUED, "It waits.")
        queue = [
            other
            for other in self._backend.list_jobs()
            if other.status is JobStatus.QUEUED and other.gpu_ids == state.gpu_ids
        ]
        before = sum(other.queue_position < state.queue_position for other in queue)
        place = "It is next" if not before else f"{before} jobs wait before it"
        if before == 1:
            place = "One job waits before it"
        if self._backend.queue_runs(state):
            return Health(HealthState.QUEUED, f"{place} in the queue of GPU {state.gpu_ids}.")
        return Health(
            HealthState.QUEUED,
            f"{place} in the queue of GPU {state.gpu_ids}, and that queue is stopped.",
            "Start the queue on the server's page; until then nothing in it begins.",
        )

    def _running(self, state: JobState) -> Health:
        now = self._clock()
        if self._bare_since is not None and now - self._bare_since >= NO_PROCESS:
            return Health(
                HealthState.DEAD,
                f"The server calls it running, and has had no process for it for "
                f"{now - self._bare_since:.0f} s.",
                "job.repair(confirmed=True) marks it as stopped, which frees its queue.",
            )
        phase = _phase(state)
        patience = self._patience(phase, state)
        if now - self._moved >= patience / 2 and self._left_traces(state):
            self._moved = self._traced = now
        still, quiet = now - self._moved, now - self._traced
        if still >= patience and quiet >= patience / 2:
            return Health(
                HealthState.STALLED,
                f"It has stood at step {state.step} ({state.info or 'no words'}) for "
                f"{still:.0f} s, and no log line or file has come for {min(still, quiet):.0f} s. "
                "It hangs or is dead; the server does not say which.",
                "Look at the log and at the GPU; job.stop() ends a process that hangs, and "
                "job.repair(confirmed=True) marks a job without a process as stopped.",
            )
        if phase is HealthState.TRAINING and (wrong := self._divergence(state)):
            return Health(
                HealthState.DIVERGED,
                wrong,
                "Stop it, and train again with a lower learning rate.",
            )
        total = f" of {state.total_steps}" if state.total_steps else ""
        words = f" ({state.info})" if state.info and phase is not HealthState.TRAINING else ""
        return Health(phase, f"It is at step {state.step}{total}{words}.")

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

    def _divergence(self, state: JobState) -> str:
        """Return what is wrong with the last losses; an empty text when nothing is."""
        if Ability.LOSSES not in self._backend.abilities:
            return ""
        keys = self._backend.loss_keys(state)
        if not keys:
            return ""
        key = LossHistory(dict.fromkeys(keys, ())).main_key
        pages = self._backend.read_losses(state, key, max(-1, state.step - _TAIL))
        points = [point for page in pages for point in page.points]
        values = np.array([point.value for point in points], dtype=np.float64)
        finite = values[np.isfinite(values)]
        if values.size >= _ODD and not np.isfinite(values[-_ODD:]).any():
            return f"The loss is no number any more, seen at step {points[-1].step}."
        if finite.size < 2 * _ODD:
            return ""
        level = float(np.median(finite[-_ODD:]))
        usual = float(np.median(finite[: finite.size // 2]))
        self._usual = usual if self._usual is None else min(usual, self._usual)
        if level > _EXPLODED * max(self._usual, 1e-12):
            return (
                f"The loss has exploded: {level:.3g} at step {points[-1].step}, where it was "
                + (f"{self._usual:.3g}.")
            )
        return ""

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


def _told_pace(speed: str) -> float | None:
    """Return seconds for a step, from the server's words on speed."""
    match = re.fullmatch(r"\s*([\d.]+) (iter/sec|sec/iter)\s*", speed)
    if match is None or not (number := float(match[1])):
        return None
    return number if match[2] == "sec/iter" else 1 / number
