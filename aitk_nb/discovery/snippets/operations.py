"""The four operations as programs, and a client of TypeScript that does them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from aitk_nb.backends.gradio.training_form import slug_of
from aitk_nb.discovery.snippets.function_call import data_of, examples
from aitk_nb.discovery.snippets.literals import LITERALS, Code, javascript, json_in_shell, member
from aitk_nb.discovery.snippets.program import assembled, head, sends
from aitk_nb.discovery.snippets.typescript import training_values
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS, Endpoint, Operation
from aitk_nb.models.names import safe_file_name
from aitk_nb.models.server import Flavour
from aitk_nb.training.fields import TrainingParams
from aitk_nb.training.job_config import draft

if TYPE_CHECKING:
    from aitk_nb.discovery.survey import DiscoveryReport

__all__ = ["client", "has_operation", "program"]

OWN = frozenset({"folder", "results"})
"""Values of the operations that are not training parameters."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a program of an operation is made of."""

    title: str
    changes: tuple[str, ...]
    """The gaps with examples, which a user has to change."""
    parts: tuple[str, ...]
    """What a flavour's texts have of it; `_parts` leaves out what a server cannot do."""


EXAMPLES = {
    "folder": "the folder",
    "name": "the job",
    "slug": "the job",
    "dataset": "the dataset",
    "trained_on": "the dataset",
    "results": "the folder of results that the training job printed",
}
"""What the values to be changed are, by gap."""

OUTLINES: Mapping[tuple[str, str], Outline] = {
    ("webui", "create dataset"): Outline(
        "Create a dataset on the server, and upload a folder to it",
        ("folder", "dataset"),
        ("folder", "webui: create dataset"),
    ),
    ("webui", "start training"): Outline(
        "Create a training job on a dataset of the server, and start its queue",
        ("name", "trained_on"),
        ("webui: start training", "webui: start the queue", "webui: started"),
    ),
    ("webui", "job status"): Outline(
        "Show a job: its status, step and last losses",
        ("name",),
        ("webui: find the job", "webui: job status", "webui: losses", "webui: no losses"),
    ),
    ("webui", "download LoRA"): Outline(
        "Download the last checkpoint of a job: the LoRA",
        ("name",),
        ("webui: find the job", "webui: download LoRA", "download"),
    ),
    ("gradio", "create dataset"): Outline(
        "Upload a folder, and make a dataset of it for one session",
        ("folder",),
        ("folder", "gradio: session", "gradio: upload", "gradio: create dataset",
         "gradio: created"),
    ),
    ("gradio", "start training"): Outline(
        "Upload a folder, and train on it; this runs until the training job ends",
        ("folder", "slug"),
        ("folder", "gradio: session", "gradio: upload", "gradio: create dataset", "gradio: train",
         "gradio: with a dataset", "gradio: with files", "gradio: results", "gradio: no results",
         "gradio: start training", "gradio: started"),
    ),
    ("gradio", "job status"): Outline(
        "Show how many training jobs wait, and which files of one exist",
        ("results", "slug"),
        ("gradio: job", "gradio: job status"),
    ),
    ("gradio", "download LoRA"): Outline(
        "Download the LoRA of a training job that wrote its results to the upload folder",
        ("results", "slug"),
        ("gradio: job", "gradio: download LoRA", "download"),
    ),
}  # fmt: skip

CLIENT_PARTS: Mapping[str, tuple[str, ...]] = {
    "create dataset": ("folder", "gradio_client: handles", "gradio_client: create dataset"),
    "start training": (
        "folder", "gradio_client: handles", "gradio_client: create dataset",
        "gradio_client: server", "gradio_client: upload", "gradio: results",
        "gradio_client: start training", "gradio: started",
    ),
    "job status": ("gradio_client: server", "gradio: job", "gradio: job status"),
    "download LoRA": (
        "gradio_client: server", "gradio: job", "gradio: download LoRA", "download",
    ),
}  # fmt: skip
"""The parts of an operation by gradio_client, which calls the functions in its own session."""

Values = Mapping[str, object]


def has_operation(report: DiscoveryReport, name: str) -> bool:
    """Return whether there is a program that does the operation on this server."""
    operation = report.operations.get(name)
    if operation is None or not operation.calls:
        return False
    if report.flavour is Flavour.WEBUI:
        return True
    train = report.operations["start training"]
    return bool(operation.api_name) if name in OPERATIONS[:2] else "advanced" in train.arguments


