"""One HTTP client: timeouts, retries, error translation, and the only place that sends a token."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from aitk_nb.errors import (
    AitkError,
    BadInput,
    ConnectionFailed,
    Rejected,
    ServerNotReady,
    Unauthorized,
    UnexpectedReply,
)
from aitk_nb.settings import Connection, Secret

__all__ = ["Http"]

# A pod's proxy cuts a request after 100 s, so waiting longer for silence is pointless.
TIMEOUT = httpx.Timeout(connect=10.0, read=100.0, write=100.0, pool=None)
NOT_READY = frozenset({502, 503, 504, 520, 521, 522, 523, 524})
MAX_QUOTED = 300
MIN_SECRET = 8
"""Shorter words of a header, such as "Basic", are not secret."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")


class Http:
    """Requests below one base URL, with every failure translated into an `AitkError`."""

    def __init__(self, connection: Connection, *, attempts: int = 4) -> None:
        self.url = connection.url
        self._connection = connection
        self._attempts = attempts
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        _check_headers(connection)

    def __repr__(self) -> str:
        return f"<Http {self.url}>"

    @property
    def client(self) -> httpx.Client:
        """The connection pool, made at the first request, which may come from several threads."""
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> httpx.Client:
        return httpx.Client(
            timeout=TIMEOUT,
            verify=self._verify(),
            limits=httpx.Limits(
                max_connections=32,
                max_keepalive_connections=16,
                # Servers close an idle connection after 5 s; an action must not meet that moment.
                keepalive_expiry=3.0,
            ),
            # The usual proxy variables count, but never for a server on this machine.
            mounts={f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")},
            headers={"User-Agent": "aitk-nb", "Accept": "application/json, */*;q=0.5"},
        )

    def _verify(self) -> ssl.SSLContext | bool:
        verify = self._connection.verify
        if isinstance(verify, bool):
            # Loading the system's certificates takes 20 ms, for nothing on a plain address.
            return verify and self.url.startswith("https:")
        try:
            return ssl.create_default_context(cafile=str(verify))
        except (OSError, ssl.SSLError) as exc:
            raise BadInput(f"The certificates in {verify} cannot be read: {exc}.") from exc

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def get_json(
        self, path: str, *, what: str, params: Mapping[str, str | int] | None = None
    ) -> Any:
        """Return the JSON of a GET that only reads; tried again when the line breaks."""
        return self._json(self.read("GET", path, what=what, params=params), what)

    def act(self, path: str, *, what: str) -> Any:
        """Return the JSON of a GET that changes something: sent once, never repeated blindly."""
        return self._json(self._send("GET", path, what=what, repeat=_never_arrived), what)

    def post_json(self, path: str, body: object, *, what: str, repeat: bool = False) -> Any:
        """Return the JSON answer to a POST; repeated only where that does no harm."""
        again = _line_broke if repeat else _never_arrived
        return self._json(self._send("POST", path, what=what, repeat=again, json=body), what)

    def post_secrets(self, path: str, body: Mapping[str, str | Secret], *, what: str) -> Any:
        """Return the JSON answer to a POST of values that may be secret; repeated as they are.

        Neither the answer's own words nor an error's tell one of them.
        """
        content = json.dumps(
            {name: v.reveal() if isinstance(v, Secret) else v for name, v in body.items()}
        ).encode()
        headers = {"Content-Type": "application/json"}
        failure: BaseException | None = None
        try:
            answer = self._send(
                "POST", path, what=what, repeat=_line_broke, content=content, headers=headers
            )
        except BaseException as exc:  # noqa: BLE001  (raised again below)
            failure = Rejected(what, "", exc.status) if isinstance(exc, Rejected) else exc
        # A traceback shows the values of variables, and those of the calls that failed.
        content = b""
        if failure is not None:
            raise failure.with_traceback(None) from None
        return self._json(answer, what)

    def read(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer to a request without effects; tried again when the line breaks."""
        return self._send(
            method, path, what=what, repeat=_line_broke, params=params, headers=headers
        )

    def raw(self, method: str, path: str, body: str = "") -> httpx.Response:
        """Return whatever answers, success or not; asked once.

        Raises:
            ConnectionFailed: nothing answers.
        """
        extra: dict[str, Any] = {}
        if body:
            extra = {"content": body, "headers": {"Content-Type": "application/json"}}
        return self._exchange(self._request(method, path, **extra))

    def post_files(
        self, path: str, data: Mapping[str, str], files: Any, *, what: str, repeat: bool = False
    ) -> Any:
        """Return the JSON answer to one multipart POST; repeated only if `files` can be resent."""
        again = _line_broke if repeat else _not_again
        answer = self._send("POST", path, what=what, repeat=again, data=dict(data), files=files)
        return self._json(answer, what)

    @contextmanager
    def stream(
        self, path: str, *, what: str, headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        """Yield the open answer to a GET; the caller repeats it."""
        request = self._request("GET", path, headers=headers)
        response = self._exchange(request, stream=True)
        try:
            if not response.is_success:
                self._read_quietly(response)
            yield self._checked(response, what)
        except httpx.TransportError as exc:
            raise ConnectionFailed(self.url, self._reason(exc)) from _frameless(exc)
        finally:
            response.close()

    @staticmethod
    def _read_quietly(response: httpx.Response) -> None:
        try:
            response.read()
        except httpx.TransportError:
            # The status is known and says enough.
            response._content = b""  # noqa: SLF001  (httpx has no public way to give up a body)

    def _send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        repeat: Callable[[BaseException], bool],
        **kwargs: Any,
    ) -> httpx.Response:
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.25, max=5),
            retry=retry_if_exception(repeat),
            reraise=True,
        )
        response: httpx.Response = retrying(self._once, method, path, what, kwargs)
        return response

    def _once(self, method: str, path: str, what: str, kwargs: dict[str, Any]) -> httpx.Response:
        return self._checked(self._exchange(self._request(method, path, **kwargs)), what)

    def _request(self, method: str, path: str, **kwargs: Any) -> httpx.Request:
        try:
            request = self.client.build_request(method, self.url + path, **kwargs)
        except (httpx.InvalidURL, UnicodeError) as exc:
            raise BadInput(f"The address {self.url} cannot be used: {exc}.") from exc
        for name, value in self._connection.headers.items():
            request.headers[name] = value.reveal()
        if self._connection.token:
            request.headers["Authorization"] = f"Bearer {self._connection.token.reveal()}"
        return request

    def _exchange(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            return self.client.send(request, stream=stream)
        except (httpx.TransportError, httpx.DecodingError, UnicodeError) as exc:
            # UnicodeError: a host that the name service cannot be asked for.
            raise ConnectionFailed(self.url, self._reason(exc)) from _frameless(exc)
        except BaseException as exc:
            # An interrupt is shown from here on, for the reason that `_frameless` has.
            _frameless(exc)
            raise

    def _reason(self, exc: Exception) -> str:
        if isinstance(exc, httpx.TimeoutException):
            return "it did not answer in time"
        if "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return (
                "its certificate is not trusted here; give a private CA by verify='ca.pem', "
                "or on the command line by --ca"
            )
        return self.clean(str(exc)) or type(exc).__name__

    def _checked(self, response: httpx.Response, what: str) -> httpx.Response:
        """Return the response if it is a success.

        Raises:
            AitkError: the one that fits; see the four error forms in the server's contract.
        """
        if response.is_success:
            return response
        raise self._translated(response, what)

    def _translated(self, response: httpx.Response, what: str) -> AitkError:
        status = response.status_code
        if status == 401:
            return Unauthorized(self.url, sent=bool(self._connection.token))
        if response.is_redirect:
            target = httpx.URL(response.headers.get("location", "")).copy_with(query=None)
            return UnexpectedReply(what, f"a redirect to {self.clean(str(target))}")
        html = "html" in response.headers.get("content-type", "")
        if status == 413 and html:
            # A proxy says so with a page of its own, before the server sees anything.
            return Rejected(what, "the request is too large", status)
        if status in NOT_READY:
            return ServerNotReady(self.url, f"status {status}")
        if html:
            return UnexpectedReply(what, f"status {status} with a web page: no such endpoint")
        return Rejected(what, self._words(response), status)

    def _words(self, response: httpx.Response) -> str:
        """Return what the server said, short, on one line and without our own secrets."""
        try:
            body = response.json()
            text = str(body.get("error", "")) if isinstance(body, dict) else ""
        except ValueError:
            text = response.text
        return " ".join(self.clean(text).split())[:MAX_QUOTED]

    def clean(self, text: str) -> str:
        """Return a server's text without our own secrets, should it echo them."""
        for secret in (*self._connection.headers.values(), self._connection.token):
            whole = secret.reveal() if secret else ""
            # Of "Basic dXNl…" the second word is the secret one, and may be said alone.
            for part in (whole, *(word for word in whole.split() if len(word) >= MIN_SECRET)):
                for form in filter(None, (part, quote(part, safe=""))):
                    text = text.replace(form, "…")
        return text

    def _json(self, response: httpx.Response, what: str) -> Any:
        try:
            return response.json()
        except ValueError as exc:
            kind = self.clean(response.headers.get("content-type", "no content type"))
            raise UnexpectedReply(what, f"{kind} instead of JSON") from _frameless(exc)


def _check_headers(connection: Connection) -> None:
    """Refuse what no request can carry; the library would say so with the secret in its words."""
    if connection.token and not connection.token.is_token:
        raise BadInput("The token contains a space, a line break or a character beyond ASCII.")
    for name, value in connection.headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise BadInput(f"{name!r} cannot be the name of a header.")
        if not HEADER_VALUE.fullmatch(value.reveal()):
            raise BadInput(
                f"The value of the header {name} contains a line break or a character beyond "
                "ASCII, or begins or ends with a space."
            )
        if connection.token and name.lower() == "authorization":
            raise BadInput(
                "Both a token and an Authorization header were given, and a request can carry "
                "one only. Give the gateway's credentials in another header, or leave one out."
            )


def _frameless(exc: BaseException) -> BaseException:
    """Return `exc` without its frames: their locals hold headers, and what a server echoes."""
    link: BaseException | None = exc
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return exc


def _never_arrived(exc: BaseException) -> bool:
    """True when the request cannot have reached the server."""
    return isinstance(exc.__cause__, httpx.ConnectError | httpx.ConnectTimeout)


def _not_again(_exc: BaseException) -> bool:
    """Never true: the caller repeats."""
    return False


def _line_broke(exc: BaseException) -> bool:
    """True when asking again may help."""
    return isinstance(exc, ConnectionFailed)
