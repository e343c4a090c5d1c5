"""Where each training parameter stands in a job config."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from aitk_nb.training import presets

__all__ = ["MISSING", "PATHS", "fields_of", "merge", "preset_fields", "value_at"]


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
