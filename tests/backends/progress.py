"""Progress and files for tests of transfers."""

from __future__ import annotations

import random
from pathlib import Path

from aitk_nb.backends.base import Upload


def quiet(_done: int, _total: int) -> None:
    """Take progress and show nothing."""


def uploads(folder: Path, *names: str, size: int = 5000) -> tuple[Upload, ...]:
    """Write files with the names into `folder`, and return them as uploads."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(random.Random(name).randbytes(size))
    return tuple(Upload(folder / name, name, size) for name in names)


class Heard:
    """Remembers progress."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.totals: set[int] = set()

    def __call__(self, done: int, total: int) -> None:
        """Remember."""
        self.done.append(done)
        self.totals.add(total)
