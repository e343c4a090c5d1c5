"""Commands that need no server, or bring their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from aitk_nb.cli.app import AsJson, command, say, show_json
from aitk_nb.cli.serve import _embedded, _embedded_gradio
from aitk_nb.cli.server_options import Url
from aitk_nb.client import connect
from aitk_nb.errors import AitkError


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
    from aitk_nb.notebooks import run as notebooks

    books = notebooks.find(names or ())
    with _server(url) as (address, what):
        say(f"{what} at {address}")
        results = notebooks.run_all(books, out, address, report=lambda text: say(text, end=""))
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
