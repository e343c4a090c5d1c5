"""Keeps our secrets out of the logs of the HTTP library, which repeat what a server says back.

At DEBUG the library logs the headers of every answer. A server, or a gateway in front of it, that
echoes the request there would put the token into a log file.
"""

import logging
import re
import threading
import weakref
from typing import Protocol

LOGGERS = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
"""A filter counts only for the logger that it hangs on, not for those below."""


_COOKIE = re.compile(r"(b'set-cookie', b'[^'=;]*=)[^';]*", re.IGNORECASE)
"""A cookie as the library logs it; whoever has it is logged in."""


class Cleaner(Protocol):
    """Whoever knows secrets that no text may show."""

    def clean_log(self, text: str) -> str:
        """Return `text` without them; called while the library is at work, and so calls none."""


class _Clean(logging.Filter):
    """Takes the secrets of every living client out of a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = _COOKIE.sub(r"\1…", text)
        with _guard:
            cleaners = list(_cleaners)
        for cleaner in cleaners:
            clean = cleaner.clean_log(clean)
        if clean != text:
            record.msg, record.args = clean, ()
        return True


_cleaners: weakref.WeakSet[Cleaner] = weakref.WeakSet()
_guard = threading.Lock()
_filter = _Clean()


def keep_clean(cleaner: Cleaner) -> None:
    """Keep the secrets of `cleaner` out of the library's logs for as long as it lives."""
    with _guard:
        _cleaners.add(cleaner)
    for name in LOGGERS:
        # Added once only: a logger has each filter no more than once.
        logging.getLogger(name).addFilter(_filter)
