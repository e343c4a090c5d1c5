"""One server per data folder: a lock that a dead process cannot keep."""

import os
import sys
import threading
from pathlib import Path
from typing import IO

LOCK = ".server.lock"
"""The file in a server's folder that its process has locked."""


class FolderInUse(RuntimeError):
    """Another server already works on this data folder."""

    def __init__(self, folder: Path, owner: str) -> None:
        """Say which `folder` is taken and which process, `owner`, has it."""
        super().__init__(
            f"A server of process {owner or '?'} already works on {folder}. Two would start every "
            "job twice: stop that one, connect to it, or choose another folder."
        )
        self.folder = folder
        self.owner = owner


class FolderLock:
    """The right to be the only server on a folder, held until released or until the process ends.

    Record locks are used because they end with the process and are not inherited by a fork. They
    do not keep two servers of one process apart, so the folders of this process are listed too.
    """

    _held: dict[Path, int] = {}  # noqa: RUF012 (shared on purpose: one list per process)
    _guard = threading.Lock()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the folder, or raise `FolderInUse`."""
        with self._guard:
            # A fork inherits the list, but not the locks.
            if self._held.get(self._folder) == os.getpid():
                raise FolderInUse(self._folder, f"{os.getpid()} (this one)")
            file = (self._folder / LOCK).open("a+", encoding="ascii")
            if not _lock(file):
                file.seek(0)
                owner = file.read(20).strip()
                file.close()
                raise FolderInUse(self._folder, owner)
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            self._file = file
            self._held[self._folder] = os.getpid()

    def release(self) -> None:
        """Give the folder back; does nothing when it is not held."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None
                self._held.pop(self._folder, None)


def _lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far behind the text, because Windows refuses others even to read a locked range.
            os.lseek(file.fileno(), 1024, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
