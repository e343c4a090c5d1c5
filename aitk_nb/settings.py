"""Which server, and how to prove who we are: explicit first, then the environment, then `demo:`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit, urlunsplit

from aitk_nb.errors import BadInput

__all__ = ["DEMO", "Connection", "Secret", "resolve"]

DEMO = "demo:"
"""Address of the embedded server; `demo:PATH` keeps its data in PATH."""

TOKEN_VARIABLES = ("AITK_TOKEN", "AI_TOOLKIT_AUTH")
"""Variables that may hold the token: ours first, then the one the server itself reads."""


class Secret:
    """A token or password that cannot be shown by accident.

    It is not a str: formatting, concatenation, JSON, pickle and copies all fail or show dots.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret is made of a str")
        self.__value = value

    def reveal(self) -> str:
        """Return the secret itself; for the two modules that send it."""
        return self.__value

    @property
    def is_token(self) -> bool:
        """True when it can be a bearer token: visible ASCII only.

        The server compares the second space-separated word, so one with a space never matches.
        """
        return all(32 < ord(char) < 127 for char in self.__value)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.__value == self.__value

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __repr__(self) -> str:
        return "Secret('…')"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __copy__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __deepcopy__(self, memo: Mapping[int, Any]) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")


@dataclass(frozen=True, slots=True)
class Connection:
    """An address with all that is needed to speak to it."""

    url: str
    """`http://…`, `https://…`, `demo:` or `demo:PATH`; a path such as `/proxy/8675` is kept."""
    token: Secret | None = field(default=None, repr=False)
    """Bearer token of the web UI."""
    login: tuple[str, Secret] | None = field(default=None, repr=False)
    """User name and password of a Gradio app."""
    headers: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    """Extra headers for a gateway in front of the server."""
    verify: bool | Path = True
    """False accepts any certificate; a path names a file with a private CA."""

    @property
    def is_demo(self) -> bool:
        """True for the embedded server."""
        return self.url.startswith(DEMO)


Credentials = Secret | str | tuple[str, Secret | str]
"""A token, or a user name with a password."""


def resolve(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Connection:
    """Return the connection that is meant: what was given, else AITK_URL and AITK_TOKEN.

    Raises:
        BadInput: the address is not one.
    """
    if isinstance(url, Connection):
        return url
    credentials, headers = hidden(credentials, headers)
    default, token = _from_environment(os.environ if environ is None else environ)
    del environ
    address = clean_url(url or default or DEMO)
    if credentials is None and not address.startswith(DEMO):
        credentials = token
    token, login = _credentials(credentials)
    return Connection(address, token, login, headers, _verify(verify))


Hidden = Secret | tuple[str, Secret]
"""Credentials that no text shows."""


def hidden(
    credentials: Credentials | None, headers: Mapping[str, str | Secret] | None
) -> tuple[Hidden | None, dict[str, Secret]]:
    """Return both without a secret in clear.

    Whoever takes them as text calls this first, so that none is among the locals of a traceback.
    """
    safe = {name: _secret(value) for name, value in (headers or {}).items()}
    if isinstance(credentials, tuple):
        return (credentials[0], _secret(credentials[1])), safe
    return None if credentials is None else _secret(credentials), safe


def _from_environment(environ: Mapping[str, str]) -> tuple[str, Secret | None]:
    """Return the address and the token that the environment holds."""
    token = next((Secret(environ[name]) for name in TOKEN_VARIABLES if environ.get(name)), None)
    return environ.get("AITK_URL", ""), token


def clean_url(text: str) -> str:
    """Return `text` as a base URL without trailing slash, query and fragment.

    Raises:
        BadInput: it is not an address, or it holds a password.
    """
    text = text.strip()
    if text.startswith(DEMO):
        return text
    if "://" not in text:
        text = ("http://" if _looks_local(text) else "https://") + text
    parts, host, port = _split(text)
    if parts.username or parts.password:
        raise BadInput(
            "The address must not contain a user name or password. "
            "Give them as credentials, or set AITK_TOKEN."
        )
    netloc = f"[{host}]" if ":" in host else host
    netloc += f":{port}" if port else ""
    return urlunsplit((parts.scheme.lower(), netloc, parts.path.rstrip("/"), "", ""))


def _split(text: str) -> tuple[SplitResult, str, int | None]:
    """Return the parsed address, its host and its port."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise BadInput(f"The address cannot be read: {exc}.") from exc
    host = parts.hostname or ""
    if parts.scheme.lower() not in {"http", "https"} or not _is_host(host):
        # The text itself is not shown: what was typed here by mistake may be a token.
        raise BadInput(
            "The address is not one. It starts with http:// or https://, "
            "as https://<pod id>-8675.proxy.runpod.net, or is 'demo:'."
        )
    return parts, host, port


def _is_host(host: str) -> bool:
    try:
        # What the name service cannot be asked for: empty or endless labels.
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and not any(char.isspace() or ord(char) < 33 for char in host)


def _looks_local(text: str) -> bool:
    host = text.split("/")[0].rsplit(":", 1)[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith(("127.", "192.168.", "10."))


def _credentials(given: Hidden | None) -> tuple[Secret | None, tuple[str, Secret] | None]:
    if isinstance(given, tuple):
        return None, given
    if given and not given.is_token:
        raise BadInput("The token contains a space, a line break or a character beyond ASCII.")
    return given or None, None


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _verify(verify: bool | str | Path | None) -> bool | Path:
    if verify is None or isinstance(verify, bool):
        return True if verify is None else verify
    path = Path(verify).expanduser()
    if not path.is_file():
        raise BadInput(f"The file of certificates {path} does not exist.")
    return path
