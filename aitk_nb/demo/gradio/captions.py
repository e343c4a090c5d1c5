"""A small, honest captioner: it says what can be measured of a picture, and nothing else."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image

MISSING = (
    "We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in"
    " the cached files.\nCheck your internet connection or see how to run the library in offline"
    " mode at 'https://huggingface.co/docs/transformers/installation#offline-mode'."
)
"""What the real server says where the captioning model cannot be had."""

_SIDE = 48
_HUES = (
    (0.03, "red"),
    (0.11, "orange"),
    (0.19, "yellow"),
    (0.45, "green"),
    (0.53, "cyan"),
    (0.72, "blue"),
    (0.83, "purple"),
    (0.95, "pink"),
    (1.01, "red"),
)


def describe(path: Path) -> str:
    """Return one sentence: the picture's form, its light, and its two commonest colors.

    Raises:
        OSError: the file is not an image; the texts of a dataset are not, there as here.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    form = _form(image.width / image.height)
    pixels = np.asarray(image.resize((_SIDE, _SIDE)), np.float32).reshape(-1, 3) / 255
    light = float(pixels.mean())
    brightness = "A dark" if light < 0.3 else "A bright" if light > 0.7 else "An evenly lit"
    counts: dict[str, int] = {}
    for red, green, blue in pixels.tolist():
        name = _color(red, green, blue)
        counts[name] = counts.get(name, 0) + 1
    first, *rest = sorted(counts, key=lambda name: (-counts[name], name))
    colors = f"{first} and {rest[0]}" if rest else first
    return f"{brightness} {form} picture, mostly {colors}."


def _form(aspect: float) -> str:
    return "wide" if aspect > 1.15 else "tall" if aspect < 1 / 1.15 else "square"


def _color(red: float, green: float, blue: float) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    if value < 0.2:
        return "black"
    if saturation < 0.18:
        return "white" if value > 0.8 else "gray"
    name = next(name for end, name in _HUES if hue < end)
    return "brown" if name in {"orange", "red"} and value < 0.6 else name
