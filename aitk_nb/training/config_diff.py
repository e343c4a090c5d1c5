"""Job configs compared: the fingerprint that tells a job, and where two of them differ."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aitk_nb.models.control_images import name_controls
from aitk_nb.training.extra import RESERVED

__all__ = ["OURS", "differences", "fingerprint", "plain_numbers", "varying"]

OURS = "aitk_nb"
"""Key below `meta` under which the fingerprint lies."""


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
            name_controls(dataset)
            dataset["folder_path"] = re.split(r"[/\\]", dataset["folder_path"].rstrip("/\\"))[-1]
    except (KeyError, IndexError, TypeError, AttributeError):
        # A job made by somebody else may have any form; it is compared as it is.
        pass
    return plain_numbers(plain)


def plain_numbers(value: Any) -> Any:
    """Return the value with whole floats as integers, as the server's JavaScript writes them."""
    if isinstance(value, dict):
        return {str(key): plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(item) for item in value]
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
