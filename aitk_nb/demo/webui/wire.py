"""What a route gets and gives: one call, and the forms of answer that the real server has."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from starlette.responses import Response

from aitk_nb.demo.common.store import Store
from aitk_nb.demo.common.tables import Job
from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.eras import Era

if TYPE_CHECKING:
    from starlette.requests import Request

JSON = "application/json"
TEXT = "text/plain;charset=UTF-8"
HTML = "text/html; charset=utf-8"


class Launcher(Protocol):
    """Can start the trainer of a job, and ask it to stop if it is a living child of this server."""

    def launch(self, job: Job) -> None:
        """Start it."""
        ...

    def interrupt(self, job_id: str, pid: int) -> bool:
        """Send the signal and mark the job stopped; False when there is no such child."""
        ...

    def kill(self, job_id: str, pid: int) -> bool:
        """Kill the process; False when there is no such child."""
        ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of trainers that live now."""
        ...


class Recent:
    """Remembers an answer for some seconds, as the real server does with slow ones."""

    def __init__(self, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, object]] = {}

    def get(self, key: str, make: Callable[[], object]) -> object:
        """Return the kept value of `key`, or make a new one when it is too old."""
        with self._lock:
            made, value = self._kept.get(key, (float("-inf"), None))
            if self._clock() - made >= self._seconds:
                made, value = self._clock(), make()
                self._kept[key] = (made, value)
            return value


@dataclass(frozen=True)
class Site:
    """What all routes of one server share."""

    store: Store
    worker: Launcher
    token: str | None = field(default=None, repr=False)
    closing: threading.Event = field(default_factory=threading.Event)
    recent: Recent = field(default_factory=Recent)
    engines: Recent = field(default_factory=lambda: Recent(2.0))
    era: Era = field(default_factory=Era)


@dataclass(frozen=True)
class Call:
    """One request, its body read."""

    site: Site
    request: "Request"
    params: Mapping[str, str]
    body: bytes = b""

    @property
    def store(self) -> Store:
        """The folder and rows of the server."""
        return self.site.store

    def has(self, thing: str) -> bool:
        """Return whether the server's version has one of the things in the table of eras."""
        return self.site.era.has(thing)

    def query(self, name: str) -> str | None:
        """Return the first value of a query parameter; None when it is absent."""
        text = self.request.scope["query_string"].decode("latin-1")
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace")
        return next((value for key, value in pairs if key == name), None)

    def json(self) -> object:
        """Return the body as JSON, whatever its content type says; else a `ValueError`."""
        return javascript.loads(self.body)

    def fields(self) -> dict[str, object]:
        """Return the members of the JSON body; other JSON has none, and null is a `TypeError`."""
        body = self.json()
        if body is None:
            raise TypeError("the body is null")
        return body if isinstance(body, dict) else {}


def answer(value: object, status: int = 200) -> Response:
    """Return a JSON answer."""
    body = javascript.dumps(value).encode("utf-8", "replace")
    return Response(body, status, media_type=JSON)


def error(message: str, status: int) -> Response:
    """Return the JSON form of an error."""
    return answer({"error": message}, status)


def text(message: str, status: int = 200) -> Response:
    """Return the plain text form."""
    body = message.encode("utf-8", "replace")
    return Response(body, status, headers={"content-type": TEXT})


def bare(message: str, status: int) -> Response:
    """Return text without a content type, as the real file server answers."""
    return Response(message, status)


def empty(status: int) -> Response:
    """Return an answer without a body."""
    return Response(status_code=status)


def page(body: str, status: int = 200) -> Response:
    """Return an HTML page."""
    return Response(body, status, headers={"content-type": HTML})
