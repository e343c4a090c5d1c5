"""Images: what is opened at all, and `thumbnail`, a small JPEG of one."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
from functools import lru_cache

FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"),
    *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()),
)
"""What is opened: Pillow knows dozens of formats, some of which start other programs."""

MAX_PIXELS = 64_000_000
"""An image with more is not decoded: 64 megapixels already take 256 MB."""

_QUALITY = 70


@contextmanager
def quiet_about_size() -> Iterator[None]:
    """Silence Pillow's warning about large images, which are a problem of their own here."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def has_alpha(image: Image.Image) -> bool:
    """Return whether some pixels of an image may be transparent."""
    return "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")


def opaque(image: Image.Image, background: str) -> Image.Image:
    """Return an image without transparency, on a background."""
    from PIL import Image

    if not has_alpha(image):
        return image
    layered = image.convert("RGBA")
    paper = Image.new("RGB", layered.size, background)
    paper.paste(layered, mask=layered.getchannel("A"))
    return paper


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
