"""The four operations as programs, and a client of TypeScript that does them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from aitk_nb._yaml import facts
from aitk_nb.backends.webui.catalog import PATHS
from aitk_nb.discovery.snippets.function_call import data_of, examples
from aitk_nb.discovery.snippets.program import (
    LITERALS,
    Code,
    assembled,
    head,
    javascript,
    json_in_shell,
    member,
    sends,
)
from aitk_nb.discovery.snippets.typescript import training_values
from aitk_nb.discovery.survey import Survey
from aitk_nb.errors import BadInput
from aitk_nb.models import OPERATIONS, Endpoint, Flavour, Operation, safe_file_name, slug_of
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams

OWN = frozenset({"folder", "results"})
"""Values of the operations that are not training parameters."""


_KNOWN: Mapping[str, Mapping[str, Any]] = facts("aitk_nb.discovery.snippets", "operations")

Values = Mapping[str, object]


def has_operation(report: Survey, name: str) -> bool:
    """Return whether there is a program that does the operation on this server."""
    operation = report.operations.get(name)
    if operation is None or not operation.calls:
        return False
    if report.flavour is Flavour.WEBUI:
        return True
    train = report.operations["start training"]
    return bool(operation.api_name) if name in OPERATIONS[:2] else "advanced" in train.arguments


def program(report: Survey, name: str, language: str, values: Values) -> str:
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
    texts, gaps = _gaps(report, language, values)
    flavour, steps = _flavour(report), _steps(report, name)
    if language == "typescript":
        return assembled(language, [], ["types", *_class(steps)], gaps, flavour=flavour)
    if language == "javascript":
        first, last = [[step for step in steps if step == part] for part in ("folder", "download")]
        steps = [*_class(steps), "new", *first, f"call {name}", *last]
    title, changes = (_KNOWN[name][flavour][key] for key in ("does", "changes"))
    if name == "start training" and flavour == "gradio" and "upload" not in steps:
        title, changes = "Train to the end.", ["slug"]
    literal = LITERALS[language]
    named = " and ".join(f"{_KNOWN['examples'][gap]} {literal(texts[gap])}" for gap in changes)
    comments = [title, f"Change to yours, wherever they stand: {named}."]
    return assembled(language, comments, [*head(report.auth), *steps], gaps, flavour=flavour)


def client(report: Survey) -> str:
    """Return a module of TypeScript with a client for the operations.

    Raises:
        BadInput: The server lacks one of them.
    """
    if lacking := [name for name in OPERATIONS if not has_operation(report, name)]:
        raise BadInput(f"There is no client for this server: it lacks {', '.join(lacking)}.")
    _, gaps = _gaps(report, "typescript", {})
    first, *others = _class([step for name in OPERATIONS for step in _steps(report, name)])
    about = "A client for AI Toolkit, made by aitk-nb from what the server at hand offers."
    parts = ["types", first, "client login", *others]
    return assembled("typescript", [about], parts, gaps, flavour=_flavour(report))


def _flavour(report: Survey) -> str:
    return "webui" if report.flavour is Flavour.WEBUI else "gradio"


def _class(steps: list[str]) -> list[str]:
    """Return the parts of a client of JavaScript with the methods among `steps`, each once."""
    methods = [step for step in dict.fromkeys(steps) if step not in {"folder", "download"}]
    return ["client", "send", *methods, "end"]


def _steps(report: Survey, name: str) -> list[str]:
    """Return the steps of an operation, with `no …` in place of those that the server lacks."""
    steps = _KNOWN[name]["parts"]
    if report.flavour is Flavour.WEBUI:
        there = {endpoint.name for endpoint in report.endpoints if endpoint.state != "absent"}
        needs = {"losses": "job_loss", "queue": "start_queue"}
        lacking = {step for step, endpoint in needs.items() if endpoint not in there}
    else:
        create, train = report.operations["create dataset"], report.operations["start training"]
        creates = create.api_name in train.calls
        takes = creates or "upload" in train.calls
        lacking = set() if creates else {"dataset"}
        if not (takes and "advanced" in train.arguments):
            lacking |= {"where", "results", "started"}
        if name == "start training":
            before = _KNOWN["create dataset"]["parts"][: 4 if creates else 3]
            steps = [*before, *steps] if takes else ["session", *steps]
        if not takes:
            steps = [step for step in steps if step != "dataset"]
    return [f"no {step}" if step in lacking else step for step in steps]


def _gaps(report: Survey, language: str, values: Values) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts that a program names, and all its gaps, written in the language."""
    params = _params(values)
    if report.flavour is Flavour.WEBUI:
        texts, code = _webui(params, language, values)
    else:
        texts, code = _gradio(report, params, language, values)
    texts |= {"url": report.url, "folder": str(values.get("folder", "photos"))}
    literals = {gap: LITERALS[language](text) for gap, text in texts.items()}
    return texts, {**literals, **code, "send": sends(report.auth)}


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
        "queue": PATHS["start_queue"].format(gpu_ids=quote(job.gpu_ids, safe="")),
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
    report: Survey, params: TrainingParams, language: str, values: Values
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
    code = {"training_values": "", "given": "files" if "upload" in train.calls else "[]"}
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
    types = {"index": str(trainer.index), "training_values": training_values(trainer, train)}
    return _call("train", trainer, chosen, language) | types


def _call(
    name: str, function: Endpoint, values: Mapping[str, object], language: str
) -> dict[str, str]:
    """Return the gaps of a call of a function with the uploaded files."""
    files = {p.name: Code("files", whole=True) for p in function.sent if "file" in p.type}
    data = data_of(function, {**values, **files}, str)
    if name == "train" and language == "typescript":
        # A caller may give values, which come before our own.
        data = [
            value
            if parameter.hidden or isinstance(value, Code)
            else Code(f"{member(parameter.name)} ?? {javascript(value)}")
            for parameter, value in zip(function.parameters, data, strict=True)
        ]
    if language == "curl":
        call = {"data": data, "session_hash": Code("session")}
        more = {"fn_index": function.index} if name == "train" else {}
        return {f"{name}_body": json_in_shell({**call, **more})}
    # gradio_client leaves the State out itself.
    pairs = zip(function.parameters, data, strict=True)
    sent = [value for parameter, value in pairs if not parameter.hidden]
    literal = LITERALS[language]
    return {f"{name}_data": literal(data), f"{name}_arguments": literal(sent)[1:-1]}