def program(report: DiscoveryReport, name: str, language: str, values: Values) -> str:
    """Return a program that does an operation.

    Args:
        report: What is known of the server.
        name: One of `OPERATIONS`.
        language: One of `LANGUAGES`.
        values: Training parameters, `folder` and `results`; examples stand for the others.

    Raises:
        BadInput: The server cannot do it, or a value is invalid.
    """
    if not has_operation(report, name):
        why = "; ".join(report.operations[name].reasons) if name in report.operations else ""
        raise BadInput(f"There is no program for '{name}' on this server: {why or 'not found'}.")
    texts, code = _gaps(report, language, values)
    literal = LITERALS[language]
    gaps = {**{gap: literal(text) for gap, text in texts.items()}, **code}
    flavour = "webui" if report.flavour is Flavour.WEBUI else "gradio"
    outline = OUTLINES[flavour, name]
    parts = _parts(report, name, language)
    if language == "typescript":
        return assembled(language, [], [f"{flavour}: types", *_class(flavour, parts)], gaps)
    if language == "javascript":
        local = [part for part in parts if part == "folder"]
        saved = [part for part in parts if part == "download"]
        run = [f"{flavour}: new", *local, f"{flavour}: call {name}", *saved]
        parts = [*_class(flavour, parts), *run]
    named = " and ".join(f"{EXAMPLES[gap]} {literal(texts[gap])}" for gap in outline.changes)
    comments = [f"{outline.title}.", f"Change to yours, wherever they stand: {named}."]
    return assembled(language, comments, [*head(language, report.auth), *parts], gaps)


def client(report: DiscoveryReport) -> str:
    """Return a module of TypeScript with a client for the operations.

    Raises:
        BadInput: The server lacks one of them.
    """
    if lacking := [name for name in OPERATIONS if not has_operation(report, name)]:
        raise BadInput(f"There is no client for this server: it lacks {', '.join(lacking)}.")
    texts, code = _gaps(report, "typescript", {})
    gaps = {**{gap: javascript(text) for gap, text in texts.items()}, **code}
    flavour = "webui" if report.flavour is Flavour.WEBUI else "gradio"
    methods = [part for name in OPERATIONS for part in _parts(report, name, "typescript")]
    first, *others = _class(flavour, methods)
    about = "A client for AI Toolkit, made by aitk-nb from what the server at hand offers."
    parts = [f"{flavour}: types", first, f"{flavour}: login", *others]
    return assembled("typescript", [about], parts, gaps)


def _class(flavour: str, parts: list[str]) -> list[str]:
    """Return the parts of a client of JavaScript with the methods among `parts`, each once."""
    methods = [part for part in dict.fromkeys(parts) if part not in {"folder", "download"}]
    return [f"{flavour}: client", "send", *methods, "end"]


def _parts(report: DiscoveryReport, name: str, language: str) -> list[str]:
    """Return the parts of an operation without those that the server cannot do."""
    if report.flavour is Flavour.WEBUI:
        there = {endpoint.name for endpoint in report.endpoints if endpoint.state != "absent"}
        left = {"webui: no losses"} if "job_loss" in there else {"webui: losses"}
        left |= set() if "start_queue" in there else {"webui: start the queue"}
        return [part for part in OUTLINES["webui", name].parts if part not in left]
    create, train = report.operations["create dataset"], report.operations["start training"]
    if name == "start training" and create.api_name in train.calls:
        left = {"gradio: with files"}
    elif name == "start training":
        left = {"gradio: create dataset", "gradio_client: create dataset", "gradio: with a dataset"}
    else:
        left = set()
    if "advanced" in train.arguments:
        left |= {"gradio: no results"}
    else:
        left |= {"gradio: results", "gradio: started", "gradio_client: server",
                 "gradio_client: upload"}  # fmt: skip
    is_client = language == "gradio_client"
    parts = CLIENT_PARTS[name] if is_client else OUTLINES["gradio", name].parts
    return [part for part in parts if part not in left]


