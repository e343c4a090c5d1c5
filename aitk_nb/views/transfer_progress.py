"""`TransferProgress`: one line in the notebook with the progress of a transfer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from IPython.display import display

from aitk_nb import _html
from aitk_nb._units import duration, size

WINDOW = 10.0
"""Seconds over which the speed is averaged: long enough for large requests to even out."""
EVERY = 0.25
"""Seconds between redraws."""


class TransferProgress:
    """The progress of an upload or a download, shown below the cell: pass it as `progress=`.

    One line with the bytes, MB/s and the time left, redrawn in place. It may be called from
    several threads, and shows nothing if there is nothing to transfer.

    Example:
        >>> progress = aitk_nb.views.TransferProgress("uploading")
        >>> dataset = client.datasets.upload(photos, "shown", progress=progress)
        uploading: ...
        >>> progress
        uploading: ..., done
    """

    def __init__(
        self, label: str = "uploading", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Show nothing before the transfer starts.

        Args:
            label: First word of the line.
            clock: Returns the time in seconds.
        """
        self._label = label
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque()
        self._handle: Any = None
        self._drawn = 0.0
        self._done = 0
        self._total = 0

    def __call__(self, done: int, total: int) -> None:
        """Update the bytes done and the bytes in total."""
        with self._lock:
            now = self._clock()
            self._see(now, done, total)
            if not total or (self._handle and now - self._drawn < EVERY and done < total):
                return
            self._drawn = now
            if self._handle is None:
                self._handle = display(self, display_id=True)
            else:
                self._handle.update(self)

    def _see(self, now: float, done: int, total: int) -> None:
        self._done, self._total = done, total
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # what broke is sent again: the speed is measured again
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Bytes per second over the last seconds; None if not known yet."""
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end > start and last > first else None

    @property
    def left(self) -> float | None:
        """Seconds left at this speed; None if not known yet."""
        rate = self.rate
        return None if rate is None else max(0, self._total - self._done) / rate

    def __repr__(self) -> str:
        if self._total and self._done >= self._total:
            # Without speed and time, so that the same cell ends the same each time.
            return f"{self._label}: {size(self._total)}, done"
        parts = [f"{self._label}: {size(self._done)} of {size(self._total)}"]
        if self.rate is not None:
            parts.append(f"{self.rate / 1e6:.3g} MB/s")
        if self.left is not None:
            parts.append(f"about {duration(self.left)} left")
        return " · ".join(parts)

    def _repr_html_(self) -> str:
        return _html.note(repr(self))
