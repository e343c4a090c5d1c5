"""Job configs: what one has by itself, and its places by their paths.

Why it is so: docs/behavior.md#trainer
"""

import copy
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from aitk_nb._yaml import facts

MISSING: Any = object()
"""What `value_at` returns where there is nothing."""


def fields_of(process: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that a process has for the training parameters' fields, unchecked.

    Args:
        process: The process of a job config.
        paths: Where the fields stand that the process holds as they are.
    """
    found = {name: value_at(process, path) for name, path in paths.items()}
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


def put(process: dict[str, Any], path: str, value: object) -> None:
    """Set the value at a path, such as `datasets[x].fps`; None leaves the key out."""
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
        elif is_mappings(have) and is_mappings(value):
            into[key] = _merged(have, value)
        else:
            into[key] = copy.deepcopy(value)


def is_mappings(value: object) -> TypeGuard[list[dict[str, Any]]]:
    """Return whether it is a list of mappings, and not empty."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _merged(have: list[dict[str, Any]], value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    items = [copy.deepcopy(have[min(at, len(have) - 1)]) for at in range(len(value))]
    for item, change in zip(items, value, strict=True):
        merge(item, change)
    return items + have[len(value) :]


def folder_name(path: str) -> str:
    """Return the last part of a folder's path, be it of Linux or of Windows."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def default_process() -> dict[str, Any]:
    """Return the process of a new job, to which `job_config` adds what the parameters say."""
    return dict(copy.deepcopy(facts("aitk_nb.training", "default_process")))


def trainer_defaults() -> Mapping[str, Any]:
    """Return what the trainer takes for each key that a job config leaves out."""
    found: Mapping[str, Any] = facts("aitk_nb.training", "trainer_defaults")
    return found
