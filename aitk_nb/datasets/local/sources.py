"""`Source`: the files of a folder, a zip, or a list of files and addresses, on this machine."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from aitk_nb.backends.wire import web_images
from aitk_nb.datasets.local.captions import TABLES, caption_path
from aitk_nb.datasets.local.formats import kind_of
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.errors import InvalidDataset
from aitk_nb.models.names import safe_file_name

__all__ = ["AnySource", "Keeper", "Source", "natural", "open_source", "table_of"]

AnySource: TypeAlias = str | Path | Sequence[str | Path]
"""A folder, a zip, or a list of files and addresses."""

MAX_ZIP = 50_000_000_000
"""Bytes that a zip may unpack to."""
MAX_RATIO = 200
"""Times its packed size that a member of a megabyte and more may have: images hardly shrink."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHUNK = 2**20


class Keeper:
    """Keeps a private folder for as long as somebody holds the keeper, or the process lives."""

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
    """All entries in natural order, whatever they are."""
    problems: tuple[Problem, ...] = ()
    """What was left out on the way."""
    keeper: Keeper | None = field(default=None, compare=False, repr=False)
    """Keeps what was unpacked or fetched."""
    is_list: bool = False
    """True when only some files of the folder were named."""

    def again(self) -> Source:
        """Return the source as it is now.

        Raises:
            InvalidDataset: the folder cannot be opened any more.
        """
        if self.is_list:
            there = [path for path in self.paths if path.is_symlink() or path.exists()]
            paths = sorted(_with_captions(there), key=lambda path: natural(path.name))
        else:
            paths = _listing(self.folder)
        return replace(self, paths=tuple(paths))


def open_source(source: AnySource, progress: Callable[[int, int], None] | None = None) -> Source:
    """Return the files of `source`; a zip is unpacked, and addresses are fetched.

    Raises:
        InvalidDataset: it cannot be opened.
    """
    if isinstance(source, str | Path):
        if isinstance(source, str) and _ADDRESS.match(source.strip()):
            return _listed([source], progress)
        path = _expanded(source)
        if path.suffix.lower() == ".zip" and path.is_file():
            return _unpacked(path)
        return Source(path, path.name or path.resolve().name, tuple(_listing(path)))
    return _listed(list(source), progress)


def _expanded(source: str | Path) -> Path:
    try:
        return Path(source).expanduser()
    except RuntimeError as exc:
        raise InvalidDataset(str(source), [f"It leads nowhere: {exc}."]) from exc


def _listing(folder: Path) -> list[Path]:
    """Return all entries of a folder in natural order."""
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError as exc:
        raise InvalidDataset(str(folder), ["There is no such folder."]) from exc
    except NotADirectoryError as exc:
        raise InvalidDataset(str(folder), ["It is a file, not a folder."]) from exc
    except PermissionError as exc:
        raise InvalidDataset(str(folder), ["You may not open this folder."]) from exc
    except (OSError, ValueError) as exc:  # a loop of links, a name too long, a NUL in it
        raise InvalidDataset(repr(str(folder)), [f"It cannot be opened: {exc}."]) from exc
    return sorted(paths, key=lambda path: natural(path.name))


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts numbers in names by their value: `a2.png` before `a10.png`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    # A number without its zeros is the smaller, the shorter it is.
    numbers = [part.lstrip("0") if part[0] in "0123456789" else None for part in parts]
    return [
        (0, f"{len(number):03}{number}") if number is not None else (1, part)
        for part, number in zip(parts, numbers, strict=True)
    ], name


# -- a list of files and addresses -------------------------------------------------------------


def _listed(entries: Sequence[str | Path], progress: Callable[[int, int], None] | None) -> Source:
    if not entries:
        raise InvalidDataset("an empty list", ["It names no file."])
    addresses = [text for text in map(str, entries) if _ADDRESS.match(text)]
    files = [_expanded(entry) for entry in entries if not _ADDRESS.match(str(entry))]
    paths, problems = list(_with_captions(files)), []
    keeper = Keeper() if addresses else None
    if keeper is not None:
        fetched = web_images.fetch_all(addresses, keeper.folder, progress)
        paths += [path for path in fetched.values() if isinstance(path, Path)]
        problems = [
            Problem(Code.UNREADABLE, _last_part(address), why, "look at its address")
            for address, why in fetched.items()
            if isinstance(why, str)
        ]
    problems += [
        Problem(Code.UNREADABLE, shown(path), "is not there", "look at its path")
        for path in files
        if not path.is_symlink() and not path.exists()
    ]
    folders = {path.parent for path in paths}
    folder = folders.pop() if len(folders) == 1 else (keeper.folder if keeper else Path())
    name = "dataset" if keeper or not folder.name else folder.name
    there = [path for path in paths if path.is_symlink() or path.exists()]
    ordered = sorted(there, key=lambda path: natural(path.name))
    return Source(folder, name, tuple(ordered), tuple(problems), keeper, is_list=True)


def _with_captions(files: Iterable[Path]) -> dict[Path, None]:
    """Return the files, each with the caption that lies beside it, once."""
    found: dict[Path, None] = {}
    for path in files:
        found[path] = None
        if kind_of(path) and (caption := caption_path(path)).is_file():
            found[caption] = None
    return found


def _last_part(address: str) -> str:
    return safe_file_name(address.partition("?")[0].rstrip("/").rpartition("/")[2]) or "address"


# -- a zip ---------------------------------------------------------------------------------------


def _unpacked(path: Path) -> Source:
    keeper = Keeper()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if sum(member.file_size for member in members) > _room(keeper.folder):
                raise InvalidDataset(
                    path.name, ["It unpacks to more than there is room for: it may be a bomb."]
                )
            problems = list(_members(archive, members, keeper.folder))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as exc:
        why = f"It is no zip that can be read ({exc}): pack it anew."
        raise InvalidDataset(path.name, [why]) from exc
    listing = tuple(_listing(keeper.folder))
    return Source(keeper.folder, path.stem, listing, tuple(problems), keeper)


def _room(folder: Path) -> int:
    return min(MAX_ZIP, shutil.disk_usage(folder).free // 2)


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
        if why := _danger(member, name):
            yield Problem(Code.UNSAFE_MEMBER, shown(name), f"is left out: {why}")
            continue
        parts = [safe_file_name(part) for part in PurePosixPath(name).parts]
        place = "/".join(parts)
        if place.casefold() in taken:
            why = "is left out: another member of the zip has this name"
            yield Problem(Code.UNSAFE_MEMBER, shown(name), why)
            continue
        taken.add(place.casefold())
        if failed := _extract(archive, member, target.joinpath(*parts)):
            yield Problem(Code.UNREADABLE, shown(name), failed, "pack the zip anew")


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
        return "its name leads out of the folder"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link"
    if member.flag_bits & 1:
        return "it is locked by a password"
    if member.file_size > _CHUNK and member.file_size > MAX_RATIO * max(1, member.compress_size):
        return "it unpacks to hundreds of times its size"
    return ""


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Unpack one member, and return why that failed; a member is never longer than it says."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
    ) as exc:
        target.unlink(missing_ok=True)
        return f"cannot be unpacked ({exc})"
    except Exception as exc:  # noqa: BLE001 - decompressors have errors of their own (zlib, lzma)
        target.unlink(missing_ok=True)
        return f"cannot be unpacked ({type(exc).__name__})"
    return ""


def table_of(paths: Iterable[Path]) -> Path | None:
    """Return the table of captions among the files, if there is one."""
    by_name = {path.name.lower(): path for path in paths}
    return next((by_name[name] for name in TABLES if name in by_name), None)
