"""The commands `train` and `params`: one option for each parameter, built from its declaration."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aitk_nb.cli.app import AsJson, Every, command, if_interrupted, plain, say, show
from aitk_nb.cli.job_output import follow, goes_on
from aitk_nb.cli.options import set_signature, signature
from aitk_nb.cli.server_options import on_server
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import AitkError, BadInput, InvalidParams
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.start import describe
from aitk_nb.models import Flavour, JobStatus
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


@command("train")
@with_fields
@on_server
def train(
    client: AIToolkitClient,
    *,
    params: Callable[[], TrainingParams],
    wait: bool = False,
    if_exists: Literal["attach", "resume", "new"] = "attach",
    preflight: bool = False,
    dry_run: bool = False,
    price_per_hour: Annotated[float | None, typer.Option(min=0, show_default=False)] = None,
    every: Every = 2.0,
    as_json: AsJson = False,
) -> None:
    """Start a training job; again, attach to the same one.

    Args:
        wait: Wait until the job ends.
        if_exists: What to do if a job of this name exists.
        preflight: Run preflight checks only; don't start the job.
        dry_run: List the requests of a start without sending them.
        price_per_hour: Hourly price, for --preflight.
    """
    client.architectures()
    given = params()
    if preflight:
        _preflight(client, given, price_per_hour, as_json=as_json)
        return
    say_remarks(given)
    if dry_run:
        report = client.jobs.plan(given, if_exists=if_exists)
        show(report.as_dict, str(report), as_json=as_json)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        job = client.jobs.start(given, if_exists=if_exists)
    for warning in caught:
        say(f"warning: {plain(str(warning.message))}")
    told(client, job, wait=wait, every=every, as_json=as_json)


def told(client: AIToolkitClient, job: Job, *, wait: bool, every: float, as_json: bool) -> None:
    """Say what a start did, and follow the job if that was asked for."""
    with if_interrupted(goes_on(client, job)):
        say(f"{job.name}: {describe(job)}")
        if wait:
            follow(job, every)
        elif client.flavour is Flavour.GRADIO and job.state.status is JobStatus.QUEUED:
            say("A job that waits is lost when this command ends, so it goes on until it begins.")
            for state in job.watch(every):
                if state.status is not JobStatus.QUEUED:
                    break
    show(lambda: job.summary().as_dict(), job.name, as_json=as_json)
    if wait:
        job.wait()


def _preflight(
    client: AIToolkitClient, params: TrainingParams, price: float | None, *, as_json: bool
) -> None:
    found = client.jobs.preflight(params, price_per_hour=price)
    show(found.as_dict, repr(found), as_json=as_json)
    if not found.ok:
        about = ", ".join(check.name for check in found.problems)
        raise AitkError(f"Preflight checks failed for {params.name}: {about}.")
