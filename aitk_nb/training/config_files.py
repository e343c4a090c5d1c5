"""AI Toolkit's own job files, YAML and JSON, as training parameters and back, losing nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from aitk_nb._files import write as write_file
from aitk_nb._yaml import dumped, parsed
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.models.control_images import CONTROL_KEYS, control_names, name_controls
from aitk_nb.training import presets
from aitk_nb.training.config_diff import OURS, forget_found, plain_numbers, unmerged
from aitk_nb.training.config_paths import (
    MISSING,
    default_process,
    fields_of,
    folder_name,
    is_mappings,
    put,
    value_at,
)
from aitk_nb.training.effective import SYNONYMS, effective
from aitk_nb.training.extra import ASIDE, MUTE_TYPES, RESERVED, aside_of, process_of
from aitk_nb.training.fields import PATHS, Fields
from aitk_nb.training.job_config import draft

_LOOKED_UP = {name: PATHS[name] for name in ("init_lora", "more_steps", "validation")}
_NOTHING = (MISSING, None, "", 0)


def read(path: str | Path) -> dict[str, Any]:
    """Return the job config of a YAML or JSON file.

    Raises:
        BadInput: it cannot be read, or holds something else.
    """
    source = Path(path).expanduser()
    try:
        config = parsed(source.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise BadInput(f"Can't read {source}: {exc.strerror or exc}.") from exc
    except ValueError as exc:
        raise BadInput(f"{source} is not a job config: {exc}.") from None
    if not isinstance(config, dict):
        raise BadInput(f"{source} is not a job config: expected a mapping at the top level.")
    return config


def write(params: Fields, path: str | Path) -> Path:
    """Write a job file, as JSON if it is called `.json` and else as YAML, and return its path.

    Raises:
        BadInput: it cannot be written.
    """
    target = Path(path).expanduser()
    return write_file(target, as_text(params, target.suffix))


def as_text(params: Fields, suffix: str) -> str:
    """Return what stands in a job file whose name ends so: JSON for `.json`, else YAML."""
    config = file_config(params)
    if suffix.lower() == ".json":
        return json.dumps(config, indent=2) + "\n"
    return unresolved(config, "AI Toolkit itself trains") + dumped(config)


def unresolved(config: Mapping[str, Any], who: str) -> str:
    """Return a comment on what only a start of ours looks up on the server, if a config has it."""
    process = process_of(config)
    names = [name for name, path in _LOOKED_UP.items() if value_at(process, path) not in _NOTHING]
    if not names:
        return ""
    return (
        f"# {who} without {' and '.join(names)}: only `aitk-nb train` and\n"
        "# `client.jobs.start` look up on the server what is meant.\n"
    )


def file_config(params: Fields) -> dict[str, Any]:
    """Return the job config as a file has it: with its own folders, and without our notes."""
    config = copy.deepcopy(dict(draft(params).config))
    config["meta"].pop(OURS)
    aside = aside_of(params.extra)
    if "around" not in aside:
        return config
    if "meta" not in aside["around"]:
        del config["meta"]
    process = process_of(config)
    for key in RESERVED:
        process.pop(key, None)
    here = dict(aside.get("here", {}))
    for entry, said in zip(process["datasets"], here.pop("folders", ()), strict=False):
        if folder_name(_folder(said)) == entry["folder_path"]:
            del entry["folder_path"]
            entry |= said
    for entry, paths in zip(process["datasets"], here.pop("controls", ()), strict=False):
        names = control_names(entry)
        entry |= {key: path for key, path in paths.items() if folder_name(path) == names.get(key)}
    process.update(here)
    return config


def from_config(config: Mapping[str, Any], chosen: Collection[str] = ()) -> Fields:
    """Return the parameters that a job config means; what they have no field for is in `extra`.

    A field that the config leaves out has the trainer's default, and stays left out until it is
    changed; so do older keys, which the field's own key replaces then. The last part of a
    dataset's folder is the dataset's name.

    Args:
        config: The job config.
        chosen: Fields that are set to something else at once.

    Raises:
        InvalidParams: it is not a training job, or a name in it is invalid.
    """
    plain = _plain(config)
    _take_synonyms(process_of(plain), chosen)
    process = copy.deepcopy(process_of(plain))
    here = _take_folders(process)
    older = _take_synonyms(process)
    params = _accepted(_fields(plain["config"].get("name"), process))
    if plain_numbers(file_config(params)) == plain_numbers(plain):
        # The fields say all of it.
        return params
    setting, without = unmerged(process_of(draft(params).config), process)
    # The server sets these; in a file they are as the file had them.
    without = {path: value for path, value in without.items() if path not in RESERVED}
    aside = {"without": without, "around": _around(plain), "here": here, "older": older}
    text = dumped({**setting, ASIDE: aside})
    made = Fields.model_validate({**params.model_dump(), "extra": text})
    if plain_numbers(file_config(made)) != plain_numbers(plain):
        raise InvalidParams({"extra": "the file has keys that cannot be kept in it"})
    return made


def portable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's config without what is valid on its server only: folders, database, device.

    Raises:
        InvalidParams: it is not a job config.
    """
    plain = _plain(config)
    process = process_of(plain)
    _take_folders(process)
    usual = default_process()
    process.update({key: usual[key] for key in RESERVED if key in usual})
    return plain


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config as any file holds it, without our notes; the keys are texts."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(config, allow_nan=False))
        forget_found(process_of(plain))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidParams({"file": str(exc)}) from None
    if isinstance(meta := plain.get("meta"), dict):
        meta.pop(OURS, None)
    elif "meta" in plain:
        raise InvalidParams({"file": "its meta must be a mapping"})
    return plain


