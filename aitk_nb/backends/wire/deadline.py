"""`hurry`: requests of a caller who would rather know now that a server is silent than wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["hurry", "hurry_within"]

_LIMIT: ContextVar[float | None] = ContextVar("hurry", default=None)


@contextmanager
def hurry(seconds: float) -> Iterator[None]:
    """Give up a request of this thread that waits `seconds` for a word of the server.

    Usual requests wait long, as a server may be loading a model, and ask again several times.
    """
    token = _LIMIT.set(seconds)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def hurry_within() -> float | None:
    """Return how many seconds the caller waits; None when there is no hurry."""
    return _LIMIT.get()
