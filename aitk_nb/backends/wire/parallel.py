"""Doing many requests at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from aitk_nb.backends.wire.upload_rate import LANES
from aitk_nb.errors import AitkError

__all__ = ["each"]


T = TypeVar("T")


R = TypeVar("R")


def each(
    work: Callable[[T], R], items: Sequence[T], *, workers: int = LANES
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
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
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
