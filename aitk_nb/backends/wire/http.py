"""One HTTP client: timeouts, retries, error translation, and the only place that sends a token."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import httpx
from tenacity import retry_if_exception

from aitk_nb.backends.wire import log_redaction, response_errors
from aitk_nb.backends.wire.deadline import retrying, seconds_allowed
from aitk_nb.backends.wire.network_errors import failure, frameless
from aitk_nb.backends.wire.proxies import Routes
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import AitkError, BadInput, ConnectionFailed, Rejected, UnexpectedReply

# A pod's proxy cuts a request after 100 s, so waiting longer for silence is pointless.
TIMEOUT = httpx.Timeout(connect=10.0, read=100.0, write=100.0, pool=None)
MAX_RAW = 4 * 1024 * 1024
"""Bytes of an answer that may be anybody's; the largest one known, Gradio's `/config`, has 0.8."""


T = TypeVar("T")
_Repeat: TypeAlias = Callable[[BaseException], bool]


def part(body: object, key: str, kind: type[T], what: str) -> T:
    """Return what an answer has under `key`.

    Raises:
        UnexpectedReply: it has nothing of that kind there.
    """
    found = body.get(key) if isinstance(body, dict) else None
    if not isinstance(found, kind):
        raise UnexpectedReply(what, f"no {key}")
    return found


class Http:
    """Requests below one base URL, with every failure translated into an `AitkError`."""

    def __init__(
        self, connection: Connection, *, attempts: int = 4, timeout: float | None = None
    ) -> None:
        """Use `connection`; with `timeout` no silence is borne for longer than these seconds."""
        self.url = connection.url
        self._connection = connection
        self._attempts = attempts
        self._timeout = TIMEOUT if timeout is None else httpx.Timeout(timeout, pool=None)
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        connection.check_headers()

    def __repr__(self) -> str:
        return f"<Http {self.url}>"

    @property
    def connection(self) -> Connection:
        """Where the requests go, and what they carry."""
        return self._connection

    @property
    def client(self) -> httpx.Client:
        """The connection pool, made at the first request, which may come from several threads."""
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> httpx.Client:
        log_redaction.keep_clean(self)
        return httpx.Client(
            timeout=self._timeout,
            transport=Routes(
                verify=self._verify(),
                limits=httpx.Limits(
                    max_connections=32,
                    max_keepalive_connections=16,
                    # Servers close an idle connection after 5 s; an action must not meet that
                    # moment.
                    keepalive_expiry=3.0,
                ),
            ),
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

    def get_json(self, path: str, *, what: str, **options: Any) -> Any:
        """Return the JSON of a GET that only reads; tried again when the connection breaks."""
        return self._json(self.read("GET", path, what=what, **options), what)

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
        values = {name: v.reveal() if isinstance(v, Secret) else v for name, v in body.items()}
        failure: BaseException | None = None
        try:
            answer = self.read("POST", path, what=what, json=values)
        except BaseException as exc:  # noqa: BLE001  (raised again below)
            failure = Rejected(what, "", exc.status) if isinstance(exc, Rejected) else exc
        # A traceback shows the values of variables, and those of the calls that failed.
        values = {}
        if failure is not None:
            raise failure.with_traceback(None) from None
        return self._json(answer, what)

    def read(self, method: str, path: str, *, what: str, **options: Any) -> httpx.Response:
        """Return the answer to a request that may be repeated, as it is when the connection breaks.

        `options` are those of `httpx.Client.build_request`.
        """
        return self._send(method, path, what=what, repeat=_line_broke, **options)

    def raw(self, method: str, path: str, body: str = "") -> httpx.Response:
        """Return whatever answers, success or not; asked once, and read up to `MAX_RAW` bytes.

        Raises:
            ConnectionFailed: nothing answers, or not within the timeout.
        """
        extra: dict[str, Any] = {}
        if body:
            extra = {"content": body, "headers": {"Content-Type": "application/json"}}
        response = self._exchange(self._request(method, path, **extra), stream=True)
        try:
            return self._cut(response)
        except (httpx.TransportError, httpx.DecodingError) as exc:
            raise failure(self.url, exc, self.clean) from frameless(exc)
        finally:
            response.close()

    def _cut(self, response: httpx.Response) -> httpx.Response:
        """Return the answer with as much of its body as is read: it may be endless."""
        until = time.monotonic() + (self._timeout.read or 0)
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) >= MAX_RAW:
                break
            if time.monotonic() > until:
                raise ConnectionFailed(self.url, "it did not answer in time", cause="timeout")
        names = {"content-encoding", "content-length", "transfer-encoding"}
        kept = [(name, text) for name, text in response.headers.multi_items() if name not in names]
        return httpx.Response(
            response.status_code,
            headers=kept,
            content=bytes(body[:MAX_RAW]),
            request=response.request,
        )

    def post_files(
        self, path: str, data: Mapping[str, str], files: Any, *, what: str, repeat: bool = False
    ) -> Any:
        """Return the JSON answer to one multipart POST; repeated only if `files` can be resent."""
        again = _line_broke if repeat else lambda _exc: False  # the caller repeats
        answer = self._send("POST", path, what=what, repeat=again, data=dict(data), files=files)
        return self._json(answer, what)

    @contextmanager
    def stream(
        self, path: str, *, what: str, method: str = "GET", **options: Any
    ) -> Iterator[httpx.Response]:
        """Yield the open answer to a request, which is sent once."""
        request = self._request(method, path, **options)
        response = self._exchange(request, stream=True)
        try:
            if not response.is_success or response_errors.is_page(response):
                self._read_quietly(response)
            yield self._checked(response, what)
        except httpx.TransportError as exc:
            raise failure(self.url, exc, self.clean) from frameless(exc)
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
        self, method: str, path: str, *, what: str, repeat: _Repeat, **kwargs: Any
    ) -> httpx.Response:
        attempts = self._attempts
        if (limit := seconds_allowed()) is not None:
            # Once more, as a connection that was kept may just have been closed.
            attempts, kwargs["timeout"] = 2, limit / 2
        tries = retrying(attempts, retry_if_exception(repeat))
        response: httpx.Response = tries(
            lambda: self._checked(self._exchange(self._request(method, path, **kwargs)), what)
        )
        return response

    def _request(self, method: str, path: str, **kwargs: Any) -> httpx.Request:
        try:
            request = self.client.build_request(method, self.url + path, **kwargs)
        except (httpx.InvalidURL, UnicodeError) as exc:
            raise BadInput(f"The address {self.url} is invalid: {exc}.") from exc
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
            raise failure(self.url, exc, self.clean) from frameless(exc)
        except BaseException as exc:
            # An interrupt is shown from here on, for the reason that `frameless` has.
            frameless(exc)
            raise

    def _checked(self, response: httpx.Response, what: str) -> httpx.Response:
        """Return the response if it is a success.

        Raises:
            AitkError: the one that fits; see the four error forms in the server's contract.
        """
        # No route that is called here answers with a web page; to HEAD, a file's type may be that.
        page = response_errors.is_page(response) and response.request.method != "HEAD"
        if response.is_success and not page:
            return response
        raise self._translated(response, what)

    def _translated(self, response: httpx.Response, what: str) -> AitkError:
        sent = bool(self._connection.token)
        return response_errors.translated(self.url, response, what, sent=sent, clean=self.clean)

    def clean(self, text: str) -> str:
        """Return a server's text without our own secrets, should it echo them."""
        return self._connection.clean(text)

    def clean_log(self, text: str) -> str:
        """Return a line of the HTTP library's log without our own secrets."""
        return self._connection.clean(text)

    def _json(self, response: httpx.Response, what: str) -> Any:
        try:
            return response.json()
        except ValueError as exc:
            kind = self.clean(response.headers.get("content-type", "it has no content type"))
            raise UnexpectedReply(what, f"{kind} instead of JSON") from frameless(exc)


def _never_arrived(exc: BaseException) -> bool:
    """True when the request cannot have reached the server."""
    return isinstance(exc.__cause__, httpx.ConnectError | httpx.ConnectTimeout)


def _line_broke(exc: BaseException) -> bool:
    """True when asking again may help."""
    unusable = isinstance(exc.__cause__, httpx.UnsupportedProtocol)  # and so the next time
    return isinstance(exc, ConnectionFailed) and not unusable
