"""Local files on their way out: opened late, counted, digested, and watched for changes."""

import hashlib
import io
import os
import stat
from collections.abc import Callable
from typing import BinaryIO, Protocol

from aitk_nb.backends.base import Upload
from aitk_nb.errors import AitkError


class Changed(AitkError):
    """A local file cannot be read, or is no longer what it was when the upload began."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name


class Readable(Protocol):
    """What a reader needs of a file."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move, and return the position."""

    def tell(self) -> int:
        """Return the position."""


class LocalFile:
    """The file of an upload, open only while it is read: a request may carry very many.

    Raises:
        Changed: by `read`, when it is not there, is not a regular file, or changes on the way.
    """

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._file: BinaryIO | None = None
        self._place = 0
        self._seen: os.stat_result | None = None

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        try:
            if self._file is None and self._place == 0:
                self._open()
            left = self._upload.size - self._place
            wanted = left if size < 0 else min(size, left)
            data = self._file.read(wanted) if self._file else b""
            self._place += len(data)
            if self._file and (not data or size < 0):
                self._check_end()
        except OSError as exc:
            self.close()
            why = f"it can't be read: {exc.strerror or exc}"
            raise Changed(self._upload.name, why) from exc
        return data

    def _open(self) -> None:
        # Opening a pipe would wait for somebody to write into it.
        if not stat.S_ISREG(self._upload.source.stat().st_mode):
            raise Changed(self._upload.name, "it is no longer a regular file")
        self._file = self._upload.source.open("rb", buffering=0)
        self._seen = os.fstat(self._file.fileno())
        if self._seen.st_size != (self._upload.part_of or self._upload.size):
            self._complain()
        self._file.seek(self._upload.start)

    def _check_end(self) -> None:
        assert self._file is not None
        now, seen = os.fstat(self._file.fileno()), self._seen
        assert seen is not None
        if self._place != self._upload.size or now.st_mtime_ns != seen.st_mtime_ns:
            self._complain()
        self.close()

    def _complain(self) -> None:
        self.close()
        raise Changed(
            self._upload.name,
            "it changed after the upload started; try again when nothing writes to it anymore",
        )

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to the beginning, or to the end as far as `tell` is asked about it."""
        self.close()
        self._place = self._upload.size if whence == os.SEEK_END else offset
        return self._place

    def tell(self) -> int:
        """Return the position."""
        return self._place

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class CountingReader:
    """A file opened for upload that reports and digests what was read from it."""

    def __init__(
        self,
        file: Readable,
        report: Callable[[int], None],
        check: Callable[[], None] = lambda: None,
        piece: int = 0,
    ) -> None:
        """Read from `file`; `check` may raise, before each read, to end the upload.

        At least `piece` bytes are read at a time, also where fewer are asked for: httpx asks for
        64 kB, and after each of them threads take turns, which costs more than sending does.
        """
        self._file = file
        self._piece = piece
        self._report = report
        self._check = check
        self._counted = 0
        self._read_from_start()

    def _read_from_start(self) -> None:
        self.sent = 0
        """Bytes that were read since the last `seek`: that were sent, that is."""
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        self._check()
        data = self._file.read(max(size, self._piece) if size >= 0 else size)
        self._sha256.update(data)
        self.sent += len(data)
        if data:
            self._count(len(data))
        return data

    @property
    def sha256(self) -> str:
        """The digest of what was sent."""
        return self._sha256.hexdigest()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; httpx measures and rewinds files by this."""
        self._read_from_start()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def fileno(self) -> int:
        """Return the descriptor, from which httpx takes the size, where there is one."""
        fileno: Callable[[], int] | None = getattr(self._file, "fileno", None)
        if fileno is None:
            raise io.UnsupportedOperation("fileno")
        return fileno()

    def undo(self) -> None:
        """Take back what this reader reported: the attempt failed."""
        if self._counted:
            self._report(-self._counted)
        self._counted = 0

    def _count(self, size: int) -> None:
        self._counted += size
        self._report(size)
