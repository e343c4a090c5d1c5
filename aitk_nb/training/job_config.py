"""AI Toolkit's job config, built from training parameters."""

import copy
from collections.abc import Mapping
from typing import Any

from aitk_nb.models.job import JobDraft
from aitk_nb.training import presets
from aitk_nb.training.config_diff import OURS, fingerprint, plain_numbers
from aitk_nb.training.config_paths import MISSING, default_process, merge, put, value_at
from aitk_nb.training.extra import aside_of, parse_extra
from aitk_nb.training.fields import PATHS, Fields


def draft(params: Fields) -> JobDraft:
    """Return the job that `params` mean, without the server's paths.

    Without `gpu_ids` it is for any GPU: `jobs.start` chooses the one with the most free memory.
    """
    process = _usual(params.arch)
    merge(process, _chosen(params))
    merge(process, parse_extra(params.extra))
    aside = aside_of(params.extra)
    for path, older in aside.get("older", {}).items():
        _say_as_before(process, path, older)
    for path, value in aside.get("without", {}).items():
        _leave_out(process, path, value)
    config = _around(aside.get("around"), params.name, process)
    config["meta"][OURS] = {"fingerprint": fingerprint(config)}
    return JobDraft(
        name=params.name,
        gpu_ids=params.gpu_ids or "0",
        config=config,
        datasets=(params.dataset, *params.extra_datasets, *params.control_datasets),
        any_gpu=not params.gpu_ids,
    )


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
        put(process, path, value)
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


def _say_as_before(process: dict[str, Any], path: str, older: Mapping[str, Any]) -> None:
    """Use the keys of a job file, unless what they mean was changed since the file was read."""
    if plain_numbers(value_at(process, path)) != plain_numbers(older.get("means")):
        return
    put(process, path, None)
    for one, value in older.get("keys", {}).items():
        section, _, key = one.partition(".")
        process.setdefault(section, {})[key] = value


def _chosen(params: Fields) -> dict[str, Any]:
    """Return what the parameters say, at its place in the process."""
    chosen: dict[str, Any] = {"datasets": [{}]}
    # The trainer takes an empty section for a wish.
    unset = {
        name for name in ("init_lora", "more_steps", "validation") if not getattr(params, name)
    }
    unset |= {"validate_every"} if not params.validation else set()
    for name, path in PATHS.items():
        if name in unset:
            continue
        value = getattr(params, name)
        # Without a seed the trainer sets none.
        put(chosen, path, None if name == "seed" and value < 0 else plain_numbers(value))
    (dataset,) = chosen["datasets"]
    names = (params.dataset, *params.extra_datasets)
    datasets = [{**copy.deepcopy(dataset), "folder_path": name} for name in names]
    # They are paired by name with the images of one dataset; others need their own, in `extra`.
    keys = presets.control_keys(params.arch, len(params.control_datasets))
    datasets[0] |= dict(zip(keys, params.control_datasets, strict=False))
    special: dict[str, Any] = {
        "trigger_word": params.trigger_word or None,
        "network": {"linear_alpha": params.scale},
        "datasets": datasets,
        "train": {"disable_sampling": not params.prompts, "ema_config": _ema(params.ema)},
        "model": {
            "arch": params.arch,
            **({"name_or_path": params.base_model} if params.base_model else {}),
            **_quantized(params.quantize, "quantize", "qtype"),
            **_quantized(params.quantize_te, "quantize_te", "qtype_te"),
        },
        "sample": {
            "samples": [{"prompt": prompt} for prompt in params.prompts],
            "seed": next((seed for seed in (params.sample_seed, params.seed) if seed >= 0), 42),
        },
    }
    if params.validation:
        # The smallest is the quickest; the trainer takes all noise levels of an image as one batch.
        how = {"resolution": min(params.resolution), "validation_sigmas": [1, 0.75, 0.5, 0.25]}
        special["train"]["validation_config"] = how
    merge(chosen, special)
    return chosen


def _quantized(word: str, key: str, kind: str) -> dict[str, Any]:
    return {key: True, kind: word} if word else {key: False}


def _ema(decay: float) -> dict[str, Any]:
    return {"use_ema": True, "ema_decay": decay} if decay else {"use_ema": False}
