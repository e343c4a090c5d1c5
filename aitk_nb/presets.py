"""The architectures that AI Toolkit's web UI offers, and what it sets for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["Preset", "load"]


@dataclass(frozen=True, slots=True)
class Preset:
    """What choosing a model in the web UI writes over the default job config."""

    arch: str
    label: str
    """The web UI's name for it."""
    group: str
    """`image`, `instruction`, `video`, `audio` or `experimental`."""
    defaults: Mapping[str, Any]
    """Value by path below the job's process, such as `model.name_or_path`."""
    needs: tuple[str, ...] = ()
    """Parts of the job config that it cannot do without."""
    gate_url: str = ""
    """Where access to its weights has to be asked for."""
    video: bool = False
    """True when it trains on moving pictures."""


@cache
def load() -> Mapping[str, Preset]:
    """Return the presets by architecture."""
    text = files("aitk_nb").joinpath("presets.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries = yaml.load(text, Loader=loader)  # noqa: S506  (a safe loader, the fast one if there)
    return {
        arch: Preset(arch=arch, **(entry | {"needs": tuple(entry.get("needs", ()))}))
        for arch, entry in entries.items()
    }
