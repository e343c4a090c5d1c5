"""RunPod's API v2 as calls: the key, rate limits, repetition, and errors by RFC 9457."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.connection.secret import Secret
from aitk_nb.errors import AitkError, ConnectionFailed, RunPodError, UnexpectedReply

TIMEOUT = 30.0
QUIET = 1.5
"""Seconds of silence after which a log, which RunPod keeps open, counts as read."""
_ATTEMPTS = 4
_PAUSE = 2.0
_LONGEST = 120.0
"""Seconds that a rate limit is waited for at most."""


class Wire:
    """Requests to the API with the key of an account."""

    def __init__(self, url: str, key: Secret, sleep: Callable[[float], None]) -> None:
        self.url = url
        self._connection = Connection(url, token=key)
        self._http = Http(self._connection, timeout=TIMEOUT)
        self._sleep = sleep

    def get(self, path: str, what: str, **query: str) -> Any:
        """Return what the API answers; asked again after a broken connection or a 5xx."""
        return self.again("GET", f"{path}?{urlencode(query)}" if query else path, what)

    def again(self, method: str, path: str, what: str, body: object = None) -> Any:
        """Return the answer to a request that does the same when it is sent twice."""
        text = "" if body is None else json.dumps(body)
        for left in reversed(range(_ATTEMPTS)):
            try:
                return self._once(method, path, what, text)
            except (ConnectionFailed, RunPodError) as exc:
                if not left or not may_have_arrived(exc):
                    raise
            self._sleep(_PAUSE)
        raise AssertionError  # the last attempt has returned or raised

    def create(self, body: Mapping[str, object], secrets: Mapping[str, Secret], what: str) -> Any:
        """Return the answer to one attempt to create a pod with `secrets` in its environment."""
        failure: BaseException | None = None
        text = json.dumps({**body, "env": {**_plain(body), **_revealed(secrets)}})
        try:
            return self._once("POST", "/v2/pods", what, text)
        except AitkError as exc:
            failure = exc
        # A traceback shows the values of variables, and those of the calls that failed.
        text = ""
        raise failure.with_traceback(None) from None

    def _once(self, method: str, path: str, what: str, text: str) -> Any:
        for left in reversed(range(_ATTEMPTS)):
            response = self._http.raw(method, path, text)
            if response.status_code != 429 or not left:
                break
            self._sleep(_seconds(response.headers.get("retry-after", "")))
        try:
            answer = response.json() if response.content else {}
        except ValueError:
            answer = {}
        if response.is_success and isinstance(answer, dict):
            return answer
        if response.is_success:
            raise UnexpectedReply(what, "not an object")
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        raise RunPodError(what, self._http.clean(str(detail)), response.status_code)

    def log(self, pod_id: str, tail: int, quiet: float = QUIET) -> list[str]:
        """Return the last lines of a pod's log."""
        path = f"/v2/pods/{quote(pod_id, safe='')}/logs?tail={tail}"
        lines: list[str] = []
        http = Http(self._connection, attempts=1, timeout=quiet)
        try:
            with http.stream(path, what="read the pod's log") as response:
                for line in response.iter_lines():
                    lines += _line(line)
                    if len(lines) >= tail:
                        break
        except ConnectionFailed as exc:
            # The stream stays open for what comes; silence is its end for now.
            if exc.cause != "timeout" or not lines:
                raise
        finally:
            http.close()
        return lines

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def may_have_arrived(exc: AitkError) -> bool:
    """Return whether a request that failed so may have done its work, or may work next time."""
    return not isinstance(exc, RunPodError) or exc.status >= 500


def _plain(body: Mapping[str, object]) -> dict[str, str]:
    env = body.get("env")
    return dict(env) if isinstance(env, Mapping) else {}


def _revealed(secrets: Mapping[str, Secret]) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in secrets.items()}


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 0.0), _LONGEST)
    except ValueError:
        return _PAUSE


def _line(text: str) -> Iterator[str]:
    """Yield the log line that one line of the stream holds."""
    if text.startswith("data:"):
        try:
            yield str(json.loads(text[5:])["line"])
        except (ValueError, LookupError, TypeError):
            yield text[5:].strip()
