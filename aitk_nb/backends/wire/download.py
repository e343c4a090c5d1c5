"""Downloads by ranges, which arrive whole or not at all.

Why it is so: docs/behavior.md#gateways
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from tenacity import retry_if_exception_type

from aitk_nb._files import replacing
from aitk_nb.backends.base import Progress
from aitk_nb.backends.wire.deadline import retrying
from aitk_nb.errors import ConnectionFailed, UnexpectedReply

ATTEMPTS = 5

_log = logging.getLogger(__name__)


OpenRange = Callable[[int, int], AbstractContextManager[Iterator[bytes]]]
"""Opens the bytes from the first number up to, but not including, the second."""


def fetch(open_range: OpenRange, size: int, target: Path, progress: Progress) -> int:
    """Write `size` bytes to `target`, whole or not at all, and return `size`.

    Ranges are closed and inside the file, because the server neither clamps a range nor answers
    one at the very end. After a broken connection (a proxy cuts it after 100 s) it continues.

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
    for attempt in retrying(ATTEMPTS, retry_if_exception_type(ConnectionFailed), longest=8.0):
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
