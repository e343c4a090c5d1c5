"""Which files the trainer reads, by their suffixes.

Facts of ostris/ai-toolkit (toolkit/data_loader.py and the web UI's listImages, August 2026).
"""

from __future__ import annotations

from pathlib import Path

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
}
"""The suffixes of each image format that the trainer reads, the usual one first."""
IMAGES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
"""Images that the trainer reads."""
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".webm", ".mkv", ".wmv", ".m4v", ".flv"})
"""Videos that the trainer reads."""
SOUNDS = frozenset({".mp3", ".wav", ".flac", ".aac", ".ogg", ".m4a"})
"""Sounds that the trainer reads."""
MEDIA = VIDEOS | SOUNDS
UNLISTED = frozenset({".webm", ".aac", ".m4a"})
"""Files that the trainer reads, but the web UI does not list."""
CONVERTIBLE = frozenset({".bmp", ".gif", ".jfif", ".tif", ".tiff"})
"""Images that the trainer skips, and that can be converted here."""
FOREIGN = CONVERTIBLE | {".avif", ".heic", ".heif", ".jxl"}
"""Images that the trainer skips."""
KNOWN = IMAGES | MEDIA | FOREIGN | {".txt"}
"""Files that are, or were meant to be, part of a dataset."""


def is_one_of(path: Path, suffixes: frozenset[str]) -> bool:
    """Return whether a file has one of these suffixes, in upper or lower case."""
    return path.suffix.lower() in suffixes
