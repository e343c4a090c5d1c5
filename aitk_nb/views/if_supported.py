"""`if_supported`: show something where the server can do it, and elsewhere why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aitk_nb import _html
from aitk_nb.errors import NotSupported

T = TypeVar("T")


class Missing:
    """Shows what a server cannot do, and what to do instead."""

    def __init__(self, reason: NotSupported) -> None:
        """Show `reason`."""
        self.reason = reason

    def __repr__(self) -> str:
        return str(self.reason)

    def _repr_html_(self) -> str:
        return _html.message(self.reason)


def if_supported(call: Callable[[], T]) -> T | Missing:
    """Return what `call` returns, or, where this server cannot do it, a notice that says so.

    For the last line of a cell, so that one notebook runs on servers of both flavours to its end.
    """
    try:
        return call()
    except NotSupported as exc:
        return Missing(exc)
