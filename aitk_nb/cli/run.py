"""`aitk-nb run`: one notebook, headless, with typed parameters."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from aitk_nb.cli.app import AsJson, command, say, show
from aitk_nb.cli.server_options import Url
from aitk_nb.errors import AitkError, BadInput
from aitk_nb.notebooks import run as notebooks
from aitk_nb.notebooks.parameters import signature, typed


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
