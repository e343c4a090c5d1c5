"""May I in: whether a server wants a token, accepts this one, and what it shows without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aitk_nb import _html
from aitk_nb.backends.detect import detect
from aitk_nb.backends.probes import Answer, Credential, Probe, ask_all
from aitk_nb.errors import ConnectionFailed, ServerNotReady
from aitk_nb.locate import locate
from aitk_nb.models import AuthState, Finding, Flavour
from aitk_nb.settings import Connection, Credentials, Secret, hidden
from aitk_nb.tables import Table

__all__ = ["AuthReport", "check_auth"]

MIME = "application/vnd.aitk.auth+json"

# Answers of these change nothing, and together they tell everything (contracts, section 6).
_PATHS = {"API": "/api/auth", "files and images": "/api/img/x"}

_SENTENCES: Mapping[AuthState, tuple[str, str]] = {
    AuthState.OPEN: (
        "The server lets everybody in: no token is configured.",
        "Set AI_TOOLKIT_AUTH on the server and restart it.",
    ),
    AuthState.ACCEPTED: ("The server wants a token and accepts this one.", "Go on."),
    AuthState.REJECTED: (
        "The server wants a token and does not accept this one.",
        "Set AITK_TOKEN to what the server has in AI_TOOLKIT_AUTH; look for spaces and quotes.",
    ),
    AuthState.MISSING: (
        "The server wants a token, and none was given.",
        "Set AITK_TOKEN to what the server has in AI_TOOLKIT_AUTH.",
    ),
    AuthState.BOOTING: (
        "Something answers for the server, which is not up yet.",
        "Wait a minute and try again; this has nothing to do with the token.",
    ),
    AuthState.UNREACHABLE: (
        "Nobody answers at this address.",
        "Check the address and the port, and that the pod runs.",
    ),
    AuthState.NOT_AITK: (
        "Something else than AI Toolkit answers at this address.",
        "Check the port: AI Toolkit's web UI listens on 8675.",
    ),
    AuthState.NOT_CHECKED: (
        "A Gradio app answers; this version does not check its login yet.",
        "Use AI Toolkit's own web UI on port 8675.",
    ),
}


@dataclass(frozen=True, slots=True)
class AuthReport:
    """Whether we may in, why (not), and what to do next."""

    url: str
    state: AuthState
    findings: tuple[Finding, ...] = ()
    """What is dangerous about how the server is set up, worst first."""
    answers: tuple[Answer, ...] = ()
    """What the server answered to each credential."""
    detail: str = ""
    """The failure in the words of the network, where there was one."""

    @property
    def diagnosis(self) -> str:
        """What holds, in one sentence."""
        return _SENTENCES[self.state][0]

    @property
    def next_step(self) -> str:
        """What to do, in one sentence."""
        return _SENTENCES[self.state][1]

    @property
    def ok(self) -> bool:
        """True when calls will go through."""
        return self.state in {AuthState.OPEN, AuthState.ACCEPTED}

    @property
    def answers_table(self) -> Table:
        """What was asked with which token, and the outcome."""
        names = {path: part for part, path in _PATHS.items()}
        rows = tuple(
            (names[a.probe.path], a.probe.credential.value, a.status, _outcome(a))
            for a in self.answers
        )
        return Table(("part", "token", "status", "outcome"), rows)

    @property
    def findings_table(self) -> Table:
        """What is dangerous about the server as it is set up, and the remedy."""
        rows = tuple((f.severity, f.text, f.remedy) for f in self.findings)
        return Table(("severity", "finding", "remedy"), rows)

    def __repr__(self) -> str:
        return f"<AuthReport {self.state.value}: {self.diagnosis}>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        findings = [{"severity": f.severity, "finding": f.text} for f in self.findings]
        return {
            "text/plain": repr(self),
            "text/html": self._html(),
            MIME: {"state": self.state.value, "ok": self.ok, "findings": findings},
        }

    def _html(self) -> _html.Html:
        kind: _html.Kind = "ok" if self.ok else "error"
        if self.ok and self.findings:
            kind = "warning"
        head = _html.badge(self.state.value, kind)
        advice = _html.note(f"{self.diagnosis} {self.next_step} {self.detail}".strip())
        return _html.join([head, advice])


def check_auth(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
) -> AuthReport:
    """Return whether the server at `url` lets us in; changes nothing on it, and does not raise.

    "Accepted" is told from "open" by asking with no token and with a wrong one as well: a server
    without a token accepts any.
    """
    credentials, headers = hidden(credentials, headers)
    connection = locate(url, credentials, headers, verify)
    try:
        flavour, connection = detect(connection)
    except ServerNotReady as exc:
        return AuthReport(connection.url, _not_ready(connection.url, exc), detail=exc.reason)
    except ConnectionFailed as exc:
        return AuthReport(connection.url, AuthState.UNREACHABLE, detail=exc.reason)
    if flavour is Flavour.GRADIO:
        return AuthReport(connection.url, AuthState.NOT_CHECKED)
    credentials_to_try = [Credential.NONE, Credential.WRONG]
    if connection.token:
        credentials_to_try.append(Credential.GIVEN)
    probes = [Probe("GET", path, each) for path in _PATHS.values() for each in credentials_to_try]
    answers = ask_all(connection, probes)
    state = _state({a.probe.credential: a.status for a in answers if a.probe.path == "/api/auth"})
    return AuthReport(connection.url, state, _findings(connection, state, answers), answers)


def _not_ready(url: str, exc: ServerNotReady) -> AuthState:
    host = urlsplit(url).hostname or ""
    gateway = any(f"status {status}" in exc.reason for status in (502, 503, 504, 524))
    return AuthState.BOOTING if gateway or host.endswith("proxy.runpod.net") else AuthState.NOT_AITK


def _state(statuses: Mapping[Credential, int]) -> AuthState:
    if statuses[Credential.NONE] == 200:
        return AuthState.OPEN
    if Credential.GIVEN not in statuses:
        return AuthState.MISSING
    return AuthState.ACCEPTED if statuses[Credential.GIVEN] == 200 else AuthState.REJECTED


def _findings(
    connection: Connection, state: AuthState, answers: Sequence[Answer]
) -> tuple[Finding, ...]:
    found = []
    local = (urlsplit(connection.url).hostname or "") in {"127.0.0.1", "localhost", "::1"}
    if state is AuthState.OPEN:
        found.append(
            Finding(
                "warning" if local else "critical",
                "No token is set: whoever reaches the address can train, delete and read.",
                "Set AI_TOOLKIT_AUTH on the server.",
            )
        )
    public = {a.probe.credential: a for a in answers if a.probe.path == _PATHS["files and images"]}
    answer = public.get(Credential.NONE)
    if state is not AuthState.OPEN and answer and answer.status not in {0, 301, 302, 401}:
        found.append(
            Finding(
                "critical",
                "Images, LoRAs, logs and losses can be read without the token by whoever "
                "guesses their path; an AI Toolkit server can also be written to there.",
                "Share the address with nobody, or put an SSH tunnel or a proxy in front.",
            )
        )
    if connection.url.startswith("http://") and not local:
        found.append(
            Finding("warning", "Plain http sends the token in clear.", "Use the https address.")
        )
    return tuple(found)


def _outcome(answer: Answer) -> str:
    if answer.probe.path == _PATHS["files and images"]:
        return "public" if answer.status in {200, 403, 404} else "protected"
    return "allowed" if answer.status == 200 else "refused"
