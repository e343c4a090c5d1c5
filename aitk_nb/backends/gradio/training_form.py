"""The form of AI Toolkit's Gradio app, filled in for a job: its fields and its advanced YAML.

Why it is so: docs/behavior.md#gradio
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from aitk_nb._yaml import facts
from aitk_nb.errors import BadInput, InvalidParams, NotSupported
from aitk_nb.models import Endpoint, JobDraft, Parameter, control_names, slug_of

_DEV: Final = "black-forest-labs/FLUX.1-dev"
_SCHNELL: Final = "black-forest-labs/FLUX.1-schnell"
_MODELS: Final = {"dev": _DEV, "schnell": _SCHNELL}
"""The app's words for the models of its form."""

_FLUX: Final = frozenset({"flux", "flex1"})
"""Architectures that AI Toolkit trains by its FLUX code; the app's example says `is_flux: true`."""

_SERVERS: Final = frozenset(
    ["type", "sqlite_db_path", "device", "training_folder", "datasets", "trigger_word"]
)
"""What the app puts into the process itself, or what belongs to the web UI."""


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A job in the words of the app's form."""

    slug: str
    """The name that the server gives to the job's folder and files."""
    values: Mapping[str, Any]
    """The fields of the form, without the advanced YAML."""
    process: Mapping[str, Any]
    """What is merged into the process by the advanced YAML."""
    steps: int
    ignored: tuple[str, ...] = ()
    """Settings that the app has no field for and that are not its own, such as `resolution 512`."""

    def filled(self, folder: str) -> dict[str, Any]:
        """Return all fields; `folder` is the server's folder of results, empty for its own."""
        process = {**({"training_folder": folder} if folder else {}), **self.process}
        return {
            **self.values,
            "use_more_advanced_options": True,
            "more_advanced_options": yaml.safe_dump(process, allow_unicode=True, sort_keys=False),
        }


def fill(draft: JobDraft, function: Endpoint) -> FilledForm:
    """Return what to put into the app's form.

    Args:
        draft: The job.
        function: The app's function that trains.

    Raises:
        InvalidParams: the app would reject a value, or silently train something else.
        NotSupported: the app has no advanced YAML.
    """
    process = _process(draft)
    _check_form(function)
    train, network = process.get("train") or {}, process.get("network") or {}
    model, datasets = process.get("model") or {}, process.get("datasets") or [{}]
    if problems := {
        **_number_problems(train, network, function),
        **_other_problems(model, datasets, draft.gpu_ids),
    }:
        raise InvalidParams(problems)
    prompts = _prompts(process)
    slug = slug_of(draft.name)
    values = {
        "lora_name": slug,
        "concept_sentence": process.get("trigger_word") or "",
        "steps": train["steps"],
        # The form is narrower here than the trainer, which reads the YAML.
        "lr": _within(function, "lr", train["lr"]),
        "rank": _within(function, "rank", network.get("linear") or 16),
        "model_to_train": "schnell" if model.get("name_or_path") == _SCHNELL else "dev",
        "low_vram": bool(model.get("low_vram")),
        **{f"sample_{at}": (prompts[at - 1 : at] or [""])[0] for at in (1, 2, 3)},
    }
    merged = _merged(process, prompts, draft.gpu_ids)
    return FilledForm(slug, values, merged, int(train["steps"]), _ignored(datasets[0]))


def _process(draft: JobDraft) -> dict[str, Any]:
    try:
        processes = draft.config["config"]["process"]
        process = copy.deepcopy(dict(processes[0]))
    except (KeyError, IndexError, TypeError, ValueError) as exc:
        raise BadInput(f"The config of {draft.name} has no process to run.") from exc
    if len(processes) > 1:
        raise InvalidParams({"extra": "a Gradio server runs only one process"})
    model = process.get("model") or {}
    if (word := model.get("name_or_path")) in _MODELS:
        model["name_or_path"] = _MODELS[str(word)]
    return process