def _take_folders(process: dict[str, Any]) -> dict[str, Any]:
    """Take out of a process what is valid on one machine only, and return it."""
    here = {key: process.pop(key) for key in RESERVED if key in process}
    if process.get("type") in MUTE_TYPES:
        here["type"], process["type"] = process["type"], "diffusion_trainer"
    datasets = process.get("datasets")
    if not is_mappings(datasets):
        kind = process.get("type")
        raise InvalidParams({"datasets": f"required for a training job, which {kind!r} is not"})
    keys = ("folder_path", "dataset_path")
    folders = [{key: entry.pop(key) for key in keys if key in entry} for entry in datasets]
    for entry, said in zip(datasets, folders, strict=True):
        if not isinstance(folder := _folder(said), str):
            raise InvalidParams({"dataset": f"folder_path must be a string, not {folder!r}"})
        entry["folder_path"] = folder
    controls = [name_controls(entry) for entry in datasets]
    for entry in datasets:
        entry["folder_path"] = folder_name(entry["folder_path"])
    here["folders"] = folders
    return here | ({"controls": controls} if any(controls) else {})


def _folder(said: Mapping[str, Any]) -> Any:
    """Return the folder of a dataset: the trainer takes `dataset_path`, where it is."""
    path = said.get("dataset_path")
    return said.get("folder_path") if path is None else path


def _take_synonyms(process: dict[str, Any], chosen: Collection[str] | None = None) -> Older:
    """Put what older keys mean under the keys of today, and return how it was written.

    Args:
        process: The process of a job config.
        chosen: Fields whose keys are to be replaced; by default all.
    """
    read, older = effective(process), Older()
    for path, synonyms in SYNONYMS.items():
        said = [one for one in synonyms if value_at(process, one) is not MISSING]
        if said and (chosen is None or _FIELDS[path] in chosen):
            keys = [one for one in (path, *said) if value_at(process, one) is not MISSING]
            older[path] = {"means": value_at(read, path), "keys": {}}
            for one in keys:
                section, key = one.split(".")
                older[path]["keys"][one] = process[section].pop(key)
            put(process, path, older[path]["means"])
    return older


Older: TypeAlias = dict[str, dict[str, Any]]
"""By the path of a key: what it means, and the keys that say so, with their values."""

_FIELDS = {path: name for name, path in PATHS.items()} | {
    "network.linear_alpha": "alpha",
    "sample.samples": "prompts",
    "model.arch": "arch",
}


def _fields(name: Any, process: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the trainer takes for each field, unchecked."""
    given, process = process, effective(process)
    names = [entry["folder_path"] for entry in process["datasets"]]
    arch = value_at(process, "model.arch")
    preset = presets.load().get(arch) if isinstance(arch, str) else None
    own = preset.defaults.get("model.name_or_path") if preset else ""
    found = fields_of(process, PATHS)
    sample_seed = value_at(process, "sample.seed")
    found |= {
        "name": name,
        "dataset": names[0],
        "extra_datasets": tuple(names[1:]),
        "control_datasets": _controls(given["datasets"][0], arch),
        "arch": arch if isinstance(arch, str) else MISSING,
        "base_model": "" if found.get("base_model") == own else found.get("base_model", ""),
        "trigger_word": process.get("trigger_word") or "",
        "prompts": _prompts(process.get("sample")),
        "seed": -1 if found.get("seed") is None else found["seed"],
        "sample_seed": MISSING if sample_seed == found.get("seed", MISSING) else sample_seed,
    }
    return {name: value for name, value in found.items() if value is not MISSING}


def _controls(dataset: Mapping[str, Any], arch: object) -> tuple[str, ...]:
    """Return the names of the control datasets, if they are where the parameters put them."""
    names = control_names(dataset)
    known = presets.control_keys(arch if isinstance(arch, str) else "", len(names))
    # In another place, or beside paths that are no datasets, they are left to `extra`.
    said = [key for key in CONTROL_KEYS if dataset.get(key)]
    return tuple(names.values()) if tuple(said) == tuple(names) == known else ()


def _prompts(sample: object) -> tuple[str, ...]:
    if not isinstance(sample, dict):
        return ()
    items = sample.get("samples")
    if not isinstance(items, list):
        return ()
    texts = [item.get("prompt") if isinstance(item, dict) else item for item in items]
    # One of another form, such as a file of prompts, is carried as it is with all the others.
    return tuple(map(str, texts)) if all(isinstance(text, str) for text in texts) else ()


def _accepted(fields: Mapping[str, Any]) -> Fields:
    """Return the parameters; a value that its field does not take is left to `extra`."""
    try:
        return Fields.model_validate(fields)
    except InvalidParams as exc:
        needed = {"name", "dataset", "extra_datasets"} & exc.problems.keys()
        if needed or not exc.problems.keys() & fields.keys():
            raise
        return _accepted({k: v for k, v in fields.items() if k not in exc.problems})


def _around(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands outside the first process."""
    around = copy.deepcopy(dict(plain))
    around["config"].pop("name", None)
    around["config"]["process"] = around["config"]["process"][1:]
    return around
