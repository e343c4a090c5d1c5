"""`DatasetChoice`: a folder of images, what of it can be used, and a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aitk_nb._units import some
from aitk_nb.datasets.local.dataset import FixReport, LocalDataset
from aitk_nb.errors import BadInput
from aitk_nb.models.names import name_problem


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
