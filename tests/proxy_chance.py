"""Faults that befall some requests by chance, the same each time for one seed."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field


@dataclass
class Chance:
    """Decides for one request after another whether it gets through."""

    seed: int
    drop: float = 0.0
    """Share of the requests that are read and never answered nor passed on."""
    reset: float = 0.0
    """Share of the requests whose connection is reset, after any byte of the body."""
    met: int = 0
    """Requests that met a fault so far."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def fate(self, length: int) -> int | None:
        """Return after how many of `length` bytes the request ends; None if it does not.

        All of them means that it arrives and its answer does not; -1 that nothing does.
        """
        with self._lock:
            luck, place = self._random.random(), self._random.randint(0, length)
            self.met += luck < self.drop + self.reset
        if luck < self.drop:
            return -1
        return place if luck < self.drop + self.reset else None
