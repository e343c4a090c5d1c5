"""HTTP to a Gradio app: a login by form and cookies, done where the app asks for it.

Why it is so: docs/behavior.md#gradio
"""

import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.response_errors import gateway_refusal
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import AitkError, Unauthorized


def login_of(connection: Connection) -> tuple[str, Secret] | None:
    """Return the user name and password that a connection holds.

    A token of the form `user:password` is one too, so that AITK_TOKEN serves both flavours.
    """
    if connection.login or not connection.token:
        return connection.login
    user, colon, password = connection.token.reveal().partition(":")
    return (user, Secret(password)) if colon and user and password else None


class GradioHttp(Http):
    """Requests below the address of a Gradio app.

    Nothing is sent to prove who we are until the app answers 401; then `POST /login` is, and its
    cookies open everything else. They die with the server's process, so that a later 401 is
    answered in the same way. The web UI's token never goes to a Gradio app.
    """

    def __init__(
        self, connection: Connection, *, attempts: int = 4, timeout: float | None = None
    ) -> None:
        self._login = login_of(connection)
        # The login is part of the connection, so that its password is kept out of every text.
        held = replace(connection, token=None, login=self._login)
        super().__init__(held, attempts=attempts, timeout=timeout)
        self._door = threading.Lock()
        self._entries = 0

    @property
    def has_login(self) -> bool:
        """True when a user name and a password were given."""
        return self._login is not None

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies of the login, by name; empty where the app requires none."""
        return {cookie.name: cookie.value or "" for cookie in self.client.cookies.jar}

    @property
    def extra_headers(self) -> Mapping[str, str]:
        """The headers for a gateway in front of the app, in clear."""
        return {name: value.reveal() for name, value in self._connection.headers.items()}

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """Which certificates are trusted, in the form that httpx takes."""
        return self._verify()

    def peek(self, path: str) -> Any:
        """Return the JSON that answers to somebody who does not log in, or None without any."""
        answer = super()._exchange(self._request("GET", path))
        return self._json(answer, f"show {path}") if answer.is_success else None

    def log_in(self) -> None:
        """Send the user name and the password, and keep the cookies.

        Ask for `/config` first: an app that requires no login does not understand one.

        Raises:
            Unauthorized: none were given, or the app does not accept them.
        """
        if self._login is None:
            raise Unauthorized(self.url, sent=False, login=True)
        response = super()._exchange(self._form())
        if gateway_refusal(response):
            raise super()._translated(response, "log in")
        if response.status_code in {400, 401, 403} or response.is_redirect:
            # Gradio says 400 to wrong ones. A redirect comes from an app without a login, so that
            # the 401 that brought us here was a gateway's.
            raise Unauthorized(self.url, sent=True, login=True)
        self._checked(response, "log in")
        self._entries += 1

    def _form(self) -> httpx.Request:
        # In a frame of its own, which no traceback shows.
        assert self._login is not None
        user, password = self._login
        form = {"username": user, "password": password.reveal()}
        return self._request("POST", "/login", data=form)

    def _exchange(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        before = self._entries
        response = super()._exchange(request, stream=stream)
        # A gateway that wants its own credentials must not get those of the app.
        if response.status_code != 401 or self._login is None or gateway_refusal(response):
            return response
        response.close()
        with self._door:
            # Of many threads that met the closed door, one goes to open it.
            if self._entries == before:
                self.log_in()
        request.headers.pop("Cookie", None)
        self.client.cookies.set_cookie_header(request)
        return super()._exchange(request, stream=stream)

    def _translated(self, response: httpx.Response, what: str) -> AitkError:
        if response.status_code == 401 and not gateway_refusal(response):
            return Unauthorized(self.url, sent=self.has_login, login=True)
        return super()._translated(response, what)

    def clean(self, text: str) -> str:
        """Return a server's text without our own secrets, should it echo them.

        Gradio 5 echoes a request's headers in its answer to a range.
        """
        # A pool that is closed, or not open yet, has no cookies; nothing is opened to find out.
        jar = self._client.cookies.jar if self._client else ()
        for value in filter(None, (cookie.value for cookie in jar)):
            text = Secret(value).hidden_in(text)
        return super().clean(text)
