"""`LocalDataset`: the images and captions of a folder, and what is wrong with them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from aitk_nb import _html
from aitk_nb._image_check import image_problem
from aitk_nb.errors import BadInput, InvalidDataset

__all__ = ["LocalDataset", "Problem"]

Rename: TypeAlias = Callable[[str], str]
"""Returns the name that the server will give to a file."""

_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_MEDIA = frozenset(
    {".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".flv", ".mp3", ".wav", ".flac", ".ogg"}
)
_OTHER_IMAGES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jxl", ".tif", ".tiff"}
)
_MAX_CAPTION = 1_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a dataset: an error forbids training, a warning does not."""

    severity: Literal["error", "warning"]
    file: str
    """Name of the file; empty when it is about the whole folder."""
    text: str
    """What is wrong and what to do, in words that follow the file's name."""

    def __str__(self) -> str:
        return f"{self.file!r} {self.text}" if self.file else self.text


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """A folder of images with captions, as it was when it was scanned."""

    folder: Path
    images: tuple[Path, ...] = ()
    """The images in natural order: `a2.png` before `a10.png`."""
    media: tuple[Path, ...] = ()
    """Videos and sounds."""
    caption_files: tuple[Path, ...] = ()
    """The captions' files, each beside an image, a video or a sound of its name."""
    captions: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Caption by the image's name; an image without one is missing here."""
    total_bytes: int = 0
    """Of all `files`."""
    problems: tuple[Problem, ...] = ()
    """What is wrong, errors first."""

    @classmethod
    def scan(cls, folder: str | Path, *, rename: Rename = str) -> LocalDataset:
        """Look at every file of `folder` and return what is there, with all that is wrong.

        Subfolders are left out. `rename` tells the name that the server will give to a file, so
        that files which would become one are found before they overwrite each other.

        Raises:
            InvalidDataset: there is no such folder, or it cannot be opened.
        """
        path = Path(folder).expanduser()
        try:
            return _scanned(path, _listing(path), rename)
        except OSError as exc:  # a folder that lists its files but lets nobody at them
            why = exc.strerror or str(exc)
            raise InvalidDataset(str(path), [f"Its files cannot be read: {why}."]) from exc

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that belong to the dataset: images, videos, sounds and captions."""
        return (*self.images, *self.media, *self.caption_files)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that forbid training."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def check(self) -> LocalDataset:
        """Return this dataset if it has no errors.

        Raises:
            InvalidDataset: it has some.
        """
        if self.errors:
            raise InvalidDataset(str(self.folder), [f"{problem}." for problem in self.errors])
        return self

    def __repr__(self) -> str:
        warnings = len(self.problems) - len(self.errors)
        return (
            f"<LocalDataset {self.folder.name!r} {len(self.images)} images, "
            f"{len(self.captions)} captions, {len(self.errors)} errors, {warnings} warnings>"
        )

    def _repr_html_(self) -> str:
        counts: list[tuple[object, object]] = [
            ("folder", self.folder.name),
            ("images", len(self.images)),
            ("captions", len(self.captions)),
            ("size", f"{self.total_bytes / 1e6:.1f} MB"),
        ]
        if self.media:
            counts.insert(2, ("videos and sounds", len(self.media)))
        if not self.problems:
            return _html.definition([*counts, ("problems", _html.badge("none", "ok"))])
        rows = [
            (_html.badge(problem.severity, problem.severity), problem.file, problem.text)
            for problem in self.problems[:20]
        ]
        more = len(self.problems) - len(rows)
        rest = _html.note(f"and {more} more, see .problems") if more else ""
        headers = ("", "file", "what is wrong")
        return _html.join([_html.definition(counts), _html.table(headers, rows), rest])


def _listing(folder: Path) -> list[Path]:
    """Return the files of a folder, without hidden ones' folders, in natural order."""
    try:
        with os.scandir(folder) as entries:
            paths = [Path(entry.path) for entry in entries]
    except FileNotFoundError as exc:
        raise InvalidDataset(str(folder), ["There is no such folder."]) from exc
    except NotADirectoryError as exc:
        raise InvalidDataset(str(folder), ["It is a file, not a folder."]) from exc
    except PermissionError as exc:
        raise InvalidDataset(str(folder), ["You may not open this folder."]) from exc
    except (OSError, ValueError) as exc:  # a loop of links, a name too long, a NUL in it
        raise InvalidDataset(repr(str(folder)), [f"It cannot be opened: {exc}."]) from exc
    return sorted(paths, key=lambda path: _natural(path.name))


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts numbers in names by their value."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    # A number without its zeros is the smaller, the shorter it is.
    numbers = [part.lstrip("0") if part[0] in "0123456789" else None for part in parts]
    return [
        (0, f"{len(number):03}{number}") if number is not None else (1, part)
        for part, number in zip(parts, numbers, strict=True)
    ], name


