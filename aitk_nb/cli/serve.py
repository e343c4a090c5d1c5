"""The command `serve`."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aitk_nb.cli.app import command, say
from aitk_nb.cli.server_options import token_of
from aitk_nb.errors import AitkError, BadInput, MissingExtra
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer, GradioServer


@command("serve")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Folder that keeps its data. [default: a temporary one]")
    ] = None,
    flavour: Annotated[
        Flavour, typer.Option(help="AI Toolkit's web UI, or its Gradio app.")
    ] = Flavour.WEBUI,
    token_env: Annotated[
        str, typer.Option(help="Web UI: variable that holds the token that clients must send.")
    ] = "",
    user_env: Annotated[
        str, typer.Option(help="Gradio: variable that holds the user name of the login.")
    ] = "",
    password_env: Annotated[
        str, typer.Option(help="Gradio: variable that holds its password.")
    ] = "",
) -> None:
    """Run an embedded server until Ctrl-C.

    The first line on stdout is its address.
    """
    if flavour is Flavour.GRADIO:
        _only("--token-env", token_env, "web UI")
        login = _login_of(user_env, password_env)
        with _embedded_gradio(data, port, login) as server:
            _serve(server.url, "Gradio app", server.data, lambda: server.alive)
        raise AitkError("The Gradio app has ended by itself; terminal.log in its data says why.")
    _only("--user-env", user_env, "Gradio app")
    _only("--password-env", password_env, "Gradio app")
    with _embedded(data, port, token_of(token_env) if token_env else None) as server:
        _serve(server.url, "web UI", server.data, lambda: server.alive)


def _serve(url: str, what: str, data: Path, alive: Callable[[], bool]) -> None:
    typer.echo(url)
    say(f"AI Toolkit's {what}, embedded; data in {data}. Ctrl-C ends it.")
    while alive():
        time.sleep(1)


def _only(option: str, given: str, what: str) -> None:
    if given:
        raise BadInput(f"{option} is for the {what} only.")


def _login_of(user_env: str, password_env: str) -> tuple[str, str] | None:
    """Return user name and password that the named variables hold; None if none are named."""
    if not user_env and not password_env:
        return None
    user, password = os.environ.get(user_env), os.environ.get(password_env)
    if user and password:
        return user, password
    # Without the names: somebody may have given the password itself.
    raise BadInput(
        "--user-env and --password-env go together, and both variables must be set. "
        "The options take the names of variables, not what they hold."
    )


def _embedded(
    data: str | Path | None = None, port: int = 0, token: str | None = None
) -> DemoServer:
    from aitk_nb.demo import FolderInUse, start

    try:
        return start(data, port=port, token=token)
    except (FolderInUse, OSError, sqlite3.Error) as exc:
        raise BadInput(f"The embedded server cannot start: {exc}") from exc


def _embedded_gradio(
    data: str | Path | None = None, port: int = 0, login: tuple[str, str] | None = None
) -> GradioServer:
    from aitk_nb.demo import FolderInUse, GradioMissing, start_gradio

    try:
        return start_gradio(data, port=port, login=login)
    except GradioMissing as exc:
        raise MissingExtra("gradio", exc.install) from exc
    except (FolderInUse, OSError) as exc:
        raise BadInput(f"The embedded server cannot start: {exc}") from exc
