"""The commands `demo`, `serve` and `run`: an embedded server, and notebooks run headless."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from aitk_nb.cli.app import AsJson, command, say, show
from aitk_nb.cli.server_options import Url, token_of
from aitk_nb.client import connect
from aitk_nb.connection.embedded import explained_start
from aitk_nb.demo import NEWEST, DemoServer, EraName, GradioServer, split, start, start_gradio
from aitk_nb.errors import AitkError, BadInput
from aitk_nb.models.server import Flavour
from aitk_nb.notebooks import run as notebooks
from aitk_nb.notebooks.parameters import signature, typed

_NEXT = """Next: `make lab` or `jupyter lab notebooks`, and 00_quickstart with your photos
and server. The executed notebooks above show what each step did."""


@command("demo")
def demo(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    out: Path = Path("runs"),
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Run all notebooks against one embedded server.

    Shows the result of each, and where the loss plots, the LoRAs and the executed notebooks are.
    With --url, or with AITK_URL set, they run against that server; its token comes from
    AITK_TOKEN.

    Args:
        names: Notebooks to run, e.g. 04_train. [default: all]
        out: Folder for the results.
    """
    books = notebooks.find(names or ())
    with _server(url) as (address, what):
        say(f"{what} at {address}")
        results = notebooks.run_all(books, out, address, report=lambda text: say(text, end=""))
    words = f"\n{notebooks.report(results, out)}\n\n{_NEXT}"
    show(lambda: [result.as_dict() for result in results], words, as_json=as_json)
    failed = [result.name for result in results if not result.ok]
    if failed:
        raise AitkError(f"{', '.join(failed)} failed; the notebook itself shows where.")


@contextmanager
def _server(url: str) -> Iterator[tuple[str, str]]:
    """Yield the address of the server to use, and what it is."""
    if not url or url.startswith("demo:"):
        gradio, folder = split(url)
        with explained_start():
            server = start_gradio(folder or None) if gradio else start(folder or None)
        with server:
            yield server.url, "Embedded Gradio server" if gradio else "Embedded server"
        return
    # What is wrong with it is told here, once, and not by every notebook.
    with connect(url) as client:
        client.jobs.list()
        address = client.url
    yield address, "Server"


@command("serve")
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
    data: Path | None = None,
    flavour: Flavour = Flavour.WEBUI,
    era: Annotated[EraName | None, typer.Option(show_default=False)] = None,
    token_env: str = "",
    user_env: str = "",
    password_env: str = "",
) -> None:
    """Run an embedded server until Ctrl-C.

    The first line on stdout is its address.

    Args:
        port: Port; 0 chooses a free one.
        data: Folder for its data. [default: a temporary one]
        flavour: AI Toolkit's web UI, or its Gradio app.
        era: Web UI: month of its version. [default: the newest]
        token_env: Web UI: variable that holds the token that clients must send.
        user_env: Gradio: variable that holds the user name of the login.
        password_env: Gradio: variable that holds its password.
    """
    if flavour is Flavour.GRADIO:
        _only("--token-env", token_env, "web UI")
        _only("--era", era or "", "web UI")
        login = _login_of(user_env, password_env)
        with explained_start():
            app = start_gradio(data, port=port, login=login)
        with app:
            _serve(app, "Gradio app")
        raise AitkError("The Gradio app exited; see terminal.log in its data folder.")
    _only("--user-env", user_env, "Gradio app")
    _only("--password-env", password_env, "Gradio app")
    token = token_of(token_env) if token_env else None
    with explained_start():
        webui = start(data, port=port, token=token, era=era or NEWEST)
    with webui:
        _serve(webui, "web UI")


def _serve(server: DemoServer | GradioServer, what: str) -> None:
    typer.echo(server.url)
    say(f"AI Toolkit's {what}, embedded; data in {server.data}. Press Ctrl-C to stop it.")
    while server.alive:
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
        "The options take the names of variables, not their values."
    )


@command("run")
def run(
    notebook: Path,
    out: Annotated[Path | None, typer.Argument(show_default=False)] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", show_default=False)
    ] = None,
    help_notebook: bool = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Run a notebook headless, and show its result.

    Values are checked against the notebook's parameters cell; unknown names are rejected. A list is
    given by repetition or as JSON: -p prompts=a -p prompts=b. Without --url and AITK_URL, the
    notebook uses an embedded server.

    Args:
        notebook: The notebook, or the name of a shipped one.
        out: Path of the executed notebook.
        parameter: name=value; may be repeated.
        help_notebook: List the notebook's parameters and exit.
    """
    source = _source(notebook)
    known = signature(source)
    if help_notebook:
        for name, about in known.items():
            kind = about.inferred_type_name
            typer.echo(f"{name}: {kind} = {about.default}  {about.help}")
        return
    if out is None:
        raise BadInput("Missing the path of the executed notebook: aitk-nb run NOTEBOOK OUT.")
    given = typed(parameter or [], known)
    if url and "url" in known:
        given.setdefault("url", url)
    if other := notebooks.other_python():
        say(f"note: Jupyter's kernel is that of {other}; this runs with {sys.executable}.")
    result = notebooks.run(source, out, given)
    say(f"{result.notebook}: {result.error or 'ok'} ({result.seconds:.1f} s)")
    words = "\n".join(f"{name}: {value}" for name, value in result.result.items())
    show(result.as_dict, words, as_json=as_json)
    if not result.ok:
        raise AitkError(f"{source.name} failed; {result.notebook} shows where.")


def _source(notebook: Path) -> Path:
    """Return the notebook, or the shipped one of that name; `BadInput` lists those."""
    if notebook.exists() or notebook.parent != Path():
        return notebook
    return notebooks.find([notebook.name])[0]
