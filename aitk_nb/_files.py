"""Files: written whole or not at all, kept under another name, and their checksums."""

import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aitk_nb.errors import AitkError, BadInput, Rejected, UnexpectedReply


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        AitkError: The file can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise AitkError(f"{path} can't be read: {exc.strerror or exc}.") from exc


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file name that becomes `path` when the block ends without an error.

    Folders on the way are made. After an error nothing is left, and an older file stays.

    Raises:
        BadInput: The file can't be written.
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
        raise BadInput(f"{target} can't be written: {exc.strerror or exc}.") from exc


_BINARY = getattr(os, "O_BINARY", 0)  # Windows has it

KEPT = 2**20
"""Bytes of a file from which what is left of an older version of it is looked for, and removed."""


@contextmanager
def resuming(path: Path, version: str) -> Iterator[BinaryIO]:
    """Yield a file with what an earlier call has written, which becomes `path` in the end.

    When the block, or the process, is cut short, it stays for the next call that writes the same
    `version` of `path`. Whoever writes it at the same time writes the same bytes.

    Raises:
        BadInput: The file can't be written; nothing of it is left.
        Rejected: As the block did: what was begun is not there anymore, so that nothing is left.
        UnexpectedReply: Likewise.
    """
    partial = path.with_name(f"{_beginning(path)}{_short_digest(version)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | _BINARY, 0o666), "r+b") as file:
            yield file
        try:
            partial.replace(path)
        except FileNotFoundError:
            # Who writes the same at the same time was quicker.
            if not path.exists():
                raise
        for older in partials(path) if path.stat().st_size >= KEPT else ():
            older.unlink(missing_ok=True)
    except (OSError, Rejected, UnexpectedReply) as exc:
        with suppress(OSError):
            partial.unlink()
        if isinstance(exc, OSError):
            raise BadInput(f"{path} can't be written: {exc.strerror or exc}.") from exc
        raise
    finally:
        with suppress(OSError):
            if not partial.stat().st_size:
                partial.unlink()


def partials(path: Path) -> list[Path]:
    """Return what `resuming` has written of a file that is not whole yet."""
    return list(path.parent.glob(f"{_beginning(path)}*"))


def _beginning(path: Path) -> str:
    return f".aitk-{_short_digest(path.name)}-"


def _short_digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:12]


def write(path: str | Path, content: bytes | str) -> Path:
    """Write a file as `replacing` does, and return its path.

    Raises:
        BadInput: The file can't be written.
    """
    # A text of a server may hold half a character, which no file can.
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    target = Path(path).expanduser()
    with replacing(target) as draft:
        draft.write_bytes(data)
    return target


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Keep an older file under another name while the block writes `path`.

    If the block fails, the older file gets its name back.
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
    """Return a free name next to `path`, such as `lora.1.safetensors`."""
    names = (path.with_name(f"{path.stem}.{n}{path.suffix}") for n in itertools.count(1))
    return next(name for name in names if not name.exists())