def _check_form(function: Endpoint) -> None:
    names = {one.name for one in function.sent}
    lacking = {"lora_name", "steps", "more_advanced_options", "use_more_advanced_options"} - names
    if lacking:
        raise NotSupported(
            "start a training job",
            "Gradio",
            f"{function.name} of this app has no {', '.join(sorted(lacking))}.",
        )


def _number_problems(
    train: Mapping[str, Any], network: Mapping[str, Any], function: Endpoint
) -> dict[str, str]:
    values: dict[str, Any] = {"steps": train.get("steps"), "learning_rate": train.get("lr")}
    if "linear" in network:
        values["rank"] = network["linear"]
    problems = {
        field: f"{value!r} is not a number"
        for field, value in values.items()
        if isinstance(value, bool) or not isinstance(value, int | float)
    }
    steps, most = values["steps"], _parameter(function, "steps").maximum
    if "steps" not in problems and most is not None and steps > most:
        problems["steps"] = f"{steps:g} exceeds this server's maximum of {most:g}"
    return problems


def _parameter(function: Endpoint, name: str) -> Parameter:
    return next((one for one in function.sent if one.name == name), Parameter(name))


def _within(function: Endpoint, name: str, value: float) -> float:
    """Return what the form takes in the place of a value that the trainer takes by the YAML."""
    one = _parameter(function, name)
    value = value if one.maximum is None else min(value, one.maximum)
    return value if one.minimum is None else max(value, one.minimum)


def _other_problems(
    model: Mapping[str, Any], datasets: Sequence[Mapping[str, Any]], gpu_ids: str
) -> dict[str, str]:
    name = str(model.get("name_or_path") or "")
    # The trainer would look for a repository of that name, minutes later.
    no_repository = name and not re.search(r"[/\\]", name)
    wanted = "should be 'dev', 'schnell', a repository such as owner/name, or a path on the server"
    only = "a Gradio server trains on only one"
    checks = (
        ("base_model", no_repository, f"{name!r} {wanted}"),
        ("extra_datasets", len(datasets) > 1, f"{only} dataset"),
        (
            "control_datasets",
            any(map(control_names, datasets)),
            "a Gradio server takes no control images",
        ),
        ("gpu_ids", "," in gpu_ids, f"{only} GPU"),
    )
    return {field: why for field, wrong, why in checks if wrong}


def _prompts(process: Mapping[str, Any]) -> list[str]:
    sample = process.get("sample") or {}
    given = [one.get("prompt", "") for one in sample.get("samples") or () if isinstance(one, dict)]
    return [str(prompt) for prompt in given or sample.get("prompts") or () if prompt]


def _merged(process: Mapping[str, Any], prompts: list[str], gpu_ids: str) -> dict[str, Any]:
    """Return what goes into the advanced YAML.

    The app merges it into the process of its example: mappings by key, anything else replaced.
    So a list of datasets would replace the folder, which only the server knows.
    """
    merged = {key: value for key, value in process.items() if key not in _SERVERS}
    if gpu_ids != "0":
        merged["device"] = gpu_ids if gpu_ids == "mps" else f"cuda:{gpu_ids}"
    # Else there would be no losses, or a repository of somebody's on Hugging Face.
    merged["logging"] = {"log_every": 1, **merged.get("logging", {}), "use_ui_logger": True}
    merged["save"] = {**merged.get("save", {}), "push_to_hub": False}
    merged["train"] = {**merged.get("train", {}), "disable_sampling": not prompts}
    model = {key: value for key, value in (merged.get("model") or {}).items() if value != ""}
    if arch := str(model.get("arch", "")).partition(":")[0]:
        model["is_flux"] = arch in _FLUX
    merged["model"] = model
    sample = dict(merged.get("sample") or {})
    if all(set(one) <= {"prompt"} for one in sample.get("samples") or ()):
        # What the app's example has, of any age; `samples` came later.
        sample.pop("samples", None)
        sample["prompts"] = prompts
    merged["sample"] = sample
    return merged


def _ignored(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    usual = facts("aitk_nb.backends.gradio", "dataset_settings")
    return tuple(
        f"{key} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in dataset.items()
        if key != "folder_path" and value and value not in usual.get(key, ())
    )
