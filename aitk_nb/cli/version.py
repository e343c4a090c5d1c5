"""`aitk-nb --version`."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Annotated

import typer

from aitk_nb.cli.app import app

__all__ = ["version"]


def _tell(asked: bool) -> None:
    if asked:
        typer.echo(f"aitk-nb {installed('aitk-nb')}")
        raise typer.Exit


@app.callback()
def version(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell, is_eager=True, help="Tell the version, and stop."
        ),
    ] = False,
) -> None:
    """Train LoRAs on a remote AI Toolkit server."""
