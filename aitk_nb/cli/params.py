"""`aitk-nb params`: training parameters written down, without any server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import typer

from aitk_nb.cli.app import command
from aitk_nb.cli.param_options import say_remarks, with_fields
from aitk_nb.training.config_files import as_text
from aitk_nb.training.export import FACES
from aitk_nb.training.fields import TrainingParams

__all__ = ["params"]

Face = Literal["cell", "yaml", "json", "config", "command", "curl", "python"]

_FACES: Mapping[str, Callable[[TrainingParams], str]] = {
    "cell": FACES["Notebook parameters"],
    "yaml": lambda params: as_text(params, ".yaml"),
    "json": lambda params: as_text(params, ".json"),
    "config": FACES["Job config"],
    "command": FACES["Command line"],
    "curl": FACES["Requests by curl"],
    "python": FACES["Requests in Python"],
}


@command("params")
@with_fields
def params(
    *,
    params: TrainingParams,
    face: Annotated[
        Face, typer.Option("--as", help="A notebook's cell, a job file, or what is sent.")
    ] = "cell",
) -> None:
    """Print training parameters in one of their forms.

    As a notebook's parameters cell, a job file in YAML or JSON, the config that is posted, the
    command that starts them, or requests for curl or Python. They are checked as if they were to
    be started; no server is asked.
    """
    say_remarks(params)
    typer.echo(_FACES[face](params), nl=False)
