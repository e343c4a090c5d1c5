"""Captions: text files next to images, tables of them, and changes to many at once."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aitk_nb._files import write
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.errors import BadInput

MAX_BYTES = 1_000_000
"""Bytes; a longer text is not a caption."""
ENDINGS = (".txt", ".caption", ".json")
"""Of caption files, as AI Toolkit and other trainers have them; the first is the trainer's own."""
TEXTS = ("text", "caption", "captions", "prompt", "description", "label", "tags")
"""What captions are called in tables and in JSON, the most usual first."""


def caption_path(image: Path) -> Path:
    """Return the file in which the trainer looks for an image's caption."""
    return image.with_name(f"{image.stem}.txt")


def captions_beside(image: Path) -> tuple[Path, ...]:
    """Return the files in which other programs look for an image's caption, the likeliest first."""
    by_stem = [image.with_name(image.stem + ending) for ending in ENDINGS[1:]]
    return (*by_stem, *(image.with_name(image.name + ending) for ending in ENDINGS))


def text_of(path: Path) -> str:
    """Return the caption in a file of any encoding, or in its JSON; empty if there is none."""
    try:
        text = decoded(path.read_bytes()) if path.stat().st_size <= MAX_BYTES else ""
        found = json.loads(text) if path.suffix.lower() == ".json" else text
    except (OSError, ValueError, RecursionError):
        return ""
    return (first_text(found, TEXTS) if isinstance(found, dict) else str(found)).strip()


def first_text(row: Mapping[str, object], names: Iterable[str]) -> str:
    """Return the first text that is not blank of those that go by the names, or else the first."""
    by_name = {str(key).strip().casefold(): value for key, value in row.items()}
    found = [by_name[name] for name in names if name in by_name]
    lists = (", ".join(map(str, one)) if isinstance(one, list) else one for one in found)
    texts = [text for text in lists if isinstance(text, str)]
    return next((text for text in texts if text.strip()), texts[0] if texts else "")


def read_caption(path: Path) -> str | Problem:
    """Return the caption in a file, or what is wrong with it."""
    name = shown(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as exc:
        return Problem(Code.CAPTION_UNREADABLE, name, why=exc.strerror or exc)
    if len(raw) > MAX_BYTES:
        return Problem(Code.CAPTION_TOO_LONG, name, "is too long for a caption")
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return Problem(Code.NOT_UTF8, name, "is not encoded in UTF-8")


def decoded(raw: bytes) -> str:
    """Return the text of bytes in an unknown encoding: UTF-8, UTF-16 by its mark, or Latin."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Every byte means something in it, and it is what old Windows programs write.
        return raw.decode("cp1252", "replace")


def write_caption(image: Path, text: str) -> Path:
    """Write the caption of an image next to it, and return its path.

    Raises:
        BadInput: It can't be written.
    """
    return write(caption_path(image), f"{text.strip()}\n")


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
    uncaptioned: bool = False
    """Whether an image without a caption gets one of what is added."""

    def __post_init__(self) -> None:
        if self.replace and not self.find:
            raise BadInput("Enter the text to replace.")

    def of(self, caption: str) -> str:
        """Return the changed caption; a prefix or suffix that is there is not added again."""
        if not caption.strip():
            if not self.uncaptioned:
                return caption
            # What is added has no caption to be set off from.
            added = (part.strip(" ,") for part in (self.prefix, self.suffix))
            text = ", ".join(filter(None, added))
        else:
            text = self._changed(caption)
        word = self.trigger.strip()
        if word and word not in text and "[trigger]" not in text:
            text = f"{word}, {text}" if text.strip() else word
        return text.strip()

    def _changed(self, caption: str) -> str:
        text = caption.replace(self.find, self.replace) if self.find else caption
        if self.prefix and not text.startswith(self.prefix.strip()):
            text = self.prefix + text
        if self.suffix and not text.endswith(self.suffix.strip()):
            text = text + self.suffix
        return text
