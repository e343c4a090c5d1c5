"""Which files the trainer reads, by the ends of their names.

Facts of ostris/ai-toolkit (toolkit/data_loader.py and the web UI's listImages, August 2026).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["CONVERTIBLE", "FOREIGN", "IMAGES", "MEDIA", "SOUNDS", "UNLISTED", "VIDEOS", "kind_of"]

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
"""Pictures that the trainer reads."""
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".webm", ".mkv", ".wmv", ".m4v", ".flv"})
"""Videos that the trainer reads."""
SOUNDS = frozenset({".mp3", ".wav", ".flac", ".aac", ".ogg", ".m4a"})
"""Sounds that the trainer reads."""
MEDIA = VIDEOS | SOUNDS
UNLISTED = frozenset({".webm", ".aac", ".m4a"})
"""What the trainer reads, but the web UI does not list."""
CONVERTIBLE = frozenset({".bmp", ".gif", ".jfif", ".tif", ".tiff"})
"""Pictures that the trainer passes over, and that can be converted here."""
FOREIGN = CONVERTIBLE | {".avif", ".heic", ".heif", ".jxl"}
"""Pictures that the trainer passes over."""


def kind_of(path: Path) -> str:
    """Return `image`, `video`, `sound`, `foreign`, or an empty text for anything else."""
    suffix = path.suffix.lower()
    for kind, suffixes in (
        ("image", IMAGES),
        ("video", VIDEOS),
        ("sound", SOUNDS),
        ("foreign", FOREIGN),
    ):
        if suffix in suffixes:
            return kind
    return ""
