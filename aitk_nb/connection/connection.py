"""Which server, and how to prove who we are: explicit first, then the environment, then `demo:`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from aitk_nb.connection import keyring_store
from aitk_nb.connection.secret import Secret
from aitk_nb.errors import BadInput

__all__ = [
    "DEMO",
    "LOGIN_VARIABLES",
    "TOKEN_VARIABLES",
    "Connection",
    "Credentials",
    "Secret",
    "clean_url",
    "hidden",
    "resolve",
]

DEMO = "demo:"
"""Address of the embedded server; `demo:PATH` keeps its data in PATH."""

TOKEN_VARIABLES = ("AITK_TOKEN", "AI_TOOLKIT_AUTH")
"""Variables that may hold the token: ours first, then the one the server itself reads."""

LOGIN_VARIABLES = ("AITK_USERNAME", "AITK_PASSWORD")
"""Variables that may hold the login of a Gradio app, or of a gateway that asks for one."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


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

    def clean(self, text: str) -> str:
        """Return `text` without the secrets of this connection."""
        password = self.login[1] if self.login else None
        for secret in (*self.headers.values(), self.token, password):
            text = secret.hidden_in(text) if secret else text
        return text

    def check_headers(self) -> None:
        """Refuse what no request can carry; the library would say so with the secret in its words.

        Raises:
            BadInput: in words that hold no secret.
        """
        if self.token and not self.token.is_token:
            raise BadInput("The token contains a space, a line break or a character beyond ASCII.")
        for name, value in self.headers.items():
            if not HEADER_NAME.fullmatch(name):
                raise BadInput(f"{name!r} cannot be the name of a header.")
            if not value.is_header_value:
                raise BadInput(
                    f"The value of the header {name} contains a line break or a character beyond "
                    "ASCII, or begins or ends with a space."
                )
            if self.token and name.lower() == "authorization":
                raise BadInput(
                    "Both a token and an Authorization header were given, and a request can carry "
                    "one only. Give the gateway's credentials in another header, or leave one out."
                )


Credentials = Secret | str | tuple[str, Secret | str]
"""A token, or a user name with a password."""


def resolve(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    any_token: bool = False,
) -> Connection:
    """Return the connection that is meant: what was given, else the environment, else the keyring.

    With `any_token` a token is taken that no request can carry, for somebody who finds out why it
    does not work.

    Raises:
        BadInput: the address is not one, or the token cannot be sent.
    """
    if isinstance(url, Connection):
        return url
    credentials, headers = hidden(credentials, headers)
    known = _from_environment(os.environ if environ is None else environ)
    del environ
    address = clean_url(url or known.url or DEMO)
    token, login = _parts(credentials)
    if credentials is None and not address.startswith(DEMO):
        token, login = known.token, known.login
        if token is None and login is None:
            token, login = _from_keychain(address, known.user)
    if token and not token.is_token and not any_token:
        raise BadInput("The token contains a space, a line break or a character beyond ASCII.")
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


@dataclass(frozen=True, slots=True)
class _Known:
    """What the environment tells."""

    url: str
    token: Secret | None
    user: str
    login: tuple[str, Secret] | None


def _from_environment(environ: Mapping[str, str]) -> _Known:
    token = next((Secret(environ[name]) for name in TOKEN_VARIABLES if environ.get(name)), None)
    user, password = (environ.get(name, "") for name in LOGIN_VARIABLES)
    login = (user, Secret(password)) if user and password else None
    del password
    return _Known(environ.get("AITK_URL", ""), token, user, login)


def _from_keychain(address: str, user: str) -> tuple[Secret | None, tuple[str, Secret] | None]:
    """Return the token, or with a user name the login, that the system's keyring has."""
    if user:
        password = keyring_store.stored(address, user)
        return None, (user, password) if password else None
    return keyring_store.stored(address), None


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


def _parts(given: Hidden | None) -> tuple[Secret | None, tuple[str, Secret] | None]:
    """Return the token or the login that the credentials are."""
    return (None, given) if isinstance(given, tuple) else (given or None, None)


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _verify(verify: bool | str | Path | None) -> bool | Path:
    if verify is None or isinstance(verify, bool):
        return True if verify is None else verify
    path = Path(verify).expanduser()
    if not path.is_file():
        raise BadInput(f"The file of certificates {path} does not exist.")
    return path
