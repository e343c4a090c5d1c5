"""What is dangerous or mistaken about a server and how it is called: facts in, findings out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aitk_nb.backends.detection.access_probes import Knocks
from aitk_nb.connection.connection import Connection
from aitk_nb.models.access import SEVERITIES, AuthState, Credential, Finding, Outcome
from aitk_nb.models.server import Flavour

__all__ = ["Facts", "find", "is_loopback", "is_public"]

MAX_SKEW = 120
"""Seconds by which two clocks may differ without trouble."""

SHARED = {
    ".gradio.live": "Gradio's share link",
    ".gradio.app": "Gradio's share link",
    ".ngrok.io": "an ngrok tunnel",
    ".ngrok-free.app": "an ngrok tunnel",
    ".trycloudflare.com": "a Cloudflare tunnel",
    ".loca.lt": "a localtunnel address",
}
"""Addresses that lead to a machine from everywhere, by their end."""

PRIVATE = (".local", ".internal", ".lan", ".home.arpa", ".test", ".localhost")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out, as far as a check came."""

    connection: Connection
    state: AuthState
    flavour: Flavour | None = None
    knocks: Knocks = field(default_factory=Knocks)
    version: str = ""
    """A Gradio app's version."""
    default_password: bool = False
    """True when the server takes the password that it is shipped with."""
    hf_token: bool = False
    """True when the settings hand out a Hugging Face token."""
    meant: str = ""
    """What the server would have accepted in the place of what was given."""
    flaws: tuple[str, ...] = ()
    """What came along with the token by accident."""
    skew: float | None = None
    """Seconds by which the server's clock is ahead of ours."""
    cause: str = ""
    """Why nobody answers."""
    detail: str = ""
    """The failure in the words of the network."""


