"""Files of a multipart request, written under a temporary name and then renamed."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile

if TYPE_CHECKING:
    from starlette.requests import Request

# What browsers and the real server's parser do with three characters in file names.
_ESCAPES = {"%0A": "\n", "%0a": "\n", "%0D": "\r", "%0d": "\r", "%22": '"'}


class NotAForm(ValueError):
    """The request is not a form, or its parts are not what the route takes."""


@dataclass(frozen=True)
class Upload:
    """One part of the form that is a file."""

    name: str
    part: UploadFile

    def write(self, target: Path) -> None:
        """Write the content to `target`, which is either whole or not there."""
        partial = target.parent / f".upload-{uuid.uuid4().hex}"
        try:
            with partial.open("wb") as file:
                shutil.copyfileobj(self.part.file, file, 1024 * 1024)
            partial.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise


@dataclass(frozen=True)
class Form:
    """The files of a request and its text fields."""

    files: tuple[Upload, ...]
    fields: dict[str, str]
    odd: bool
    """True when a part named `files` is not a file."""

    def close(self) -> None:
        """Drop what was spooled to disk."""
        for upload in self.files:
            upload.part.file.close()


async def read_form(request: "Request") -> Form:
    """Return the form that `request` carries; `NotAForm` if it carries none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        async for _ in request.stream():
            pass  # a caller who is still sending would see no answer
        raise NotAForm(kind)
    form = await request.form(max_files=10**9, max_fields=10**9)
    parts = form.getlist("files")
    files = [Upload(_name(p.filename or ""), p) for p in parts if isinstance(p, UploadFile)]
    texts = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    return Form(tuple(files), texts, odd=len(files) != len(parts))


def write_all(uploads: Sequence[tuple[Upload, Path]]) -> None:
    """Write every upload to its path, in order."""
    for upload, target in uploads:
        if target.is_dir() or os.sep in target.name:
            raise IsADirectoryError(target)
        upload.write(target)


def _name(sent: str) -> str:
    for escape, char in _ESCAPES.items():
        sent = sent.replace(escape, char)
    return sent
