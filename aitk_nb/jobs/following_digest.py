"""`FollowingDigest`: the SHA-256 of a file, computed while it is being downloaded."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from aitk_nb._files import partials
from aitk_nb.backends.base import Progress

_PIECE = 2**22


class FollowingDigest:
    """Reads back what is written of a large file, in a thread of its own.

    Reading it only in the end would add a third of the time on a quick line.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        """Follow what `resuming` writes for `path`; used as progress, it hands that on."""
        self._path = path
        self._progress = progress
        self._digest = hashlib.sha256()
        self._read = self._asked = 0
        self._pool = ThreadPoolExecutor(1)

    def __call__(self, done: int, total: int) -> None:
        """Take the bytes that have come, of which none is written again from now on."""
        if self._asked + _PIECE <= done < total:
            self._asked = done
            self._pool.submit(self._follow)
        if done >= total:
            # Windows renames no file that is open.
            self.close()
        self._progress(done, total)

    def _follow(self) -> None:
        found = partials(self._path)
        if len(found) == 1:
            with found[0].open("rb") as file:
                self._take(file)

    def _take(self, file: BinaryIO) -> None:
        file.seek(self._read)
        while piece := file.read(_PIECE):
            self._digest.update(piece)
            self._read += len(piece)

    def close(self) -> None:
        """Wait until the thread has ended."""
        self._pool.shutdown(cancel_futures=True)

    def hexdigest(self) -> str:
        """Return the SHA-256 of the file, which lies under its name now."""
        self.close()
        with self._path.open("rb") as file:
            self._take(file)
        return self._digest.hexdigest()
