"""`aitk-nb params`: print training parameters, without a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import typer

from aitk_nb.cli.app import command
from aitk_nb.cli.param_options import say_remarks, with_fields
from aitk_nb.training.config_files import as_text
from aitk_nb.training.export import FORMATS
from aitk_nb.training.params import TrainingParams

Format = Literal["cell", "yaml", "json", "config", "command", "curl", "python"]

_FORMATS: Mapping[str, Callable[[TrainingParams], str]] = {
    "cell": FORMATS["Notebook parameters"],
    "yaml": lambda params: as_text(params, ".yaml"),
    "json": lambda params: as_text(params, ".json"),
    "config": FORMATS["Job config"],
    "command": FORMATS["Command line"],
    "curl": FORMATS["Requests with curl"],
    "python": FORMATS["Requests in Python"],
}


@command("params")
@with_fields
def params(
    *,
    params: TrainingParams,
    form: Annotated[
        Format, typer.Option("--format", help="Notebook cell, job file, command or requests.")
    ] = "cell",
) -> None:
    """Print training parameters in one of several formats.

    Prints a notebook's parameters cell, a job file in YAML or JSON, the job config that is posted,
    the command that starts the job, or its requests with curl or in Python. The parameters are
    checked first; no server is contacted.
    """
    say_remarks(params)
    typer.echo(_FORMATS[form](params), nl=False)
