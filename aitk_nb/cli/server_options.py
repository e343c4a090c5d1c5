"""Options for the server and its credentials; secrets only by the names of variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from aitk_nb.cli.options import with_options
from aitk_nb.client import AIToolkitClient, open_backend
from aitk_nb.connection.connection import OUTAGE, ConnectionOptions, Credentials
from aitk_nb.connection.embedded import locate
from aitk_nb.connection.secret import Secret, ask_login, ask_secret
from aitk_nb.errors import BadInput

Url = Annotated[
    str,
    typer.Option(
        envvar="AITK_URL", help="Address of the server, or demo:, demo:PATH, demo:gradio."
    ),
]


def on_server(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes a `client` the server options, and connect."""

    def run(where: Where, **kwargs: Any) -> None:
        with where.connected() as client:
            function(client, **kwargs)

    return with_options(function, "client", _where, run)


def at_address(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes a `where` the server options; send nothing."""
    return with_options(function, "where", _where)


@dataclass(frozen=True, slots=True)
class Where:
    """Which server the options mean."""

    url: str
    options: ConnectionOptions
    outage: float = OUTAGE

    def connected(self) -> AIToolkitClient:
        """Return a client of that server, to be closed."""
        connection = replace(locate(self.url, **self.options), outage=self.outage)
        return AIToolkitClient(open_backend(connection), connection)


def _where(
    *,
    url: Url = "",
    token_env: str = "",
    token_file: Path | None = None,
    ask_token: bool = False,
    user: str = "",
    header_env: list[str] | None = None,
    ca: Path | None = None,
    outage: Annotated[float, typer.Option(min=0)] = OUTAGE,
) -> Where:
    """Return the server that the options mean.

    Args:
        token_env: Variable with the token. [default: AITK_TOKEN]
        token_file: File with the token.
        ask_token: Prompt for the token.
        user: User name of a Gradio app; its password comes from AITK_PASSWORD or like a token.
        header_env: Header for a gateway, as NAME=VARIABLE with its value.
        ca: File with a private CA's certificates.
        outage: Seconds that a transfer waits for a server that is away.
    """
    if ask_token:
        credentials: Credentials | None = ask_login(user) if user else ask_secret()
    else:
        credentials = _credentials(user, _token(token_env, token_file))
    return Where(
        url,
        {"credentials": credentials, "headers": _headers(header_env or ()), "verify": ca},
        outage,
    )


def _headers(given: Iterable[str]) -> dict[str, Secret]:
    """Return the headers whose values the named variables hold."""
    pairs = [item.partition("=") for item in given]
    if any(not os.environ.get(variable) for _, _, variable in pairs):
        # Without what was given: somebody may have written the value itself.
        raise BadInput(
            "--header-env requires NAME=VARIABLE, and the variable must hold the header's value."
        )
    return {name: Secret(os.environ[variable]) for name, _, variable in pairs}


def _credentials(user: str, secret: Secret | None) -> Credentials | None:
    """Return what was given; of a user whose password no option gives it is looked for."""
    if not user:
        return secret
    passwords = (os.environ.get(variable) for variable in ("AITK_PASSWORD", "AITK_TOKEN"))
    secret = secret or next((Secret(password) for password in passwords if password), None)
    return (user, secret) if secret else ask_login(user)


def _token(env: str, file: Path | None) -> Secret | None:
    if file is not None:
        try:
            return Secret(file.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as exc:
            # Without the name, which somebody may have mistaken for the token itself.
            why = getattr(exc, "strerror", None) or "it is not a text file"
            raise BadInput(f"Can't read the file given by --token-file: {why}.") from exc
    return Secret(token_of(env)) if env else None


def token_of(variable: str) -> str:
    """Return the token that an environment variable holds.

    Raises:
        BadInput: it holds none.
    """
    if token := os.environ.get(variable):
        return token
    # Without its name: somebody may have given the token itself.
    raise BadInput(
        "The variable named by --token-env is not set. "
        "The option takes the name of a variable, not the token."
    )
