"""An `Http` for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from tests.backends.canned import Canned, Reply

FINE = Reply(body={"fine": True})


@contextmanager
def speaking(site: Canned, *, attempts: int = 4, **connection: object) -> Iterator[Http]:
    """Yield an `Http` to a canned server."""
    http = Http(Connection(site.url, **connection), attempts=attempts)  # type: ignore[arg-type]
    try:
        yield http
    finally:
        http.close()
