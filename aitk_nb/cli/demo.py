"""Commands that need no server, or bring their own."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aitk_nb.cli.app import AsJson, Url, command, say, show_json, token_of
from aitk_nb.client import connect
from aitk_nb.errors import AitkError, BadInput, MissingExtra
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer, GradioServer
    from aitk_nb.lora.api import LoraReport

__all__ = ["demo", "lora", "serve"]


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


@command("demo")
def demo(
    names: Annotated[
        list[str] | None, typer.Argument(help="Notebooks to run, as 00_quickstart; else all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for what it makes.")] = Path("runs"),
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Run all notebooks against one embedded server.

    Says what came of each, and where the pictures of the losses, the LoRAs and the executed
    notebooks are. With --url, or with AITK_URL set, they run against that server; its token
    comes from AITK_TOKEN.
    """
    from aitk_nb.notebooks import run

    books = run.find(names or ())
    with _server(url) as (address, what):
        say(f"{what} at {address}")
        results = run.run_all(books, out, address, report=lambda text: say(text, end=""))
    if as_json:
        show_json([result.as_dict() for result in results])
    else:
        typer.echo(f"\n{notebooks.report(results, out)}")
    failed = [result.name for result in results if not result.ok]
    if failed:
        raise AitkError(f"{', '.join(failed)} failed; the notebook itself shows where.")


@contextlib.contextmanager
def _server(url: str) -> Iterator[tuple[str, str]]:
    """Yield the address of the server to use, and what it is."""
    if not url or url.startswith("demo:"):
        from aitk_nb.demo import split

        gradio, folder = split(url)
        if gradio:
            with _embedded_gradio(folder or None) as app:
                yield app.url, "Embedded Gradio server"
            return
        with _embedded(folder or None) as server:
            yield server.url, "Embedded server"
        return
    # What is wrong with it is told here, once, and not by every notebook.
    with connect(url) as client:
        client.jobs.list()
        address = client.url
    yield address, "Server"


@command("lora")
def lora(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.")], as_json: AsJson = False
) -> None:
    """Look inside a LoRA, and check that its numbers are sound.

    Its rank and alpha, its tensors, and what the trainer noted. Every number is read.
    """
    from aitk_nb.lora.api import inspect

    report = inspect(file)
    if as_json:
        show_json({"ok": report.ok, **asdict(report), "rank": report.rank, "alpha": report.alpha})
    else:
        typer.echo(_table(report))
    if not report.ok:
        raise AitkError(f"{file} is not sound: {' '.join(report.problems)}")


def _table(report: LoraReport) -> str:
    finite = {True: "all finite", False: "not all finite", None: "not checked"}[report.finite]
    rows = {
        "file": f"{report.path} ({report.size:,} bytes)",
        "kind": report.kind or "no LoRA",
        "rank": ", ".join(map(str, report.ranks)) or "?",
        "alpha": ", ".join(f"{alpha:g}" for alpha in report.alphas)
        or "none: it counts as the rank",
        "tensors": f"{report.tensors} ({', '.join(report.dtypes)}) in {report.modules} layers",
        "numbers": f"{report.parameters:,}, {finite}",
        "trained": f"{report.name or '?'}, step {'?' if report.step is None else report.step}",
    }
    return "\n".join(f"{what:8} {value}" for what, value in rows.items())
