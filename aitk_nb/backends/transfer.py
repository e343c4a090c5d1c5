"""Files there and back: parallel uploads with a retry each, ranged downloads that arrive whole."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from aitk_nb._files import replacing
from aitk_nb.backends.base import Progress, Upload
from aitk_nb.errors import AitkError, ConnectionFailed, TransferFailed, UnexpectedReply

__all__ = ["CountingReader", "each", "fetch", "send_all"]

WORKERS = 8
ATTEMPTS = 5
T = TypeVar("T")
R = TypeVar("R")

_log = logging.getLogger(__name__)


class CountingReader:
    """A file opened for upload that reports and digests what was read from it."""

    def __init__(self, file: BinaryIO, report: Callable[[int], None]) -> None:
        self._file = file
        self._report = report
        self._counted = 0
        self._read_from_start()

    def _read_from_start(self) -> None:
        self.sent = 0
        """Bytes that were read since the last `seek`: that were sent, that is."""
        self._sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._file.read(size)
        self._sha256.update(data)
        self.sent += len(data)
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
        """Return the descriptor, from which httpx takes the size."""
        return self._file.fileno()

    def undo(self) -> None:
        """Take back what this reader reported: the attempt failed."""
        self._report(-self._counted)
        self._counted = 0

    def _count(self, size: int) -> None:
        self._counted += size
        self._report(size)


def each(
    work: Callable[[T], R], items: Sequence[T], *, workers: int = WORKERS
) -> list[R | AitkError]:
    """Return `work` of each item, in order, with an `AitkError` in the place of a failure.

    An interrupt, or an error that is not ours, lets the items that have begun finish, drops the
    others and is raised.
    """
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(items)))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    _reraise_foreign(future)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        outcomes: list[R | AitkError] = []
        for future in futures:
            error = future.exception()
            outcomes.append(error if isinstance(error, AitkError) else future.result())
        return outcomes


def _reraise_foreign(future: Future[Any]) -> None:
    error = future.exception()
    if error is not None and not isinstance(error, AitkError):
        raise error


def send_all(
    files: Sequence[Upload],
    send: Callable[[Upload, CountingReader], None],
    progress: Progress,
) -> None:
    """Send every file, eight at a time, each tried again by itself when the line breaks.

    Raises:
        TransferFailed: some did not arrive; the others did.
    """
    total = sum(file.size for file in files)
    tally = _Tally(progress, total)
    progress(0, total)
    outcomes = each(lambda file: _send_one(file, send, tally.add), files)
    failures = {
        file.name: str(outcome)
        for file, outcome in zip(files, outcomes, strict=True)
        if isinstance(outcome, AitkError)
    }
    if failures:
        raise TransferFailed(failures, done=len(files) - len(failures))


class _Tally:
    """Adds up bytes from several threads."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._progress(self._done, self._total)


def _send_one(
    file: Upload, send: Callable[[Upload, CountingReader], None], report: Callable[[int], None]
) -> None:
    for attempt in _retrying():
        with attempt, _reading(file, report) as reader:
            try:
                send(file, reader)
            except BaseException:
                reader.undo()
                raise


@contextmanager
def _reading(file: Upload, report: Callable[[int], None]) -> Iterator[CountingReader]:
    try:
        opened = file.source.open("rb")
    except OSError as exc:
        raise TransferFailed({file.name: f"cannot be read: {exc.strerror}"}) from exc
    with opened:
        yield CountingReader(opened, report)


def _retrying() -> Retrying:
    return Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.25, max=8),
        retry=retry_if_exception_type(ConnectionFailed),
        reraise=True,
    )


OpenRange = Callable[[int, int], AbstractContextManager[Iterator[bytes]]]
"""Opens the bytes from the first number up to, but not including, the second."""


def fetch(open_range: OpenRange, size: int, target: Path, progress: Progress) -> int:
    """Write `size` bytes to `target`, whole or not at all, and return `size`.

    Ranges are closed and inside the file, because the server neither clamps a range nor answers
    one at the very end. A broken line (a proxy cuts it after 100 s) is taken up where it broke.

    Raises:
        AitkError: the file could not be fetched or written (no space left, say); nothing new
            lies under the final name.
    """
    progress(0, size)
    with replacing(target) as draft, draft.open("wb") as file:
        done = 0
        while done < size:
            done = _fetch_on(open_range, file, done, size, progress)
    return size


def _fetch_on(
    open_range: OpenRange, file: BinaryIO, start: int, size: int, progress: Progress
) -> int:
    """Write from `start` on as far as the line holds, and return the new position.

    A line that brings nothing at all is tried a few times more.
    """
    done = start
    for attempt in _retrying():
        with attempt:
            try:
                with open_range(start, size) as chunks:
                    for chunk in chunks:
                        file.write(chunk)
                        done += len(chunk)
                        progress(min(done, size), size)
            except ConnectionFailed:
                if done == start:
                    raise
                _log.info("download broke at byte %d of %d, going on from there", done, size)
                return done
    if done != size:
        raise UnexpectedReply("download", f"{done - start} bytes where {size - start} were asked")
    return done
