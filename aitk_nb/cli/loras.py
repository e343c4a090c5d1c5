"""Commands for the LoRAs of a server: `loras list` and `loras upload`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aitk_nb import _units
from aitk_nb.cli.app import AsJson, app, command, plain, show
from aitk_nb.cli.server_options import on_server
from aitk_nb.client import AIToolkitClient

loras = typer.Typer(name="loras", help="LoRA files on a server; web UI only.", no_args_is_help=True)
app.add_typer(loras)


@command("list", loras)
@on_server
def loras_list(client: AIToolkitClient, as_json: AsJson = False) -> None:
    """List the LoRAs of all jobs, and those of the server's own folder."""
    found = client.loras.list()
    lines = [
        plain(f"{_units.size(lora.size):>9}  {lora.job or '-':20}  {lora.path}") for lora in found
    ]
    show(lambda: [asdict(lora) for lora in found], "\n".join(lines), as_json=as_json)


@command("upload", loras)
@on_server
def loras_upload(
    client: AIToolkitClient,
    file: Annotated[Path, typer.Argument(help="A .safetensors file.")],
    name: Annotated[str, typer.Option(help="Its name there. [default: the file's]")] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file of that name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send a LoRA to the server's own folder, and print its path there.

    After an interrupt or an error, the same command goes on where it ended.
    """
    sent = client.loras.upload(file, name, overwrite=overwrite)
    show(lambda: asdict(sent), plain(sent.path), as_json=as_json)
