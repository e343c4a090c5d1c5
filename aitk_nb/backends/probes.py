"""Harmless questions to a server that may be anything, with every answer kept as evidence."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from aitk_nb.backends import transfer
from aitk_nb.backends.http import Http
from aitk_nb.errors import AitkError
from aitk_nb.settings import Connection, Secret

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Credential", "Probe", "ask_all"]


class Credential(Enum):
    """Which token a probe sends."""

    NONE = "none"
    WRONG = "wrong"
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


def ask_all(connection: Connection, probes: Sequence[Probe]) -> tuple[Answer, ...]:
    """Return the answer to each probe; eight at a time, each asked once."""
    tokens = {
        Credential.NONE: None,
        Credential.WRONG: Secret(f"wrong-{secrets.token_hex(8)}"),
        Credential.GIVEN: connection.token,
    }
    asking = {
        credential: Http(replace(connection, token=token), attempts=1)
        for credential, token in tokens.items()
    }
    try:
        answers = transfer.each(lambda probe: _ask(asking[probe.credential], probe), probes)
    finally:
        for http in asking.values():
            http.close()
    return tuple(
        Answer(probe, failure=str(answer)) if isinstance(answer, AitkError) else answer
        for probe, answer in zip(probes, answers, strict=True)
    )


def _ask(http: Http, probe: Probe) -> Answer:
    response = http.raw(probe.method, probe.path, probe.body)
    return Answer(
        probe,
        status=response.status_code,
        kind=response.headers.get("content-type", "").split(";")[0].strip().lower(),
        head=_head(http, response),
        location=http.clean(response.headers.get("location", "")),
    )


def _head(http: Http, response: httpx.Response) -> str:
    return http.clean(" ".join(response.text[:400].split()))[:200]
