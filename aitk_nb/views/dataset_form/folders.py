"""`DatasetChoice`, and the folders of a form: completed, read when they change, and filled."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from aitk_nb._units import size, some
from aitk_nb.datasets.local.dataset import FixReport, LocalDataset
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput
from aitk_nb.models.names import name_problem, safe_file_name

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".txt")
"""What can be picked in the browser: images and captions."""

Stamp: TypeAlias = frozenset[tuple[str, int, int]]
"""Name, size and modification time of each file of a folder."""

# Jupyter accepts messages of 10 MiB at most, and silently drops the connection after a larger one;
# the rest is for the message around the files.
_JUPYTER = 10_000_000
_COLAB = 1_000_000
_ENTRIES = 2000
_OFFERED = 40


def completions(text: str) -> tuple[str, ...]:
    """Return the folders and zips whose path starts with `text`, in the form that is typed."""
    head, tail = os.path.split(text)
    try:
        with os.scandir(Path(head or ".").expanduser()) as entries:
            found = [
                entry.name
                for entry in islice(entries, _ENTRIES)
                if entry.name.startswith(tail)
                and (tail.startswith(".") or not entry.name.startswith("."))
                and (entry.name.lower().endswith(".zip") or entry.is_dir())
            ]
    except (OSError, RuntimeError, ValueError):
        return ()  # what is typed so far need not be a folder
    return tuple(os.path.join(head, name) for name in sorted(found)[:_OFFERED])  # noqa: PTH118


def stamp(folder: Path) -> Stamp:
    """Return what changes when a file of the folder does; empty if it can't be opened.

    Of a zip it is its own size and modification time.
    """
    try:
        if folder.is_file():
            return frozenset({_stamp(folder)})
        with os.scandir(folder) as entries:
            return frozenset(map(_stamp, entries))
    except (OSError, ValueError):
        return frozenset()


def _stamp(entry: os.DirEntry[str] | Path) -> tuple[str, int, int]:
    try:
        about = entry.stat()
    except OSError:  # a broken link; its name is enough
        return entry.name, -1, -1
    return entry.name, about.st_size, about.st_mtime_ns


def upload_limit(environ: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes of files one message from this page can bring."""
    return _COLAB if "COLAB_RELEASE_TAG" in environ else _JUPYTER


def private_folder() -> Path:
    """Return a new folder that only this user can open; it is deleted when the kernel ends."""
    folder = Path(tempfile.mkdtemp(prefix="aitk-nb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def store(files: Iterable[Mapping[str, Any]], folder: Path, limit: int) -> None:
    """Write picked files into `folder` under safe names, all or none.

    Raises:
        BadInput: They are too large, or not all of them are images and captions.
    """
    contents: dict[str, bytes] = {}
    for file in files:
        name = safe_file_name(str(file["name"]))
        if Path(name).suffix.lower() not in SUFFIXES:
            raise BadInput(f"{name!r} is not an image ({', '.join(SUFFIXES[:-1])}) or a caption.")
        if name in contents:
            raise BadInput(f"Two of the files would be named {name!r}; rename one of them.")
        contents[name] = bytes(file["content"])
    total = sum(map(len, contents.values()))
    if total > limit:
        raise BadInput(
            f"The files are {size(total)} in total; at most {size(limit)} can be picked at once. "
            "Put them into a folder of the machine that runs this notebook."
        )
    for name, content in contents.items():
        (folder / name).write_bytes(content)


class Reader:
    """Reads one folder at a time, for a server and a training job."""

    def __init__(self, requirements: Requirements | None) -> None:
        """Check for `requirements`; nothing is read yet."""
        self._requirements = requirements
        self._stamp: Stamp | None = None
        self._folder: Path | None = None
        self._left_out: Collection[str] = ()
        self.whole: LocalDataset | None = None
        """All that was in the folder when it was read; None before."""
        self._chosen = LocalDataset(())

    def read(self, folder: Path, left_out: Collection[str] = ()) -> LocalDataset:
        """Return what is in the folder without the images of these names.

        Raises:
            InvalidDataset: The folder can't be opened.
        """
        now, whole = stamp(folder), self.whole
        if whole is None or self._folder != folder:
            self.whole = None
            whole = LocalDataset(folder).check(self._requirements)
        elif self._stamp != now:
            # An edited caption must not cost decoding every image.
            whole = whole.rescan()
        if whole is not self.whole or self._left_out != left_out:
            gone = {path for path in whole.contents.trained if path.name in left_out}
            self._chosen = whole.without(gone) if gone else whole
        self.whole, self._folder, self._stamp, self._left_out = whole, folder, now, left_out
        return self._chosen

    def look_again(self) -> None:
        """Read the folder again at the next call, also if its own files have not changed."""
        self._stamp = None

    def forget(self) -> None:
        """Read every file of the folder again at the next call."""
        self.whole = None


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A folder and a name, from `DatasetForm`.

    Example:
        >>> choice = aitk_nb.views.DatasetForm(photos, name="chosen").value
        >>> choice, choice.left_out
        (<DatasetChoice 'chosen': 12 images>, ())
        >>> client.datasets.upload(choice.local, choice.name).name
        'chosen'
    """

    folder: Path
    """Where the images and captions are: a folder or a `.zip`."""
    name: str
    """Name of the dataset on the server."""
    local: LocalDataset
    """What can be used of it: images that an error is about are left out, with a warning."""
    whole: LocalDataset = field(repr=False)
    """The same with the images that an error is about."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the images that are not in `local`: by choice, or because of an error."""
        return self.local.left_out

    def fix(self, out_dir: str | Path, **options: Any) -> FixReport:
        """Write a corrected copy of all that was chosen, also of what an error is about.

        Args:
            out_dir: Folder for the copy.
            **options: Those of `LocalDataset.fix`.

        Returns:
            The copy, and what is different in it.

        Raises:
            BadInput: `out_dir` can't be written, overlaps the dataset, or holds other files.
        """
        return self.whole.fix(out_dir, **options)

    def __repr__(self) -> str:
        left_out = f", left out: {some(self.left_out)}" if self.left_out else ""
        return f"<DatasetChoice {self.name!r}: {self.local.media_text}{left_out}>"


def read_choice(
    folder: str, name: str, read: Callable[[Path], LocalDataset] = LocalDataset
) -> DatasetChoice:
    """Return the choice for what was typed; without a name that of the folder is used.

    Raises:
        InvalidDataset: Nothing in the folder can be used.
        BadInput: No folder is given, or the name is invalid.
    """
    path = typed_path(folder)
    whole = read(path)
    local = whole.usable()
    name = name.strip() or local.name or path.resolve().name
    if why := name_problem(name):
        raise BadName(f"Invalid dataset name {name!r}: {why}.")
    return DatasetChoice(path, name, local, whole)


def typed_path(folder: str) -> Path:
    """Return the path that was typed.

    Raises:
        BadInput: It is empty, or in the home of nobody.
    """
    if not folder.strip():
        raise BadInput("Choose a folder of images, each with a .txt caption of the same name.")
    try:
        return Path(folder.strip()).expanduser()
    except RuntimeError as exc:  # "~somebody" who has no account on this machine
        raise BadInput(f"Invalid path {folder.strip()!r}: {exc}") from exc


class BadName(BadInput):
    """The name is invalid, not the folder."""
