"""What stands at an address: one look that sends no token and changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from tenacity import retry_if_exception_type, retry_if_result

from aitk_nb.backends.detection.unknown_server import Foreign, Kind, recognize
from aitk_nb.backends.wire.deadline import retrying
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.proxies import proxy_for
from aitk_nb.backends.wire.response_errors import NOT_READY, gateway_refusal, json_object
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import AitkError, ConnectionFailed, ServerNotReady, Unauthorized
from aitk_nb.models.server import Flavour

# Addresses are copied from a browser's address bar; these are pages of the web UI, not base paths.
PAGES = ("/dashboard", "/jobs", "/datasets", "/settings")

HOPS = 3
"""Redirects on the same host that are followed to see the first page."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What answered, told without proving who we are."""

    connection: Connection
    """The connection that leads there, with the address at which it was found."""
    flavour: Flavour | None = None
    """None when it is not a training server."""
    locked: bool = False
    """True when it requires credentials."""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """A Gradio app's own description; behind a login, what its 401 tells."""
    foreign: Foreign | None = None
    """What it is instead of a training server."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of the answer that told it, by lower-case name."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was seen, by our clock."""


def look(connection: Connection, *, attempts: int = 3, timeout: float | None = None) -> Sighting:
    """Return what answers at the address of `connection`; asks GET `/api/auth`, `/config` and `/`.

    Extra headers, which are for a gateway, are sent, and the token and the login are not. A
    gateway that asks for Basic credentials is given the login, should there be one.

    Raises:
        ConnectionFailed: the server does not answer.
    """
    eyes = _Eyes(connection, attempts, timeout)
    try:
        seen = eyes.look()
    finally:
        eyes.http.close()
    if seen.flavour is None and (nearer := _nearer(seen)):
        return look(nearer, attempts=attempts, timeout=timeout)
    return seen


def _nearer(seen: Sighting) -> Connection | None:
    """Return another connection that is likely to be meant."""
    connection, url = seen.connection, seen.connection.url
    if _wants_basic(seen) and connection.login and not _has_authorization(connection):
        basic = {"Authorization": Secret.basic(*connection.login)}
        return replace(connection, headers={**connection.headers, **basic}, login=None)
    for page in PAGES:
        base, found, rest = url.rpartition(page)
        if found and (not rest or rest.startswith("/")):
            return replace(connection, url=base)
    return None


def _wants_basic(seen: Sighting) -> bool:
    asked = seen.headers.get("www-authenticate", "")
    return seen.foreign is not None and asked.lower().startswith("basic")


def _has_authorization(connection: Connection) -> bool:
    given = {name.lower() for name in connection.headers}
    return connection.token is not None or "authorization" in given


