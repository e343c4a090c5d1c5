"""`Problem`: something wrong with a dataset, with its code, its file and its remedy."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aitk_nb._yaml import facts
from aitk_nb.models.checklist import Check, Checklist, Status


class Code(enum.Enum):
    """What can be wrong; each with what `problems.yaml` says of it."""

    slug: str
    """The name that programs read; it does not change."""
    status: Status
    remedy: str
    text: str
    """The usual words, which follow the name of the file."""
    fixed: bool
    """True if `LocalDataset.fix` takes care of it."""

    def __new__(cls, slug: str) -> Code:
        """Return the code whose value is its slug."""
        code, known = object.__new__(cls), facts("aitk_nb.datasets.local", "problems")[slug]
        code._value_ = code.slug = slug
        code.status = Status.PROBLEM if known["severity"] == "error" else Status.WARNING
        code.remedy, code.text = known["remedy"], known.get("text", "")
        code.fixed = known.get("fixed", False)
        return code

    EMPTY_FOLDER = "empty-folder"
    NO_IMAGES = "no-images"
    UNREADABLE = "unreadable"
    TOO_MANY_PIXELS = "too-many-pixels"
    TINY = "tiny"
    BAD_NAME = "bad-name"
    COLLISION = "collision"
    CAPTION_NAME_MISMATCH = "caption-name-mismatch"
    NOT_UTF8 = "not-utf8"
    CAPTION_TOO_LONG = "caption-too-long"
    CAPTION_UNREADABLE = "caption-unreadable"
    TOO_MANY_FILES = "too-many-files"
    TOO_LARGE = "too-large"
    NEEDS_UNMET = "needs-unmet"
    MISSING_CONTROL = "missing-control"
    FOREIGN_FORMAT = "foreign-format"
    WRONG_SUFFIX = "wrong-suffix"
    TRANSPARENT = "transparent"
    DEEP = "deep"
    COLOR_PROFILE = "color-profile"
    ANIMATION = "animation"
    TOO_SMALL = "too-small"
    EXTREME_ASPECT = "extreme-aspect"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near-duplicate"
    NO_CAPTION = "no-caption"
    EMPTY_CAPTION = "empty-caption"
    ORPHAN_CAPTION = "orphan-caption"
    CAPTION_SUFFIX = "caption-suffix"
    SHARED_CAPTION = "shared-caption"
    CAPTION_TABLE = "caption-table"
    CAPTION_LOST = "caption-lost"
    NO_TRIGGER = "no-trigger"
    TRIGGER_UNSET = "trigger-unset"
    HIDDEN = "hidden"
    SUBFOLDER = "subfolder"
    DEAD_LINK = "dead-link"
    LINK_OUT = "link-out"
    NO_FILE = "no-file"
    UNSAFE_MEMBER = "unsafe-member"
    UNMATCHED_CONTROL = "unmatched-control"
    IGNORED_MEDIA = "ignored-media"
    UNLISTED = "unlisted"
    NO_VIDEO = "no-video"
    LEFT_OUT = "left-out"


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

    def __init__(
        self,
        code: Code,
        file: str,
        text: str = "",
        remedy: str = "",
        other: str = "",
        **words: object,
    ) -> None:
        """Report a problem with a file, or with the whole dataset.

        Args:
            code: What is wrong.
            file: Name of the file; empty for the whole dataset.
            text: What is wrong, in words that follow the file's name; by default those of the code.
            remedy: What to do; by default the remedy of the code.
            other: The second file, where two do not fit together.
            **words: What is put into the words of the code.
        """
        text = text or code.text.format(other=other, **words)
        message = f"{file!r} {text}" if file else text
        Check.__init__(self, code.slug, code.status, message, remedy or code.remedy)
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "other", other)

    @property
    def code(self) -> Code:
        """What is wrong, as a code."""
        return Code(self.name)

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
