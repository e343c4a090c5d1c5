"""Training parameters as the controls of a form and their texts, and read back from them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import ipywidgets as widgets

from aitk_nb.errors import InvalidParams
from aitk_nb.training import presets
from aitk_nb.training.fields import preset_fields, schema
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import allowed
from aitk_nb.views.forms.field import Field, Looks

_SCHEMA = schema()

GROUPS = {
    group: tuple(name for name, entry in _SCHEMA.items() if entry["group"] == group)
    for group in dict.fromkeys(entry["group"] for entry in _SCHEMA.values())
}
"""The fields by the heading that they are shown below."""

_BY_LINES = {name for name, entry in _SCHEMA.items() if entry.get("items") == {"type": "string"}}
"""Fields that hold one value a line."""


def label(name: str) -> str:
    """Return a field's name as people read it."""
    return TrainingParams.model_fields[name].title or name.replace("_", " ").capitalize()


def about(name: str) -> str:
    """Return a field's help text."""
    return str(_SCHEMA[name]["description"]) + ("; one per line" if name in _BY_LINES else "")


def texts_of(params: TrainingParams) -> dict[str, str]:
    """Return what each field of the form holds when it shows `params`."""
    return {name: _text(name, value) for name, value in params}


def read_params(start: TrainingParams, texts: Mapping[str, str]) -> TrainingParams:
    """Return `start` with what the texts say where they differ from what it shows.

    Raises:
        InvalidParams: with one entry for each invalid field.
    """
    shown = texts_of(start)
    changed = {name: _parsed(name, text) for name, text in texts.items() if text != shown[name]}
    return TrainingParams(**{**start.model_dump(), **changed}) if changed else start


def _text(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return ("\n" if name in _BY_LINES else ", ").join(map(str, value))
    return str(value)


def _parsed(name: str, text: str) -> object:
    if name in _BY_LINES:
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    # What is shown as a line is text to the last space; numbers do not mind.
    return text


def own_texts(arch: str, also: Container[str] = ()) -> dict[str, str]:
    """Return the texts of the fields that belong to an architecture rather than to a job.

    Those of a job are among them if its preset sets them, or if they are named in `also`.
    """
    try:
        own = TrainingParams(name="x", dataset="x", arch=arch, base_model="x")
    except InvalidParams:
        return {}
    chosen = preset_fields(arch)
    return {
        name: text
        for name, text in texts_of(own).items()
        if not _SCHEMA[name]["per_job"] or name in chosen or name in also
    }


def preset_texts(arch: str) -> dict[str, str]:
    """Return the texts of all fields that using the preset of an architecture sets."""
    # Another architecture cannot train on the weights that were given for this one.
    return {"arch": arch, "base_model": "", **own_texts(arch)}


def field_of(name: str, text: str, looks: Looks) -> Field:
    """Return the control of a field, which holds `text`."""
    tall = name in _BY_LINES or _SCHEMA[name]["multiline"]
    # Plain text for numbers as well: a bounded number field would quietly train another number.
    kind, more = (widgets.Textarea, {"layout": looks.tall}) if tall else (widgets.Text, {})
    if options := _options(name, text):
        kind, more = widgets.Dropdown, {"options": options}
    tooltip = allowed(_SCHEMA[name])
    control = looks.entry(kind, label(name), value=text, tooltip=tooltip, **more)
    return Field(control, looks, about(name))


def _options(name: str, text: str) -> list[tuple[str, str]]:
    """Return what a field offers as words and values; nothing where it takes any text."""
    if name == "arch":
        known = architectures()
        return known if text in presets.load() else [(f"{text} (unknown)", text), *known]
    if _SCHEMA[name]["type"] == "boolean":
        return [("yes", "True"), ("no", "False")]
    return [(word or "none", word) for word in _SCHEMA[name].get("enum", ())]


def architectures() -> list[tuple[str, str]]:
    """Return label and name of the known architectures."""
    known = sorted(presets.load().values(), key=lambda preset: (preset.group, preset.label))
    return [(f"{one.group}: {one.label} ({one.arch})", one.arch) for one in known]
