"""`replacing`: files that appear under their name only when they are whole."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aitk_nb.errors import BadInput

__all__ = ["keeping", "replacing"]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file name that becomes `path` when the block ends without an error.

    Folders on the way are made. After an error nothing is left, and an older file stays.

    Raises:
        BadInput: the file cannot be written.
    """
    target = Path(path).expanduser()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A folder of its own keeps the suffix, and the file gets the user's usual permissions.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as folder:
            draft = Path(folder, f"draft{target.suffix}")
            yield draft
            draft.replace(target)
    except OSError as exc:
        raise BadInput(f"{target} cannot be written: {exc.strerror or exc}.") from exc


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Let the block write `path` anew, and keep an older file of that name under another one.

    When the block fails, the older file has its name back.
    """
    aside = _free_name(path) if path.exists() else None
    if aside:
        path.replace(aside)
    try:
        yield
    except BaseException:
        if aside:
            aside.replace(path)
        raise


def _free_name(path: Path) -> Path:
    """Return a name beside `path` that is not taken, such as `lora.1.safetensors`."""
    for number in itertools.count(1):
        name = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if not name.exists():
            return name
    raise AssertionError  # pragma: no cover  (count never ends)
