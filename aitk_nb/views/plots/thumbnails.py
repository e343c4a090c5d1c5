"""`thumbnail`: a small JPEG of an image, made only when it is shown."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

from aitk_nb.datasets.local.conversion import opaque
from aitk_nb.datasets.local.image_info import FORMATS, MAX_PIXELS, quiet_about_size

_QUALITY = 70


def thumbnail(source: Path | bytes, edge: int = 144) -> bytes:
    """Return a small JPEG of an image, or nothing if it can't be read (anymore)."""
    from PIL import Image, ImageOps

    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with quiet_about_size(), Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return b""
            image.draft("RGB", (2 * edge, 2 * edge))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((edge, edge))
            buffer = io.BytesIO()
            opaque(upright, "white").convert("RGB").save(buffer, "JPEG", quality=_QUALITY)
    except Exception:  # noqa: BLE001 - a damaged file can raise anything in a decoder
        return b""
    return buffer.getvalue()


class Thumbnails:
    """Makes thumbnails once, and keeps the last few hundred."""

    def __init__(self, edge: int = 144, most: int = 300) -> None:
        self._made = lru_cache(most)(lambda path, _changed: thumbnail(path, edge))

    def get(self, path: Path) -> bytes:
        """Return the thumbnail of an image as it is now."""
        try:
            return self._made(path, path.stat().st_mtime_ns)
        except OSError:
            return b""
