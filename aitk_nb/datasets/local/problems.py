"""`Problem`: something wrong with a dataset, with its code, its file and its remedy."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["Code", "Problem", "Severity", "shown", "sorted_problems"]

Severity: TypeAlias = Literal["error", "warning"]


class Code(enum.Enum):
    """What can be wrong; each with its severity, its usual remedy, and whether `fix` does it."""

    def __init__(self, slug: str, severity: Severity, remedy: str, fixed: bool = False) -> None:
        self.slug = slug
        """The name that programs read; it does not change."""
        self.severity: Severity = severity
        self.remedy = remedy
        self.fixed = fixed
        """True when `LocalDataset.fix` takes care of it."""

    EMPTY_FOLDER = "empty-folder", "error", "put images and captions into it"
    NO_IMAGES = "no-images", "error", "images are PNG, JPEG or WebP files of its own"
    UNREADABLE = "unreadable", "error", "export it again, or take it out", True
    TOO_MANY_PIXELS = "too-many-pixels", "error", "make it smaller", True
    TINY = "tiny", "error", "take a larger picture, or take it out", True
    BAD_NAME = "bad-name", "error", "rename it", True
    COLLISION = "collision", "error", "rename one of them", True
    PARTED = "parted", "error", "give both exactly the same name", True
    NOT_UTF8 = "not-utf8", "error", "save it again in UTF-8", True
    CAPTION_TOO_LONG = "caption-too-long", "error", "make it shorter"
    CAPTION_UNREADABLE = "caption-unreadable", "error", "make it readable, or take it out"
    TOO_MANY_FILES = "too-many-files", "error", "take some out, or use AI Toolkit's web UI"
    TOO_LARGE = "too-large", "error", "make it smaller, or connect past the proxy"
    NEEDS_UNMET = "needs-unmet", "error", "add them, or choose another architecture"
    MISSING_CONTROL = "missing-control", "error", "add one of the same name"
    FOREIGN_FORMAT = "foreign-format", "warning", "save it as PNG, JPEG or WebP", True
    WRONG_SUFFIX = "wrong-suffix", "warning", "give it the suffix of its format", True
    TRANSPARENT = "transparent", "warning", "put it on a background", True
    DEEP = "deep", "warning", "save it with 8 bits for each colour", True
    TOO_SMALL = "too-small", "warning", "take a larger picture, or a lower resolution"
    EXTREME_ASPECT = "extreme-aspect", "warning", "crop it"
    DUPLICATE = "duplicate", "warning", "keep one of them", True
    NEAR_DUPLICATE = "near-duplicate", "warning", "keep the better one, unless both are meant"
    NO_CAPTION = "no-caption", "warning", "write one, in a .txt of the image's name"
    EMPTY_CAPTION = "empty-caption", "warning", "write one"
    LONELY_CAPTION = "lonely-caption", "warning", "name it as its image", True
    CAPTION_SUFFIX = "caption-suffix", "warning", "a caption's name must end in '.txt'", True
    SHARED_CAPTION = "shared-caption", "warning", "rename one of them", True
    CAPTION_TABLE = "caption-table", "warning", "let fix() write them as .txt files", True
    NO_TRIGGER = "no-trigger", "warning", "write it, or [trigger], where it belongs", True
    TRIGGER_UNSET = "trigger-unset", "warning", "set a trigger word, or take [trigger] out"
    HIDDEN = "hidden", "warning", "the server hides names with a dot: rename it"
    SUBFOLDER = "subfolder", "warning", "put its files beside the others"
    DEAD_LINK = "dead-link", "warning", "put the file itself here"
    LINK_OUT = (
        "link-out",
        "warning",
        "put the file itself here, or follow links (follow_links=True, --follow-links)",
    )
    NO_FILE = "no-file", "warning", "only ordinary files are read"
    UNSAFE_MEMBER = "unsafe-member", "warning", "pack the zip anew, with plain names"
    LONELY_CONTROL = "lonely-control", "warning", "name it as its image"
    IGNORED_MEDIA = "ignored-media", "warning", "choose an architecture that trains on it"
    UNLISTED = "unlisted", "warning", "save it as MP4 or MP3 to see it there"
    NO_VIDEO = "no-video", "warning", "add videos, unless stills are meant"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a dataset: an error forbids training, a warning does not."""

    code: Code
    file: str
    """Name of the file; empty when it is about the whole dataset."""
    text: str
    """What is wrong, in words that follow the file's name."""
    remedy: str = ""
    """What to do; empty for what the code says."""
    other: str = ""
    """The second file, where two do not fit together."""

    def __post_init__(self) -> None:
        if not self.remedy:
            object.__setattr__(self, "remedy", self.code.remedy)

    @property
    def severity(self) -> Severity:
        """`error` or `warning`."""
        return self.code.severity

    def __str__(self) -> str:
        text = f"{self.text}: {self.remedy}"
        return f"{self.file!r} {text}" if self.file else text


def sorted_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems, errors first, otherwise in the order in which they were found."""
    return tuple(sorted(problems, key=lambda problem: problem.severity))


def shown(path: Path | str) -> str:
    """Return a file's name in proper text, whatever bytes it has on the disk."""
    name = path.name if isinstance(path, Path) else path
    return name.encode("utf-8", "replace").decode()
