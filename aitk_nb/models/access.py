"""Whether somebody is let in, as values: states, cells of the matrix, and findings."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["SEVERITIES", "Access", "AuthState", "Credential", "Finding", "Outcome", "Severity"]


class AuthState(enum.Enum):
    """Whether a server lets us in."""

    OPEN = "open"
    """It lets everybody in."""
    ACCEPTED = "accepted"
    """It wants credentials, refuses wrong ones and accepts these."""
    REJECTED = "rejected"
    """It wants credentials and does not accept these."""
    MISSING = "credentials-missing"
    """It wants credentials, and none were given that it could understand."""
    BOOTING = "booting"
    """Something answers for it, and it is not up yet."""
    UNREACHABLE = "unreachable"
    """Nobody answers."""
    NOT_AITK = "not-aitk"
    """Something else answers."""

    @property
    def is_in(self) -> bool:
        """True when calls will go through."""
        return self in {AuthState.OPEN, AuthState.ACCEPTED}


class Credential(enum.Enum):
    """What was shown to the server with a question."""

    NONE = "none"
    WRONG = "wrong"
    """A token or password made up for this question."""
    GIVEN = "given"
    """The token that was given, as a bearer token."""
    COOKIE = "cookie"
    """The cookie that a Gradio app gave for the user name and password."""
    BASIC = "basic"
    """User name and password as a Basic header, which Gradio ignores."""


class Outcome(enum.Enum):
    """What came of a question."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    PUBLIC = "public"
    """Answered without credentials although the server wants some elsewhere."""
    ABSENT = "absent"
    """The server has nothing there."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Access:
    """One cell of the matrix: a group of endpoints, asked with one credential."""

    group: str
    """The endpoints for which the question stands."""
    credential: Credential
    request: str
    """The question, as `GET /api/auth`."""
    status: int
    """HTTP status; 0 when nothing answered."""
    outcome: Outcome
    evidence: str = ""
    """The answer in a few words, without our own secrets."""

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            **asdict(self),
            "credential": self.credential.value,
            "outcome": self.outcome.value,
        }


Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
"""Worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something dangerous or mistaken about a server, or about how it is called."""

    code: str
    """A word that stays the same, such as `no-password`."""
    severity: Severity
    text: str
    """What holds, in one sentence."""
    evidence: str
    """What shows it."""
    remedy: str
    """What to do, in one sentence."""

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)
