"""Which flavour of server answers at an address; told without sending a token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aitk_nb.backends.http import Http
from aitk_nb.errors import (
    Rejected,
    ServerNotReady,
    Unauthorized,
    UnexpectedReply,
)
from aitk_nb.models import Flavour
from aitk_nb.settings import Connection

__all__ = ["detect"]

# Addresses are copied from a browser's address bar; these are pages of the web UI, not base paths.
PAGES = ("/dashboard", "/jobs", "/datasets", "/settings")


def detect(connection: Connection) -> tuple[Flavour, Connection]:
    """Return the flavour that answers, and the connection with the address it answers at.

    Asks for `/api/auth` (web UI) and `/config` (Gradio), which answer with or without a token.

    Raises:
        ConnectionFailed: nobody answers.
        ServerNotReady: something else answers, such as the page of a booting pod.
    """
    plain = replace(connection, token=None, login=None)
    http = Http(plain, attempts=3)
    try:
        if _is_webui(http):
            return Flavour.WEBUI, connection
        if _is_gradio(http):
            return Flavour.GRADIO, connection
        seen = _seen(http)
    finally:
        http.close()
    for page in PAGES:
        base, found, rest = connection.url.rpartition(page)
        if found and (not rest or rest.startswith("/")):
            return detect(replace(connection, url=base))
    raise ServerNotReady(connection.url, seen)


def _is_webui(http: Http) -> bool:
    body = _ask(http, "/api/auth")
    if body is None:
        return False
    if isinstance(body, Unauthorized):
        return True
    return isinstance(body, dict) and "isAuthenticated" in body


def _is_gradio(http: Http) -> bool:
    body = _ask(http, "/config")
    # A Gradio app with a login answers 401 here, and the web UI has no such page.
    if isinstance(body, Unauthorized):
        return True
    return isinstance(body, dict) and "version" in body and "components" in body


def _ask(http: Http, path: str) -> Any:
    """Return the JSON at `path`, the `Unauthorized` it gave, or None for anything else."""
    try:
        return http.get_json(path, what="say what it is")
    except Unauthorized as exc:
        return exc
    except (Rejected, UnexpectedReply):
        return None


def _seen(http: Http) -> str:
    """Return in a few words what the first page is."""
    response = http.raw("GET", "/")
    if target := response.headers.get("location"):
        return f"with a redirect to {http.clean(target.partition('?')[0])}"
    kind = response.headers.get("content-type", "nothing").partition(";")[0]
    return f"with {kind}" if response.is_success else f"with {kind} (status {response.status_code})"
