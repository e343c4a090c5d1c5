"""What a form knows of a folder: names that complete its path, and a stamp of its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TypeAlias

__all__ = ["Stamp", "completions", "stamp"]

Stamp: TypeAlias = frozenset[tuple[str, int, int]]
"""Name, size and time of each file of a folder."""

_LOOKED_AT = 2000
_OFFERED = 40


def completions(text: str) -> tuple[str, ...]:
    """Return the folders and zips whose path begins with `text`, in the form that is typed."""
    head, tail = os.path.split(text)
    try:
        with os.scandir(Path(head or ".").expanduser()) as entries:
            found = [
                entry.name
                for entry in islice(entries, _LOOKED_AT)
                if entry.name.startswith(tail)
                and (tail.startswith(".") or not entry.name.startswith("."))
                and (entry.name.lower().endswith(".zip") or entry.is_dir())
            ]
    except (OSError, RuntimeError, ValueError):
        return ()  # what is typed so far is no folder, and need not be one
    return tuple(os.path.join(head, name) for name in sorted(found)[:_OFFERED])  # noqa: PTH118


def stamp(folder: Path) -> Stamp:
    """Return what changes when a file of the folder does; empty when it cannot be opened.

    Of a zip it is its own size and time.
    """
    try:
        if folder.is_file():
            about = folder.stat()
            return frozenset({(folder.name, about.st_size, about.st_mtime_ns)})
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
