"""`Contents`: what a source holds, and the problems of its files that no server changes."""

import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aitk_nb._units import plural
from aitk_nb.backends.base import Progress
from aitk_nb.datasets.local.caption_tables import CaptionTable, is_table, read_table
from aitk_nb.datasets.local.captions import ENDINGS, captions_beside, read_caption, text_of
from aitk_nb.datasets.local.control_folders import Controls, control_folders, is_control_folder
from aitk_nb.datasets.local.duplicates import originals_first
from aitk_nb.datasets.local.formats import FOREIGN, IMAGES, KNOWN, MEDIA, is_one_of
from aitk_nb.datasets.local.image_info import ImageInfo, read_all
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.datasets.local.sources import Source


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a dataset, and what was read of them."""

    images: tuple[Path, ...] = ()
    media: tuple[Path, ...] = ()
    caption_files: tuple[Path, ...] = ()
    controls: tuple[Controls, ...] = ()
    foreign: tuple[Path, ...] = ()
    """Images in formats that the trainer skips."""
    orphans: tuple[Path, ...] = ()
    """Texts that look like captions, without an image."""
    others: tuple[Path, ...] = ()
    """Files that are not part of the dataset, such as a PDF."""
    captions: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[Path, tuple[str, Path]] = field(default_factory=dict)
    """The caption of an image that is in another file than the trainer reads, and that file."""
    tables: tuple[CaptionTable, ...] = ()
    blank: tuple[Path, ...] = ()
    """Caption files of other endings without a caption."""
    sidecars: tuple[Path, ...] = ()
    """Caption files of other endings, which the trainer reads if the job says so."""
    image_info: Mapping[Path, ImageInfo] = field(default_factory=dict)
    sizes: Mapping[Path, int] = field(default_factory=dict)
    """Bytes of each file that belongs to the dataset, including its control images."""
    stamps: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and modification time of each image, by which a change is noticed."""
    problems: tuple[Problem, ...] = ()

    @property
    def trained(self) -> tuple[Path, ...]:
        """The images, videos and sounds."""
        return (*self.images, *self.media)

    def sidecar(self, path: Path) -> Path | None:
        """Return the caption file of another ending that has the only caption of an image.

        Args:
            path: The image.
        """
        file = self.elsewhere.get(path, ("", path))[1]
        is_own = bool(self.captions.get(path.name)) or file not in captions_beside(path)
        return None if is_own else file

    @property
    def all_images(self) -> list[Path]:
        """The images, foreign ones last; of equal ones, the one to keep comes first."""
        return [*originals_first(self.images), *originals_first(self.foreign)]


def read_contents(
    source: Source,
    controls: Sequence[str | Path] = (),
    *,
    follow_links: bool = False,
    progress: Progress | None = None,
    known: Contents | None = None,
) -> Contents:
    """Read what a source holds; a broken file is a problem and never an error.

    Images that have not changed since `known` was read are not decoded again.

    Raises:
        InvalidDataset: A folder of control images can't be opened.
        OSError: The folder lists its files but does not let them be read.
    """
    left_out = dict(_left_out(source, follow_links=follow_links))
    belonging = [path for path in source.paths if path not in left_out]
    files = [path for path in belonging if _is_regular(path)]
    # Of an image that is left out, so is its control image.
    gone = {path.stem for path in source.left_out} - {path.stem for path in files}
    folders = tuple(
        replace(folder, files=tuple(path for path in folder.files if path.stem not in gone))
        for folder in control_folders(belonging, controls)
    )
    found = Contents(
        images=tuple(path for path in files if is_one_of(path, IMAGES)),
        media=tuple(path for path in files if is_one_of(path, MEDIA)),
        foreign=tuple(path for path in files if is_one_of(path, FOREIGN)),
        controls=folders,
    )
    stats = {path: path.stat() for path in found.trained}
    stats |= {path: path.stat() for folder in folders for path in folder.files}
    sizes = {path: about.st_size for path, about in stats.items()}
    stats |= {path: path.stat() for path in found.foreign}
    stamps = {
        path: (about.st_size, about.st_mtime_ns)
        for path, about in stats.items()
        if is_one_of(path, IMAGES | FOREIGN)
    }
    texts = {path.stem: path for path in files if path.suffix == ".txt"}
    stems = {path.stem for path in found.trained}
    caption_files = tuple(path for stem, path in texts.items() if stem in stems)
    captions, unread = _captions(found.trained, texts)
    regular = set(files)
    beside = {
        path: [one for one in captions_beside(path) if one in regular]
        for path in (*found.trained, *found.foreign)
    }
    others = {one: text_of(one) for paths in beside.values() for one in paths}
    tables = [read_table(path) for path in files if is_table(path, stems) and path not in others]
    used = {*others, *(table.path for table in tables)}
    found = replace(
        found,
        caption_files=caption_files,
        orphans=tuple(path for path in files if path not in used and _is_orphan(path, stems)),
        others=tuple(path for path in files if path not in used and not is_one_of(path, KNOWN)),
        captions=captions,
        elsewhere=_elsewhere(beside, others, tables),
        tables=tuple(tables),
        blank=tuple(one for one, text in others.items() if not text),
        sidecars=tuple(one for one, text in others.items() if text and one.stem in stems),
        image_info=_image_info(stamps, known or Contents(), progress),
        stamps=stamps,
        sizes=sizes | {path: path.stat().st_size for path in (*caption_files, *others)},
    )
    outside = [problem for problem in left_out.values() if problem is not None]
    problems = (
        *source.problems,
        *_absences(source, found, sum(problem.code is Code.LINK_OUT for problem in outside)),
        *(
            Problem(Code.UNREADABLE, shown(path), "is empty (0 bytes)")
            for path in found.media
            if not sizes[path]
        ),
        *unread,
        *outside,
        *_leftovers(files, found),
    )
    return replace(found, problems=problems)


