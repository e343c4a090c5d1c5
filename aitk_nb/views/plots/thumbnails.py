"""`Thumbnails`: small JPEGs of images, made only when they are shown."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aitk_nb._display.images import thumbnail


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
