"""One test about many values, which names all that it does not hold for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

_FAILURES = (Exception, pytest.fail.Exception)


def for_each(
    argument: str, values: Iterable[Any], name: Callable[[Any], str] = str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a test each of `values` in turn, and fail once, with a message about all that fail.

    Used as `pytest.mark.parametrize` is, where hundreds of items of their own would be in the way.
    Fixtures are made once for all values.
    """
    given = list(values)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def loop(**fixtures: Any) -> None:
            failed = [
                (value, error)
                for value in given
                if (error := _failure(test, {**fixtures, argument: value})) is not None
            ]
            if failed:
                told = "\n".join(f"{name(value)}: {error}" for value, error in failed)
                message = f"{len(failed)} of {len(given)} values of {argument} fail:\n{told}"
                raise AssertionError(message) from failed[0][1]

        signature = inspect.signature(test)
        kept = [known for key, known in signature.parameters.items() if key != argument]
        loop.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return loop

    return decorate


def _failure(test: Callable[..., None], given: dict[str, Any]) -> BaseException | None:
    try:
        test(**given)
    except _FAILURES as error:
        return error
    return None