def _scanned(folder: Path, paths: list[Path], rename: Rename) -> LocalDataset:
    visible = [path for path in paths if not path.name.startswith(".")]
    files = [path for path in visible if path.is_file()]
    images = [path for path in files if path.suffix.lower() in _IMAGES]
    media = [path for path in files if path.suffix.lower() in _MEDIA]
    texts = {path.stem: path for path in files if path.suffix == ".txt"}
    shown = {path.stem for path in (*images, *media)}
    caption_files = [path for stem, path in texts.items() if stem in shown]
    captions, unreadable = _captions((*images, *media), texts)
    belonging = (*images, *media, *caption_files)
    problems = [
        *_absences(paths, images, media),
        *_image_problems((*images, *media)),
        *unreadable,
        *_caption_problems((*images, *media), texts, captions, {p.file for p in unreadable}),
        *_leftovers(paths, shown),
        *_collisions(belonging, rename),
    ]
    return LocalDataset(
        folder=folder,
        images=tuple(images),
        media=tuple(media),
        caption_files=tuple(caption_files),
        captions=captions,
        total_bytes=sum(path.stat().st_size for path in belonging),
        problems=tuple(sorted(problems, key=lambda problem: problem.severity)),
    )


def _absences(paths: list[Path], images: list[Path], media: list[Path]) -> Iterator[Problem]:
    if not paths:
        yield Problem("error", "", "The folder is empty: put images and captions into it")
    elif not (images or media):
        kinds = ", ".join(sorted(kind[1:] for kind in _IMAGES))
        yield Problem("error", "", f"The folder has no images ({kinds}) of its own")


def _image_problems(paths: Iterable[Path]) -> list[Problem]:
    """Decode every image, a few at a time, and return what is wrong with them."""

    def look(path: Path) -> str | None:
        return image_problem(path, decode=path.suffix.lower() in _IMAGES)

    files = list(paths)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        found = zip(files, pool.map(look, files), strict=True)
        return [Problem("error", _shown(path), text) for path, text in found if text]


def _captions(
    paths: Iterable[Path], texts: Mapping[str, Path]
) -> tuple[dict[str, str], list[Problem]]:
    captions: dict[str, str] = {}
    problems: dict[Path, Problem] = {}
    for path in paths:
        if not (source := texts.get(path.stem)):
            continue
        try:
            captions[path.name] = _caption(source)
        except BadInput as exc:
            problems[source] = Problem("error", _shown(source), str(exc))
    return captions, list(problems.values())


def _caption(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_CAPTION + 1)
        if len(raw) > _MAX_CAPTION:
            raise BadInput("is far too long for a caption")
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as exc:
        raise BadInput("is not written in UTF-8: save it again in that encoding") from exc
    except OSError as exc:
        raise BadInput(f"cannot be opened: {exc.strerror or exc}") from exc


def _caption_problems(
    paths: Iterable[Path], texts: Mapping[str, Path], captions: Mapping[str, str], bad: set[str]
) -> Iterator[Problem]:
    without = [path for path in paths if path.stem not in texts]
    if without and not captions and not bad:
        yield Problem("warning", "", "No image has a caption (a .txt of the same name beside it)")
        without = []
    for path in without:
        yield Problem("warning", _shown(path), f"has no caption ({_shown(path.stem)}.txt)")
    for name, text in captions.items():
        if not text:
            yield Problem("warning", _shown(name), "has an empty caption")


def _leftovers(paths: Iterable[Path], shown: set[str]) -> Iterator[Problem]:
    """Yield warnings of files that look as if they should count, and do not."""
    for path in paths:
        suffix, name = path.suffix.lower(), _shown(path)
        if path.name.startswith("."):
            if suffix in _IMAGES | _MEDIA:
                yield Problem("warning", name, "is left out: the server hides names with a dot")
        elif path.is_dir():
            yield Problem("warning", name, "is left out: it is a folder in the folder")
        elif suffix in _IMAGES | _MEDIA and not path.is_file():
            yield Problem("warning", name, "is left out: it is a link that leads nowhere")
        elif suffix in _OTHER_IMAGES:
            yield Problem("warning", name, "is left out: save it as PNG, JPEG or WebP")
        elif suffix == ".txt" and path.suffix != ".txt":
            yield Problem("warning", name, "is left out: a caption's name must end in '.txt'")
        elif suffix == ".txt" and path.stem not in shown:
            yield Problem("warning", name, "is left out: there is no image of its name")


def _collisions(paths: Iterable[Path], rename: Rename) -> Iterator[Problem]:
    """Yield what would become one on the server, or cannot be sent."""
    names = [path.name for path in paths if _shown(path) == path.name]
    for path in paths:
        if _shown(path) != path.name:
            yield Problem("error", _shown(path), "has a name that is no proper text: rename it")
    stored: dict[str, str] = {}
    for stem in dict.fromkeys(Path(name).stem for name in names):
        # What shares a stem shares a caption, so two stems must not become one.
        other = stored.setdefault(Path(rename(f"{stem}.txt")).stem, stem)
        if other != stem:
            text = f"becomes the same name on the server as {other!r}: rename one of them"
            yield Problem("error", stem, text)
    stems = Counter(Path(name).stem for name in names if not name.endswith(".txt"))
    for stem, count in stems.items():
        if count > 1:
            yield Problem("warning", stem, f"names {count} images, which share one caption")


def _shown(path: Path | str) -> str:
    """Return a file's name in proper text, whatever bytes it has on the disk."""
    name = path.name if isinstance(path, Path) else path
    return name.encode("utf-8", "replace").decode()
