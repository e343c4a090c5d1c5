"""`Contents`: what a source holds, read once; problems that no server's limits change."""

from __future__ import annotations

import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aitk_nb.datasets.local.captions import read_caption, read_table
from aitk_nb.datasets.local.control_folders import Controls, control_folders, is_control_folder
from aitk_nb.datasets.local.formats import CONVERTIBLE, FOREIGN, IMAGES, MEDIA, kind_of
from aitk_nb.datasets.local.image_info import Look, look_at_all
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.datasets.local.sources import Source, table_of

__all__ = ["Contents", "read_contents"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a dataset, and what was read of them."""

    images: tuple[Path, ...] = ()
    media: tuple[Path, ...] = ()
    caption_files: tuple[Path, ...] = ()
    controls: tuple[Controls, ...] = ()
    foreign: tuple[Path, ...] = ()
    """Pictures that the trainer passes over, and that can be converted."""
    lonely: tuple[Path, ...] = ()
    """Texts that look like captions, of no image."""
    others: tuple[Path, ...] = ()
    """Files that are nothing of a dataset, as a PDF."""
    captions: Mapping[str, str] = field(default_factory=dict)
    table: Mapping[str, str] = field(default_factory=dict)
    """Captions of a table, by the image's name."""
    looks: Mapping[Path, Look] = field(default_factory=dict)
    sizes: Mapping[Path, int] = field(default_factory=dict)
    """Bytes of each file that belongs to the dataset, its control images too."""
    stamps: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and time of change of each picture, by which it is known again."""
    problems: tuple[Problem, ...] = ()


def read_contents(
    source: Source,
    controls: Sequence[str | Path] = (),
    *,
    follow_links: bool = False,
    progress: Progress | None = None,
    known: Contents | None = None,
) -> Contents:
    """Read what a source holds; a broken file is a problem and never an error.

    Pictures that have not changed since `known` was read are not decoded again.

    Raises:
        InvalidDataset: a folder of control images cannot be opened.
        OSError: the folder lists its files but lets nobody at them.
    """
    left_out = dict(_left_out(source, follow_links=follow_links))
    files = [path for path in source.paths if path not in left_out and _is_ordinary(path)]
    images = tuple(path for path in files if path.suffix.lower() in IMAGES)
    media = tuple(path for path in files if path.suffix.lower() in MEDIA)
    folders = control_folders([path for path in source.paths if path not in left_out], controls)
    sizes = {path: path.stat().st_size for path in (*images, *media)}
    sizes |= {path: path.stat().st_size for one in folders for path in one.files}
    pictures = [path for path in sizes if path.suffix.lower() in IMAGES]
    stamps = {path: (sizes[path], path.stat().st_mtime_ns) for path in pictures}
    looks = _looks(pictures, stamps, known or Contents(), progress)
    texts = {path.stem: path for path in files if path.suffix == ".txt"}
    stems = {path.stem for path in (*images, *media)}
    caption_files = tuple(path for stem, path in texts.items() if stem in stems)
    sizes |= {path: path.stat().st_size for path in caption_files}
    captions, unread = _captions((*images, *media), texts)
    table = table_of(files)
    found = Contents(
        images=images,
        media=media,
        caption_files=caption_files,
        controls=folders,
        foreign=tuple(path for path in files if path.suffix.lower() in CONVERTIBLE),
        lonely=tuple(path for path in files if _is_lonely(path, stems)),
        others=tuple(path for path in files if path != table and _is_other(path)),
        captions=captions,
        table=read_table(table) if table else {},
        looks=looks,
        stamps=stamps,
        sizes=sizes,
    )
    links = sum(
        problem is not None and problem.code is Code.LINK_OUT for problem in left_out.values()
    )
    problems = (
        *source.problems,
        *_absences(source, found, links),
        *_empty_media(found),
        *unread,
        *(problem for problem in left_out.values() if problem is not None),
        *_leftovers(files, found),
        *_table_problems(table, found),
    )
    return replace(found, problems=problems)


def _looks(
    pictures: Sequence[Path],
    stamps: Mapping[Path, tuple[int, int]],
    known: Contents,
    progress: Progress | None,
) -> dict[Path, Look]:
    new = [path for path in pictures if known.stamps.get(path) != stamps[path]]
    seen = look_at_all(new, [stamps[path][0] for path in new], progress)
    fresh = dict(zip(new, seen, strict=True))
    return {path: fresh.get(path) or known.looks[path] for path in pictures}


# -- which files belong --------------------------------------------------------------------------


def _is_ordinary(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _left_out(source: Source, *, follow_links: bool) -> Iterator[tuple[Path, Problem | None]]:
    """Yield the entries that are no files of the dataset, with a problem where they look so."""
    root = source.folder.resolve()
    for path in source.paths:
        if path.name.startswith("."):
            wanted = path.suffix.lower() in IMAGES | MEDIA
            problem = Problem(Code.HIDDEN, shown(path), "is left out")
            yield path, problem if wanted else None
        elif path.is_symlink() and not follow_links and _leads_out(path, root):
            yield path, Problem(Code.LINK_OUT, shown(path), "is a link out of the folder")
        elif path.is_dir():
            if not (is_control_folder(path) or path.name in ("_controls", "__pycache__")):
                yield path, Problem(Code.SUBFOLDER, shown(path), "is left out: it is a folder")
        elif not path.exists():
            if path.suffix.lower() in IMAGES | MEDIA | {".txt"}:
                yield path, Problem(Code.DEAD_LINK, shown(path), "is a link that leads nowhere")
        elif not _is_ordinary(path):
            # A pipe would keep its reader waiting for ever.
            yield path, Problem(Code.NO_FILE, shown(path), "is left out: it is a pipe or a device")


def _leads_out(path: Path, root: Path) -> bool:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return False  # it leads nowhere, which is told otherwise
    return not target.is_relative_to(root)


def _is_other(path: Path) -> bool:
    return not kind_of(path) and path.suffix.lower() != ".txt"


def _is_lonely(path: Path, stems: set[str]) -> bool:
    if path.suffix.lower() != ".txt":
        return False
    return path.suffix != ".txt" or path.stem not in stems


# -- what is wrong with them ---------------------------------------------------------------------


def _absences(source: Source, found: Contents, links: int) -> Iterator[Problem]:
    if not source.paths and not source.problems:
        yield Problem(Code.EMPTY_FOLDER, "", "There is no file in it")
    elif not (found.images or found.media):
        if links:
            text = f"It has no images of its own, only links out of the folder ({links})"
            yield Problem(Code.NO_IMAGES, "", text, Code.LINK_OUT.remedy)
        else:
            yield Problem(Code.NO_IMAGES, "", "It has no images")


def _empty_media(found: Contents) -> Iterator[Problem]:
    for path in found.media:
        if not found.sizes[path]:
            yield Problem(Code.UNREADABLE, shown(path), "is empty (0 bytes)")


def _captions(
    paths: Iterable[Path], texts: Mapping[str, Path]
) -> tuple[dict[str, str], list[Problem]]:
    captions: dict[str, str] = {}
    problems: dict[Path, Problem] = {}
    for path in paths:
        if not (source := texts.get(path.stem)):
            continue
        text = read_caption(source)
        if isinstance(text, Problem):
            problems[source] = text
        else:
            captions[path.name] = text
    return captions, list(problems.values())


def _leftovers(files: Sequence[Path], found: Contents) -> Iterator[Problem]:
    """Yield files that look as if they should count, and do not."""
    alike = {_alike(path.stem): path for path in (*found.images, *found.media)}
    lonely = set(found.lonely)
    for path in files:
        name = shown(path)
        if path.suffix.lower() in FOREIGN:
            yield Problem(Code.FOREIGN_FORMAT, name, "is left out: the trainer does not read it")
        elif path in lonely:
            other = alike.get(_alike(path.stem))
            if other is not None and other.stem != path.stem:
                text = f"and {shown(other)!r} are two names for the server"
                yield Problem(Code.PARTED, name, text, other=shown(other))
            elif path.suffix != ".txt":
                yield Problem(Code.CAPTION_SUFFIX, name, "is left out")
            else:
                yield Problem(Code.LONELY_CAPTION, name, "is left out: no image has its name")


def _alike(stem: str) -> str:
    """Return what people, and some file systems, take for the same name."""
    return unicodedata.normalize("NFC", stem).casefold()


def _table_problems(table: Path | None, found: Contents) -> Iterator[Problem]:
    if table is None:
        return
    names = {path.name for path in (*found.images, *found.media, *found.foreign)}
    useful = [name for name in found.table if name in names and not found.captions.get(name)]
    if useful:
        text = f"holds captions of {len(useful)} images, which the trainer does not read there"
        yield Problem(Code.CAPTION_TABLE, shown(table), text)
