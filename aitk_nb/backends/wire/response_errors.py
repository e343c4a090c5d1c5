"""What an answer that is not a success means: the four error forms of the server as our errors."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from aitk_nb.errors import AitkError, Rejected, ServerNotReady, Unauthorized, UnexpectedReply

NOT_READY = frozenset({502, 503, 504, 520, 521, 522, 523, 524})
"""What a gateway says for a server that is not up; a training server says none of them."""

PASSWORD_FIELD = re.compile(r"<input[^>]+type\s*=\s*[\"']?password", re.IGNORECASE)

MAX_QUOTED = 300

_LOGIN_PATH = re.compile(
    r"/(?:[\w-]*log-?[io]n|sign-?in|sso|_?oauth2?|auth\w*|saml\w*|idp|session)\b", re.IGNORECASE
)

_TRANSFER = re.compile(r"/api/(files/|img/|(datasets|loras)/upload$)|/file=|/upload$")


def translated(
    url: str, response: httpx.Response, what: str, *, sent: bool, clean: Callable[[str], str]
) -> AitkError:
    """Return the error that an answer is; `sent` tells whether a token went with the request."""
    status, html = response.status_code, is_page(response)
    if refusal := gateway_refusal(response):
        return Unauthorized(url, sent=sent, gateway=clean(refusal))
    if status == 401:
        return Unauthorized(url, sent=sent)
    if response.is_redirect:
        return UnexpectedReply(what, f"a redirect to {clean(_target(response))}")
    if response.is_success and not _is_transfer(response):
        return UnexpectedReply(what, "a web page (text/html)")
    if status == 413 and html:
        # A proxy says so with a page of its own, before the server sees anything.
        return Rejected(what, "the request is too large", status)
    if status in NOT_READY:
        return ServerNotReady(url, f"status {status}")
    if html and _is_transfer(response):
        return ServerNotReady(url, f"status {status} with a web page")
    if html:
        return UnexpectedReply(what, f"status {status} with a web page: no such endpoint")
    return Rejected(what, _words(response, clean), status)


def _is_transfer(response: httpx.Response) -> bool:
    """Return whether a file was asked for or sent, where every server has such an endpoint.

    A page in its place is a gateway's, whose server is away.
    """
    request = response.request
    return request.method in {"GET", "POST"} and bool(_TRANSFER.search(request.url.path))


def is_page(response: httpx.Response) -> bool:
    """Return whether the answer is a web page."""
    return "html" in response.headers.get("content-type", "")


def leads_to_login(response: httpx.Response) -> bool:
    """Return whether a redirect leads to a login, and not to the same path of a moved server."""
    here, there = urlsplit(str(response.request.url)), urlsplit(_target(response))
    rest = there.path.removesuffix(here.path)
    elsewhere = there.hostname not in {None, here.hostname} and rest == there.path
    return elsewhere or bool(_LOGIN_PATH.search(rest))


def gateway_refusal(response: httpx.Response) -> str:
    """Return what a gateway answered that refuses, as the end of a sentence; else an empty text.

    No training server sends any of it: its own refusals are JSON, or the words of `_is_own_403`.
    """
    status, html = response.status_code, is_page(response)
    if response.is_redirect:
        return f"with a redirect to {_target(response)}" if leads_to_login(response) else ""
    if status == 401 and (html or "www-authenticate" in response.headers):
        return "with a request for credentials of its own (status 401)"
    if status in {407, 511} or (status == 403 and not _is_own_403(response)):
        return f"with status {status}"
    is_login = response.is_success and html and PASSWORD_FIELD.search(response.text)
    return "with a login page" if is_login else ""


def _is_own_403(response: httpx.Response) -> bool:
    """Return whether a training server says 403, as it does of files that it doesn't serve.

    AI Toolkit's file routes (ui/cron/fileServer.ts) say "Access denied" without a content type;
    Gradio has a `detail`. An answer to HEAD has no words.
    """
    request, kind = response.request, response.headers.get("content-type", "")
    if request.method == "HEAD":
        return "json" in kind if "/file=" in request.url.path else "html" not in kind
    return response.text.strip() == "Access denied" or (
        "json" in kind and response.text.lstrip().startswith('{"detail"')
    )


def _target(response: httpx.Response) -> str:
    """Return where a redirect leads, without its query."""
    target: str = response.headers.get("location", "").partition("?")[0]
    try:
        return urljoin(str(response.request.url).partition("?")[0], target)
    except ValueError:
        return "an invalid address"


def json_object(response: httpx.Response) -> Mapping[str, Any]:
    """Return the JSON object that answers; empty where something else does."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _words(response: httpx.Response, clean: Callable[[str], str]) -> str:
    """Return what the server said, short, on one line and without our own secrets."""
    try:
        body = response.json()
        text = str(body.get("error", "")) if isinstance(body, dict) else ""
    except ValueError:
        text = response.text
    return " ".join(clean(text).split())[:MAX_QUOTED]
