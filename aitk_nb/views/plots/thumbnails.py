"""`thumbnail`: a small JPEG of a picture, made when it is about to be seen."""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aitk_nb.datasets.local.image_info import FORMATS, MAX_PIXELS, quiet_about_size

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Thumbnails", "thumbnail"]

_QUALITY = 70


def thumbnail(source: Path | BinaryIO, edge: int = 144) -> bytes:
    """Return a small JPEG of an image, or nothing if it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with quiet_about_size(), Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return b""
            image.draft("RGB", (2 * edge, 2 * edge))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((edge, edge))
            buffer = io.BytesIO()
            _on_white(upright).save(buffer, "JPEG", quality=_QUALITY)
    except Exception:  # noqa: BLE001 - a damaged file can raise anything in a decoder
        return b""
    return buffer.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")


class Thumbnails:
    """Makes thumbnails once, and keeps the last few hundred."""

    def __init__(self, edge: int = 144, most: int = 300) -> None:
        self._edge = edge
        self._most = most
        self._kept: OrderedDict[tuple[Path, int], bytes] = OrderedDict()

    def get(self, path: Path) -> bytes:
        """Return the thumbnail of a picture as it is now."""
        try:
            key = (path, path.stat().st_mtime_ns)
        except OSError:
            return b""
        if key not in self._kept:
            self._kept[key] = thumbnail(path, self._edge)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return self._kept[key]
