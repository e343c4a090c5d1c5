"""One option for each training parameter, built from its declaration; the command `params`."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aitk_nb.cli.app import command, say
from aitk_nb.cli.options import set_signature, signature
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.training.config_files import as_text
from aitk_nb.training.export import FORMATS
from aitk_nb.training.fields import schema
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import items, limits


def with_fields(function: Callable[..., None]) -> Callable[..., None]:
    """Replace the argument `params` with an option for each training parameter.

    The function gets what reads them. They are checked before, but for an architecture that only
    the server may know.
    """
    own = [item for item in signature(function).parameters.values() if item.name != "params"]
    fields = [_option(name, entry) for name, entry in schema().items()]

    def run(**kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in schema()}
        chosen = {name: _listed(name, value) for name, value in given.items() if value is not None}
        file: Path | None = kwargs.pop(FILE.name)
        read = partial(_params, file, chosen)
        try:
            read()
        except InvalidParams as exc:
            if exc.problems.keys() != {"arch"}:
                raise
        function(params=read, **kwargs)

    set_signature(run, [*fields, FILE, *own], function)
    return run


def _listed(name: str, value: Any) -> Any:
    """Return the items of a list; any other value as it is."""
    text = schema()[name].get("items", {}).get("type") == "string"
    return items(value, str if text else int) if isinstance(value, list) else value


def _params(file: Path | None, chosen: dict[str, Any]) -> TrainingParams:
    if file is not None:
        return TrainingParams.from_file(file, **chosen)
    for name, entry in schema().items():
        if "default" not in entry and name not in chosen:
            raise BadInput(f"Missing --{name}; set it, or pass a job file with --params.")
    return TrainingParams(**chosen)


def _file(
    params_file: Annotated[Path | None, typer.Option("--params", show_default=False)] = None,
) -> None:
    """Take the job file to start from.

    Args:
        params_file: AI Toolkit job file, YAML or JSON, to start from; options override it.
    """


FILE = signature(_file).parameters["params_file"]


def _option(name: str, entry: Mapping[str, Any]) -> Parameter:
    """Return the option of one training parameter; left out, the model's default applies."""
    many = entry["type"] == "array"
    # Texts, also of numbers: the model reports everything that is wrong at once.
    kind: Any = list[str] if many else str
    flag = name.replace("_", "-")
    flags = [f"--{flag}", *filter(None, [entry["short"]])]
    if entry["type"] == "boolean":
        kind, flags = bool, [f"--{flag}/--no-{flag}"]
    default = f"[default: {_shown(entry['default'])}]" if "default" in entry else "[required]"
    repeat = "; may be repeated, or a JSON list" if many else ""
    option = typer.Option(
        *flags,
        help=f"{entry['description']}{repeat}. {default}",
        metavar=None if kind is bool else _metavar(entry),
        show_default=False,
    )
    # A file may say what is required: the option itself never is.
    return Parameter(
        name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind | None, option], default=None
    )


def _metavar(entry: Mapping[str, Any]) -> str:
    kind = entry.get("items", entry)["type"]
    word = {"integer": "int", "number": "float"}.get(kind, "text")
    return f"<{word} {limits(entry)}".rstrip() + ">"


def _shown(default: object) -> str:
    if isinstance(default, list):
        return " ".join(map(str, default)) or "none"
    return str(default) if default != "" else "empty"


def say_remarks(params: TrainingParams) -> None:
    """Print remarks on values that are legal and rarely intended to stderr."""
    for name, remark in params.advice.items():
        say(f"note: {name}: {remark}")


# -- the command --------------------------------------------------------------------------------

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
    params: Callable[[], TrainingParams],
    form: Annotated[Format, typer.Option("--format")] = "cell",
) -> None:
    """Print training parameters in one of several formats.

    Prints a notebook's parameters cell, a job file in YAML or JSON, the job config that is posted,
    the command that starts the job, or its requests with curl or in Python. The parameters are
    checked first; no server is contacted.

    Args:
        form: Notebook cell, job file, command or requests.
    """
    given = params()
    say_remarks(given)
    typer.echo(_FORMATS[form](given), nl=False)
