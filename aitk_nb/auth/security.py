"""What is dangerous or mistaken about a server and how it is called: facts in, checks out.

Why it is so: docs/behavior.md#authentication
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aitk_nb._yaml import facts as known
from aitk_nb.backends.detection.access_probes import Knocks
from aitk_nb.connection.connection import Connection
from aitk_nb.models import Access, AuthState, Check, Checklist, Credential, Flavour, Outcome, Status

MAX_SKEW = 120
"""Seconds by which two clocks may differ without trouble."""

_REACHED = " (for that path alone; where a token is checked, the answer is 401 Unauthorized)"

PRIVATE = (".local", ".internal", ".lan", ".home.arpa", ".test", ".localhost")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a server after a check."""

    connection: Connection
    state: AuthState
    flavour: Flavour | None = None
    knocks: Knocks = field(default_factory=Knocks)
    version: str = ""
    """A Gradio app's version."""
    product: str = ""
    """What answers, as far as can be told."""
    default_password: bool = False
    """True if the server takes the password that it ships with."""
    hf_token: bool = False
    """True if the settings show a Hugging Face token."""
    meant: str = ""
    """What the server would have accepted in place of what was given."""
    flaws: tuple[str, ...] = ()
    """What was copied along with the token by accident."""
    skew: float | None = None
    """Seconds by which the server's clock is ahead of ours."""
    cause: str = ""
    """Why nothing answers."""
    detail: str = ""
    """The failure as the network reports it."""


def find(facts: Facts) -> Checklist[Check]:
    """Return the security findings, worst first."""
    found = [
        *_password(facts),
        *_unguarded(facts),
        *_given(facts),
        *_address(facts),
        *_clocks(facts),
    ]
    return Checklist(sorted(found, key=lambda check: check.status is not Status.PROBLEM))


def _finding(code: str, *, severe: bool = False, **words: str) -> Check:
    """Return a finding in the words of `findings.yaml`, with `words` put into them."""
    said = known("aitk_nb.auth", "findings")[code]
    message, evidence, remedy = (said[k].format(**words) for k in ("found", "evidence", "remedy"))
    return Check(code, Status.PROBLEM if severe else Status.WARNING, message, remedy, evidence)


def _password(facts: Facts) -> Iterator[Check]:
    """Yield what is wrong with the server's password."""
    reachable = not is_loopback(facts.connection.url)
    webui = facts.flavour is not Flavour.GRADIO
    remedy = (
        "Set AI_TOOLKIT_AUTH on the server and restart it."
        if webui
        else "Start the app with launch(auth=('user', 'password'))."
    )
    if facts.knocks.wrong_accepted and not _is_open(facts):
        yield _finding("any-password", remedy=remedy, severe=True)
    elif facts.state is AuthState.OPEN:
        shown = _shown(c for c in _unasked(facts) if c.outcome.is_in) or "GET /config answered."
        words = {"openness": _openness(facts), "shown": shown, "remedy": remedy}
        yield _finding("no-password", **words, severe=reachable)
    if facts.default_password:
        yield _finding("default-password", severe=reachable)


def _unasked(facts: Facts) -> list[Access]:
    """Return what was answered to requests without credentials."""
    return [cell for cell in facts.knocks.cells if cell.credential is Credential.NONE]


def _shown(cells: Iterable[Access]) -> str:
    return "; ".join(f"{cell.request} without credentials: {cell.evidence}" for cell in cells)


def _openness(facts: Facts) -> str:
    """Return what anyone can do, as far as the answers to requests without credentials prove it."""
    found = {cell.group: cell.outcome for cell in _unasked(facts)}
    who = "who passes the gateway" if facts.connection.headers else "who reaches the address"
    acting = [found[group] for group in ("jobs", "functions") if group in found]
    if acting and not any(outcome.is_in for outcome in acting):
        return f"No password is set for anyone {who}; whether they can train is unknown."
    only = "A password protects only the page" if found.get("page") is Outcome.REFUSED else ""
    return f"{only or 'No password is set'}: anyone {who} can train, read and delete."


def _is_open(facts: Facts) -> bool:
    """Return whether the server answers without credentials."""
    return any(
        (cell.group, cell.credential, cell.outcome) == ("login", Credential.NONE, Outcome.ALLOWED)
        for cell in facts.knocks.cells
    )


def _unguarded(facts: Facts) -> Iterator[Check]:
    """Yield what can be read despite a password, or should not be readable at all."""
    public = [
        cell
        for cell in facts.knocks.cells
        if (cell.credential, cell.outcome) == (Credential.NONE, Outcome.PUBLIC)
        and cell.group in {"images", "files"}
    ]
    if public and facts.state is not AuthState.OPEN:
        reached = _REACHED if any(one.status == 403 for one in public) else ""
        is_reachable = not is_loopback(facts.connection.url)
        yield _finding("public-files", shown=_shown(public) + reached, severe=is_reachable)
    if facts.hf_token:
        yield _finding("hf-token", severe=facts.state is AuthState.OPEN)
    if facts.flavour is Flavour.GRADIO and facts.version.startswith(("3.", "4.")):
        is_exposed = is_public(facts.connection.url)
        yield _finding("old-gradio", version=facts.version, severe=is_exposed)


def _given(facts: Facts) -> Iterator[Check]:
    """Yield what is wrong with the given credentials."""
    if facts.flaws:
        accepted = "; without it the server accepts the token" if facts.meant == "mended" else ""
        flaws = " and with ".join(facts.flaws) + accepted
        yield _finding("token-form", flaws=flaws, severe=facts.state is AuthState.REJECTED)
    if facts.meant in {"user", "password"}:
        place = "user name" if facts.meant == "user" else "password of a user name"
        yield _finding("token-as-login", place=place)
    if facts.flavour is Flavour.GRADIO and facts.state is AuthState.OPEN and facts.connection.login:
        yield _finding("needless-login")


def _address(facts: Facts) -> Iterator[Check]:
    """Yield what is wrong with the address and the connection."""
    connection = facts.connection
    host = urlsplit(connection.url).hostname or ""
    if connection.url.startswith("http://") and is_public(connection.url):
        has_secrets = bool(connection.token or connection.login or connection.headers)
        yield _finding("plain-http", host=host, severe=has_secrets)
    for end, what in known("aitk_nb.auth", "findings")["share-link"]["addresses"].items():
        if host.endswith(end):
            is_open = facts.state is AuthState.OPEN
            yield _finding("share-link", what=what, end=end, severe=is_open)
    if connection.verify is False:
        yield _finding("unverified-tls")


def _clocks(facts: Facts) -> Iterator[Check]:
    """Yield what is wrong with certificates and clocks."""
    if facts.cause == "tls":
        detail = facts.detail or "The TLS handshake failed."
        yield _finding("tls", detail=detail, severe=True)
    if facts.skew is not None and abs(facts.skew) > MAX_SKEW:
        side = "ahead of" if facts.skew > 0 else "behind"
        span = _span(abs(facts.skew))
        yield _finding("clock", span=span, side=side)


def _span(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def is_loopback(url: str) -> bool:
    """Return whether the address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_public(url: str) -> bool:
    """Return whether the address looks reachable from everywhere."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # A name without a dot belongs to the local network.
        return "." in host and not host.endswith(PRIVATE)
