"""Captions: text files next to images, tables of them, and changes to many at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aitk_nb._files import write
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.errors import BadInput

MAX_BYTES = 1_000_000
"""Bytes; a longer text is not a caption."""
_MAX_TABLE = 100_000_000

TABLES = ("metadata.jsonl", "metadata.csv", "captions.csv", "captions.jsonl")
"""Names of tables of captions, as Hugging Face's image folders and other trainers have them."""

_FILES = ("file_name", "file", "filename", "image", "image_path", "path", "name")
_TEXTS = ("text", "caption", "prompt", "description", "label")


def caption_path(image: Path) -> Path:
    """Return the file in which the trainer looks for an image's caption."""
    return image.with_name(f"{image.stem}.txt")


def read_caption(path: Path) -> str | Problem:
    """Return the caption in a file, or what is wrong with it."""
    name = shown(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as exc:
        why = f"can't be opened ({exc.strerror or exc})"
        return Problem(Code.CAPTION_UNREADABLE, name, why)
    if len(raw) > MAX_BYTES:
        return Problem(Code.CAPTION_TOO_LONG, name, "is too long for a caption")
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return Problem(Code.NOT_UTF8, name, "is not encoded in UTF-8")


def decoded(raw: bytes) -> str:
    """Return the text of bytes in an unknown encoding: UTF-8, UTF-16 by its mark, or Latin."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace").strip()
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        # Every byte means something in it, and it is what old Windows programs write.
        return raw.decode("cp1252", "replace").strip()


def write_caption(image: Path, text: str) -> Path:
    """Write the caption of an image next to it, and return its path.

    Raises:
        BadInput: It can't be written.
    """
    return write(caption_path(image), f"{text.strip()}\n")


# -- tables ----------------------------------------------------------------------------------


def read_table(path: Path) -> dict[str, str]:
    """Return the captions of a `.jsonl` or `.csv` by file name; rows without both are skipped."""
    try:
        if path.stat().st_size > _MAX_TABLE:
            return {}
        text = decoded(path.read_bytes())
    except OSError:
        return {}
    rows = _json_rows(text) if path.suffix.lower() == ".jsonl" else _csv_rows(text)
    found = ((_first(row, _FILES), _first(row, _TEXTS)) for row in rows)
    return {Path(file.replace("\\", "/")).name: caption for file, caption in found if file}


def _json_rows(text: str) -> Iterator[Mapping[str, object]]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield row


def _csv_rows(text: str) -> Iterator[Mapping[str, object]]:
    try:
        yield from csv.DictReader(io.StringIO(text.replace("\0", "")))
    except csv.Error:
        return


def _first(row: Mapping[str, object], names: Iterable[str]) -> str:
    by_name = {str(key).strip().casefold(): value for key, value in row.items()}
    for name in names:
        if isinstance(value := by_name.get(name), str) and value.strip():
            return value.strip()
    return ""


# -- changes to many ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to captions: what to replace, then what to add before and after."""

    find: str = ""
    replace: str = ""
    prefix: str = ""
    suffix: str = ""
    trigger: str = ""
    """A word to put before captions that have neither it nor [trigger]."""

    def __post_init__(self) -> None:
        if self.replace and not self.find:
            raise BadInput("Enter the text to replace.")

    def of(self, caption: str) -> str:
        """Return the changed caption; a prefix or suffix that is there is not added again."""
        text = caption.replace(self.find, self.replace) if self.find else caption
        if self.prefix and not text.startswith(self.prefix.strip()):
            text = self.prefix + text
        if self.suffix and not text.endswith(self.suffix.strip()):
            text = text + self.suffix
        word = self.trigger.strip()
        if word and word not in text and "[trigger]" not in text:
            text = f"{word}, {text}" if text.strip() else word
        return text.strip()
