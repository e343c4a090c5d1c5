"""What the trainer makes of a job config: its defaults for what is absent, and its precedence.

The web UI's form writes nearly every key, so its defaults are seen; a job file leaves out what it
likes, and gets those of the trainer, which are others. Of ostris/ai-toolkit 0.12.26:
toolkit/config_modules.py, jobs/process/BaseSDTrainProcess.py and toolkit/lora_special.py.

Why it is so: docs/behavior.md#trainer
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from aitk_nb.models.control_images import CONTROL_KEYS
from aitk_nb.training import presets
from aitk_nb.training.config_paths import MISSING, merge, trainer_defaults, value_at
from aitk_nb.training.extra import process_of

SYNONYMS: Mapping[str, Sequence[str]] = presets.FACTS["synonyms"]
"""Older keys, by the key that the web UI writes today."""

_UNETS = frozenset(presets.FACTS["unets"])


def effective(process: Mapping[str, Any]) -> dict[str, Any]:
    """Return a process as the trainer takes it: every key, under its name of today.

    What the trainer does not know is kept. Values are as they were given: the trainer does not
    check them either.

    Args:
        process: The process of a job config.
    """
    found = copy.deepcopy(dict(trainer_defaults()))
    # Of the process itself, null is absent; below it, null is a value.
    merge(found, {key: value for key, value in process.items() if value is not None})
    if process.get("network") is None:
        found["network"] = None
    if value_at(process, "train.validation_config") in (MISSING, None):
        _set(found["train"], "validation_config", None)
    _network(found["network"], process.get("network"))
    _model(found["model"], process.get("model"))
    _samples(found["sample"], process.get("sample"))
    datasets = process.get("datasets")
    entries = found["datasets"] if isinstance(datasets, list) else []
    found["datasets"] = [entry for entry in entries if isinstance(entry, dict)]
    for entry in found["datasets"]:
        _dataset(entry)
    return found


def effective_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the process of a job config as the trainer takes it; nothing if it has none."""
    try:
        return effective(process_of(config))
    except (ValueError, TypeError, AttributeError):
        return {}


def _set(section: Any, key: str, value: Any) -> None:
    if isinstance(section, dict):
        section[key] = value


def _network(found: Any, given: Any) -> None:
    if not isinstance(found, dict) or not isinstance(given, Mapping):
        return
    ranks = (given.get(key) for key in ("rank", "linear"))
    found["linear"] = next((rank for rank in ranks if rank is not None), 4)
    found["linear_alpha"] = given.get("linear_alpha", found.pop("alpha"))
    found["conv_alpha"] = given.get("conv_alpha", found["conv"])
    del found["rank"]


def _model(found: Any, given: Any) -> None:
    if not isinstance(found, dict):
        return
    said = given if isinstance(given, Mapping) else {}
    found["arch"] = arch_of(said)
    found["quantize_te"] = said.get("quantize_te", found["quantize"])
    found["layer_offloading"] = said.get("layer_offloading", found["auto_memory"])


def arch_of(model: Mapping[str, Any]) -> Any:
    """Return the architecture of the section `model`; without any, the trainer takes `sd1`."""
    if model.get("arch") is not None:
        return model["arch"]
    words = (path.removeprefix("model.is_") for path in SYNONYMS["model.arch"])
    said = (
        presets.FACTS["older_names"].get(word, word) for word in words if model.get(f"is_{word}")
    )
    return next(said, "sd1")


def _samples(found: Any, given: Any) -> None:
    if not isinstance(found, dict):
        return
    prompts = found.pop("prompts")
    said = given if isinstance(given, Mapping) else {}
    # An empty list of samples hides the prompts as well.
    if "samples" not in said:
        listed = prompts if isinstance(prompts, list) else []
        found["samples"] = [{"prompt": prompt} for prompt in listed]


def _dataset(entry: dict[str, Any]) -> None:
    if (path := entry.pop("dataset_path", None)) is not None:
        entry["folder_path"] = path
    if legacy := entry.pop("caption_type", None):
        entry["caption_ext"] = legacy
    elif isinstance(ext := entry.get("caption_ext"), str) and ext and ext[0] != ".":
        entry["caption_ext"] = f".{ext}"
    if several := [path for key in CONTROL_KEYS[1:] if (path := entry.pop(key, None))]:
        entry["control_path"] = several


def resolutions(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the resolutions of a dataset; with none at all, the trainer leaves it out."""
    value = entry.get("resolution", 512)
    return tuple(value) if isinstance(value, list) else (value,)


def alpha_counts(arch: str) -> bool | None:
    """Return whether a LoRA is scaled by alpha over rank, as the older model classes do it.

    All others save LoRAs in PEFT's format, for which the trainer sets alpha to the rank.

    Returns:
        None if AI Toolkit 0.12.26 does not know the architecture.
    """
    base = arch.partition(":")[0]
    ours = {name.partition(":")[0] for name, one in presets.packaged().items() if not one.since}
    if base not in presets.OTHERS | ours:
        return None
    return base in _UNETS | {*presets.FACTS["also_scaled"]}


def has_convolutions(arch: str) -> bool:
    """Return whether the model has convolution layers that a LoRA may train: it is a UNet."""
    return arch.partition(":")[0] in _UNETS


def divisibility(arch: str) -> int:
    """Return the pixels of which both sides of a bucket are multiples, for an architecture.

    From `get_bucket_divisibility` of each model class; without an architecture, that of the one
    that the form for a new job begins with.
    """
    base = (arch or presets.DEFAULT_ARCH).partition(":")[0]
    return 32 if base in presets.FACTS["multiples_of_32"] else 8 if base == "cogview4" else 16
