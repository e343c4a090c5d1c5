"""The architectures that AI Toolkit's web UI offers, and what it sets for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from aitk_nb._yaml import parsed
from aitk_nb.errors import BadInput
from aitk_nb.models.control_images import CONTROL_KEYS

__all__ = ["Preset", "control_keys", "load"]


@dataclass(frozen=True, slots=True)
class Preset:
    """What choosing a model in the web UI writes over the default job config."""

    arch: str
    label: str
    """The web UI's name for it."""
    group: str
    """`image`, `instruction`, `video`, `audio` or `experimental`."""
    defaults: Mapping[str, Any]
    """Value by path below the job's process, such as `model.name_or_path`; None leaves it out."""
    needs: tuple[str, ...] = ()
    """Parts of the job config that the web UI's form shows for it alone."""
    controls: tuple[str, ...] = ()
    """Kinds of control images that the trainer draws itself, such as `depth`."""
    offloads: bool = False
    """True when the web UI offers to keep layers off the GPU."""
    gate_url: str = ""
    """Where access to its weights has to be asked for."""
    video: bool = False
    """True when it trains on moving pictures."""

    @property
    def control_keys(self) -> tuple[str, ...]:
        """Keys of a dataset that name its folders of control images; empty where it takes none."""
        if "datasets.multi_control_paths" in self.needs:
            return CONTROL_KEYS[1:]
        return CONTROL_KEYS[:1] if "datasets.control_path" in self.needs else ()

    @property
    def needs_controls(self) -> bool:
        """True when it cannot be trained without control images.

        FLUX.2 and OmniGen2 take them, and train on plain images too.
        """
        edits = self.group == "instruction" or "edit" in self.arch or "ref2" in self.arch
        return bool(self.control_keys) and edits


def load(environ: Mapping[str, str] = os.environ) -> Mapping[str, Preset]:
    """Return the presets by architecture: ours, and those of the file that AITK_PRESETS names.

    That file looks like ours: an entry of a new name is one more architecture, and an entry of a
    known name changes what it names and keeps the rest.

    Raises:
        BadInput: the file cannot be read, or is none of presets.
    """
    own = environ.get("AITK_PRESETS", "")
    if not own:
        return _ours()
    path = Path(own).expanduser()
    try:
        return _with_own(path, path.stat().st_mtime_ns)
    except OSError as exc:
        raise BadInput(f"AITK_PRESETS names {own}, which cannot be read: {exc.strerror}.") from exc


def control_keys(arch: str, count: int) -> tuple[str, ...]:
    """Return the keys that name `count` folders of control images, or as many as there can be.

    The trainer takes both forms; for an architecture without a preset the simpler one is used.
    """
    if preset := load().get(arch):
        return preset.control_keys[:count]
    return CONTROL_KEYS[:1] if count == 1 else CONTROL_KEYS[1 : count + 1]


@cache
def _ours() -> Mapping[str, Preset]:
    text = files("aitk_nb.training").joinpath("presets.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries = yaml.load(text, Loader=loader)  # noqa: S506  (a safe loader, the fast one if there)
    return {arch: _preset(arch, entry) for arch, entry in entries.items()}


@lru_cache(maxsize=4)
def _with_own(path: Path, _changed: int) -> Mapping[str, Preset]:
    try:
        entries = parsed(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadInput(f"{path} holds no presets: {exc}.") from None
    if not isinstance(entries, dict):
        raise BadInput(f"{path} holds no presets: it must be a mapping by architecture.")
    found = dict(_ours())
    for arch, entry in entries.items():
        found[arch] = _preset(arch, _over(found.get(arch), entry, f"{path}: {arch}"))
    return found


def _preset(arch: str, entry: Mapping[str, Any]) -> Preset:
    lists = {key: tuple(entry.get(key, ())) for key in ("needs", "controls")}
    return Preset(arch=arch, **{**entry, **lists})


_KINDS: Mapping[str, type] = {
    "label": str,
    "group": str,
    "defaults": dict,
    "needs": list,
    "controls": list,
    "offloads": bool,
    "gate_url": str,
    "video": bool,
}


def _over(have: Preset | None, entry: object, where: str) -> dict[str, Any]:
    """Return the entry of a preset over the one that is there, checked."""
    if not isinstance(entry, dict):
        raise BadInput(f"{where} must be a mapping with {', '.join(_KINDS)}.")
    for key, value in entry.items():
        if key not in _KINDS:
            raise BadInput(f"{where} has {key!r}; known are {', '.join(_KINDS)}.")
        if not isinstance(value, _KINDS[key]):
            raise BadInput(f"{where}: {key} must be a {_KINDS[key].__name__}.")
    defaults = entry.get("defaults", {})
    for path in defaults:
        section, _, leaf = path.partition(".")
        if section not in _SECTIONS or not all(leaf.split(".")):
            raise BadInput(f"{where}: {path!r} is no path such as train.lr or datasets[x].fps.")
    if have is None:
        return {"label": where.rpartition(": ")[2], "group": "own", **entry, "defaults": defaults}
    known = {key: getattr(have, key) for key in _KINDS}
    return {**known, **entry, "defaults": {**have.defaults, **defaults}}


_SECTIONS = ("datasets[x]", "logging", "model", "network", "sample", "save", "train")
