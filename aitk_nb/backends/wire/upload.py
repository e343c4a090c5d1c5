"""Uploading files: several requests at once, and each file until it has arrived."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.wire.file_readers import CountingReader, LocalFile
from aitk_nb.backends.wire.parallel import Tally
from aitk_nb.backends.wire.upload_queue import UploadQueue, UploadRequest
from aitk_nb.backends.wire.upload_rate import LANES, UploadRate
from aitk_nb.errors import AitkError, TransferFailed

MOST = 64
"""Files in one request: more save little delay, and each is lost with the request."""
PIECE = 2**18
"""Bytes that are read, digested and counted at a time."""


class Part(NamedTuple):
    """A file of a request, and the reader through which it must be read."""

    file: Upload
    reader: CountingReader


Send = Callable[[Sequence[Part]], None]
"""Puts all parts into one request, and returns when the server confirms them."""


def send_all(
    files: Sequence[Upload],
    send: Callable[[Upload, CountingReader], None],
    progress: Progress,
    rate: UploadRate | None = None,
) -> dict[str, str]:
    """Send every file in a request of its own; otherwise as `send_bundles`."""
    return send_bundles(files, lambda parts: send(*parts[0]), progress, rate, most=1)


def send_bundles(
    files: Sequence[Upload],
    send: Send,
    progress: Progress,
    rate: UploadRate | None = None,
    *,
    most: int = MOST,
) -> dict[str, str]:
    """Send every file, small ones together, and return the SHA-256 of what was sent, by name.

    What breaks is sent again, in smaller requests and with fewer of them at once. An interrupt
    ends the requests under way, of which the server keeps nothing, and is raised.

    Raises:
        TransferFailed: Some did not arrive; the others did.
        Unauthorized: The server requires other credentials.
    """
    total = sum(file.size for file in files)
    progress(0, total)
    rate = rate or UploadRate()
    rate.begin()
    queue = UploadQueue(files, rate, most)
    _Sender(queue, send, Tally(progress, total), PIECE if most > 1 else 0).run(len(files))
    if queue.failures:
        failures = {f.name: queue.failures[f.name] for f in files if f.name in queue.failures}
        raise TransferFailed(failures, done=len(files) - len(failures))
    return queue.digests


class _Ended(AitkError):
    """The upload is over, so that this request need not go on."""


class _Sender:
    """Works off a queue on several threads."""

    def __init__(self, queue: UploadQueue, send: Send, tally: Tally, piece: int) -> None:
        self._queue = queue
        self._send = send
        self._tally = tally
        self._piece = piece
        self._change = threading.Condition()

    def run(self, files: int) -> None:
        """Send all, and raise what is not the failure of a file."""
        # Daemons are not waited for at the end of the program: an interrupt must end it.
        threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(min(files, LANES))
        ]
        try:
            for thread in threads:
                thread.start()
            with self._change:
                while self._queue.is_busy:
                    self._change.wait(0.2)
        except BaseException as exc:
            self._end(exc)
            raise
        finally:
            _join(threads, 2.0 if self._queue.over else None)
        if self._queue.over is not None:
            raise self._queue.over

    def _end(self, why: BaseException) -> None:
        with self._change:
            self._queue.over = self._queue.over or why
            self._change.notify_all()

    def _check(self) -> None:
        """Break off the request whose file is read next, once the upload is over."""
        if self._queue.over is not None:
            raise _Ended("The upload was interrupted.")

    def _work(self) -> None:
        try:
            while (request := self._next()) is not None:
                self._transfer(request)
        except BaseException as exc:  # noqa: BLE001 (it is raised by `run`)
            self._end(exc)

    def _next(self) -> UploadRequest | None:
        """Return the next request as soon as it may begin; None if there are no more."""
        with self._change:
            while self._queue.is_busy:
                if request := self._queue.take():
                    return request
                self._change.wait(self._queue.pause())
            return None

    def _transfer(self, request: UploadRequest) -> None:
        files = [LocalFile(queued.file) for queued in request.files]
        parts = [
            Part(queued.file, CountingReader(file, self._tally.add, self._check, self._piece))
            for queued, file in zip(request.files, files, strict=True)
        ]
        failure: AitkError | None = None
        try:
            self._send(parts)
        except AitkError as exc:
            failure = exc
        finally:
            for file in files:
                file.close()
        sent = sum(reader.sent for _, reader in parts)
        if failure is not None:
            for _, reader in parts:
                reader.undo()
        with self._change:
            if failure is None:
                self._queue.arrived(request, {file.name: r.sha256 for file, r in parts})
            elif not isinstance(failure, _Ended):
                self._queue.failed(request, failure, sent)
            self._change.notify_all()


def _join(threads: Sequence[threading.Thread], longest: float | None) -> None:
    until = None if longest is None else time.monotonic() + longest
    for thread in threads:
        # An interrupt may come before a thread has started; there is nothing to wait for then.
        with suppress(RuntimeError):
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
