"""AI Toolkit's job config, built from training parameters, and read back into their fields."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aitk_nb.models.job import JobDraft
from aitk_nb.training import presets
from aitk_nb.training.config_diff import OURS, differences, fingerprint, plain_numbers
from aitk_nb.training.default_config import default_process
from aitk_nb.training.extra import aside_of, parse_extra

if TYPE_CHECKING:
    from aitk_nb.training.fields import TrainingParams

__all__ = [
    "MISSING",
    "OURS",
    "PATHS",
    "differences",
    "draft",
    "fields_of",
    "fingerprint",
    "merge",
    "parse_extra",
    "preset_fields",
    "value_at",
]

PATHS: Mapping[str, str] = {
    "steps": "train.steps",
    "learning_rate": "train.lr",
    "optimizer": "train.optimizer",
    "batch_size": "train.batch_size",
    "gradient_accumulation": "train.gradient_accumulation",
    "timestep_type": "train.timestep_type",
    "dtype": "train.dtype",
    "network": "network.type",
    "rank": "network.linear",
    "lokr_factor": "network.lokr_factor",
    "low_vram": "model.low_vram",
    "save_every": "save.save_every",
    "max_saves": "save.max_step_saves_to_keep",
    "sample_every": "sample.sample_every",
    "sample_width": "sample.width",
    "sample_height": "sample.height",
    "sample_steps": "sample.sample_steps",
    "sample_frames": "sample.num_frames",
    "guidance": "sample.guidance_scale",
    "resolution": "datasets[x].resolution",
    "caption_dropout": "datasets[x].caption_dropout_rate",
    "num_frames": "datasets[x].num_frames",
}
"""Where each field stands in the process that stands there as it is."""

MISSING: Any = object()
"""What `value_at` returns where there is nothing."""


def draft(params: TrainingParams) -> JobDraft:
    """Return the job that `params` mean, without the server's paths.

    Without `gpu_ids` it is the first GPU; `jobs.start` looks for the freest.
    """
    process = _usual(params.arch)
    merge(process, _chosen(params))
    merge(process, parse_extra(params.extra))
    aside = aside_of(params.extra)
    for path, value in aside.get("without", {}).items():
        _leave_out(process, path, value)
    config = _around(aside.get("around"), params.name, process)
    config["meta"][OURS] = {"fingerprint": fingerprint(config)}
    return JobDraft(name=params.name, gpu_ids=params.gpu_ids or "0", config=config)


def _usual(arch: str) -> dict[str, Any]:
    """Return the process that the web UI's form has when a model is chosen in it."""
    process = default_process()
    preset = presets.load().get(arch)
    if preset is None:
        return process
    (dataset,) = process["datasets"]
    dataset["controls"] = list(preset.controls)
    dataset |= dict.fromkeys(preset.control_keys)
    if preset.offloads:
        percents = ("text_encoder_percent", "transformer_percent")
        process["model"]["layer_offloading"] = False
        process["model"] |= {f"layer_offloading_{percent}": 1 for percent in percents}
    for path, value in preset.defaults.items():
        _put(process, path, value)
    return process


def _around(around: Mapping[str, Any] | None, name: str, process: Any) -> dict[str, Any]:
    """Return the whole job config; what a file has around its process is kept."""
    if around is None:
        around = {"job": "extension", "meta": {"name": "[name]", "version": "1.0"}}
    inner = around.get("config", {})
    return {
        **copy.deepcopy(dict(around)),
        "config": {**inner, "name": name, "process": [process, *inner.get("process", ())]},
        "meta": dict(around.get("meta", {})),
    }


def _leave_out(process: dict[str, Any], path: str, value: object) -> None:
    """Take out what a job file leaves out, unless it was changed since the file was read."""
    above, _, key = path.rpartition(".")
    place = value_at(process, above) if above else process
    have = place.get(key, MISSING) if isinstance(place, dict) else MISSING
    if have is not MISSING and plain_numbers(have) == plain_numbers(value):
        del place[key]


def preset_fields(arch: str) -> dict[str, Any]:
    """Return what the preset of an architecture sets of the training parameters' fields."""
    preset = presets.load().get(arch)
    if preset is None:
        return {}
    # Choosing a model in the web UI takes back what the one before it set.
    unset = {"quantize": False, "quantize_te": False}
    process: dict[str, Any] = {"datasets": [{}], "model": unset}
    for path, value in preset.defaults.items():
        _put(process, path, value)
    found = fields_of(process)
    # An empty base model is the preset's own one, which a newer preset may change.
    return {name: value for name, value in found.items() if name != "base_model"}


