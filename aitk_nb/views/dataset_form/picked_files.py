"""Files that were picked in the browser: how many bytes of them fit, and where they are kept."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aitk_nb.errors import BadInput
from aitk_nb.models.names import safe_file_name

__all__ = ["SUFFIXES", "megabytes", "private_folder", "store", "upload_limit"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".txt")
"""What can be picked: images and captions."""

# Jupyter takes messages of 10 MiB at most, and drops the connection without a word at more; what
# is left over is for the message around the files.
_JUPYTER = 10_000_000
_COLAB = 1_000_000


def upload_limit(environ: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes of files one message from this page can bring."""
    return _COLAB if "COLAB_RELEASE_TAG" in environ else _JUPYTER


def megabytes(size: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{size / 1e6:.3g} MB"


def private_folder() -> Path:
    """Return a new folder that only this user can open; it goes when the kernel ends."""
    folder = Path(tempfile.mkdtemp(prefix="aitk-nb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def store(files: Iterable[Mapping[str, Any]], folder: Path, limit: int) -> tuple[Path, ...]:
    """Write picked files into `folder` under safe names, all or none, and return their paths.

    Raises:
        BadInput: they are too many bytes, or not all of them are images and captions.
    """
    contents: dict[str, bytes] = {}
    for file in files:
        name = safe_file_name(str(file["name"]))
        if Path(name).suffix.lower() not in SUFFIXES:
            raise BadInput(f"{name!r} is no image ({', '.join(SUFFIXES[:-1])}) and no caption.")
        if name in contents:
            raise BadInput(f"Two of the files become {name!r}: rename one of them.")
        contents[name] = bytes(file["content"])
    total = sum(map(len, contents.values()))
    if total > limit:
        raise BadInput(
            f"The files have {megabytes(total)} together, and at most {megabytes(limit)} can be "
            "picked at once. Put them into a folder of the machine that runs this notebook."
        )
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in contents)
