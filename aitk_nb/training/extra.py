"""`extra`: what the parameters have no field for, as YAML merged deep into the job config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitk_nb._yaml import parsed
from aitk_nb.models.names import name_problem
from aitk_nb.training.default_config import default_process

__all__ = ["ASIDE", "RESERVED", "aside_of", "parse_extra", "process_of"]

RESERVED = ("training_folder", "sqlite_db_path", "device")
"""Keys of the process that are the server's business."""

ASIDE = "aitk_nb"
"""Key of `extra` below which lies what a job file has outside the process, or leaves out."""


def parse_extra(text: str) -> dict[str, Any]:
    """Return the process settings that `extra` means.

    `extra` may be the inside of the process (`train: {optimizer: prodigy}`) or a job config as
    AI Toolkit's own files have it (`config: {process: [...]}`). Of the latter the name, the
    folders, the database and the device are passed over: they are those of another machine.

    Raises:
        ValueError: it is no YAML, no mapping, or touches what belongs to the server.
    """
    value = _mapping(text)
    _check_aside(value.pop(ASIDE, {}))
    if "config" in value:
        value = _portable(process_of(value))
    if "${" in str(value):
        raise ValueError("'${' would be replaced from the server's environment")
    _check_sections(value)
    return dict(value)


def aside_of(text: str) -> dict[str, Any]:
    """Return what a valid `extra` holds of a job file beside the settings of the process.

    `around` is the file without its first process, `here` what holds on its machine only, and
    `without` the paths that the file leaves out, with the values that are left out there.
    """
    aside: dict[str, Any] = _mapping(text).get(ASIDE, {})
    return aside


def _mapping(text: str) -> dict[str, Any]:
    value = parsed(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("it must be a YAML mapping, such as 'train: {optimizer: prodigy}'")
    return value


def _check_aside(aside: object) -> None:
    """Refuse what `from_file` does not write."""
    if not isinstance(aside, dict) or not aside.keys() <= {"around", "here", "without"}:
        raise ValueError(f"{ASIDE!r} is a key for what a job file brings with it")
    if "${" in str(aside):
        raise ValueError("'${' would be replaced from the server's environment")
    if not all(isinstance(part, dict) for part in aside.values()):
        raise ValueError(f"all parts of {ASIDE!r} must be mappings")
    around, folders = aside.get("around", {}), aside.get("here", {}).get("folders", [])
    inner = around.get("config", {})
    if not (isinstance(inner, dict) and isinstance(around.get("meta", {}), dict)):
        raise ValueError(f"'config' and 'meta' in {ASIDE!r} must be mappings")
    if not (isinstance(inner.get("process", []), list) and isinstance(folders, list)):
        raise ValueError(f"'process' and 'folders' in {ASIDE!r} must be lists")
    if not all(isinstance(folder, str) for folder in folders):
        raise ValueError(f"'folders' in {ASIDE!r} must be texts")
    controls = aside.get("here", {}).get("controls", [])
    if not (isinstance(controls, list) and all(isinstance(paths, dict) for paths in controls)):
        raise ValueError(f"'controls' in {ASIDE!r} must be a list of mappings")
    if not all(isinstance(path, str) for paths in controls for path in paths.values()):
        raise ValueError(f"'controls' in {ASIDE!r} must be texts")


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
        raise ValueError("a whole job config needs 'config: {process: [{…}]}'")
    return process


def _portable(process: Mapping[str, Any]) -> dict[str, Any]:
    """Return a process without what holds on one machine only."""
    kept = {key: value for key, value in process.items() if key not in RESERVED}
    if isinstance(datasets := kept.get("datasets"), list):
        kept["datasets"] = [
            {key: item for key, item in entry.items() if key != "folder_path"}
            if isinstance(entry, dict)
            else entry
            for entry in datasets
        ]
    return kept


def _check_sections(value: Mapping[str, Any]) -> None:
    """Refuse what cannot be merged, or is not the client's to say."""
    for key in RESERVED:
        if key in value:
            raise ValueError(f"{key!r} is set by the server")
    for key, default in default_process().items():
        if isinstance(default, dict) and not isinstance(value.get(key), dict | None):
            raise ValueError(f"{key!r} must be a mapping")
    datasets = value.get("datasets", [{}])
    if not (isinstance(datasets, list) and datasets and all(isinstance(d, dict) for d in datasets)):
        raise ValueError("'datasets' must be a list of mappings")
    for dataset in datasets:
        name = dataset.get("folder_path", "x")
        if not isinstance(name, str) or name_problem(name):
            raise ValueError(f"folder_path must be the name of a dataset, which {name!r} is not")
