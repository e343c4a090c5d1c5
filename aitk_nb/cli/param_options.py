"""One option for each training parameter, generated from the fields of `TrainingParams`."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from aitk_nb.cli.app import say, set_signature, signature
from aitk_nb.errors import BadInput
from aitk_nb.training.fields import TrainingParams
from aitk_nb.training.limits import span

__all__ = ["say_remarks", "with_fields"]


def with_fields(function: Callable[..., None]) -> Callable[..., None]:
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
            help="Job file of AI Toolkit, YAML or JSON, to start from; options override it.",
            show_default=False,
        ),
    ],
    default=None,
)


def _option(name: str) -> Parameter:
    """Return the option of one training parameter; left out, the model's default holds."""
    field = TrainingParams.model_fields[name]
    many = get_origin(field.annotation) is tuple
    # Texts, also of numbers: the model says all that is wrong at once, and what is allowed.
    kind: Any = list[str] if many else str
    default = " [needed]" if field.is_required() else f" [default: {_shown(field.default)}]"
    repeat = "; may be repeated" if many else ""
    if field.annotation is bool:
        return _switch(name, f"{field.description}.{default}")
    limits = span(name, field)
    option = typer.Option(
        *_flags(name),
        help=f"{field.description}{repeat}.{default}",
        metavar=f"<{_word(field.annotation)}{limits and ' ' + limits}>",
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


def say_remarks(params: TrainingParams) -> None:
    """Say on stderr what is allowed and seldom meant."""
    for name, remark in params.advice.items():
        say(f"note: {name}: {remark}")
