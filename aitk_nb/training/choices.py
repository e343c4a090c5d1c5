"""The words that AI Toolkit's form offers where a parameter has a few values (0.12.26)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

__all__ = ["CHOICES", "choice_problem"]

_QUANTISED = (
    *("", "qfloat8", "float8", "convrot8", "convrot4", "nvfp4"),
    *(f"convrotint{bits}" for bits in range(7, 1, -1)),
    "convrotbitnet",
    *(f"uint{bits}" for bits in range(7, 1, -1)),
)

CHOICES: Mapping[str, tuple[str, ...]] = {
    "network": ("lora", "lokr"),
    "optimizer": (
        *("adamw8bit", "adamw", "adam", "adafactor", "automagic", "automagic2", "automagic3"),
        *("prodigyopt", "prodigy8bit", "adam8bit", "lion8bit", "lion", "prodigy"),
    ),
    "timestep_type": (
        *("sigmoid", "linear", "shift", "weighted"),
        *("lognorm_blend", "next_sample", "one_step"),
    ),
    "dtype": ("bf16", "fp16", "fp32"),
    "quantize": _QUANTISED,
    "quantize_te": _QUANTISED,
}
"""The values of each field that has a few; the trainer itself takes more, by way of `extra`."""


def choice_problem(field: str, value: str) -> str | None:
    """Return why `value` is none of the words of `field`, with the nearest one."""
    allowed = CHOICES[field]
    if value in allowed:
        return None
    near = difflib.get_close_matches(value, allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{value!r} is not one of {', '.join(word or repr('') for word in allowed)}{hint}"