class _Eyes:
    """One look at one address."""

    def __init__(self, connection: Connection, attempts: int, timeout: float | None) -> None:
        self._connection = connection
        self._attempts = attempts
        self._timeout = timeout
        plain = replace(connection, token=None, login=None)
        self.http = Http(plain, attempts=1, timeout=timeout)

    def look(self) -> Sighting:
        """Return what answers."""
        answer = self._ask("/api/auth")
        if answer.status_code == 407:
            proxy = proxy_for(self._connection.url) or "on the way"
            reason = f"the proxy {proxy} requires a password"
            raise ConnectionFailed(self._connection.url, reason, cause="proxy")
        if secure := self._same_by_https(answer):
            return look(secure, attempts=self._attempts, timeout=self._timeout)
        if (locked := _webui(answer)) is not None:
            return self._seen(answer, flavour=Flavour.WEBUI, locked=locked)
        if answer.status_code in NOT_READY:
            return self._seen(answer, foreign=self._named(answer))
        config = self._ask("/config")
        if (locked := _gradio(config)) is not None:
            facts = _refusal(config) if locked else config.json()
            return self._seen(config, flavour=Flavour.GRADIO, locked=locked, config=facts)
        if answer.status_code == 401:
            return self._seen(answer, foreign=self._named(answer))
        page = self._first_page()
        foreign = self._named(page)
        if foreign.kind in {Kind.PAGE, Kind.OTHER} and gateway_refusal(answer):
            foreign = self._named(answer)
        return self._seen(page, foreign=foreign)

    def _seen(self, answer: httpx.Response, **facts: Any) -> Sighting:
        return Sighting(self._connection, headers=dict(answer.headers), **facts)

    def _named(self, answer: httpx.Response) -> Foreign:
        return recognize(self._connection.url, answer, self.http.clean)

    def _ask(self, path: str) -> httpx.Response:
        tries = retrying(
            self._attempts,
            retry_if_exception_type(ConnectionFailed)
            | retry_if_result(lambda answer: answer.status_code in NOT_READY),
            # Without `reraise`, so that the last answer is returned when none is better.
            reraise=False,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        answer: httpx.Response = tries(self.http.raw, "GET", path)
        return answer

    def _same_by_https(self, answer: httpx.Response) -> Connection | None:
        """Return the connection by TLS, where a gateway sends everybody there."""
        url = self._connection.url
        target = answer.headers.get("location", "")
        here, there = urlsplit(url + "/api/auth"), urlsplit(target)
        upgraded = (here.scheme, there.scheme) == ("http", "https")
        if not upgraded or (here.hostname, here.path) != (there.hostname, there.path):
            return None
        return replace(self._connection, url=target.partition("?")[0].removesuffix("/api/auth"))

    def _first_page(self) -> httpx.Response:
        """Return the page that people see first, found by redirects on the same host."""
        path, base = "/", urlsplit(self._connection.url)
        for _ in range(HOPS):
            page = self._ask(path)
            target = urlsplit(
                urljoin(self._connection.url + path, page.headers.get("location", ""))
            )
            same = (target.scheme, target.netloc) == (base.scheme, base.netloc)
            below = target.path.removeprefix(base.path)
            if not page.is_redirect or not same or not target.path.startswith(base.path + "/"):
                break
            path = f"{below}?{target.query}" if target.query else below
        return page


def _webui(answer: httpx.Response) -> bool | None:
    """Return whether a web UI that answered so requires a token; None when it is not a web UI."""
    body = json_object(answer)
    if answer.status_code == 401:
        return True if body.get("error") == "Unauthorized" else None
    return False if answer.status_code == 200 and "isAuthenticated" in body else None


def _gradio(answer: httpx.Response) -> bool | None:
    """Return whether a Gradio app that answered so requires a login; None when it is none."""
    body = json_object(answer)
    if answer.status_code == 401:
        said = body.get("detail")
        text = said.get("error") if isinstance(said, dict) else said
        return True if text == "Not authenticated" else None
    found = answer.status_code == 200 and "version" in body and "components" in body
    return False if found else None


def _refusal(answer: httpx.Response) -> Mapping[str, Any]:
    """Return what a Gradio app's 401 tells of it: from version 5 on it is worded otherwise."""
    newer = isinstance(json_object(answer).get("detail"), dict)
    return {"api_prefix": "/gradio_api"} if newer else {"version": "4 or older"}


def unrecognized(seen: Sighting) -> AitkError:
    """Return the error that says what answers in place of a training server, or in front of it."""
    url, what = seen.connection.url, seen.foreign or Foreign(Kind.OTHER, "in an unknown way")
    if what.hides:
        return Unauthorized(url, sent=bool(seen.connection.headers), gateway=what.seen)
    return ServerNotReady(url, what.seen, what.advice)


def detect(connection: Connection) -> tuple[Flavour, Connection]:
    """Return the flavour that answers, and the connection with the address it answers at.

    Raises:
        ConnectionFailed: the server does not answer.
        ServerNotReady: something else answers, such as the page of a booting pod.
        Unauthorized: a gateway in front refuses, or requires a login.
    """
    seen = look(connection)
    if seen.flavour is None:
        raise unrecognized(seen)
    return seen.flavour, seen.connection
