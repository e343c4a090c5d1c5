"""A progress bar that looks in a log as tqdm's does."""

import time
from typing import TextIO

_EVERY = 0.1
_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉"
_SMOOTHING = 0.3


class Progress:
    """Draws a bar over itself, ten times a second at most."""

    def __init__(self, name: str, total: int, start: int, out: TextIO) -> None:
        """Draw into `out`, from `start` of `total`."""
        self._name, self._total, self._out = name, total, out
        self._done = self._start = start
        self._began = self._drawn = time.monotonic()
        self._drawn_at = start
        self._average = 0.0
        self._weight = 0.0
        self.note = ""
        self.draw()

    @property
    def rate(self) -> float:
        """Steps in a second, of late; 0 before anything is known."""
        return self._average / self._weight if self._weight else 0.0

    @property
    def speed(self) -> str:
        """The rate as the web side shows it."""
        rate = self.rate
        return f"{rate:.2f} iter/sec" if rate >= 1 else f"{1 / rate:.2f} sec/iter" if rate else ""

    def update(self, done: int) -> None:
        """Take how far it is; drawn if the last drawing is old enough."""
        self._done = done
        now = time.monotonic()
        if now - self._drawn >= _EVERY:
            self._measure(now)
            self.draw()

    def pause(self) -> float:
        """Return a moment for `resume`: what lies between is not counted."""
        now = time.monotonic()
        self._measure(now)
        return now

    def resume(self, since: float) -> None:
        """Go on after a pause."""
        now = time.monotonic()
        self._began += now - since
        self._drawn = now

    def close(self) -> None:
        """Draw once more, and end the line."""
        self._measure(time.monotonic())
        self.draw()
        self._out.write("\n")
        self._out.flush()

    def draw(self) -> None:
        """Draw now."""
        share = min(self._done / self._total, 1.0) if self._total else 1.0
        elapsed = time.monotonic() - self._began
        left = (self._total - self._done) / self.rate if self.rate else None
        times = f"{_clock(elapsed)}<{'?' if left is None else _clock(left)}"
        note = f", {self.note}" if self.note else ""
        self._out.write(
            f"\r{self._name}: {share * 100:3.0f}%|{_bar(share)}| {self._done}/{self._total} "
            f"[{times}, {self._per_second()}{note}]"
        )
        self._out.flush()

    def _measure(self, now: float) -> None:
        seconds, steps = now - self._drawn, self._done - self._drawn_at
        if seconds > 0 and steps > 0:
            self._average = (1 - _SMOOTHING) * self._average + _SMOOTHING * steps / seconds
            self._weight = (1 - _SMOOTHING) * self._weight + _SMOOTHING
            self._drawn, self._drawn_at = now, self._done

    def _per_second(self) -> str:
        rate = self.rate
        if not rate:
            return "?it/s"
        return f"{rate:5.2f}it/s" if rate >= 1 else f"{1 / rate:5.2f}s/it"


def _bar(share: float) -> str:
    full, eighths = divmod(int(share * _CELLS * 8), 8)
    if full >= _CELLS:
        return "█" * _CELLS
    return "█" * full + _EIGHTHS[eighths] + " " * (_CELLS - full - 1)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
