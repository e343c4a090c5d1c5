"""AI Toolkit's job config: built from training parameters, compared, fingerprinted."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from aitk_nb import presets
from aitk_nb.models import JobDraft, name_problem

if TYPE_CHECKING:
    from aitk_nb.training import TrainingParams

__all__ = ["differences", "draft", "fingerprint", "merge", "parse_extra", "varying"]

OURS = "aitk_nb"
"""Key below `meta` under which the fingerprint lies."""

RESERVED = ("training_folder", "sqlite_db_path", "device")
"""Keys of the process that are the server's business."""


class _Loader(yaml.SafeLoader):
    """Reads `1e-4` as a number, as YAML 1.2 does; YAML 1.1 makes a text of it."""


# A date would come out as an object that no JSON can hold.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def parse_extra(text: str) -> dict[str, Any]:
    """Return the process settings that `extra` means.

    `extra` may be the inside of the process (`train: {optimizer: prodigy}`) or a job config as
    AI Toolkit's own files have it (`config: {process: [...]}`).

    Raises:
        ValueError: it is no YAML, no mapping, or touches what belongs to the server.
    """
    try:
        value: Any = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as exc:
        raise ValueError(f"it is no YAML: {' '.join(str(exc).split())}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("it must be a YAML mapping, such as 'train: {optimizer: prodigy}'")
    if "config" in value:
        value = _process_of(value)
    if "${" in _as_json(value):
        raise ValueError("'${' would be replaced from the server's environment")
    _check_sections(value)
    return dict(value)


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            "it holds something that JSON cannot: NaN, infinity, bytes, a set, or a loop"
        ) from None


def _check_sections(value: Mapping[str, Any]) -> None:
    """Refuse what cannot be merged, or is not the client's to say."""
    for key in RESERVED:
        if key in value:
            raise ValueError(f"{key!r} is set by the server")
    for key, default in _default_process().items():
        if isinstance(default, dict) and not isinstance(value.get(key), dict | None):
            raise ValueError(f"{key!r} must be a mapping")
    datasets = value.get("datasets", [{}])
    if not _mappings(datasets):
        raise ValueError("'datasets' must be a list of mappings")
    for dataset in datasets:
        name = dataset.get("folder_path", "x")
        if not isinstance(name, str) or name_problem(name):
            raise ValueError(f"folder_path must be the name of a dataset, which {name!r} is not")


def _process_of(config: Mapping[str, Any]) -> dict[str, Any]:
    try:
        process = config["config"]["process"][0]
    except (KeyError, IndexError, TypeError):
        process = None
    if not isinstance(process, dict):
        raise ValueError("a whole job config needs 'config: {process: [{…}]}'")
    return process


def draft(params: TrainingParams) -> JobDraft:
    """Return the job that `params` mean, without the server's paths."""
    process = _default_process()
    for path, value in _defaults(params.arch).items():
        _put(process, path, value)
    merge(process, _chosen(params))
    merge(process, parse_extra(params.extra))
    config: dict[str, Any] = {
        "job": "extension",
        "config": {"name": params.name, "process": [process]},
        "meta": {"name": "[name]", "version": "1.0"},
    }
    config["meta"][OURS] = {"fingerprint": fingerprint(config)}
    return JobDraft(name=params.name, gpu_ids=params.gpu_ids, config=config)


def _defaults(arch: str) -> Mapping[str, Any]:
    preset = presets.load().get(arch)
    return preset.defaults if preset else {}


def _default_process() -> dict[str, Any]:
    """Return what the web UI's form for a new job starts from (0.12.26)."""
    return {
        "type": "diffusion_trainer",
        "sqlite_db_path": "./aitk_db.db",
        "device": "cuda",
        "trigger_word": None,
        "performance_log_every": 10,
        "network": {
            "type": "lora",
            "linear": 32,
            "linear_alpha": 32,
            "conv": 16,
            "conv_alpha": 16,
            "lokr_full_rank": True,
            "lokr_factor": -1,
            "network_kwargs": {"ignore_if_contains": []},
        },
        "save": {
            "dtype": "bf16",
            "save_every": 250,
            "max_step_saves_to_keep": 4,
            "save_format": "diffusers",
            "push_to_hub": False,
        },
        "datasets": [_default_dataset()],
        "train": _default_train(),
        # Without the UI logger there is no loss database, and so no loss at all.
        "logging": {"log_every": 1, "use_ui_logger": True},
        "model": {
            "name_or_path": "",
            "quantize": True,
            "qtype": "qfloat8",
            "quantize_te": True,
            "qtype_te": "qfloat8",
            "arch": "",
            "low_vram": False,
            "model_kwargs": {},
            "compile": False,
        },
        "sample": {
            "sampler": "flowmatch",
            "sample_every": 250,
            "sample_start_step": 0,
            "width": 1024,
            "height": 1024,
            "samples": [],
            "neg": "",
            "seed": 42,
            "walk_seed": True,
            "guidance_scale": 4,
            "sample_steps": 30,
            "num_frames": 1,
            "fps": 1,
        },
    }


