"""Whether a server lets us in, as values: its state, and what it answered to each credential."""

import enum
from dataclasses import dataclass


class AuthState(enum.Enum):
    """Whether a server accepts the credentials."""

    OPEN = "open"
    """It lets everybody in: no credentials are required."""
    ACCEPTED = "accepted"
    """It requires credentials, rejects invalid ones and accepts these."""
    REJECTED = "rejected"
    """It requires credentials and rejects these."""
    MISSING = "credentials-missing"
    """It requires credentials, and none were given of the kind that it takes."""
    BOOTING = "booting"
    """A gateway answers for it; the server is still starting."""
    UNREACHABLE = "unreachable"
    """Nothing answers."""
    NOT_AITK = "not-aitk"
    """Something else answers."""

    @property
    def is_in(self) -> bool:
        """True when calls will go through."""
        return self in {AuthState.OPEN, AuthState.ACCEPTED}


class Credential(enum.Enum):
    """The credentials that a request carried."""

    NONE = "none"
    WRONG = "wrong"
    """A token or password made up for this request."""
    GIVEN = "given"
    """The given token, as a bearer token."""
    COOKIE = "cookie"
    """The cookie that a Gradio app issued for the user name and password."""
    BASIC = "basic"
    """The user name and password as a Basic header, which Gradio ignores."""


class Outcome(enum.Enum):
    """What the server did with a request."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    PUBLIC = "public"
    """Answered without credentials, although the server requires some elsewhere."""
    ABSENT = "absent"
    """The endpoint does not exist on this server."""
    UNKNOWN = "unknown"

    @property
    def is_in(self) -> bool:
        """True if the request came past whatever protects the endpoint."""
        return self in {Outcome.ALLOWED, Outcome.PUBLIC}


@dataclass(frozen=True, slots=True)
class Access:
    """One cell of the matrix: a group of endpoints, requested with one credential."""

    group: str
    """The endpoints that the request stands for."""
    credential: Credential
    request: str
    """The request, as `GET /api/auth`."""
    status: int
    """HTTP status; 0 without a response."""
    outcome: Outcome
    evidence: str = ""
    """The response in a few words, without our own secrets."""
