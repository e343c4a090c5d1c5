"""What a form shows of a folder: names that complete a path, a stamp, and small pictures."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from aitk_nb.local_dataset import LocalDataset

__all__ = ["Stamp", "completions", "stamp", "thumbnails"]

Stamp: TypeAlias = frozenset[tuple[str, int, int]]
"""Name, size and time of each file of a folder."""

_LOOKED_AT = 2000
_OFFERED = 40
_EDGE = 144


def completions(text: str) -> tuple[str, ...]:
    """Return the folders whose path begins with `text`, in the form in which it is typed."""
    head, tail = os.path.split(text)
    try:
        with os.scandir(Path(head or ".").expanduser()) as entries:
            found = [
                entry.name
                for entry in islice(entries, _LOOKED_AT)
                if entry.name.startswith(tail)
                and (tail.startswith(".") or not entry.name.startswith("."))
                and entry.is_dir()
            ]
    except (OSError, RuntimeError, ValueError):
        return ()  # what is typed so far is no folder, and need not be one
    return tuple(os.path.join(head, name) for name in sorted(found)[:_OFFERED])  # noqa: PTH118


def stamp(folder: Path) -> Stamp:
    """Return what changes when a file of the folder does; empty when it cannot be opened."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(_stamps(entries))
    except (OSError, ValueError):
        return frozenset()


def _stamps(entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, int, int]]:
    for entry in entries:
        try:
            about = entry.stat()
        except OSError:  # a link that leads nowhere; its name is enough
            yield entry.name, -1, -1
        else:
            yield entry.name, about.st_size, about.st_mtime_ns


def thumbnails(dataset: LocalDataset, most: int = 12) -> list[tuple[bytes, str]]:
    """Return small JPEG pictures of the first images, each with its caption or its name."""
    bad = {problem.file for problem in dataset.errors}
    images = [image for image in dataset.images if image.name not in bad][:most]
    found = ((_small(image), dataset.captions.get(image.name) or image.name) for image in images)
    return [(picture, caption) for picture, caption in found if picture]


def _small(path: Path) -> bytes:
    """Return a small JPEG of a picture, or nothing when it cannot be read any more."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * _EDGE, 2 * _EDGE))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((_EDGE, _EDGE))
            buffer = io.BytesIO()
            upright.convert("RGB").save(buffer, "JPEG", quality=70)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return b""
    return buffer.getvalue()
