"""`Problem`: something wrong with a dataset, with its code, its file and its remedy."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aitk_nb.models.checklist import Check, Checklist, Status


class Code(enum.Enum):
    """What can be wrong; each with its severity, its usual remedy, and whether `fix` does it."""

    slug: str
    """The name that programs read; it does not change."""
    status: Status
    remedy: str
    fixed: bool
    """True if `LocalDataset.fix` takes care of it."""

    def __new__(cls, slug: str, severity: str, remedy: str, fixed: bool = False) -> Code:
        """Return the code whose value is its slug."""
        code = object.__new__(cls)
        code._value_ = code.slug = slug
        code.status = Status.PROBLEM if severity == "error" else Status.WARNING
        code.remedy, code.fixed = remedy, fixed
        return code

    EMPTY_FOLDER = "empty-folder", "error", "put images and captions into it"
    NO_IMAGES = "no-images", "error", "add PNG, JPEG or WebP files"
    UNREADABLE = "unreadable", "error", "export it again, or remove it", True
    TOO_MANY_PIXELS = "too-many-pixels", "error", "make it smaller", True
    TINY = "tiny", "warning", "use a larger image, or remove it"
    BAD_NAME = "bad-name", "error", "rename it", True
    COLLISION = "collision", "error", "rename one of them", True
    CAPTION_NAME_MISMATCH = (
        "caption-name-mismatch",
        "error",
        "give both exactly the same name",
        True,
    )
    NOT_UTF8 = "not-utf8", "error", "save it again in UTF-8", True
    CAPTION_TOO_LONG = "caption-too-long", "error", "make it shorter"
    CAPTION_UNREADABLE = "caption-unreadable", "error", "make it readable, or remove it"
    TOO_MANY_FILES = "too-many-files", "error", "remove some, or use AI Toolkit's web UI"
    TOO_LARGE = "too-large", "error", "make it smaller, or connect without the proxy"
    NEEDS_UNMET = "needs-unmet", "error", "add them, or choose another architecture"
    MISSING_CONTROL = "missing-control", "error", "add one of the same name"
    FOREIGN_FORMAT = "foreign-format", "warning", "save it as PNG, JPEG or WebP", True
    WRONG_SUFFIX = "wrong-suffix", "warning", "use the suffix of its format", True
    TRANSPARENT = "transparent", "warning", "put it on a background", True
    DEEP = "deep", "warning", "save it with 8 bits per color", True
    COLOR_PROFILE = "color-profile", "warning", "convert it to sRGB", True
    ANIMATION = "animation", "warning", "save its frame as an image, or use a video", True
    TOO_SMALL = "too-small", "warning", "use a larger image, or a lower resolution"
    EXTREME_ASPECT = "extreme-aspect", "warning", "crop it"
    DUPLICATE = "duplicate", "warning", "keep one of them", True
    NEAR_DUPLICATE = "near-duplicate", "warning", "keep the better one, unless both are intended"
    NO_CAPTION = "no-caption", "warning", "write one, in a .txt file named like the image"
    EMPTY_CAPTION = "empty-caption", "warning", "write one"
    ORPHAN_CAPTION = "orphan-caption", "warning", "name it like its image", True
    CAPTION_SUFFIX = "caption-suffix", "warning", "a caption's name must end in '.txt'", True
    SHARED_CAPTION = "shared-caption", "warning", "rename one of them", True
    CAPTION_TABLE = "caption-table", "warning", "let fix write them as .txt files", True
    CAPTION_LOST = "caption-lost", "warning", "correct it, or remove it"
    NO_TRIGGER = "no-trigger", "warning", "write it, or [trigger], where it belongs", True
    TRIGGER_UNSET = "trigger-unset", "warning", "set a trigger word, or remove [trigger]"
    HIDDEN = "hidden", "warning", "the server hides names with a dot: rename it"
    SUBFOLDER = "subfolder", "warning", "move its files next to the others"
    DEAD_LINK = "dead-link", "warning", "put the file itself here"
    LINK_OUT = (
        "link-out",
        "warning",
        "put the file itself here, or follow links (follow_links=True, --follow-links)",
    )
    NO_FILE = "no-file", "warning", "only regular files are read"
    UNSAFE_MEMBER = "unsafe-member", "warning", "pack the zip again, with plain names"
    UNMATCHED_CONTROL = "unmatched-control", "warning", "name it like its image"
    IGNORED_MEDIA = "ignored-media", "warning", "choose an architecture that trains on it"
    UNLISTED = "unlisted", "warning", "save it as MP4 or MP3 to see it there"
    NO_VIDEO = "no-video", "warning", "add videos, unless stills are intended"
    LEFT_OUT = "left-out", "warning", "correct it"


UNUSED = frozenset(
    {
        *(Code.CAPTION_TABLE, Code.CAPTION_LOST, Code.CAPTION_SUFFIX, Code.ORPHAN_CAPTION),
        Code.LEFT_OUT,
    }
)
"""Captions and images that are there, and that are not used in training."""


@dataclass(frozen=True, slots=True, init=False)
class Problem(Check):
    """One row of what is wrong with a dataset: a problem prevents training, a warning does not."""

    file: str = ""
    """Name of the file; empty if it concerns the whole dataset."""
    other: str = ""
    """The second file, where two do not fit together."""

    def __init__(self, code: Code, file: str, text: str, remedy: str = "", other: str = "") -> None:
        """Report a problem with a file, or with the whole dataset.

        Args:
            code: What is wrong.
            file: Name of the file; empty for the whole dataset.
            text: What is wrong, in words that follow the file's name.
            remedy: What to do; by default the remedy of the code.
            other: The second file, where two do not fit together.
        """
        message = f"{file!r} {text}" if file else text
        Check.__init__(self, code.slug, code.status, message, remedy or code.remedy)
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "other", other)

    @property
    def code(self) -> Code:
        """What is wrong, as a code."""
        return Code(self.name)  # type: ignore[call-arg]  # a look-up by value

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}"


def sorted_problems(problems: Iterable[Problem]) -> Checklist[Problem]:
    """Return the problems before the warnings, otherwise in the order they were found."""
    return Checklist(sorted(problems, key=lambda problem: problem.status is Status.WARNING))


def by_image(problems: Iterable[Problem], images: Iterable[Path]) -> Mapping[Path, list[Problem]]:
    """Return the problems of each image that has any: its own, and those of its other files.

    Args:
        problems: What is wrong with the dataset.
        images: The images, videos and sounds of the dataset.
    """
    names: dict[str, list[Path]] = defaultdict(list)
    stems: dict[str, list[Path]] = defaultdict(list)
    for path in images:
        names[shown(path)].append(path)
        stems[shown(path.stem)].append(path)
    found: dict[Path, list[Problem]] = defaultdict(list)
    for problem in problems:
        # A control image is named with its folder.
        name = problem.file.rpartition("/")[2]
        for path in names[name] or stems[name] or stems[Path(name).stem]:
            found[path].append(problem)
    return found


def shown(path: Path | str) -> str:
    """Return a file's name as valid text, whatever bytes it has on disk."""
    name = path.name if isinstance(path, Path) else path
    return name.encode("utf-8", "replace").decode()
