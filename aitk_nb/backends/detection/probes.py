"""Probes: requests that change nothing, to a server that may be anything; answers, and claims.

Why it is so: docs/behavior.md#authentication
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from aitk_nb._yaml import facts
from aitk_nb.backends.base import Progress
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import AitkError, Unauthorized
from aitk_nb.models import Check, Checklist, Credential, Flavour, Status


@dataclass(frozen=True, slots=True)
class Probe:
    """One request. Only methods and paths that change nothing may be probed."""

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
    failure: str = ""
    """Why nothing answered."""
    allow: tuple[str, ...] = ()
    """The methods that the answer says are allowed."""
    json: Any = field(default=None, repr=False, compare=False)
    """The whole body, where it is JSON."""

    @property
    def is_json(self) -> bool:
        """True for JSON."""
        return self.kind == "application/json"

    @property
    def evidence(self) -> str:
        """The answer in a few words."""
        if not self.status:
            return self.failure
        shown = f" {self.head[:60]!r}" if self.head and self.kind != "text/html" else ""
        return f"{self.status} {self.kind or 'empty'}{shown}"


SILENCE = 10.0
"""Seconds without a response after which a probe is given up."""


class Asker:
    """Sends probes to one server, eight at a time, each once; use it in a `with`."""

    def __init__(
        self,
        connection: Connection,
        flavour: Flavour,
        *,
        seconds: float,
        progress: Progress | None = None,
    ) -> None:
        """Ask within `seconds` in all.

        `progress` is called with the numbers of responses and probes, from any thread.
        """
        self._silence = min(SILENCE, seconds / 2)
        self._until = time.monotonic() + seconds - self._silence
        self._progress = progress
        self._lock = threading.Lock()
        self._done = self._total = 0
        bare = replace(connection, token=None, login=None)
        given: Http = Http(connection, attempts=1, timeout=self._silence)
        if flavour is Flavour.GRADIO:
            # A Gradio app must not see the web UI's token; this sends a login only.
            given = GradioHttp(connection, attempts=1, timeout=self._silence)
        none = Http(bare, attempts=1, timeout=self._silence)
        self._https = {Credential.NONE: none, Credential.GIVEN: given}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for http in self._https.values():
            http.close()

    def shut_out(self) -> None:
        """Send no more credentials: they were refused, and would be each time."""
        self._https[Credential.GIVEN].close()
        self._https[Credential.GIVEN] = self._https[Credential.NONE]

    def __call__(self, probes: Sequence[Probe]) -> tuple[Answer, ...]:
        """Return the answer to each probe; what has none by the end of the time says so."""
        with self._lock:
            self._total += len(probes)
        answers = each(self._ask, probes)
        return tuple(
            Answer(probe, failure=str(answer)) if isinstance(answer, AitkError) else answer
            for probe, answer in zip(probes, answers, strict=True)
        )

    def _ask(self, probe: Probe) -> Answer:
        try:
            if time.monotonic() > self._until:
                return Answer(probe, failure="not probed: no time left")
            return _ask(self._https[probe.credential], probe)
        except Unauthorized as exc:
            return Answer(probe, status=401, failure=str(exc))
        finally:
            with self._lock:
                self._done += 1
                if self._progress:
                    self._progress(self._done, self._total)


def _ask(http: Http, probe: Probe) -> Answer:
    response = http.raw(probe.method, probe.path, probe.body)
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    json = None
    if kind == "application/json":
        with suppress(ValueError, RecursionError):
            json = response.json()
    return Answer(
        probe,
        status=response.status_code,
        kind=http.clean(kind),
        head=http.clean(" ".join(response.text[:400].split()))[:200],
        allow=tuple(re.findall(r"[A-Z]+", response.headers.get("allow", ""))),
        json=json,
    )


WHY_PUT = "PUT shows whether it exists and does nothing"

_FACTS: Mapping[str, Any] = facts("aitk_nb.backends.detection", "claims")
_STATUS = {"true": Status.OK, "false": Status.PROBLEM, "unknown": Status.UNKNOWN}


class Question(NamedTuple):
    """How to check a claim on one flavour, and what to use there if it is false."""

    claim: str
    probe: Probe
    judge: str
    instead: str


def claim_probes(flavour: Flavour, prefix: str = "") -> list[Probe]:
    """Return the request that checks each claim; none of them changes anything."""
    return [question.probe for question in _questions(flavour, prefix)]


def claims_from(flavour: Flavour, answers: Sequence[Answer], prefix: str = "") -> Checklist[Check]:
    """Return each claim, whether it is true on this server, and what to use if it is not."""
    return Checklist(map(_checked, _questions(flavour, prefix), answers))


def _questions(flavour: Flavour, prefix: str) -> Iterator[Question]:
    for told in _FACTS["claims"]:
        said = told[flavour.value]
        method, path, *without = said["request"].replace("{prefix}", prefix).split()
        probe = Probe(method, path, Credential.NONE if without else Credential.GIVEN)
        instead = said["instead"].replace("{prefix}", prefix)
        yield Question(told["claim"], probe, said["judge"], instead)


def _checked(question: Question, answer: Answer) -> Check:
    rules = _FACTS["judges"][question.judge]
    verdict = next((rule["verdict"] for rule in rules if _is_true(rule, answer)), "unknown")
    evidence = f"{answer.probe.method} {answer.probe.path}: {answer.evidence}"
    if answer.probe.method == "PUT":
        evidence += f" ({WHY_PUT})"
    remedy = "" if verdict == "true" else question.instead
    status = _STATUS.get(verdict, Status.WARNING)
    return Check(question.claim, status, verdict, remedy, evidence)


def _is_true(rule: Mapping[str, Any], answer: Answer) -> bool:
    """Return whether all that a rule says holds for an answer."""
    body = answer.json if isinstance(answer.json, dict) else {}
    protocol = body.get("protocol")
    begins = isinstance(protocol, str) and protocol.startswith(rule.get("protocol", ""))
    return (
        answer.status in rule.get("status", [answer.status])
        and re.search(rule.get("head", ""), answer.head) is not None
        and answer.is_json >= rule.get("json", False)
        and body.keys() >= {*rule.get("has", ())}
        and (begins or "protocol" not in rule)
    )
