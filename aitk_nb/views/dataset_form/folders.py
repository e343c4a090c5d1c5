"""Folders of a form: paths completed, changes noticed, files from the browser kept."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from aitk_nb._units import size
from aitk_nb.errors import BadInput
from aitk_nb.models.names import safe_file_name

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".txt")
"""What can be picked in the browser: images and captions."""

Stamp: TypeAlias = frozenset[tuple[str, int, int]]
"""Name, size and modification time of each file of a folder."""

# Jupyter accepts messages of 10 MiB at most, and silently drops the connection after a larger one;
# the rest is for the message around the files.
_JUPYTER = 10_000_000
_COLAB = 1_000_000
_ENTRIES = 2000
_OFFERED = 40


def completions(text: str) -> tuple[str, ...]:
    """Return the folders and zips whose path starts with `text`, in the form that is typed."""
    head, tail = os.path.split(text)
    try:
        with os.scandir(Path(head or ".").expanduser()) as entries:
            found = [
                entry.name
                for entry in islice(entries, _ENTRIES)
                if entry.name.startswith(tail)
                and (tail.startswith(".") or not entry.name.startswith("."))
                and (entry.name.lower().endswith(".zip") or entry.is_dir())
            ]
    except (OSError, RuntimeError, ValueError):
        return ()  # what is typed so far need not be a folder
    return tuple(os.path.join(head, name) for name in sorted(found)[:_OFFERED])  # noqa: PTH118


def stamp(folder: Path) -> Stamp:
    """Return what changes when a file of the folder does; empty if it can't be opened.

    Of a zip it is its own size and modification time.
    """
    try:
        if folder.is_file():
            return frozenset({_stamp(folder)})
        with os.scandir(folder) as entries:
            return frozenset(map(_stamp, entries))
    except (OSError, ValueError):
        return frozenset()


def _stamp(entry: os.DirEntry[str] | Path) -> tuple[str, int, int]:
    try:
        about = entry.stat()
    except OSError:  # a broken link; its name is enough
        return entry.name, -1, -1
    return entry.name, about.st_size, about.st_mtime_ns


def upload_limit(environ: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes of files one message from this page can bring."""
    return _COLAB if "COLAB_RELEASE_TAG" in environ else _JUPYTER


def private_folder() -> Path:
    """Return a new folder that only this user can open; it is deleted when the kernel ends."""
    folder = Path(tempfile.mkdtemp(prefix="aitk-nb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def store(files: Iterable[Mapping[str, Any]], folder: Path, limit: int) -> None:
    """Write picked files into `folder` under safe names, all or none.

    Raises:
        BadInput: They are too large, or not all of them are images and captions.
    """
    contents: dict[str, bytes] = {}
    for file in files:
        name = safe_file_name(str(file["name"]))
        if Path(name).suffix.lower() not in SUFFIXES:
            raise BadInput(f"{name!r} is not an image ({', '.join(SUFFIXES[:-1])}) or a caption.")
        if name in contents:
            raise BadInput(f"Two of the files would be named {name!r}; rename one of them.")
        contents[name] = bytes(file["content"])
    total = sum(map(len, contents.values()))
    if total > limit:
        raise BadInput(
            f"The files are {size(total)} in total; at most {size(limit)} can be picked at once. "
            "Put them into a folder of the machine that runs this notebook."
        )
    for name, content in contents.items():
        (folder / name).write_bytes(content)
