"""Training parameters as the texts of a form's fields, and read back from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from aitk_nb.errors import InvalidParams
from aitk_nb.training.config_paths import PATHS
from aitk_nb.training.fields import TrainingParams

__all__ = ["BY_LINES", "own_texts", "preset_texts", "read_params", "texts_of"]

BY_LINES = frozenset({"prompts", "extra_datasets", "control_datasets"})
"""Fields that hold one value a line."""


def texts_of(params: TrainingParams) -> dict[str, str]:
    """Return what each field of the form holds when it shows `params`."""
    return {name: _text(name, getattr(params, name)) for name in TrainingParams.model_fields}


def read_params(start: TrainingParams, texts: Mapping[str, str]) -> TrainingParams:
    """Return `start` with what the texts say where they differ from what it shows.

    Raises:
        InvalidParams: with one entry for each field that cannot be used.
    """
    shown = texts_of(start)
    changed = {name: text for name, text in texts.items() if text != shown[name]}
    if not changed:
        return start
    # A blank number is no number: the model would say so in words about parsing.
    blank = {name: "a number is needed" for name in changed if not _filled(name, changed[name])}
    values = {name: _parsed(name, text) for name, text in changed.items() if name not in blank}
    try:
        params = TrainingParams(**{**start.model_dump(), **values})
    except InvalidParams as exc:
        raise InvalidParams({**blank, **exc.problems}) from None
    if blank:
        raise InvalidParams(blank)
    return params


def _text(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return ("\n" if name in BY_LINES else ", ").join(map(str, value))
    return str(value)


def _parsed(name: str, text: str) -> object:
    if name in BY_LINES:
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    # What is shown as a line is text to the last space; numbers do not mind.
    return text


def _filled(name: str, text: str) -> bool:
    return bool(text.strip()) or not _is_number(name)


def _is_number(name: str) -> bool:
    kind = TrainingParams.model_fields[name].annotation
    kind = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return kind in (int, float)


_PRESET = frozenset({*PATHS, "quantize", "quantize_te", "ema"}) - {
    *("steps", "batch_size", "resolution", "save_every", "sample_every", "max_saves"),
}
"""The fields whose values belong to an architecture rather than to a training."""


def own_texts(arch: str) -> dict[str, str]:
    """Return the texts of the fields that nobody chose, for an architecture."""
    try:
        own = TrainingParams(name="x", dataset="x", arch=arch, base_model="x")
    except InvalidParams:
        return {}
    return {name: text for name, text in texts_of(own).items() if name in _PRESET}


def preset_texts(arch: str) -> dict[str, str]:
    """Return the texts of all fields that taking the preset of an architecture sets."""
    # Another architecture cannot train on the weights that were given for this one.
    return {"arch": arch, "base_model": "", **own_texts(arch)}
