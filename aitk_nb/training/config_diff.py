"""Job configs compared: the fingerprint that identifies a job, and where two of them differ."""

import contextlib
import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aitk_nb.models.control_images import name_controls
from aitk_nb.training.config_paths import MISSING, folder_name, is_mappings, value_at
from aitk_nb.training.effective import effective
from aitk_nb.training.extra import RESERVED, process_of

FOUND: Mapping[str, tuple[str, str]] = {
    "network": ("init_lora", "pretrained_lora_path"),
    "train.validation_config": ("dataset", "validation_items"),
}
"""Sections of a process with a key for what was asked, which is ours, and the trainer's for what
was found for it on the server. The trainer ignores keys that it does not know."""

OURS = "aitk_nb"
"""Key below `meta` under which the fingerprint lies."""


def fingerprint(config: Mapping[str, Any]) -> str:
    """Return a hash of the job config without paths, GPU and our own notes.

    It is a SHA-256 over canonical JSON: sorted keys, no spaces, whole floats as integers (the
    server's JavaScript writes 1.0 as 1).
    """
    return hashlib.sha256(_canonical(_comparable(config)).encode()).hexdigest()


def differences(have: Mapping[str, Any], want: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where two job configs differ, as `train.steps is 100, not 200` (have, want).

    What one of them leaves out is the trainer's default, so that it may differ from nothing.
    """
    old, new = _effective(have), _effective(want)
    return tuple(
        f"{path.removeprefix('config.process.0.')} is {_shown(old, path)}, not {_shown(new, path)}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path, MISSING) != new.get(path, MISSING)
    )


def varying(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Return what the trainer does not do alike in all job configs, as text for each of them."""
    flat = [_effective(config) for config in configs]
    paths = sorted({path for one in flat for path in one})
    return {
        path.removeprefix("config.process.0."): tuple(_shown(one, path) for one in flat)
        for path in paths
        if len({_shown(one, path) for one in flat}) > 1 and path != "config.name"
    }


def _shown(values: Mapping[str, Any], path: str) -> str:
    if path not in values:
        return "absent"
    text = json.dumps(values[path], ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _effective(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves of a config by their paths, with what the trainer takes for the absent."""
    plain = _comparable(config)
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        process = process_of(plain)
        plain["config"]["process"][0] = plain_numbers(effective(process))
    return dict(_flat(plain))


def _comparable(config: Mapping[str, Any]) -> Any:
    plain = copy.deepcopy(dict(config))
    meta = plain.get("meta")
    if isinstance(meta, dict):
        meta.pop(OURS, None)
    try:
        process = plain["config"]["process"][0]
        for key in RESERVED:
            process.pop(key, None)
        forget_found(process)
        if isinstance(train := process.get("train"), dict) and "more_steps" in train:
            train["steps"] = f"{train.pop('more_steps')} more"
        for dataset in process["datasets"]:
            name_controls(dataset)
            dataset["folder_path"] = folder_name(dataset["folder_path"])
    except (KeyError, IndexError, TypeError, AttributeError):
        # A job made by somebody else may have any form; it is compared as it is.
        pass
    return plain_numbers(plain)


def forget_found(process: Mapping[str, Any]) -> None:
    """Take out what the start of a job found on the server for words that the process has too."""
    for path, (word, found) in FOUND.items():
        section = value_at(process, path)
        if isinstance(section, dict) and section.get(word):
            section.pop(found, None)


def plain_numbers(value: Any) -> Any:
    """Return the value with whole floats as integers, as the server's JavaScript writes them."""
    if isinstance(value, dict):
        return {str(key): plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def unmerged(
    have: Mapping[str, Any], want: Mapping[str, Any], path: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what turns one config into another: the reverse of `config_paths.merge`.

    Returns:
        What to merge into `have`, and by path the values of `have` that are to be left out.
    """
    setting: dict[str, Any] = {}
    without = {f"{path}{key}": value for key, value in have.items() if key not in want}
    for key, value in sorted(want.items()):
        old, below, change = have.get(key), f"{path}{key}.", value
        if isinstance(old, dict) and isinstance(value, dict):
            change, gone = unmerged(old, value, below)
            differs = bool(change)
        elif is_mappings(old) and is_mappings(value) and len(value) >= len(old):
            pairs = [
                unmerged(old[min(at, len(old) - 1)], item, f"{below}{at}.")
                for at, item in enumerate(value)
            ]
            change = [item for item, _ in pairs]
            gone = {place: leaf for _, left in pairs for place, leaf in left.items()}
            differs = any(change) or len(value) > len(old)
        else:
            gone = {}
            differs = key not in have or _canonical(old) != _canonical(value)
        without |= gone
        if differs:
            setting[key] = change
    return setting, without


def _canonical(value: object) -> str:
    """Return the value as canonical JSON; in Python 1 is True as well."""
    return json.dumps(plain_numbers(value), sort_keys=True, separators=(",", ":"))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf with its dotted path; empty containers are leaves."""
    pairs = list(value.items() if isinstance(value, dict) else ())
    if isinstance(value, list):
        pairs = list(enumerate(value))
    if not pairs:
        yield path, value
    for key, item in pairs:
        yield from _flat(item, f"{path}.{key}" if path else str(key))