def _gaps(
    report: DiscoveryReport, language: str, values: Values
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the gaps that become literals, and those that are code already."""
    params = _params(values)
    if report.flavour is Flavour.WEBUI:
        texts, code = _webui(params, language, values)
    else:
        texts, code = _gradio(report, params, language, values)
    texts |= {"url": report.url, "folder": str(values.get("folder", "photos"))}
    return texts, code | {"send": sends(report.auth)}


def _params(values: Values) -> TrainingParams:
    fields = {key: value for key, value in values.items() if key not in OWN}
    given = {"name": "my_lora", "dataset": "my_photos", **fields}
    if unknown := sorted(set(given) - set(TrainingParams.model_fields)):
        raise BadInput(f"No operation has a value named {', '.join(unknown)}.")
    if "control_datasets" in given:
        raise BadInput(
            "These programs can't use control images. Print the requests that do by "
            "`aitk-nb params --as python` or `--as curl`."
        )
    try:
        return TrainingParams.model_validate(given)
    except ValidationError as exc:
        problems = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in exc.errors())
        raise BadInput(f"Invalid values: {problems}.") from None


# -- the web UI -----------------------------------------------------------------------------------


def _webui(
    params: TrainingParams, language: str, values: Values
) -> tuple[dict[str, str], dict[str, str]]:
    job = draft(params)
    config: Any = job.config
    body = {"name": job.name, "gpu_ids": job.gpu_ids, "job_config": config}
    name = str(values.get("name", params.name))
    dataset = str(values.get("dataset", values.get("name", params.dataset)))
    quoted = json.dumps(name, ensure_ascii=False)
    texts = {
        "name": name,
        "file": safe_file_name(f"{name}.safetensors"),
        "dataset": dataset,
        "trained_on": params.dataset,
        "made_of": json.dumps({"name": dataset}),
        "named": f'"name":{quoted}',
        "final": f'{quoted[1:-1]}.safetensors"',
        "dataset_below": "/" + json.dumps(params.dataset)[1:-1],
        "queue": f"/api/queue/{quote(job.gpu_ids, safe='')}/start",
        "gpu_ids": job.gpu_ids,
    }
    if language == "curl":
        placed = json_in_shell({**body, "job_config": _placed(config)})
        return texts, {"job": placed}
    literal = LITERALS[language]
    return texts, {"job": literal(body), "config": literal(config)}


def _placed(config: Any) -> Any:
    """Return a job config with the shell's variables in place of the server's paths."""
    process = dict(config["config"]["process"][0])
    process["training_folder"] = Code("training")
    process["datasets"] = [
        {**dataset, "folder_path": Code("dataset")} for dataset in process["datasets"]
    ]
    inner = {**config["config"], "process": [process, *config["config"]["process"][1:]]}
    return {**config, "config": inner}


# -- Gradio ---------------------------------------------------------------------------------------


def _gradio(
    report: DiscoveryReport, params: TrainingParams, language: str, values: Values
) -> tuple[dict[str, str], dict[str, str]]:
    by_name = {endpoint.name: endpoint for endpoint in report.endpoints}
    create, train = report.operations["create dataset"], report.operations["start training"]
    prefix, slug = report.prefix, slug_of(params.name)
    results = str(values.get("results", f"/tmp/gradio/aitk-{slug}"))  # noqa: S108  (an example)
    texts = {
        "slug": slug,
        "file": f"{slug}.safetensors",
        "results": results,
        "results_path": quote(results, safe="/:"),
        "upload": f"{prefix}/upload",
        "create": create.api_name or "",
        "train": train.api_name or "",
        "create_path": f"{prefix}/run{quote(create.api_name or '', safe='/')}",
        "join": f"{prefix}/queue/join",
        "watch": f"{prefix}/queue/data?session_hash=",
        "status": f"{prefix}/queue/status",
        "files_at": f"{prefix}/file=",
    }
    code = {"training_values": ""}
    if creator := by_name.get(create.api_name or ""):
        code |= _call("create", creator, examples(creator), language)
    if trainer := by_name.get(train.api_name or ""):
        code |= _training(trainer, train, params, language, set(values))
    return texts, code


def _training(
    trainer: Endpoint, train: Operation, params: TrainingParams, language: str, given: set[str]
) -> dict[str, str]:
    """Return the gaps of a call of the function that trains."""
    chosen = examples(trainer)
    ours = {word: getattr(params, word) for word in given & set(TrainingParams.model_fields)}
    ours |= {"name": slug_of(params.name), "trigger_word": params.trigger_word or ""}
    ours["use_advanced"] = True
    for word, value in ours.items():
        target = train.arguments.get(word)
        if isinstance(target, str) and target in chosen and isinstance(value, str | int | float):
            chosen[target] = value
    prompts = train.arguments.get("prompts", ())
    targets = (prompts,) if isinstance(prompts, str) else prompts
    chosen |= dict(zip(targets, params.prompts, strict=False))
    advanced = train.arguments.get("advanced")
    if isinstance(advanced, str):
        chosen[advanced] = Code("advanced")
    files = {parameter.name for parameter in trainer.sent if "file" in parameter.type}
    plain = {
        name: value
        for name, value in chosen.items()
        if name not in files and not isinstance(value, Code | list)
    }
    return {
        **_call("train", trainer, chosen, language),
        "index": str(trainer.index),
        "training_values": training_values(trainer, train),
        "values": javascript(plain),
    }


def _call(
    name: str, function: Endpoint, values: Mapping[str, object], language: str
) -> dict[str, str]:
    """Return the gaps of a call of a function with the uploaded files.

    A caller of JavaScript's may give values for a training, which come before our own.
    """
    files = {p.name: Code("files", whole=True) for p in function.sent if "file" in p.type}
    data = data_of(function, {**values, **files}, str)
    if name == "train" and language in {"javascript", "typescript"}:
        data = [
            value
            if parameter.hidden or isinstance(value, Code)
            else Code(f"{member(parameter.name)} ?? {javascript(value)}")
            for parameter, value in zip(function.parameters, data, strict=True)
        ]
    pairs = zip(function.parameters, data, strict=True)
    gaps = {f"{name}_data": LITERALS[language](data)}
    if language == "curl":
        call = {"data": data, "session_hash": Code("session")}
        more = {"fn_index": function.index} if name == "train" else {}
        return {f"{name}_body": json_in_shell({**call, **more})}
    # gradio_client leaves the State out itself.
    sent = [value for parameter, value in pairs if not parameter.hidden]
    return {**gaps, f"{name}_arguments": LITERALS[language](sent)[1:-1]}
