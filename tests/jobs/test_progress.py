"""What is told of a job's rate: speed, time that is left, cost, and how often to look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aitk_nb._units import duration
from aitk_nb.jobs.progress import Backoff, StepRate, cost_line, status_line
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.loss import LossPoint

RUNNING = JobState("cat", JobStatus.RUNNING, step=0, total_steps=100, info="Training")


def at(step: int, status: JobStatus = JobStatus.RUNNING) -> JobState:
    """Return the job at a step."""
    return replace(RUNNING, step=step, status=status)


def test_the_status_line_tells_what_is_known() -> None:
    """Speed and time that is left appear once two looks saw the job move, and go at its end."""
    rate = StepRate()
    rate.add(10.0, at(0))
    assert "running · step 0 of 100 · Training" == status_line(at(0), rate)
    rate.add(12.0, at(20))
    assert "running · step 20 of 100 · 10 steps/s · about 8 s left · Training" == status_line(
        at(20), rate
    )
    unknown = replace(at(20), total_steps=None, info="")
    assert "running · step 20 · 10 steps/s" == status_line(unknown, rate)
    assert "completed · step 100 of 100" == status_line(at(100, JobStatus.COMPLETED), rate)


def test_a_job_that_stands_still_or_starts_again_has_no_rate() -> None:
    """Waiting in the queue does not count, nor do steps that were lost."""
    rate = StepRate()
    for now, state in ((0.0, at(5, JobStatus.QUEUED)), (60.0, at(5)), (61.0, at(5))):
        rate.add(now, state)
    assert rate.steps_per_second is None
    rate.add(62.0, at(7))
    assert rate.steps_per_second == pytest.approx(1.0, abs=0.99)
    rate.add(63.0, at(1))
    assert rate.steps_per_second is None
    slow = StepRate()
    slow.add(0.0, at(1))
    slow.add(8.0, at(3))
    assert "4 s/step" in status_line(at(3), slow)


def test_durations_are_said_in_two_units() -> None:
    """Seconds, minutes or hours."""
    said = [duration(seconds) for seconds in (0.2, 59.4, 61, 3599, 3600, 90_000)]
    assert ["0 s", "59 s", "1 min 01 s", "59 min 59 s", "1 h 00 min", "25 h 00 min"] == said


def test_what_moves_is_looked_at_often_and_what_stands_less_and_less() -> None:
    """A job that runs is still looked at each 5 s: what goes wrong is to be seen in time."""
    backoff = Backoff(2.0)
    assert [2.0, 2.0] == [backoff.after_state(at(1)), backoff.after_state(at(2))]
    assert [3.0, 4.5, 5.0, 5.0] == [backoff.after_state(at(2)) for _ in range(4)]
    assert 2.0 == backoff.after_state(at(3))
    queued = Backoff(2.0)
    waits = [queued.after_state(at(0, JobStatus.QUEUED)) for _ in range(8)]
    assert 10.0 == waits[-1]
    assert 30.0 == Backoff(30.0).after_state(at(1))


def test_the_cost_is_that_of_the_training_so_far_and_in_all() -> None:
    """By the server's own clock; nothing is said without a price, nor of a time nobody knows."""
    points = [LossPoint(0, 1e9, 1.0), LossPoint(1, 1e9 + 1800, 1.0)]
    half = LossHistory({"loss/loss": points})
    assert "cost 0.25 since the first step, about 0.75 in total" == cost_line(0.5, half, 3600.0)
    assert "cost 0.25 since the first step" == cost_line(0.5, half, None)
    assert "cost 0.00 since the first step" == cost_line(0.5, LossHistory(), None)
    assert "" == cost_line(0.0, half, 1.0)