def fields_of(process: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a process has for the training parameters' fields, unchecked."""
    found = {name: value_at(process, path) for name, path in PATHS.items()}
    for field, key, kind in (
        ("quantize", "model.quantize", "model.qtype"),
        ("quantize_te", "model.quantize_te", "model.qtype_te"),
    ):
        on, word = value_at(process, key), value_at(process, kind)
        if on is not MISSING:
            found[field] = "" if not on else "qfloat8" if word is MISSING else word
    if (ema := value_at(process, "train.ema_config.use_ema")) is not MISSING:
        decay = value_at(process, "train.ema_config.ema_decay")
        found["ema"] = 0.0 if not ema else 0.99 if decay is MISSING else decay
    alpha, rank = value_at(process, "network.linear_alpha"), found["rank"]
    found["alpha"] = 0 if alpha == rank else alpha
    found["base_model"] = value_at(process, "model.name_or_path")
    return {name: value for name, value in found.items() if value is not MISSING}


def value_at(process: Any, path: str) -> Any:
    """Return what stands at a path, such as `datasets[x].fps`, or `MISSING`."""
    for part in path.replace("[x]", ".0").split("."):
        try:
            process = process[int(part) if part.isdigit() else part]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return process


def _chosen(params: TrainingParams) -> dict[str, Any]:
    """Return what the parameters say, at its place in the process."""
    chosen: dict[str, Any] = {"datasets": [{}]}
    for name, path in PATHS.items():
        value = getattr(params, name)
        _put(chosen, path, plain_numbers(value))
    (dataset,) = chosen["datasets"]
    names = (params.dataset, *params.extra_datasets)
    datasets = [{**copy.deepcopy(dataset), "folder_path": name} for name in names]
    # They are paired by name with the images of one dataset; others need their own, in `extra`.
    keys = presets.control_keys(params.arch, len(params.control_datasets))
    datasets[0] |= dict(zip(keys, params.control_datasets, strict=False))
    special: dict[str, Any] = {
        "trigger_word": params.trigger_word or None,
        "training_seed": params.seed,
        "network": {"linear_alpha": params.scale},
        "datasets": datasets,
        "train": {
            "disable_sampling": not params.prompts,
            "ema_config": _ema(params.ema),
        },
        "model": {
            "arch": params.arch,
            **({"name_or_path": params.base_model} if params.base_model else {}),
            **_quantised(params.quantize, "quantize", "qtype"),
            **_quantised(params.quantize_te, "quantize_te", "qtype_te"),
        },
        "sample": {
            "samples": [{"prompt": prompt} for prompt in params.prompts],
            "seed": params.seed if params.sample_seed < 0 else params.sample_seed,
        },
    }
    merge(chosen, special)
    return chosen


def _quantised(word: str, key: str, kind: str) -> dict[str, Any]:
    return {key: True, kind: word} if word else {key: False}


def _ema(decay: float) -> dict[str, Any]:
    return {"use_ema": True, "ema_decay": decay} if decay else {"use_ema": False}


def _put(process: dict[str, Any], path: str, value: object) -> None:
    """Set a preset's value at its path, such as `datasets[x].fps`; None leaves the key out."""
    *parents, leaf = path.replace("[x]", ".0").split(".")
    place: Any = process
    for part in parents:
        if part.isdigit():
            place = place[int(part)]
            continue
        if not isinstance(place.get(part), dict | list):
            place[part] = {}
        place = place[part]
    if value is None:
        place.pop(leaf, None)
    else:
        place[leaf] = copy.deepcopy(value)


def merge(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Merge `change` deep into `into`.

    Mappings merge key by key; a list of mappings merges item by item (a longer one continues
    from the last item, as a second dataset has what the first one has); anything else replaces.
    """
    for key, value in change.items():
        have = into.get(key)
        if isinstance(have, dict) and isinstance(value, Mapping):
            merge(have, value)
        elif _mappings(have) and _mappings(value):
            into[key] = _merged(have, value)
        else:
            into[key] = copy.deepcopy(value)


def _mappings(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _merged(have: Any, value: Any) -> list[dict[str, Any]]:
    items = [copy.deepcopy(have[min(at, len(have) - 1)]) for at in range(len(value))]
    for item, change in zip(items, value, strict=True):
        merge(item, change)
    rest: list[dict[str, Any]] = have[len(value) :]
    return items + rest
