"""`FollowingDigest`: the SHA-256 of a file, computed while it is being downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from aitk_nb._files import KEPT, partials
from aitk_nb.backends.base import Progress

_PIECE = 2**22
_EVERY = 0.02
"""Seconds between looks at what has come."""


class FollowingDigest:
    """Reads back what is written of a large file, in a thread of its own.

    Reading it only in the end would add a third of the time on a quick line.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        """Follow what `resuming` writes for `path`; used as progress, it hands that on."""
        self._path = path
        self._progress = progress
        self._digest = hashlib.sha256()
        self._written = 0
        self._read = 0
        self._ended = Event()
        self._thread: Thread | None = None

    def __call__(self, done: int, total: int) -> None:
        """Take the bytes that have come, of which none is written again from now on."""
        self._written = done
        if self._thread is None and total >= KEPT:
            self._thread = Thread(target=self._follow, daemon=True)
            self._thread.start()
        self._progress(done, total)
        if done >= total:
            # Windows renames no file that is open.
            self._end()

    def _follow(self) -> None:
        found = partials(self._path)
        if len(found) != 1:
            return
        with found[0].open("rb") as file:
            while not self._ended.wait(_EVERY):
                while self._read + _PIECE <= self._written and (piece := file.read(_PIECE)):
                    self._digest.update(piece)
                    self._read += len(piece)

    def _end(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def hexdigest(self) -> str:
        """Return the SHA-256 of the file, which lies under its name now."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            while piece := file.read(_PIECE):
                self._digest.update(piece)
        return self._digest.hexdigest()


@contextmanager
def following(path: Path, progress: Progress) -> Iterator[FollowingDigest]:
    """Yield the digest of `path`, whose thread ends with the block."""
    digest = FollowingDigest(path, progress)
    try:
        yield digest
    finally:
        digest._end()  # noqa: SLF001  (the same module)
