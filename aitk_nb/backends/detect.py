"""Which flavour of server answers at an address; told without sending a token."""

from __future__ import annotations

from aitk_nb.backends.detection.identify import look
from aitk_nb.backends.detection.unknown_server import Foreign, Kind
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import ServerNotReady
from aitk_nb.models.server import Flavour

__all__ = ["detect"]


def detect(connection: Connection) -> tuple[Flavour, Connection]:
    """Return the flavour that answers, and the connection with the address it answers at.

    Raises:
        ConnectionFailed: nobody answers.
        ServerNotReady: something else answers, such as the page of a booting pod.
    """
    seen = look(connection)
    if seen.flavour is None:
        what = seen.foreign or Foreign(Kind.OTHER, "in an unknown way")
        raise ServerNotReady(seen.connection.url, what.seen, what.advice)
    return seen.flavour, seen.connection