def find(facts: Facts) -> tuple[Finding, ...]:
    """Return what there is to say, worst first."""
    found = [
        *_password(facts),
        *_unguarded(facts),
        *_given(facts),
        *_address(facts),
        *_clocks(facts),
    ]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _password(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong about the password of the server."""
    local = is_loopback(facts.connection.url)
    webui = facts.flavour is not Flavour.GRADIO
    remedy = (
        "Set AI_TOOLKIT_AUTH on the server and restart it."
        if webui
        else "Start the app with launch(auth=('user', 'password'))."
    )
    if facts.knocks.wrong_accepted and not _asked_nobody(facts):
        yield Finding(
            "any-password",
            "critical",
            "The server wants credentials and accepts any.",
            "A made-up token or password was let in, and nobody without one.",
            f"{remedy} Look at what stands in front of it.",
        )
    elif facts.state is AuthState.OPEN:
        yield Finding(
            "no-password",
            "warning" if local else "critical",
            "No password is set: whoever reaches the address can train, read and delete.",
            "Questions without credentials, and with wrong ones, were answered.",
            remedy,
        )
    if facts.default_password:
        yield Finding(
            "default-password",
            "warning" if local else "critical",
            "The password is the word that AI Toolkit's Docker files come with.",
            "GET /api/auth accepts the word 'password'.",
            "Set AI_TOOLKIT_AUTH on the server to a long random text and restart it.",
        )


def _asked_nobody(facts: Facts) -> bool:
    """Return whether the server answers without credentials."""
    return any(
        cell.group == "login"
        and cell.credential is Credential.NONE
        and cell.outcome is Outcome.ALLOWED
        for cell in facts.knocks.cells
    )


def _unguarded(facts: Facts) -> Iterator[Finding]:
    """Yield what can be read although there is a password, or although it is nobody's business."""
    public = [
        cell
        for cell in facts.knocks.cells
        if (cell.credential, cell.outcome) == (Credential.NONE, Outcome.PUBLIC)
        and cell.group in {"images", "files"}
    ]
    if public and facts.state is not AuthState.OPEN:
        yield Finding(
            "public-files",
            "critical",
            "Files and samples can be read without the token by whoever guesses their path, "
            "LoRAs, logs and datasets among them; a real server can be written to there as well.",
            "; ".join(f"{cell.request} without a token: {cell.evidence}" for cell in public),
            "Share the address with nobody, or put an SSH tunnel or a proxy with a password in "
            "front.",
        )
    if facts.hf_token:
        yield Finding(
            "hf-token",
            "critical" if facts.state is AuthState.OPEN else "warning",
            "The server's Hugging Face token can be read in clear by whoever is let in.",
            "GET /api/settings holds HF_TOKEN; its value was neither shown nor kept.",
            "Give the server a Hugging Face token that can only read, and replace one that can "
            "write.",
        )
    if facts.flavour is Flavour.GRADIO and facts.version.startswith(("3.", "4.")):
        yield Finding(
            "old-gradio",
            "critical" if is_public(facts.connection.url) else "warning",
            "This Gradio checks files weakly: it hands out files of the server's own folder.",
            f"GET /config tells version {facts.version}; 5 and later refuse such requests.",
            "Update gradio on the server to version 5 or later.",
        )


def _given(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong about the credentials that were given."""
    if facts.flaws:
        accepted = "; without it the server accepts the token" if facts.meant == "mended" else ""
        yield Finding(
            "token-form",
            "critical" if facts.state is AuthState.REJECTED else "warning",
            f"The token came with {' and with '.join(facts.flaws)}{accepted}.",
            "Seen in the token itself; it was not shown.",
            "Set AITK_TOKEN to the bare token, without spaces, quotes and other words.",
        )
    if facts.meant in {"user", "password"}:
        place = "user name" if facts.meant == "user" else "password beside a user name"
        yield Finding(
            "token-as-login",
            "warning",
            f"The token was given as {place}; the web UI knows no users.",
            "GET /api/auth accepts it as a bearer token.",
            "Give the token alone, as AITK_TOKEN.",
        )
    if facts.flavour is Flavour.GRADIO and facts.state is AuthState.OPEN and facts.connection.login:
        yield Finding(
            "needless-login",
            "info",
            "A user name and a password were given, and this app asks for none.",
            "GET /config answered without a login.",
            "Leave them out, or start the app with launch(auth=…).",
        )


def _address(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong about the way to the server."""
    connection = facts.connection
    host = urlsplit(connection.url).hostname or ""
    secret = connection.token or connection.login or connection.headers
    if connection.url.startswith("http://") and is_public(connection.url):
        yield Finding(
            "plain-http",
            "critical" if secret else "warning",
            "Plain http to a public address: everybody on the way reads the token and the files.",
            f"The address begins with http:// and {host} is no private one.",
            "Use the https:// address, or an SSH tunnel.",
        )
    for end, what in SHARED.items():
        if host.endswith(end):
            yield Finding(
                "share-link",
                "critical" if facts.state is AuthState.OPEN else "warning",
                f"The address is {what}: it leads to the machine from everywhere, by a relay of "
                "somebody else.",
                f"The name ends in {end}.",
                "Start the app without share=True, and use an SSH tunnel or the pod's own address.",
            )
    if connection.verify is False:
        yield Finding(
            "unverified-tls",
            "warning",
            "Any certificate is accepted: somebody on the way can pose as the server.",
            "The connection was made with verify=False.",
            "Give the file with the private CA by verify='ca.pem' or --ca.",
        )


def _clocks(facts: Facts) -> Iterator[Finding]:
    """Yield what clocks and certificates have to do with it."""
    if facts.cause == "tls":
        yield Finding(
            "tls",
            "critical",
            "A secure line to the server cannot be made.",
            facts.detail or "The TLS handshake failed.",
            "Mend the certificate or the address; verify=False only to find out more.",
        )
    if facts.skew is not None and abs(facts.skew) > MAX_SKEW:
        side = "ahead of" if facts.skew > 0 else "behind"
        yield Finding(
            "clock",
            "warning",
            f"The clocks differ by {_span(facts.skew)}: certificates and times of losses go wrong.",
            f"The Date of an answer is {_span(facts.skew)} {side} this machine's clock.",
            "Set the clock that is wrong, by a time service.",
        )


def _span(seconds: float) -> str:
    seconds = abs(seconds)
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
    """Return whether the address looks as if it could be reached from everywhere."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # A name without a dot is one of the own network.
        return "." in host and not host.endswith(PRIVATE)
