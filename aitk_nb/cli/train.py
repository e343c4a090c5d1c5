"""`aitk-nb train`: one option for each training parameter, generated from the model."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from aitk_nb.cli.common import (
    AsJson,
    Every,
    command,
    on_server,
    say,
    set_signature,
    show_json,
    signature,
)
from aitk_nb.cli.states import fail_unless_completed, follow
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import BadInput
from aitk_nb.training import TrainingParams

__all__ = ["train"]


def _with_fields(function: Callable[..., None]) -> Callable[..., None]:
    """Put an option for each training parameter in the place of `params`, and check them first."""
    own = [item for item in signature(function).parameters.values() if item.name != "params"]
    fields = [_option(name) for name in TrainingParams.model_fields]

    def run(**kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in TrainingParams.model_fields}
        chosen = {name: value for name, value in given.items() if value is not None}
        file: Path | None = kwargs.pop(FILE.name)
        function(params=_params(file, chosen), **kwargs)

    set_signature(run, [*fields, FILE, *own], function)
    return run


def _params(file: Path | None, chosen: dict[str, Any]) -> TrainingParams:
    if file is not None:
        return TrainingParams.from_file(file, **chosen)
    for name, field in TrainingParams.model_fields.items():
        if field.is_required() and name not in chosen:
            raise BadInput(f"--{name} is needed, or --params with a file that says it.")
    return TrainingParams(**chosen)


FILE = Parameter(
    "params_file",
    Parameter.KEYWORD_ONLY,
    annotation=Annotated[
        Path | None,
        typer.Option(
            "--params",
            help="Job file of AI Toolkit, YAML or JSON, to start from; options go before it.",
            show_default=False,
        ),
    ],
    default=None,
)


def _option(name: str) -> Parameter:
    """Return the option of one training parameter; left out, the model's default holds."""
    field = TrainingParams.model_fields[name]
    many = get_origin(field.annotation) is tuple
    kind: Any = list[str] if many else field.annotation
    default = " [needed]" if field.is_required() else f" [default: {_shown(field.default)}]"
    repeat = "; may be repeated" if many else ""
    if field.annotation is bool:
        return _switch(name, f"{field.description}.{default}")
    option = typer.Option(
        *_flags(name),
        help=f"{field.description}{repeat}.{default}",
        metavar=f"<{_word(field.annotation)}>",
        show_default=False,
    )
    # A file may say what is needed: the option itself never is.
    return Parameter(
        name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind | None, option], default=None
    )


def _switch(name: str, help_text: str) -> Parameter:
    flag = name.replace("_", "-")
    option = typer.Option(f"--{flag}/--no-{flag}", help=help_text, show_default=False)
    return Parameter(
        name, Parameter.KEYWORD_ONLY, annotation=Annotated[bool | None, option], default=None
    )


def _word(annotation: Any) -> str:
    inner = get_args(annotation)[0] if get_origin(annotation) is tuple else annotation
    return {int: "int", float: "float"}.get(inner, "text")


def _flags(name: str) -> list[str]:
    short = ["--lr"] if name == "learning_rate" else []
    return ["--" + name.replace("_", "-"), *short]


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    return str(default) if default != "" else "empty"


@command("train")
@_with_fields
@on_server
def train(
    client: AIToolkitClient,
    *,
    params: TrainingParams,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job ends.")] = False,
    if_exists: Annotated[
        Literal["attach", "resume", "new"],
        typer.Option(help="What to do about a job of this name."),
    ] = "attach",
    every: Every = 2.0,
    as_json: AsJson = False,
) -> None:
    """Start a training, once.

    The same command again attaches to the same job, and starts nothing.
    """
    job = client.jobs.start(params, if_exists=if_exists)
    say(f"{job.name}: {job.state.status.value}")
    if wait:
        follow(job, every)
    if as_json:
        show_json(job.summary())
    else:
        typer.echo(job.name)
    if wait:
        fail_unless_completed(job)
