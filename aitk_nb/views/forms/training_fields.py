"""Training parameters as the controls of a form and their texts, and read back from them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from aitk_nb.errors import InvalidParams
from aitk_nb.models.server import Gpu
from aitk_nb.training import presets
from aitk_nb.training.fields import preset_fields, schema
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import allowed
from aitk_nb.views.forms.field_group import Field, Looks

_SCHEMA = schema()

GROUPS = {
    group: tuple(name for name, entry in _SCHEMA.items() if entry["group"] == group)
    for group in dict.fromkeys(entry["group"] for entry in _SCHEMA.values())
}
"""The fields by the heading that they are shown below."""

Choices = Sequence[tuple[str, str]]
"""What a field offers, as words and values."""

_BY_LINES = {name for name, entry in _SCHEMA.items() if entry.get("items") == {"type": "string"}}
"""Fields that hold one value a line."""


def label(name: str) -> str:
    """Return a field's name as AI Toolkit's web UI shows it."""
    return TrainingParams.model_fields[name].title or name.replace("_", " ").title()


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


def model_texts(arch: str) -> dict[str, str]:
    """Return the texts of all fields that a model brings when another one was chosen before."""
    # Another architecture cannot train on the weights that were given for this one.
    return {"base_model": "", **own_texts(arch)}


def field_of(name: str, text: str, looks: Looks, known: Choices = ()) -> Field:
    """Return the control of a field, which holds `text` and offers what is `known`, if anything."""
    tall = name in _BY_LINES or _SCHEMA[name]["multiline"]
    # Plain text for numbers as well: a bounded number field would quietly train another number.
    kind, more = (widgets.Textarea, {"layout": looks.tall}) if tall else (widgets.Text, {})
    if offered := known or _offered(name):
        if text not in (value for _, value in offered):
            offered = [(f"{text or 'none'} (unknown to the server)", text), *offered]
        kind, more = widgets.Dropdown, {"options": offered}
    tooltip = allowed(_SCHEMA[name])
    control = looks.entry(kind, label(name), value=text, tooltip=tooltip, **more)
    return Field(control, looks, about(name))


def _offered(name: str) -> Choices:
    """Return what a field offers on any server; nothing where it takes any text."""
    if name == "arch":
        known = sorted(presets.load().values(), key=lambda one: (one.group, one.label))
        return [(f"{one.group.capitalize()}: {one.label} ({one.arch})", one.arch) for one in known]
    if _SCHEMA[name]["type"] == "boolean":
        return [("yes", "True"), ("no", "False")]
    return [(word or "none", word) for word in _SCHEMA[name].get("enum", ())]


def gpu_choices(gpus: Iterable[Gpu]) -> Choices:
    """Return what the field of the GPU offers on a server that has these."""
    named = [
        (
            f"GPU {gpu.index}: {gpu.name}, {(gpu.memory_total - gpu.memory_used) / 1024:.1f} GiB"
            " free",
            str(gpu.index),
        )
        for gpu in gpus
    ]
    return [("The one with the most free memory", ""), *named] if named else []


class SizeBoxes:
    """Boxes to check for the usual resolutions, below the field that holds them as text."""

    def __init__(self, control: widgets.ValueWidget) -> None:
        """Follow `control`, and change it when a box is checked."""
        self._control = control
        layout = widgets.Layout(width="auto", margin="0 12px 0 2px")
        self._boxes = [
            widgets.Checkbox(description=size, indent=False, layout=layout)
            for size in ("256", "512", "768", "1024", "1280", "1536")
        ]
        self.widget = widgets.HBox(self._boxes, layout=widgets.Layout(flex_flow="row wrap"))
        self._follow(None)
        control.observe(self._follow, names="value")
        for box in self._boxes:
            box.observe(self._take, names="value")

    def close(self) -> None:
        """Let go of the form; the boxes are closed with its other widgets."""
        for box in self._boxes:
            box.unobserve_all("value")

    def _sizes(self) -> list[str]:
        return re.findall(r"[^\s,]+", self._control.value)

    def _follow(self, _change: object) -> None:
        sizes = self._sizes()
        for box in self._boxes:
            box.value = box.description in sizes

    def _take(self, change: Mapping[str, Any]) -> None:
        size, sizes = change["owner"].description, self._sizes()
        if change["new"] == (size in sizes):
            return  # it follows what was typed
        sizes = [*sizes, size] if change["new"] else [one for one in sizes if one != size]
        self._control.value = ", ".join(sorted(sizes, key=lambda one: (len(one), one)))
