"""Harmless questions to a server that may be anything, with every answer kept as evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Self

import httpx

from aitk_nb.backends.base import Progress
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import AitkError, Unauthorized
from aitk_nb.models.server import Flavour

__all__ = ["Answer", "Asker", "Credential", "Probe"]


class Credential(Enum):
    """Whether a probe proves who we are."""

    NONE = "none"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. Only methods and paths that change nothing may be asked."""

    method: str
    path: str
    credential: Credential = Credential.GIVEN
    body: str = ""
    """JSON text of a POST."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or why nothing did."""

    probe: Probe
    status: int = 0
    """HTTP status; 0 when nothing answered."""
    kind: str = ""
    """Content type without parameters."""
    head: str = ""
    """The first characters of the body, on one line."""
    location: str = ""
    """Where a redirect leads."""
    failure: str = ""
    """Why nothing answered."""
    json: Any = field(default=None, repr=False, compare=False)
    """The whole body, where it is JSON."""

    @property
    def is_page(self) -> bool:
        """True for a web page."""
        return self.kind == "text/html"

    @property
    def is_json(self) -> bool:
        """True for JSON."""
        return self.kind == "application/json"

    @property
    def evidence(self) -> str:
        """The answer in a few words."""
        if not self.status:
            return self.failure
        shown = f" {self.head[:60]!r}" if self.head and not self.is_page else ""
        return f"{self.status} {self.kind or 'empty'}{shown}"


SILENCE = 10.0
"""Seconds after which a server that says nothing is taken to say nothing at all."""


class Asker:
    """Asks one server, eight questions at a time, each once; use it in a `with`."""

    def __init__(
        self,
        connection: Connection,
        flavour: Flavour,
        *,
        seconds: float,
        progress: Progress | None = None,
    ) -> None:
        """Ask within `seconds` in all.

        `progress` is called with the number of answers and of questions, from any thread.
        """
        self._silence = min(SILENCE, seconds / 2)
        self._until = time.monotonic() + seconds - self._silence
        self._count = _Count(progress)
        self._doors = dict(self._open(connection, flavour))

    def _open(self, connection: Connection, flavour: Flavour) -> Iterator[tuple[Credential, Http]]:
        bare = replace(connection, token=None, login=None)
        yield Credential.NONE, Http(bare, attempts=1, timeout=self._silence)
        if flavour is Flavour.GRADIO:
            # The web UI's token is nothing that a Gradio app should see; this sends a login only.
            silence = httpx.Timeout(self._silence, pool=None)
            yield Credential.GIVEN, GradioHttp(connection, attempts=1, timeout=silence)
        else:
            yield Credential.GIVEN, Http(connection, attempts=1, timeout=self._silence)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for http in self._doors.values():
            http.close()

    def shut_out(self) -> None:
        """Prove no more who we are: it was refused, and would be each time."""
        self._doors[Credential.GIVEN].close()
        self._doors[Credential.GIVEN] = self._doors[Credential.NONE]

    def __call__(self, probes: Sequence[Probe]) -> tuple[Answer, ...]:
        """Return the answer to each probe; what has none by the end of the time says so."""
        self._count.more(len(probes))
        answers = each(self._ask, probes)
        return tuple(
            Answer(probe, failure=str(answer)) if isinstance(answer, AitkError) else answer
            for probe, answer in zip(probes, answers, strict=True)
        )

    def _ask(self, probe: Probe) -> Answer:
        try:
            if time.monotonic() > self._until:
                return Answer(probe, failure="not asked: there was no time left")
            return _ask(self._doors[probe.credential], probe)
        except Unauthorized as exc:
            return Answer(probe, status=401, failure=str(exc))
        finally:
            self._count.up()


class _Count:
    """Tells how many of all are done."""

    def __init__(self, progress: Progress | None) -> None:
        self._lock = threading.Lock()
        self._done = 0
        self._total = 0
        self._progress = progress

    def more(self, questions: int) -> None:
        """Count with more questions."""
        with self._lock:
            self._total += questions

    def up(self) -> None:
        """Count one more."""
        with self._lock:
            self._done += 1
            if self._progress:
                self._progress(self._done, self._total)


def _ask(http: Http, probe: Probe) -> Answer:
    response = http.raw(probe.method, probe.path, probe.body)
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    return Answer(
        probe,
        status=response.status_code,
        kind=http.clean(kind),
        head=_head(http, response),
        location=http.clean(response.headers.get("location", "")),
        json=_json(response) if kind == "application/json" else None,
    )


def _head(http: Http, response: httpx.Response) -> str:
    return http.clean(" ".join(response.text[:400].split()))[:200]


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None
