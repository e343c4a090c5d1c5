"""`Pace`: how fast a job goes and when it may end, from what was seen of it."""

from __future__ import annotations

from collections import deque

from aitk_nb.models import JobState, JobStatus

__all__ = ["Pace", "duration", "status_line"]

_REMEMBERED = 30


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


def duration(seconds: float) -> str:
    """Return a time span in one or two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
