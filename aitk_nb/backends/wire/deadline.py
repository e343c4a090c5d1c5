"""How long a request may take, and how often it is tried."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tenacity import Retrying, stop_after_attempt, wait_random_exponential

RETURN = 2.0
"""Seconds between two looks, at most, for whether a server that was away is back."""

_LIMIT: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give up a request of this thread after `seconds` without a word of the server.

    Other requests wait longer, as a server may be loading a model, and are tried several times.
    """
    token = _LIMIT.set(seconds)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def seconds_allowed() -> float | None:
    """Return the seconds of the deadline around the caller; None without one."""
    return _LIMIT.get()


def backoff(tries: int, longest: float) -> float:
    """Return seconds to wait: each time about twice as many up to `longest`, never the same."""
    most = min(longest, 0.25 * 2 ** min(tries, 10))
    return random.uniform(most / 2, most)  # noqa: S311 (no secret)


def retrying(attempts: int, retry: Any, *, longest: float = 5.0, **options: Any) -> Retrying:
    """Return what tries a call up to `attempts` times, with growing random pauses.

    Args:
        attempts: Tries in all.
        retry: Tenacity's condition on which a try is repeated.
        longest: Seconds of the longest pause.
        **options: Further options of tenacity.
    """
    return Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=0.25, max=longest),
        retry=retry,
        **{"reraise": True, **options},
    )
