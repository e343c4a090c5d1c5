"""`plain`: a server's text, safe to write on a terminal."""

from __future__ import annotations

import re

__all__ = ["plain"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def plain(text: str) -> str:
    """Return the text on one line, without what a terminal would take for a command."""
    return _CONTROL.sub(" ", text)
