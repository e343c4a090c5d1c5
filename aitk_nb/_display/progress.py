"""`ProgressBar`: how far a transfer is, on a terminal or below a cell of a notebook."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from aitk_nb._display import html, session
from aitk_nb._units import duration, size

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in total; from any thread."""

ProgressOption = Progress | Literal["auto"] | None
"""What gets the progress: a bar where somebody sees it, a function of yours, or nothing."""

_WINDOW = 15.0
"""Seconds over which the speed is averaged: long enough for large requests to even out."""
_BUFFERED = 2.0
"""Seconds in which what is sent may only have filled buffers on the way."""
_EARLIEST = 4.0
"""Seconds before which no time left is told."""
_LEAST = 0.03
"""Share of the transfer before which no time left is told."""
_EVERY = 0.25
"""Seconds between redraws."""
_CELLS = 24
"""Letters of a bar on a terminal."""


def no_progress(_done: int, _total: int) -> None:
    """Ignore progress."""


@contextmanager
def reporting(option: ProgressOption, label: str, *, in_bytes: bool = True) -> Iterator[Progress]:
    """Yield what takes the progress of something; for `"auto"` a bar called `label`."""
    if option != "auto":
        yield option or no_progress
        return
    bar = ProgressBar(label, in_bytes=in_bytes)
    try:
        yield bar
    finally:
        bar.close()


class ProgressBar:
    """One line with a bar, redrawn in place and removed at the end; safe for threads."""

    def __init__(
        self,
        label: str,
        *,
        in_bytes: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show nothing yet; where nobody would see it, it shows nothing at all."""
        self._label = label
        self._size: Callable[[int], str] = size if in_bytes else str
        self._in_bytes = in_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._place = _place()
        self._drawn = 0.0
        self._done = self._total = self._burst = 0
        self._began = clock()
        self._seen: deque[tuple[float, int]] = deque()
        self.newest = html.Html("")
        """What came last, which a notebook shows below the bar."""

    def __call__(self, done: int, total: int) -> None:
        """Update the bytes done and the bytes in total."""
        with self._lock:
            now = self._clock()
            self._measure(now, done, total)
            place = self._place
            if place is None or not total or now - self._began < place.short:
                return
            if now - self._drawn >= _EVERY:
                self._drawn = now
                place.draw(self._label, min(1.0, done / total), str(self), self.newest)

    def _measure(self, now: float, done: int, total: int) -> None:
        if not self._seen or done < self._done or total != self._total:
            # What broke is sent again, or something else begins: the speed is measured anew.
            self._seen, self._burst = deque([(now, done)]), 0
        start, first = self._seen[0]
        if not self._burst and now - start >= _BUFFERED:
            self._burst = done - first
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - _WINDOW:
            self._seen.popleft()
        self._done, self._total = done, total

    @property
    def rate(self) -> float | None:
        """Bytes per second over the last seconds; None while only buffers may have filled."""
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        known = self._burst and end - start >= _EARLIEST - _BUFFERED and last > first
        return (last - first) / (end - start) if known else None

    @property
    def left(self) -> float | None:
        """Seconds left; None if not known yet."""
        rate = self.rate
        if rate is None or self._done < _LEAST * self._total:
            return None
        # What went faster than all later bytes is still on its way.
        waiting = max(0.0, self._burst - rate * _BUFFERED)
        return (self._total - self._done + waiting) / rate

    def __str__(self) -> str:
        """Return how much is done, the speed and the time left, as far as they are known."""
        parts = [f"{self._size(self._done)} of {self._size(self._total)}"]
        if self._done >= self._total:
            parts.append("finishing")
        elif self._in_bytes and (rate := self.rate) is not None:
            parts.append(f"{rate / 1e6:.2g} MB/s")
            parts += [f"about {duration(left)} left"] if (left := self.left) is not None else []
        return " · ".join(parts)

    def close(self) -> None:
        """Remove the bar."""
        if self._place is not None:
            self._place.clear()


def _place() -> _Cell | _Terminal | None:
    """Return where somebody would see a bar; None in scripts, and where notebooks are executed."""
    if session.is_attended():
        return _Cell(session.shell())
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    return _Terminal() if on_terminal and os.environ.get("TERM") != "dumb" else None


class _Cell:
    """The output of a cell. Afterwards it is empty, so that the cell ends the same each time."""

    short = 1.0
    """Seconds that something may take without a bar."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._place = {"display_id": uuid.uuid4().hex}
        self._is_shown = False

    def draw(self, label: str, share: float, text: str, newest: html.Html) -> None:
        page = html.join([html.progress(label, share, text), newest])
        self._show({"text/plain": label, "text/html": page})

    def clear(self) -> None:
        if self._is_shown:
            self._show({})

    def _show(self, data: dict[str, str]) -> None:
        publish = self._shell.display_pub.publish
        publish(data, {}, transient=self._place, update=self._is_shown)
        self._is_shown = True


class _Terminal:
    """The last line of stderr."""

    short = 0.0

    def __init__(self) -> None:
        self._file = sys.stderr
        utf8 = (self._file.encoding or "").lower().startswith("utf")
        self._full, self._empty = "━─" if utf8 else "#-"
        self._drawn = 0

    def draw(self, label: str, share: float, text: str, _newest: html.Html) -> None:
        full = round(_CELLS * share)
        bar = self._full * full + self._empty * (_CELLS - full)
        line = f"{label} {bar} {text}"[: shutil.get_terminal_size().columns - 1]
        if self._empty == "-":
            line = line.replace("·", "-")
        self._write(line.ljust(self._drawn))
        self._drawn = len(line)

    def clear(self) -> None:
        if self._drawn:
            self._write(f"{' ' * self._drawn}\r")

    def _write(self, text: str) -> None:
        self._file.write(f"\r{text}")
        self._file.flush()
