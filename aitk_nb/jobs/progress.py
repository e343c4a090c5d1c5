"""`Pace`: how fast a job goes, when it may end and what it costs, from what was seen of it."""

from __future__ import annotations

import re
from collections import deque

import numpy as np

from aitk_nb._units import duration
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus

__all__ = ["Pace", "Rhythm", "cost_line", "seconds_per_step", "status_line"]

_SPEED = re.compile(r"\s*(?P<number>\d+(\.\d+)?) (?P<unit>iter/sec|sec/iter)\s*")
_REMEMBERED = 30
_SLOWER = 1.5
_SLOWEST = {JobStatus.QUEUED: (5.0, 10.0)}
_STANDING = (2.5, 5.0)  # what goes wrong in a job that runs is to be noticed within 10 s


class Pace:
    """Steps per second over the last looks at one job."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)

    def see(self, now: float, state: JobState) -> None:
        """Take in how the job stands at `now` seconds of some clock."""
        if state.status is not JobStatus.RUNNING or (self._seen and state.step < self._seen[-1][1]):
            self._seen.clear()  # what stood still, or began again, says nothing about the pace
        self._seen.append((now, state.step))

    @property
    def speed(self) -> float | None:
        """Steps per second; None until two looks saw it move."""
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if last > first and end > start else None

    def left(self, state: JobState) -> float | None:
        """Return the seconds that the job may still take; None while nobody can tell."""
        if self.speed is None or not state.total_steps or state.status is not JobStatus.RUNNING:
            return None
        return max(0, state.total_steps - state.step) / self.speed


class Rhythm:
    """Seconds between looks: few while something moves, more and more while nothing does."""

    def __init__(self, every: float) -> None:
        """Look each `every` seconds at the oftenest."""
        self._every = every
        self._pause = every
        self._seen: JobState | None = None

    def after(self, state: JobState) -> float:
        """Return how long to wait after a look that saw `state`."""
        if state != self._seen:
            self._pause = self._every
        else:
            times, seconds = _SLOWEST.get(state.status, _STANDING)
            slowest = min(times * self._every, max(self._every, seconds))
            self._pause = min(slowest, self._pause * _SLOWER)
        self._seen = state
        return self._pause


def seconds_per_step(speed: str) -> float | None:
    """Return seconds for a step from the server's words on speed, such as `2.31 sec/iter`."""
    match = _SPEED.fullmatch(speed)
    if match is None or not (number := float(match["number"])):
        return None
    return number if match["unit"] == "sec/iter" else 1 / number


def status_line(state: JobState, pace: Pace) -> str:
    """Return status, step, speed and the time that is left, as far as they are known."""
    total = f" of {state.total_steps}" if state.total_steps else ""
    parts = [state.status.value, f"step {state.step}{total}"]
    if state.status is JobStatus.RUNNING and (speed := pace.speed):
        parts.append(f"{speed:.3g} steps/s" if speed >= 1 else f"{1 / speed:.3g} s/step")
    if (left := pace.left(state)) is not None:
        parts.append(f"about {duration(left)} left")
    if state.info and not state.status.is_final:
        parts.append(state.info)
    return " · ".join(parts)


def cost_line(price_per_hour: float, history: LossHistory, left: float | None) -> str:
    """Return what the training has cost since its first logged step, and may cost in all.

    In whatever currency `price_per_hour` is; an empty text when that is 0. A machine is paid for
    from its start on, and while it idles: this is the training's share.
    """
    walls = history.wall_times()
    walls = walls[np.isfinite(walls)]
    if price_per_hour <= 0:
        return ""
    spent = float(np.ptp(walls)) if walls.size else 0.0
    words = f"cost {price_per_hour * spent / 3600:.2f} since the first step"
    return (
        words
        if left is None
        else f"{words}, about {price_per_hour * (spent + left) / 3600:.2f} in all"
    )