def _image_info(
    stamps: Mapping[Path, tuple[int, int]], known: Contents, progress: Progress | None
) -> dict[Path, ImageInfo]:
    new = [path for path, stamp in stamps.items() if known.stamps.get(path) != stamp]
    fresh = dict(zip(new, read_all(new, [stamps[path][0] for path in new], progress), strict=True))
    return {path: fresh.get(path) or known.image_info[path] for path in stamps}


# -- which files belong --------------------------------------------------------------------------


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _left_out(source: Source, *, follow_links: bool) -> Iterator[tuple[Path, Problem | None]]:
    """Yield the entries that are not files of the dataset, with a problem if they look so."""
    root = source.folder.resolve()
    for path in source.paths:
        name = shown(path)
        if path.name.startswith("."):
            wanted = is_one_of(path, IMAGES | MEDIA)
            yield path, Problem(Code.HIDDEN, name, "is left out") if wanted else None
        elif path.is_symlink() and not follow_links and _leads_out(path, root):
            yield path, Problem(Code.LINK_OUT, name, "is a link out of the folder")
        elif path.is_dir():
            if not (is_control_folder(path) or path.name in ("_controls", "__pycache__")):
                yield path, Problem(Code.SUBFOLDER, name, "is left out: it is a folder")
        elif not path.exists():
            if is_one_of(path, IMAGES | MEDIA | {".txt"}):
                yield path, Problem(Code.DEAD_LINK, name, "is a broken link")
        elif not _is_regular(path):
            # A pipe would keep its reader waiting for ever.
            yield path, Problem(Code.NO_FILE, name, "is left out: it is a pipe or a device")


def _leads_out(path: Path, root: Path) -> bool:
    try:
        return not path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False  # a broken link, which is another problem


def _is_orphan(path: Path, stems: set[str]) -> bool:
    suffix = path.suffix.lower()
    return suffix == ".caption" or (
        suffix == ".txt" and (path.suffix != ".txt" or path.stem not in stems)
    )


# -- what is wrong with them ---------------------------------------------------------------------


def _absences(source: Source, found: Contents, links: int) -> Iterator[Problem]:
    if not source.paths and not source.problems:
        yield Problem(Code.EMPTY_FOLDER, "", "The folder is empty")
    elif not found.trained and links:
        text = f"It has no images of its own, only {plural(links, 'link')} out of the folder"
        yield Problem(Code.NO_IMAGES, "", text, Code.LINK_OUT.remedy)
    elif not found.trained:
        yield Problem(Code.NO_IMAGES, "", "It has no images")


def _captions(
    paths: Iterable[Path], texts: Mapping[str, Path]
) -> tuple[dict[str, str], list[Problem]]:
    captions: dict[str, str] = {}
    problems: dict[Path, Problem] = {}
    for path in paths:
        if source := texts.get(path.stem):
            text = read_caption(source)
            if isinstance(text, Problem):
                problems[source] = text
            else:
                captions[path.name] = text
    return captions, list(problems.values())


def _leftovers(files: Sequence[Path], found: Contents) -> Iterator[Problem]:
    """Yield files that look as if they should count, and do not."""
    by_name = {alike(path.stem): path for path in found.trained}
    orphans = set(found.orphans)
    stems = {path.stem for path in orphans}
    foreign = {path.stem for path in found.foreign}
    for path in files:
        name = shown(path)
        if is_one_of(path, FOREIGN):
            info = found.image_info[path]
            caption = " with its caption" if path.stem in stems else ""
            text = f"is left out{caption}: the trainer skips {path.suffix.lower()} files"
            remedy = Code.ANIMATION.remedy if info.is_animated else ""
            if not info.is_readable:
                remedy = f"export it again as PNG or JPEG: it {info.why}"
            yield Problem(Code.FOREIGN_FORMAT, name, text, remedy)
        elif path in orphans and path.stem not in foreign:
            other = by_name.get(alike(path.stem))
            if other is not None and other.stem != path.stem:
                text = f"and {shown(other)!r} are two different names on the server"
                yield Problem(Code.CAPTION_NAME_MISMATCH, name, text, other=shown(other))
            elif path.suffix not in ENDINGS:
                yield Problem(Code.CAPTION_SUFFIX, name, "is left out")
            else:
                yield Problem(Code.ORPHAN_CAPTION, name, "is left out: no image has this name")


def alike(stem: str) -> str:
    """Return what people, and some file systems, take for the same name."""
    return unicodedata.normalize("NFC", stem).casefold()


def _elsewhere(
    beside: Mapping[Path, Sequence[Path]], texts: Mapping[Path, str], tables: Sequence[CaptionTable]
) -> dict[Path, tuple[str, Path]]:
    found: dict[Path, tuple[str, Path]] = {}
    for path, files in beside.items():
        listed = [(table.captions[key], table.path) for table in tables if (key := table.key(path))]
        for text, file in (*((texts[one], one) for one in files), *listed):
            if text.strip():
                found.setdefault(path, (text.strip(), file))
    return found