def _default_dataset() -> dict[str, Any]:
    return {
        "folder_path": "",
        "mask_path": None,
        "mask_min_value": 0.1,
        "default_caption": "",
        "caption_ext": "txt",
        "caption_dropout_rate": 0.05,
        "cache_latents_to_disk": False,
        "is_reg": False,
        "network_weight": 1,
        "resolution": [512, 768, 1024],
        "controls": [],
        "shrink_video_to_frames": True,
        "num_frames": 1,
        "flip_x": False,
        "flip_y": False,
        "num_repeats": 1,
    }


def _default_train() -> dict[str, Any]:
    return {
        "batch_size": 1,
        "bypass_guidance_embedding": True,
        "steps": 3000,
        "gradient_accumulation": 1,
        "train_unet": True,
        "train_text_encoder": False,
        "gradient_checkpointing": True,
        "noise_scheduler": "flowmatch",
        "optimizer": "adamw8bit",
        "timestep_type": "sigmoid",
        "content_or_style": "balanced",
        "optimizer_params": {"weight_decay": 0.0001},
        "unload_text_encoder": False,
        "cache_text_embeddings": False,
        "lr": 0.0001,
        "ema_config": {"use_ema": False, "ema_decay": 0.99},
        "skip_first_sample": False,
        "force_first_sample": False,
        "disable_sampling": False,
        "dtype": "bf16",
        "diff_output_preservation": False,
        "diff_output_preservation_multiplier": 1,
        "diff_output_preservation_class": "person",
        "switch_boundary_every": 1,
        "loss_type": "mse",
    }


def _chosen(params: TrainingParams) -> dict[str, Any]:
    """Return what the parameters say, at its place in the process."""
    model: dict[str, Any] = {"arch": params.arch}
    if params.base_model:
        model["name_or_path"] = params.base_model
    names = (params.dataset, *params.extra_datasets)
    return {
        "trigger_word": params.trigger_word or None,
        "training_seed": params.seed,
        "network": {"linear": params.rank, "linear_alpha": params.scale},
        "save": {"save_every": params.save_every},
        "datasets": [
            {"folder_path": name, "resolution": list(params.resolution)} for name in names
        ],
        "train": {
            "batch_size": params.batch_size,
            "steps": params.steps,
            "lr": params.learning_rate,
            "disable_sampling": not params.prompts,
        },
        "model": model,
        "sample": {
            "sample_every": params.sample_every,
            "samples": [{"prompt": prompt} for prompt in params.prompts],
            "seed": params.seed,
        },
    }


def _put(process: dict[str, Any], path: str, value: object) -> None:
    """Set a preset's value at its path, such as `datasets[x].fps` or `model.quantize`."""
    *parents, leaf = path.replace("[x]", ".0").split(".")
    place: Any = process
    for part in parents:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
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


def fingerprint(config: Mapping[str, Any]) -> str:
    """Return a hash of the job config without paths, GPU and our own notes.

    SHA-256 over canonical JSON: sorted keys, no spaces, whole floats as integers (the server's
    JavaScript writes 1.0 as 1).
    """
    text = json.dumps(_comparable(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(have: Mapping[str, Any], want: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where two job configs differ, as `train.steps is 100, not 200` (have, want)."""
    old = dict(_flat(_comparable(have)))
    new = dict(_flat(_comparable(want)))
    return tuple(
        f"{path.removeprefix('config.process.0.')} is {_shown(old, path)}, not {_shown(new, path)}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path, _ABSENT) != new.get(path, _ABSENT)
    )


def varying(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the settings that are not the same in all job configs, as text for each of them."""
    flat = [dict(_flat(_comparable(config))) for config in configs]
    paths = sorted({path for one in flat for path in one})
    return {
        path.removeprefix("config.process.0."): tuple(_shown(one, path) for one in flat)
        for path in paths
        if len({_shown(one, path) for one in flat}) > 1 and path != "config.name"
    }


_ABSENT = object()


def _shown(values: Mapping[str, Any], path: str) -> str:
    if path not in values:
        return "absent"
    text = json.dumps(values[path], ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _comparable(config: Mapping[str, Any]) -> Any:
    plain = copy.deepcopy(dict(config))
    meta = plain.get("meta")
    if isinstance(meta, dict):
        meta.pop(OURS, None)
    try:
        process = plain["config"]["process"][0]
        for key in RESERVED:
            process.pop(key, None)
        for dataset in process["datasets"]:
            dataset["folder_path"] = re.split(r"[/\\]", dataset["folder_path"].rstrip("/\\"))[-1]
    except (KeyError, IndexError, TypeError, AttributeError):
        # A job made by somebody else may have any form; it is compared as it is.
        pass
    return _plain_numbers(plain)


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf with its dotted path; empty containers are leaves."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    pairs = list(items)
    if not pairs:
        yield path, value
    for key, item in pairs:
        yield from _flat(item, f"{path}.{key}" if path else str(key))
