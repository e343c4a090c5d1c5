"""Doing many requests at a time."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from aitk_nb.backends.base import Progress
from aitk_nb.backends.wire.upload_rate import LANES
from aitk_nb.errors import AitkError, Unauthorized

T = TypeVar("T")


R = TypeVar("R")


def each(
    work: Callable[[T], R], items: Sequence[T], *, workers: int = LANES
) -> list[R | AitkError]:
    """Return `work` of each item, in order, with an `AitkError` in the place of a failure.

    An interrupt, an error that is not ours, or credentials that are refused, let the items that
    have started finish, drop the others and are raised.
    """
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(items)))) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
                for future in done:
                    error = future.exception()
                    ours = isinstance(error, AitkError) and not isinstance(error, Unauthorized)
                    if error is not None and not ours:
                        raise error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        outcomes: list[R | AitkError] = []
        for future in futures:
            error = future.exception()
            outcomes.append(error if isinstance(error, AitkError) else future.result())
        return outcomes


def each_or_raise(
    work: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int = LANES,
    sizes: Sequence[int] = (),
    progress: Progress | None = None,
) -> list[R]:
    """Return `work` of each item, in order; `progress` gets the bytes done and in total.

    Raises:
        AitkError: The first item that failed.
    """
    tally = Tally(progress, sum(sizes))

    def counted(numbered: tuple[T, int]) -> R:
        result = work(numbered[0])
        tally.add(numbered[1])
        return result

    pairs = list(zip(items, sizes or [0] * len(items), strict=True))
    results: list[R] = []
    for outcome in each(counted, pairs, workers=workers):
        if isinstance(outcome, AitkError):
            raise outcome
        results.append(outcome)
    return results


class Tally:
    """Adds up bytes from several threads."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, size: int) -> None:
        """Count `size` bytes more, and report the progress."""
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(self._done, self._total)
