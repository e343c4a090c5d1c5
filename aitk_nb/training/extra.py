"""`extra`: what the parameters have no field for, as YAML merged into the job config."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aitk_nb._yaml import dumped, parsed
from aitk_nb.training.config_paths import MISSING, default_process, is_mappings, merge, value_at
from aitk_nb.training.validation import no_variables, safe_name

RESERVED = ("training_folder", "sqlite_db_path", "device")
"""Keys of the process that the server sets."""

MUTE_TYPES = ("sd_trainer", "ui_trainer")
"""Types of job files whose trainer tells the web UI neither its steps nor its end.

The job would stay *running* and block its queue; `diffusion_trainer` trains the same and tells.
"""

ASIDE = "aitk_nb"
"""Key of `extra` below which is what a job file has outside the process, or leaves out."""


_ASIDE_TYPES: Mapping[str, Any] = {
    "around": dict,
    "around.config": dict,
    "around.config.process": list,
    "around.meta": dict,
    "here": dict,
    "here.folders": list[dict[str, str]],
    "here.controls": list[dict[str, str]],
    "without": dict,
    "older": dict[str, dict[str, Any]],
}
"""What `TrainingParams.from_file` writes below `ASIDE`."""


def parse_extra(text: str) -> dict[str, Any]:
    """Return the process settings that `extra` means.

    `extra` may be the inside of the process (`train: {optimizer: prodigy}`) or a job config as
    AI Toolkit's own files have it (`config: {process: [...]}`). Of the latter the name, the
    folders, the database and the device are ignored: they are those of another machine.

    Raises:
        ValueError: it is not YAML, not a mapping, or sets what the server sets.
    """
    value = _mapping(text)
    _check_aside(value.pop(ASIDE, {}))
    if "config" in value:
        value = _portable(process_of(value))
    no_variables(str(value))
    _check_sections(value)
    return value


def aside_of(text: str) -> dict[str, Any]:
    """Return what a valid `extra` holds of a job file in addition to the process settings.

    `around` is the file without its first process, `here` what is valid on its machine only,
    `older` what it says by older keys, and `without` the paths that the file leaves out, with the
    values that are left out there.
    """
    aside: dict[str, Any] = _mapping(text).get(ASIDE, {})
    return aside


def merged(have: str, change: str) -> str:
    """Return an `extra` that holds what another one adds to it, or sets to something else.

    Args:
        have: The `extra` of a job file.
        change: Process settings that take precedence, as YAML.
    """
    whole, settings = _mapping(have), parse_extra(change)
    if not settings or ASIDE in _mapping(change):
        return change
    aside = whole.get(ASIDE, {})
    # What is set now is neither left out any more, nor said by an older key.
    aside["without"] = _untouched(aside.get("without", {}), settings)
    aside["older"] = {
        path: older
        for path, older in aside.get("older", {}).items()
        if all(value_at(settings, one) is MISSING for one in (path, *older["keys"]))
    }
    merge(whole, settings)
    return dumped({**whole, ASIDE: aside} if aside.get("around") else whole)


def _untouched(without: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for path, value in without.items():
        found = value_at(settings, path)
        if found is MISSING:
            kept[path] = value
        elif isinstance(value, dict) and isinstance(found, dict):
            kept |= _untouched({f"{path}.{key}": item for key, item in value.items()}, settings)
    return kept


def _mapping(text: str) -> dict[str, Any]:
    value = parsed(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("expected a YAML mapping, such as 'train: {optimizer: prodigy}'")
    return value


def _check_aside(aside: Any) -> None:
    """Refuse what `TrainingParams.from_file` does not write."""
    no_variables(str(aside))
    if not isinstance(aside, dict) or not aside.keys() <= {"around", "here", "older", "without"}:
        raise ValueError(f"{ASIDE!r} is reserved for what a job file contains")
    for path, kind in _ASIDE_TYPES.items():
        if (part := value_at(aside, path)) is MISSING:
            continue
        try:
            TypeAdapter(kind).validate_python(part)
        except ValidationError as exc:
            raise ValueError(f"{ASIDE}.{path}: {exc.errors()[0]['msg']}") from None


def process_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first process of a job config.

    Raises:
        ValueError: it has none.
    """
    try:
        process = config["config"]["process"][0]
    except (KeyError, IndexError, TypeError):
        process = None
    if not isinstance(process, dict):
        raise ValueError("a whole job config requires 'config: {process: [{…}]}'")
    return process


def _portable(process: Mapping[str, Any]) -> dict[str, Any]:
    """Return a process without what is valid on one machine only."""
    kept = {key: value for key, value in process.items() if key not in RESERVED}
    for entry in kept["datasets"] if isinstance(kept.get("datasets"), list) else ():
        if isinstance(entry, dict):
            entry.pop("folder_path", None)
    return kept


def _check_sections(value: Mapping[str, Any]) -> None:
    """Refuse what cannot be merged, or is set by the server."""
    for key in RESERVED:
        if key in value:
            raise ValueError(f"{key!r} is set by the server")
    for key, default in default_process().items():
        if isinstance(default, dict) and not isinstance(value.get(key), dict | None):
            raise ValueError(f"{key!r} must be a mapping")
    datasets = value.get("datasets", [{}])
    if not is_mappings(datasets):
        raise ValueError("'datasets' must be a list of mappings")
    for dataset in datasets:
        if not isinstance(name := dataset.get("folder_path", "x"), str):
            raise ValueError(f"folder_path must be the name of a dataset, not {name!r}")
        safe_name(name)
