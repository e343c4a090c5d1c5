"""`Source`: the local files of a folder, a zip, or a list of files and addresses."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import weakref
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from aitk_nb.backends.wire import web_images
from aitk_nb.datasets.local.captions import caption_path, captions_beside
from aitk_nb.datasets.local.formats import FOREIGN, IMAGES, MEDIA, is_one_of
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.errors import InvalidDataset
from aitk_nb.models.names import safe_file_name

AnySource: TypeAlias = str | Path | Sequence[str | Path]
"""A folder, a zip, or a list of files and addresses."""

MAX_ZIP = 50_000_000_000
"""Bytes that a zip may unpack to."""
MAX_RATIO = 200
"""Largest ratio of unpacked to packed size of a larger member: images hardly shrink."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHUNK = 2**20


class Keeper:
    """Keeps a private folder for as long as the keeper is referenced, or the process lives."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aitk-nb-"))
        """Only this user can open it."""
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a dataset's files are."""

    folder: Path
    """The folder that they are in, or most of them."""
    name: str
    """What to call the dataset."""
    paths: tuple[Path, ...]
    """All entries in natural order, of whatever kind."""
    problems: tuple[Problem, ...] = ()
    """What was left out on the way."""
    keeper: Keeper | None = field(default=None, compare=False, repr=False)
    """Keeps what was unpacked or fetched."""
    is_list: bool = False
    """True when only some files of the folder were named."""
    left_out: frozenset[Path] = frozenset()
    """Files that are there, and that somebody does not want."""

    def without(self, files: Iterable[Path]) -> Source:
        """Return the source without some files."""
        left_out = self.left_out.union(files)
        paths = tuple(path for path in self.paths if path not in left_out)
        return replace(self, paths=paths, left_out=left_out)

    def rescan(self) -> Source:
        """Return the source as it is now.

        Raises:
            InvalidDataset: The folder can't be opened anymore.
        """
        if self.is_list:
            paths = _in_order(_with_captions(filter(_exists, self.paths)))
        else:
            paths = _listing(self.folder)
        return replace(self, paths=paths).without(())


def open_source(source: AnySource) -> Source:
    """Return the files of `source`; a zip is unpacked, and addresses are fetched.

    Raises:
        InvalidDataset: It can't be opened.
    """
    if isinstance(source, str | Path):
        if isinstance(source, str) and _ADDRESS.match(source.strip()):
            return _listed([source])
        path = _expanded(source)
        if path.suffix.lower() == ".zip" and path.is_file():
            return _unpacked(path)
        return Source(path, path.name or path.resolve().name, _listing(path))
    return _listed(list(source))


def _expanded(source: str | Path) -> Path:
    try:
        return Path(source).expanduser()
    except RuntimeError as exc:
        raise InvalidDataset(str(source), [f"Invalid path: {exc}"]) from exc


