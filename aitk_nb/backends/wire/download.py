"""Downloads by ranges: the file has its name when it is whole, and what has come is kept.

Why it is so: docs/behavior.md#gateways
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from aitk_nb._files import resuming
from aitk_nb.backends.base import Progress
from aitk_nb.backends.wire.deadline import RETURN, backoff
from aitk_nb.connection.connection import OUTAGE
from aitk_nb.errors import ConnectionFailed, UnexpectedReply

TAIL = 2**16
"""Bytes at the end of a partial file that are compared where the server tells no version."""

_log = logging.getLogger(__name__)


OpenRange = Callable[[int, int], AbstractContextManager[Iterator[bytes]]]
"""Opens the bytes from the first number up to, but not including, the second."""


def fetch(
    open_range: OpenRange,
    size: int,
    target: Path,
    progress: Progress,
    *,
    version: str = "",
    outage: float = OUTAGE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Write `size` bytes to `target`, which appears when it is whole, and return `size`.

    Ranges are closed and inside the file, because the server neither clamps a range nor answers
    one at the very end. After a broken connection (a proxy cuts it after 100 s) it goes on where
    that broke, until nothing has come for `outage` seconds; what has come by then, or by an
    interrupt, is where the next call goes on, if the server's file has the same `version`.

    Raises:
        AitkError: the file could not be fetched or written (no space left, say); nothing new
            lies under the final name.
    """
    with resuming(target, f"{size} {version}") as file:
        done = file.seek(0, os.SEEK_END)
        known = bool(version) or not done
        silent_since, silences = clock(), 0
        while done < size or not known:
            try:
                if not known:
                    done, known = _agreed(open_range, file, done), True
                progress(done, size)
                for chunk in _rest(open_range, done, size):
                    file.write(chunk)
                    done += len(chunk)
                    silent_since, silences = clock(), 0
                    progress(min(done, size), size)
            except ConnectionFailed as exc:
                if silences and clock() - silent_since >= outage:
                    raise
                _log.info(
                    "download broke at byte %d of %d, going on from there: %s", done, size, exc
                )
                sleep(backoff(silences, RETURN) if silences else 0.0)
                silences += 1
            else:
                if done != size:
                    raise UnexpectedReply("download", f"{done} bytes where {size} were asked")
        progress(done, size)
    return size


def _rest(open_range: OpenRange, done: int, size: int) -> Iterator[bytes]:
    """Yield the bytes that are still to come."""
    if done < size:
        with open_range(done, size) as chunks:
            yield from chunks


def _agreed(open_range: OpenRange, file: BinaryIO, done: int) -> int:
    """Return from where a partial file goes on: its end, if that is the server's; else 0."""
    start = max(0, done - TAIL)
    with open_range(start, done) as chunks:
        there = b"".join(chunks)
    file.seek(start)
    if there != file.read():
        done = 0
    file.seek(done)
    file.truncate()
    return done
