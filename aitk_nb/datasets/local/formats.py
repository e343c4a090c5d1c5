"""Which files the trainer reads, by their suffixes.

Facts of ostris/ai-toolkit (its web UI's listImages, August 2026).
"""

from pathlib import Path

from aitk_nb.models.dataset import IMAGES as IMAGES
from aitk_nb.models.dataset import SOUNDS as SOUNDS
from aitk_nb.models.dataset import VIDEOS as VIDEOS

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
}
"""The suffixes of each image format that the trainer reads, the usual one first."""
MEDIA = VIDEOS | SOUNDS
UNLISTED = frozenset({".webm", ".aac", ".m4a"})
"""Files that the trainer reads, but the web UI does not list."""
FOREIGN = frozenset({".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jxl", ".tif", ".tiff"})
"""Images that the trainer skips."""
KNOWN = IMAGES | MEDIA | FOREIGN | {".txt", ".caption"}
"""Files that are, or were meant to be, part of a dataset."""


def is_one_of(path: Path, suffixes: frozenset[str]) -> bool:
    """Return whether a file has one of these suffixes, in upper or lower case."""
    return path.suffix.lower() in suffixes