def _listing(folder: Path) -> tuple[Path, ...]:
    """Return all entries of a folder in natural order."""
    try:
        return _in_order(folder.iterdir())
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise InvalidDataset(repr(str(folder)), [f"The folder can't be opened: {why}."]) from exc


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _in_order(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted(paths, key=lambda path: natural(path.name)))


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts numbers in names by their value: `a2.png` before `a10.png`."""
    # A number without its zeros is the smaller, the shorter it is.
    return [
        (1, text) if text else (0, f"{len(number):03}{number}")
        for text, number in re.findall(r"([^0-9]+)|0*([0-9]*)", name.casefold())
    ], name


# -- a list of files and addresses -------------------------------------------------------------


def _listed(entries: Sequence[str | Path]) -> Source:
    if not entries:
        raise InvalidDataset("an empty list", ["It doesn't name a file."])
    addresses = [text for text in map(str, entries) if _ADDRESS.match(text)]
    files = [_expanded(entry) for entry in entries if not _ADDRESS.match(str(entry))]
    paths, problems = list(_with_captions(files)), []
    keeper = Keeper() if addresses else None
    if keeper is not None:
        fetched = web_images.fetch_all(addresses, keeper.folder)
        paths += [path for path in fetched.values() if isinstance(path, Path)]
        problems = [
            Problem(Code.UNREADABLE, _last_part(address), why, "correct its address")
            for address, why in fetched.items()
            if isinstance(why, str)
        ]
    problems += [
        Problem(Code.UNREADABLE, shown(path), "does not exist", "correct its path")
        for path in files
        if not _exists(path)
    ]
    folders = {path.parent for path in paths}
    folder = folders.pop() if len(folders) == 1 else (keeper.folder if keeper else Path())
    name = "dataset" if keeper or not folder.name else folder.name
    found = _in_order(filter(_exists, paths))
    return Source(folder, name, found, tuple(problems), keeper, is_list=True)


def _with_captions(files: Iterable[Path]) -> dict[Path, None]:
    """Return the files, each with the captions next to it, once."""
    found: dict[Path, None] = {}
    for path in files:
        found[path] = None
        if is_one_of(path, IMAGES | MEDIA | FOREIGN):
            beside = (caption_path(path), *captions_beside(path))
            found |= dict.fromkeys(caption for caption in beside if caption.is_file())
    return found


def _last_part(address: str) -> str:
    return safe_file_name(address.partition("?")[0].rstrip("/").rpartition("/")[2]) or "address"


# -- a zip ---------------------------------------------------------------------------------------


def _unpacked(path: Path) -> Source:
    keeper = Keeper()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            room = min(MAX_ZIP, shutil.disk_usage(keeper.folder).free // 2)
            if sum(member.file_size for member in members) > room:
                why = "It unpacks to more than the disk has room for: it may be a zip bomb."
                raise InvalidDataset(path.name, [why])
            problems = list(_members(archive, members, keeper.folder))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as exc:
        why = f"It is not a readable zip ({exc}): pack it again."
        raise InvalidDataset(path.name, [why]) from exc
    return Source(keeper.folder, path.stem, _listing(keeper.folder), tuple(problems), keeper)


def _members(
    archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], target: Path
) -> Iterator[Problem]:
    """Unpack the members that are files of a dataset; yield what was left out, and why."""
    top = _common_folder(members)
    taken: set[str] = set()
    for member in members:
        name = member.filename.replace("\\", "/").removeprefix(top)
        if _is_clutter(name):
            continue
        parts = [safe_file_name(part) for part in PurePosixPath(name).parts]
        path = "/".join(parts).casefold()
        why = _danger(member, name)
        if not why and path in taken:
            why = "another member of the zip has this name"
        if why:
            yield Problem(Code.UNSAFE_MEMBER, shown(name), f"is left out: {why}")
            continue
        taken.add(path)
        if failed := _extract(archive, member, target.joinpath(*parts)):
            yield Problem(Code.UNREADABLE, shown(name), failed, "pack the zip again")


def _common_folder(members: Sequence[zipfile.ZipInfo]) -> str:
    """Return the folder that all members are in, with its slash: many zips hold one folder."""
    names = [member.filename.replace("\\", "/") for member in members]
    names = [name for name in names if not _is_clutter(name)]
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    top = tops.pop() if len(tops) == 1 else ""
    return f"{top}/" if top and top not in (".", "..") else ""


def _is_clutter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in (".DS_Store", "Thumbs.db")


def _danger(member: zipfile.ZipInfo, name: str) -> str:
    """Return why a member must not be unpacked; empty when it may be."""
    if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        return "its path leads out of the folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link"
    if member.flag_bits & 1:
        return "it is encrypted"
    if member.file_size > _CHUNK and member.file_size > MAX_RATIO * max(1, member.compress_size):
        return "it unpacks to hundreds of times its size"
    return ""


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Unpack one member, and return why that failed; a member is never longer than it says."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
    except Exception as exc:  # noqa: BLE001 - decompressors have errors of their own (zlib, lzma)
        target.unlink(missing_ok=True)
        return f"can't be unpacked ({str(exc) or type(exc).__name__})"
    return ""
