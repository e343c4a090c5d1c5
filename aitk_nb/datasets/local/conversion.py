"""`convert`: one picture made into what the trainer reads as it looks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aitk_nb.datasets.local.image_info import FORMATS, MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["convert"]

_ALONE = 6_000_000
_QUALITY = 95
_one_at_a_time = threading.Lock()


def convert(source: Path, target: Path, background: str = "white") -> None:
    """Write the picture upright, opaque and of 8 bits, as PNG or JPEG by the target's suffix.

    A JPEG of more than 64 megapixels is decoded smaller. Of what a file tells beside the picture
    only the colour profile is kept: no place, no camera, no hidden preview.

    Raises:
        OSError: it cannot be decoded or written.
    """
    from PIL import Image

    with Image.open(source, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            if image.format not in ("JPEG", "MPO"):
                raise OSError("it has too many pixels")
            image.draft(None, (image.width // 4, image.height // 4))
        if image.width * image.height > _ALONE:
            with _one_at_a_time:
                _save(image, target, background)
        else:
            _save(image, target, background)


def _save(image: Image.Image, target: Path, background: str) -> None:
    from PIL import ImageOps

    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    plain = _eight_bits(_opaque(upright, background))
    options: dict[str, Any] = {}
    if profile and plain.mode == upright.mode:
        options["icc_profile"] = profile
    # What exif_transpose leaves in the picture's notes would be written again.
    plain.info = {}
    if target.suffix.lower() == ".png":
        plain.save(target, "PNG", **options)
    else:
        plain.save(target, "JPEG", quality=_QUALITY, subsampling=0, **options)


def _opaque(image: Image.Image, background: str) -> Image.Image:
    from PIL import Image

    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        seen = image.convert("RGBA")
        paper = Image.new("RGB", seen.size, background)
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture in RGB or grey; one of more than 8 bits keeps its range of brightness."""
    import numpy as np
    from PIL import Image

    if image.mode in ("RGB", "L"):
        return image
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high)
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = (
            65535.0 if image.mode == "I" and values.max(initial=0) > 255 else values.max(initial=0)
        )
        scale = 255.0 / top if top > 0 else 1.0
        return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
    return image.convert("RGB")
