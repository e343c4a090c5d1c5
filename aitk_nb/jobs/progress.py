"""How fast a job trains, when it may end and what it costs; and how often to ask."""

import re
from collections import deque

import numpy as np

from aitk_nb._units import duration
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus

_SPEED = re.compile(r"\s*(?P<number>\d+(\.\d+)?) (?P<unit>iter/sec|sec/iter)\s*")


class StepRate:
    """Steps per second over the last updates of one job."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=30)

    def add(self, now: float, state: JobState) -> None:
        """Take in the state of the job at `now` seconds of some clock."""
        if state.status is not JobStatus.RUNNING or (self._seen and state.step < self._seen[-1][1]):
            self._seen.clear()  # waiting, or steps that were lost, say nothing about the speed
        self._seen.append((now, state.step))

    @property
    def steps_per_second(self) -> float | None:
        """Steps per second; None until two updates saw the job move."""
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if last > first and end > start else None

    def seconds_left(self, state: JobState) -> float | None:
        """Return the seconds that the job may still take; None if unknown."""
        rate = self.steps_per_second
        if rate is None or not state.total_steps or state.status is not JobStatus.RUNNING:
            return None
        return max(0, state.total_steps - state.step) / rate


class Backoff:
    """Seconds between requests: few while something changes, more and more while nothing does."""

    def __init__(self, every: float) -> None:
        """Never wait less than `every` seconds."""
        self._every = every
        self._pause = every
        self._seen: object = None

    def after(self, seen: object, slowest: float) -> float:
        """Return how long to wait after `seen`, up to `slowest` seconds if it is the same again."""
        if seen != self._seen:
            self._seen, self._pause = seen, self._every
        else:
            self._pause = min(max(self._every, slowest), self._pause * 1.5)
        return self._pause

    def after_state(self, state: JobState) -> float:
        """Return how long to wait after an update that saw `state`."""
        # What goes wrong in a running job is to be noticed within 10 s.
        times, seconds = (5.0, 10.0) if state.status is JobStatus.QUEUED else (2.5, 5.0)
        return self.after(state, min(times * self._every, seconds))


def seconds_per_step(speed: str) -> float | None:
    """Return seconds per step from the server's words on speed, such as `2.31 sec/iter`."""
    match = _SPEED.fullmatch(speed)
    if match is None or not (number := float(match["number"])):
        return None
    return number if match["unit"] == "sec/iter" else 1 / number


def status_line(state: JobState, rate: StepRate) -> str:
    """Return status, step, speed and time left, as far as they are known."""
    return " · ".join([state.status.value, f"step {state.step_text}", *pace(state, rate)])


def pace(state: JobState, rate: StepRate) -> list[str]:
    """Return speed, time left and the server's own words, as far as they are known."""
    parts = []
    if state.status is JobStatus.RUNNING and (speed := rate.steps_per_second):
        parts.append(f"{speed:.3g} steps/s" if speed >= 1 else f"{1 / speed:.3g} s/step")
    if (left := rate.seconds_left(state)) is not None:
        parts.append(f"about {duration(left)} left")
    if state.info and not state.status.is_final:
        parts.append(state.info)
    return parts


def cost_line(price_per_hour: float, history: LossHistory, left: float | None) -> str:
    """Return what the job has cost since its first logged step, and may cost in total.

    The currency is that of `price_per_hour`; the text is empty if that is 0. A server is paid for
    from its start on, and while it idles: this is the share of the job.
    """
    if price_per_hour <= 0:
        return ""
    walls = history.wall_times()
    walls = walls[np.isfinite(walls)]
    spent = float(np.ptp(walls)) if walls.size else 0.0
    words = f"cost {price_per_hour * spent / 3600:.2f} since the first step"
    if left is None:
        return words
    return f"{words}, about {price_per_hour * (spent + left) / 3600:.2f} in total"
