"""`Watcher`: looks at a job through silence, and says nothing of a speed that nobody sees."""

from __future__ import annotations

from typing import Any

import pytest

from aitk_nb.errors import ConnectionFailed, Unauthorized
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.watcher import Watcher
from aitk_nb.models.job import JobStatus
from aitk_nb.models.loss import LossPoint
from tests.scripted import Clock, ScriptedBackend, there

SILENT = ConnectionFailed("http://x", "it did not answer in time")


def watcher(**options: Any) -> tuple[ScriptedBackend, Clock, Watcher]:
    """Return one of a job that trains, with its server and its clock."""
    backend, clock = ScriptedBackend(), Clock()
    state = there(backend, status=JobStatus.RUNNING, info="Training", pid=7, step=0)
    job = Job(backend, state, sleep=clock.sleep, clock=clock)
    return backend, clock, Watcher(job, 2.0, clock=clock, **options)


def step(backend: ScriptedBackend, to: int, **state: Any) -> None:
    """Let the job come to a step, with a loss for each."""
    backend.script.append({"step": to, **state})
    points = tuple(LossPoint(n, float(n), 1 / n) for n in range(1, to))
    backend.losses = {"loss/loss": points}


def test_each_look_tells_what_is_new() -> None:
    """Until the job does not change by itself any more."""
    backend, clock, looks = watcher()
    seen = []
    for to, state in ((5, {}), (5, {}), (9, {}), (100, {"status": JobStatus.COMPLETED})):
        step(backend, to, **state)
        seen.append(looks.update())
        clock.sleep(2.0)
    assert [True, False, True, True] == [update.has_more for update in seen]
    assert [2.0, 3.0, 2.0, 0.0] == [update.wait for update in seen]
    assert HealthState.FINISHED is seen[-1].health.state
    assert 99 == len(looks.history)


def test_silence_is_told_and_asked_through_less_and_less_often() -> None:
    """Nothing is said of a speed meanwhile; when the server is back, all goes on."""
    backend, clock, looks = watcher()
    for to in (5, 10):
        step(backend, to)
        looks.update()
        clock.sleep(2.0)
    assert looks.rate.steps_per_second == pytest.approx(2.5)
    backend.failures = [SILENT] * 12
    waits = []
    for _ in range(12):
        update = looks.update()
        assert HealthState.UNREACHABLE is update.health.state
        assert "Trying again" in update.health.remedy
        waits.append(update.wait)
        clock.sleep(update.wait)
    assert waits == sorted(waits)
    assert (2.0, 30.0) == (waits[0], waits[-1])
    assert looks.rate.steps_per_second is None
    assert 10 == update.state.step
    step(backend, 20)
    back = looks.update()
    assert (HealthState.TRAINING, 2.0) == (back.health.state, back.wait)


def test_patience_ends_and_a_refusal_is_no_silence() -> None:
    """Then the error is the server's own."""
    backend, clock, looks = watcher(patience=60.0)
    backend.failures = [SILENT] * 4
    looks.update()
    clock.sleep(61.0)
    with pytest.raises(ConnectionFailed):
        looks.update()
    backend.failures = [Unauthorized("http://x", sent=True)]
    with pytest.raises(Unauthorized):
        looks.update()


def test_what_stands_still_has_no_speed() -> None:
    """Nor an end that anybody could tell."""
    backend, clock, looks = watcher()
    for to in (5, 10, 15):
        step(backend, to)
        looks.update()
        clock.sleep(2.0)
    assert looks.rate.seconds_left(looks.update().state) is not None
    for _ in range(30):
        update = looks.update()
        clock.sleep(update.wait)
    assert HealthState.STALLED is update.health.state
    assert looks.rate.steps_per_second is None


def test_zeros_that_come_with_the_end_are_told() -> None:
    """And are not mistaken for a restart when they are read again."""
    backend, clock, looks = watcher()
    step(backend, 50)
    assert looks.update().health.state is HealthState.TRAINING
    zeros = tuple(LossPoint(n, float(n), 0.0) for n in range(50, 60))
    for to, state in ((57, {}), (60, {"status": JobStatus.COMPLETED})):
        step(backend, 50)
        backend.losses = {"loss/loss": backend.losses["loss/loss"] + zeros[: to - 50]}
        backend.script = [{"step": to, **state}]
        update = looks.update()
        clock.sleep(2.0)
    assert update.health.state is HealthState.DIVERGED
    assert "at step 50" in update.health.text
    assert looks.history.restarts == ()
    assert len(looks.history) == 59
