"""The server and its credentials: explicit ones first, then the environment, then `demo:`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack, overload
from urllib.parse import SplitResult, urlsplit, urlunsplit

from aitk_nb.connection.secret import Secret as Secret
from aitk_nb.connection.secret import stored
from aitk_nb.errors import BadInput

DEMO = "demo:"
"""Address of the embedded server; `demo:PATH` keeps its data in PATH."""

TOKEN_VARIABLES = ("AITK_TOKEN", "AI_TOOLKIT_AUTH")
"""Variables that may hold the token: ours first, then the one the server itself reads."""

LOGIN_VARIABLES = ("AITK_USERNAME", "AITK_PASSWORD")
"""Variables that may hold the login of a Gradio app, or of a gateway that asks for one."""

OUTAGE = 120.0
"""Seconds that a transfer waits for a server that is away, by default: one restarts in less."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
"""How a mistyped scheme begins an address: no host is followed by a colon and a slash."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Connection:
    """The address of a server with the credentials and options to reach it.

    Example:
        >>> aitk_nb.Connection("https://my-pod.example", token=aitk_nb.Secret("my token"))
        Connection(url='https://my-pod.example', verify=True)
    """

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
    outage: float = field(default=OUTAGE, repr=False)
    """Seconds that an upload or a download waits for a server that is away."""

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
        """Check that a request can carry the headers; the HTTP library would quote a secret.

        Raises:
            BadInput: A header or the token is invalid; the message holds no secret.
        """
        if self.token and not self.token.is_token:
            raise BadInput(_UNSENDABLE)
        for name, value in self.headers.items():
            if not HEADER_NAME.fullmatch(name):
                raise BadInput(f"{name!r} is not a valid header name.")
            if not value.is_header_value:
                raise BadInput(
                    f"The value of the header {name} contains a line break or a non-ASCII "
                    "character, or starts or ends with a space."
                )
            if self.token and name.lower() == "authorization":
                raise BadInput(
                    "Both a token and an Authorization header were given, but a request can carry "
                    "only one. Use another header for the gateway's credentials, or drop one."
                )


Credentials = Secret | str | tuple[str, Secret | str]
"""A user name with a password; a token is accepted as well."""


class ConnectionOptions(TypedDict, total=False):
    """What reaching a server takes besides its address."""

    token: Secret | str | None
    """Token of a web UI; by default AITK_TOKEN or AI_TOOLKIT_AUTH."""
    credentials: Credentials | None
    """User name and password of a Gradio app or a gateway."""
    headers: Mapping[str, str | Secret] | None
    """Extra headers for a gateway in front of the server."""
    verify: bool | str | Path | None
    """File with a private CA; False accepts any certificate."""


class HiddenOptions(TypedDict):
    """The same options without a secret in clear text."""

    credentials: Secret | tuple[str, Secret] | None
    headers: dict[str, Secret]
    verify: bool | str | Path | None


def hidden(options: ConnectionOptions) -> HiddenOptions:
    """Take everything out of `options`, and return it without a secret in clear text.

    Whoever takes them as text calls this first, so that no traceback shows one among the locals.

    Raises:
        BadInput: Both a token and credentials were given.
    """
    headers = {name: _secret(value) for name, value in (options.pop("headers", None) or {}).items()}
    verify, token = options.pop("verify", None), options.pop("token", None)
    given = options.pop("credentials", None)
    both = None not in (token, given)
    given, token = token if given is None else given, None
    safe = (given[0], _secret(given[1])) if isinstance(given, tuple) else _secret(given)
    del given
    if both:
        raise BadInput("Both a token and credentials were given. Pass one of them.")
    return {"credentials": safe, "headers": headers, "verify": verify}


def resolve(
    url: str | Connection = "",
    *,
    environ: Mapping[str, str] | None = None,
    any_token: bool = False,
    **options: Unpack[ConnectionOptions],
) -> Connection:
    """Return the connection that the arguments, the environment or the keyring describe.

    Args:
        url: An address, `demo:` or a ready `Connection`; by default AITK_URL, else `demo:`.
        environ: The environment variables; by default those of the process.
        any_token: Accept a token that no request can carry, to find out why it does not work.
        **options: `token`, `credentials`, `headers` and `verify`, as for `connect`.

    Raises:
        BadInput: The address is invalid, or the token can't be sent.
    """
    if isinstance(url, Connection):
        return url
    given = hidden(options)
    environ = os.environ if environ is None else environ
    url = url or environ.get("AITK_URL", DEMO)
    user, known = environ.get(LOGIN_VARIABLES[0], ""), _from_environment(environ)
    del environ
    address = clean_url(url or DEMO)
    own = given["credentials"]
    token, login = (None, own) if isinstance(own, tuple) else (own or None, None)
    if own is None and not address.startswith(DEMO):
        token, login = known if any(known) else _from_keyring(address, user)
    if token and not token.is_token and not any_token:
        raise BadInput(_UNSENDABLE)
    return Connection(address, token, login, given["headers"], _verify(given["verify"]))


_UNSENDABLE = "The token contains a space, a line break or a non-ASCII character."


def _from_environment(
    environ: Mapping[str, str],
) -> tuple[Secret | None, tuple[str, Secret] | None]:
    """Return the token and the login that the environment variables hold."""
    token = next((Secret(environ[name]) for name in TOKEN_VARIABLES if environ.get(name)), None)
    user, password = (environ.get(name, "") for name in LOGIN_VARIABLES)
    login = (user, Secret(password)) if user and password else None
    del password
    return token, login


def _from_keyring(address: str, user: str) -> tuple[Secret | None, tuple[str, Secret] | None]:
    """Return the token, or with a user name the login, from the system's keyring."""
    if user:
        password = stored(address, user)
        return None, (user, password) if password else None
    return stored(address), None


def clean_url(text: str) -> str:
    """Return `text` as a base URL without trailing slash, query and fragment.

    Raises:
        BadInput: It is not an address, or it contains a password.
    """
    text = text.strip()
    if text.startswith(DEMO):
        return text
    if "://" not in text and not _SCHEME.match(text):
        text = ("http://" if _looks_local(text) else "https://") + text
    parts, host, port = _split(text)
    if parts.username or parts.password:
        raise BadInput(
            "The address must not contain a user name or password. "
            "Pass them as credentials, or set AITK_TOKEN."
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
        raise BadInput(f"Invalid address: {exc}.") from exc
    host = parts.hostname or ""
    if parts.scheme.lower() not in {"http", "https"} or not _is_host(host):
        # The text itself is not shown: what was typed here by mistake may be a token.
        raise BadInput(
            "Invalid address. It must start with http:// or https://, "
            "as in https://<pod id>-8675.proxy.runpod.net, or be 'demo:'."
        )
    return parts, host, port


def _is_host(host: str) -> bool:
    try:
        # A name that can't be resolved has empty or overlong labels.
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(host) and not any(char.isspace() or ord(char) < 33 for char in host)


def _looks_local(text: str) -> bool:
    host = text.split("/")[0].rsplit(":", 1)[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith(("127.", "192.168.", "10."))


@overload
def _secret(value: str | Secret) -> Secret: ...
@overload
def _secret(value: str | Secret | None) -> Secret | None: ...
def _secret(value: str | Secret | None) -> Secret | None:
    return Secret(value) if isinstance(value, str) else value


def _verify(verify: bool | str | Path | None) -> bool | Path:
    if verify is None or isinstance(verify, bool):
        return True if verify is None else verify
    path = Path(verify).expanduser()
    if not path.is_file():
        raise BadInput(f"The certificate file {path} does not exist.")
    return path
