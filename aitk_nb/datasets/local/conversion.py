"""`convert`: an image converted to what the trainer reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aitk_nb.datasets.local.image_info import FORMATS, MAX_PIXELS, has_alpha, one_large_at_a_time

if TYPE_CHECKING:
    from PIL import Image

_QUALITY = 95


def convert(source: Path, target: Path, background: str = "white") -> None:
    """Write the image upright, opaque and with 8 bits, as PNG or JPEG by the target's suffix.

    A JPEG of more than 64 megapixels is decoded smaller. Of the metadata only the color profile is
    kept: no place, no camera, no hidden preview.

    Raises:
        OSError: It can't be decoded or written.
    """
    from PIL import Image, ImageOps

    with Image.open(source, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            if image.format not in ("JPEG", "MPO"):
                raise OSError("it has too many pixels")
            image.draft(None, (image.width // 4, image.height // 4))
        with one_large_at_a_time(image):
            profile = image.info.get("icc_profile")
            upright = ImageOps.exif_transpose(image)
            plain = _eight_bits(opaque(upright, background))
            # What exif_transpose leaves in the image's info would be written again.
            plain.info = {}
            kept = {"icc_profile": profile} if profile and plain.mode == upright.mode else {}
            if target.suffix.lower() == ".png":
                plain.save(target, "PNG", **kept)
            else:
                plain.save(target, "JPEG", quality=_QUALITY, subsampling=0, **kept)


def opaque(image: Image.Image, background: str) -> Image.Image:
    """Return an image without transparency, on a background."""
    from PIL import Image

    if not has_alpha(image):
        return image
    layered = image.convert("RGBA")
    paper = Image.new("RGB", layered.size, background)
    paper.paste(layered, mask=layered.getchannel("A"))
    return paper


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image in RGB or gray; one with more than 8 bits keeps its range of brightness."""
    import numpy as np
    from PIL import Image

    if image.mode in ("RGB", "L"):
        return image
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high)
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = values.max(initial=0)
        if image.mode == "I" and top > 255:
            top = 65535.0
        scale = 255.0 / top if top > 0 else 1.0
        return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
    return image.convert("RGB")
