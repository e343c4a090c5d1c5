"""`plain`: a server's text, safe to write to a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def plain(text: str) -> str:
    """Return the text on one line, without control characters that a terminal would obey."""
    return _CONTROL.sub(" ", text)
