"""The four operations as programs, for either flavour."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from aitk_nb.discovery.snippets.changes import with_changes
from aitk_nb.discovery.snippets.gradio_call import data_of
from aitk_nb.discovery.snippets.preludes import curl, javascript_prelude, python_prelude
from aitk_nb.discovery.snippets.quoting import Code, javascript, json_in_shell, python
from aitk_nb.discovery.snippets.templates import filled
from aitk_nb.discovery.snippets.typescript import SERVER, training_values
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS, Endpoint, Operation
from aitk_nb.models.server import Flavour
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams

if TYPE_CHECKING:
    from aitk_nb.discovery.survey import DiscoveryReport

__all__ = ["client_of", "has_operation", "program"]

FILES = {name: name.lower().replace(" ", "_") for name in OPERATIONS}
SUFFIX = {"curl": "sh.in", "python": "py.in", "gradio_client": "client.in"}
OWN = frozenset({"folder", "results", "name"})
"""Words of the operations that are no training parameters."""

Values = Mapping[str, object]


def has_operation(report: DiscoveryReport, name: str) -> bool:
    """Return whether the operation can be written as a program for this server."""
    operation = report.operations.get(name)
    if operation is None or not operation.calls:
        return False
    if report.flavour is Flavour.WEBUI:
        return True
    train = report.operations["start training"]
    known = "advanced" in train.arguments
    return bool(operation.api_name) if name in OPERATIONS[:2] else known


def program(report: DiscoveryReport, name: str, language: str, values: Values) -> str:
    """Return a program that does an operation.

    Raises:
        BadInput: the server cannot do it, or a value cannot be put in.
    """
    if not has_operation(report, name):
        why = "; ".join(report.operations[name].reasons) if name in report.operations else ""
        raise BadInput(f"There is no code for '{name}' on this server: {why or 'not found'}.")
    gaps = (
        _webui(report, language, values)
        if report.flavour is Flavour.WEBUI
        else _gradio(report, language, values)
    )
    flavour = "webui" if report.flavour is Flavour.WEBUI else "gradio"
    stem = FILES[name]
    if language in SUFFIX:
        text = filled(flavour, f"{stem}.{SUFFIX[language]}", language, **gaps)
        return _pasted(with_changes(text, flavour, stem, language, gaps["texts"]))
    parts = [*_needed(flavour, stem), f"{stem}.js.in"]
    if language == "typescript":
        body = [filled(flavour, part, language, **gaps) for part in parts]
        return "\n".join([SERVER, *filter(str.strip, body)])
    head = _imports(stem) + javascript_prelude(report.url, report.auth)
    head += "const server = { url, headers };\n"
    body = [filled(flavour, part, language, **gaps) for part in [*parts, f"{stem}.run.in"]]
    text = "\n".join([head, *filter(str.strip, body)])
    return with_changes(text, flavour, stem, language, gaps["texts"])


def client_of(report: DiscoveryReport) -> str:
    """Return a TypeScript file with a client for the operations.

    Raises:
        BadInput: the server lacks one of them.
    """
    if lacking := [name for name in OPERATIONS if not has_operation(report, name)]:
        raise BadInput(f"There is no client for this server: it lacks {', '.join(lacking)}.")
    is_webui = report.flavour is Flavour.WEBUI
    flavour = "webui" if is_webui else "gradio"
    gaps = (_webui if is_webui else _gradio)(report, "typescript", {})
    parts = ["types.js.in", "server.js.in", "find.js.in" if is_webui else "upload.js.in"]
    parts += [*(f"{stem}.js.in" for stem in FILES.values()), "client.js.in"]
    head = "// A client for AI Toolkit, made by aitk-nb from what the server at hand offers.\n"
    return "\n".join([head, SERVER, *(filled(flavour, p, "typescript", **gaps) for p in parts)])


def _needed(flavour: str, stem: str) -> list[str]:
    """Return the parts that a program of JavaScript is made of, before its own."""
    if flavour == "gradio":
        needs = {"create_dataset": ["upload.js.in"], "start_training": ["upload.js.in"]}
        more = ["create_dataset.js.in"] if stem == "start_training" else []
        return ["types.js.in", "server.js.in", *needs.get(stem, []), *more]
    find = ["find.js.in"] if stem in {"job_status", "download_lora"} else []
    types = [] if stem == "create_dataset" else ["types.js.in"]
    return [*types, "server.js.in", *find]


def _imports(stem: str) -> str:
    names = {
        "create_dataset": "readdir, readFile",
        "start_training": "readdir, readFile",
        "download_lora": "writeFile",
    }
    return f'import {{ {names[stem]} }} from "node:fs/promises";\n\n' if stem in names else ""


def _pasted(text: str) -> str:
    """Return a program with its imports together: the prelude brings its own."""
    return re.sub(r"\n{3,}", "\n\n", text)


# -- the web UI -----------------------------------------------------------------------------------


def _webui(report: DiscoveryReport, language: str, values: Values) -> dict[str, Any]:
    params = _params(values)
    job = draft(params)
    config: Any = job.config
    there = {endpoint.name for endpoint in report.endpoints if endpoint.state != "absent"}
    flags = {
        name for name, needed in (("queue", "start_queue"), ("loss", "job_loss")) if needed in there
    }
    before, send = curl(report.url, report.auth)
    body = {"name": job.name, "gpu_ids": job.gpu_ids, "job_config": config}
    name = str(values.get("name", params.name))
    dataset = str(values.get("dataset", values.get("name", params.dataset)))
    prelude = before.rstrip("\n")
    if language == "python":
        prelude = python_prelude(report.url, report.auth).rstrip("\n")
    return {
        "texts": {
            "url": report.url,
            "name": name,
            "file": f"{_file_name(name)}.safetensors",
            "folder": str(values.get("folder", "photos")),
            "dataset": dataset,
            "trained_on": params.dataset,
            "made_of": json.dumps({"name": dataset}),
            "named": f'"name":{json.dumps(name, ensure_ascii=False)}',
            "final": f'{json.dumps(name, ensure_ascii=False)[1:-1]}.safetensors"',
            "dataset_below": "/" + json.dumps(params.dataset)[1:-1],
            "queue": f"/api/queue/{quote(job.gpu_ids, safe='')}/start",
            "job_text": json.dumps(body),
            "config_text": json.dumps(config),
            "gpu_ids": job.gpu_ids,
        },
        "code": {
            "prelude": prelude,
            "send": send,
            "job": json_in_shell({**body, "job_config": _placed(config)}),
        },
        "flags": {*flags, "ts"} if language == "typescript" else flags,
    }


def _placed(config: Any) -> Any:
    """Return a job config with the shell's variables in the place of the server's paths."""
    process = dict(config["config"]["process"][0])
    process["training_folder"] = Code("training")
    process["datasets"] = [
        {**dataset, "folder_path": Code("dataset")} for dataset in process["datasets"]
    ]
    inner = {**config["config"], "process": [process, *config["config"]["process"][1:]]}
    return {**config, "config": inner}


def _params(values: Values) -> TrainingParams:
    fields = {key: value for key, value in values.items() if key not in OWN or key == "name"}
    given = {"name": "my_lora", "dataset": "my_photos", **fields}
    if unknown := sorted(set(given) - set(TrainingParams.model_fields)):
        raise BadInput(f"{', '.join(unknown)}: no operation has such a value.")
    if "control_datasets" in given:
        raise BadInput(
            "These programs do not place control images. Print the requests that do by "
            "`aitk-nb params --format python` or `--format curl`."
        )
    try:
        return TrainingParams.model_validate(given)
    except ValidationError as exc:
        problems = "; ".join(f"{error['loc'][0]}: {error['msg']}" for error in exc.errors())
        raise BadInput(f"These values cannot be put in: {problems}.") from None


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


# -- Gradio ---------------------------------------------------------------------------------------


def _gradio(report: DiscoveryReport, language: str, values: Values) -> dict[str, Any]:
    by_name = {endpoint.name: endpoint for endpoint in report.endpoints}
    create, train = report.operations["create dataset"], report.operations["start training"]
    creator = by_name.get(create.api_name or "")
    trainer = by_name[train.api_name or ""]
    params = _params(values)
    slug = slug_of(params.name)
    flags = {"advanced" if "advanced" in train.arguments else "plain"}
    flags.add("create" if creator and creator.name in train.calls else "direct")
    if language == "typescript":
        flags.add("ts")
    chosen = _chosen(train, trainer, params, slug, set(values))
    prefix = report.prefix
    before, send = curl(report.url, report.auth)
    session = Code("session")
    data = data_of(trainer, {**chosen, **_expressions(train, trainer, language)}, lambda path: path)
    created = data_of(creator, _creating(creator, language), lambda path: path) if creator else []
    results = values.get("results", f"/tmp/gradio/aitk-{slug}")  # noqa: S108  (an example)
    typed = language in {"javascript", "typescript"}
    joined = {"data": data, "fn_index": trainer.index, "session_hash": session}
    return {
        "texts": {
            "folder": str(values.get("folder", "photos")),
            "slug": slug,
            "file_name": f"{slug}.safetensors",
            "results": str(results),
            "results_quoted": quote(str(results), safe="/:"),
            "upload": f"{prefix}/upload",
            "create": create.api_name or "",
            "train": train.api_name or "",
            "create_path": f"{prefix}/run{quote(create.api_name or '', safe='/')}",
            "join": f"{prefix}/queue/join",
            "data": f"{prefix}/queue/data",
            "watch": f"{prefix}/queue/data?session_hash=",
            "status": f"{prefix}/queue/status",
            "file": f"{prefix}/file=",
        },
        "code": {
            "prelude": before.rstrip("\n")
            if language == "curl"
            else python_prelude(report.url, report.auth).rstrip("\n"),
            "client": _client(report.url, report.auth),
            "send": send,
            "head": send.replace(" --fail-with-body", ""),
            "create_body": json_in_shell({"data": created, "session_hash": session}),
            "train_body": json_in_shell(joined),
            "create_data": (javascript if typed else python)(created),
            "train_data": javascript(_given(trainer, data)) if typed else python(data),
            "create_arguments": _inside(creator, created),
            "train_arguments": _inside(trainer, data),
            "index": str(trainer.index),
            "values_type": training_values(trainer, train),
            "values": javascript({k: v for k, v in chosen.items() if not isinstance(v, list)}),
        },
        "flags": flags,
    }


def _chosen(
    train: Operation, trainer: Endpoint, params: TrainingParams, slug: str, given: set[str]
) -> dict[str, object]:
    """Return the value of each parameter of the training function that takes no file."""
    from aitk_nb.discovery.snippets.gradio_call import call_of

    values = dict(call_of(trainer, "", {}).values)
    ours: dict[str, object] = {
        "name": slug,
        "trigger_word": params.trigger_word or "",
        "use_advanced": True,
    }
    fields = ("steps", "learning_rate", "rank", "batch_size", "seed", "low_vram", "base_model")
    ours |= {field: getattr(params, field) for field in fields if field in given}
    for word, value in ours.items():
        target = train.arguments.get(word)
        if isinstance(target, str) and target in values:
            values[target] = value
    prompts = train.arguments.get("prompts", ())
    targets = (prompts,) if isinstance(prompts, str) else prompts
    values |= dict(zip(targets, params.prompts, strict=False))
    skipped = {train.arguments.get("advanced")} | {p.name for p in trainer.sent if "file" in p.type}
    return {name: value for name, value in values.items() if name not in skipped}


def _expressions(train: Operation, trainer: Endpoint, language: str) -> dict[str, object]:
    """Return what is known when the program runs only: the files, and the advanced options."""
    found: dict[str, object] = {}
    advanced = train.arguments.get("advanced")
    if isinstance(advanced, str):
        found[advanced] = Code("advanced")
    for parameter in trainer.sent:
        if "file" in parameter.type:
            found[parameter.name] = Code("files", whole=True)
    del language
    return found


def _creating(creator: Endpoint, language: str) -> dict[str, object]:
    del language
    return {
        parameter.name: Code("files", whole=True)
        if "file" in parameter.type
        else ""
        if parameter.default is None
        else parameter.default
        for parameter in creator.sent
    }


def _given(trainer: Endpoint, data: list[object]) -> list[object]:
    """Return the data with a value of the caller's before each of our own."""
    from aitk_nb.discovery.snippets.typescript import value_of

    return [
        value
        if parameter.hidden or isinstance(value, Code)
        else Code(f"{value_of(parameter.name)} ?? {javascript(value)}")
        for parameter, value in zip(trainer.parameters, data, strict=True)
    ]


def _inside(endpoint: Endpoint | None, data: list[object]) -> str:
    """Return the data as arguments of gradio_client, which leaves the State out itself."""
    if endpoint is None:
        return ""
    pairs = zip(endpoint.parameters, data, strict=True)
    return python([value for parameter, value in pairs if not parameter.hidden])[1:-1]


def _client(url: str, auth: str) -> str:
    login = ', auth=(os.environ["AITK_USERNAME"], os.environ["AITK_PASSWORD"])'
    is_login = auth == "login"
    return "\n".join(
        [
            *(["import os"] if is_login else []),
            "",
            "import httpx",
            "from gradio_client import Client, handle_file",
            "",
            f"url = {python(url)}",
            f"client = Client(url{login if is_login else ''}, verbose=False)",
        ]
    )


def slug_of(name: str) -> str:
    """Return the name that AI Toolkit's Gradio app gives to the folder and files of a job."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:80].strip("-") or "my-lora"
