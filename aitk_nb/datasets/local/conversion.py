"""`convert`: an image converted to what the trainer reads."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from aitk_nb._images import FORMATS, MAX_PIXELS, has_alpha, opaque
from aitk_nb.datasets.local.color_profile import in_srgb
from aitk_nb.datasets.local.image_info import one_large_at_a_time

_QUALITY = 95


def convert(source: Path, target: Path, background: str | None = "white") -> None:
    """Write the image upright, in sRGB and with 8 bits, as PNG or JPEG by the target's suffix.

    It is put on the background, or stays transparent where that is None. Of an animation the first
    frame is taken, and a JPEG of more than 64 megapixels is decoded smaller. No metadata is kept:
    no place, no camera, no hidden preview.

    Raises:
        OSError: It can't be decoded or written.
    """
    with Image.open(source, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            if image.format not in ("JPEG", "MPO"):
                raise OSError("it has too many pixels")
            image.draft(None, (image.width // 4, image.height // 4))
        with one_large_at_a_time(image):
            profile = image.info.get("icc_profile") or b""
            upright = ImageOps.exif_transpose(image)
            plain = in_srgb(_eight_bits(upright), profile)
            if has_alpha(upright):
                plain = plain.convert("RGB")
                plain.putalpha(upright.convert("RGBA").getchannel("A"))
                plain = plain if background is None else opaque(plain, background)
            # What exif_transpose leaves in the image's info would be written again.
            plain.info = {}
            if target.suffix.lower() == ".png":
                plain.save(target, "PNG")
            else:
                plain.save(target, "JPEG", quality=_QUALITY, subsampling=0)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image with at most 8 bits per color, which keeps its range of brightness."""
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
    return image
