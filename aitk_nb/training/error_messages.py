"""What is wrong with training parameters, in our own words: the value, and what is allowed."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping, Sequence

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from aitk_nb.training import presets
from aitk_nb.training.limits import allowed

__all__ = ["arch_problem", "controls_problem", "problem"]


MOST_CONTROLS = 3
"""Datasets of control images that the trainer takes for one dataset."""


def problem(error: ErrorDetails, fields: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """Return the field and what is wrong with it, in one clause."""
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return name, _unknown(name, fields)
    if error["type"] == "missing":
        return name, "it is needed"
    if error["type"] == "value_error":
        return name, str(error["msg"]).removeprefix("Value error, ")
    if name not in fields:
        return name, f"{_shown(error['input'])} is no mapping of fields"
    return name, f"{_shown(error['input'])} is not {allowed(name, fields[name])}"


def arch_problem(arch: object, base_model: object) -> str | None:
    """Return what speaks against an architecture; a newer server may know more than we do."""
    known = presets.load()
    if not isinstance(arch, str) or arch in known:
        return None
    near = difflib.get_close_matches(arch, known, n=1, cutoff=0.7)
    if near:
        return f"{arch!r} is not known; did you mean {near[0]!r}?"
    if base_model:
        return None
    return f"{arch!r} is not known, so that its base_model must be given"


def controls_problem(arch: str, names: Sequence[str]) -> str | None:
    """Return what speaks against so many datasets of control images for an architecture."""
    most = len(presets.control_keys(arch, MOST_CONTROLS))
    if len(names) <= most:
        return None
    if not most:
        return f"{arch!r} takes no control images, and {', '.join(names)} would not be used"
    plural = "s" if most > 1 else ""
    return f"{arch!r} takes control images from {most} dataset{plural}, not from {len(names)}"


def _unknown(name: str, fields: Mapping[str, FieldInfo]) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    return f"no such field; did you mean '{near[0]}'?" if near else "no such field"


class _Short(reprlib.Repr):
    """Shows a value in a line; of a long or deep one the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 60


def _shown(value: object) -> str:
    text = _Short().repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
