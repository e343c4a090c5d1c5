"""Color profiles: whether one makes a difference, and an image's colors in sRGB."""

import io
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image, ImageCms

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode for the color space of a profile."""
_LEVELS = range(0, 256, 51)
_VISIBLE = 3
"""Levels of 256 by which a color may change without being another one."""


@lru_cache(maxsize=64)
def profile_name(mode: str, profile: bytes) -> str:
    """Return the name of a color profile; empty where it makes no difference to ignore it.

    Args:
        mode: Pillow's mode of the image.
        profile: Bytes of the ICC profile; empty for none.
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        base = _base(mode)
        values = bytes(level for color in product(_LEVELS, repeat=len(base)) for level in color)
        swatch = Image.frombytes(base, (len(values) // len(base), 1), values)
        change = np.asarray(in_srgb(swatch, profile).convert("RGB"), int) - swatch.convert("RGB")
        name = ImageCms.getProfileDescription(opened).strip()
    except (OSError, ImageCms.PyCMSError):
        return ""
    return (name or "unnamed") if np.abs(change).max() > _VISIBLE else ""


def in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image in RGB or gray, without its transparency, in the colors of its profile.

    A profile that is damaged, or of another color space than the image, is ignored.
    """
    colors = image.convert(_base(image.mode))
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space.strip(), "")
        if mode == colors.mode or (mode, colors.mode) == ("RGB", "L"):
            target = ImageCms.createProfile("sRGB")
            to_srgb = ImageCms.buildTransform(opened, target, mode, "RGB")
            return to_srgb.apply(colors.convert(mode))
    except (OSError, ImageCms.PyCMSError):
        pass
    return colors if colors.mode == "L" else colors.convert("RGB")


def _base(mode: str) -> str:
    """Return the mode of the colors alone: `L`, `CMYK` or `RGB`."""
    if mode in ("1", "L", "LA") or mode.startswith(("I", "F")):
        return "L"
    return "CMYK" if mode == "CMYK" else "RGB"
