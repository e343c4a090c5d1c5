"""What an answer that is not a success means: the four error forms of the server as our errors."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from aitk_nb.errors import AitkError, Rejected, ServerNotReady, Unauthorized, UnexpectedReply

NOT_READY = frozenset({502, 503, 504, 520, 521, 522, 523, 524})
"""What a gateway says for a server that is not up; a training server says none of them."""

MAX_QUOTED = 300


def translated(
    url: str,
    response: httpx.Response,
    what: str,
    *,
    sent: bool,
    clean: Callable[[str], str],
) -> AitkError:
    """Return the error that an answer is; `sent` tells whether a token went with the request."""
    status = response.status_code
    if status == 401:
        return Unauthorized(url, sent=sent)
    if response.is_redirect:
        target = httpx.URL(response.headers.get("location", "")).copy_with(query=None)
        return UnexpectedReply(what, f"a redirect to {clean(str(target))}")
    html = "html" in response.headers.get("content-type", "")
    if status == 413 and html:
        # A proxy says so with a page of its own, before the server sees anything.
        return Rejected(what, "the request is too large", status)
    if status in NOT_READY:
        return ServerNotReady(url, f"status {status}")
    if html:
        return UnexpectedReply(what, f"status {status} with a web page: no such endpoint")
    return Rejected(what, _words(response, clean), status)


def _words(response: httpx.Response, clean: Callable[[str], str]) -> str:
    """Return what the server said, short, on one line and without our own secrets."""
    try:
        body = response.json()
        text = str(body.get("error", "")) if isinstance(body, dict) else ""
    except ValueError:
        text = response.text
    return " ".join(clean(text).split())[:MAX_QUOTED]
