"""`if_supported`: show something where the server can do it, and elsewhere why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aitk_nb.errors import NotSupported
from aitk_nb.views.widgets import Notice

T = TypeVar("T")


def if_supported(call: Callable[[], T]) -> T | Notice:
    """Return what `call` returns, or, where this server cannot do it, a notice that says so.

    For the last line of a cell, so that one notebook runs on servers of both flavours to its end.
    """
    try:
        return call()
    except NotSupported as exc:
        return Notice(str(exc))
